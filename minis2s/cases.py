"""Every layer with every option at a small size, so that all of its gradients can be checked.

`minis2s gradcheck` prints a row for each; the tests run all their laws over the same table. Sizes differ
from each other, so that a wrong axis cannot hide, and lengths include a full row and one of a single token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .gradcheck import gradcheck
from .models import Seq2Seq, Seq2SeqConfig, SignalConfig, SignalSeq2Seq, Tagger, TaggerConfig
from .nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Bidirectional,
    ConcatAttention,
    DotAttention,
    Dropout,
    Embedding,
    GeneralAttention,
    Linear,
    MeanSquaredError,
    PositionAttention,
    SelfAttention,
    SoftmaxCrossEntropy,
    Stack,
)

T, B, D, H, A, V = 4, 3, 5, 2, 3, 6
Q = 7  # query
LENGTHS = np.array([2, 4, 1])


@dataclass(frozen=True)
class Case:
    """A layer, its inputs and its options; `key` is what the command line calls it."""

    key: str
    option: str
    make: Callable[[np.random.Generator, str], Any]  # (rng, dtype) -> layer
    inputs: Callable[[np.random.Generator, str], tuple]  # (rng, dtype) -> positional inputs of forward
    options: dict = field(default_factory=dict)  # options of forward
    every_entry: bool = True

    @property
    def name(self):
        return f"{self.key}, {self.option}" if self.option else self.key

    def build(self, seed=0, dtype="float64"):
        """The layer with every parameter (biases too) away from 0, and its inputs -> layer, inputs, options"""
        rng = np.random.default_rng(seed)
        layer = self.make(rng, dtype)
        for param in layer.params.values():
            param[...] = 0.5 * rng.standard_normal(param.shape)
        options = {name: value() if callable(value) else value for name, value in self.options.items()}
        return layer, self.inputs(rng, dtype), options

    def check(self, seed=0):
        """The gradient check of this case -> Report"""
        layer, inputs, options = self.build(seed)
        return gradcheck(layer, *inputs, every_entry=self.every_entry, **options)


def normal(*shape):
    return lambda rng, dtype: rng.standard_normal(shape).astype(dtype)


def ids(low, high, *shape):
    return lambda rng, dtype: rng.integers(low, high, shape)


def inputs(*makers):
    return lambda rng, dtype: tuple(make(rng, dtype) for make in makers)


def state(*shapes):
    return lambda rng, dtype: tuple(normal(*shape)(rng, dtype) for shape in shapes)


def fixed_rng():
    return np.random.default_rng(7)


def lengths():
    return LENGTHS.copy()


def weights():
    return np.random.default_rng(5).random((T, B))


def recurrent_cases():
    for key, cell, variants in (
        ("rnn", RNN, {"": {}, "layer norm": {"layer_norm": True}}),
        ("lstm", LSTM, {"": {}, "layer norm": {"layer_norm": True}}),
        (
            "gru",
            GRU,
            {
                "": {},
                "reset before": {"reset_after": False},
                "layer norm": {"layer_norm": True},
                "reset before layer norm": {"reset_after": False, "layer_norm": True},
            },
        ),
    ):
        for variant, variant_options in variants.items():
            for option, reverse, forward_options in (
                ("", False, {}),
                ("lengths", False, {"lengths": lengths}),
                ("reverse lengths", True, {"lengths": lengths}),
            ):
                size = 6 if "layer norm" in variant else H  # of two numbers normalised, nothing but signs is left
                yield Case(
                    key,
                    " ".join(filter(None, (variant, option))),
                    lambda rng, dtype, cell=cell, size=size, options=variant_options, reverse=reverse: cell(
                        D, size, rng, reverse=reverse, dtype=dtype, **options
                    ),
                    inputs(normal(T, B, D), state(*[(B, size)] * len(cell.states))),
                    forward_options,
                )


def stack_cases():
    def pair(states):
        return lambda rng, dtype: (states(rng, dtype), states(rng, dtype))

    for cell in ("rnn", "lstm", "gru"):
        one = state(*[(B, H)] * (2 if cell == "lstm" else 1))
        yield Case(
            "bidirectional",
            f"{cell} lengths",
            lambda rng, dtype, cell=cell: Bidirectional(cell, D, H, rng, dtype=dtype),
            inputs(normal(T, B, D), pair(one)),
            {"lengths": lengths},
        )
        yield Case(
            "stack",
            f"2 x {cell} dropout lengths",
            lambda rng, dtype, cell=cell: Stack(cell, D, H, rng, layers=2, dropout=0.3, dtype=dtype),
            inputs(normal(T, B, D), pair(one)),
            {"lengths": lengths, "rng": fixed_rng},
        )
    yield Case(
        "stack",
        "2 x bidirectional lstm lengths",
        lambda rng, dtype: Stack("lstm", D, H, rng, layers=2, bidirectional=True, dtype=dtype),
        inputs(normal(T, B, D), pair(pair(state((B, H), (B, H))))),
        {"lengths": lengths},
    )


def attention_cases():
    for key, make, query_size in (
        ("additive", lambda rng, dtype: AdditiveAttention(Q, D, A, rng, dtype), Q),
        ("concat", lambda rng, dtype: ConcatAttention(Q, D, A, rng, dtype), Q),
        ("dot", lambda rng, dtype: DotAttention(D, D), D),
        ("general", lambda rng, dtype: GeneralAttention(Q, D, rng, dtype), Q),
        ("position", lambda rng, dtype: PositionAttention(Q, D, T + 2, rng, dtype), Q),
    ):
        for option, forward_options in (("", {}), ("lengths", {"lengths": lengths})):
            yield Case(
                f"{key} attention", option, make, inputs(normal(2, B, query_size), normal(T, B, D)), forward_options
            )
    for option, heads, causal in (("", 1, False), ("causal lengths", 1, True), ("3 heads lengths", 3, False)):
        yield Case(
            "self-attention",
            option,
            lambda rng, dtype, heads=heads, causal=causal: SelfAttention(6, rng, heads, causal, dtype),
            inputs(normal(T, B, 6)),
            {"lengths": lengths} if "lengths" in option else {},
        )


def model_case(option, teacher_forcing=1.0, lots=7, **config):
    """A small Seq2Seq with dropout and masks; `lots`: the seed of its dropout and its own guesses."""
    config = {"embedding_size": D, "hidden_size": H, "attention_size": A, "max_length": T + 1, "dropout": 0.3} | config
    config = Seq2SeqConfig(V + 1, V, **config)
    return Case(
        "seq2seq",
        option,
        lambda rng, dtype: Seq2Seq(config, rng, dtype),
        lambda rng, dtype: (ids(1, V + 1, T, B)(rng, dtype), lengths(), ids(1, V, T - 1, B)(rng, dtype)),
        {"teacher_forcing": teacher_forcing, "rng": lambda: np.random.default_rng(lots)},
        every_entry=False,
    )


def model_cases():
    alone = {"attention": "none", "bidirectional": False}
    yield model_case("plain rnn", cell="rnn", **alone)
    yield model_case("plain 2 x lstm", cell="lstm", layers=2, **alone)
    yield model_case("plain gru tied", cell="gru", tied=True, embedding_size=H, **alone)
    yield model_case("context at every step gru", context="every step", **alone)
    yield model_case("context at every step and output lstm", cell="lstm", context="every step and output", **alone)
    yield model_case("attention gru", output_dropout=0.4)
    yield model_case("attention 2 x lstm", cell="lstm", layers=2)
    yield model_case("attention gru layer norm", layer_norm=True, hidden_size=6)
    # At a hidden size of 2 the likeliest word would be the same at every step.
    larger = {"hidden_size": 3, "attention_size": 4}
    yield model_case("attention gru, teacher forcing 0.5", teacher_forcing=0.5, lots=2, **larger)
    yield model_case("attention lstm, teacher forcing 0", cell="lstm", teacher_forcing=0.0)
    yield model_case("attention after the step lstm", cell="lstm", attention="general", context="output")
    yield model_case("attention fed back 2 x gru", layers=2, attention="concat", context="output fed back")
    yield model_case("attention by position lstm", cell="lstm", attention="position", context="combined input")
    yield model_case("attention gated gru", attention="dot", context="gate", bidirectional=False)
    for option, teacher_forcing in (("", 1.0), ("teacher forcing 0.5", 0.5), ("teacher forcing 0", 0.0)):
        yield Case(
            "signal",
            option,
            lambda rng, dtype: SignalSeq2Seq(SignalConfig(D, H, A, "lstm", layers=2), rng, dtype),
            lambda rng, dtype: (normal(T, B, D)(rng, dtype), lengths(), normal(T - 1, B, A)(rng, dtype)),
            {"teacher_forcing": teacher_forcing, "rng": lambda: np.random.default_rng(8)},
        )
    yield Case(
        "tagger",
        "2 heads causal",
        lambda rng, dtype: Tagger(TaggerConfig(V + 1, V, size=4, heads=2, causal=True), rng, dtype),
        inputs(ids(1, V + 1, T, B)),
    )


CASES = (
    Case("linear", "", lambda rng, dtype: Linear(D, V, rng, dtype=dtype), inputs(normal(T, B, D))),
    Case("linear", "no bias", lambda rng, dtype: Linear(D, V, rng, bias=False, dtype=dtype), inputs(normal(B, D))),
    Case("embedding", "", lambda rng, dtype: Embedding(V, D, rng, None, dtype), inputs(ids(0, V, T, B))),
    Case("embedding", "padding", lambda rng, dtype: Embedding(V, D, rng, 0, dtype), inputs(ids(0, 3, T, B))),
    Case("embedding", "frequent", lambda rng, dtype: Embedding(V, D, rng, None, dtype), inputs(ids(0, 2, T, 2 * B))),
    Case("dropout", "", lambda rng, dtype: Dropout(0.4), inputs(normal(T, B, D)), {"rng": fixed_rng}),
    Case("dropout", "evaluation", lambda rng, dtype: Dropout(0.4), inputs(normal(T, B, D))),
    *recurrent_cases(),
    *stack_cases(),
    *attention_cases(),
    Case(
        "cross-entropy",
        "",
        lambda rng, dtype: SoftmaxCrossEntropy(),
        inputs(normal(T, B, V), ids(0, V, T, B)),
    ),
    Case(
        "cross-entropy",
        "ignore_index",
        lambda rng, dtype: SoftmaxCrossEntropy(ignore_index=0),
        inputs(normal(T, B, V), ids(0, 3, T, B)),
    ),
    Case(
        "cross-entropy",
        "ignore_index weights",
        lambda rng, dtype: SoftmaxCrossEntropy(ignore_index=0),
        inputs(normal(T, B, V), ids(0, 3, T, B)),
        {"weights": weights},
    ),
    Case(
        "cross-entropy",
        "ignore_index -1",
        lambda rng, dtype: SoftmaxCrossEntropy(ignore_index=-1),
        inputs(normal(T, B, V), ids(-1, 3, T, B)),
    ),
    Case(
        "cross-entropy",
        "nothing counts",
        lambda rng, dtype: SoftmaxCrossEntropy(ignore_index=0),
        inputs(normal(T, B, V), ids(0, 1, T, B)),
    ),
    Case(
        "mean squared error", "", lambda rng, dtype: MeanSquaredError(), inputs(normal(T, B, D), normal(T, B, D))
    ),
    Case(
        "mean squared error",
        "weights",
        lambda rng, dtype: MeanSquaredError(),
        inputs(normal(T, B, D), normal(T, B, D)),
        {"weights": weights},
    ),
    *model_cases(),
)


def cases(key=None):
    """All cases, or those of one layer; ValueError that lists the keys for an unknown one."""
    keys = list(dict.fromkeys(case.key for case in CASES))
    if key is not None and key not in keys:
        raise ValueError(f"there is no layer {key!r} to check; choose one of {', '.join(keys)}")
    return [case for case in CASES if key in (None, case.key)]
