"""The tasks by name: each gives text pairs in three splits that share nothing."""

from ..contracts import expect_choice
from .dates import dates
from .tatoeba import tatoeba

TASKS = ("dates", "tatoeba")


def load_task(name, seed=0, directory=None, **options):
    """The Splits of a task; `directory` is where its corpus lies, for those that are not generated."""
    expect_choice("task", name, TASKS)
    if name == "dates":
        return dates(seed, **options)
    return tatoeba(directory, seed, **options)
