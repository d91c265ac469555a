"""The exercises of the chapters: `check.<name>(answer)` says whether an answer is right, and gives nothing away.

    from minis2s.exercises import check
    check.lstm_cell_backward(my_function)

One file a chapter, `chapterNN.py`; a new one is found by its name. `check.` and the tab key list what there is.
"""

from importlib import import_module
from pkgutil import iter_modules

from .registry import check

for _module in iter_modules(__path__):
    if _module.name.startswith("chapter"):
        import_module(f"{__name__}.{_module.name}")

__all__ = ["check"]
