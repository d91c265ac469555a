"""Attention: look back at every source position, weighted by how well it fits.

    k_i    = keys(h_i)                          each kind its own, once a sentence
    q_t    = query(s_t)                         each kind its own; s_t itself where it says nothing
    e_ti   = score(q_t, k_i)                    each kind its own
    alpha_ti = exp(e_ti) / sum_j exp(e_tj)      over the real tokens j       (9.2)
    context_t = sum_i alpha_ti h_i                                           (9.3)

Source: Bahdanau et al. 2015, §3.1.
"""

from typing import Any, NamedTuple

from ..backend import array_module, from_numpy
from ..contracts import expect_floats, expect_lengths
from ..functional import length_mask, softmax, softmax_backward
from ..layer import Layer


class Memory(NamedTuple):
    """What a decoder looks back at: hs (S,B,H), keys (S,B,A), mask (B,S), true on real tokens."""

    hs: Any
    keys: Any
    mask: Any

    def select(self, rows):
        """The same of these rows of the batch alone, in this order.  rows (N,) -> Memory"""
        mask = None if self.mask is None else self.mask[rows]
        return Memory(self.hs.take(rows, axis=1), self.keys.take(rows, axis=1), mask)


class AttendCache(NamedTuple):
    memory: Memory
    queries: Any
    alphas: Any
    score: Any


class AttentionCache(NamedTuple):
    memory: Any
    attend: AttendCache


class Attention(Layer):
    """What every kind of attention shares; a kind says its keys, its queries and its score.

    queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    lengths (B,), on the CPU: padding gets weight exactly 0.
    """

    def __init__(self, query_size, source_size, **params):
        super().__init__(**params)
        self.query_size, self.source_size = query_size, source_size

    def project_keys(self, hs):
        """hs (S,B,H) -> keys (S,B,A), cache"""
        raise NotImplementedError

    def project_keys_backward(self, dkeys, cache):
        """dkeys (S,B,A), the sum of what score_backward gave -> dhs (S,B,H)"""
        raise NotImplementedError

    def project_queries(self, queries):
        """queries (T,B,Q) -> q (T,B,A)"""
        return queries

    def project_queries_backward(self, dq):
        """dq (T,B,A) -> dqueries (T,B,Q); the weights' part, which no step waits for, is query_weight_gradients"""
        return dq

    def query_weight_gradients(self, queries, dq):
        """Adds what project_queries has weights for.  queries (T,B,Q), dq (T,B,A)"""

    def score(self, q, keys):
        """q (T,B,A), keys (S,B,A) -> scores (T,B,S), cache"""
        raise NotImplementedError

    def score_backward(self, dscores, cache):
        """dscores (T,B,S) -> dq (T,B,A), dkeys (S,B,A), an array of its own"""
        raise NotImplementedError

    def remember(self, hs, lengths=None):
        """Read the source once: hs (S,B,H), lengths (B,) -> memory, cache"""
        expect_floats("hs", hs, ("S", "B", self.source_size), self.dtype)
        S, B, _ = hs.shape
        mask = None
        if lengths is not None:
            expect_lengths("lengths", lengths, S, B)
            mask = from_numpy(length_mask(lengths, S).T, like=hs)
        keys, cache = self.project_keys(hs)
        return Memory(hs, keys, mask), cache

    def remember_backward(self, dmemory, cache):
        """(dhs (S,B,H) as values, dkeys (S,B,A)) -> dhs (S,B,H)"""
        dvalues, dkeys = dmemory
        return dvalues + self.project_keys_backward(dkeys, cache)  # h_i is key and value: sum

    def attend(self, queries, memory):
        """queries (T,B,Q), memory -> contexts (T,B,H), alphas (T,B,S)"""
        scores, score_cache = self.score(self.project_queries(queries), memory.keys)
        alphas = softmax(scores, mask=memory.mask)  # (9.2)
        contexts = batch_first(batch_first(alphas) @ batch_first(memory.hs))  # (9.3)
        return (contexts, alphas), AttendCache(memory, queries, alphas, score_cache)

    def attend_backward(self, dcontexts, dalphas, cache):
        """dcontexts (T,B,H), dalphas (T,B,S) or None -> dq (T,B,A), dqueries (T,B,Q), dkeys (S,B,A)

        What is the same for one step or many is left to the caller: h_i also stands in (9.3) itself, which is
        `values_backward`, and dq is for `query_weight_gradients`.
        """
        memory, _, alphas, score_cache = cache
        hs = memory.hs.transpose(1, 2, 0)  # (S,B,H) -> (B,H,S)
        dweights = batch_first(batch_first(dcontexts) @ hs)  # (9.3)'
        if dalphas is not None:
            dweights = dweights + dalphas
        dscores = softmax_backward(dweights, alphas)  # (9.2)'
        dq, dkeys = self.score_backward(dscores, score_cache)
        return dq, self.project_queries_backward(dq), dkeys

    def values_backward(self, dcontexts, alphas):
        """dh_i = sum_t alpha_ti dcontext_t.  dcontexts (T,B,H), alphas (T,B,S) -> dhs (S,B,H)"""
        return batch_first(alphas.transpose(1, 2, 0) @ batch_first(dcontexts))  # (9.3)'

    def forward(self, queries, hs, lengths=None):
        memory, memory_cache = self.remember(hs, lengths)
        expect_floats("queries", queries, ("T", hs.shape[1], self.query_size), hs.dtype)
        out, attend_cache = self.attend(queries, memory)
        return out, AttentionCache(memory_cache, attend_cache)

    def backward(self, dcontexts, dalphas, cache):
        """dcontexts (T,B,H), dalphas (T,B,S) or None -> dqueries (T,B,Q), dhs (S,B,H)"""
        _, queries, alphas, _ = cache.attend
        expect_floats("dcontexts", dcontexts, (*alphas.shape[:2], self.source_size), alphas.dtype)
        if dalphas is not None:
            expect_floats("dalphas", dalphas, alphas.shape, alphas.dtype)
        dq, dqueries, dkeys = self.attend_backward(dcontexts, dalphas, cache.attend)
        self.query_weight_gradients(queries, dq)
        return dqueries, self.remember_backward((self.values_backward(dcontexts, alphas), dkeys), cache.memory)


def batch_first(x):
    """Swap time and batch, without copying.  x (T,B,...) -> (B,T,...), and back."""
    return array_module(x).swapaxes(x, 0, 1)
