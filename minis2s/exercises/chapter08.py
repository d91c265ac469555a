"""Chapter 08, the bottleneck."""

import numpy as np

from .checking import Sealed, Trial, finite_differences
from .registry import exercise, question


@exercise
def word_distances(rng):
    """places (T,), n -> plain (T,), source reversed (T,), vector at every step (T,)"""
    for T, n in ((1, 1), (4, 4), (3, 5), (6, 2)):
        places, j = rng.integers(1, n, T, endpoint=True), np.arange(1, T + 1)
        from_start = places - 1  # what a reversed source has still to read after it
        expected = {"plain": n - places + j, "source_reversed": from_start + j, "every_step": n - places + 1}
        yield Trial({"T": T, "n": n}, (places, n), expected)


def mean_share(distances, gamma):
    return float((gamma ** np.asarray(distances, dtype=float)).mean())


@question(within=0.002, hint="The ways are 1, 3, 5 and so on; take the share of each, then the average.")
def share_after_reversal():
    """The average share of a gradient that arrives, 20 words, source reversed, 0.9 a step."""
    return mean_share(2 * np.arange(1, 21) - 1, 0.9)


@question(choices=("better", "worse", "neither"), hint="Write down the three places and the three ways.")
def dates_reversed():
    """What reversing the source does to "20 July 1969" and its year, month, day."""
    j, places = np.arange(1, 4), np.array([3, 2, 1])
    plain, source_reversed = mean_share(3 - places + j, 0.6), mean_share(places - 1 + j, 0.6)
    return "better" if source_reversed > plain else "worse"


@question(choices=(8, 11, 16, 32), hint="What did the last doubling gain?")
def half_with_128():
    """The length at which a vector of 128 has about half of the texts right, after 700 steps."""
    return Sealed("6f888eee11062d3f")


@exercise
def mended_probe(rng):
    """h (N,H), letters (N,) of V kinds -> the share of held-out letters that are read right"""
    for N, H, V, known in ((40, 1, 2, 1.0), (61, 3, 4, 0.5), (200, 20, 5, 0.0), (90, 4, 3, 1.0)):
        letters = rng.integers(V, size=N)
        h = 3 + rng.standard_normal((N, H)) + 3 * known * rng.standard_normal((V, H))[letters]
        X, fit = np.column_stack([h, np.ones(N)]), N // 2
        W = np.linalg.pinv(X[:fit]) @ np.eye(V)[letters[:fit]]
        right = (X[fit:] @ W).argmax(axis=1) == letters[fit:]
        yield Trial({"N": N, "H": H, "V": V}, (h, letters, V), {"share": np.asarray(right.mean())})


def middle_and_last(hs, lengths):
    """hs (S,B,H), lengths (B,) -> (B,2H)"""
    rows = np.arange(len(lengths))
    return np.concatenate([hs[(lengths + 1) // 2 - 1, rows], hs[lengths - 1, rows]], axis=1)


def sources(rng):
    """(sizes, hs, lengths) of batches, some sources shorter than S and some of one word"""
    for S, B, H in ((1, 2, 1), (2, 1, 3), (5, 4, 2), (4, 3, 3)):
        lengths = np.append(rng.integers(1, S, B - 1, endpoint=True), S)
        lengths[0] = 1 if B > 1 else S
        yield {"S": S, "B": B, "H": H}, rng.standard_normal((S, B, H)), lengths


@exercise
def two_vectors(rng):
    """hs (S,B,H), lengths (B,) -> (B,2H): the state in the middle, beside it the last"""
    for sizes, hs, lengths in sources(rng):
        yield Trial(sizes, (hs, lengths), {"context": middle_and_last(hs, lengths)})


@exercise
def two_vectors_backward(rng):
    """dcontext (B,2H), lengths (B,), S -> dhs (S,B,H)"""
    for sizes, hs, lengths in sources(rng):
        dcontext = rng.standard_normal((sizes["B"], 2 * sizes["H"]))

        def f(hs=hs, lengths=lengths, dcontext=dcontext):
            return (dcontext * middle_and_last(hs, lengths)).sum()

        expected = finite_differences(f, hs=hs)
        yield Trial(sizes, (dcontext, lengths, sizes["S"]), expected, "finite differences say")


@exercise
def copying_decoder(rng):
    """-> Wh (H,H), w (H,) of a decoder that writes n letters in the order they were read in"""

    def call(decoder, H, n, x):
        """What is said after the register has read x (n,), and <end>."""
        Wh, w = decoder(H, n)
        s, shift, said = np.zeros(H), np.eye(H, k=1), []
        for value in [*x, 0.0]:
            s = value * np.eye(1, H)[0] + s @ shift
        for _ in range(n):
            s = s @ Wh
            said.append(s @ w)
        return np.array(said)

    for H, n in ((3, 1), (6, 4), (7, 3), (12, 10)):
        x = rng.integers(1, 11, n).astype(float)
        yield Trial({"H": H, "n": n}, (H, n, x), {"said": x}, "it was read as", call)
