"""What `minis2s bench` does with its words."""

import json
from pathlib import Path

from .. import plots
from ..atomic import write_atomically
from ..backend import expect_device
from ..contracts import expect_choice, expect_positive
from ..layer import DTYPES
from . import figures, measure, report
from .contestants import NO_TORCH, has_torch
from .workloads import WORKLOADS

STUDIES = {"ablation": measure.ablation, "scaling": measure.scaling, "decoding": measure.decoding}


def bench(names, setting, profile=False, json_path=None, figure_path=None, device="cpu"):
    """Measure workloads, or the studies "ablation", "scaling" and "decoding", by name -> the result, a dict

    No name: all workloads. profile=True measures only where the time of our step goes. json_path, figure_path: files
    to write; the figure shows the ratios of the workloads, or else the scaling. device "gpu": workloads on CPU and GPU.
    Raises, before anything is measured, ValueError for unknown names and numbers that cannot be, FileNotFoundError
    where a folder is missing, ImportError where a figure needs PyTorch or matplotlib, RuntimeError where a GPU is.
    """
    for name in names:
        expect_choice("workload", name, [*WORKLOADS, *STUDIES])
    expect_positive(threads=setting.threads, rounds=setting.rounds)
    expect_choice("dtype", setting.dtype, DTYPES)
    workloads = [name for name in names if name in WORKLOADS] if names else list(WORKLOADS)
    studies = [name for name in names if name in STUDIES]
    if profile and studies:
        raise ValueError(f"--profile is of workloads, not of {', '.join(studies)}")
    if device == "gpu" and (studies or profile or figure_path is not None):
        raise ValueError("--device gpu is of workloads and their table alone, without studies, --profile and --figure")
    expect_device(device)
    draw = None if figure_path is None else drawing(figure_path, [] if profile else workloads, studies)
    if json_path is not None and not Path(json_path).parent.is_dir():
        raise FileNotFoundError(f"--json is {json_path}, but there is no folder {Path(json_path).parent}")

    result = measure.circumstances(setting, device)
    if device == "gpu":
        result["gpu"] = measure.gpu(workloads, setting)
    elif profile:
        result["profile"] = measure.profiles(workloads, setting)
    elif workloads:
        result["peak"] = measure.peaks(setting)
        result["training"] = measure.training(workloads, setting)
    for name in studies:
        result[name] = STUDIES[name](setting)
    print(report.markdown(result))
    if json_path is not None:
        text = json.dumps(result, indent=1, ensure_ascii=False)
        write_atomically(Path(json_path), lambda file: file.write(text.encode()))
    if draw is not None:
        draw(result)
    return result


def drawing(path, workloads, studies):
    """What draws the figure of a result into the file, once it is known that it can."""
    plots.require_matplotlib()
    plots.checked(path)
    if workloads:
        if not has_torch():
            raise ImportError(NO_TORCH)
        return lambda result: figures.ratios(result["training"], path)
    if "scaling" in studies:
        return lambda result: figures.scaling(result["scaling"], path)
    raise ValueError("--figure shows the ratios of workloads, or scaling; neither is measured")
