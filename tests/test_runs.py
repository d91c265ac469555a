"""A run can be stopped at any moment: it goes on, and ends with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minis2s import checkpoint, cli, experiment
from minis2s.atomic import unfinished
from minis2s.data.batches import Example
from minis2s.demo import demo
from minis2s.models import Seq2Seq, Seq2SeqConfig
from minis2s.optim import SGD, Adam
from minis2s.runs import FILES, Run, evaluate, train
from minis2s.standing import restore, state_of
from minis2s.training import Trainer

pytest.importorskip("babel", reason="the runs here are of dates, which need the extra `data`")

TOML = """
[task]
name = "dates"
source_tokens = "characters"
target_tokens = "characters"
train = 300
valid = 20
test = 30

[model]
cell = "gru"
embedding_size = 8
hidden_size = 12
dropout = 0.2

[training]
lr = 1e-2
batch_size = 16
epochs = 3
teacher_forcing = [1.0, 0.5, 40]
schedule = ["warmup", 10]

[evaluation]
metrics = ["exact_match", "bleu", "chrf"]
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("toml") / "small.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    """A run that was never stopped."""
    return train(experiment.read(small), tmp_path_factory.mktemp("runs") / "whole", report=lambda line: None)


def assert_same_end(run, other):
    for name in ("checkpoint.npz", "model.npz"):
        arrays, description = checkpoint.load(run.path(name))
        others, other_description = checkpoint.load(other.path(name))
        assert arrays.keys() == others.keys()
        assert all(np.array_equal(arrays[key], others[key]) for key in arrays), name
        assert description.get("steps") == other_description.get("steps")
    logs = [[json.loads(line) for line in r.path("log.jsonl").read_text().splitlines()] for r in (run, other)]
    for a, b in zip(*logs, strict=True):
        assert {**a, "seconds": 0, "cpu_seconds": 0} == {**b, "seconds": 0, "cpu_seconds": 0}
    assert run.results()["scores"] == other.results()["scores"]


def test_a_run_leaves_all_that_it_should(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {"experiment.json", "checkpoint.npz", "log.jsonl", "model.npz", "results.json", "samples.txt"} <= names
    assert len(finished.path("log.jsonl").read_text().splitlines()) == 3
    scores = finished.results()["scores"]
    assert scores.keys() == {"loss", "exact_match", "bleu", "chrf"} and 0 < scores["loss"] < 5
    assert finished.path("samples.txt").read_text(encoding="utf-8").count("(reference)") == 20


def test_evaluate_says_the_same_again(finished):
    assert evaluate(finished.folder) == finished.results()["scores"]


def test_evaluate_takes_another_width_and_split(finished, capsys):
    assert cli.main(["evaluate", str(finished.folder), "--split", "valid", "--beam", "2"]) == 0
    assert capsys.readouterr().out.startswith("loss ")
    with pytest.raises(ValueError, match="split must be one of train, valid, test; got 'longer'"):
        evaluate(finished.folder, "longer")


def test_the_record_says_all_that_a_table_or_a_figure_needs(finished):
    record = finished.results()
    assert record["experiment"] == finished.experiment._asdict() and record["seed"] == 0
    assert record["made"].keys() == {"date", "machine", "minis2s", "numpy", "python"}
    assert [entry["epoch"] for entry in record["log"]] == [1, 2, 3]
    assert sum(group["pairs"] for group in record["by_length"]) == record["pairs"]["test"] == 30
    share = sum(group["scores"]["exact_match"] * group["pairs"] for group in record["by_length"]) / 30
    assert share == pytest.approx(record["scores"]["exact_match"])


def test_predict_reads_texts_and_standard_input(finished, capsys, monkeypatch):
    assert cli.main(["predict", str(finished.folder), "May 1, 2000"]) == 0
    from_argument = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", iter(["May 1, 2000\n"]))
    assert cli.main(["predict", str(finished.folder), "--beam", "2"]) == 0
    assert len(from_argument.splitlines()) == len(capsys.readouterr().out.splitlines()) == 1


class Stopped(Exception):
    pass


def stop_after(step, small, folder, monkeypatch):
    """Train until `step` is done, saving after every step, and stop there as a crash would."""

    def saver(self, trainer, every):
        def after_step():
            self.save(trainer)
            if trainer.steps == step:
                raise Stopped

        return after_step

    with monkeypatch.context() as patch:
        patch.setattr(Run, "saver", saver)
        with pytest.raises(Stopped):
            train(experiment.read(small), folder, report=lambda line: None)


@pytest.mark.parametrize("stop_at", [1, 7, 19, 20, 38, 56])
def test_a_run_stopped_after_any_step_ends_with_the_same_bits(small, finished, tmp_path, stop_at, monkeypatch):
    """19 steps an epoch: stopped at the start, within, at the end of an epoch and just before the last step."""
    stop_after(stop_at, small, tmp_path / "run", monkeypatch)
    lines = []
    again = train(experiment.read(small), tmp_path / "run", report=lines.append)
    assert f"going on after step {stop_at}, " in lines[1]
    assert_same_end(again, finished)


def test_a_run_killed_at_random_moments_ends_with_the_same_bits(small, finished, tmp_path):
    """SIGKILL, again and again, in the middle of anything, saving included."""
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "minis2s", "train", str(small), "--run", str(folder), "--save-every", "0"]
    chance = random.Random(0)
    kills = 0
    while kills < 8:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_checkpoints(folder / "checkpoint.npz", process, chance.randint(1, 5))
        time.sleep(chance.uniform(0, 0.03))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True, capture_output=True)
    assert kills >= 5
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert_same_end(Run.at(folder), finished)


def wait_for_checkpoints(path, process, count):
    """Until `count` checkpoints have been written, or the process has ended."""
    last = None
    while count > 0 and process.poll() is None:
        written = path.stat().st_mtime_ns if path.is_file() else None
        if written != last:
            count, last = count - 1, written
        time.sleep(0.001)


def test_a_damaged_checkpoint_is_refused_and_the_one_before_is_kept(small, finished, tmp_path, monkeypatch):
    stop_after(5, small, tmp_path / "run", monkeypatch)
    path = tmp_path / "run" / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:1000])
    refused = r"checkpoint\.npz is damaged .* remove checkpoint\.npz to go on from checkpoint\.prev"
    with pytest.raises(ValueError, match=refused):
        train(experiment.read(small), tmp_path / "run", report=lambda line: None)
    path.unlink()
    lines = []
    again = train(experiment.read(small), tmp_path / "run", report=lines.append)
    assert "going on after step 4, " in lines[1]
    assert_same_end(again, finished)


def test_another_experiment_in_the_same_folder_is_refused(small, finished):
    changed = experiment.read(small)._replace(model={"cell": "lstm", "hidden_size": 12, "embedding_size": 8})
    with pytest.raises(ValueError, match=r"experiment\.model\.cell is 'gru' in the file, 'lstm' here"):
        train(changed, finished.folder)


def test_a_finished_run_is_left_alone(small, finished):
    before = {path.name: path.stat().st_mtime_ns for path in finished.folder.iterdir()}
    lines = []
    train(experiment.read(small), finished.folder, report=lines.append)
    assert "finished run" in lines[0]
    assert before == {path.name: path.stat().st_mtime_ns for path in finished.folder.iterdir()}


def test_no_run_no_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        Run.at(tmp_path)
    (tmp_path / "experiment.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        Run.at(tmp_path)


def test_checkpoints_are_saved_by_the_clock(finished, tmp_path):
    saved = []
    run = Run(tmp_path, finished.experiment, 0)
    run.save = saved.append
    after_step = run.saver("trainer", every=0.05)
    after_step()
    time.sleep(0.06)
    after_step()
    after_step()
    assert saved == ["trainer"]


# What a stopped run leaves


def test_unfinished_files_of_dead_processes_are_removed_and_nothing_else(small, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    run = Run(tmp_path, experiment.read(small), 0)
    run.begin()
    names = (".hidden", f".notes.{dead.pid}", f".model.npz.{living.pid}", ".model.npz.backup", f".log.jsonl.{dead.pid}")
    for name in names:
        run.path(name).write_text("mine", encoding="utf-8")
    run.path(f".results.json.{dead.pid}").mkdir()
    assert [path.name for path in unfinished(run.path("log.jsonl"))] == [f".log.jsonl.{dead.pid}"]
    run.path(f".model.npz.{os.getpid()}").write_text("an earlier process of this number", encoding="utf-8")
    run.begin()
    living.communicate(b"\n")
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"experiment.json", *names[:4], f".results.json.{dead.pid}"}


def test_a_fresh_run_removes_the_files_of_the_one_before_and_no_others(small, finished, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("of another run", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    run = train(experiment.read(small), folder, report=lambda line: None, fresh=True)
    assert_same_end(run, finished)
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert {path.name for path in finished.folder.iterdir()} <= set(FILES)


def test_a_fresh_run_that_cannot_be_prepared_removes_nothing(small, tmp_path):
    (tmp_path / "model.npz").write_text("kept", encoding="utf-8")
    wrong = experiment.read(small)._replace(training={"lr": 0, "epochs": 1})
    with pytest.raises(ValueError, match=r"^\[training\] lr"):
        train(wrong, tmp_path, fresh=True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.npz"]


def test_of_two_lists_the_first_entry_that_differs_is_named():
    found, wanted = {"a": {"x": [1, 2, 3], "y": []}, "n": None}, {"a": {"x": [1, 5, 4], "y": ["new"]}, "n": [1, 2]}
    with pytest.raises(ValueError) as refused:
        checkpoint.expect_same("file", found, wanted)
    assert str(refused.value).endswith(
        ": a.x[1] is 2 in the file, 5 here; a.y[0] is missing in the file, 'new' here; "
        "n is None in the file, 2 entries here"
    )


def test_fields_of_one_name_in_two_tables_are_told_apart():
    """task.name once hid the experiment's own name."""
    checkpoint.expect_same("file", {"name": "a", "task": {"name": "b"}}, {"name": "a", "task": {"name": "b"}})
    with pytest.raises(ValueError, match=r": name is 'a' in the file, 'c' here$"):
        checkpoint.expect_same("file", {"name": "a", "task": {"name": "b"}}, {"name": "c", "task": {"name": "b"}})


# The state of a trainer

EXAMPLES = [Example([4, 5, 6], [6, 5, 4]), Example([5], [5]), Example([6, 4], [4, 6])]


def trainer(optimiser=None, hidden_size=5, seed=0):
    model = Seq2Seq(Seq2SeqConfig(7, 7, 4, hidden_size), np.random.default_rng(3))
    return Trainer(model, Adam(1e-2) if optimiser is None else optimiser, batch_size=2, seed=seed)


def trained(**options):
    it = trainer(**options)
    it.fit(EXAMPLES, EXAMPLES, epochs=2, report=lambda line: None)
    return it


def content(state):
    arrays, description = state
    return {name: array.tobytes() for name, array in arrays.items()}, json.dumps(description)


def test_later_steps_do_not_change_a_state():
    it = trained()
    state = state_of(it)
    before = content(state)
    it.fit(EXAMPLES, EXAMPLES, epochs=4, report=lambda line: None)
    assert content(state) == before != content(state_of(it))


def test_two_trainers_restored_from_one_state_go_the_same_way_and_leave_it_alone():
    state = state_of(trained())
    before, ends = content(state), []
    for _ in range(2):
        it = trainer()
        restore(it, *state)
        assert content(state_of(it)) == before
        it.train_epoch(EXAMPLES)
        ends.append(content(state_of(it)))
    assert ends[0] == ends[1] and content(state) == before


def without(arrays, start):
    return {name: array for name, array in arrays.items() if not name.startswith(start)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, d: (a | {"worst/b": a["params/decoder.output.b"]}, d), "params, best, optimiser; got 'worst'"),
        (lambda a, d: (a, {"steps": 4, "seed": 0}), "the state does not say standing"),
        (lambda a, d: (a, d | {"standing": {"epoch": 1}}), "standing must hold epoch, batch, .*; got epoch$"),
        (lambda a, d: (a, d | {"steps": -1}), "steps must be a whole number from 0 upwards, got -1"),
        (lambda a, d: (a, d | {"seed": 1}), "the state has seed 1, this run 0"),
        (lambda a, d: state_of(trained(optimiser=SGD(0.1))), "optimiser keeps m of each parameter, this one m, v"),
        (lambda a, d: (without(a, "optimiser"), d), "optimiser keeps nothing of each parameter, this one m, v"),
        (lambda a, d: state_of(trained(hidden_size=6)), r"params\['encoder\..*'\] has shape"),
        (lambda a, d: (without(a, "params/decoder.output.b"), d), r"params lack decoder\.output\.b$"),
        (lambda a, d: (without(a, "best/decoder.output.b"), d), r"best lack decoder\.output\.b$"),
        (lambda a, d: (without(a, "optimiser/decoder.output.b/v"), d), r"optimiser lack decoder\.output\.b/v$"),
        (lambda a, d: (a | {"optimiser/decoder.output.b/v": np.ones(7)}, d), "has dtype float64, expected float32"),
        (lambda a, d: (a | {"optimiser/no/m": np.ones(7)}, d), "hold no/m, which this optimiser does not have"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(change, message):
    state = state_of(trained())
    it = trainer()
    it.train_epoch(EXAMPLES)
    before = content(state_of(it))
    with pytest.raises(ValueError, match=message):
        restore(it, *change(*state))
    assert content(state_of(it)) == before


def test_seeds_of_numpy_are_seeds(small, tmp_path):
    (arrays, description), (same, _) = (content(state_of(trained(seed=seed))) for seed in (np.int64(2), 2))
    assert arrays == same and json.loads(description)["seed"] == 2
    run = Run(tmp_path, experiment.read(small), np.int32(2))
    run.begin()
    assert Run.at(tmp_path).seed == 2 and run.exists()


# From end to end


def test_a_run_of_the_reader_s_own_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[task]\nname="dates"\nsource_tokens="characters"\ntarget_tokens="characters"\ntrain=64\nvalid=8\ntest=8\n'
        "[model]\nembedding_size=4\nhidden_size=6\n[training]\nlr=1e-2\nepochs=1\n",
        encoding="utf-8",
    )
    lines = []
    results = train(experiment.read(path), tmp_path / "run", report=lines.append).results()
    assert results["pairs"]["test"] == 8 and results["epochs"] == 1 and results["scores"]["loss"] > 0
    assert "64 pairs" in lines[0]


@pytest.mark.parametrize("matplotlib", [True, False], ids=["with matplotlib", "without"])
def test_the_demo_is_a_run_like_any_other(small, finished, tmp_path, monkeypatch, capsys, matplotlib):
    if matplotlib:
        pytest.importorskip("matplotlib")
    else:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(experiment, "read", lambda name, read=experiment.read: read(small))
    figure = tmp_path / "figures" / "attention.png"
    for _ in range(2):  # the second time anew, though the first is finished
        assert demo(folder=tmp_path / "demo", figure=figure) == finished.results()["scores"]
    out = capsys.readouterr().out
    assert out.count("exact match on 30 held-out dates") == 2 and out.count("right") + out.count("WRONG") == 24
    assert out.count('figures need matplotlib: pip install "minis2s[plot]"') == (0 if matplotlib else 2)
    assert figure.is_file() == matplotlib
    assert_same_end(Run.at(tmp_path / "demo"), finished)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dates_reach_99_per_cent(seed, tmp_path):
    """The main job, from three seeds, on 1,500 held-out dates."""
    results = train(experiment.read("dates"), tmp_path / "run", seed).results()
    assert results["pairs"]["test"] >= 1000
    assert results["scores"]["exact_match"] >= 0.99


def test_a_run_on_two_threads_learns_as_on_one(small, finished, tmp_path):
    run = train(experiment.read(small), tmp_path / "run", report=lambda line: None, threads=2)
    assert (run.results()["threads"], finished.results()["threads"]) == (2, 1)
    for entry, expected in zip(run.results()["log"], finished.results()["log"], strict=True):
        assert entry["loss"] == pytest.approx(expected["loss"], rel=0.02)
