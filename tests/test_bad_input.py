"""Bad input gets one clear sentence that names the argument and both shapes or values, before any state changes.

A row of a table says what is made, what is done to it, and what the sentence must say. Whatever the thing
that was made holds (parameters, gradients, moments, counts) must be the same after the refusal as before.
"""

import ast
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minis2s
from minis2s import checkpoint, cli
from minis2s.cases import cases
from minis2s.contracts import spell
from minis2s.data.batches import Example, batches_by_length, make_batch
from minis2s.data.pairs import Pair
from minis2s.data.vocabulary import Vocabulary
from minis2s.decoding import greedy
from minis2s.gradcheck import gradcheck
from minis2s.layer import Layer
from minis2s.models import AttentionDecoder, Encoder, PlainDecoder, Seq2Seq, Seq2SeqConfig
from minis2s.nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Bidirectional,
    Dropout,
    Embedding,
    Linear,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    Stack,
)
from minis2s.optim import SGD, Adam, clip_by_global_norm, cosine, halving, warmup
from minis2s.training import Trainer, evaluate
from minis2s.translator import Translator

T, S, B, D, H, A, V = 2, 4, 3, 5, 2, 7, 6


def rng():
    return np.random.default_rng(0)


def floats(*shape):
    return np.asarray(rng().standard_normal(shape))


def ids(*shape):
    return rng().integers(1, V, shape)


X, HS, QUERIES, LENGTHS = floats(S, B, D), floats(S, B, H), floats(T, B, D), np.array([2, 4, 1])
LOGITS, ALPHAS, SOURCE, Y = floats(T, B, V), floats(T, B, S), ids(S, B), ids(T, B)


def state(thing):
    """Everything that a thing holds, as values that can be compared."""
    if isinstance(thing, np.ndarray):
        return thing.dtype, thing.shape, thing.tobytes()
    if isinstance(thing, dict):
        return {name: state(value) for name, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [state(value) for value in thing]
    if hasattr(thing, "__dict__") and not callable(thing):
        return state(vars(thing))
    return thing


def stirred(layer):
    """The layer with every gradient away from 0, so that none can be set to 0 unnoticed."""
    for grad in layer.grads.values():
        grad[...] = floats(*grad.shape)
    return layer


def check(make, call, message, error):
    """`call(make())` is refused with `message`, a regular expression, and leaves no trace."""
    made = make()
    before = state(made)
    with pytest.raises(error, match=message) as caught:
        call(made)
    assert "\n" not in str(caught.value)
    assert state(made) == before


def rows(name, make, table, error=ValueError, lacks=None):
    """A row for each (what is wrong, call, message) of a table.  lacks: what the library does not have yet for them."""
    marks = [] if lacks is None else [pytest.mark.xfail(strict=True, reason=lacks)]
    return [pytest.param(make, call, message, error, id=f"{name}: {what}", marks=marks) for what, call, message in table]


def over(*tables):
    return pytest.mark.parametrize(("make", "call", "message", "error"), [row for table in tables for row in table])


# What can be wrong with an argument `name` where `good` would be right; call(it, bad) passes it on.


def bad_shapes(name, good, expected, call, but=()):
    """Wrong type, wrong size, wrong rank, nothing in it; `but` leaves some out."""
    must, expected = f"^{name} must be an array of shape {re.escape(expected)}, got ", re.escape(expected)
    wide, flat, empty = np.resize(good, (*good.shape[:-1], good.shape[-1] + 1)), good[0], good[:0]
    for what, bad, message in (
        ("None", None, f"{must}NoneType"),
        ("list", good.tolist(), f"{must}list"),
        ("size", wide, f"^{name} has shape {re.escape(spell(wide.shape))}, expected {expected}"),
        ("rank", flat, f"^{name} has shape {re.escape(spell(flat.shape))}, expected {expected}"),
        ("empty", empty, f"^{name} has shape {re.escape(spell(empty.shape))}.* expected {expected}"),
    ):
        if what not in but:
            yield f"{name} {what}", partial(pass_on, call, bad), message


def bad_floats(name, good, expected, call, but=()):
    """And the wrong dtype."""
    yield from bad_shapes(name, good, expected, call, but)
    for dtype in ("float32", "int64"):
        yield f"{name} {dtype}", partial(pass_on, call, good.astype(dtype)), f"^{name} has dtype {dtype}, expected float64"


def bad_ids(name, good, call):
    """Ids outside the vocabulary, on either side, and ids that are no whole numbers."""
    for bad in (V, -1):
        outside = good.copy()
        outside[-1, -1] = bad
        yield f"{name} {bad}", partial(pass_on, call, outside), rf"^{name} holds the id {bad}, outside 0\.\.5"
    yield f"{name} floats", partial(pass_on, call, good / 1.0), f"^{name} must hold whole numbers, got dtype float64"


def bad_lengths(call):
    """Lengths of 0, below 0, over the padded length 4, too few of them, and no whole numbers."""
    for bad in (0, -1, S + 1):
        yield f"length {bad}", partial(pass_on, call, np.array([2, bad, 1])), rf"^lengths holds {bad}, outside 1\.\.4"
    yield "2 lengths", partial(pass_on, call, LENGTHS[:2]), r"^lengths has shape \(2,\), expected \(3,\)"
    yield "lengths list", partial(pass_on, call, [2, 4, 1]), r"^lengths must be an array of shape \(3,\), got list"
    yield "lengths floats", partial(pass_on, call, LENGTHS / 1.0), "^lengths must hold whole numbers, got dtype float64"


def pass_on(call, bad, it):
    return call(it, bad)


def backward(layer, *inputs, **options):
    """The backward pass of a forward pass that was right -> a function of the upstream gradients"""
    _, cache = layer.forward(*inputs, **options)
    return lambda *douts: layer.backward(*douts, cache)


# Layers.


def nothing():
    return None


def made(name, make, message):
    return name, lambda _: make(), message


CONSTRUCTORS = rows(
    "making",
    nothing,
    [
        made("Linear of 0", lambda: Linear(0, V, rng()), "^input_size must be .* above 0, got 0"),
        made("Linear of 2.0", lambda: Linear(D, 2.0, rng()), r"^output_size must be a whole number .* got 2\.0"),
        made("Embedding of 0", lambda: Embedding(V, 0, rng()), "^embedding_size must be .* above 0, got 0"),
        made("Embedding, padding_idx V", lambda: Embedding(V, D, rng(), V), r"^padding_idx must lie in 0\.\.5 .* got 6"),
        made("Embedding, padding_idx -1", lambda: Embedding(V, D, rng(), -1), "^padding_idx must .* got -1"),
        made("Embedding, padding_idx 0.5", lambda: Embedding(V, D, rng(), 0.5), r"^padding_idx must .* got 0\.5"),
        made("Dropout of all", lambda: Dropout(1), r"^p .*must lie in \[0, 1\), got 1"),
        made("Dropout of nan", lambda: Dropout(float("nan")), r"^p .*must lie in \[0, 1\), got nan"),
        made("RNN of 0", lambda: RNN(0, H, rng()), "^input_size must be .* above 0, got 0"),
        made("LSTM of -1", lambda: LSTM(D, -1, rng()), "^hidden_size must be .* above 0, got -1"),
        made("GRU of None", lambda: GRU(D, None, rng()), "^hidden_size must be .* above 0, got None"),
        made("Bidirectional ltsm", lambda: Bidirectional("ltsm", D, H, rng()), "^cell .*rnn, lstm, gru.*'ltsm'"),
        made("Stack of ltsm", lambda: Stack("ltsm", D, H, rng()), "^cell .*rnn, lstm, gru.*'ltsm'"),
        made("Stack of 0", lambda: Stack("gru", D, H, rng(), layers=0), "^layers must be .* above 0, got 0"),
        made("Stack, dropout 2", lambda: Stack("gru", D, H, rng(), dropout=2), r"^p .*must lie in \[0, 1\), got 2"),
        made("attention of 0", lambda: AdditiveAttention(D, H, 0, rng()), "^attention_size must be .* above 0, got 0"),
    ],
)
INTEGERS = rows(
    "making",
    nothing,
    [
        made("Linear of integers", lambda: Linear(D, V, rng(), dtype="int64"), "^dtype .*float32, float64.*int64"),
        made("Embedding of integers", lambda: Embedding(V, D, rng(), dtype="int64"), "^dtype .*float32, float64.*int64"),
        made("GRU of integers", lambda: GRU(D, H, rng(), dtype="int64"), "^dtype .*float32, float64.*int64"),
        made("astype integers", lambda: linear().astype("int64"), "^dtype .*float32, float64.*int64"),
    ],
    lacks="layer.py: Layer takes any dtype",
)


@over(CONSTRUCTORS, INTEGERS)
def test_making_layers(make, call, message, error):
    check(make, call, message, error)


def linear():
    return stirred(Linear(D, V, rng(), dtype="float64"))


def embedding():
    return stirred(Embedding(V, D, rng(), dtype="float64"))


def dropout():
    return Dropout(0.5)


def attention():
    return stirred(AdditiveAttention(D, H, A, rng(), dtype="float64"))


LINEAR = rows("Linear", linear, bad_floats("x", X, "(…, 5)", Linear.forward, but=["rank"])) + rows(
    "Linear", linear, bad_floats("dy", floats(S, B, V), "(4, 3, 6)", lambda it, dy: backward(it, X)(dy))
)
EMBEDDING = (
    rows("Embedding", embedding, bad_shapes("ids", SOURCE, "(…,)", Embedding.forward, but=["size", "rank"]))
    + rows("Embedding", embedding, bad_ids("ids", SOURCE, Embedding.forward))
    + rows("Embedding", embedding, bad_floats("dx", X, "(4, 3, 5)", lambda it, dx: backward(it, SOURCE)(dx)))
)
DROPOUT = (
    rows("Dropout", dropout, bad_shapes("x", X, "(…,)", lambda it, x: it.forward(x, rng()), but=["size", "rank"]))
    + rows(
        "Dropout", dropout, [("x ids", lambda it: it.forward(SOURCE, rng()), "^x has dtype int64, expected floating")]
    )
    + rows("Dropout", dropout, bad_floats("dy", X, "(4, 3, 5)", lambda it, dy: backward(it, X, rng())(dy)))
)
ATTENTION = (
    rows(
        "attention",
        attention,
        [
            *bad_floats("queries", QUERIES, "(T, 3, 5)", lambda it, queries: it.forward(queries, HS)),
            *bad_floats("hs", HS, "(S, B, 2)", lambda it, hs: it.forward(QUERIES, hs)),
            *bad_lengths(lambda it, lengths: it.forward(QUERIES, HS, lengths)),
            (
                "queries of another batch",
                lambda it: it.forward(floats(T, B + 1, D), HS),
                r"^queries has shape \(2, 4, 5\), expected \(T, 3, 5\)",
            ),
        ],
    )
    + rows(
        "attention",
        attention,
        [
            *bad_floats("dcontexts", floats(T, B, H), "(2, 3, 2)", lambda it, d: backward(it, QUERIES, HS)(d, None)),
            *bad_floats(
                "dalphas",
                ALPHAS,
                "(2, 3, 4)",
                lambda it, d: backward(it, QUERIES, HS)(floats(T, B, H), d),
                but=["None"],
            ),
        ],
        lacks="attention.py: Attention.backward checks nothing",
    )
)


@over(LINEAR, EMBEDDING, DROPOUT, ATTENTION)
def test_layers(make, call, message, error):
    check(make, call, message, error)


# Recurrent layers.


def recurrent(cell, reverse):
    return stirred(cell(D, H, rng(), reverse=reverse, dtype="float64"))


def bidirectional():
    return stirred(Bidirectional("lstm", D, H, rng(), dtype="float64"))


def stack():
    return stirred(Stack("gru", D, H, rng(), layers=2, dtype="float64"))


def state_of(cell, h):
    """A cell's state that begins with h."""
    return (h, *[floats(B, H)] * (len(cell.states) - 1))


def wide_state(cell):
    return state_of(cell, floats(B, H + 1))


def recurrent_rows(cell, reverse):
    name, make = f"{cell.__name__}{' reverse' if reverse else ''}", partial(recurrent, cell, reverse)
    states = ", ".join(cell.states)
    return rows(
        name,
        make,
        [
            *bad_floats("x", X, "(T, B, 5)", cell.forward),
            *bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)),
            *bad_floats("state0, h,", floats(B, H), "(3, 2)", lambda it, h: it.forward(X, state_of(cell, h))),
            *bad_floats("dhs", HS, "(4, 3, 2)", lambda it, dhs: backward(it, X)(dhs, None), but=["None"]),
            *bad_floats(
                "dstateT, h,", floats(B, H), "(3, 2)", lambda it, dh: backward(it, X)(None, state_of(cell, dh))
            ),
            ("an empty batch", lambda it: it.forward(X[:, :0]), r"^x has shape \(4, 0, 5\) and is empty"),
        ],
    ) + rows(
        name,
        make,
        [
            (
                "state0 no tuple",
                lambda it: it.forward(X, floats(B, H)),
                rf"^state0 must be a tuple \({states}\) of arrays \(3, 2\), got ndarray",
            ),
            (
                "dstateT too long",
                lambda it: backward(it, X)(HS, (floats(B, H),) * 3),
                rf"^dstateT must be a tuple \({states}\) of arrays \(3, 2\), got .*3",
            ),
        ],
        lacks="recurrent.py: check_state does not say what it got",
    )


RECURRENT = [row for cell in (RNN, LSTM, GRU) for reverse in (False, True) for row in recurrent_rows(cell, reverse)]
BOTH = floats(B, H), floats(B, H)  # the state of an LSTM
BIDIRECTIONAL = rows(
    "Bidirectional",
    bidirectional,
    [
        *bad_floats("x", X, "(T, B, 5)", Bidirectional.forward),
        *bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)),
        *bad_floats("state0.*, h,", floats(B, H), "(3, 2)", lambda it, h: it.forward(X, (BOTH, state_of(LSTM, h)))),
    ],
) + rows(
    "Bidirectional",
    bidirectional,
    [
        ("state0 of one direction", lambda it: it.forward(X, (BOTH,)), "^state0 must be .*left-to-right.* got .*1"),
        *bad_floats("dhs", floats(S, B, 2 * H), "(4, 3, 4)", lambda it, d: backward(it, X)(d, None), but=["None"]),
        *bad_floats(
            "dstateT.*, h,", floats(B, H), "(3, 2)", lambda it, dh: backward(it, X)(None, (BOTH, state_of(LSTM, dh)))
        ),
        (
            "dstateT of one direction",
            lambda it: backward(it, X)(None, (BOTH,)),
            "^dstateT must be .*left-to-right.* got .*1",
        ),
    ],
    lacks="stack.py: Bidirectional checks no state and no dhs; left_to_right.grads have changed by then",
)
STACK = rows(
    "Stack",
    stack,
    [
        *bad_floats("x", X, "(T, B, 5)", Stack.forward),
        *bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)),
        *bad_floats("state0.*, h,", floats(B, H), "(3, 2)", lambda it, h: it.forward(X, ((floats(B, H),), (h,)))),
        *bad_floats("dhs", HS, "(4, 3, 2)", lambda it, dhs: backward(it, X)(dhs, None), but=["None"]),
    ],
) + rows(
    "Stack",
    stack,
    [
        *bad_floats(
            "dstateT.*, h,", floats(B, H), "(3, 2)", lambda it, dh: backward(it, X)(None, ((dh,), (floats(B, H),)))
        ),
        *[
            (f"{name} of {n} layers", partial(pass_on, call, ((floats(B, H),),) * n), f"^{name} must be .*2.* got .*{n}")
            for name, call in (
                ("state0", lambda it, states: it.forward(X, states)),
                ("dstateT", lambda it, states: backward(it, X)(None, states)),
            )
            for n in (1, 3)
        ],
    ],
    lacks="stack.py: Stack does not check its states; grads of upper layers have changed by then",
)


@over(RECURRENT, BIDIRECTIONAL, STACK)
def test_recurrent_layers(make, call, message, error):
    check(make, call, message, error)


# Losses.

CROSS_ENTROPY = rows(
    "cross-entropy",
    SoftmaxCrossEntropy,
    [
        *bad_shapes("logits", LOGITS, "(…, V)", lambda it, logits: it.forward(logits, Y), but=["size", "rank"]),
        *bad_shapes("targets", Y, "(2, 3)", lambda it, targets: it.forward(LOGITS, targets)),
        *bad_ids("targets", Y, lambda it, targets: it.forward(LOGITS, targets)),
        *bad_floats("weights", floats(T, B), "(2, 3)", lambda it, w: it.forward(LOGITS, Y, w), but=["None"]),
        ("logits of ids", lambda it: it.forward(ids(T, B, V), Y), "^logits has dtype int64, expected floating point"),
        ("logits ()", lambda it: it.forward(floats(), ids()), r"^logits has shape \(\), expected \(…, V\)"),
        ("dloss a vector", lambda it: backward(it, LOGITS, Y)(floats(B)), r"^dloss has shape \(3,\), expected \(\)"),
        ("dloss None", lambda it: backward(it, LOGITS, Y)(None), r"^dloss must be an array of shape \(\), got NoneType"),
        ("dloss float32", lambda it: backward(it, LOGITS, Y)(np.float32(1)), "^dloss has dtype float32, .* float64"),
    ],
) + rows(
    "cross-entropy, ignore_index",
    partial(SoftmaxCrossEntropy, ignore_index=0),
    bad_ids("targets", Y, lambda it, targets: it.forward(LOGITS, targets)),
)
SQUARED_ERROR = rows(
    "mean squared error",
    MeanSquaredError,
    [
        *bad_shapes("y", X, "(…, D)", lambda it, y: it.forward(y, X), but=["size", "rank"]),
        *bad_floats("target", X, "(4, 3, 5)", lambda it, target: it.forward(X, target)),
        *bad_floats("weights", floats(S, B), "(4, 3)", lambda it, w: it.forward(X, X, w), but=["None"]),
        ("y of ids", lambda it: it.forward(SOURCE, SOURCE), "^y has dtype int64, expected floating point"),
        ("dloss a vector", lambda it: backward(it, X, X)(floats(B)), r"^dloss has shape \(3,\), expected \(\)"),
        ("dloss None", lambda it: backward(it, X, X)(None), r"^dloss must be an array of shape \(\), got NoneType"),
        ("dloss float32", lambda it: backward(it, X, X)(np.float32(1)), "^dloss has dtype float32, expected float64"),
    ],
)


@over(CROSS_ENTROPY, SQUARED_ERROR)
def test_losses(make, call, message, error):
    check(make, call, message, error)


# Parameters that are put in.

LOADED = rows(
    "load",
    linear,
    [
        ("b missing", lambda it: it.load({"W": floats(D, V)}), "^params lack b$"),
        (
            "U unknown",
            lambda it: it.load({"W": floats(D, V), "b": floats(V), "U": floats(V)}),
            "^params hold U, which this model does not have",
        ),
        *bad_floats(r"params\['b'\]", floats(V), "(6,)", lambda it, b: it.load({"W": floats(D, V), "b": b})),
        ("to a TPU", lambda it: it.to("tpu"), "^device must be one of cpu, gpu, got 'tpu'"),
    ],
)


@over(LOADED)
def test_loading_parameters(make, call, message, error):
    check(make, call, message, error)
