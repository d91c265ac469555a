"""The tasks by name: each gives text pairs in splits that share nothing, but for what was published so."""

from functools import partial
from inspect import signature

from ..contracts import expect_choice
from .addition import addition
from .cmudict import cmudict, cmudict_references
from .dates import date_alignment, dates
from .dates_multilingual import dates_multilingual, multilingual_alignment
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


# What is known of a task's truth besides its targets; the fields of scoring.Attempt say what each is.
REFERENCES = {"cmudict": cmudict_references}
ALIGNMENTS = {"dates": date_alignment, "dates-multilingual": multilingual_alignment}


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


def truths(name):
    """What is known of a task's truth besides its targets: "references", "alignment", both or none."""
    return [truth for truth, tasks in (("references", REFERENCES), ("alignment", ALIGNMENTS)) if name in tasks]


def load_truth(name, directory=None):
    """The `truths` of a task by name; `directory` is where its corpus lies."""
    truth = {"references": REFERENCES[name](directory)} if name in REFERENCES else {}
    return truth | ({"alignment": ALIGNMENTS[name]} if name in ALIGNMENTS else {})
