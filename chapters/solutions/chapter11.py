"""Chapter 11, self-attention: the exercises solved."""

from math import sqrt

import numpy as np

from minis2s.functional import softmax, softmax_backward


def self_attention_backward(dY, WQ, WK, WV, cache):
    X, Q, K, V, alpha = cache
    dV = alpha.swapaxes(1, 2) @ dY
    dalpha = dY @ V.swapaxes(1, 2)
    dG = softmax_backward(dalpha, alpha) / sqrt(Q.shape[2])
    dQ = dG @ K
    dK = dG.swapaxes(1, 2) @ Q
    dX = dQ @ WQ.T + dK @ WK.T + dV @ WV.T  # X is used three times: sum
    dWQ, dWK, dWV = ((X.swapaxes(1, 2) @ d).sum(axis=0) for d in (dQ, dK, dV))  # by every sequence: sum
    return dX, dWQ, dWK, dWV


weight_on_the_second = 1 / 5  # equal scores, five places

score_deviation_at_start = 1 / 3  # a number of q has variance D / (3 D), a term of q · k has 1/9, and so has E

array_without_effect = "bK"  # it adds q_t · bK to all scores of row t alike


def mended_self_attention(x, p, heads, lengths):
    T, B, D = x.shape
    d = D // heads
    Q = (x @ p["WQ"] + p["bQ"]).reshape(T, B, heads, d).transpose(1, 2, 0, 3)  # first cut, then turn
    K = (x @ p["WK"] + p["bK"]).reshape(T, B, heads, d).transpose(1, 2, 0, 3)
    V = (x @ p["WV"] + p["bV"]).reshape(T, B, heads, d).transpose(1, 2, 0, 3)
    real = np.arange(T) < lengths[:, None]
    alpha = softmax(Q @ K.swapaxes(2, 3) / sqrt(d), mask=real[:, None, None, :])  # d terms; keys are shut
    Y = (alpha @ V).transpose(2, 0, 1, 3).reshape(T, B, D)
    return Y @ p["WO"] + p["bO"], alpha


def multi_query(Q, K, V):
    K, V = K[:, None], V[:, None]  # (B,1,T,d), for every head
    alpha = softmax(Q @ K.swapaxes(2, 3) / sqrt(Q.shape[3]))
    return alpha @ V, alpha


def multi_query_backward(dY, Q, K, V, alpha):
    K, V = K[:, None], V[:, None]
    dV = alpha.swapaxes(2, 3) @ dY
    dG = softmax_backward(dY @ V.swapaxes(2, 3), alpha) / sqrt(Q.shape[3])
    dQ = dG @ K
    dK = dG.swapaxes(2, 3) @ Q
    return dQ, dK.sum(axis=1), dV.sum(axis=1)  # K and V are used by every head: sum


def distance_bias_backward(dE):
    _, heads, T, _ = dE.shape
    dr = np.zeros((heads, 2 * T - 1))
    for distance in range(1 - T, T):
        diagonal = dE.diagonal(distance, axis1=2, axis2=3)  # all with s - t = distance
        dr[:, distance + T - 1] = diagonal.sum(axis=(0, 2))
    return dr
