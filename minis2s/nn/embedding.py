"""x_t = row y_t of a table W: a word's vector                            (6.1)"""

from typing import Any, NamedTuple

from ..backend import scatter_add
from ..contracts import expect_floats, expect_ids, expect_positive
from ..layer import Layer
from .linear import rows


class EmbeddingCache(NamedTuple):
    ids: Any
    real: Any


class Embedding(Layer):
    """Rows of a table, looked up by id.

    ids (...) -> x (...,D)
    W (V,D), drawn from N(0, 0.1^2). padding_idx (None: no such id) gives the vector 0, and so its row gets no gradient
    from here (an output layer tied to W may well give it one).
    Raises ValueError for ids outside 0..V-1.
    """

    def __init__(self, vocabulary_size, embedding_size, rng, padding_idx=0, dtype="float32"):
        expect_positive(vocabulary_size=vocabulary_size, embedding_size=embedding_size)
        if padding_idx is not None and padding_idx not in range(vocabulary_size):
            raise ValueError(f"padding_idx must lie in 0..{vocabulary_size - 1} or be None, got {padding_idx}")
        super().__init__(W=(0.1 * rng.standard_normal((vocabulary_size, embedding_size))).astype(dtype))
        self.padding_idx = padding_idx
        if padding_idx is not None:
            self.params["W"][padding_idx] = 0

    def forward(self, ids):
        W = self.params["W"]
        expect_ids("ids", ids, len(W))
        x = W[ids]  # (6.1)
        real = None if self.padding_idx is None else (ids != self.padding_idx)[..., None]
        if real is not None:
            x *= real
        return x, EmbeddingCache(ids, real)

    def backward(self, dx, cache):
        """Adds every position's gradient to its word's row; ids have no gradient, so None comes back."""
        ids, real = cache
        expect_floats("dx", dx, (*ids.shape, self.params["W"].shape[1]), self.dtype)
        if real is not None:
            dx = dx * real
        scatter_add(self.grads["W"], ids.reshape(-1), rows(dx))  # (6.1)': a word's row fans out to its places
