"""The one file that knows NumPy from CuPy: the data decides where the work is done.

Every computation asks `xp = array_module(x)` and writes `xp.tanh(x)`; arrays on the CPU give NumPy, arrays
on a GPU give CuPy. Nothing else in the library imports either for arithmetic.
"""

from functools import cache, wraps

import numpy as np

DEVICES = ("cpu", "gpu")
ON_THE_HOST = (np.ndarray, np.generic, int, float, type(None))


def array_module(*arrays):
    """The module (NumPy or CuPy) whose functions take these arrays; None and Python numbers are passed over."""
    for array in arrays:
        if type(array) is np.ndarray:  # the usual case, said first: small models call this a hundred times a step
            return np
        if isinstance(array, ON_THE_HOST):
            continue
        if type(array).__module__.partition(".")[0] == "cupy":
            return _cupy()
        if hasattr(array, "__array_namespace__"):  # the array API standard's own way to say it
            return array.__array_namespace__()
    return np


def device_of(array):
    """'cpu' for a NumPy array, 'gpu' for any other."""
    return "cpu" if isinstance(array, ON_THE_HOST) else "gpu"


def map_tree(function, tree):
    """`function` of every leaf of nested tuples, lists, dicts and NamedTuples; the nesting is kept."""
    if isinstance(tree, dict):
        return {key: map_tree(function, value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        leaves = [map_tree(function, leaf) for leaf in tree]
        return type(tree)(*leaves) if hasattr(tree, "_fields") else type(tree)(leaves)
    return function(tree)


def expect_device(device):
    """ValueError unless `device` is 'cpu' or 'gpu'; RuntimeError that says what is missing where there is no GPU."""
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "gpu":
        _cupy()


def to_device(tree, device):
    """The same tree with every array on `device` ('cpu' or 'gpu'); anything that is no array stays as it is.

    Raises what `expect_device` does.
    """
    expect_device(device)
    if device == "cpu":
        return map_tree(to_numpy, tree)
    cupy = _cupy()
    return map_tree(lambda leaf: cupy.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, tree)


def to_numpy(array):
    """The array on the CPU (a copy only if it was elsewhere); anything that is no array is returned unchanged."""
    return array if isinstance(array, ON_THE_HOST) or not hasattr(array, "get") else array.get()


def from_numpy(array, like):
    """A NumPy array moved to where `like` is."""
    xp = array_module(like)
    return array if xp is np else xp.asarray(array)


def to_floats(numbers):
    """Numbers, of Python or 0-d arrays, as Python floats: those on a GPU all in one transfer, waited for once."""
    xp = array_module(*numbers)
    return [float(number) for number in numbers] if xp is np else xp.stack(numbers).tolist()


def fused(function):
    """A chain of elementwise operations on arrays and scalars, given by position: on a GPU they become one kernel."""
    on_device = cache(lambda xp: xp.fuse(function))

    @wraps(function)
    def call(*operands):
        xp = np if type(operands[0]) is np.ndarray else array_module(*operands)
        return function(*operands) if xp is np else on_device(xp)(*operands)

    return call


def keep_mask(rng, like, keep):
    """1 / keep with probability `keep`, else 0, with the shape, dtype and device of `like`.

    On the CPU rng draws every number. On a GPU it draws one key, from which the GPU makes the mask: nothing large is
    moved, nothing waited for. An rng in the same state gives the same mask again, but another one on the other device:
    to compare devices, leave dropout out, or take mask_of_key on both.
    """
    if array_module(like) is not np:
        return mask_of_key(rng.integers(1 << 64, dtype=np.uint64), like, keep)
    mask = rng.random(like.shape, dtype=np.float32) < keep
    return mask * np.asarray(1 / keep, dtype=like.dtype)


def mask_of_key(key, like, keep):
    """What keep_mask is on a GPU: a function of key (a NumPy uint64) and place, on every device the same bits."""
    places = array_module(like).arange(like.size, dtype=np.uint64)
    return kept(places, key, np.uint64(keep * 2**32), like.dtype.type(1 / keep)).reshape(like.shape)


@fused
def kept(places, key, bound, weight):
    """weight where the upper half of a place's number is below bound, else 0.  places (N,) uint64 -> mask (N,)

    The number of place n is what SplitMix64 gives n steps after the state `key`: a formula of n, so all places are
    worked out side by side.  Source: Steele, Lea & Flood 2014.
    """
    z = key + places * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(32) < bound) * weight


def scatter_add(target, ids, updates):
    """target[ids[n]] += updates[n] for every n, repeated ids included.  target (V,D), ids (N,), updates (N,D).

    On the CPU the ids are sorted, so that the k-th occurrence of every id can be added in one indexed addition
    without repeats: of the ids 7 2 7, rows 0 and 1 in the first round, row 2 in the second. Ids that occur more often
    than `RANKS` times are summed by a 0/1 matrix product.
    """
    xp = array_module(target)
    if xp is not np:
        xp.add.at(target, ids, updates)
        return
    if len(ids) == 0:
        return
    order = np.argsort(ids, kind="stable")
    distinct, starts, counts = np.unique(ids[order], return_index=True, return_counts=True)
    rank = np.arange(len(ids)) - np.repeat(starts, counts)
    for k in range(min(RANKS, int(counts.max()))):
        nth = order[rank == k]
        target[ids[nth]] += updates[nth]
    if counts.max() > RANKS:
        rest = order[rank >= RANKS]
        frequent = distinct[counts > RANKS]
        one_hot = (frequent[:, None] == ids[rest]).astype(target.dtype)
        target[frequent] += one_hot @ updates[rest]


RANKS = 8


@cache
def _cupy():
    """CuPy, if it is installed and finds a device; otherwise a RuntimeError that says what is missing."""
    install = 'pip install "minis2s[cuda12]" or "minis2s[cuda13]", after your CUDA version'
    try:
        import cupy
    except ImportError:
        raise RuntimeError(f"device 'gpu' needs CuPy, which is not installed: {install}") from None
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if "cudaErrorNoDevice" not in str(error):
            raise RuntimeError(
                f"device 'gpu': CuPy is installed, but the CUDA driver does not answer ({error})"
            ) from None
        devices = 0
    if devices == 0:
        raise RuntimeError("device 'gpu': CuPy and the CUDA driver are there, but no GPU is visible")
    try:
        cupy.cuda.nvrtc.getVersion()  # compiles CuPy's kernels; not in its wheel
    except (RuntimeError, ImportError, OSError) as error:
        raise RuntimeError(
            f"device 'gpu': CuPy finds a GPU, but not the CUDA toolkit ({str(error).strip()}): {install}"
        ) from None
    return cupy
