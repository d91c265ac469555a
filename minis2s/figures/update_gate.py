"""The update gate of a GRU that has learnt to hold a number, and the gradient that its gate lets through."""

import numpy as np

from ..contracts import expect_positive
from ..layer import Composite
from ..nn import GRU, Linear, MeanSquaredError
from ..optim import Adam, clip_by_global_norm
from ..plots import COLOURS, DASHES, drawing, logarithmic
from .gradient_distance import gradient_norms

LENGTH, BATCH_SIZE, MARKED, LEARNING_RATE = 40, 16, 0.12, 0.03
T, MARKS = 32, (2, 9, 19)  # what is drawn: so many steps, and which of them are marked, counted from 0


class Holder(Composite):
    """Says after every step what the last marked number was.  x (T,B,2) -> y (T,B,1)"""

    def __init__(self, hidden_size, rng):
        self.gru = GRU(2, hidden_size, rng, dtype="float64")
        self.output = Linear(hidden_size, 1, rng, dtype="float64")

    def forward(self, x):
        (hs, _), gru_cache = self.gru.forward(x)
        y, output_cache = self.output.forward(hs)
        return y, (gru_cache, output_cache)

    def backward(self, dy, cache):
        gru_cache, output_cache = cache
        self.gru.backward(self.output.backward(dy, output_cache), None, gru_cache)


def last_marked(numbers, marks):
    """The last number that was marked, 0 before the first.  numbers (T,B), marks (T,B) of 0 and 1 -> (T,B)"""
    held, found = np.zeros_like(numbers[0]), np.empty_like(numbers)
    for t in range(len(numbers)):
        held = found[t] = np.where(marks[t] > 0, numbers[t], held)
    return found


def random_numbers(rng, T, B):
    """Numbers of U(-1, 1), some of them marked: x (T,B,2), and what is to be said, y (T,B,1)"""
    numbers, marks = rng.uniform(-1, 1, (T, B)), (rng.random((T, B)) < MARKED).astype(float)
    return np.stack([numbers, marks], axis=2), last_marked(numbers, marks)[:, :, None]


def trained_holder(hidden_size, steps, seed):
    """A Holder after so many steps on random numbers."""
    rng = np.random.default_rng(seed)
    model, loss, optimiser = Holder(hidden_size, rng), MeanSquaredError(), Adam(LEARNING_RATE)
    for step in range(steps):
        x, target = random_numbers(rng, LENGTH, BATCH_SIZE)
        y, cache = model.forward(x)
        _, loss_cache = loss.forward(y, target)
        dy, _ = loss.backward(1.0, loss_cache)
        model.zero_grad()
        model.backward(dy, cache)
        clip_by_global_norm(model.grads, 1.0)
        optimiser.lr = LEARNING_RATE * (1 - step / steps)
        optimiser.update(model.params, model.grads)
    return model


def example(seed=0):
    """What is drawn: x (T,1,2), marked at MARKS, and what is to be said (T,)"""
    numbers = np.random.default_rng(seed).uniform(-1, 1, (T, 1))
    marks = np.zeros((T, 1))
    marks[list(MARKS)] = 1
    return np.stack([numbers, marks], axis=2), last_marked(numbers, marks)[:, 0]


def last_answer(model):
    """v (1,H), so that v · h_T is the last answer but for its bias and scale: ‖v‖ = 1"""
    v = model.output.params["W"].T
    return v / np.linalg.norm(v)


def answers(model, x):
    """What the model says after every step of x (T,1,2) -> (T,)"""
    y, _ = model.forward(x)
    return y[:, 0, 0]


def update_gates(model, x):
    """z (T,H) of every step of x (T,1,2)"""
    _, (gru_cache, _) = model.forward(x)
    return np.concatenate([step.z for step in gru_cache.caches])


def direct_way(z, v):
    """What comes back along z alone: ‖v z_T z_{T-1} … z_{t+1}‖ for t = T … 0.  z (T,H), v (1,H) -> (T+1,)"""
    return np.linalg.norm(v * np.cumprod(np.concatenate([np.ones_like(v), z[::-1]]), axis=0), axis=1)


def update_gate(path=None, hidden_size=4, steps=800, seed=1):
    """Draw numbers of which the marked ones are to be held, z of every unit, and ‖∂L/∂h_t‖ of the last answer L.

    The units stand in the order of their z at the marks, the lowest first.
    """
    expect_positive(hidden_size=hidden_size, steps=steps)
    with drawing((8.4, 6.4), path) as figure:
        x, target = example()
        model, untrained = trained_holder(hidden_size, steps, seed), Holder(hidden_size, np.random.default_rng(seed))
        z, v, t = update_gates(model, x), last_answer(model), np.arange(1, T + 1)
        said, gates, gradients = figure.subplots(3, sharex=True, height_ratios=[1.7, 1, 2])
        marked = x[:, 0, 1] > 0
        said.plot(t, x[:, 0, 0], "o", mfc="white", color="0.55", label="numbers")
        said.plot(t[marked], x[marked, 0, 0], "o", color=COLOURS[5], markersize=7, label="marked")
        said.step(t, target, where="post", color=COLOURS[0], linestyle=DASHES[0], label="to be said")
        said.step(t, answers(model, x), where="post", color=COLOURS[1], linestyle=DASHES[1], label="said")
        said.set(ylim=(-1.2, 2), yticks=(-1, 0, 1))
        said.set_title("A GRU that has learnt to hold the last marked number")
        said.legend(ncols=4, loc="upper left")

        order = z[marked].mean(axis=0).argsort()
        edges = np.arange(T + 1) + 0.5
        mesh = gates.pcolormesh(edges, np.arange(hidden_size + 1), z[:, order].T, vmin=0, vmax=1, edgecolors="0.9")
        gates.set(ylim=(hidden_size, 0), ylabel="z, what is kept")
        gates.set_yticks(np.arange(hidden_size) + 0.5, range(1, hidden_size + 1))
        gates.tick_params(length=0)
        gates.spines[:].set_visible(False)
        bar = figure.colorbar(mesh, ax=gates, aspect=8, pad=0.01, ticks=(0, 0.5, 1), format="{x:g}")
        bar.outline.set_visible(False)

        curves = {
            "trained": gradient_norms(model.gru, x, v)[:, 0],
            "trained, along z alone": direct_way(z, v),
            "before training": gradient_norms(untrained.gru, x, last_answer(untrained))[:, 0],
        }
        for index, (label, norms) in enumerate(curves.items()):
            gradients.plot(t, norms[-2::-1], label=label, color=COLOURS[index], linestyle=DASHES[index])
        logarithmic(gradients, [2, 1e-6])
        gradients.set(ylim=(3e-7, 20), xlabel="t", ylabel="‖∂L / ∂hₜ‖", xlim=(0.5, T + 0.5), xticks=(1, *t[marked], T))
        gradients.legend(ncols=3, loc="upper left")
        for ax in (said, gradients):
            for mark in t[marked]:
                ax.axvline(mark, ymax=0.8, color="0.5", linewidth=0.8, linestyle=":")
    return figure
