"""Additive attention: a small network compares query and source.

    k_i  = h_i U + b                                                   (9.1)
    e_ti = v . tanh(s_t W + k_i)                                       (9.4)

Source: Bahdanau et al. 2015, §3.1 and appendix A.1.2, which notes that h_i U does not depend on t.
"""

from typing import Any, NamedTuple

from ..contracts import expect_positive
from ..functional import tanh, tanh_backward
from ..layer import uniform, zeros
from .attention import Attention
from .linear import rows


class KeysCache(NamedTuple):
    hs: Any


class ScoreCache(NamedTuple):
    z: Any


class AdditiveAttention(Attention):
    """Bahdanau's attention.

    queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    W (Q,A), U (H,A), b (A,), v (A,), each drawn from U(-1/sqrt(n), 1/sqrt(n)) with its own input size n; b = 0.
    """

    def __init__(self, query_size, source_size, attention_size, rng, dtype="float32"):
        expect_positive(query_size=query_size, source_size=source_size, attention_size=attention_size)
        super().__init__(
            query_size,
            source_size,
            W=uniform(rng, (query_size, attention_size), query_size**-0.5, dtype),
            U=uniform(rng, (source_size, attention_size), source_size**-0.5, dtype),
            b=zeros(attention_size, dtype),
            v=uniform(rng, (attention_size,), attention_size**-0.5, dtype),
        )

    def matrices(self, arrays):
        """W and U, or their gradients."""
        return arrays["W"], arrays["U"]

    def project_keys(self, hs):
        _, U = self.matrices(self.params)
        keys = rows(hs) @ U
        keys += self.params["b"]
        return keys.reshape(*hs.shape[:2], -1), KeysCache(hs)  # (9.1)

    def project_keys_backward(self, dkeys, cache):
        (_, U), (_, dU) = self.matrices(self.params), self.matrices(self.grads)
        da = dkeys * self.params["v"]  # (9.4)': v, which score_backward left out
        dU += rows(cache.hs).T @ rows(da)  # (9.1)'
        self.grads["b"] += rows(da).sum(axis=0)
        return (rows(da) @ U.T).reshape(cache.hs.shape)

    def project_queries(self, queries):
        W, _ = self.matrices(self.params)
        return (rows(queries) @ W).reshape(*queries.shape[:2], -1)

    def project_queries_backward(self, dq):
        W, _ = self.matrices(self.params)
        return (rows(dq) @ W.T).reshape(*dq.shape[:2], -1)

    def query_weight_gradients(self, queries, dq):
        dW, _ = self.matrices(self.grads)
        dW += rows(queries).T @ rows(dq)

    def score(self, q, keys):
        z = q[:, None] + keys[None]  # (T,S,B,A)
        z = tanh(z, out=z)
        scores = (z @ self.params["v"]).swapaxes(1, 2)  # (9.4)
        return scores, ScoreCache(z)

    def score_backward(self, dscores, cache):
        """v stands in every step alike, so it is left out of dkeys, and project_keys_backward puts it in once."""
        (z,) = cache
        dscores = dscores.swapaxes(1, 2)  # (T,S,B)
        self.grads["v"] += dscores.reshape(-1) @ rows(z)  # (9.4)'
        da = tanh_backward(dscores[..., None], z)
        dq = da.sum(axis=1)  # q_t meets every source position: sum
        dq *= self.params["v"]
        return dq, da[0] if len(da) == 1 else da.sum(axis=0)  # k_i meets every query: sum
