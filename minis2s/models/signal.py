"""Document 000's model: an encoder-decoder over vectors instead of words.

    h_t = cell(x_t, h_{t-1})                                           encoder
    s_0 = h_S,  s_t = cell(y_{t-1}, s_{t-1}),  y_0 = 0                 (7.7)
    y_t = s_t W + b                                                    (7.8)

y_t is a vector, so the loss is the mean squared error, and what the decoder is fed may be its own output, through
which the gradient flows back: no choice is made that could not be differentiated.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_floats, expect_positive
from ..layer import Composite, zeros_like
from ..nn import Linear, Stack
from ..nn.linear import LinearCache
from .decoder import joined, runs_of_known_inputs


@dataclass(frozen=True)
class SignalConfig:
    """Sizes as document 000 has them."""

    input_size: int = 10
    hidden_size: int = 20
    output_size: int = 10
    cell: str = "lstm"
    layers: int = 1


class SignalCache(NamedTuple):
    encoder: Any
    features: Any
    runs: list  # (start, stop, cache) of the steps run as one sequence


class SignalSeq2Seq(Composite):
    """An encoder-decoder over continuous vectors.

    source (S,B,D) vectors, lengths (B,), y (T,B,V) vectors 0 y_1 … y_{T-1} -> outputs (T,B,V), None
    """

    def __init__(self, config, rng, dtype="float32"):
        self.config = config
        stack = {"hidden_size": config.hidden_size, "rng": rng, "layers": config.layers, "dtype": dtype}
        self.encoder = Stack(config.cell, config.input_size, **stack)
        self.decoder = Stack(config.cell, config.output_size, **stack)
        self.output = Linear(config.hidden_size, config.output_size, rng, dtype=dtype)

    def forward(self, source, lengths, y, teacher_forcing=1.0, rng=None):
        """Where a step is not fed y_{t-1} it is fed the output before it; of y then only the length counts."""
        expect_floats("y", y, ("T", source.shape[1], self.config.output_size), self.dtype)
        xp = array_module(y)
        (_, states), encoder_cache = self.encoder.forward(source, lengths=lengths)
        fed, features, outputs, runs = y.copy(), [], [], []
        for start, stop in runs_of_known_inputs(len(y), teacher_forcing, rng):
            if start > 0:
                fed[start] = outputs[-1][-1]
            (ss, states), cache = self.decoder.forward(fed[start:stop], states)  # (7.7)
            features.append(ss)
            outputs.append(self.output.forward(ss)[0])  # (7.8)
            runs.append((start, stop, cache))
        return (joined(xp, outputs), None), SignalCache(encoder_cache, joined(xp, features), runs)

    def backward(self, doutputs, dalphas, cache):
        """doutputs (T,B,V), None -> dsource (S,B,D), None, dy (T,B,V)"""
        expect_floats("doutputs", doutputs, (*cache.features.shape[:2], self.config.output_size), self.dtype)
        if dalphas is not None:
            raise ValueError("dalphas must be None: this model has no attention")
        doutputs, dy, dstates = doutputs.copy(), zeros_like(doutputs), None
        for start, stop, run in reversed(cache.runs):
            dss = self.output.backward(doutputs[start:stop], LinearCache(cache.features[start:stop]))  # (7.8)'
            dfed, dstates = self.decoder.backward(dss, dstates, run)  # (7.7)'
            dy[start:stop] = dfed
            if start > 0:  # this step was fed an output, not y
                doutputs[start - 1] += dfed[0]
                dy[start] = 0
        dsource, _ = self.encoder.backward(None, dstates, cache.encoder)
        return dsource, None, dy

    def generate(self, source, steps, lengths=None):
        """Free running: every step is fed the output before it.  source (S,B,D) -> outputs (T,B,V)"""
        expect_positive(steps=steps)
        y = zeros_like(source, (steps, source.shape[1], self.config.output_size))
        (outputs, _), _ = self.forward(source, lengths, y, teacher_forcing=0.0)
        return outputs
