"""Functions without parameters, each beside its derivative."""

from .backend import array_module, device_of, fused


@fused
def sigmoid(x):
    """sigma(x) = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, which cannot overflow.  x (...) -> y (...)"""
    y = 0.5 * x
    array_module(x).tanh(y, out=y)
    y += 1
    y *= 0.5
    return y


@fused
def sigmoid_backward(dy, y):
    """dx = dy y (1 - y), from the output y.  dy (...), y (...) -> dx (...)"""
    dx = 1 - y
    dx *= y
    dx *= dy
    return dx


def tanh(x, out=None):
    """tanh(x).  x (...) -> y (...), which may take the place of x"""
    return array_module(x).tanh(x, out=out)


@fused
def tanh_backward(dy, y):
    """dx = dy (1 - y^2), from the output y.  dy (...), y (...) -> dx (...)"""
    dx = y * y
    array_module(y).subtract(1, dx, out=dx)
    dx *= dy
    return dx


def relu(x):
    """max(x, 0).  x (...) -> y (...)"""
    return array_module(x).maximum(x, 0)


def relu_backward(dy, y):
    """dx = dy where y > 0, else 0, from the output y.  dy (...), y (...) -> dx (...)"""
    return dy * (y > 0)


def softmax(x, axis=-1, mask=None):
    """y_i = exp(x_i) / sum_j exp(x_j), the largest x taken off first; where `mask` is false y is exactly 0.

    x (...), mask (...) -> y (...).  A row must keep at least one true entry.
    """
    xp = array_module(x)
    if mask is not None:
        x = xp.where(mask, x, LOWEST)
    y = x - x.max(axis=axis, keepdims=True)
    xp.exp(y, out=y)
    y /= y.sum(axis=axis, keepdims=True)
    return y


def softmax_backward(dy, y, axis=-1):
    """dx_i = y_i (dy_i - sum_j dy_j y_j), from the output y.  dy (...), y (...) -> dx (...)"""
    return y * (dy - (dy * y).sum(axis=axis, keepdims=True))


def log_softmax(x, axis=-1):
    """log y_i = x_i - log sum_j exp(x_j).  x (...) -> log y (...)"""
    return x - logsumexp(x, axis=axis, keepdims=True)


def logsumexp(x, axis=-1, keepdims=False):
    """log sum_j exp(x_j) = m + log sum_j exp(x_j - m) with m = max x, which cannot overflow.  x (...) -> (...)"""
    xp = array_module(x)
    largest = x.max(axis=axis, keepdims=True)
    total = largest + xp.log(xp.exp(x - largest).sum(axis=axis, keepdims=True))
    return total if keepdims else total.squeeze(axis)


def row_blocks(x):
    """Slices of the rows of x that fit a processor's cache together; on a GPU all rows at once.  x (N,D)

    What passes over a large array several times passes over a block several times instead, and memory once.
    """
    if array_module(x).__name__ != "numpy":
        return [slice(None)]
    rows = max(1, BLOCK // max(1, x[:1].nbytes))
    return [slice(start, start + rows) for start in range(0, len(x), rows)]


def transposed(W, times):
    """W^T, for so many products with it.  W (D,V) -> WT (V,D)

    BLAS multiplies a small matrix faster with rows that lie in memory as they are read; laying W^T out anew costs
    about two products.
    """
    WT = W.T
    return array_module(W).ascontiguousarray(WT) if times > 4 else WT


def length_mask(lengths, T):
    """mask_tb = (t < length_b): true on real tokens, false on padding.  lengths (B,) -> mask (T,B)"""
    xp = array_module(lengths)
    return xp.arange(T)[:, None] < lengths[None, :]


def flush(x):
    """x with everything too small to matter set to 0, in place.  x (...) -> x (...)

    A gradient that vanishes over many steps ends in denormal numbers, on which a processor is up to a
    hundred times slower. Adding and taking away 1e-13 rounds them off and leaves 1e-6 as it was.
    """
    if device_of(x) == "cpu":  # a GPU has no such trouble
        x += 1e-13
        x -= 1e-13
    return x


BLOCK = 1 << 18  # bytes: three such blocks and what is worked out of them stay in a second-level cache

# Low enough that exp(LOWEST - max) is exactly 0, high enough that float32 can hold it.
LOWEST = -1e30
