"""Chapter 11, self-attention."""

from math import sqrt

import numpy as np

from ..functional import softmax
from ..nn import SelfAttention
from .checking import Trial, finite_differences
from .registry import exercise, question

HEAD_SIZES = ((1, 1, 1, 1), (2, 3, 4, 5), (3, 2, 1, 4), (2, 1, 5, 3))  # B, heads, T, d
SEQUENCE_SIZES = ((1, 1, 1), (3, 4, 5), (1, 5, 2), (2, 3, 3))  # B, T, D


def look(Q, K, V, mask=None):
    """The chapter's (11.1) to (11.3)  -> Y, alpha"""
    alpha = softmax(Q @ K.swapaxes(-1, -2) / sqrt(Q.shape[-1]), mask=mask)
    return alpha @ V, alpha


@exercise
def self_attention_backward(rng):
    """dY (B,T,D), WQ, WK, WV (D,D), cache (X, Q, K, V, alpha) -> dX (B,T,D), dWQ, dWK, dWV (D,D)"""
    for B, T, D in SEQUENCE_SIZES:
        arrays = {"X": rng.standard_normal((B, T, D))}
        arrays |= {name: rng.standard_normal((D, D)) for name in ("WQ", "WK", "WV")}
        X, *weights = arrays.values()
        projected = [X @ W for W in weights]
        Y, alpha = look(*projected)
        dY = rng.standard_normal(Y.shape)

        def f(X=X, weights=weights, dY=dY):
            return (dY * look(*(X @ W for W in weights))[0]).sum()

        expected = finite_differences(f, **arrays)
        inputs = dY, *weights, (X, *projected, alpha)
        yield Trial({"B": B, "T": T, "D": D}, inputs, expected, "finite differences say")


@question(within=0.001, hint="How many places may it look at, and how do their scores differ?")
def weight_on_the_second():
    """The weight of place 5 on place 2 of 8 equal ones, under a causal mask."""
    rng = np.random.default_rng(0)
    x = np.tile(rng.standard_normal(6), (8, 1, 1))
    (_, alphas), _ = SelfAttention(6, rng, causal=True, dtype="float64").forward(x)
    return float(alphas[0, 0, 4, 1])


@question(within=0.03, hint="The variance of one number in q, then that of q · k, then the division; then its root.")
def score_deviation_at_start():
    """The standard deviation of the scores of an untrained layer."""
    rng = np.random.default_rng(0)
    layer, x = SelfAttention(256, rng, heads=4, dtype="float64"), rng.standard_normal((20, 8, 256))
    Q, K = (layer.to_heads(part.forward(x)[0]) for part in (layer.query, layer.key))
    return float((Q @ K.swapaxes(2, 3) / sqrt(64)).std())


@question(choices=("WQ", "bQ", "WK", "bK", "WV", "bV"), hint="What does each add to the scores of one row?")
def array_without_effect():
    """The array that can be anything without any effect on y."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, 4))
    arrays = {"W" + name: rng.standard_normal((4, 4)) for name in "QKV"}
    arrays |= {"b" + name: rng.standard_normal(4) for name in "QKV"}

    def y(arrays):
        return look(*(x.swapaxes(0, 1) @ arrays["W" + name] + arrays["b" + name] for name in "QKV"))[0]

    (found,) = [name for name in arrays if np.allclose(y(arrays), y(arrays | {name: 2 * arrays[name] + 1}))]
    return found


def heads_of(x, heads):
    """x (T,B,D) -> (B,heads,T,D/heads)"""
    return np.stack(np.split(x.swapaxes(0, 1), heads, axis=2), axis=1)


@exercise
def mended_self_attention(rng):
    """x (T,B,D), p, heads, lengths (B,) -> y (T,B,D), alpha (B,heads,T,T)"""
    for T, heads, d, lengths in ((1, 1, 1, [1]), (4, 2, 3, [4, 2, 1]), (3, 1, 4, [2, 3]), (5, 3, 2, [5])):
        B, D, lengths = len(lengths), heads * d, np.array(lengths)
        p = {"W" + name: rng.standard_normal((D, D)) for name in "QKVO"}
        p |= {"b" + name: rng.standard_normal(D) for name in "QKVO"}
        x = rng.standard_normal((T, B, D))
        real = (np.arange(T) < lengths[:, None])[:, None, None, :]
        Y, alpha = look(*(heads_of(x @ p["W" + name] + p["b" + name], heads) for name in "QKV"), real)
        y = np.concatenate([Y[:, head].swapaxes(0, 1) for head in range(heads)], axis=2) @ p["WO"] + p["bO"]
        sizes = {"T": T, "B": B, "D": D, "heads": heads, "lengths": lengths.tolist()}
        yield Trial(sizes, (x, p, heads, lengths), {"y": y, "alpha": alpha})


def shared(Q, K, V):
    """Every head looks by one K and V.  Q (B,heads,T,d), K, V (B,T,d) -> Y, alpha"""
    heads = [look(Q[:, head], K, V) for head in range(Q.shape[1])]
    Y, alpha = zip(*heads, strict=True)
    return np.stack(Y, axis=1), np.stack(alpha, axis=1)


def shared_arrays(rng):
    for B, heads, T, d in HEAD_SIZES:
        arrays = {"Q": (B, heads, T, d), "K": (B, T, d), "V": (B, T, d)}
        sizes = {"B": B, "heads": heads, "T": T, "d": d}
        yield sizes, {name: rng.standard_normal(shape) for name, shape in arrays.items()}


@exercise
def multi_query(rng):
    """Q (B,heads,T,d), K (B,T,d), V (B,T,d) -> Y (B,heads,T,d), alpha (B,heads,T,T)"""
    for sizes, arrays in shared_arrays(rng):
        Y, alpha = shared(**arrays)
        yield Trial(sizes, (*arrays.values(),), {"Y": Y, "alpha": alpha})


@exercise
def multi_query_backward(rng):
    """dY (B,heads,T,d), Q, K, V, alpha -> dQ (B,heads,T,d), dK (B,T,d), dV (B,T,d)"""
    for sizes, arrays in shared_arrays(rng):
        Y, alpha = shared(**arrays)
        dY = rng.standard_normal(Y.shape)
        expected = finite_differences(lambda arrays=arrays, dY=dY: (dY * shared(**arrays)[0]).sum(), **arrays)
        yield Trial(sizes, (dY, *arrays.values(), alpha), expected, "finite differences say")


@exercise
def distance_bias_backward(rng):
    """dE (B,heads,T,T) -> dr (heads,2T-1)"""
    for B, heads, T, _ in HEAD_SIZES:
        dE, r = rng.standard_normal((B, heads, T, T)), rng.standard_normal((heads, 2 * T - 1))
        columns = np.arange(T) - np.arange(T)[:, None] + T - 1  # (T,T): s - t, from 0
        expected = finite_differences(lambda dE=dE, r=r, columns=columns: (dE * r[:, columns]).sum(), r=r)
        yield Trial({"B": B, "heads": heads, "T": T}, (dE,), expected, "finite differences say")
