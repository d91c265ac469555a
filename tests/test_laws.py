"""Every law over every row of the table."""

import inspect
import re
from dataclasses import make_dataclass, replace

import laws
import numpy as np
import pytest
from model_equations import expect_known

import minis2s.models
import minis2s.nn
from minis2s.backend import RANKS
from minis2s.cases import CASES, cases
from minis2s.layer import Composite, Layer
from minis2s.nn.gru import gru_gates, gru_mix
from minis2s.nn.lstm import lstm_cell
from minis2s.nn.rnn import rnn_cell


def over(table):
    return pytest.mark.parametrize("case", table, ids=lambda case: case.name)


@pytest.mark.parametrize("law", laws.ALL, ids=lambda law: law.__name__)
@over(CASES)
def test_law(law, case):
    law(case)


@pytest.mark.parametrize("law", laws.MASKS, ids=lambda law: law.__name__)
@over([case for case in CASES if laws.has_lengths(case)])
def test_mask_law(law, case):
    law(case)


@over(cases("seq2seq"))
def test_every_entry_of_whole_models(case):
    laws.gradients_equal_finite_differences(replace(case, every_entry=True))


def test_the_table_names_each_case_once():
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_the_table_has_what_it_is_said_to_have():
    """Own guesses in the middle of a sentence and at every step; ids often enough to be summed by a product."""
    runs = {1.0: set(), 0.5: set(), 0.0: set()}
    for case in cases("seq2seq") + cases("signal"):
        layer, inputs, options = case.build()
        _, cache = layer.forward(*inputs, **options)
        found = cache.decoder.runs if case.key == "seq2seq" else cache.runs
        runs[options["teacher_forcing"]].add(tuple(stop - start for start, stop, *_ in found))
    assert runs == {1.0: {(3,)}, 0.5: {(2, 1)}, 0.0: {(1, 1, 1)}}
    assert any(np.bincount(case.build()[1][0].flat).max() > RANKS for case in cases("embedding"))


def test_what_has_no_equations_is_named():
    with pytest.raises(NotImplementedError, match="no equations for 'new layer'"):
        laws.equals_its_equations(replace(CASES[0], key="new layer"))
    config = make_dataclass("Config", [("cell", str, "gru"), ("context", str, None), ("switch", bool, False)])
    expect_known(config())
    for name, value in {"cell": "new cell", "context": "new way", "switch": True}.items():
        with pytest.raises(NotImplementedError, match=f"{name}={value!r}"):
            expect_known(config(**{name: value}))


def test_every_layer_is_in_the_table():
    made = {type(part) for case in CASES for part in parts_of(case.build()[0])}
    public = {
        layer
        for module in (minis2s.nn, minis2s.models)
        for layer in (getattr(module, name) for name in module.__all__)
        if inspect.isclass(layer) and issubclass(layer, Layer)
    }
    bases = {layer for layer in public if layer.__subclasses__()}  # what others share is checked in them
    assert public - bases <= made


def parts_of(layer):
    yield layer
    if isinstance(layer, Composite):
        for _, part in layer.parts():
            yield from parts_of(part)


# The shape line of a docstring is true of a real call.

ARRAY = re.compile(r"(\w+) \(([^()]*)\)( or None)?|\bNone\b")


def documented(text):
    """The arrays in 'x (T,B,D), alphas (T,B,S) or None, None' -> [(name, axes, may be None)]"""
    found = ARRAY.findall(text)
    return [(name, list(filter(None, re.split(", *", axes))), optional or not name) for name, axes, optional in found]


def shape_line(docstring):
    """The line 'x (T,B,D), … -> hs (T,B,H), …' -> what is documented of the inputs, of the outputs"""
    line = next(line for line in docstring.splitlines() if " -> " in line and ARRAY.search(line))
    before, after = line.split(" -> ", 1)
    return documented(before.split(".  ")[-1]), documented(after)


def leaves(tree):
    """The arrays in nested tuples, and the Nones, in order."""
    return [leaf for branch in tree for leaf in leaves(branch)] if isinstance(tree, tuple) else [tree]


def assert_shapes(said, arrays, sizes):
    """One array for each that is documented, and none besides; 'arrays (B,H)' at the end stands for all that remain."""
    if said and said[-1][0] == "arrays":
        said = said[:-1] + said[-1:] * (len(arrays) - len(said) + 1)
    assert len(said) == len(arrays), f"{len(said)} arrays are documented, {len(arrays)} are there"
    for (name, axes, optional), array in zip(said, arrays, strict=True):
        if array is None:
            assert optional, f"{name} is None"
            continue
        shape = array.shape
        if axes and axes[0] in ("…", "..."):
            axes, leading, shape = axes[1:], shape[: len(shape) - len(axes) + 1], shape[len(shape) - len(axes) + 1 :]
            assert leading == sizes.setdefault("...", leading), f"{name}: … is {leading}"
        assert len(axes) == len(shape), f"{name} is documented as {axes}, but has shape {array.shape}"
        for axis, size in zip(axes, shape, strict=True):
            assert size == size_of(axis, size, sizes), f"{name}: {axis} is {size}"


def size_of(axis, found, sizes):
    """What an axis is documented to be: a letter is bound where it is first met; 2H, heads and 3 must be known."""
    if re.fullmatch("[A-Z]", axis):
        return sizes.setdefault(axis, found)
    return eval(re.sub(r"(\d)([A-Z])", r"\1*\2", axis), {}, sizes)


@over(CASES)
def test_docstring_shapes_are_true(case):
    layer, inputs, options = case.build()
    out, _ = layer.forward(*inputs, **options)
    docstring = type(layer).__doc__
    said_of_inputs, said_of_outputs = shape_line(docstring)
    signature = inspect.signature(layer.forward)
    omitted = signature.parameters.keys() - signature.bind(*inputs).arguments.keys()
    sizes = {name: value for name, value in vars(getattr(layer, "config", layer)).items() if isinstance(value, int)}
    assert said_of_inputs and said_of_outputs
    assert_shapes([said for said in said_of_inputs if said[0] not in omitted], leaves(inputs), sizes)
    assert_shapes(said_of_outputs, leaves(out), sizes)
    said_of_params = {said[0]: said for line in docstring.splitlines() for said in documented(line.split(" -> ")[0])}
    for name, param in layer.params.items():
        if "." not in name:
            assert name in said_of_params, f"{name} is not documented"
            assert_shapes([said_of_params[name]], [param], sizes)


@pytest.mark.parametrize("cell", [rnn_cell, lstm_cell, gru_gates, gru_mix], ids=lambda cell: cell.__name__)
def test_docstring_shapes_of_cells_are_true(cell):
    sizes = {"B": 3, "H": 2}
    said_of_inputs, said_of_outputs = shape_line(cell.__doc__)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal([size_of(axis, None, sizes) for axis in axes]) for _, axes, _ in said_of_inputs]
    out = laws.as_tuple(cell(*inputs))
    without_cache = [part for part in out if not hasattr(part, "_fields")]
    assert_shapes(said_of_outputs, without_cache, sizes)


def test_a_shape_line_that_is_not_true_fails():
    x = np.zeros((2, 3))
    untrue = ("y (A,3B)", "y (A,7A)", "y (A,A)", "y (A,)", "y (A,B), z ()", "", "y (A,heads)", "x (...,A), y (...,A)")
    for line in untrue:
        with pytest.raises((AssertionError, NameError)):
            assert_shapes(documented(line), [x, x[0]] if "..." in line else [x], {})
