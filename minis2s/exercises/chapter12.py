"""Chapter 12, against PyTorch."""

import numpy as np

from ..exchange import from_torch, to_torch
from ..functional import log_softmax
from ..nn import GRU, LSTM
from ..optim import Adam
from .checking import Trial, finite_differences
from .registry import exercise, question

PRODUCTS = ("dot", "einsum", "tensordot", "matmul")
SEEN = []  # the shapes of what was multiplied, product by product


class Watched(np.ndarray):
    """An array that notes every product of matrices it has part in."""

    inside = False

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        if ufunc.__name__ == "matmul":
            note(inputs)
        inputs = [bare(x) for x in inputs]
        if out:
            options["out"] = tuple(bare(x) for x in out)
        result = getattr(ufunc, method)(*inputs, **options)
        if out:
            return out[0]
        return result.view(Watched) if isinstance(result, np.ndarray) else result

    def __array_function__(self, function, types, arguments, options):
        if function.__name__ in PRODUCTS:
            note(arguments)
        within, Watched.inside = Watched.inside, True
        try:
            result = super().__array_function__(function, types, arguments, options)
        finally:
            Watched.inside = within
        return result.view(Watched) if type(result) is np.ndarray else result

    def dot(self, other, out=None):
        return np.matmul(self, other, out=out)


def bare(x):
    return x.view(np.ndarray) if isinstance(x, Watched) else x


def note(inputs):
    if not Watched.inside:  # else it is part of one that is noted already
        SEEN.append([x.shape for x in inputs if isinstance(x, np.ndarray)])


def watching(function, *inputs):
    """The function's result, called with arrays that are watched; SEEN holds the products that it took."""
    SEEN.clear()
    return function(*(x.view(Watched) if getattr(x, "dtype", None) == np.float64 else x for x in inputs))


@exercise
def weight_gradients_at_once(rng):
    """x (T,B,D), h_prevs (T,B,H), das (T,B,4H) -> dWx (D,4H), dWh (H,4H), db (4H,), in two products"""

    def call(function, *inputs):
        found = watching(function, *inputs)
        return None if found is None else (found, np.array(float(len(SEEN))))

    for T, B, D, H in ((1, 1, 1, 1), (4, 3, 5, 2), (1, 2, 3, 4), (3, 1, 2, 3)):
        x, h_prevs, das = (rng.standard_normal((T, B, size)) for size in (D, H, 4 * H))
        expected = {
            "dWx": sum(x[t].T @ das[t] for t in range(T)),
            "dWh": sum(h_prevs[t].T @ das[t] for t in range(T)),
            "db": das.sum(axis=(0, 1)),
            "the number of products": np.array(2.0),
        }
        yield Trial({"T": T, "B": B, "D": D, "H": H}, (x, h_prevs, das), expected, "it should be", call)


@question(within=0.01 * 4e8, hint="Two products, each with 2 N D M operations; how many columns have Wx and Wh?")
def operations_of_lstm_step():
    """Operations in the two products of one LSTM step forward: batch 128, input 256, state 512."""
    B, D, H = 128, 256, 512
    return 2 * B * D * 4 * H + 2 * B * H * 4 * H


@question(within=1e-5, hint="Each of the two does what ours would do alone.")
def sum_after_first_step():
    """b_ih + b_hh after one step of Adam at 0.001 from 0, where the gradient of the gate's a sums to 0.3."""
    biases = {"b_ih": np.zeros(1), "b_hh": np.zeros(1)}
    Adam(1e-3).update(biases, {name: np.array([0.3]) for name in biases})
    return float(sum(biases.values())[0])


@question(within=1, hint="The smallest normal float32 is 2^-126. How many factors of 0.6 make 2^-126?")
def step_that_turns_denormal():
    """After how many factors of 0.6 a float32 that began at 1 is denormal for the first time."""
    x, steps = np.float32(1), 0
    while x >= np.finfo("float32").tiny:
        x, steps = x * np.float32(0.6), steps + 1
    return steps


def randomised(layer, rng):
    for param in layer.params.values():
        param[...] = rng.standard_normal(param.shape)
    return layer


SUM = "bias_ih_l0 + bias_hh_l0"


@exercise
def mended_lstm_to_pytorch(rng):
    """P, our Wx (D,4H), Wh (H,4H), b (4H,) by name -> PyTorch's four arrays by name"""

    def call(function, P):
        found = function(P)
        if not isinstance(found, dict):
            return found
        weights = {name: found[name] for name in ("weight_ih_l0", "weight_hh_l0")}
        return weights | {SUM: found["bias_ih_l0"] + found["bias_hh_l0"]}

    for D, H in ((1, 1), (3, 2), (2, 5)):
        layer = randomised(LSTM(D, H, rng, dtype="float64"), rng)
        there = to_torch(layer)
        expected = {name: there[name] for name in ("weight_ih_l0", "weight_hh_l0")} | {SUM: layer.params["b"].copy()}
        yield Trial({"D": D, "H": H}, (dict(layer.params),), expected, "it should be", call)


@exercise
def gru_from_pytorch(rng):
    """weight_ih (3H,D), weight_hh (3H,H), bias_ih (3H,), bias_hh (3H,) -> Wx (D,3H), Wh (H,3H), b (3H,), bh (H,)"""
    for D, H in ((1, 1), (3, 2), (2, 5)):
        layer = GRU(D, H, rng, dtype="float64")
        state = {name: rng.standard_normal(array.shape) for name, array in to_torch(layer).items()}
        from_torch(layer, state)
        inputs = tuple(state[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        yield Trial({"D": D, "H": H}, inputs, dict(layer.params), "minis2s says")


@exercise
def mended_ratio(rng):
    """ours (K,), theirs (K,), how many rounds are warm-up -> the three quartiles of the ratio, (3,)"""
    for K, warm_up in ((1, 0), (5, 1), (9, 0), (12, 3)):
        weather = np.exp(rng.standard_normal(K))
        ours, theirs = weather * (1 + 0.1 * rng.random((2, K)))
        ours[:warm_up] *= 5
        ratios = (ours / theirs)[warm_up:]
        expected = {"quartiles": np.quantile(ratios, [0.25, 0.5, 0.75])}
        yield Trial({"rounds": K, "warm_up": warm_up}, (ours, theirs, warm_up), expected, "it should be")


@exercise
def loss_in_blocks(rng):
    """s (N,H), W (H,V), b (V,), targets (N,), rows -> loss (), ds (N,H), dW (H,V), db (V,)"""

    def call(function, *inputs):
        found = watching(function, *inputs)
        H, V = inputs[1].shape
        logits = [left[0] for left, right in SEEN if (left[1:], right) == ((H,), (H, V))]
        return None if found is None else (found, np.array(float(max(logits, default=0))))

    for N, H, V, rows in ((1, 2, 1, 1), (7, 4, 5, 3), (5, 4, 3, 2), (6, 4, 7, 10)):  # no block of H rows
        s, W, b = rng.standard_normal((N, H)), rng.standard_normal((H, V)), rng.standard_normal(V)
        targets = rng.integers(0, V, N)

        def loss(s=s, W=W, b=b, targets=targets):
            return -log_softmax(s @ W + b)[np.arange(len(s)), targets].mean()

        expected = {"loss": np.array(loss())} | finite_differences(loss, s=s, W=W, b=b)
        expected["the most rows of logits at once"] = np.array(float(min(rows, N)))
        sizes = {"N": N, "H": H, "V": V, "rows": rows}
        yield Trial(sizes, (s, W, b, targets, rows), expected, "it should be", call)
