"""The gates of an LSTM that has learnt to count open brackets, character by character over a line of code."""

from string import ascii_lowercase

import numpy as np

from ..contracts import expect_positive
from ..layer import Composite
from ..nn import LSTM, Embedding, Linear, SoftmaxCrossEntropy
from ..optim import Adam, clip_by_global_norm
from ..plots import drawing

OTHERS = ascii_lowercase + "+-*,"
CHARACTERS = "()" + OTHERS
OPEN, CLOSE, DEEPEST = 0, 1, 3
LINE = "max(abs(a-b),f(g(x)*y))+z"
# What is drawn, and the lowest value that it can take; the highest is always 1.
PARTS = {
    "i": ("i: what to write", 0),
    "f": ("f: what to keep", 0),
    "g": ("g: new content", -1),
    "o": ("o: what to show", 0),
    "tanh_c": ("tanh c: the cell", -1),
}
LENGTH, BATCH_SIZE, LEARNING_RATE = 24, 16, 0.03


class BracketCounter(Composite):
    """Says after every character how many brackets are open.  ids (T,B) -> logits (T,B,4)"""

    def __init__(self, hidden_size, rng):
        self.embedding = Embedding(len(CHARACTERS), 8, rng)
        self.lstm = LSTM(8, hidden_size, rng)
        self.output = Linear(hidden_size, DEEPEST + 1, rng)

    def forward(self, ids):
        x, embedding_cache = self.embedding.forward(ids)
        (hs, state), lstm_cache = self.lstm.forward(x)
        logits, output_cache = self.output.forward(hs)
        return (logits, state), (embedding_cache, lstm_cache, output_cache)

    def backward(self, dlogits, cache):
        embedding_cache, lstm_cache, output_cache = cache
        dx, _ = self.lstm.backward(self.output.backward(dlogits, output_cache), None, lstm_cache)
        self.embedding.backward(dx, embedding_cache)


def random_line(rng):
    """LENGTH characters in which every bracket is closed, none deeper than DEEPEST."""
    line, depth = "", 0
    for left in range(LENGTH, 0, -1):
        chance = rng.random()
        if depth == left or (depth > 0 and chance < 0.2):
            line, depth = line + ")", depth - 1
        elif depth < DEEPEST and depth + 1 < left and chance > 0.8:
            line, depth = line + "(", depth + 1
        else:
            line += OTHERS[rng.integers(len(OTHERS))]
    return line


def encode(lines):
    """Lines of one length -> ids (T,B), how many brackets are open after each character (T,B)"""
    ids = np.array([[CHARACTERS.index(character) for character in line] for line in lines]).T
    return ids, ((ids == OPEN).astype(int) - (ids == CLOSE)).cumsum(axis=0)


def trained_counter(hidden_size, steps, seed):
    """A BracketCounter after so many steps on random lines."""
    rng = np.random.default_rng(seed)
    model, loss, optimiser = BracketCounter(hidden_size, rng), SoftmaxCrossEntropy(), Adam(LEARNING_RATE)
    for step in range(steps):
        ids, depths = encode([random_line(rng) for _ in range(BATCH_SIZE)])
        (logits, _), cache = model.forward(ids)
        _, loss_cache = loss.forward(logits, depths)
        model.zero_grad()
        model.backward(loss.backward(1.0, loss_cache), cache)
        clip_by_global_norm(model.grads, 1.0)
        optimiser.lr = LEARNING_RATE * (1 - step / steps)
        optimiser.update(model.params, model.grads)
    return model


def activations(model, line):
    """What the LSTM does over a line -> its i, f, g, o, tanh_c and c by name, each (T,H); the model's answers (T,)"""
    (logits, (_, cT)), (_, lstm_cache, _) = model.forward(encode([line])[0])
    steps = [step for step, _ in lstm_cache.caches]
    found = {part: np.concatenate([getattr(step, part) for step in steps]) for part in PARTS}
    found["c"] = np.concatenate([*(step.c_prev for step in steps[1:]), cT])
    return found, logits.argmax(axis=-1)[:, 0]


def by_count(cells, depths):
    """The units in the order of the correlation of c with the count, whatever its sign.  cells (T,H), depths (T,)"""
    correlations = [abs(np.corrcoef(c, depths)[0, 1]) for c in cells.T]
    return np.argsort(correlations)[::-1]


def gate_activations(path=None, hidden_size=4, steps=800, seed=3):
    """Draw i, f, g, o and tanh c of every unit over a line of code, and c of the unit that goes best with the count.

    The units stand in the order in which their c is correlated with the number of open brackets.
    Source: Gers & Schmidhuber 2001 (LSTMs count); drawn as by Karpathy et al. 2016.
    """
    expect_positive(hidden_size=hidden_size, steps=steps)
    with drawing((8.4, 7.2), path) as figure:
        found, _ = activations(trained_counter(hidden_size, steps, seed), LINE)
        depths = encode([LINE])[1][:, 0]
        order = by_count(found["c"], depths)
        count, *maps = figure.subplots(1 + len(PARTS), sharex=True, height_ratios=[1.6] + [1] * len(PARTS))
        places = np.arange(len(LINE)) + 0.5
        count.step(places, depths, where="mid", label="open brackets")
        count.plot(places, found["c"][:, order[0]], label="c of unit 1", marker="o")
        count.set(yticks=range(DEEPEST + 1), ylim=(None, DEEPEST + 1.4))
        count.set_title("An LSTM that has learnt to count open brackets reads a line of code")
        count.legend(ncols=2, loc="upper left")
        count.grid(axis="y")
        for ax, (part, (label, low)) in zip(maps, PARTS.items(), strict=True):
            mesh = ax.pcolormesh(found[part][:, order].T, vmin=low, vmax=1, edgecolors="0.9", linewidth=0.4)
            ax.set(ylim=(hidden_size, 0))
            ax.set_yticks(np.arange(hidden_size) + 0.5, range(1, hidden_size + 1))
            ax.set_ylabel(label, rotation=0, ha="right", va="center")
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
            bar = figure.colorbar(mesh, ax=ax, aspect=8, pad=0.01, ticks=(low, (low + 1) / 2, 1), format="{x:g}")
            bar.outline.set_visible(False)
        maps[-1].set_xticks(places, LINE)
    return figure
