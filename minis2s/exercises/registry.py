"""Every exercise and question, by name, on one object: `check`.

An exercise draws trials; a question works out its answer:

    @exercise
    def scale_backward(rng):
        dy, w = rng.standard_normal((2, 3))
        yield Trial({"N": 3}, (dy, w), {"dx": dy * w})

    @question(within=0.01)
    def half_life():
        return np.log(0.5) / np.log(0.9)

`check.scale_backward(f)` then calls f(dy, w), and `check.half_life(7)` compares a number.
"""

import numpy as np

from .checking import Unwritten, Wrong, agrees, counted, judge_trial

RIGHT, WRONG, UNWRITTEN = "right", "wrong", "not written yet"


class Verdict:
    """True where the answer is right; `outcome` is "right", "wrong" or "not written yet"."""

    def __init__(self, outcome, text):
        self.outcome, self.text = outcome, text

    def __bool__(self):
        return self.outcome == RIGHT

    def __repr__(self):
        return self.text

    def _ipython_display_(self):
        """Nothing more: the verdict has been printed."""


class Checks:
    """check.<name>(answer); the tab key lists the names."""

    def __iter__(self):
        return iter(vars(self).values())

    def __repr__(self):
        return "\n".join(f"check.{each.__name__:<32} chapter {each.chapter}" for each in self)


check = Checks()


class Exercise:
    """check.<name>: prints what its judge says of an answer, and returns it as a Verdict; never raises for one.

    The judge is a function (answers, rng) that raises Wrong or Unwritten, or returns what it has tried.
    """

    def __init__(self, asked, judge):
        if hasattr(check, asked.__name__):
            raise ValueError(f"two exercises are called {asked.__name__!r}")
        self.__name__, self.__doc__, self.__module__ = asked.__name__, asked.__doc__, asked.__module__
        self.judge = judge
        setattr(check, self.__name__, self)

    @property
    def chapter(self):
        """'03', after the file that it stands in."""
        return self.__module__[-2:]

    def __call__(self, *answers, seed=0):
        try:
            outcome, text = RIGHT, f"right{self.judge(answers, np.random.default_rng(seed))}."
        except Unwritten:
            outcome, text = UNWRITTEN, f"{UNWRITTEN}."
        except Wrong as wrong:
            outcome, text = WRONG, f"wrong{wrong}"
        verdict = Verdict(outcome, f"{self.__name__}: {text}")
        print(verdict)
        return verdict

    def __repr__(self):
        return f"check.{self.__name__}"


def exercise(draw):
    """Register draw(rng), a generator of Trials, as the exercise of its name."""

    def judge(functions, rng):
        if all(function is None for function in functions):
            raise Unwritten
        for function in functions:
            if not callable(function):
                raise Wrong(f": hand in the function itself, without calling it; this is a {type(function).__name__}.")
        tried = 0
        for trial in draw(rng):
            try:
                judge_trial(functions, trial)
            except Wrong as wrong:
                sizes = ", ".join(f"{name}={size}" for name, size in trial.sizes.items())
                raise Wrong(f" at {sizes}.\n    {wrong}") from None
            tried += 1
        return f" ({counted(tried, 'trial')} on random numbers)"

    return Exercise(draw, judge)


def question(choices=None, within=0.0, hint=""):
    """Register the decorated function, which works out its answer or gives it sealed, as the question of its name.

    A number must come within `within` of it, a choice be one of `choices`; `hint` follows where it is wrong.
    """

    def register(work_out):
        def judge(answers, rng):
            answer = answers[0] if len(answers) == 1 else answers
            if answer is None:
                raise Unwritten
            if isinstance(answer, np.ndarray):
                answer = answer.tolist()
            if choices is not None and answer not in choices:
                raise Wrong(f": answer with one of {', '.join(map(repr, choices))}.")
            if not agrees(work_out.__name__, answer, work_out(), within):
                raise Wrong(f": it is not {answer!r}. {hint}".rstrip())
            return ""

        return Exercise(work_out, judge)

    return register
