"""The gated connection of document 003 §9: a learned gate mixes what was looked up into the state.

    s'_t = cell(y_{t-1}, s_{t-1})                                      (9.16)
    context_t, alpha_t = attend(s'_t, hs)                              (9.2) (9.3)
    g_t  = sigmoid([s'_t ; context_t] Wg + bg)                         (9.17)
    n_t  = tanh(context_t Wn + bn)                                     (9.18)
    s_t  = (1 - g_t) s'_t + g_t n_t, features_t = s_t                  (9.19)

The document names the connection and gives no equations; these are a GRU's update gate, with the context for its new
content. The gate is a vector: every unit decides for itself how much of the source it takes.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from ..layer import zeros_like
from ..nn import Linear
from .step_decoder import StepDecoder


class GatedCache(NamedTuple):
    rnn: Any
    attend: Any
    gate: Any
    content: Any
    s: Any
    g: Any
    n: Any


class GatedDecoder(StepDecoder):
    """A gate between the decoder's own state and the context; h of the top layer goes on as mixed.

    y (T,B) ids, states0, hs (S,B,H), lengths (B,) -> logits (T,B,V), alphas (T,B,S)
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, attention, dtype="float32", **options):
        sizes = {"input_size": embedding_size, "features_size": hidden_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, attention, dtype=dtype, **sizes, **options)
        self.gate = Linear(hidden_size + attention.source_size, hidden_size, rng, dtype=dtype)
        self.content = Linear(attention.source_size, hidden_size, rng, dtype=dtype)

    def one(self, x, states, memory, rng):
        (s, states), rnn_cache = self.rnn.forward(x, states, rng=rng)  # (9.16)
        (context, alpha), attend_cache = self.attention.attend(s, memory)
        a, gate_cache = self.gate.forward(array_module(x).concatenate([s, context], axis=2))
        g = sigmoid(a)  # (9.17)
        a, content_cache = self.content.forward(context)
        n = tanh(a)  # (9.18)
        mixed = s + g * (n - s)  # (9.19)
        *below, (_, *rest) = states
        states = (*below, (mixed[0], *rest))
        return (mixed, alpha, states), GatedCache(rnn_cache, attend_cache, gate_cache, content_cache, s, g, n)

    def one_backward(self, dfeatures, dalphas, dstates, cache):
        rnn_cache, attend_cache, gate_cache, content_cache, s, g, n = cache
        dmixed, H = dfeatures, self.hidden_size
        if dstates is not None:
            *below, (dh, *rest) = dstates
            dmixed = dmixed + dh  # s_t is read by the output and carried on: sum
            dstates = (*below, (zeros_like(dh), *rest))  # of the cell's own h nothing is carried on but through s_t
        ds, dg, dn = dmixed * (1 - g), dmixed * (n - s), dmixed * g  # (9.19)'
        dcontext = self.content.backward(tanh_backward(dn, n), content_cache)  # (9.18)'
        dsc = self.gate.backward(sigmoid_backward(dg, g), gate_cache)  # (9.17)'
        dquery, dmemory = self.attend_backward(dcontext + dsc[:, :, H:], dalphas, attend_cache)
        dx, dstates = self.rnn.backward(ds + dsc[:, :, :H] + dquery, dstates, rnn_cache)  # (9.16)'
        return dx, dstates, dmemory
