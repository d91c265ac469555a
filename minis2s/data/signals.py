"""Signals in which there is something to predict: sums of sines, seen through noise.

    x_t = sum_k a_k sin(2 pi f_k t + phi_k)

The source is the beginning of a signal with noise on it, the target the clean signal: either the same stretch, to be
denoised, or what comes after, to be continued. Every signal has frequencies, amplitudes and phases of its own, so
held-out signals are signals never seen.
"""

from typing import NamedTuple

import numpy as np

from ..contracts import expect_choice, expect_positive

TASKS = ("denoise", "continue")


class Signals(NamedTuple):
    """source (S,N,D), noisy, and target (T,N,D), clean; N signals side by side, of variance about 1."""

    source: np.ndarray
    target: np.ndarray

    @property
    def y(self):
        """What a decoder is fed while training: the target one step late, 0 first.  (T,N,D)"""
        return np.concatenate([np.zeros_like(self.target[:1]), self.target[:-1]])

    def batches(self, batch_size, rng):
        """Signals of batch_size at a time, in random order."""
        order = rng.permutation(self.source.shape[1])
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield Signals(self.source[:, rows], self.target[:, rows])


def signals(seed, count, task="denoise", length=12, channels=1, sines=2, noise=0.5, dtype="float32"):
    """`count` signals drawn from `seed`; different seeds never share one.  -> Signals"""
    expect_choice("task", task, TASKS)
    expect_positive(count=count, length=length, channels=channels, sines=sines)
    rng = np.random.default_rng([seed, 0x51B])
    times = np.arange(2 * length)[:, None, None, None]
    shape = (1, count, channels, sines)
    frequency, phase = rng.uniform(0.02, 0.2, shape), rng.uniform(0, 2 * np.pi, shape)
    amplitude = rng.uniform(0.5, 1.5, shape) * np.sqrt(2 / sines)
    clean = (amplitude * np.sin(2 * np.pi * frequency * times + phase)).sum(axis=-1)
    noisy = clean + noise * rng.standard_normal(clean.shape)
    start = 0 if task == "denoise" else length
    return Signals(noisy[:length].astype(dtype), clean[start : start + length].astype(dtype))
