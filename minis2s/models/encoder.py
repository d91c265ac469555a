"""The encoder: from a sentence of ids to a vector for every position, and one state for the whole."""

from typing import Any, NamedTuple

from ..contracts import expect_ids
from ..layer import Composite
from ..nn import Dropout, Embedding, Stack


class EncoderCache(NamedTuple):
    embedding: Any
    dropout: Any
    rnn: Any


class Encoder(Composite):
    """Embedding, dropout, recurrent layers.

    source (S,B) ids, lengths (B,) -> hs (S,B,H), states: one for each layer
    With bidirectional=True, hs is (S,B,2H) and each layer's state a pair, left-to-right and right-to-left.
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, dropout=0.0, dtype="float32", **stack):
        self.embedding = Embedding(vocabulary_size, embedding_size, rng, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.rnn = Stack(
            input_size=embedding_size, hidden_size=hidden_size, rng=rng, dropout=dropout, dtype=dtype, **stack
        )

    def forward(self, source, lengths=None, rng=None):
        expect_ids("source", source, len(self.embedding.params["W"]), ("S", "B"))
        x, embedding_cache = self.embedding.forward(source)
        x, dropout_cache = self.dropout.forward(x, rng)
        out, rnn_cache = self.rnn.forward(x, lengths=lengths, rng=rng)
        return out, EncoderCache(embedding_cache, dropout_cache, rnn_cache)

    def backward(self, dhs, dstates, cache):
        dx, _ = self.rnn.backward(dhs, dstates, cache.rnn)
        self.embedding.backward(self.dropout.backward(dx, cache.dropout), cache.embedding)
