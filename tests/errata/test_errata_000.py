"""Document 000 (繁), 編碼器-解碼器模型: its program and formulas as they run, the right version beside each."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exhibits are PyTorch programs: extra `torch`")

import exhibits  # noqa: E402

from minis2s.data.batches import Example, make_batch  # noqa: E402
from minis2s.evaluation import evaluate  # noqa: E402
from minis2s.functional import softmax  # noqa: E402
from minis2s.models import PlainDecoder, Seq2Seq, SignalSeq2Seq, document  # noqa: E402
from minis2s.nn import LSTM, MeanSquaredError  # noqa: E402
from minis2s.optim import Adam  # noqa: E402
from minis2s.training import Trainer  # noqa: E402

same_start = pytest.fixture(autouse=True)(exhibits.same_start)

SYMBOLS, WORDS = 10, range(4, 14)  # ids 0 to 3 are <pad>, <start>, <end>, <unk>


class EncoderDecoder(torch.nn.Module):
    """The document's sizes (input 10, hidden 20, batch first): two LSTMs and a linear layer."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.LSTM(10, 20, batch_first=True)
        self.decoder = torch.nn.LSTM(10, 20, batch_first=True)
        self.output = torch.nn.Linear(20, 10)

    def forward(self, source, fed):
        return self.continued(fed, self.encoder(source)[1])[0]

    def continued(self, fed, state):
        features, state = self.decoder(fed, state)
        return self.output(features), state

    def train_on(self, batches, feed, lr=0.01):
        """Adam on the mean squared error, the decoder fed with feed(target) -> the last loss"""
        optimiser = torch.optim.Adam(self.parameters(), lr)
        for source, target in batches:
            loss = mean_square(self(source, feed(target)) - target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return loss.item()


def mean_square(x):
    return (x**2).mean()


def noise(size):
    """A source and a target that have nothing to do with each other; the target's variance is 1."""
    return torch.randn(2, size, 3, 10)


def unshifted(target):
    return target


def shifted(target):
    """0 y_1 … y_{T-1}: the zeros stand for <start>, of which a continuous model has none."""
    return torch.cat([torch.zeros_like(target[:, :1]), target[:, :-1]], dim=1)


def random_pairs(rng, count):
    """Three words of source, three words of target, independent of each other."""
    return [Example(*rng.choice(WORDS, (2, 3)).tolist()) for _ in range(count)]


def word_model(attention="none"):
    name = "001" if attention == "none" else "003 §9 attention"
    config = document(name, 4 + SYMBOLS, 4 + SYMBOLS, embedding_size=16, hidden_size=32, cell="gru")
    return Seq2Seq(config, np.random.default_rng(0))


def signal_model_trained(draw, feed, steps):
    model = SignalSeq2Seq(document("000"), np.random.default_rng(0))
    optimiser, loss = Adam(0.01), MeanSquaredError()
    for _ in range(steps):
        source, target = draw()
        (outputs, _), cache = model.forward(source, None, feed(target))
        _, loss_cache = loss.forward(outputs, target)
        doutputs, _ = loss.backward(1.0, loss_cache)
        model.zero_grad()
        model.backward(doutputs, None, cache)
        optimiser.update(model.params, model.grads)
    return model


# PyTorch 實現: the target is the decoder's input, and the loss's target as well.


def test_an_unshifted_target_is_copied():
    """000, PyTorch 實現: `tgt` goes into the decoder and into the loss, both at the same place in time.

    So the answer to every question stands beside it, and the decoder learns to copy. On fresh noise, in which
    nothing can be predicted, its error is next to 0, and exactly as small when the source is zeroed: it never
    looks at it.
    """
    model = EncoderDecoder()
    model.train_on((noise(64) for _ in range(1000)), unshifted)
    source, target = noise(2000)
    error = mean_square(model(source, unshifted(target)) - target).item()
    blind = mean_square(model(torch.zeros_like(source), unshifted(target)) - target).item()
    assert error < 0.005  # 0.0024 here and 0.0016 somewhat later; 1 is what can honestly be had
    assert blind == pytest.approx(error, rel=0.05)


def test_a_shifted_target_cannot_be_copied():
    """000, PyTorch 實現, put right: fed 0 y_1 … y_{T-1}, the decoder has to predict y_1 … y_T.

    Of independent noise there is nothing to predict, and the error says so: the target's variance, 1. So in
    PyTorch, and so in minis2s; fed unshifted, minis2s copies as well: the fault is in what is fed.
    """
    model = EncoderDecoder()
    model.train_on((noise(64) for _ in range(300)), shifted)
    source, target = noise(2000)
    assert mean_square(model(source, shifted(target)) - target).item() == pytest.approx(1, abs=0.07)

    rng = np.random.default_rng(0)

    def draw(size=64):
        return rng.standard_normal((2, 3, size, 10)).astype("float32")

    def late(y):
        return np.concatenate([np.zeros_like(y[:1]), y[:-1]])

    source, target = draw(2000)
    errors = []
    for feed in (late, unshifted):
        ours = signal_model_trained(draw, feed, steps=600)
        (outputs, _), _ = ours.forward(source, None, feed(target))
        errors.append(float(mean_square(outputs - target)))
    assert errors[0] == pytest.approx(1, abs=0.07)
    assert errors[1] < 0.01


def test_words_are_shifted_by_make_batch():
    """000, PyTorch 實現, put right: with words, y is <start> y_1 … y_n, the targets are y_1 … y_n <end>.

    Where the target does not depend on the source, no model can be better than log 10 for each of 10 words,
    and minis2s is not; with y replaced by the targets its training loss falls to nothing, and it has learned
    nothing.
    """
    rng = np.random.default_rng(0)
    held_out = random_pairs(rng, 500)
    best = np.log(SYMBOLS) * 3 / 4  # three words to guess, then <end>, which can be known
    batch = make_batch(held_out)
    np.testing.assert_array_equal(batch.y[1:], batch.targets[:-1])

    honest, copying = Trainer(word_model(), Adam(0.01)), Trainer(word_model(), Adam(0.01))
    for _ in range(300):
        batch = make_batch(random_pairs(rng, 64))
        honest_loss = honest.step(batch).loss
        copied_loss = copying.step(batch._replace(y=batch.targets)).loss
    assert honest_loss == pytest.approx(best, abs=0.05)
    assert evaluate(honest.model, held_out).loss == pytest.approx(best, abs=0.05)
    assert copied_loss < 0.01
    assert evaluate(copying.model, held_out).loss > 2 * best


# PyTorch 實現: one batch of noise, and no loop that decodes.


def test_a_training_loss_of_0_is_no_output():
    """000, PyTorch 實現: the loop trains on one batch of noise, and the program ends before the model is used.

    Used as 基本架構 says, each output the next input, the model misses even the batch it was trained on, while
    its training loss is 0. It misses it about as far as predicting 0 always would: 0.75 against 1.04 in one
    run, and in sixteen runs 0.74 to 1.10 times as far.
    """
    model = EncoderDecoder()
    source, target = noise(5)
    assert model.train_on([(source, target)] * 500, unshifted) < 1e-9

    fed, state, outputs = torch.zeros(5, 1, 10), model.encoder(source)[1], []
    for _ in range(3):
        fed, state = model.continued(fed, state)
        outputs.append(fed)
    free_running = mean_square(torch.cat(outputs, dim=1) - target).item()
    assert 0.7 < free_running / mean_square(target).item() < 1.2


def test_held_out_data_and_decoding_show_what_was_learned():
    """000, PyTorch 實現, put right: `evaluate` decodes without the target, on data that were not trained on.

    Five pairs of noise can be learned by heart, and now they can be said by heart, since the target was
    shifted. On pairs never seen not one sentence is right and the loss is far above chance: that there was
    nothing to learn but these five is plain to see.
    """
    rng = np.random.default_rng(0)
    by_heart, held_out = random_pairs(rng, 5), random_pairs(rng, 200)
    trainer = Trainer(word_model("additive"), Adam(0.01))
    for _ in range(150):
        trainer.step(make_batch(by_heart))
    seen, unseen = evaluate(trainer.model, by_heart), evaluate(trainer.model, held_out)
    assert seen.loss < 0.01 and seen.exact == 1
    assert unseen.loss > np.log(SYMBOLS) and unseen.exact < 0.02


# PyTorch 實現: mean squared error on vectors, where 工作原理 and 數學公式 speak of words and of softmax.


def test_squared_error_says_a_word_that_nobody_said():
    """000, PyTorch 實現: g is a linear layer and the loss is nn.MSELoss; 數學公式 has a softmax in g, for words.

    What comes out is no distribution. And if words stood behind the vectors: let three of them lie at -1, 0
    and 1, and let the first and the third follow equally often. The squared error is least at their mean,
    which is the second: a word that never follows.
    """
    outputs = EncoderDecoder()(*noise(5))
    assert (outputs < 0).any()
    assert not torch.allclose(outputs.sum(dim=2), torch.ones(5, 3), atol=0.1)

    places = torch.tensor([-1.0, 0.0, 1.0])
    said = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([said], 0.1)
    for _ in range(200):
        followed = places[torch.randint(0, 2, (64,)) * 2]  # the first or the third, never the second
        optimiser.zero_grad()
        mean_square(said - followed).backward()
        optimiser.step()
    assert (said - places).abs().argmin().item() == 1


def test_cross_entropy_for_words():
    """000, 數學公式, put right: embedding, softmax and cross-entropy say both words and not the third."""
    first, second, third = 4, 5, 6
    rng = np.random.default_rng(0)
    model = word_model()
    trainer = Trainer(model, Adam(0.02))
    for _ in range(100):
        trainer.step(make_batch([Example([4], [word]) for word in rng.choice([first, third], 64).tolist()]))
    batch = make_batch([Example([4], [first])])
    (logits, _), _ = model.forward(batch.source, batch.source_lengths, batch.y)
    p = softmax(logits[0, 0])
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert p[[first, third]] == pytest.approx([0.5, 0.5], abs=0.15)
    assert p[second] < 0.02


def test_squared_error_for_signals():
    """000, PyTorch 實現, put right: squared error is for signals, in which nearly right is nearly right.

    Six points of a sine of unknown phase, then the next six: on phases that it has never met the free-running
    model leaves less than a thousandth of the variance unexplained.
    """
    rng = np.random.default_rng(0)
    waves = np.linspace(0.4, 1.0, 10)  # ten channels, each with a frequency of its own

    def draw(size=64):
        phase = rng.uniform(0, 2 * np.pi, (1, size, 1))
        x = np.sin(waves * np.arange(12)[:, None, None] + phase).astype("float32")
        return x[:6], x[6:]

    def late(y):
        return np.concatenate([np.zeros_like(y[:1]), y[:-1]])

    model = signal_model_trained(draw, late, steps=600)
    source, target = draw(500)
    error = mean_square(model.generate(source, steps=6) - target)
    assert error < 0.001 * target.var()


# 優勢: sequences of any length.


def test_padding_moves_the_state():
    """000, 優勢: variable length is claimed, and no length is used; so shorter rows have to be padded.

    The encoder reads the padding as if it were input: three zero vectors after three real ones move h by
    three quarters of its length (75% on average, give or take 7%).
    """
    shares = []
    for seed in range(10):
        torch.manual_seed(seed)
        encoder, source = torch.nn.LSTM(10, 20, batch_first=True), torch.randn(5, 3, 10)
        _, (h, _) = encoder(source)
        _, (h_padded, _) = encoder(torch.cat([source, torch.zeros(5, 3, 10)], dim=1))
        shares.append(exhibits.moved(h_padded, h))
    assert np.mean(shares) == pytest.approx(0.75, abs=0.06)
    assert min(shares) > 0.5


def test_lengths_leave_the_state_alone():
    """000, 優勢, put right: with `lengths` a row's state is carried over its padding, and moves by 0%."""
    rng = np.random.default_rng(0)
    encoder = LSTM(10, 20, rng)
    x = rng.standard_normal((6, 5, 10)).astype("float32")
    short = np.full(5, 3)
    (_, (h, c)), _ = encoder.forward(x[:3])
    (hs, (h_padded, c_padded)), _ = encoder.forward(x, lengths=short)
    np.testing.assert_array_equal(h_padded, hs[2])
    np.testing.assert_allclose(h_padded, h, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(c_padded, c, rtol=1e-6, atol=1e-7)


# 數學公式: h'_1 = h_T and y_t = g(h'_t).


def test_the_formula_says_one_output_for_ever():
    """000, 數學公式: h'_1 = h_T and y_t = g(h'_t) are given, but not what makes h'_2 of h'_1.

    With these equations alone the state stays h_T, so every output is the same, and no output is ever an
    input, as 基本架構 says it should be.
    """
    encoder, g = torch.nn.LSTM(10, 20), torch.nn.Linear(20, 10)
    _, (h_T, _) = encoder(torch.randn(3, 5, 10))
    h_dash = h_T[0]
    ys = [g(h_dash) for _ in range(4)]
    assert all(torch.equal(y, ys[0]) for y in ys[1:])


def test_the_update_that_is_missing():
    """000, 數學公式, put right: h'_0 = h_T, h'_t = f(y_{t-1}, h'_{t-1}), y_t from g(h'_t), beside minis2s.

    The outputs now differ from step to step, and y_1 bears upon all that comes after it.
    """
    rng = np.random.default_rng(0)
    decoder = PlainDecoder(12, 5, 4, rng, dtype="float64", cell="rnn")
    h_T, y = rng.standard_normal((3, 4)), rng.integers(4, 12, (6, 3))
    (logits, _), _ = decoder.forward(y, ((h_T,),))

    f, g, E = decoder.rnn.layers[0].params, decoder.output.params, decoder.embedding.params["W"]
    h_dash = h_T
    for t in range(6):
        h_dash = np.tanh(E[y[t]] @ f["Wx"] + h_dash @ f["Wh"] + f["b"])
        np.testing.assert_allclose(logits[t], h_dash @ g["W"] + g["b"], rtol=1e-12)

    other = y.copy()
    other[1] = 4 + (y[1] - 3) % 8
    (others, _), _ = decoder.forward(other, ((h_T,),))
    np.testing.assert_array_equal(np.abs(others - logits).max(axis=(1, 2)) > 0, [False] + [True] * 5)
