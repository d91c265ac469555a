"""What a machine has and what it lacks: `minis2s doctor`, and `--device gpu` where there is none."""

import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_training import model_for

from minis2s import __version__, backend, cli, doctor
from minis2s.data.corpora import CORPORA
from minis2s.runs import evaluate


class CUDARuntimeError(RuntimeError):
    """As cupy.cuda.runtime has it."""


def cupy_with(devices=1, driver=True, toolkit=True):
    """A module cupy on a machine that has these; CUDA calls it an error if there is no device."""

    def count():
        if not driver:
            raise CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
        if devices is None:
            raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")
        return devices

    def version():
        if not toolkit:
            raise RuntimeError('Failure finding "libnvrtc.so.12"\n')
        return 12, 9

    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=count,
        getDeviceProperties=lambda device: {"name": b"NVIDIA H100", "totalGlobalMem": 85_000_000_000 + device},
        runtimeGetVersion=lambda: 12090,
        driverGetVersion=lambda: 13000 if driver else 0,
    )
    cuda = SimpleNamespace(runtime=runtime, nvrtc=SimpleNamespace(getVersion=version))
    return SimpleNamespace(cuda=cuda, __version__="14.2.0")


@pytest.fixture
def cupy_is(monkeypatch):
    """A function that puts a module in CuPy's place; None: not installed."""
    backend._cupy.cache_clear()
    yield lambda module: monkeypatch.setitem(sys.modules, "cupy", module)
    backend._cupy.cache_clear()


INSTALL = r'pip install "minis2s\[cuda12\]" or "minis2s\[cuda13\]", after your CUDA version'
MISSING = [
    (None, rf"device 'gpu' needs CuPy, which is not installed: {INSTALL}"),
    (cupy_with(driver=False), r"device 'gpu': CuPy is installed, but the CUDA driver does not answer \(cudaErrorI.*\)"),
    (cupy_with(devices=None), r"device 'gpu': CuPy and the CUDA driver are there, but no GPU is visible"),
    (cupy_with(devices=0), r"device 'gpu': CuPy and the CUDA driver are there, but no GPU is visible"),
    (cupy_with(toolkit=False), rf"device 'gpu': CuPy finds a GPU, but not the CUDA toolkit \(.*nvrtc.*\): {INSTALL}"),
]
over_what_is_missing = pytest.mark.parametrize(
    ("cupy", "sentence"), MISSING, ids=["CuPy", "driver", "device", "visible device", "toolkit"]
)


@over_what_is_missing
def test_without_a_gpu_one_sentence_says_what_is_missing_and_nothing_is_written(
    cupy, sentence, cupy_is, tmp_path, capsys
):
    cupy_is(cupy)
    for command in (["train", "dates", "--run", str(tmp_path / "run")], ["evaluate", str(tmp_path / "run")]):
        assert cli.main([*command, "--device", "gpu"]) == 2
        said = capsys.readouterr()
        assert re.fullmatch(f"minis2s: {sentence}\\n", said.err) and not said.out
    assert not (tmp_path / "run").exists()
    model = model_for()
    with pytest.raises(RuntimeError, match=f"^{sentence}$"):
        model.to("gpu")
    assert model.device == "cpu"


def test_a_device_that_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"^device must be one of cpu, gpu, got 'tpu'$"):
        evaluate(tmp_path, device="tpu")


def test_a_gpu_that_is_there_is_found_once(cupy_is):
    cupy = cupy_with()
    cupy_is(cupy)
    assert backend._cupy() is cupy
    cupy_is(None)
    assert backend._cupy() is cupy


# The doctor


def told(capsys, *arguments):
    """What `minis2s doctor` prints -> {name: fact}"""
    assert cli.main(["doctor", *arguments]) == 0
    return {line[:16].strip(): line[17:] for line in capsys.readouterr().out.splitlines()}


def test_the_doctor_s_facts(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nowhere"))
    folder = tmp_path / CORPORA["dlfs2"].folder
    folder.mkdir()
    for file in CORPORA["dlfs2"].files:
        (folder / file.name).touch()
    (tmp_path / "tasks_test_simple.txt").touch()
    facts = told(capsys, "--data", str(tmp_path))
    assert facts["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert facts["minis2s"] == __version__ and facts["NumPy"] == np.__version__
    assert re.fullmatch(r".+ \d[\d.]*, threads: (\d+|as many as cores)", facts["BLAS"])
    assert re.fullmatch(r".+, \d+ cores", facts["processor"])
    assert re.fullmatch(r"\d+\.\d GB", facts["memory"])
    assert facts["data directory"] == f"{tmp_path}, {tmp_path / 'nowhere' / 'minis2s'} (not there)"
    assert facts["dlfs2"] == str(folder)
    assert facts["tatoeba"] == "not found: minis2s data fetch tatoeba"
    assert re.fullmatch(rf"{tmp_path}, without .*tasks_train_simple\.txt.*: minis2s data fetch scan", facts["scan"])
    assert facts.keys() > {*(f"[{extra}]" for extra in doctor.EXTRAS), *CORPORA}


def test_threads_without_threadpoolctl(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert told(capsys)["BLAS"].endswith(", threads: 3")
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert told(capsys)["BLAS"].endswith(", threads: as many as cores")


@over_what_is_missing
def test_the_doctor_says_what_a_gpu_lacks(cupy, sentence, cupy_is, capsys):
    cupy_is(cupy)
    facts = told(capsys)
    assert re.fullmatch(sentence, facts["GPU"])
    assert facts["CuPy"] == ("cupy is not installed" if cupy is None else "14.2.0")
    driver = "none" if cupy is MISSING[1][0] else "13.0"
    assert facts["CUDA"] == ("cupy is not installed" if cupy is None else f"runtime 12.9, driver {driver}")


def test_the_doctor_names_the_gpus(cupy_is, capsys):
    cupy_is(cupy_with(devices=2))
    assert told(capsys)["GPU"] == "NVIDIA H100, 85.0 GB; NVIDIA H100, 85.0 GB"


def test_fonts(capsys, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    assert told(capsys)["font"] == "minis2s-sans-sc.otf, with Chinese characters"
    monkeypatch.setattr(doctor.fonts, "drawable", lambda text: "U+4E2D")
    assert told(capsys)["font"].endswith("without Chinese characters")
    monkeypatch.setattr(doctor.fonts, "FILE", tmp_path / "font.otf")
    assert told(capsys)["font"] == "font.otf is missing: minis2s is not installed as a whole"


def test_extras_that_are_missing(capsys, monkeypatch):
    def version(package):
        if package in ("tqdm", "jupyterlab", "nbclient"):
            raise doctor.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    facts = told(capsys)
    assert facts["[plot]"] == "matplotlib 1.0"
    assert facts["[progress]"] == 'without tqdm: pip install "minis2s[progress]"'
    assert facts["[notebooks]"].endswith(', babel 1.0, without jupyterlab nbclient: pip install "minis2s[notebooks]"')


def test_the_extras_are_those_of_the_package():
    text = Path(__file__).parent.with_name("pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    named = {extra: " ".join(re.match(r"[\w-]+", wanted)[0] for wanted in extras[extra]) for extra in extras}
    assert named.pop("cuda12") == "cupy-cuda12x" and named.pop("cuda13") == "cupy-cuda13x"
    assert named == doctor.EXTRAS


def test_whatever_is_broken_is_one_line_and_no_exception(capsys, monkeypatch):
    def broken(*arguments, **options):
        raise OSError("out\nof order")

    for module, name in ((doctor, "processor"), (doctor, "find"), (doctor.np, "show_config"), (doctor, "version")):
        monkeypatch.setattr(module, name, broken)
    monkeypatch.setattr(doctor.fonts, "drawable", broken)
    facts = told(capsys)
    for name in ("BLAS", "processor", "font", "[plot]", "[test]", "tatoeba"):
        assert facts[name] == "not known: out of order"
    assert facts["NumPy"] == np.__version__
