"""A run's folder: what was asked, how it went, and all that is needed to go on after a stop at any moment.

    experiment.json        the tables of the experiment, the seed, versions
    checkpoint.npz         parameters, best parameters, optimiser, position; checkpoint.previous.npz the one before
    log.jsonl              a line an epoch
    model.npz              the best model, as `minis2s predict` and `evaluate` read it
    results.json           scores on the test split, when it is finished
    samples.txt            translations of test sentences beside their references
    learning_curve.png, attention.png

Every file is written whole or not at all.
"""

import json
import platform
import time
from datetime import date
from pathlib import Path

import numpy as np

from . import __version__, checkpoint
from .atomic import write_atomically
from .experiment import Experiment

SAVE_EVERY = 60.0  # seconds


class Run:
    """The folder of one run of an experiment with a seed."""

    def __init__(self, folder, experiment, seed):
        self.folder, self.experiment, self.seed = Path(folder), experiment, seed

    @classmethod
    def at(cls, folder):
        """The run whose folder this is; FileNotFoundError or ValueError where it is none."""
        path = Path(folder) / "experiment.json"
        if not path.is_file():
            raise FileNotFoundError(f"{folder} is not the folder of a run: it has no experiment.json")
        try:
            asked = json.loads(path.read_text(encoding="utf-8"))
            return cls(folder, Experiment(**asked["experiment"]), asked["seed"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error})") from error

    def path(self, name):
        return self.folder / name

    def begin(self):
        """Make the folder; ValueError that names what differs if it holds a run of something else."""
        asked = {"experiment": self.experiment._asdict(), "seed": self.seed}
        if self.path("experiment.json").is_file():
            kept = Run.at(self.folder)
            checkpoint.expect_same(
                self.path("experiment.json"), {"experiment": kept.experiment._asdict(), "seed": kept.seed}, asked
            )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        made = {"date": date.today().isoformat(), "minis2s": __version__, "numpy": np.__version__}
        self.write_json("experiment.json", asked | made | {"python": platform.python_version()})

    def resume(self, trainer):
        """Put `trainer` where the last checkpoint stands, if there is one -> whether there was.

        Raises ValueError for a damaged checkpoint, and says where the one before it is kept.
        """
        path, previous = self.path("checkpoint.npz"), self.path("checkpoint.previous.npz")
        if not path.is_file() and not previous.is_file():
            return False
        try:
            trainer.restore(*checkpoint.load(path if path.is_file() else previous))
        except ValueError as error:
            kept = f"; the one before it is kept: remove {path.name} to go on from {previous.name}"
            raise ValueError(f"{error}{kept if path.is_file() and previous.is_file() else ''}") from error
        return True

    def saver(self, trainer, every=SAVE_EVERY):
        """A function to call after every step, which saves a checkpoint when `every` seconds have passed."""
        last = time.monotonic()

        def after_step():
            nonlocal last
            if time.monotonic() - last >= every:
                self.save(trainer)
                last = time.monotonic()

        return after_step

    def save(self, trainer):
        """Write a checkpoint and the log; the checkpoint before this one is kept until the next."""
        path = self.path("checkpoint.npz")
        unproven = self.path("checkpoint.next.npz")
        checkpoint.save(unproven, *trainer.state())
        if path.is_file():
            path.replace(self.path("checkpoint.previous.npz"))
        unproven.replace(path)
        lines = "".join(json.dumps(entry) + "\n" for entry in trainer.at.log)
        write_atomically(self.path("log.jsonl"), lambda file: file.write(lines.encode()))

    def write_json(self, name, value):
        text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
        write_atomically(self.path(name), lambda file: file.write(text.encode()))

    def results(self):
        """The scores of a finished run, or None."""
        path = self.path("results.json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
