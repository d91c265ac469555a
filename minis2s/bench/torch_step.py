"""One training step of PyTorch's, from our weights, on our batch."""

import numpy as np
import torch

from .rivals import BestForm, Signals, StepLoop
from .same_numbers import gradients, load
from .workloads import AS_PUBLISHED, FLUSHED, LR, SEED, STEP_LOOP

CUDA = {"cpu": "cpu", "gpu": "cuda"}  # what PyTorch calls them


class TorchStep:
    """Forward, backward, clipping, Adam. The best forms take PyTorch's fused Adam, the others its default."""

    def __init__(self, workload, dtype, form, device="cpu"):
        torch.set_flush_denormal(form == FLUSHED)
        torch.backends.cudnn.allow_tf32 = False  # float32 is to have all its digits, as CuPy's and the CPU's has
        make = Signals if workload.over_vectors else StepLoop if form == STEP_LOOP else BestForm
        self.model = make(workload).to(CUDA[device], getattr(torch, dtype))
        load(self.model, workload.make_model(dtype).params)
        self.batch, self.workload, self.steps = tensors(workload, dtype, CUDA[device]), workload, 0
        self.params = list(self.model.parameters())
        self.optimiser = torch.optim.Adam(self.params, LR, fused=form not in (STEP_LOOP, AS_PUBLISHED))

    def step(self):
        self.optimiser.zero_grad()
        loss = self.model.loss(self.batch, self.workload.teacher_forcing, self.lots())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.params, self.workload.clip)
        self.optimiser.step()
        self.steps += 1
        return loss.detach()  # whose value on a GPU would have to be waited for

    def lots(self):
        """Whoever draws for teacher forcing: as Trainer does, so that the same steps are forced."""
        return np.random.default_rng([SEED, 1, self.steps])

    def gradients(self):
        return gradients(self.model)


def tensors(workload, dtype, device="cpu"):
    """The batch of the workload; document 000's batch first, as it has it. Lengths stay on the CPU."""

    def tensor(array):
        return torch.from_numpy(array).to(device)

    if workload.over_vectors:
        return tuple(tensor(array.swapaxes(0, 1).copy()) for array in workload.make_signals(dtype))
    source, lengths, y, targets, _ = workload.make_batch()
    return tensor(source), None if lengths is None else torch.from_numpy(lengths), tensor(y), tensor(targets)
