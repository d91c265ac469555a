"""Greedy decoding, and the loop that it shares with sampling: one token a row and step."""

from ..backend import array_module, to_numpy
from ..contracts import expect_positive
from ..data.vocabulary import END, PAD, START
from ..functional import log_softmax
from .hypothesis import hypothesis


def greedy(model, source, lengths=None, max_length=100):
    """At every step the likeliest token; each row stops at <end>, or after max_length tokens.

    source (S,B) ids, lengths (B,) -> one Hypothesis a row
    y_t = argmax_y p(y | y_1 … y_{t-1}, source)                        (10.1)
    """
    expect_positive(max_length=max_length)
    return step_by_step(model, source, lengths, max_length, lambda logits, t: logits.argmax(axis=1))  # (10.1)


def step_by_step(model, source, lengths, max_length, choose):
    """One Hypothesis a row, its token of step t chosen by choose(logits (B,V), t) -> y (B,)"""
    xp = array_module(source)
    states, memory, dtype = read(model, source, lengths)
    B = source.shape[1]
    y = xp.full(B, START, dtype=source.dtype)
    done = xp.zeros(B, dtype=bool)
    score = xp.zeros(B, dtype=dtype)
    ys, alphas = [], []
    for t in range(max_length):
        logits, alpha, states = model.decoder.step(y, states, memory)
        y = xp.where(done, PAD, choose(logits, t))
        gain = xp.take_along_axis(log_softmax(logits), y[:, None], axis=1)[:, 0]
        score = score + xp.where(done, xp.zeros_like(gain), gain)
        ys.append(y)
        alphas.append(alpha)
        done = done | (y == END)
        if done.all():
            break
    ys, alphas, score = stacked(ys), stacked(alphas), to_numpy(score)
    return [
        hypothesis(ys[:, b].tolist(), score[b], None if alphas is None else alphas[:, b], size)
        for b, size in enumerate(source_lengths(source, lengths))
    ]


def read(model, source, lengths):
    """The source, read once -> the decoder's first states, its memory, the dtype of both"""
    (states, memory), _ = model.begin(source, lengths)
    return states, memory, model.dtype


def source_lengths(source, lengths):
    """How much of each column of the source is no padding."""
    S, B = source.shape
    return [S] * B if lengths is None else lengths.tolist()


def stacked(arrays):
    """What every step left behind, as one array on the CPU; None if it was None."""
    return None if arrays[0] is None else to_numpy(array_module(arrays[0]).stack(arrays))
