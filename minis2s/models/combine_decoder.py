"""The decoder of document 003 §5.3: what was looked up is combined with the input, not with the state.

    context_t, alpha_t = attend([y_{t-1} ; s_{t-1}], hs)               (9.2) (9.3)
    x_t = relu([y_{t-1} ; context_t] W + b)        attn_combine        (9.14)
    s_t = cell(x_t, s_{t-1}), features_t = s_t                         (9.15)

The document attends by position; any other kind can stand in its place.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..functional import relu, relu_backward
from ..nn import Linear
from .decoder import with_top
from .step_decoder import StepDecoder


class CombineCache(NamedTuple):
    attend: Any
    combine: Any
    rnn_input: Any
    rnn: Any


class CombineDecoder(StepDecoder):
    """attn_combine and ReLU before the cell; its attention's queries are of size embedding + hidden.

    y (T,B) ids, states0, hs (S,B,H), lengths (B,) -> logits (T,B,V), alphas (T,B,S)
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, attention, dtype="float32", **options):
        sizes = {"input_size": hidden_size, "features_size": hidden_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, attention, dtype=dtype, **sizes, **options)
        self.combine = Linear(embedding_size + attention.source_size, hidden_size, rng, dtype=dtype)

    def one(self, x, states, memory, rng):
        xp = array_module(x)
        query = xp.concatenate([x, states[-1][0][None]], axis=2)
        (context, alpha), attend_cache = self.attention.attend(query, memory)
        a, combine_cache = self.combine.forward(xp.concatenate([x, context], axis=2))
        rnn_input = relu(a)  # (9.14)
        (s, states), rnn_cache = self.rnn.forward(rnn_input, states, rng=rng)  # (9.15)
        return (s, alpha, states), CombineCache(attend_cache, combine_cache, rnn_input, rnn_cache)

    def one_backward(self, dfeatures, dalphas, dstates, cache):
        dinput, dstates = self.rnn.backward(dfeatures, dstates, cache.rnn)  # (9.15)'
        dxc = self.combine.backward(relu_backward(dinput, cache.rnn_input), cache.combine)  # (9.14)'
        E = self.embedding.params["W"].shape[1]
        dquery, dmemory = self.attend_backward(dxc[:, :, E:], dalphas, cache.attend)
        dx = dxc[:, :, :E] + dquery[:, :, :E]  # y_{t-1} is input and query: sum
        return dx, with_top(dstates, dquery[0, :, E:]), dmemory
