"""One training step of minis2s: forward, backward, clipping, Adam, as its own training runs them."""

from .. import signals, training
from ..backend import to_device
from ..optim import Adam
from ..packed import Packed
from . import workloads


class Words:
    """The step of Trainer, on one batch again and again; threads: among how many it is split."""

    def __init__(self, workload, dtype, device="cpu", threads=1):
        self.model, self.batch = workload.make_model(dtype).to(device), workload.make_batch().to(device)
        options = {"clip": workload.clip, "teacher_forcing": workload.teacher_forcing, "seed": workloads.SEED}
        self.trainer = training.Trainer(self.model, Adam(workloads.LR), threads=threads, **options)

    def step(self):
        self.trainer.step(self.batch)

    def gradients(self):
        return to_device(self.model.grads, "cpu")

    def parts(self):
        """(what it does, whose, method) of everything that takes long"""
        model, trainer = self.model, self.trainer
        return [
            ("encoder forward", model, "encode"),
            ("decoder forward", model.decoder, "forward"),
            ("loss", trainer.loss, "overwrite"),
            ("decoder backward", model.decoder, "backward"),
            ("encoder backward", model.encoder, "backward"),
            ("clip", training, "clip_by_global_norm"),
            ("Adam", trainer.optimiser, "update"),
        ]


class Signals:
    """The step of document 000, over vectors."""

    def __init__(self, workload, dtype, device="cpu"):
        self.model, self.clip = workload.make_model(dtype).to(device), workload.clip
        self.source, self.y, self.targets = to_device(workload.make_signals(dtype), device)
        self.packed, self.optimiser = Packed(self.model), Adam(workloads.LR)

    def step(self):
        signals.step(self.model, self.packed, self.optimiser, self.source, self.y, self.targets, clip=self.clip)

    def gradients(self):
        return to_device(self.model.grads, "cpu")

    def parts(self):
        model = self.model
        return [
            ("encoder forward", model.encoder, "forward"),
            ("decoder forward", model.decoder, "forward"),
            ("decoder forward", model.output, "forward"),
            ("loss", signals.MeanSquaredError, "forward"),
            ("loss", signals.MeanSquaredError, "backward"),
            ("decoder backward", model.output, "backward"),
            ("decoder backward", model.decoder, "backward"),
            ("encoder backward", model.encoder, "backward"),
            ("clip", signals, "clip_by_global_norm"),
            ("Adam", self.optimiser, "update"),
        ]
