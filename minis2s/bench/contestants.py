"""Who takes part, by name, and whether their gradients are the same.

A contestant is made of a workload and a dtype; step() is one training step, gradients() those that it left.
"""

from importlib.util import find_spec

import numpy as np

from ..contracts import expect_choice
from . import ours, textbook
from .workloads import AS_PUBLISHED, BEST_FORM, FLUSHED, ON_GPU, OURS, SPLIT, STEP_LOOP

TEXTBOOK = "textbook"
RIVALS = (STEP_LOOP, AS_PUBLISHED, BEST_FORM, FLUSHED)
NO_TORCH = 'the columns of PyTorch need it: pip install "minis2s[torch]"'
NO_TORCH_ON_GPU = "the rows of PyTorch on the GPU, and the count of launches, need a PyTorch that sees the GPU"


def has_torch():
    return find_spec("torch") is not None


def torch_sees_gpu():
    if not has_torch():
        return False
    from torch.cuda import is_available

    return is_available()


def make(name, workload, dtype):
    """The contestant "minis2s", "minis2s split in N", "textbook", "textbook with N" of its ideas, or one of RIVALS.

    minis2s and the rivals also "… on GPU".
    Raises ImportError for a rival without PyTorch, RuntimeError for minis2s on a GPU that is not there.
    """
    name, device = name.removesuffix(ON_GPU), "gpu" if name.endswith(ON_GPU) else "cpu"
    if name == OURS:
        return (ours.Signals if workload.over_vectors else ours.Words)(workload, dtype, device)
    if name.startswith(SPLIT) and device == "cpu":
        return ours.Words(workload, dtype, threads=int(name.removeprefix(SPLIT)))
    if name.startswith(TEXTBOOK) and device == "cpu":
        count = int(name.removeprefix(TEXTBOOK).removeprefix(" with ") or 0)
        return textbook.Textbook(workload, dtype, textbook.first(count))
    expect_choice("contestant", name, RIVALS)
    if not has_torch():
        raise ImportError(NO_TORCH)
    from .torch_step import TorchStep

    return TorchStep(workload, dtype, name, device)


def differences(names, workload, dtype):
    """How far the gradients of contestants are from ours after one step -> name -> difference

    The largest of all entries, each relative to its array's largest; but where an array is less than a thousandth of
    the largest, rounding in the others reaches it, and a thousandth is what its entries are relative to.
    Where the decoder is fed its own guesses, all is in float64: rounding could turn a guess round, and with it
    whatever comes after.
    """
    workload = workload.comparable()
    if workload.teacher_forcing < 1:
        dtype = "float64"

    def gradients(name):
        contestant = make(name, workload, dtype)
        contestant.step()
        return contestant.gradients()

    mine, found = gradients(OURS), {}
    scales = {key: np.abs(grad).max() for key, grad in mine.items()}
    least = max(scales.values()) / 1000
    for name in names:
        theirs = gradients(name)
        if mine.keys() != theirs.keys():
            raise ValueError(f"{name} has other parameters: {', '.join(sorted(mine.keys() ^ theirs.keys()))}")
        found[name] = max(float(np.abs(mine[key] - theirs[key]).max() / max(scales[key], least)) for key in mine)
    return found
