"""Letters to the same letters, or to them from right to left: the smallest tasks that need a memory."""

import numpy as np

from ..contracts import expect_choice, expect_positive
from .drawing import draw_distinct, draw_splits
from .pairs import Pair

TASKS = {"copy": 1, "reverse": -1}  # the step with which the target goes through the source
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def sequences(
    task, seed, train=10_000, valid=500, test=1_000, longer=1_000, length=10, longest=20, letters=10
):
    """Pairs of a random text of 1 to `length` letters and its copy or reverse; no text comes twice.

    Every length is drawn as often. `more["longer"]` has `longer` texts of length+1 to `longest` letters, to
    see whether what was learnt is the rule. The same seed gives both tasks the same sources.

    Raises ValueError where there are not so many texts.
    """
    expect_choice("task", task, TASKS)
    expect_positive(length=length)
    expect_choice("letters", letters, range(1, len(ALPHABET) + 1))
    if longest <= length:
        raise ValueError(f"longest must be above length={length}, got {longest}")

    def draw(rng, shortest=1, longest=length):
        drawn = rng.integers(letters, size=rng.integers(shortest, longest, endpoint=True))
        text = "".join(ALPHABET[letter] for letter in drawn)
        return Pair(text, text[:: TASKS[task]])

    def draw_longer(rng):
        return draw(rng, length + 1, longest)

    splits = draw_splits(draw, seed, train, valid, test)
    rng = np.random.default_rng([seed, longest])
    return splits._replace(more={"longer": draw_distinct(draw_longer, rng, "longer", longer)})
