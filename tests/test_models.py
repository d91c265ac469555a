"""The documents' models: every combination of parts is right, each model learns a task that fits it."""

from dataclasses import replace
from itertools import combinations, product

import laws
import numpy as np
import pytest

from minis2s.cases import model_case
from minis2s.data.batches import Example
from minis2s.data.signals import signals
from minis2s.evaluation import evaluate
from minis2s.models import Seq2Seq, Seq2SeqConfig, SignalConfig, SignalSeq2Seq, Tagger, TaggerConfig, document
from minis2s.models.documents import MODELS
from minis2s.models.seq2seq import ATTENTIONS, WITH_ATTENTION, WITHOUT_ATTENTION
from minis2s.nn import SoftmaxCrossEntropy
from minis2s.optim import Adam
from minis2s.signals import train_signals
from minis2s.training import Trainer

CELLS = ("rnn", "gru", "lstm")
CHOICES = (CELLS, (1, 2, 3), (False, True), ATTENTIONS, (*WITHOUT_ATTENTION, *WITH_ATTENTION))


def config_of(combination):
    return dict(zip(("cell", "layers", "bidirectional", "attention", "context"), combination, strict=True))


def fits(combination):
    """Attention and context belong together; a dot product needs queries of the source's size."""
    _, _, bidirectional, attention, context = combination
    if attention == "none" or context in WITHOUT_ATTENTION:
        return attention == "none" and context in WITHOUT_ATTENTION
    return attention != "dot" or not (bidirectional or context == "combined input")


def triples(combination):
    return set(combinations(enumerate(combination), 3))


def covering(fitting):
    """Combinations in which any three choices that fit together meet; always the one next that has most new ones."""
    missing, chosen = set().union(*map(triples, fitting)), []
    while missing:
        chosen.append(max(fitting, key=lambda combination: len(missing & triples(combination))))
        missing -= triples(chosen[-1])
    return chosen


COMBINATIONS = covering([combination for combination in product(*CHOICES) if fits(combination)])


def test_the_library_refuses_what_does_not_fit_and_nothing_else():
    for combination in product(("gru",), (1,), *CHOICES[2:]):
        case = model_case("", **config_of(combination))
        if fits(combination):
            case.build()
        else:
            with pytest.raises(ValueError, match=r"context|dot attention"):
                case.build()


@pytest.mark.parametrize("together", [2, 3])
def test_any_choices_that_fit_together_meet(together):
    for places in combinations(range(len(CHOICES)), together):
        met, fitting = (
            {tuple(combination[place] for place in places) for combination in found}
            for found in (COMBINATIONS, filter(fits, product(*CHOICES)))
        )
        assert met == fitting


@pytest.mark.parametrize(
    ("combination", "teacher_forcing"),
    [*product(COMBINATIONS, (1.0,)), *product(COMBINATIONS[::3], (0.5,))],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else f"forcing {value}",
)
def test_combination(combination, teacher_forcing):
    """Gradient check in a random direction for each parameter, with masks and a fixed dropout; padded = unpadded."""
    case = model_case("", teacher_forcing, lots=2, **config_of(combination))
    laws.gradients_equal_finite_differences(case)
    if teacher_forcing == 1:
        laws.padded_equals_unpadded(case)


@pytest.mark.parametrize("name", MODELS)
def test_document_builds_and_has_right_gradients(name):
    """Each of the documents' models, made small."""
    small = {"embedding_size": 5, "hidden_size": 4, "layers": min(2, MODELS[name].get("layers", 1)), "max_length": 5}
    config = document(name, 7, 6, **small)
    case = model_case("", lots=2)
    case = replace(case, make=lambda rng, dtype: Seq2Seq(config, rng, dtype))
    laws.gradients_equal_finite_differences(case)


def test_document_004_has_its_sizes_and_parameters():
    """PyTorch counts 17,606,416; of its two biases a gate only the sum matters, and is what stands here."""
    model = Seq2Seq(document("004"), np.random.default_rng(0))
    shapes = {name: param.shape for name, param in model.params.items()}
    assert shapes["encoder.embedding.W"] == shapes["decoder.embedding.W"] == (10_000, 256)
    assert shapes["encoder.rnn.layers.0.Wx"] == (256, 4 * 512) and shapes["encoder.rnn.layers.1.Wx"] == (512, 4 * 512)
    assert shapes["decoder.output.W"] == (512, 10_000)
    assert model.config.dropout == 0.5
    assert model.size + 4 * (4 * 512) == 17_606_416


# Learning.


def sequences(count, seed, reverse, longest=5, symbols=6):
    rng = np.random.default_rng(seed)
    found = set()
    while len(found) < count:
        found.add(tuple(4 + rng.integers(0, symbols, rng.integers(1, longest + 1))))
    ordered = [sorted(found)[i] for i in rng.permutation(count)]
    return [Example(list(map(int, s)), list(map(int, s[::-1] if reverse else s))) for s in ordered]


# Reversing is the easier task for a fixed vector, as Sutskever et al. (2014, §3.3) found: what was read last is written
# first. Attention by position cannot know where a reversal starts, but copies place t from place t.
COPIES = ("003 §5.3",)


@pytest.mark.parametrize("name", MODELS)
def test_document_learns(name):
    to_reach = 0.85
    plain_rnn = MODELS[name]["cell"] == "rnn"
    examples = sequences(1500, 0, reverse=name not in COPIES, longest=4 if plain_rnn else 5)
    train, held_out = examples[:1350], examples[1350:]
    config = document(name, 10, 10, embedding_size=24, hidden_size=48, dropout=0.0, max_length=7)
    model = Seq2Seq(config, np.random.default_rng(0))
    trainer = Trainer(model, Adam(3e-3 if plain_rnn else 1e-2), batch_size=32)
    trainer.fit(train, held_out, epochs=25, good_enough=to_reach, report=lambda line: None)
    assert evaluate(model, held_out).exact >= to_reach


@pytest.mark.parametrize("cell", CELLS)
def test_document_000_denoises_signals_it_has_not_seen(cell):
    """Better than its noisy source, and than predicting 0, with nothing but its own outputs to go on."""
    config = SignalConfig(input_size=1, hidden_size=32, output_size=1, cell=cell)
    _, scores = train_signals(config, signals(0, 2000), signals(1, 500), epochs=15)
    assert scores.free_running < 0.8 * scores.noisy
    assert scores.free_running < 0.25 * scores.zero


def test_document_000_at_its_own_sizes_continues_signals():
    config = document("000")
    assert (config.input_size, config.hidden_size, config.output_size) == (10, 20, 10)
    train, held_out = (signals(seed, 1500, "continue", length=6, channels=10, sines=1, noise=0.1) for seed in (0, 1))
    _, scores = train_signals(config, train, held_out, epochs=15)
    assert scores.free_running < 0.9 * scores.zero


@pytest.mark.parametrize("heads", [1, 4])
def test_self_attention_learns_to_reverse_in_one_look(heads):
    """002 §5: every position of the answer looks at the one position of the source that it needs."""
    rng = np.random.default_rng(0)
    T, V = 6, 12
    model = Tagger(TaggerConfig(V, V, size=32, heads=heads), rng)
    optimiser, loss = Adam(1e-2), SoftmaxCrossEntropy()
    for _ in range(300):
        source = rng.integers(1, V, (T, 64))
        model.zero_grad()
        (logits, _), cache = model.forward(source)
        _, loss_cache = loss.forward(logits, source[::-1])
        model.backward(loss.backward(1.0, loss_cache), None, cache)
        optimiser.update(model.params, model.grads)
    source = rng.integers(1, V, (T, 500))
    (logits, alphas), _ = model.forward(source)
    assert (logits.argmax(axis=2) == source[::-1]).mean() > 0.97
    if heads == 1:
        assert (alphas[:, 0].argmax(axis=2) == np.arange(T)[::-1]).mean() > 0.9


def test_signals_and_tags_do_not_depend_on_padding():
    rng = np.random.default_rng(0)
    lengths = np.array([2, 4, 1])
    model = SignalSeq2Seq(SignalConfig(3, 4, 2), rng, "float64")
    source = rng.standard_normal((4, 3, 3))
    padded = model.generate(source, 3, lengths)
    tagger = Tagger(TaggerConfig(9, 8, size=4, heads=2), rng, "float64")
    words = rng.integers(1, 9, (4, 3))
    (tags, _), _ = tagger.forward(words, lengths)
    for b, length in enumerate(lengths):
        row = slice(b, b + 1)
        np.testing.assert_allclose(model.generate(source[:length, row], 3), padded[:, row], rtol=1e-12)
        np.testing.assert_allclose(tagger.forward(words[:length, row])[0][0], tags[:length, row], rtol=1e-12)


# Bad configurations.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "magic"}, r"attention must be one of none, additive, dot.*'magic'"),
        ({"cell": "elman"}, r"cell must be one of rnn, lstm, gru; got 'elman'"),
        ({"context": "telepathy"}, r"context \(with attention 'additive'\) must be one of input, output.*'telepathy'"),
        ({"attention": "none", "context": "gate"}, r"context \(with attention 'none'\) must be one of state"),
        ({"attention": "dot", "bidirectional": True}, r"dot attention needs .* query_size 8 and source_size 16"),
        ({"attention": "position"}, r"attention 'position' needs max_length"),
        ({"attention": "none", "tied": True}, r"tied weights need features of the embedding's size 5, got 8"),
        ({"layers": 0}, r"layers must be a whole number above 0, got 0"),
        ({"hidden_size": -1}, r"hidden_size must be a whole number above 0, got -1"),
        ({"dropout": 1.0}, r"dropout.*1\.0"),
    ],
)
def test_a_config_whose_parts_do_not_fit_is_refused(changes, message):
    config = Seq2SeqConfig(**{"input_size": 7, "output_size": 6, "embedding_size": 5, "hidden_size": 8} | changes)
    with pytest.raises(ValueError, match=message):
        Seq2Seq(config, np.random.default_rng(0))


def test_heads_that_do_not_divide_the_size_are_refused():
    with pytest.raises(ValueError, match="heads must divide the size, got heads 3 and size 8"):
        Tagger(TaggerConfig(5, 5, size=8, heads=3), np.random.default_rng(0))


def test_an_unknown_document_lists_the_known():
    with pytest.raises(ValueError, match=r"name must be one of 000, 001, 002 §3"):
        document("005")


def test_printing_a_model_shows_layers_shapes_and_counts():
    shown = repr(Seq2Seq(document("004", 100, 90), np.random.default_rng(0)))
    assert "(encoder): Encoder(" in shown and "(layers.1): LSTM(Wx (512,2048), Wh (512,2048), b (2048,))" in shown
    assert "(output): Linear(W (512,90), b (90,))" in shown
    assert "parameters" in shown.splitlines()[0]
