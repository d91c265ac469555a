"""Document 003 (简), 编码器-解码器架构: its code as it runs, and the right version beside each."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exhibits are PyTorch programs: extra `torch`")

import exhibits  # noqa: E402

from minis2s.functional import log_softmax, softmax  # noqa: E402
from minis2s.models import Encoder, Seq2Seq, document  # noqa: E402
from minis2s.nn import AdditiveAttention, PositionAttention, SoftmaxCrossEntropy  # noqa: E402

same_start = pytest.fixture(autouse=True)(exhibits.same_start)

V, H, MAX_LENGTH = 30, 16, 10
cross_entropy = torch.nn.functional.cross_entropy


class OneTokenEncoder(torch.nn.Module):
    """5.1: whatever was embedded is seen as one step of one example."""

    def __init__(self):
        super().__init__()
        self.embedding, self.rnn = torch.nn.Embedding(V, H), torch.nn.LSTM(H, H)

    def forward(self, ids):
        return self.rnn(self.embedding(ids).view(1, 1, -1))


class PositionWeights(torch.nn.Module):
    """5.3: max_length weights, by a linear layer of the input word and the state; hs only takes them."""

    def __init__(self, size=H):
        super().__init__()
        self.score = torch.nn.Linear(2 * size, MAX_LENGTH)

    def forward(self, word, state, hs):
        alphas = torch.softmax(self.score(torch.cat([word, state], dim=1)), dim=1)
        return torch.bmm(alphas[None], hs[None])[0], alphas


def model_of(name, **changes):
    config = document(name, V, V, embedding_size=7, hidden_size=H, **changes)
    return Seq2Seq(config, np.random.default_rng(0), "float64")


def words(rng, *shape):
    return rng.integers(4, V, shape)


# 5.1 编码器实现


@pytest.mark.parametrize(
    ("ids", "got"), [([1, 2, 3, 4, 5], 5 * H), ([[1, 2]], 2 * H)], ids=["five tokens", "a batch of two"]
)
def test_one_token_of_one_sentence(ids, got):
    """003, 5.1: view(1, 1, -1) makes one long vector of all that was embedded; only single tokens fit.

    Five tokens are "Expected 16, got 80", a batch of two "got 32". With single tokens it runs, one call each.
    """
    encoder = OneTokenEncoder()
    assert encoder(torch.tensor([1]))[0].shape == (1, 1, H)
    with pytest.raises(RuntimeError, match=f"Expected {H}, got {got}"):
        encoder(torch.tensor(ids))


def test_sentences_side_by_side():
    """003, 5.1, put right: ids (T,B) are embedded to (T,B,E) and read at once, as token by token."""
    rng = np.random.default_rng(0)
    encoder, source = Encoder(V, 7, H, rng, cell="lstm", dtype="float64"), words(rng, 5, 2)
    (hs, states), _ = encoder.forward(source)
    assert hs.shape == (5, 2, H)
    state = None
    for t in range(5):
        x, _ = encoder.embedding.forward(source[t : t + 1])
        (h, state), _ = encoder.rnn.forward(x, state)
        np.testing.assert_allclose(h[0], hs[t], rtol=1e-10)
    np.testing.assert_allclose(state[0][1], states[0][1], rtol=1e-10)


# 5.2 解码器实现, 5.3 注意力机制实现


@pytest.mark.parametrize("call", ["relu", "softmax"])
def test_a_name_that_was_not_imported(call):
    """003, 5.2 and 5.3: F.relu and F.softmax are called; 5.1 imports torch and nn, and nothing imports F.

    Python looks for the name when the line is run, so the classes can be defined and the models built: it is
    the first forward that fails.
    """
    namespace = {}
    exec("import torch\nimport torch.nn as nn", namespace)
    exec(f"class Decoder(nn.Module):\n    def forward(self, x):\n        return F.{call}(x)", namespace)
    decoder = namespace["Decoder"]()
    with pytest.raises(NameError, match="name 'F' is not defined"):
        decoder(torch.zeros(1, H))


def test_every_name_is_imported():
    """003, 5.2 and 5.3, put right: the same two decoders in minis2s, from an empty namespace."""
    snippet = """
import numpy as np
from minis2s.models import Seq2Seq, document

source, y, rng = np.full((5, 2), 4), np.full((3, 2), 4), np.random.default_rng(0)
shapes = []
for config in (document("003 §9 direct", 30, 30), document("003 §5.3", 30, 30, max_length=10)):
    (logits, alphas), _ = Seq2Seq(config, rng).forward(source, None, y)
    shapes.append((logits.shape, None if alphas is None else alphas.shape))
"""
    namespace = {}
    exec(snippet, namespace)
    assert namespace["shapes"] == [((3, 2, 30), None), ((3, 2, 30), (3, 2, 5))]


def test_a_softmax_before_the_cross_entropy():
    """003, 5.2: the output is log_softmax. Followed by cross-entropy, which takes its own, nothing changes.

    log_softmax of log_softmax is log_softmax, so this is harmless. A softmax in its place, as 4.2 writes it,
    is not: a distribution is between 0 and 1, and the softmax of that is nearly flat. The perfect answer, 1
    for the target and 0 for all else, still costs log(1 + 29 / e) = 2.457 of the log 30 = 3.401 that knowing
    nothing costs.
    """
    logits, targets = torch.randn(5, V), torch.arange(5)
    once = cross_entropy(logits, targets)
    torch.testing.assert_close(cross_entropy(logits.log_softmax(dim=1), targets), once)
    perfect = torch.eye(V)[:5]
    assert cross_entropy(perfect, targets).item() == pytest.approx(2.457, abs=5e-4)
    assert np.log(1 + 29 / np.e) == pytest.approx(2.457, abs=5e-4)
    assert cross_entropy(torch.zeros(5, V), targets).item() == pytest.approx(3.401, abs=5e-4)


def test_logits_before_the_cross_entropy():
    """003, 5.2, put right: SoftmaxCrossEntropy is given logits, and the perfect answer costs nothing.

    What is harmless in PyTorch is so here, and what is not, is not.
    """
    loss, rng = SoftmaxCrossEntropy(), np.random.default_rng(0)
    logits, targets = rng.standard_normal((5, V)), np.arange(5)
    certain = 100 * np.eye(V)[:5]
    assert loss.forward(certain, targets)[0] < 1e-12
    once, _ = loss.forward(logits, targets)
    assert loss.forward(log_softmax(logits), targets)[0] == pytest.approx(once, rel=1e-12)
    assert loss.forward(softmax(certain), targets)[0] == pytest.approx(2.457, abs=5e-4)


# 3.1 编码器操作步骤: 如LSTM、GRU


def test_a_gru_in_the_place_of_the_lstm():
    """003, 3.1: a GRU may stand where the code of 5 has an LSTM; two places there know which of them it is.

    initHidden makes the pair (h, c), which a GRU does not take. And 5.3 looks at hidden[0][0]: of the pair that is
    h, (1,H), of a GRU's one tensor a vector.
    """
    gru, word = torch.nn.GRU(H, H), torch.randn(1, 1, H)
    zeros = torch.zeros(1, 1, H)
    with pytest.raises(AttributeError, match="'tuple' object has no attribute 'dim'"):
        gru(word, (zeros, zeros))
    _, hidden = gru(word, zeros)
    with pytest.raises(RuntimeError, match="same number of dimensions: got 2 and 1"):
        torch.cat((word[0], hidden[0][0]), 1)
    assert torch.cat((word[0], hidden[0]), 1).shape == (1, 2 * H)


def test_either_cell_in_the_same_place():
    """003, 3.1, put right: a layer's state is a tuple that begins with h, whatever the cell."""
    rng = np.random.default_rng(0)
    for cell in ("rnn", "gru", "lstm"):
        (logits, _), _ = model_of("003 §5.3", cell=cell, max_length=5).forward(words(rng, 5, 2), None, words(rng, 3, 2))
        assert logits.shape == (3, 2, V)


# 5.3 注意力机制实现, beside 4.3 注意力机制数学模型


def test_attention_that_does_not_look():
    """003, 5.3: 4.3 has e = a(s, h_i); the code has one weight a position, from the word and the state.

    h_i is not asked. Whatever the encoder says, the weights are the same to the last bit. And there are
    always max_length of them: a source of 5 where max_length is 10 is a shape error.
    """
    attend = PositionWeights()
    word, state = torch.randn(1, H), torch.randn(1, H)
    _, alphas = attend(word, state, torch.randn(MAX_LENGTH, H))
    _, others = attend(word, state, 100 * torch.randn(MAX_LENGTH, H))
    assert torch.equal(alphas, others)
    with pytest.raises(RuntimeError, match=r"Expected size .* \[1, 10\] but got: \[1, 5\]"):
        attend(word, state, torch.randn(5, H))


def test_attention_that_looks():
    """003, 4.3, put right: e = a(s, h_i), for a source of any length, and other h_i have other weights.

    minis2s has the attention of 5.3 as well, under the name of what it is, cut to the source's length: there
    too no weight depends on h_i.
    """
    rng = np.random.default_rng(0)
    s = rng.standard_normal((1, 2, H))
    additive = AdditiveAttention(H, H, 8, rng, "float64")
    position = PositionAttention(H, H, MAX_LENGTH, rng, "float64")
    for S in (5, 10, 23):
        hs = rng.standard_normal((S, 2, H))
        (_, alphas), _ = additive.forward(s, hs)
        (_, others), _ = additive.forward(s, hs[::-1].copy())
        assert alphas.shape == (1, 2, S)
        np.testing.assert_allclose(others, alphas[:, :, ::-1], rtol=1e-12)  # weights go where the states go
        assert np.abs(others - alphas).max() > 0.01
    hs = rng.standard_normal((5, 2, H))
    (_, alphas), _ = position.forward(s, hs)
    (_, others), _ = position.forward(s, hs[::-1].copy())
    np.testing.assert_array_equal(others, alphas)


def test_weight_on_padding():
    """003, 5.3: shorter sources are filled up with rows of zeros, and the softmax knows nothing of that.

    Before training every row gets about the same, so of ten rows the four that are padding get about four
    tenths of the weight: 38.5% in one draw, 39% on average, give or take 8%.
    """
    shares = []
    for seed in range(50):
        torch.manual_seed(seed)
        hs = torch.cat([torch.randn(6, H), torch.zeros(4, H)])
        _, alphas = PositionWeights()(torch.randn(1, H), torch.tanh(torch.randn(1, H)), hs)
        shares.append(alphas[0, 6:].sum().item())
    assert np.mean(shares) == pytest.approx(0.39, abs=0.03)
    assert min(shares) < 0.385 < max(shares)


@pytest.mark.parametrize("kind", ["additive", "position"])
def test_no_weight_on_padding(kind):
    """003, 5.3, put right: with `lengths` padding has weight 0, exactly; the real rows share the whole."""
    rng = np.random.default_rng(0)
    if kind == "additive":
        attention = AdditiveAttention(H, H, 8, rng, "float64")
    else:
        attention = PositionAttention(H, H, MAX_LENGTH, rng, "float64")
    s, hs = rng.standard_normal((1, 2, H)), rng.standard_normal((10, 2, H))
    (_, alphas), _ = attention.forward(s, hs, lengths=np.array([6, 10]))
    assert (alphas[0, 0, 6:] == 0).all() and (alphas[0, 1] > 0).all()
    np.testing.assert_allclose(alphas.sum(axis=2), 1, rtol=1e-12)


# 4.2 解码器数学模型, beside 5.2


def test_the_summary_is_told_once():
    """003, 4.2 and 5.2: the formula has W_hs h_N in every step; the code has it in the first state only.

    Both are decoders, and not the same one. In the code's, all that is known of the source has to pass
    through every state: what two sources make different in step 1 is gone by step 40 (here untrained). In the
    formula's it is not.
    """
    T = 40
    ys, h_N, other_h_N = torch.randn(T, 1, H), torch.randn(1, 1, H), torch.randn(1, 1, H)
    lstm = torch.nn.LSTM(H, H)
    code = lstm(ys, (h_N, h_N))[0] - lstm(ys, (other_h_N, other_h_N))[0]
    W_ys, W_ss, W_hs = (torch.nn.Linear(H, H) for _ in range(3))

    def formula(h_N):
        s, ss = h_N[0], []
        for y in ys:
            s = torch.tanh(W_ys(y) + W_ss(s) + W_hs(h_N[0]))
            ss.append(s)
        return torch.stack(ss)

    formula = formula(h_N) - formula(other_h_N)
    assert code[-1].norm() < 0.001 * code[0].norm()
    assert formula[-1].norm() > 0.3 * formula[0].norm()


def test_both_connections_have_a_name():
    """003, 4.2, put right: "003 §9 direct" tells h_N once (5.2), "003 §4.2" at every step: (7.3) and (7.5).

    The latter beside the document's formula: W_ys and W_hs are the upper and lower rows of Wx, W_ss is Wh.
    """
    rng = np.random.default_rng(0)
    y, h_N, other_h_N = words(rng, 40, 1), rng.standard_normal((1, H)), rng.standard_normal((1, H))
    kept = {}
    for name in ("003 §9 direct", "003 §4.2"):
        decoder = model_of(name, cell="rnn").decoder
        logits, others = (decoder.forward(y, ((h,),))[0][0] for h in (h_N, other_h_N))
        differences = np.abs(logits - others).max(axis=(1, 2))
        kept[name] = differences[-1] / differences[0]
    assert kept["003 §9 direct"] < 0.001
    assert kept["003 §4.2"] > 0.3

    f, g, E = decoder.rnn.layers[0].params, decoder.output.params, decoder.embedding.params["W"]
    W_ys, W_hs, W_ss, b_s = f["Wx"][:7], f["Wx"][7:], f["Wh"], f["b"]
    s = h_N
    for t in range(40):
        s = np.tanh(E[y[t]] @ W_ys + s @ W_ss + h_N @ W_hs + b_s)
        np.testing.assert_allclose(logits[t], s @ g["W"] + g["b"], rtol=1e-10)


def test_a_first_state_that_is_made_here():
    """003, 5.1: initHidden makes zeros on the CPU, wherever the module is; moved ("meta": a GPU), it stops."""
    lstm, word = torch.nn.LSTM(H, H).to("meta"), torch.randn(1, 1, H, device="meta")
    hidden = torch.zeros(1, 1, H), torch.zeros(1, 1, H)
    with pytest.raises(RuntimeError, match="hidden tensors are not at the same device"):
        lstm(word, hidden)
    assert lstm(word, tuple(zeros.to("meta") for zeros in hidden))[0].device.type == "meta"
