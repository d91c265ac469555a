"""The training loop: forward, backward, clip, step; after every epoch a look at held-out data."""

import math
import time
from typing import NamedTuple

import numpy as np

from .contracts import expect_fraction, expect_positive
from .data.batches import batches_by_length
from .data.vocabulary import PAD
from .decoding import greedy
from .nn import SoftmaxCrossEntropy
from .optim import Adam, clip_by_global_norm
from .progress import progress


class StepResult(NamedTuple):
    """loss: mean over the batch's real tokens; norm: of all gradients, before clipping."""

    loss: float
    norm: float


class Evaluation(NamedTuple):
    """What a model does on data it was not trained on.

    loss: -log p(target) a token, each target token given the true ones before it, which is how a likelihood is
    defined; exact: the share of sentences that decoding, which never sees the target, gets right to the last token.
    """

    loss: float
    exact: float


class Trainer:
    """A model, an optimiser, and where the two stand.

    All chance comes from `seed` and the counts of epochs and steps, so a run can be repeated and resumed.
    clip: the largest global norm of the gradients; teacher_forcing: the share of steps fed with the target's
    own tokens, in training only; schedule(step) scales the learning rate.
    """

    def __init__(self, model, optimiser=None, clip=1.0, teacher_forcing=1.0, schedule=None, batch_size=64, seed=0):
        expect_positive(batch_size=batch_size)
        expect_fraction("teacher_forcing", teacher_forcing)
        if not clip > 0:
            raise ValueError(f"clip must be above 0, got {clip}")
        self.model = model
        self.optimiser = Adam() if optimiser is None else optimiser
        self.loss = SoftmaxCrossEntropy(ignore_index=PAD)
        self.clip, self.teacher_forcing, self.schedule = clip, teacher_forcing, schedule
        self.batch_size, self.seed = batch_size, seed
        self.lr = self.optimiser.lr
        self.epoch = 0
        self.log = []

    @property
    def steps(self):
        return self.optimiser.steps

    def step(self, batch):
        """One step on one batch -> StepResult.

        Raises FloatingPointError, the parameters unchanged, if loss or gradient is not finite.
        """
        batch = batch.to(self.model.device)
        rng = np.random.default_rng([self.seed, 1, self.steps])
        (logits, _), cache = self.model.forward(
            batch.source, batch.source_lengths, batch.y, self.teacher_forcing, rng
        )
        loss, loss_cache = self.loss.forward(logits, batch.targets)
        self.model.zero_grad()
        self.model.backward(self.loss.backward(1.0, loss_cache), None, cache)
        norm = clip_by_global_norm(self.model.grads, self.clip)
        loss, norm = float(loss), float(norm)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"step {self.steps + 1}: the loss is {loss} and the gradient norm {norm}; "
                f"the parameters are those of step {self.steps} (try a smaller learning rate than {self.lr})"
            )
        if self.schedule is not None:
            self.optimiser.lr = self.lr * self.schedule(self.steps)
        self.optimiser.update(self.model.params, self.model.grads)
        return StepResult(loss, norm)

    def train_epoch(self, examples, deadline=None):
        """One pass over the examples in a new order -> mean loss per token; stops early at `deadline`."""
        rng = np.random.default_rng([self.seed, 0, self.epoch])
        batches = batches_by_length(examples, self.batch_size, rng)
        total = tokens = 0
        start = time.monotonic()
        for batch, show in progress(batches, f"epoch {self.epoch + 1}"):
            result = self.step(batch)
            total += result.loss * batch.tokens  # batches differ in tokens: weight by them
            tokens += batch.tokens
            speed = tokens / (time.monotonic() - start)
            show(loss=f"{total / tokens:.3f}", norm=f"{result.norm:.2f}", tokens_per_s=f"{speed:,.0f}")
            if deadline is not None and time.monotonic() > deadline:
                break
        self.epoch += 1
        return total / tokens

    def fit(self, train, valid, epochs, minutes=None, patience=None, good_enough=None, report=print):
        """Train, evaluate after every epoch, and leave the model with the best parameters seen.

        Best is the most exact matches, then the lowest loss. Ends after `epochs`, after `minutes`, after
        `patience` epochs without a better one, or at `good_enough` exact matches (0 to 1).
        """
        if not valid:
            raise ValueError("valid is empty; it must hold at least one example")
        start, best, best_params, waited = time.monotonic(), None, None, 0
        deadline = None if minutes is None else start + 60 * minutes
        while self.epoch < epochs and (deadline is None or time.monotonic() < deadline):
            train_loss = self.train_epoch(train, deadline)
            found = evaluate(self.model, valid)
            seconds = time.monotonic() - start
            self.log.append(
                {"epoch": self.epoch, "step": self.steps, "loss": train_loss, "valid_loss": found.loss}
                | {"exact_match": found.exact, "seconds": seconds}
            )
            report(
                f"epoch {self.epoch:2d}  {seconds:5.0f} s  loss {train_loss:.4f}  "
                f"held-out loss {found.loss:.4f}  exact match {found.exact:.1%}"
            )
            if best is None or (found.exact, -found.loss) > best:
                best, waited = (found.exact, -found.loss), 0
                best_params = {name: array.copy() for name, array in self.model.params.items()}
            else:
                waited += 1
            if (patience is not None and waited >= patience) or (good_enough is not None and best[0] >= good_enough):
                break
        if best_params is not None:
            self.model.load(best_params)
        return self.log


def evaluate(model, examples, batch_size=256):
    """Loss per token and exact matches of decoded sentences on held-out examples -> Evaluation"""
    loss = SoftmaxCrossEntropy(ignore_index=PAD)
    total = tokens = right = 0
    for positions, batch in batches_by_length(examples, batch_size):
        moved = batch.to(model.device)
        (logits, _), _ = model.forward(moved.source, moved.source_lengths, moved.y)
        total += float(loss.forward(logits, moved.targets)[0]) * batch.tokens
        tokens += batch.tokens
        decoded = greedy(model, moved.source, moved.source_lengths, max_length=2 * len(batch.y))
        right += sum(h.ids == list(examples[i].target) for i, h in zip(positions, decoded, strict=True))
    return Evaluation(total / tokens, right / len(examples))
