"""y = x m / (1 - p): some units are silenced while training             (6.2)"""

from typing import Any, NamedTuple

from ..backend import keep_mask
from ..contracts import expect_floats
from ..layer import Layer


class DropoutCache(NamedTuple):
    mask: Any


class Dropout(Layer):
    """Inverted dropout: a unit is kept with probability 1 - p and then divided by it, so that its mean stays.

    x (...) -> y (...)
    Without an rng (evaluation), or with p = 0, y = x.  Source: Srivastava et al. 2014, §4 and §10.
    Raises ValueError unless 0 <= p < 1.
    """

    def __init__(self, p):
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p (the dropout probability) must lie in [0, 1), got {p}")
        self.p = p

    def forward(self, x, rng=None):
        if rng is None or self.p == 0:
            return x, DropoutCache(None)
        expect_floats("x", x, (...,))
        mask = keep_mask(rng, x, 1 - self.p)
        return x * mask, DropoutCache(mask)  # (6.2)

    def backward(self, dy, cache):
        """dy (...) -> dx (...)"""
        if cache.mask is None:
            return dy
        expect_floats("dy", dy, cache.mask.shape, cache.mask.dtype)
        return dy * cache.mask  # (6.2)'

    def __repr__(self):
        return f"Dropout(p={self.p})"
