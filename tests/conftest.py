"""What all tests share: how runs end, and the table of differences from PyTorch."""

import os

import pytest

# minis2s is compared with PyTorch here, not raced: one thread each keeps the numbers and the time steady.
for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

differences = {}  # test -> the largest relative difference from PyTorch, by what was compared


def pytest_addoption(parser):
    parser.addoption(
        "--require-torch", action="store_true", help="fail where PyTorch is missing, instead of skipping"
    )


def pytest_configure(config):
    if config.option.require_torch:
        try:
            import torch  # noqa: F401
        except ImportError as error:
            raise pytest.UsageError(
                "--require-torch, but PyTorch cannot be imported: pip install 'minis2s[torch]'"
            ) from error


def pytest_collection_modifyitems(config, items):
    """Slow and gpu tests run only when asked for by their mark."""
    for mark in ("slow", "gpu"):
        if mark not in (config.option.markexpr or ""):
            skip = pytest.mark.skip(reason=f"run with -m {mark}")
            for item in items:
                if mark in item.keywords:
                    item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
    if differences:
        terminalreporter.section("largest relative differences from PyTorch, float64")
        kinds = ("outputs", "input gradients", "parameter gradients")
        terminalreporter.write_line(f"{'layer, option':<48}" + "".join(f"{kind:>21}" for kind in kinds))
        for name, found in differences.items():
            cells = "".join(f"{found[kind]:>21.1e}" if kind in found else f"{'-':>21}" for kind in kinds)
            terminalreporter.write_line(f"{name:<48}{cells}")
