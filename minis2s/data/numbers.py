"""English number words to Chinese numerals: "one hundred twenty thousand three" -> "十二万零三".

English counts by thousands, Chinese by ten thousands: the words do not line up one by one.
"""

import numpy as np

from .addition import draw_number
from .drawing import draw_distinct, draw_splits
from .pairs import Pair, check_sizes

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"]
ONES += ["twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))

DIGITS = "零一二三四五六七八九"
UNITS = ((10**8, "亿"), (10**4, "万"), (1000, "千"), (100, "百"), (10, "十"))

LIMIT = 10**12
FEWEST, MOST, LONGEST = 3, 6, 8  # digits: drawn for train, valid and test, then for longer
WORDS = (*range(100), *range(10**6, 10**8, 10**6))


def english_words(n):
    """The American reading of a number below 10^12, without "and": 123 -> "one hundred twenty-three"."""
    _check(n)
    if n < 20:
        return ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return f"{TENS[tens]}-{ONES[ones]}" if ones else TENS[tens]
    size, name = next(scale for scale in SCALES if n >= scale[0])
    many, rest = divmod(n, size)
    return f"{english_words(many)} {name}" + (f" {english_words(rest)}" if rest else "")


def chinese_numerals(n):
    """The Chinese reading of a number below 10^12, as in arithmetic lessons: 100_203 -> "十万零二百零三".

    Zeros between two units are read as one 零, zeros at the end of a unit not at all. Ten is 十 where the
    reading begins with it, else 一十 (一百一十). Two is 二 everywhere; in speech 两 would also stand before
    百, 千, 万 and 亿.
    """
    _check(n)
    reading = _read(n)
    return reading.removeprefix("一") if reading.startswith("一十") else reading


def _read(n):
    if n < 10:
        return DIGITS[n]
    size, unit = next(unit for unit in UNITS if n >= unit[0])
    many, rest = divmod(n, size)
    gap = DIGITS[0] if rest < size // 10 else ""  # the next place holds a zero
    return _read(many) + unit + (gap + _read(rest) if rest else "")


def _check(n):
    if not 0 <= n < LIMIT:
        raise ValueError(f"n must lie between 0 and {LIMIT - 1}, got {n}")


def numbers(seed, train=20_000, valid=500, test=1_500, longer=1_000):
    """Pairs of English words and Chinese numerals, no number twice.

    Numbers of 3 to 6 digits are drawn, every number of digits as often. Train begins with all numbers
    below 100 and the whole millions below 10^8, so that no word of test or longer is new. `more["longer"]`
    has numbers of 7 and 8 digits, whose millions and thousands never met in train.

    Raises ValueError where train has no room for its beginning, or there are not so many numbers.
    """
    check_sizes(train=train)
    if train < len(WORDS):
        raise ValueError(f"train must be at least {len(WORDS)}, for the words themselves, got {train}")
    words = list(map(number_pair, WORDS))

    def draw(rng):
        return number_pair(draw_number(rng, FEWEST, MOST))

    def draw_longer(rng):
        return number_pair(draw_number(rng, MOST + 1, LONGEST))

    splits = draw_splits(draw, seed, train - len(words), valid, test)
    known = {pair.source for pair in words}
    rng = np.random.default_rng([seed, LONGEST])
    drawn = draw_distinct(draw_longer, rng, "longer", longer, wanted=lambda source: source not in known)
    return splits._replace(train=words + splits.train, more={"longer": drawn})


def number_pair(n):
    """The Pair of a number's two readings."""
    return Pair(english_words(n), chinese_numerals(n))
