"""A run as one TOML file: which task, which model, how to train; and what becomes of it."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from .data.tasks import load_task
from .optim import Adam
from .training import Trainer, evaluate
from .translator import Translator

SECTIONS = ("task", "model", "training")


class Experiment(NamedTuple):
    """The tables of an experiment's file.

    task: name, source_tokens, target_tokens, min_count and options of the task itself; model: fields of
    Seq2SeqConfig; training: lr, and what Trainer and Trainer.fit take.
    """

    name: str
    task: dict
    model: dict
    training: dict


class Outcome(NamedTuple):
    """What a run leaves: the best model, its splits, the log of epochs, and the scores on the test split."""

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
    if sorted(tables) != sorted(SECTIONS):
        raise ValueError(f"{path} must have the tables {', '.join(SECTIONS)}, got {', '.join(tables) or 'none'}")
    return Experiment(path.name.removesuffix(".toml"), *(tables[section] for section in SECTIONS))


def run(experiment, seed=0, data=None, minutes=None, report=print):
    """Load the task, train, and score the best model on the test split -> Outcome"""
    task, training = dict(experiment.task), dict(experiment.training)
    tokens = {name: task.pop(name) for name in ("source_tokens", "target_tokens")}
    vocabulary = {name: task.pop(name) for name in ("min_count", "max_size") if name in task}
    splits = load_task(seed=seed, directory=data, **task)
    translator = Translator.untrained(splits.train, **tokens, **vocabulary, seed=seed, **experiment.model)
    report(
        f"{experiment.name}: {len(splits.train):,} pairs to learn from, {len(splits.valid):,} to choose by, "
        f"{len(splits.test):,} to report; {translator.model.size:,} parameters"
    )
    optimiser = Adam(training.pop("lr"))
    of_trainer = {name: training.pop(name) for name in ("batch_size", "clip", "teacher_forcing") if name in training}
    trainer = Trainer(translator.model, optimiser, seed=seed, **of_trainer)
    if minutes is not None:
        training["minutes"] = minutes
    log = trainer.fit(translator.encode(splits.train), translator.encode(splits.valid), report=report, **training)
    return Outcome(translator, splits, log, evaluate(translator.model, translator.encode(splits.test)))


def _folder():
    return files("minis2s") / "experiments"
