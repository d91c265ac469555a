"""Self-attention: every place of a sequence looks at all, itself among them, with no recurrence between them.

    Q = X WQ + bQ,  K = X WK + bK,  V = X WV + bV                      (2.1)
    E = Q K^T / sqrt(d_k)                                              (11.1)
    alpha = softmax(E), over the keys that the masks allow             (11.2)
    Y = alpha V                                                        (11.3)

With several heads, each has its own part of Q, K and V, and their Ys side by side go through one more matrix.
Source: Vaswani et al. 2017, §3.2.
"""

from math import sqrt
from typing import Any, NamedTuple

from ..backend import array_module, from_numpy
from ..contracts import expect_floats, expect_lengths, expect_positive
from ..functional import length_mask, softmax, softmax_backward
from ..layer import Composite
from .linear import Linear


class SelfAttentionCache(NamedTuple):
    projections: tuple
    Q: Any
    K: Any
    V: Any
    alphas: Any
    output: Any


class SelfAttention(Composite):
    """Scaled dot-product attention of a sequence to itself.

    x (T,B,D) -> y (T,B,D), alphas (B,heads,T,T): row t says where position t looked
    lengths (B,), on the CPU: padding is never looked at; causal=True: nor is what comes after t.
    query, key, value, and with several heads output: Linear (D,D).  Raises ValueError unless heads divide D.
    """

    def __init__(self, size, rng, heads=1, causal=False, dtype="float32"):
        expect_positive(size=size, heads=heads)
        if size % heads:
            raise ValueError(f"heads must divide the size, got heads {heads} and size {size}")
        self.input_size, self.heads, self.causal = size, heads, causal
        self.query = Linear(size, size, rng, dtype=dtype)
        self.key = Linear(size, size, rng, dtype=dtype)
        self.value = Linear(size, size, rng, dtype=dtype)
        if heads > 1:
            self.output = Linear(size, size, rng, dtype=dtype)

    def forward(self, x, lengths=None):
        expect_floats("x", x, ("T", "B", self.input_size), self.dtype)
        layers = (self.query, self.key, self.value)
        projected, caches = zip(*(layer.forward(x) for layer in layers), strict=True)
        Q, K, V = (self.to_heads(p) for p in projected)
        E = Q @ K.swapaxes(2, 3) / sqrt(Q.shape[3])  # (11.1)
        alphas = softmax(E, mask=self.mask(x, lengths))  # (11.2)
        y = self.from_heads(alphas @ V)  # (11.3)
        output_cache = None
        if self.heads > 1:
            y, output_cache = self.output.forward(y)
        return (y, alphas), SelfAttentionCache(caches, Q, K, V, alphas, output_cache)

    def backward(self, dy, dalphas, cache):
        """dy (T,B,D), dalphas (B,heads,T,T) or None -> dx (T,B,D)"""
        caches, Q, K, V, alphas, output_cache = cache
        expect_floats("dy", dy, caches[0].x.shape, self.dtype)
        if dalphas is not None:
            expect_floats("dalphas", dalphas, alphas.shape, self.dtype)
        if self.heads > 1:
            dy = self.output.backward(dy, output_cache)
        dY = self.to_heads(dy)
        dV = alphas.swapaxes(2, 3) @ dY  # (11.3)'
        dweights = dY @ V.swapaxes(2, 3)
        if dalphas is not None:
            dweights = dweights + dalphas
        dE = softmax_backward(dweights, alphas) / sqrt(Q.shape[3])  # (11.2)'
        dQ, dK = dE @ K, dE.swapaxes(2, 3) @ Q  # (11.1)'
        projections = zip((self.query, self.key, self.value), (dQ, dK, dV), caches, strict=True)
        # x is query, key and value: sum.
        return sum(layer.backward(self.from_heads(d), layer_cache) for layer, d, layer_cache in projections)

    def mask(self, x, lengths):
        """Which key each query may look at, (B,1,T,T), or None for all."""
        T, B, _ = x.shape
        xp = array_module(x)
        mask = None
        if lengths is not None:
            expect_lengths("lengths", lengths, T, B)
            mask = from_numpy(length_mask(lengths, T).T[:, None, None, :], like=x)
        if self.causal:
            past = xp.arange(T)[None, :] <= xp.arange(T)[:, None]
            mask = past if mask is None else mask & past
        return mask

    def to_heads(self, x):
        """x (T,B,D) -> (B,heads,T,D/heads)"""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2, 0, 3)

    def from_heads(self, x):
        """x (B,heads,T,D/heads) -> (T,B,D)"""
        return x.transpose(2, 0, 1, 3).reshape(x.shape[2], x.shape[0], -1)
