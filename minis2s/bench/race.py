"""Contestants in turns, A B A B: whatever the machine does besides, it does to all of them."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from ..machine import THREADS
from .workloads import ON_GPU, SPLIT

SLICE = 0.3  # seconds that one turn lasts at least


class Worker:
    """A process that answers; as a context it ends with it."""

    def __init__(self, threads):
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        command = [sys.executable, "-m", "minis2s.bench.worker"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True)

    def ask(self, do, **what):
        """The answer as a dict; RuntimeError where there is none."""
        try:
            print(json.dumps({"do": do} | what), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"a process of the benchmark ended at {do!r} with status {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"a process of the benchmark failed at {do!r}: {answer['error']}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Setting(NamedTuple):
    """How everything is measured."""

    threads: int = 2
    rounds: int = 5
    dtype: str = "float32"
    slice: float = SLICE


def race(names, workload, setting, width=None):
    """Every contestant's time for a step, a value a round, and its memory -> name -> {"seconds": [...], "bytes": n}

    width None trains, a width decodes. On a GPU also the time to issue a step, "issue": [...], and as far as they can
    be counted its "launches" with the time "busy" that they take.
    """
    found = {name: {"seconds": []} for name in names}
    with ExitStack() as stack:
        # Where Python's threads share the batch, BLAS has one for each.
        workers = {
            name: stack.enter_context(Worker(1 if name.startswith(SPLIT) else setting.threads)) for name in names
        }
        steps = {}
        for name, worker in workers.items():
            worker.ask("build", contestant=name, workload=asdict(workload), dtype=setting.dtype, width=width)
            worker.ask("run", steps=1)  # pages and buffers that are new
            once = worker.ask("run", steps=1)["seconds"]
            steps[name] = max(1, round(setting.slice / once))
        for _ in range(setting.rounds):
            for name, worker in workers.items():
                if name.endswith(ON_GPU):  # first: the GPU has rested, and must not while it counts
                    found[name].setdefault("issue", []).append(worker.ask("issue")["issue"])
                seconds = worker.ask("run", steps=steps[name])["seconds"]
                found[name]["seconds"].append(seconds / steps[name])
        for name, worker in workers.items():
            found[name] |= worker.ask("memory")
            if name.endswith(ON_GPU):
                found[name] |= counted(worker, name)
    return found


def counted(worker, name):
    """The launches of its contestant; {} and a line where they cannot be counted, as all else is measured by then."""
    try:
        return worker.ask("launches")
    except RuntimeError as error:
        tell(f"the launches of {name} are not counted: {error}")
        return {}


def tell(line):
    print(line, file=sys.stderr, flush=True)


def once(do, setting, **what):
    """One question to a process of its own."""
    with Worker(setting.threads) as worker:
        return worker.ask(do, **what)


def quartiles(values):
    """The first, the median, the third."""
    return tuple(map(float, np.quantile(values, [0.25, 0.5, 0.75])))


def median(values):
    return quartiles(values)[1]


def paired(found, name, other):
    """The time of one over that of the other, round by round."""
    return [a / b for a, b in zip(found[name]["seconds"], found[other]["seconds"], strict=True)]
