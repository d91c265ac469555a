"""Beam search as a tree: all beginnings that it weighs, those that it keeps, and where greedy decoding goes."""

from itertools import count
from typing import Any, NamedTuple

import numpy as np

from ..contracts import expect_positive
from ..data.batches import make_batch
from ..data.vocabulary import END, START
from ..decoding import beam_search, greedy
from ..decoding.beam import largest, search
from ..functional import log_softmax
from ..plots import COLOURS, checked, drawing
from .teacher_forcing import NUMBERS
from .trained import trained

MAX_LENGTH = 12
SHORT = 5  # tokens, at most, of a target that is drawn

# Lengths in inches.
ACROSS, DOWN = 1.28, 0.24  # from one step to the next, from one leaf to the next
BOX, SCORE = 0.2, 0.43  # half of a token's box, and the number beside it
LEFT, RIGHT, TOP, BOTTOM = 0.35, 2.3, 0.8, 0.2

KEPT = {"color": "0.25", "linewidth": 1.0, "linestyle": "-"}
DROPPED = {"color": "0.8", "linewidth": 1.0, "linestyle": "-"}
BEST = {"color": COLOURS[0], "linewidth": 3.0, "linestyle": "-"}
GREEDY = {"color": COLOURS[1], "linewidth": 1.8, "linestyle": (0, (4, 2))}


class Node(NamedTuple):
    """A beginning of a target: that of its parent and one token more."""

    parent: Any  # None where nothing is said yet
    id: int
    score: float  # log P of all its tokens
    kept: bool  # whether it is among the likeliest of its step

    @property
    def ids(self):
        """The tokens after <start>."""
        return () if self.parent is None else (*self.parent.ids, self.id)

    def begins(self, hypothesis):
        """Whether the hypothesis goes through this node."""
        return self.ids == (*hypothesis.ids, END)[: len(self.ids)]


def tree(model, batch, width):
    """What beam search weighs: of every beam that it carries on, the `width` likeliest continuations.

    batch: of one sentence -> Nodes, step by step, each parent's children by falling score
    """
    source, lengths = batch.source, batch.source_lengths
    beams, finished = [Node(None, START, 0.0, True)], -np.inf
    nodes = list(beams)
    for step in search(model, source, lengths, width, MAX_LENGTH, length_penalty=0.0, n_best=1):
        real = step.scores[0] > -np.inf
        kept = list(zip(step.parents[0, real].tolist(), step.ys[0, real].tolist(), strict=True))
        children = {}
        for place, beam in enumerate(beams):
            if beam.id != END and beam.score > finished:  # the others have ended, or can no longer win
                (logits, _), _ = model.forward(source, lengths, np.array([[START, *beam.ids]]).T)
                (gains,), (ids,) = largest(log_softmax(logits[-1]), width)
                for gain, id in zip(gains.tolist(), ids.tolist(), strict=True):
                    children[place, id] = Node(beam, id, beam.score + gain, (place, id) in kept)
        nodes += children.values()
        beams = [children[key] for key in kept]
        finished = max([finished, *(beam.score for beam in beams if beam.id == END)])
    return nodes


def best_and_greedy(model, batch, width):
    """What beam search and greedy decoding make of a batch of one sentence -> two Hypotheses"""
    ((best,),) = beam_search(model, batch.source, batch.source_lengths, width, MAX_LENGTH)
    (first,) = greedy(model, batch.source, batch.source_lengths, MAX_LENGTH)
    return best, first


def beam_wins(translator, pairs, width):
    """Of the short pairs, that which beam search gets right and greedy decoding wrong by the most in log P.

    Raises ValueError where there is none.
    """
    found = []
    for pair, example in zip(pairs, translator.encode(pairs), strict=True):
        if len(example.target) <= SHORT:
            best, first = best_and_greedy(translator.model, make_batch([example]), width)
            if best.ids == example.target != first.ids and first.finished:
                found.append((best.score - first.score, pair))
    if not found:
        raise ValueError(f"in none of {len(pairs)} pairs does width {width} find what greedy decoding misses")
    return max(found)[1]


def beam_tree(path=None, width=3, steps=300):
    """Draw beam search on a sentence that it gets right and greedy decoding wrong, by a half-trained model.

    Numbers are log P of all tokens so far. Of every beam that is carried on the `width` likeliest continuations are
    drawn. steps: of training. Raises ValueError where there is no such sentence.
    Source: Sutskever et al. 2014, §3.2.
    """
    expect_positive(width=width)
    path = checked(path)
    translator, splits = trained(**NUMBERS, steps=steps)
    pair, tokens = beam_wins(translator, splits.test, width), translator.target_vocabulary.tokens
    batch = make_batch(translator.encode([pair]))
    best, first = best_and_greedy(translator.model, batch, width)
    nodes = tree(translator.model, batch, width)
    rows = rows_of(nodes)
    across, down = ACROSS * max(len(node.ids) for node in nodes), DOWN * max(rows.values())
    with drawing((LEFT + across + RIGHT, TOP + down + BOTTOM), path, layout=None) as figure:
        ax = figure.add_axes((0, 0, 1, 1), xlim=(-LEFT, across + RIGHT), ylim=(down + BOTTOM, -TOP))
        ax.set_axis_off()
        title = f"“{pair.source}” → {pair.target}: beam search of width {width}, and log P of all that it weighs"
        ax.text(-LEFT + 0.05, -TOP, title, size=11, va="top")
        looks = {"kept": KEPT, "dropped": DROPPED, "the best in the end": BEST, "greedy": GREEDY}
        lines = [ax.plot([], [], marker="", label=name, **look)[0] for name, look in looks.items()]
        ax.legend(handles=lines, loc="upper left", bbox_to_anchor=(0, 1 - 0.25 / figure.get_figheight()), ncols=4)
        places = {node: (ACROSS * len(node.ids), DOWN * rows[node]) for node in nodes}
        for node, (x, y) in places.items():
            draw_node(ax, x, y, tokens[node.id], node, best=node.begins(best))
            if node.parent is not None:
                parent_x, parent_y = places[node.parent]
                start = parent_x + BOX + SCORE * (node.parent.parent is not None), parent_y
                look = BEST if node.begins(best) else GREEDY if node.begins(first) else KEPT if node.kept else DROPPED
                ax.plot(*zip(start, (x - BOX, y), strict=True), marker="", **look)
        x, y = places[max((node for node in nodes if node.begins(first)), key=lambda node: len(node.ids))]
        said = f"greedy: {''.join(tokens[id] for id in first.ids)}, {minus(first.score)}"
        ax.text(x + BOX + SCORE + 0.05, y, said, color=COLOURS[1], va="center")
    return figure


def rows_of(nodes):
    """The row of every Node: leaves one below the other, a parent in the middle of its children -> dict"""
    children, rows, leaves = {}, {}, count()
    for node in nodes[1:]:
        children.setdefault(node.parent, []).append(node)

    def visit(node):
        below = children.get(node, [])
        for child in below:
            visit(child)
        rows[node] = (rows[below[0]] + rows[below[-1]]) / 2 if below else next(leaves)

    visit(nodes[0])
    return rows


def draw_node(ax, x, y, token, node, best):
    """A token, in a box if it is kept, and beside it the score."""
    from matplotlib.patches import Rectangle

    ink = "0.1" if node.kept else "0.5"
    if node.kept:
        corner, face = (x - BOX, y - 0.42 * DOWN), COLOURS[0] if best else "white"
        ax.add_patch(Rectangle(corner, 2 * BOX, 0.84 * DOWN, facecolor=face, edgecolor="0.3", linewidth=0.8, zorder=3))
    size = 12 if len(token) == 1 else 8
    ax.text(x, y, token, ha="center", va="center", size=size, color="white" if best else ink, zorder=4)
    if node.parent is not None:
        ax.text(x + BOX + 0.03, y, minus(node.score), va="center", size=9, color=ink, zorder=4)


def minus(score):
    return f"{score:.2f}".replace("-", "−")
