"""The same code on the CPU and on "gpu": here a strict stand-in for CuPy, and with `-m gpu` CuPy itself."""

import math
from itertools import chain

import laws
import numpy as np
import pytest
from strict_array import no_synchronisation, strict, synchronisations
from test_training import model_for, reversal

from minis2s import backend, cli, demo, evaluation, experiment, runs, training
from minis2s.backend import keep_mask, kept, mask_of_key, scatter_add, to_device, to_floats, to_numpy
from minis2s.cases import CASES
from minis2s.data.batches import Example, batches_by_length, make_batch
from minis2s.data.pairs import Pair
from minis2s.data.tasks import load_task
from minis2s.optim import SGD, Adam, clip_by_global_norm, warmup
from minis2s.runs import Run, evaluate, train
from minis2s.standing import restore, state_of
from minis2s.training import Trainer
from minis2s.translator import Translator


@pytest.fixture(params=["stand-in", pytest.param("CuPy", marks=pytest.mark.gpu)], autouse=True)
def gpu(request, monkeypatch):
    """What "gpu" is in a test."""
    if request.param == "stand-in":
        monkeypatch.setattr(backend, "_cupy", lambda: strict)
    return request.param


@pytest.fixture
def same_masks(monkeypatch):
    """Dropout on the CPU with the masks of a GPU."""

    def of_key(rng, like, keep):
        return mask_of_key(rng.integers(1 << 64, dtype=np.uint64), like, keep)

    monkeypatch.setattr("minis2s.nn.dropout.keep_mask", of_key)


def on_gpu(tree):
    return to_device(tree, "gpu")


def assert_close(found, expected, **tolerances):
    laws.assert_trees_close(to_device(found, "cpu"), expected, **tolerances)


# Layers, models and losses


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_forward_and_backward_are_those_of_the_cpu(case, dtype, tolerance, same_masks):
    """No array of one device meets one of the other, nothing waits, and the numbers are the same."""

    def build():
        layer, inputs, options = case.build(dtype=dtype)
        if "weights" in options:
            options["weights"] = options["weights"].astype(dtype)
        return layer, inputs, options

    layer, inputs, options = build()
    out, upstream, dinputs, grads = laws.run(layer, inputs, options)
    layer, inputs, options = build()
    layer.to("gpu")
    upstream = laws.map_leaves(lambda leaf: leaf if leaf is None else np.asarray(leaf), upstream)
    if laws.translates(case):
        source, lengths, y = inputs
        inputs = on_gpu(source), lengths, on_gpu(y)  # lengths stay on the CPU
    else:
        inputs = on_gpu(inputs)
    options |= {name: on_gpu(options[name]) for name in options if name == "weights"}
    upstream = on_gpu(upstream)
    with no_synchronisation():
        gpu_out, cache = layer.forward(*inputs, **options)
        gpu_dinputs = laws.backward(layer, upstream, cache)
    assert_close([gpu_out, gpu_dinputs, layer.grads], [out, dinputs, grads], rtol=tolerance, atol=tolerance)


def test_masks_are_drawn_on_the_gpu_and_can_be_drawn_again():
    like = on_gpu(np.zeros((300, 400), np.float32))
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    with no_synchronisation():
        first, second = keep_mask(rng, like, 0.7), keep_mask(rng, like, 0.7)
    first, second = to_numpy(first), to_numpy(second)
    key = again.integers(1 << 64, dtype=np.uint64)
    np.testing.assert_array_equal(first, mask_of_key(key, np.zeros((300, 400), np.float32), 0.7))
    np.testing.assert_array_equal(second, to_numpy(keep_mask(again, like, 0.7)))
    assert first.dtype == np.float32 and set(first.ravel()) == {0, np.float32(1 / 0.7)}
    assert abs((first > 0).mean() - 0.7) < 5 * math.sqrt(0.7 * 0.3 / first.size)
    assert abs(((first > 0) & (second > 0)).mean() - 0.49) < 5 * math.sqrt(0.49 * 0.51 / first.size)


def test_masks_are_made_of_the_numbers_of_splitmix64():
    """The first four after the seed 1234567, as implementations in other languages publish them to be tested by."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    places = on_gpu(np.arange(1, 5, dtype=np.uint64))
    for place, number in enumerate(published):
        for bound, weight in ((number >> 32, 0), ((number >> 32) + 1, 2)):
            mask = kept(places, np.uint64(1234567), np.uint64(bound), np.float32(2))
            assert to_numpy(mask)[place] == weight


def test_scatter_add():
    rng = np.random.default_rng(0)
    target, ids, updates = rng.standard_normal((5, 3)), rng.integers(0, 5, 40), rng.standard_normal((40, 3))
    found = on_gpu(target)
    scatter_add(found, on_gpu(ids), on_gpu(updates))
    scatter_add(target, ids, updates)
    assert_close(found, target)


# Optimisers


@pytest.mark.parametrize("make", [lambda: SGD(0.1, momentum=0.9), lambda: Adam(0.1)], ids=["SGD", "Adam"])
@pytest.mark.parametrize("max_norm", [0.1, 100.0])
def test_optimisers_and_clipping(make, max_norm):
    rng = np.random.default_rng(0)
    params = {"a": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}
    gpu_params, optimiser, gpu_optimiser = on_gpu({name: p.copy() for name, p in params.items()}), make(), make()
    for _ in range(5):
        grads = {name: rng.standard_normal(param.shape) for name, param in params.items()}
        gpu_grads = on_gpu({name: grad.copy() for name, grad in grads.items()})
        norm = clip_by_global_norm(grads, max_norm)
        optimiser.update(params, grads)
        with no_synchronisation():
            gpu_norm = clip_by_global_norm(gpu_grads, max_norm)
            gpu_optimiser.update(gpu_params, gpu_grads)
        assert_close([gpu_norm, gpu_grads], [norm, grads])
    assert_close([gpu_params, gpu_optimiser.state], [params, optimiser.state])


# Training


def silent(line):
    pass


def trainer_on(device, dtype="float64", **options):
    model = model_for(dropout=0.2).astype(dtype).to(device)
    return Trainer(model, Adam(1e-2), **{"teacher_forcing": 0.7, "schedule": warmup(9), "batch_size": 16} | options)


TRAIN, VALID = reversal(120, 0), reversal(30, 1)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-7), ("float32", 1e-2)])
def test_a_run_follows_the_cpu(dtype, rtol, same_masks):
    # In float32 two words may be as likely as each other, and the devices choose another: no own guesses there.
    forcing = {"teacher_forcing": 0.7 if dtype == "float64" else 1.0}
    on_cpu, on_device = trainer_on("cpu", dtype, **forcing), trainer_on("gpu", dtype, **forcing)
    expected, found = (each.fit(TRAIN, VALID, epochs=3, report=silent) for each in (on_cpu, on_device))
    for name in ("loss", "valid_loss"):
        np.testing.assert_allclose([e[name] for e in found], [e[name] for e in expected], rtol=rtol)
    assert [entry["step"] for entry in found] == [8, 16, 24]
    assert on_device.model.device == "gpu"
    if dtype == "float64":
        assert [entry["exact_match"] for entry in found] == [entry["exact_match"] for entry in expected]
        assert_close(on_device.model.params, on_cpu.model.params, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("first", "then"), [("gpu", "cpu"), ("cpu", "gpu"), ("gpu", "gpu")])
def test_a_run_is_saved_on_one_device_and_taken_up_on_the_other(first, then, same_masks):
    whole, begun, taken_up = trainer_on("cpu"), trainer_on(first), trainer_on(then)
    expected = whole.fit(TRAIN, VALID, epochs=3, report=silent)
    states = []

    def after_step():
        if begun.steps == 12:
            states.append(state_of(begun))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        begun.fit(TRAIN, VALID, epochs=3, report=silent, after_step=after_step)
    arrays, description = states[0]
    assert all(type(array) is np.ndarray for array in arrays.values())
    assert description["steps"] == 12 and description["standing"]["batch"] == 4
    restore(taken_up, arrays, description)
    assert taken_up.model.device == then
    log = taken_up.fit(TRAIN, VALID, epochs=3, report=silent)
    assert [entry["step"] for entry in log] == [8, 16, 24]
    np.testing.assert_allclose([e["loss"] for e in log], [e["loss"] for e in expected], rtol=1e-7)
    assert_close(taken_up.model.params, to_device(whole.model.params, "cpu"), rtol=1e-5, atol=1e-7)


def test_what_was_done_after_a_state_does_not_count_when_it_is_restored(monkeypatch):
    monkeypatch.setattr(training, "READ_EVERY", math.inf)
    trainer = trainer_on("gpu")
    state = state_of(trainer)

    def after_step():
        if trainer.steps == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train_epoch(TRAIN, after_step=after_step)
    restore(trainer, *state)
    _, description = state_of(trainer)
    assert description == state[1]


def test_a_step_never_waits_and_an_epoch_waits_where_it_is_read(monkeypatch, gpu):
    trainer = trainer_on("gpu")
    with no_synchronisation():
        for batch in batches_by_length(TRAIN, 16, np.random.default_rng(0)):
            result = trainer.step(batch)
    assert result.loss.shape == result.norm.shape == ()
    waits = []
    for every in (math.inf, 0.0):  # seconds between two readings
        monkeypatch.setattr(training, "READ_EVERY", every)
        before = synchronisations()
        trainer.train_epoch(TRAIN)
        waits.append(synchronisations() - before)
    if gpu == "stand-in":  # which alone counts
        assert waits == [1, 8]


def test_the_loss_of_an_epoch_does_not_depend_on_when_it_is_read(monkeypatch):
    losses = []
    for every in (math.inf, 0.0):
        monkeypatch.setattr(training, "READ_EVERY", every)
        losses.append(trainer_on("gpu", teacher_forcing=1.0).train_epoch(TRAIN))
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


@pytest.fixture
def poisoned(monkeypatch):
    """A trainer on "gpu" whose third step has a gradient that is not finite, and is read at the end of the epoch."""
    trainer = trainer_on("gpu")

    def clip(grads, max_norm):
        if trainer.steps == 2:
            trainer.model.grads["decoder.output.b"][4] = math.nan
        return clip_by_global_norm(grads, max_norm)

    monkeypatch.setattr(training, "clip_by_global_norm", clip)
    monkeypatch.setattr(training, "READ_EVERY", math.inf)
    return trainer


def test_a_step_that_is_not_finite_leaves_the_parameters_and_stops_the_epoch(poisoned):
    params = []

    def after_step():
        params.append({name: param.copy() for name, param in poisoned.model.params.items()})

    with pytest.raises(FloatingPointError, match=r"^step 3: the loss is \d.* and the gradient norm nan; it changed no"):
        poisoned.train_epoch(TRAIN, after_step=after_step)
    before, after, later = to_device(params[1:4], "cpu")
    assert all((before[name] == after[name]).all() for name in before)
    assert any((after[name] != later[name]).any() for name in after)
    assert all(np.isfinite(param).all() for param in later.values())
    assert isinstance(poisoned.optimiser.lr, float)
    assert poisoned.at.batch == 2


def test_nothing_is_saved_of_a_run_that_is_not_finite(poisoned):
    saved = []

    def after_step():
        if poisoned.steps == 5:
            saved.append(state_of(poisoned))

    with pytest.raises(FloatingPointError, match=r"^step 3: "):
        poisoned.train_epoch(TRAIN, after_step=after_step)
    assert poisoned.steps == 5 and not saved


def test_numbers_are_fetched_together():
    numbers = [on_gpu(np.asarray(n, np.float32))[()] for n in (1.5, -2.0)]
    before = synchronisations()
    assert to_floats(numbers) == [1.5, -2.0]
    assert synchronisations() - before <= 1
    assert to_floats([]) == [] and to_floats([np.float32(0.5), 2]) == [0.5, 2.0]


# Ids


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("example", "message"),
    [
        (Example([4, 5, 10], [4]), r"^source holds the id 10, outside 0\.\.9, in example 1 of the batch$"),
        (Example([4, 5, 6], [-1]), r"^y holds the id -1, outside 0\.\.9, in example 1 of the batch$"),
    ],
)
def test_an_id_without_a_word_is_refused_before_it_is_moved(device, example, message):
    trainer = trainer_on(device, teacher_forcing=1.0)
    examples = [Example([4, 5], [5]), example]
    before = to_device({name: param.copy() for name, param in trainer.model.params.items()}, "cpu")
    for use in (
        lambda: trainer.step(make_batch(examples)),
        lambda: evaluation.evaluate(trainer.model, examples, batch_size=2),
        lambda: evaluation.held_out_loss(trainer.model, examples, batch_size=2),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    assert trainer.steps == 0
    laws.assert_trees_equal(to_device(trainer.model.params, "cpu"), before)


# Translating


def test_translations_are_those_of_the_cpu():
    pairs = [Pair("ab c", "c ba"), Pair("b", "b"), Pair("cab", "bac")]
    translator = Translator.untrained(pairs, "characters", "characters", embedding_size=4, hidden_size=5)
    translator.model.astype("float64")
    for param in translator.model.params.values():
        param[...] = np.random.default_rng(param.size).standard_normal(param.shape)
    texts = ["abc", "b", "c a"]
    ways = [{"width": 1}, {"width": 3, "length_penalty": 0.6}]
    expected = [translator.translate(texts, max_length=7, **way) for way in ways]
    translator.model.to("gpu")
    found = [translator.translate(texts, max_length=7, **way) for way in ways]
    for translation, wanted in zip(chain(*found), chain(*expected), strict=True):
        assert translation._replace(alphas=None, score=None) == wanted._replace(alphas=None, score=None)
        np.testing.assert_allclose(translation.alphas, wanted.alphas, rtol=1e-9)
        assert translation.score == pytest.approx(wanted.score, rel=1e-9)


# Runs and the command line

TOML = """
[task]
name = "addition"
source_tokens = "characters"
target_tokens = "characters"
train = 96
valid = 8
test = 8

[model]
embedding_size = 4
hidden_size = 6
dropout = 0.1

[training]
lr = 1e-2
batch_size = 16
epochs = 2
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(TOML, encoding="utf-8")
    return path


class Stopped(Exception):
    pass


@pytest.mark.parametrize(("first", "then"), [("gpu", "cpu"), ("cpu", "gpu")])
def test_the_folder_of_a_run_knows_no_device(small, tmp_path, first, then, monkeypatch, same_masks):
    small = experiment.read(small)
    whole = train(small, tmp_path / "whole", report=silent).results()

    def saver(self, trainer, every):
        def after_step():
            self.save(trainer)
            if trainer.steps == 8:
                raise Stopped

        return after_step

    with monkeypatch.context() as patch:
        patch.setattr(Run, "saver", saver)
        with pytest.raises(Stopped):
            train(small, tmp_path / "run", report=silent, device=first)
    lines = []
    results = train(small, tmp_path / "run", report=lines.append, device=then).results()
    assert "going on after step 8, epoch 2" in lines[1]
    assert results["device"] == then and whole["device"] == "cpu"
    assert results["scores"] == pytest.approx(whole["scores"], rel=1e-3)
    for device in ("cpu", "gpu"):
        assert evaluate(tmp_path / "run", device=device) == pytest.approx(results["scores"], rel=1e-3)


@pytest.fixture
def devices(monkeypatch):
    """Where each translation is made."""
    found = []

    def translate(self, *arguments, translate=Translator.translate, **options):
        found.append(self.model.device)
        return translate(self, *arguments, **options)

    monkeypatch.setattr(Translator, "translate", translate)
    return found


def test_the_command_line_computes_where_it_is_told(small, tmp_path, capsys, devices):
    run = str(tmp_path / "run")
    for command in (
        ["train", str(small), "--run", run],
        ["evaluate", run],
        ["predict", run, "1+2"],
        ["translate", "--model", f"{run}/model.npz", "1+2"],
    ):
        for device in ([], ["--device", "gpu"]) if command[0] != "train" else (["--device", "gpu"],):
            devices.clear()
            assert cli.main([*command, *device]) == 0, capsys.readouterr().err
            assert set(devices) == {"gpu" if device else "cpu"}


def test_the_demo_computes_where_it_is_told(small, tmp_path, monkeypatch, devices):
    asked = []

    def train_small(chosen, folder, seed, train=runs.train, **options):
        asked.append((chosen.name, options["device"]))
        return train(experiment.read(small), folder, seed, report=silent, **options)

    pairs = load_task("addition", train=96, valid=8, test=8)
    monkeypatch.setattr(runs, "train", train_small)
    monkeypatch.setattr(demo, "load_task", lambda **options: pairs)
    monkeypatch.setattr(demo, "SHOWN", ("1+2", "30+4"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "--device", "gpu"]) == 0
    assert asked == [("dates", "gpu")] and set(devices) == {"gpu"}
