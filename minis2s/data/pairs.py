"""Pairs of texts: how they are read, and how they are split so that nothing leaks."""

import codecs
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """A source text and the target text that a model should write for it."""

    source: str
    target: str


class Splits(NamedTuple):
    """The three parts of a corpus: to learn from, to choose by, to report."""

    train: list[Pair]
    valid: list[Pair]
    test: list[Pair]


def read_pairs(path, columns=(0, 1)):
    """The pairs of a tab-separated UTF-8 file, one a line: `columns` says where source and target stand.

    A byte order mark and blank lines at the end are ignored, and so are spaces around a side.

    Raises FileNotFoundError where there is no such file, and ValueError, with file and line, where the file
    is not UTF-8, a line has too few columns, a side is empty, or the file holds no line at all.
    """
    if len(columns) != 2 or min(columns) < 0:
        raise ValueError(f"columns must be two column numbers counted from 0, got {columns!r}")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: put the tab-separated file of pairs there")
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")
    if not content:
        raise ValueError(f"{path} holds no pairs")
    return [
        _parse(line, columns, where=f"{path}, line {number}")
        for number, line in enumerate(content.split(b"\n"), start=1)
    ]


def _parse(line, columns, where):
    try:
        cells = line.decode("utf-8").split("\t")
    except UnicodeDecodeError as error:
        at = error.start
        raise ValueError(f"{where}: byte {at + 1} of the line (0x{line[at]:02x}) is not UTF-8") from error
    if len(cells) <= max(columns):
        raise ValueError(f"{where}: columns {columns} are wanted, but there are only {len(cells)}")
    pair = Pair(*(cells[column].strip() for column in columns))
    for side, text in pair._asdict().items():
        if not text:
            raise ValueError(f"{where}: the {side} is empty")
    return pair


def check_sizes(**sizes):
    """Raises ValueError unless every size is a whole number, 0 or more."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < 0:
            raise ValueError(f"{name} must be a whole number of pairs, 0 or more, got {size!r}")


def normalised(text):
    """What is left of a text without case, width, spaces and punctuation: two texts alike in it are one text.

    A text of nothing but punctuation is left as it is, so that "?" and "!" are not taken for the same.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    # Unicode's categories P (punctuation), Z (separators), C (control and zero-width characters)
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "PZC") or text


def components(pairs):
    """The connected components of a corpus: pairs that share a normalised side, directly or through others.

    The normalised sides are the nodes of a graph, each pair is an edge; union-find finds the components.
    """
    parent = {}

    def root(node):
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]  # halve the path, so that the next walk is short
            node = parent[node]
        return node

    # A tag keeps the two sides apart: an English "OK" and a Chinese "OK" are two nodes.
    sources = [("source", normalised(pair.source)) for pair in pairs]
    targets = [("target", normalised(pair.target)) for pair in pairs]
    for source, target in zip(sources, targets, strict=True):
        parent[root(source)] = root(target)

    members = defaultdict(list)
    for source, pair in zip(sources, pairs, strict=True):
        members[root(source)].append(pair)
    return list(members.values())


def component_split(pairs, seed, valid, test):
    """Splits a corpus so that no source and no target, as `normalised` compares them, is in two splits.

    Components are shuffled, and each goes whole to the first of test, valid and train that has room for it.
    So test has exactly `test` pairs and valid exactly `valid`, a component too large for them goes to train,
    and the test pairs do not change with `valid`.

    Raises ValueError where valid and test leave nothing for train, or no whole components fill them.
    """
    check_sizes(valid=valid, test=test)
    if valid + test >= len(pairs):
        raise ValueError(f"valid={valid} and test={test} leave nothing of {len(pairs)} pairs for train")

    groups = components(pairs)
    splits = Splits([], [], [])
    rooms = ((splits.test, test), (splits.valid, valid), (splits.train, len(pairs)))
    for index in np.random.default_rng(seed).permutation(len(groups)):
        for split, room in rooms:
            if len(split) + len(groups[index]) <= room:
                split.extend(groups[index])
                break

    if (len(splits.valid), len(splits.test)) != (valid, test):
        raise ValueError(
            f"valid={valid} and test={test} cannot be filled with whole components: "
            f"{len(splits.valid)} and {len(splits.test)} pairs fitted; ask for other sizes"
        )
    return splits
