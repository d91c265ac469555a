"""A run as one TOML file: which task, which model, how to train; and what becomes of it."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from .contracts import expect_choice, expect_fraction, expect_positive
from .data.tasks import load_task
from .optim import Adam, cosine, halving, warmup
from .training import Trainer, evaluate
from .translator import Translator

SECTIONS = ("task", "model", "training")
OF_TRANSLATOR = ("source_tokens", "target_tokens", "min_count", "max_size")
OF_TRAINER = ("batch_size", "clip")
SCHEDULES = {"warmup": warmup, "halving": halving, "cosine": cosine}


class Experiment(NamedTuple):
    """The tables of an experiment's file.

    task: name, source_tokens, target_tokens, min_count, max_size and options of the task itself; model: fields of
    Seq2SeqConfig; training: lr, batch_size, clip, teacher_forcing (a number, or [from, to, steps] for one that falls
    evenly), schedule (["cosine", steps], …), and what Trainer.fit takes; evaluation (may be left out): metrics, width,
    length_penalty.
    """

    name: str
    task: dict
    model: dict
    training: dict
    evaluation: dict


class Prepared(NamedTuple):
    """An experiment ready to start: trainer.fit(train, valid, **fit)."""

    translator: Translator
    splits: tuple
    trainer: Trainer
    train: list
    valid: list
    fit: dict


class Outcome(NamedTuple):
    """What a run leaves: the best model, its splits, the log of epochs, and what it does on the test split."""

    translator: Translator
    splits: tuple
    log: list
    test: tuple


def names():
    """The experiments that come with the package."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def read(name):
    """An Experiment by its name or by the path of a TOML file; ValueError for a malformed one."""
    path = Path(name) if str(name).endswith(".toml") else _folder() / f"{name}.toml"
    if not path.is_file():
        raise FileNotFoundError(f"there is no experiment {name}; choose one of {', '.join(names())} or a .toml file")
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error
    evaluation = tables.pop("evaluation", {})
    if sorted(tables) != sorted(SECTIONS):
        got = ", ".join(tables) or "none"
        raise ValueError(f"{path} must have the tables {', '.join(SECTIONS)} (and may have evaluation), got {got}")
    return Experiment(path.name.removesuffix(".toml"), *(tables[section] for section in SECTIONS), evaluation)


def prepare(experiment, seed=0, data=None, minutes=None):
    """Load the task, make vocabularies, model and trainer -> Prepared; ValueError for what the file says wrongly"""
    training = dict(experiment.training)
    for name, table in (("source_tokens", experiment.task), ("target_tokens", experiment.task), ("lr", training)):
        if name not in table:
            raise ValueError(f"experiment {experiment.name} does not say {name}")
    splits = load_task(seed=seed, directory=data, **task_options(experiment))
    tokens = {name: value for name, value in experiment.task.items() if name in OF_TRANSLATOR}
    translator = Translator.untrained(splits.train, **tokens, seed=seed, **experiment.model)
    options = {name: training.pop(name) for name in OF_TRAINER if name in training}
    if "schedule" in training:
        kind, *arguments = training.pop("schedule")
        expect_choice("schedule", kind, SCHEDULES)
        options["schedule"] = SCHEDULES[kind](*arguments)
    if "teacher_forcing" in training:
        forcing = training.pop("teacher_forcing")
        options["teacher_forcing"] = falling(*forcing) if isinstance(forcing, list) else forcing
    trainer = Trainer(translator.model, Adam(training.pop("lr")), seed=seed, **options)
    if minutes is not None:
        training["minutes"] = minutes
    return Prepared(
        translator, splits, trainer, translator.encode(splits.train), translator.encode(splits.valid), training
    )


def task_options(experiment):
    """What of the task's table is for load_task."""
    return {name: value for name, value in experiment.task.items() if name not in OF_TRANSLATOR}


def describe(experiment, prepared):
    """One line: how much there is to learn from, and how large the model is."""
    train, valid, test = (f"{len(split):,}" for split in prepared.splits[:3])
    size = prepared.translator.model.size
    return (
        f"{experiment.name}: {train} pairs to learn from, {valid} to choose by, {test} to report; {size:,} parameters"
    )


def run(experiment, seed=0, data=None, minutes=None, report=print):
    """Train, and look at the best model on the test split; nothing is written -> Outcome"""
    prepared = prepare(experiment, seed, data, minutes)
    report(describe(experiment, prepared))
    log = prepared.trainer.fit(prepared.train, prepared.valid, report=report, **prepared.fit)
    translator, splits = prepared.translator, prepared.splits
    return Outcome(translator, splits, log, evaluate(translator.model, translator.encode(splits.test)))


def falling(start, end, steps):
    """A teacher-forcing ratio that falls evenly from start to end in so many steps.  step -> ratio

    Source: Bengio et al. 2015, §2.4 (linear decay).
    """
    expect_fraction("teacher_forcing", start)
    expect_fraction("teacher_forcing", end)
    expect_positive(steps=steps)
    return lambda step: start + (end - start) * min(1.0, step / steps)


def _folder():
    return files("minis2s") / "experiments"
