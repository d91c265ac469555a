"""How much of a loss's gradient is left k steps back: RNN, LSTM and GRU as they start, before any training."""

import numpy as np

from ..contracts import expect_positive
from ..fonts import EM
from ..nn import GRU, LSTM, RNN
from ..plots import COLOURS, DASHES, MARKERS, drawing, logarithmic

INPUT_SIZE, HIDDEN_SIZE, SEQUENCES = 32, 64, 8
WARM_UP = 100  # steps before those that are looked at: a state that has just left 0 passes on more
LOST = 2.0**-24  # what is smaller is nothing when float32 adds it to 1


def rnn(rng):
    """As drawn, Wh has a spectral radius (its largest eigenvalue) of about 1/sqrt(3)."""
    return RNN(INPUT_SIZE, HIDDEN_SIZE, rng, dtype="float64")


def wide_rnn(rng, radius=2.0):
    layer = rnn(rng)
    layer.params["Wh"] *= radius / spectral_radius(layer)
    return layer


def spectral_radius(layer):
    return np.abs(np.linalg.eigvals(layer.params["Wh"])).max()


def gru(rng):
    return GRU(INPUT_SIZE, HIDDEN_SIZE, rng, dtype="float64")


def lstm(forget_bias):
    return lambda rng: LSTM(INPUT_SIZE, HIDDEN_SIZE, rng, forget_bias, dtype="float64")


LAYERS = {
    "RNN, spectral radius 2": wide_rnn,
    "LSTM, forget bias 3": lstm(3.0),
    "LSTM, forget bias 1": lstm(1.0),
    "GRU": gru,
    "LSTM, forget bias 0": lstm(0.0),
    "RNN, spectral radius 0.6": rnn,
}


def gradient_norms(layer, x, v):
    """‖dL/dstate_{T-k}‖ of L = v · h_T for k = 0 … T, the state of an LSTM being h and c together.

    x (T,B,D), v (B,H) -> norms (T+1,B)
    """
    _, cache = layer.forward(x)
    dh, *others = layer.zero_state(x)
    dstates = [(dh + v, *others)]
    for step_cache in reversed(cache.caches):
        _, dstate = layer.step_backward(dstates[-1], step_cache)
        dstates.append(dstate)
    return np.array([np.sqrt(sum((d * d).sum(axis=1) for d in dstate)) for dstate in dstates])


def norms_over_seeds(make, distance, seeds):
    """The norms at k = 0 … distance for random sequences, SEQUENCES with each seed -> (distance+1, N)"""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        layer = make(rng)
        x = rng.standard_normal((WARM_UP + distance, SEQUENCES, INPUT_SIZE))
        v = rng.standard_normal((SEQUENCES, HIDDEN_SIZE))
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        found.append(gradient_norms(layer, x, v)[: distance + 1])
    return np.concatenate(found, axis=1)


def factor(norms):
    """By how much a norm changes from one step to the next: the mean over the last four fifths."""
    first = len(norms) // 5
    return (norms[-1] / norms[first]) ** (1 / (len(norms) - 1 - first))


def gradient_distance(path=None, distance=100, seeds=10):
    """Draw ‖dL/dstate_{T-k}‖ against k for L = v · h_T, ‖v‖ = 1: the median and the middle 80% of all sequences.

    Each step back multiplies the gradient by much the same factor, so that it vanishes or explodes as the factor's
    power. Gates do not lift that law: they set the factor, and the closer the forget gate is to 1, the closer is it.
    Inputs are standard normal, parameters as the layers draw them.
    Source: Bengio et al. 1994, §4; Pascanu et al. 2013, §2.1; for the forget bias Gers et al. 2000.
    """
    expect_positive(distance=distance, seeds=seeds)
    k, ends = np.arange(distance + 1), {}
    with drawing((8.2, 4.6), path) as figure:
        ax = figure.add_subplot()
        for index, (name, make) in enumerate(LAYERS.items()):
            low, median, high = np.quantile(norms_over_seeds(make, distance, seeds), [0.1, 0.5, 0.9], axis=1)
            stroke = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
            ax.plot(k, median, label=name, markevery=(index, max(1, distance // 8)), **stroke)
            ax.fill_between(k, low, high, color=COLOURS[index], alpha=0.15, linewidth=0)
            ends[f"{name}: × {factor(median):.2f} a step"] = median[-1]
        logarithmic(ax, [1.0, *ends.values()])
        ax.set(xlim=(0, distance), xlabel="k, steps back from the loss", ylabel="‖∂L / ∂state‖")
        ax.set_title("How much of a gradient is left k steps back, before any training")
        ax.grid()
        ax.axhline(LOST, color="0.5", linewidth=0.8, linestyle=":")
        ax.text(0.82 * distance, LOST / 3, "lost beside 1 in float32", ha="right", va="top")
        said = "L = v · h at the last step, ‖v‖ = 1; inputs standard normal\n"
        said += f"line: median of {seeds * SEQUENCES} sequences; band: the middle 80%"
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        ax.text(0.02, 0.03, said, size=9, linespacing=1.4, transform=ax.transAxes, bbox=paper)
        name_ends(ax, ends)
    return figure


def name_ends(ax, ends):
    """Write beside the end of each curve what it is; names that would touch move up."""
    ax.figure.draw_without_rendering()  # the scale is known only now
    points = 72 / ax.figure.dpi
    free = -np.inf  # the lowest height, in points, at which the next name may stand
    for name, value in sorted(ends.items(), key=lambda end: end[1]):
        end = points * ax.transData.transform((0, value))[1]
        place = max(end, free)
        ax.annotate(name, (1, value), (8, place - end), ("axes fraction", "data"), "offset points", va="center")
        free = place + 1.3 * 72 * EM
