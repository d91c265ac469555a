"""Decoding: greedy, beam and sampling, each held against an independent account of what it should find."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from strict_array import no_synchronisation, synchronisations, to_strict

from minis2s.data.vocabulary import END, PAD, START
from minis2s.decoding import beam_search, greedy, length_normaliser, sample
from minis2s.decoding.beam import largest
from minis2s.decoding.sampling import distribution, draw
from minis2s.functional import log_softmax
from minis2s.models import Seq2Seq, Seq2SeqConfig

S, B, V = 6, 5, 7
LENGTHS = np.array([6, 2, 4, 1, 5])
SOURCE = np.where(np.arange(S)[:, None] < LENGTHS, np.random.default_rng(5).integers(4, 9, (S, B)), PAD)
MODELS = [
    {"attention": attention, "cell": cell}
    for attention, cell in product(("none", "additive"), ("gru", "lstm"))
]
OTHERS = [  # every decoder, every kind of attention
    {"attention": "none", "cell": "rnn", "context": "every step"},
    {"attention": "none", "cell": "lstm", "context": "every step and output"},
    {"attention": "dot", "cell": "gru", "context": "output", "bidirectional": False},
    {"attention": "general", "cell": "lstm", "context": "output fed back"},
    {"attention": "position", "cell": "gru", "context": "combined input", "max_length": 9},
    {"attention": "concat", "cell": "lstm", "context": "gate"},
]


def over(models):
    return pytest.mark.parametrize(
        "options", models, ids=lambda options: " ".join(map(str, options.values()))
    )


over_models = over(MODELS)
over_all_models = over(MODELS + OTHERS)
DECODE = {
    "greedy": greedy,
    "beam": lambda *args, **kwargs: flat(beam_search(*args, width=4, n_best=3, length_penalty=0.7, **kwargs)),
    "sample": lambda *args, **kwargs: sample(*args, rng=np.random.default_rng(2), temperature=1.5, **kwargs),
    "top_k, top_p": lambda *args, **kwargs: sample(
        *args, rng=np.random.default_rng(3), top_k=4, top_p=0.9, **kwargs
    ),
}
over_ways = pytest.mark.parametrize("decode", DECODE.values(), ids=DECODE)


def build(options, dtype="float64", output_size=V, seed=0):
    """A random model with parameters so large that its distributions are peaked and varied."""
    config = Seq2SeqConfig(9, output_size, 5, 6, layers=2, **options)
    model = Seq2Seq(config, np.random.default_rng(seed), dtype)
    rng = np.random.default_rng(seed + 1)
    for param in model.params.values():
        param[...] = rng.standard_normal(param.shape)
    model.params["decoder.output.W"][...] *= 2
    return model


def flat(rows):
    return [hypothesis for row in rows for hypothesis in row]


def column(b):
    """Sentence b without its padding -> source (S_b,1), lengths (1,)"""
    return SOURCE[: LENGTHS[b], b : b + 1], LENGTHS[b : b + 1]


def teacher_forced(model, source, targets):
    """What the model makes of targets (T,N) for one source (S,1) -> log p (T,N,V), alphas (T,N,S) or None"""
    N = targets.shape[1]
    y = np.concatenate([np.full((1, N), START), targets[:-1]])
    (logits, alphas), _ = model.forward(np.repeat(source, N, axis=1), np.full(N, len(source)), y)
    return log_softmax(logits), alphas


def tokens(hypothesis):
    return (*hypothesis.ids, *[END] * hypothesis.finished)


def assert_same(found, expected, rtol=1e-12):
    assert [tokens(h) for h in found] == [tokens(h) for h in expected]
    np.testing.assert_allclose([h.score for h in found], [h.score for h in expected], rtol=rtol, atol=rtol)
    for h, e in zip(found, expected, strict=True):
        assert (h.alphas is None) == (e.alphas is None)
        if h.alphas is not None:
            np.testing.assert_allclose(h.alphas, e.alphas, rtol=rtol, atol=rtol)


def test_the_models_put_decoding_to_the_test():
    """Sentences of different lengths, finished and not: without them the laws below would say little."""
    found = [tokens(h) for options in MODELS for h in greedy(build(options), SOURCE, LENGTHS, max_length=10)]
    finished = [ids for ids in found if ids[-1] == END]
    assert len({len(ids) for ids in finished}) >= 3
    assert 3 <= len(finished) <= len(found) - 3
    assert len(set(found)) > 10


# What comes back is what the model says.


@over_all_models
@over_ways
def test_scores_and_attention_are_the_models_own(options, decode):
    model = build(options)
    found = decode(model, SOURCE, LENGTHS, max_length=10)
    for n, h in enumerate(found):
        b = n * B // len(found)
        targets = np.array([tokens(h)]).T
        log_p, alphas = teacher_forced(model, column(b)[0], targets)
        gains = log_p[range(len(targets)), 0, targets[:, 0]]
        np.testing.assert_allclose(h.score, gains.sum(), rtol=0, atol=1e-9)
        assert type(h.score) is float and all(type(id) is int for id in h.ids)
        assert len(targets) <= 10 and (h.finished or len(targets) == 10) and END not in h.ids
        if options["attention"] == "none":
            assert h.alphas is None
        else:
            assert h.alphas.shape == (len(targets), LENGTHS[b])
            np.testing.assert_allclose(h.alphas, alphas[:, 0], rtol=0, atol=1e-12)


@over_models
def test_greedy_takes_the_likeliest_token(options):
    model = build(options)
    for b, h in enumerate(greedy(model, SOURCE, LENGTHS, max_length=10)):
        log_p, _ = teacher_forced(model, column(b)[0], np.array([tokens(h)]).T)
        assert tuple(log_p[:, 0].argmax(axis=1)) == tokens(h)


# Beam search.


@over_models
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_width_1_is_greedy(options, length_penalty):
    model = build(options)
    rows = beam_search(model, SOURCE, LENGTHS, width=1, max_length=10, length_penalty=length_penalty)
    assert [len(row) for row in rows] == [1] * B
    assert_same(flat(rows), greedy(model, SOURCE, LENGTHS, max_length=10))


def every_sentence(size, max_length):
    """Every sentence of up to max_length tokens, and every beginning of that length."""
    words = [id for id in range(size) if id != END]
    for length in range(max_length):
        yield from ((*ids, END) for ids in product(words, repeat=length))
    yield from product(words, repeat=max_length)


@pytest.mark.parametrize("options", [MODELS[0], MODELS[3]], ids=["plain", "attention"])
@pytest.mark.parametrize("length_penalty", [0.0, 0.8])
def test_a_beam_wide_enough_is_exhaustive_search(options, length_penalty, size=5, max_length=4):
    model = build(options, output_size=size)
    width = size**max_length
    rows = beam_search(model, SOURCE, LENGTHS, width, max_length, length_penalty=length_penalty, n_best=width)
    sentences = list(every_sentence(size, max_length))
    for b in (0, 3):
        targets = np.array([(*ids, *[PAD] * (max_length - len(ids))) for ids in sentences]).T
        log_p, _ = teacher_forced(model, column(b)[0], targets)
        scores = [sum(log_p[t, n, id] for t, id in enumerate(ids)) for n, ids in enumerate(sentences)]
        ranks = [score / length_normaliser(len(ids), length_penalty) for score, ids in zip(scores, sentences)]
        order = sorted(range(len(sentences)), key=lambda n: (sentences[n][-1] == END, ranks[n]), reverse=True)
        assert [tokens(h) for h in rows[b]] == [sentences[n] for n in order]
        np.testing.assert_allclose([h.score for h in rows[b]], [scores[n] for n in order], rtol=0, atol=1e-9)
        np.testing.assert_allclose(np.exp([h.score for h in rows[b]]).sum(), 1, rtol=1e-12)
        best = beam_search(model, *column(b), width, max_length, length_penalty=length_penalty)
        assert_same(best[0], rows[b][:1])


def beam_search_by_the_book(model, source, width, max_length, length_penalty, n_best):
    """One sentence, one beam after another, every prefix read from its beginning, no step left out."""
    beams, finished = [((), 0.0)], []
    for _ in range(max_length):
        continued = []
        for ids, score in beams:
            log_p, _ = teacher_forced(model, source, np.array([(*ids, PAD)]).T)
            continued += [((*ids, id), score + log_p[-1, 0, id]) for id in range(V)]
        best = sorted(continued, key=lambda beam: beam[1], reverse=True)[:width]
        finished += [beam for beam in best if beam[0][-1] == END]
        beams = [beam for beam in best if beam[0][-1] != END]

    def rank(beam):
        return beam[1] / length_normaliser(len(beam[0]), length_penalty)

    return [*sorted(finished, key=rank, reverse=True), *sorted(beams, key=rank, reverse=True)][:n_best]


@over_models
@pytest.mark.parametrize(
    ("width", "length_penalty", "n_best"), [(2, 0.0, 1), (3, 0.6, 2), (5, 1.5, 1), (4, 0.0, 4)]
)
def test_beam_search_by_the_book(options, width, length_penalty, n_best):
    model = build(options)
    rows = beam_search(model, SOURCE, LENGTHS, width, 8, length_penalty, n_best)
    for b, row in enumerate(rows):
        expected = beam_search_by_the_book(model, column(b)[0], width, 8, length_penalty, n_best)
        assert [tokens(h) for h in row] == [ids for ids, _ in expected]
        scores = [score for _, score in expected]
        np.testing.assert_allclose([h.score for h in row], scores, rtol=0, atol=1e-9)


@over_models
def test_n_best_are_distinct_and_in_order(options):
    model = build(options)
    settings = {"width": 6, "max_length": 10, "length_penalty": 0.9}
    for few, row in zip(
        beam_search(model, SOURCE, LENGTHS, n_best=2, **settings),
        beam_search(model, SOURCE, LENGTHS, n_best=6, **settings),
        strict=True,
    ):
        assert len({tokens(h) for h in row}) == len(row) == 6
        ranks = [(h.finished, h.normalised(0.9)) for h in row]
        assert ranks == sorted(ranks, reverse=True)
        assert_same(few, row[:2])


class Chain:
    """A model whose next token depends on the last alone: p (V,V), one distribution a row."""

    def __init__(self, p):
        self.logits, self.decoder, self.steps = np.log(p), self, 0

    dtype = np.dtype("float64")

    def begin(self, source, lengths):
        return ((), None), None

    def select(self, memory, rows):
        return None

    def step(self, y, states, memory):
        self.steps += 1
        return self.logits[y], None, states


def chain(**rows):
    """p of <pad>, <start>, <end>, a, b after the named tokens; after any other <end> is all but certain."""
    p = np.full((5, 5), 1e-9)
    p[:, END] = 1
    for name, row in rows.items():
        p[["pad", "start", "end", "a", "b"].index(name)] = row
    return Chain(p / p.sum(axis=1, keepdims=True))


ONE = np.array([[4]])


def test_the_length_penalty_changes_the_order():
    """'a' has probability 0.5 and 'b a' 0.5 * 0.81: a large enough penalty turns the two round."""
    settings = {"width": 4, "max_length": 3, "n_best": 2}
    model = chain(start=[1e-12, 1e-12, 1e-12, 0.5, 0.5], b=[1e-12, 1e-12, 1e-12, 0.81, 0.19])
    ((first, second),) = beam_search(model, ONE, **settings)
    assert (first.ids, second.ids) == ([3], [4, 3])
    np.testing.assert_allclose([first.score, second.score], np.log([0.5, 0.405]), atol=1e-7)
    ((first, second),) = beam_search(model, ONE, length_penalty=2.0, **settings)
    assert (first.ids, second.ids) == ([4, 3], [3])
    np.testing.assert_allclose([first.score, second.score], np.log([0.405, 0.5]), atol=1e-7)
    np.testing.assert_allclose(first.normalised(2.0), np.log(0.405) / (8 / 6) ** 2, atol=1e-7)
    np.testing.assert_allclose(second.normalised(2.0), np.log(0.5) / (7 / 6) ** 2, atol=1e-7)


def test_no_beam_is_given_up_too_early():
    """<end> has 0.5 at once; 'b a' follows 'b' with certainty, and its 0.4 ranks higher in the end."""
    model = chain(start=[1e-12, 1e-12, 0.5, 0.1, 0.4], b=[1e-12, 1e-12, 1e-12, 1, 1e-12])
    ((best,),) = beam_search(model, ONE, width=3, max_length=3, length_penalty=2.0)
    assert best.ids == [4, 3] and best.finished
    ((best,),) = beam_search(model, ONE, width=3, max_length=3, length_penalty=0.5)
    assert best.ids == [] and best.finished


def test_a_beam_finds_what_greedy_misses():
    """Greedy takes 'a' for its 0.6 and must then share it out; 'b' is certain to end."""
    model = chain(start=[1e-12, 1e-12, 1e-12, 0.6, 0.4], a=[0.2, 0.2, 0.2, 0.2, 0.2])
    assert greedy(model, ONE, max_length=4)[0].ids != [4]
    ((best,),) = beam_search(model, ONE, width=2, max_length=4)
    assert best.ids == [4] and best.finished
    np.testing.assert_allclose(best.score, np.log(0.4), atol=1e-7)


def test_finished_come_before_unfinished():
    model = chain(start=[0.1, 0.15, 0.05, 0.3, 0.4])
    (row,) = beam_search(model, ONE, width=5, max_length=1, n_best=5)
    assert [tokens(h) for h in row] == [(END,), (4,), (3,), (START,), (PAD,)]
    assert [h.finished for h in row] == [True, False, False, False, False]
    (row,) = beam_search(model, ONE, width=9, max_length=1, n_best=9)
    assert len(row) == 5  # there are no more


def test_the_search_ends_where_nothing_can_be_gained():
    model = chain(start=[0.05, 0.05, 0.6, 0.1, 0.2])
    beam_search(model, ONE, width=3, max_length=1000)
    assert model.steps == 1
    model.steps = 0
    beam_search(model, ONE, width=3, max_length=1000, n_best=3)
    assert 2 <= model.steps <= 3


def test_no_token_is_forbidden():
    model = chain(start=[0.9, 0.05, 0.02, 0.02, 0.01], pad=[0.02, 0.9, 0.04, 0.02, 0.02])
    drawn = sample(model, ONE, rng=np.random.default_rng(0), top_p=0.5, max_length=2)
    likeliest = greedy(model, ONE, max_length=2)
    for (found,) in (likeliest, drawn, *beam_search(model, ONE, width=2, max_length=2)):
        assert found.ids == [PAD, START] and not found.finished
        np.testing.assert_allclose(found.score, np.log(0.9 * 0.9), atol=1e-7)


def test_largest():
    x = np.random.default_rng(0).integers(0, 6, (4, 20)).astype(float)
    x[0, :18] = -np.inf
    before = x.copy()
    values, places = largest(x, 7)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(places[1:], np.argsort(-x[1:], axis=1, kind="stable")[:, :7])
    np.testing.assert_array_equal(values, -np.sort(-x, axis=1)[:, :7])


# Sampling.


@over_models
@pytest.mark.parametrize("settings", [{"top_k": 1}, {"temperature": 1e-6}, {"top_p": 1e-9}], ids=str)
def test_the_narrowest_sampling_is_greedy(options, settings):
    model = build(options)
    found = sample(model, SOURCE, LENGTHS, rng=np.random.default_rng(0), max_length=10, **settings)
    assert_same(found, greedy(model, SOURCE, LENGTHS, max_length=10), rtol=0)


P = np.array([[0.1, 0.4, 0.05, 0.25, 0.2]])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        ({"temperature": 0.5}, [0.01, 0.16, 0.0025, 0.0625, 0.04]),
        ({"temperature": np.inf}, [1, 1, 1, 1, 1]),
        ({"top_k": 2}, [0, 0.4, 0, 0.25, 0]),
        ({"top_k": 99}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        ({"top_p": 0.3}, [0, 0.4, 0, 0, 0]),
        ({"top_p": 0.6}, [0, 0.4, 0, 0.25, 0]),
        ({"top_p": 0.7}, [0, 0.4, 0, 0.25, 0.2]),
        ({"top_p": 1}, [0.1, 0.4, 0.05, 0.25, 0.2]),
        ({"top_k": 2, "top_p": 0.6}, [0, 0.4, 0, 0, 0]),
        ({"temperature": 0.5, "top_p": 0.7}, [0, 0.16, 0, 0.0625, 0]),
    ],
    ids=str,
)
def test_distribution(settings, expected):
    """The temperature raises p to the power 1 / temperature; what is left is scaled up to sum to 1."""
    p = distribution(np.log(P) + 7.0, **settings)
    np.testing.assert_allclose(p[0], np.array(expected) / np.sum(expected), rtol=1e-12)


def test_of_equals_the_first_are_kept():
    np.testing.assert_array_equal(distribution(np.zeros((1, 4)), top_p=0.5), [[0.5, 0.5, 0, 0]])
    np.testing.assert_array_equal(distribution(np.zeros((1, 4)), top_k=2), [[0.5, 0.5, 0, 0]])


@pytest.mark.parametrize("settings", [{}, {"temperature": 2.0}, {"top_k": 3}, {"top_p": 0.8}], ids=str)
def test_frequencies_are_probabilities(settings, n=20_000):
    """The first token of one sentence, drawn many times at once: each count within 4 standard deviations."""
    model = build(MODELS[1], seed=4)
    source, lengths = np.repeat(column(0)[0], n, axis=1), np.full(n, LENGTHS[0])
    found = sample(model, source, lengths, rng=np.random.default_rng(1), max_length=1, **settings)
    counts = np.bincount([tokens(h)[0] for h in found], minlength=V)
    log_p, _ = teacher_forced(model, column(0)[0], np.array([[PAD]]))
    p = distribution(log_p[0], **settings)[0]
    assert (p > 0.02).sum() >= 3
    assert (np.abs(counts - n * p) <= 4 * np.sqrt(n * p * (1 - p))).all(), (counts, n * p)


def test_every_step_draws_anew(n=20_000):
    """Two tokens from a uniform distribution: all 4 * 5 pairs alike, each within 4 standard deviations."""
    found = sample(
        Chain(np.full((5, 5), 0.2)), np.full((1, n), 4), rng=np.random.default_rng(6), max_length=2
    )
    counts = Counter(tokens(h) for h in found)
    assert len(counts) == 1 + 4 * 5
    assert abs(counts.pop((END,)) - 0.2 * n) <= 4 * np.sqrt(n * 0.2 * 0.8)
    assert max(abs(count - 0.04 * n) for count in counts.values()) <= 4 * np.sqrt(n * 0.04 * 0.96)


def test_draw_inverts_the_distribution_function():
    p = np.array([[0.0, 0.25, 0.0, 0.5, 0.25, 0.0]])
    almost = 1 - 2.0**-24  # the largest that a float32 generator draws
    for u, expected in [(0.0, 1), (0.24, 1), (0.25, 3), (0.74, 3), (0.75, 4), (almost, 4)]:
        assert draw(p, np.array([u], dtype="float32")) == expected
        assert draw(p.astype("float32"), np.array([u], dtype="float32")) == expected


def test_a_batch_draws_what_its_rows_would_one_after_another():
    model, one_by_one, together = build(MODELS[3]), np.random.default_rng(8), np.random.default_rng(8)
    rows = [sample(model, *column(b), rng=one_by_one, max_length=10)[0] for b in range(B)]
    assert_same(sample(model, SOURCE, LENGTHS, rng=together, max_length=10), rows)
    assert one_by_one.bit_generator.state == together.bit_generator.state
    assert len({tokens(h) for h in rows}) > 1


# Rows, padding, dtype, devices.


@over_all_models
@pytest.mark.parametrize("decode", [DECODE["greedy"], DECODE["beam"]], ids=["greedy", "beam"])
def test_batched_is_one_by_one(options, decode):
    model = build(options)
    one_by_one = [h for b in range(B) for h in decode(model, *column(b), max_length=10)]
    assert_same(decode(model, SOURCE, LENGTHS, max_length=10), one_by_one)


@over_models
@over_ways
def test_padding_changes_nothing(options, decode):
    model = build(options)
    padded = np.concatenate([SOURCE, np.full((3, B), PAD)])
    assert_same(decode(model, padded, LENGTHS, max_length=10), decode(model, SOURCE, LENGTHS, max_length=10))


@over_ways
def test_without_lengths_all_of_the_source_is_read(decode):
    model = build(MODELS[3])
    full = np.full(B, S)
    assert_same(decode(model, SOURCE, max_length=10), decode(model, SOURCE, full, max_length=10))


@over_models
@over_ways
def test_float32(options, decode):
    expected = decode(build(options), SOURCE, LENGTHS, max_length=10)
    assert_same(decode(build(options, "float32"), SOURCE, LENGTHS, max_length=10), expected, rtol=2e-4)


@over_all_models
@over_ways
def test_equals_the_stand_in(options, decode):
    model = build(options)
    expected = decode(model, SOURCE, LENGTHS, max_length=10)
    for _, leaf in model.leaves():
        leaf.params = to_strict(leaf.params)
    before = synchronisations()
    found = decode(model, to_strict(SOURCE), LENGTHS, max_length=10)
    assert_same(found, expected)
    assert all(h.alphas is None or type(h.alphas) is np.ndarray for h in found)
    assert synchronisations() - before <= 10 + 4  # once a step, and the results


def test_distribution_and_draw_never_wait_for_the_device():
    logits, u = to_strict((np.log(P), np.array([0.5], dtype="float32")))
    with no_synchronisation():
        draw(distribution(logits, 0.7, top_k=3, top_p=0.9), u)
        largest(logits, 3)


@pytest.mark.gpu
@over_all_models
@over_ways
def test_equals_the_gpu(options, decode):
    cupy = pytest.importorskip("cupy")
    model = build(options)
    expected = decode(model, SOURCE, LENGTHS, max_length=10)
    found = decode(model.to("gpu"), cupy.asarray(SOURCE), LENGTHS, max_length=10)
    assert_same(found, expected, rtol=1e-9)


# Bad input.


@pytest.mark.parametrize(
    ("decode", "settings", "message"),
    [
        (greedy, {"max_length": 0}, "max_length must be a whole number above 0, got 0"),
        (beam_search, {"max_length": 0}, "max_length must be a whole number above 0, got 0"),
        (beam_search, {"width": 0}, "width must be a whole number above 0, got 0"),
        (beam_search, {"width": 2.5}, "width must be a whole number above 0, got 2.5"),
        (beam_search, {"n_best": 0}, "n_best must be a whole number above 0, got 0"),
        (beam_search, {"n_best": 6}, "n_best must be at most width, which is 5, got 6"),
        (beam_search, {"length_penalty": -0.1}, "length_penalty must be a number from 0 upwards, got -0.1"),
        (beam_search, {"length_penalty": np.nan}, "length_penalty must be a number from 0 upwards, got nan"),
        (sample, {"max_length": 0}, "max_length must be a whole number above 0, got 0"),
        (sample, {"temperature": 0}, "temperature must be at least 1e-06, got 0"),
        (sample, {"temperature": -1.0}, "temperature must be at least 1e-06, got -1.0"),
        (sample, {"temperature": np.nan}, "temperature must be at least 1e-06, got nan"),
        (sample, {"top_k": 0}, "top_k must be a whole number above 0, got 0"),
        (sample, {"top_p": 0}, "top_p must be above 0 and at most 1, got 0"),
        (sample, {"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
        (sample, {"rng": 7}, "rng must be a NumPy Generator"),
        (sample, {"rng": None}, "rng must be a NumPy Generator"),
    ],
)
def test_bad_input(decode, settings, message):
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    if decode is sample:
        settings = {"rng": rng} | settings
    model = build(MODELS[0])
    with pytest.raises(ValueError, match=f"^{message}"):
        decode(model, SOURCE, LENGTHS, **settings)
    assert rng.bit_generator.state == state
