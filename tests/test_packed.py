"""Parameters end to end in one array: the model computes as before, and what changes the one changes the other."""

import copy

import numpy as np
import pytest

from minis2s.layer import Layer
from minis2s.models import Seq2Seq, Seq2SeqConfig
from minis2s.optim import Adam, clip_by_global_norm
from minis2s.packed import ALIGNED, Packed, pack


def small(tied=False, dtype="float64"):
    return Seq2Seq(Seq2SeqConfig(7, 9, 4, 6, attention="none", tied=tied), np.random.default_rng(0), dtype)


def pass_of(model):
    rng = np.random.default_rng(1)
    source, y = rng.integers(1, 7, (4, 3)), rng.integers(1, 9, (5, 3))
    (logits, _), cache = model.forward(source, None, y)
    model.backward(np.cos(logits), None, cache)
    return logits


@pytest.mark.parametrize("tied", [False, True])
def test_a_packed_model_computes_the_same(tied):
    model = Seq2Seq(Seq2SeqConfig(7, 9, 6, 6, attention="none", tied=tied), np.random.default_rng(0), "float64")
    plain = copy.deepcopy(model)
    Packed(model)
    np.testing.assert_array_equal(pass_of(model), pass_of(plain))
    for kind in ("params", "grads"):
        theirs, ours = getattr(plain, kind), getattr(model, kind)
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_one_array_holds_every_number_once_and_zeros_between():
    model = small()
    packed = Packed(model)
    pass_of(model)
    for flat, arrays in ((packed.params, model.params), (packed.grads, model.grads)):
        assert all(np.shares_memory(flat, array) for array in arrays.values())
        assert all(array.ctypes.data % (ALIGNED * 8) == flat.ctypes.data % (ALIGNED * 8) for array in arrays.values())
        everything = np.concatenate([array.ravel() for array in arrays.values()])
        assert np.count_nonzero(flat) == np.count_nonzero(everything)
        assert flat.sum() == pytest.approx(everything.sum())
        for name, part in packed.parts(flat).items():
            np.testing.assert_array_equal(part, arrays[name])


def test_an_optimiser_does_the_same_to_all_as_to_each():
    one, each = small(), small()
    packed = Packed(one)
    whole, apart = Adam(0.1), Adam(0.1)
    for _ in range(3):
        pass_of(one)
        pass_of(each)
        norms = clip_by_global_norm({"all": packed.grads}, 0.5), clip_by_global_norm(each.grads, 0.5)
        assert norms[0] == pytest.approx(norms[1], rel=1e-12) and norms[0] > 0.5
        whole.update({"all": packed.params}, {"all": packed.grads})
        apart.update(each.params, each.grads)
    for name, param in each.params.items():
        np.testing.assert_allclose(one.params[name], param, rtol=1e-9, atol=1e-12, err_msg=name)


def test_packing_again_is_for_a_model_with_other_arrays():
    model = small()
    packed = pack(model)
    assert pack(model, packed) is packed
    model.encoder.astype("float32").astype("float64")
    again = pack(model, packed)
    assert again is not packed and not packed.holds(model) and again.holds(model)


def test_what_cannot_be_packed_is_refused():
    model = small()
    model.encoder.astype("float32")
    with pytest.raises(ValueError, match="model must have parameters of one dtype, got Seq2Seq"):
        Packed(model)
    with pytest.raises(ValueError, match="one dtype"):
        Packed(Layer())
