"""Encoder, decoders, and the models they make."""

from .attention_decoder import AttentionDecoder
from .bridge import Bridge
from .combine_decoder import CombineDecoder
from .context_decoder import ContextDecoder
from .decoder import Decoder, PlainDecoder
from .encoder import Encoder
from .gated_decoder import GatedDecoder
from .luong_decoder import LuongDecoder
from .seq2seq import Seq2Seq, Seq2SeqConfig
from .step_decoder import StepDecoder

__all__ = [
    "AttentionDecoder",
    "Bridge",
    "CombineDecoder",
    "ContextDecoder",
    "Decoder",
    "Encoder",
    "GatedDecoder",
    "LuongDecoder",
    "PlainDecoder",
    "Seq2Seq",
    "Seq2SeqConfig",
    "StepDecoder",
]
