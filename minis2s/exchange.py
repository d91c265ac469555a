"""Exchange with PyTorch: the same numbers under its names and shapes, and back. It need not be installed.

PyTorch's matrices are ours transposed; the order of the gates is the same. Each of its gates adds two biases,
of which only the sum matters, except in the GRU's new content, where r multiplies one of them (4.3):

    RNN, LSTM    b = b_ih + b_hh
    GRU          b = [b_ir + b_hr ; b_iz + b_hz ; b_in],  bh = b_hn

On the way there b_ih takes all of b, and b_hh is 0 but for b_hn.

MultiheadAttention stacks the maps of query, key and value, and ends in an output map, which ours has with
several heads only. With one head the value map takes it in, since the weights alpha sum to 1:

    (alpha (X WV + bV)) WO + bO = alpha (X (WV WO) + (bV WO + bO))

A state_dict does not say whether nn.RNN has tanh (as ours) or ReLU, how many heads there are, what is dropped
out, or which id is padding: for that id Embedding gives the vector 0, nn.Embedding the row of its table.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .atomic import write_atomically
from .backend import to_device, to_numpy
from .contracts import expect_floats
from .layer import Composite, Layer
from .nn import GRU, LSTM, RNN, Bidirectional, Embedding, Linear, Recurrent, SelfAttention, Stack, TiedLinear

# What document 004 calls the parts of its model, where that is not what they are called here.
DOCUMENT_004 = {"decoder.output": "decoder.fc_out"}


def to_torch(layer, prefix="", rename=None, cell=False):
    """The state_dict of the PyTorch module that computes what `layer` does -> copies, NumPy arrays by name.

    Linear, Embedding, RNN, LSTM, GRU, Bidirectional, Stack and SelfAttention (nn.MultiheadAttention) are one
    module each; what is made of these has its parts' names before theirs: "encoder.rnn.weight_ih_l0".
    prefix: goes before every name. rename: parts that are called something else in PyTorch's model, such as
    {"decoder.output": "decoder.fc_out"}. cell=True: the names of nn.RNNCell, nn.LSTMCell and nn.GRUCell.
    Raises ValueError for a layer that PyTorch does not have, and for a rename that does not fit.
    """
    return {
        key: np.array(array, order="C")
        for module in modules(layer, prefix, rename, cell)
        for key, array in module.to_torch().values()
    }


def from_torch(layer, state_dict, prefix="", rename=None, cell=False):
    """Copy a PyTorch state_dict into `layer`: `to_torch` the other way round, with the same options.

    Values are arrays, or tensors in the host's memory, and are converted to the layer's dtype: float32 to
    float64 exactly, float64 to float32 by rounding. Names that do not begin with the prefix are passed over.
    Raises ValueError, before anything is changed, as `to_torch` does, and for names that are missing or
    unknown, shapes that differ, and two values for a parameter that is shared (TiedLinear).
    """
    found = list(modules(layer, prefix, rename, cell))
    wanted = {key: array.shape for module in found for key, array in module.to_torch().values()}
    arrays = read(state_dict, prefix, wanted, type(layer).__name__)
    paths = {id(param): path for path, param in layer.params.items()}
    params = {}
    for module in found:
        for name, array in module.from_torch(arrays).items():
            own = module.params[name]
            if id(own) not in paths:
                raise ValueError("a TiedLinear shares its matrix: exchange the model that has both layers")
            path, array = paths[id(own)], array.astype(own.dtype)
            if path in params and not np.array_equal(params[path], array, equal_nan=True):
                raise ValueError(f"state_dict has two values for {path}, one of them in {module.prefix!r}")
            params[path] = array
    layer.load(params)


def read(state_dict, prefix, wanted, kind):
    """The arrays that are wanted (name -> shape), in float64, so that sums are rounded once, at the end."""
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"state_dict must be a dict of arrays by name, got {type(state_dict).__name__}")
    missing = [key for key in wanted if key not in state_dict]
    unknown = [str(key) for key in state_dict if key not in wanted and str(key).startswith(prefix)]
    if missing or unknown:
        wrong = [f"lacks {', '.join(missing)}"] if missing else []
        wrong += [f"holds {', '.join(unknown)}, which {kind} does not have"] if unknown else []
        raise ValueError(f"state_dict {' and '.join(wrong)}")
    arrays = {}
    for key, shape in wanted.items():
        value = state_dict[key]
        try:
            array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        except (TypeError, ValueError) as error:  # a tensor on a GPU or of bfloat16, a ragged list
            raise ValueError(f"state_dict[{key!r}] cannot be read as a NumPy array ({error})") from error
        expect_floats(f"state_dict[{key!r}]", array, shape)
        arrays[key] = array.astype(np.float64)
    return arrays


# What is one module in PyTorch, and what it is called there.


class Module(NamedTuple):
    """A layer of ours that PyTorch has, and what it puts before and after the names of its parameters."""

    layer: Layer
    prefix: str
    suffix: str = ""

    @property
    def params(self):
        """The layer's own, and for a TiedLinear the matrix that it shares."""
        shared = {"W": self.layer.embedding.params["W"]} if isinstance(self.layer, TiedLinear) else {}
        return shared | self.layer.params

    def to_torch(self):
        """The name in PyTorch's module -> (the name in the state_dict, array)"""
        there, _ = TWINS[type(self.layer)]
        arrays = there(to_device(self.params, "cpu"))
        return {name: (f"{self.prefix}{name}{self.suffix}", array) for name, array in arrays.items()}

    def from_torch(self, arrays):
        """The arrays of a state_dict -> arrays by our names"""
        _, back = TWINS[type(self.layer)]
        return back({name: arrays[key] for name, (key, _) in self.to_torch().items()}, self.params)


def modules(layer, prefix, rename, cell):
    """Every Module of a layer, or ValueError where there is none."""
    if not isinstance(layer, Layer):
        raise ValueError(f"layer must be a layer of minis2s, got {type(layer).__name__}")
    rename = dict(rename or {})
    seen = set()
    for path, name, part in parts(layer, rename):
        if name in seen:
            raise ValueError(f"rename gives two parts the name {name[:-1]}")
        seen.add(name)
        if isinstance(part, (Recurrent, Bidirectional, Stack)):
            yield from recurrent_modules(path[:-1] or "layer", part, prefix + name, cell)
        else:
            yield Module(part, prefix + name)
    if rename:
        raise ValueError(f"rename holds {', '.join(rename)}, which is no part of {type(layer).__name__}")


def parts(layer, rename, path="", name=""):
    """Every (our path, PyTorch's, part) that has parameters; takes out of `rename` what it comes by."""
    if type(layer) in TWINS or isinstance(layer, (Bidirectional, Stack)):
        yield path, name, layer
    elif isinstance(layer, Composite):
        for part, inner in layer.parts():
            renamed = rename.pop(path + part, name + part)
            yield from parts(inner, rename, f"{path}{part}.", f"{renamed}.")
    elif layer.params:
        raise ValueError(f"{path[:-1] or 'layer'}: PyTorch has no {type(layer).__name__}")


def recurrent_modules(path, layer, prefix, cell):
    """The recurrent layers of one module, named _l0, _l0_reverse, _l1, …; a cell's names end without."""
    leaves = [leaf for _, leaf in layer.leaves() if isinstance(leaf, Recurrent)]
    directions = 2 if any(leaf.reverse for leaf in leaves) else 1
    if cell and len(leaves) > 1:
        raise ValueError(f"{path} has {len(leaves)} recurrent layers, cell=True is for one")
    if not cell and sum(leaf.reverse for leaf in leaves) * 2 not in (0, len(leaves)):
        raise ValueError(f"{path} reads only backwards, which PyTorch cannot; cell=True exchanges its cell")
    for index, leaf in enumerate(leaves):
        if leaf.layer_norm:
            raise ValueError(f"{path} has layer normalisation, PyTorch's {type(leaf).__name__} has not")
        if isinstance(leaf, GRU) and not leaf.reset_after:
            raise ValueError(f"{path} resets before the product, equation (4.4), PyTorch's after it (4.3)")
        suffix = "" if cell else f"_l{index // directions}" + "_reverse" * leaf.reverse
        yield Module(leaf, prefix, suffix)


# Our parameters P -> PyTorch's, S, and back.

NAMES = {"W": "weight", "b": "bias"}


def table_to_torch(P):
    return {NAMES[name]: array for name, array in P.items()}


def table_from_torch(S, P):
    return {name: S[NAMES[name]] for name in P}


def linear_to_torch(P):
    return {NAMES[name]: array.T for name, array in P.items()}


def linear_from_torch(S, P):
    return {name: S[NAMES[name]].T for name in P}


def recurrent_to_torch(P):
    b_hh = np.zeros_like(P["b"])
    if "bh" in P:
        b_hh[-len(P["bh"]) :] = P["bh"]
    return {"weight_ih": P["Wx"].T, "weight_hh": P["Wh"].T, "bias_ih": P["b"], "bias_hh": b_hh}


def recurrent_from_torch(S, P):
    ours = {"Wx": S["weight_ih"].T, "Wh": S["weight_hh"].T, "b": S["bias_ih"] + S["bias_hh"]}
    if "bh" in P:
        n = slice(-len(P["bh"]), None)
        ours["b"][n], ours["bh"] = S["bias_ih"][n], S["bias_hh"][n]
    return ours


MAPS = ("query", "key", "value")


def attention_to_torch(P):
    bV = P["value.b"]
    return {
        "in_proj_weight": np.concatenate([P[f"{name}.W"].T for name in MAPS]),
        "in_proj_bias": np.concatenate([P[f"{name}.b"] for name in MAPS]),
        "out_proj.weight": P["output.W"].T if "output.W" in P else np.eye(bV.size, dtype=bV.dtype),
        "out_proj.bias": P["output.b"] if "output.b" in P else np.zeros_like(bV),
    }


def attention_from_torch(S, P):
    WO, bO = S["out_proj.weight"].T, S["out_proj.bias"]
    ours = {f"{name}.W": W.T for name, W in zip(MAPS, np.split(S["in_proj_weight"], 3), strict=True)}
    ours |= {f"{name}.b": b for name, b in zip(MAPS, np.split(S["in_proj_bias"], 3), strict=True)}
    if "output.W" in P:
        return ours | {"output.W": WO, "output.b": bO}
    return ours | {"value.W": ours["value.W"] @ WO, "value.b": ours["value.b"] @ WO + bO}


TWINS = {
    Embedding: (table_to_torch, table_from_torch),
    TiedLinear: (table_to_torch, table_from_torch),
    Linear: (linear_to_torch, linear_from_torch),
    RNN: (recurrent_to_torch, recurrent_from_torch),
    LSTM: (recurrent_to_torch, recurrent_from_torch),
    GRU: (recurrent_to_torch, recurrent_from_torch),
    SelfAttention: (attention_to_torch, attention_from_torch),
}


# Files that both read.


def save_safetensors(path, arrays):
    """Write arrays by name, such as `to_torch` gives, to a safetensors file, whole or not at all.

    Raises ImportError without the package, ValueError for what is no array of numbers.
    """
    save, path = require_safetensors().save, Path(path)
    try:  # the package writes memory as it lies, so a transposed array has to be laid out first
        content = save({name: np.asarray(to_numpy(array), order="C") for name, array in arrays.items()})
    except Exception as error:
        raise ValueError(f"arrays cannot be written to a safetensors file ({error})") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(content))


def load_safetensors(path):
    """Read a safetensors file -> NumPy arrays by name, such as `from_torch` takes.

    Raises ImportError without the package, FileNotFoundError where there is no such file, and ValueError
    where it is damaged or holds a dtype that NumPy lacks, such as bfloat16.
    """
    load, path = require_safetensors().load, Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        return load(content)
    except Exception as error:
        reason = "no whole safetensors file, or of a dtype that NumPy lacks"
        raise ValueError(f"{path} is {reason} ({error})") from error


def require_safetensors():
    try:
        import safetensors.numpy
    except ImportError as missing:
        raise ImportError('safetensors files need safetensors: pip install "minis2s[exchange]"') from missing
    return safetensors.numpy
