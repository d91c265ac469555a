"""The main job: English dates to Chinese, from nothing to a picture of what the model attends to."""

import time
from pathlib import Path

from . import experiment
from .plots import attention_heatmaps

MODEL = Path("runs/dates/model.npz")
FIGURE = Path("figures/attention_dates.png")
SHOWN = ("Tuesday, September 27, 1994", "Sat, 29 Feb 2020", "March 3, 2031")


def demo(seed=0, model=MODEL, figure=FIGURE):
    """Train, score, show a dozen translations, draw what was attended to, save the model."""
    start = time.monotonic()
    outcome = experiment.run(experiment.read("dates"), seed)
    translator, test = outcome.translator, outcome.splits.test
    print(
        f"\nexact match on {len(test):,} held-out dates, no day of which occurs in training in any format: "
        f"{outcome.test.exact:.2%}  ({time.monotonic() - start:.0f} s)\n"
    )
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
    return outcome.test.exact
