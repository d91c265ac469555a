"""Training on signals, as document 000 does on noise: the same loop, and a look at signals never seen."""

from typing import NamedTuple

import numpy as np

from .models import SignalSeq2Seq
from .nn import MeanSquaredError
from .optim import Adam, clip_by_global_norm


class SignalScores(NamedTuple):
    """Mean squared errors on held-out signals."""

    free_running: float  # every step fed the output before it
    zero: float  # of predicting 0 always
    noisy: float  # of taking the noisy source for the answer, where that makes sense (denoising)


def train_signals(config, train, held_out, epochs=30, batch_size=64, lr=5e-3, teacher_forcing=0.5, seed=0):
    """A trained SignalSeq2Seq and its SignalScores.

    Fed only true values in training, a decoder learns to lean on a previous value that it will not have later; at
    teacher_forcing 0.5 it meets its own outputs half of the time.
    """
    model = SignalSeq2Seq(config, np.random.default_rng(seed), train.source.dtype)
    optimiser, loss = Adam(lr), MeanSquaredError()
    rng = np.random.default_rng([seed, 1])
    for _ in range(epochs):
        for batch in train.batches(batch_size, rng):
            model.zero_grad()
            (outputs, _), cache = model.forward(batch.source, None, batch.y, teacher_forcing, rng)
            _, loss_cache = loss.forward(outputs, batch.target)
            doutputs, _ = loss.backward(1.0, loss_cache)
            model.backward(doutputs, None, cache)
            clip_by_global_norm(model.grads, 1.0)
            optimiser.update(model.params, model.grads)
    return model, score_signals(model, held_out)


def score_signals(model, held_out):
    """How far the model's own continuation is from the truth -> SignalScores"""
    outputs = model.generate(held_out.source, len(held_out.target))
    return SignalScores(
        float(((outputs - held_out.target) ** 2).mean()),
        float((held_out.target**2).mean()),
        float(((held_out.source - held_out.target) ** 2).mean()),
    )
