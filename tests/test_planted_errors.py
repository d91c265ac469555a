"""The laws catch every planted error and pass the healthy code: a law that nothing breaks proves nothing."""

import ast
import compileall
import importlib
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from py_compile import PycInvalidationMode

import laws
import numpy as np
import pytest
from planted import EQUATIONS, GRADIENTS, PLANTED

import minis2s
from minis2s.cases import CASES

PACKAGE = Path(minis2s.__file__).parent
COPY = "minis2s_with_a_planted_error"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A copy of the package under another name, made once -> its directory"""
    directory = tmp_path_factory.mktemp("planted") / COPY
    shutil.copytree(PACKAGE, directory, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    # Known by their hash: by time and size, a line changed within a second would not be compiled anew.
    compileall.compile_dir(directory, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    sys.path.insert(0, str(directory.parent))
    yield directory
    sys.path.remove(str(directory.parent))
    forget()


def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == COPY]:
        del sys.modules[name]


def load(key):
    """Import the copy afresh, whatever its files say now -> the cases of this key"""
    forget()
    return importlib.import_module(f"{COPY}.cases").cases(key)


@contextmanager
def planted(library, error):
    path = library / error.file
    source = path.read_text(encoding="utf-8")
    count = source.count(error.healthy)
    assert count == 1, f"stale row '{error}': {error.file} holds {error.healthy!r} {count} times, not once"
    path.write_text(source.replace(error.healthy, error.broken), encoding="utf-8")
    try:
        yield load(error.key)
    finally:
        path.write_text(source, encoding="utf-8")


def applies(law, case):
    return law not in laws.MASKS or laws.has_lengths(case)


def breaks(law, case):
    """Only an AssertionError is a verdict of the law: code that crashes by itself proves nothing about it."""
    try:
        law(case)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("error", PLANTED, ids=str)
def test_planted_error_is_caught(error, library):
    with planted(library, error) as cases, np.errstate(all="ignore"):
        assert any(breaks(error.law, case) for case in cases if applies(error.law, case))


@pytest.mark.parametrize("error", [error for error in PLANTED if error.law is EQUATIONS], ids=str)
def test_what_the_equations_catch_the_gradient_check_cannot(error, library):
    """Forward and backward agree, and both are wrong."""
    with planted(library, error) as cases:
        assert not any(breaks(GRADIENTS, case) for case in cases)


@pytest.mark.parametrize("key", dict.fromkeys(case.key for case in CASES))
def test_healthy_code_passes_every_law(key, library):
    for case in load(key):
        assert type(case.build()[0]).__module__.startswith(COPY)
        for law in laws.ALL + laws.MASKS:
            if applies(law, case):
                law(case)


def test_every_law_has_an_error_to_catch():
    assert {error.law for error in PLANTED} == set(laws.ALL + laws.MASKS)


def test_every_kind_of_layer_has_an_error_planted():
    assert {error.key for error in PLANTED} == {case.key for case in CASES}


def test_the_errors_differ():
    assert len({str(error) for error in PLANTED}) == len(PLANTED)
    assert all(error.healthy != error.broken for error in PLANTED)


def test_the_package_imports_itself_relatively():
    """Or the copy would use the healthy original."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            else:
                continue
            roots = [name.partition(".")[0] for name in names]
            assert PACKAGE.name not in roots, f"{path.name}:{node.lineno}"
