"""What this machine has, and what it lacks: one line a fact, and nothing that is missing or broken is an exception."""

import os
import platform
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from . import __version__, fonts
from .backend import expect_device
from .data.corpora import CORPORA
from .data.locate import find, places
from .machine import blas_threads, cores, processor

# The extras of pyproject.toml, with what each of them installs; CuPy, whose package depends on CUDA, has its own line.
EXTRAS = {
    "plot": "matplotlib",
    "progress": "tqdm",
    "data": "babel",
    "notebooks": "jupyterlab jupytext nbclient ipykernel matplotlib babel",
    "torch": "torch",
    "exchange": "safetensors",
    "test": "pytest fonttools matplotlib babel sacrebleu ruff import-linter safetensors jupytext",
}


def facts(directory=None):
    """What `minis2s doctor` prints, one (name, fact) after the other; `directory`: where corpora lie."""
    questions = {
        "Python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "minis2s": lambda: __version__,
        "NumPy": lambda: np.__version__,
        "BLAS": blas,
        "processor": lambda: f"{processor()}, {cores()} cores",
        "memory": lambda: gigabytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "CuPy": lambda: import_module("cupy").__version__,
        "CUDA": cuda,
        "GPU": gpu,
        "font": font,
        **{f"[{extra}]": partial(installed, extra) for extra in EXTRAS},
        "data directory": lambda: ", ".join(f"{p}{'' if p.is_dir() else ' (not there)'}" for p in places(directory)),
        **{f"  {name}": partial(lies, name, directory) for name in CORPORA},
    }
    for name, ask in questions.items():
        try:
            fact = ask()
        except ModuleNotFoundError as missing:
            fact = f"{missing.name} is not installed"
        except Exception as error:  # there is no telling in which way a machine is broken
            fact = f"not known: {error}"
        yield name, " ".join(str(fact).split())


def blas():
    """The BLAS that NumPy was built with, and how many threads it takes."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    try:
        from threadpoolctl import threadpool_info

        threads = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    except ImportError:
        threads = []
    threads = max(threads, default=blas_threads()) or "as many as cores"
    return f"{built['name']} {built['version']}, threads: {threads}"


def cuda():
    """Versions as CUDA counts them, 12090 for 12.9; the driver's is the newest that it can serve."""
    runtime = import_module("cupy").cuda.runtime
    found = runtime.runtimeGetVersion(), runtime.driverGetVersion()
    built, served = (f"{number // 1000}.{number % 1000 // 10}" if number else "none" for number in found)
    return f"runtime {built}, driver {served}"


def gpu():
    """Each GPU by name, with its memory; or what is missing."""
    try:
        expect_device("gpu")
    except RuntimeError as missing:
        return missing
    runtime = import_module("cupy").cuda.runtime
    found = map(runtime.getDeviceProperties, range(runtime.getDeviceCount()))
    return "; ".join(f"{each['name'].decode()}, {gigabytes(each['totalGlobalMem'])}" for each in found)


def font():
    """Whether figures can show Chinese."""
    if not fonts.FILE.is_file():
        return f"{fonts.FILE.name} is missing: minis2s is not installed as a whole"
    try:
        shown = fonts.drawable("中文") == "中文"
    except ImportError:
        return f"{fonts.FILE.name}; there is no matplotlib to draw with"
    return f"{fonts.FILE.name}, {'with' if shown else 'without'} Chinese characters"


def installed(extra):
    """The versions of an extra's packages; how to install those that are missing."""
    found, missing = [], []
    for package in EXTRAS[extra].split():
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    lacking = [f'without {" ".join(missing)}: pip install "minis2s[{extra}]"'] if missing else []
    return ", ".join(found + lacking)


def lies(name, directory=None):
    """Where the files of a corpus lie."""
    corpus = CORPORA[name]
    paths = [find(corpus, file, directory) for file in corpus.files]
    folders = sorted({str(path.parent) for path in paths if path is not None})
    missing = [file.name for file, path in zip(corpus.files, paths, strict=True) if path is None]
    if missing:
        lacking = f"without {' '.join(missing)}" if folders else "not found"
        folders.append(f"{lacking}: minis2s data fetch {name}")
    return ", ".join(folders)


def gigabytes(size):
    return f"{size / 1e9:.1f} GB"
