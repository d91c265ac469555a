"""The small models that figures look into: trained in seconds, once in a process, the same every time."""

from dataclasses import fields
from functools import cache

import numpy as np

from ..contracts import expect_positive
from ..data.batches import batches_by_length
from ..data.tasks import load_task
from ..models import Seq2SeqConfig
from ..optim import Adam, cosine
from ..training import Trainer
from ..translator import Translator

BATCH_SIZE, LR = 64, 1e-2


@cache
def trained(task, steps, seed=0, source_tokens="characters", **options):
    """A model after so many steps on the pairs of a task, half-trained where they are few -> Translator, Splits

    options: fields of Seq2SeqConfig for the model, the others for the task. Targets are read by character. Neither the
    translator nor the splits are the caller's to change: the next figure gets the same ones.
    """
    expect_positive(steps=steps)
    of_model = {field.name for field in fields(Seq2SeqConfig)} & options.keys()
    splits = load_task(task, seed, **{name: options[name] for name in options.keys() - of_model})
    model = {name: options[name] for name in of_model}
    translator = Translator.untrained(splits.train, source_tokens, "characters", seed, **model)
    trainer = Trainer(translator.model, Adam(LR), schedule=cosine(steps), batch_size=BATCH_SIZE, seed=seed)
    examples = translator.encode(splits.train)
    rng = np.random.default_rng([seed, 2])
    while trainer.steps < steps:
        for batch in batches_by_length(examples, BATCH_SIZE, rng)[: steps - trainer.steps]:
            trainer.step(batch)
    return translator, splits
