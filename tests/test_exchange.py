"""Parameters to PyTorch and back: names, numbers, what is refused; and with PyTorch, equal outputs."""

import re
import subprocess
import sys
from itertools import chain

import numpy as np
import pytest
from strict_array import from_strict, to_strict

from minis2s.backend import map_tree
from minis2s.cases import CASES
from minis2s.exchange import DOCUMENT_004, from_torch, load_safetensors, save_safetensors, to_torch
from minis2s.models import Seq2Seq, Seq2SeqConfig
from minis2s.nn import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Bidirectional,
    DotAttention,
    Embedding,
    Linear,
    SelfAttention,
    Stack,
)

D, H, V, T, B = 6, 3, 7, 5, 4
TOLERANCE = 1e-12


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch", reason="the comparisons with PyTorch need the extra `torch`")
    torch.manual_seed(0)
    return torch


def rng(seed=0):
    return np.random.default_rng(seed)


def randomised(layer, seed=1):
    """With no parameter at 0, biases included."""
    generator = rng(seed)
    for param in layer.params.values():
        param[...] = generator.standard_normal(param.shape)
    return layer


def values(layer):
    return {name: param.copy() for name, param in layer.params.items()}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


def shapes(state):
    return {name: tuple(array.shape) for name, array in state.items()}


def gated(gates, size, suffix):
    """The names and shapes of one recurrent layer in PyTorch."""
    return {
        f"weight_ih{suffix}": (gates * H, size),
        f"weight_hh{suffix}": (gates * H, H),
        f"bias_ih{suffix}": (gates * H,),
        f"bias_hh{suffix}": (gates * H,),
    }


def attention(heads):
    return SelfAttention(D, rng(), heads, dtype="float64")


def stacked(cell, both_ways):
    return Stack(cell, D, H, rng(), layers=2, bidirectional=both_ways, dtype="float64")


BIASES = "bias_ih_l0", "bias_hh_l0"
ATTENTION = {"in_proj_weight": (3 * D, D), "in_proj_bias": (3 * D,)}
ATTENTION |= {"out_proj.weight": (D, D), "out_proj.bias": (D,)}

# What it is -> our layer, PyTorch's, the names and shapes of the state_dict, options of the exchange.
TWINS = {
    "Linear": (
        lambda: Linear(D, V, rng(), dtype="float64"),
        lambda nn: nn.Linear(D, V),
        {"weight": (V, D), "bias": (V,)},
        {},
    ),
    "Linear without bias": (
        lambda: Linear(D, V, rng(), bias=False, dtype="float64"),
        lambda nn: nn.Linear(D, V, bias=False),
        {"weight": (V, D)},
        {},
    ),
    "Embedding": (
        lambda: Embedding(V, D, rng(), padding_idx=None, dtype="float64"),
        lambda nn: nn.Embedding(V, D),
        {"weight": (V, D)},
        {},
    ),
    "SelfAttention, 1 head": (lambda: attention(1), lambda nn: nn.MultiheadAttention(D, 1), ATTENTION, {}),
    "SelfAttention, 3 heads": (lambda: attention(3), lambda nn: nn.MultiheadAttention(D, 3), ATTENTION, {}),
}
for name, ours, gates in (("RNN", RNN, 1), ("LSTM", LSTM, 4), ("GRU", GRU, 3)):
    TWINS |= {
        name: (
            lambda ours=ours: ours(D, H, rng(), dtype="float64"),
            lambda nn, name=name: getattr(nn, name)(D, H),
            gated(gates, D, "_l0"),
            {},
        ),
        f"{name}Cell": (
            lambda ours=ours: ours(D, H, rng(), dtype="float64"),
            lambda nn, name=name: getattr(nn, f"{name}Cell")(D, H),
            gated(gates, D, ""),
            {"cell": True},
        ),
        f"{name}, both ways": (
            lambda name=name: Bidirectional(name.lower(), D, H, rng(), dtype="float64"),
            lambda nn, name=name: getattr(nn, name)(D, H, bidirectional=True),
            gated(gates, D, "_l0") | gated(gates, D, "_l0_reverse"),
            {},
        ),
        f"{name}, 2 layers": (
            lambda name=name: stacked(name.lower(), False),
            lambda nn, name=name: getattr(nn, name)(D, H, 2),
            gated(gates, D, "_l0") | gated(gates, H, "_l1"),
            {},
        ),
        f"{name}, 2 layers both ways": (
            lambda name=name: stacked(name.lower(), True),
            lambda nn, name=name: getattr(nn, name)(D, H, 2, bidirectional=True),
            gated(gates, D, "_l0")
            | gated(gates, D, "_l0_reverse")
            | gated(gates, 2 * H, "_l1")
            | gated(gates, 2 * H, "_l1_reverse"),
            {},
        ),
    }

over_twins = pytest.mark.parametrize("twin", TWINS)


# Names and numbers, without PyTorch


@over_twins
def test_names_and_shapes(twin):
    ours, _, wanted, options = TWINS[twin]
    assert shapes(to_torch(ours(), **options)) == wanted
    state = to_torch(ours(), prefix="model.part.", **options)
    assert shapes(state) == {f"model.part.{name}": shape for name, shape in wanted.items()}
    assert all(array.flags.c_contiguous for array in state.values())


@over_twins
def test_there_and_back_changes_nothing(twin):
    ours, _, _, options = TWINS[twin]
    layer, other = randomised(ours()), randomised(ours(), seed=2)
    before, state = values(layer), to_torch(layer, **options)
    from_torch(other, state, **options)
    assert_same(values(other), before)
    for array in state.values():
        array[...] = 0  # copies: neither layer sees it
    assert_same(values(other), before)
    assert_same(values(layer), before)


@pytest.mark.parametrize("twin", ["RNN", "LSTM", "GRU"])
def test_the_two_biases_of_a_gate(twin):
    """PyTorch's b_ih and b_hh become their sum, but for b_hn of the GRU, which r multiplies."""
    ours, _, wanted, _ = TWINS[twin]
    given = {name: rng(number).standard_normal(shape) for number, (name, shape) in enumerate(wanted.items())}
    layer, b_ih, b_hh = ours(), given["bias_ih_l0"], given["bias_hh_l0"]
    from_torch(layer, given)
    np.testing.assert_array_equal(layer.params["Wx"], given["weight_ih_l0"].T)
    np.testing.assert_array_equal(layer.params["Wh"], given["weight_hh_l0"].T)
    state = to_torch(layer)
    if twin == "GRU":
        np.testing.assert_array_equal(layer.params["b"], [*(b_ih + b_hh)[: 2 * H], *b_ih[2 * H :]])
        np.testing.assert_array_equal(layer.params["bh"], b_hh[2 * H :])
        np.testing.assert_array_equal(state["bias_hh_l0"], [*[0] * 2 * H, *b_hh[2 * H :]])
    else:
        np.testing.assert_array_equal(layer.params["b"], b_ih + b_hh)
        np.testing.assert_array_equal(state["bias_hh_l0"], 0)
    np.testing.assert_array_equal(state["bias_ih_l0"], layer.params["b"])


def test_values_are_converted_and_rounded_once():
    wide, narrow = LSTM(D, H, rng(), dtype="float64"), LSTM(D, H, rng(), dtype="float32")
    generator = rng(3)
    state = {name: generator.standard_normal(array.shape) for name, array in to_torch(wide).items()}
    from_torch(narrow, state)
    assert {param.dtype.name for param in narrow.params.values()} == {"float32"}
    np.testing.assert_array_equal(narrow.params["b"], np.add(*map(state.get, BIASES)).astype("float32"))
    state = {name: array.astype("float32") for name, array in state.items()}
    from_torch(wide, state)
    assert {param.dtype.name for param in wide.params.values()} == {"float64"}
    np.testing.assert_array_equal(wide.params["Wx"], state["weight_ih_l0"].T)
    np.testing.assert_array_equal(wide.params["b"], np.add(*map(state.get, BIASES), dtype="float64"))


def test_maps_of_self_attention():
    """In the order query, key, value; with one head an output map after them goes into the value map."""
    layer = randomised(attention(1))
    x, state = rng().standard_normal((T, B, D)), to_torch(layer)
    np.testing.assert_array_equal(state["in_proj_weight"][:D].T, layer.query.params["W"])
    np.testing.assert_array_equal(state["in_proj_bias"][D : 2 * D], layer.key.params["b"])
    (y, alphas), _ = layer.forward(x)
    W, b = rng(2).standard_normal((D, D)), rng(3).standard_normal(D)
    from_torch(layer, state | {"out_proj.weight": W, "out_proj.bias": b})
    (mapped, same_alphas), _ = layer.forward(x)
    np.testing.assert_allclose(mapped, y @ W.T + b, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_array_equal(alphas, same_alphas)


def model_004(sizes=(V, V + 2, D, H), tied=False, dtype="float64"):
    """Document 004's model: 2 layers of LSTM, one way, the decoder told the first state only."""
    options = {"cell": "lstm", "layers": 2, "bidirectional": False, "attention": "none", "dropout": 0.5}
    return Seq2Seq(Seq2SeqConfig(*sizes, **options, tied=tied), rng(), dtype)


def names_004(sizes):
    source, target, D, H = sizes

    def lstm(prefix):
        sizes = {"weight_ih_l0": (4 * H, D), "weight_ih_l1": (4 * H, H)}
        sizes |= {f"weight_hh_l{layer}": (4 * H, H) for layer in (0, 1)}
        sizes |= {f"bias_{which}_l{layer}": (4 * H,) for which in ("ih", "hh") for layer in (0, 1)}
        return {prefix + name: shape for name, shape in sizes.items()}

    return {
        "encoder.embedding.weight": (source, D),
        **lstm("encoder.rnn."),
        "decoder.embedding.weight": (target, D),
        **lstm("decoder.rnn."),
        "decoder.fc_out.weight": (target, H),
        "decoder.fc_out.bias": (target,),
    }


def test_document_004_by_name():
    model = randomised(model_004())
    assert shapes(to_torch(model, rename=DOCUMENT_004)) == names_004((V, V + 2, D, H))
    assert "decoder.output.weight" in to_torch(model)
    other = model_004()
    from_torch(other, to_torch(model, "a.", DOCUMENT_004) | {"b.weight": np.ones(1)}, "a.", DOCUMENT_004)
    assert_same(values(other), values(model))


def test_renaming_a_part_renames_what_is_in_it():
    names = set(to_torch(model_004(), rename={"encoder": "enc", "encoder.rnn": "lstm"}))
    assert {"enc.embedding.weight", "lstm.weight_ih_l1", "decoder.output.bias"} <= names
    assert not any(name.startswith("encoder.") for name in names)


def test_a_part_of_a_model_from_the_state_of_the_whole():
    model, other = randomised(model_004()), randomised(model_004(), seed=2)
    before = values(other)
    from_torch(other.encoder.rnn, to_torch(model), prefix="encoder.rnn.")
    taken = {name: param for name, param in model.params.items() if name.startswith("encoder.rnn.")}
    assert_same(values(other), before | taken)


def test_a_shared_matrix_is_in_the_state_twice_and_must_agree():
    model, other = (model_004((V, V, H, H), tied=True) for _ in range(2))
    state = to_torch(randomised(model))
    np.testing.assert_array_equal(state["decoder.output.weight"], state["decoder.embedding.weight"])
    from_torch(other, state)
    assert_same(values(other), values(model))
    state["decoder.output.weight"][1, 0] = state["decoder.embedding.weight"][1, 0] = np.nan
    from_torch(other, state)  # not a number, but the same one
    state["decoder.output.weight"][2, 1] += 1
    with refused(other, r"two values for decoder\.embedding\.W, one of them in 'decoder\.output\.'"):
        from_torch(other, state)
    with refused(other, "a TiedLinear shares its matrix"):
        from_torch(other.decoder.output, to_torch(other.decoder.output))


# What is refused


class refused:
    """The block raises ValueError with this sentence, and the layer is the same after it as before."""

    def __init__(self, layer, sentence):
        self.layer, self.sentence = layer, sentence

    def __enter__(self):
        self.before = values(self.layer)

    def __exit__(self, kind, error, _):
        assert kind is ValueError, f"{kind} instead of ValueError: {error}"
        assert re.search(self.sentence, str(error)), f"{self.sentence!r} is not in {str(error)!r}"
        assert "\n" not in str(error)
        assert_same(values(self.layer), self.before)
        return True


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bias_hh_l0": None}, r"^state_dict lacks bias_hh_l0$"),
        ({"weight_hr_l0": (H, H)}, r"^state_dict holds weight_hr_l0, which LSTM does not have$"),
        ({"bias_hh_l0": None, "x": (1,), 3: (1,)}, "lacks bias_hh_l0 and holds x, 3, which LSTM does"),
        ({"weight_hh_l0": (H, 4 * H)}, r"'weight_hh_l0'\] has shape \(3, 12\), expected \(12, 3\)"),
        ({"bias_hh_l0": (4 * H, 1)}, r"state_dict\['bias_hh_l0'\] has shape \(12, 1\), expected \(12,\)"),
        ({"bias_hh_l0": [[1.0], [2.0, 3.0]]}, r"state_dict\['bias_hh_l0'\] cannot be read as a NumPy array"),
        ({"bias_hh_l0": np.zeros(4 * H, int)}, r"'bias_hh_l0'\] has dtype int64, expected floating"),
    ],
)
def test_a_state_that_does_not_fit(change, sentence):
    layer = randomised(LSTM(D, H, rng(), dtype="float64"))
    state = {name: np.ones_like(array) for name, array in to_torch(layer).items()}
    for name, value in change.items():
        state[name] = np.ones(value) if isinstance(value, tuple) else value
        if value is None:
            del state[name]
    with refused(layer, sentence):
        from_torch(layer, state)


@pytest.mark.parametrize(
    ("layer", "options", "sentence"),
    [
        (GRU(D, H, rng(), reset_after=False), {}, r"layer resets before the product, equation \(4\.4\)"),
        (Stack("gru", D, H, rng(), reset_after=False), {}, r"resets before the product, equation \(4\.4\)"),
        (LSTM(D, H, rng(), layer_norm=True), {}, "layer has layer normalisation, PyTorch's LSTM has not"),
        (RNN(D, H, rng(), reverse=True), {}, "reads only backwards"),
        (Stack("rnn", D, H, rng(), layers=2, reverse=True), {}, "reads only backwards"),
        (Stack("rnn", D, H, rng(), layers=2), {"cell": True}, "layer has 2 recurrent layers, cell=True"),
        (AdditiveAttention(D, D, H, rng()), {}, "layer: PyTorch has no AdditiveAttention"),
        (
            Seq2Seq(Seq2SeqConfig(V, V, D, H), rng()),
            {},
            r"decoder\.attention: PyTorch has no AdditiveAttention",
        ),
        (model_004(), {"rename": {"decoder.x": "y"}}, r"rename holds decoder\.x, which is no part"),
        (model_004(), {"rename": {"encoder.rnn": "decoder.rnn"}}, r"gives two parts the name decoder\.rnn"),
    ],
)
def test_a_layer_that_pytorch_does_not_have(layer, options, sentence):
    with refused(layer, sentence):
        to_torch(layer, **options)
    with refused(layer, sentence):
        from_torch(layer, {}, **options)


def test_what_is_no_layer_or_no_state():
    layer = Linear(D, V, rng())
    with refused(layer, "layer must be a layer of minis2s, got dict"):
        to_torch(layer.params)
    with refused(layer, "state_dict must be a dict of arrays by name, got list"):
        from_torch(layer, list(to_torch(layer)))


def test_a_cell_that_reads_backwards_is_a_cell():
    layer = randomised(RNN(D, H, rng(), reverse=True))
    np.testing.assert_array_equal(to_torch(layer, cell=True)["weight_ih"], layer.params["Wx"].T)
    assert "rnn.bias_hh" in to_torch(Stack("gru", D, H, rng()), prefix="rnn.", cell=True)


def test_a_layer_without_parameters_has_none_in_pytorch():
    assert to_torch(DotAttention(D, D)) == {}


def test_neither_pytorch_nor_safetensors_is_needed():
    program = "import sys, minis2s.exchange; sys.exit(bool({'torch', 'safetensors'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_model_on_a_device():
    """Its state comes to the host's memory, and one there goes to the device."""
    model, other = randomised(model_004()), model_004()
    for _, leaf in other.leaves():
        leaf.params = to_strict(leaf.params)
    from_torch(other, to_torch(model))
    assert_same(from_strict(other.params), values(model))
    assert_same(to_torch(other), to_torch(model))


def test_every_layer_of_the_table_is_exchanged_or_refused():
    """Of each layer with every option: there and back, or one sentence; never another error."""
    outcomes = set()
    for case in CASES:
        layer, _, _ = case.build()
        try:
            state = to_torch(layer)
        except ValueError:
            outcomes.add("refused")
            continue
        before = values(layer)
        for param in layer.params.values():
            param[...] = 0
        from_torch(layer, state)
        assert_same(values(layer), before)
        outcomes.add("exchanged")
    assert outcomes == {"refused", "exchanged"}


# Against PyTorch: equal weights, equal outputs


def outputs(torch, layer, module):
    """What both say to the same random input, the states that they begin in random too -> ours, PyTorch's"""
    name, generator = type(module).__name__, rng(5)
    x = generator.standard_normal((T, B, D))
    with torch.no_grad():
        if name == "Embedding":
            ids = generator.integers(0, V, (T, B))
            return [layer.forward(ids)[0]], [module(torch.tensor(ids))]
        if name == "Linear":
            return [layer.forward(x)[0]], [module(torch.tensor(x))]
        if name == "MultiheadAttention":
            x_t = torch.tensor(x)
            (y, alphas), _ = layer.forward(x)
            return [y, alphas], [*module(x_t, x_t, x_t, average_attn_weights=False)]
        states0 = map_tree(lambda zeros: generator.standard_normal(zeros.shape), layer.zero_state(x))
        flat0 = [torch.tensor(np.stack(arrays)) for arrays in by_kind(states0)]
        if name.endswith("Cell"):
            (_, state), _ = layer.forward(x[:1], states0)
            flat0 = [h[0] for h in flat0]
            last = module(torch.tensor(x[0]), tuple(flat0) if "LSTM" in name else flat0[0])
            return list(state), list(last) if "LSTM" in name else [last]
        (hs, states), _ = layer.forward(x, states0)
        twin_hs, last = module(torch.tensor(x), tuple(flat0) if "LSTM" in name else flat0[0])
        return [hs, *map(np.stack, by_kind(states))], [twin_hs, *(last if "LSTM" in name else [last])]


def by_kind(states):
    """Nested states -> all h of (layer, direction) in PyTorch's order, and with LSTM all c"""
    if not isinstance(states[0], tuple):
        return [[array] for array in states]
    return [list(chain(*kinds)) for kinds in zip(*map(by_kind, states), strict=True)]


def assert_close(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=TOLERANCE, atol=TOLERANCE)


@over_twins
def test_weights_of_pytorch_give_its_outputs(torch, twin):
    ours, theirs, wanted, options = TWINS[twin]
    module, layer = theirs(torch.nn).double(), ours()
    for param in module.parameters():
        torch.nn.init.normal_(param)  # biases too, which are 0 in a new MultiheadAttention
    state = module.state_dict()
    assert shapes(state) == wanted
    from_torch(layer, state, **options)
    assert_close(*outputs(torch, layer, module))


@over_twins
def test_our_weights_in_pytorch_give_our_outputs(torch, twin):
    ours, theirs, _, options = TWINS[twin]
    module, layer = theirs(torch.nn).double(), randomised(ours())
    state = {name: torch.from_numpy(array) for name, array in to_torch(layer, **options).items()}
    module.load_state_dict(state, strict=True)
    assert_close(*outputs(torch, layer, module))


def test_tensors_that_need_gradients_and_those_that_numpy_lacks(torch):
    layer, module = Linear(D, V, rng()), torch.nn.Linear(D, V)
    from_torch(layer, dict(module.named_parameters()))
    np.testing.assert_array_equal(layer.params["W"], module.weight.detach().numpy().T)
    from_torch(layer, module.half().state_dict())
    np.testing.assert_array_equal(layer.params["W"], module.weight.detach().numpy().T.astype("float32"))
    with refused(layer, r"state_dict\['weight'\] cannot be read as a NumPy array \(.*BFloat16"):
        from_torch(layer, module.bfloat16().state_dict())


def torch_004(torch, sizes):
    """The modules of document 004's model, by its names."""
    nn, (source, target, D, H) = torch.nn, sizes
    model = nn.Module()
    for name, vocabulary in (("encoder", source), ("decoder", target)):
        part = nn.Module()
        part.embedding, part.rnn = nn.Embedding(vocabulary, D), nn.LSTM(D, H, 2, dropout=0.5)
        setattr(model, name, part)
    model.decoder.fc_out = nn.Linear(H, target)
    return model.double().eval()


def run_004(torch, model, source, y):
    """Its encoder, and its decoder with teacher forcing, in evaluation."""
    with torch.no_grad():
        _, state = model.encoder.rnn(model.encoder.embedding(source))
        logits = []
        for token in y:
            output, state = model.decoder.rnn(model.decoder.embedding(token[None]), state)
            logits.append(model.decoder.fc_out(output[0]))
    return torch.stack(logits)


def test_the_whole_of_document_004(torch):
    sizes = (V, V + 2, D, H)
    theirs, ours = torch_004(torch, sizes), model_004(sizes)
    # Without padding, which the document's encoder reads and ours does not.
    source, y = rng(1).integers(1, V, (T, B)), rng(2).integers(1, V + 2, (T + 1, B))
    tensors = torch.tensor(source), torch.tensor(y)

    from_torch(ours, theirs.state_dict(), rename=DOCUMENT_004)
    (logits, _), _ = ours.forward(source, np.full(B, T), y)
    assert_close([logits], [run_004(torch, theirs, *tensors)])

    (logits, _), _ = randomised(ours).forward(source, None, y)
    state = {name: torch.from_numpy(array) for name, array in to_torch(ours, rename=DOCUMENT_004).items()}
    theirs.load_state_dict(state, strict=True)
    assert_close([logits], [run_004(torch, theirs, *tensors)])


def test_document_004_at_its_own_size(torch):
    sizes = (10_000, 10_000, 256, 512)
    with torch.device("meta"):  # shapes without numbers
        theirs = torch_004(torch, sizes)
    ours = model_004(sizes, dtype="float32")
    assert sum(param.numel() for param in theirs.parameters()) == 17_606_416
    assert ours.size == 17_606_416 - 4 * 4 * 512  # PyTorch's second bias, in each of 4 layers
    assert shapes(to_torch(ours, rename=DOCUMENT_004)) == shapes(theirs.state_dict()) == names_004(sizes)


# Files


@pytest.fixture
def safetensors():
    return pytest.importorskip("safetensors.numpy", reason="files of safetensors need the extra `exchange`")


def test_a_file_and_back(safetensors, tmp_path):
    path = tmp_path / "new folder" / "model.safetensors"
    arrays = to_torch(randomised(model_004()))
    arrays |= {"transposed": np.arange(6.0).reshape(2, 3).T, "number": np.array(2.5)}
    save_safetensors(path, arrays)
    found = load_safetensors(path)
    assert_same(found, arrays)
    assert shapes(found) == shapes(arrays)
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_a_file_of_pytorch_and_one_for_it(safetensors, torch, tmp_path):
    from safetensors.torch import load_file, save_file

    module, layer = torch.nn.GRU(D, H, 2).double(), stacked("gru", False)
    save_file(module.state_dict(), tmp_path / "theirs")
    from_torch(layer, load_safetensors(tmp_path / "theirs"))
    assert_close(*outputs(torch, layer, module))

    save_safetensors(tmp_path / "ours", to_torch(randomised(layer)))
    module.load_state_dict(load_file(tmp_path / "ours"), strict=True)
    assert_close(*outputs(torch, layer, module))

    save_file(module.bfloat16().state_dict(), tmp_path / "bfloat16")
    with pytest.raises(ValueError, match="of a dtype that NumPy lacks"):
        load_safetensors(tmp_path / "bfloat16")


def test_a_crash_keeps_the_old_file(safetensors, tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_safetensors(path, {"a": np.ones(3)})

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(KeyboardInterrupt):
        save_safetensors(path, {"a": np.zeros(3)})
    np.testing.assert_array_equal(load_safetensors(path)["a"], 1)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_files_that_are_not_there_or_not_whole(safetensors, tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match=r"there is no file .*model\.safetensors"):
        load_safetensors(path)
    save_safetensors(path, {"a": np.ones(3)})
    whole = path.read_bytes()
    for cut in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"model\.safetensors is no whole safetensors file"):
            load_safetensors(path)
    path.write_bytes(whole)
    for arrays in ({"a": np.array(["text"])}, {1: np.ones(2)}, {"a": [[1], [2, 3]]}):
        with pytest.raises(ValueError, match="arrays cannot be written to a safetensors file"):
            save_safetensors(path, arrays)
    assert path.read_bytes() == whole


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for use in (lambda path: save_safetensors(path, {}), load_safetensors):
        with pytest.raises(ImportError, match=r'pip install "minis2s\[exchange\]"'):
            use(tmp_path / "model.safetensors")
