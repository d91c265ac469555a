"""Chapter 09, attention."""

import numpy as np

from ..functional import sigmoid, softmax, tanh
from .checking import Sealed, Trial, finite_differences
from .registry import exercise, question

SIZES = ((1, 1, 1, 1), (3, 2, 4, 5), (1, 4, 2, 3), (2, 3, 1, 2))  # T, S, B, size of a vector


@exercise
def additive_score_backward(rng):
    """de (T,S,B), z (T,S,B,A) the tanh, v (A,) -> dr (T,B,A), dkeys (S,B,A), dv (A,)"""
    for T, S, B, A in SIZES:
        r, keys, v = (rng.standard_normal(shape) for shape in ((T, B, A), (S, B, A), (A,)))
        de = rng.standard_normal((T, S, B))

        def f(r=r, keys=keys, v=v, de=de):
            return (de * (tanh(r[:, None] + keys) @ v)).sum()

        expected = finite_differences(f, r=r, keys=keys, v=v)
        sizes = {"T": T, "S": S, "B": B, "A": A}
        yield Trial(sizes, (de, tanh(r[:, None] + keys), v), expected, "finite differences say")


@question(within=1e-9, hint="Which numbers sum to 1, and how many of them does one sentence have?")
def weights_of_one_sentence():
    """What the 12 weights of one of 4 sentences sum to, for equal scores and a softmax over the sentences."""
    return float(softmax(np.zeros((12, 4)), axis=1).sum(axis=0)[0])


@question(choices=("a", "b", "c", "d"), hint="What of the score is the same for every i?")
def score_that_cannot_ask():
    """The score whose weights are the same for every query."""
    return Sealed("e4b80e4610b35b82")


@exercise
def mended_masked_attention(rng):
    """e (S,B), hs (S,B,H), lengths (B,) -> alpha (S,B), context (B,H)"""
    for S, B, H, lengths in ((1, 1, 1, [1]), (4, 3, 2, [2, 4, 1]), (5, 1, 3, [3]), (2, 3, 1, [2, 1, 2])):
        e, hs = 2 * rng.standard_normal((S, B)), rng.standard_normal((S, B, H))
        alpha = np.zeros((S, B))
        for b, length in enumerate(lengths):
            alpha[:length, b] = softmax(e[:length, b])  # each sentence by itself, without its padding
        expected = {"alpha": alpha, "context": np.einsum("sb,sbh->bh", alpha, hs)}
        yield Trial({"S": S, "B": B, "H": H}, (e, hs, np.array(lengths)), expected, "each sentence by itself has")


def gated_mix(s_new, context, Wg, bg, Wn, bn):
    """The chapter's (9.17) to (9.19) -> s, and g and n on the way"""
    g = sigmoid(np.concatenate([s_new, context], axis=1) @ Wg + bg)
    n = tanh(context @ Wn + bn)
    return (1 - g) * s_new + g * n, g, n


@exercise
def gated_mix_backward(rng):
    """ds (B,Q), Wg, Wn, cache (s_new, context, g, n) -> ds_new, dcontext, dWg, dbg, dWn, dbn"""
    for B, Q, H in ((1, 1, 1), (3, 2, 4), (1, 3, 2), (4, 1, 3)):
        shapes = {"s_new": (B, Q), "context": (B, H), "Wg": (Q + H, Q), "bg": (Q,), "Wn": (H, Q), "bn": (Q,)}
        arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        ds = rng.standard_normal((B, Q))
        expected = finite_differences(lambda arrays=arrays, ds=ds: (ds * gated_mix(**arrays)[0]).sum(), **arrays)
        _, g, n = gated_mix(**arrays)
        inputs = ds, arrays["Wg"], arrays["Wn"], (arrays["s_new"], arrays["context"], g, n)
        yield Trial({"B": B, "Q": Q, "H": H}, inputs, expected, "finite differences say")


@question(within=0.1, hint="The scores' standard deviation is the square root of 256. What does exp make of that?")
def largest_of_ten_weights():
    """The mean of the largest of ten weights of dot attention, between random vectors of 256 numbers."""
    rng = np.random.default_rng(1)
    scores = np.einsum("nh,nih->ni", rng.standard_normal((2000, 256)), rng.standard_normal((2000, 10, 256)))
    return float(softmax(scores).max(axis=1).mean())


def scaled_dot_lookup(queries, hs):
    """queries (T,B,H), hs (S,B,H) -> contexts (T,B,H), alphas (T,S,B)"""
    alphas = softmax(np.einsum("tbh,sbh->tsb", queries, hs) / np.sqrt(hs.shape[2]), axis=1)
    return np.einsum("tsb,sbh->tbh", alphas, hs), alphas


@exercise
def scaled_dot_lookup_backward(rng):
    """dcontexts (T,B,H), queries (T,B,H), hs (S,B,H), alphas (T,S,B) -> dqueries (T,B,H), dhs (S,B,H)"""
    for T, S, B, H in SIZES[1:]:
        queries, dcontexts = rng.standard_normal((2, T, B, H))
        hs = rng.standard_normal((S, B, H))

        def f(queries=queries, hs=hs, dcontexts=dcontexts):
            return (dcontexts * scaled_dot_lookup(queries, hs)[0]).sum()

        expected = finite_differences(f, queries=queries, hs=hs)
        inputs = dcontexts, queries, hs, scaled_dot_lookup(queries, hs)[1]
        yield Trial({"T": T, "S": S, "B": B, "H": H}, inputs, expected, "finite differences say")


def local_attention(e, hs, p, sigma):
    """e (S,B), hs (S,B,H), p (B,) -> context (B,H), cache (hs, alpha, near, p, sigma)"""
    alpha = softmax(e, axis=0)
    near = np.exp(-((np.arange(len(e))[:, None] - p) ** 2) / (2 * sigma**2))
    return np.einsum("sb,sbh->bh", alpha * near, hs), (hs, alpha, near, p, sigma)


@exercise
def local_attention_backward(rng):
    """dcontext (B,H), cache (hs, alpha, near, p, sigma) -> de (S,B), dhs (S,B,H), dp (B,)"""
    for _, S, B, H in SIZES:
        arrays = {"e": rng.standard_normal((S, B)), "hs": rng.standard_normal((S, B, H)), "p": S * rng.random(B)}
        dcontext, sigma = rng.standard_normal((B, H)), 1 + rng.random()

        def f(arrays=arrays, dcontext=dcontext, sigma=sigma):
            return (dcontext * local_attention(**arrays, sigma=sigma)[0]).sum()

        expected = finite_differences(f, **arrays)
        _, cache = local_attention(**arrays, sigma=sigma)
        yield Trial({"S": S, "B": B, "H": H}, (dcontext, cache), expected, "finite differences say")
