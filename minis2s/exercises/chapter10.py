"""Chapter 10, translation."""

from math import log

import numpy as np

from ..decoding import length_normaliser
from ..decoding.beam import largest
from ..decoding.sampling import distribution
from ..functional import log_softmax
from ..metrics import bleu
from .checking import Trial
from .registry import exercise, question


@exercise
def beam_step(rng):
    """scores (K,), log_p (K,V) -> the K likeliest continuations: scores (K,), parents (K,), ys (K,)"""
    for K, V in ((1, 4), (3, 5), (4, 3), (2, 7)):
        scores = -np.sort(rng.uniform(0, 2, K))
        log_p = log_softmax(rng.standard_normal((K, V)))
        (best,), (places,) = largest((scores[:, None] + log_p).reshape(1, -1), K)
        expected = {"scores": best, "parents": places // V, "ys": places % V}
        yield Trial({"K": K, "V": V}, (scores, log_p), expected)


@question(within=0.5, hint="How many of its n-grams does the reference have? And how long is it?")
def bleu_of_the_first_eight():
    """BLEU of the first eight characters of a reference of ten."""
    reference = "天地玄黄宇宙洪荒日月"
    return bleu([reference[:8]], [reference], "char").score


@question(within=0.02, hint="Set the two ranks equal, and take logarithms.")
def exponent_of_equal_rank():
    """The length penalty with which log P = -3 over 4 tokens ranks as log P = -3.6 over 7."""
    return log(3.6 / 3) / log(length_normaliser(7, 1) / length_normaliser(4, 1))


@question(hint="Which comes first, and what does the division do to the numbers that are left?")
def tokens_left_to_draw():
    """How many of four tokens of 0.4, 0.3, 0.2 and 0.1 may be drawn under top_k=3 and top_p=0.75."""
    p = distribution(np.log([[0.4, 0.3, 0.2, 0.1]]), top_k=3, top_p=0.75)
    return int((p > 0).sum())


def corpus(rng, sentences, shorter):
    """Hypotheses and references of few characters, so that n-grams repeat, the first so much shorter."""
    hypotheses, references = [], []
    for _ in range(sentences):
        reference = rng.choice(list("天地人"), rng.integers(10, 15)).tolist()
        hypothesis = ["大", *reference[1 : len(reference) - max(0, shorter)], *"天" * -shorter]
        hypotheses.append("".join(hypothesis))
        references.append("".join(reference))
    return hypotheses, references


@exercise
def mended_bleu(rng):
    """hypotheses, references: lists of texts, one character a token -> BLEU of the corpus, 0 to 100"""
    repeated = ["天地天地天地天地"], ["天地天地人天地人"]
    for texts in (repeated, corpus(rng, 1, 0), corpus(rng, 3, 0), corpus(rng, 4, 2), corpus(rng, 3, -2)):
        yield Trial({"sentences": len(texts[0])}, texts, {"bleu": np.float64(bleu(*texts, "char").score)})


@exercise
def rank_with_coverage(rng):
    """score (), alphas (T,S), length_penalty (), beta () -> the rank of a hypothesis ()"""
    for T, S, length_penalty, beta in ((1, 1, 0.0, 0.2), (3, 5, 0.6, 0.2), (6, 2, 1.0, 0.5), (4, 4, 0.8, 0.0)):
        alphas = np.exp(log_softmax(2 * rng.standard_normal((T, S))))
        score = -rng.uniform(1, 9)
        covered = sum(log(min(1.0, looked)) for looked in alphas.sum(axis=0))
        rank = np.float64(score / length_normaliser(T, length_penalty) + beta * covered)
        yield Trial({"T": T, "S": S}, (score, alphas, length_penalty, beta), {"rank": rank})
