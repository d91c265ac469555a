"""A decoder told by its one step: for those whose steps are layers put together, written to be read.

Every layer is called once a step, weight gradients included. That is slower than AttentionDecoder, which takes
out of its loop all that does not wait for the state, and computes the same kind of thing.
"""

from ..backend import array_module
from .decoder import AttendingDecoder, added


class StepDecoder(AttendingDecoder):
    """What decoders with attention share that say only their step.

    y (T,B) ids, states0, hs (S,B,H), lengths (B,) -> logits (T,B,V), alphas (T,B,S)
    """

    def one(self, x, states, memory, rng):
        """x (1,B,E), the states before -> features (1,B,F), alphas (1,B,S), the states after; and a cache"""
        raise NotImplementedError

    def one_backward(self, dfeatures, dalphas, dstates, cache):
        """-> dx (1,B,E), the gradient of the states before, dmemory (dvalues, dkeys)"""
        raise NotImplementedError

    def run(self, x, states, memory, rng):
        features, alphas, caches = [], [], []
        for t in range(len(x)):
            (feature, alpha, states), cache = self.one(x[t : t + 1], states, memory, rng)
            features.append(feature)
            alphas.append(alpha)
            caches.append(cache)
        concatenate = array_module(x).concatenate
        return (concatenate(features), concatenate(alphas), states), caches

    def run_backward(self, dfeatures, dalphas, dstates, cache):
        dxs, dmemory = [None] * len(cache), None
        for t in reversed(range(len(cache))):
            dalpha = None if dalphas is None else dalphas[t : t + 1]
            dxs[t], dstates, dpart = self.one_backward(dfeatures[t : t + 1], dalpha, dstates, cache[t])
            dmemory = dpart if dmemory is None else added(dmemory, dpart)
        return array_module(dfeatures).concatenate(dxs), dstates, dmemory

    def attend_backward(self, dcontexts, dalphas, cache):
        """-> dqueries (1,B,Q), (dvalues, dkeys)"""
        dq, dqueries, dkeys = self.attention.attend_backward(dcontexts, dalphas, cache)
        self.attention.query_weight_gradients(cache.queries, dq)
        return dqueries, (self.attention.values_backward(dcontexts, cache.alphas), dkeys)
