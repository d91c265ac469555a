"""A recurrent cell unrolled over time: what flows forward, and the gradient's way back, as wide as it is large."""

from typing import NamedTuple

import numpy as np

from ..contracts import expect_choice, expect_positive
from ..nn import RNN, Linear, SoftmaxCrossEntropy
from ..plots import COLOURS, INK, drawing

LOSSES = ("every step", "last step")
INPUT_SIZE, HIDDEN_SIZE, CLASSES = 4, 8, 5
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

# A unit is the way from one step to the next.
UNIT = 1.55  # inches
POINT = 1 / (72 * UNIT)  # in units
ROWS = {"x": 0.0, "h": 0.85, "y": 1.7, "L": 2.45}
RADIUS, HEAD, GAP = 0.19, 0.06, 0.03
ASIDE = 0.07  # an arrow keeps to the left of the line between two nodes, the one back to its own left
WIDEST, THINNEST = 8.0, 0.5  # points


class WayBack(NamedTuple):
    """The gradients of L that pass along each arrow, a row a step."""

    logits: np.ndarray  # from L_t to y_t
    output: np.ndarray  # from y_t to h_t
    past: np.ndarray  # from h_t to h_{t-1}
    input: np.ndarray  # from h_t to x_t


def way_back(steps, losses="every step", seed=0):
    """Run an RNN with an output layer on random inputs and carry the gradient of L = sum_t L_t back -> WayBack"""
    rng = np.random.default_rng(seed)
    rnn = RNN(INPUT_SIZE, HIDDEN_SIZE, rng, dtype="float64")
    output = Linear(HIDDEN_SIZE, CLASSES, rng, dtype="float64")
    x = rng.standard_normal((steps, 1, INPUT_SIZE))
    targets = rng.integers(CLASSES, size=(steps, 1))
    counted = np.ones((steps, 1)) if losses == "every step" else np.eye(steps)[:, -1:]
    loss = SoftmaxCrossEntropy()
    (hs, _), cache = rnn.forward(x)
    logits, output_cache = output.forward(hs)
    _, loss_cache = loss.forward(logits, targets, counted)
    dlogits = loss.backward(float(counted.sum()), loss_cache)  # of the sum over the steps, not of their mean
    dhs = output.backward(dlogits, output_cache)
    dxas, dpasts, dfuture = np.empty_like(hs), np.empty_like(hs), np.zeros_like(hs[0])
    for t in reversed(range(steps)):
        dxas[t], (dfuture,) = rnn.step_backward((dhs[t] + dfuture,), cache.caches[t])
        dpasts[t] = dfuture
    return WayBack(*(d[:, 0] for d in (dlogits, dhs, dpasts, rnn.project_backward(dxas))))


def unrolled_graph(path=None, steps=5, losses="every step", seed=0):
    """Draw the graph of h_t = tanh(x_t Wx + h_{t-1} Wh + b), y_t = h_t Wy + by, L = sum_t L_t over a few steps.

    Beside each arrow back stands the norm of the gradient that passes along it; all of them meet in h_t, and are added.
    losses: "every step", or "last step" for a loss there alone.
    Source: Werbos 1990; drawn as figure 2 of Pascanu et al. 2013.
    """
    expect_positive(steps=steps)
    expect_choice("losses", losses, LOSSES)
    norms = WayBack(*(np.linalg.norm(d, axis=1) for d in way_back(steps, losses, seed)))
    scale = WIDEST / max(map(np.max, norms))
    left, right, bottom, top = -0.3, steps + 0.45, -0.3, ROWS["L"] + 0.45
    with drawing((UNIT * (right - left), UNIT * (top - bottom)), path, layout=None) as figure:
        ax = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(bottom, top))
        ax.set_axis_off()
        draw_node(ax, "h", 0)
        for t in range(1, steps + 1):
            draw_edge(ax, ("x", t), ("h", t), "Wx", norms.input[t - 1], scale)
            draw_edge(ax, ("h", t - 1), ("h", t), "Wh", norms.past[t - 1], scale)
            draw_edge(ax, ("h", t), ("y", t), "Wy", norms.output[t - 1], scale)
            if losses == "every step" or t == steps:
                draw_edge(ax, ("y", t), ("L", t), "", norms.logits[t - 1], scale)
                draw_node(ax, "L", t)
            for kind in "xhy":
                draw_node(ax, kind, t)
        title = "Forward (solid), and the gradient’s way back (dashed, as wide as its norm)"
        ax.text(left, top, title, size=11, va="top")
    return figure


def draw_node(ax, kind, t):
    from matplotlib.patches import Circle

    face = "0.88" if kind == "h" else "white"
    ax.add_patch(Circle((t, ROWS[kind]), RADIUS, facecolor=face, edgecolor=INK, linewidth=1.2))
    ax.text(t, ROWS[kind], f"{kind}{t}".translate(SUBSCRIPTS), ha="center", va="center", size=12)


def draw_edge(ax, start, end, weights, norm, scale):
    """The arrow forward from one node (kind, t) to another and, where a gradient comes, the arrow back beside it."""
    start, end = (np.array([t, ROWS[kind]]) for kind, t in (start, end))
    draw_arrow(ax, start, end, 1.2, INK, "-", weights)
    if norm > 0:
        draw_arrow(ax, end, start, max(THINNEST, scale * norm), COLOURS[1], (0, (1.5, 0.5)), f"{norm:.2f}")


def draw_arrow(ax, start, end, width, colour, dashes, label):
    """An arrow between the rims of two nodes, a little to its left; its label stands farther to the left."""
    ahead = (end - start) / np.linalg.norm(end - start)
    left = np.array([-ahead[1], ahead[0]])
    tail, tip = start + (RADIUS + GAP) * ahead + ASIDE * left, end - (RADIUS + GAP) * ahead + ASIDE * left
    half = HEAD / 2 + 0.8 * POINT * width
    neck = tip - (HEAD / 2 + half) * ahead
    ax.plot(*zip(tail, neck), color=colour, linewidth=width, linestyle=dashes, dash_capstyle="butt")
    ax.fill(*zip(tip, neck + half * left, neck - half * left), color=colour, linewidth=0)
    sides = {"ha": ("right", "center", "left"), "va": ("top", "center", "bottom")}
    place = {key: names[1 + round(part)] for (key, names), part in zip(sides.items(), left)}
    ax.text(*((tail + tip) / 2 + (half + GAP) * left), label, size=9, **place)
