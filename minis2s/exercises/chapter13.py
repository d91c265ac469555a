"""Chapter 13, the same code on a GPU."""

import math
from functools import partial

import numpy as np

from ..backend import map_tree
from .checking import Trial, finite_differences
from .registry import exercise, question


class Elsewhere(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on a device of the checks: it meets its own kind and numbers, and counts launches and waits."""

    launches = waits = 0

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array_namespace__(self, api_version=None):
        return elsewhere

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        result = elsewhere.run(getattr(ufunc, method), *operands, **options)
        return options["out"][0] if "out" in options else result

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a device array does not become a NumPy array by itself")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.values, name)
        return partial(elsewhere.run, getattr(np.ndarray, name), self) if callable(found) else shut(found)

    def __getitem__(self, key):
        return elsewhere.run(np.ndarray.__getitem__, self, key)

    def __setitem__(self, key, value):
        elsewhere.run(np.ndarray.__setitem__, self, key, value)

    def get(self):
        Elsewhere.waits += 1
        return self.values.copy()

    def tolist(self):
        return self.get().tolist()

    item = tolist

    def __float__(self):
        return float(self.get())

    def __bool__(self):
        return bool(self.get())

    def __len__(self):
        return len(self.values)


class Module:
    """NumPy's functions, for these arrays alone."""

    __name__ = "elsewhere"

    def __getattr__(self, name):
        function = getattr(np, name)
        return function if isinstance(function, (np.ufunc, type)) else partial(self.run, function)

    def run(self, function, *operands, **options):
        result = function(*map_tree(opened, operands), **map_tree(opened, options))
        Elsewhere.launches += 1
        return map_tree(shut, result)

    def asarray(self, array, dtype=None):
        return array if isinstance(array, Elsewhere) else Elsewhere(np.array(array, dtype))


elsewhere = Module()


def opened(leaf):
    if isinstance(leaf, np.ndarray):
        raise TypeError("a NumPy array meets a device array: move it to the device first")
    return leaf.values if isinstance(leaf, Elsewhere) else leaf


def shut(leaf):
    return Elsewhere(leaf) if isinstance(leaf, (np.ndarray, np.generic)) else leaf


def moved(tree):
    return map_tree(lambda leaf: Elsewhere(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf, tree)


KINDS = {"array": np.ones(3), "device array": Elsewhere(np.ones(3)), "None": None, "2.5": 2.5}
KINDS |= {"np.float32(2.5)": np.float32(2.5)}
CASES = (
    (), ("array",), ("device array",), ("None", "device array"), ("2.5", "device array", "None"),
    ("np.float32(2.5)", "device array"), ("device array", "np.float32(2.5)"),
    ("array", "None", "array"), ("None", "2.5"), ("np.float32(2.5)",),
)  # fmt: skip


@exercise
def module_of(rng):
    """arrays of one device, and None and numbers -> the module whose functions take them"""

    def call(function, kinds):
        found = function(*(KINDS[kind] for kind in kinds))
        if found is None:
            return None
        return np.array({id(np): 0.0, id(elsewhere): 1.0}.get(id(found), np.nan))

    for kinds in CASES:
        expected = {"0 for NumPy, 1 for the device's module: yours": np.array(float("device array" in kinds))}
        yield Trial({"arguments": f"({', '.join(kinds)})"}, (kinds,), expected, "it should be", call)


def gru_gates(a_r, a_z, a_n, u_n, h_prev):
    """The chapter's."""
    xp = a_r.__array_namespace__()
    r = 1 / (1 + xp.exp(-a_r))
    z = 1 / (1 + xp.exp(-a_z))
    n = xp.tanh(a_n + r * u_n)
    return (1 - z) * n + z * h_prev


@question(hint="Each operator and each function is one; a minus sign in front of an array is an operator, too.")
def launches_of_gru_gates():
    """How many launches the elementwise part of the chapter's GRU takes, unfused."""
    arrays = [Elsewhere(np.zeros((4, 3))) for _ in range(5)]
    before = Elsewhere.launches
    gru_gates(*arrays)
    return Elsewhere.launches - before


LAUNCH, BANDWIDTH, OF_A_CORE = 15e-6, 3.35e12, 20e9


@question(within=0.05 * 25_000, hint="Both move 12 bytes for each of the N; only one of them has a launch to pay for.")
def size_where_both_are_equal():
    """The N at which an elementwise product takes as long on one core as on the chapter's GPU."""
    return LAUNCH / (12 / OF_A_CORE - 12 / BANDWIDTH)


@question(hint="Which is the first whole number n for which n + 1 has no float32 of its own?")
def where_ones_stop():
    """The number at which a float32 stops growing when 1 is added to it."""
    total = np.float32(1)
    while total + np.float32(1) != total:
        total = total * np.float32(2)
    return int(total)


def table_gradient(ids, dx, V, max_norm):
    """The chapter's, right, in plain NumPy."""
    dW = np.zeros((V, dx.shape[1]), dtype=dx.dtype)
    np.add.at(dW, ids, dx)
    return dW * min(1.0, max_norm / float((dW * dW).sum()) ** 0.5)


@exercise
def mended_table_gradient(rng):
    """ids (N,), dx (N,D), V, max_norm -> dW (V,D), on the CPU and on a device, where nothing is waited for"""

    def on_the_device(function, *inputs):
        before = Elsewhere.waits
        dW = function(*moved(inputs))
        waited = float(Elsewhere.waits - before)
        if dW is None:
            return None
        return {"dW": dW.values if isinstance(dW, Elsewhere) else dW, "how often the host waits": np.array(waited)}

    for N, D, V, max_norm in ((1, 1, 1, 0.1), (7, 3, 4, 100.0), (7, 2, 5, 0.5), (3, 2, 9, 0.1)):
        ids, dx = rng.integers(0, V, N), rng.standard_normal((N, D))
        inputs, dW = (ids, dx, V, max_norm), table_gradient(ids, dx, V, max_norm)
        sizes = {"N": N, "D": D, "V": V, "max_norm": max_norm}
        yield Trial(sizes, inputs, {"dW": dW}, "it should be")
        expected = {"dW": dW, "how often the host waits": np.array(0.0)}
        yield Trial(sizes | {"on": "a device"}, inputs, expected, "it should be", on_the_device)
    ids, dx = np.array([2, 0, 2]), rng.integers(-4, 5, (3, 2)).astype("float32") + np.float32(0.5)
    inputs = ids, dx, 3, 1000.0  # halves, and nothing to shorten: no rounding
    yield Trial({"N": 3, "D": 2, "V": 3, "dtype": "float32"}, inputs, {"dW": table_gradient(*inputs)}, "it should be")


@exercise
def gates_at_once_backward(rng):
    """dy (B,4H), t (B,4H), s (4H,) -> da (B,4H)"""
    for B, H in ((1, 1), (3, 2), (2, 5)):
        a, dy = rng.standard_normal((2, B, 4 * H))
        s = np.repeat([0.5, 0.5, 1.0, 0.5], H)
        expected = finite_differences(lambda a=a, dy=dy, s=s: (dy * (s * np.tanh(s * a) + 1 - s)).sum(), a=a)
        yield Trial({"B": B, "H": H}, (dy, np.tanh(s * a), s), expected, "finite differences say")


def upper_bits(key, place):
    """u of a place, in Python's whole numbers."""
    end = 1 << 64
    z = (key + place * 0x9E3779B97F4A7C15) % end
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % end
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % end
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


@exercise
def normals(rng):
    """key a uint64, N -> x (N,) float64"""
    for N in (1, 5, 1000):
        key = rng.integers(1 << 64, dtype=np.uint64)
        u = [upper_bits(int(key), place) for place in range(2 * N)]
        pairs = zip(u[::2], u[1::2], strict=True)
        x = np.array([math.sqrt(-2 * math.log(1 - a)) * math.cos(2 * math.pi * b) for a, b in pairs])
        yield Trial({"N": N}, (key, N), {"x": x})
