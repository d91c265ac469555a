"""Chapter 04, GRU: the exercises solved."""

import numpy as np

from minis2s.functional import sigmoid_backward, tanh_backward


def gru_cell_backward(dh, cache):
    h_prev, r, z, n, m = cache
    dn = dh * (1 - z)
    dz = dh * (h_prev - n)
    da_n = tanh_backward(dn, n)
    dr = da_n * m
    dm = da_n * r
    da_z = sigmoid_backward(dz, z)
    da_r = sigmoid_backward(dr, r)
    dxa = np.concatenate([da_r, da_z, da_n], axis=1)
    dha = np.concatenate([da_r, da_z, dm], axis=1)
    return dxa, dha, dh * z


z_that_keeps_half = 0.5 ** (1 / 50)

gru_state_after_10_steps = 1 - 0.9**10

gru_form_that_still_hears = "before"


def mended_gru_backward(dhs, Wx, Wh, caches):
    T, B, H = dhs.shape
    Wh_rz, Wh_n = Wh[:, : 2 * H], Wh[:, 2 * H :]
    dh, dxs, dWx, db = np.zeros((B, H)), [None] * T, np.zeros_like(Wx), np.zeros(3 * H)
    dWh_rz, dWh_n = np.zeros_like(Wh_rz), np.zeros_like(Wh_n)
    for t in reversed(range(T)):
        x, h_prev, r, z, n, q = caches[t]
        dh = dh + dhs[t]
        dn, dz = dh * (1 - z), dh * (h_prev - n)  # z h_prev adds, (1 - z) n takes away
        da_n = dn * (1 - n**2)
        dq = da_n @ Wh_n.T
        da_rz = np.concatenate([dq * h_prev * r * (1 - r), dz * z * (1 - z)], axis=1)
        dxa = np.concatenate([da_rz, da_n], axis=1)
        dWx, db = dWx + x.T @ dxa, db + dxa.sum(axis=0)
        dWh_rz, dWh_n = dWh_rz + h_prev.T @ da_rz, dWh_n + q.T @ da_n  # Wh_n multiplies what has been reset
        dxs[t], dh = dxa @ Wx.T, dh * z + dq * r + da_rz @ Wh_rz.T
    return np.stack(dxs), dh, dWx, np.concatenate([dWh_rz, dWh_n], axis=1), db


def weights_for_other_z(Wx, Wh, b):
    H = len(Wh)
    sign = np.repeat([1.0, -1.0, 1.0], H)  # 1 - sigmoid(a) = sigmoid(-a)
    return Wx * sign, Wh * sign, b * sign


def minimal_gated_cell_backward(dh, Wh, cache):
    h_prev, f, n = cache
    H = h_prev.shape[1]
    dn = dh * f
    da_n = tanh_backward(dn, n)
    dq = da_n @ Wh[:, H:].T
    df = dh * (n - h_prev) + dq * h_prev  # f is used three times: sum
    da_f = sigmoid_backward(df, f)
    dh_prev = dh * (1 - f) + dq * f + da_f @ Wh[:, :H].T  # and so is h_prev
    dWh = np.concatenate([h_prev.T @ da_f, (f * h_prev).T @ da_n], axis=1)
    return np.concatenate([da_f, da_n], axis=1), dh_prev, dWh
