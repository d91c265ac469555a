"""An output layer that shares its matrix with an embedding."""

from ..contracts import expect_floats
from ..layer import Layer, zeros
from .linear import LinearCache, rows


class TiedLinear(Layer):
    """A Linear whose W is another layer's, transposed: what a word means is also what calls for it.

    x (...,D) -> y (...,V)
    y = x E^T + b                                                      (7.4)
    E (V,D) of the embedding, whose gradients it adds to; b (V,). Raises ValueError if input_size is not D.
    Source: Press & Wolf 2017, §3.
    """

    def __init__(self, embedding, input_size, dtype="float32"):
        V, D = embedding.params["W"].shape
        if input_size != D:
            raise ValueError(f"tied weights need features of the embedding's size {D}, got {input_size}")
        super().__init__(b=zeros(V, dtype))
        self.embedding = embedding

    def forward(self, x):
        E = self.embedding.params["W"]
        expect_floats("x", x, (..., E.shape[1]), E.dtype)
        y = rows(x) @ E.T
        y += self.params["b"]  # (7.4)
        return y.reshape(*x.shape[:-1], -1), LinearCache(x)

    def backward(self, dy, cache):
        E = self.embedding.params["W"]
        expect_floats("dy", dy, (*cache.x.shape[:-1], len(E)), E.dtype)
        self.embedding.grads["W"] += rows(dy).T @ rows(cache.x)  # (7.4)'
        self.grads["b"] += rows(dy).sum(axis=0)
        return (rows(dy) @ E).reshape(cache.x.shape)
