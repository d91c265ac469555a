"""What the README shows is what happens."""

import re
import shlex
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from minis2s import cli, experiment

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_gradient_check_prints_what_the_readme_says():
    code, output = re.search(r"```python\n(import numpy.*?)```\n\n```\n(.*?)```", README, re.DOTALL).groups()
    printed = StringIO()
    with redirect_stdout(printed):
        exec(code, {})
    assert printed.getvalue() == output


def test_the_lstm_that_the_readme_quotes_is_the_library_s():
    quoted = re.search(r"```python\n(i = sigmoid.*?)```", README, re.DOTALL).group(1)
    source = (ROOT / "minis2s/nn/lstm.py").read_text(encoding="utf-8")
    for line in quoted.splitlines():
        assert re.sub(r"\s+", "", line) in re.sub(r"\s+", "", source), line


def test_what_the_readme_names_exists():
    named = re.findall(r"`(minis2s/[\w/.]+|tests/[\w/.]*|figures/[\w.]+)`", README)
    assert len(named) > 5
    for path in named:
        assert (ROOT / path).exists(), path


BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = re.split("\n|&&", "".join(BLOCK.findall(README))) + re.findall("`([^`]+)`", BLOCK.sub("", README))
COMMANDS = [" ".join(line.split()) for line in SHOWN if line.split()[:1] == ["minis2s"]]


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_the_command_line_understands_what_the_readme_shows(command, monkeypatch):
    """Every word of it arrives, where it would have been run."""
    words = shlex.split(command, comments=True)[1:]
    arrived = []
    for name in vars(cli).copy():
        if name.startswith("run_"):
            monkeypatch.setattr(cli, name, arrived.append)
    assert cli.main(words) == 0
    (options,) = arrived
    values = [value if isinstance(value, list) else [str(value)] for value in vars(options).values()]
    assert {word for word in words if not word.startswith("--")} <= set().union(*values)
    if options.command == "train":
        assert options.experiment in experiment.names()


def test_the_readme_shows_commands():
    assert {"demo", "translate", "train", "evaluate", "predict", "results"} <= {line.split()[1] for line in COMMANDS}
