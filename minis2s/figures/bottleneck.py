"""The bottleneck: how long a text fits into one vector, and what attention makes of it."""

from ..contracts import expect_positive
from ..plots import COLOURS, DASHES, MARKERS, checked, drawing
from .trained import trained

MODELS = {
    "attention to states of 32": {"attention": "additive", "hidden_size": 32},
    "one vector of 64": {"attention": "none", "hidden_size": 64},
    "one vector of 32": {"attention": "none", "hidden_size": 32},
}
PAIRS = {"task": "reverse", "train": 8_000, "valid": 1, "test": 1_000, "longer": 1_000}
SIZES = {"embedding_size": 16, "bidirectional": False}


def accuracy_at(translator, pairs, longest):
    """The share of the pairs that the model writes to the last letter, by the length of the source -> dict"""
    right = {}
    found = translator.translate([pair.source for pair in pairs], max_length=longest + 1)
    for pair, translation in zip(pairs, found, strict=True):
        right.setdefault(len(pair.source), []).append(translation.text == pair.target)
    return {length: sum(right[length]) / len(right[length]) for length in sorted(right)}


def bottleneck(path=None, length=12, longest=18, steps=700):
    """Draw the share of texts that are written from right to left without a mistake, against their length.

    Three models have had the same steps of training on texts of up to `length` letters, and are asked for held-out ones
    of up to `longest`: two that keep of the source their last state alone, one that looks back at all states.
    Raises ValueError where longest is not above length.
    Source: Cho et al. 2014b (On the Properties of Neural Machine Translation), §5.1; Bahdanau et al. 2015, §5.1.
    """
    expect_positive(length=length, longest=longest, steps=steps)
    path = checked(path)
    curves = {}
    for name, model in MODELS.items():
        translator, splits = trained(**PAIRS, length=length, longest=longest, **SIZES, **model, steps=steps)
        curves[name] = accuracy_at(translator, splits.test + splits.more["longer"], longest)
    with drawing((7.5, 3.6), path) as figure:
        ax = figure.add_subplot()
        ax.axvspan(1, length + 0.5, color="0.93", linewidth=0)
        for index, (name, curve) in enumerate(curves.items()):
            stroke = {"color": COLOURS[index], "linestyle": DASHES[index], "marker": MARKERS[index]}
            ax.plot(curve.keys(), curve.values(), label=name, clip_on=False, **stroke)
        for x, said in ((1, "lengths in training"), (length + 0.5, "longer than any in training")):
            ax.text(x + 0.15, 1.1, said, size=9, va="center")
        ax.set(xlim=(1, longest + 0.5), ylim=(0, 1.18), xlabel="letters in the source", ylabel="exact match")
        ax.set_xticks(range(2, longest + 1, 2))
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
        ax.set_title(f"Texts written from right to left without a mistake, after {steps} steps of training", pad=28)
        ax.grid(axis="y")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3)
    return figure
