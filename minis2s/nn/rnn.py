"""The plain recurrent layer.  Source: Elman 1990.

    a_t = x_t Wx + h_{t-1} Wh + b                                      (1.1)
    h_t = tanh(a_t)                                                    (1.2)
"""

from typing import Any, NamedTuple

from ..functional import tanh, tanh_backward
from .recurrent import Recurrent


class RNNCache(NamedTuple):
    h: Any


def rnn_cell(a):
    """One step of the plain recurrent cell.  a (B,H) -> h (B,H)"""
    h = tanh(a)  # (1.2)
    return h, RNNCache(h)


def rnn_cell_backward(dh, cache):
    """dh (B,H) -> da (B,H)"""
    return tanh_backward(dh, cache.h)  # (1.2)'


class RNN(Recurrent):
    """The plain recurrent layer, tanh.

    x (T,B,D), h0 (B,H) -> hs (T,B,H), hT (B,H)
    Wx (D,H), Wh (H,H), b (H,); with layer_norm also gain (H,).  States are tuples of one: (h,).
    """

    gates = 1

    def step(self, xa, state):
        (h_prev,) = state
        a, normalised = self.preactivate(xa, h_prev)
        h, cache = rnn_cell(a)
        return (h,), (cache, normalised)

    def step_backward(self, dstate, cache, WhT=None):
        (dh,), (cache, normalised) = dstate, cache
        dxa, dh_prev = self.preactivate_backward(rnn_cell_backward(dh, cache), normalised, WhT)
        return dxa, (dh_prev,)
