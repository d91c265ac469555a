"""How well a model with attention translates sources of each length, and its twin without, from their records."""

from ..contracts import expect_choice
from ..plots import drawing
from ..results import SHARES
from .records import lines


def accuracy_by_length(experiment, folder="figures/results", path=None, score=None):
    """Draw a score of the test pairs against the length of their sources, a line a seed, twin beside twin.

    score: one that the records have by length; None: the first BLEU, else the first. A point stands in the middle of
    the lengths that it is about, a thin line over all of them.
    Source: Bahdanau et al. 2015, figure 2.
    Raises FileNotFoundError where `folder` has no record of the experiment, ValueError for a score that is not there.
    """
    found = lines(experiment, folder)
    known = list(found[0].record["by_length"][0]["scores"])
    if score is None:
        score = next((name for name in known if name.startswith("bleu")), known[0])
    expect_choice("score", score, known)
    scale, unit = (100, ", %") if score in SHARES else (1, "")
    with drawing((7.2, 3.8), path) as figure:
        ax = figure.add_subplot()
        for label, stroke, record in found:
            groups = [group for group in record["by_length"] if group["scores"][score] is not None]
            middles = [(group["from"] + group["to"]) / 2 for group in groups]
            values = [scale * group["scores"][score] for group in groups]
            ax.plot(middles, values, label=label, clip_on=False, **stroke)
            ax.hlines(
                values,
                [group["from"] for group in groups],
                [group["to"] for group in groups],
                color=stroke["color"],
                linewidth=0.6,
            )
        ax.set(title=f"{experiment}, by length", xlabel="length of the source, tokens")
        ax.set(ylabel=score.replace("bleu", "BLEU").replace("_", " ") + unit)
        ax.set(xlim=(0, None), ylim=(0, 105 if unit else None))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid()
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    return figure
