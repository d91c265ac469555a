"""Dates as the Unicode CLDR writes them, field by field: so it is known which characters carry what.

A format is one of CLDR's lengths ("long") or a skeleton, the fields that it shows ("yMMMEd").
"""

import re
from collections import defaultdict
from datetime import date
from typing import NamedTuple

from .pairs import Pair, Splits, check_sizes

# CLDR sets no-break, thin and narrow no-break spaces in some places and versions.
PLAIN_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", " "))
FIELDS = {"y": "year", "M": "month", "L": "month", "d": "day", "E": "weekday", "c": "weekday"}
TAG = re.compile(r"<\w+>")


class Segment(NamedTuple):
    """A stretch of a written date: one of its fields, or, with None for a field, what stands between them."""

    field: str | None
    text: str


class Writer:
    """One locale's way to write a date in one format."""

    def __init__(self, locale, name):
        """ImportError where Babel, which carries the CLDR, is missing."""
        try:
            from babel import Locale
        except ImportError as error:
            raise ImportError('the date tasks need Babel: pip install "minis2s[data]"') from error
        self.locale = Locale.parse(locale)
        pattern = {**self.locale.datetime_skeletons, **self.locale.date_formats}[name]
        # "%(MMMM)s %(d)s" -> "", "MMMM", " ", "d", "": literals and fields by turns
        self.pieces = re.split(r"%\((\w+)\)s", pattern.format)

    def segments(self, day):
        """The Segments of a date, in the order of writing."""
        from babel.dates import DateTimeFormat

        fields = DateTimeFormat(day, self.locale)
        return [
            Segment(FIELDS.get(piece[0]), str(fields[piece]).translate(PLAIN_SPACES))
            if index % 2
            else Segment(None, piece.translate(PLAIN_SPACES))
            for index, piece in enumerate(self.pieces)
            if piece
        ]

    def __call__(self, day):
        """The date as text."""
        return "".join(segment.text for segment in self.segments(day))


class PairWriter(NamedTuple):
    """A date written twice; a `tag` in front of the source can say what the target shall be."""

    source: Writer
    target: Writer
    tag: str = ""

    def __call__(self, day):
        """The Pair of a date."""
        return Pair(self.tag + self.source(day), self.target(day))

    def alignment(self, day):
        """For each character of the target the positions of the source that hold its field, or None.

        None stands for what belongs to no field, such as 年 or a comma. Positions count characters, a tag
        such as <zh> as one: the tokens of "characters" and "tagged characters".
        """
        where, start = defaultdict(set), len(TAG.sub("_", self.tag))
        for field, text in self.source.segments(day):
            if field is not None:
                where[field].update(range(start, start + len(text)))
            start += len(text)
        return [where.get(field) for field, text in self.target.segments(day) for _ in text]


def align(pair, writers):
    """The `alignment` of a Pair that one of the writers wrote.

    The day is found by writing: of the days that the target's numbers allow, in every way to write them, one
    gives this very pair.

    Raises ValueError where none does.
    """
    for day in _days(pair.target):
        for writer in writers:
            if writer.target(day) == pair.target and writer(day) == pair:
                return writer.alignment(day)
    raise ValueError(f"{pair.source!r} -> {pair.target!r} is no pair of this task")


def _days(text):
    """The days that a text can mean: its largest number is the year, another one the day of the month."""
    numbers = sorted(map(int, re.findall(r"\d+", text)))
    for day in dict.fromkeys(numbers[:-1]):
        for month in range(1, 13):
            try:
                yield date(numbers[-1], month, day)
            except ValueError:  # no 30 February
                continue


def split_days(rng, writers, formats_a_day, first, last, train, valid, test):
    """Splits of pairs that have no day in common: days are drawn, each for 1 to `formats_a_day` writers.

    Test is drawn first, then valid, then train: the test pairs are the same for every size of the others.
    """
    check_sizes(train=train, valid=valid, test=test)
    first, last = _day("first", first), _day("last", last)
    days = (last - first).days + 1
    if train + valid + test > days:
        raise ValueError(
            f"train={train}, valid={valid} and test={test} may need a day for each pair, "
            f"but from first={first} to last={last} there are {max(days, 0)}"
        )
    shuffled = iter(first.toordinal() + rng.permutation(days))

    def draw(size):
        pairs = []
        while len(pairs) < size:
            day = date.fromordinal(int(next(shuffled)))
            chosen = rng.permutation(len(writers))[: rng.integers(1, formats_a_day, endpoint=True)]
            # "May" is its own short form, so two formats of a day can agree.
            written = dict.fromkeys(writers[index](day) for index in chosen)
            pairs.extend(list(written)[: size - len(pairs)])
        return pairs

    held_out = draw(test), draw(valid)
    return Splits(train=draw(train), valid=held_out[1], test=held_out[0])


def _day(name, value):
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{name} must be a date like 1994-09-27, got {value!r}") from error
