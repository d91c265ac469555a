"""The main job: English dates to Chinese, from nothing to a picture of what the model attends to."""

import time
from pathlib import Path

from .data.dates import dates
from .metrics import sequence_accuracy
from .optim import Adam
from .plots import attention_heatmaps
from .training import Trainer
from .translator import Translator

MODEL = Path("runs/dates/model.npz")
FIGURE = Path("figures/attention_dates.png")
SETTINGS = {"cell": "gru", "embedding_size": 32, "hidden_size": 64, "bidirectional": True, "attention": "additive"}
SHOWN = ("Tuesday, September 27, 1994", "Sat, 29 Feb 2020", "March 3, 2031")


def train_dates(seed=0, report=print):
    """A translator for dates and the text pairs that it has not seen -> translator, test pairs"""
    splits = dates(seed)
    translator = Translator.untrained(splits.train, "characters", "characters", seed=seed, **SETTINGS)
    report(
        f"{len(splits.train):,} dates to learn from, {len(splits.test):,} held out (no day of theirs occurs in "
        f"training, in any format); {translator.model.size:,} parameters"
    )
    trainer = Trainer(translator.model, Adam(5e-3), batch_size=64, seed=seed)
    trainer.fit(
        translator.encode(splits.train), translator.encode(splits.valid), epochs=8, good_enough=1.0, report=report
    )
    return translator, splits.test


def exact_match(translator, pairs):
    """The share of pairs whose target is translated to the last character, 0 to 1."""
    written = translator.translate([pair.source for pair in pairs])
    hypotheses = [list(translation.target_tokens) for translation in written]
    return sequence_accuracy(hypotheses, [[*translator.split_target(pair.target), "<end>"] for pair in pairs])


def demo(seed=0, model=MODEL, figure=FIGURE):
    """Train, score, show a dozen translations, draw what was attended to, save the model."""
    start = time.monotonic()
    translator, test = train_dates(seed)
    exact = exact_match(translator, test)
    print(f"\nexact match on {len(test):,} held-out dates: {exact:.2%}  ({time.monotonic() - start:.0f} s)\n")
    dozen = test[:12]
    for pair, translation in zip(dozen, translator.translate([pair.source for pair in dozen]), strict=True):
        verdict = "right" if translation.text == pair.target else f"WRONG, should be {pair.target}"
        print(f"  {pair.source:<30} {translation.text}  {verdict}")
    translator.save(model)
    shown = translator.translate(list(SHOWN))
    Path(figure).parent.mkdir(parents=True, exist_ok=True)
    attention_heatmaps(
        [(t.alphas, t.source_tokens, t.target_tokens) for t in shown],
        figure,
        title="Where the decoder looks (columns) while it writes each character (rows)",
    )
    print(f'\nsaved {model} and {figure}; now try: minis2s translate "March 3, 2031"')
    return exact
