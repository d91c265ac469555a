"""Vocabulary, batches, optimisers' schedules, the training loop, evaluation, what is saved."""

import io
import sys

import numpy as np
import pytest

from minis2s.data.batches import Example, batches_by_length, make_batch
from minis2s.data.pairs import Pair
from minis2s.data.vocabulary import END, PAD, SPECIALS, START, UNK, Vocabulary
from minis2s.evaluation import evaluate
from minis2s.models import Seq2Seq, Seq2SeqConfig
from minis2s.optim import SGD, Adam, clip_by_global_norm, cosine, global_norm, halving, warmup
from minis2s.progress import progress
from minis2s.training import Trainer
from minis2s.translator import Translator


def reversal(count, seed, longest=5, symbols=6):
    """Sequences to be written backwards; no source occurs twice."""
    rng = np.random.default_rng(seed)
    seen = set()
    while len(seen) < count:
        seen.add(tuple(4 + rng.integers(0, symbols, rng.integers(1, longest + 1))))
    return [Example(list(map(int, source)), list(map(int, reversed(source)))) for source in sorted(seen)]


def model_for(attention="additive", hidden_size=32, seed=0, cell="gru", **config):
    return Seq2Seq(
        Seq2SeqConfig(10, 10, 16, hidden_size, cell=cell, attention=attention, **config), np.random.default_rng(seed)
    )


# Vocabulary


def test_vocabulary_encodes_and_decodes():
    vocabulary = Vocabulary.build([["b", "a"], ["b", "c"], ["b", "a"]], min_count=2)
    assert vocabulary.tokens == [*SPECIALS, "b", "a"]
    assert vocabulary.encode(["a", "b", "c"]) == [5, 4, UNK]
    assert vocabulary.decode([START, 5, 4, PAD, END, 4]) == ["a", "b"]
    assert len(Vocabulary.build([list("abcabca")], max_size=6)) == 6


def test_vocabulary_does_not_depend_on_the_order_of_sentences():
    sentences = [list("cab"), list("bad"), list("dab")]
    assert Vocabulary.build(sentences).tokens == Vocabulary.build(sentences[::-1]).tokens


# Batches


def test_a_batch_is_padded_and_shifted():
    batch = make_batch([Example([4, 5], [6]), Example([7], [8, 9])])
    np.testing.assert_array_equal(batch.source, [[4, 7], [5, END], [END, PAD]])
    np.testing.assert_array_equal(batch.source_lengths, [3, 2])
    np.testing.assert_array_equal(batch.y, [[START, START], [6, 8], [PAD, 9]])
    np.testing.assert_array_equal(batch.targets, [[6, 8], [END, 9], [PAD, END]])
    assert batch.tokens == 5


def test_shuffled_batches_hold_every_example_once_and_little_padding():
    examples = reversal(500, 0)
    batches = batches_by_length(examples, 16, np.random.default_rng(0))
    seen = sorted(tuple(row[row != END][:].tolist()) for b in batches for row in map(no_padding, b.source.T))
    assert seen == sorted(tuple(example.source) for example in examples)
    padding = sum((b.source == PAD).sum() for b in batches) / sum(b.source.size for b in batches)
    unsorted = [make_batch(examples[i : i + 16]) for i in range(0, 500, 16)]
    assert padding < 0.05
    assert padding < sum((b.source == PAD).sum() for b in unsorted) / sum(b.source.size for b in unsorted)


def no_padding(row):
    return row[row != PAD]


def test_batches_of_one_seed_are_the_same_and_of_another_are_not():
    examples = reversal(200, 0)
    first, same, other = (batches_by_length(examples, 16, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((a.source.shape == b.source.shape) and (a.source == b.source).all() for a, b in zip(first, same))
    assert any(a.source.shape != b.source.shape or (a.source != b.source).any() for a, b in zip(first, other))


def test_batches_without_rng_say_where_each_example_stands():
    examples = reversal(50, 0)
    found = {}
    for positions, batch in batches_by_length(examples, 8):
        for position, row in zip(positions, batch.source.T, strict=True):
            found[position] = [id for id in row.tolist() if id not in (PAD, END)]
    assert [found[i] for i in range(50)] == [example.source for example in examples]


# Optimisers


def test_clipping_keeps_the_direction_and_bounds_the_norm():
    grads = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert global_norm(grads) == 5
    assert clip_by_global_norm(grads, 1.0) == 5
    np.testing.assert_allclose(grads["a"], [0.6, 0], rtol=1e-5)
    before = {name: grad.copy() for name, grad in grads.items()}
    clip_by_global_norm(grads, 2.0)
    assert all((grads[name] == before[name]).all() for name in grads)


@pytest.mark.parametrize("optimiser", [SGD(0.1, momentum=0.9), Adam(0.1)], ids=["SGD", "Adam"])
def test_optimisers_find_the_bottom_of_a_bowl(optimiser):
    params = {"p": np.array([3.0, -2.0])}
    for _ in range(400):
        optimiser.update(params, {"p": params["p"] * np.array([1.0, 0.1])})
    np.testing.assert_allclose(params["p"], 0, atol=1e-3)


def test_optimisers_keep_float32():
    for optimiser in (SGD(0.1, momentum=0.9), Adam(0.1)):
        params = {"p": np.ones(3, dtype="float32")}
        optimiser.update(params, {"p": np.ones(3, dtype="float32")})
        assert params["p"].dtype == np.float32
        assert all(array.dtype == np.float32 for slots in optimiser.state.values() for array in slots.values())


def test_schedules():
    assert [warmup(4)(step) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1, 1]
    assert [halving(10, 5)(step) for step in (0, 9, 10, 14, 15, 20)] == [1, 1, 0.5, 0.5, 0.25, 0.125]
    assert [round(cosine(10, 0.1)(step), 6) for step in (0, 5, 10, 99)] == [1, 0.55, 0.1, 0.1]


# Learning


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("attention", "cell", "to_reach"),
    [("additive", "gru", 0.97), ("additive", "rnn", 0.9), ("none", "lstm", 0.8)],
    ids=["attention gru", "attention rnn", "plain lstm"],
)
def test_learns_to_reverse_sequences_it_has_not_seen(attention, cell, to_reach, seed):
    examples = reversal(1500, seed)
    order = np.random.default_rng(seed).permutation(len(examples))
    train, held_out = [examples[i] for i in order[:1300]], [examples[i] for i in order[1300:]]
    model = model_for(attention, hidden_size=48, seed=seed, cell=cell)
    trainer = Trainer(model, Adam(1e-2), batch_size=32, seed=seed)
    trainer.fit(train, held_out, epochs=16, good_enough=to_reach, report=lambda line: None)
    assert evaluate(model, held_out).exact >= to_reach


def test_scheduled_sampling_learns_too():
    examples = reversal(200, 0, longest=3)
    model = model_for()
    trainer = Trainer(model, Adam(1e-2), teacher_forcing=0.5, batch_size=32)
    trainer.fit(examples, examples, epochs=12, good_enough=0.95, report=lambda line: None)
    assert evaluate(model, examples).exact >= 0.95


def test_training_is_repeatable_and_the_seed_matters():
    def params(seed):
        model = model_for(dropout=0.2)
        Trainer(model, Adam(1e-2), teacher_forcing=0.7, seed=seed).train_epoch(reversal(100, 0))
        return model.params

    first, same, other = params(1), params(1), params(2)
    assert all((first[name] == same[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_evaluation_never_sees_the_target():
    """A model fed the target would be right about any; one that decodes is wrong about wrong ones."""
    examples = reversal(60, 0)
    model = model_for()
    Trainer(model, Adam(1e-2), batch_size=16).fit(examples, examples, epochs=40, report=lambda line: None)
    right = evaluate(model, examples).exact
    assert right > 0.5
    assert evaluate(model, [Example(e.source, [4] * len(e.target)) for e in examples]).exact < 0.2


def test_loss_per_token_weighs_by_tokens():
    examples = reversal(64, 0)
    model = model_for()
    whole = evaluate(model, examples, batch_size=64).loss
    assert abs(evaluate(model, examples, batch_size=3).loss - whole) < 1e-5


def test_a_loss_that_is_not_finite_stops_with_the_step_and_changes_nothing():
    model = model_for()
    trainer = Trainer(model)
    trainer.step(make_batch(reversal(8, 0)))
    model.params["decoder.output.b"][5] = np.nan
    before = {name: param.copy() for name, param in model.params.items()}
    with pytest.raises(FloatingPointError, match=r"step 2: the loss is nan and the gradient norm"):
        trainer.step(make_batch(reversal(8, 0)))
    assert all(np.array_equal(before[name], model.params[name], equal_nan=True) for name in before)
    assert trainer.steps == 1


def test_fit_leaves_the_best_parameters_and_stops_by_patience():
    examples = reversal(60, 0)
    model = model_for()
    trainer = Trainer(model, Adam(0.1), batch_size=16)  # steps so long that it loses what it had learned
    log = trainer.fit(examples, examples, epochs=50, patience=2, report=lambda line: None)
    best = min(log, key=lambda entry: (-entry["exact_match"], entry["valid_loss"]))
    assert len(log) < 50 and best is log[-3]
    assert best["valid_loss"] != log[-1]["valid_loss"]
    assert evaluate(model, examples) == (best["valid_loss"], best["exact_match"])


# Saved models


@pytest.fixture
def translator():
    pairs = [Pair("ab c", "c ba"), Pair("b", "b"), Pair("cab", "bac")]
    return Translator.untrained(pairs, "characters", "characters", embedding_size=4, hidden_size=5)


def test_a_saved_translator_says_the_same(translator, tmp_path):
    translator.save(tmp_path / "model.npz")
    loaded = Translator.load(tmp_path / "model.npz")
    texts = ["abc", "b", "c a"]
    for a, b in zip(translator.translate(texts, max_length=7), loaded.translate(texts, max_length=7), strict=True):
        assert a._replace(alphas=None) == b._replace(alphas=None)
        np.testing.assert_array_equal(a.alphas, b.alphas)
        assert a.alphas.shape == (len(a.target_tokens), len(a.source_tokens))
        np.testing.assert_allclose(a.alphas.sum(axis=1), 1, rtol=1e-5)
    assert translator.translate(["aXb"])[0].unknown == ["X"]


def test_a_model_of_another_configuration_is_refused_with_the_fields_that_differ(translator, tmp_path):
    translator.save(tmp_path / "model.npz")
    pairs = [Pair("ab c", "c ba"), Pair("b", "b"), Pair("cab", "bac")]
    same = Translator.untrained(pairs, "characters", "characters", seed=1, embedding_size=4, hidden_size=5)
    other = Translator.untrained(pairs, "characters", "words", embedding_size=4, hidden_size=6, cell="lstm")
    before = {name: param.copy() for name, param in other.model.params.items()}
    differ = r"config\.hidden_size is 5 in the file, 6 here; config\.cell is 'gru' in the file, 'lstm' here"
    with pytest.raises(ValueError, match=differ):
        other.restore(tmp_path / "model.npz")
    assert all((before[name] == other.model.params[name]).all() for name in before)
    same.restore(tmp_path / "model.npz")
    assert all((same.model.params[name] == param).all() for name, param in translator.model.params.items())


def test_a_damaged_file_is_refused_and_a_crash_keeps_the_old_one(translator, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    translator.save(path)
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged"):
            Translator.load(tmp_path / "cut.npz")
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with pytest.raises(ValueError, match="damaged"):
        Translator.load(tmp_path / "flipped.npz")

    def crash(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(KeyboardInterrupt):
        translator.save(path)
    assert path.read_bytes() == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.npz", "flipped.npz", "model.npz"]


# Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_says_how_far_it_is_without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    screen = Terminal()
    for item, show in progress("abc", "letters", every=0.0, file=screen):
        show(last=item)
    assert screen.getvalue().splitlines() == ["letters: 1/3  last a", "letters: 2/3  last b", "letters: 3/3  last c"]


@pytest.mark.parametrize("installed", [True, False])
def test_progress_writes_nothing_into_a_file(monkeypatch, installed):
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    file = io.StringIO()
    assert [item for item, _ in progress("abc", "letters", every=0.0, file=file)] == ["a", "b", "c"]
    assert file.getvalue() == ""
