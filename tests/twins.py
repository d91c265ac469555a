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
    if (key == "gru" and "bh" not in P) or "gain" in P:
        hs, state_T = by_hand(key, P, x, state, mask)
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


def by_hand(key, P, x, state, mask):
    """The cells that PyTorch does not have: Cho et al. 2014, equations 5 to 8, and any with layer normalisation."""
    H = state[0].shape[1]

    def norm(a, part=slice(None)):
        return a + P["b"][part] if "gain" not in P else F.layer_norm(a, a.shape[-1:], P["gain"][part], P["b"][part])

    hs = []
    for x_t, m in zip(x @ P["Wx"], mask, strict=True):
        h = state[0]
        if key == "gru":
            rz, n = slice(0, 2 * H), slice(2 * H, None)
            r, z = torch.sigmoid(norm(x_t[:, rz] + h @ P["Wh"][:, rz], rz)).chunk(2, dim=1)
            inner = r * (h @ P["Wh"][:, n] + P["bh"]) if "bh" in P else (r * h) @ P["Wh"][:, n]
            after = (z * h + (1 - z) * torch.tanh(norm(x_t[:, n] + inner, n)),)
        else:
            a = norm(x_t + h @ P["Wh"])
            if key == "rnn":
                after = (torch.tanh(a),)
            else:
                i, f, g, o = a.chunk(4, dim=1)
                c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
                after = (torch.sigmoid(o) * torch.tanh(c), c)
        state = tuple(torch.where(m, new, old) for new, old in zip(after, state, strict=True))
        hs.append(state[0])
    return torch.stack(hs), state


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


def attend(kind, P, queries, hs, lengths=None):
    """Any kind of attention -> contexts (T,B,H), alphas (T,B,S)"""
    if kind == "additive":
        e = torch.tanh((queries @ P["W"])[:, None] + (hs @ P["U"] + P["b"])[None]) @ P["v"]  # (T,S,B)
    elif kind == "concat":
        T, S = len(queries), len(hs)
        both = torch.cat([queries[:, None].expand(-1, S, -1, -1), hs[None].expand(T, -1, -1, -1)], dim=3)
        e = torch.tanh(both @ P["W"] + P["b"]) @ P["v"]
    elif kind == "dot":
        e = torch.einsum("tbh,sbh->tsb", queries, hs)
    elif kind == "general":
        e = torch.einsum("tbq,hq,sbh->tsb", queries, P["W"], hs)
    elif kind == "position":
        e = (queries @ P["W"] + P["b"])[:, :, : len(hs)].transpose(1, 2)
    if lengths is not None:
        e = e.masked_fill(torch.arange(len(hs))[None, :, None] >= torch.as_tensor(lengths), -torch.inf)
    alphas = torch.softmax(e, dim=1)
    return torch.einsum("tsb,sbh->tbh", alphas, hs), alphas.transpose(1, 2)


def self_attention(P, heads, causal, x, lengths=None):
    """torch's own multi-head attention -> y (T,B,D), alphas (B,heads,T,T)"""
    T, _, D = x.shape
    names = ("query", "key", "value")
    eye = torch.eye(D, dtype=x.dtype)
    y, alphas = F.multi_head_attention_forward(
        x, x, x, D, heads,
        torch.cat([P[f"{name}.W"].T for name in names]),
        torch.cat([P[f"{name}.b"] for name in names]),
        None, None, False, 0.0,
        P["output.W"].T if heads > 1 else eye,
        P["output.b"] if heads > 1 else torch.zeros(D, dtype=x.dtype),
        key_padding_mask=None if lengths is None else torch.arange(T) >= torch.as_tensor(lengths)[:, None],
        attn_mask=torch.ones(T, T, dtype=bool).triu(1) if causal else None,
        average_attn_weights=False,
    )  # fmt: skip
    return y, alphas


def cross_entropy(ignore_index, logits, targets, weights=None):
    """The mean over what counts; where nothing does, PyTorch says nan, minis2s 0."""
    weights = torch.ones(targets.shape, dtype=logits.dtype) if weights is None else torch.as_tensor(weights)
    ignored = -100 if ignore_index is None else ignore_index  # PyTorch's own word for none
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=ignored, reduction="none")
    weights = (weights * (targets != ignored)).flatten()
    return (weights * nll).sum() / (weights.sum() if weights.any() else 1)


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
    context = config.context or ("state" if config.attention == "none" else "input")
    decode = Steps(config, scoped(P, "decoder."), context, hs, lengths, states, rng)
    T = len(y)
    own = [t for t in range(1, T) if teacher_forcing < 1 and (teacher_forcing == 0 or rng.random() >= teacher_forcing)]
    logits, alphas = [], []
    for start, stop in zip([0, *own], [*own, T], strict=True):
        fed = y[start:stop].clone()
        if start > 0:
            fed[0] = logits[-1].argmax(dim=1)
        x = dropped(embedding(0, {"W": P["decoder.embedding.W"]}, fed), rng, config.dropout)
        if config.attention == "none":  # its dropout between layers is drawn for a whole run, like the embedding's
            features = decode.whole_run(x)
        else:
            features, run_alphas = zip(*map(decode.one_step, x), strict=True)
            features, alphas = torch.stack(features), [*alphas, *run_alphas]
        logits += list(decode.logits(dropped(features, rng, config.output_dropout)))
    return torch.stack(logits), torch.stack(alphas) if alphas else None


class Steps:
    """The decoders, each step as its paper has it."""

    def __init__(self, config, P, context, hs, lengths, states, rng):
        self.config, self.P, self.context, self.hs, self.lengths, self.rng = config, P, context, hs, lengths, rng
        self.states, self.c = states, states[-1][0]
        self.s_tilde = torch.zeros_like(self.c)

    def logits(self, features):
        W = self.P["output.W"] if "output.W" in self.P else self.P["embedding.W"].T
        return features @ W + self.P["output.b"]

    def cells(self, x):
        """All layers, one step, dropout between them -> h of the top one"""
        after = []
        for index, state in enumerate(self.states):
            if index > 0:
                x = dropped(x, self.rng, self.config.dropout)
            layer = scoped(self.P, f"rnn.layers.{index}.")
            if index == 0 and "context_input.W" in self.P:
                layer["Wx"] = torch.cat([layer["Wx"], self.P["context_input.W"]])
            (x,), state = recurrent(self.config.cell, layer, x[None], state)
            after.append(state)
        self.states = tuple(after)
        return x

    def look(self, query):
        P = scoped(self.P, "attention.")
        contexts, alphas = attend(self.config.attention, P, query[None], self.hs, self.lengths)
        return contexts[0], alphas[0]

    def whole_run(self, x):
        c = self.c.expand(len(x), -1, -1)
        inputs = x if self.context == "state" else torch.cat([x, c], dim=2)
        ss, self.states = stack(
            self.config.cell, self.config.layers, False, scoped(self.P, "rnn."), inputs, self.states, None,
            self.rng, self.config.dropout,
        )  # fmt: skip
        return torch.cat([ss, c, x], dim=2) if self.context == "every step and output" else ss

    def one_step(self, x):
        P, s = self.P, self.states[-1][0]
        if self.context == "input":
            context, alpha = self.look(s)
            s = self.cells(torch.cat([x, context], dim=1))
            return torch.cat([s, context], dim=1), alpha
        if self.context in ("output", "output fed back"):
            s = self.cells(x if self.context == "output" else torch.cat([x, self.s_tilde], dim=1))
            context, alpha = self.look(s)
            self.s_tilde = torch.tanh(torch.cat([context, s], dim=1) @ P["combine.W"] + P["combine.b"])
            return self.s_tilde, alpha
        if self.context == "combined input":
            context, alpha = self.look(torch.cat([x, s], dim=1))
            x = torch.relu(torch.cat([x, context], dim=1) @ P["combine.W"] + P["combine.b"])
            return self.cells(x), alpha
        if self.context == "gate":
            s = self.cells(x)
            context, alpha = self.look(s)
            g = torch.sigmoid(torch.cat([s, context], dim=1) @ P["gate.W"] + P["gate.b"])
            s = (1 - g) * s + g * torch.tanh(context @ P["content.W"] + P["content.b"])
            self.states = (*self.states[:-1], (s, *self.states[-1][1:]))
            return s, alpha
        raise KeyError(self.context)


def signal(config, P, source, lengths, y, teacher_forcing=1.0, rng=None):
    zeros = torch.zeros(source.shape[1], config.hidden_size, dtype=source.dtype)
    states = tuple((zeros, zeros)[: 2 if config.cell == "lstm" else 1] for _ in range(config.layers))
    _, states = stack(config.cell, config.layers, False, scoped(P, "encoder."), source, states, lengths)
    outputs = []
    for t in range(len(y)):
        own = t > 0 and teacher_forcing < 1 and (teacher_forcing == 0 or rng.random() >= teacher_forcing)
        fed = outputs[-1] if own else y[t]
        s, states = stack(config.cell, config.layers, False, scoped(P, "decoder."), fed[None], states)
        outputs.append(s[0] @ P["output.W"] + P["output.b"])
    return torch.stack(outputs), None


def tagger(config, P, source):
    T, D = len(source), config.size
    waves = torch.arange(T).double()[:, None] / 10000.0 ** (2 * (torch.arange(D) // 2) / D)
    places = torch.where(torch.arange(D) % 2 == 0, waves.sin(), waves.cos())
    x = embedding(0, {"W": P["embedding.W"]}, source) + places[:, None]
    y, alphas = self_attention(scoped(P, "attention."), config.heads, config.causal, x)
    return (x + y) @ P["output.W"] + P["output.b"], alphas


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
    if case.key.endswith(" attention"):
        return attend(case.key.split()[0], P, *inputs, lengths)
    if case.key == "self-attention":
        return self_attention(P, layer.heads, layer.causal, *inputs, lengths)
    if case.key == "cross-entropy":
        return cross_entropy(layer.ignore_index, *inputs, options.get("weights"))
    if case.key == "mean squared error":
        return mean_squared_error(*inputs, options.get("weights"))
    if case.key == "signal":
        return signal(layer.config, P, *inputs, **options)
    if case.key == "tagger":
        return tagger(layer.config, P, *inputs)
    if case.key == "seq2seq":
        source, lengths, y = inputs
        return seq2seq(layer.config, P, source, lengths, y, **options)
    raise KeyError(f"there is no twin for {case.name}")
