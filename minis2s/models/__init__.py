"""Encoder, decoders, and the models they make."""

from .attention_decoder import AttentionDecoder
from .bridge import Bridge
from .combine_decoder import CombineDecoder
from .context_decoder import ContextDecoder
from .decoder import Decoder, PlainDecoder
from .documents import document
from .encoder import Encoder
from .gated_decoder import GatedDecoder
from .luong_decoder import LuongDecoder
from .seq2seq import Seq2Seq, Seq2SeqConfig
from .signal import SignalConfig, SignalSeq2Seq
from .step_decoder import StepDecoder
from .tagger import Tagger, TaggerConfig

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
    "SignalConfig",
    "SignalSeq2Seq",
    "StepDecoder",
    "Tagger",
    "TaggerConfig",
    "document",
]
