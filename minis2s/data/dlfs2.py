"""The generated sets of Deep Learning from Scratch 2 (Saitoh 2018), for numbers that compare with the book's.

`addition`: "16+75" -> "91", numbers of one to three digits. `date`: three ways to write a date in English ->
"1994-09-27". 50,000 pairs each.
"""

import numpy as np

from ..contracts import expect_choice
from .fetch import corpus_file
from .lines import parse_lines
from .pairs import Pair, Splits, hold_out, stripped_pair

SETS = ("addition", "date")
BOOK_SEED = 1984  # of the book's dataset/sequence.py


def dlfs2(
    name, directory=None, seed=0, valid=2_000, reverse_source=False, download=True, any_version=False
):
    """The book's split: 45,000 pairs to learn from, `valid` of their questions to choose by, 5,000 to report.

    The book shuffles with its own seed, learns from the first 90%, and chooses and reports by the rest. Here
    `seed` draws the questions to choose by out of the 90%, all repeats together; valid=0 leaves them whole,
    as published. Of the published test questions of `date` 28% stand in train too; `addition` has none.

    The file pads both sides with spaces to one length; here they are stripped, for batches are padded anyway.
    reverse_source: the source from right to left, as in the book's section 7.3.

    Raises ValueError, with file and line, for a line without a question, `_` and an answer, and what
    `corpus_file` raises.
    """
    expect_choice("name", name, SETS)
    pairs = parse_lines(corpus_file("dlfs2", f"{name}.txt", directory, download, any_version), _parse)
    if reverse_source:
        pairs = [Pair(pair.source[::-1], pair.target) for pair in pairs]
    # The generator that the book seeds; Generator.permutation would give another order.
    order = np.random.RandomState(BOOK_SEED).permutation(len(pairs))
    shuffled = [pairs[index] for index in order]
    published = len(pairs) - len(pairs) // 10
    train, held = hold_out(shuffled[:published], valid, seed)
    return Splits(train, held, shuffled[published:])


def _parse(line):
    question, mark, answer = line.partition("_")
    if not mark:
        raise ValueError(f"'question_answer' is wanted, got {line[:60]!r}")
    return stripped_pair(question, answer)
