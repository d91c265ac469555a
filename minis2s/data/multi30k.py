"""German to English: the image captions of Multi30k, in their official splits.

Elliott, Frank, Sima'an & Specia 2016. One caption of valid stands in train as well, none of test.
"""

from .fetch import corpus_file
from .lines import parse_lines
from .pairs import Pair, Splits

PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def multi30k(directory=None, seed=0, download=True, any_version=False):
    """29,000, 1,014 and 1,000 caption pairs as they are written; the splits are official, `seed` is not used.

    Take "lowercase words" as the tokens of both sides.

    Raises ValueError where the two sides of a split differ in length, and what `corpus_file` raises.
    """

    def read(name):
        paths = [
            corpus_file("multi30k", f"{name}.{language}.gz", directory, download, any_version)
            for language in ("de", "en")
        ]
        german, english = (parse_lines(path, _caption) for path in paths)
        if len(german) != len(english):
            raise ValueError(f"{paths[0]} has {len(german)} lines, but {paths[1]} has {len(english)}")
        return list(map(Pair, german, english))

    return Splits(**{part: read(name) for part, name in PARTS.items()})


def _caption(line):
    caption = line.strip()
    if not caption:
        raise ValueError("the caption is empty")
    return caption
