"""Chapter 06, the encoder."""

import numpy as np

from ..data.batches import padded
from ..nn import RNN, Dropout
from .checking import Trial, finite_differences
from .registry import exercise, question

SIZES = ((1, 1, 1, 1), (4, 3, 2, 5), (3, 1, 4, 2), (1, 4, 3, 3))  # T, B, D or H, and V - 2 or D
LENGTHS = {1: [1], 3: [2, 4, 1], 4: [1, 1, 1, 1]}  # of B sentences, no longer than their T


def names(T, B, H):
    return {"T": T, "B": B, "H": H}


def sentences(rng, T, B, V):
    """ids (T,B), lengths (B,): words from 1 to V-1, and 0 after each row's end."""
    lengths = np.minimum(T, LENGTHS[B])
    real = np.arange(T)[:, None] < lengths
    return np.where(real, rng.integers(1, V, (T, B)), 0), lengths


@exercise
def embedding_backward(rng):
    """dx (T,B,D), ids (T,B), vocabulary_size -> dW (V,D)"""
    for T, B, D, words in SIZES:
        V = words + 2
        ids, _ = sentences(rng, T, B, V)
        W, dx = rng.standard_normal((V, D)), rng.standard_normal((T, B, D))

        def f(W=W, ids=ids, dx=dx):
            return (dx * W[ids] * (ids != 0)[:, :, None]).sum()

        sizes = {"T": T, "B": B, "D": D, "V": V}
        yield Trial(sizes, (dx, ids, V), finite_differences(f, W=W), "finite differences say")


@exercise
def carry_backward(rng):
    """dstate, a tuple of arrays (B,H), m (B,1) -> dafter, dbefore, tuples likewise"""
    for parts in ("h", "hc"):
        for _, B, H, _ in SIZES:
            m = ((np.arange(B) + H) % 2 == 0)[:, None]
            dstate = tuple(rng.standard_normal((len(parts), B, H)))
            arrays = {f"{when}_{part}": rng.standard_normal((B, H)) for when in ("after", "before") for part in parts}

            def f(m=m, dstate=dstate, arrays=arrays, parts=parts):
                states = [np.where(m, arrays[f"after_{part}"], arrays[f"before_{part}"]) for part in parts]
                return sum((d * state).sum() for d, state in zip(dstate, states, strict=True))

            expected = finite_differences(f, **arrays)
            yield Trial({"parts": len(parts), "B": B, "H": H}, (dstate, m), expected, "finite differences say")


@question(within=0.015, hint="How long is the longest sentence of a large batch? And the mean one?")
def share_of_padding():
    """The share of padding where lengths from 1 to 10 are equally frequent and batches are large."""
    rng = np.random.default_rng(0)
    return float((padded([[1] * n for n in rng.integers(1, 11, 100_000)]) == 0).mean())


@question(within=0.02, hint="Which two values does y take, and how often? Mean first, then the mean square.")
def deviation_after_dropout():
    """The standard deviation of what dropout with p = 0.2 makes of ones."""
    y, _ = Dropout(0.2).forward(np.ones(1_000_000), np.random.default_rng(0))
    return float(y.std())


def right_to_left(x, lengths, Wx, Wh, b):
    hs = np.zeros((*x.shape[:2], len(Wh)))
    for row, length in enumerate(lengths):
        h = np.zeros(len(Wh))
        for t in reversed(range(length)):
            h = np.tanh(x[t, row] @ Wx + h @ Wh + b)
            hs[t, row] = h
    return hs, hs[0]


@exercise
def mended_right_to_left(rng):
    """x (T,B,D), lengths (B,), Wx, Wh, b -> hs (T,B,H), h (B,H)"""
    for T, B, H, D in SIZES:
        _, lengths = sentences(rng, T, B, 3)
        shapes = (T, B, D), (D, H), (H, H), (H,)
        x, Wx, Wh, b = (0.5 * rng.standard_normal(shape) for shape in shapes)
        hs, h = right_to_left(x, lengths, Wx, Wh, b)
        yield Trial(names(T, B, H) | {"D": D}, (x, lengths, Wx, Wh, b), {"hs": hs, "h": h})


@exercise
def pick_last_backward(rng):
    """dh (B,H), lengths (B,), T -> dhs (T,B,H)"""
    for T, B, H, _ in SIZES:
        _, lengths = sentences(rng, T, B, 3)
        hs, dh = rng.standard_normal((T, B, H)), rng.standard_normal((B, H))

        def f(hs=hs, dh=dh, lengths=lengths):
            return sum(dh[row] @ hs[length - 1, row] for row, length in enumerate(lengths))

        yield Trial(names(T, B, H), (dh, lengths, T), finite_differences(f, hs=hs), "finite differences say")


@question(choices=("left to right", "right to left", "both", "neither"), hint="What has been read by then?")
def direction_that_may_pick():
    """The directions in which one may read over the padding and pick a row's end afterwards."""
    rng, lengths = np.random.default_rng(0), np.array([2, 4, 1])
    x = rng.standard_normal((4, 3, 5))
    fits = []
    for direction, ends in {"left to right": lengths - 1, "right to left": 0 * lengths}.items():
        layer = RNN(5, 2, rng, reverse=direction == "right to left", dtype="float64")
        layer.params["b"][...] = 0.5
        (_, (h,)), _ = layer.forward(x, lengths=lengths)
        (hs, _), _ = layer.forward(x)
        if np.allclose(hs[ends, range(3)], h):
            fits.append(direction)
    return "both" if len(fits) == 2 else "".join(fits) or "neither"


@exercise
def tied_words_backward(rng):
    """dlogits (N,V), W (V,D), A (D,D), cache (ids (N,), x (N,D), h (N,D)) -> dW (V,D), dA (D,D)"""
    for N, D, V in ((1, 1, 2), (6, 2, 4), (3, 4, 5)):
        ids = rng.integers(0, V, N)
        W, A, dlogits = rng.standard_normal((V, D)), rng.standard_normal((D, D)), rng.standard_normal((N, V))

        def f(ids=ids, W=W, A=A, dlogits=dlogits):
            return (dlogits * (np.tanh(W[ids] @ A) @ W.T)).sum()

        inputs = dlogits, W, A, (ids, W[ids], np.tanh(W[ids] @ A))
        yield Trial({"N": N, "D": D, "V": V}, inputs, finite_differences(f, W=W, A=A), "finite differences say")
