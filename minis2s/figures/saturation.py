"""Sigmoid and tanh beside their derivatives: where they saturate, nothing flows back."""

import numpy as np

from ..functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from ..plots import drawing

FUNCTIONS = {"sigmoid": (sigmoid, sigmoid_backward), "tanh": (tanh, tanh_backward)}
DERIVATIVES = {"sigmoid": "y (1 − y) ≤ 1/4", "tanh": "1 − y² ≤ 1"}
RANGE = 6.0


def derivative(name, x):
    """dy/dx, from the library's backward function.  x (N,) -> (N,)"""
    function, backward = FUNCTIONS[name]
    return backward(np.ones_like(x), function(x))


def saturates_at(name, share):
    """The x > 0 from which the derivative is less than this share of its largest, that at 0.

    tanh' = 1 - y^2 = share, so y = sqrt(1 - share); sigmoid(x) = (1 + tanh(x / 2)) / 2 is as far at twice the x.
    """
    x = np.arctanh(np.sqrt(1 - share))
    return 2 * x if name == "sigmoid" else x


def saturation(path=None, share=0.1):
    """Draw y and dy/dx of both functions, and shade where dy/dx is less than `share` of its largest.

    Raises ValueError unless 0 < share < 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, both excluded, got {share!r}")
    x = np.linspace(-RANGE, RANGE, 481)
    with drawing((8.2, 3.6), path) as figure:
        for (name, (function, _)), ax in zip(FUNCTIONS.items(), figure.subplots(1, 2, sharey=True), strict=True):
            ax.plot(x, function(x), label=f"y = {name}(x)")
            ax.plot(x, derivative(name, x), label=f"dy/dx = {DERIVATIVES[name]}")
            edge = saturates_at(name, share)
            for side in (-1, 1):
                ax.axvspan(side * edge, side * RANGE, color="0.92", linewidth=0)
                ax.axvline(side * edge, color="0.5", linewidth=0.8, linestyle=":")
            said = f"saturated:\n|x| > {edge:.2f}\ndy/dx\n< {share * derivative(name, np.zeros(1))[0]:.3g}"
            ax.text((edge + RANGE) / 2, -0.55, said, size=9, ha="center", va="center", linespacing=1.3)
            ax.set(xlabel="x", xlim=(-RANGE, RANGE), ylim=(-1.1, 1.1), xticks=range(-4, 5, 2), yticks=(-1, 0, 1))
            ax.grid()
            ax.legend(loc="lower left", bbox_to_anchor=(-0.03, 1), ncols=2, columnspacing=1.5)
    return figure
