"""Chapter 07, the decoder and teacher forcing: the exercises solved."""

import numpy as np

from minis2s.data.vocabulary import END, PAD, START
from minis2s.functional import softmax_backward


def decoder_backward(dlogits, fed, ss, E, Wx, Wh, Wo):
    dE, dWx, dWh, dWo = map(np.zeros_like, (E, Wx, Wh, Wo))
    db, dbo = np.zeros(len(Wh)), np.zeros(Wo.shape[1])
    ds = np.zeros_like(ss[0])
    for t in reversed(range(len(fed))):
        dWo += ss[t + 1].T @ dlogits[t]
        dbo += dlogits[t].sum(axis=0)
        ds = ds + dlogits[t] @ Wo.T  # the state is used twice: sum
        da = ds * (1 - ss[t + 1] ** 2)
        dWx += E[fed[t]].T @ da
        dWh += ss[t].T @ da
        db += da.sum(axis=0)
        np.add.at(dE, fed[t], da @ Wx.T)  # a word may be fed twice in a batch
        ds = da @ Wh.T
    return ds, dE, dWx, dWh, db, dWo, dbo


def context_decoder_backward(dlogits, x, c, ss, Wx, Wh, Wo):
    E, H = x.shape[2], c.shape[1]
    dx, dc, ds = np.zeros_like(x), np.zeros_like(c), np.zeros_like(c)
    for t in reversed(range(len(x))):
        dfeatures = dlogits[t] @ Wo.T  # of [s; c; x]
        ds = ds + dfeatures[:, :H]
        da = ds * (1 - ss[t + 1] ** 2)
        dinput = da @ Wx.T  # of [x; c]
        dx[t] = dinput[:, :E] + dfeatures[:, 2 * H :]
        dc += dinput[:, E:] + dfeatures[:, H : 2 * H]  # used twice in every step
        ds = da @ Wh.T
    return dx, dc + ds  # and c is the first state


best_honest_loss = 3 * np.log(10) / 4

loss_of_the_copier = 0.0

companion_with_half_a_teacher = 3 / 7


def mended_feed(sentences):
    T = max(map(len, sentences)) + 1  # the longest one ends as well
    y, targets = np.full((2, T, len(sentences)), PAD)
    for b, ids in enumerate(sentences):
        y[: len(ids) + 1, b] = [START, *ids]
        targets[: len(ids) + 1, b] = [*ids, END]
    return y, targets


def inverse_sigmoid_decay(step, k):
    return (1 + np.tanh((np.log(k) - step / k) / 2)) / 2  # the sigmoid of log k - step / k


def soft_decoder_backward(dlogits, cache, E, Wx, Wh, Wo):
    first, xs, ss, ps = cache
    dE, dWx, dWh, dWo = map(np.zeros_like, (E, Wx, Wh, Wo))
    db, dbo = np.zeros(len(Wh)), np.zeros(Wo.shape[1])
    ds, dx_next = np.zeros_like(ss[0]), np.zeros_like(xs[0])
    for t in reversed(range(len(xs))):
        dE += ps[t].T @ dx_next  # step t + 1 was fed p E
        da_o = dlogits[t] + softmax_backward(dx_next @ E.T, ps[t])  # the logits are used twice: sum
        dWo += ss[t + 1].T @ da_o
        dbo += da_o.sum(axis=0)
        ds = ds + da_o @ Wo.T
        da = ds * (1 - ss[t + 1] ** 2)
        dWx += xs[t].T @ da
        dWh += ss[t].T @ da
        db += da.sum(axis=0)
        dx_next, ds = da @ Wx.T, da @ Wh.T
    np.add.at(dE, first, dx_next)  # step 1 was fed rows of E
    return ds, dE, dWx, dWh, db, dWo, dbo
