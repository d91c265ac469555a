"""The training loop: forward, backward, clip, step; after every epoch a look at held-out data.

A GPU works behind the loop's back, and to ask it for a number is to wait until it has caught up. So a step leaves its
loss and its norm where they are, and `Trainer.read` fetches them when they are wanted: for the progress bar now and
then, at the end of an epoch, before anything is saved.
"""

import math
import time
from typing import Any, NamedTuple

import numpy as np

from .backend import array_module, to_floats
from .contracts import expect_choice, expect_count, expect_fraction, expect_positive
from .data.batches import batches_by_length
from .data.vocabulary import PAD
from .evaluation import evaluate
from .machine import keep_freed_memory
from .nn import SoftmaxCrossEntropy
from .optim import Adam, clip_by_global_norm
from .packed import ALL
from .progress import progress
from .replicas import Replicas
from .standing import Standing

READ_EVERY = 0.5  # seconds; on the CPU, where nothing is waited for, after every step


class StepResult(NamedTuple):
    """loss: mean over the batch's real tokens; norm: of all gradients, before clipping. Floats, on a GPU arrays ()."""

    loss: Any
    norm: Any


class Trainer:
    """A model, an optimiser, and where the two stand.

    All chance comes from `seed` and the counts of epochs and steps, so a run can be repeated, and stopped and taken
    up again, to the last bit. clip: the largest global norm of the gradients; teacher_forcing: the share of steps fed
    with the target's own tokens, in training only, a number or a function of the step; schedule(step) scales the
    learning rate; threads: on how many a batch is worked on, each taking some of its sentences.
    """

    def __init__(
        self, model, optimiser=None, clip=1.0, teacher_forcing=1.0, schedule=None, batch_size=64, seed=0, threads=1
    ):
        expect_positive(batch_size=batch_size)
        expect_count(seed=seed)
        if not callable(teacher_forcing):
            expect_fraction("teacher_forcing", teacher_forcing)
        if not clip > 0:
            raise ValueError(f"clip must be above 0, got {clip}")
        keep_freed_memory()
        self.model, self.replicas = model, Replicas(model, threads)
        self.optimiser = Adam() if optimiser is None else optimiser
        self.loss = SoftmaxCrossEntropy(ignore_index=PAD)
        self.clip, self.teacher_forcing, self.schedule = clip, teacher_forcing, schedule
        self.batch_size, self.seed = int(batch_size), int(seed)  # JSON knows no integers of NumPy's
        self.lr = self.optimiser.lr
        self.at = Standing()
        self.unread = []  # (StepResult, tokens) of the epoch's steps that `at` does not count yet
        self.best_params = {}

    @property
    def steps(self):
        return self.optimiser.steps

    def step(self, batch):
        """One step on one batch -> StepResult.

        Raises ValueError for an id that the model has no word for, and FloatingPointError if loss or gradient is not
        finite. Such a step changes no parameter, on a GPU neither, though there it is `read` that raises.
        """
        batch = batch.for_model(self.model)
        forcing = self.teacher_forcing(self.steps) if callable(self.teacher_forcing) else self.teacher_forcing

        def one(model, packed, part):
            number, rows = part
            rng = np.random.default_rng([self.seed, 1, self.steps, *number])
            (logits, _), cache = model.forward(rows.source, rows.source_lengths, rows.y, forcing, rng)
            loss = self.loss.overwrite(logits, rows.targets, total=batch.tokens)
            packed.grads.fill(0)
            model.backward(logits, None, cache)  # which are dlogits now
            return loss

        threads = self.replicas.threads if self.model.device == "cpu" else 1
        parts = batch.split(threads) if threads > 1 else [((), batch)]
        loss = sum(self.replicas.run(one, parts))
        params, grads = {ALL: self.packed.params}, {ALL: self.packed.grads}
        norm = clip_by_global_norm(grads, self.clip)
        if self.schedule is not None:
            self.optimiser.lr = self.lr * self.schedule(self.steps)
        if self.model.device == "gpu":
            update_where_finite(loss, norm, self.optimiser, params, grads)
            return StepResult(loss, norm)
        result = StepResult(float(loss), float(norm))
        self.expect_finite(self.steps + 1, result)
        self.optimiser.update(params, grads)
        return result

    @property
    def packed(self):
        """All of the model's parameters in one array, and all gradients in another."""
        return self.replicas.packs[0]

    def expect_finite(self, step, result):
        """FloatingPointError unless the loss and the norm of that step, in floats, are finite."""
        if not (math.isfinite(result.loss) and math.isfinite(result.norm)):
            raise FloatingPointError(
                f"step {step}: the loss is {result.loss} and the gradient norm {result.norm}; "
                f"it changed no parameter (try a smaller learning rate than {self.lr})"
            )

    def read(self):
        """Count the epoch's steps since the last reading, waiting for the GPU -> the StepResult of the last, in floats

        Raises FloatingPointError for one that was not finite; from there on they are not counted.
        """
        unread, self.unread = self.unread, []
        numbers = to_floats([number for result, _ in unread for number in result])
        for n, (_, tokens) in enumerate(unread):
            result = StepResult(*numbers[2 * n : 2 * n + 2])
            self.expect_finite(self.steps - len(unread) + n + 1, result)
            self.at.batch += 1
            self.at.total += result.loss * tokens  # batches differ in tokens: weight by them
            self.at.tokens += tokens
        return result if unread else None

    def train_epoch(self, examples, deadline=None, after_step=None):
        """What is left of one pass over the examples, in an order of its own -> mean loss per token.

        Stops early at `deadline` (of time.monotonic); after_step() is called after every step.
        """
        rng = np.random.default_rng([self.seed, 0, self.at.epoch])
        batches = batches_by_length(examples, self.batch_size, rng)[self.at.batch :]
        every = 0.0 if self.model.device == "cpu" else READ_EVERY
        start = last = time.monotonic()
        before = self.at.tokens
        for batch, show in progress(batches, f"epoch {self.at.epoch + 1}"):
            self.unread.append((self.step(batch), batch.tokens))
            if time.monotonic() - last >= every:
                result, last = self.read(), time.monotonic()
                speed = (self.at.tokens - before) / (last - start)
                loss = self.at.total / self.at.tokens
                show(loss=f"{loss:.3f}", norm=f"{result.norm:.2f}", tokens_per_s=f"{speed:,.0f}")
            if after_step is not None:
                after_step()
            if deadline is not None and time.monotonic() > deadline:
                break
        self.read()
        loss = self.at.total / self.at.tokens
        self.at.epoch, self.at.batch, self.at.total, self.at.tokens = self.at.epoch + 1, 0, 0.0, 0
        return loss

    def fit(
        self,
        train,
        valid,
        epochs,
        minutes=None,
        patience=None,
        good_enough=None,
        choose_by="exact_match",
        report=print,
        after_step=None,
        after_epoch=None,
    ):
        """Train, evaluate after every epoch, and leave the model with the best parameters seen -> the log.

        Best is by choose_by, "exact_match" (then the lowest loss) or "loss". Ends after `epochs`, after `minutes`,
        after `patience` epochs without a better one, or at `good_enough` exact matches (0 to 1). On a trainer
        restored from before the end it goes on from there. After the end there is no going on: the parameters are
        the best ones, the optimiser's moments those of the last step.
        """
        expect_limits(epochs, minutes, patience, good_enough, choose_by)
        if not valid:
            raise ValueError("valid is empty; it must hold at least one example")
        at = self.at
        start, cpu_start = time.monotonic() - at.seconds, time.process_time() - at.cpu_seconds

        def look_at_the_clock():
            at.seconds, at.cpu_seconds = time.monotonic() - start, time.process_time() - cpu_start

        def tick():
            look_at_the_clock()
            if after_step is not None:
                after_step()

        deadline = None if minutes is None else start + 60 * minutes
        while not at.finished and at.epoch < epochs and (deadline is None or time.monotonic() < deadline):
            train_loss = self.train_epoch(train, deadline, tick)
            found = evaluate(self.model, valid)
            look_at_the_clock()
            at.log.append(
                {"epoch": at.epoch, "step": self.steps, "loss": train_loss, "valid_loss": found.loss}
                | {"exact_match": found.exact, "seconds": round(at.seconds, 1), "cpu_seconds": round(at.cpu_seconds, 1)}
            )
            report(
                f"epoch {at.epoch:2d}  {at.seconds:5.0f} s  loss {train_loss:.4f}  "
                f"held-out loss {found.loss:.4f}  exact match {found.exact:.1%}"
            )
            score = [-found.loss] if choose_by == "loss" else [found.exact, -found.loss]
            if at.best is None or score > at.best:
                at.best, at.waited = score, 0
                self.best_params = {name: array.copy() for name, array in self.model.params.items()}
            else:
                at.waited += 1
            at.finished = (patience is not None and at.waited >= patience) or (
                good_enough is not None and found.exact >= good_enough
            )
            if after_epoch is not None:
                after_epoch()
        if self.best_params:
            self.model.load(self.best_params)
        return at.log


def update_where_finite(loss, norm, optimiser, params, grads):
    """The optimiser's step on a GPU; where loss or norm is not finite the parameters stay. Nothing waits to know which.

    p - 0 m = p: they stay because gradients and learning rate become 0; the moments of such a step fade.
    """
    xp = array_module(loss)
    finite = xp.isfinite(loss) & xp.isfinite(norm)
    for grad in grads.values():
        grad[...] = xp.where(finite, grad, 0)  # not a product: 0 nan = nan
    lr = optimiser.lr
    optimiser.lr = lr * finite.astype(loss.dtype)
    try:
        optimiser.update(params, grads)
    finally:
        optimiser.lr = lr


def expect_limits(
    epochs: int,
    minutes: float | None = None,
    patience: int | None = None,
    good_enough: float | None = None,
    choose_by: str = "exact_match",
):
    """ValueError for what Trainer.fit cannot go by."""
    expect_positive(epochs=epochs)
    if minutes is not None and not minutes > 0:
        raise ValueError(f"minutes must be above 0, got {minutes}")
    if patience is not None:
        expect_positive(patience=patience)
    if good_enough is not None:
        expect_fraction("good_enough", good_enough)
    expect_choice("choose_by", choose_by, ("exact_match", "loss"))
