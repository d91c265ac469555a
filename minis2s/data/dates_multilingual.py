"""Dates from any of ten languages to any other: "<zh> mardi 27 septembre 1994" -> "1994年9月27日星期二".

A tag in front of the source says which language is wanted (Johnson et al. 2017, Google's multilingual neural
machine translation system, section 3); which one it comes from, the model has to see.
"""

from functools import cache

import numpy as np

from .cldr import PairWriter, Writer, align, split_days
from .pairs import Pair

LOCALES = {
    "de": "de",
    "en": "en_US",
    "es": "es",
    "fr": "fr",
    "hu": "hu",
    "ja": "ja",
    "ko": "ko",
    "ru": "ru",
    "vi": "vi",
    "zh": "zh_Hans",
}
# A source must have one meaning and one target: so a month has a name or a word beside it, a year four
# digits, and of two formats that one language writes alike, as Chinese does long and yMMMd, there is one.
FORMATS = ("full", "long", "yMMMEd")
FORMATS_A_DAY = 3


def dates_multilingual(seed, train=40_000, valid=1_000, test=2_000, first="1900-01-01", last="2099-12-31"):
    """Pairs of one date in two of LOCALES, in the same one of FORMATS; the splits have no day in common.

    Days are drawn, split and written as in `dates`, each in one to three of the 270 ways. Take "tagged
    characters" as the tokens of the source.

    Raises ValueError where the days are too few or no dates, ImportError where Babel is missing.
    """
    rng = np.random.default_rng(seed)
    return split_days(rng, _writers(), FORMATS_A_DAY, first, last, train, valid, test)


def multilingual_alignment(source, target):
    """What `date_alignment` says, for a pair of `dates_multilingual`; the tag counts as one position.

    Raises ValueError for any other pair.
    """
    return align(Pair(source, target), _remembered_writers())


def _writers():
    writers = {(tag, name): Writer(locale, name) for tag, locale in LOCALES.items() for name in FORMATS}
    return [
        PairWriter(writers[source, name], writers[target, name], f"<{target}> ")
        for source in LOCALES
        for target in LOCALES
        if source != target
        for name in FORMATS
    ]


_remembered_writers = cache(_writers)
