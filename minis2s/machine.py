"""What machine this is, and what it is asked for."""

import ctypes
import os
import platform
from functools import cache
from pathlib import Path

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def describe_machine():
    """Its processor, how many cores may be used, and how many threads BLAS was told to take, in a line."""
    return f"{processor()}, {cores()} cores, {blas_threads() or cores()} BLAS threads"


def processor():
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def blas_threads():
    """How many threads the environment grants to BLAS, or None where it says nothing: then as many as cores."""
    return next((int(os.environ[name]) for name in THREADS if os.environ.get(name, "").isdigit()), None)


def leave_one_thread_to_blas():
    """Set the environment so: for a process that has not imported NumPy yet, and makes threads of its own."""
    os.environ |= dict.fromkeys(THREADS, "1")


@cache
def keep_freed_memory():
    """Ask the C library to keep what is freed for the next who asks, instead of giving it back -> whether it does

    A training step frees what the next one needs again, and a page fresh from the system costs more than the arithmetic
    in it. Of glibc alone; elsewhere nothing happens.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
    return bool(mallopt(mmap_max, 0)) and bool(mallopt(trim_threshold, 1 << 30))
