"""A run's folder: what was asked, how it went, and all that is needed to go on after a stop at any moment.

    experiment.json        the tables of the experiment, the seed, versions
    checkpoint.npz         parameters, best parameters, optimiser, position; checkpoint.previous.npz the one before
    log.jsonl              a line an epoch
    model.npz              the best model, as `minis2s predict` and `evaluate` read it
    results.json           when it is finished: all of experiment.json, scores, scores by length, the log
    samples.txt            translations of test sentences beside their references
    learning_curve.png, attention.png

Every file is written whole or not at all.
"""

import datetime
import json
import platform
import time
from pathlib import Path

import numpy as np

from . import __version__, checkpoint, standing
from .atomic import unfinished, write_atomically
from .backend import expect_device
from .contracts import expect_choice, expect_count
from .data.tasks import load_task, load_truth
from .experiment import Experiment, describe, prepare, task_options
from .machine import describe_machine
from .scoring import attempt, score, score_by_length
from .translator import Translator

SAVE_EVERY = 60.0  # seconds
FILES = ("results.json", "samples.txt", "learning_curve.png", "attention.png", "model.npz", "log.jsonl")
FILES += ("checkpoint.npz", "checkpoint.previous.npz", "checkpoint.next.npz", "experiment.json")


class Run:
    """The folder of one run of an experiment with a seed."""

    def __init__(self, folder, experiment, seed):
        expect_count(seed=seed)
        self.folder, self.experiment, self.seed = Path(folder), experiment, int(seed)

    @classmethod
    def at(cls, folder):
        """The run whose folder this is; FileNotFoundError or ValueError where it is none."""
        path = Path(folder) / "experiment.json"
        if not path.is_file():
            raise FileNotFoundError(f"{folder} is not the folder of a run: it has no experiment.json")
        try:
            asked = json.loads(path.read_text(encoding="utf-8"))
            return cls(folder, Experiment(**asked["experiment"]), asked["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error})") from error

    def path(self, name):
        return self.folder / name

    def record(self):
        """What experiment.json holds: what was asked, and of which machine and versions."""
        return json.loads(self.path("experiment.json").read_text(encoding="utf-8"))

    def asked(self):
        return {"experiment": self.experiment._asdict(), "seed": self.seed}

    def exists(self):
        """Whether the folder holds this run; ValueError that names what differs if it holds one of something else."""
        path = self.path("experiment.json")
        if path.is_file():
            checkpoint.expect_same(path, Run.at(self.folder).asked(), self.asked())
        return path.is_file()

    def begin(self):
        """Make the folder; in one that is there already, remove what a killed process had not finished writing."""
        for name in FILES:
            for left in unfinished(self.path(name)):
                left.unlink(missing_ok=True)
        if not self.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            made = {"date": datetime.date.today().isoformat(), "machine": describe_machine(), "minis2s": __version__}
            made |= {"numpy": np.__version__, "python": platform.python_version()}
            self.write_json("experiment.json", self.asked() | {"made": made})

    def clear(self):
        """Remove the files that a run makes, those that say what it is last."""
        for name in FILES:
            self.path(name).unlink(missing_ok=True)

    def resume(self, trainer):
        """Put `trainer` where the last checkpoint stands, if there is one -> whether there was.

        Raises ValueError for a damaged checkpoint, and says where the one before it is kept.
        """
        path, previous = self.path("checkpoint.npz"), self.path("checkpoint.previous.npz")
        if not path.is_file() and not previous.is_file():
            return False
        try:
            standing.restore(trainer, *checkpoint.load(path if path.is_file() else previous))
        except ValueError as error:
            kept = f"; the one before it is kept: remove {path.name} to go on from {previous.name}"
            raise ValueError(f"{error}{kept if path.is_file() and previous.is_file() else ''}") from error
        return True

    def saver(self, trainer, every=SAVE_EVERY):
        """A function to call after every step, which saves a checkpoint when `every` seconds have passed."""
        last = time.monotonic()

        def after_step():
            nonlocal last
            if time.monotonic() - last >= every:
                self.save(trainer)
                last = time.monotonic()

        return after_step

    def save(self, trainer):
        """Write a checkpoint and the log; the checkpoint before this one is kept until the next."""
        path = self.path("checkpoint.npz")
        unproven = self.path("checkpoint.next.npz")
        checkpoint.save(unproven, *standing.state_of(trainer))
        if path.is_file():
            path.replace(self.path("checkpoint.previous.npz"))
        unproven.replace(path)
        lines = "".join(json.dumps(entry) + "\n" for entry in trainer.at.log)
        write_atomically(self.path("log.jsonl"), lambda file: file.write(lines.encode()))

    def write_json(self, name, value):
        text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        write_atomically(self.path(name), lambda file: file.write(text.encode()))

    def results(self):
        """The scores of a finished run, or None."""
        path = self.path("results.json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def train(
    experiment,
    folder=None,
    seed=0,
    data=None,
    minutes=None,
    save_every=SAVE_EVERY,
    report=print,
    fresh=False,
    device="cpu",
    threads=1,
):
    """Run an experiment in its folder, from where it stands if it was stopped, or anew if it is to be fresh -> Run

    A run on the CPU that is stopped at any moment, and started again with the same words, ends with the same bits as
    one that never was (but for a limit in minutes, which counts the time of this machine). What it saves does not
    depend on the device: begun on one it can be taken up on the other.
    """
    expect_device(device)
    name = experiment.name if seed == 0 else f"{experiment.name}-{seed}"
    run = Run(Path("runs") / name if folder is None else folder, experiment, seed)
    if not fresh and run.exists() and run.results() is not None:
        report(f"{run.folder} holds a finished run; remove it, or name another folder, to run it again")
        return run
    prepared = prepare(experiment, seed, data, minutes, threads)
    if fresh:
        run.clear()
    run.begin()
    trainer, translator = prepared.trainer, prepared.translator
    translator.model.to(device)
    report(describe(experiment, prepared))
    if run.resume(trainer):
        report(f"going on after step {trainer.steps}, epoch {trainer.at.epoch + 1}")
    trainer.fit(
        prepared.train,
        prepared.valid,
        report=report,
        after_step=run.saver(trainer, save_every),
        after_epoch=lambda: run.save(trainer),
        **prepared.fit,
    )
    run.save(trainer)
    translator.save(run.path("model.npz"))
    write_samples(run, translator, prepared.splits.test[:20])
    draw(run, translator, trainer.at.log, prepared.splits.test, report)
    run.write_json("results.json", run.record() | outcome(run, translator, trainer, prepared.splits, data))
    return run


def outcome(run, translator, trainer, splits, data=None):
    """What came of a run: scores on the test split, by length too, and on further ones; what it took."""
    experiment = run.experiment
    found = attempt_of(translator, experiment, splits.test, data)
    metrics = metrics_of(experiment)
    return {
        "scores": score(found, metrics),
        "by_length": score_by_length(found, metrics),
        "more": {
            name: score(attempt_of(translator, experiment, pairs, data), metrics)
            for name, pairs in splits.more.items()
        },
        "pairs": {"train": len(splits.train), "valid": len(splits.valid), "test": len(splits.test)}
        | {name: len(pairs) for name, pairs in splits.more.items()},
        "parameters": translator.model.size,
        "device": translator.model.device,
        "threads": trainer.replicas.threads,
        "steps": trainer.steps,
        "epochs": trainer.at.epoch,
        "seconds": round(trainer.at.seconds, 1),
        "cpu_seconds": round(trainer.at.cpu_seconds, 1),
        "log": trainer.at.log,
    }


def metrics_of(experiment):
    """The metrics that an experiment asks for."""
    return experiment.evaluation.get("metrics", ["exact_match"])


def attempt_of(translator, experiment, pairs, data=None, **evaluation):
    """What the translator writes for text pairs, decoded as the experiment says, but for what `evaluation` says."""
    asked = {key: value for key, value in experiment.evaluation.items() if key != "metrics"} | evaluation
    return attempt(translator, pairs, **asked, **load_truth(experiment.task["name"], data))


def evaluate(folder, split="test", data=None, device="cpu", **evaluation):
    """The scores of a run's best model, worked out again -> dict; `evaluation`: another width or length_penalty."""
    expect_device(device)
    run = Run.at(folder)
    splits = load_task(seed=run.seed, directory=data, **task_options(run.experiment))
    sets = {"train": splits.train, "valid": splits.valid, "test": splits.test} | splits.more
    expect_choice("split", split, sets)
    translator = Translator.load(run.path("model.npz"))
    translator.model.to(device)
    return score(attempt_of(translator, run.experiment, sets[split], data, **evaluation), metrics_of(run.experiment))


def write_samples(run, translator, pairs):
    """samples.txt: source, what was written, reference."""
    found = translator.translate([pair.source for pair in pairs])
    blocks = [
        f"{pair.source}\n  {t.text}\n  {pair.target}  (reference)\n" for pair, t in zip(pairs, found, strict=True)
    ]
    write_atomically(run.path("samples.txt"), lambda file: file.write("\n".join(blocks).encode()))


def draw(run, translator, log, pairs, report):
    """The learning curve, and where the decoder looked in three test sentences; a line where matplotlib is missing."""
    from .plots import attention_heatmaps, learning_curve

    try:
        learning_curve(log, run.path("learning_curve.png"), run.experiment.name)
    except ImportError as missing:
        report(f"no figures: {missing}")
        return
    shown = [t for t in translator.translate([pair.source for pair in pairs[:3]]) if t.alphas is not None]
    if shown:
        examples = [(t.alphas, t.source_tokens, t.target_tokens) for t in shown]
        attention_heatmaps(examples, run.path("attention.png"), run.experiment.name)
