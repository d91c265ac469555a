"""The training step against one written by hand, the epoch's loss, the deadline, the choice of the best epoch."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from test_training import model_for, reversal

from minis2s import training
from minis2s.data.batches import batches_by_length
from minis2s.data.vocabulary import PAD
from minis2s.evaluation import Evaluation
from minis2s.nn import SoftmaxCrossEntropy
from minis2s.optim import SGD, Adam, clip_by_global_norm, warmup
from minis2s.training import Trainer


def silent(line):
    pass


@pytest.mark.parametrize("forcing", [0.5, lambda step: 0.9 - 0.2 * step], ids=["a number", "of the step"])
def test_a_step_is_forward_loss_backward_clip_update(forcing):
    seed, clip, lr, schedule = 3, 0.05, 0.5, warmup(8)
    model = model_for(dropout=0.3)
    by_hand = copy.deepcopy(model)
    trainer = Trainer(model, SGD(lr, momentum=0.9), clip, forcing, schedule, seed=seed)
    optimiser, loss = SGD(lr, momentum=0.9), SoftmaxCrossEntropy(ignore_index=PAD)
    for step, batch in enumerate(batches_by_length(reversal(100, 0), 32, np.random.default_rng(0))):
        rng = np.random.default_rng([seed, 1, step])
        share = forcing(step) if callable(forcing) else forcing
        (logits, _), cache = by_hand.forward(batch.source, batch.source_lengths, batch.y, share, rng)
        expected = loss.overwrite(logits, batch.targets)
        by_hand.zero_grad()
        by_hand.backward(logits, None, cache)
        norm = clip_by_global_norm(by_hand.grads, clip)
        assert norm > 2 * clip
        optimiser.lr = lr * schedule(step)
        optimiser.update(by_hand.params, by_hand.grads)
        # The trainer's norm is over one array, so its sum is rounded in another order.
        assert trainer.step(batch) == pytest.approx((expected, norm), rel=1e-5)
        for name, param in by_hand.params.items():
            np.testing.assert_allclose(model.params[name], param, rtol=1e-4, atol=1e-6)
    assert trainer.steps == 4


class Recorder(Trainer):
    """Keeps the loss and the tokens of every step, and lets a minute pass in each."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.recorded, self.now = [], 0.0

    def step(self, batch):
        result = super().step(batch)
        self.recorded.append((result.loss, batch.tokens))
        self.now += 60
        return result


def test_the_loss_of_an_epoch_is_the_mean_over_its_tokens():
    examples = reversal(70, 0)
    trainer = Recorder(model_for(), Adam(1e-2), batch_size=16)
    log = trainer.fit(examples, examples[:8], epochs=2, report=silent)
    for entry, of_epoch in zip(log, (trainer.recorded[:5], trainer.recorded[5:]), strict=True):
        losses, tokens = np.array(of_epoch).T
        assert entry["loss"] == pytest.approx(losses @ tokens / tokens.sum(), rel=1e-12)
        assert entry["loss"] != pytest.approx(losses.mean(), rel=1e-6)


def test_the_deadline_ends_an_epoch_between_two_steps(monkeypatch):
    examples = reversal(70, 0)
    trainer = Recorder(model_for(), batch_size=8)
    clocks = SimpleNamespace(monotonic=lambda: trainer.now, process_time=lambda: trainer.now / 2)
    monkeypatch.setattr(training, "time", clocks)
    log = trainer.fit(examples, examples[:8], epochs=2, minutes=2.5, report=silent)
    assert trainer.steps == 3
    assert [(entry["step"], entry["seconds"], entry["cpu_seconds"]) for entry in log] == [(3, 180, 90)]


@pytest.mark.parametrize(("choose_by", "chosen"), [("loss", 1), ("exact_match", 2)])
def test_the_best_epoch_is_chosen_by_what_was_asked_for(choose_by, chosen, monkeypatch):
    script = iter([Evaluation(3.0, 0.1), Evaluation(1.0, 0.2), Evaluation(2.0, 0.9), Evaluation(2.5, 0.9)])
    monkeypatch.setattr(training, "evaluate", lambda model, examples: next(script))
    model, after = model_for(), []
    Trainer(model, Adam(1e-2), batch_size=16).fit(
        reversal(20, 0),
        reversal(8, 1),
        epochs=4,
        choose_by=choose_by,
        report=silent,
        after_epoch=lambda: after.append(copy.deepcopy(model.params)),
    )
    same = [all((params[name] == param).all() for name, param in model.params.items()) for params in after]
    assert same == [epoch == chosen for epoch in range(4)]
