"""The pictures of what was measured."""

from ..plots import COLOURS, MARKERS, drawing
from .contestants import OURS
from .race import median, paired, quartiles
from .workloads import BEST_FORM, SPLIT

LABELS = {OURS: OURS, BEST_FORM: "PyTorch, best form"}


def ratios(rows, path=None):
    """Our time over PyTorch's, a row a workload and rival: median, quartiles, and the limit to reach -> Figure"""
    pairs = [(row, rival) for row in rows for rival in row["limits"] if rival in row["contestants"]]
    if not pairs:
        raise ValueError("there are no ratios to draw: nothing was measured against PyTorch")
    with drawing((7.2, 0.8 + 0.3 * len(pairs)), path) as figure:
        ax = figure.subplots()
        looks = [{"color": COLOURS[n], "marker": MARKERS[n], "linestyle": "none"} for n in (0, 2)]
        for label, look in zip(("minis2s", "its batch split among threads"), looks, strict=True):
            ax.plot([], [], label=label, **look)
        for y, (row, rival) in enumerate(pairs):
            found = row["contestants"]
            split = [name for name in found if name.startswith(SPLIT)]
            for name, look in zip([OURS, *split], looks, strict=False):
                low, middle, high = quartiles(paired(found, name, rival))
                ax.plot([low, high], [y, y], color=look["color"], linestyle="-")
                ax.plot(middle, y, **look)
            for limit in row["limits"][rival]:
                ax.plot(limit, y, color=COLOURS[1], marker="|", markersize=11, linestyle="none")
        ax.plot([], [], color=COLOURS[1], marker="|", markersize=11, linestyle="none", label="to reach")
        ax.axvline(1, color="0.7", linestyle="-", linewidth=0.8, zorder=0)
        ax.set_yticks(range(len(pairs)), [f"{row['name']}, {rival}" for row, rival in pairs])
        ax.set_xlim(left=0)
        ax.set_ylim(len(pairs) - 0.5, -0.5)
        ax.set_xlabel("time of minis2s / time of PyTorch")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def scaling(rows, path=None):
    """Time and memory of a step over T and over the batch -> Figure"""
    with drawing((7.2, 5.2), path) as figure:
        axes = figure.subplots(2, 2, sharex="col")
        for column, varied in zip(axes.T, ("T", "batch"), strict=True):
            points = [row for row in rows if row["varied"] == varied]
            for number, name in enumerate((OURS, BEST_FORM)):
                found = [(row["value"], row["contestants"][name]) for row in points if name in row["contestants"]]
                values = [value for value, _ in found]
                stroke = {"marker": MARKERS[number], "label": LABELS[name]}
                column[0].plot(values, [1e3 * median(one["seconds"]) for _, one in found], **stroke)
                column[1].plot(values, [one["bytes"] / 1e6 for _, one in found], **stroke)
            column[1].set_xlabel(varied)
            for ax in column:
                ax.set_ylim(bottom=0)
                ax.set_xlim(left=0)
                ax.grid()
        axes[0, 0].set_ylabel("ms a step")
        axes[1, 0].set_ylabel("peak memory, MB")
        axes[0, 1].legend(loc="upper left")
    return figure
