"""Pairs of texts, and the splits of a corpus."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .lines import parse_lines


class Pair(NamedTuple):
    """A source text and the target text that a model should write for it."""

    source: str
    target: str


class Splits(NamedTuple):
    """The three parts of a corpus: to learn from, to choose by, to report.

    `more` holds further test sets by name, such as "longer": what is longer than anything in train.
    """

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]
    more: Mapping[str, list[Pair]] = MappingProxyType({})


def source_of(pair):
    """The source of a pair: what tells pairs apart where nothing else is said."""
    return pair.source


def read_pairs(path, columns=(0, 1)):
    """The pairs of a tab-separated UTF-8 file, one a line: `columns` says where source and target stand.

    A byte order mark and blank lines at the end are ignored, and so are spaces around a side.

    Raises FileNotFoundError where there is no such file, and ValueError, with file and line, where the file
    is not UTF-8, a line has too few columns, a side is empty, or the file holds no line at all.
    """
    if len(columns) != 2 or min(columns) < 0:
        raise ValueError(f"columns must be two column numbers counted from 0, got {columns!r}")

    def parse(line):
        cells = line.split("\t")
        if len(cells) <= max(columns):
            raise ValueError(f"columns {columns} are wanted, but there are only {len(cells)}")
        return stripped_pair(*(cells[column] for column in columns))

    return parse_lines(path, parse)


def stripped_pair(source, target):
    """The Pair of two texts without the spaces around them; ValueError for one that is empty then."""
    pair = Pair(source.strip(), target.strip())
    if not all(pair):
        raise ValueError(f"the {'target' if pair.source else 'source'} is empty")
    return pair


def check_sizes(**sizes):
    """Raises ValueError unless every size is a whole number, 0 or more."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < 0:
            raise ValueError(f"{name} must be a whole number of pairs, 0 or more, got {size!r}")


def hold_out(pairs, valid, seed, key=source_of):
    """(kept, held): the pairs of `valid` keys, which the seed draws, are held out; both keep their order.

    Pairs of one key stay together, so that no key is on both sides.

    Raises ValueError where that would leave nothing.
    """
    check_sizes(valid=valid)
    keys = list(dict.fromkeys(map(key, pairs)))
    if valid >= len(keys):
        raise ValueError(f"valid={valid} held out of {len(keys)} would leave nothing to learn from")
    drawn = {keys[index] for index in np.random.default_rng(seed).permutation(len(keys))[:valid]}
    kept = [pair for pair in pairs if key(pair) not in drawn]
    return kept, [pair for pair in pairs if key(pair) in drawn]
