"""What the README shows is what happens."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

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
