"""The records of an experiment and of its twin without attention, as `minis2s results --save` keeps them.

A folder holds NAME-SEED.json, a file a run; NAME-fixed is the twin of NAME.
"""

import re
from pathlib import Path
from typing import NamedTuple

from ..models import Seq2SeqConfig
from ..plots import COLOURS, DASHES, MARKERS
from ..results import read

FILE = re.compile(r"(.+)-(\d+)\.json")
TWIN = "-fixed"
NEEDED = ("experiment", "log", "by_length")
STROKES = [{"color": c, "linestyle": d, "marker": m} for c, d, m in zip(COLOURS, DASHES, MARKERS)]


class Line(NamedTuple):
    """A record, and how it is drawn: runs that differ in their seed share a stroke, and the first has the label."""

    label: str | None
    stroke: dict
    record: dict


def files(folder):
    """The records in a folder: (name, seed) -> path, in order"""
    found = {path: FILE.fullmatch(path.name) for path in Path(folder).glob("*.json")}
    return dict(sorted(((match[1], int(match[2])), path) for path, match in found.items() if match))


def experiments(folder):
    """The names of the experiments that a folder has records of, twins left out."""
    return list(dict.fromkeys(name for name, _ in files(folder) if not name.endswith(TWIN)))


def lines(experiment, folder):
    """The runs of an experiment, and after them those of its twin -> a list of Lines

    Raises FileNotFoundError where the folder has none of the experiment, ValueError for a damaged file.
    """
    paths, found = files(folder), []
    if experiment not in (name for name, _ in paths):
        known = ", ".join(experiments(folder)) or "none at all"
        raise FileNotFoundError(f"{folder} has no {experiment}-SEED.json; of experiments it has {known}")
    for name, stroke in zip((experiment, experiment + TWIN), STROKES):
        records = [whole(path) for (other, _), path in paths.items() if other == name]
        labels = [how_it_reads(record) if record is records[0] else None for record in records]
        found += [Line(label, stroke, record) for label, record in zip(labels, records)]
    return found


def whole(path):
    """The record in a file; ValueError that says what it lacks."""
    record = read(path)
    if missing := [key for key in NEEDED if not record.get(key)]:
        raise ValueError(f"{path} is no record of a finished run: it lacks {', '.join(missing)}")
    return record


def how_it_reads(record):
    attention = record["experiment"]["model"].get("attention", Seq2SeqConfig.attention)
    return "without attention" if attention == "none" else "with attention"
