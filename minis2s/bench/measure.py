"""What `minis2s bench` measures; every function gives a list of rows, dicts that JSON can hold."""

import datetime
import platform
from dataclasses import asdict, replace
from importlib import import_module
from importlib.metadata import version

import numpy as np

from .. import __version__, doctor
from ..machine import cores, processor
from .contestants import NO_TORCH, NO_TORCH_ON_GPU, OURS, TEXTBOOK, has_torch
from .race import median, once, race, tell
from .textbook import Ideas
from .workloads import AS_PUBLISHED, BEST_FORM, ON_GPU, SPLIT, STEP_LOOP, find

TOLERANCE = {"float32": 1e-4, "float64": 1e-8}  # of gradients at full size
ABLATED = ("004", "lstm-T400")
SCALED = {"T": (10, 25, 50, 100, 200, 400), "batch": (1, 4, 16, 64, 256)}
DECODED, BATCH, WIDTHS = ("004", "bahdanau"), 64, (1, 5)


def training(names, setting):
    """Every workload: ours, with the batch split among threads too, the textbook's form, and PyTorch.

    All gradients are compared with ours first.
    """
    rows = []
    for workload in map(find, names):
        rivals = list(workload.limits) if has_torch() else []
        others = rivals + [TEXTBOOK] * workload.in_textbook
        others += [f"{SPLIT}{setting.threads}"] * (workload.divisible and setting.threads > 1)
        found = compared(others, workload, setting)
        contestants = race([OURS, *others], workload, setting)
        rows.append(described(workload) | {"differences": found, "contestants": contestants})
        progress(workload.name, contestants)
    return rows


def gpu(names, setting):
    """Every workload: ours on the CPU and on a GPU, and PyTorch there; all have the gradients of ours on the CPU."""
    with_torch = once("torch_sees_gpu", setting)["sees"]
    if has_torch() and not with_torch:
        tell(NO_TORCH_ON_GPU)
    rows = []
    for workload in map(find, names):
        forms = [AS_PUBLISHED if workload.over_vectors else STEP_LOOP, BEST_FORM] if with_torch else []
        others, found = [name + ON_GPU for name in (OURS, *forms)], {}
        for name in others:  # each by itself: CuPy and PyTorch may have come with different versions of CUDA
            found |= compared([name], workload, setting)
        contestants = race([OURS, *others], workload, setting)
        row = {"name": workload.name, "tokens": workload.tokens, "gpu_limits": workload.gpu_limits}
        rows.append(row | {"differences": found, "contestants": contestants})
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


def circumstances(setting, device="cpu"):
    """Machine, versions, threads, date."""
    machine = f"{processor()}, {cores()} cores"
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {"minis2s": __version__, "python": platform.python_version(), "numpy": np.__version__}
    versions |= {"BLAS": f"{blas.get('name')} {blas.get('version')}"}
    if has_torch():
        versions["PyTorch"] = version("torch")
    else:
        tell(NO_TORCH)
    if device == "gpu":
        machine += f"; {doctor.gpu()}"
        versions |= {"CuPy": import_module("cupy").__version__, "CUDA": doctor.cuda()}
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine,
        "versions": versions,
        **setting._asdict(),
    }
