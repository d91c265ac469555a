"""Chapter 04, GRU."""

import numpy as np

from ..functional import sigmoid, tanh
from ..nn import GRU
from .checking import Trial, finite_differences
from .registry import exercise, question

STEP_SIZES = ((1, 1), (3, 2), (1, 4), (5, 1))  # B, H
SIZES = ((1, 1, 1, 1), (4, 3, 5, 2), (1, 2, 3, 4), (3, 1, 2, 3))  # T, B, D, H


def cell(xa, ha, h_prev):
    """Reset after the product, ha_n with its bias already in it -> h (B,H), cache (h_prev, r, z, n, m)"""
    H = h_prev.shape[1]
    gates = sigmoid(xa[:, : 2 * H] + ha[:, : 2 * H])
    r, z, m = gates[:, :H], gates[:, H:], ha[:, 2 * H :]
    n = tanh(xa[:, 2 * H :] + r * m)
    return (1 - z) * n + z * h_prev, (h_prev, r, z, n, m)


@exercise
def gru_cell_backward(rng):
    """dh (B,H), cache (h_prev, r, z, n, m) -> dxa (B,3H), dha (B,3H), dh_prev (B,H) along the direct way alone"""
    for B, H in STEP_SIZES:
        (xa, ha), (h_prev, dh) = rng.standard_normal((2, B, 3 * H)), rng.standard_normal((2, B, H))

        def f(xa=xa, ha=ha, h_prev=h_prev, dh=dh):
            return (dh * cell(xa, ha, h_prev)[0]).sum()

        _, cache = cell(xa, ha, h_prev)
        expected = finite_differences(f, xa=xa, ha=ha, h_prev=h_prev)
        yield Trial({"B": B, "H": H}, (dh, cache), expected, "finite differences say")


def deaf(z, n=0.0):
    """A GRU of one unit that hears nothing: its gate is always z, its new content always n."""
    layer = GRU(1, 1, np.random.default_rng(0), dtype="float64")
    for param in layer.params.values():
        param[...] = 0
    layer.params["b"][1:] = np.log(z / (1 - z)), np.arctanh(n)
    return layer


def arrives(z, steps):
    """The share of dh_T that arrives at h_0, so many steps earlier."""
    layer = deaf(z)
    _, cache = layer.forward(np.zeros((steps, 1, 1)))
    _, (dh0,) = layer.backward(None, (np.ones((1, 1)),), cache)
    return float(dh0[0, 0])


@question(within=0.0005, hint="By what is dh multiplied, along the direct way, at each of the 50 steps?")
def z_that_keeps_half():
    """The z at all steps with which half of the gradient of h_50 arrives at h_0 along the direct way."""
    low, high = 0.001, 0.999
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if arrives(middle, 50) > 0.5 else (middle, high)
    return low


@question(within=0.005, hint="How far is h from 1 after one step? After two?")
def gru_state_after_10_steps():
    """h_10 from h_0 = 0, where every z is 0.9 and every new content 1."""
    (hs, _), _ = deaf(0.9, 1 - 1e-12).forward(np.zeros((10, 1, 1)))
    return float(hs[-1, 0, 0])


@question(choices=("after", "before", "both", "neither"), hint="Write out the second entry of r (h W) and of (r h) W.")
def gru_form_that_still_hears():
    """The form in which the new content of a unit with r = 0 still depends on the other unit's old state."""
    hears = []
    for name, reset_after in (("after", True), ("before", False)):
        layer = GRU(1, 2, np.random.default_rng(0), reset_after=reset_after, dtype="float64")
        layer.params["b"][:4] = 1000, -1000, -1000, -1000  # r = (1, 0), z = 0: h_t is the new content
        contents = [layer.forward(np.zeros((1, 1, 1)), (np.array([[h, 0.5]]),))[0][0][0, 0, 1] for h in (0.1, 0.9)]
        hears += [name] * bool(abs(contents[1] - contents[0]) > 1e-6)
    return hears[0] if len(hears) == 1 else "both" if hears else "neither"


def by_hand(x, h0, Wx, Wh, b):
    """The chapter's forward pass, reset before the product -> hs, caches (x, h_prev, r, z, n, q)"""
    H, h, hs, caches = len(Wh), h0, [], []
    for x_t in x:
        xa, h_prev = x_t @ Wx + b, h
        gates = sigmoid(xa[:, : 2 * H] + h_prev @ Wh[:, : 2 * H])
        r, z, q = gates[:, :H], gates[:, H:], gates[:, :H] * h_prev
        n = tanh(xa[:, 2 * H :] + q @ Wh[:, 2 * H :])
        h = (1 - z) * n + z * h_prev
        hs.append(h)
        caches.append((x_t, h_prev, r, z, n, q))
    return np.stack(hs), caches


@exercise
def mended_gru_backward(rng):
    """dhs (T,B,H), Wx, Wh, the caches of the form that resets before the product -> dx, dh0, dWx, dWh, db"""
    for T, B, D, H in SIZES:
        shapes = {"x": (T, B, D), "h0": (B, H), "Wx": (D, 3 * H), "Wh": (H, 3 * H), "b": (3 * H,)}
        arrays = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        hs, caches = by_hand(**arrays)
        dhs = rng.standard_normal(hs.shape)
        expected = finite_differences(lambda arrays=arrays, dhs=dhs: (dhs * by_hand(**arrays)[0]).sum(), **arrays)
        inputs = dhs, arrays["Wx"], arrays["Wh"], caches
        yield Trial({"T": T, "B": B, "D": D, "H": H}, inputs, expected, "finite differences say")


@exercise
def weights_for_other_z(rng):
    """Wx (D,3H), Wh (H,3H), b (3H,) -> those of the same GRU where h_t = (1 - z) h_prev + z n"""
    for _, _, D, H in SIZES:
        Wx, Wh, b = (rng.standard_normal(shape) for shape in ((D, 3 * H), (H, 3 * H), (3 * H,)))
        sign = np.repeat([1.0, -1.0, 1.0], H)
        yield Trial({"D": D, "H": H}, (Wx, Wh, b), {"Wx": Wx * sign, "Wh": Wh * sign, "b": b * sign})


def minimal(xa, h_prev, Wh):
    H = h_prev.shape[1]
    f = sigmoid(xa[:, :H] + h_prev @ Wh[:, :H])
    n = tanh(xa[:, H:] + (f * h_prev) @ Wh[:, H:])
    return (1 - f) * h_prev + f * n, (h_prev, f, n)


@exercise
def minimal_gated_cell_backward(rng):
    """dh (B,H), Wh (H,2H), cache (h_prev, f, n) -> dxa (B,2H), dh_prev (B,H), dWh (H,2H)"""
    for B, H in STEP_SIZES:
        shapes = {"xa": (B, 2 * H), "h_prev": (B, H), "Wh": (H, 2 * H)}
        arrays = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        dh = rng.standard_normal((B, H))
        _, cache = minimal(**arrays)
        expected = finite_differences(lambda arrays=arrays, dh=dh: (dh * minimal(**arrays)[0]).sum(), **arrays)
        yield Trial({"B": B, "H": H}, (dh, arrays["Wh"], cache), expected, "finite differences say")
