"""Sampling: every token is drawn from the model's own distribution, or from a sharper or shorter one.

    p_i = exp(logit_i / temperature) / sum_j exp(logit_j / temperature)                      (10.5)
    top_k: p_i = 0 except for the k largest, the rest divided by their sum                   (10.6)
    top_p: p_i = 0 where the larger p_j already sum to top_p, the rest divided by their sum  (10.7)
    y = the smallest i with p_1 + … + p_i > u, u from U(0, 1)                                (10.8)

Source: Ackley, Hinton & Sejnowski 1985 (temperature); Fan et al. 2018, §5.4 (top_k); Holtzman et al. 2020,
§3.1 (top_p, the nucleus).
"""

from ..backend import array_module, from_numpy
from ..contracts import expect_positive
from ..functional import softmax
from .greedy import step_by_step

COLDEST = 1e-6  # below, logits / temperature would leave float32


def sample(model, source, lengths=None, *, rng, temperature=1.0, top_k=None, top_p=None, max_length=100):
    """A random sentence for each row; each stops at <end>, or after max_length tokens.

    source (S,B) ids, lengths (B,), rng: a NumPy Generator -> one Hypothesis a row
    With both top_k and top_p, top_k goes first. Scores are the model's own: temperature 1, nothing left out.
    Each row takes max_length numbers from rng, needed or not, so that a batch draws the same sentences as its
    rows would, decoded one after another.  Raises ValueError for settings out of range.
    """
    expect_positive(max_length=max_length)
    if not hasattr(rng, "bit_generator"):
        raise ValueError(f"rng must be a NumPy Generator such as numpy.random.default_rng(0), got {rng!r}")
    if not temperature >= COLDEST:
        raise ValueError(f"temperature must be at least {COLDEST}, got {temperature}; for 0 there is greedy")
    if top_k is not None:
        expect_positive(top_k=top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")
    us = from_numpy(rng.random((source.shape[1], max_length), dtype="float32").T, like=source)

    def choose(logits, t):
        return draw(distribution(logits, temperature, top_k, top_p), us[t])

    return step_by_step(model, source, lengths, max_length, choose)


def distribution(logits, temperature=1.0, top_k=None, top_p=None):
    """What a token is drawn from.  logits (B,V) -> p (B,V), each row summing to 1"""
    xp = array_module(logits)
    p = softmax(logits / temperature)  # (10.5)
    if top_k is None and top_p is None:
        return p
    order = xp.argsort(-logits, axis=1, kind="stable")  # of equals the first, as argmax has it
    falling = xp.take_along_axis(p, order, axis=1)
    if top_k is not None:
        falling[:, top_k:] = 0  # (10.6)
        falling /= falling.sum(axis=1, keepdims=True)
    if top_p is not None:
        before = xp.cumsum(falling, axis=1) - falling
        falling *= before < top_p  # (10.7)
        falling /= falling.sum(axis=1, keepdims=True)
    xp.put_along_axis(p, order, falling, axis=1)
    return p


def draw(p, u):
    """One id a row by the inverse of the distribution function.  p (B,V), u (B,) in [0, 1) -> ids (B,)"""
    cumulative = array_module(p).cumsum(p, axis=1)
    return (cumulative <= u[:, None] * cumulative[:, -1:]).sum(axis=1)  # (10.8)
