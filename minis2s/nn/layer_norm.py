"""Layer normalisation: every vector to mean 0 and variance 1, then to a learned scale.

    m = mean(x), r = 1 / sqrt(mean((x - m)^2) + eps)
    z = (x - m) r                                                      (6.5)
    y = gain z                                                         (6.6)

Source: Ba et al. 2016, §3.
"""

from typing import Any, NamedTuple

from ..backend import array_module

EPSILON = 1e-5


class LayerNormCache(NamedTuple):
    z: Any
    r: Any


def layer_norm(x, gain):
    """Normalise the last axis; a cell adds its own bias after.  x (B,N), gain (N,) -> y (B,N)"""
    centred = x - x.mean(axis=-1, keepdims=True)
    r = 1 / array_module(x).sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)
    z = centred * r  # (6.5)
    return z * gain, LayerNormCache(z, r)  # (6.6)


def layer_norm_backward(dy, gain, cache):
    """dy (B,N) -> dx (B,N), dgain (N,): the sum over all vectors, to which gain fans out"""
    z, r = cache
    dgain = (dy * z).reshape(-1, z.shape[-1]).sum(axis=0)  # (6.6)'
    dz = dy * gain
    # m and r fan out to every entry of their vector, so each takes back a mean.
    dx = r * (dz - dz.mean(axis=-1, keepdims=True) - z * (dz * z).mean(axis=-1, keepdims=True))  # (6.5)'
    return dx, dgain
