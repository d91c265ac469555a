"""The sequence-to-sequence model: an encoder, a decoder, and between them all that the one tells the other."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..contracts import expect_choice, expect_shape
from ..layer import Composite
from .attention_decoder import AttentionDecoder
from .bridge import Bridge
from .decoder import PlainDecoder
from .encoder import Encoder

ATTENTIONS = ("none", "additive")


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Everything that has to be known to build the model.

    Document 004 calls these input_dim, output_dim, emb_dim, hid_dim, n_layers and dropout.
    """

    input_size: int  # source vocabulary
    output_size: int  # target vocabulary
    embedding_size: int = 64
    hidden_size: int = 128
    layers: int = 1
    cell: str = "gru"
    bidirectional: bool = True
    attention: str = "additive"
    attention_size: int | None = None  # None: hidden_size
    dropout: float = 0.0


class Encoded(NamedTuple):
    """What the encoder tells the decoder: hs (S,B,H), states, lengths (B,)."""

    hs: Any
    states: tuple
    lengths: Any


class Seq2SeqCache(NamedTuple):
    encoder: Any
    bridge: Any
    decoder: Any


class Seq2Seq(Composite):
    """Encoder and decoder, joined.

    source (S,B) ids, lengths (B,), y (T,B) ids <start> y_1 … y_{T-1} -> logits (T,B,V), alphas (T,B,S) or None
    """

    def __init__(self, config, rng, dtype="float32"):
        expect_choice("attention", config.attention, ATTENTIONS)
        self.config = config
        sizes = {"embedding_size": config.embedding_size, "hidden_size": config.hidden_size}
        sizes |= {"rng": rng, "dtype": dtype}
        stack = {"cell": config.cell, "layers": config.layers, "dropout": config.dropout}
        self.encoder = Encoder(config.input_size, bidirectional=config.bidirectional, **sizes, **stack)
        if config.bidirectional:
            parts = len(self.encoder.rnn.layers[0].left_to_right.states)
            self.bridge = Bridge(config.layers, parts, config.hidden_size, config.hidden_size, rng, dtype)
        if config.attention == "none":
            self.decoder = PlainDecoder(config.output_size, **sizes, **stack)
        else:
            self.decoder = AttentionDecoder(
                config.output_size,
                source_size=self.encoder.rnn.output_size,
                attention_size=config.attention_size or config.hidden_size,
                **sizes,
                **stack,
            )

    def encode(self, source, lengths=None, rng=None):
        """source (S,B) ids, lengths (B,) -> Encoded, caches of encoder and bridge"""
        (hs, states), encoder_cache = self.encoder.forward(source, lengths, rng)
        bridge_cache = None
        if self.config.bidirectional:
            states, bridge_cache = self.bridge.forward(states)
        return Encoded(hs, states, lengths), (encoder_cache, bridge_cache)

    def forward(self, source, lengths, y, teacher_forcing=1.0, rng=None):
        """Without an rng there is no dropout; teacher forcing between 0 and 1 needs one."""
        expect_shape("y", y, ("T", source.shape[1]))
        encoded, caches = self.encode(source, lengths, rng)
        out, decoder_cache = self.decoder.forward(y, encoded.states, encoded.hs, lengths, teacher_forcing, rng)
        return out, Seq2SeqCache(*caches, decoder_cache)

    def backward(self, dlogits, dalphas, cache):
        """Adds to all gradients; the inputs are ids and have none."""
        _, dstates, dhs = self.decoder.backward(dlogits, dalphas, cache.decoder)
        if self.config.bidirectional:
            dstates = self.bridge.backward(dstates, cache.bridge)
        self.encoder.backward(dhs, dstates, cache.encoder)
