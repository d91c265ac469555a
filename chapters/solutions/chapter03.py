"""Chapter 03, LSTM: the exercises solved."""

import numpy as np

from minis2s.functional import sigmoid, sigmoid_backward, tanh, tanh_backward


def lstm_cell_backward(dh, dc, cache):
    c_prev, i, f, g, o, tanh_c = cache
    do = dh * tanh_c
    dc = dc + tanh_backward(dh * o, tanh_c)
    df = dc * c_prev
    di = dc * g
    dg = dc * i
    dc_prev = dc * f
    da_i = sigmoid_backward(di, i)
    da_f = sigmoid_backward(df, f)
    da_g = tanh_backward(dg, g)
    da_o = sigmoid_backward(do, o)
    return np.concatenate([da_i, da_f, da_g, da_o], axis=1), dc_prev


share_after_20_steps = 0.731**20

bias_that_keeps_half = np.log(0.5 ** (1 / 20) / (1 - 0.5 ** (1 / 20)))


def mended_lstm_backward(dhs, Wx, Wh, caches):
    T, B, H = dhs.shape
    dh, dc = np.zeros((B, H)), np.zeros((B, H))
    dxs, dWx, dWh, db = [None] * T, np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H)
    for t in reversed(range(T)):
        x, h_prev, c_prev, i, f, g, o, c = caches[t]
        dh = dh + dhs[t]
        do = dh * np.tanh(c)
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        da_i, da_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)  # the forget gate multiplies the old cell
        da_g, da_o = dc * i * (1 - g**2), do * o * (1 - o)
        da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dWx, dWh, db = dWx + x.T @ da, dWh + h_prev.T @ da, db + da.sum(axis=0)  # Wh multiplies the old h
        dxs[t], dh, dc = da @ Wx.T, da @ Wh.T, dc * f
    return np.stack(dxs), dh, dc, dWx, dWh, db


def coupled_cell_backward(dh, dc, cache):
    c_prev, f, g, o, tanh_c = cache
    do = dh * tanh_c
    dc = dc + tanh_backward(dh * o, tanh_c)
    df = dc * c_prev - dc * g  # f is used twice: sum
    dg = dc * (1 - f)
    da_f = sigmoid_backward(df, f)
    da_g = tanh_backward(dg, g)
    da_o = sigmoid_backward(do, o)
    return np.concatenate([da_f, da_g, da_o], axis=1), dc * f


def peephole_cell(a, c_prev, p):
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i = sigmoid(a_i + p[0] * c_prev)
    f = sigmoid(a_f + p[1] * c_prev)
    g = tanh(a_g)
    c = f * c_prev + i * g
    o = sigmoid(a_o + p[2] * c)
    h = o * tanh(c)
    return h, c, (c_prev, i, f, g, o, c, p)


def peephole_cell_backward(dh, dc, cache):
    c_prev, i, f, g, o, c, p = cache
    da_o = sigmoid_backward(dh * tanh(c), o)
    dc = dc + tanh_backward(dh * o, tanh(c)) + da_o * p[2]  # c is used three times: sum
    da_i = sigmoid_backward(dc * g, i)
    da_f = sigmoid_backward(dc * c_prev, f)
    da_g = tanh_backward(dc * i, g)
    dc_prev = dc * f + da_i * p[0] + da_f * p[1]  # and so is c_prev
    dp = np.stack([(da_i * c_prev).sum(axis=0), (da_f * c_prev).sum(axis=0), (da_o * c).sum(axis=0)])
    return np.concatenate([da_i, da_f, da_g, da_o], axis=1), dc_prev, dp
