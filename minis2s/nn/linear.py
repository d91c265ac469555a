"""y = x W + b                                                            (2.1)"""

from typing import Any, NamedTuple

from ..contracts import expect_floats, expect_positive
from ..layer import Layer, uniform, zeros


class LinearCache(NamedTuple):
    x: Any


class Linear(Layer):
    """An affine map of the last axis.

    x (...,D) -> y (...,V)
    W (D,V), b (V,), drawn from U(-1/sqrt(D), 1/sqrt(D)); bias=False leaves b out.
    """

    def __init__(self, input_size, output_size, rng, bias=True, dtype="float32"):
        expect_positive(input_size=input_size, output_size=output_size)
        super().__init__(W=uniform(rng, (input_size, output_size), input_size**-0.5, dtype))
        if bias:
            self.add("b", zeros(output_size, dtype))

    def forward(self, x):
        W = self.params["W"]
        expect_floats("x", x, (..., W.shape[0]), W.dtype)
        y = rows(x) @ W
        if "b" in self.params:
            y += self.params["b"]  # (2.1)
        return y.reshape(*x.shape[:-1], W.shape[1]), LinearCache(x)

    def backward(self, dy, cache):
        """dy (...,V) -> dx (...,D)"""
        W = self.params["W"]
        expect_floats("dy", dy, (*cache.x.shape[:-1], W.shape[1]), W.dtype)
        self.weight_gradients(cache.x, dy)
        return self.input_gradient(dy)

    def weight_gradients(self, x, dy):
        """Adds dW and db, which fan out to every row.  x (...,D), dy (...,V)"""
        self.grads["W"] += rows(x).T @ rows(dy)  # (2.1)'
        if "b" in self.params:
            self.grads["b"] += rows(dy).sum(axis=0)

    def input_gradient(self, dy):
        """dy (...,V) -> dx (...,D)"""
        return (rows(dy) @ self.params["W"].T).reshape(*dy.shape[:-1], -1)  # (2.1)'


def rows(x):
    """All leading axes as one, so that one matrix product serves every time step and example.  x (...,D) -> (N,D)"""
    return x.reshape(-1, x.shape[-1])
