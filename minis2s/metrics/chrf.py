"""chrF: an F-score over character n-grams, kinder than BLEU to word forms and in no need of a tokeniser."""

import string
from collections.abc import Sequence
from typing import NamedTuple

from .corpus import sentence_pairs
from .ngrams import count_ngrams


class Counts(NamedTuple):
    """n-grams of one order: in the hypothesis, in the reference, in both."""

    hypothesis: int
    reference: int
    matched: int


def chrf(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    n: int = 6,
    beta: float = 2,
    word_order: int = 0,
) -> float:
    """Corpus chrF, 0 to 100, equal to sacreBLEU's; white space does not count.

    hypotheses: one string per sentence; references: for each its reference, or a list of several, of which
    the one with the best score counts; n: longest character n-gram; beta: recall weighs beta times as much
    as precision; word_order: longest word n-gram, 0 for chrF and 2 for chrF++.

        P = mean over orders of matched / in hypotheses,  R = mean over orders of matched / in references  (1)
        chrF = 100 (1 + beta^2) P R / (beta^2 P + R)                                                       (2)

    An order counts only if both sides have n-grams of it; with no such order, or no match, the score is 0.

    Popović 2015, section 2, and 2017 for the word n-grams.
    ValueError: n < 1, beta <= 0 or word_order < 0; an empty or unpaired corpus; an entry that is no string.
    """
    if n < 1 or beta <= 0 or word_order < 0:
        got = f"n={n}, beta={beta}, word_order={word_order}"
        raise ValueError(f"chrf needs n >= 1, beta > 0 and word_order >= 0, got {got}")

    corpus = []
    for hypothesis, alternatives in sentence_pairs(hypotheses, references):
        candidates = [sentence_counts(hypothesis, reference, n, word_order) for reference in alternatives]
        corpus.append(max(candidates, key=lambda orders: f_score(orders, beta)))
    return f_score([Counts(*map(sum, zip(*order, strict=True))) for order in zip(*corpus, strict=True)], beta)


def sentence_counts(hypothesis: str, reference: str, n: int, word_order: int) -> list[Counts]:
    """The counts of every order, characters 1 to n, then words 1 to word_order."""
    characters = ["".join(sentence.split()) for sentence in (hypothesis, reference)]
    words = [split_punctuation(sentence) for sentence in (hypothesis, reference)]
    orders = [(characters, k) for k in range(1, n + 1)] + [(words, k) for k in range(1, word_order + 1)]
    counts = []
    for (hypothesis_tokens, reference_tokens), k in orders:
        in_hypothesis, in_reference = count_ngrams(hypothesis_tokens, k), count_ngrams(reference_tokens, k)
        matched = (in_hypothesis & in_reference).total()
        # An order that is too long for the reference costs the hypothesis nothing.
        comparable = in_hypothesis.total() if in_reference else 0
        counts.append(Counts(comparable, in_reference.total(), matched))
    return counts


def f_score(orders: list[Counts], beta: float) -> float:
    """F-beta in per cent from the counts of every order."""
    orders = [order for order in orders if order.hypothesis and order.reference]
    if not any(order.matched for order in orders):
        return 0.0
    precision = sum(order.matched / order.hypothesis for order in orders) / len(orders)  # (1)
    recall = sum(order.matched / order.reference for order in orders) / len(orders)  # (1)
    return 100 * (1 + beta**2) * precision * recall / (beta**2 * precision + recall)  # (2)


def split_punctuation(sentence: str) -> list[str]:
    """Words, one punctuation mark taken off each: the last character if it is one, else the first.

    "(so)" becomes "(so" and ")", as in Popović's own program.
    """
    words = []
    for word in sentence.split():
        if len(word) > 1 and word[-1] in string.punctuation:
            words += [word[:-1], word[-1]]
        elif len(word) > 1 and word[0] in string.punctuation:
            words += [word[0], word[1:]]
        else:
            words.append(word)
    return words
