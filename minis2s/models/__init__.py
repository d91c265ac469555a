"""Encoder, decoders, and the models they make."""

from .attention_decoder import AttentionDecoder
from .bridge import Bridge
from .decoder import Decoder, PlainDecoder
from .encoder import Encoder
from .seq2seq import Encoded, Seq2Seq, Seq2SeqConfig

__all__ = [
    "AttentionDecoder",
    "Bridge",
    "Decoder",
    "Encoded",
    "Encoder",
    "PlainDecoder",
    "Seq2Seq",
    "Seq2SeqConfig",
]
