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

from ..backend import array_module, fused
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
    normalised: tuple


def gru_gates(a):
    """Reset and update gate.  a (B,2H) -> r (B,H), z (B,H)"""
    gates = sigmoid(a)  # (4.1) (4.2)
    H = a.shape[1] // 2
    return gates[:, :H], gates[:, H:]


def gru_gates_backward(dr, dz, r, z):
    """dr (B,H), dz (B,H) -> da (B,2H)"""
    return array_module(dr).concatenate([sigmoid_backward(dr, r), sigmoid_backward(dz, z)], axis=1)  # (4.1)' (4.2)'


@fused
def gru_mix(n, z, h_prev):
    """The new state: (1 - z) n + z h_prev, with one product less.  n (B,H), z (B,H), h_prev (B,H) -> h (B,H)"""
    return n + z * (h_prev - n)  # (4.5)


@fused
def gru_mix_backward(dh, n, z, h_prev):
    """dh (B,H) -> dn (B,H), dz (B,H), dh_prev (B,H), as far as h_prev is mixed in directly."""
    return dh * (1 - z), dh * (h_prev - n), dh * z  # (4.5)'


class GRU(Recurrent):
    """A layer of gated recurrent units.

    x (T,B,D), h0 (B,H) -> hs (T,B,H), hT (B,H)
    Wx (D,3H), Wh (H,3H), b (3H,), gates in the order r, z, n; bh (H,) with reset_after only; with layer_norm also
    gain (3H,).
    reset_after=True is PyTorch's form (4.3), False that of Cho et al. 2014 (4.4).  States are tuples of one: (h,).
    """

    gates = 3

    def __init__(self, input_size, hidden_size, rng, reset_after=True, dtype="float32", **options):
        super().__init__(input_size, hidden_size, rng, dtype=dtype, **options)
        self.reset_after = reset_after
        self.rz, self.n = slice(0, 2 * hidden_size), slice(2 * hidden_size, None)
        if reset_after:
            self.add("bh", zeros(hidden_size, dtype))

    def step(self, xa, state):
        (h_prev,), Wh = state, self.params["Wh"]
        if self.reset_after:
            ha = h_prev @ Wh
            ha_rz, m = ha[:, self.rz], ha[:, self.n] + self.params["bh"]
        else:
            ha_rz, m = h_prev @ Wh[:, self.rz], h_prev
        a_rz, normalised_rz = self.normalise(xa[:, self.rz] + ha_rz, self.rz)
        r, z = gru_gates(a_rz)
        if self.reset_after:
            a_n = xa[:, self.n] + r * m  # (4.3)
        else:
            a_n = xa[:, self.n] + (r * m) @ Wh[:, self.n]  # (4.4)
        a_n, normalised_n = self.normalise(a_n, self.n)
        n = tanh(a_n)
        return (gru_mix(n, z, h_prev),), GRUCache(h_prev, r, z, n, m, (normalised_rz, normalised_n))

    def step_backward(self, dstate, cache, WhT=None):
        (dh,) = dstate
        WhT = self.params["Wh"].T if WhT is None else WhT
        h_prev, r, z, n, m, (normalised_rz, normalised_n) = cache
        xp = array_module(dh)
        dn, dz, dh_prev = gru_mix_backward(dh, n, z, h_prev)
        da_n = self.normalise_backward(tanh_backward(dn, n), normalised_n, self.n)
        # drm is the gradient of r m. Where m = ha_n + bh, [da_rz ; drm r] is that of ha, and one product serves all.
        drm = da_n if self.reset_after else da_n @ WhT[self.n]  # (4.3)' (4.4)'
        da_rz = gru_gates_backward(drm * m, dz, r, z)
        da_rz = self.normalise_backward(da_rz, normalised_rz, self.rz)
        if self.reset_after:
            dh_prev += xp.concatenate([da_rz, drm * r], axis=1) @ WhT
        else:
            dh_prev += drm * r
            dh_prev += da_rz @ WhT[self.rz]
        return xp.concatenate([da_rz, da_n], axis=1), (dh_prev,)

    def hidden_weight_gradients(self, h_prevs, dxas, caches):
        """As in every cell for r and z; the part of n is reset, before or after the product with Wh_n."""
        rs = array_module(dxas).stack([cache.r for cache in caches])
        da_rz, da_n = rows(dxas)[:, self.rz], rows(dxas)[:, self.n]
        self.grads["Wh"][:, self.rz] += rows(h_prevs).T @ da_rz
        if self.reset_after:
            dm = rows(rs) * da_n
            self.grads["Wh"][:, self.n] += rows(h_prevs).T @ dm
            self.grads["bh"] += dm.sum(axis=0)
        else:
            self.grads["Wh"][:, self.n] += rows(rs * h_prevs).T @ da_n
