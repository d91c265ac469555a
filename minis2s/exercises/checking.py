"""Is an answer right? If not: its first wrong entry, beside what finite differences or the equations say."""

import linecache
import sysconfig
import traceback
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..backend import map_tree
from ..gradcheck import FLOOR, STEP, TOLERANCE

# Where code lies that no student wrote.
ELSEWHERE = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "<frozen")


class Wrong(Exception):
    """What is wrong with an answer, in a sentence."""


class Unwritten(Exception):
    """There is no answer yet."""


def of_the_inputs(function, *inputs):
    return function(*inputs)


class Trial(NamedTuple):
    """One call of the student's function, and what should come of it."""

    sizes: dict  # {"T": 1, "B": 3}: named where it goes wrong
    inputs: tuple
    expected: dict  # name -> array, in the order in which the function returns them
    says: str = "the equations say"  # or "finite differences say", "minis2s says"
    call: Callable = of_the_inputs  # (function, *inputs) -> what is compared; a part of it, or a layer's gradient


def judge_trial(functions, trial):
    """Raises Unwritten or Wrong unless the functions give what is expected and leave their inputs alone."""
    inputs = map_tree(deepcopy, trial.inputs)
    try:
        result = trial.call(*functions, *inputs)
    except NotImplementedError:
        raise Unwritten from None
    except Exception as error:  # whatever a student's code may raise
        raise Wrong(told(error)) from None
    if result is None:
        raise Unwritten
    found = by_name(result, list(trial.expected))
    for name, expected in trial.expected.items():
        compare(name, found[name], np.asarray(expected), trial.says)
    for name, before, after in zip(input_names(functions[0], trial), trial.inputs, inputs, strict=True):
        if not same(before, after):
            raise Wrong(f"Your function changes its {name}; what is handed in belongs to the caller.")


def by_name(result, names):
    """The arrays of a result: those of dicts by their keys, those of tuples in order.  -> name -> array"""
    keyed, ordered = {}, []

    def walk(part):
        if isinstance(part, dict):
            keyed.update(part)
        elif isinstance(part, (tuple, list)):
            for each in part:
                walk(each)
        else:
            ordered.append(part)

    walk(result)
    wanted = [name for name in names if name not in keyed]
    if not keyed.keys() <= set(names) or len(ordered) != len(wanted):
        keys = f" and {', '.join(map(repr, keyed))}" if keyed else ""
        raise Wrong(f"Your function returns {counted(len(ordered), 'array')}{keys}; it should be {', '.join(names)}.")
    return keyed | dict(zip(wanted, ordered, strict=True))


def compare(name, found, expected, says):
    """Raises Wrong, with the first entry that differs, unless `found` is `expected`."""
    if not isinstance(found, (np.ndarray, np.generic, float, int)):
        raise Wrong(f"{name} is a {type(found).__name__}, it should be an array of shape {expected.shape}.")
    found = np.asarray(found)
    if found.shape != expected.shape:
        raise Wrong(f"{name} has shape {found.shape}, it should be {expected.shape}.")
    if found.ndim and found.dtype != expected.dtype:
        raise Wrong(f"{name} has dtype {found.dtype}, it should be {expected.dtype}, as the inputs are.")
    differs = ~close(found, expected)
    if differs.any():
        index = tuple(map(int, np.argwhere(differs)[0]))
        place = f"{name}{list(index)}" if index else name
        count = f" ({counted(differs.sum(), 'entry', 'entries')} of {differs.size} differ)" if differs.size > 1 else ""
        raise Wrong(f"{place} is {found[index]:.6g}, {says} {expected[index]:.6g}{count}.")


def close(found, expected):
    """Which entries are as near to each other as finite differences come; below FLOOR that is absolute."""
    if expected.dtype.kind != "f":
        return found == expected
    size = np.maximum(np.maximum(np.abs(found), np.abs(expected)), FLOOR)
    return np.abs(found - expected) <= TOLERANCE * size


def input_names(function, trial):
    """What a sentence calls the inputs: "input x", or "input 1" where they are not the function's own."""
    count, code = len(trial.inputs), getattr(function, "__code__", None)
    own = trial.call is of_the_inputs and code is not None and code.co_argcount == count
    return [f"input {name}" for name in (code.co_varnames[:count] if own else range(1, count + 1))]


def same(before, after):
    """Do two nestings hold the same arrays?"""
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(same(before[key], after[key]) for key in before)
    if isinstance(before, (tuple, list)):
        return len(before) == len(after) and all(map(same, before, after))
    return not isinstance(before, np.ndarray) or np.array_equal(before, after)


def told(error):
    """An exception as a sentence, with the last line of the student's own that it passed."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(ELSEWHERE)
    ]
    place = ""
    if frames:
        line = linecache.getline(frames[-1].filename, frames[-1].lineno).strip()
        place = f" in line {frames[-1].lineno}" + (f", `{line}`" if line else "")
    return f"Your function stops{place}: {type(error).__name__}: {error}"


def finite_differences(f, **arrays):
    """The gradient of the number f() with respect to each of `arrays`, which f reads: x=… -> {"dx": …}.

    (f(x + step) - f(x - step)) / (2 step), one entry after the other.
    """
    grads = {}
    for name, array in arrays.items():
        grad = grads[f"d{name}"] = np.empty_like(array)
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + STEP
            above = f()
            array[index] = value - STEP
            grad[index] = (above - f()) / (2 * STEP)
            array[index] = value
    return grads


class Sealed(str):
    """A question's answer that cannot be read off, for answers that no computation finds: what seal() gives."""


def seal(name, answer):
    return Sealed(sha256(f"{name}: {answer!r}".encode()).hexdigest()[:16])


def agrees(name, answer, truth, within):
    """Is the answer to the question of this name the truth, or a number as close to it as asked for?"""
    if isinstance(truth, Sealed):
        return seal(name, answer) == truth
    if isinstance(truth, (float, int, np.number)) and not isinstance(truth, bool):
        return isinstance(answer, (float, int, np.number)) and bool(abs(answer - truth) <= within)
    return answer == truth


def counted(n, one, many=None):
    """1 array, 2 arrays"""
    return f"{n} {one if n == 1 else many or one + 's'}"
