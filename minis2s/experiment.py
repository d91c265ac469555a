"""A run as one TOML file: which task, which model, how to train; all of it checked before anything is loaded."""

import tomllib
from contextlib import contextmanager
from importlib.resources import files
from inspect import Parameter, signature
from pathlib import Path
from typing import NamedTuple, get_args

from .contracts import expect_choice, expect_count, expect_fraction, expect_positive
from .data.pairs import Pair
from .data.tasks import TASKS, load_task, truths
from .data.tokenisers import TOKENISERS
from .models import Seq2SeqConfig
from .optim import Adam, cosine, halving, warmup
from .scoring import expect_evaluation, expect_truth
from .training import Trainer, expect_limits
from .translator import Translator

SECTIONS = ("task", "model", "training")
REQUIRED = {"task": ("name", "source_tokens", "target_tokens"), "training": ("lr", "epochs")}
SCHEDULES = {"warmup": warmup, "halving": halving, "cosine": cosine}

# The keys of the tables, each with the type of its value; Seq2SeqConfig, the task, the limits of Trainer.fit and
# scoring know more.
OF_VOCABULARY = {"source_tokens": str, "target_tokens": str, "min_count": int, "max_size": int}
OF_TRAINER = {"lr": float, "batch_size": int, "clip": float, "teacher_forcing": float | list, "schedule": list}
KINDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", list: "a list"}


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


def names():
    """The experiments that come with the package."""
    return sorted(path.name.removesuffix(".toml") for path in _folder().iterdir() if path.name.endswith(".toml"))


def read(name):
    """An Experiment by its name or by the path of a TOML file; ValueError for a malformed one.

    A file that says `extends = "NAME"` holds only what differs from that experiment.
    """
    path = Path(name) if str(name).endswith(".toml") else _folder() / f"{name}.toml"
    if not path.is_file():
        raise FileNotFoundError(f"there is no experiment {name}; choose one of {', '.join(names())} or a .toml file")
    tables = _tables(path)
    if "extends" in tables:
        expect_choice(f"{path}: extends", tables["extends"], names())
        base = tables.pop("extends")
        ours, tables = tables, _tables(_folder() / f"{base}.toml")
        if "extends" in tables:
            raise ValueError(f"{path} extends {base}, which extends {tables['extends']}: one step is the most")
        both = tables.keys() & {key for key, table in ours.items() if isinstance(table, dict)}
        tables |= ours | {key: tables[key] | ours[key] for key in both}
    evaluation = tables.pop("evaluation", {})
    if sorted(tables) != sorted(SECTIONS):
        got = ", ".join(tables) or "none"
        raise ValueError(f"{path} must have the tables {', '.join(SECTIONS)} (and may have evaluation), got {got}")
    for section, table in (tables | {"evaluation": evaluation}).items():
        if not isinstance(table, dict):
            raise ValueError(f"{path}: [{section}] must be a table, got {table!r}")
    return Experiment(path.name.removesuffix(".toml"), *(tables[section] for section in SECTIONS), evaluation)


def _tables(path):
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error


def check(experiment, seed=0):
    """ValueError that names table and key for what the file says wrongly; no data is read, nothing written."""
    _, task, model, training, evaluation = experiment
    expect_count(seed=seed)
    for table, keys in REQUIRED.items():
        for key in keys:
            if key not in getattr(experiment, table):
                raise ValueError(f"[{table}] does not say {key}")
    with about("task"):
        for key, choices in (("name", TASKS), ("source_tokens", TOKENISERS), ("target_tokens", TOKENISERS)):
            expect_choice(key, task[key], choices)
    options = without(("seed", "directory"), keys_of(TASKS[task["name"]]))
    expect_keys("task", task, {"name": str} | OF_VOCABULARY | options)
    expect_keys("model", model, without(("input_size", "output_size"), keys_of(Seq2SeqConfig)))
    expect_keys("training", training, OF_TRAINER | keys_of(expect_limits))
    expect_keys("evaluation", evaluation, keys_of(expect_evaluation) | {"metrics": list})
    tiny = [Pair("a", "a")]
    with about("task"):
        expect_positive(**those(("train", "valid", "test"), task))  # each of them is looked at
        Translator.untrained(tiny, **those(OF_VOCABULARY, task))
    with about("model"):
        translator = Translator.untrained(tiny, **those(OF_VOCABULARY, task), **model)
    with about("training"):
        make_trainer(translator.model, training, seed)
        expect_limits(**without(OF_TRAINER, training))
    with about("evaluation"):
        expect_evaluation(**evaluation)
        expect_truth(evaluation.get("metrics", ()), truths(task["name"]))


def prepare(experiment, seed=0, data=None, minutes=None, threads=1):
    """Check, load the task, make vocabularies, model and trainer -> Prepared

    Raises ValueError as `check` does, before anything is loaded, and what the task raises.
    """
    if minutes is not None:
        experiment = experiment._replace(training=experiment.training | {"minutes": minutes})
    expect_positive(threads=threads)
    check(experiment, seed)
    splits = load_task(seed=seed, directory=data, **task_options(experiment))
    vocabulary = those(OF_VOCABULARY, experiment.task)
    translator = Translator.untrained(splits.train, **vocabulary, seed=seed, **experiment.model)
    trainer = make_trainer(translator.model, experiment.training, seed, threads)
    train, valid = translator.encode(splits.train), translator.encode(splits.valid)
    return Prepared(translator, splits, trainer, train, valid, without(OF_TRAINER, experiment.training))


def make_trainer(model, training, seed, threads=1):
    """The Trainer that the table `training` asks for."""
    options = without(("lr",), those(OF_TRAINER, training))
    if "schedule" in options:
        kind, *numbers = options["schedule"] or [None]
        expect_choice("schedule", kind, SCHEDULES)
        options["schedule"] = called("schedule", SCHEDULES[kind], numbers)
    if isinstance(options.get("teacher_forcing"), list):
        options["teacher_forcing"] = called("teacher_forcing", falling, options["teacher_forcing"])
    return Trainer(model, Adam(training["lr"]), seed=seed, threads=threads, **options)


def called(key, function, numbers):
    """function(*numbers); ValueError that names the key where they are too few, too many or none of them possible."""
    try:
        signature(function).bind(*numbers)
        if not all(type(number) in (int, float) for number in numbers):
            raise TypeError("it takes numbers")
        return function(*numbers)
    except (TypeError, ValueError) as error:
        form = f"{function.__name__}{signature(function)}"
        raise ValueError(f"{key} does not fit {form}: {error}; got {numbers}") from error


def expect_keys(table_name, table, known):
    """ValueError that names table and key unless all keys are known, with values of the types that `known` gives."""
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"[{table_name}] has the unknown key {key}; it may have {', '.join(known)}")
        kinds = [kind for kind in get_args(known[key]) or (known[key],) if kind in KINDS]
        if type(value) not in kinds and not (type(value) is int and float in kinds):
            wanted = " or ".join(KINDS[kind] for kind in kinds)
            raise ValueError(f"[{table_name}] {key} must be {wanted}, got {value!r}")


def keys_of(function):
    """What a function or a dataclass takes, each with its type: as annotated, or that of its default -> dict"""
    return {
        name: type(parameter.default) if parameter.annotation is Parameter.empty else parameter.annotation
        for name, parameter in signature(function).parameters.items()
    }


@contextmanager
def about(table):
    """A ValueError raised within says which table it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"[{table}] {error}") from error


def those(keys, table):
    return {key: value for key, value in table.items() if key in keys}


def without(keys, table):
    return {key: value for key, value in table.items() if key not in keys}


def task_options(experiment):
    """What of the task's table is for load_task."""
    return without(OF_VOCABULARY, experiment.task)


def describe(experiment, prepared):
    """One line: how much there is to learn from, and how large the model is."""
    train, valid, test = (f"{len(split):,}" for split in prepared.splits[:3])
    size = prepared.translator.model.size
    return (
        f"{experiment.name}: {train} pairs to learn from, {valid} to choose by, {test} to report; {size:,} parameters"
    )


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
