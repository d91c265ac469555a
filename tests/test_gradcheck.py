"""The gradient check as its users meet it: on our layers, on a class of their own, from the command line."""

import numpy as np
import pytest

from minis2s import cli
from minis2s.cases import cases
from minis2s.gradcheck import gradcheck
from minis2s.nn import LSTM, Linear


class Square:
    """A reader's layer, with nothing inherited: y = w x^2."""

    def __init__(self, wrong=None):
        self.params = {"w": np.array([2.0, -1.0, 0.5])}
        self.grads = {"w": np.zeros(3)}
        self.wrong = wrong

    def forward(self, x):
        return self.params["w"] * x**2, x

    def backward(self, dy, x):
        dw = (dy * x**2).sum(axis=0)
        dx = 2 * dy * self.params["w"] * x
        if self.wrong == "one entry of w":
            dw[1] *= 1.01
        if self.wrong == "sign of x":
            dx = -dx
        self.grads["w"] += dw
        return dx


X = np.random.default_rng(0).standard_normal((4, 3))


def test_a_reader_s_class_needs_no_inheritance():
    report = gradcheck(Square(), X)
    assert report.passed
    assert [(check.name, check.entries) for check in report] == [("w", 3), ("input x", 12)]


def test_the_failing_entry_is_named_with_both_values():
    report = gradcheck(Square(wrong="one entry of w"), X)
    w, x = report
    assert not report.passed and not w.passed and x.passed
    assert w.index == (1,)
    assert w.analytic == pytest.approx(1.01 * w.numeric, rel=1e-6)
    assert f"at w[1]: backward {w.analytic:.10g}, finite difference {w.numeric:.10g}" in str(report)
    assert "FAIL" in str(report)


def test_a_wrong_input_gradient_is_named_by_forward_s_own_argument():
    _, x = gradcheck(Square(wrong="sign of x"), X)
    assert not x.passed and x.name == "input x" and x.error == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("wrong", ["one entry of w", "sign of x"])
def test_a_random_direction_finds_the_parameter_too(wrong):
    report = gradcheck(Square(wrong=wrong), X, every_entry=False)
    assert [check.entries for check in report] == [1, 1]
    assert [check.passed for check in report] == [wrong != "one entry of w", wrong != "sign of x"]


def test_everything_is_as_before_afterwards():
    layer, x = Linear(3, 2, np.random.default_rng(0), dtype="float64"), X.copy()
    layer.grads["W"][...] = 7
    before = {name: param.copy() for name, param in layer.params.items()}
    gradcheck(layer, x)
    assert (x == X).all() and (layer.grads["W"] == 7).all() and (layer.grads["b"] == 0).all()
    assert all((layer.params[name] == before[name]).all() for name in before)


def test_an_upstream_gradient_of_ones_would_hide_what_a_random_one_shows():
    """Why r is random: under ones the softmax's gradient is exactly 0, whatever backward forgets."""
    from minis2s.functional import softmax, softmax_backward

    class Forgets:
        params, grads = {}, {}

        def forward(self, x):
            y = softmax(x)
            return y, y

        def backward(self, dy, y):
            return softmax_backward(dy, y) * 3

    assert not gradcheck(Forgets(), X).passed
    y = softmax(X)
    np.testing.assert_allclose(3 * softmax_backward(np.ones_like(y), y), 0, atol=1e-15)


def test_a_backward_that_overwrites_gradients_is_found_out():
    class Overwrites(Square):
        def backward(self, dy, x):
            self.grads["w"][...] = (dy * x**2).sum(axis=0)
            return 2 * dy * self.params["w"] * x

    w, x = gradcheck(Overwrites(), X)
    assert not w.passed and x.passed


def test_parameters_are_restored_where_forward_fails():
    class Fails(Square):
        calls = 0

        def forward(self, x):
            Fails.calls += 1
            if Fails.calls > 2:
                raise RuntimeError("no more")
            return super().forward(x)

    layer = Fails()
    with pytest.raises(RuntimeError):
        gradcheck(layer, X)
    assert (layer.params["w"] == [2.0, -1.0, 0.5]).all() and (layer.grads["w"] == 0).all()


def test_nan_never_passes():
    class Nan(Square):
        def backward(self, dy, x):
            return super().backward(dy, x) * np.nan

    assert not gradcheck(Nan(), X).passed


def test_the_command_line_checks_one_layer_and_says_so(capsys):
    assert cli.main(["gradcheck", "lstm"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].endswith("passed, 0 failed")
    assert "Wx" in out and "input state0.1" in out and "gru" not in out
    rows = len(out.splitlines()) - 2
    assert rows == sum(len(case.check()) for case in cases("lstm"))


def test_the_command_line_fails_with_status_1_and_shows_where(capsys, monkeypatch):
    """A sign broken in the LSTM's carry, as a student might."""
    right = LSTM.step_backward

    def wrong(self, dstate, cache, WhT=None):
        dxa, (dh_prev, dc_prev) = right(self, dstate, cache, WhT)
        return dxa, (dh_prev, -dc_prev)

    monkeypatch.setattr(LSTM, "step_backward", wrong)
    assert cli.main(["gradcheck", "lstm"]) == 1
    out = capsys.readouterr().out
    assert "FAIL" in out and "finite difference" in out and "at Wx[" in out
    assert not out.splitlines()[-1].endswith(" 0 failed")
