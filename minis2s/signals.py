"""Training on signals, as document 000 does on noise: the same loop, and a look at signals never seen."""

from typing import NamedTuple

import numpy as np

from .backend import to_device, to_floats
from .models import SignalSeq2Seq
from .nn import MeanSquaredError
from .optim import Adam, clip_by_global_norm
from .packed import ALL, Packed


class SignalScores(NamedTuple):
    """Mean squared errors on held-out signals."""

    free_running: float  # every step fed the output before it
    zero: float  # of predicting 0 always
    noisy: float  # of taking the noisy source for the answer, where that makes sense (denoising)


def train_signals(
    config, train, held_out, epochs=30, batch_size=64, lr=5e-3, teacher_forcing=0.5, seed=0, device="cpu"
):
    """A trained SignalSeq2Seq and its SignalScores.

    Fed only true values in training, a decoder learns to lean on a previous value that it will not have later; at
    teacher_forcing 0.5 it meets its own outputs half of the time.
    """
    model = SignalSeq2Seq(config, np.random.default_rng(seed), train.source.dtype).to(device)
    packed, optimiser = Packed(model), Adam(lr)
    rng = np.random.default_rng([seed, 1])
    for _ in range(epochs):
        for batch in train.batches(batch_size, rng):
            source, y, target = to_device((batch.source, batch.y, batch.target), device)
            step(model, packed, optimiser, source, y, target, teacher_forcing, rng)
    return model, score_signals(model, held_out)


def step(model, packed, optimiser, source, y, target, teacher_forcing=1.0, rng=None, clip=1.0):
    """One step on one batch of signals: forward, backward, clip, update."""
    loss, params, grads = MeanSquaredError(), {ALL: packed.params}, {ALL: packed.grads}
    (outputs, _), cache = model.forward(source, None, y, teacher_forcing, rng)
    _, loss_cache = loss.forward(outputs, target)
    doutputs, _ = loss.backward(1.0, loss_cache)
    packed.grads.fill(0)
    model.backward(doutputs, None, cache)
    clip_by_global_norm(grads, clip)
    optimiser.update(params, grads)


def score_signals(model, held_out):
    """How far the model's own continuation is from the truth -> SignalScores"""
    source, target = to_device((held_out.source, held_out.target), model.device)
    outputs = model.generate(source, len(target))
    errors = outputs - target, target, source - target
    return SignalScores(*to_floats([(error**2).mean() for error in errors]))
