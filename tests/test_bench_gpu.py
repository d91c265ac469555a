"""The benchmark on a GPU: equal work and honest clocks, on a stand-in for CuPy, and with `-m gpu` on a GPU itself.

PyTorch's part runs on the CPU here, with events and a profiler that are played.
"""

import json
import re
import sys
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import strict_array
from strict_array import StrictArray, StrictUfunc, no_synchronisation, strict

from minis2s import backend, cli
from minis2s.bench import clocks, contestants, launches, race, report, worker
from minis2s.bench.contestants import OURS, TEXTBOOK
from minis2s.bench.race import Setting, Worker
from minis2s.bench.workloads import AS_PUBLISHED, BEST_FORM, ON_GPU, STEP_LOOP, WORKLOADS, find

OURS_ON_GPU, LOOP_ON_GPU, BEST_ON_GPU = OURS + ON_GPU, STEP_LOOP + ON_GPU, BEST_FORM + ON_GPU
TINY = find("004").tiny()
QUICK = Setting(threads=1, rounds=2, slice=0.0)
LOG, ASKED = [], []  # what happens to events, and what workers are asked, in order


# What is played


class Event:
    """An event of CuPy: how far two are apart is known once the device has passed both."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.timed, self.passed = not disable_timing, False

    def record(self, stream=None):
        self.at = time.perf_counter()
        LOG.append("recorded")

    def synchronize(self):
        self.passed = True
        LOG.append("waited")

    def elapsed_time(self, last):
        """In milliseconds"""
        if not (self.timed and last.timed and last.passed):
            raise RuntimeError("an event without time, or one that the device has not passed")
        return 1e3 * (last.at - self.at)


class TorchEvent(Event):
    """An event of PyTorch: without time unless asked for."""

    def __init__(self, enable_timing=False, blocking=False, interprocess=False, external=False):
        super().__init__(disable_timing=not enable_timing)


class Pipe:
    """Both ends of a worker's pipes, and the worker between them."""

    def __init__(self):
        self.server, self.asked = worker.Server(), ""

    def write(self, text):
        self.asked += text

    def flush(self):
        pass

    def readline(self):
        asked, self.asked = self.asked, ""
        ASKED.append(json.loads(asked))
        return json.dumps(worker.answer(self.server, asked)) + "\n"

    def close(self):
        pass


class Here(Worker):
    """A worker that shares the test's process, and so the stand-in."""

    def __init__(self, threads):
        pipe = Pipe()
        self.process = SimpleNamespace(stdin=pipe, stdout=pipe, wait=lambda: 0)


@pytest.fixture
def gpu(monkeypatch):
    """The stand-in in CuPy's place, with events; workers in this process; workloads at the smallest sizes."""
    monkeypatch.setattr(backend, "_cupy", lambda: strict)
    cuda = SimpleNamespace(Event=Event, get_elapsed_time=Event.elapsed_time)
    monkeypatch.setattr(strict, "cuda", cuda, raising=False)
    monkeypatch.setattr(race, "Worker", Here)
    monkeypatch.setattr(race, "Setting", partial(Setting, slice=0.0))
    for name in WORKLOADS:
        monkeypatch.setitem(WORKLOADS, name, find(name).tiny())
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: {"name": b"NVIDIA H100", "totalGlobalMem": 85_000_000_000},
        runtimeGetVersion=lambda: 12090,
        driverGetVersion=lambda: 13000,
    )
    cupy = SimpleNamespace(__version__="14.2.0", cuda=SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    LOG.clear()
    ASKED.clear()


@pytest.fixture
def torch_on_gpu(gpu, monkeypatch):
    """PyTorch as if it saw a GPU, which is the CPU; its profiler sees what is in the list that comes back."""
    torch = pytest.importorskip("torch", reason="the rivals are PyTorch's: extra `torch`")
    from torch.autograd.profiler_util import FunctionEvent

    from minis2s.bench import torch_step

    kinds = {"kernel": 30, "gpu_memcpy": 5, "gpu_memset": 1, "cuda_runtime": 200, "gpu_user_annotation": 900}
    seen = [
        FunctionEvent(id=n, name=kind, thread=0, start_us=7, end_us=7 + us, activity_type=kind)
        for n, (kind, us) in enumerate(kinds.items())
    ]

    class Profile:
        def __init__(self, activities):
            assert activities == [torch.profiler.ProfilerActivity.CUDA]

        def __enter__(self):
            LOG.append("profiling")
            return self

        def __exit__(self, *_):
            LOG.append("profiled")

        def events(self):
            return seen

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "Event", TorchEvent)
    monkeypatch.setattr(torch.profiler, "profile", Profile)
    monkeypatch.setattr(torch_step, "CUDA", {"cpu": "cpu", "gpu": "cpu"})
    yield seen
    torch.set_flush_denormal(False)


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


# Contestants


@pytest.mark.parametrize("name", WORKLOADS)
def test_ours_has_the_same_gradients_on_the_gpu(name, gpu):
    found = contestants.differences([OURS_ON_GPU], find(name), "float64")
    assert found[OURS_ON_GPU] < 1e-9


def test_ours_is_where_its_name_says(gpu):
    for workload in (TINY, find("000").tiny()):
        for name, device in ((OURS, "cpu"), (OURS_ON_GPU, "gpu")):
            contestant = contestants.make(name, workload, "float32")
            assert contestant.model.device == device
            assert all(type(grad) is np.ndarray for grad in contestant.gradients().values())
    assert isinstance(contestants.make(OURS_ON_GPU, TINY, "float32").batch.source, StrictArray)


@pytest.mark.parametrize("name", ["000", "004", "004-half-forced", "bahdanau"])
def test_rivals_compute_where_they_are_told(name, torch_on_gpu, monkeypatch):
    """On PyTorch's device without memory: what lies on the CPU cannot meet what lies there."""
    import torch

    from minis2s.bench import rivals, torch_step

    monkeypatch.setattr(torch_step, "CUDA", {"gpu": "meta"})
    monkeypatch.setattr(torch_step, "load", lambda rival, params: None)
    monkeypatch.setattr(rivals, "pack_padded_sequence", lambda x, lengths, **_: x)  # needs real numbers
    monkeypatch.setattr(rivals, "pad_packed_sequence", lambda x, **_: (x, None))
    for form in (AS_PUBLISHED if name == "000" else STEP_LOOP, BEST_FORM):
        rival = contestants.make(form + ON_GPU, find(name), "float32")
        loss = rival.model.loss(rival.batch, rival.workload.teacher_forcing, rival.lots())
        loss.backward()
        assert loss.device.type == "meta"
        assert {param.grad.device.type for param in rival.params} == {"meta"}
        if name == "bahdanau":
            assert rival.batch[1].device.type == "cpu"  # as PyTorch wants lengths
    assert not torch.backends.cudnn.allow_tf32


def test_a_gpu_has_no_textbook(gpu):
    with pytest.raises(ValueError, match=r"^contestant must be one of step loop, .*; got 'textbook'$"):
        contestants.make(TEXTBOOK + ON_GPU, TINY, "float32")


def test_tokens_are_those_of_the_target():
    assert find("004").tokens == 128 * 25 and find("000").tokens == 5 * 3
    batch = find("bahdanau").make_batch()
    assert find("bahdanau").tokens == (batch.targets != 0).sum() < 64 * 25


# Time


@pytest.mark.parametrize("name", [OURS_ON_GPU, BEST_ON_GPU])
def test_steps_are_timed_by_events_and_nothing_waits_between_them(name, torch_on_gpu):
    server = worker.Server()
    build = {"contestant": name, "workload": vars(TINY), "dtype": "float32", "width": None}
    server.build(**build)
    LOG.clear()
    for answer in ("run", {"steps": 3}), ("issue", {}):
        do, options = answer
        start = time.perf_counter()
        with no_synchronisation():
            (seconds,) = getattr(server, do)(**options).values()
        assert 0 < seconds < time.perf_counter() - start
    assert LOG == ["recorded", "recorded", "waited"] * 2


def test_to_issue_a_step_is_not_to_wait_for_it(gpu, monkeypatch):
    server = worker.Server()
    server.build(OURS_ON_GPU, vars(TINY), "float32", None)
    passed = [0]
    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: sum(passed)))
    monkeypatch.setattr(server.contestant, "step", lambda: passed.append(2))
    monkeypatch.setattr(Event, "synchronize", lambda self, wait=Event.synchronize: (passed.append(100), wait(self)))
    assert server.issue() == {"issue": 2} and passed == [0, 2, 100]


def test_a_name_has_its_clock(torch_on_gpu):
    model = TINY.make_model("float32").to("gpu")
    contestant = SimpleNamespace(model=model)
    kinds = {OURS: clocks.Clock, OURS_ON_GPU: clocks.CuPyEvents, LOOP_ON_GPU: clocks.TorchEvents}
    for name, kind in kinds.items():
        clock = clocks.clock_of(name, contestant)
        assert type(clock) is kind
        first = clock.mark()
        time.sleep(0.01)
        assert 0.01 <= clock.seconds(first, clock.mark()) < 1


# Launches


def test_launches_are_counted_in_the_second_round_after_waiting(torch_on_gpu):
    server = worker.Server()
    server.build(OURS_ON_GPU, vars(TINY), "float32", None)
    LOG.clear()
    assert server.launches() == {"launches": 3, "busy": pytest.approx(36e-6)}
    assert LOG == ["profiling", "recorded", "recorded", "waited", "profiled"] * 2


def test_nothing_seen_is_not_no_launches(torch_on_gpu, capsys):
    torch_on_gpu.clear()
    found = race.race([OURS, OURS_ON_GPU], TINY, QUICK)
    assert "launches" not in found[OURS_ON_GPU] and len(found[OURS_ON_GPU]["seconds"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("the launches of minis2s on GPU are not counted: ") and "the profiler saw nothing" in said


def test_without_pytorch_launches_are_not_counted(gpu, without_torch):
    assert launches.launches(None, None) == {}


class Watch:
    """In the place of strict_array's own: every fused chain of operations is one launch."""

    count, forbidden, within = 0, False, False

    def __init__(self, counts):
        self.counts = counts

    @property
    def fusing(self):
        return self.within

    @fusing.setter
    def fusing(self, within):
        self.counts["fused"] += within and not self.within
        self.within = within


def one(result, array=None, *_, **__):
    """A launch, unless all that comes of it is another view of the same memory."""
    views = isinstance(result, StrictArray) and isinstance(array, StrictArray)
    return not (views and np.may_share_memory(result._a, array._a))


def joining(result, arrays, *_, **__):
    """More than eight arrays, of less than 2 MB on average, are copied by one kernel, which needs their addresses."""
    arrays = [array._a for array in arrays]
    if len(arrays) <= 8 or result.nbytes >= len(arrays) << 21:
        return len(arrays)
    return 2 if all(a.flags.c_contiguous and a.shape == arrays[0].shape for a in arrays) else 4


def product(result, a, b):
    """cuBLAS takes matrices of either order, stacks of them only as they lie; where one is broadcast, all addresses."""
    a, b, ndim = a._a, b._a, max(a.ndim, b.ndim)
    if ndim == 1:
        return 2  # a product and a sum
    copies = [x for x in (a, b) if not (x.flags.c_contiguous or (ndim == 2 and x.flags.f_contiguous))]
    broadcast = ndim > 2 and a.shape[:-2] != b.shape[:-2]
    return 1 + len(copies) + 3 * (ndim - 2) * broadcast


def picking(result, array, index):
    """Several arrays of indices become one first: by a fill, and a kernel each."""
    n = sum(isinstance(item, StrictArray) for item in (index if isinstance(index, tuple) else (index,)))
    return n if n < 2 else 2 + n


def putting(result, array, index, value):
    """What `a[k] += b` puts back is there already."""
    target = array._a[strict_array._key(index, array.shape)]
    there = isinstance(value, StrictArray) and value._a.__array_interface__ == target.__array_interface__
    return picking(result, array, index) or 1 - there


def nothing(*_, **__):
    return 0


RULES = {"empty": nothing, "empty_like": nothing, "concatenate": joining, "stack": joining, "matmul": product}
RULES |= {"__matmul__": product, "__getitem__": picking, "__setitem__": putting}


@pytest.fixture
def launched(gpu, monkeypatch):
    """What CuPy 14 launches, by its source, for what the stand-in is asked: operation -> how often."""
    counts = Counter()
    monkeypatch.setattr(strict_array, "_Waits", Watch(counts))

    def counted(function, name=None):
        def call(*args, **options):
            result = function(*args, **options)
            if not strict_array._Waits.fusing:
                counts[name or args[0].name] += RULES.get(name, one)(result, *args, **options)
            return result

        return call

    for name in [*strict_array._table(strict_array.FUNCTIONS), "asarray"]:
        monkeypatch.setitem(vars(strict), name, counted(getattr(strict, name), name))
    methods = [*strict_array.words(strict_array.METHODS), *strict_array._table(strict_array.OWN_METHODS)]
    for name in [*methods, "__matmul__", "__getitem__", "__setitem__"]:
        monkeypatch.setattr(StrictArray, name, counted(getattr(StrictArray, name), name))
    for name in ("__call__", "at"):
        monkeypatch.setattr(StrictUfunc, name, counted(getattr(StrictUfunc, name)))
    return counts


def launches_of_a_step(launched, workload):
    contestant = contestants.make(OURS_ON_GPU, workload, "float32")
    contestant.step()
    launched.clear()
    contestant.step()
    return launched.total()


@pytest.mark.parametrize(("name", "a_cell", "whole"), [("004", 12, 1323), ("lstm-T25", 12, 681)])
def test_a_step_launches_no_more_than_it_did(name, a_cell, whole, launched):
    """A bound, to be lowered with every launch that is saved."""
    workload = replace(find(name), source_length=25, target_length=25)
    assert launches_of_a_step(launched, workload) <= whole
    longer = replace(workload, source_length=35, target_length=45)
    cells = 30 * workload.config.layers
    assert launches_of_a_step(launched, longer) - launches_of_a_step(launched, workload) <= a_cell * cells


def test_what_cupy_launches_for_an_operation(launched):
    a, b, c = (backend.to_device(np.ones(shape, np.float32), "gpu") for shape in ((3, 4), (4, 5), (2, 3, 4)))
    ids, buffer = strict.asarray(np.arange(3)), strict.empty((9, 3, 4), np.float32)

    @backend.fused
    def chain(x, y):
        return x * y + 1

    def put():
        buffer[2] = a

    def add():
        buffer[2] += a

    def scatter():
        buffer[ids, ids] = a

    for operation, wanted in (
        (lambda: a + 1, 1),
        (lambda: chain(a, a), 1),
        (lambda: a @ b, 1),
        (lambda: a[:, :2] @ b[:2], 2),  # laid out anew
        (lambda: c.swapaxes(0, 1) @ c.transpose(1, 2, 0), 3),
        (lambda: c @ b[:, 0], 1 + 1 + 3),
        (lambda: a.T.reshape(2, 6), 1),
        (lambda: a.reshape(-1)[2:].swapaxes(0, 0), 0),
        (lambda: strict.concatenate([a] * 8), 8),
        (lambda: strict.stack([a] * 9), 2),
        (lambda: a[ids], 1),
        (put, 1),
        (add, 1),
        (scatter, 4),
    ):
        launched.clear()
        operation()
        assert launched.total() == wanted, launched


# The whole of it


def test_the_command_from_end_to_end(torch_on_gpu, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    names = ["000", "004", "004-half-forced", "bahdanau"]
    command = ["bench", *names, "--device", "gpu", "--rounds", "2", "--threads", "1", "--json", str(path)]
    assert cli.main(command) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    result = json.loads(path.read_text(encoding="utf-8"))
    assert printed.out.rstrip("\n") == report.markdown(result)
    assert "NVIDIA H100, 85.0 GB" in result["machine"] and result["versions"]["CuPy"] == "14.2.0"
    assert result["versions"]["CUDA"] == "runtime 12.9, driver 13.0"
    assert [row["name"] for row in result["gpu"]] == names
    for row in result["gpu"]:
        loop = AS_PUBLISHED if row["name"] == "000" else STEP_LOOP
        assert list(row["contestants"]) == [OURS, OURS_ON_GPU, loop + ON_GPU, BEST_ON_GPU]
        assert list(row["differences"]) == [OURS_ON_GPU, loop + ON_GPU, BEST_ON_GPU]
        assert max(row["differences"].values()) < 1e-4
        assert "issue" not in row["contestants"].pop(OURS)
        for one_there in row["contestants"].values():
            assert len(one_there["seconds"]) == len(one_there["issue"]) == 2 and one_there["launches"] == 3
    assert "training" not in result
    together = [question["names"] for question in ASKED if question["do"] == "compare"]
    assert len(together) == 12 and max(map(len, together)) == 1, "CuPy and PyTorch share no process that counts"


def test_without_pytorch_ours_is_still_measured(gpu, without_torch, capsys):
    assert cli.main(["bench", "lstm-T25", "--device", "gpu", "--rounds", "1"]) == 0
    said = capsys.readouterr()
    assert said.err.count("PyTorch") == 1 and "step loop" not in said.out
    assert "| lstm-T25 | minis2s on GPU |" in said.out


def test_a_pytorch_that_sees_no_gpu_is_left_out(gpu, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["bench", "lstm-T25", "--device", "gpu", "--rounds", "1"]) == 0
    said = capsys.readouterr()
    assert contestants.NO_TORCH_ON_GPU in said.err and "best form" not in said.out


def test_other_gradients_on_the_gpu_are_not_timed(gpu, monkeypatch, capsys):
    def wrong(tree, device):
        return {name: grad if type(grad) is np.ndarray else 1.01 * grad.get() for name, grad in tree.items()}

    monkeypatch.setattr("minis2s.bench.ours.to_device", wrong)
    assert cli.main(["bench", "lstm-T25", "--device", "gpu", "--rounds", "1"]) == 2
    said = capsys.readouterr()
    assert re.search(r"\nminis2s: lstm-T25: the gradients of minis2s on GPU differ from ours by .*e-02\n$", said.err)
    assert not said.out


def timed(*milliseconds, **rest):
    return {"seconds": [each / 1e3 for each in milliseconds], "bytes": 1} | rest


def test_the_table():
    found = {
        OURS: timed(600, 800, 700),
        OURS_ON_GPU: timed(60, 80, 77, issue=[0.07, 0.077, 0.071], launches=1323, busy=0.0154),
        BEST_ON_GPU: timed(40, 40, 35, issue=[0.01, 0.01, 0.01]),
    }
    limits = {OURS: [0.11], BEST_ON_GPU: [2.0, 1.5]}
    row = {"name": "004", "tokens": 3200, "gpu_limits": limits, "differences": {}, "contestants": found}
    rows = report.gpu({"gpu": [row]}).splitlines()
    assert rows[2:5] == [
        "| 004 | minis2s | 700 [650, 750] | 1.43 | 4,571 | 0.10 [0.10, 0.11] | ≤ 0.11 reached |  |  |  |",
        "| 004 | minis2s on GPU | 77 [68.5, 78.5] | 13 | 41,558 |  |  | 71 (92%) | 1323 | 15.4 (20%) |",
        "| 004 | best form on GPU | 40 [37.5, 40] | 25 | 80,000 | 2.00 [1.75, 2.10] | ≤ 2.00 reached, ≤ 1.50 missed "
        "| 10 (25%) |  |  |",
    ]


def test_every_target_is_of_a_contestant():
    for name, workload in WORKLOADS.items():
        assert set(workload.gpu_limits) <= {OURS, LOOP_ON_GPU, BEST_ON_GPU}, name
    assert find("004").gpu_limits == {OURS: [0.1], BEST_ON_GPU: [2.0]}
    assert find("bahdanau").gpu_limits == find("characters").gpu_limits == {LOOP_ON_GPU: [1.0]}


@pytest.mark.parametrize("words", [["scaling"], ["--profile"], ["--figure", "a.png"]])
def test_what_a_gpu_is_not_asked(words, gpu, capsys):
    assert cli.main(["bench", *words, "--device", "gpu"]) == 2
    said = "minis2s: --device gpu is of workloads and their table alone, without studies, --profile and --figure\n"
    assert capsys.readouterr().err == said


def test_without_a_gpu_one_sentence_says_so(monkeypatch, capsys):
    backend._cupy.cache_clear()
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert cli.main(["bench", "000", "--device", "gpu"]) == 2
    assert capsys.readouterr().err.startswith("minis2s: device 'gpu' needs CuPy, which is not installed: pip install")
    backend._cupy.cache_clear()


# On a GPU


@pytest.mark.gpu
def test_a_race_on_a_gpu():
    with Worker(threads=1) as asked:
        with_torch = asked.ask("torch_sees_gpu")["sees"]
    names = [OURS, OURS_ON_GPU, *[LOOP_ON_GPU, BEST_ON_GPU] * with_torch]
    for name in names[1:]:
        with Worker(threads=1) as asked:
            differences = asked.ask("compare", names=[name], workload=vars(TINY), dtype="float64")
        assert differences[name] < 1e-9
    found = race.race(names, TINY, QUICK)
    for name in names[1:]:
        assert min(found[name]["seconds"] + found[name]["issue"]) > 0
        assert ("launches" in found[name]) == with_torch
    if with_torch:
        assert found[BEST_ON_GPU]["launches"] < found[LOOP_ON_GPU]["launches"]
        assert 0 < found[OURS_ON_GPU]["busy"] < min(found[OURS_ON_GPU]["seconds"])
