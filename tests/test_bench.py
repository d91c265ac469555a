"""The benchmark measures equal work, in turns, and says what it measured. How fast anything is, no test says."""

import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from minis2s import cli, training
from minis2s.bench import contestants, decoding, figures, measure, profile, race, report, textbook
from minis2s.bench.race import Setting, Worker
from minis2s.bench.textbook import IN_WORDS, Ideas, Textbook, first
from minis2s.bench.workloads import AS_PUBLISHED, BEST_FORM, FLUSHED, STEP_LOOP, WORKLOADS, Workload, find

over_workloads = pytest.mark.parametrize("name", WORKLOADS)
over_ideas = pytest.mark.parametrize("count", range(len(Ideas._fields) + 1))

QUICK = Setting(threads=1, rounds=2, slice=0.0)
TINY = find("004").tiny()


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="the rivals are PyTorch's: extra `torch`")
    yield torch
    torch.set_flush_denormal(False)


@pytest.fixture
def without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


# Workloads


@over_workloads
def test_a_workload_goes_through_a_pipe(name):
    workload = find(name)
    assert Workload(**json.loads(json.dumps(asdict(workload)))) == workload


@over_workloads
def test_a_workload_is_the_same_in_every_process(name):
    workload = find(name).tiny()
    models = [workload.make_model("float32").params for _ in range(2)]
    assert all(np.array_equal(models[0][key], models[1][key]) for key in models[0])
    assert {param.dtype.name for param in models[0].values()} == {"float32"}
    if not workload.over_vectors:
        batches = [workload.make_batch() for _ in range(2)]
        for one, other in zip(*batches, strict=True):
            np.testing.assert_array_equal(one, other)


@over_workloads
def test_batches_have_their_sizes_and_padding_where_it_is_asked_for(name):
    workload = find(name)
    S, T, B = workload.source_length, workload.target_length, workload.batch
    if workload.over_vectors:
        assert [array.shape for array in workload.make_signals("float32")] == [(S, B, 10), (T, B, 10), (T, B, 10)]
        return
    batch = workload.make_batch()
    assert batch.source.shape == (S, B) and batch.y.shape == batch.targets.shape == (T, B)
    assert (batch.targets == 0).any() == (batch.source == 0).any() == workload.padded
    assert (batch.source_lengths is not None) == workload.padded


def test_sizes_are_those_that_were_published():
    model = find("004").make_model("float32")
    assert model.size == 17_598_224 and model.config.dropout == 0.5
    assert all((model.params[f"{side}.rnn.layers.0.b"] == 0).all() for side in ("encoder", "decoder"))
    shapes = {name: param.shape for name, param in find("bahdanau").make_model("float32").params.items()}
    assert shapes["encoder.rnn.layers.0.right_to_left.Wh"] == (256, 3 * 256)
    assert shapes["bridge.maps.0.W"] == (512, 512) and shapes["decoder.rnn.layers.0.Wh"] == (512, 3 * 512)
    assert shapes["decoder.attention.U"] == (512, 256) and shapes["decoder.output.W"] == (1024, 5000)


def test_products_are_counted():
    B, T, D, H, V = 128, 25, 256, 512, 10_000
    one_side = (D + H) * 4 * H + 2 * H * 4 * H
    assert find("004").flops() == 3 * 2 * B * T * (2 * one_side + H * V)
    B, T, D, H, Q, A, V = 64, 25, 256, 256, 512, 256, 5000
    encoder, bridge, keys = 2 * (D + H) * 3 * H, 2 * H * Q, 2 * H * A
    decoder = (D + 2 * H + Q) * 3 * Q + Q * A + (Q + 2 * H) * V
    looking = T * (A + 2 * H)  # from one place of the decoder to all of the encoder
    assert find("bahdanau").flops() == 3 * 2 * B * (T * (encoder + keys + decoder + looking) + bridge)


# The same gradients


@over_workloads
def test_rivals_have_our_gradients(name, torch):
    workload = find(name).tiny()
    forms = [AS_PUBLISHED, BEST_FORM] if workload.over_vectors else [STEP_LOOP, BEST_FORM, FLUSHED]
    assert set(workload.limits) <= set(forms)
    for form, difference in contestants.differences(forms, workload, "float64").items():
        assert difference < 1e-9, form


@over_workloads
def test_a_batch_that_is_split_has_the_gradients_of_the_whole(name):
    workload = find(name).tiny()
    if workload.divisible:
        found = contestants.differences(["minis2s split in 2", "minis2s split in 3"], workload, "float64")
        assert max(found.values()) < 1e-12
    contestant = contestants.make("minis2s split in 2", find("004").tiny(), "float64")
    contestant.step()
    assert len(contestant.trainer.replicas.models) == 2


def test_half_forced_means_that_some_steps_are_not(torch):
    workload = find("004-half-forced").tiny()
    forced = replace(workload, teacher_forcing=1.0)
    found = []
    for each in (workload, forced):
        contestant = contestants.make(BEST_FORM, each.comparable(), "float64")
        found.append(contestant.step())
    assert found[0] != found[1]


@over_ideas
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_row_of_the_ablation_has_our_gradients(count, dtype):
    name = f"{contestants.TEXTBOOK} with {count}" if count else contestants.TEXTBOOK
    found = contestants.differences([name], TINY, dtype)
    assert found[name] < (1e-9 if dtype == "float64" else 1e-5)


@pytest.mark.parametrize("count", [0, len(Ideas._fields)])
def test_the_textbook_goes_back_through_its_dropout(count):
    contestant = Textbook(TINY, "float64", first(count))

    def loss():
        contestant.rng = np.random.default_rng(0)
        contestant.grads = {name: np.zeros_like(param) for name, param in contestant.params.items()}
        return contestant.forward_and_backward()

    assert loss() != pytest.approx(Textbook(TINY.comparable(), "float64", first(count)).step(), rel=1e-6)
    grads, rng = contestant.grads, np.random.default_rng(1)
    direction = {name: rng.standard_normal(param.shape) for name, param in contestant.params.items()}
    losses = []
    for step in (1e-5, -2e-5):
        for name, param in contestant.params.items():
            param += step * direction[name]
        losses.append(loss())
    slope = sum((grads[name] * direction[name]).sum() for name in grads)
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)


def test_a_wrong_gradient_is_noticed(monkeypatch):
    monkeypatch.setattr(textbook, "sigmoid_by_tanh", lambda x: (1 + np.tanh(x / 2.01)) / 2)
    found = contestants.differences(["textbook with 1", "textbook with 2"], TINY, "float64")
    assert found["textbook with 1"] < 1e-9 and found["textbook with 2"] > 1e-4
    monkeypatch.setattr(measure, "once", lambda *_, **options: found)
    with pytest.raises(RuntimeError, match=r"^004: the gradients of textbook with 2 differ from ours by \d"):
        measure.compared(list(found), TINY, QUICK)


# What an idea is: (idea, where, function, calls without it, calls with it) in one step of a tiny LSTM of two layers.
T, STEPS = 9, 2 * (8 + 9)  # of the decoder; of the layers of both sides
SWITCHES = [
    ("sigmoid_by_tanh", textbook, "sigmoid_by_exp", 3 * STEPS, 0),
    ("sigmoid_by_tanh", textbook, "sigmoid_by_tanh", 0, 3 * STEPS),
    ("weights_at_once", Textbook, "add_weights", STEPS, 4),
    ("logits_at_once", Textbook, "output", T, 1),
    ("loss_in_place", textbook, "cross_entropy_one_hot", T, 0),
    ("loss_in_place", textbook, "cross_entropy_in_place", 0, T),
    ("rows_without_repeats", textbook, "scatter_add", 0, 2),
    ("adam_in_place", Textbook, "adam", 1, 0),
    ("denormals_flushed", textbook, "flush", 0, 2 * STEPS),
]


@pytest.mark.parametrize(("idea", "owner", "function", "without", "with_it"), SWITCHES)
def test_an_idea_is_switched_on_by_itself(idea, owner, function, without, with_it, monkeypatch):
    calls, original = [], getattr(owner, function)

    def counted(*arguments):
        calls.append(function)
        return original(*arguments)

    monkeypatch.setattr(owner, function, counted)
    for ideas, expected in ((Ideas(), without), (Ideas(**{idea: True}), with_it)):
        calls.clear()
        Textbook(TINY, "float32", ideas).step()
        assert len(calls) == expected


def test_the_int64_of_numpy_turns_float32_into_float64():
    logits, targets = np.ones((3, 4), "float32"), np.array([1, 2, 3])
    for n, dtype in ((np.int64(3), "float64"), (3, "float32")):
        assert textbook.cross_entropy_one_hot(logits, targets, n)[1].dtype == dtype


def test_every_idea_is_said_in_words():
    assert list(IN_WORDS) == list(Ideas._fields)
    assert [sum(first(count)) for count in range(len(Ideas._fields) + 1)] == list(range(len(Ideas._fields) + 1))


# Contestants as they are timed


def test_dropout_and_clipping_are_on_while_it_counts(torch):
    for workload, alike in ((TINY, False), (TINY.comparable(), True)):
        rival = contestants.make(BEST_FORM, workload, "float64")
        losses = [rival.model.loss(rival.batch, 1.0, None).item() for _ in range(2)]
        assert (losses[0] == losses[1]) == alike
    clipped = contestants.make(BEST_FORM, replace(TINY, clip=1e-3), "float64")
    clipped.step()
    norm = sum(float((param.grad**2).sum()) for param in clipped.model.parameters()) ** 0.5
    assert norm == pytest.approx(1e-3, rel=1e-2)
    mine = contestants.make(contestants.OURS, replace(TINY, clip=1e-3), "float64")
    mine.step()
    norm = sum(float((grad**2).sum()) for grad in mine.gradients().values()) ** 0.5
    assert norm == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize(("form", "flushed"), [(FLUSHED, True), (BEST_FORM, False)])
def test_only_one_form_flushes_denormals(form, flushed, torch):
    contestants.make(form, TINY, "float32")
    assert ((torch.tensor([1e-39]) * 1.0).item() == 0) == flushed


@over_workloads
def test_the_profile_finds_every_part_and_puts_back_what_it_timed(name):
    clip = training.clip_by_global_norm
    found = profile.profile(find(name).tiny(), "float32", seconds=0)
    assert training.clip_by_global_norm is clip
    assert len(found) == 9 and min(found.values()) > 0
    whole = found.pop("whole step")
    assert sum(found.values()) == pytest.approx(whole)


# Decoding


@pytest.fixture
def outspoken(monkeypatch):
    """Models that know what they want to say, so that sentences differ, and some end."""

    def make_model(self, dtype, make=Workload.make_model):
        model = make(self, dtype)
        for name, param in model.params.items():
            param *= 20 if "embedding" in name else 3
        return model

    monkeypatch.setattr(Workload, "make_model", make_model)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("name", ["004", "bahdanau", "characters"])
def test_both_decode_the_same_words(name, width, torch, outspoken):
    workload = replace(find(name).tiny(), batch=16)
    assert decoding.difference(workload, width) < 1e-9
    decoder = decoding.OurDecoder(workload, "float64", width)
    decoder.step()
    lengths = {len(ids) for ids, _ in decoder.outputs()}
    assert len(lengths) > 1, "some end sooner than others"


def test_other_words_are_noticed(torch, outspoken, monkeypatch):
    from minis2s.bench.torch_decoding import TorchDecoder

    outputs = TorchDecoder.outputs
    monkeypatch.setattr(TorchDecoder, "outputs", lambda self: outputs(self)[::-1])
    with pytest.raises(ValueError, match=r"^sentence 0 is decoded as \[.*\] here and as \[.*\] by PyTorch"):
        decoding.difference(replace(find("bahdanau").tiny(), batch=16), 1)


# Processes


def test_a_race_from_end_to_end(torch):
    found = race.race([contestants.OURS, BEST_FORM], TINY, QUICK)
    assert list(found) == ["minis2s", "best form"]
    for one in found.values():
        assert len(one["seconds"]) == 2 and min(one["seconds"]) > 0
        assert isinstance(one["bytes"], int)
    found = race.race([contestants.OURS], TINY, QUICK, width=2)
    assert len(found["minis2s"]["seconds"]) == 2


def test_a_worker_answers_or_says_why_not():
    with Worker(threads=1) as worker:
        with pytest.raises(RuntimeError, match="failed at 'build': ValueError: contestant must be one of step loop"):
            worker.ask("build", contestant="nobody", workload=asdict(TINY), dtype="float32", width=None)
        with pytest.raises(RuntimeError, match="failed at 'nothing': AttributeError"):
            worker.ask("nothing")
        worker.ask("build", contestant="textbook", workload=asdict(find("004")), dtype="float32", width=None)
        assert worker.ask("memory")["bytes"] > 4 * 17_598_224, "its parameters at least"
        found = worker.ask("compare", names=["textbook"], workload=asdict(TINY), dtype="float64")
        assert found["textbook"] < 1e-9
        assert worker.ask("peak", library="numpy", dtype="float32", size=64)["flops"] > 0
        assert worker.ask("profile", workload=asdict(TINY), dtype="float32", seconds=0)["whole step"] > 0
        worker.process.kill()
        with pytest.raises(RuntimeError, match="ended at 'memory' with status -9"):
            worker.ask("memory")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only here a process's environment can be read")
def test_a_process_is_told_its_threads_before_it_starts():
    with Worker(threads=3) as worker:
        worker.ask("peak", library="numpy", dtype="float32", size=2)
        environment = Path(f"/proc/{worker.process.pid}/environ").read_bytes().split(b"\0")
    assert {b"OPENBLAS_NUM_THREADS=3", b"OMP_NUM_THREADS=3", b"MKL_NUM_THREADS=3"} <= set(environment)


def test_contestants_take_turns(monkeypatch):
    asked, blas = [], []

    class Fake(Worker):
        def __init__(self, threads):
            self.name = None
            blas.append(threads)

        def ask(self, do, **what):
            self.name = what.get("contestant", self.name)
            if do == "run":
                asked.append((self.name, what["steps"]))
            return {"seconds": 0.1 * what["steps"]} if do == "run" else {"bytes": 5}

        def __exit__(self, *_):
            asked.append("over")

    monkeypatch.setattr(race, "Worker", Fake)
    found = race.race(["A", "B"], TINY, Setting(rounds=3, slice=0.3))
    assert asked == [("A", 1), ("A", 1), ("B", 1), ("B", 1), *[("A", 3), ("B", 3)] * 3, "over", "over"]
    assert found["A"] == {"seconds": pytest.approx([0.1] * 3), "bytes": 5}
    blas.clear()
    race.race(["minis2s", "minis2s split in 4"], TINY, Setting(threads=4))
    assert blas == [4, 1], "a thread of BLAS for each of Python's"


# Reports, of timings that nobody took


def timed(*milliseconds, megabytes=100):
    return {"seconds": [each / 1e3 for each in milliseconds], "bytes": int(megabytes * 1e6)}


FOUND = {
    "minis2s": timed(700, 800, 900, megabytes=270),
    STEP_LOOP: timed(1400, 1600, 1800, megabytes=700),
    BEST_FORM: timed(875, 1000, 1000, megabytes=500),
    "minis2s split in 2": timed(700, 700, 700),
    "textbook": timed(4000, 4000, 4100),
}
FAKE = {
    "date": "2026-01-02",
    "machine": "a processor, 2 cores",
    "versions": {"minis2s": "0.1.0", "numpy": "2.4"},
    **Setting()._asdict(),
    "peak": {"numpy": 1e11, "torch": 2e11},
    "training": [
        {
            "name": "004",
            "flops": 8e10,
            "limits": {STEP_LOOP: [0.5], BEST_FORM: [1.0, 0.75, 0.65]},
            "memory_limits": {BEST_FORM: 0.5},
            "differences": {STEP_LOOP: 2e-6, BEST_FORM: 1e-6},
            "contestants": FOUND,
        }
    ],
}


def test_the_table_of_workloads():
    text = report.markdown(FAKE)
    assert text.startswith("a processor, 2 cores; 2 threads, float32; minis2s 0.1.0, numpy 2.4; 2026-01-02.\n")
    rows = [line for line in text.splitlines() if line.startswith("| 004")]
    assert rows == [
        "| 004 | step loop | 800 [750, 850] | 700 [700, 700] | 1,600 [1,500, 1,700] | 0.50 [0.50, 0.50] "
        "| 0.44 [0.41, 0.47] | ≤ 0.50 reached "
        "| 4,000 [4,000, 4,050] | 270 / 700 |  | 50% / 25% |",
        "| 004 | best form | 800 [750, 850] | 700 [700, 700] | 1,000 [938, 1,000] | 0.80 [0.80, 0.85] "
        "| 0.70 [0.70, 0.75] | ≤ 1.00 reached, ≤ 0.75 reached, ≤ 0.65 missed "
        "| 4,000 [4,000, 4,050] | 270 / 500 | 0.54: ≤ 0.50 missed | 50% / 40% |",
    ]
    assert "to 2e-06 of the largest entry" in text and "GFLOP/s: numpy 100, torch 200" in text


def test_the_table_without_pytorch():
    row = FAKE["training"][0] | {"differences": {}, "contestants": {"minis2s": FOUND["minis2s"]}}
    text = report.training({"peak": {"numpy": 1e11}, "training": [row]})
    assert "| 004 |  | 800 [750, 850] |  |  |  |  |  |  | 270 |  | 100% |" in text.splitlines()
    assert "No gradients were compared." in text


def test_the_table_of_the_ablation():
    found = {"textbook": timed(8, 8), "textbook with 1": timed(4, 4), "textbook with 2": timed(5, 5)}
    row = {"name": "004", "differences": {"textbook": 0.0}, "contestants": found | {"minis2s": timed(2, 2)}}
    rows = report.ablation({"ablation": [row]}).splitlines()[2:6]
    assert rows[0] == "| as a textbook writes it | 8 [8, 8] |  | 1.00 |"
    assert rows[1] == f"| {IN_WORDS['plain_scalars']} | 4 [4, 4] | 2.00 | 2.00 |"
    assert rows[2] == f"| {IN_WORDS['sigmoid_by_tanh']} | 5 [5, 5] | 0.80 | 1.60 |"
    assert rows[3] == "| minis2s | 2 [2, 2] | 2.50 | 4.00 |"


def scaling_rows():
    def row(varied, value, tokens, *found):
        return {"varied": varied, "value": value, "tokens": tokens, "contestants": dict(found)}

    def pair(time, memory):
        return ("minis2s", timed(time, megabytes=memory)), (BEST_FORM, timed(2 * time, megabytes=2 * memory))

    return [row("T", 50, 1000, *pair(10, 20)), row("T", 400, 8000, *pair(100, 150)), row("batch", 1, 25, *pair(1, 10))]


def test_the_table_of_scaling():
    text = report.scaling({"scaling": scaling_rows()})
    assert "| T | 400 | 12.5 | 150 | 25 | 300 |" in text.splitlines()
    assert text.endswith("at T 400 / at T 50: 1.25: ≤ 1.15 missed.")


def test_the_tables_of_decoding_and_of_the_profile():
    row = {"name": "004", "width": 5, "sentences": 64, "contestants": {"minis2s": timed(640), STEP_LOOP: timed(800)}}
    text = report.decoding({"decoding": [row]})
    assert "| 004 | beam 5 | 100 | 80 | 0.80 [0.80, 0.80] | ≤ 1.00 reached |" in text.splitlines()
    rows = [
        {"name": "000", "seconds": {"Adam": 0.001, "whole step": 0.004}},
        {"name": "004", "seconds": {"loss": 0.5, "whole step": 1.0}},
    ]
    assert report.profile({"profile": rows}).splitlines()[2:] == [
        "| Adam | 1 (25%) |  |",
        "| whole step | 4 (100%) | 1,000 (100%) |",
        "| loss |  | 500 (50%) |",
    ]


def test_the_figures_show_the_numbers(tmp_path):
    pytest.importorskip("matplotlib")
    figure = figures.ratios(FAKE["training"], tmp_path / "ratios.png")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["004, step loop", "004, best form"]
    assert len(ax.get_legend().get_texts()) == 3
    points = [line.get_xydata().tolist() for line in ax.lines]
    assert [[0.5, 0]] in points and [[pytest.approx(0.8), 1]] in points and [[0.75, 1]] in points
    assert [[pytest.approx(0.7), 1]] in points, "split"
    figure = figures.scaling(scaling_rows(), tmp_path / "scaling.png")
    mine, theirs = figure.axes[0].lines
    np.testing.assert_allclose(mine.get_xydata(), [[50, 10], [400, 100]])
    np.testing.assert_allclose(theirs.get_xydata(), [[50, 20], [400, 200]])
    assert all((tmp_path / name).stat().st_size > 1000 for name in ("ratios.png", "scaling.png"))


# The command


@pytest.fixture
def nothing_is_timed(monkeypatch):
    """Every process answers at once, with what nobody measured; the list of what was asked."""
    asked = []

    def fake_race(names, workload, setting, width=None):
        asked.append((workload.name, names, setting, width))
        return {name: timed(10, 20) for name in names}

    def fake_once(do, setting, **what):
        asked.append((do, what.get("names")))
        return {"flops": 1e9} if do == "peak" else {"log_p": 0.0} if do == "compare_decoding" else {}

    monkeypatch.setattr(measure, "race", fake_race)
    monkeypatch.setattr(measure, "once", fake_once)
    return asked


def test_the_command_writes_what_it_prints(nothing_is_timed, torch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path, figure = tmp_path / "bench.json", tmp_path / "bench.png"
    words = ["bench", "000", "004", "--threads", "1", "--rounds", "2", "--json", str(path), "--figure", str(figure)]
    assert cli.main(words) == 0
    printed = capsys.readouterr()
    result = json.loads(path.read_text(encoding="utf-8"))
    assert printed.out.rstrip("\n") == report.markdown(result)
    assert {"date", "machine", "versions", "threads", "rounds", "dtype", "peak", "training"} <= result.keys()
    assert {"python", "numpy", "PyTorch", "BLAS"} <= result["versions"].keys() and result["threads"] == 1
    assert [row["name"] for row in result["training"]] == ["000", "004"]
    assert list(result["training"][1]["contestants"]) == ["minis2s", STEP_LOOP, BEST_FORM, "textbook"]
    assert "000, ms: minis2s 15" in printed.err and figure.stat().st_size > 1000
    setting = Setting(1, 2, "float32")
    assert ("004", ["minis2s", STEP_LOOP, BEST_FORM, "textbook"], setting, None) in nothing_is_timed


def test_without_a_name_every_workload_is_measured(nothing_is_timed, torch):
    assert cli.main(["bench", "--dtype", "float64"]) == 0
    raced = [entry for entry in nothing_is_timed if len(entry) == 4]
    assert [name for name, *_ in raced] == list(WORKLOADS)
    assert {setting.dtype for *_, setting, _ in raced} == {"float64"}


def test_the_studies(nothing_is_timed, torch, capsys):
    assert cli.main(["bench", "decoding", "scaling", "ablation"]) == 0
    raced = [entry for entry in nothing_is_timed if len(entry) == 4]
    assert {(name, width) for name, _, _, width in raced if width} == {
        (name, width) for name in ("004", "bahdanau") for width in (1, 5)
    }
    assert {"T 10", "T 400", "batch 1", "batch 256"} <= {name for name, *_ in raced}
    names = next(names for name, names, *_ in raced if name == "lstm-T400")
    assert names == ["textbook", *(f"textbook with {n}" for n in range(1, 10)), "minis2s"]
    out = capsys.readouterr().out
    assert "sentences/s" in out and IN_WORDS["denormals_flushed"] in out and "at T 400" in out


def test_without_pytorch_our_own_columns_still_run(nothing_is_timed, without_torch, capsys):
    assert cli.main(["bench", "004", "decoding", "scaling"]) == 0
    assert capsys.readouterr().err.count('pip install "minis2s[torch]"') == 1
    raced = [entry for entry in nothing_is_timed if len(entry) == 4]
    assert raced[0][1] == ["minis2s", "textbook", "minis2s split in 2"]
    assert {tuple(names) for _, names, *_ in raced[1:]} == {("minis2s",)}
    with pytest.raises(ImportError, match=r'pip install "minis2s\[torch\]"'):
        contestants.make(BEST_FORM, TINY, "float32")
    with pytest.raises(ImportError, match=r'pip install "minis2s\[torch\]"'):
        decoding.make(STEP_LOOP, TINY, "float32", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["005"], "workload must be one of 004, 004-half-forced, .*, decoding; got '005'"),
        (["--threads", "0"], "threads must be a whole number above 0, got 0"),
        (["--rounds", "0"], "rounds must be a whole number above 0, got 0"),
        (["--dtype", "float16"], "dtype must be one of float32, float64; got 'float16'"),
        (["--profile", "scaling"], "--profile is of workloads, not of scaling"),
        (["--json", "no/such/folder.json"], "--json is no/such/folder.json, but there is no folder no/such"),
        (["scaling", "--figure", "a.txt"], "path must end in .png, .svg, .pdf, got 'a.txt'"),
        (["decoding", "--figure", "a.png"], "--figure shows the ratios of workloads, or scaling; neither is measured"),
    ],
)
def test_what_cannot_be_measured_gets_one_sentence(words, message, nothing_is_timed, torch, capsys):
    assert cli.main(["bench", *words]) == 2
    assert re.fullmatch(f"minis2s: {message}\n", capsys.readouterr().err)
    assert nothing_is_timed == []


def test_a_figure_of_ratios_needs_pytorch(nothing_is_timed, without_torch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert cli.main(["bench", "000", "--figure", str(tmp_path / "a.png")]) == 2
    assert 'pip install "minis2s[torch]"' in capsys.readouterr().err
    assert nothing_is_timed == []
