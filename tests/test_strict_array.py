"""The stand-in for CuPy: every trap springs, and what is left computes what NumPy computes.

Tests that take `xp` run on the stand-in and, with `-m gpu`, on CuPy itself: they keep the stand-in honest.
"""

import copy
import inspect
from typing import NamedTuple

import numpy as np
import pytest
import strict_array
from strict_array import from_strict, no_synchronisation, strict, synchronisations, to_strict

from minis2s.backend import array_module


def cupy_with_device():
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        pytest.skip("no GPU")
    return cupy


@pytest.fixture(params=["strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request):
    return strict if request.param == "strict" else cupy_with_device()


@pytest.fixture
def x(xp):
    return xp.asarray(np.arange(6, dtype=np.float32).reshape(2, 3))


@pytest.fixture
def s():
    return to_strict(np.arange(6, dtype=np.float32).reshape(2, 3))


ones = np.ones((2, 3), np.float32)

# No mixing


@pytest.mark.parametrize(
    "mix",
    [
        lambda xp, x: x + ones,
        lambda xp, x: ones + x,
        lambda xp, x: x @ ones.T,
        lambda xp, x: ones.T @ x,
        lambda xp, x: x == ones,
        lambda xp, x: ones < x,
        lambda xp, x: x.__iadd__(ones),
        lambda xp, x: ones.copy().__iadd__(x),
        lambda xp, x: ones.copy().__setitem__(0, x),
        lambda xp, x: x.__setitem__(0, ones[0]),
        lambda xp, x: xp.tanh(ones),
        lambda xp, x: xp.tanh(x, out=ones.copy()),
        lambda xp, x: x.sum(axis=0, out=ones[0].copy()),
        lambda xp, x: xp.where(x > 0, x, ones),
        lambda xp, x: xp.matmul(x, ones.T),
        lambda xp, x: xp.concatenate([x, ones]),
        lambda xp, x: xp.array([x[0, 0], 1.0]),
        lambda xp, x: np.asarray(x),
        lambda xp, x: np.array([x, x]),
        lambda xp, x: ones[x > 1],
    ],
)
def test_numpy_arrays_do_not_mix_with_device_arrays(xp, x, mix):
    with pytest.raises((TypeError, ValueError)):
        mix(xp, x)


@pytest.mark.parametrize(
    "mix",
    [
        lambda s: np.tanh(s),
        lambda s: np.add(s, s),
        lambda s: np.concatenate([s, s]),
        lambda s: np.sum(s),
        lambda s: strict.sum(ones),
        lambda s: strict.einsum("td,td->t", s, ones),
        lambda s: s[np.array([0, 1])],
        lambda s: s.__setitem__(np.array([0, 1]), 0.0),
        lambda s: s.take(np.array([0])),
        lambda s: strict.full((2, 3), ones),
        lambda s: strict.add.at(s, strict.asarray([0]), ones[:1]),
        lambda s: s.__setitem__(0, [1.0, 2.0, 3.0]),
        lambda s: s * [1.0, 2.0, 3.0],
        lambda s: strict.max([1.0, 2.0]),
        lambda s: strict.stack([1.0, 2.0]),
    ],
)
def test_what_the_stand_in_refuses_beside(s, mix):
    with pytest.raises(TypeError):
        mix(s)


@pytest.mark.parametrize("scalar", [2, 2.0, True, np.float32(2), np.float64(2), np.int64(2)])
def test_scalars_mix_and_promote_as_in_numpy(xp, x, scalar):
    host = xp.asnumpy(x)
    for device_result, host_result in [
        (x * scalar, host * scalar),
        (scalar - x, scalar - host),
        (scalar < x, scalar < host),
        (xp.maximum(x, scalar), np.maximum(host, scalar)),
        (xp.where(x > 1, x, scalar), np.where(host > 1, host, scalar)),
    ]:
        assert device_result.dtype == host_result.dtype
        np.testing.assert_array_equal(xp.asnumpy(device_result), host_result)


def test_a_0d_device_array_promotes_as_an_array(xp, x):
    assert (x * xp.asarray(2.0)).dtype == np.float64


# Results and views


def test_reductions_and_scalar_indices_give_0d_device_arrays(xp, x):
    for result in (
        x.sum(),
        xp.max(x),
        x.argmax(),
        x.any(),
        (x > 1).all(),
        xp.count_nonzero(x),
        x[0, 1],
        xp.exp(2.0),
    ):
        assert isinstance(result, xp.ndarray)
        assert result.shape == ()


def test_a_scalar_index_is_a_view(xp, x):
    element = x[0, 1]
    element += 10
    assert x[0, 1].item() == 11


def test_a_0d_integer_array_as_index_is_a_copy(xp, x):
    row = x[xp.asarray(1)]
    row += 10
    assert x[1].tolist() == [3, 4, 5]


def test_iteration_yields_views(xp, x):
    for row in x:
        row *= 0
    assert x.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_slices_transposes_and_reshapes_share_memory(xp, x):
    x[:, 1:] = -1
    x.T[0] = 7
    x.reshape(-1)[0] = 8
    assert x.tolist() == [[8, -1, -1], [7, -1, -1]]


def test_out_is_returned_itself(xp, x):
    out = xp.empty_like(x)
    assert xp.tanh(x, out=out) is out
    assert xp.tanh(x, out) is out
    assert xp.tanh(x, out=(out,)) is out
    np.testing.assert_allclose(xp.asnumpy(out), np.tanh(xp.asnumpy(x)), rtol=1e-6)
    product = xp.empty((2, 2), dtype=x.dtype)
    assert xp.matmul(x, x.T, out=product) is product
    assert x.sum(axis=0, out=out[0]).tolist() == [3, 5, 7]
    assert out[0].tolist() == [3, 5, 7]


def test_in_place_operators_keep_the_array(xp, x):
    before = x
    x += 1
    x *= x
    assert x is before
    assert x.tolist() == [[1, 4, 9], [16, 25, 36]]
    with pytest.raises(TypeError):
        x.astype(np.int64).__iadd__(x)


# Indices


def test_integer_arrays_out_of_range_wrap(xp, x):
    far = xp.asarray([2, -3])
    assert x[far].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x[:, xp.asarray([3, 4])].tolist() == [[0, 1], [3, 4]]
    assert x[..., xp.asarray([-4])].tolist() == [[2], [5]]
    assert x[None, xp.asarray(3), 1:].tolist() == [[4, 5]]
    assert x[far, xp.asarray([5, 3])].tolist() == [2, 3]
    assert x[[2]].tolist() == [[0, 1, 2]]
    assert x.take(xp.asarray([3]), axis=1).tolist() == [[0], [3]]
    assert xp.take_along_axis(x, xp.asarray([[4], [5]]), 1).tolist() == [[1], [5]]
    cube = xp.arange(24).reshape(2, 3, 4)
    assert cube[cube[..., 0] > 12, xp.asarray([5, 3])].tolist() == [17, 23]
    x[xp.asarray([3])] = 9
    xp.add.at(x, xp.asarray([2, 2]), xp.ones((2, 3), dtype=x.dtype))
    xp.put_along_axis(x, xp.asarray([[5]]), -1, 1)
    assert x.tolist() == [[2, 3, -1], [9, 9, -1]]


@pytest.mark.parametrize("index", [2, -3, (0, 3), (0, 0, 0)])
def test_a_plain_integer_out_of_range_is_an_error(xp, x, index):
    with pytest.raises(IndexError):
        x[index]


def test_repeated_indices_may_only_be_assigned_equal_values(s):
    ids = strict.asarray([0, 1, 0])
    table = strict.zeros((2, 3))
    table[ids] = 4.0
    table[ids, strict.asarray([0, 0, 1])] = strict.asarray([1.0, 2.0, 3.0])
    assert table.tolist() == [[1, 3, 4], [2, 4, 4]]
    table[ids] = strict.full((3, 3), strict.nan)
    for assign in (
        lambda: table.__setitem__(ids, strict.arange(9.0).reshape(3, 3)),
        lambda: table.__setitem__((slice(None), strict.asarray([1, 4])), strict.asarray([1.0, 2.0])),
        lambda: strict.put_along_axis(s, strict.asarray([[0, 3]]), strict.asarray([[1.0, 2.0]]), 1),
    ):
        with pytest.raises(ValueError, match="repeated indices"):
            assign()
    assert np.isnan(from_strict(table)).all(), "a refused assignment changes nothing"


def test_adding_through_repeated_indices(s):
    s[strict.asarray([0, 1])] += 1.0
    with pytest.raises(ValueError, match=r"use add\.at"):
        s[strict.asarray([0, 0])] += strict.asarray([[1.0], [2.0]])


def test_add_at_counts_repeated_indices(xp, x):
    xp.add.at(x, xp.asarray([1, 1]), xp.asarray([[1.0], [2.0]], dtype=x.dtype))
    assert x.tolist() == [[0, 1, 2], [6, 7, 8]]
    xp.maximum.at(x, (xp.asarray([0, 0]), xp.asarray([2, 2])), xp.asarray([5, 4], dtype=x.dtype))
    assert x[0].tolist() == [0, 1, 5]
    with pytest.raises(TypeError):
        xp.add.at(x.astype(np.int8), xp.asarray([0]), xp.asarray(1, dtype=np.int8))
    with pytest.raises(NotImplementedError):
        xp.multiply.at(x, xp.asarray([0]), 2)


def test_an_assignment_may_not_shift_an_array_onto_itself(s):
    long = strict.arange(5)
    with pytest.raises(ValueError, match="overlap"):
        long[1:] = long[:-1]
    long[1:] = long[:-1].copy()
    assert long.tolist() == [0, 0, 1, 2, 3]
    s[...] = s
    s[0] = s[1]
    s[:, 1:] = s[:, :-1]  # not one block of memory: CuPy copies the source first
    assert s.tolist() == [[3, 3, 4], [3, 3, 4]]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_casts_that_depend_on_the_device(value):
    with pytest.raises(ValueError, match="depends on the device"):
        strict.asarray([value]).astype(strict.int32)
    assert strict.asarray([value]).astype(strict.float32).dtype == strict.float32


def test_a_0d_device_array_is_no_python_integer(xp, x):
    n = xp.asarray(2)
    for use in (
        lambda: range(n),
        lambda: [1, 2, 3][n],
        lambda: ones[n],
        lambda: xp.zeros(n),
        lambda: x.reshape(n, 3),
    ):
        with pytest.raises(TypeError):
            use()


def test_a_device_array_is_no_axis_and_no_bound(s):
    n = strict.asarray(1)
    for use in (lambda: s.sum(axis=n), lambda: s[:n], lambda: strict.arange(n), lambda: s.repeat(n)):
        with pytest.raises(TypeError):
            use()


# Waiting for the device


@pytest.mark.parametrize(
    "wait",
    [
        lambda s: float(s[0, 0]),
        lambda s: int(s[0, 0]),
        lambda s: bool(s[0, 0] > 1),
        lambda s: s[0, 0].item(),
        lambda s: s.tolist(),
        lambda s: s.get(),
        lambda s: strict.asnumpy(s),
        lambda s: repr(s),
        lambda s: f"{s[0, 0]:.3f}",
        lambda s: max(s[0, 0], s[0, 1]),
        lambda s: 1 in s[0],
        lambda s: s[s > 1],
        lambda s: s.__setitem__(s > 1, 0.0),
        lambda s: s.nonzero(),
        lambda s: strict.flatnonzero(s),
        lambda s: strict.where(s > 1),
    ],
)
def test_waiting_for_the_device_is_counted_and_can_be_forbidden(s, wait):
    before = synchronisations()
    wait(s)
    assert synchronisations() > before
    with no_synchronisation(), pytest.raises(RuntimeError, match="wait for the device"):
        wait(s)
    wait(s)


def test_computing_does_not_wait(s):
    before = synchronisations()
    with no_synchronisation():
        s[strict.asarray([0, 1])] = strict.where(s > 1, strict.tanh(s @ s.T).sum(), s)
        s[0] += s[1].max() * 2
        strict.add.at(s, strict.asarray([0, 0]), 1.0)
        assert len(s) == 2
        assert s.shape == (2, 3)
        copy.deepcopy(s)
        from_strict(s)
    assert synchronisations() == before


# Names and parameters


@pytest.mark.parametrize(
    "name",
    ["errstate", "unstack", "insert", "block", "scatter_add", "vecdot", "einsum_path", "float128", "object_"],
)
def test_names_that_cupy_lacks(xp, name):
    with pytest.raises(AttributeError, match=name):
        getattr(xp, name)


@pytest.mark.parametrize("name", ["ElementwiseKernel", "RawKernel", "float_", "random"])
def test_names_left_out(name):
    with pytest.raises(AttributeError, match=name):
        getattr(strict, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x: xp.tanh(x, where=x > 0),
        lambda xp, x: xp.sum(x, where=x > 0),
        lambda xp, x: x.max(initial=0),
        lambda xp, x: xp.einsum("td->t", x, out=xp.empty(2)),
        lambda xp, x: x.take(xp.asarray([0]), mode="clip"),
        lambda xp, x: xp.clip(x, min=0, max=1),
        lambda xp, x: x.argsort(kind="quicksort"),
        lambda xp, x: xp.zeros(3, device="cpu"),
        lambda xp, x: x.astype(np.float64, casting="safe"),
        lambda xp, x: xp.take_along_axis(x, xp.asarray([[0]])),
    ],
)
def test_parameters_that_cupy_lacks(xp, x, call):
    with pytest.raises((TypeError, ValueError)):
        call(xp, x)


def test_arrays_of_strings_and_objects_do_not_exist(xp):
    for values in (["a"], [None]):
        with pytest.raises(ValueError):
            xp.asarray(np.array(values))


def test_names_and_parameters_are_those_of_cupy():
    cupy = pytest.importorskip("cupy")
    names = [name for name in vars(strict) if not name.startswith("__")]
    assert [name for name in names if not hasattr(cupy, name)] == []
    ufuncs = strict_array.UFUNCS.split()
    assert [name for name in ufuncs if not isinstance(getattr(cupy, name), cupy.ufunc)] == []
    members = set(vars(strict.ndarray)) - {"_a", "__array_namespace__"}
    assert [name for name in members if not hasattr(cupy.ndarray, name)] == []
    for name, signature in strict_array._table(strict_array.FUNCTIONS).items():
        theirs = inspect.signature(getattr(cupy, name)).parameters
        for parameter in signature.parameters.values():
            if name not in ("matmul", "einsum"):  # CuPy declares these with *args alone
                assert theirs[parameter.name].default == parameter.default, (name, parameter)


# What is left computes what NumPy computes


@pytest.mark.parametrize(
    "compute",
    [
        lambda xp, x: 1 / (1 + xp.exp(-x)),
        lambda xp, x: abs(-x) ** 2 // 3 % 2,
        lambda xp, x: ~((x > 1) & (x <= 4) | (x == 5) ^ (x != 0)),
        lambda xp, x: (x.astype(xp.int32) << 2) >> 1,
        lambda xp, x: xp.remainder(x, 2) + xp.floor_divide(7, x + 1),
        lambda xp, x: x.T @ x,
        lambda xp, x: xp.matmul(xp.broadcast_to(x, (4, 2, 3)), x.T),
        lambda xp, x: x[0] @ x[1],
        lambda xp, x: x.dot(x.mT),
        lambda xp, x: xp.dot(x, x.T, out=xp.empty((2, 2), dtype=x.dtype)),
        lambda xp, x: xp.einsum("td,sd->ts", x, x),
        lambda xp, x: xp.tensordot(x, x, axes=([0, 1], [0, 1])),
        lambda xp, x: xp.outer(x[0], x[1]),
        lambda xp, x: xp.linalg.norm(x),
        lambda xp, x: x - x.max(axis=-1, keepdims=True),
        lambda xp, x: xp.log(xp.sum(xp.exp(x), axis=(0, 1))),
        lambda xp, x: x.mean(axis=0) + x.std(axis=0, ddof=1) + xp.var(x),
        lambda xp, x: xp.argmax(x, axis=1) + x.argmin(),
        lambda xp, x: xp.cumsum(x, axis=1) * x.cumprod(axis=0),
        lambda xp, x: xp.concatenate([x, x[:1]], axis=0),
        lambda xp, x: xp.stack((x, x), axis=1).reshape(4, -1),
        lambda xp, x: xp.vstack([x, x]) + xp.hstack([x[:, :2], x[:, :1]])[0],
        lambda xp, x: xp.split(x, [1], axis=1)[1],
        lambda xp, x: x.transpose(1, 0).reshape((2, 3)).swapaxes(0, 1).copy(),
        lambda xp, x: xp.moveaxis(xp.expand_dims(x, 0), 0, 2).squeeze(-1).ravel(),
        lambda xp, x: xp.flip(xp.roll(x, 1, axis=1), axis=0),
        lambda xp, x: xp.tile(x, (2, 1)) * xp.repeat(x, 2, axis=0),
        lambda xp, x: xp.pad(x, ((1, 0), (0, 2))),
        lambda xp, x: xp.tril(xp.ones((3, 3), dtype=x.dtype)) @ xp.eye(3, dtype=x.dtype),
        lambda xp, x: xp.where(x > 2, x, -xp.inf),
        lambda xp, x: x[x > 2],
        lambda xp, x: x[::-1, None, [0, 2]],
        lambda xp, x: x[xp.arange(2), xp.asarray([0, 2])],
        lambda xp, x: xp.take_along_axis(x, xp.argsort(-x, axis=1), axis=1),
        lambda xp, x: xp.sort(-x, axis=1)[:, -2:],
        lambda xp, x: xp.clip(x, 1, 4) + x.clip(None, 3),
        lambda xp, x: xp.full_like(x, 2) + xp.zeros_like(x, shape=(2, 1)),
        lambda xp, x: xp.arange(3) + xp.linspace(0, 1, 3),
        lambda xp, x: xp.maximum(x, 2, out=xp.empty((2, 3))),
        lambda xp, x: xp.isfinite(x).all(axis=0),
        lambda xp, x: xp.nonzero(x > 1)[1],
        lambda xp, x: xp.asarray([[1, 2], [3, 4]], dtype=xp.int64),
        lambda xp, x: xp.array([x[0, 0], x[0, 1]]),
    ],
)
def test_the_same_numbers_and_dtypes_as_numpy(xp, compute):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    with np.errstate(divide="ignore"):
        expected = np.asarray(compute(np, host.copy()))
        result = compute(xp, xp.asarray(host))
    assert isinstance(result, xp.ndarray)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(xp.asnumpy(result), expected, rtol=1e-5)


def test_copyto_and_put_along_axis_write_into_the_array(xp, x):
    xp.copyto(x, 9.0, where=x > 3)
    xp.put_along_axis(x, xp.asarray([[0], [1]]), xp.asarray([[-1.0], [-2.0]]), 1)
    assert x.tolist() == [[-1, 1, 2], [3, -2, 9]]


def test_asarray_shares_and_array_copies(xp, x):
    assert xp.asarray(x) is x
    assert xp.asarray(x, dtype=np.float64).dtype == np.float64
    host = np.zeros(2)
    for made in (xp.array(x), xp.asarray(host), xp.asarray([x[0], x[1]])):
        made += 1
    assert x[0].tolist() == [0, 1, 2]
    assert host.tolist() == [0, 0]


def test_host_answers(xp, x):
    assert xp.result_type(x, 1.0) == np.float32
    assert (xp.ndim(x), xp.shape(x), xp.size(x)) == (2, (2, 3), 6)
    assert xp.finfo(x.dtype).eps > 0
    assert xp.get_array_module(x) is xp
    assert xp.get_array_module(ones) is np


def test_fuse_decorates_with_and_without_arguments(xp, x):
    @xp.fuse
    def twice(a):
        return a + a

    @xp.fuse(kernel_name="thrice")
    def thrice(a):
        return a * 3

    assert twice(x)[1].tolist() == [6, 8, 10]
    assert thrice(x)[1].tolist() == [9, 12, 15]


@pytest.mark.parametrize(
    "function",
    [
        lambda xp, a, b: a[:, :1] * b,
        lambda xp, a, b: a @ a,
        lambda xp, a, b: a.T * b,
        lambda xp, a, b: a.reshape(-1) * b,
        lambda xp, a, b: a * a.shape[0],
        lambda xp, a, b: a if b > 0 else -a,
        lambda xp, a, b: a * float(b),
    ],
)
def test_what_cannot_be_fused(xp, x, function):
    with pytest.raises((TypeError, NotImplementedError, AttributeError)):
        xp.fuse(lambda a, b: function(xp, a, b))(x, np.float32(2))


@pytest.mark.parametrize(
    "function",
    [
        lambda a: a if a.sum() > 0 else -a,
        lambda a: strict.concatenate([a, a]),
        lambda a: strict.asarray(a),
        lambda a: a * len(a),
        lambda a: a.__setitem__(0, 1.0),
    ],
)
def test_what_the_stand_in_does_not_fuse_beside(s, function):
    with pytest.raises(NotImplementedError, match="fuse has no"):
        strict.fuse(function)(s)


@pytest.mark.parametrize("operands", [([1.0, 2.0],), ((1.0,),), (ones,), ("a",)])
def test_what_fused_functions_are_not_given(xp, x, operands):
    with pytest.raises((TypeError, AssertionError)):
        xp.fuse(lambda a, b: a)(x, *operands)
    with pytest.raises(TypeError):
        xp.fuse(lambda a, b: a)(x, b=x)


def test_a_fused_function_computes(xp, x):
    fused = xp.fuse(lambda a, b, c: xp.where(a > b, xp.tanh(a) * b, 0) if c is None else a)
    before = synchronisations()
    result = fused(x, np.float32(2), None)
    assert synchronisations() == before
    assert result.dtype == np.float32
    host = xp.asnumpy(x)
    np.testing.assert_allclose(xp.asnumpy(result), np.where(host > 2, np.tanh(host) * 2, 0), rtol=1e-6)
    assert x[0, 1].item() == 1, "after a call arrays are arrays again"


# In and out


class Pair(NamedTuple):
    left: object
    right: object


def test_trees_go_in_and_out():
    host = np.arange(3)
    tree = {"a": [host, 1, None], "b": Pair(host, ("word", np.float32(2)))}
    moved = to_strict(tree)
    assert isinstance(moved["b"], Pair)
    assert isinstance(moved["a"][0], strict.ndarray)
    assert moved["b"].right == ("word", np.float32(2))
    moved["a"][0] += 1
    assert host.tolist() == [0, 1, 2]
    back = from_strict(moved)
    assert type(back["a"][0]) is np.ndarray
    assert back["a"][0].tolist() == [1, 2, 3]
    assert back["b"].left.tolist() == [0, 1, 2]
    assert back["a"][1:] == [1, None]


def test_the_data_decides(s):
    assert array_module(s) is strict
    assert array_module(None, ones) is np


def test_a_device_array_is_not_made_by_its_class():
    with pytest.raises(TypeError, match="asarray"):
        strict.ndarray((2, 3))
