"""Attention by position: which places to look at is said without looking at what stands there.

    e_t = q_t W + b, cut to the length of the source                   (9.8)

Document 003 §5.3 has this form. It can learn that targets follow sources in order, not which word means which; its
own §4.3 asks for a(s_{t-1}, h_i), which the other kinds compute.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_positive
from ..layer import uniform, zeros, zeros_like
from .attention import Attention
from .linear import rows


class ScoreCache(NamedTuple):
    keys: Any


class PositionAttention(Attention):
    """One score for each of max_length places, whatever stands there.

    queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    W (Q,M), b (M,) with M = max_length, drawn from U(-1/sqrt(Q), 1/sqrt(Q)).
    Raises ValueError for a source longer than max_length.
    """

    def __init__(self, query_size, source_size, max_length, rng, dtype="float32"):
        expect_positive(query_size=query_size, source_size=source_size, max_length=max_length)
        W = uniform(rng, (query_size, max_length), query_size**-0.5, dtype)
        super().__init__(query_size, source_size, W=W, b=zeros(max_length, dtype))

    def project_keys(self, hs):
        if len(hs) > self.params["b"].size:
            raise ValueError(
                f"hs has {len(hs)} source positions, but attention by position was made for max_length "
                f"{self.params['b'].size}"
            )
        return hs, None

    def project_keys_backward(self, dkeys, cache):
        return dkeys

    def project_queries(self, queries):
        q = rows(queries) @ self.params["W"]
        q += self.params["b"]  # (9.8)
        return q.reshape(*queries.shape[:2], -1)

    def project_queries_backward(self, dq):
        return (rows(dq) @ self.params["W"].T).reshape(*dq.shape[:2], -1)

    def query_weight_gradients(self, queries, dq):
        self.grads["W"] += rows(queries).T @ rows(dq)  # (9.8)'
        self.grads["b"] += rows(dq).sum(axis=0)

    def score(self, q, keys):
        return q[:, :, : len(keys)], ScoreCache(keys)

    def score_backward(self, dscores, cache):
        T, B, S = dscores.shape
        unused = zeros_like(dscores, (T, B, self.params["b"].size - S))
        return array_module(dscores).concatenate([dscores, unused], axis=2), zeros_like(cache.keys)
