"""Document 001 (繁), 編碼器-解碼器架構: its equations taken at their word, and the right version beside each.

The document has no program. What is run here is each equation as it stands, with nothing added.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exhibits are PyTorch programs: extra `torch`")

import exhibits  # noqa: E402

from minis2s.data.vocabulary import END, START  # noqa: E402
from minis2s.decoding import greedy  # noqa: E402
from minis2s.functional import softmax  # noqa: E402
from minis2s.models import Seq2Seq, document  # noqa: E402
from minis2s.nn import LSTM, RNN, AdditiveAttention, DotAttention  # noqa: E402

same_start = pytest.fixture(autouse=True)(exhibits.same_start)

V, H = 12, 8


def affine(inputs, outputs):
    """W and b of one of the document's equations, as a function of [.. , ..]."""
    layer = torch.nn.Linear(inputs, outputs)
    return lambda *parts: layer(torch.cat(parts, dim=-1))


def model_of(name="001", **changes):
    config = document(name, V, V, embedding_size=5, hidden_size=H, **changes)
    return Seq2Seq(config, np.random.default_rng(0), "float64")


def words(rng, *shape):
    return rng.integers(4, V, shape)


# 2. 解碼器: what the decoder's equations do not mention.


def test_the_source_never_reaches_the_decoder():
    """001, 2. 解碼器: the text has the output come from the context vector; the equations never mention h_T.

    Nor is h^dec_0 given. If it starts from 0, as the encoder does in 1. 編碼器, two sources have one and the
    same translation.
    """
    f_encoder, f_decoder, out = affine(H + V, H), affine(H + V, H), affine(H, V)

    def translate(source):
        h = torch.zeros(H)
        for x in source:
            h = torch.tanh(f_encoder(h, x))
        # Here h is h_T, the context vector; no equation of 2. 解碼器 reads it.
        h_dec, y, ys = torch.zeros(H), torch.zeros(V), []
        for _ in range(4):
            h_dec = torch.tanh(f_decoder(h_dec, y))
            y = torch.softmax(out(h_dec), dim=-1)
            ys.append(y)
        return torch.stack(ys)

    one, other = torch.eye(V)[[4, 5, 6]], torch.eye(V)[[9, 8, 7]]
    assert torch.equal(translate(one), translate(other))


def test_the_decoder_begins_where_the_encoder_ended():
    """001, 2. 解碼器, put right: h^dec_0 = h_T, and every step's output depends on the source."""
    rng = np.random.default_rng(0)
    model, y = model_of(), words(rng, 4, 1)
    one, other = words(rng, 3, 1), words(rng, 3, 1)
    (hs, states), _ = model.encode(one)
    np.testing.assert_array_equal(states[0][0], hs[-1])
    (logits, _), _ = model.forward(one, None, y)
    (others, _), _ = model.forward(other, None, y)
    assert (np.abs(logits - others).max(axis=(1, 2)) > 1e-6).all()


def test_the_encoders_state_in_the_decoders_place():
    """001, 2. 解碼器: item 1 names the decoder's input state h_t, which 1. 編碼器 has given to the encoder.

    Item 2 has h^dec_{t-1}, and means it. Whoever builds item 1 reads the encoder's states in step with the
    output, and stands before an IndexError as soon as the output is longer than the source.
    """
    hs, f = torch.randn(3, H), affine(H + V, H)
    y = torch.zeros(V)
    with pytest.raises(IndexError, match="index 3 is out of bounds for dimension 0 with size 3"):
        for t in range(5):
            torch.tanh(f(hs[t], y))


@pytest.mark.parametrize("T", [1, 3, 9])
def test_the_decoders_own_state(T):
    """001, 2. 解碼器, put right: s_t = f(W [s_{t-1}, y_{t-1}] + b), for any lengths of source and target."""
    rng = np.random.default_rng(0)
    model, source, y = model_of(), words(rng, 3, 2), words(rng, T, 2)
    (logits, _), _ = model.forward(source, None, y)
    (states, memory), _ = model.begin(source)
    for t in range(T):
        step_logits, _, states = model.decoder.step(y[t], states, memory)
        np.testing.assert_allclose(step_logits, logits[t], rtol=1e-12)


def test_nothing_begins_and_nothing_ends():
    """001, 2. 解碼器: h^dec_1 needs y_0, of which nothing is said; and no word means "that was all".

    With a y_0 of our own the recursion runs on for as long as one likes: each y_t is a distribution over
    words that sums to 1, so there always is a next word.
    """
    f, out = affine(H + V, H), affine(H, V)
    h, y = torch.zeros(H), torch.zeros(V)
    with torch.no_grad():
        for _ in range(1000):
            h = torch.tanh(f(h, y))
            y = torch.softmax(out(h), dim=-1)
    assert y.sum().item() == pytest.approx(1, abs=1e-5)


def test_start_and_end_are_words():
    """001, 2. 解碼器, put right: y_0 is <start>, and decoding is over when <end> is the likeliest word."""
    rng = np.random.default_rng(0)
    model, source = model_of(), words(rng, 3, 2)
    bias = model.params["decoder.output.b"]

    bias[END] = -100  # never <end>: only max_length can stop it
    unending = greedy(model, source, max_length=50)
    assert [(len(h.ids), h.finished) for h in unending] == [(50, False)] * 2
    (logits, _), _ = model.forward(source, None, np.full((1, 2), START))
    assert [h.ids[0] for h in unending] == logits[0].argmax(axis=1).tolist()  # the first input was <start>

    bias[END] = 100
    assert [(h.ids, h.finished) for h in greedy(model, source, max_length=50)] == [([], True)] * 2


def test_y_is_a_distribution_and_a_word():
    """001, 2. 解碼器: y_t = softmax(...) is a distribution; in the same item y_t is also the chosen word.

    It makes a difference which of the two is y_{t-1} in the next step's equation.
    """
    f, out = affine(H + V, H), affine(H, V)
    y = torch.softmax(out(torch.randn(H)), dim=-1)
    word = torch.eye(V)[y.argmax()]
    h = torch.randn(H)
    assert exhibits.moved(torch.tanh(f(h, word)), torch.tanh(f(h, y))) > 0.05


def test_logits_and_words_have_their_own_names():
    """001, 2. 解碼器, put right: `logits` make a distribution, `y` are ids of words, and only words are fed."""
    rng = np.random.default_rng(0)
    model, source = model_of(), words(rng, 3, 2)
    (logits, _), _ = model.forward(source, None, words(rng, 4, 2))
    distribution = softmax(logits)
    np.testing.assert_allclose(distribution.sum(axis=2), 1, rtol=1e-12)
    with pytest.raises(ValueError, match="y must hold whole numbers, got dtype float64"):
        model.forward(source, None, distribution[:, :, 0])


# 1. 編碼器: f.


def test_an_activation_alone_makes_no_lstm():
    """001, 1. 編碼器: f is called an activation, while RNN, LSTM and GRU are all named as what may stand there.

    An activation is a function of W [h_{t-1}, x_t] + b alone. For nn.RNN it is: tanh. For nn.LSTM it cannot
    be: two states with the same h_{t-1} that read the same x_t come to different h_t, because their cells
    c_{t-1} differ.
    """
    x, h = torch.randn(1, 1, V), torch.randn(1, 1, H)
    rnn = torch.nn.RNN(V, H)
    W = torch.cat([rnn.weight_hh_l0, rnn.weight_ih_l0], dim=1)
    b = rnn.bias_hh_l0 + rnn.bias_ih_l0
    expected = torch.tanh(W @ torch.cat([h[0, 0], x[0, 0]]) + b)
    torch.testing.assert_close(rnn(x, h)[0][0, 0], expected)

    lstm = torch.nn.LSTM(V, H)
    after = [lstm(x, (h, c))[0] for c in (torch.zeros(1, 1, H), torch.ones(1, 1, H))]
    assert exhibits.moved(after[1], after[0]) > 0.5


def test_f_is_a_cell():
    """001, 1. 編碼器, put right: f is a cell. RNN's is tanh of (1.1), LSTM's has a second state, c."""
    rng = np.random.default_rng(0)
    x, h = rng.standard_normal((1, 1, V)), rng.standard_normal((1, H))
    rnn, lstm = (layer(V, H, rng, dtype="float64") for layer in (RNN, LSTM))
    W, b = np.concatenate([rnn.params["Wh"], rnn.params["Wx"]]), rnn.params["b"]
    (hs, _), _ = rnn.forward(x, (h,))
    np.testing.assert_allclose(hs[0, 0], np.tanh(np.concatenate([h[0], x[0, 0]]) @ W + b), rtol=1e-12)

    assert (RNN.states, LSTM.states) == (("h",), ("h", "c"))
    with pytest.raises(ValueError, match=r"state0 must be a tuple \(h, c\)"):
        lstm.forward(x, (h,))


# 4. 注意力機制: words, and no equations.


def test_the_words_fit_more_than_one_attention():
    """001, 4. 注意力機制: weights decide how much each encoder state counts; no equation says how they are found.

    The words are true of softmax(s . h_i) and of softmax(v . tanh(W s + U h_i)); the two look at different
    places.
    """
    s, hs = torch.randn(H), torch.randn(6, H)
    W, U, v = torch.randn(H, H), torch.randn(H, H), torch.randn(H)
    dot = torch.softmax(hs @ s, dim=0)
    additive = torch.softmax(torch.tanh(s @ W + hs @ U) @ v, dim=0)
    for alpha in (dot, additive):
        assert alpha.sum().item() == pytest.approx(1, abs=1e-6)
    assert (dot - additive).abs().sum().item() > 0.5


def test_attention_in_equations():
    """001, 4. 注意力機制, put right: score, softmax over the source, weighted sum, written out beside minis2s."""
    rng = np.random.default_rng(0)
    s, hs = rng.standard_normal((1, 2, H)), rng.standard_normal((6, 2, H))
    additive = AdditiveAttention(H, H, 5, rng, "float64")
    P = additive.params
    scores = {
        additive: np.tanh(s @ P["W"] + hs @ P["U"] + P["b"]) @ P["v"],  # (S,B)
        DotAttention(H, H): (s * hs).sum(axis=2),
    }
    for attention, e in scores.items():
        (contexts, alphas), _ = attention.forward(s, hs)
        alpha = np.exp(e) / np.exp(e).sum(axis=0)
        np.testing.assert_allclose(alphas[0], alpha.T, rtol=1e-10)
        np.testing.assert_allclose(contexts[0], (alpha[:, :, None] * hs).sum(axis=0), rtol=1e-10)
