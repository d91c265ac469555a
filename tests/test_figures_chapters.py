"""The figures that one chapter alone shows: their numbers are the library's, their texts are drawn and stand apart."""

import functools
from importlib import import_module

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")

from drawn import assert_every_character_has_a_glyph, assert_no_text_lies_on_another, shown_texts  # noqa: E402

from minis2s.figures import FIGURES  # noqa: E402

update_gate = import_module("minis2s.figures.update_gate")

OPTIONS = {"update_gate": {}}
each_figure = pytest.mark.parametrize("name", OPTIONS)


@functools.cache
def figure(name):
    """The figure of that name; the same for all tests that only look at it."""
    return FIGURES[name](**OPTIONS[name])


# All of them


@each_figure
def test_every_character_has_a_glyph(name, tmp_path, recwarn):
    assert_every_character_has_a_glyph(figure(name), tmp_path / "a.png", recwarn)


@each_figure
def test_no_text_lies_on_another(name):
    drawn = figure(name)
    drawn.draw_without_rendering()
    assert_no_text_lies_on_another(shown_texts(drawn), touching=0.5)


@each_figure
def test_a_path_that_cannot_be_written_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf, got '.*a\.gif'"):
        FIGURES[name](tmp_path / "a.gif")


# Update gate


@functools.cache
def holder():
    return update_gate.trained_holder(hidden_size=4, steps=800, seed=1)


def curves(ax):
    return {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in ax.lines}


def test_what_is_to_be_said_is_the_last_marked_number():
    numbers, marks = np.array([[0.1], [0.2], [0.3], [0.4]]), np.array([[0.0], [1], [0], [1]])
    np.testing.assert_array_equal(update_gate.last_marked(numbers, marks), [[0], [0.2], [0.2], [0.4]])


def test_the_holder_holds():
    x, target = update_gate.random_numbers(np.random.default_rng(7), update_gate.LENGTH, 200)
    assert (x[..., 1].mean(), target.std()) == pytest.approx((update_gate.MARKED, 0.55), abs=0.05)
    y, _ = holder().forward(x)
    assert np.sqrt(((y - target) ** 2).mean()) < 0.05


def test_the_update_gate_drops_at_marks():
    x, _ = update_gate.example()
    z = update_gate.update_gates(holder(), x)
    marked = x[:, 0, 1] > 0
    assert np.median(z[~marked]) > 0.8
    lowest = np.sort(z[marked].max(axis=0))[:2]  # of the two units that drop at every mark
    assert (lowest < 0.5).all()
    mesh = next(each for ax in figure("update_gate").axes for each in ax.collections if each.get_array() is not None)
    order = z[marked].mean(axis=0).argsort()
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(4, -1), z[:, order].T)


def test_the_gradient_goes_back_to_the_last_mark_and_hardly_further():
    """What is drawn is ∂L/∂h_t for t = 1 … T: by finite differences, from states moved a little."""
    drawn = curves(figure("update_gate").axes[2])
    trained, last = drawn["trained"], update_gate.MARKS[-1]
    assert len(trained) == update_gate.T
    assert (np.abs(trained[last:] - 1) < 0.1).all()
    assert (trained[:last] < 0.2).all()
    gru, (x, _), v = holder().gru, update_gate.example(), update_gate.last_answer(holder())
    for t in (update_gate.T - 1, last + 1, 5):  # steps from the start
        (_, (state,)), _ = gru.forward(x[:t])
        slopes = []
        for unit in range(4):
            ends = []
            for step in (1e-5, -1e-5):
                moved = state.copy()
                moved[0, unit] += step
                (_, (h,)), _ = gru.forward(x[t:], (moved,))
                ends.append((v * h).sum())
            slopes.append((ends[0] - ends[1]) / 2e-5)
        assert trained[t - 1] == pytest.approx(np.linalg.norm(slopes), rel=1e-5)


def test_the_direct_way_is_the_product_of_the_gates():
    drawn = curves(figure("update_gate").axes[2])
    x, _ = update_gate.example()
    z, v = update_gate.update_gates(holder(), x), update_gate.last_answer(holder())
    by_gates = [np.linalg.norm(v * z[t:].prod(axis=0)) for t in range(1, update_gate.T + 1)]
    np.testing.assert_allclose(drawn["trained, along z alone"], by_gates)
    assert by_gates[update_gate.MARKS[-1]] < 0.5 * drawn["trained"][update_gate.MARKS[-1]]
    assert drawn["before training"][0] < 1e-5


def test_what_is_drawn_on_top_is_what_was_asked_and_said():
    x, target = update_gate.example()
    drawn = curves(figure("update_gate").axes[0])
    np.testing.assert_array_equal(drawn["numbers"], x[:, 0, 0])
    np.testing.assert_array_equal(drawn["marked"], x[list(update_gate.MARKS), 0, 0])
    np.testing.assert_array_equal(drawn["to be said"], target)
    np.testing.assert_allclose(drawn["said"], update_gate.answers(holder(), x))
    assert np.abs(drawn["said"] - target).max() < 0.15


def test_sizes_of_the_update_gate_are_checked():
    with pytest.raises(ValueError, match="steps must be a whole number above 0, got 0"):
        FIGURES["update_gate"](steps=0)
