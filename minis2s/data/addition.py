"""Sums of two numbers, digit by digit: "123+45" -> "168"."""

from ..contracts import expect_positive
from .drawing import draw_splits
from .pairs import Pair


def addition(seed, digits=3, train=45_000, valid=1_000, test=4_000):
    """Sums of two numbers of 1 to `digits` digits; every number of digits is drawn as often.

    No two pairs anywhere have the same addends in either order: who has seen 45+123 has seen 123+45.

    Raises ValueError where there are not so many sums.
    """
    expect_positive(digits=digits)

    def draw(rng):
        a, b = draw_number(rng, 1, digits), draw_number(rng, 1, digits)
        return Pair(f"{a}+{b}", str(a + b))

    return draw_splits(draw, seed, train, valid, test, key=addends)


def addends(pair):
    """The two numbers that a pair adds, in one order whatever the pair's: both 3+12 and 12+3 are "12+3"."""
    return "+".join(sorted(pair.source.split("+")))


def draw_number(rng, fewest, most):
    """A number of `fewest` to `most` digits: first how many, then which."""
    digits = int(rng.integers(fewest, most, endpoint=True))
    return int(rng.integers(10 ** (digits - 1) if digits > 1 else 0, 10**digits))
