"""What `minis2s bench` measures; every function gives a list of rows, dicts that JSON can hold."""

import datetime
import platform
import sys
from dataclasses import asdict, replace
from importlib.metadata import version

import numpy as np

from .. import __version__
from ..machine import cores, processor
from .contestants import NO_TORCH, OURS, TEXTBOOK, has_torch
from .race import median, once, race
from .textbook import Ideas
from .workloads import BEST_FORM, STEP_LOOP, find

TOLERANCE = {"float32": 1e-4, "float64": 1e-8}  # of gradients at full size
ABLATED = ("004", "lstm-T400")
SCALED = {"T": (10, 25, 50, 100, 200, 400), "batch": (1, 4, 16, 64, 256)}
DECODED, BATCH, WIDTHS = ("004", "bahdanau"), 64, (1, 5)


def tell(line):
    print(line, file=sys.stderr, flush=True)


def training(names, setting):
    """Every workload: ours, the textbook's form, and PyTorch, whose gradients are compared with ours first."""
    rows = []
    for workload in map(find, names):
        rivals = list(workload.limits) if has_torch() else []
        others = rivals + [TEXTBOOK] * workload.in_textbook
        found = compared(others, workload, setting)
        contestants = race([OURS, *others], workload, setting)
        rows.append(described(workload) | {"differences": found, "contestants": contestants})
        progress(workload.name, contestants)
    return rows


def ablation(setting, names=ABLATED):
    """The textbook's form with none of its ideas, with the first, the first two, …; and minis2s."""
    rows = []
    for workload in map(find, names):
        forms = [TEXTBOOK] + [f"{TEXTBOOK} with {count}" for count in range(1, len(Ideas._fields) + 1)]
        found = compared(forms, workload, setting)
        contestants = race([*forms, OURS], workload, setting)
        rows.append(described(workload) | {"differences": found, "contestants": contestants})
        progress(workload.name, contestants)
    return rows


def scaling(setting, name="lstm-T25", scaled=SCALED):
    """One LSTM model over T, and over the batch."""
    rows = []
    for varied, values in scaled.items():
        for value in values:
            sizes = {"source_length": value, "target_length": value} if varied == "T" else {"batch": value}
            workload = replace(find(name), name=f"{varied} {value}", **sizes)
            contestants = race([OURS] + [BEST_FORM] * has_torch(), workload, setting)
            tokens = workload.batch * workload.target_length
            rows.append({"varied": varied, "value": value, "tokens": tokens, "contestants": contestants})
            progress(workload.name, contestants)
    return rows


def decoding(setting, names=DECODED, widths=WIDTHS):
    """Greedy and beam, sentences whose words were first found to be the same."""
    rows = []
    for workload in map(find, names):
        workload = replace(workload, batch=BATCH)
        for width in widths:
            others = [STEP_LOOP] * has_torch()
            found = once("compare_decoding", setting, workload=asdict(workload), width=width) if others else {}
            contestants = race([OURS, *others], workload, setting, width)
            row = {"name": workload.name, "width": width, "sentences": workload.batch}
            rows.append(row | found | {"contestants": contestants})
            progress(f"{workload.name}, beam {width}", contestants)
    return rows


def profiles(names, setting):
    """Where the time of our step goes."""
    return [
        {"name": name, "seconds": once("profile", setting, workload=asdict(find(name)), dtype=setting.dtype)}
        for name in names
    ]


def peaks(setting):
    """What the processor can do at most, by NumPy's BLAS and by PyTorch's -> flops a second"""
    libraries = ["numpy"] + ["torch"] * has_torch()
    return {name: once("peak", setting, library=name, dtype=setting.dtype)["flops"] for name in libraries}


def compared(others, workload, setting):
    """Their differences from our gradients -> name -> difference; RuntimeError where they are not the same."""
    if not others:
        return {}
    found = once("compare", setting, names=others, workload=asdict(workload), dtype=setting.dtype)
    for name, difference in found.items():
        if not difference < TOLERANCE[setting.dtype]:
            raise RuntimeError(f"{workload.name}: the gradients of {name} differ from ours by {difference:.1e}")
    return found


def described(workload):
    return {
        "name": workload.name,
        "flops": workload.flops(),
        "limits": workload.limits,
        "memory_limits": workload.memory_limits,
    }


def progress(name, contestants):
    times = ", ".join(f"{key} {1e3 * median(found['seconds']):.3g}" for key, found in contestants.items())
    tell(f"{name}, ms: {times}")


def circumstances(setting):
    """Machine, versions, threads, date."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {"minis2s": __version__, "python": platform.python_version(), "numpy": np.__version__}
    versions |= {"BLAS": f"{blas.get('name')} {blas.get('version')}"}
    if has_torch():
        versions["PyTorch"] = version("torch")
    else:
        tell(NO_TORCH)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {cores()} cores",
        "versions": versions,
        **setting._asdict(),
    }
