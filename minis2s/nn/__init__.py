"""Layers, one a file: forward and backward by hand."""

from .additive import AdditiveAttention
from .attention import Attention, Memory
from .dropout import Dropout
from .embedding import Embedding
from .gru import GRU
from .linear import Linear
from .losses import MeanSquaredError, SoftmaxCrossEntropy
from .lstm import LSTM
from .recurrent import Recurrent
from .rnn import RNN
from .stack import CELLS, Bidirectional, Stack

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "RNN",
    "AdditiveAttention",
    "Attention",
    "Bidirectional",
    "Dropout",
    "Embedding",
    "Linear",
    "MeanSquaredError",
    "Memory",
    "Recurrent",
    "SoftmaxCrossEntropy",
    "Stack",
]
