"""Chapter 06, the encoder: the exercises solved."""

import numpy as np


def embedding_backward(dx, ids, vocabulary_size):
    dW = np.zeros((vocabulary_size, dx.shape[2]))
    np.add.at(dW, ids, dx)  # a word's row fans out to all its places: sum
    dW[0] = 0
    return dW


def carry_backward(dstate, m):
    dafter = tuple(d * m for d in dstate)
    dbefore = tuple(d * ~m for d in dstate)
    return dafter, dbefore


share_of_padding = 1 - 5.5 / 10

deviation_after_dropout = 0.5  # y is 1.25 with probability 0.8, so the mean of y^2 is 1.25, and 1.25 - 1 = 0.5^2


def mended_right_to_left(x, lengths, Wx, Wh, b):
    T, B, _ = x.shape
    h, hs = np.zeros((B, len(Wh))), []
    for t, x_t in zip(reversed(range(T)), x[::-1]):  # t is the place, not the turn of the loop
        m = (t < lengths)[:, None]
        h = np.where(m, np.tanh(x_t @ Wx + h @ Wh + b), h)
        hs.append(h)
    return np.stack(hs[::-1]), h  # back into the order of the words


def pick_last_backward(dh, lengths, T):
    B, H = dh.shape
    dhs = np.zeros((T, B, H))
    dhs[lengths - 1, np.arange(B)] = dh  # one place in each row, so nothing is met twice
    return dhs


direction_that_may_pick = "left to right"  # there the padding comes after the words, and what was picked is not changed


def tied_words_backward(dlogits, W, A, cache):
    ids, x, h = cache
    dh = dlogits @ W
    dW = dlogits.T @ h
    da = dh * (1 - h**2)
    dA = x.T @ da
    dx = da @ A.T
    np.add.at(dW, ids, dx)  # W is used twice, as input and as output: sum
    return dW, dA
