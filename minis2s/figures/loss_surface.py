"""The loss of a recurrent network with a single unit: a plateau, a valley, and a cliff between them."""

import numpy as np

from ..contracts import expect_positive
from ..nn.rnn import rnn_cell, rnn_cell_backward
from ..optim import SGD, clip_by_global_norm
from ..plots import COLOURS, drawing

H0, TARGET = 0.5, 0.7
START, LEARNING_RATE, CLIP, DESCENT = (1.2, -0.3), 0.1, 1.0, 25
W, B = (0.6, 1.8), (-0.4, 0.35)


def loss_and_gradient(w, b, steps):
    """L = (h_T - 0.7)^2 of h_t = tanh(w h_{t-1} + b) from h_0 = 0.5, and its gradient.

    w (N,1), b (N,1) -> L (N,1), dL/dw (N,1), dL/db (N,1)
    """
    h = np.full_like(w, H0)
    h_prevs, caches = [], []
    for _ in range(steps):
        h_prevs.append(h)
        h, cache = rnn_cell(w * h + b)
        caches.append(cache)
    dw, db, dh = np.zeros_like(w), np.zeros_like(b), 2 * (h - TARGET)
    for h_prev, cache in zip(reversed(h_prevs), reversed(caches), strict=True):
        da = rnn_cell_backward(dh, cache)
        dw, db, dh = dw + da * h_prev, db + da, da * w
    return (h - TARGET) ** 2, dw, db


def descent(steps, clip=None):
    """The way of gradient descent from START, with or without clipping -> places (DESCENT+1,2), gradient norms"""
    params = {"w": np.full((1, 1), START[0]), "b": np.full((1, 1), START[1])}
    optimiser = SGD(LEARNING_RATE)
    places, norms = [], []
    for _ in range(DESCENT + 1):
        _, dw, db = loss_and_gradient(params["w"], params["b"], steps)
        grads = {"w": dw, "b": db}
        places.append((params["w"].item(), params["b"].item()))
        norms.append(float(clip_by_global_norm(grads, np.inf if clip is None else clip)))
        optimiser.update(params, grads)
    return np.array(places), np.array(norms)


def loss_surface(path=None, steps=50):
    """Draw L over (w, b) as a landscape and as a map, with gradient descent as it is and with its gradient clipped.

    Where w > 1 the unit has two states that it keeps. The cliff is where h_0 lies on the border between what ends in
    the one and what ends in the other: there the least change of w or b, repeated at every step, decides.
    Source: Pascanu et al. 2013, §2.3 and figure 6 (there with a sigmoid), clipping §3.2.
    """
    expect_positive(steps=steps)
    with drawing((9.2, 4.1), path) as figure:
        draw_landscape(figure.add_subplot(1, 2, 1, projection="3d"), steps)
        draw_map(figure.add_subplot(1, 2, 2), steps)
    return figure


def surface(across, along, steps):
    """L on a grid.  -> w, b, L, each (along,across)"""
    w, b = np.meshgrid(np.linspace(*W, across), np.linspace(*B, along))
    return w, b, loss_and_gradient(w.reshape(-1, 1), b.reshape(-1, 1), steps)[0].reshape(w.shape)


def draw_landscape(ax, steps):
    w, b, loss = surface(121, 1001, steps)
    # Of each slice, points at equal distances along the curve, so that the wall of the cliff has its share.
    far = np.zeros_like(loss)
    far[1:] = np.hypot(np.diff(b, axis=0), np.diff(loss, axis=0)).cumsum(axis=0)
    for column in range(w.shape[1]):
        equal = np.linspace(far[0, column], far[-1, column], len(far))
        b[:, column], loss[:, column] = (np.interp(equal, far[:, column], each[:, column]) for each in (b, loss))
    ax.plot_surface(w, b, loss, cmap="Blues", rcount=60, ccount=40, linewidth=0.3, edgecolor="0.35")
    ax.view_init(elev=32, azim=50)
    ax.set(xlabel="w", ylabel="b", zlabel="L", xlim=W, ylim=B, zlim=(0, loss.max()))
    ax.set(xticks=(0.6, 1.0, 1.4, 1.8), yticks=(-0.4, -0.2, 0, 0.2), zticks=(0, 1, 2))
    ax.set_title(f"The loss after {steps} steps of one unit")


def draw_map(ax, steps):
    from matplotlib.patheffects import Normal, Stroke

    mesh = ax.pcolormesh(*surface(301, 301, steps), rasterized=True)
    ax.figure.colorbar(mesh, ax=ax, label="L", ticks=(0, 1, 2), shrink=0.6)
    halo = [Stroke(linewidth=4, foreground="white"), Normal()]
    for label, clip, colour, dashes, marker in (
        ("gradient descent", None, "black", (0, (2, 1)), "s"),
        (f"gradient clipped to norm {CLIP:g}", CLIP, COLOURS[1], "-", "o"),
    ):
        places, norms = descent(steps, clip)
        ax.plot(*places.T, label=label, color=colour, linestyle=dashes, marker=marker, path_effects=halo)
        steepest = norms[:-1].argmax()
        if places[steepest + 1, 1] > B[1]:
            said = f"‖∇L‖ = {norms[steepest]:.0f}: \non to b = {places[steepest + 1, 1]:.1f} "
            ax.text(places[steepest, 0], B[1] - 0.02, said, ha="right", va="top")
    ax.set(xlim=W, ylim=B, xlabel="w", ylabel="b")
    ax.set_title(f"Descent from ({START[0]:g}, {START[1]:g})".replace("-", "−"))
    ax.legend(loc="upper right")
