"""minis2s demo | translate | train | evaluate | predict | results | figures | data | gradcheck | doctor | bench"""

import argparse
import sys
from pathlib import Path


def build_parser():
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog="minis2s", description="Encoder-decoder models by hand, in NumPy.")
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser("demo", help="learn to translate English dates to Chinese, in a minute or two")
    command.add_argument("--seed", type=int, default=0)
    add_device(command)
    command.set_defaults(run=run_demo)

    command = commands.add_parser("translate", help="translate with a saved model, by default the demo's")
    command.add_argument("text", nargs="*", help="texts to translate; without any, a line each from standard input")
    command.add_argument("--model", default=None, help="a saved model")
    command.add_argument("--beam", type=int, default=1, help="how many beginnings to carry on side by side")
    add_device(command)
    command.set_defaults(run=run_translate)

    command = commands.add_parser("train", help="run an experiment, from where it stands if it was stopped")
    command.add_argument("experiment", help="its name, such as tatoeba, or the path of a TOML file")
    command.add_argument("--run", default=None, dest="folder", help="the folder of the run, by default runs/NAME")
    command.add_argument("--data", default=None, help="the directory of the corpus")
    command.add_argument("--minutes", type=float, default=None, help="how long to train at most")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--save-every", type=float, default=60.0, help="seconds between checkpoints")
    command.add_argument("--threads", type=int, default=1, help="of the CPU; each takes its part of every batch")
    add_device(command)
    command.set_defaults(run=run_train)

    command = commands.add_parser("evaluate", help="score a run's best model again")
    command.add_argument("folder", metavar="RUN")
    command.add_argument("--split", default="test", help="train, valid, test or a further one of the task, as longer")
    command.add_argument("--beam", type=int, default=None, help="how many beginnings to carry on side by side")
    command.add_argument("--length-penalty", type=float, default=None)
    command.add_argument("--data", default=None, help="the directory of the corpus")
    add_device(command)
    command.set_defaults(run=run_evaluate)

    command = commands.add_parser("predict", help="translate with a run's best model")
    command.add_argument("folder", metavar="RUN")
    command.add_argument("text", nargs="*", help="texts; without any, a line each from standard input")
    command.add_argument("--beam", type=int, default=1, help="how many beginnings to carry on side by side")
    add_device(command)
    command.set_defaults(run=run_predict)

    command = commands.add_parser("results", help="a table of finished runs")
    command.add_argument("runs", metavar="RUN", nargs="*", help="folders of runs or saved records, by default runs/*")
    command.add_argument("--save", metavar="FOLDER", help="keep the records of the runs there, a file each")
    command.set_defaults(run=run_results)

    command = commands.add_parser("figures", help="draw the pictures of the chapters")
    command.add_argument("names", metavar="NAME", nargs="*", help="which; without any, all")
    command.add_argument("--out", default="figures", dest="folder", help="the folder to write them into")
    command.add_argument("--results", default="figures/results", help="the folder of results that some are drawn from")
    command.set_defaults(run=run_figures)

    command = commands.add_parser("data", help="the corpora: which there are, and where; fetch one")
    command.add_argument("action", choices=["list", "fetch"])
    command.add_argument("name", nargs="?", help="the corpus to fetch")
    command.add_argument("--data", default=None, help="the directory to look in, or to put it in")
    command.add_argument("--any-version", action="store_true", help="take a file with another sum than the known")
    command.set_defaults(run=run_data)

    command = commands.add_parser("gradcheck", help="check every gradient against finite differences")
    command.add_argument("layer", nargs="*", help="one layer, such as lstm; without one, all")
    command.set_defaults(run=run_gradcheck)

    command = commands.add_parser("doctor", help="what is installed here, and what is missing")
    command.add_argument("--data", default=None, help="the directory of the corpora")
    command.set_defaults(run=run_doctor)

    command = commands.add_parser("bench", help="how fast, beside PyTorch on the same processor or GPU")
    command.add_argument("names", metavar="WORKLOAD", nargs="*", help="or ablation, scaling, decoding")
    command.add_argument("--threads", type=int, default=2, help="of each process")
    command.add_argument("--rounds", type=int, default=5, help="how many turns each takes")
    command.add_argument("--dtype", default="float32", help="float32 or float64")
    command.add_argument("--profile", action="store_true", help="only where the time of our own step goes")
    command.add_argument("--json", metavar="FILE", default=None, help="all numbers")
    command.add_argument("--figure", metavar="FILE", default=None, help="a picture of the workloads, or of scaling")
    add_device(command)
    command.set_defaults(run=run_bench)

    return parser


def add_device(command):
    command.add_argument("--device", choices=["cpu", "gpu"], default="cpu", help="where to compute")


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "text") or any(text.startswith("-") for text in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # texts that stand after an option, which argparse leaves over
        options.text += rest
    try:
        return options.run(options) or 0
    except (ValueError, OSError, ImportError, RuntimeError, FloatingPointError) as error:
        print(f"minis2s: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run_demo(options):
    from .demo import demo

    demo(options.seed, device=options.device)


def run_translate(options):
    from .demo import MODEL

    path = MODEL if options.model is None else options.model
    try:
        print_translations(path, options)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}; `minis2s demo` makes one") from None


def run_predict(options):
    print_translations(Path(options.folder) / "model.npz", options)


def print_translations(path, options):
    from .translator import Translator

    translator = Translator.load(path)
    translator.model.to(options.device)
    texts = options.text or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    for translation in translator.translate(texts, width=options.beam):
        print(translation.text)
        if translation.unknown:
            print(f"  (not in the vocabulary: {' '.join(translation.unknown)})", file=sys.stderr)


def run_train(options):
    from .machine import leave_one_thread_to_blas

    if options.threads > 1:
        leave_one_thread_to_blas()  # which looks at the environment once, when NumPy is imported
    from . import experiment, runs

    chosen = experiment.read(options.experiment)
    run = runs.train(
        chosen,
        options.folder,
        options.seed,
        options.data,
        options.minutes,
        options.save_every,
        device=options.device,
        threads=options.threads,
    )
    print(f"\n{run.path('samples.txt').read_text(encoding='utf-8')}")
    print_scores(run.results()["scores"])
    print(f'\n{run.folder} holds the run; now try: minis2s predict {run.folder} "a text of yours"')


def run_evaluate(options):
    from .runs import evaluate

    asked = {"width": options.beam, "length_penalty": options.length_penalty}
    asked = {name: value for name, value in asked.items() if value is not None}
    print_scores(evaluate(options.folder, options.split, options.data, options.device, **asked))


def print_scores(scores):
    print("  ".join(f"{name} {value:.4g}" for name, value in scores.items() if value is not None))


def run_results(options):
    from . import results

    paths = options.runs or sorted(path.parent for path in Path("runs").glob("*/experiment.json"))
    records = [record for record in map(results.read, paths) if record is not None]
    if options.save:
        results.save(records, options.save)
    print(results.table(records))


def run_figures(options):
    from .contracts import expect_choice
    from .figures import FIGURES, draw

    for name in options.names:
        expect_choice("NAME", name, FIGURES)
    for name in options.names or FIGURES:
        paths = draw(name, options.folder, options.results)
        for line in paths or [f"{name}: {options.results} holds nothing to draw"]:
            print(line, flush=True)


def run_data(options):
    from .data.fetch import fetch, list_corpora

    if options.action == "list":
        print(list_corpora(options.data))
    elif options.name is None:
        raise ValueError("data fetch needs the name of a corpus; `minis2s data list` shows them")
    else:
        for path in fetch(options.name, options.data, options.any_version):
            print(path)


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


def run_doctor(options):
    from .doctor import facts

    for name, fact in facts(options.data):
        print(f"{name:<16} {fact}", flush=True)


def run_bench(options):
    from .bench.command import bench
    from .bench.race import Setting

    setting = Setting(options.threads, options.rounds, options.dtype)
    bench(options.names, setting, options.profile, options.json, options.figure, options.device)
