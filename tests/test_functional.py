"""Functions without parameters, what the backend does with arrays, and where parameters begin: by hand."""

from functools import partial

import numpy as np
import pytest

from minis2s import functional
from minis2s.backend import RANKS, array_module, keep_mask, scatter_add
from minis2s.layer import uniform
from minis2s.nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    ConcatAttention,
    Dropout,
    Embedding,
    GeneralAttention,
    Linear,
    PositionAttention,
    SelfAttention,
    SoftmaxCrossEntropy,
)
from minis2s.optim import Adam


def rng(seed=0):
    return np.random.default_rng(seed)


DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])

# Softmax, sigmoid and their like.


@DTYPES
def test_large_numbers_do_not_overflow(dtype):
    """Nor does anything underflow into a warning: they are errors here."""
    x = np.array([[1000, 0, -1000]], dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        np.testing.assert_array_equal(functional.softmax(x), [[1, 0, 0]])
        np.testing.assert_array_equal(functional.log_softmax(x), [[0, -1000, -2000]])
        np.testing.assert_array_equal(functional.logsumexp(x), [1000])
        np.testing.assert_allclose(functional.logsumexp(x[:, [2, 2]]), [-1000 + np.log(2)])
        np.testing.assert_array_equal(functional.sigmoid(x), [[1, 0.5, 0]])


def test_small_numbers_are_as_the_definitions_say():
    x = rng().standard_normal((4, 3, 5))
    exp = np.exp(x)
    np.testing.assert_allclose(functional.sigmoid(x), 1 / (1 + 1 / exp))
    for axis in (0, 1, -1):
        total = exp.sum(axis=axis, keepdims=True)
        np.testing.assert_allclose(functional.softmax(x, axis=axis), exp / total)
        np.testing.assert_allclose(functional.logsumexp(x, axis=axis), np.log(total).squeeze(axis))
        np.testing.assert_allclose(functional.logsumexp(x, axis=axis, keepdims=True), np.log(total))
        np.testing.assert_allclose(functional.log_softmax(x, axis=axis), np.log(exp / total))


@pytest.mark.parametrize("scale", [1, 1e3])
def test_log_softmax_is_the_logarithm_of_softmax(scale):
    """Where softmax is 0 its logarithm is not lost: one number takes off the same from all."""
    x = scale * rng().standard_normal((4, 5))
    y, log_y = functional.softmax(x), functional.log_softmax(x)
    np.testing.assert_allclose(np.exp(log_y), y, rtol=1e-12)
    np.testing.assert_allclose(log_y - log_y[:, :1], x - x[:, :1], rtol=1e-9)


@DTYPES
def test_softmax_is_exactly_0_where_masked(dtype):
    x = rng().standard_normal((3, 4)).astype(dtype)
    x[1, 2], x[2, 2] = 1e4, -1e4  # one far above what is kept of its row, one kept and far below
    mask = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 0]], bool)
    y = functional.softmax(x, mask=mask)
    assert (y[~mask] == 0).all() and y.dtype == dtype
    for row, kept, found in zip(x, mask, y, strict=True):
        np.testing.assert_allclose(found[kept], functional.softmax(row[kept]), rtol=1e-6)


def test_length_mask_by_hand():
    mask = functional.length_mask(np.array([2, 4, 1]), 4)
    np.testing.assert_array_equal(mask, [[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 1, 0]])
    assert mask.dtype == bool


@DTYPES
def test_flush_leaves_ordinary_numbers_and_zeroes_denormal_ones(dtype):
    ordinary = np.array([1e-5, -1e-5, 0.3, -2.5, 1e4], dtype)
    denormal = np.array([1, -1, 1000], dtype) * np.finfo(dtype).smallest_subnormal
    assert (denormal != 0).all()
    x = np.concatenate([ordinary, denormal])
    assert functional.flush(x) is x
    np.testing.assert_allclose(x[:5], ordinary, rtol=1e-7)
    assert (x[5:] == 0).all()


# The backend.


@pytest.mark.parametrize(
    ("count", "size"),
    [(0, 5), (1, 5), (3, 40), (60, 40), (60, 7), (RANKS, 1), (RANKS + 1, 1), (200, 3)],
    ids=str,
)
def test_scatter_add_is_add_at(count, size):
    """`count` ids out of `size`: from none to many times each."""
    ids, updates = rng().integers(0, size, count), rng(1).standard_normal((count, 4))
    target, expected = np.ones((2, size, 4))
    np.add.at(expected, ids, updates)
    scatter_add(target, ids, updates)
    np.testing.assert_allclose(target, expected, rtol=1e-12)


def test_scatter_add_of_rare_and_frequent_ids_together():
    ids = rng().permutation(np.repeat([7, 2, 5, 0], [1, RANKS, RANKS + 1, 5 * RANKS]))
    updates = rng(1).standard_normal((len(ids), 3)).astype("float32")
    target, expected = np.zeros((2, 9, 3), "float32")
    np.add.at(expected, ids, updates)
    scatter_add(target, ids, updates)
    np.testing.assert_allclose(target, expected, rtol=1e-5, atol=1e-5)
    assert target.dtype == "float32"


@DTYPES
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.2])
def test_keep_mask_keeps_as_many_as_it_says_and_scales_them(keep, dtype):
    mask = keep_mask(rng(), np.empty((100, 1000), dtype), keep)
    assert mask.shape == (100, 1000) and mask.dtype == dtype
    np.testing.assert_array_equal(np.unique(mask), [0, np.asarray(1 / keep, dtype)])
    deviation = np.sqrt(keep * (1 - keep) / mask.size)
    assert abs((mask > 0).mean() - keep) < 4 * deviation
    for axis in (0, 1):  # every row and every column draws for itself
        assert (mask > 0).mean(axis=axis).std() > 0


def test_array_module_is_numpy_for_numpy_and_for_nothing():
    assert array_module(None, np.zeros(2)) is np
    assert array_module(1.0) is np


# Where parameters begin.

LAYERS = {
    "linear": partial(Linear, 5, 3),
    "embedding": partial(Embedding, 7, 5),
    "rnn": partial(RNN, 5, 3),
    "lstm": partial(LSTM, 5, 3),
    "gru": partial(GRU, 5, 3),
    "gru, reset before": partial(GRU, 5, 3, reset_after=False),
    "gru, layer norm": partial(GRU, 5, 3, layer_norm=True),
    "additive attention": partial(AdditiveAttention, 5, 4, 3),
    "general attention": partial(GeneralAttention, 5, 4),
    "concat attention": partial(ConcatAttention, 5, 4, 3),
    "position attention": partial(PositionAttention, 5, 4, 6),
    "self-attention": partial(SelfAttention, 6, heads=2),
}
over_layers = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@over_layers
def test_dtype_is_respected_and_drawn_from_the_same_numbers(make):
    single, double = make(rng=rng()), make(rng=rng(), dtype="float64")
    assert single.dtype == "float32"
    for layer, dtype in ((single, "float32"), (double, "float64")):
        for name, param in layer.params.items():
            assert param.dtype == layer.grads[name].dtype == dtype
            assert param.shape == layer.grads[name].shape and not layer.grads[name].any()
    for name, param in single.params.items():
        np.testing.assert_array_equal(param, double.params[name].astype("float32"))


@pytest.mark.parametrize(
    ("make", "bounds"),
    [
        (partial(Linear, 40, 30), {"W": 40}),
        (partial(RNN, 40, 30), {"Wx": 30, "Wh": 30}),
        (partial(LSTM, 40, 30, forget_bias=0.0), {"Wx": 30, "Wh": 30}),
        (partial(GRU, 40, 30), {"Wx": 30, "Wh": 30}),
        (partial(AdditiveAttention, 50, 40, 30), {"W": 50, "U": 40, "v": 30}),
        (partial(GeneralAttention, 50, 40), {"W": 40}),
        (partial(ConcatAttention, 50, 40, 30), {"W": 90, "v": 30}),
        (partial(PositionAttention, 50, 40, 30), {"W": 50}),
    ],
    ids=lambda value: value.func.__name__ if isinstance(value, partial) else "",
)
def test_parameters_fill_their_interval(make, bounds):
    """Uniform within 1/sqrt(n) of 0: none outside, and the variance that says so, 1 / 3n; biases are 0."""
    layer = make(rng=rng(), dtype="float64")
    for name, n in bounds.items():
        param = layer.params[name]
        assert np.abs(param).max() <= n**-0.5
        np.testing.assert_allclose([param.mean(), param.var() * 3 * n], [0, 1], atol=4 * param.size**-0.5)
    for name in layer.params.keys() - bounds.keys():
        assert not layer.params[name].any(), f"{name} does not start at 0"


def test_layer_norm_starts_without_a_scale_of_its_own():
    for cell in (RNN, LSTM, GRU):
        layer = cell(5, 3, rng(), layer_norm=True)
        np.testing.assert_array_equal(layer.params["gain"], np.ones_like(layer.params["b"]))
        assert "gain" not in cell(5, 3, rng()).params


def test_uniform_by_itself():
    drawn = uniform(rng(), (1000, 10), 0.25, "float64")
    assert -0.25 <= drawn.min() < -0.249 and 0.249 < drawn.max() <= 0.25
    np.testing.assert_allclose([drawn.mean(), drawn.var()], [0, 0.25**2 / 3], atol=4e-3)


def test_forget_bias_is_that_of_the_forget_gate():
    for value in (1.0, 2.5):
        options = {} if value == 1.0 else {"forget_bias": value}
        i, f, g, o = np.split(LSTM(5, 3, rng(), **options).params["b"], 4)
        np.testing.assert_array_equal(f, np.full(3, value))
        assert not (i.any() or g.any() or o.any())


def test_forget_bias_lets_the_cell_remember():
    """Through the layer itself: with nothing to write, c decays by sigmoid(forget_bias) a step."""
    layer = LSTM(2, 3, rng(), forget_bias=3.0, dtype="float64")
    for name in ("Wx", "Wh"):
        layer.params[name][...] = 0
    c0 = rng().standard_normal((4, 3))
    (_, (_, c)), _ = layer.forward(np.zeros((2, 4, 2)), (np.zeros((4, 3)), c0))
    np.testing.assert_allclose(c, c0 / (1 + np.exp(-3)) ** 2)


def test_embedding_starts_narrow_with_padding_at_0():
    W = Embedding(300, 40, rng(), dtype="float64").params["W"]
    assert not W[0].any() and W[1:].any(axis=1).all()
    np.testing.assert_allclose([W.mean(), W[1:].std()], [0, 0.1], atol=3e-3)
    assert Embedding(9, 4, rng(), padding_idx=None).params["W"].any(axis=1).all()
    assert np.flatnonzero(~Embedding(9, 4, rng(), padding_idx=3).params["W"].any(axis=1)).tolist() == [3]


@pytest.mark.parametrize(
    ("layer", "name", "value"),
    [
        (Dropout(0.3), "p", 0.3),
        (Embedding(9, 4, rng(), padding_idx=3), "padding_idx", 3),
        (Embedding(9, 4, rng(), padding_idx=None), "padding_idx", None),
        (SoftmaxCrossEntropy(ignore_index=-1), "ignore_index", -1),
        (SoftmaxCrossEntropy(), "ignore_index", None),
        (GRU(5, 3, rng(), reset_after=False), "reset_after", False),
        (RNN(5, 3, rng(), reverse=True), "reverse", True),
        (SelfAttention(6, rng(), heads=3), "heads", 3),
        (SelfAttention(6, rng(), causal=True), "causal", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_layer_keeps_what_it_was_made_with(layer, name, value):
    """The equations read it from the layer: a layer that forgot would agree with them."""
    assert getattr(layer, name) == value


# Rows in blocks: what is taken block by block is as if taken at once.


def test_row_blocks_cover_every_row_once():
    for shape in ((1, 3), (7, 70_000), (1000, 300), (3, 0)):
        x = np.zeros(shape, dtype="float32")
        rows = np.concatenate([np.arange(len(x))[block] for block in functional.row_blocks(x)])
        np.testing.assert_array_equal(rows, np.arange(len(x)))


@pytest.mark.parametrize("block", [1, 1 << 10, 1 << 19])
def test_losses_and_steps_do_not_depend_on_the_size_of_blocks(block, monkeypatch):
    logits, targets = rng().standard_normal((5, 7, 30)), rng(1).integers(0, 30, (5, 7))
    params, grads = {"W": rng(2).standard_normal((40, 6, 5))}, {"W": rng(3).standard_normal((40, 6, 5))}

    def results():
        loss, adam = SoftmaxCrossEntropy(ignore_index=3), Adam(0.1)
        value, cache = loss.forward(logits, targets)
        stepped = {"W": params["W"].copy()}
        for _ in range(3):
            adam.update(stepped, grads)
        return value, loss.backward(1.0, cache), stepped["W"], adam.state["W"]["v"]

    expected = results()
    monkeypatch.setattr(functional, "BLOCK", block)
    for found, want in zip(results(), expected, strict=True):
        np.testing.assert_array_equal(found, want)
