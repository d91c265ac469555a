"""What says how long steps take: for the CPU a clock, for a GPU its own events, which it passes when it comes to them.

mark() is a moment among the steps issued so far; seconds(first, last) waits for the last, and is the time between.
"""

import time

from ..backend import array_module
from .contestants import ON_GPU, OURS


class Clock:
    def mark(self):
        return time.perf_counter()

    def seconds(self, first, last):
        return last - first


class CuPyEvents:
    def __init__(self, cupy):
        self.cuda = cupy.cuda

    def mark(self):
        event = self.cuda.Event()
        event.record()
        return event

    def seconds(self, first, last):
        last.synchronize()
        return self.cuda.get_elapsed_time(first, last) / 1e3


class TorchEvents:
    def __init__(self):
        from torch import cuda

        self.cuda = cuda

    def mark(self):
        event = self.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, first, last):
        last.synchronize()
        return first.elapsed_time(last) / 1e3


def clock_of(name, contestant):
    """The clock of a contestant, which has this name."""
    if not name.endswith(ON_GPU):
        return Clock()
    if name == OURS + ON_GPU:
        return CuPyEvents(array_module(*contestant.model.params.values()))
    return TorchEvents()
