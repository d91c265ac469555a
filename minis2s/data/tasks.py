"""The tasks by name: each gives text pairs in splits that share nothing, but for what was published so."""

from functools import partial
from inspect import signature

from ..contracts import expect_choice
from .addition import addition
from .cmudict import cmudict, cmudict_references
from .dates import dates
from .dates_multilingual import dates_multilingual
from .dlfs2 import dlfs2
from .multi30k import multi30k
from .numbers import numbers
from .scan import scan
from .sequences import sequences
from .tatoeba import tatoeba

TASKS = {
    # generated from a seed
    "copy": partial(sequences, "copy"),
    "reverse": partial(sequences, "reverse"),
    "addition": addition,
    "numbers": numbers,
    "dates": dates,
    "dates-multilingual": dates_multilingual,
    # read from a corpus
    "cmudict": cmudict,
    "dlfs2-addition": partial(dlfs2, "addition"),
    "dlfs2-date": partial(dlfs2, "date"),
    "multi30k": multi30k,
    "scan-simple": partial(scan, "simple"),
    "scan-length": partial(scan, "length"),
    "scan-jump": partial(scan, "jump"),
    "tatoeba": tatoeba,
}


# those with several right answers to a source
REFERENCES = {"cmudict": cmudict_references}


def load_task(name, seed=0, directory=None, **options):
    """The Splits of a task; `directory` is where its corpus lies, for those that are not generated.

    Raises ValueError for a name or an option that is unknown, and what the task itself raises.
    """
    expect_choice("task", name, TASKS)
    task = TASKS[name]
    known = [option for option in signature(task).parameters if option not in ("seed", "directory")]
    for option in options:
        if option not in known:
            raise ValueError(f"the task {name} has no option {option!r}; it has {', '.join(known)}")
    if "directory" in signature(task).parameters:
        options["directory"] = directory
    return task(seed=seed, **options)


def load_references(name, directory=None):
    """All right answers to each source, as lists of tokens, of a task that has several; None for the others."""
    return REFERENCES[name](directory) if name in REFERENCES else None
