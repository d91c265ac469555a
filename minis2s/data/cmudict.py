"""Words to phones: the CMU Pronouncing Dictionary without stress, in the split that the field compares on.

106,837 words with 113,438 pronunciations to learn from, 12,000 with 12,753 to report; 27 letters, 39 phones.
"""

from .fetch import corpus_file
from .pairs import Splits, hold_out, read_pairs

FILES = {"train": "g014b2b.train", "test": "g014b2b.test"}


def cmudict(directory=None, seed=0, valid=2_670, download=True, any_version=False):
    """Pairs of a word and its phones with spaces between them: "SPEECH", "S P IY CH".

    There is no development set, so `valid` words of train are held out, with all their pronunciations. Train
    has a pair for every pronunciation; valid and test have one a word, the first. Score them against the
    nearest of `cmudict_references` (`metrics.pronunciation_error`).

    Raises what `corpus_file` and `read_pairs` raise.
    """
    train, test = (_pronunciations(part, directory, download, any_version) for part in FILES)
    train, held = hold_out(train, valid, seed)
    return Splits(train, _first(held), _first(test))


def cmudict_references(directory=None, download=True, any_version=False):
    """The pronunciations of every word, each as a list of phones: a dict word -> [["S", "P", ...], ...]"""
    references = {}
    for part in FILES:
        for word, phones in _pronunciations(part, directory, download, any_version):
            references.setdefault(word, []).append(phones.split())
    return references


def _pronunciations(part, directory, download, any_version):
    return read_pairs(corpus_file("cmudict", FILES[part], directory, download, any_version))


def _first(pairs):
    """Of every word the first pronunciation."""
    words = {}
    for pair in pairs:
        words.setdefault(pair.source, pair)
    return list(words.values())
