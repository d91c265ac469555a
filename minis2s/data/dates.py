"""English dates to Chinese dates, both written by the Unicode CLDR: a task small enough to solve completely.

The formats differ in order and length, the weekday moves from the front to the end, and a month's name
becomes a number: a model has to learn what to look at, not only what to copy.
"""

from functools import cache

import numpy as np

from .cldr import PairWriter, Writer, align, split_days
from .pairs import Pair

# Each English format with the Chinese format that says the same, no more and no less. An English text must
# have one meaning: so day-first numbers (27/09/1994) are left out, which would contradict month-first ones,
# and so are years of two digits.
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


def dates(seed, train=20_000, valid=500, test=1_500, first="1900-01-01", last="2099-12-31"):
    """Pairs of one date in English and in Chinese; the splits have no day in common.

    Days from `first` to `last` are drawn without replacement, and each is written in one to three of FORMATS.
    The days are what is split, so no day of valid or test occurs in train, in any format. Test is drawn
    first, then valid, then train: the test pairs are the same for every size of the others. Versions of
    Babel carry versions of CLDR, which differ in details such as "Sep" and "Sept".

    Raises ValueError where the days are too few or no dates, ImportError where Babel is missing.
    """
    return split_days(
        np.random.default_rng(seed), _writers(), FORMATS_A_DAY, first, last, train, valid, test
    )


def date_alignment(source, target):
    """For each character of the target the set of source positions that hold the same field, or None.

    The fields are year, month, day and weekday: the truth that attention can be measured against. None
    stands for what belongs to no field: 年, 月, 日 and signs.

    Raises ValueError where source and target are not a pair that `dates` writes.
    """
    return align(Pair(source, target), _remembered_writers())


def _writers():
    chinese = {name: Writer(CHINESE, name) for _, _, name in FORMATS}
    return [PairWriter(Writer(locale, english), chinese[name]) for locale, english, name in FORMATS]


_remembered_writers = cache(_writers)
