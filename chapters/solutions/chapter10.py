"""Chapter 10, translation: the exercises solved."""

from collections import Counter

import numpy as np

from minis2s.decoding import length_normaliser


def ngrams(tokens, n):
    """The chapter's own."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def beam_step(scores, log_p):
    K, V = log_p.shape
    continued = (scores[:, None] + log_p).ravel()  # the sum of all tokens so far
    places = np.argsort(-continued, kind="stable")[:K]
    return continued[places], places // V, places % V


bleu_of_the_first_eight = 100 * np.exp(1 - 10 / 8)

exponent_of_equal_rank = np.log(3.6 / 3) / np.log((5 + 7) / (5 + 4))

tokens_left_to_draw = 2


def mended_bleu(hypotheses, references):
    matched, total = np.zeros(4), np.zeros(4)
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        for n in range(1, 5):
            counts, known = ngrams(hypothesis, n), ngrams(reference, n)
            matched[n - 1] += sum(min(count, known[gram]) for gram, count in counts.items())  # clipped
            total[n - 1] += sum(counts.values())
    C, R = sum(map(len, hypotheses)), sum(map(len, references))
    return 100 * min(1.0, np.exp(1 - R / C)) * np.prod(matched / total) ** (1 / 4)


def rank_with_coverage(score, alphas, length_penalty, beta):
    looked = np.minimum(alphas.sum(axis=0), 1)  # (S,) how much of each word of the source has been looked at
    return score / length_normaliser(len(alphas), length_penalty) + beta * np.log(looked).sum()
