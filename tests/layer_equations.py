"""The equations of every layer once more, as slowly and as literally as a blackboard says them.

One token of one row at a time: no cache, no gradient, no care for speed or for large numbers. A function
takes the layer, for its parameters, then what `forward` takes, and returns what `forward` returns.
"""

import numpy as np


def entry(table, name):
    if name not in table:
        raise NotImplementedError(f"no equations for {name!r} yet: add a function and its entry")
    return table[name]


def kind(layer):
    return type(layer).__name__


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def linear(layer, x):
    return x @ layer.params["W"] + layer.params.get("b", 0)


def tied_linear(layer, x):
    return x @ layer.embedding.params["W"].T + layer.params["b"]


def embedding(layer, ids):
    x = np.zeros((*ids.shape, layer.params["W"].shape[1]))
    for n in np.ndindex(ids.shape):
        if ids[n] != layer.padding_idx:
            x[n] = layer.params["W"][ids[n]]
    return x


def dropout(layer, x, rng=None):
    if rng is None or layer.p == 0:
        return x
    kept = rng.random(x.shape, dtype=np.float32) < 1 - layer.p
    return np.where(kept, x / (1 - layer.p), 0)


# Recurrent layers.  A step: x_t Wx, the state before -> the state after


def biased(layer, a, part=slice(None)):
    """a + b, for the gates that `part` names; a layer with a gain normalises a first."""
    if "gain" in layer.params:
        deviation = a - a.mean(axis=-1, keepdims=True)
        variance = (deviation**2).mean(axis=-1, keepdims=True)
        a = layer.params["gain"][part] * deviation / np.sqrt(variance + 1e-5)
    return a + layer.params["b"][part]


def rnn_step(layer, xa, state):
    (h,) = state
    return (np.tanh(biased(layer, xa + h @ layer.params["Wh"])),)


def lstm_step(layer, xa, state):
    h, c = state
    i, f, g, o = np.split(biased(layer, xa + h @ layer.params["Wh"]), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(layer, xa, state):
    (h,), P = state, layer.params
    rz, n = slice(2 * h.shape[-1]), slice(2 * h.shape[-1], None)
    r, z = np.split(sigmoid(biased(layer, xa[..., rz] + h @ P["Wh"][:, rz], rz)), 2, axis=-1)
    ha = r * (h @ P["Wh"][:, n] + P["bh"]) if layer.reset_after else (r * h) @ P["Wh"][:, n]
    new = np.tanh(biased(layer, xa[..., n] + ha, n))
    return ((1 - z) * new + z * h,)


STEPS = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step}


def step(layer, x, state, more=0):
    """`more` is what comes to the pre-activation from elsewhere than x and the state."""
    return entry(STEPS, kind(layer))(layer, x @ layer.params["Wx"] + more, state)


def recurrent(layer, x, state0=None, lengths=None, reverse=False):
    """Row by row; where a row has no token, its state stays as it is."""
    T, B, _ = x.shape
    state0 = state0 or tuple(np.zeros((B, layer.hidden_size)) for _ in layer.states)
    lengths = [T] * B if lengths is None else lengths
    hs, stateT = np.zeros((T, B, layer.hidden_size)), []
    for b in range(B):
        state = tuple(part[b] for part in state0)
        for t in reversed(range(T)) if reverse else range(T):
            if t < lengths[b]:
                state = step(layer, x[t, b], state)
            hs[t, b] = state[0]
        stateT.append(state)
    return hs, tuple(np.stack(part) for part in zip(*stateT, strict=True))


def bidirectional(layer, x, state0=None, lengths=None):
    ahead0, back0 = state0 or (None, None)
    ahead, ahead_T = recurrent(layer.left_to_right, x, ahead0, lengths)
    back, back_T = recurrent(layer.right_to_left, x, back0, lengths, reverse=True)
    return np.concatenate([ahead, back], axis=2), (ahead_T, back_T)


def stack(layer, x, state0=None, lengths=None, rng=None):
    states = []
    for index, part in enumerate(layer.layers):
        if index > 0:
            x = dropout(layer.dropout, x, rng)
        read = bidirectional if kind(part) == "Bidirectional" else recurrent
        x, state = read(part, x, state0[index] if state0 else None, lengths)
        states.append(state)
    return x, tuple(states)


# Attention.  A score: the parameters, a query, the source's state h at place i -> a number


def additive_score(P, q, h, i):
    return P["v"] @ np.tanh(q @ P["W"] + h @ P["U"] + P["b"])


def concat_score(P, q, h, i):
    return P["v"] @ np.tanh(np.concatenate([q, h]) @ P["W"] + P["b"])


def dot_score(P, q, h, i):
    return q @ h


def general_score(P, q, h, i):
    return h @ P["W"] @ q


def position_score(P, q, h, i):
    return (q @ P["W"] + P["b"])[i]


SCORES = {
    "additive": additive_score,
    "concat": concat_score,
    "dot": dot_score,
    "general": general_score,
    "position": position_score,
}


def attention(name, layer, queries, hs, lengths=None):
    """Query by query; what stands on padding is not looked at."""
    (T, B, _), S = queries.shape, len(hs)
    score = entry(SCORES, name)
    contexts, alphas = np.zeros((T, B, hs.shape[2])), np.zeros((T, B, S))
    for t, b in np.ndindex(T, B):
        real = hs[: S if lengths is None else lengths[b], b]
        alpha = softmax(np.array([score(layer.params, queries[t, b], h, i) for i, h in enumerate(real)]))
        alphas[t, b, : len(real)] = alpha
        contexts[t, b] = alpha @ real
    return contexts, alphas


def self_attention(layer, x, lengths=None, causal=False):
    """Head by head; a position looks at real tokens alone, and with `causal` at none after itself."""
    T, B, D = x.shape
    Q, K, V = linear(layer.query, x), linear(layer.key, x), linear(layer.value, x)
    y, alphas = np.zeros((T, B, D)), np.zeros((B, layer.heads, T, T))
    for b, head, t in np.ndindex(B, layer.heads, T):
        seen = slice(min(T if lengths is None else lengths[b], t + 1 if causal else T))
        part = slice(head * D // layer.heads, (head + 1) * D // layer.heads)
        e = K[seen, b, part] @ Q[t, b, part] / np.sqrt(D // layer.heads)
        alphas[b, head, t, seen] = softmax(e)
        y[t, b, part] = softmax(e) @ V[seen, b, part]
    return y if layer.heads == 1 else linear(layer.output, y), alphas


# Losses.


def weighted_mean(losses, weights):
    """Over what counts; 0 where nothing does."""
    return np.float64((weights * losses).sum() / weights.sum() if weights.any() else 0)


def cross_entropy(layer, logits, targets, weights=None):
    weights = np.ones(targets.shape) if weights is None else weights.copy()
    nll = np.zeros(targets.shape)
    for n in np.ndindex(targets.shape):
        if targets[n] == layer.ignore_index:
            weights[n] = 0
        else:
            nll[n] = -np.log(softmax(logits[n])[targets[n]])
    return weighted_mean(nll, weights)


def mean_squared_error(layer, y, target, weights=None):
    weights = np.ones(y.shape[:-1]) if weights is None else weights
    return weighted_mean(((y - target) ** 2).mean(axis=-1), weights)
