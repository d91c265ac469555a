"""Chapter 02, backpropagation through time and how to check it."""

import numpy as np

from ..nn import RNN
from .checking import Trial, finite_differences
from .registry import exercise, question

SIZES = ((1, 1, 1, 1), (4, 3, 5, 2), (1, 2, 3, 4), (3, 1, 2, 3))  # T, B, D, H
V = 3  # outputs


def drawn(rng, T, B, D, H):
    shapes = {"x": (T, B, D), "h0": (B, H), "Wx": (D, H), "Wh": (H, H), "b": (H,)}
    return {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}


def run(x, h0, Wx, Wh, b):
    """h_t = tanh(x_t Wx + h_{t-1} Wh + b) -> h_0 h_1 … h_T (T+1,B,H)"""
    hs = [h0]
    for x_t in x:
        hs.append(np.tanh(x_t @ Wx + hs[-1] @ Wh + b))
    return np.stack(hs)


@exercise
def rnn_backward_through_time(rng):
    """dhs (T,B,H), dhT (B,H), Wx, Wh, cache (x, hs), hs = h_0 … h_T (T+1,B,H) -> dx, dh0, dWx, dWh, db"""
    for T, B, D, H in SIZES:
        arrays = drawn(rng, T, B, D, H)
        dhs, dhT = rng.standard_normal((T, B, H)), rng.standard_normal((B, H))

        def f(arrays=arrays, dhs=dhs, dhT=dhT):
            hs = run(**arrays)
            return (dhs * hs[1:]).sum() + (dhT * hs[-1]).sum()

        expected = finite_differences(f, **arrays)
        inputs = dhs, dhT, arrays["Wx"], arrays["Wh"], (arrays["x"], run(**arrays))
        yield Trial({"T": T, "B": B, "D": D, "H": H}, inputs, expected, "finite differences say")


@question(hint="By what is the gradient multiplied in one step back? And in two?")
def rnn_steps_until_a_hundredth():
    """How many steps back less than a hundredth is left, for the first time: one unit, Wh = 1.25, h = 0.6 always."""
    layer = RNN(1, 1, np.random.default_rng(0), dtype="float64")
    layer.load({"Wx": np.zeros((1, 1)), "Wh": np.array([[1.25]]), "b": np.array([np.arctanh(0.6) - 1.25 * 0.6])})
    left, steps = 1.0, 0
    while left >= 0.01:
        steps += 1
        _, cache = layer.forward(np.zeros((steps, 1, 1)), (np.array([[0.6]]),))
        _, (dh0,) = layer.backward(None, (np.ones((1, 1)),), cache)
        left = float(dh0[0, 0])
    return steps


@question(within=0.6, hint="Set the two errors equal: rounding, of the size of u/ε, and what the formula leaves out.")
def exponent_of_best_step():
    """The power of ten at which the five-point formula errs least, measured on tanh."""
    x, exponents = np.linspace(0.1, 1, 1001), np.arange(-8, 0, 0.1)
    slope, errors = 1 - np.tanh(x) ** 2, []
    for exponent in exponents:
        eps = 10.0**exponent
        far, near = (np.tanh(x + n * eps) - np.tanh(x - n * eps) for n in (2, 1))
        errors.append(np.sqrt(np.mean(((8 * near - far) / (12 * eps) - slope) ** 2)))
    return float(exponents[int(np.argmin(errors))])


@exercise
def mended_bptt(rng):
    """dys (B,T,V), cache (x (T,B,D), hs (T+1,B,H)), Wx, Wh, Wy -> dx (B,T,D), dh0, dWx, dWh, db, dWy, dby"""
    for T, B, D, H in SIZES:
        arrays = drawn(rng, T, B, D, H) | {"Wy": rng.standard_normal((H, V)), "by": rng.standard_normal(V)}
        dys = rng.standard_normal((B, T, V))

        def f(arrays=arrays, dys=dys):
            x, h0, Wx, Wh, b, Wy, by = arrays.values()
            ys = run(x, h0, Wx, Wh, b)[1:] @ Wy + by
            return (dys * ys.swapaxes(0, 1)).sum()

        expected = finite_differences(f, **arrays)
        expected["dx"] = expected["dx"].swapaxes(0, 1)
        x, h0, Wx, Wh, b, Wy, _ = arrays.values()
        inputs = dys, (x, run(x, h0, Wx, Wh, b)), Wx, Wh, Wy
        yield Trial({"T": T, "B": B, "D": D, "H": H}, inputs, expected, "finite differences say")


@exercise
def slopes_along(rng):
    """f (array -> number), x, dx, d (all of one shape), eps -> numeric, analytic; f may be called twice"""
    for shape in ((1,), (3, 2), (2, 3, 4)):
        x, dx, d, w = rng.standard_normal((4, *shape))
        calls = iter(range(2))

        def f(x, w=w, calls=calls):
            if next(calls, None) is None:
                raise RuntimeError("f is called a third time")
            return float((w * np.sin(x)).sum())

        expected = {"numeric": (w * np.cos(x) * d).sum(), "analytic": (dx * d).sum()}
        yield Trial({"shape": shape}, (f, x, dx, d, 1e-5), expected)


@exercise
def truncated_bptt(rng):
    """dhs (T,B,H), Wx, Wh, cache (x, hs), k -> dx, dh0, dWx, dWh, db: no gradient passes from one k steps to others"""
    for (T, B, D, H), k in (*((sizes, 2) for sizes in SIZES), ((6, 2, 1, 3), 3), ((5, 2, 1, 3), 9)):
        arrays = drawn(rng, T, B, D, H)
        dhs, hs = rng.standard_normal((T, B, H)), run(**arrays)

        def f(arrays=arrays, dhs=dhs, hs=hs, k=k):
            """L, when the state that each k steps but the first begin with is a mere number."""
            x, h0, *weights = arrays.values()
            total = 0.0
            for start in range(0, len(x), k):
                own = run(x[start : start + k], hs[start] if start else h0, *weights)
                total += (dhs[start : start + k] * own[1:]).sum()
            return total

        expected = finite_differences(f, **arrays)
        inputs = dhs, arrays["Wx"], arrays["Wh"], (arrays["x"], hs), k
        yield Trial({"T": T, "B": B, "D": D, "H": H, "k": k}, inputs, expected, "finite differences say")
