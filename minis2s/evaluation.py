"""What a model does on data that it was not trained on."""

from typing import NamedTuple

from .data.batches import batches_by_length
from .data.vocabulary import PAD, UNK
from .decoding import greedy
from .nn import SoftmaxCrossEntropy


class Evaluation(NamedTuple):
    """What a model does on data it was not trained on.

    loss: -log p(target) a token, each target token given the true ones before it, which is how a likelihood is
    defined; exact: the share of sentences that decoding, which never sees the target, gets right to the last token.
    """

    loss: float
    exact: float


def evaluate(model, examples, batch_size=256):
    """Loss per token and exact matches of decoded sentences on held-out examples -> Evaluation"""
    right = 0
    for positions, batch in batches_by_length(examples, batch_size):
        moved = batch.for_model(model)
        decoded = greedy(model, moved.source, moved.source_lengths, max_length=2 * len(batch.y))
        for position, hypothesis in zip(positions, decoded, strict=True):
            target = list(examples[position].target)
            right += hypothesis.ids == target and UNK not in target  # <unk> for <unk> is no translation
    return Evaluation(held_out_loss(model, examples, batch_size), right / len(examples))


def held_out_loss(model, examples, batch_size=256):
    """The mean of -log p a token, each target token given the true ones before it; nothing is decoded."""
    loss = SoftmaxCrossEntropy(ignore_index=PAD)
    total = tokens = 0
    for _, batch in batches_by_length(examples, batch_size):
        batch = batch.for_model(model)
        (logits, _), _ = model.forward(batch.source, batch.source_lengths, batch.y)
        total += float(loss.forward(logits, batch.targets)[0]) * batch.tokens
        tokens += batch.tokens
    return total / tokens
