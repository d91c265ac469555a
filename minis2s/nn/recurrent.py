"""A cell run over time, and backpropagation through time.

    a_t = x_t Wx + h_{t-1} Wh + b                                      (1.1)
    h_t = cell(a_t, …)              t = 1 … T

The layers RNN, LSTM and GRU say what their cell is; this file says, once, how any cell is run over a padded
batch and how its gradients are carried back. Only h_{t-1} has to be waited for: the products with x are one
matrix product for all times before the loop, and the weight gradients are one after it.
"""

from typing import Any, NamedTuple

from ..backend import array_module, from_numpy
from ..contracts import expect_floats, expect_lengths, expect_positive, expect_tuple
from ..functional import flush, length_mask, transposed
from ..layer import Layer, uniform, zeros
from .layer_norm import layer_norm, layer_norm_backward
from .linear import rows


class RecurrentCache(NamedTuple):
    x: Any
    h_prevs: Any
    caches: list
    active: Any
    shortest: int


class Recurrent(Layer):
    """What RNN, LSTM and GRU share.

    x (T,B,D), state0 (arrays (B,H) or None for zeros) -> hs (T,B,H), stateT
    lengths (B,), on the CPU: after its last token a row's state is carried unchanged, so that stateT is the
    state at each row's own end. reverse=True reads from the last token to the first.
    Wx (D,GH), Wh (H,GH), b (GH,) with G gates, drawn from U(-1/sqrt(H), 1/sqrt(H)), b = 0.
    layer_norm=True normalises a_t before its bias is added, a = LN(x Wx + h Wh; gain) + b, with gain (GH,) = 1
    (Ba et al. 2016, §3.1, eq. (4)): all gates of an LSTM together; of a GRU r and z together, n by itself.
    """

    gates: int  # G
    states = ("h",)

    def __init__(self, input_size, hidden_size, rng, reverse=False, layer_norm=False, dtype="float32"):
        expect_positive(input_size=input_size, hidden_size=hidden_size)
        bound = hidden_size**-0.5
        super().__init__(
            Wx=uniform(rng, (input_size, self.gates * hidden_size), bound, dtype),
            Wh=uniform(rng, (hidden_size, self.gates * hidden_size), bound, dtype),
            b=zeros(self.gates * hidden_size, dtype),
        )
        self.input_size, self.hidden_size, self.reverse = input_size, hidden_size, reverse
        self.layer_norm = layer_norm
        if layer_norm:
            self.add("gain", zeros(self.gates * hidden_size, dtype) + 1)

    # One step: each cell says its own; most begin alike.

    def step(self, xa, state):
        """xa (B,GH) = x_t Wx + b, the state before -> the state after, cache."""
        raise NotImplementedError

    def step_backward(self, dstate, cache, WhT=None):
        """The gradient of the state after -> dxa (B,GH), the gradient of the state before.

        WhT (GH,H): the transpose of Wh, from a caller that has many steps to go back (functional.transposed).
        """
        raise NotImplementedError

    def preactivate(self, xa, h_prev):
        """a_t = x_t Wx + b + h_{t-1} Wh.  xa (B,GH), h_prev (B,H) -> a (B,GH), cache"""
        a = h_prev @ self.params["Wh"]
        a += xa  # (1.1)
        return self.normalise(a)

    def preactivate_backward(self, da, cache, WhT=None):
        """da (B,GH) -> dxa (B,GH), dh_prev (B,H)"""
        da = self.normalise_backward(da, cache)
        return da, da @ (self.params["Wh"].T if WhT is None else WhT)  # (1.1)'

    def normalise(self, a, part=slice(None)):
        """With layer_norm, normalise a and only then add b; else leave it.  `part`: which gates a holds -> a, cache"""
        if not self.layer_norm:
            return a, None
        a, cache = layer_norm(a, self.params["gain"][part])
        a += self.params["b"][part]
        return a, cache

    def normalise_backward(self, da, cache, part=slice(None)):
        if not self.layer_norm:
            return da
        self.grads["b"][part] += da.sum(axis=0)
        da, dgain = layer_norm_backward(da, self.params["gain"][part], cache)
        self.grads["gain"][part] += dgain
        return da

    def hidden_weight_gradients(self, h_prevs, dxas, caches):
        """Adds dWh = sum_t h_{t-1}^T da_t: Wh fans out to every step and row.  h_prevs (T,B,H), dxas (T,B,GH)"""
        self.grads["Wh"] += rows(h_prevs).T @ rows(dxas)  # (1.1)'

    # All steps.

    def project(self, x):
        """xa_t = x_t Wx + b, the part of (1.1) that does not wait, for all t at once.  x (...,D) -> xa (...,GH)"""
        xa = rows(x) @ self.params["Wx"]
        if not self.layer_norm:
            xa += self.params["b"]
        return xa.reshape(*x.shape[:-1], -1)

    def input_weight_gradients(self, x, dxas):
        """Adds dWx and db, which fan out to every step and row.  x (...,D), dxas (...,GH)"""
        self.grads["Wx"] += rows(x).T @ rows(dxas)  # (1.1)'
        if not self.layer_norm:
            self.grads["b"] += rows(dxas).sum(axis=0)

    def project_backward(self, dxas):
        """dxas (...,GH) -> dx (...,D)"""
        return (rows(dxas) @ self.params["Wx"].T).reshape(*dxas.shape[:-1], -1)  # (1.1)'

    def forward(self, x, state0=None, lengths=None):
        expect_floats("x", x, ("T", "B", self.input_size), self.dtype)
        T, B, H = *x.shape[:2], self.hidden_size
        xp = array_module(x)
        state = self.zero_state(x) if state0 is None else self.check_state("state0", state0, B)
        active, shortest = padding(lengths, T, B, x)
        xas = self.project(x)
        # One array holds h_0 h_1 … h_T: its first T rows are the h_{t-1} of every step, its last T the h_t; in reverse
        # h_0 stands at the end, so it is the other way round.
        h_all = xp.empty((T + 1, B, H), dtype=x.dtype)
        h_prevs, hs = (h_all[1:], h_all[:-1]) if self.reverse else (h_all[:-1], h_all[1:])
        caches = [None] * T
        h_prevs[self.times(T)[0]] = state[0]
        for t in self.times(T):
            after, caches[t] = self.step(xas[t], state)
            state = after if t < shortest else carry(active[t], after, state)
            hs[t] = state[0]
        return (hs, state), RecurrentCache(x, h_prevs, caches, active, shortest)

    def backward(self, dhs, dstateT, cache):
        """dhs (T,B,H) or None, dstateT or None -> dx (T,B,D), dstate0"""
        x, h_prevs, caches, active, shortest = cache
        T, B, _ = x.shape
        dxas = array_module(x).empty((T, B, self.params["b"].size), dtype=x.dtype)
        dstate = self.zero_state(x) if dstateT is None else self.check_state("dstateT", dstateT, B)
        if dhs is not None:
            expect_floats("dhs", dhs, h_prevs.shape, self.dtype)
        WhT = transposed(self.params["Wh"], T)
        for t in reversed(self.times(T)):
            if dhs is not None:
                dstate = (dstate[0] + dhs[t], *dstate[1:])  # h_t is used at t and at t + 1: sum
            if t < shortest:
                dxas[t], dstate = self.step_backward(dstate, caches[t], WhT)
            else:
                dafter, dcarried = carry_backward(active[t], dstate)
                dxas[t], dbefore = self.step_backward(dafter, caches[t], WhT)
                dstate = tuple(d + carried for d, carried in zip(dbefore, dcarried, strict=True))
            dstate = tuple(flush(d) for d in dstate)
        self.hidden_weight_gradients(h_prevs, dxas, caches)
        self.input_weight_gradients(x, dxas)
        return self.project_backward(dxas), dstate

    def times(self, T):
        return range(T - 1, -1, -1) if self.reverse else range(T)

    def zero_state(self, x):
        """The state before the first token: zeros.  x (T,B,D) or (B,D)"""
        xp = array_module(x)
        return tuple(xp.zeros((x.shape[-2], self.hidden_size), dtype=x.dtype) for _ in self.states)

    def check_state(self, name, state, B):
        """ValueError unless `state` is one of this layer, for B rows; returns it."""
        expect_tuple(name, state, self.states)
        for part, array in zip(self.states, state, strict=True):
            expect_floats(f"{name}, {part},", array, (B, self.hidden_size), self.dtype)
        return state


def padding(lengths, T, B, like):
    """The mask of real tokens (T,B,1), and how many first steps have no padding at all."""
    if lengths is None:
        return None, T
    expect_lengths("lengths", lengths, T, B)
    return from_numpy(length_mask(lengths, T)[:, :, None], like), int(lengths.min())


def carry(active, after, before):
    """A finished row keeps its state: h_t = m_t after + (1 - m_t) before (6.3).  active (B,1), states of (B,H)"""
    where = array_module(active).where
    return tuple(where(active, a, b) for a, b in zip(after, before, strict=True))  # (6.3)


def carry_backward(active, dstate):
    """The gradient goes to the step in rows that are active, past it in rows that are finished."""
    return tuple(d * active for d in dstate), tuple(d * ~active for d in dstate)  # (6.3)'
