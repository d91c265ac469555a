"""Accuracy by token and by whole sequence."""

from collections.abc import Sequence

from .corpus import token_pairs


def token_accuracy(hypotheses: Sequence[Sequence], references: Sequence[Sequence]) -> float:
    """The share of reference tokens, 0 to 1, that the hypothesis has at the same position.

    hypotheses, references: one list of tokens per sequence, without padding.

        accuracy = sum_i sum_{t < |r_i|} [h_i,t = r_i,t] / sum_i |r_i|                             (1)

    A position that the hypothesis does not reach is wrong. Tokens beyond the reference's end count nowhere:
    they cost nothing here (in `sequence_accuracy` they do). One token dropped early shifts all later ones.

    ValueError: an empty or unpaired corpus, references without a single token, a string for a list of tokens.
    """
    corpus = token_pairs(hypotheses, references)
    length = sum(len(reference) for _, reference in corpus)
    if length == 0:
        raise ValueError("references hold no token, so there is nothing to be right or wrong about")
    right = sum(h == r for pair in corpus for h, r in zip(*pair, strict=False))
    return right / length  # (1)


def sequence_accuracy(hypotheses: Sequence[Sequence], references: Sequence[Sequence]) -> float:
    """The share of sequences, 0 to 1, that equal their reference token for token (exact match).

    hypotheses, references: one list of tokens per sequence, without padding.

    ValueError: an empty or unpaired corpus, a string where a list of tokens is wanted.
    """
    corpus = token_pairs(hypotheses, references)
    return sum(hypothesis == reference for hypothesis, reference in corpus) / len(corpus)
