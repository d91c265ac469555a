"""Teacher forcing beside free running: what one wrong token does when it is fed to the next step."""

from typing import NamedTuple

import numpy as np

from ..data.batches import make_batch
from ..data.vocabulary import END, START
from ..decoding import greedy
from ..functional import softmax
from ..plots import COLOURS, checked, drawing
from .trained import trained

NUMBERS = {"task": "numbers", "source_tokens": "lowercase words", "train": 6_000, "valid": 1, "test": 600}
NUMBERS |= {"embedding_size": 24, "hidden_size": 32, "bidirectional": False}
LONGEST = 9  # steps that can be drawn
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

# A unit is the way from one step to the next.
UNIT = 1.05  # inches
FED, STATE, SAID, TARGET = 0.0, 0.7, 1.45, 1.98  # the heights of the rows
SIDE = 0.46  # of a box
BEFORE, AFTER, BELOW, ABOVE, HEADING = 0.95, 0.5, 0.45, 0.55, 0.4  # margins


class Run(NamedTuple):
    """A decoder's steps, T tokens in and T out."""

    fed: list  # ids
    said: list  # ids, the likeliest of each step
    p: np.ndarray  # (T,) what the model gave each of them


def run(model, batch, fed):
    """What the decoder says at each step if this is what it is fed: a batch of one sentence, T ids -> Run"""
    (logits, _), _ = model.forward(batch.source, batch.source_lengths, np.array(fed)[:, None])
    p = softmax(logits[:, 0])
    return Run(fed, p.argmax(axis=1).tolist(), p.max(axis=1))


def both_runs(model, example):
    """Fed with the target's tokens, and fed with its own last ones -> two Runs"""
    batch = make_batch([example])
    (free,) = greedy(model, batch.source, batch.source_lengths, LONGEST)
    fed = [START, *free.ids][: len(free.ids) + free.finished]
    return run(model, batch, [START, *example.target]), run(model, batch, fed)


def wrong(said, target):
    """Of each token said, whether the target has another one in its place, or none -> T bools"""
    return [t >= len(target) or id != target[t] for t, id in enumerate(said)]


def one_slip(translator, pairs):
    """The shortest pair in which a token, the only wrong one under teacher forcing, spoils all that comes after it.

    There are right ones before it and, under teacher forcing, after it; in free running three wrong ones or more come
    after it. Raises ValueError where there is no such pair.
    """
    found = []
    for pair, example in zip(pairs, translator.encode(pairs), strict=True):
        target = [*example.target, END]
        if len(target) > LONGEST:
            continue
        forced, free = both_runs(translator.model, example)
        slips, mistakes = wrong(forced.said, target), wrong(free.said, target)
        if sum(slips) == 1 and 0 < slips.index(True) < len(slips) - 2 and free.said[-1] == END:
            spoilt = mistakes[slips.index(True) + 1 :]
            if len(spoilt) >= 3 and all(spoilt):
                found.append((max(len(free.said), len(target)), pair))
    if not found:
        raise ValueError(f"in none of {len(pairs)} pairs does one wrong token spoil the rest: train for other steps")
    return min(found)[1]


def teacher_forcing(path=None, steps=300):
    """Draw the decoder of a half-trained model twice: fed with the target's tokens, and with its own last ones.

    steps: of training. What is wrong is dark; under each token said stands the probability that the model gave it.
    Raises ValueError where the model makes no mistake that shows the difference.
    Source: Williams & Zipser 1989; Bengio et al. 2015, §1.
    """
    path = checked(path)
    translator, splits = trained(**NUMBERS, steps=steps)
    pair, tokens = one_slip(translator, splits.test), translator.target_vocabulary.tokens
    (example,) = translator.encode([pair])
    forced, free = both_runs(translator.model, example)
    target = [*example.target, END]
    width, height = BEFORE + max(len(free.fed), len(target)) - 1 + AFTER, BELOW + TARGET + ABOVE
    share = height / (2 * height + HEADING)
    with drawing((UNIT * width, UNIT * (2 * height + HEADING)), path, layout=None) as figure:
        title = f"“{pair.source}” → {pair.target}, by a model after {steps} steps of training"
        figure.text(0.01, 1, title, size=12, va="top")
        for bottom, steps_of, name in (
            (share, forced, "Teacher forcing: each step is fed with the target’s own token"),
            (0, free, "Free running: each step is fed with the token just said"),
        ):
            ax = figure.add_axes((0, bottom, 1, share), xlim=(-BEFORE, width - BEFORE), ylim=(-BELOW, TARGET + ABOVE))
            ax.set_axis_off()
            count = f"{sum(wrong(steps_of.said, target))} of {len(steps_of.said)} wrong"
            ax.text(0.01 * width - BEFORE, TARGET + ABOVE, f"{name}; {count}", size=11, va="top")
            draw_run(ax, steps_of, target, tokens, forced=steps_of is forced)
    return figure


def draw_run(ax, steps, target, tokens, forced):
    """The decoder unrolled, from what it is fed upwards to what it says and what it should say."""
    is_wrong = wrong(steps.said, target)
    for name, y in {"fed": FED, "state": STATE, "says": SAID, "target": TARGET}.items():
        ax.text(-0.4, y, name, ha="right", va="center", size=9, color="0.4")
    for t, (fed, said, p) in enumerate(zip(*steps, strict=True)):
        draw_box(ax, t, FED, tokens[fed], dark=not forced and t > 0 and is_wrong[t - 1])
        draw_box(ax, t, STATE, f"s{t + 1}".translate(SUBSCRIPTS), face="0.9")
        draw_box(ax, t, SAID, tokens[said], f"{p:.2f}", dark=is_wrong[t])
        if t < len(target):
            write(ax, t, TARGET, tokens[target[t]], color="0.4")
        draw_arrow(ax, (t, FED + SIDE / 2), (t, STATE - SIDE / 2))
        draw_arrow(ax, (t, STATE + SIDE / 2), (t, SAID - SIDE / 2))
        if t + 1 < len(steps.fed):
            draw_arrow(ax, (t + SIDE / 2, STATE), (t + 1 - SIDE / 2, STATE))
            x, y = (t + 0.15, TARGET) if forced else (t + SIDE / 2, SAID)
            corners = (x, y), (t + 0.5, y), (t + 0.5, FED), (t + 1 - SIDE / 2, FED)
            colour, width = (COLOURS[1], 1.8) if is_wrong[t] and not forced else (COLOURS[0], 1.2)
            draw_arrow(ax, *corners, color=colour, linewidth=width, linestyle=(0, (4, 2)))


def draw_box(ax, x, y, text, below="", face="white", dark=False):
    from matplotlib.patches import Rectangle

    ink, face, edge = ("white", COLOURS[1], "0.15") if dark else ("0.15", face, "0.4")
    corner = x - SIDE / 2, y - SIDE / 2
    ax.add_patch(Rectangle(corner, SIDE, SIDE, facecolor=face, edgecolor=edge, linewidth=1, zorder=2))
    write(ax, x, y + (0.07 if below else 0), text, color=ink)
    ax.text(x, y - 0.13, below, ha="center", va="center", size=8, color=ink)


def write(ax, x, y, token, color):
    ax.text(x, y, token, ha="center", va="center", size=13 if len(token) < 3 else 9, color=color)


def draw_arrow(ax, *points, color="0.4", linewidth=1.0, linestyle="-"):
    """An arrow through points (x, y)."""
    ax.plot(*zip(*points, strict=True), color=color, linewidth=linewidth, linestyle=linestyle, marker="", zorder=1)
    head = {"arrowstyle": "-|>", "color": color, "linewidth": 0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11}
    ax.annotate("", points[-1], points[-2], arrowprops=head)
