"""English to Chinese: the sentence pairs of Tatoeba as manythings.org publishes them (CC BY 2.0 FR)."""

from .components import component_split
from .fetch import corpus_file
from .pairs import read_pairs


def tatoeba(directory=None, seed=0, valid=1000, test=1000, download=True, any_version=False):
    """English-Chinese sentence pairs from `cmn.txt`, split by `component_split`; exact repeats count once.

    Many sentences have several translations, so a plain random split would leak: in the copy of March 2024,
    9% of the English and 20% of the Chinese test sentences would also stand in train. The file at the
    address changes over time: numbers can be compared for one version only.

    Raises what `corpus_file` and `component_split` raise.
    """
    path = corpus_file("tatoeba", "cmn.txt", directory, download, any_version)
    return component_split(list(dict.fromkeys(read_pairs(path))), seed, valid, test)
