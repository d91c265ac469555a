"""minis2s demo | translate | train | gradcheck"""

import argparse
import math
import sys
from pathlib import Path


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="minis2s", description="Encoder-decoder models by hand, in NumPy.")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("demo", help="learn to translate English dates to Chinese, in about a minute")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=run_demo)

    command = commands.add_parser("translate", help="translate with a saved model, by default the demo's")
    command.add_argument("text", nargs="*", help="texts to translate; without any, a line each from standard input")
    command.add_argument("--model", default=None, help="a saved model")
    command.add_argument("--beam", type=int, default=1, help="how many beginnings to carry on side by side")
    command.set_defaults(run=run_translate)

    command = commands.add_parser("train", help="run an experiment: train, score, show samples, save")
    command.add_argument("experiment", help="its name, such as tatoeba, or the path of a TOML file")
    command.add_argument("--data", default=None, help="the directory of the corpus")
    command.add_argument("--minutes", type=float, default=None, help="how long to train at most")
    command.add_argument("--seed", type=int, default=0)
    command.set_defaults(run=run_train)

    command = commands.add_parser("gradcheck", help="check every gradient against finite differences")
    command.add_argument("layer", nargs="*", help="one layer, such as lstm; without one, all")
    command.set_defaults(run=run_gradcheck)

    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, OSError, ImportError, RuntimeError, FloatingPointError) as error:
        print(f"minis2s: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run_demo(options):
    from .demo import demo

    demo(options.seed)


def run_translate(options):
    from .demo import MODEL
    from .translator import Translator

    path = MODEL if options.model is None else options.model
    try:
        translator = Translator.load(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; `minis2s demo` makes one") from None
    texts = options.text or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    for translation in translator.translate(texts, width=options.beam):
        print(translation.text)
        if translation.unknown:
            print(f"  (not in the vocabulary: {' '.join(translation.unknown)})", file=sys.stderr)


def run_train(options):
    from . import experiment

    chosen = experiment.read(options.experiment)
    outcome = experiment.run(chosen, options.seed, options.data, options.minutes)
    loss, exact = outcome.test
    print(f"\ntest: loss {loss:.3f} a token (perplexity {math.exp(loss):.1f}), exact match {exact:.1%}\n")
    shown = outcome.splits.test[:16]
    for pair, found in zip(shown, outcome.translator.translate([pair.source for pair in shown]), strict=True):
        print(f"  {pair.source}\n    {found.text}\n    {pair.target}  (reference)")
    model = Path("runs") / chosen.name / "model.npz"
    outcome.translator.save(model)
    print(f'\nsaved {model}; now try: minis2s translate --model {model} "{shown[0].source}"')


def run_gradcheck(options):
    from .cases import cases

    print(f"{'layer, option':<40} {'parameter or input':<40} {'entries':>7} {'rel. error':>10}")
    failed = checked = 0
    for case in cases(" ".join(options.layer) or None):
        for check in case.check():
            print(f"{case.name:<40} {check}", flush=True)
            failed += not check.passed
            checked += 1
    print(f"{checked - failed} passed, {failed} failed")
    return 1 if failed else 0
