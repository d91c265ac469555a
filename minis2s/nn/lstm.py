"""Long short-term memory.  Source: Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000.

    a_t = x_t Wx + h_{t-1} Wh + b, in four parts a_i, a_f, a_g, a_o    (1.1)
    i   = sigmoid(a_i)     what to write                               (3.1)
    f   = sigmoid(a_f)     what to keep                                (3.2)
    g   = tanh(a_g)        the new content                             (3.3)
    o   = sigmoid(a_o)     what to show                                (3.4)
    c_t = f c_{t-1} + i g                                              (3.5)
    h_t = o tanh(c_t)                                                  (3.6)
"""

from typing import Any, NamedTuple

from ..backend import array_module, fused
from ..functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from .recurrent import Recurrent


class LSTMCache(NamedTuple):
    c_prev: Any
    i: Any
    f: Any
    g: Any
    o: Any
    tanh_c: Any


def lstm_cell(a, c_prev):
    """One step of the LSTM cell.  a (B,4H), c_prev (B,H) -> h (B,H), c (B,H)"""
    H = c_prev.shape[1]
    h, c, *parts = lstm_gates(a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :], c_prev)
    return h, c, LSTMCache(c_prev, *parts)


@fused
def lstm_gates(a_i, a_f, a_g, a_o, c_prev):
    """Each (B,H) -> h, c, i, f, g, o, tanh_c, each (B,H)"""
    i = sigmoid(a_i)  # (3.1)
    f = sigmoid(a_f)  # (3.2)
    g = tanh(a_g)  # (3.3)
    o = sigmoid(a_o)  # (3.4)
    c = f * c_prev + i * g  # (3.5)
    tanh_c = tanh(c)
    h = o * tanh_c  # (3.6)
    return h, c, i, f, g, o, tanh_c


def lstm_cell_backward(dh, dc, cache):
    """dh (B,H), dc (B,H) -> da (B,4H), dc_prev (B,H)"""
    dc_prev, *das = lstm_gates_backward(dh, dc, *cache)
    return array_module(dh).concatenate(das, axis=1), dc_prev


@fused
def lstm_gates_backward(dh, dc, c_prev, i, f, g, o, tanh_c):
    """Each (B,H) -> dc_prev, da_i, da_f, da_g, da_o, each (B,H)"""
    do = dh * tanh_c  # (3.6)'
    dc = dc + tanh_backward(dh * o, tanh_c)  # c_t is used in h_t and in c_{t+1}: sum
    df = dc * c_prev  # (3.5)'
    di = dc * g
    dg = dc * i
    dc_prev = dc * f
    da_o = sigmoid_backward(do, o)  # (3.4)'
    da_g = tanh_backward(dg, g)  # (3.3)'
    da_f = sigmoid_backward(df, f)  # (3.2)'
    da_i = sigmoid_backward(di, i)  # (3.1)'
    return dc_prev, da_i, da_f, da_g, da_o


class LSTM(Recurrent):
    """A layer of LSTM cells.

    x (T,B,D), h0 (B,H), c0 (B,H) -> hs (T,B,H), hT (B,H), cT (B,H)
    Wx (D,4H), Wh (H,4H), b (4H,), gates in the order i, f, g, o; with layer_norm also gain (4H,).
    States are tuples (h, c).
    forget_bias: where b starts for the forget gate; at 1 the cell remembers before it has learned to
    (Gers et al. 2000; Jozefowicz et al. 2015).
    """

    gates = 4
    states = ("h", "c")

    def __init__(self, input_size, hidden_size, rng, forget_bias=1.0, dtype="float32", **options):
        super().__init__(input_size, hidden_size, rng, dtype=dtype, **options)
        self.params["b"][hidden_size : 2 * hidden_size] = forget_bias

    def step(self, xa, state):
        h_prev, c_prev = state
        a, normalised = self.preactivate(xa, h_prev)
        h, c, cache = lstm_cell(a, c_prev)
        return (h, c), (cache, normalised)

    def step_backward(self, dstate, cache, WhT=None):
        (dh, dc), (cache, normalised) = dstate, cache
        da, dc_prev = lstm_cell_backward(dh, dc, cache)
        dxa, dh_prev = self.preactivate_backward(da, normalised, WhT)
        return dxa, (dh_prev, dc_prev)
