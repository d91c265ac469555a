"""Chapter 01, the recurrent cell."""

import numpy as np

from ..functional import tanh
from ..nn import RNN
from .checking import Trial, finite_differences
from .registry import exercise, question


def step(x, h_prev, Wx, Wh, b):
    return tanh(x @ Wx + h_prev @ Wh + b)


@exercise
def recurrent_step_backward(rng):
    """dh (B,H), Wx, Wh, cache (x, h_prev, h) -> dx (B,D), dh_prev (B,H), dWx (D,H), dWh (H,H), db (H,)"""
    for B, D, H in ((1, 1, 1), (4, 3, 2), (1, 2, 5), (3, 4, 4)):
        shapes = {"x": (B, D), "h_prev": (B, H), "Wx": (D, H), "Wh": (H, H), "b": (H,)}
        arrays = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
        dh, h = rng.standard_normal((B, H)), step(**arrays)
        expected = finite_differences(lambda arrays=arrays, dh=dh: (dh * step(**arrays)).sum(), **arrays)
        inputs = dh, arrays["Wx"], arrays["Wh"], (arrays["x"], arrays["h_prev"], h)
        yield Trial({"B": B, "D": D, "H": H}, inputs, expected, "finite differences say")


@question(within=0.001, hint="First da_1, from dh_1 and the slopes in step 1; then what ln 3 was multiplied by.")
def gradient_of_ln_3():
    """The gradient of the pencil example's loss with respect to Wx[0, 1], through both steps."""
    params = {
        "Wx": np.array([[np.log(2), np.log(3)], [np.log(2), -1]]),
        "Wh": np.array([[0.8, 0.6], [-0.6, 0.8]]),
        "b": np.zeros(2),
    }
    layer = RNN(2, 2, np.random.default_rng(0), dtype="float64")
    layer.load(params)
    x, target = np.eye(2)[:, None], np.array([[1.0, -1]])

    def loss():
        (_, (h,)), _ = layer.forward(x)
        return ((h - target) ** 2).sum() / 2

    return float(finite_differences(loss, Wx=layer.params["Wx"])["dWx"][0, 1])


def settled(w, h0, steps):
    """Where h_t = tanh(w h_{t-1}) is after so many steps."""
    layer = RNN(1, 1, np.random.default_rng(0), dtype="float64")
    layer.load({"Wx": np.zeros((1, 1)), "Wh": np.full((1, 1), w), "b": np.zeros(1)})
    (_, (h,)), _ = layer.forward(np.zeros((steps, 1, 1)), (np.full((1, 1), h0),))
    return float(h[0, 0])


@question(within=0.02, hint="After many steps h does not change any more: which h is tanh(1.2 h)?")
def state_after_100_steps():
    """h_100 of h_t = tanh(1.2 h_{t-1}), h_0 = 0.01."""
    return settled(1.2, 0.01, 100)


@question(within=0.001, hint="It stays where tanh(0.5 w) is 0.5.")
def weight_that_holds_half():
    """The w with which h = 0.5 is a fixed point of h_t = tanh(w h_{t-1})."""
    low, high = 1.0, 2.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (low, middle) if settled(middle, 0.5, 1) > 0.5 else (middle, high)
    return low


@exercise
def mended_encoder(rng):
    """x (T,B,D), h0 (B,H), W (H,H+D), b (H,) as in document 001 -> hs (T,B,H)"""
    for T, B, D, H in ((1, 1, 1, 1), (4, 3, 5, 2), (2, 1, 3, 4), (3, 2, 2, 2)):
        x, h0 = rng.standard_normal((T, B, D)), rng.standard_normal((B, H))
        W, b = rng.standard_normal((H, H + D)), rng.standard_normal(H)
        layer = RNN(D, H, rng, dtype="float64")
        layer.load({"Wh": W[:, :H].T, "Wx": W[:, H:].T, "b": b})
        (hs, _), _ = layer.forward(x, (h0,))
        yield Trial({"T": T, "B": B, "D": D, "H": H}, (x, h0, W, b), {"hs": hs}, "minis2s says")


@exercise
def weights_that_remember(rng):
    """-> w_x, w_h, b: h_t is below 0 until the first 1 has come, and above 0 ever after"""

    def call(weights, x):
        Wx, Wh, b = (np.asarray(number).item() for number in weights())
        h, signs = np.zeros(x.shape[1]), []
        for x_t in x:
            h = tanh(Wx * x_t + Wh * h + b)
            signs.append(np.sign(h))
        return np.stack(signs)

    for T, share in ((1, 0.5), (5, 0.3), (100, 0.02), (100, 0.5)):
        B = 8
        x = (rng.random((T, B)) < share).astype(float)
        x[:, 0], x[:, 1] = 0, 1  # nothing but zeros, nothing but ones
        x[:, 2] = np.arange(T) == 0  # a 1 and no other
        expected = {"sign of h": np.where(x.cumsum(axis=0) > 0, 1.0, -1.0)}
        yield Trial({"T": T, "B": B}, (x,), expected, "it should be", call)


@exercise
def leaky_cell_backward(rng):
    """dh (B,H), cache (h_prev, g, leak) -> da (B,H), dh_prev (B,H), dleak (a number)"""

    def leaky(a, h_prev, leak):
        return (1 - leak) * h_prev + leak * tanh(a)

    for B, H in ((1, 1), (3, 2), (1, 4), (5, 1)):
        a, h_prev, dh = rng.standard_normal((3, B, H))
        arrays = {"a": a, "h_prev": h_prev, "leak": np.array(rng.uniform(0.1, 0.9))}
        expected = finite_differences(lambda arrays=arrays, dh=dh: (dh * leaky(**arrays)).sum(), **arrays)
        inputs = dh, (h_prev, tanh(a), float(arrays["leak"]))
        yield Trial({"B": B, "H": H}, inputs, expected, "finite differences say")
