"""English dates to Chinese dates, both written by the Unicode CLDR: a task small enough to solve completely.

The formats differ in order and length, the weekday moves from the front to the end, and a month's name
becomes a number: a model has to learn what to look at, not only what to copy.
"""

from datetime import date

import numpy as np

from .pairs import Pair, Splits, check_sizes

# Each English format with the Chinese format that says the same, no more and no less. An English text must
# have one meaning: so day-first numbers (27/09/1994) are left out, which would contradict month-first ones,
# and so are years of two digits. A format is one of CLDR's lengths or a skeleton, the fields that it shows.
CHINESE = "zh_Hans"
FORMATS = (
    # English locale and format, Chinese format
    ("en_US", "full", "full"),  #      Tuesday, September 27, 1994    1994年9月27日星期二
    ("en_GB", "full", "full"),  #      Tuesday, 27 September 1994     1994年9月27日星期二
    ("en_US", "long", "long"),  #      September 27, 1994             1994年9月27日
    ("en_GB", "long", "long"),  #      27 September 1994              1994年9月27日
    ("en_US", "medium", "medium"),  #  Sep 27, 1994                   1994年9月27日
    ("en_GB", "medium", "medium"),  #  27 Sept 1994                   1994年9月27日
    ("en_US", "yMMMEd", "yMMMEd"),  #  Tue, Sep 27, 1994              1994年9月27日周二
    ("en_GB", "yMMMEd", "yMMMEd"),  #  Tue, 27 Sept 1994              1994年9月27日周二
    ("en_US", "yMEd", "yMEd"),  #      Tue, 9/27/1994                 1994/9/27周二
    ("en_US", "yMd", "yMd"),  #        9/27/1994                      1994/9/27
    ("en_SE", "yMd", "yMd"),  #        1994-09-27                     1994/9/27
)
FORMATS_A_DAY = 3

# CLDR sets no-break, thin and narrow no-break spaces in some places and versions.
PLAIN_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", " "))


def dates(seed, train=20_000, valid=500, test=1_500, first="1900-01-01", last="2099-12-31"):
    """Pairs of one date in English and in Chinese; the splits have no day in common.

    Days from `first` to `last` are drawn without replacement, and each is written in one to three of FORMATS.
    The days are what is split, so no day of valid or test occurs in train, in any format. Test is drawn
    first, then valid, then train: the test pairs are the same for every size of the others. Versions of
    Babel carry versions of CLDR, which differ in details such as "Sep" and "Sept".

    Raises ValueError where the days are too few or no dates, ImportError where Babel is missing.
    """
    check_sizes(train=train, valid=valid, test=test)
    first, last = _day("first", first), _day("last", last)
    days = (last - first).days + 1
    if train + valid + test > days:
        raise ValueError(
            f"train={train}, valid={valid} and test={test} may need a day for each pair, "
            f"but from first={first} to last={last} there are {max(days, 0)}"
        )
    writers = _writers()
    rng = np.random.default_rng(seed)
    shuffled = iter(first.toordinal() + rng.permutation(days))

    def draw(size):
        pairs = []
        while len(pairs) < size:
            day = date.fromordinal(int(next(shuffled)))
            chosen = rng.permutation(len(writers))[: rng.integers(1, FORMATS_A_DAY, endpoint=True)]
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


def _writers():
    """One function a row of FORMATS, from a date to a pair; locales and patterns are looked up once."""
    try:
        from babel import Locale
    except ImportError as error:
        raise ImportError('the date task needs Babel: pip install "minis2s[data]"') from error

    def writer(locale, name):
        locale = Locale.parse(locale)
        pattern = {**locale.datetime_skeletons, **locale.date_formats}[name]
        return lambda day: pattern.apply(day, locale).translate(PLAIN_SPACES)

    def pair_writer(english, chinese):
        return lambda day: Pair(english(day), chinese(day))

    return [
        pair_writer(writer(locale, english), writer(CHINESE, chinese)) for locale, english, chinese in FORMATS
    ]
