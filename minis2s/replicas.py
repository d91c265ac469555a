"""One batch on several threads: each takes some of its rows, with a copy of the model that has the same parameters.

NumPy lets go of Python's lock while it computes, so two threads, each with its own part of the batch and its own
gradients, keep two cores busy with everything, where BLAS alone would give the second core nothing but matrix products.
The gradients of the parts are added up: a batch's gradient is the sum over its rows.
"""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

from .contracts import expect_positive
from .packed import pack


class Replicas:
    """A model and threads - 1 copies of it, all with the same arrays of parameters, each with gradients of its own.

    BLAS should be given one thread (OPENBLAS_NUM_THREADS=1 in the environment).
    Raises ValueError unless threads is a whole number above 0.
    """

    def __init__(self, model, threads=1):
        expect_positive(threads=threads)
        self.model, self.threads = model, threads
        self.packs = [pack(model)]
        self.models = [model]
        self.pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def renew(self):
        """Pack and copy again where the model's arrays are others than they were: it was moved or converted."""
        packed = pack(self.model, self.packs[0])
        if packed is not self.packs[0] or len(self.models) < self.threads:
            self.packs, self.models = [packed], [self.model]
            for _ in range(self.threads - 1):
                # deepcopy takes what memo holds instead of copying it.
                copied = deepcopy(self.model, {id(array): array for array in self.model.params.values()})
                self.models.append(copied)
                self.packs.append(packed.with_gradients_of(copied))

    def run(self, one, parts):
        """one(model, packed, part) for each part, side by side, each leaving its gradients in `packed` -> the results

        Afterwards the first pack holds the sum of all gradients.
        """
        self.renew()
        if len(parts) == 1:
            return [one(self.model, self.packs[0], parts[0])]
        found = list(self.pool.map(one, self.models, self.packs, parts))
        for packed in self.packs[1 : len(parts)]:
            self.packs[0].grads += packed.grads
        return found
