"""Document 002 (简), Encoder-Decoder结构: its snippets as they run, and the right version beside each."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exhibits are PyTorch programs: extra `torch`")

import exhibits  # noqa: E402

from minis2s.data.batches import Example, make_batch  # noqa: E402
from minis2s.data.pairs import Pair  # noqa: E402
from minis2s.data.vocabulary import START  # noqa: E402
from minis2s.evaluation import evaluate  # noqa: E402
from minis2s.models import Seq2Seq, document  # noqa: E402
from minis2s.nn import LSTM, ConcatAttention, SelfAttention  # noqa: E402
from minis2s.optim import Adam  # noqa: E402
from minis2s.training import Trainer  # noqa: E402
from minis2s.translator import Translator  # noqa: E402

same_start = pytest.fixture(autouse=True)(exhibits.same_start)

D, H, V = 20, 50, 30  # as the document has them


class Decoder(torch.nn.Module):
    """3.3: an LSTM and a linear layer; of the state (h, c), h alone comes back unless keeps_cell."""

    def __init__(self, input_size=H, keeps_cell=False):
        super().__init__()
        self.lstm, self.output = torch.nn.LSTM(input_size, H), torch.nn.Linear(H, V)
        self.keeps_cell = keeps_cell

    def forward(self, x, state):
        out, (h, c) = self.lstm(x, state)
        return self.output(out), (h, c) if self.keeps_cell else h


class AttentionDecoder(torch.nn.Module):
    """4.3: a score of input and state, its softmax over axis 1, and a sum over axis 1."""

    def __init__(self):
        super().__init__()
        self.lstm, self.output = torch.nn.LSTM(H, H), torch.nn.Linear(2 * H, V)
        self.score = torch.nn.Linear(2 * H, 1)

    def alphas(self, x, state):
        return torch.softmax(self.score(torch.cat([x, state[0]], dim=2)), dim=1)

    def forward(self, x, state, hs):
        context = (self.alphas(x, state) * hs).sum(dim=1)
        out, (h, _) = self.lstm(x, state)
        return self.output(torch.cat([out, context[None]], dim=2)), h


class TorchSelfAttention(torch.nn.Module):
    """5.3: softmax(Q K^T / scale) V by bmm, and `scale` a tensor that is neither parameter nor buffer."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (torch.nn.Linear(H, H) for _ in range(3))
        self.scale = torch.tensor([float(H)]).sqrt()

    def alphas(self, x):
        return torch.softmax(torch.bmm(self.query(x), self.key(x).transpose(1, 2)) / self.scale, dim=2)

    def forward(self, x):
        return torch.bmm(self.alphas(x), self.value(x))


def seq2seq(decoder, source, target):
    """6.2: what is said is the next input; the decoder's first state is what the encoder returned."""
    said, state, outputs = target[:1], source, []
    for _ in range(1, len(target)):
        said, state = decoder(said, state)
        outputs.append(said)
    return torch.cat(outputs)


def model_of(name, **changes):
    config = document(name, V, V, embedding_size=7, hidden_size=9, **changes)
    return Seq2Seq(config, np.random.default_rng(0), "float64")


def words(rng, *shape):
    return rng.integers(4, V, shape)


def rows_that_differ(a, b, axis):
    others = tuple(other for other in range(a.ndim) if other != axis)
    return (np.abs(a - b).max(axis=others) > 1e-9).tolist()


# 2.3 简单的LSTM编码器


def test_the_encoder_forgets_its_cell():
    """002, 2.3: an LSTM's state is h and c; the encoder returns h_n, and c_n is lost.

    Let an LSTM read the first half of a sentence, hand on h alone, and read the second half: it comes out
    elsewhere than the LSTM that reads the sentence in one go.
    """
    lstm, x = torch.nn.LSTM(D, H), torch.randn(10, 1, D)
    _, (h, _) = lstm(x)
    _, (h_half, c_half) = lstm(x[:5])
    _, (h_resumed, _) = lstm(x[5:], (h_half, torch.zeros_like(c_half)))
    _, (h_whole, _) = lstm(x[5:], (h_half, c_half))
    torch.testing.assert_close(h_whole, h)
    assert exhibits.moved(h_resumed, h) > 0.01


def test_the_state_is_h_and_c():
    """002, 2.3, put right: the state is the tuple (h, c); resumed from it, the encoder notices no break."""
    rng = np.random.default_rng(0)
    lstm, x = LSTM(D, H, rng, dtype="float64"), rng.standard_normal((10, 1, D))
    (_, whole), _ = lstm.forward(x)
    (_, half), _ = lstm.forward(x[:5])
    (_, resumed), _ = lstm.forward(x[5:], half)
    for part, part_resumed in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(part_resumed, part, rtol=1e-12, atol=1e-15)
    h_half, c_half = half
    (_, (h_resumed, _)), _ = lstm.forward(x[5:], (h_half, np.zeros_like(c_half)))
    assert np.abs(h_resumed - whole[0]).max() > 0.01  # without c_n it would be as in the document
    with pytest.raises(ValueError, match=r"state0 must be a tuple \(h, c\)"):
        lstm.forward(x[5:], h_half)


# 3.2, 3.3 解码器


def test_the_demo_feeds_the_summary_as_if_it_were_a_word():
    """002, 3.2 and 3.3: the formula has s_t of s_{t-1}, y_{t-1}, h_n; the demo is one step, from h_n alone.

    `decoder(encoded, None)` reads h_n in the place of y, from a state of zeros. No word is fed, and what
    comes out is (1, 1, 30), a sequence of one, where the comment has sequence_length.
    """
    decoder, encoded = Decoder(), torch.randn(1, 1, H)
    logits, _ = decoder(encoded, None)
    assert logits.shape == (1, 1, V)
    zeros = torch.zeros(1, 1, H)
    assert torch.equal(logits, decoder(encoded, (zeros, zeros))[0])


def test_words_as_input_and_the_summary_at_every_step():
    """002, 3.2, put right: y are words, s_0 is the encoder's state, h_n is read at every step.

    As many steps as words, and each of s_{t-1}, y_{t-1} and h_n bears upon the output.
    """
    rng = np.random.default_rng(0)
    decoder = model_of("002 §3").decoder
    h, c = rng.standard_normal((2, 1, 9))
    y = words(rng, 6, 1)
    (logits, _), _ = decoder.forward(y, ((h, c),))
    assert logits.shape == (6, 1, V)

    (states, memory), _ = decoder.begin(((h, c),), None, None)
    (other_states, other_memory), _ = decoder.begin(((-h, -c),), None, None)
    expected, _, _ = decoder.step(y[0], states, memory)
    np.testing.assert_allclose(expected, logits[0], rtol=1e-12)
    other_y = y[0] % (V - 4) + 4
    for changed in ((y[0], other_states, memory), (other_y, states, memory), (y[0], states, other_memory)):
        assert np.abs(decoder.step(*changed)[0] - expected).max() > 1e-6


def test_the_state_that_comes_back_cannot_go_in_again():
    """002, 3.3: the decoder returns h alone; as the next state, it is taken apart as (h, c), and fails."""
    decoder = Decoder()
    _, h = decoder(torch.randn(1, 1, H), None)
    with pytest.raises(IndexError, match="index 1 is out of bounds for dimension 0 with size 1"):
        decoder(torch.randn(1, 1, H), h)


def test_the_state_goes_round():
    """002, 3.3, put right: what `step` returns is what `step` takes; steps are as the sentence at once."""
    rng = np.random.default_rng(0)
    model, source, y = model_of("002 §3"), words(rng, 5, 2), words(rng, 4, 2)
    (logits, _), _ = model.forward(source, None, y)
    (states, memory), _ = model.begin(source)
    for t in range(4):
        said, _, states = model.decoder.step(y[t], states, memory)
        np.testing.assert_allclose(said, logits[t], rtol=1e-12)


@pytest.mark.parametrize("section", ["3.3", "4.3", "5.3", "6.2"])
def test_a_snippet_without_its_imports(section):
    """002, 3.3 to 6.2: 2.3 alone imports; each later snippet, run by itself, does not know `nn`.

    (6.2 fails even earlier, as long as its `for t` is broken in two.)
    """
    snippet = f"class Section{section.replace('.', '_')}(nn.Module):\n    pass"
    with pytest.raises(NameError, match="name 'nn' is not defined"):
        exec(snippet, {})


def test_a_snippet_with_its_imports():
    """002, 3.3 to 6.2, put right: a snippet that runs by itself."""
    snippet = """
import numpy as np
from minis2s.models import Seq2Seq, document

model = Seq2Seq(document("002 §3", 30, 30, hidden_size=50), np.random.default_rng(0))
source, y = np.full((10, 1), 4), np.full((7, 1), 4)
(logits, _), _ = model.forward(source, None, y)
"""
    namespace = {}
    exec(snippet, namespace)
    assert namespace["logits"].shape == (7, 1, 30)


# 4.3 添加注意力机制的解码器


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ("None", TypeError, "'NoneType' object is not subscriptable"),
        ("h", RuntimeError, "Tensors must have same number of dimensions: got 3 and 2"),
        ("(h, c)", RuntimeError, "Expected size 1 but got size 10"),
    ],
)
def test_the_attention_decoder_does_not_run(state, error, message):
    """002, 4.3: as published the state is None, and has no element 0. Neither of two other states helps.

    A bare h loses an axis at [0]; with (h, c) the context has summed over the batch where it should over
    time, and comes out with 10 rows, the source's length, for a batch of 1.
    """
    x, h, c, hs = torch.randn(1, 1, H), torch.randn(1, 1, H), torch.randn(1, 1, H), torch.randn(10, 1, H)
    with pytest.raises(error, match=message):
        AttentionDecoder()(x, {"None": None, "h": h, "(h, c)": (h, c)}[state], hs)


def test_the_softmax_goes_over_the_batch():
    """002, 4.3: axis 1 is the batch, for the tensors are time first; and the score is of x and s, not of h_i.

    A batch of one therefore has all weights 1, whatever the encoder says. Where T and B are equal the shapes
    happen to fit: the decoder runs, and changing the source of example 3 changes the output of all 10.
    """
    decoder, x, hs = AttentionDecoder(), torch.randn(1, 10, H), torch.randn(10, 10, H)
    state = torch.randn(1, 10, H), torch.randn(1, 10, H)
    one = [part[:, :1] for part in state]
    assert decoder.alphas(x[:, :1], one).tolist() == [[[1.0]]]
    alphas = decoder.alphas(x, state)
    assert alphas.shape == (1, 10, 1)  # one an example, summing to 1 over the batch; none for a position
    assert alphas.sum().item() == pytest.approx(1, abs=1e-6)

    other = hs.clone()
    other[:, 3] += 1
    (out, _), (out_other, _) = decoder(x, state, hs), decoder(x, state, other)
    assert exhibits.changed(out_other, out, axis=1) == [True] * 10


def test_attention_over_source_time():
    """002, 4.2, put right: a score of s and h_i, a softmax over i, a sum over i.

    The weights sum to 1 over the source, depend on h_i and on s, and what is done to example 3 stays in
    example 3.
    """
    rng = np.random.default_rng(0)
    attention = ConcatAttention(H, H, 16, rng, "float64")
    s, hs = rng.standard_normal((1, 10, H)), rng.standard_normal((8, 10, H))
    (contexts, alphas), _ = attention.forward(s, hs)
    assert alphas.shape == (1, 10, 8)
    np.testing.assert_allclose(alphas.sum(axis=2), 1, rtol=1e-12)

    other = hs.copy()
    other[:, 3] += rng.standard_normal((8, H))
    (other_contexts, other_alphas), _ = attention.forward(s, other)
    only_3 = [b == 3 for b in range(10)]
    assert rows_that_differ(other_alphas, alphas, axis=1) == only_3
    assert rows_that_differ(other_contexts, contexts, axis=1) == only_3
    (_, alphas_of_other_s), _ = attention.forward(-s, hs)
    assert rows_that_differ(alphas_of_other_s, alphas, axis=1) == [True] * 10


def test_the_attention_decoder_runs():
    """002, 4.3, put right: from (h, c), with any T, S and B, and no example knows of another."""
    rng = np.random.default_rng(0)
    model, source, y = model_of("002 §4"), words(rng, 10, 4), words(rng, 6, 4)
    (logits, alphas), _ = model.forward(source, None, y)
    assert logits.shape == (6, 4, V) and alphas.shape == (6, 4, 10)
    other = source.copy()
    other[:, 3] = source[::-1, 3]
    (others, _), _ = model.forward(other, None, y)
    assert rows_that_differ(others, logits, axis=1) == [False, False, False, True]


def test_a_linear_score_cannot_ask():
    """002, 4.3: a linear score w . [s ; h_i] + b, over source time, still gives weights without s.

    It is the sum of a part of s and a part of h_i; the part of s is the same for every i, and the softmax
    cancels what is the same for every i. Every step would look at the same places. A tanh between keeps the
    two from coming apart: ConcatAttention.
    """
    score, hs = torch.nn.Linear(2 * H, 1), torch.randn(10, H)
    torch.nn.init.normal_(score.weight)  # as far from 0 as training may bring it

    def linear_alphas(s):
        return torch.softmax(score(torch.cat([s.expand(10, H), hs], dim=1))[:, 0], dim=0)

    s, other_s = torch.randn(H), torch.randn(H)
    torch.testing.assert_close(linear_alphas(s), linear_alphas(other_s))
    assert linear_alphas(s).std() > 0.1  # not because the weights are all equal

    rng = np.random.default_rng(0)
    attention = ConcatAttention(H, H, 16, rng)
    for param in attention.params.values():
        param[...] = rng.standard_normal(param.shape)
    queries = torch.stack([s, other_s])[:, None].numpy()
    (_, alphas), _ = attention.forward(queries, hs[:, None].numpy())
    assert np.abs(alphas[0] - alphas[1]).max() > 0.1


# 5.3 Self-Attention层


def test_self_attention_among_the_examples():
    """002, 5.3: bmm takes axis 0 for the batch; the input has time there.

    So each position attends over the examples of the batch. With one example every weight is 1 and the layer
    is value(x), each word by itself; with four, changing example 2 changes all four.
    """
    layer, x = TorchSelfAttention(), torch.randn(10, 4, H)
    alone = x[:, :1]
    assert torch.equal(layer.alphas(alone), torch.ones(10, 1, 1))
    torch.testing.assert_close(layer(alone), layer.value(alone))

    other = x.clone()
    other[:, 2] += 1
    assert exhibits.changed(layer(other), layer(x), axis=1) == [True] * 4


def test_self_attention_over_time():
    """002, 5.2, put right: positions look at positions; a batch of examples is as each of them by itself."""
    rng = np.random.default_rng(0)
    layer, x = SelfAttention(H, rng, dtype="float64"), rng.standard_normal((10, 4, H))
    (y, alphas), _ = layer.forward(x)
    assert alphas.shape == (4, 1, 10, 10)
    np.testing.assert_allclose(alphas.sum(axis=3), 1, rtol=1e-12)
    for b in range(4):
        (y_alone, alphas_alone), _ = layer.forward(x[:, b : b + 1])
        np.testing.assert_allclose(y_alone[:, 0], y[:, b], rtol=1e-10, atol=1e-14)
        assert alphas_alone.max() < 1

    other = x.copy()
    other[:, 2] += 1
    (others, _), _ = layer.forward(other)
    assert rows_that_differ(others, y, axis=1) == [False, False, True, False]


def test_a_scale_that_stays_behind():
    """002, 5.3: `scale` is a tensor, but no parameter and no buffer, so it does not go where the module goes.

    Moved to another device ("meta" stands for a GPU here), the module stops at the division. In half
    precision the float32 scale makes the weights float32, which then meet half-precision values. In double
    precision it runs, with a sqrt(50) that is right to eight digits.
    """
    layer = TorchSelfAttention()
    assert "scale" not in layer.state_dict()
    with pytest.raises(RuntimeError, match="device cpu is not on the expected device meta"):
        TorchSelfAttention().to("meta")(torch.randn(1, 10, H, device="meta"))
    with pytest.raises(RuntimeError, match="same dtype"):
        TorchSelfAttention().bfloat16()(torch.randn(1, 10, H, dtype=torch.bfloat16))

    layer, x = layer.double(), torch.randn(1, 10, H, dtype=torch.float64)
    assert layer.scale.dtype == torch.float32
    rounded = layer(x)
    layer.scale = H**0.5
    assert 1e-12 < exhibits.moved(rounded, layer(x)) < 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_scale_that_is_a_number(dtype):
    """002, 5.3, put right: sqrt(d_k) is a Python float, which follows what it meets, to the last digit."""
    rng = np.random.default_rng(0)
    layer, x = SelfAttention(H, rng).astype(dtype), rng.standard_normal((10, 2, H)).astype(dtype)
    (y, alphas), _ = layer.forward(x)
    assert y.dtype == alphas.dtype == dtype

    parts = (layer.query, layer.key, layer.value)
    Q, K, V = ((x @ part.params["W"] + part.params["b"]).swapaxes(0, 1) for part in parts)
    E = np.exp(Q @ K.swapaxes(1, 2) / np.sqrt(50))
    expected = (E / E.sum(axis=2, keepdims=True) @ V).swapaxes(0, 1)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-6 if dtype == "float32" else 1e-14)


# 6.2 Seq2Seq模型的完整实现


def test_a_loop_broken_in_two():
    """002, 6.2: `for t` and its `in` stand on two lines: Python stops before it starts."""
    with pytest.raises(SyntaxError):
        compile("for t\n\n in range(3):\n    pass\n", "6.2", "exec")
    compile("for t in range(3):\n    pass\n", "6.2", "exec")


def test_the_loop_mended_step_by_step():
    """002, 6.2: with the loop in one piece three things are left, each hidden behind the one before.

    The state is h alone (IndexError); with (h, c) the decoder's input size is the hidden size, 50, and the
    target has 30; with that mended it makes 9 steps for a target of 10, where the comment has
    sequence_length.
    """
    h, c, target = torch.randn(1, 1, H), torch.randn(1, 1, H), torch.randn(10, 1, V)
    with pytest.raises(IndexError, match="index 1 is out of bounds"):
        seq2seq(Decoder(), h, target)
    with pytest.raises(RuntimeError, match="Expected 50, got 30"):
        seq2seq(Decoder(keeps_cell=True), (h, c), target)
    assert seq2seq(Decoder(V, keeps_cell=True), (h, c), target).shape == (9, 1, V)


def test_as_many_predictions_as_there_are_tokens():
    """002, 6.2, put right: after <start>, ten words and <end> are eleven predictions."""
    rng = np.random.default_rng(0)
    model = model_of("002 §3")
    batch = make_batch([Example(words(rng, 10).tolist(), words(rng, 10).tolist())])
    (logits, _), _ = model.forward(batch.source, batch.source_lengths, batch.y)
    assert len(batch.targets) == len(logits) == 11
    assert model.config.hidden_size != model.config.output_size


def test_logits_are_fed_as_if_they_were_a_word():
    """002, 6.2: each output is the next input as the linear layer made it; the target is read at 0 only.

    So the decoder is fed vectors that are neither words nor distributions, and nothing in the target but its
    first token has any part in the computation.
    """
    decoder = Decoder(V, keeps_cell=True)
    state = torch.randn(1, 1, H), torch.randn(1, 1, H)
    target = torch.nn.functional.one_hot(torch.arange(10), V).float()[:, None]
    outputs = seq2seq(decoder, state, target)
    other = target.clone()
    other[1:] = target[1:].flip(0)
    assert torch.equal(seq2seq(decoder, state, other), outputs)
    fed = outputs[:-1]
    assert (fed < 0).any() and (fed.sum(dim=2) - 1).abs().max() > 0.1


def test_words_are_fed():
    """002, 6.2, put right: the target's words while training; the embedded argmax in free running."""
    rng = np.random.default_rng(0)
    model, source, y = model_of("002 §3"), words(rng, 5, 2), words(rng, 8, 2)
    y[0] = START
    (logits, _), _ = model.forward(source, None, y)
    other = y.copy()
    other[3:] = (y[3:] + 1 - 4) % (V - 4) + 4
    (others, _), _ = model.forward(source, None, other)
    assert rows_that_differ(others, logits, axis=0) == [t >= 3 for t in range(8)]

    (free, _), _ = model.forward(source, None, y, teacher_forcing=0)
    said = np.concatenate([y[:1], free[:-1].argmax(axis=2)])
    (same, _), _ = model.forward(source, None, said)
    np.testing.assert_allclose(free, same, rtol=1e-10)


# 6.3 结果分析


def test_nothing_was_translated():
    """002, 6.3: the sentence is said to have been translated; 6.2 has random tensors, no words, no training.

    The weights are the same after as before, and what the argmax says of one and the same input depends on
    the seed alone: here five models, five "translations".
    """
    source, target = torch.randn(10, 1, D), torch.randn(10, 1, V)
    said = set()
    for seed in range(5):
        torch.manual_seed(seed)
        encoder, decoder = torch.nn.LSTM(D, H), Decoder(V, keeps_cell=True)
        before = [weight.clone() for weight in decoder.parameters()]
        outputs = seq2seq(decoder, encoder(source)[1], target)
        assert all(map(torch.equal, decoder.parameters(), before))
        said.add(tuple(outputs.argmax(dim=2).flatten().tolist()))
    assert len(said) == 5


def test_a_sentence_that_was_translated():
    """002, 6.1, put right: trained on 56 pairs of sentences and judged by 8 that were held out.

    The document's own sentence is among the 8: "ChatGPT" and "powerful" each occur in training, never
    together.
    """
    names = {"ChatGPT": "ChatGPT", "Alice": "爱丽丝", "London": "伦敦", "water": "水"}
    names |= {"snow": "雪", "tea": "茶", "music": "音乐", "time": "时间"}
    adjectives = {"powerful": "强大", "cold": "冷", "fast": "快", "good": "好"}
    adjectives |= {"beautiful": "美丽", "important": "重要", "expensive": "贵", "quiet": "安静"}
    train, held_out = [], []
    for row, (name, name_zh) in enumerate(names.items()):
        for column, (adjective, adjective_zh) in enumerate(adjectives.items()):
            pair = Pair(f"{name} is {adjective}", f"{name_zh}很{adjective_zh}")
            (held_out if row == column else train).append(pair)
    assert Pair("ChatGPT is powerful", "ChatGPT很强大") in held_out

    translator = Translator.untrained(train, "words", "characters", embedding_size=32, hidden_size=32)
    trainer = Trainer(translator.model, Adam(0.01), batch_size=14)
    for _ in range(40):
        trainer.train_epoch(translator.encode(train))
    assert evaluate(translator.model, translator.encode(held_out)).exact == 1
    assert translator.translate(["ChatGPT is powerful"])[0].text == "ChatGPT很强大"
