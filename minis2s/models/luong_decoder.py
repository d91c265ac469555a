"""The decoder that looks back after its step, with the state that it has just reached.

    s_t = cell([y_{t-1} ; s~_{t-1}], s_{t-1})      s~ only with input feeding   (9.12)
    context_t, alpha_t = attend(s_t, hs)                               (9.2) (9.3)
    s~_t = tanh([context_t ; s_t] Wc + b)                              (9.13)
    features_t = s~_t

Source: Luong et al. 2015, §3 and §3.3; there s is h, and s~ is h with a tilde.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..functional import tanh, tanh_backward
from ..layer import zeros_like
from ..nn import Linear
from .step_decoder import StepDecoder


class LuongCache(NamedTuple):
    rnn: Any
    attend: Any
    combine: Any
    s_tilde: Any


class LuongDecoder(StepDecoder):
    """Luong's decoder, with or without input feeding.

    y (T,B) ids, states0, hs (S,B,H), lengths (B,) -> logits (T,B,V), alphas (T,B,S)
    With input feeding, s~_{t-1} is one more state at the end of the decoder's states; s~_0 = 0.
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, attention, dtype="float32", **options):
        self.input_feeding = options.pop("input_feeding", True)
        fed_size = hidden_size if self.input_feeding else 0
        sizes = {"input_size": embedding_size + fed_size, "features_size": hidden_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, attention, dtype=dtype, **sizes, **options)
        self.combine = Linear(attention.source_size + hidden_size, hidden_size, rng, dtype=dtype)

    def begin(self, states0, hs, lengths):
        (states, memory), cache = super().begin(states0, hs, lengths)
        if self.input_feeding:
            states = (*states, (zeros_like(states[-1][0]),))
        return (states, memory), cache

    def begin_backward(self, dstates, dmemory, cache):
        if self.input_feeding:
            dstates = dstates[:-1]
        return super().begin_backward(dstates, dmemory, cache)

    def one(self, x, states, memory, rng):
        xp = array_module(x)
        if self.input_feeding:
            *states, (fed,) = states
            x = xp.concatenate([x, fed[None]], axis=2)
        (s, states), rnn_cache = self.rnn.forward(x, tuple(states), rng=rng)  # (9.12)
        (context, alpha), attend_cache = self.attention.attend(s, memory)
        a, combine_cache = self.combine.forward(xp.concatenate([context, s], axis=2))
        s_tilde = tanh(a)  # (9.13)
        if self.input_feeding:
            states = (*states, (s_tilde[0],))
        return (s_tilde, alpha, states), LuongCache(rnn_cache, attend_cache, combine_cache, s_tilde)

    def one_backward(self, dfeatures, dalphas, dstates, cache):
        if self.input_feeding and dstates is not None:
            *dstates, (dfed,) = dstates
            dfeatures, dstates = dfeatures + dfed, tuple(dstates)  # s~_t is read by the output and fed on: sum
        dcs = self.combine.backward(tanh_backward(dfeatures, cache.s_tilde), cache.combine)  # (9.13)'
        H = self.hidden_size
        dquery, dmemory = self.attend_backward(dcs[:, :, :-H], dalphas, cache.attend)
        dx, dstates = self.rnn.backward(dcs[:, :, -H:] + dquery, dstates, cache.rnn)  # (9.12)'
        if self.input_feeding:
            dx, dfed = dx[:, :, :-H], dx[0, :, -H:]
            dstates = (*dstates, (dfed,))
        return dx, dstates, dmemory
