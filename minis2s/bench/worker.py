"""One contestant in a process of its own: a question is a line of JSON, and so is the answer.

    {"do": "build", "contestant": "minis2s", "workload": …, "dtype": "float32", "width": null}
    {}
    {"do": "run", "steps": 3}
    {"seconds": 1.9}
    {"do": "memory"}
    {"bytes": 250000000}

On a GPU steps are timed by its events, and there are two questions more:

    {"do": "issue"}
    {"issue": 0.011}
    {"do": "launches"}
    {"launches": 1324, "busy": 0.004}

An answer with "error" says why there is no other. The environment says how many threads there are, before NumPy or
PyTorch are imported.
"""

import json
import os
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from . import contestants, decoding, launches, peak, profile
from .clocks import clock_of
from .workloads import Workload


class Server:
    """What the process can be asked; answers are dicts."""

    def build(self, contestant, workload, dtype, width):
        """A contestant that trains, or with a width decodes.

        One step at a tiny size comes first: what libraries load and keep with it is not the model's memory.
        """
        workload = Workload(**workload)
        make = contestants.make if width is None else partial(decoding.make, width=width)
        make(contestant, workload.tiny(), dtype).step()
        self.baseline = resident("VmRSS")
        self.contestant = make(contestant, workload, dtype)
        self.clock = clock_of(contestant, self.contestant)
        return {}

    def run(self, steps):
        first = self.clock.mark()
        for _ in range(steps):
            self.contestant.step()
        return {"seconds": self.clock.seconds(first, self.clock.mark())}

    def issue(self):
        """How long the CPU is at it to have one step done by an idle GPU, the waiting for its end left out."""
        first, start = self.clock.mark(), time.perf_counter()
        self.contestant.step()
        issued = time.perf_counter() - start
        self.clock.seconds(first, self.clock.mark())
        return {"issue": issued}

    def launches(self):
        return launches.launches(self.contestant, self.clock)

    def torch_sees_gpu(self):
        return {"sees": contestants.torch_sees_gpu()}

    def memory(self):
        """The most that the process has held at once since it was built, beyond what it held before."""
        return {"bytes": resident("VmHWM") - self.baseline}

    def compare(self, names, workload, dtype):
        return contestants.differences(names, Workload(**workload), dtype)

    def compare_decoding(self, workload, width):
        return {"log_p": decoding.difference(Workload(**workload), width)}

    def profile(self, workload, **options):
        return profile.profile(Workload(**workload), **options)

    def peak(self, **options):
        return {"flops": peak.peak(**options)}


def resident(field):
    """Bytes in memory: "VmRSS" now, "VmHWM" at most so far; where there is no /proc, at most so far for both.

    The kernel's ru_maxrss will not do on Linux: a child process inherits its parent's.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        from resource import RUSAGE_SELF, getrusage

        return getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])


def answer(server, line):
    question = json.loads(line)
    try:
        return getattr(server, question.pop("do"))(**question)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    server = Server()
    for line in sys.stdin:
        print(json.dumps(answer(server, line)), file=answers, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # the parent, which it reaches too, says what there is to say
        main()
