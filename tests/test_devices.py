"""The same code on a strict stand-in for a GPU's arrays, and on a GPU where there is one."""

import laws
import numpy as np
import pytest
from strict_array import from_strict, no_synchronisation, to_strict

from minis2s.backend import to_device, to_numpy
from minis2s.cases import CASES

over_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def moved(case, move, dtype="float64"):
    """The case's layer, inputs and options, moved; lengths and generators stay on the CPU."""
    layer, inputs, options = case.build(dtype=dtype)
    for _, leaf in layer.leaves():
        leaf.params, leaf.grads = move(leaf.params), move(leaf.grads)
    if case.key in ("seq2seq", "signal"):
        source, lengths, y = inputs
        inputs = move(source), lengths, move(y)
    else:
        inputs = move(inputs)
    options = {
        name: move(value.astype(dtype)) if name == "weights" else value for name, value in options.items()
    }
    return layer, inputs, options


@over_cases
def test_equals_the_stand_in(case):
    """Forward and backward on the stand-in: no mixed arrays, no wait for the device, the same numbers."""
    out, upstream, dinputs, grads = laws.run(*case.build())
    layer, inputs, options = moved(case, to_strict)
    upstream = to_strict(laws.map_leaves(lambda leaf: leaf if leaf is None else np.asarray(leaf), upstream))
    with no_synchronisation():
        strict_out, cache = layer.forward(*inputs, **options)
        strict_dinputs = laws.backward(layer, upstream, cache)
    found = [from_strict(tree) for tree in (strict_out, strict_dinputs, layer.grads)]
    laws.assert_trees_close(found, [out, dinputs, grads], rtol=1e-12, atol=1e-13)


@pytest.mark.gpu
@over_cases
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_equals_the_gpu(case, dtype, tolerance):
    layer, inputs, options = case.build(dtype=dtype)
    options = {n: v.astype(dtype) if n == "weights" else v for n, v in options.items()}
    out, upstream, dinputs, grads = laws.run(layer, inputs, options)

    def move(tree):
        return to_device(tree, "gpu")

    layer, inputs, options = moved(case, move, dtype)
    gpu_out, cache = layer.forward(*inputs, **options)
    upstream = move(laws.map_leaves(lambda leaf: leaf if leaf is None else np.asarray(leaf), upstream))
    gpu_dinputs = laws.backward(layer, upstream, cache)
    found = [laws.map_leaves(to_numpy, tree) for tree in (gpu_out, gpu_dinputs, list(layer.grads.values()))]
    laws.assert_trees_close(found, [out, dinputs, grads], rtol=tolerance, atol=tolerance)
