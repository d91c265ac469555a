"""Multiplicative attention: query and source are compared by their inner product.

    e_ti = q_t . k_i                                                   (9.6)
    k_i  = h_i              dot
    k_i  = h_i W            general                                    (9.7)

Source: Luong et al. 2015, §3.1.
"""

from typing import Any, NamedTuple

from ..contracts import expect_positive
from ..layer import uniform
from .attention import Attention, batch_first
from .linear import rows


class KeysCache(NamedTuple):
    hs: Any


class ScoreCache(NamedTuple):
    q: Any
    keys: Any


class DotAttention(Attention):
    """Dot attention: no parameters, so query and source must be of one size.

    queries (T,B,H), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    """

    def __init__(self, query_size, source_size):
        expect_positive(query_size=query_size, source_size=source_size)
        if query_size != source_size:
            raise ValueError(
                f"dot attention needs queries and source of one size, got query_size {query_size} and "
                f"source_size {source_size}; general attention has a matrix between them"
            )
        super().__init__(query_size, source_size)

    def project_keys(self, hs):
        return hs, None

    def project_keys_backward(self, dkeys, cache):
        return dkeys

    def score(self, q, keys):
        scores = batch_first(batch_first(q) @ keys.transpose(1, 2, 0))  # (9.6)
        return scores, ScoreCache(q, keys)

    def score_backward(self, dscores, cache):
        dq = batch_first(batch_first(dscores) @ batch_first(cache.keys))  # (9.6)'
        dkeys = batch_first(dscores.transpose(1, 2, 0) @ batch_first(cache.q))
        return dq, dkeys


class GeneralAttention(DotAttention):
    """General attention: a matrix between query and source.

    queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    W (H,Q), drawn from U(-1/sqrt(H), 1/sqrt(H)).
    """

    def __init__(self, query_size, source_size, rng, dtype="float32"):
        expect_positive(query_size=query_size, source_size=source_size)
        W = uniform(rng, (source_size, query_size), source_size**-0.5, dtype)
        Attention.__init__(self, query_size, source_size, W=W)  # past DotAttention's, which needs equal sizes

    def project_keys(self, hs):
        keys = rows(hs) @ self.params["W"]  # (9.7)
        return keys.reshape(*hs.shape[:2], -1), KeysCache(hs)

    def project_keys_backward(self, dkeys, cache):
        self.grads["W"] += rows(cache.hs).T @ rows(dkeys)  # (9.7)'
        return (rows(dkeys) @ self.params["W"].T).reshape(cache.hs.shape)
