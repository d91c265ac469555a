"""The decoder that is told the whole source again at every step.

    c   = h_N, the state in which the decoder begins
    s_t = cell([y_{t-1} ; c], s_{t-1})                                 (7.5)
    features_t = s_t, or [s_t ; c ; y_{t-1}]                           (7.6)

In document 003 §4.2 the part of the input matrix that meets c is called W_hs; document 002 §3.2 writes
s_t = g(s_{t-1}, y_{t-1}, h_n). Source: Cho et al. 2014, §2.2 and appendix A.2, where the output layer reads all three.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from .decoder import Decoder, with_top


class Summary(NamedTuple):
    """What is remembered: c (B,H)."""

    c: Any

    def select(self, rows):
        return Summary(self.c[rows])


class ContextDecoder(Decoder):
    """A decoder with the encoder's last state as input at every step.

    y (T,B) ids, states0 -> logits (T,B,V), None
    output_reads_context=True gives the output layer [s_t ; c ; y_{t-1}] to read, else s_t alone.
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, output_reads_context=False, **options):
        self.output_reads_context = output_reads_context
        input_size = embedding_size + hidden_size
        features_size = hidden_size + input_size if output_reads_context else hidden_size
        sizes = {"input_size": input_size, "features_size": features_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, **sizes, **options)

    def begin(self, states0, hs, lengths):
        return (states0, Summary(states0[-1][0])), None

    def begin_backward(self, dstates, dmemory, cache):
        (dc,) = dmemory
        return with_top(dstates, dc), None

    def run(self, x, states, memory, rng):
        xp = array_module(x)
        c = xp.broadcast_to(memory.c, (len(x), *memory.c.shape))
        yc = xp.concatenate([x, c], axis=2)
        (ss, states), cache = self.rnn.forward(yc, states, rng=rng)  # (7.5)
        features = xp.concatenate([ss, c, x], axis=2) if self.output_reads_context else ss  # (7.6)
        return (features, None, states), cache

    def run_backward(self, dfeatures, dalphas, dstates, cache):
        H = self.hidden_size
        dss, dc, dx = dfeatures[:, :, :H], dfeatures[:, :, H : 2 * H], dfeatures[:, :, 2 * H :]  # (7.6)'
        dyc, dstates = self.rnn.backward(dss, dstates, cache)  # (7.5)'
        dx_in, dc_in = dyc[:, :, :-H], dyc[:, :, -H:]
        if not self.output_reads_context:
            return dx_in, dstates, (dc_in.sum(axis=0),)  # c fans out to every step
        return dx_in + dx, dstates, ((dc_in + dc).sum(axis=0),)
