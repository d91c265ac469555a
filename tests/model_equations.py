"""The equations of whole models, one token at a time: no runs, no gradient.

A decoder is one function here and its entry in DECODERS, under what the configuration calls its `context`.
"""

import dataclasses
import itertools
from typing import Any, NamedTuple

import numpy as np
from layer_equations import (
    SCORES,
    attention,
    dropout,
    embedding,
    linear,
    self_attention,
    sigmoid,
    stack,
    step,
    tied_linear,
)


def join(*parts):
    return np.concatenate(parts, axis=-1)


def bridge(layer, states):
    maps = iter(layer.maps)

    def cross(ahead, back):
        return np.tanh(linear(next(maps), join(ahead, back)))

    return tuple(tuple(map(cross, *directions)) for directions in states)


class Told(NamedTuple):
    """What a decoder is told at a step, besides its token and its states."""

    hs: Any
    lengths: Any
    attention: str
    c: Any  # the state in which it began
    before: Any  # its last features, 0 at first
    rng: Any


# Decoders.  A step: x (B,E), the states before -> features, alpha, the states after


def look(decoder, query, told):
    """-> context (B,H), alpha (B,S)"""
    (context,), (alpha,) = attention(told.attention, decoder.attention, query[None], told.hs, told.lengths)
    return context, alpha


def up(stack, x, states, rng=None, more=0):
    """One token through all layers, `more` entering at the bottom -> h on top, the states after"""
    after = []
    for index, (layer, state) in enumerate(zip(stack.layers, states, strict=True)):
        if index > 0:
            x, more = dropout(stack.dropout, x, rng), 0
        after.append(step(layer, x, state, more))
        x = after[-1][0]
    return x, tuple(after)


def plain_decoder(decoder, x, states, told):
    s, states = up(decoder.rnn, x, states, told.rng)
    return s, None, states


def context_decoder(decoder, x, states, told):
    s, states = up(decoder.rnn, join(x, told.c), states, told.rng)
    return s, None, states


def context_and_output_decoder(decoder, x, states, told):
    s, _, states = context_decoder(decoder, x, states, told)
    return join(s, told.c, x), None, states


def attention_decoder(decoder, x, states, told):
    context, alpha = look(decoder, states[-1][0], told)
    s, states = up(decoder.rnn, x, states, told.rng, more=linear(decoder.context_input, context))
    return join(s, context), alpha, states


def luong_decoder(decoder, x, states, told):
    s, states = up(decoder.rnn, x, states, told.rng)
    context, alpha = look(decoder, s, told)
    return np.tanh(linear(decoder.combine, join(context, s))), alpha, states


def input_feeding_decoder(decoder, x, states, told):
    return luong_decoder(decoder, join(x, told.before), states, told)


def combine_decoder(decoder, x, states, told):
    context, alpha = look(decoder, join(x, states[-1][0]), told)
    x = np.maximum(linear(decoder.combine, join(x, context)), 0)
    s, states = up(decoder.rnn, x, states, told.rng)
    return s, alpha, states


def gated_decoder(decoder, x, states, told):
    s, (*below, (_, *rest)) = up(decoder.rnn, x, states, told.rng)
    context, alpha = look(decoder, s, told)
    g = sigmoid(linear(decoder.gate, join(s, context)))
    s = (1 - g) * s + g * np.tanh(linear(decoder.content, context))
    return s, alpha, (*below, (s, *rest))


DECODERS = {
    "state": plain_decoder,
    "every step": context_decoder,
    "every step and output": context_and_output_decoder,
    "input": attention_decoder,
    "output": luong_decoder,
    "output fed back": input_feeding_decoder,
    "combined input": combine_decoder,
    "gate": gated_decoder,
}


# What these equations know of a configuration: any number, these words and switches, and of all other fields
# the default alone.
SIZES = ("input_size", "output_size", "embedding_size", "hidden_size", "attention_size", "max_length")
NUMBERS = (*SIZES, "layers", "dropout", "output_dropout")
KNOWN = {
    "cell": ("rnn", "lstm", "gru"),
    "bidirectional": (False, True),
    "attention": ("none", *SCORES),
    "context": (None, *DECODERS),
    "layer_norm": (False, True),
    "tied": (False, True),
}


def expect_known(config):
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in NUMBERS and value not in KNOWN.get(field.name, (field.default,)):
            raise NotImplementedError(f"no equations for a model with {field.name}={value!r} yet")


def is_taught(t, teacher_forcing, rng):
    """Whether the decoder is fed the target's token: at first always, between 0 and 1 by lot."""
    if t > 0 and 0 < teacher_forcing < 1:
        return rng.random() < teacher_forcing
    return t == 0 or teacher_forcing == 1


def seq2seq(model, source, lengths, y, teacher_forcing=1.0, rng=None):
    config, encoder, decoder = model.config, model.encoder, model.decoder
    expect_known(config)
    x = dropout(encoder.dropout, embedding(encoder.embedding, source), rng)
    hs, states = stack(encoder.rnn, x, None, lengths, rng)
    if config.bidirectional:
        states = bridge(model.bridge, states)
    one_step = DECODERS[config.context or ("state" if config.attention == "none" else "input")]
    output = tied_linear if config.tied else linear
    told = Told(hs, lengths, config.attention, c=states[-1][0], before=np.zeros_like(states[-1][0]), rng=rng)
    logits, alphas = [], []
    for t in range(len(y)):
        ids = y[t] if is_taught(t, teacher_forcing, rng) else logits[-1].argmax(axis=1)
        x = dropout(decoder.dropout, embedding(decoder.embedding, ids), rng)
        features, alpha, states = one_step(decoder, x, states, told)
        told = told._replace(before=features)
        logits.append(output(decoder.output, dropout(decoder.output_dropout, features, rng)))
        alphas.append(alpha)
    return np.stack(logits), None if config.attention == "none" else np.stack(alphas)


def signal(model, source, lengths, y, teacher_forcing=1.0, rng=None):
    _, states = stack(model.encoder, source, None, lengths)
    outputs = []
    for t in range(len(y)):
        s, states = up(model.decoder, y[t] if is_taught(t, teacher_forcing, rng) else outputs[-1], states)
        outputs.append(linear(model.output, s))
    return np.stack(outputs), None


def tagger(model, source, lengths=None, causal=False):
    x = embedding(model.embedding, source)
    T, _, D = x.shape
    for t, i in np.ndindex(T, D):
        angle = t / 10000 ** (2 * (i // 2) / D)
        x[t, :, i] += np.cos(angle) if i % 2 else np.sin(angle)
    y, alphas = self_attention(model.attention, x, lengths, causal)
    return linear(model.output, x + y), alphas


class LotsInAnyOrder:
    """Stands in for a Generator where a whole model is compared with its equations.

    The model draws a run of steps at a time, the equations one: so a mask depends on its width alone, and is
    the same at every time, and the lots for teacher forcing come from a bowl of their own.
    """

    def __init__(self):
        self.lots = itertools.cycle([0.2, 0.8])

    def random(self, shape=None, dtype=np.float64):
        if shape is None:
            return next(self.lots)
        return np.broadcast_to(np.random.default_rng(shape[-1]).random(shape[-2:], dtype), shape)
