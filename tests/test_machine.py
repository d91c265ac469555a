"""What the machine is said to be."""

import os
import subprocess
import sys

import pytest

from minis2s import machine


def test_a_line_says_processor_cores_and_threads(monkeypatch):
    for name in machine.THREADS:
        monkeypatch.delenv(name, raising=False)
    line = machine.describe_machine()
    assert line == f"{machine.processor()}, {machine.cores()} cores, {machine.cores()} BLAS threads"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert machine.describe_machine().endswith(" cores, 3 BLAS threads")


def test_blas_is_left_one_thread(monkeypatch):
    for name in machine.THREADS:
        monkeypatch.setenv(name, "7")
    machine.leave_one_thread_to_blas()
    assert machine.blas_threads() == 1
    assert {os.environ[name] for name in machine.THREADS} == {"1"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a matter of glibc")
def test_freed_memory_is_kept():
    """Pages faulted in while an array is made and freed again and again: thousands without, next to none with."""
    code = """
import resource, sys
import numpy as np
from minis2s.machine import keep_freed_memory

if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("no glibc")
for turn in range(40):
    if turn == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [np.full(size + 1000 * turn, 1.0, "float32") for _ in range(4) for size in (500_000, 20_000_000)]
    del kept
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = {}
    for word in ("plain", "keep"):
        done = subprocess.run([sys.executable, "-c", code, word], capture_output=True, text=True, check=False)
        if "no glibc" in done.stderr:
            pytest.skip("no glibc")
        faults[word] = int(done.stdout)
    assert faults["keep"] < faults["plain"] / 10, faults
