"""The attention decoder: before each step it looks back at the source.

    context_t, alpha_t = attend(s_{t-1}, hs)                           (9.2) (9.3)
    xa_t = y_{t-1} Wx + b + context_t C                                (9.9)
    s_t  = cell(xa_t, s_{t-1})                                         (9.10)
    features_t = [s_t ; context_t]                                     (9.11)

Source: Bahdanau et al. 2015, §3.1; the query is the top layer's state. The paper's output layer reads y_{t-1} as well,
through a maxout layer (appendix A.2.2); here it is (7.2).
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..functional import transposed
from ..nn import Linear
from .decoder import AttendingDecoder, with_top


class AttentionRunCache(NamedTuple):
    x: Any
    contexts: Any
    alphas: Any
    attends: list
    steps: list


class AttentionDecoder(AttendingDecoder):
    """A decoder with attention, of any kind, over all states of the encoder.

    y (T,B) ids, states0, hs (S,B,H), lengths (B,) -> logits (T,B,V), alphas (T,B,S)
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, attention, dtype="float32", **options):
        sizes = {"input_size": embedding_size, "features_size": hidden_size + attention.source_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, attention, dtype=dtype, **sizes, **options)
        gates = self.rnn.layers[0].gates
        self.context_input = Linear(attention.source_size, gates * hidden_size, rng, bias=False, dtype=dtype)

    def run(self, x, states, memory, rng):
        xp = array_module(x)
        xas = self.rnn.layers[0].project(x)
        C = self.context_input.params["W"]
        ss, contexts, alphas, attends, steps = [], [], [], [], []
        for xa in xas:
            ((context,), (alpha,)), attend_cache = self.attention.attend(states[-1][0][None], memory)
            xa = xa + context @ C  # (9.9)
            (s, states), step_cache = self.rnn.step(xa, states, rng)  # (9.10)
            ss.append(s)
            contexts.append(context)
            alphas.append(alpha)
            attends.append(attend_cache)
            steps.append(step_cache)
        contexts, alphas = xp.stack(contexts), xp.stack(alphas)
        features = xp.concatenate([xp.stack(ss), contexts], axis=2)  # (9.11)
        return (features, alphas, states), AttentionRunCache(x, contexts, alphas, attends, steps)

    def run_backward(self, dfeatures, dalphas, dstates, cache):
        x, contexts, alphas, attends, steps = cache
        xp = array_module(x)
        dss, dcontexts = dfeatures[:, :, : self.hidden_size], dfeatures[:, :, self.hidden_size :].copy()  # (9.11)'
        dstates = self.rnn.zero_state(x) if dstates is None else dstates
        WhTs, CT = self.rnn.transposed(len(x)), transposed(self.context_input.params["W"], len(x))
        dxas, dqs, dkeys = [None] * len(x), [None] * len(x), None
        for t in reversed(range(len(x))):
            dxas[t], dstates = self.rnn.step_backward(dss[t], dstates, steps[t], WhTs)  # (9.10)'
            dcontexts[t] += dxas[t][0] @ CT  # (9.9)'
            dalpha = None if dalphas is None else dalphas[t : t + 1]
            dqs[t], (dquery,), dk = self.attention.attend_backward(dcontexts[t : t + 1], dalpha, attends[t])
            dkeys = dk if dkeys is None else xp.add(dkeys, dk, out=dkeys)  # k_i is looked at in every step: sum
            dstates = with_top(dstates, dquery)  # s_{t-1} was the query as well
        queries = xp.concatenate([attend.queries for attend in attends])
        self.attention.query_weight_gradients(queries, xp.concatenate(dqs))
        self.rnn.weight_gradients(x, steps, dxas)
        dxa = xp.stack([step[0] for step in dxas])
        self.context_input.weight_gradients(contexts, dxa)
        dvalues = self.attention.values_backward(dcontexts, alphas)
        return self.rnn.layers[0].project_backward(dxa), dstates, (dvalues, dkeys)
