"""Chapter 03, LSTM."""

import numpy as np

from ..functional import sigmoid, tanh
from ..nn import LSTM
from ..nn.lstm import lstm_cell
from .checking import Trial, finite_differences
from .registry import exercise, question

STEP_SIZES = ((1, 1), (3, 2), (1, 4), (5, 1))  # B, H
SIZES = ((1, 1, 1, 1), (4, 3, 5, 2), (1, 2, 3, 4), (3, 1, 2, 3))  # T, B, D, H


def step_trials(rng, cell, parts):
    """Trials of a step's backward pass.  cell(a, c_prev) -> h, c, cache; a holds so many parts"""
    for B, H in STEP_SIZES:
        a, (c_prev, dh, dc) = rng.standard_normal((B, parts * H)), rng.standard_normal((3, B, H))

        def f(a=a, c_prev=c_prev, dh=dh, dc=dc):
            h, c, _ = cell(a, c_prev)
            return (dh * h).sum() + (dc * c).sum()

        _, _, cache = cell(a, c_prev)
        expected = finite_differences(f, a=a, c_prev=c_prev)
        yield Trial({"B": B, "H": H}, (dh, dc, tuple(cache)), expected, "finite differences say")


@exercise
def lstm_cell_backward(rng):
    """dh (B,H), dc (B,H), cache (c_prev, i, f, g, o, tanh_c) -> da (B,4H), dc_prev (B,H)"""
    yield from step_trials(rng, lstm_cell, 4)


def kept(forget_bias, steps=20):
    """How much of dc arrives so many steps earlier, when the gates hear nothing but their biases."""
    layer = LSTM(1, 1, np.random.default_rng(0), forget_bias=forget_bias, dtype="float64")
    for name in ("Wx", "Wh"):
        layer.params[name][...] = 0
    _, cache = layer.forward(np.zeros((steps, 1, 1)))
    _, (_, dc0) = layer.backward(None, (np.zeros((1, 1)), np.ones((1, 1))), cache)
    return float(dc0[0, 0])


@question(within=0.0002, hint="What happens to dc at each of the 20 steps?")
def share_after_20_steps():
    """The share of the gradient of c_20 that arrives at c_0 where every forget gate is sigmoid(1)."""
    return kept(1.0)


@question(within=0.1, hint="First find f with f^20 = 1/2, then the bias whose sigmoid it is.")
def bias_that_keeps_half():
    """The forget gate's bias with which half of the gradient of c_20 arrives at c_0."""
    low, high = 0.0, 10.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if kept(middle) > 0.5 else (middle, high)
    return low


def by_hand(x, h0, c0, Wx, Wh, b):
    """The chapter's lstm_forward -> hs, caches (x, h_prev, c_prev, i, f, g, o, c)"""
    h, c, hs, caches = h0, c0, [], []
    for x_t in x:
        h_prev, (h, c, cache) = h, lstm_cell(x_t @ Wx + h @ Wh + b, c)
        hs.append(h)
        caches.append((x_t, h_prev, *cache[:-1], c))
    return np.stack(hs), caches


@exercise
def mended_lstm_backward(rng):
    """dhs (T,B,H), Wx, Wh, the caches of the chapter's lstm_forward -> dx, dh0, dc0, dWx, dWh, db"""
    for T, B, D, H in SIZES:
        shapes = {"x": (T, B, D), "h0": (B, H), "c0": (B, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
        arrays = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        hs, caches = by_hand(**arrays)
        dhs = rng.standard_normal(hs.shape)
        expected = finite_differences(lambda arrays=arrays, dhs=dhs: (dhs * by_hand(**arrays)[0]).sum(), **arrays)
        inputs = dhs, arrays["Wx"], arrays["Wh"], caches
        yield Trial({"T": T, "B": B, "D": D, "H": H}, inputs, expected, "finite differences say")


def coupled_cell(a, c_prev):
    H = c_prev.shape[1]
    f, g, o = sigmoid(a[:, :H]), tanh(a[:, H : 2 * H]), sigmoid(a[:, 2 * H :])
    c = f * c_prev + (1 - f) * g
    return o * tanh(c), c, (c_prev, f, g, o, tanh(c))


@exercise
def coupled_cell_backward(rng):
    """dh (B,H), dc (B,H), cache (c_prev, f, g, o, tanh_c) -> da (B,3H), dc_prev (B,H)"""
    yield from step_trials(rng, coupled_cell, 3)


def with_peepholes(a, c_prev, p):
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    c = sigmoid(a_f + p[1] * c_prev) * c_prev + sigmoid(a_i + p[0] * c_prev) * tanh(a_g)
    return sigmoid(a_o + p[2] * c) * tanh(c), c


def peephole_arrays(rng):
    for B, H in STEP_SIZES:
        arrays = {"a": (B, 4 * H), "c_prev": (B, H), "p": (3, H)}
        yield {"B": B, "H": H}, {name: rng.standard_normal(shape) for name, shape in arrays.items()}


@exercise
def peephole_cell(rng):
    """a (B,4H), c_prev (B,H), p (3,H) -> h (B,H), c (B,H), cache"""
    for sizes, arrays in peephole_arrays(rng):
        h, c = with_peepholes(**arrays)
        yield Trial(sizes, (*arrays.values(),), {"h": h, "c": c}, call=lambda cell, *inputs: cell(*inputs)[:2])


@exercise
def peephole_cell_backward(rng):
    """peephole_cell and its backward pass: dh (B,H), dc (B,H), cache -> da (B,4H), dc_prev (B,H), dp (3,H)"""

    def call(cell, backward, dh, dc, *inputs):
        return backward(dh, dc, cell(*inputs)[2])

    for sizes, arrays in peephole_arrays(rng):
        dh, dc = rng.standard_normal((2, *arrays["c_prev"].shape))

        def f(arrays=arrays, dh=dh, dc=dc):
            h, c = with_peepholes(**arrays)
            return (dh * h).sum() + (dc * c).sum()

        expected = finite_differences(f, **arrays)
        yield Trial(sizes, (dh, dc, *arrays.values()), expected, "finite differences say", call)
