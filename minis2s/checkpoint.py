"""Arrays and a description in one file, written whole or not at all, read without trusting it."""

import json
from itertools import zip_longest
from pathlib import Path

import numpy as np

from .atomic import write_atomically

DESCRIPTION = "description.json"
MISSING = object()


def save(path, arrays, description):
    """Write a dict of NumPy arrays and a JSON-able description to `path`, a zip of .npy files, whole or not at all."""
    path = Path(path)
    text = np.frombuffer(json.dumps(description, ensure_ascii=False).encode(), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: np.savez(file, **arrays, **{DESCRIPTION: text}))


def load(path):
    """(arrays, description) as `save` wrote them.

    Raises FileNotFoundError where there is no such file, and ValueError where it is damaged, cut short or not a
    file of `save`; nothing in it is ever executed (no pickle).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no saved model {path}")
    with open(path, "rb") as file:
        try:
            with np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
                arrays = dict(archive)
            description = json.loads(arrays.pop(DESCRIPTION).tobytes())
        except Exception as error:  # each damaged byte has its own way to fail in the readers of zip, npy and JSON
            raise ValueError(f"{path} is damaged or not a minis2s file ({error})") from error
    return arrays, description


def expect_same(path, found, wanted):
    """ValueError that names every field in which the descriptions differ: found in the file, wanted now."""
    found, wanted = _fields(found), _fields(wanted)
    both = {name: (found.get(name, MISSING), wanted.get(name, MISSING)) for name in wanted | found}
    differing = [_difference(name, *values) for name, values in both.items() if values[0] != values[1]]
    if differing:
        raise ValueError(f"{path} was made with another configuration: {'; '.join(differing)}")


def _fields(description, path=""):
    """A description without its nesting: {"config": {"cell": "gru"}} -> {"config.cell": "gru"}"""
    flat = {}
    for name, value in description.items():
        flat |= _fields(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return flat


def _difference(name, found, wanted):
    """One sentence; of two lists, the first entry that differs."""
    if isinstance(found, list) and isinstance(wanted, list):
        entries = enumerate(zip_longest(found, wanted, fillvalue=MISSING))
        return next(_difference(f"{name}[{index}]", *pair) for index, pair in entries if pair[0] != pair[1])
    return f"{name} is {_brief(found)} in the file, {_brief(wanted)} here"


def _brief(value):
    if value is MISSING:
        return "missing"
    return f"{len(value)} entries" if isinstance(value, list) else repr(value)
