"""Chapter 05, softmax, cross-entropy, masks: the exercises solved."""

import numpy as np

from minis2s import functional


def log_softmax_backward(dy, y):
    # a_j is used in y_j, and through the sum in every y_i: each of these gets -p_j.
    p = np.exp(y)
    return dy - p * dy.sum(axis=1, keepdims=True)


def masked_loss_backward(dloss, logits, targets):
    w = targets != 0
    dnll = dloss * w / max(1, w.sum())
    return dnll[:, :, None] * (functional.softmax(logits) - np.eye(logits.shape[-1])[targets])


untrained_loss = np.log(10_000)

softmax_twice_floor = np.log(np.e + 9_999) - 1


def mended_loss_and_gradient(logits, targets):
    rows, real = np.arange(len(targets)), targets != 0
    moved = logits - logits.max(axis=1, keepdims=True)  # only differences matter
    exponentials = np.exp(moved)
    total = exponentials.sum(axis=1, keepdims=True)
    loss = (real * (np.log(total[:, 0]) - moved[rows, targets])).sum() / real.sum()  # a mean over real tokens
    dlogits = exponentials / total
    dlogits[rows, targets] -= 1
    return loss, real[:, None] * dlogits / real.sum()  # and no gradient for padding


def smoothed_cross_entropy(logits, targets, epsilon):
    N, V = logits.shape
    q = (1 - epsilon) * np.eye(V)[targets] + epsilon / V
    return -(q * functional.log_softmax(logits)).sum() / N


def smoothed_cross_entropy_backward(logits, targets, epsilon):
    N, V = logits.shape
    q = (1 - epsilon) * np.eye(V)[targets] + epsilon / V
    return (functional.softmax(logits) - q) / N  # q sums to 1, so logsumexp's softmax stands alone
