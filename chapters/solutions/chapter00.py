"""Chapter 00, the map: the exercises solved."""

import numpy as np


def decoder_line_of_003(y, s, h, W_ys, W_ss, W_hs, b_s):
    return np.tanh(y @ W_ys.T + s @ W_ss.T + h @ W_hs.T + b_s)


def shapes_of_a_batch(S, T, B, H, V):
    return (S, B, 2 * H), (T, B, V), (T, B, S)


documents_with_context_at_every_step = "002 and 003"

documents_with_the_cell_of_an_lstm = "none"
