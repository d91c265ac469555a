"""From a trained model to text: the target is not known, so every step is fed its own output."""

from typing import Any, NamedTuple

from .backend import array_module, to_numpy
from .contracts import expect_positive
from .data.vocabulary import END, PAD, START
from .functional import log_softmax


class Hypothesis(NamedTuple):
    """One decoded sentence."""

    ids: list  # without <end>
    score: float  # its log-probability, the <end> included where it was reached
    alphas: Any  # (T,S) attention of each id, and of <end>, over the source; None without attention


def greedy(model, source, lengths=None, max_length=100):
    """At every step the likeliest token; each row stops at <end>, or after max_length tokens.

    source (S,B) ids, lengths (B,) -> one Hypothesis a row
    y_t = argmax_y p(y | y_1 … y_{t-1}, source)                        (10.1)
    """
    expect_positive(max_length=max_length)
    xp = array_module(source)
    encoded, _ = model.encode(source, lengths)
    memory, _ = model.decoder.remember(encoded.hs, encoded.lengths)
    states, B = encoded.states, source.shape[1]
    y = xp.full(B, START, dtype=source.dtype)
    done = xp.zeros(B, dtype=bool)
    score = xp.zeros(B, dtype=encoded.hs.dtype)
    ys, alphas = [], []
    for _ in range(max_length):
        logits, alpha, states = model.decoder.step(y, states, memory)
        y = xp.where(done, PAD, logits.argmax(axis=1))  # (10.1)
        gain = xp.take_along_axis(log_softmax(logits), y[:, None], axis=1)[:, 0]
        score = score + xp.where(done, xp.zeros_like(gain), gain)
        ys.append(y)
        alphas.append(alpha)
        done = done | (y == END)
        if done.all():
            break
    ys, score = to_numpy(xp.stack(ys)), to_numpy(score)
    alphas = None if alphas[0] is None else to_numpy(xp.stack(alphas))
    sizes = [len(source)] * B if lengths is None else lengths
    return [hypothesis(ys[:, b], score[b], None if alphas is None else alphas[:, b, : sizes[b]]) for b in range(B)]


def hypothesis(column, score, alphas):
    """One row of a batch, cut off at its <end>."""
    ids = column.tolist()
    length = ids.index(END) if END in ids else len(ids)
    return Hypothesis(ids[:length], float(score), None if alphas is None else alphas[: length + 1])
