"""Layers, one a file: forward and backward by hand."""

from .additive import AdditiveAttention
from .attention import Attention, Memory
from .concat import ConcatAttention
from .dot import DotAttention, GeneralAttention
from .dropout import Dropout
from .embedding import Embedding
from .gru import GRU
from .linear import Linear
from .losses import MeanSquaredError, SoftmaxCrossEntropy
from .lstm import LSTM
from .position import PositionAttention
from .recurrent import Recurrent
from .rnn import RNN
from .self_attention import SelfAttention
from .stack import CELLS, Bidirectional, Stack
from .tied_linear import TiedLinear

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "ConcatAttention",
    "DotAttention",
    "Dropout",
    "Embedding",
    "GeneralAttention",
    "Linear",
    "MeanSquaredError",
    "Memory",
    "PositionAttention",
    "Recurrent",
    "SelfAttention",
    "SoftmaxCrossEntropy",
    "Stack",
    "TiedLinear",
]
