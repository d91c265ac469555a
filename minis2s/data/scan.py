"""Commands to actions: SCAN, which asks whether a model composes what it knows.

Lake & Baroni 2018. "jump twice" -> "I_JUMP I_JUMP". `simple` is a random split; in `length`, test needs more
actions (24 to 48) than train ever has (1 to 22); in `jump`, train has "jump" alone, test in all compositions.
"""

import re
from collections import Counter

from ..contracts import expect_choice
from .fetch import corpus_file
from .lines import parse_lines
from .pairs import Splits, hold_out, source_of, stripped_pair

SPLITS = {"simple": "simple", "length": "length", "jump": "addprim_jump"}
LINE = re.compile(r"IN: (.+) OUT: (.+)")


def scan(split="simple", directory=None, seed=0, valid=1_000, download=True, any_version=False):
    """Pairs of a command and its actions, both words with spaces between them.

    There is no development set, so `valid` commands of train are held out; from those that train repeats on
    purpose (the 1,467 lines "jump" of the jump split) none are.

    Raises ValueError, with file and line, where one is not `IN: … OUT: …`, and what `corpus_file` raises.
    """
    expect_choice("split", split, SPLITS)
    train, test = (
        parse_lines(
            corpus_file("scan", f"tasks_{part}_{SPLITS[split]}.txt", directory, download, any_version), _parse
        )
        for part in ("train", "test")
    )
    times = Counter(map(source_of, train))
    once = [pair for pair in train if times[pair.source] == 1]
    repeated = [pair for pair in train if times[pair.source] > 1]
    kept, held = hold_out(once, valid, seed)
    return Splits(repeated + kept, held, test)


def _parse(line):
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"'IN: … OUT: …' is wanted, got {line[:60]!r}")
    return stripped_pair(*match.groups())
