"""Four sentences of different lengths in one batch: the padding, and the three places where a mask keeps it out."""

from typing import NamedTuple

import numpy as np

from ..data.batches import encode_pairs, make_batch
from ..data.pairs import Pair
from ..data.tokenisers import characters, words
from ..data.vocabulary import PAD, SPECIALS, Vocabulary
from ..models import Encoder
from ..nn import DotAttention, SoftmaxCrossEntropy
from ..plots import drawing

# From Tatoeba, under CC BY 2.0 FR.
PAIRS = [
    Pair("Where is the hotel?", "旅馆在哪里？"),
    Pair("Thank you.", "谢谢。"),
    Pair("See you tomorrow.", "明天见。"),
    Pair("Wait!", "等等！"),
]
SIZE = 8


class Masked(NamedTuple):
    """A batch as the library sees it, a row a sentence.

    source (B,S), target (B,T): tokens; lengths (B,), of the sources; changes (B,S): ‖h_t - h_{t-1}‖ in the encoder;
    alphas (B,S): the attention of one query; weights (B,T): what each target token counts in the loss.
    """

    source: list
    target: list
    lengths: np.ndarray
    changes: np.ndarray
    alphas: np.ndarray
    weights: np.ndarray


def masked(pairs=PAIRS, seed=0):
    """Encode pairs as one batch, attend to it, and take the loss of logits, parameters and all else random -> Masked"""
    rng = np.random.default_rng(seed)
    sources, targets = (Vocabulary.build(map(split, side)) for split, side in zip((words, characters), zip(*pairs)))
    batch = make_batch(encode_pairs(pairs, sources, targets, words, characters))
    encoder, attention = Encoder(len(sources), SIZE, SIZE, rng, cell="gru"), DotAttention(SIZE, SIZE)
    (hs, _), _ = encoder.forward(batch.source, batch.source_lengths)
    queries = 8 * rng.standard_normal((1, len(pairs), SIZE)).astype(hs.dtype)
    (_, alphas), _ = attention.forward(queries, hs, batch.source_lengths)
    logits = rng.standard_normal((*batch.targets.shape, len(targets)))
    _, loss_cache = SoftmaxCrossEntropy(ignore_index=PAD).forward(logits, batch.targets)
    return Masked(
        [[sources.tokens[id] for id in row] for row in batch.source.T],
        [[targets.tokens[id] for id in row] for row in batch.targets.T],
        batch.source_lengths,
        np.linalg.norm(np.diff(hs, axis=0, prepend=0), axis=2).T,
        alphas[0],
        loss_cache.scale.T,
    )


def padding_and_masks(path=None, seed=0):
    """Draw the tokens of a batch, and what becomes of its padding: in encoder, attention and loss it counts nothing.

    A row a sentence; the arrays themselves have time first. The three masks are those of (6.3), (9.2) and (5.3).
    """
    found = masked(seed=seed)
    padded, target_padded = (np.array(tokens) == SPECIALS[PAD] for tokens in (found.source, found.target))
    share = f"1/{1 / found.weights.max():.0f}"
    with drawing((9.4, 4.8), path) as figure:
        figure.get_layout_engine().set(wspace=0.06, hspace=0.06)
        (source, state), (target, attention) = figure.subplots(2, 2)
        draw_grid(source, "Source, padded to the longest", found.source, 0 * found.changes, padded)
        beside = padded.shape[1] + 0.15
        source.text(beside, -0.1, "length", size=9, ha="center", va="bottom")
        for row, length in enumerate(found.lengths):
            source.text(beside, row + 0.5, str(length), ha="center", va="center")
        title = "Encoder: ‖hₜ − hₜ₋₁‖; padding carries the state"
        draw_grid(state, title, numbers(found.changes), found.changes, padded)
        title = f"Target: a token counts {share} in the loss, padding 0"
        draw_grid(target, title, found.target, found.weights, target_padded)
        title = "Attention: the weights of one query; padding has 0"
        draw_grid(attention, title, numbers(found.alphas), found.alphas, padded)
    return figure


def numbers(values):
    """Values as texts; what is exactly 0 has no digits."""
    return [[f"{value:.2f}" if value else "0" for value in row] for row in values]


def draw_grid(ax, title, texts, values, padded):
    """A cell a token, a row a sentence, the darker the larger its value; padding is hatched."""
    highest = 2 * values.max() or 1  # half of the scale stays unused: letters on the darkest cells can still be read
    ax.pcolormesh(values, vmin=0, vmax=highest, edgecolors="0.75", linewidth=0.6)
    ax.pcolor(np.ma.array(0 * values, mask=~padded), vmin=0, edgecolor="0.85", hatch="////", linewidth=0.6)
    for (row, column), pad in np.ndenumerate(padded):
        text = texts[row][column]
        size = 9 if text.isascii() else 11
        ax.text(column + 0.5, row + 0.5, text, size=size, color="0.45" if pad else "0.1", ha="center", va="center")
    ax.set_axis_off()
    ax.set(title=title, ylim=(len(texts), 0))
