"""Chapter 12, against PyTorch: the exercises solved."""

import numpy as np


def weight_gradients_at_once(x, h_prevs, das):
    dA = das.reshape(-1, das.shape[2])  # the rows of all steps below each other
    dWx = x.reshape(-1, x.shape[2]).T @ dA
    dWh = h_prevs.reshape(-1, h_prevs.shape[2]).T @ dA
    return dWx, dWh, dA.sum(axis=0)


operations_of_lstm_step = 2 * 128 * (256 + 512) * 4 * 512

sum_after_first_step = -0.002

step_that_turns_denormal = np.ceil(126 * np.log(0.5) / np.log(0.6))


def mended_lstm_to_pytorch(P):
    return {
        "weight_ih_l0": P["Wx"].T,  # PyTorch has the gates in our order
        "weight_hh_l0": P["Wh"].T,
        "bias_ih_l0": P["b"],
        "bias_hh_l0": 0 * P["b"],  # the two are added
    }


def gru_from_pytorch(weight_ih, weight_hh, bias_ih, bias_hh):
    H = weight_hh.shape[1]
    b = bias_ih + bias_hh
    b[2 * H :] = bias_ih[2 * H :]  # of the new content each keeps its own: r multiplies the other
    return weight_ih.T, weight_hh.T, b, bias_hh[2 * H :]


def mended_ratio(ours, theirs, warm_up):
    ratios = ours[warm_up:] / theirs[warm_up:]  # round by round, before anything is sorted
    return np.quantile(ratios, [0.25, 0.5, 0.75])


def loss_in_blocks(s, W, b, targets, rows):
    N, loss = len(s), 0.0
    ds, dW, db = np.zeros_like(s), np.zeros_like(W), np.zeros_like(b)
    for start in range(0, N, rows):
        block = slice(start, start + rows)
        a = s[block] @ W + b
        at_target = np.arange(len(a)), targets[block]
        a -= a.max(axis=1, keepdims=True)
        loss -= a[at_target].sum()
        np.exp(a, out=a)
        total = a.sum(axis=1, keepdims=True)
        loss += np.log(total).sum()
        a /= total
        a[at_target] -= 1
        a /= N  # now it is dlogits
        ds[block] = a @ W.T
        dW += s[block].T @ a
        db += a.sum(axis=0)
    return loss / N, ds, dW, db
