"""Chapter 02, backpropagation through time: the exercises solved."""

import numpy as np


def rnn_backward_through_time(dhs, dhT, Wx, Wh, cache):
    x, hs = cache
    dx, dh_next = np.zeros_like(x), dhT
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wh.shape[1])
    for t in reversed(range(len(x))):
        dh = dhs[t] + dh_next
        da = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ da
        dWh += hs[t].T @ da
        db += da.sum(axis=0)
        dx[t] = da @ Wx.T
        dh_next = da @ Wh.T
    return dx, dh_next, dWx, dWh, db


rnn_steps_until_a_hundredth = int(np.ceil(np.log(0.01) / np.log((1 - 0.6**2) * 1.25)))

exponent_of_best_step = np.log10(np.finfo(np.float64).eps / 2) / 5  # u/eps = eps^4


def mended_bptt(dys, cache, Wx, Wh, Wy):
    x, hs = cache
    dys = dys.swapaxes(0, 1)  # a reshape would deal the same numbers out anew, row by row
    dWx, dWh, dWy = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wy)
    db, dby = np.zeros(Wh.shape[1]), np.zeros(Wy.shape[1])
    dx, dh_next = np.zeros_like(x), np.zeros_like(hs[0])
    for t in reversed(range(len(x))):
        dWy += hs[t + 1].T @ dys[t]
        dby += dys[t].sum(axis=0)
        dh = dys[t] @ Wy.T + dh_next
        da = dh * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ da
        dWh += hs[t].T @ da
        db += da.sum(axis=0)
        dx[t] = da @ Wx.T
        dh_next = da @ Wh.T
    return dx.swapaxes(0, 1), dh_next, dWx, dWh, db, dWy, dby


def slopes_along(f, x, dx, d, eps):
    numeric = (f(x + eps * d) - f(x - eps * d)) / (2 * eps)
    return numeric, (dx * d).sum()


def truncated_bptt(dhs, Wx, Wh, cache, k):
    x, hs = cache
    dx, dh_next = np.zeros_like(x), np.zeros_like(hs[0])
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wh.shape[1])
    for t in reversed(range(len(x))):
        if (t + 1) % k == 0:  # h_t is the last of its k steps: nothing comes from the next ones
            dh_next = np.zeros_like(dh_next)
        da = (dhs[t] + dh_next) * (1 - hs[t + 1] ** 2)
        dWx += x[t].T @ da
        dWh += hs[t].T @ da
        db += da.sum(axis=0)
        dx[t] = da @ Wx.T
        dh_next = da @ Wh.T
    return dx, dh_next, dWx, dWh, db
