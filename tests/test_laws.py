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

ARRAY = re.compile(r"(\w+) \(([^()]*)\)")


def shape_line(docstring):
    """The arrays of a shape line 'x (T,B,D), … -> hs (T,B,H), …' -> inputs, outputs as [(name, axes)]"""
    lines = [line for line in docstring.splitlines() if " -> " in line and ARRAY.search(line)]
    before, after = lines[0].split(" -> ", 1)
    found = ARRAY.findall(before), ARRAY.findall(after.split(" of ")[0])
    return [[(name, tuple(filter(None, axes.replace(" ", "").split(",")))) for name, axes in side] for side in found]


def assert_shapes(documented, arrays, sizes):
    for (name, axes), array in zip(documented, arrays, strict=False):
        shape = array.shape
        if axes and axes[0] in ("…", "..."):
            axes, shape = axes[1:], shape[len(shape) - len(axes) + 1 :]
        assert len(axes) == len(shape), f"{name} is documented as {axes}, but has shape {array.shape}"
        for axis, size in zip(axes, shape, strict=True):
            expected = eval(re.sub(r"(\d)([A-Z])", r"\1*\2", axis), {}, sizes) if set(axis) & set(sizes) else None
            assert size == sizes.setdefault(axis, size if expected is None else expected), f"{name}: {axis} is {size}"


@over(CASES)
def test_docstring_shapes_are_true(case):
    layer, inputs, options = case.build()
    out, _ = layer.forward(*inputs, **options)
    documented_inputs, documented_outputs = shape_line(type(layer).__doc__)
    sizes = {}
    assert_shapes(documented_inputs, laws.arrays(inputs), sizes)
    assert_shapes(documented_outputs, laws.arrays(out), sizes)
    assert documented_inputs and documented_outputs
    documented_params = {
        name: axes for line in type(layer).__doc__.splitlines() for name, axes in ARRAY.findall(line.split(" -> ")[0])
    }
    for name, param in layer.params.items():
        if "." not in name:
            assert name in documented_params, f"{name} is not documented"
            assert_shapes([(name, tuple(filter(None, documented_params[name].split(","))))], [param], sizes)


@pytest.mark.parametrize("cell", [rnn_cell, lstm_cell, gru_gates, gru_mix], ids=lambda cell: cell.__name__)
def test_docstring_shapes_of_cells_are_true(cell):
    B, H = 3, 2
    documented_inputs, documented_outputs = shape_line(cell.__doc__)
    sizes = {"B": B, "H": H}
    rng = np.random.default_rng(0)
    arguments = [
        rng.standard_normal([eval(re.sub(r"(\d)([A-Z])", r"\1*\2", axis), {}, sizes) for axis in axes])
        for _, axes in documented_inputs
    ]
    out = cell(*arguments)
    assert_shapes(documented_outputs, laws.arrays(out), sizes)
