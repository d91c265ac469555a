"""Checks of exercises: every solution is right, every stub unwritten, every planted wrong answer wrong where it is."""

import ast
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("jupytext", reason="the chapters are read by jupytext: extra `notebooks`")

import build
import editions
from minis2s.exercises import check, checking, registry
from minis2s.exercises.checking import Trial, Unwritten, Wrong, judge_trial

EXERCISES = list(check)


def solutions(exercise):
    return vars(import_module(f"solutions.chapter{exercise.chapter}"))


def wrong_answers(exercise):
    return import_module(f"wrong_answers.chapter{exercise.chapter}").WRONG[exercise.__name__]


def cells(exercise):
    """The cells of the exercise's chapter."""
    (source,) = [source for source in build.SOURCES if source.name[:2] == exercise.chapter]
    return build.jupytext.read(source, fmt="py:percent").cells


def checked(exercise, answers):
    """What the chapter's own check cell hands in, by these names: check.peephole_backward(forward, backward)"""
    (call,) = [cell.source for cell in cells(exercise) if cell.source.startswith(f"check.{exercise.__name__}(")]
    return [answers[argument.id] for argument in ast.parse(call).body[0].value.args]


def stubs(exercise):
    """The chapter's stubs, executed -> what a student begins with, by name"""
    namespace = {}
    for cell in cells(exercise):
        if "exercise" in cell.metadata:
            exec(cell.source, namespace)
    return namespace


def broken(exercise, healthy, planted):
    """The solutions, one of them with one place of its source replaced."""
    source = (build.CHAPTERS / "solutions" / f"chapter{exercise.chapter}.py").read_text(encoding="utf-8")
    text = ast.get_source_segment(source, editions.definition(source, exercise.__name__))
    assert text.count(healthy) == 1, f"stale row: {exercise.__name__} holds {healthy!r} {text.count(healthy)} times"
    namespace = dict(solutions(exercise))
    exec(text.replace(healthy, planted), namespace)
    return namespace


each = pytest.mark.parametrize("exercise", EXERCISES, ids=repr)


@each
@pytest.mark.parametrize("seed", [0, 1])  # the chapter's numbers, the teacher's
def test_solution_is_right(exercise, seed):
    verdict = exercise(*checked(exercise, solutions(exercise)), seed=seed)
    assert verdict and verdict.outcome == registry.RIGHT, verdict


@each
def test_stub_is_not_written_yet(exercise):
    verdict = exercise(*checked(exercise, stubs(exercise)))
    assert not verdict and verdict.outcome == registry.UNWRITTEN


@each
def test_wrong_answers_are_wrong_and_said_where(exercise):
    is_function = callable(solutions(exercise)[exercise.__name__])
    rows = wrong_answers(exercise)
    assert len(rows) >= (3 if is_function else 2)
    for row in rows:
        *place, said = row if is_function else (row, f"it is not {row!r}")
        answers = broken(exercise, *place) if is_function else {exercise.__name__: row}
        verdict = exercise(*checked(exercise, answers))
        assert verdict.outcome == registry.WRONG, f"{row} passes"
        assert said in verdict.text, f"{row}: {verdict}"


def test_wrong_answers_belong_to_exercises():
    for chapter in {exercise.chapter for exercise in EXERCISES}:
        rows = import_module(f"wrong_answers.chapter{chapter}").WRONG
        assert rows.keys() == {exercise.__name__ for exercise in EXERCISES if exercise.chapter == chapter}


# The judge itself, on y = w x.

X, W = np.array([[1.0, 2.0, 3.0]]), np.array([0.5, -1.0, 2.0])
TRIAL = Trial({"N": 3}, (X, W), {"y": X * W, "total": np.asarray((X * W).sum())})


def judged(function, trial=TRIAL):
    """What is said of an answer: None where it is right."""
    try:
        judge_trial([function], trial)
    except Wrong as wrong:
        return str(wrong)
    except Unwritten:
        return "unwritten"
    return None


def test_right():
    assert judged(lambda x, w: (x * w, (x * w).sum())) is None
    assert judged(lambda x, w: {"total": (x * w).sum(), "y": x * w}) is None
    assert judged(lambda x, w: (x * w * (1 + 1e-8), float((x * w).sum()))) is None


def changes(x, w):
    x *= w
    return x, x.sum()


def stops(x, w):
    return x[7], 0.0


def unwritten(x, w):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x, w: (x * w + [0, 0, 0.5], 4.5), "y[0, 2] is 6.5, the equations say 6 (1 entry of 3 differ)."),
        (lambda x, w: (x * w * 1.001, 4.5), "y[0, 0] is 0.5005, the equations say 0.5 (3 entries of 3 differ)."),
        (lambda x, w: (x * w, 4.0), "total is 4, the equations say 4.5."),
        (lambda x, w: (x * w * np.nan, 4.5), "y[0, 0] is nan, the equations say 0.5 (3 entries of 3 differ)."),
        (lambda x, w: ((x * w)[0], 4.5), "y has shape (3,), it should be (1, 3)."),
        (lambda x, w: ((x * w).astype("f"), 4.5), "y has dtype float32, it should be float64, as the inputs are."),
        (lambda x, w: ("y", 4.5), "y is a str, it should be an array of shape (1, 3)."),
        (lambda x, w: (None, 4.5), "y is a NoneType, it should be an array of shape (1, 3)."),
        (lambda x, w: x * w, "Your function returns 1 array; it should be y, total."),
        (lambda x, w: {"y": x}, "Your function returns 0 arrays and 'y'; it should be y, total."),
        (lambda x, w: {"y": x, "z": w}, "Your function returns 0 arrays and 'y', 'z'; it should be y, total."),
        (changes, "Your function changes its input x; what is handed in belongs to the caller."),
        (lambda *xw: changes(*xw), "Your function changes its input 1; what is handed in belongs to the caller."),
        (lambda x: x, "Your function stops: TypeError:"),
        (stops, "`return x[7], 0.0`: IndexError: index 7 is out of bounds for axis 0 with size 1"),
        (unwritten, "unwritten"),
        (lambda x, w: None, "unwritten"),
    ],
)
def test_what_is_said(function, said):
    assert said in judged(function)


def test_inputs_are_what_they_were_after_a_function_that_changes_them():
    before = X.copy()
    judged(changes)
    np.testing.assert_array_equal(X, before)


def test_a_part_of_what_is_returned_can_be_asked_for():
    trial = TRIAL._replace(call=lambda function, x, w: function(x, w)[0], expected={"y": X * W})
    assert judged(lambda x, w: (x * w, "cache"), trial) is None
    assert "y[0, 0] is 1" in judged(lambda x, w: (x, "cache"), trial)
    assert "changes its input 1" in judged(changes, trial._replace(expected={"y": X * W}))


def test_finite_differences():
    x = np.array([1.0, -2.0])
    np.testing.assert_allclose(checking.finite_differences(lambda: (x**3).sum(), x=x)["dx"], 3 * x**2, rtol=1e-8)
    np.testing.assert_array_equal(x, [1.0, -2.0])


@pytest.fixture
def empty(monkeypatch):
    """A registry of its own, so that nothing is added to that of the chapters."""
    checks = registry.Checks()
    monkeypatch.setattr(registry, "check", checks)
    return checks


def test_a_question_of_a_number(empty, capsys):
    @registry.question(within=0.01, hint="Count again.")
    def half():
        return 0.5

    assert empty.half(0.505) and empty.half(np.float64(0.5)) and empty.half(np.array(0.5))
    assert not empty.half(0.52) and not empty.half("0.5") and not empty.half(np.array([1.0, 2.0]))
    assert empty.half(None).outcome == registry.UNWRITTEN
    assert "half: wrong: it is not 0.52. Count again.\n" in capsys.readouterr().out


def test_a_question_of_a_choice(empty, capsys):
    @registry.question(choices=("i", "f"))
    def gate():
        return checking.seal("gate", "f")

    assert empty.gate("f") and not empty.gate("i") and not empty.gate("g")
    assert "answer with one of 'i', 'f'" in capsys.readouterr().out
    assert checking.seal("gate", "f") != checking.seal("other", "f")


def test_what_is_not_a_function_is_told_so(empty):
    @registry.exercise
    def double(rng):
        x = rng.standard_normal(2)
        yield Trial({"N": 2}, (x,), {"y": 2 * x})

    assert empty.double(lambda x: 2 * x).text == "double: right (1 trial on random numbers)."
    assert "hand in the function itself" in empty.double(np.ones(2)).text
    assert empty.double(None).outcome == registry.UNWRITTEN
    assert "double: wrong at N=2.\n    y[0] is " in empty.double(lambda x: x).text
    assert [each.__name__ for each in empty] == ["double"] == [name for name in dir(empty) if name[0] != "_"]


def test_two_exercises_of_one_name_are_refused(empty):
    def twice(rng):
        yield from ()

    registry.exercise(twice)
    with pytest.raises(ValueError, match="two exercises are called 'twice'"):
        registry.exercise(twice)
