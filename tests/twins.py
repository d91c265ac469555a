"""PyTorch twins: what each row of the table should compute, said once more with torch's own modules.

A twin takes the parameters as torch tensors under minis2s' names, `P`, and returns what `forward` returns.
PyTorch packs padded batches, so that a finished row ends; minis2s carries its state on: `carried` says so.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def scoped(P, path):
    return {name.removeprefix(path): value for name, value in P.items() if name.startswith(path)}


def weights(P, suffix="l0"):
    """One recurrent layer's parameters under PyTorch's names: transposed, the two biases summed in ours."""
    hidden_bias = torch.zeros_like(P["b"])
    if "bh" in P:
        hidden_bias = torch.cat([hidden_bias[: 2 * len(P["bh"])], P["bh"]])
    return {
        f"weight_ih_{suffix}": P["Wx"].T,
        f"weight_hh_{suffix}": P["Wh"].T,
        f"bias_ih_{suffix}": P["b"],
        f"bias_hh_{suffix}": hidden_bias,
    }


def recurrent(key, P, x, state, lengths=None, reverse=False):
    """One layer, one direction -> hs, state; the state is a tuple."""
    T, B, D = x.shape
    lengths = torch.full((B,), T) if lengths is None else torch.as_tensor(lengths)
    mask = (torch.arange(T)[:, None] < lengths)[:, :, None]
    back = (lengths - 1 - torch.arange(T)[:, None]) % T  # each row turned round within its own length
    turn = torch.where(mask[:, :, 0], back, torch.arange(T)[:, None])[:, :, None]
    if reverse:
        x = x.gather(0, turn.expand_as(x))
    if key == "gru" and "bh" not in P:
        hs, state_T = cho_gru(P, x, state, mask)
    else:
        module = MODULES[key](D, state[0].shape[1]).double()
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        first = tuple(h[None] for h in state)
        out, last = functional_call(module, weights(P), (packed, first if key == "lstm" else first[0]))
        hs = pad_packed_sequence(out, total_length=T)[0]
        state_T = tuple(h[0] for h in (last if key == "lstm" else (last,)))
    if reverse:
        hs = hs.gather(0, turn.expand_as(hs))
    return torch.where(mask, hs, (state if reverse else state_T)[0]), state_T


def cho_gru(P, x, state, mask):
    """Cho et al. 2014, equations 5 to 8, which PyTorch does not have."""
    (h,) = state
    H = h.shape[1]
    hs = []
    for x_t, m in zip(x, mask, strict=True):
        a = x_t @ P["Wx"] + P["b"]
        r = torch.sigmoid(a[:, :H] + h @ P["Wh"][:, :H])
        z = torch.sigmoid(a[:, H : 2 * H] + h @ P["Wh"][:, H : 2 * H])
        n = torch.tanh(a[:, 2 * H :] + (r * h) @ P["Wh"][:, 2 * H :])
        h = torch.where(m, z * h + (1 - z) * n, h)
        hs.append(h)
    return torch.stack(hs), (h,)


def bidirectional(key, P, x, states, lengths=None):
    ahead, ahead_T = recurrent(key, scoped(P, "left_to_right."), x, states[0], lengths)
    back, back_T = recurrent(key, scoped(P, "right_to_left."), x, states[1], lengths, reverse=True)
    return torch.cat([ahead, back], dim=2), (ahead_T, back_T)


def stack(key, layers, both_ways, P, x, states, lengths=None, rng=None, dropout=0.0):
    after = []
    for index in range(layers):
        if index > 0:
            x = dropped(x, rng, dropout)
        layer = bidirectional if both_ways else recurrent
        x, state = layer(key, scoped(P, f"layers.{index}."), x, states[index], lengths)
        after.append(state)
    return x, tuple(after)


def dropped(x, rng, p):
    """Dropout with the mask that this generator draws next."""
    if rng is None or p == 0:
        return x
    mask = torch.as_tensor(rng.random(tuple(x.shape), dtype=np.float32) < 1 - p)
    return x * mask / (1 - p)


def additive(P, queries, hs, lengths=None):
    e = torch.tanh((queries @ P["W"])[:, None] + (hs @ P["U"] + P["b"])[None]) @ P["v"]  # (T,S,B)
    if lengths is not None:
        e = e.masked_fill(torch.arange(len(hs))[None, :, None] >= torch.as_tensor(lengths), -torch.inf)
    alphas = torch.softmax(e, dim=1)
    return torch.einsum("tsb,sbh->tbh", alphas, hs), alphas.transpose(1, 2)


def cross_entropy(ignore_index, logits, targets, weights=None):
    weights = torch.ones(targets.shape, dtype=logits.dtype) if weights is None else torch.as_tensor(weights)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    weights = weights.flatten() if ignore_index is None else weights.flatten() * (targets.flatten() != ignore_index)
    return (weights * nll).sum() / weights.sum()


def mean_squared_error(y, target, weights=None):
    if weights is None:
        return F.mse_loss(y, target)
    weights = torch.as_tensor(weights)
    return (weights[..., None] * (y - target) ** 2).sum() / (y.shape[-1] * weights.sum())


def embedding(padding_idx, P, ids):
    W = P["W"]
    if padding_idx is not None:
        W = W * (torch.arange(len(W)) != padding_idx)[:, None]
    return F.embedding(ids, W, padding_idx)


# The whole model, one step at a time.


def zero_states(config, B, key):
    zeros = torch.zeros(B, config.hidden_size, dtype=torch.float64)
    one = (zeros, zeros) if key == "lstm" else (zeros,)
    return tuple((one, one) if config.bidirectional else one for _ in range(config.layers))


def encode(config, P, source, lengths, rng):
    x = dropped(embedding(0, {"W": P["encoder.embedding.W"]}, source), rng, config.dropout)
    states = zero_states(config, source.shape[1], config.cell)
    return stack(
        config.cell,
        config.layers,
        config.bidirectional,
        scoped(P, "encoder.rnn."),
        x,
        states,
        lengths,
        rng,
        config.dropout,
    )


def bridge(P, states):
    maps, out = 0, []
    for ahead, back in states:
        state = []
        for pair in zip(ahead, back, strict=True):
            W, b = P[f"bridge.maps.{maps}.W"], P[f"bridge.maps.{maps}.b"]
            state.append(torch.tanh(torch.cat(pair, dim=1) @ W + b))
            maps += 1
        out.append(tuple(state))
    return tuple(out)


def seq2seq(config, P, source, lengths, y, teacher_forcing=1.0, rng=None):
    hs, states = encode(config, P, source, lengths, rng)
    if config.bidirectional:
        states = bridge(P, states)
    attention = config.attention != "none"
    T = len(y)
    own = [t for t in range(1, T) if teacher_forcing < 1 and rng.random() >= teacher_forcing]
    logits, alphas = [], []
    for start, stop in zip([0, *own], [*own, T], strict=True):
        fed = y[start:stop].clone()
        if start > 0:
            fed[0] = logits[-1].argmax(dim=1)
        x = dropped(embedding(0, {"W": P["decoder.embedding.W"]}, fed), rng, config.dropout)
        if not attention:  # its dropout between layers is drawn for a whole run, like the embedding's
            ss, states = stack(
                config.cell, config.layers, False, scoped(P, "decoder.rnn."), x, states, None, rng, config.dropout
            )
            logits += list(ss @ P["decoder.output.W"] + P["decoder.output.b"])
            continue
        for x_t in x:
            context, alpha = additive(scoped(P, "decoder.attention."), states[-1][0][None], hs, lengths)
            context = context[0]
            after, below = [], torch.cat([x_t, context], dim=1)
            for index, state in enumerate(states):
                layer = scoped(P, f"decoder.rnn.layers.{index}.")
                if index == 0:
                    layer["Wx"] = torch.cat([layer["Wx"], P["decoder.context_input.W"]])
                else:
                    below = dropped(below, rng, config.dropout)
                (below,), state = recurrent(config.cell, layer, below[None], state)
                after.append(state)
            states = tuple(after)
            features = torch.cat([below, context], dim=1)
            logits.append(features @ P["decoder.output.W"] + P["decoder.output.b"])
            alphas.append(alpha[0])
    return torch.stack(logits), torch.stack(alphas) if attention else None


def twin(case, layer, P, inputs, options):
    """What `case` should compute, by torch -> the outputs of its layer's forward"""
    rng, lengths = options.get("rng"), options.get("lengths")
    if case.key == "linear":
        return F.linear(inputs[0], P["W"].T, P.get("b"))
    if case.key == "embedding":
        return embedding(layer.padding_idx, P, *inputs)
    if case.key == "dropout":
        return dropped(inputs[0], rng, layer.p)
    if case.key in MODULES:
        return recurrent(case.key, P, *inputs, lengths, layer.reverse)
    if case.key == "bidirectional":
        return bidirectional(type(layer.left_to_right).__name__.lower(), P, *inputs, lengths)
    if case.key == "stack":
        bottom = layer.layers[0]
        both_ways = hasattr(bottom, "left_to_right")
        key = type(bottom.left_to_right if both_ways else bottom).__name__.lower()
        return stack(key, len(layer.layers), both_ways, P, *inputs, lengths, rng, layer.dropout.p)
    if case.key == "additive attention":
        return additive(P, *inputs, lengths)
    if case.key == "cross-entropy":
        return cross_entropy(layer.ignore_index, *inputs, options.get("weights"))
    if case.key == "mean squared error":
        return mean_squared_error(*inputs, options.get("weights"))
    if case.key == "seq2seq":
        source, lengths, y = inputs
        return seq2seq(layer.config, P, source, lengths, y, **options)
    raise KeyError(f"there is no twin for {case.name}")
