"""Bad input gets one clear sentence that names the argument and both shapes or values, before any state changes.

A row of the table says what is made, what is done to it, and what the sentence must say. Whatever the thing
that was made holds (parameters, gradients, moments, counts) must be the same after the refusal as before.
"""

import ast
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import minis2s
from minis2s import checkpoint, cli
from minis2s.cases import CASES, cases
from minis2s.contracts import spell
from minis2s.data.batches import Example, batches_by_length, make_batch
from minis2s.data.pairs import Pair
from minis2s.data.vocabulary import Vocabulary
from minis2s.decoding import greedy
from minis2s.evaluation import evaluate
from minis2s.gradcheck import gradcheck
from minis2s.models import Encoder, PlainDecoder, Seq2Seq, Seq2SeqConfig
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
from minis2s.training import Trainer
from minis2s.translator import Translator

T, S, B, D, H, A, V = 2, 4, 3, 5, 2, 7, 6
TABLE = []


def row(name, make, call, message):
    """make() -> what must not change when call(it) is refused with `message`, a regular expression."""
    TABLE.append(pytest.param(make, call, message, id=name))


def rows(name, make, table):
    for what, call, message in table:
        row(f"{name}: {what}", make, call, message)


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


def rng():
    return np.random.default_rng(0)


def floats(*shape):
    return np.asarray(rng().standard_normal(shape))


def ids(*shape):
    return rng().integers(1, V, shape)


def stirred(layer):
    """The layer with every gradient away from 0, so that none can be set to 0 unnoticed."""
    for grad in layer.grads.values():
        grad[...] = floats(*grad.shape)
    return layer


def nothing():
    return None


def backward(layer, *inputs):
    """The backward pass of a forward pass that was right -> a function of the upstream gradients"""
    rngs = {"rng": rng()} if isinstance(layer, Dropout) else {}
    _, cache = layer.forward(*inputs, **rngs)
    return lambda *douts: layer.backward(*douts, cache)


# What can be wrong with an argument `name` where `good` would be right; call(it, bad) passes it on.


def bad_shapes(name, good, expected, call, but=()):
    """Wrong type, wrong size, wrong rank, nothing in it; `but` leaves some out."""
    expected = re.escape(expected)
    wide, flat, empty = np.resize(good, (*good.shape[:-1], good.shape[-1] + 1)), good[0], good[:0]
    for what, bad, message in (
        ("None", None, f"must be an array of shape {expected}, got NoneType"),
        ("list", good.tolist(), f"must be an array of shape {expected}, got list"),
        ("size", wide, f"has shape {re.escape(spell(wide.shape))}, expected {expected}"),
        ("rank", flat, f"has shape {re.escape(spell(flat.shape))}, expected {expected}"),
        ("empty", empty, f"has shape {re.escape(spell(empty.shape))}.* expected {expected}"),
    ):
        if what not in but:
            yield f"{name} {what}", passing(call, bad), f"^{name} {message}"


def bad_dtypes(name, good, call):
    for dtype in ("float32", "int64"):
        yield f"{name} {dtype}", passing(call, good.astype(dtype)), f"^{name} has dtype {dtype}, expected float64"


def bad_floats(name, good, expected, call, but=()):
    yield from bad_shapes(name, good, expected, call, but)
    yield from bad_dtypes(name, good, call)


def bad_ids(name, good, call):
    """Ids outside the vocabulary, on either side, and ids that are no whole numbers."""
    for bad in (V, -1):
        outside = good.copy()
        outside[-1, -1] = bad
        yield f"{name} {bad}", passing(call, outside), rf"^{name} holds the id {bad}, outside 0\.\.5"
    yield f"{name} floats", passing(call, good / 1.0), f"^{name} must hold whole numbers, got dtype float64"


def bad_lengths(call):
    """Lengths of 0, below 0, over the padded length 4, too few of them, and no whole numbers."""
    for bad in (0, -1, S + 1):
        yield f"length {bad}", passing(call, np.array([2, bad, 1])), rf"^lengths holds {bad}, outside 1\.\.4"
    yield "2 lengths", passing(call, LENGTHS[:2]), r"^lengths has shape \(2,\), expected \(3,\)"
    yield "lengths list", passing(call, [2, 4, 1]), r"^lengths must be an array of shape \(3,\), got list"
    yield "lengths floats", passing(call, LENGTHS / 1.0), "^lengths must hold whole numbers, got dtype float64"


def passing(call, bad):
    return lambda it: call(it, bad)


# Layers.

X, HS, QUERIES, LENGTHS = floats(S, B, D), floats(S, B, H), floats(T, B, D), np.array([2, 4, 1])
LOGITS, ALPHAS, SOURCE, Y = floats(T, B, V), floats(T, B, S), ids(S, B), ids(T, B)

row("Linear of 0", nothing, lambda _: Linear(0, V, rng()), "^input_size must be .* above 0, got 0")
row("Linear of 2.0", nothing, lambda _: Linear(D, 2.0, rng()), r"^output_size must be a whole number .* got 2\.0")
row("Linear, int64", nothing, lambda _: Linear(D, V, rng(), dtype="int64"), "^dtype .*float32.*int64")
row("Embedding of 0", nothing, lambda _: Embedding(V, 0, rng()), "^embedding_size must be .* above 0, got 0")
row("Embedding, pad V", nothing, lambda _: Embedding(V, D, rng(), V), r"^padding_idx must lie in 0\.\.5 .* got 6")
row("Embedding, pad -1", nothing, lambda _: Embedding(V, D, rng(), -1), "^padding_idx must .* got -1")
row("Embedding, pad 0.5", nothing, lambda _: Embedding(V, D, rng(), 0.5), r"^padding_idx must .* got 0\.5")
row("Embedding, int64", nothing, lambda _: Embedding(V, D, rng(), dtype="int64"), "^dtype .*float32.*int64")
row("Dropout of all", nothing, lambda _: Dropout(1), r"^p .*must lie in \[0, 1\), got 1")
row("Dropout of nan", nothing, lambda _: Dropout(float("nan")), r"^p .*must lie in \[0, 1\), got nan")
row("RNN of 0", nothing, lambda _: RNN(0, H, rng()), "^input_size must be .* above 0, got 0")
row("LSTM of -1", nothing, lambda _: LSTM(D, -1, rng()), "^hidden_size must be .* above 0, got -1")
row("GRU of None", nothing, lambda _: GRU(D, None, rng()), "^hidden_size must be .* above 0, got None")
row("GRU, int64", nothing, lambda _: GRU(D, H, rng(), dtype="int64"), "^dtype .*float32.*int64")
row("Bidirectional ltsm", nothing, lambda _: Bidirectional("ltsm", D, H, rng()), "^cell .*rnn, lstm, gru.*'ltsm'")
row("Stack of ltsm", nothing, lambda _: Stack("ltsm", D, H, rng()), "^cell .*rnn, lstm, gru.*'ltsm'")
row("Stack of 0", nothing, lambda _: Stack("gru", D, H, rng(), layers=0), "^layers must be .* above 0, got 0")
row("Stack, dropout 2", nothing, lambda _: Stack("gru", D, H, rng(), dropout=2), r"^p .*must lie in \[0, 1\), got 2")
row(
    "attention of 0", nothing, lambda _: AdditiveAttention(D, H, 0, rng()), "^attention_size must be .* above 0, got 0"
)


def linear():
    return stirred(Linear(D, V, rng(), dtype="float64"))


rows("Linear", linear, bad_floats("x", X, "(…, 5)", Linear.forward, but=["rank"]))
rows("Linear", linear, bad_floats("dy", floats(S, B, V), "(4, 3, 6)", lambda it, dy: backward(it, X)(dy)))
row("load: no b", linear, lambda it: it.load({"W": floats(D, V)}), "^params lack b$")
row("load: U", linear, lambda it: it.load({**it.params, "U": X}), "^params hold U, which this model does not have")
rows(
    "load", linear, bad_floats(r"params\['b'\]", floats(V), "(6,)", lambda it, b: it.load({"W": floats(D, V), "b": b}))
)
row("to a TPU", linear, lambda it: it.to("tpu"), "^device must be one of cpu, gpu, got 'tpu'")
row("astype int64", linear, lambda it: it.astype("int64"), "^dtype .*float32.*int64")


def embedding():
    return stirred(Embedding(V, D, rng(), dtype="float64"))


rows("Embedding", embedding, bad_shapes("ids", SOURCE, "(…,)", Embedding.forward, but=["size", "rank"]))
rows("Embedding", embedding, bad_ids("ids", SOURCE, Embedding.forward))
rows("Embedding", embedding, bad_floats("dx", X, "(4, 3, 5)", lambda it, dx: backward(it, SOURCE)(dx)))


def dropout():
    return Dropout(0.5)


rows("Dropout", dropout, bad_shapes("x", X, "(…,)", lambda it, x: it.forward(x, rng()), but=["size", "rank"]))
row("Dropout: ids", dropout, lambda it: it.forward(SOURCE, rng()), "^x has dtype int64, expected floating point")
rows("Dropout", dropout, bad_floats("dy", X, "(4, 3, 5)", lambda it, dy: backward(it, X)(dy)))


def attention():
    return stirred(AdditiveAttention(D, H, A, rng(), dtype="float64"))


def attention_backward(it, dcontexts=None, dalphas=None):
    return backward(it, QUERIES, HS)(floats(T, B, H) if dalphas is not None else dcontexts, dalphas)


rows("attention", attention, bad_floats("queries", QUERIES, "(T, 3, 5)", lambda it, q: it.forward(q, HS)))
rows("attention", attention, bad_floats("hs", HS, "(S, B, 2)", lambda it, hs: it.forward(QUERIES, hs)))
rows("attention", attention, bad_lengths(lambda it, lengths: it.forward(QUERIES, HS, lengths)))
rows("attention", attention, bad_floats("dcontexts", floats(T, B, H), "(2, 3, 2)", attention_backward))
rows(
    "attention",
    attention,
    bad_floats("dalphas", ALPHAS, "(2, 3, 4)", lambda it, d: attention_backward(it, dalphas=d), but=["None"]),
)
row(
    "attention: queries of another batch",
    attention,
    lambda it: it.forward(floats(T, B + 1, D), HS),
    r"^queries has shape \(2, 4, 5\), expected \(T, 3, 5\)",
)

# Recurrent layers.

h = floats(B, H)


def state_of(cell, h):
    """A cell's state that begins with h."""
    return (h, *[floats(B, H)] * (len(cell.states) - 1))


for cell, reverse in [(cell, reverse) for cell in (RNN, LSTM, GRU) for reverse in (False, True)]:

    def recurrent(cell=cell, reverse=reverse):
        return stirred(cell(D, H, rng(), reverse=reverse, dtype="float64"))

    def forward_from(it, h):
        return it.forward(X, state_of(it, h))

    def backward_from(it, dh):
        return backward(it, X)(None, state_of(it, dh))

    name = f"{cell.__name__}{' reverse' if reverse else ''}"
    of_arrays = rf"must be a tuple \({', '.join(cell.states)}\).*, got"
    rows(name, recurrent, bad_floats("x", X, "(T, B, 5)", cell.forward))
    row(
        f"{name}: an empty batch", recurrent, lambda it: it.forward(X[:, :0]), r"^x has shape \(4, 0, 5\) and is empty"
    )
    rows(name, recurrent, bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)))
    rows(name, recurrent, bad_floats("state0, h,", h, "(3, 2)", forward_from))
    rows(name, recurrent, bad_floats("dhs", HS, "(4, 3, 2)", lambda it, d: backward(it, X)(d, None), but=["None"]))
    rows(name, recurrent, bad_floats("dstateT, h,", h, "(3, 2)", backward_from))
    row(f"{name}: state0 h", recurrent, lambda it: it.forward(X, h), f"^state0 {of_arrays} ndarray")
    row(f"{name}: dstateT", recurrent, lambda it: backward(it, X)(HS, (h, h, h)), f"^dstateT {of_arrays} .*3")


def bidirectional():
    return stirred(Bidirectional("lstm", D, H, rng(), dtype="float64"))


def directions(h):
    """The state of a bidirectional LSTM; h is that of the direction which is read last."""
    return ((floats(B, H), floats(B, H)), (h, floats(B, H)))


rows("Bidirectional", bidirectional, bad_floats("x", X, "(T, B, 5)", Bidirectional.forward))
rows("Bidirectional", bidirectional, bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)))
rows(
    "Bidirectional",
    bidirectional,
    bad_floats("state0.*, h,", h, "(3, 2)", lambda it, h: it.forward(X, directions(h))),
)
rows(
    "Bidirectional",
    bidirectional,
    bad_shapes("dhs", floats(S, B, 2 * H), "(4, 3, 4)", lambda it, d: backward(it, X)(d, None), but=["None"]),
)
rows("Bidirectional", bidirectional, bad_dtypes("dhs", floats(S, B, 2 * H), lambda it, d: backward(it, X)(d, None)))
rows(
    "Bidirectional",
    bidirectional,
    bad_floats("dstateT.*, h,", h, "(3, 2)", lambda it, dh: backward(it, X)(None, directions(dh))),
)
rows(
    "Bidirectional",
    bidirectional,
    [
        ("state0 of one", lambda it: it.forward(X, directions(h)[:1]), "^state0 must be .*left-to-right.* got .*1"),
        (
            "dstateT of one",
            lambda it: backward(it, X)(None, directions(h)[:1]),
            "^dstateT must .*left-to-right.* got .*1",
        ),
    ],
)


def stack():
    return stirred(Stack("gru", D, H, rng(), layers=2, dtype="float64"))


rows("Stack", stack, bad_floats("x", X, "(T, B, 5)", Stack.forward))
rows("Stack", stack, bad_lengths(lambda it, lengths: it.forward(X, lengths=lengths)))
rows("Stack", stack, bad_floats("state0.*, h,", h, "(3, 2)", lambda it, bad: it.forward(X, ((h,), (bad,)))))
rows("Stack", stack, bad_floats("dhs", HS, "(4, 3, 2)", lambda it, d: backward(it, X)(d, None), but=["None"]))
rows(
    "Stack",
    stack,
    bad_floats("dstateT.*, h,", h, "(3, 2)", lambda it, bad: backward(it, X)(None, ((bad,), (h,)))),
)
for n in (1, 3):
    row(
        f"Stack: {n} state0",
        stack,
        lambda it, n=n: it.forward(X, ((h,),) * n),
        f"^state0 must be .*(2|layer 1).*, got .*{n}",
    )
    row(
        f"Stack: {n} dstateT",
        stack,
        lambda it, n=n: backward(it, X)(HS, ((h,),) * n),
        f"^dstateT must be .*(2|layer 1).*, got .*{n}",
    )

# Losses.

ENTROPY = SoftmaxCrossEntropy
rows("entropy", ENTROPY, bad_shapes("logits", LOGITS, "(…, V)", lambda it, a: it.forward(a, Y), but=["size", "rank"]))
row(
    "entropy: ids", ENTROPY, lambda it: it.forward(ids(T, B, V), Y), "^logits has dtype int64, expected floating point"
)
row(
    "entropy: logits ()", ENTROPY, lambda it: it.forward(floats(), ids()), r"^logits has shape \(\), expected \(…, V\)"
)
rows("entropy", ENTROPY, bad_shapes("targets", Y, "(2, 3)", lambda it, targets: it.forward(LOGITS, targets)))
for ignoring in (ENTROPY, partial(ENTROPY, ignore_index=0)):
    rows("entropy", ignoring, bad_ids("targets", Y, lambda it, targets: it.forward(LOGITS, targets)))
rows(
    "entropy",
    ENTROPY,
    bad_floats("weights", floats(T, B), "(2, 3)", lambda it, w: it.forward(LOGITS, Y, w), but=["None"]),
)

ERROR = MeanSquaredError
rows("error", ERROR, bad_shapes("y", X, "(…, D)", lambda it, y: it.forward(y, X), but=["size", "rank"]))
row("error: ids", ERROR, lambda it: it.forward(SOURCE, SOURCE), "^y has dtype int64, expected floating point")
rows("error", ERROR, bad_floats("target", X, "(4, 3, 5)", lambda it, target: it.forward(X, target)))
rows("error", ERROR, bad_floats("weights", floats(S, B), "(4, 3)", lambda it, w: it.forward(X, X, w), but=["None"]))

for loss, right in ((ENTROPY, (LOGITS, Y)), (ERROR, (X, X))):
    for what, dloss, message in (
        ("a vector", floats(B), r"has shape \(3,\), expected \(\)"),
        ("None", None, r"must be an array of shape \(\), got NoneType"),
        ("float32", np.float32(1), "has dtype float32, expected float64"),
    ):
        row(
            f"{loss.__name__}: dloss {what}",
            loss,
            lambda it, right=right, dloss=dloss: backward(it, *right)(dloss),
            f"^dloss {message}",
        )

# Models.

CONFIG = Seq2SeqConfig(V, V, D, H, cell="gru", attention_size=A)
ONE_WAY = replace(CONFIG, bidirectional=False)
STATES0 = ((h,),)  # of one layer of GRU


def encoder():
    return stirred(Encoder(V, D, H, rng(), cell="gru", dtype="float64"))


rows("Encoder", encoder, bad_shapes("source", SOURCE, "(S, B)", Encoder.forward, but=["size"]))
rows("Encoder", encoder, bad_ids("source", SOURCE, Encoder.forward))
rows("Encoder", encoder, bad_lengths(lambda it, lengths: it.forward(SOURCE, lengths)))
rows("Encoder", encoder, bad_floats("dhs", HS, "(4, 3, 2)", lambda it, d: backward(it, SOURCE)(d, None), but=["None"]))
rows("Encoder", encoder, bad_floats("dstate.*, h,", h, "(3, 2)", lambda it, d: backward(it, SOURCE)(HS, ((d,),))))


def plain_decoder():
    return stirred(PlainDecoder(V, D, H, rng(), cell="gru", dtype="float64"))


def attention_decoder():
    return stirred(Seq2Seq(ONE_WAY, rng(), "float64").decoder)


for name, decoder, alphas in (("PlainDecoder", plain_decoder, None), ("AttentionDecoder", attention_decoder, ALPHAS)):

    def forced(it, share):
        return it.forward(Y, STATES0, HS, teacher_forcing=share)

    def forward_to(it, dlogits, alphas=alphas):
        return backward(it, Y, STATES0, HS)(dlogits, alphas)

    rows(name, decoder, bad_shapes("y", Y, "(T, B)", lambda it, y: it.forward(y, STATES0, HS), but=["size"]))
    rows(name, decoder, bad_ids("y", Y, lambda it, y: it.forward(y, STATES0, HS)))
    rows(name, decoder, bad_floats("states0.*, h,", h, "(3, 2)", lambda it, h: it.forward(Y, ((h,),), HS)))
    row(
        f"{name}: 2 states0",
        decoder,
        lambda it: it.forward(Y, STATES0 * 2, HS),
        "^states0 must be .*(1|layer 0).*, got .*2",
    )
    rows(name, decoder, bad_floats("dlogits", LOGITS, "(2, 3, 6)", forward_to))
    row(f"{name}: forced 2", decoder, passing(forced, 2), "^teacher_forcing must lie between 0 and 1, got 2")
    row(f"{name}: forced 0.5, no rng", decoder, passing(forced, 0.5), r"^teacher_forcing 0\.5 .* needs rng")

row(
    "PlainDecoder: dalphas",
    plain_decoder,
    lambda it: backward(it, Y, STATES0)(LOGITS, ALPHAS),
    "^dalphas must be None",
)
wide_hs, another_hs = floats(S, B, D), floats(S, B + 1, H)
rows(
    "AttentionDecoder",
    attention_decoder,
    [
        *bad_lengths(lambda it, lengths: it.forward(Y, STATES0, HS, lengths)),
        *bad_dtypes("hs", HS, lambda it, hs: it.forward(Y, STATES0, hs)),
        ("hs None", lambda it: it.forward(Y, STATES0), r"^hs must be an array of shape \(S, \w, 2\), got NoneType"),
        ("hs wide", lambda it: it.forward(Y, STATES0, wide_hs), r"^hs has shape \(4, 3, 5\), expected \(S, \w, 2\)"),
    ],
)
rows(
    "AttentionDecoder",
    attention_decoder,
    [
        *bad_floats(
            "dalphas", ALPHAS, "(2, 3, 4)", lambda it, d: backward(it, Y, STATES0, HS)(LOGITS, d), but=["None"]
        ),
        (
            "hs of another batch",
            lambda it: it.forward(Y, STATES0, another_hs),
            r"^hs has shape \(4, 4, 2\), expected \(S, 3, \w\)",
        ),
    ],
)


def seq2seq():
    return stirred(Seq2Seq(CONFIG, rng(), dtype="float64"))


rows("Seq2Seq", seq2seq, bad_lengths(lambda it, lengths: it.forward(SOURCE, lengths, Y)))
rows("Seq2Seq", seq2seq, bad_shapes("y", Y, "(T, 3)", lambda it, y: it.forward(SOURCE, LENGTHS, y)))
rows("Seq2Seq", seq2seq, bad_ids("y", Y, lambda it, y: it.forward(SOURCE, LENGTHS, y)))
for what, call in (("Seq2Seq", lambda it, source: it.forward(source, None, Y)), ("greedy", greedy)):
    rows(what, seq2seq, bad_shapes("source", SOURCE, "(S, B)", call, but=["size"]))
    rows(what, seq2seq, bad_ids("source", SOURCE, call))
rows("greedy", seq2seq, bad_lengths(lambda it, lengths: greedy(it, SOURCE, lengths)))
row("greedy: 0", seq2seq, lambda it: greedy(it, SOURCE, max_length=0), "^max_length must be .* above 0, got 0")


def backward_from_logits(it, dlogits):
    return backward(it, SOURCE, LENGTHS, Y)(dlogits, None)


def backward_from_alphas(it, dalphas):
    return backward(it, SOURCE, LENGTHS, Y)(LOGITS, dalphas)


rows("Seq2Seq", seq2seq, bad_floats("dlogits", LOGITS, "(2, 3, 6)", backward_from_logits))
rows("Seq2Seq", seq2seq, bad_floats("dalphas", ALPHAS, "(2, 3, 4)", backward_from_alphas, but=["None"]))

for option, value, message in (
    ("embedding_size", 0, "^embedding_size must be .* above 0, got 0"),
    ("hidden_size", 2.5, r"^hidden_size must be .* above 0, got 2\.5"),
    ("layers", 0, "^layers must be .* above 0, got 0"),
    ("cell", "ltsm", "^cell must be one of rnn, lstm, gru; got 'ltsm'"),
    ("attention", "some", "^attention must be one of none, additive.*; got 'some'"),
    ("dropout", 1.0, r"dropout.* must lie in \[0, 1\), got 1"),
    ("input_size", 0, "^input_size must be .* above 0, got 0"),
    ("output_size", -1, "^output_size must be .* above 0, got -1"),
    ("attention_size", 0, "^attention_size must be .* above 0, got 0"),
):

    def configured(_, wrong=(option, value)):
        return Seq2Seq(replace(CONFIG, **dict([wrong])), rng())

    row(f"Seq2SeqConfig: {option}={value}", nothing, configured, message)

# Optimisers, after one step, so that there are moments to change.


def underway(make):
    layer, optimiser = linear(), make()
    optimiser.update(layer.params, layer.grads)
    return {"layer": layer, "optimiser": optimiser}


def update(it, **wrong):
    it["optimiser"].update(it["layer"].params, it["layer"].grads | wrong)


def update_another(it):
    another = Linear(D + 1, V, rng(), dtype="float64")
    it["optimiser"].update(another.params, another.grads)


for name, make in (("SGD", partial(SGD, 0.1, momentum=0.9)), ("Adam", Adam)):
    make = partial(underway, make)
    rows(name, make, bad_floats(r"grads\['b'\]", floats(V), "(6,)", lambda it, b: update(it, b=b), but=["rank"]))
    row(f"{name}: another model", make, update_another, r"^state\['W'\]\['m'\] has shape \(5, 6\), expected \(6, 6\)")

row("SGD, lr 0", nothing, lambda _: SGD(0), r"^lr .* must be above 0, got 0")
row("SGD, lr nan", nothing, lambda _: SGD(float("nan")), r"^lr .* must be above 0, got nan")
row("SGD, momentum 2", nothing, lambda _: SGD(0.1, momentum=2), "^momentum must lie between 0 and 1, got 2")
row("Adam, lr -1", nothing, lambda _: Adam(-1), r"^lr .* must be above 0, got -1")
row("Adam, one beta", nothing, lambda _: Adam(betas=(0.9,)), r"^betas must be two .*\[0, 1\), got \(0\.9,\)")
row("Adam, beta 1", nothing, lambda _: Adam(betas=(0.9, 1)), r"^betas must be two .*\[0, 1\), got \(0\.9, 1\)")
row("Adam, eps 0", nothing, lambda _: Adam(eps=0), "^eps must be above 0, got 0")
row("warmup 0", nothing, lambda _: warmup(0), "^steps must be .* above 0, got 0")
row("halving every 0", nothing, lambda _: halving(10, 0), "^every must be .* above 0, got 0")
row("cosine 0", nothing, lambda _: cosine(0), "^steps must be .* above 0, got 0")
row("cosine to 2", nothing, lambda _: cosine(10, floor=2), "^floor must lie between 0 and 1, got 2")
for bad in (0, -1, float("nan")):
    row(
        f"clip to {bad}",
        linear,
        lambda it, bad=bad: clip_by_global_norm(it.grads, bad),
        f"^max_norm must be above 0, got {bad}",
    )
row("clip nothing", nothing, lambda _: clip_by_global_norm({}, 1.0), "^grads is empty")

# Vocabulary and batches.

EXAMPLES = [Example([4, 5], [5, 4]), Example([5], [5])]


def vocabulary():
    return Vocabulary(["a", "b"])


row("a token twice", nothing, lambda _: Vocabulary("aba"), r"^tokens must be distinct .*repeated: \['a'\]")
row("a special token", nothing, lambda _: Vocabulary(["<end>"]), r"^tokens .*<pad>, .*repeated: \['<end>'\]")
row("no token", nothing, lambda _: Vocabulary.build([[], []]), "^sequences hold no token")
row("min_count 0", nothing, lambda _: Vocabulary.build(["ab"], min_count=0), "^min_count must be .* above 0, got 0")
row("max_size 4", nothing, lambda _: Vocabulary.build(["ab"], max_size=4), "^max_size must be above 4, .* got 4")
row("decode 6", vocabulary, lambda it: it.decode([4, 6]), r"^ids hold 6, outside 0\.\.5")
row("decode -1", vocabulary, lambda it: it.decode([4, -1]), r"^ids hold -1, outside 0\.\.5")
row("a batch of nothing", nothing, lambda _: make_batch([]), "^examples is empty")
row("batches of nothing", nothing, lambda _: batches_by_length([], 2), "^examples is empty")
row("batches of 0", nothing, lambda _: batches_by_length(EXAMPLES, 0), "^batch_size must be .* above 0, got 0")
row("batches of 2.5", nothing, lambda _: batches_by_length(EXAMPLES, 2.5), r"^batch_size must be .* above 0, got 2\.5")

# Training.


def trainer():
    return Trainer(seq2seq().astype("float32"), batch_size=2)


def step(it, **wrong):
    it.step(make_batch(EXAMPLES)._replace(**wrong))


row("train on nothing", trainer, lambda it: it.train_epoch([]), "^examples is empty")
row("fit nothing", trainer, lambda it: it.fit([], EXAMPLES, 1), "^examples is empty")
row("evaluate on nothing", trainer, lambda it: evaluate(it.model, []), "^examples is empty")
row("evaluate by 0", trainer, lambda it: evaluate(it.model, EXAMPLES, 0), "^batch_size must be .* above 0, got 0")
row(
    "nothing held out",
    trainer,
    lambda it: it.fit(EXAMPLES, [], 1, report=str),
    "^(valid|examples) is empty",
)
rows(
    "step",
    trainer,
    [
        ("source 6", lambda it: step(it, source=np.full((3, 2), V)), r"^(source|ids) holds the id 6, outside 0\.\.5"),
        ("y 6", lambda it: step(it, y=np.full((3, 2), V)), r"^(y|ids) holds the id 6, outside 0\.\.5"),
        ("targets 6", lambda it: step(it, targets=np.full((3, 2), V)), r"^targets holds the id 6, outside 0\.\.5"),
        ("targets shape", lambda it: step(it, targets=ids(2, 2)), r"^targets has shape \(2, 2\), expected \(3, 2\)"),
        ("length 0", lambda it: step(it, source_lengths=np.array([3, 0])), r"^lengths holds 0, outside 1\.\.3"),
    ],
)
for option, value, message in (
    ("batch_size", 0, "^batch_size must be .* above 0, got 0"),
    ("clip", 0, "^(clip|max_norm) must be above 0, got 0"),
    ("teacher_forcing", 2, "^teacher_forcing must lie between 0 and 1, got 2"),
):
    row(
        f"Trainer, {option} {value}",
        seq2seq,
        lambda it, wrong=(option, value): Trainer(it, **dict([wrong])),
        message,
    )

# Translators.

PAIRS = [Pair("ab", "甲乙"), Pair("ba", "乙甲")]


def untrained(pairs=PAIRS, source_tokens="characters"):
    return Translator.untrained(pairs, source_tokens, "characters", embedding_size=D, hidden_size=H)


row("no pairs", nothing, lambda _: untrained(pairs=[]), "hold no token")
row("unknown tokeniser", nothing, lambda _: untrained(source_tokens="bytes"), "'bytes'.* characters, words, lowercase")
row("translate ''", untrained, lambda it: it.translate(["ab", ""]), "^text 2 holds nothing to translate: ''")
row("translate 3", untrained, lambda it: it.translate([3]), "^text 1 holds nothing to translate: 3")
row("translate by 0", untrained, lambda it: it.translate(["ab"], 0), "^batch_size must be .* above 0, got 0")
row("translate to 0", untrained, lambda it: it.translate(["ab"], 9, 0), "^max_length must be .* above 0, got 0")
row("translate no list", untrained, lambda it: it.translate("ab"), "^texts must be a list.* got .*(ab|str)")
row(
    "another model's vocabulary",
    untrained,
    lambda it: Translator(it.model, vocabulary(), Vocabulary("甲乙丙"), "characters", "characters"),
    "^target_vocabulary .*7.*6",
)

# The gradient check.


class CutsItsGradient(Linear):
    def backward(self, dy, cache):
        return super().backward(dy, cache)[..., :-1]


class ReturnsNothing(Linear):
    def backward(self, dy, cache):
        super().backward(dy, cache)


class ForgetsItsBias(Linear):
    @property
    def grads(self):
        return {"W": self.dW}

    @grads.setter
    def grads(self, grads):
        self.dW = grads["W"]

    def backward(self, dy, cache):
        self.dW += cache.x.reshape(-1, D).T @ dy.reshape(-1, V)
        return self.input_gradient(dy)


def wrong(layer):
    return lambda: stirred(layer(D, V, rng(), dtype="float64"))


def checked(it):
    return gradcheck(it, X)


row("gradcheck float32", lambda: linear().astype("float32"), checked, "^gradcheck needs float64, but W is float32")
row(
    "gradcheck of a float32 input",
    linear,
    lambda it: gradcheck(it, X.astype("float32")),
    "^gradcheck needs float64, but input x is float32",
)
row(
    "gradcheck, gradient cut short",
    wrong(CutsItsGradient),
    checked,
    r"^backward gave input x a gradient of shape \(4, 3, 4\), its own is \(4, 3, 5\)",
)
row(
    "gradcheck, nothing returned",
    wrong(ReturnsNothing),
    checked,
    r"^backward gave input x a gradient of shape None, its own is \(4, 3, 5\)",
)
row(
    "gradcheck, no gradient of b",
    wrong(ForgetsItsBias),
    checked,
    "^grads lack b",
)
row(
    "gradcheck, step 0",
    linear,
    lambda it: gradcheck(it, X, step=0.0),
    "^step must be above 0, got 0",
)
row("no such layer", nothing, lambda _: cases("ltsm"), "^there is no layer 'ltsm' .* lstm, gru")


@pytest.mark.parametrize(("make", "call", "message"), TABLE)
def test_bad_input_is_refused_and_changes_nothing(make, call, message):
    it = make()
    before = state(it)
    with pytest.raises(ValueError, match=message) as caught:
        call(it)
    assert "\n" not in str(caught.value)
    assert state(it) == before


# Every layer, whatever it is: the table of all cases, each array spoilt in turn.


def spoilt(tree, spoil):
    """Every way to spoil one float array in nested tuples -> the bad array, the tree with it"""
    if isinstance(tree, tuple):
        for n, branch in enumerate(tree):
            for bad, spoilt_branch in spoilt(branch, spoil):
                yield bad, (*tree[:n], spoilt_branch, *tree[n + 1 :])
    elif getattr(getattr(tree, "dtype", None), "kind", "") == "f":
        yield spoil(tree), spoil(tree)


def wider(array):
    return np.resize(array, (*array.shape[:-1], array.shape[-1] + 1)) if array.ndim else floats(2)


def single(array):
    return array.astype("float32")


def assert_refused(layer, call, trees, spoil):
    before = state(layer)
    for bad, tree in trees:
        wrong = f"shape {spell(bad.shape)}" if spoil is wider else "dtype float32"
        with pytest.raises(ValueError, match=f" has {re.escape(wrong)}, expected "):
            call(*tree)
        assert state(layer) == before


# Without parameters, any size or dtype of one input may be right.
WITHOUT_PARAMETERS = ("dropout", "cross-entropy", "mean squared error", "dot attention")
HANDS_ON = "dropout, evaluation"  # whatever it gets


@pytest.mark.parametrize("spoil", [wider, single])
@pytest.mark.parametrize("case", [c for c in CASES if c.key not in WITHOUT_PARAMETERS], ids=lambda case: case.name)
def test_every_layer_refuses_a_bad_input(case, spoil):
    layer, inputs, options = case.build()
    assert_refused(layer, lambda *bad: layer.forward(*bad, **options), spoilt(inputs, spoil), spoil)


@pytest.mark.parametrize("spoil", [wider, single])
@pytest.mark.parametrize("case", [c for c in CASES if c.name != HANDS_ON], ids=lambda case: case.name)
def test_every_layer_refuses_a_bad_upstream_gradient(case, spoil):
    layer, inputs, options = case.build()
    out, cache = stirred(layer).forward(*inputs, **options)
    douts = out if type(out) is tuple else (out,)  # as good an upstream gradient as any
    assert_refused(layer, lambda *bad: layer.backward(*bad, cache), spoilt(douts, spoil), spoil)


# Files.


def save(path, params=None, **changes):
    """A translator's file with a changed description or other parameters; None takes an entry out."""
    untrained().save(path)
    own, description = checkpoint.load(path)
    description = {name: value for name, value in (description | changes).items() if value is not None}
    checkpoint.save(path, own if params is None else params, description)


def config(**changes):
    return {"config": vars(untrained().model.config) | changes}


def write_array(path):
    with open(path, "wb") as file:
        np.save(file, X)


NO_FILE = "is damaged or not a minis2s file"
NO_TRANSLATOR = "is not a saved translator"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b""), f"{NO_FILE} .*not a zip"),
        (lambda path: path.write_text("hello"), f"{NO_FILE} .*not a zip"),
        (write_array, f"{NO_FILE} .*not a zip"),
        (lambda path: np.savez(path, W=X), rf"{NO_FILE} .*description\.json"),
        (lambda path: np.savez(path, W=np.array([{}])), f"{NO_FILE} .*Object arrays"),
        (lambda path: checkpoint.save(path, {"W": X}, {}), f"{NO_TRANSLATOR} .*config"),
        (lambda path: checkpoint.save(path, {"W": X}, [1]), NO_TRANSLATOR),
        (lambda path: save(path, source_tokens=None), f"{NO_TRANSLATOR} .*source_tokens"),
        (lambda path: save(path, source_tokens="bytes"), "'bytes'.* characters, words"),
        (lambda path: save(path, **config(depth=2)), f"{NO_TRANSLATOR} .*depth"),
        (lambda path: save(path, **config(cell="ltsm")), "cell must be one of .*'ltsm'"),
        (
            lambda path: save(path, **config(hidden_size=3)),
            r"params\['encoder\..*'\] has shape \(5, 6\), expected \(5, 9\)",
        ),
        (lambda path: save(path, **config(layers=2)), r"params lack .*encoder\.rnn\.layers\.1"),
        (lambda path: save(path, params={"W": X}), r"params lack .*encoder\.embedding\.W"),
        (lambda path: save(path, source_vocabulary=["a", "a"]), r"repeated: \['a'\]"),
        (lambda path: save(path, params={}), f"{NO_TRANSLATOR}|params lack"),
        (lambda path: save(path, target_vocabulary=["甲"]), "target_vocabulary .*5.*6"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_translator_is_not_loaded(tmp_path, write, message):
    write(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=message) as caught:
        Translator.load(tmp_path / "model.npz")
    assert "\n" not in str(caught.value)


def test_nothing_is_loaded_from_nowhere(tmp_path):
    for load in (checkpoint.load, Translator.load):
        for path in (tmp_path / "nowhere.npz", tmp_path):
            with pytest.raises(FileNotFoundError, match=f"there is no saved model {re.escape(str(path))}"):
                load(path)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "saved.npz"
    checkpoint.save(path, {"W": X.astype("float32"), "encoder.b": floats(V)}, {"name": "日", "size": 3})
    return path


def test_a_file_cut_anywhere_is_refused(saved):
    content = saved.read_bytes()
    for size in range(len(content)):
        saved.write_bytes(content[:size])
        with pytest.raises(ValueError, match=NO_FILE):
            checkpoint.load(saved)


def test_a_byte_changed_anywhere_is_refused_or_does_not_matter(saved):
    content, expected = saved.read_bytes(), state(checkpoint.load(saved))
    refused = 0
    for place, byte in enumerate(content):
        saved.write_bytes(content[:place] + bytes([byte ^ 0xFF]) + content[place + 1 :])
        try:
            found = checkpoint.load(saved)
        except ValueError as error:
            assert NO_FILE in str(error)
            refused += 1
        else:
            assert state(found) == expected
    assert refused > len(content) / 2


# The command line, and the code itself.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["translate", "--model", "nowhere", "x"], "there is no saved model nowhere; `minis2s demo` makes one"),
        (["translate", "--model", "damaged.npz", "x"], f"damaged.npz {NO_FILE}"),
        (["translate", "--model", "model.npz", "ab", ""], "text 2 holds nothing to translate: ''"),
        (["gradcheck", "nosuchlayer"], "there is no layer 'nosuchlayer' to check; choose one of linear, "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_command_line_says_it_in_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    untrained().save("model.npz")
    Path("damaged.npz").write_bytes(Path("model.npz").read_bytes()[:-100])
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"minis2s: {message}")
    assert err.count("\n") == 1


def test_the_library_has_no_assert():
    """`python -O` leaves asserts out, and they say nothing to the caller."""
    sources = list(Path(minis2s.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    found = [
        f"{path.name}, line {node.lineno}"
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), path))
        if isinstance(node, ast.Assert)
    ]
    assert found == []
