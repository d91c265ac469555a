"""The same step as a textbook writes it, and the ideas that make it fast, each to be switched on by itself.

LSTM encoder-decoder, teacher forcing. Plain, all is done step by step inside the loop over time: products,
weight gradients, output layer, one-hot cross-entropy; and what is computed is a new array each time.
"""

from typing import NamedTuple

import numpy as np

from ..backend import scatter_add
from ..data.vocabulary import PAD
from ..functional import flush, row_blocks
from ..optim import Adam
from .workloads import LR, SEED


class Ideas(NamedTuple):
    """In the order in which the ablation switches them on."""

    plain_scalars: bool = False
    sigmoid_by_tanh: bool = False
    inputs_at_once: bool = False
    weights_at_once: bool = False
    logits_at_once: bool = False
    loss_in_place: bool = False
    rows_without_repeats: bool = False
    adam_in_place: bool = False
    denormals_flushed: bool = False


IN_WORDS = {
    "plain_scalars": "float32 throughout: the count of tokens is Python's int, not NumPy's int64",
    "sigmoid_by_tanh": "sigmoid(x) = (1 + tanh(x / 2)) / 2",
    "inputs_at_once": "x Wx and dx of all times in one product each",
    "weights_at_once": "dWx and dWh of all times in one product each",
    "logits_at_once": "output layer and its gradients once for all times",
    "loss_in_place": "cross-entropy in place on the logits, in blocks of rows, without one-hot vectors",
    "rows_without_repeats": "embedding gradients added in rounds without repeated ids, instead of np.add.at",
    "adam_in_place": "Adam in place, in blocks that fit the cache",
    "denormals_flushed": "gradients too small to matter set to 0",
}


def first(count):
    """The first `count` ideas."""
    return Ideas(*[True] * count)


class Textbook:
    """One training step of an LSTM encoder-decoder.  params, grads: arrays by minis2s's names"""

    def __init__(self, workload, dtype, ideas):
        config = workload.config
        self.params, self.batch = workload.make_model(dtype).params, workload.make_batch()
        self.layers, self.keep, self.clip, self.ideas = config.layers, 1 - config.dropout, workload.clip, ideas
        self.rng, self.dtype, self.steps = np.random.default_rng(SEED), dtype, 0
        self.adam_in_place = Adam(LR)
        self.m = {name: np.zeros_like(param) for name, param in self.params.items()}
        self.v = {name: np.zeros_like(param) for name, param in self.params.items()}

    def gradients(self):
        return self.grads

    def step(self):
        self.grads = {name: np.zeros_like(param) for name, param in self.params.items()}
        loss = self.forward_and_backward()
        norm = np.sqrt(sum((grad**2).sum() for grad in self.grads.values()))
        for grad in self.grads.values():
            grad *= min(1.0, self.clip / (norm + 1e-6))
        if self.ideas.adam_in_place:
            self.adam_in_place.update(self.params, self.grads)
        else:
            self.adam()
        return loss

    def adam(self, b1=0.9, b2=0.999, eps=1e-8):
        self.steps += 1
        for name, g in self.grads.items():
            self.m[name] = b1 * self.m[name] + (1 - b1) * g
            self.v[name] = b2 * self.v[name] + (1 - b2) * g**2
            m, v = self.m[name] / (1 - b1**self.steps), self.v[name] / (1 - b2**self.steps)
            self.params[name] -= LR * m / (np.sqrt(v) + eps)

    def forward_and_backward(self):
        source, y, targets = self.batch.source, self.batch.y, self.batch.targets
        zeros = np.zeros((source.shape[1], len(self.params["encoder.rnn.layers.0.Wh"])), self.dtype)
        _, states, encoder_caches = self.run("encoder", source, [(zeros, zeros)] * self.layers)
        ss, _, decoder_caches = self.run("decoder", y, states)

        n = np.sum(targets != PAD)  # an np.int64: float32 / n is float64, and so is all that comes after
        if self.ideas.plain_scalars:
            n = int(n)
        if self.ideas.logits_at_once:
            loss, dss = self.output(ss.reshape(-1, ss.shape[2]), targets.reshape(-1), n)
            dss = dss.reshape(ss.shape)
        else:
            steps = [self.output(s, target, n) for s, target in zip(ss, targets)]
            loss, dss = sum(loss for loss, _ in steps), np.stack([ds for _, ds in steps])

        dstates = self.run_backward("decoder", y, dss, [(zeros, zeros)] * self.layers, decoder_caches)
        nothing = np.zeros((*source.shape, zeros.shape[1]), self.dtype)  # comes from the encoder's single states
        self.run_backward("encoder", source, nothing, dstates, encoder_caches)
        return loss

    # Encoder and decoder: embedding, dropout, layers.

    def run(self, side, ids, states):
        x, after, caches = self.params[f"{side}.embedding.W"][ids], [], []
        for layer, (h, c) in enumerate(states):
            mask = 1.0 if self.keep == 1 else (self.rng.random(x.shape) < self.keep).astype(self.dtype) / self.keep
            x = x * mask
            hs, state, steps = self.lstm(f"{side}.rnn.layers.{layer}.", x, h, c)
            caches.append((x, mask, steps))
            after.append(state)
            x = hs
        return x, after, caches

    def run_backward(self, side, ids, dx, dstates, caches):
        before = [None] * self.layers
        for layer in reversed(range(self.layers)):
            x, mask, steps = caches[layer]
            dx, before[layer] = self.lstm_backward(f"{side}.rnn.layers.{layer}.", x, dx, *dstates[layer], steps)
            dx = dx * mask
        add = scatter_add if self.ideas.rows_without_repeats else np.add.at
        add(self.grads[f"{side}.embedding.W"], ids.reshape(-1), dx.reshape(-1, dx.shape[2]))
        return before

    # One layer.

    def lstm(self, path, x, h, c):
        """x (T,B,D), h (B,H), c (B,H) -> hs (T,B,H), (h, c), what each step leaves for backward"""
        Wx, Wh, b = (self.params[path + name] for name in ("Wx", "Wh", "b"))
        sigmoid = sigmoid_by_tanh if self.ideas.sigmoid_by_tanh else sigmoid_by_exp
        if self.ideas.inputs_at_once:
            xa = (x.reshape(-1, len(Wx)) @ Wx + b).reshape(*x.shape[:2], -1)
        hs, steps = [], []
        for t in range(len(x)):
            a = (xa[t] if self.ideas.inputs_at_once else x[t] @ Wx + b) + h @ Wh
            a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
            i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
            c_next = f * c + i * g
            tanh_c = np.tanh(c_next)
            steps.append((h, c, i, f, g, o, tanh_c))
            h, c = o * tanh_c, c_next
            hs.append(h)
        return np.stack(hs), (h, c), steps

    def lstm_backward(self, path, x, dhs, dh, dc, steps):
        """dhs (T,B,H), dh (B,H), dc (B,H) -> dx (T,B,D), (dh, dc)"""
        Wx, Wh = self.params[path + "Wx"], self.params[path + "Wh"]
        das, dx = [None] * len(x), [None] * len(x)
        for t in reversed(range(len(x))):
            h_prev, c_prev, i, f, g, o, tanh_c = steps[t]
            dh = dh + dhs[t]
            dc = dc + dh * o * (1 - tanh_c**2)
            da_i, da_f = dc * g * i * (1 - i), dc * c_prev * f * (1 - f)
            da_g, da_o = dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)
            da = das[t] = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
            if not self.ideas.weights_at_once:
                self.add_weights(path, x[t], h_prev, da)
            if not self.ideas.inputs_at_once:
                dx[t] = da @ Wx.T
            dh, dc = da @ Wh.T, dc * f
            if self.ideas.denormals_flushed:
                flush(dh), flush(dc)
        if self.ideas.weights_at_once:
            self.add_weights(path, rows(x), rows([step[0] for step in steps]), rows(das))
        dx = (rows(das) @ Wx.T).reshape(x.shape) if self.ideas.inputs_at_once else np.stack(dx)
        return dx, (dh, dc)

    def add_weights(self, path, x, h_prev, da):
        self.grads[path + "Wx"] += x.T @ da
        self.grads[path + "Wh"] += h_prev.T @ da
        self.grads[path + "b"] += da.sum(axis=0)

    # Output layer and loss.

    def output(self, s, targets, n):
        """s (N,H), targets (N,), n: tokens of the batch -> the loss of these rows, ds (N,H)"""
        W, b = self.params["decoder.output.W"], self.params["decoder.output.b"]
        cross_entropy = cross_entropy_in_place if self.ideas.loss_in_place else cross_entropy_one_hot
        loss, dlogits = cross_entropy(s @ W + b, targets, n)
        self.grads["decoder.output.W"] += s.T @ dlogits
        self.grads["decoder.output.b"] += dlogits.sum(axis=0)
        return loss, dlogits @ W.T


def rows(arrays):
    """T arrays (B,D) -> (TB,D)"""
    arrays = np.asarray(arrays)
    return arrays.reshape(-1, arrays.shape[2])


def sigmoid_by_exp(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_by_tanh(x):
    return (1 + np.tanh(x / 2)) / 2


def cross_entropy_one_hot(logits, targets, n):
    one_hot = np.zeros_like(logits)
    one_hot[np.arange(len(targets)), targets] = 1
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -(one_hot * np.log(p)).sum() / n, (p - one_hot) / n


def cross_entropy_in_place(logits, targets, n):
    """The gradient takes the place of the logits; a block stays in the cache from its first line to its last."""
    loss = 0.0
    for block in row_blocks(logits):
        a, at_target = logits[block], (np.arange(len(logits[block])), targets[block])
        a -= a.max(axis=1, keepdims=True)
        loss -= a[at_target].sum()
        np.exp(a, out=a)
        total = a.sum(axis=1, keepdims=True)
        loss += np.log(total).sum()
        a /= total
        a[at_target] -= 1
        a /= n
    return loss / n, logits
