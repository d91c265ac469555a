"""Attention with the concat score: query and source as one vector, through one matrix.

    e_ti = v . tanh([q_t ; h_i] W + b)                                 (9.5)

Since [q ; h] W is q times the upper rows of W plus h times the lower ones, this is additive attention with its two
matrices in one, and is computed as such: the lower part once a sentence. The tanh is not decoration: without it the
part of q_t would be the same for every i, and the softmax would cancel it. Source: Luong et al. 2015, §3.1.
"""

from ..contracts import expect_positive
from ..layer import uniform, zeros
from .additive import AdditiveAttention
from .attention import Attention


class ConcatAttention(AdditiveAttention):
    """Luong's concat attention.

    queries (T,B,Q), hs (S,B,H) -> contexts (T,B,H), alphas (T,B,S)
    W (Q+H,A), b (A,), v (A,), drawn as in AdditiveAttention.
    """

    def __init__(self, query_size, source_size, attention_size, rng, dtype="float32"):
        expect_positive(query_size=query_size, source_size=source_size, attention_size=attention_size)
        n = query_size + source_size
        Attention.__init__(  # past AdditiveAttention's, whose parameters differ
            self,
            query_size,
            source_size,
            W=uniform(rng, (n, attention_size), n**-0.5, dtype),
            b=zeros(attention_size, dtype),
            v=uniform(rng, (attention_size,), attention_size**-0.5, dtype),
        )

    def matrices(self, arrays):
        """The rows of W that meet q_t, and those that meet h_i, as views: (9.5) is (9.1) and (9.4)."""
        return arrays["W"][: self.query_size], arrays["W"][self.query_size :]
