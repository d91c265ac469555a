"""Splitting a corpus so that no text, in any spelling, is in two splits."""

import unicodedata
from collections import defaultdict

import numpy as np

from .pairs import Splits, check_sizes


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
