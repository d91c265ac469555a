"""How fast the processor multiplies at best: one large matrix product, by NumPy's BLAS and by PyTorch's."""

import time

import numpy as np

SIZE, TIMES = 2048, 8


def peak(library, dtype, size=SIZE):
    """Multiplications and additions a second, the best of a few times.  library: "numpy" or "torch" """
    a = np.random.default_rng(0).standard_normal((2, size, size)).astype(dtype)
    if library == "torch":
        import torch

        a = torch.from_numpy(a)
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        a[0] @ a[1]
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)
