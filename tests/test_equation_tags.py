"""One line, one equation, one tag: `# (3.2)` stands once in the code, and is answered by `# (3.2)'`."""

import re
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "minis2s"
TAG = re.compile(r"\((\d+\.\d+)\)('?)")


def tags(path):
    """(tag, is a derivative) of every comment at the end of a line of code."""
    for line in path.read_text(encoding="utf-8").splitlines():
        code, mark, comment = line.partition("  # ")
        if mark and code.strip():
            yield from ((tag, bool(prime)) for tag, prime in TAG.findall(comment))


def found_in(*folders):
    files = [path for folder in folders for path in sorted((PACKAGE / folder).glob("*.py"))]
    return [(path, *tag) for path in files for tag in tags(path)]


FOUND = found_in("nn", "models")
DECODING = found_in("decoding")  # nothing there has a derivative


def test_every_equation_stands_once():
    counts = Counter(tag for _, tag, derivative in FOUND + DECODING if not derivative)
    assert len(counts) > 25
    assert [tag for tag, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("tag", sorted({tag for _, tag, derivative in FOUND if not derivative}))
def test_every_equation_has_its_derivative_in_the_same_file(tag):
    home = next(path for path, found, derivative in FOUND if found == tag and not derivative)
    assert (home, tag, True) in FOUND


def test_every_derivative_has_its_equation():
    forward = {tag for _, tag, derivative in FOUND if not derivative}
    assert {tag for _, tag, derivative in FOUND if derivative} <= forward


def test_decoding_has_its_equations_once_each_and_no_derivatives():
    found = [(tag, derivative) for _, tag, derivative in DECODING]
    assert sorted(found) == [(f"10.{n}", False) for n in range(1, 9)]


@pytest.mark.parametrize("tag", sorted({tag for _, tag, derivative in FOUND + DECODING if not derivative}))
def test_every_equation_is_written_out(tag):
    """The tag also stands beside the equation, in a docstring of the file that is its home."""
    home = next(path for path, found, derivative in FOUND + DECODING if found == tag and not derivative)
    text = home.read_text(encoding="utf-8")
    assert any(f"({tag})" in docstring for docstring in re.findall(r'"""(.*?)"""', text, re.DOTALL)), tag
