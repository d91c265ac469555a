"""Document 002 §5 as a model: self-attention says a token for every token of its source, all at once.

    x_t = E[source_t] + p_t                                            (11.4)
    a_t = x_t + SelfAttention(x)_t                                     (11.5)
    logits_t = a_t W + b

Self-attention by itself does not know what comes first: p_t, fixed waves of different lengths, tells it the place.
Source: Vaswani et al. 2017, §3.2 and §3.5.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_floats, expect_ids
from ..layer import Composite
from ..nn import Embedding, Linear, SelfAttention


@dataclass(frozen=True)
class TaggerConfig:
    """`size` is that of embedding and attention alike."""

    input_size: int
    output_size: int
    size: int = 64
    heads: int = 1
    causal: bool = False


class TaggerCache(NamedTuple):
    embedding: Any
    attention: Any
    output: Any


class Tagger(Composite):
    """Embedding, places, self-attention, one output for every position.

    source (T,B) ids, lengths (B,) -> logits (T,B,V), alphas (B,heads,T,T)
    """

    def __init__(self, config, rng, dtype="float32"):
        self.config = config
        self.embedding = Embedding(config.input_size, config.size, rng, dtype=dtype)
        self.attention = SelfAttention(config.size, rng, config.heads, config.causal, dtype)
        self.output = Linear(config.size, config.output_size, rng, dtype=dtype)

    def forward(self, source, lengths=None):
        expect_ids("source", source, self.config.input_size, ("T", "B"))
        x, embedding_cache = self.embedding.forward(source)
        x = x + positional_encoding(x)  # (11.4)
        (y, alphas), attention_cache = self.attention.forward(x, lengths)
        logits, output_cache = self.output.forward(x + y)  # (11.5)
        return (logits, alphas), TaggerCache(embedding_cache, attention_cache, output_cache)

    def backward(self, dlogits, dalphas, cache):
        """dlogits (T,B,V), dalphas (B,heads,T,T) or None; adds to all gradients, ids have none."""
        expect_floats("dlogits", dlogits, (*cache.output.x.shape[:2], self.config.output_size), self.dtype)
        if dalphas is not None:
            expect_floats("dalphas", dalphas, cache.attention.alphas.shape, self.dtype)
        da = self.output.backward(dlogits, cache.output)  # (11.5)': x goes both past the attention and through it
        dx = da + self.attention.backward(da, dalphas, cache.attention)
        self.embedding.backward(dx, cache.embedding)  # (11.4)'


def positional_encoding(x):
    """p_t,2i = sin(t / 10000^(2i/D)), p_t,2i+1 = cos of the same.  x (T,B,D) -> p (T,1,D)"""
    xp = array_module(x)
    T, _, D = x.shape
    waves = xp.arange(T)[:, None] / 10000.0 ** (2 * (xp.arange(D) // 2) / D)[None, :]
    p = xp.where(xp.arange(D) % 2 == 0, xp.sin(waves), xp.cos(waves))
    return p.astype(x.dtype)[:, None, :]
