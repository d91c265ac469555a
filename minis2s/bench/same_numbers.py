"""A rival's parameters and gradients under our names and in our layout, as views, to be written and read."""

import torch
from torch import nn

ATTENTION = {"query.W": "W", "key.W": "U", "key.b": "b", "score.W": "v"}  # PyTorch has no such module
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def load(rival, params):
    """Copy our parameters into a rival. Where PyTorch has two biases and we their sum, the second becomes 0."""
    for parameter in rival.parameters():
        parameter.data.zero_()
    views = by_our_names(rival, lambda parameter: parameter.data)
    for name, param in params.items():
        views[name].copy_(torch.from_numpy(param))


def gradients(rival):
    """The gradients of its last step under our names -> dict of NumPy arrays"""
    return {name: grad.cpu().numpy() for name, grad in by_our_names(rival, lambda parameter: parameter.grad).items()}


def by_our_names(rival, of):
    """of(parameter), its data or its gradient, for every parameter that is also ours -> dict of views"""
    found = {}
    for path, module in rival.named_modules():
        if isinstance(module, nn.Embedding):
            found[f"{path}.W"] = of(module.weight)
        elif isinstance(module, nn.Linear):
            found[f"{path}.W"] = of(module.weight).T
            if module.bias is not None:
                found[f"{path}.b"] = of(module.bias)
        elif isinstance(module, nn.RNNBase):
            found |= recurrent(path, module, of)
    if "decoder.attention.query.W" in found:
        for theirs, ours in ATTENTION.items():
            found[f"decoder.attention.{ours}"] = found.pop(f"decoder.attention.{theirs}")
        found["decoder.attention.v"] = found["decoder.attention.v"].squeeze(1)
        E = rival.decoder.embedding.embedding_dim  # the decoder's cell reads [embedding ; context]
        Wx = found["decoder.rnn.layers.0.Wx"]
        found["decoder.rnn.layers.0.Wx"], found["decoder.context_input.W"] = Wx[:E], Wx[E:]
    return found


def recurrent(path, module, of):
    """One recurrent module. The gradient of its second bias is that of the first, but for the GRU's b_hn."""
    found = {}
    ways = {"left_to_right.": "", "right_to_left.": "_reverse"} if module.bidirectional else {"": ""}
    for layer in range(module.num_layers):
        for way, suffix in ways.items():
            ours = f"{path}.layers.{layer}.{way}"
            W_ih, W_hh, b_ih, b_hh = (of(getattr(module, f"{name}_l{layer}{suffix}")) for name in PARAMETERS)
            found |= {f"{ours}Wx": W_ih.T, f"{ours}Wh": W_hh.T, f"{ours}b": b_ih}
            if module.mode == "GRU":
                found[f"{ours}bh"] = b_hh[2 * module.hidden_size :]
    return found
