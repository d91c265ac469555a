"""Decoding one batch, by minis2s and by PyTorch's step loop: the same weights, and the same words must come out.

A contestant here is made of a workload, a dtype and a beam width; 1 is greedy decoding. step() decodes the batch.
"""

from ..decoding import beam_search, greedy
from .contestants import NO_TORCH, OURS, has_torch
from .workloads import STEP_LOOP

MAX_LENGTH = 30


class OurDecoder:
    def __init__(self, workload, dtype, width):
        self.model, self.batch, self.width = workload.make_model(dtype), workload.make_batch(), width

    def step(self):
        batch = self.batch
        if self.width == 1:
            self.found = greedy(self.model, batch.source, batch.source_lengths, MAX_LENGTH)
        else:
            beams = beam_search(self.model, batch.source, batch.source_lengths, self.width, MAX_LENGTH)
            self.found = [best for (best,) in beams]

    def outputs(self):
        """(ids, log P) of every sentence"""
        return [(hypothesis.ids, hypothesis.score) for hypothesis in self.found]


def make(name, workload, dtype, width):
    """The decoder "minis2s" or "step loop"; ImportError for the latter without PyTorch."""
    if name == OURS:
        return OurDecoder(workload, dtype, width)
    if not has_torch():
        raise ImportError(NO_TORCH)
    from .torch_decoding import TorchDecoder

    return TorchDecoder(workload, dtype, width)


def difference(workload, width):
    """The largest difference of log P, in float64; ValueError where other words come out."""
    ours, theirs = (make(name, workload, "float64", width) for name in (OURS, STEP_LOOP))
    for side in (ours, theirs):
        side.step()
    pairs = list(zip(ours.outputs(), theirs.outputs(), strict=True))
    for b, ((mine, _), (other, _)) in enumerate(pairs):
        if mine != other:
            raise ValueError(f"sentence {b} is decoded as {mine} here and as {other} by PyTorch")
    return max(abs(mine - other) for (_, mine), (_, other) in pairs)
