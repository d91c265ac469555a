"""A strict stand-in for CuPy 14: arrays that wrap NumPy and refuse what arrays on a GPU refuse.

`to_strict(tree)` moves NumPy arrays in, `from_strict(tree)` moves them out; `strict` plays the module `cupy`.
A StrictArray leads there by `__array_namespace__`, which cupy.ndarray itself does not have.

The traps of CuPy that it reproduces:
- a NumPy array never mixes with a device array, be it operand, argument, index or assigned value;
- nothing becomes a NumPy array by itself: `np.asarray(x)` is a TypeError, `x.get()` says it aloud;
- `float(x)`, `int(x)`, `bool(x)`, `item`, `tolist`, `get`, printing, `nonzero`, `where(c)` and a boolean mask
  as index wait for the device: `synchronisations()` counts them, `no_synchronisation()` forbids them;
- reductions and scalar indices give 0-d device arrays, and `a[0, 1]` is a view: writing to it writes to `a`;
- a 0-d device array is no Python integer: it cannot be a shape, an axis or the length of a `range`;
- integer arrays as indices wrap silently when out of range (a plain integer out of range is an IndexError);
- assignment through repeated indices is undefined where the values differ: a ValueError here;
- `a[1:] = a[:-1]` copies between overlapping memory, undefined in CUDA: a ValueError here;
- NaN, infinity or an out-of-range number cast to an integer depends on the device: a ValueError here;
- functions have CuPy's parameters: no `where=` in ufuncs, no `where=` or `initial=` in reductions, no `out=`
  in einsum, no `mode=` in take, no `min=` or `max=` in the function clip, no `kind` of sort but 'stable';
- `add.at`, `maximum.at` and `minimum.at` exist, for 32 and 64 bits; `cupy.scatter_add` does not;
- names that CuPy lacks (`errstate`, `unstack`, `insert`) are AttributeErrors; so are names not listed below;
- a function decorated by `fuse` takes arrays, scalars and None, by position only, and becomes one kernel: it has
  operators, ufuncs and a few functions beside, but no shapes, indices or products of matrices, and it cannot branch
  on a value.

Stricter than CuPy on purpose: CuPy hands `np.tanh(x)` to its own tanh, moves NumPy arrays used as indices,
lets a NumPy array through in functions that only call its method (`cupy.sum`), and reads a 0-d device array
that is the bound of a slice or of `arange`, waiting for it.
Not reproduced: CuPy never warns of overflow or division by zero; sums are added in another order.
"""

import contextlib
import functools
import inspect
import operator
import types

import numpy as np

words = str.split

# What CuPy 14 has: functions with their parameters. Where a keyword of NumPy is missing, CuPy lacks it.
FUNCTIONS = """
all any max min (a, axis=None, out=None, keepdims=False)
sum prod mean (a, axis=None, dtype=None, out=None, keepdims=False)
std var (a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)
argmax argmin (a, axis=None, *, out=None, keepdims=False)
cumsum cumprod (a, axis=None, dtype=None, out=None)
count_nonzero (a, axis=None)
round (a, decimals=0, out=None)
clip (a, a_min, a_max, out=None)
sort argsort (a, axis=-1, kind=None)
nonzero argwhere flatnonzero (a)
where (condition, x=None, y=None)
take (a, indices, axis=None, out=None)
take_along_axis (a, indices, axis)
put_along_axis (arr, indices, values, axis)
copyto (dst, src, casting='same_kind', where=None)
matmul (x1, x2, /, out=None, *, dtype=None, casting='same_kind')
dot outer (a, b, out=None)
tensordot (a, b, axes=2)
einsum (subscripts, *operands, dtype=None, optimize=False)
tril triu (m, k=0)
reshape (a, newshape, order='C')
ravel (a, order='C')
transpose (a, axes=None)
moveaxis (a, source, destination)
swapaxes (a, axis1, axis2)
expand_dims (a, axis)
squeeze flip (a, axis=None)
roll (a, shift, axis=None)
repeat (a, repeats, axis=None)
tile (A, reps)
pad (array, pad_width, mode='constant', **kwargs)
split (ary, indices_or_sections, axis=0)
broadcast_to (array, shape)
broadcast_arrays (*args)
concatenate concat stack (tup, axis=0, out=None, *, dtype=None, casting='same_kind')
hstack vstack (tup, *, dtype=None, casting='same_kind')
copy (a, order='K')
astype (x, dtype, /, *, copy=True)
ascontiguousarray (a, dtype=None)
empty zeros ones (shape, dtype=float, order='C')
full (shape, fill_value, dtype=None, order='C')
empty_like (prototype, dtype=None, order='K', *, shape=None)
zeros_like ones_like (a, dtype=None, order='K', *, shape=None)
full_like (a, fill_value, dtype=None, order='K', *, shape=None)
eye (N, M=None, k=0, dtype=float, order='C')
arange (start, stop=None, step=1, dtype=None)
linspace (start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)
"""
NORM = "norm (x, ord=None, axis=None, keepdims=False)"

UFUNCS = """
abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or bitwise_xor
cbrt ceil copysign cos cosh deg2rad divide equal exp exp2 expm1 fabs float_power floor floor_divide fmax
fmin fmod greater greater_equal heaviside hypot invert isfinite isinf isnan left_shift less less_equal log
log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum minimum mod
multiply negative nextafter not_equal positive pow power rad2deg reciprocal remainder right_shift rint sign
signbit sin sinh sqrt square subtract tan tanh true_divide trunc
"""

# Methods with the parameters of the function of that name, then those with their own.
METHODS = """
all any max min sum prod mean std var argmax argmin cumsum cumprod round sort argsort nonzero take dot ravel
copy swapaxes squeeze repeat
"""
OWN_METHODS = """
clip (a, min=None, max=None, out=None)
reshape (a, *shape, order='C')
transpose (a, *axes)
flatten (a, order='C')
astype (a, dtype, order='K', *, copy=True)
view (a, dtype=None)
fill (a, value)
"""

# Functions that answer on the host, and names that CuPy borrows from NumPy as they are.
ON_HOST = "shape ndim size result_type can_cast may_share_memory shares_memory"
BORROWED = """
bool bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 intp float16 float32 float64 complex64
complex128 dtype generic number integer signedinteger unsignedinteger inexact floating complexfloating finfo
iinfo isdtype issubdtype promote_types broadcast_shapes newaxis inf nan pi e euler_gamma
"""
DTYPES = "?bBhHiIlLqQefdFD"

# Parameters that must be device arrays unless they have a default; sequences of them; those that may be.
ARRAYS = words("a b x x1 x2 m A arr ary array dst condition prototype")
SEQUENCES = words("tup operands args")
PERHAPS_ARRAYS = words("out indices where x y a_min a_max min max values src fill_value")

OPERATORS = """
add add  sub subtract  mul multiply  truediv true_divide  floordiv floor_divide  mod remainder  pow power
lshift left_shift  rshift right_shift  and bitwise_and  or bitwise_or  xor bitwise_xor
"""
COMPARISONS = "lt less  le less_equal  eq equal  ne not_equal  gt greater  ge greater_equal"
UNARY = "neg negative  pos positive  abs absolute  invert invert"

SCALARS = (bool, int, float, complex, np.bool_, np.number)
ATOMIC = {"int32", "int64", "uint32", "uint64", "float32", "float64"}
SCATTERED = {"add": ATOMIC | {"float16"}, "maximum": ATOMIC, "minimum": ATOMIC}


# What a function decorated by `fuse` may call beside operators and ufuncs.
FUSIBLE = words("all any max min sum prod mean where clip copyto astype copy round")


class _Waits:
    count = 0
    forbidden = False
    fusing = False


def synchronisations():
    """How often the host has waited for the device so far."""
    return _Waits.count


@contextlib.contextmanager
def no_synchronisation():
    """Within this block, waiting for the device is a RuntimeError."""
    before, _Waits.forbidden = _Waits.forbidden, True
    try:
        yield
    finally:
        _Waits.forbidden = before


def _not_fused(what):
    if _Waits.fusing:
        raise NotImplementedError(f"CuPy's fuse has no {what}")


def _synchronise(cause):
    _not_fused(f"values to look at ({cause})")
    if _Waits.forbidden:
        raise RuntimeError(f"{cause} makes the host wait for the device")
    _Waits.count += 1


def _waiting(name, function):
    def call(*args):
        _synchronise(name)
        return function(*args)

    return call


class StrictArray:
    """A NumPy array that pretends to lie on a device; most of its members are added below, by `_members`."""

    __slots__ = ("_a",)
    __array_ufunc__ = None  # NumPy's ufuncs refuse it; NumPy's operators leave the answer to its own
    __hash__ = None

    def __init__(self, *args, **kwargs):
        raise TypeError("make device arrays with asarray, empty or zeros; the class is for isinstance")

    def __array_namespace__(self, api_version=None):
        return strict

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a device array does not become a NumPy array by itself: use .get()")

    def __array_function__(self, function, types, args, kwargs):
        raise TypeError(f"numpy.{function.__name__} was given a device array: ask array_module(x) instead")

    def __len__(self):
        _not_fused("len")
        return len(self._a)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        _not_fused("indices")
        return _device(self._a[_key(index, self.shape)])

    def __setitem__(self, index, value):
        _not_fused("indices")
        _assign(self._a, _key(index, self.shape), _operand(value))

    def get(self):
        """The values as a NumPy array."""
        _synchronise("get")
        return self._a.copy()

    def item(self):
        """The one value as a Python number."""
        return self.get().item()


def _device(array):
    """The device array around a NumPy array, memory shared."""
    if array.dtype.char not in DTYPES:
        raise ValueError(f"CuPy has no arrays of dtype {array.dtype}")
    device_array = object.__new__(StrictArray)
    device_array._a = array
    return device_array


def _wrap(result):
    """Results of NumPy as device arrays, scalars as 0-d ones."""
    if isinstance(result, (tuple, list)):
        return type(result)(map(_wrap, result))
    return None if result is None else _device(np.asarray(result))


def _operand(value):
    """What NumPy gets for an operand: device arrays and scalars pass."""
    return value if isinstance(value, SCALARS) else _array(value, "operand")


def _array(value, role):
    """What NumPy gets where nothing but a device array will do."""
    if isinstance(value, StrictArray):
        return value._a
    raise TypeError(f"CuPy refuses {type(value)} here ({role}): move it to the device with asarray first")


# Indices and assignment


def _key(index, shape):
    """NumPy's form of an index: integer arrays wrapped into range, an ellipsis added if there is none."""
    items = [_item(item) for item in (index if isinstance(index, tuple) else (index,))]
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    if any(array.dtype == bool for array in _arrays(items)):
        _synchronise("a boolean mask")  # its values decide the shape of the result
    skipped = len(shape) - sum(map(_axes, items))
    axis, key = 0, []
    for item in items:
        if isinstance(item, np.ndarray) and item.dtype.kind in "iu" and axis < len(shape):
            item = _in_range(item, shape[axis])
        axis += skipped if item is Ellipsis else _axes(item)
        key.append(item)
    return tuple(key)


def _item(item):
    if isinstance(item, np.ndarray):
        raise TypeError("a NumPy array is used as index of a device array: move it with asarray first")
    if isinstance(item, list):
        return np.array(item, dtype=None if item else int)
    return item._a if isinstance(item, StrictArray) else item


def _arrays(key):
    return [item for item in key if isinstance(item, np.ndarray)]


def _axes(item):
    """How many axes of the array one item of an index uses up."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _in_range(indices, size):
    return np.asarray(indices % size) if size else indices  # as an array also if 0-d: no view comes of it


def _assign(target, key, value):
    """target[key] = value, refused where CuPy leaves the result undefined."""
    if any(array.dtype != bool for array in _arrays(key)):
        trial = target.copy()
        trial[key] = value
        wanted = np.empty_like(trial[key])
        wanted[...] = value
        if not np.array_equal(trial[key], wanted, equal_nan=True):
            raise ValueError("repeated indices are assigned different values, undefined in CuPy: use add.at")
    elif not _arrays(key) and isinstance(value, np.ndarray) and _copies_bytes(value, target[key]):
        raise ValueError("source and target of an assignment overlap, undefined in CuPy: copy first")
    target[key] = value


def _copies_bytes(source, target):
    """Whether CuPy would copy a block of memory to another block that overlaps with it."""
    alike = (source.shape, source.strides, source.dtype) == (target.shape, target.strides, target.dtype)
    moved = source.__array_interface__["data"] != target.__array_interface__["data"]
    return alike and moved and target.flags.c_contiguous and np.shares_memory(source, target)


# Functions


def _table(text):
    """{name: signature} of lines such as `sort argsort (a, axis=-1, kind=None)`."""
    table = {}
    for line in text.strip().splitlines():
        names, parameters = line.split(" (", 1)
        signature = inspect.signature(eval(f"lambda {parameters[:-1]}: None"))
        table |= dict.fromkeys(names.split(), signature)
    return table


def _guarded(name, function, signature):
    """NumPy's `function` behind CuPy's signature: device arrays in and out, anything else refused."""

    def call(*args, **kwargs):
        if name not in FUSIBLE:
            _not_fused(name)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"CuPy 14 has {name}{signature}: {error}") from None
        given = bound.arguments
        if given.get("kind") not in (None, "stable"):
            raise ValueError(f"CuPy's {name} knows no kind but 'stable', got {given['kind']!r}")
        out = given.get("out")
        for key, value in given.items():
            given[key] = _argument(name, signature.parameters[key], value)
        result = _wrap(function(*bound.args, **bound.kwargs))
        return result if out is None else out

    return call


def _argument(name, parameter, value):
    """What NumPy gets for one argument of the function `name`."""
    key, role = parameter.name, f"{parameter.name} of {name}"
    if key in SEQUENCES:
        return type(value)([_array(item, role) for item in value])
    if key in ARRAYS and parameter.default is parameter.empty:
        return _array(value, role)
    if isinstance(value, np.ndarray) or (isinstance(value, StrictArray) and key not in PERHAPS_ARRAYS):
        raise TypeError(f"CuPy refuses {type(value)} as {role}")
    return value._a if isinstance(value, StrictArray) else value


class StrictUfunc:
    """A ufunc of CuPy: it has `out=`, `dtype=` and `casting=`, but no `where=`."""

    def __init__(self, name):
        self.name = name
        self._ufunc = getattr(np, name)

    def __call__(self, *args, out=None, dtype=None, casting="same_kind"):
        operands, given = args[: self._ufunc.nin], args[self._ufunc.nin :]
        out = given[0] if given else out[0] if isinstance(out, tuple) else out
        host = None if out is None else _array(out, f"out of {self.name}")
        result = self._ufunc(*map(_operand, operands), out=host, dtype=dtype, casting=casting)
        return _wrap(result) if out is None else out

    def at(self, a, indices, b):
        """a[indices] = ufunc(a[indices], b), repeated indices counted every time."""
        if self.name not in SCATTERED:
            raise NotImplementedError(f"{self.name}.at is not among add.at, maximum.at and minimum.at")
        if _array(a, "target").dtype.name not in SCATTERED[self.name]:
            raise TypeError(f"CuPy's {self.name}.at does not exist for {a.dtype}")
        self._ufunc.at(a._a, _key(indices, a.shape), _operand(b))


def _where(condition, x=None, y=None):
    return _waiting("where", np.nonzero)(condition) if x is None and y is None else np.where(condition, x, y)


def _astype(a, dtype, order="K", copy=True):
    try:
        with np.errstate(invalid="raise"):
            return a.astype(dtype, order=order, copy=copy)
    except FloatingPointError:
        raise ValueError(f"a cast to {np.dtype(dtype)} out of its range depends on the device") from None


def _take_along_axis(a, indices, axis):
    return np.take_along_axis(a, _in_range(indices, a.shape[axis]), axis)


def _put_along_axis(arr, indices, values, axis):
    key = list(np.ogrid[tuple(map(slice, arr.shape))])
    key[axis] = _in_range(indices, arr.shape[axis])
    _assign(arr, tuple(key), values)


IN_CUPYS_WAY = {
    **{name: _waiting(name, getattr(np, name)) for name in ("nonzero", "argwhere", "flatnonzero")},
    "where": _where,
    "take": functools.partial(np.take, mode="wrap"),
    "take_along_axis": _take_along_axis,
    "put_along_axis": _put_along_axis,
    "astype": _astype,
}


def array(obj, dtype=None, copy=True, order="K"):
    """A device array from host values, from a device array, or from nested lists of device arrays alone."""
    _not_fused("array")
    leaf = obj
    while isinstance(leaf, (list, tuple)) and leaf:
        leaf = leaf[0]
    if not isinstance(leaf, StrictArray):
        return _device(np.array(obj, dtype=dtype, order=order))
    host = _stacked(obj)
    made = _astype(host, dtype or host.dtype, order, bool(copy))
    return obj if made is leaf._a else _device(made)


def _stacked(obj):
    if isinstance(obj, (list, tuple)):
        return np.stack([_stacked(item) for item in obj])
    return _array(obj, "array")


def asnumpy(a):
    """The values as a NumPy array."""
    return a.get() if isinstance(a, StrictArray) else np.asarray(a)


def get_array_module(*args):
    """`strict` if any of the arguments is a device array, else NumPy."""
    return strict if any(isinstance(arg, StrictArray) for arg in args) else np


def fuse(*args, **kwargs):
    """CuPy's decorator, with or without arguments; the function computes what it computes, but must be fusible."""
    return _fused(args[0]) if args and callable(args[0]) else _fused


def _fused(function):
    @functools.wraps(function)
    def call(*operands):
        for operand in operands:
            if not (operand is None or isinstance(operand, (StrictArray, *SCALARS))):
                raise TypeError(f"CuPy's fuse takes arrays and scalars, got {type(operand)}")
        before, _Waits.fusing = _Waits.fusing, True
        try:
            return function(*[_device(np.asarray(x)) if isinstance(x, np.generic) else x for x in operands])
        finally:
            _Waits.fusing = before

    return call


# The namespace and the members of StrictArray, made from the tables above


class Namespace(types.ModuleType):
    """The names put into it and no other."""

    def __getattr__(self, name):
        if name == "random":
            raise AttributeError("random is left out: draw with a NumPy Generator, then move the result")
        raise AttributeError(f"CuPy 14 has no {name}, or this stand-in does not list it")


def _on_host(function):
    return lambda *args: function(*(arg._a if isinstance(arg, StrictArray) else arg for arg in args))


def _namespace():
    names = {name: getattr(np, name) for name in words(BORROWED)}
    names |= {name: _on_host(getattr(np, name)) for name in words(ON_HOST)}
    names |= {name: StrictUfunc(name) for name in words(UFUNCS)}
    for name, signature in _table(FUNCTIONS).items():
        names[name] = _guarded(name, IN_CUPYS_WAY.get(name, getattr(np, name)), signature)
    linalg = Namespace("strict.linalg")
    linalg.norm = _guarded("linalg.norm", np.linalg.norm, _table(NORM)["norm"])
    names |= {"array": array, "asarray": functools.partial(array, copy=None), "asnumpy": asnumpy}
    names |= {"ndarray": StrictArray, "linalg": linalg, "fuse": fuse, "get_array_module": get_array_module}
    namespace = Namespace("strict")
    vars(namespace).update(names)
    return namespace


strict = _namespace()


def _members():
    for name in words("dtype ndim"):
        yield name, property(operator.attrgetter(f"_a.{name}"))
    for name in words("shape size nbytes itemsize strides flags"):
        yield name, property(lambda self, name=name: _not_fused(name) or getattr(self._a, name))
    for name in words("T mT"):
        yield name, property(lambda self, name=name: _not_fused(name) or _device(getattr(self._a, name)))
    for name in words("tolist __bool__ __int__ __float__ __complex__ __repr__ __str__ __format__"):
        yield name, _waiting(name, lambda self, *args, name=name: getattr(self._a, name)(*args))
    functions = _table(FUNCTIONS)
    for name, signature in ({name: functions[name] for name in words(METHODS)} | _table(OWN_METHODS)).items():
        yield name, _guarded(name, IN_CUPYS_WAY.get(name, getattr(np.ndarray, name)), signature)
    yield "__copy__", lambda self: self.copy()
    yield "__deepcopy__", lambda self, memo: self.copy()
    for name, ufunc in _pairs(f"{OPERATORS} matmul matmul {COMPARISONS}"):
        yield f"__{name}__", lambda self, other, ufunc=ufunc: ufunc(self, other)
    for name, ufunc in _pairs(f"{OPERATORS} matmul matmul"):
        yield f"__r{name}__", lambda self, other, ufunc=ufunc: ufunc(other, self)
    for name, ufunc in _pairs(OPERATORS):
        yield f"__i{name}__", lambda self, other, ufunc=ufunc: ufunc(self, other, out=self)
    for name, ufunc in _pairs(UNARY):
        yield f"__{name}__", lambda self, ufunc=ufunc: ufunc(self)


def _pairs(text):
    return [(name, getattr(strict, function)) for name, function in zip(words(text)[::2], words(text)[1::2])]


for _name, _member in _members():
    setattr(StrictArray, _name, _member)


# In and out, for tests


def _map(tree, kind, function):
    """`function` of every leaf of that kind in nested dicts, lists, tuples and NamedTuples."""
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, dict):
        return {key: _map(value, kind, function) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        leaves = [_map(leaf, kind, function) for leaf in tree]
        return type(tree)(*leaves) if hasattr(tree, "_fields") else type(tree)(leaves)
    return tree


def to_strict(tree):
    """The same tree with a copy of every NumPy array on the stand-in's device."""
    return _map(tree, np.ndarray, lambda array: _device(array.copy()))


def from_strict(tree):
    """The same tree with every device array as a NumPy array; this counts as no synchronisation."""
    return _map(tree, StrictArray, lambda array: array._a.copy())
