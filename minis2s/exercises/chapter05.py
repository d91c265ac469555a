"""Chapter 05, softmax, cross-entropy, masks."""

import numpy as np

from ..functional import log_softmax
from ..nn import SoftmaxCrossEntropy
from .checking import Trial, finite_differences
from .registry import exercise, question

PAD, WORDS = 0, 10_000  # document 004's padding and vocabulary


@exercise
def log_softmax_backward(rng):
    """dy (N,V), y (N,V), the log-probabilities -> da (N,V)"""
    for N, V in ((1, 2), (3, 5), (4, 1), (2, 7)):
        a, dy = 2 * rng.standard_normal((N, V)), rng.standard_normal((N, V))
        expected = finite_differences(lambda a=a, dy=dy: (dy * log_softmax(a)).sum(), a=a)
        yield Trial({"N": N, "V": V}, (dy, log_softmax(a)), expected, "finite differences say")


def mean_nll(logits, targets):
    """The mean of -log p over the real tokens, 0 where there are none.  logits (...,V), targets (...) -> loss ()"""
    real = targets != PAD
    nll = -np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    return nll[real].sum() / max(1, real.sum())


def padded_targets(rng, T, B, V):
    """Random words, in each column padding after a random length; the first column is full.  -> targets (T,B)"""
    lengths = np.append(T, rng.integers(0, T, B - 1))
    return np.where(np.arange(T)[:, None] < lengths, rng.integers(1, V, (T, B)), PAD)


@exercise
def masked_loss_backward(rng):
    """dloss (), logits (T,B,V), targets (T,B), 0 where padding -> dlogits (T,B,V)"""
    for T, B, V in ((1, 1, 2), (4, 3, 5), (2, 4, 3), (3, 2, 4)):
        logits, dloss = 2 * rng.standard_normal((T, B, V)), rng.uniform(0.5, 2)
        targets = np.zeros((T, B), dtype=int) if T == 3 else padded_targets(rng, T, B, V)

        def f(logits=logits, targets=targets, dloss=dloss):
            return dloss * mean_nll(logits, targets)

        expected = finite_differences(f, logits=logits)
        sizes = {"T": T, "B": B, "V": V, "tokens": int((targets != PAD).sum())}
        yield Trial(sizes, (dloss, logits, targets), expected, "finite differences say")


@question(within=0.01, hint="What is p of each word, when the logits are all about equal?")
def untrained_loss():
    """The loss of document 004's model before training."""
    return float(SoftmaxCrossEntropy().forward(np.zeros((1, WORDS)), np.array([7]))[0])


@question(within=0.01, hint="The first softmax is 1 and 9,999 zeros at best; these are the logits of the second.")
def softmax_twice_floor():
    """The lowest loss that softmax followed by cross-entropy can reach, with document 004's vocabulary."""
    perfect = np.where(np.arange(WORDS) == 7, 1.0, 0.0)[None]
    return float(SoftmaxCrossEntropy().forward(perfect, np.array([7]))[0])


@exercise
def mended_loss_and_gradient(rng):
    """logits (N,V), targets (N,), 0 where padding -> loss (), dlogits (N,V)"""
    for N, V, above in ((1, 2, 0), (5, 3, 0), (3, 4, 1000)):
        logits = above + rng.standard_normal((N, V))
        targets = np.append(rng.integers(1, V, N - N // 2), np.zeros(N // 2, dtype=int))
        expected = {"loss": np.asarray(mean_nll(logits, targets))}
        expected |= finite_differences(lambda x=logits, y=targets: mean_nll(x, y), logits=logits)
        sizes = {"N": N, "V": V, "largest logit": int(logits.max())}
        yield Trial(sizes, (logits, targets), expected, "finite differences say")


def smoothed(logits, targets, epsilon):
    """L = -1/N sum_n sum_j q_nj log p_nj, q the mixture of one-hot and even.  -> loss ()"""
    N, V = logits.shape
    q = (1 - epsilon) * np.eye(V)[targets] + epsilon / V
    return -(q * log_softmax(logits)).sum() / N


def smoothing_inputs(rng):
    for N, V, epsilon, above in ((1, 2, 0.1, 0), (4, 5, 0.3, 0), (3, 6, 0.0, 0), (2, 3, 0.2, 1000)):
        inputs = above + 2 * rng.standard_normal((N, V)), rng.integers(0, V, N), epsilon
        yield {"N": N, "V": V, "epsilon": epsilon, "largest logit": int(inputs[0].max())}, inputs


@exercise
def smoothed_cross_entropy(rng):
    """logits (N,V), targets (N,), epsilon between 0 and 1 -> loss ()"""
    for sizes, inputs in smoothing_inputs(rng):
        yield Trial(sizes, inputs, {"loss": np.asarray(smoothed(*inputs))})


@exercise
def smoothed_cross_entropy_backward(rng):
    """logits (N,V), targets (N,), epsilon -> dlogits (N,V)"""
    for sizes, inputs in smoothing_inputs(rng):
        expected = finite_differences(lambda inputs=inputs: smoothed(*inputs), logits=inputs[0])
        yield Trial(sizes, inputs, expected, "finite differences say")
