"""BLEU: which share of the hypotheses' n-grams do the references know?"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..contracts import expect_choice
from .corpus import sentence_pairs
from .ngrams import count_ngrams
from .tokenisation import TOKENISERS

MAX_ORDER = 4


class BLEUScore(NamedTuple):
    """BLEU and its parts: score and precisions in per cent, lengths in tokens of the whole corpus."""

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    hypothesis_length: int
    reference_length: int


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[str | Sequence[str]],
    tokenize: str = "13a",
    lowercase: bool = False,
) -> BLEUScore:
    """Corpus BLEU-4, 0 to 100, equal to sacreBLEU's.

    hypotheses: one string per sentence; references: for each its reference, or a list of several;
    tokenize: "13a" (Western text), "zh" (Chinese), "char" (characters) or "none" (split at white space).

        p_n  = sum_h sum_g min(count_h(g), max_r count_r(g)) / sum_h sum_g count_h(g)    g an n-gram   (1)
        p_n  = 1 / (2^k sum_h sum_g count_h(g))    where (1) is 0 for the k-th time                    (2)
        BP   = min(1, exp(1 - R / C))    C, R the lengths of hypotheses and nearest references         (3)
        BLEU = 100 BP exp(1/4 sum_n log p_n)                                                           (4)

    (2) smooths only orders that have n-grams, and only if some n-gram matches. So hypotheses that are all
    shorter than four tokens score 0, as does a corpus without a single match.

    Papineni et al. 2002, section 2; (2) is method 3 of Chen & Cherry 2014.
    ValueError: an unknown tokenisation, an empty or unpaired corpus, an entry that is not a string.
    """
    expect_choice("tokenize", tokenize, TOKENISERS)
    corpus = sentence_pairs(hypotheses, references)

    def tokens(sentence: str) -> list[str]:
        return TOKENISERS[tokenize]((sentence.lower() if lowercase else sentence).rstrip())

    matches, totals = [0] * MAX_ORDER, [0] * MAX_ORDER
    hypothesis_length = reference_length = 0
    for sentence, sentence_references in corpus:
        hypothesis, alternatives = tokens(sentence), [tokens(r) for r in sentence_references]
        for n in range(1, MAX_ORDER + 1):
            counts, known = count_ngrams(hypothesis, n), Counter()
            for reference in alternatives:
                known |= count_ngrams(reference, n)  # (1) max over r
            matches[n - 1] += (counts & known).total()  # (1) min, so that repeating a word gains nothing
            totals[n - 1] += counts.total()
        hypothesis_length += len(hypothesis)
        reference_length += nearest_length(len(hypothesis), [len(r) for r in alternatives])

    precisions = smoothed_precisions(matches, totals)
    penalty = brevity_penalty(hypothesis_length, reference_length)
    score = 0.0
    if all(precisions):
        score = 100 * penalty * math.exp(sum(map(math.log, precisions)) / MAX_ORDER)  # (4)
    percent = tuple(100 * p for p in precisions)
    return BLEUScore(score, percent, penalty, hypothesis_length, reference_length)


def smoothed_precisions(matches: list[int], totals: list[int]) -> list[float]:
    """Precision of each order, 0 to 1, from the matched and all n-grams of the corpus."""
    if not any(matches):
        return [0.0] * len(matches)
    precisions, smoothing = [], 1
    for matched, total in zip(matches, totals, strict=True):
        if total == 0:
            precisions.append(0.0)
        elif matched == 0:
            smoothing *= 2
            precisions.append(1 / (smoothing * total))  # (2)
        else:
            precisions.append(matched / total)  # (1)
    return precisions


def brevity_penalty(hypothesis_length: int, reference_length: int) -> float:
    """1 for hypotheses that are long enough, less for shorter ones: precision alone would favour silence."""
    if hypothesis_length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / hypothesis_length) if hypothesis_length else 0.0  # (3)


def nearest_length(length: int, reference_lengths: list[int]) -> int:
    """The reference length nearest to `length`, the shorter of two equally near."""
    return min(reference_lengths, key=lambda candidate: (abs(candidate - length), candidate))
