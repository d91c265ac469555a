"""The gated recurrent unit, in its two forms.  Source: Cho et al. 2014, §2.3 (reset before the product).

    xa = x_t Wx + b, ha = h_{t-1} Wh, the two parts of (1.1), each in three parts r, z, n
    r  = sigmoid(xa_r + ha_r)                 how much of the past the new content sees       (4.1)
    z  = sigmoid(xa_z + ha_z)                 how much of the past is kept                    (4.2)
    n  = tanh(xa_n + r (ha_n + bh))           the new content, reset after the product        (4.3)
    n  = tanh(xa_n + (r h_{t-1}) Wh_n)        the new content, reset before the product       (4.4)
    h_t = (1 - z) n + z h_{t-1}                                                               (4.5)

Reset after the product (PyTorch's form) needs one matrix product a step, and its own bias bh inside the
reset; of PyTorch's other two hidden biases only the sum with b matters.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..functional import sigmoid, sigmoid_backward, tanh, tanh_backward
from ..layer import zeros
from .linear import rows
from .recurrent import Recurrent


class GRUCache(NamedTuple):
    h_prev: Any
    r: Any
    z: Any
    n: Any
    m: Any  # what r multiplies: ha_n + bh, or h_prev


def gru_gates(xa, ha):
    """Both gates; of ha only the parts r and z are read.  xa (B,3H), ha (B,3H) -> r (B,H), z (B,H)"""
    H2 = 2 * (xa.shape[1] // 3)
    gates = sigmoid(xa[:, :H2] + ha[:, :H2])  # (4.1) (4.2)
    return gates[:, : H2 // 2], gates[:, H2 // 2 :]


def gru_gates_backward(dr, dz, r, z):
    """dr (B,H), dz (B,H) -> da_rz (B,2H)"""
    return array_module(dr).concatenate([sigmoid_backward(dr, r), sigmoid_backward(dz, z)], axis=1)  # (4.1)' (4.2)'


def gru_mix(n, z, h_prev):
    """The new state, between new content and old.  n (B,H), z (B,H), h_prev (B,H) -> h (B,H)"""
    return n + z * (h_prev - n)  # (4.5)


def gru_mix_backward(dh, n, z, h_prev):
    """dh (B,H) -> dn (B,H), dz (B,H), dh_prev (B,H), as far as h_prev is mixed in directly."""
    return dh * (1 - z), dh * (h_prev - n), dh * z  # (4.5)'


class GRU(Recurrent):
    """A layer of gated recurrent units.

    x (T,B,D), h0 (B,H) -> hs (T,B,H), hT (B,H)
    Wx (D,3H), Wh (H,3H), b (3H,), gates in the order r, z, n; bh (H,) with reset_after only.
    reset_after=True is PyTorch's form (4.3), False that of Cho et al. 2014 (4.4).  States are tuples of one: (h,).
    """

    gates = 3

    def __init__(self, input_size, hidden_size, rng, reset_after=True, reverse=False, dtype="float32"):
        super().__init__(input_size, hidden_size, rng, reverse, dtype)
        self.reset_after = reset_after
        if reset_after:
            self.params["bh"] = zeros(hidden_size, dtype)
            self.grads["bh"] = zeros(hidden_size, dtype)

    def step(self, xa, state):
        (h_prev,) = state
        H, Wh = self.hidden_size, self.params["Wh"]
        if self.reset_after:
            ha = h_prev @ Wh
            r, z = gru_gates(xa, ha)
            m = ha[:, 2 * H :] + self.params["bh"]
            n = tanh(xa[:, 2 * H :] + r * m)  # (4.3)
        else:
            r, z = gru_gates(xa, h_prev @ Wh[:, : 2 * H])
            m = h_prev
            n = tanh(xa[:, 2 * H :] + (r * m) @ Wh[:, 2 * H :])  # (4.4)
        return (gru_mix(n, z, h_prev),), GRUCache(h_prev, r, z, n, m)

    def step_backward(self, dstate, cache):
        (dh,) = dstate
        h_prev, r, z, n, m = cache
        H, Wh = self.hidden_size, self.params["Wh"]
        xp = array_module(dh)
        dn, dz, dh_prev = gru_mix_backward(dh, n, z, h_prev)
        da_n = tanh_backward(dn, n)
        if self.reset_after:
            dm = da_n * r  # (4.3)'
            da_rz = gru_gates_backward(da_n * m, dz, r, z)
            dh_prev += xp.concatenate([da_rz, dm], axis=1) @ Wh.T
        else:
            drm = da_n @ Wh[:, 2 * H :].T  # (4.4)'
            da_rz = gru_gates_backward(drm * m, dz, r, z)
            dh_prev += drm * r
            dh_prev += da_rz @ Wh[:, : 2 * H].T
        return xp.concatenate([da_rz, da_n], axis=1), (dh_prev,)

    def hidden_weight_gradients(self, h_prevs, dxas, caches):
        """As in every cell for r and z; the part of n is reset, before or after the product with Wh_n."""
        H = self.hidden_size
        rs = array_module(dxas).stack([cache.r for cache in caches])
        da_rz, da_n = rows(dxas)[:, : 2 * H], rows(dxas)[:, 2 * H :]
        self.grads["Wh"][:, : 2 * H] += rows(h_prevs).T @ da_rz
        if self.reset_after:
            dm = rows(rs) * da_n
            self.grads["Wh"][:, 2 * H :] += rows(h_prevs).T @ dm
            self.grads["bh"] += dm.sum(axis=0)
        else:
            self.grads["Wh"][:, 2 * H :] += rows(rs * h_prevs).T @ da_n
