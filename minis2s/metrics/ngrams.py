"""Counting n-grams, the one thing that BLEU and chrF share."""

from collections import Counter
from collections.abc import Sequence


def count_ngrams(tokens: Sequence, n: int) -> Counter:
    """How often each n-gram occurs: tokens (T) -> counts of the T - n + 1 tuples of n neighbours."""
    return Counter(zip(*(tokens[offset:] for offset in range(n)), strict=False))
