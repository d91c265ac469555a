"""The main job: English dates to Chinese, from nothing to a picture of what the model attends to."""

from pathlib import Path

from . import experiment, runs
from .data.tasks import load_task
from .plots import attention_heatmaps
from .translator import Translator

FOLDER = Path("runs/demo")
MODEL = FOLDER / "model.npz"
FIGURE = Path("figures/attention_dates.png")
SHOWN = ("Tuesday, September 27, 1994", "Sat, 29 Feb 2020", "March 3, 2031")


def demo(seed=0, folder=FOLDER, figure=FIGURE, device="cpu"):
    """Run the experiment "dates" anew, show a dozen translations, draw what was attended to -> its scores"""
    dates = experiment.read("dates")
    run = runs.train(dates, folder, seed, fresh=True, device=device)
    results, translator = run.results(), Translator.load(run.path("model.npz"))
    translator.model.to(device)
    print(
        f"\nexact match on {results['pairs']['test']:,} held-out dates, no day of which occurs in training in any "
        f"format: {results['scores']['exact_match']:.2%}  ({results['seconds']:.0f} s of training)\n"
    )
    dozen = load_task(seed=seed, **experiment.task_options(dates)).test[:12]
    for pair, translation in zip(dozen, translator.translate([pair.source for pair in dozen]), strict=True):
        verdict = "right" if translation.text == pair.target else f"WRONG, should be {pair.target}"
        print(f"  {pair.source:<30} {translation.text}  {verdict}")
    saved = str(run.path("model.npz"))
    shown = translator.translate(list(SHOWN))
    Path(figure).parent.mkdir(parents=True, exist_ok=True)
    try:
        attention_heatmaps(
            [(t.alphas, t.source_tokens, t.target_tokens) for t in shown],
            figure,
            title="Where the decoder looks (columns) while it writes each character (rows)",
        )
        saved += f" and {figure}"
    except ImportError:
        pass  # the run has said what is missing
    print(f'\nsaved {saved}; now try: minis2s translate "March 3, 2031"')
    return results["scores"]
