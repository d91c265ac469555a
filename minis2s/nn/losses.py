"""What training makes small: a mean over real tokens, never over padding."""

from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_floats, expect_ids, expect_scalar, expect_shape
from ..functional import logsumexp, row_blocks
from ..layer import Layer


class CrossEntropyCache(NamedTuple):
    logits: Any
    log_total: Any
    targets: Any
    scale: Any


class SoftmaxCrossEntropy(Layer):
    """The mean negative log-probability of the targets, from logits.

    nll_n = log sum_j exp(a_nj) - a_n,target                           (5.2)
    loss  = sum_n w_n nll_n / sum_n w_n                                (5.3)
    logits (...,V), targets (...) -> loss ()
    weights (...): how much each token counts, 1 where not given; targets equal to ignore_index count 0. A batch
    in which nothing counts has loss 0. Raises ValueError for targets outside 0..V-1, ignore_index aside.
    """

    def __init__(self, ignore_index=None):
        super().__init__()
        self.ignore_index = ignore_index

    def counted(self, logits, targets, weights, total=None):
        """w_n / sum w and the targets, 0 where they do not count.  -> scale (...), targets (...)"""
        expect_floats("logits", logits, (..., "V"))
        expect_shape("targets", targets, logits.shape[:-1])
        xp = array_module(logits)
        counted = xp.ones(targets.shape, dtype=logits.dtype)
        if weights is not None:
            expect_floats("weights", weights, targets.shape, logits.dtype)
            counted = weights
        if self.ignore_index is not None:
            real = targets != self.ignore_index
            counted = counted * real
            targets = xp.where(real, targets, 0)
        expect_ids("targets", targets, logits.shape[-1])
        if total is not None:
            return counted / counted.dtype.type(total), targets
        total = counted.sum()
        return counted / xp.where(total > 0, total, xp.ones_like(total)), targets

    def forward(self, logits, targets, weights=None):
        scale, targets = self.counted(logits, targets, weights)
        xp = array_module(logits)
        V = logits.shape[-1]
        log_total = xp.empty(targets.shape, dtype=logits.dtype)
        flat, flat_total = logits.reshape(-1, V), log_total.reshape(-1)
        for block in row_blocks(flat):
            flat_total[block] = logsumexp(flat[block])
        nll = log_total - xp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]  # (5.2)
        return (scale * nll).sum(), CrossEntropyCache(logits, log_total, targets, scale)  # (5.3)

    def backward(self, dloss, cache):
        """da_nj = dloss w_n / sum w (softmax(a_n)_j - [j = target]).  dloss () -> dlogits (...,V)"""
        logits, log_total, targets, scale = cache
        expect_scalar("dloss", dloss, logits.dtype)
        xp = array_module(logits)
        V = logits.shape[-1]
        dlogits = xp.empty(logits.shape, dtype=logits.dtype)
        flat, dflat, targets = logits.reshape(-1, V), dlogits.reshape(-1, V), targets.reshape(-1)
        log_total, dnll = log_total.reshape(-1, 1), (dloss * scale).reshape(-1, 1)  # (5.3)'
        for block in row_blocks(flat):
            d = dflat[block]
            xp.subtract(flat[block], log_total[block], out=d)
            xp.exp(d, out=d)  # (5.2)': the derivative of log sum exp is the softmax
            d[xp.arange(len(d)), targets[block]] -= 1
            d *= dnll[block]
        return dlogits

    def overwrite(self, logits, targets, weights=None, total=None):
        """Loss and gradient at once, for one who needs the logits no more: dlogits takes their place.  -> loss ()

        The numbers of forward and of backward with dloss = 1, but every exponential is taken once, and no memory.
        total: what to divide by instead of sum_n w_n, for one part of a batch: that of the whole.
        """
        scale, targets = self.counted(logits, targets, weights, total)
        xp = array_module(logits)
        flat, scale, targets = logits.reshape(-1, logits.shape[-1]), scale.reshape(-1), targets.reshape(-1)
        nll = xp.empty(scale.shape, dtype=logits.dtype)
        for block in row_blocks(flat):
            a, w, wanted = flat[block], scale[block], (xp.arange(len(flat[block])), targets[block])
            a -= a.max(axis=1, keepdims=True)
            nll[block] = -a[wanted]
            xp.exp(a, out=a)
            total = a.sum(axis=1)
            nll[block] += xp.log(total)
            a *= (w / total)[:, None]
            a[wanted] -= w
        return (scale * nll).sum()

    def __repr__(self):
        return f"SoftmaxCrossEntropy(ignore_index={self.ignore_index})"


class MeanSquaredErrorCache(NamedTuple):
    difference: Any
    scale: Any


class MeanSquaredError(Layer):
    """The mean squared difference over the entries that count.

    loss = sum_n w_n |y_n - target_n|^2 / (D sum_n w_n)                (5.4)
    y (...,D), target (...,D) -> loss ()
    weights (...): how much each vector counts, 1 where not given; where nothing counts the loss is 0.
    """

    def forward(self, y, target, weights=None):
        expect_floats("y", y, (..., "D"))
        expect_floats("target", target, y.shape, y.dtype)
        xp = array_module(y)
        if weights is None:
            weights = xp.ones(y.shape[:-1], dtype=y.dtype)
        expect_floats("weights", weights, y.shape[:-1], y.dtype)
        total = y.shape[-1] * weights.sum()
        scale = (weights / xp.where(total > 0, total, xp.ones_like(total)))[..., None]
        difference = y - target
        return (scale * difference**2).sum(), MeanSquaredErrorCache(difference, scale)  # (5.4)

    def backward(self, dloss, cache):
        """dloss () -> dy (...,D), dtarget (...,D)"""
        expect_scalar("dloss", dloss, cache.scale.dtype)
        dy = 2 * dloss * cache.scale * cache.difference  # (5.4)'
        return dy, -dy
