"""Figures in one style: where attention looks, how a run learns. Each function returns its Figure."""

from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import fonts
from .atomic import write_atomically
from .backend import to_numpy

# The palette of Okabe and Ito, which the colour-blind can tell apart; dashes and markers do as much in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000"]
DASHES = ["-", (0, (5, 2)), "-.", (0, (1, 1)), (0, (8, 2, 1, 2, 1, 2)), (0, (3, 3))]
MARKERS = ["o", "s", "^", "D", "v", "x"]
INK = "0.25"
# Said again of each label, for axes that were made outside style().
TEXT = {"family": fonts.FAMILIES, "size": fonts.SIZE, "color": INK, "parse_math": False}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW = 40  # points of a curve, at most, that are marked one by one

# Lengths in inches.
CELL = 0.24  # the side of a heat map's cells
GAP = 0.4  # between heat maps
PAGE = 9.5  # a heat map that would end beyond it starts a new line

# Without the day and the version of matplotlib, equal figures are equal files.
METADATA = {
    ".png": {"Software": None},
    ".svg": {"Creator": None, "Date": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


@contextmanager
def style():
    """The style of the figures here, for your own too: `with style(): ...`; rcParams end as they were."""
    require_matplotlib()
    import matplotlib.style
    from cycler import cycler

    fonts.register()
    ours = {
        "font.family": fonts.FAMILIES, "font.size": fonts.SIZE, "text.parse_math": False,
        "text.hinting": "no_hinting", "axes.titlesize": 11, "axes.titlelocation": "left", "axes.titlepad": 8,
        "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "0.7", "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=COLOURS, linestyle=DASHES),
        "lines.linewidth": 1.4, "lines.markersize": 4, "grid.color": "0.9", "grid.linewidth": 0.7,
        "legend.frameon": False, "legend.handlelength": 3.2, "text.color": INK, "axes.labelcolor": INK,
        "xtick.color": "0.7", "ytick.color": "0.7", "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "image.cmap": "Blues", "figure.dpi": 120, "savefig.dpi": 200, "savefig.bbox": "tight",
        "svg.hashsalt": "minis2s",
    }  # fmt: skip
    with matplotlib.style.context(["default", ours]):
        yield


@contextmanager
def drawing(size, path=None, layout="constrained"):
    """A new Figure of `size` inches in the style, written to `path` when all is drawn.

    with drawing((7, 3), path) as figure: ...
    Raises, before anything is drawn, ValueError where path ends in none of .png, .svg, .pdf; FileNotFoundError where
    its folder is missing; ImportError without matplotlib.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    path = checked(path)
    with style():
        figure = Figure(size, layout=layout)
        yield figure
        written(figure, path)


def attention_heatmap(alpha, source, target, path=None, title=None, ax=None):
    """Draw where each output token looks: alpha (T,S), source S tokens, target T tokens -> Figure.

    Row t is the distribution of output token t over the source: sum_s alpha[t, s] = 1. After figure 3 of
    Bahdanau et al. (2015). Drawn into `ax` and written to `path` (.png, .svg, .pdf) where these are given.
    Raises ValueError where alpha does not fit the tokens, a row is no distribution or path ends otherwise;
    FileNotFoundError where the folder of path is missing; ImportError without matplotlib.
    """
    if ax is None:
        return attention_heatmaps([(alpha, source, target)], path, title)
    heatmap, path = _heatmap(alpha, source, target), checked(path)
    with style():
        _colour_bar(_draw(heatmap, ax), ax.inset_axes([1.03, 0, 0.025, 1]))
        if title:
            ax.set_title(fonts.drawable(title), **TEXT)
        return written(ax.figure, path)


def attention_heatmaps(examples, path=None, title=None):
    """Draw several (alpha, source, target) as attention_heatmap does: equal cells, one scale of colours.

    A fourth element of an example is what to write over it, in one line or more.
    Raises as attention_heatmap does, and ValueError where there is no example.
    """
    require_matplotlib()
    heatmaps = [_heatmap(*example) for example in examples]
    if not heatmaps:
        raise ValueError("examples is empty: a figure needs at least one (alpha, source, target)")
    boxes, width, height = _flow(heatmaps, top=0.3 if title else 0)
    with drawing((width, height), path, layout=None) as figure:

        def axes(left, top, wide, high):
            return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))

        meshes = [_draw(heatmap, axes(*box)) for heatmap, box in zip(heatmaps, boxes, strict=True)]
        _, top, _, high = boxes[0]
        right = max(left + each.wide for each, (left, line, *_) in zip(heatmaps, boxes, strict=True) if line == top)
        _colour_bar(meshes[0], axes(right + CELL, top, CELL / 2, max(high, 3 * CELL)))
        if title:
            figure.text(0, 1, fonts.drawable(title), size=11, va="top")
    return figure


def learning_curve(log, path=None, title=None, losses=("loss", "valid_loss"), scores=("exact_match",)):
    """Draw how a run learns: log, a list of dicts with "step" and any of `losses` and `scores` -> Figure.

    Losses on a logarithmic scale, scores in a panel below; a value that is missing or None is passed over.
    Raises ValueError where an entry has no step or nothing can be drawn; for the path, as attention_heatmap.
    """
    require_matplotlib()
    from cycler import cycler
    from matplotlib import rcParams
    from matplotlib.ticker import MaxNLocator

    for number, entry in enumerate(log):
        if "step" not in entry:
            raise ValueError(f"log[{number}] has no 'step', only {', '.join(map(repr, entry)) or 'nothing'}")
    kinds = {"loss": _curves(log, losses), "score": _curves(log, scores)}
    panels = [(kind, curves) for kind, curves in kinds.items() if curves]
    if not panels:
        raise ValueError(f"log has no finite {' or '.join((*losses, *scores))} in its {len(log)} entries")
    with drawing((6.4, 0.8 + 1.9 * len(panels)), path) as figure:
        all_axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
        strokes = (cycler(marker=MARKERS) + rcParams["axes.prop_cycle"])()  # endless, and one for both panels
        for ax, (kind, curves) in zip(all_axes, panels, strict=True):
            for name, points in curves.items():
                stroke = next(strokes) | ({"marker": ""} if len(points) > FEW else {})
                ax.plot(*zip(*points, strict=True), label=fonts.drawable(name.replace("_", " ")), **stroke)
            ax.set_ylabel(kind)
            ax.grid()
            ax.legend()
            if kind == "loss":
                logarithmic(ax, [value for points in curves.values() for _, value in points])
        all_axes[-1].set_xlabel("step")
        all_axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        all_axes[-1].xaxis.set_major_formatter("{x:,.0f}")
        if title:
            all_axes[0].set_title(fonts.drawable(title))
        figure.align_ylabels()
    return figure


class _Heatmap(NamedTuple):
    """What a heat map shows, and the inches that it takes."""

    alpha: np.ndarray  # (T,S)
    above: list  # the labels of the source, each with its angle
    beside: list  # the labels of the target
    name: str  # what is written over it

    @property
    def size(self):
        return CELL * len(self.above), CELL * len(self.beside)

    @property
    def wide(self):
        return max(self.size[0], *map(fonts.length, self.name.split("\n")))

    @property
    def margin(self):
        left, top = map(fonts.length, self.beside), (fonts.height(*label) for label in self.above)
        name = fonts.height(self.name, 0) + 0.1 if self.name else 0
        return max(left) + 0.1, max(top) + 0.1 + name


def _heatmap(alpha, source, target, name=""):
    """One example, or ValueError where alpha does not belong to the tokens or is no attention."""
    alpha, T, S = np.asarray(to_numpy(alpha)), len(target), len(source)
    if T == 0 or S == 0:
        raise ValueError(f"a heat map needs tokens on both sides, got {T} target and {S} source tokens")
    if alpha.shape != (T, S):
        raise ValueError(f"alpha is {alpha.shape}, but {T} target and {S} source tokens ask for ({T}, {S})")
    for token, row in zip(target, alpha, strict=True):
        if not (row.min() >= 0 and abs(row.sum() - 1) < 1e-3):  # not a number is no weight either
            raise ValueError(
                f"alpha's row for the target token {token!r} sums to {row.sum():.4g} with a minimum of "
                f"{row.min():.4g}: attention weights are at least 0 and sum to 1 over the source"
            )
    above = [fonts.standing(fonts.label(token)) for token in source]
    return _Heatmap(alpha, above, [fonts.label(token) for token in target], fonts.drawable(name))


def _flow(heatmaps, top):
    """Set heat maps like words in lines: their cells as (left, top, wide, high), the size of the whole."""
    lines, right = [], PAGE
    for heatmap in heatmaps:
        if right + heatmap.margin[0] + heatmap.wide > PAGE:
            lines.append([])
            right = 0
        left = right + heatmap.margin[0]
        lines[-1].append((left, heatmap))
        right = left + heatmap.wide + GAP
    boxes = []
    for line in lines:
        top += max(heatmap.margin[1] for _, heatmap in line)
        boxes += [(left, top, *heatmap.size) for left, heatmap in line]
        top += max(heatmap.size[1] for _, heatmap in line) + GAP
    return boxes, max(left + heatmap.wide for line in lines for left, heatmap in line) + 3 * CELL, top - GAP


def _draw(heatmap, ax):
    """Colour the cells and write the tokens, source along the top, target downwards."""
    T, S = heatmap.alpha.shape
    mesh = ax.pcolormesh(heatmap.alpha, vmin=0, vmax=1, edgecolors="0.9", linewidth=0.4)
    ax.set(aspect="equal", xlim=(0, S), ylim=(T, 0))
    ax.set_xticks(np.arange(S) + 0.5, [label for label, _ in heatmap.above], **TEXT)
    ax.set_yticks(np.arange(T) + 0.5, heatmap.beside, **TEXT)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    for text, (_, angle) in zip(ax.get_xticklabels(), heatmap.above, strict=True):
        text.set_rotation(angle)
    if heatmap.name:
        ax.set_title(heatmap.name, **TEXT)
    return mesh


def _colour_bar(mesh, ax):
    """The scale of alpha, from 0 to 1."""
    bar = ax.figure.colorbar(mesh, cax=ax)
    bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"], **TEXT)
    bar.outline.set(edgecolor="0.9", linewidth=0.4)
    ax.tick_params(length=0)
    ax.set_title("α", loc="center", pad=6, **TEXT)


def _curves(log, names):
    """The points (step, value) of each name that has a finite value in the log."""
    curves = {}
    for name in names:
        points = [(entry["step"], entry[name]) for entry in log if entry.get(name) is not None]
        if any(np.isfinite(value) for _, value in points):
            curves[name] = points
    return curves


def logarithmic(ax, values):
    """A logarithmic y-axis for the values above 0, its ticks plain numbers or, far from 1, powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    positive = [value for value in values if 0 < value < np.inf]
    if positive:
        decades = np.log10(max(positive) / min(positive))
        step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if decades <= 8 * step)
        ax.set_yscale("log", nonpositive="mask")
        ax.yaxis.set_major_locator(LogLocator(10.0**step, (1, 2, 5) if decades < 3 else (1,)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(lambda value, _: _number(value))


def _number(value):
    """0.001, 20, 10⁻⁸"""
    mantissa, exponent = f"{value:e}".split("e")
    if -4 <= int(exponent) < 5:
        return f"{value:g}"
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if float(mantissa) == 1 else f"{float(mantissa):g}·{power}"


def checked(path):
    """The path to write to, or the error that writing would end in."""
    if path is None:
        return None
    path = Path(path)
    if path.suffix not in METADATA:
        raise ValueError(f"path must end in {', '.join(METADATA)}, got {str(path)!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path is {str(path)!r}, but there is no folder {str(path.parent)!r}")
    return path


def written(figure, path):
    """The figure, in the file too where there is a path: the whole picture or the file as it was."""
    if path is not None:
        options = {"format": path.suffix[1:], "metadata": METADATA[path.suffix]}
        write_atomically(path, lambda file: figure.savefig(file, **options))
    return figure


def require_matplotlib():
    """ImportError that says what to install, unless matplotlib is there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as missing:
        raise ImportError('figures need matplotlib: pip install "minis2s[plot]"') from missing
