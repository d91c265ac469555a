"""The sequence-to-sequence model: an encoder, a decoder, and between them all that the one tells the other."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..contracts import expect_choice, expect_positive, expect_shape
from ..layer import Composite
from ..nn import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention, PositionAttention
from .attention_decoder import AttentionDecoder
from .bridge import Bridge
from .combine_decoder import CombineDecoder
from .context_decoder import ContextDecoder
from .decoder import PlainDecoder
from .encoder import Encoder
from .gated_decoder import GatedDecoder
from .luong_decoder import LuongDecoder

ATTENTIONS = ("none", "additive", "dot", "general", "concat", "position")

# How the source reaches the decoder: without attention, and with it.
WITHOUT_ATTENTION = ("state", "every step", "every step and output")
WITH_ATTENTION = ("input", "output", "output fed back", "combined input", "gate")


@dataclass(frozen=True)
class Seq2SeqConfig:
    """Everything that has to be known to build the model.

    Document 004 calls these input_dim, output_dim, emb_dim, hid_dim, n_layers and dropout; 000, 002 and 003 say
    input_size, hidden_size and output_size, as here.
    context: without attention "state" (the first state only), "every step", "every step and output"; with it "input"
    (Bahdanau), "output" (Luong), "output fed back" (Luong's input feeding), "combined input" (003 §5.3), "gate".
    None: "state" or "input".
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
    dropout: float = 0.0  # of embeddings, and between layers
    output_dropout: float = 0.0  # of what the output layer reads (Zaremba et al. 2014, §3.1)
    context: str | None = None
    max_length: int | None = None  # places that attention by position knows
    reset_after: bool = True  # of a GRU: PyTorch's form, else that of Cho et al. 2014
    layer_norm: bool = False
    tied: bool = False  # the output layer's matrix is the target embedding's

    def __post_init__(self):
        expect_positive(input_size=self.input_size, output_size=self.output_size)
        if self.attention_size is not None:
            expect_positive(attention_size=self.attention_size)


class Seq2SeqCache(NamedTuple):
    encoder: Any
    bridge: Any
    decoder: Any


class Seq2Seq(Composite):
    """Encoder and decoder, joined.

    source (S,B) ids, lengths (B,), y (T,B) ids <start> y_1 … y_{T-1} -> logits (T,B,V), alphas (T,B,S) or None
    Raises ValueError for a config whose parts do not fit.
    """

    def __init__(self, config, rng, dtype="float32"):
        expect_choice("attention", config.attention, ATTENTIONS)
        context = config.context or ("state" if config.attention == "none" else "input")
        fitting = WITHOUT_ATTENTION if config.attention == "none" else WITH_ATTENTION
        expect_choice(f"context (with attention {config.attention!r})", context, fitting)
        self.config = config
        stack = {"cell": config.cell, "layers": config.layers, "dropout": config.dropout}
        stack |= {"layer_norm": config.layer_norm, "dtype": dtype}
        if config.cell == "gru":
            stack["reset_after"] = config.reset_after
        E, H = config.embedding_size, config.hidden_size
        self.encoder = Encoder(config.input_size, E, H, rng, bidirectional=config.bidirectional, **stack)
        if config.bidirectional:
            parts = len(self.encoder.rnn.layers[0].left_to_right.states)
            self.bridge = Bridge(config.layers, parts, H, H, rng, dtype)
        options = stack | {"tied": config.tied, "output_dropout": config.output_dropout}
        self.decoder = self.make_decoder(context, rng, dtype, options)

    def make_decoder(self, context, rng, dtype, options):
        sizes = self.config.output_size, self.config.embedding_size, self.config.hidden_size, rng
        match context:
            case "state":
                return PlainDecoder(*sizes, **options)
            case "every step":
                return ContextDecoder(*sizes, **options)
            case "every step and output":
                return ContextDecoder(*sizes, output_reads_context=True, **options)
            case "input":
                return AttentionDecoder(*sizes, self.make_attention(rng, dtype), **options)
            case "output":
                return LuongDecoder(*sizes, self.make_attention(rng, dtype), input_feeding=False, **options)
            case "output fed back":
                return LuongDecoder(*sizes, self.make_attention(rng, dtype), **options)
            case "combined input":
                attention = self.make_attention(rng, dtype, extra=self.config.embedding_size)
                return CombineDecoder(*sizes, attention, **options)
            case "gate":
                return GatedDecoder(*sizes, self.make_attention(rng, dtype), **options)

    def make_attention(self, rng, dtype, extra=0):
        """The config's kind of attention; `extra`: by how much queries are larger than the hidden size."""
        config = self.config
        query_size, source_size = config.hidden_size + extra, self.encoder.rnn.output_size
        match config.attention:
            case "dot":
                return DotAttention(query_size, source_size)
            case "general":
                return GeneralAttention(query_size, source_size, rng, dtype)
            case "position":
                if config.max_length is None:
                    raise ValueError("attention 'position' needs max_length, the longest source it will meet; got None")
                return PositionAttention(query_size, source_size, config.max_length, rng, dtype)
            case kind:
                make = AdditiveAttention if kind == "additive" else ConcatAttention
                return make(query_size, source_size, config.attention_size or config.hidden_size, rng, dtype)

    def encode(self, source, lengths=None, rng=None):
        """source (S,B) ids, lengths (B,) -> hs (S,B,H), the decoder's first states; caches of encoder and bridge"""
        (hs, states), encoder_cache = self.encoder.forward(source, lengths, rng)
        bridge_cache = None
        if self.config.bidirectional:
            states, bridge_cache = self.bridge.forward(states)
        return (hs, states), (encoder_cache, bridge_cache)

    def begin(self, source, lengths=None):
        """All that decoding needs of the source -> states, memory; and a cache"""
        (hs, states), _ = self.encode(source, lengths)
        return self.decoder.begin(states, hs, lengths)

    def forward(self, source, lengths, y, teacher_forcing=1.0, rng=None):
        """Without an rng there is no dropout; teacher forcing between 0 and 1 needs one."""
        (hs, states), caches = self.encode(source, lengths, rng)
        expect_shape("y", y, ("T", source.shape[1]))
        out, decoder_cache = self.decoder.forward(y, states, hs, lengths, teacher_forcing, rng)
        return out, Seq2SeqCache(*caches, decoder_cache)

    def backward(self, dlogits, dalphas, cache):
        """Adds to all gradients; the inputs are ids and have none."""
        _, dstates, dhs = self.decoder.backward(dlogits, dalphas, cache.decoder)
        if self.config.bidirectional:
            dstates = self.bridge.backward(dstates, cache.bridge)
        self.encoder.backward(dhs, dstates, cache.encoder)
