"""English to Chinese: the sentence pairs of Tatoeba as manythings.org publishes them (CC BY 2.0 FR)."""

from .locate import locate
from .pairs import component_split, read_pairs

ADDRESS = "https://www.manythings.org/anki/cmn-eng.zip"


def tatoeba(directory=None, seed=0, valid=1000, test=1000):
    """English-Chinese sentence pairs from `cmn.txt`, split by `component_split`; exact repeats count once.

    `directory` is the folder of the file or a data directory with a folder tatoeba-cmn-eng; without it,
    `locate` looks. Many sentences have several translations, so a plain random split would leak: in the copy
    of March 2024, 9% of the English and 20% of the Chinese test sentences would also stand in train.

    Raises FileNotFoundError, with the address of the corpus, where `cmn.txt` is not found.
    """
    hint = f"unpack cmn.txt from {ADDRESS} there"
    pairs = read_pairs(locate("tatoeba-cmn-eng", "cmn.txt", directory, hint))
    return component_split(list(dict.fromkeys(pairs)), seed, valid, test)
