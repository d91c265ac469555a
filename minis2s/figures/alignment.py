"""Where attention looks while it translates a date, and where the truth is."""

import numpy as np

from ..data.dates import date_alignment
from ..plots import attention_heatmaps, checked, style, written
from .trained import trained

DATES = {"task": "dates", "train": 12_000, "valid": 1, "test": 300, "embedding_size": 24, "hidden_size": 48}
LONG_FORMATS = "星期"  # they alone spell the weekday out
MAX_LENGTH = 40


def share_on_truth(alphas, true):
    """How much of the attention lies where it should, over the rows of which that is known.

    alphas (T,S), true: for each row the set of its columns, or None -> ()
    """
    return np.mean([row[sorted(columns)].sum() for row, columns in zip(alphas, true, strict=False) if columns])


def fields(true):
    """The sets of columns as rectangles, one a field -> lists of first row, rows, first column, columns"""
    found = []
    for row, columns in enumerate(true):
        if columns and row > 0 and columns == true[row - 1]:
            found[-1][1] += 1
        elif columns:
            found.append([row, 1, min(columns), len(columns)])
    return found


def alignment(path=None, steps=350):
    """Draw where a model looks while it translates a date that it has never seen, and outline where it should look.

    The date is the first of the held-out ones, in a long format, that the model translates to the last character.
    Raises ValueError where there is none, ImportError without Babel.
    """
    path = checked(path)
    translator, splits = trained(**DATES, steps=steps)
    found = translator.translate([pair.source for pair in splits.test], max_length=MAX_LENGTH)
    right = [(t, date_alignment(*pair)) for t, pair in zip(found, splits.test, strict=True) if t.text == pair.target]
    shown, true = next((each for each in right if LONG_FORMATS in each[0].text), (None, None))
    if shown is None:
        raise ValueError(f"after {steps} steps the model translates no date in a long format: train for more")
    here = share_on_truth(shown.alphas, true)
    everywhere = np.mean([share_on_truth(t.alphas, columns) for t, columns in right])
    title = f"Outlined: where these rows should look; {here:.0%} of their attention is there "
    title += f"({everywhere:.0%} over {len(right)} held-out dates)"
    with style():
        figure = attention_heatmaps([(shown.alphas, shown.source_tokens, shown.target_tokens)], title=title)
        for row, rows, column, columns in fields(true):
            outline(figure.axes[0], row, rows, column, columns)
        return written(figure, path)


def outline(ax, row, rows, column, columns):
    from matplotlib.patches import Rectangle

    look = {"fill": False, "clip_on": False, "zorder": 3}
    for colour, width in (("white", 3.4), ("black", 1.6)):  # a rim, to be seen on every shade
        ax.add_patch(Rectangle((column, row), columns, rows, edgecolor=colour, linewidth=width, **look))
