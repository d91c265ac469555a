"""Every layer with every option at a small size, so that all of its gradients can be checked.

`minis2s gradcheck` prints a row for each; the tests run all their laws over the same table. Sizes differ
from each other, so that a wrong axis cannot hide, and lengths include a full row and one of a single token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .gradcheck import gradcheck
from .models import Seq2Seq, Seq2SeqConfig
from .nn import (
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
        ("rnn", RNN, {"": {}}),
        ("lstm", LSTM, {"": {}}),
        ("gru", GRU, {"": {}, "reset before": {"reset_after": False}}),
    ):
        for variant, variant_options in variants.items():
            for option, reverse, forward_options in (
                ("", False, {}),
                ("lengths", False, {"lengths": lengths}),
                ("reverse lengths", True, {"lengths": lengths}),
            ):
                yield Case(
                    key,
                    " ".join(filter(None, (variant, option))),
                    lambda rng, dtype, cell=cell, options=variant_options, reverse=reverse: cell(
                        D, H, rng, reverse=reverse, dtype=dtype, **options
                    ),
                    inputs(normal(T, B, D), state(*[(B, H)] * len(cell.states))),
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


def model_cases():
    for option, attention, cell, layers, bidirectional, teacher_forcing in (
        ("plain rnn", "none", "rnn", 1, False, 1.0),
        ("plain 2 x lstm dropout", "none", "lstm", 2, False, 1.0),
        ("attention gru", "additive", "gru", 1, True, 1.0),
        ("attention 2 x lstm dropout", "additive", "lstm", 2, True, 1.0),
        ("attention gru, teacher forcing 0.5", "additive", "gru", 1, True, 0.5),
    ):
        config = Seq2SeqConfig(V + 1, V, D, H, layers, cell, bidirectional, attention, A, dropout=0.3)
        yield Case(
            "seq2seq",
            option,
            lambda rng, dtype, config=config: Seq2Seq(config, rng, dtype),
            lambda rng, dtype: (ids(1, V + 1, T, B)(rng, dtype), lengths(), ids(1, V, T - 1, B)(rng, dtype)),
            {"teacher_forcing": teacher_forcing, "rng": fixed_rng},
            every_entry=False,
        )


CASES = (
    Case("linear", "", lambda rng, dtype: Linear(D, V, rng, dtype=dtype), inputs(normal(T, B, D))),
    Case("linear", "no bias", lambda rng, dtype: Linear(D, V, rng, bias=False, dtype=dtype), inputs(normal(B, D))),
    Case("embedding", "", lambda rng, dtype: Embedding(V, D, rng, None, dtype), inputs(ids(0, V, T, B))),
    Case("embedding", "padding", lambda rng, dtype: Embedding(V, D, rng, 0, dtype), inputs(ids(0, 3, T, B))),
    Case("dropout", "", lambda rng, dtype: Dropout(0.4), inputs(normal(T, B, D)), {"rng": fixed_rng}),
    Case("dropout", "evaluation", lambda rng, dtype: Dropout(0.4), inputs(normal(T, B, D))),
    *recurrent_cases(),
    *stack_cases(),
    Case(
        "additive attention",
        "",
        lambda rng, dtype: AdditiveAttention(Q, D, A, rng, dtype),
        inputs(normal(2, B, Q), normal(T, B, D)),
    ),
    Case(
        "additive attention",
        "lengths",
        lambda rng, dtype: AdditiveAttention(Q, D, A, rng, dtype),
        inputs(normal(2, B, Q), normal(T, B, D)),
        {"lengths": lengths},
    ),
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
