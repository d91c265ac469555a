"""The layer protocol: objects hold parameters, calls hold activations.

    out, cache = layer.forward(*inputs)         # touches nothing on self
    dinputs    = layer.backward(*douts, cache)  # adds into layer.grads, returns the gradients of the inputs

A cache is a NamedTuple that belongs to one call, so a layer may be called many times before any backward.
`params` and `grads` are dicts with the same keys, shapes and dtype. A Composite is made of other layers; its
parameters carry their path: "encoder.rnn.Wx".
"""

import numpy as np

from .backend import array_module, device_of, from_numpy, to_device
from .contracts import expect_arrays, expect_choice

DTYPES = ("float32", "float64")


class Layer:
    """Parameters and their gradients, by name."""

    def __init__(self, **params):
        for array in params.values():
            expect_choice("dtype", str(array.dtype), DTYPES)
        self.params = params
        self.grads = {name: np.zeros_like(array) for name, array in params.items()}

    def add(self, name, array):
        """One more parameter, and its gradient."""
        self.params[name] = array
        self.grads[name] = np.zeros_like(array)

    @property
    def dtype(self):
        """The dtype of the parameters, which is that of every computation with them; None where there are none."""
        return next((param.dtype for _, leaf in self.leaves() for param in leaf.params.values()), None)

    @property
    def size(self):
        """How many numbers there are to learn."""
        return sum(array.size for array in self.params.values())

    def zero_grad(self):
        """Set every gradient to 0."""
        for grad in self.grads.values():
            grad.fill(0)

    def load(self, params):
        """Copy `params` (name -> array) into the parameters.

        Raises ValueError, before anything is changed, if a name is missing or unknown or a shape differs.
        """
        own = self.params
        expect_arrays("params", params, own, "model")
        for name, array in own.items():
            array[...] = from_numpy(params[name], like=array)

    def leaves(self, path=""):
        """Every (path, layer) that holds parameters itself."""
        yield path, self

    def to(self, device):
        """Move parameters and gradients to 'cpu' or 'gpu'; returns the layer."""
        for _, leaf in self.leaves():
            leaf.params = to_device(leaf.params, device)
            leaf.grads = to_device(leaf.grads, device)
        return self

    def astype(self, dtype):
        """Convert parameters and gradients to float32 or float64; returns the layer."""
        expect_choice("dtype", str(np.dtype(dtype)), DTYPES)
        for _, leaf in self.leaves():
            leaf.params = {name: array.astype(dtype) for name, array in leaf.params.items()}
            leaf.grads = {name: array.astype(dtype) for name, array in leaf.grads.items()}
        return self

    @property
    def device(self):
        """'cpu' or 'gpu'."""
        return device_of(next((param for _, leaf in self.leaves() for param in leaf.params.values()), None))

    def __repr__(self):
        return f"{type(self).__name__}({describe(self)})"


class Composite(Layer):
    """A layer made of layers: those among its attributes, in the order in which they were set."""

    def __init__(self):
        pass

    def parts(self):
        """Every (name, layer) directly inside, lists of layers numbered from 0."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, list) and value and all(isinstance(layer, Layer) for layer in value):
                yield from ((f"{name}.{index}", layer) for index, layer in enumerate(value))

    def leaves(self, path=""):
        seen = set()
        for name, part in self.parts():
            for leaf_path, leaf in part.leaves(f"{path}{name}."):
                if id(leaf) not in seen:  # a shared layer is counted once
                    seen.add(id(leaf))
                    yield leaf_path, leaf

    @property
    def params(self):
        return {path + name: array for path, leaf in self.leaves() for name, array in leaf.params.items()}

    @property
    def grads(self):
        return {path + name: array for path, leaf in self.leaves() for name, array in leaf.grads.items()}

    def __repr__(self):
        rows = [f"{type(self).__name__}(  # {self.size:,} parameters"]
        for name, part in self.parts():
            rows += [f"  ({name}): " + repr(part).replace("\n", "\n  ")]
        return "\n".join([*rows, ")"])


def describe(layer):
    """The shapes of a layer's own parameters: 'Wx (10,80), Wh (20,80), b (80,)'."""
    return ", ".join(
        f"{name} ({','.join(map(str, array.shape))}{',' if array.ndim == 1 else ''})"
        for name, array in layer.params.items()
    )


def uniform(rng, shape, bound, dtype):
    """A parameter drawn from U(-bound, bound), on the CPU, so that every device starts from the same bits."""
    return rng.uniform(-bound, bound, shape).astype(dtype)


def zeros(shape, dtype):
    """A parameter of zeros."""
    return np.zeros(shape, dtype)


def zeros_like(array, shape=None):
    """Zeros with the dtype and on the device of `array`."""
    xp = array_module(array)
    return xp.zeros(array.shape if shape is None else shape, dtype=array.dtype)
