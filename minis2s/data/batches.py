"""From pairs of id lists to padded arrays, time first.

The one place where batches are made and moved: ids are checked on the CPU, where a bad one can be named (a GPU
would wrap it around silently), and go to the device as they are. Lengths stay on the CPU, which steers the loops over
time.
"""

from typing import Any, NamedTuple

import numpy as np

from ..backend import device_of, to_device
from ..contracts import expect_positive
from .vocabulary import END, PAD, START

CHUNK = 50


class Example(NamedTuple):
    """A source and a target as lists of ids, without <start> and <end>."""

    source: list
    target: list


class Batch(NamedTuple):
    """Examples side by side, padded with <pad>.

    source (S,B), source_lengths (B,) or None without padding, y (T,B) <start> y_1 … y_n, targets (T,B) y_1 … y_n <end>,
    tokens: how many targets are real. A source ends with <end> as well, so that none is empty.
    """

    source: Any
    source_lengths: Any
    y: Any
    targets: Any
    tokens: int

    def to(self, device):
        """The batch with its ids on 'cpu' or 'gpu'; the lengths stay on the CPU."""
        source, y, targets = to_device((self.source, self.y, self.targets), device)
        return self._replace(source=source, y=y, targets=targets)

    def split(self, parts):
        """The same sentences in so many parts (fewer, if they are fewer) -> a list of ((number,), Batch)

        Each is cut to its own longest source and target.
        """
        found, B = [], self.source.shape[1]
        for number, rows in enumerate(np.array_split(np.arange(B), min(parts, B))):
            rows = slice(rows[0], rows[-1] + 1)
            source, lengths, targets = self.source[:, rows], self.source_lengths, self.targets[:, rows]
            if lengths is not None:
                lengths = lengths[rows]
                source = source[: lengths.max()]
            real = targets != PAD
            T = int(real.sum(axis=0).max())
            found.append(((number,), Batch(source, lengths, self.y[:T, rows], targets[:T], int(real.sum()))))
        return found

    def for_model(self, model):
        """The batch where a Seq2Seq is; ValueError, before anything is moved, for an id that it has no word for."""
        expect_known("source", self.source, model.config.input_size)
        expect_known("y", self.y, model.config.output_size)
        expect_known("targets", self.targets, model.config.output_size)
        return self.to(model.device)


def expect_known(name, ids, size):
    """ValueError that names the first example of a batch with an id outside 0..size-1.  ids (T,B)

    Of ids that lie on a GPU already nothing is asked: it would have to be waited for.
    """
    if device_of(ids) == "cpu" and (ids.min() < 0 or ids.max() >= size):
        b, t = np.argwhere(((ids < 0) | (ids >= size)).T)[0]
        raise ValueError(f"{name} holds the id {ids[t, b]}, outside 0..{size - 1}, in example {b} of the batch")


def encode_pairs(pairs, source_vocabulary, target_vocabulary, source_split, target_split):
    """Text pairs to Examples: split into tokens, each token to its id."""
    sources = [source_vocabulary.encode(source_split(pair.source)) for pair in pairs]
    targets = [target_vocabulary.encode(target_split(pair.target)) for pair in pairs]
    return list(map(Example, sources, targets))


def make_batch(examples):
    """One Batch of the examples, in their order; ValueError if there are none."""
    if not examples:
        raise ValueError("examples is empty; a batch needs at least one")
    source = padded([[*example.source, END] for example in examples])
    y = padded([[START, *example.target] for example in examples])
    targets = padded([[*example.target, END] for example in examples])
    lengths = np.array([len(example.source) + 1 for example in examples])
    return Batch(source, lengths, y, targets, int(sum(len(example.target) + 1 for example in examples)))


def padded(sequences):
    """Lists of ids as columns of one array, filled up with <pad>.  B lists -> ids (T,B)"""
    ids = np.full((max(map(len, sequences)), len(sequences)), PAD, dtype=np.int64)
    for b, sequence in enumerate(sequences):
        ids[: len(sequence), b] = sequence
    return ids


def batches_by_length(examples, batch_size, rng=None):
    """A list of Batches that waste little padding: examples of similar length go together.

    With an rng the examples are shuffled first and sorted only within chunks of 50 batches, and the batches
    come in random order, so that every epoch is different. Without one everything is sorted, and a list of
    (positions in `examples`, Batch) comes back, to put results in order again.
    """
    expect_positive(batch_size=batch_size)
    if not examples:
        raise ValueError("examples is empty; there is nothing to make batches of")

    def by_length(index):
        return len(examples[index].source), len(examples[index].target)

    order = list(range(len(examples))) if rng is None else rng.permutation(len(examples)).tolist()
    chunk = len(order) if rng is None else CHUNK * batch_size
    groups = []
    for start in range(0, len(order), chunk):
        ranked = sorted(order[start : start + chunk], key=by_length)
        groups += [ranked[first : first + batch_size] for first in range(0, len(ranked), batch_size)]
    if rng is None:
        return [(group, make_batch([examples[index] for index in group])) for group in groups]
    return [make_batch([examples[index] for index in groups[g]]) for g in rng.permutation(len(groups))]
