"""Bad input gets one clear sentence that names the argument and both shapes or values, before anything changes."""

from math import inf
from numbers import Integral, Real

from .backend import array_module


def expect_shape(name, array, shape):
    """ValueError unless `array` has this shape, and holds something.

    Numbers must match, letters ("T") stand for any size, a first ... for any number of axes.
    """
    actual = getattr(array, "shape", None)
    if actual is None:
        raise ValueError(f"{name} must be an array of shape {spell(shape)}, got {type(array).__name__}")
    wanted = (*"…" * (len(actual) - len(shape) + 1), *shape[1:]) if shape[:1] == (...,) else shape
    fits = len(actual) == len(wanted)
    for size, want in zip(actual, wanted):
        fits = fits and (size == want or isinstance(want, str))
    if not fits:
        raise ValueError(f"{name} has shape {spell(actual)}, expected {spell(shape)}")
    if 0 in actual:
        raise ValueError(f"{name} has shape {spell(actual)} and is empty, expected {spell(shape)} with sizes above 0")


def expect_dtype(name, array, dtype):
    """ValueError unless `array` has the dtype of what it meets: nothing is converted behind your back."""
    if array.dtype != dtype:
        raise ValueError(f"{name} has dtype {array.dtype}, expected {dtype}; convert one of them")


def expect_floats(name, array, shape, dtype=None):
    """ValueError unless `array` has this shape and dtype; without a dtype, any of floating point will do."""
    expect_shape(name, array, shape)
    if dtype is not None:
        expect_dtype(name, array, dtype)
    elif array.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {array.dtype}, expected floating point")


def expect_arrays(name, arrays, wanted, owner):
    """ValueError unless the dict `arrays` has the names, shapes and dtypes of those `wanted`, which the owner has."""
    if missing := sorted(wanted.keys() - arrays.keys()):
        raise ValueError(f"{name} lack {', '.join(missing)}")
    if unknown := sorted(arrays.keys() - wanted.keys()):
        raise ValueError(f"{name} hold {', '.join(unknown)}, which this {owner} does not have")
    for key, array in wanted.items():
        expect_floats(f"{name}[{key!r}]", arrays[key], array.shape, array.dtype)


def expect_scalar(name, value, dtype):
    """ValueError unless `value` is a number of Python's, or an array () of this dtype."""
    if type(value) not in (int, float):
        expect_floats(name, value, (), dtype)


def expect_ids(name, ids, size, shape=(...,)):
    """ValueError unless `ids` are whole numbers in 0..size-1, in an array of this shape.

    The range is read where the ids are in the host's memory; on a GPU an out-of-range index would wrap
    silently, so batches are checked before they are moved.
    """
    expect_shape(name, ids, shape)
    if ids.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers, got dtype {ids.dtype}")
    if array_module(ids).__name__ == "numpy":
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= size:
            raise ValueError(f"{name} holds the id {low if low < 0 else high}, outside 0..{size - 1}")


def expect_lengths(name, lengths, T, B):
    """ValueError unless `lengths` are B whole numbers in 1..T."""
    expect_shape(name, lengths, (B,))
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold whole numbers, got dtype {lengths.dtype}")
    if array_module(lengths).__name__ == "numpy":
        low, high = int(lengths.min()), int(lengths.max())
        if low < 1 or high > T:
            raise ValueError(f"{name} holds {low if low < 1 else high}, outside 1..{T} (the padded length)")


def expect_tuple(name, value, parts):
    """ValueError unless `value` is a tuple of as many as there are names of its `parts`."""
    if not isinstance(value, tuple) or len(value) != len(parts):
        got = f"a tuple of {len(value)}" if isinstance(value, tuple) else type(value).__name__
        raise ValueError(f"{name} must be a tuple ({', '.join(parts)}), got {got}")


def expect_fraction(name, value):
    """ValueError unless 0 <= value <= 1."""
    if not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")


def expect_from_0(name, value):
    """ValueError unless 0 <= value < infinity."""
    if not isinstance(value, Real) or not 0 <= value < inf:
        raise ValueError(f"{name} must be a number from 0 upwards, got {value!r}")


def expect_positive(**sizes):
    """ValueError unless every named size is a whole number above 0, Python's or NumPy's."""
    for name, size in sizes.items():
        if not is_whole(size) or size < 1:
            raise ValueError(f"{name} must be a whole number above 0, got {size!r}")


def expect_count(**counts):
    """ValueError unless every named count, or seed, is a whole number from 0 upwards, Python's or NumPy's."""
    for name, count in counts.items():
        if not is_whole(count) or count < 0:
            raise ValueError(f"{name} must be a whole number from 0 upwards, got {count!r}")


def is_whole(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


def expect_choice(name, value, known):
    """ValueError that lists the known values unless `value` is one of them."""
    if value not in list(known):  # compared, not hashed: a list is no choice either
        raise ValueError(f"{name} must be one of {', '.join(map(str, known))}; got {value!r}")


def spell(shape):
    """(3, 4), (T, B, 5), (…, 5)"""
    sizes = ["…" if size is ... else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
