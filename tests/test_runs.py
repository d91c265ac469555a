"""A run can be stopped at any moment: it goes on, and ends with the same bits."""

import json
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minis2s import checkpoint, cli, experiment
from minis2s.runs import Run, evaluate, table, train

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
        assert {**a, "seconds": 0} == {**b, "seconds": 0}
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


def test_the_table_has_a_row_for_the_run(finished):
    rows = table([finished.folder]).splitlines()
    assert len(rows) == 3 and rows[2].startswith("| small | 0 | loss ")


def test_predict_reads_texts_and_standard_input(finished, capsys, monkeypatch):
    assert cli.main(["predict", str(finished.folder), "May 1, 2000"]) == 0
    from_argument = capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", iter(["May 1, 2000\n"]))
    assert cli.main(["predict", str(finished.folder), "--beam", "2"]) == 0
    assert len(from_argument.splitlines()) == len(capsys.readouterr().out.splitlines()) == 1


class Stopped(Exception):
    pass


@pytest.mark.parametrize("stop_at", [1, 7, 19, 20, 38, 56])
def test_a_run_stopped_after_any_step_ends_with_the_same_bits(small, finished, tmp_path, stop_at, monkeypatch):
    """19 steps an epoch: stopped at the start, within, at the end of an epoch and just before the last step."""
    count = 0

    def saver(self, trainer, every):
        def after_step():
            nonlocal count
            count += 1
            self.save(trainer)
            if count == stop_at:
                raise Stopped

        return after_step

    with monkeypatch.context() as patch:
        patch.setattr(Run, "saver", saver)
        with pytest.raises(Stopped):
            train(experiment.read(small), tmp_path / "run", report=lambda line: None)
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
        wait_for_checkpoints(folder / "checkpoint.npz", process, chance.randint(1, 9))
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
    def saver(self, trainer, every):
        def after_step():
            self.save(trainer)
            if trainer.steps == 5:
                raise Stopped

        return after_step

    with monkeypatch.context() as patch:
        patch.setattr(Run, "saver", saver)
        with pytest.raises(Stopped):
            train(experiment.read(small), tmp_path / "run", report=lambda line: None)
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
    with pytest.raises(ValueError, match=r"cell is 'gru' in the file, 'lstm' here"):
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
