"""What every case of the table should compute: its key's equations, written out once more.

A new kind of layer is one more function in layer_equations.py and its entry here; a new kind of cell, attention
or decoder is an entry of STEPS, SCORES or DECODERS.
"""

from functools import partial

from layer_equations import (
    SCORES,
    attention,
    bidirectional,
    cross_entropy,
    dropout,
    embedding,
    entry,
    linear,
    mean_squared_error,
    recurrent,
    self_attention,
    stack,
)
from model_equations import LotsInAnyOrder, seq2seq, signal, tagger

EQUATIONS = {
    "linear": linear,
    "embedding": embedding,
    "dropout": dropout,
    "rnn": recurrent,
    "lstm": recurrent,
    "gru": recurrent,
    "bidirectional": bidirectional,
    "stack": stack,
    **{f"{name} attention": partial(attention, name) for name in SCORES},
    "self-attention": self_attention,
    "cross-entropy": cross_entropy,
    "mean squared error": mean_squared_error,
    "seq2seq": seq2seq,
    "signal": signal,
    "tagger": tagger,
}
SWITCHES = ("reverse", "causal")  # told by the case: the layer is on trial, and may have forgotten


def expected(case, seed=0):
    """What a case's layer should compute -> the outputs of its forward"""
    layer, inputs, options = comparable(case, seed)
    switches = {word: True for word in SWITCHES if word in case.option.split()}
    return entry(EQUATIONS, case.key)(layer, *inputs, **options, **switches)


def comparable(case, seed=0):
    """The case as built, a whole model with lots that do not depend on the order -> layer, inputs, options"""
    layer, inputs, options = case.build(seed)
    if case.key == "seq2seq" and "rng" in options:
        options["rng"] = LotsInAnyOrder()
    return layer, inputs, options
