"""Every row of the table against its PyTorch twin, in float64: outputs, input gradients, parameter gradients."""

from dataclasses import replace

import conftest
import laws
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the comparisons with PyTorch need the extra `torch`")

import twins  # noqa: E402

from minis2s.cases import CASES, cases, model_case  # noqa: E402
from minis2s.models import Seq2Seq, Seq2SeqConfig, SignalConfig, SignalSeq2Seq, document  # noqa: E402
from minis2s.models.documents import MODELS  # noqa: E402
from minis2s.nn import SoftmaxCrossEntropy  # noqa: E402
from minis2s.optim import SGD, Adam, clip_by_global_norm  # noqa: E402

TOLERANCE = 1e-10


def to_torch(leaf):
    if not hasattr(leaf, "dtype"):
        return leaf
    tensor = torch.tensor(leaf)
    return tensor.requires_grad_() if tensor.is_floating_point() else tensor


def compare(name, kind, ours, theirs):
    """The largest difference, relative to the largest entry of its array; kept for the table in the log."""
    ours, theirs = laws.floats(ours), [t.detach().numpy() for t in theirs]
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        difference = float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-3))
        found = conftest.differences.setdefault(name, {})
        found[kind] = max(found.get(kind, 0.0), difference)
        assert difference < TOLERANCE, f"{name}, {kind}: {difference:.1e}"


def tensors(tree):
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in tensors(branch)]
    return [tree] if isinstance(tree, torch.Tensor) and tree.is_floating_point() else []


def gradient(tensor):
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_equals_its_twin(case):
    layer, inputs, options = case.build()
    out, upstream, dinputs, grads = laws.run(layer, inputs, options)

    layer, inputs, options = case.build()
    P = {name: to_torch(param) for name, param in layer.params.items()}
    inputs = laws.map_leaves(to_torch, inputs)
    twin_out = twins.twin(case, layer, P, inputs, options)
    sum((torch.tensor(r) * t).sum() for r, t in zip(laws.floats(upstream), tensors(twin_out), strict=True)).backward()

    compare(case.name, "outputs", out, tensors(twin_out))
    if dinputs is not None:
        compare(case.name, "input gradients", dinputs, [gradient(t) for t in tensors(inputs)])
    if P:
        compare(case.name, "parameter gradients", grads, [gradient(P[name]) for name in grads])


def small_document(name):
    small = {"embedding_size": 5, "hidden_size": 4, "layers": min(2, MODELS[name].get("layers", 1)), "max_length": 5}
    config = document(name, 7, 6, **small)
    return replace(model_case(name, lots=2), make=lambda rng, dtype: Seq2Seq(config, rng, dtype))


def small_signals(cell):
    config = SignalConfig(5, 2, 3, cell)
    return replace(cases("signal")[0], option=cell, make=lambda rng, dtype: SignalSeq2Seq(config, rng, dtype))


DOCUMENTS = [small_document(name) for name in MODELS] + [small_signals(cell) for cell in ("rnn", "gru", "lstm")]


@pytest.mark.parametrize("case", DOCUMENTS, ids=lambda case: case.name)
def test_every_model_of_the_documents_equals_its_twin(case):
    test_equals_its_twin(case)


def attention_model():
    config = Seq2SeqConfig(11, 9, 5, 6, 2, "lstm", True, "additive", 4)
    rng = np.random.default_rng(0)
    model = Seq2Seq(config, rng, "float64")
    source, lengths = rng.integers(1, 11, (7, 4)), np.array([7, 3, 5, 1])
    y, targets = rng.integers(1, 9, (6, 4)), rng.integers(1, 9, (6, 4))
    targets[4:, 1] = targets[2:, 3] = 0
    return model, source, lengths, y, targets


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("Adam", lambda: Adam(0.01), lambda params: torch.optim.Adam(params, 0.01)),
        ("SGD", lambda: SGD(0.5, momentum=0.9), lambda params: torch.optim.SGD(params, 0.5, momentum=0.9)),
    ],
)
def test_three_steps_with_clipping(name, ours, theirs):
    """The whole attention model: loss, gradients and parameters stay equal while both train."""
    model, source, lengths, y, targets = attention_model()
    P = {n: torch.tensor(p.copy(), requires_grad=True) for n, p in model.params.items()}
    optimiser, twin_optimiser, loss = ours(), theirs(list(P.values())), SoftmaxCrossEntropy(ignore_index=0)
    label = f"attention model, 3 steps of {name}, clipped"
    for _ in range(3):
        model.zero_grad()
        (logits, _), cache = model.forward(source, lengths, y)
        value, loss_cache = loss.forward(logits, targets)
        model.backward(loss.backward(1.0, loss_cache), None, cache)
        norm = clip_by_global_norm(model.grads, 0.1)
        optimiser.update(model.params, model.grads)

        twin_optimiser.zero_grad()
        twin_logits, _ = twins.seq2seq(model.config, P, torch.tensor(source), lengths, torch.tensor(y))
        twin_value = torch.nn.functional.cross_entropy(
            twin_logits.flatten(0, 1), torch.tensor(targets).flatten(), ignore_index=0
        )
        twin_value.backward()
        twin_norm = torch.nn.utils.clip_grad_norm_(P.values(), 0.1)
        twin_optimiser.step()

        assert norm > 0.1, "nothing was clipped"
        compare(label, "outputs", [np.array(value), np.array(norm), logits], [twin_value, twin_norm, twin_logits])
        compare(label, "parameter gradients", model.grads, [gradient(P[n]) for n in model.grads])
        compare(f"{label}: parameters", "outputs", model.params, [P[n] for n in model.params])


def test_every_key_has_a_twin():
    for key in {case.key for case in CASES}:
        case = cases(key)[0]
        layer, inputs, options = case.build()
        P = {name: to_torch(param) for name, param in layer.params.items()}
        assert twins.twin(case, layer, P, laws.map_leaves(to_torch, inputs), options) is not None
