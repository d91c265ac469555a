"""Phone and word error rate of grapheme-to-phoneme conversion, where words have several pronunciations."""

from collections.abc import Sequence
from typing import NamedTuple

from .corpus import alternatives, pairs, tokens
from .edit_distance import edit_distance


class ErrorRates(NamedTuple):
    """Phone error rate and word error rate, both in per cent, 0 to 100."""

    per: float
    wer: float


def pronunciation_error(
    hypotheses: Sequence[Sequence], references: Sequence[Sequence[Sequence]]
) -> ErrorRates:
    """PER and WER in per cent, each word against the nearest of its pronunciations.

    hypotheses: one list of phones per word; references: for each word the list of its pronunciations.

        r_i = the pronunciation of word i with the smallest edit distance, the first of equals    (1)
        d_i = min(edit distance to r_i, length of r_i)                                            (2)
        PER = 100 sum_i d_i / sum_i length of r_i                                                 (3)
        WER = 100 (number of words with d_i > 0) / (number of words)                              (4)

    (2) keeps a hypothesis that never stops from counting as more than one wrong word. Published rates differ
    in such details: the code of Toshniwal & Livescu 2016 has no (2) and takes the shortest of equals in (1).

    ValueError: an empty or unpaired corpus, a word with no pronunciation or an empty one, a string where a
    list of phones is wanted.
    """
    corpus = [word(i, *pair) for i, pair in enumerate(pairs(hypotheses, references))]
    errors = phones = wrong_words = 0
    for hypothesis, pronunciations in corpus:
        candidates = [(edit_distance(hypothesis, reference), len(reference)) for reference in pronunciations]
        distance, length = min(candidates, key=lambda candidate: candidate[0])  # (1)
        distance = min(distance, length)  # (2)
        errors += distance
        phones += length
        wrong_words += distance > 0
    return ErrorRates(per=100 * errors / phones, wer=100 * wrong_words / len(corpus))  # (3) (4)


def word(i: int, hypothesis: Sequence, pronunciations: Sequence[Sequence]) -> tuple[list, list[list]]:
    """The phones of hypothesis i and of each of its pronunciations, checked."""
    checked = [
        tokens(f"references[{i}][{k}]", pronunciation)
        for k, pronunciation in enumerate(alternatives(f"references[{i}]", pronunciations))
    ]
    if not all(checked):
        raise ValueError(f"references[{i}][{checked.index([])}] is a pronunciation without a single phone")
    return tokens(f"hypotheses[{i}]", hypothesis), checked
