"""Is a backward pass right? Ask the forward pass: finite differences, a public tool.

A layer's outputs are turned into one number by a fixed random upstream gradient r,

    f(theta) = sum_n r_n out_n(theta)

so that `backward(r)` must return df/dtheta, and every single entry of it can be compared with

    (f(theta + step) - f(theta - step)) / (2 step)

r is random because one of ones hides errors: the softmax's gradient under it is exactly 0.

The layer may be any class with `forward(*inputs) -> (out, cache)`, `backward(*douts, cache) -> dinputs` and the
dicts `params` and `grads`; nothing has to be inherited. It must compute in float64: the difference of two nearly
equal numbers has no digits left in float32.
"""

import copy
import inspect
from typing import NamedTuple

import numpy as np

from .backend import map_tree

STEP = 1e-5  # error of the difference: step^2 from its curvature, 1e-16 / step from rounding
TOLERANCE = 1e-6
FLOOR = 1e-3  # gradients smaller than this are compared absolutely, to TOLERANCE * FLOOR


class Check(NamedTuple):
    """What was found for one parameter or input."""

    name: str
    entries: int  # how many numbers were compared
    error: float  # the largest relative error
    index: tuple  # where it is
    analytic: float  # what backward says there
    numeric: float  # what the difference says there
    passed: bool

    def __str__(self):
        verdict = "pass" if self.passed else "FAIL"
        row = f"{self.name:<40} {self.entries:>7} {self.error:>10.1e}  {verdict}"
        if self.passed:
            return row
        place = f"{self.name}{list(self.index)}" if self.index else self.name
        return f"{row}\n    at {place}: backward {self.analytic:.10g}, finite difference {self.numeric:.10g}"


class Report(list):
    """A list of checks, printed as a table."""

    @property
    def passed(self):
        return all(check.passed for check in self)

    @property
    def worst(self):
        """The check with the largest error."""
        return max(self, key=lambda check: check.error)

    def __str__(self):
        heading = f"{'parameter or input':<40} {'entries':>7} {'rel. error':>10}"
        return "\n".join([heading, *map(str, self)])


def gradcheck(layer, *inputs, seed=0, step=STEP, tolerance=TOLERANCE, floor=FLOOR, every_entry=True, **options):
    """Compare a layer's gradients with central differences.

    Every entry of every parameter and every float input is checked; with every_entry=False one random direction
    for each of them, which costs two forward passes whatever its size (for whole models). `options` go to
    `forward` as they are and are not checked; a random generator among them starts anew at each call.
    error = |analytic - numeric| / max(|analytic|, |numeric|, floor)
    Returns a Report. Parameters, gradients and inputs are as before when it returns.
    Raises ValueError if a float among parameters and inputs is not float64.
    """
    if not step > 0:
        raise ValueError(f"step must be above 0, got {step}")
    if missing := sorted(layer.params.keys() - layer.grads.keys()):
        raise ValueError(f"grads lack {', '.join(missing)}")
    targets = {**layer.params, **_named_inputs(layer.forward, inputs, inputs)}
    for name, array in targets.items():
        if array.dtype != np.float64:
            raise ValueError(f"gradcheck needs float64, but {name} is {array.dtype}")
    rng = np.random.default_rng(seed)
    out, cache = layer.forward(*inputs, **copy.deepcopy(options))
    upstream = map_tree(lambda leaf: rng.standard_normal(leaf.shape) if _is_float(leaf) else None, out)
    analytic = _analytic(layer, inputs, upstream, cache, rng)

    def f():
        out, _ = layer.forward(*inputs, **copy.deepcopy(options))
        pairs = zip(_floats(upstream), _floats(out), strict=True)
        return sum(float((r * array).sum()) for r, array in pairs)

    check = _check_entries if every_entry else _check_direction
    report = Report()
    for name, array in targets.items():
        grad = analytic[name]
        if getattr(grad, "shape", None) != array.shape:
            raise ValueError(
                f"backward gave {name} a gradient of shape {getattr(grad, 'shape', None)}, its own is {array.shape}"
            )
        indices, found, expected = check(f, array, grad, step, rng)
        error = np.abs(found - expected) / np.maximum(np.maximum(np.abs(found), np.abs(expected)), floor)
        error = np.where(np.isfinite(error), error, np.inf)
        worst = int(error.argmax())
        report.append(
            Check(
                name,
                len(error),
                float(error[worst]),
                indices[worst],
                float(found[worst]),
                float(expected[worst]),
                bool(error[worst] <= tolerance),
            )
        )
    return report


def _analytic(layer, inputs, upstream, cache, rng):
    """What `backward` adds to the gradients, and returns for the inputs, by the names of the targets.

    The gradients start from random numbers, so that a backward that overwrites them is found out.
    """
    before = {name: grad.copy() for name, grad in layer.grads.items()}
    start = {name: rng.standard_normal(grad.shape) for name, grad in layer.grads.items()}
    try:
        for name, grad in layer.grads.items():
            grad[...] = start[name]
        douts = upstream if type(upstream) is tuple else (upstream,)
        dinputs = layer.backward(*douts, cache)
        found = {name: grad - start[name] for name, grad in layer.grads.items()}
    finally:
        for name, grad in layer.grads.items():
            grad[...] = before[name]
    return found | _named_inputs(layer.forward, inputs, dinputs)


def _check_entries(f, array, grad, step, rng):
    """Every entry of `array` is moved by itself."""
    indices = list(np.ndindex(array.shape))
    numeric = np.empty(len(indices))
    for n, index in enumerate(indices):
        value = array[index]
        try:
            array[index] = value + step
            above = f()
            array[index] = value - step
            numeric[n] = (above - f()) / (2 * step)
        finally:
            array[index] = value
    return indices, grad.reshape(-1), numeric


def _check_direction(f, array, grad, step, rng):
    """All of `array` is moved at once along a random direction d: df = <grad, d>."""
    direction = rng.standard_normal(array.shape)
    value = array.copy()
    try:
        array += step * direction
        above = f()
        array[...] = value - step * direction
        numeric = (above - f()) / (2 * step)
    finally:
        array[...] = value
    return [()], np.array([(grad * direction).sum()]), np.array([numeric])


def _is_float(leaf):
    return getattr(getattr(leaf, "dtype", None), "kind", "") == "f"


def _floats(tree):
    """Every float array in a nesting of tuples and lists, in order."""
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in _floats(branch)]
    return [tree] if _is_float(tree) else []


def _named_inputs(forward, inputs, values):
    """Name -> the float arrays among `inputs`, or what stands in their places in `values`.

    The names are those of forward's own arguments, "input x", with ".0", ".1" for the parts of a tuple.
    """
    named = {}

    def walk(path, tree, value):
        if isinstance(tree, (list, tuple)):
            value = value if isinstance(value, (list, tuple)) else [None] * len(tree)
            for n, branch in enumerate(tree):
                walk(f"{path}.{n}", branch, value[n] if n < len(value) else None)
        elif _is_float(tree):
            named[path] = value

    arguments = [
        p.name for p in inspect.signature(forward).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    values = values if isinstance(values, (list, tuple)) else [values]
    for n, tree in enumerate(inputs):
        name = arguments[n] if n < len(arguments) else n
        walk(f"input {name}", tree, values[n] if n < len(values) else None)
    return named
