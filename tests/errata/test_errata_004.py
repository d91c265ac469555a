"""Document 004 (简), Seq2Seq 模型: its program as it runs, and the right version beside each."""

import importlib.util
import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exhibits are PyTorch programs: extra `torch`")

import exhibits  # noqa: E402

from minis2s.data.batches import Example, make_batch  # noqa: E402
from minis2s.data.vocabulary import END, PAD, START  # noqa: E402
from minis2s.decoding import greedy  # noqa: E402
from minis2s.evaluation import evaluate  # noqa: E402
from minis2s.models import Seq2Seq, document  # noqa: E402
from minis2s.nn import Embedding, SoftmaxCrossEntropy, Stack  # noqa: E402
from minis2s.optim import SGD, Adam  # noqa: E402
from minis2s.training import Trainer  # noqa: E402

same_start = pytest.fixture(autouse=True)(exhibits.same_start)

V = 40
cross_entropy = torch.nn.CrossEntropyLoss(ignore_index=0)


class TorchSeq2Seq(torch.nn.Module):
    """The document's loop in small: two embeddings, two LSTMs of two layers, teacher forcing by lot."""

    def __init__(self, device="cpu"):
        super().__init__()
        self.device = device
        self.source, self.target = torch.nn.Embedding(V, 16), torch.nn.Embedding(V, 16)
        self.encoder, self.decoder = torch.nn.LSTM(16, 32, 2), torch.nn.LSTM(16, 32, 2)
        self.output = torch.nn.Linear(32, V)

    def forward(self, source, target, teacher_forcing_ratio=0.5):
        _, state = self.encoder(self.source(source))
        outputs = torch.zeros(*target.shape, V).to(self.device)
        fed = target[0]
        for t in range(1, len(target)):
            features, state = self.decoder(self.target(fed)[None], state)
            output = outputs[t] = self.output(features[0])
            fed = target[t] if random.random() < teacher_forcing_ratio else output.argmax(dim=1)
        return outputs


def loss_of(outputs, target):
    """As the document has it: the first step left out, then all steps and rows in one line."""
    return cross_entropy(outputs[1:].view(-1, V), target[1:].view(-1))


def model_of(name="004", **changes):
    changes = {"embedding_size": 16, "hidden_size": 32} | changes
    return Seq2Seq(document(name, V, V, **changes), np.random.default_rng(0))


def random_pairs(rng, count, longest=6):
    lengths = rng.integers(1, longest + 1, (count, 2))
    return [Example(rng.integers(4, V, S).tolist(), rng.integers(4, V, T).tolist()) for S, T in lengths]


# 实现: what the program needs and does not have.

PROGRAM = """
import torch

model = torch.nn.Linear(3, 3)
optimiser = torch.optim.Adam(model.parameters(), 0.05)
losses = []
for source, target in train_iterator:
    said = model(source)
    fed = target if random.random() < 0.5 else said.argmax(1)
    loss = torch.nn.functional.cross_entropy(said, target)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
"""


def test_two_names_away_from_training():
    """004, 实现: `train_iterator` is used and never made, and then `random` is used and never imported.

    Both names given, the program trains.
    """
    data = [(torch.eye(3), torch.tensor([2, 0, 1]))] * 100
    with pytest.raises(NameError, match="name 'train_iterator' is not defined"):
        exec(PROGRAM, {})
    with pytest.raises(NameError, match="name 'random' is not defined"):
        exec(PROGRAM, {"train_iterator": data})
    namespace = {"train_iterator": data, "random": random}
    exec(PROGRAM, namespace)
    assert namespace["losses"][-1] < 0.2 * namespace["losses"][0]


def test_a_program_with_its_data():
    """004, 实现, put right: the same kind of model with its data, trained from an empty namespace."""
    program = """
import numpy as np
from minis2s.data.batches import Example
from minis2s.models import Seq2Seq, document
from minis2s.optim import Adam
from minis2s.training import Trainer

pairs = [Example([4, 5, 6], [6, 5, 4]), Example([5, 4], [4, 5])]
config = document("004", 7, 7, embedding_size=16, hidden_size=32, dropout=0.0)
trainer = Trainer(Seq2Seq(config, np.random.default_rng(0)), Adam(0.01), teacher_forcing=0.5)
losses = [trainer.train_epoch(pairs) for _ in range(60)]
"""
    namespace = {}
    exec(program, namespace)
    assert namespace["losses"][-1] < 0.2 * namespace["losses"][0]


def test_a_batch_without_src_and_trg():
    """004, 实现: `batch.src` and `batch.trg` were attributes of the batches of torchtext's Field and Iterator.

    torchtext set these aside in 0.9 and removed them in 0.12; where one that goes with today's PyTorch is
    installed, it has no field.py any more. PyTorch's own DataLoader makes batches that are lists.
    """
    found = importlib.util.find_spec("torchtext")
    folders = [] if found is None else found.submodule_search_locations
    assert not any(list(Path(folder).rglob("field.py")) for folder in folders)

    pairs = torch.utils.data.TensorDataset(torch.randint(1, V, (8, 5)), torch.randint(1, V, (8, 6)))
    for batch in torch.utils.data.DataLoader(pairs, batch_size=4):
        with pytest.raises(AttributeError, match="'list' object has no attribute 'src'"):
            _ = batch.src


def test_a_batch_with_names():
    """004, 注意事项 1, put right: pairs of any length become a padded Batch, with <start>, <end> and lengths."""
    batch = make_batch([Example([4, 5], [6, 7, 8]), Example([9], [10])])
    np.testing.assert_array_equal(batch.source, [[4, 9], [5, END], [END, PAD]])
    np.testing.assert_array_equal(batch.source_lengths, [3, 2])
    np.testing.assert_array_equal(batch.y, [[START, START], [6, 10], [7, PAD], [8, PAD]])
    np.testing.assert_array_equal(batch.targets, [[6, 10], [7, END], [8, PAD], [END, PAD]])


def test_a_view_of_a_transposed_target():
    """004, 实现: the model is time first, most loaders batch first; what `.t()` turns, `.view(-1)` refuses.

    A transposed tensor is the old one read in another order, and cannot be seen as one line. PyTorch's
    message names the remedy, reshape, which copies where it must.
    """
    batch_first = torch.randint(1, V, (4, 6))
    target = batch_first.t()
    outputs = TorchSeq2Seq()(torch.randint(1, V, (5, 4)), target)
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        loss_of(outputs, target)
    expected = loss_of(outputs, target.contiguous())
    torch.testing.assert_close(cross_entropy(outputs[1:].reshape(-1, V), target[1:].reshape(-1)), expected)


def test_a_transposed_target_is_a_target():
    """004, 实现, put right: make_batch is time first already; and a transposed array is as good as any."""
    rng = np.random.default_rng(0)
    model, loss = model_of(), SoftmaxCrossEntropy(ignore_index=PAD)
    source, y, targets = (rng.integers(4, V, shape) for shape in ((5, 4), (6, 4), (6, 4)))
    losses = []
    for turn in (np.array, lambda ids: np.ascontiguousarray(ids.T).T):
        (logits, _), _ = model.forward(turn(source), None, turn(y))
        losses.append(float(loss.forward(logits, turn(targets))[0]))
    assert losses[0] == losses[1]


# 编码器: 如 LSTM 或 GRU.


@pytest.mark.parametrize(
    ("layers", "message"), [(1, "not enough values to unpack"), (2, None), (3, "too many values to unpack")]
)
def test_layers_that_are_unpacked_as_hidden_and_cell(layers, message):
    """004, 编码器: the encoder may be a GRU; but `outputs, (hidden, cell) = …` unpacks a GRU's layers.

    With one layer and with three that is an error. With two, as the document has, the encoder runs: `hidden` is the
    first layer's state and `cell` the second's. A GRU in the decoder does not take the pair, nor does an LSTM.
    """
    encoder = torch.nn.GRU(16, 32, layers)
    embedded = torch.randn(5, 4, 16)
    if message:
        with pytest.raises(ValueError, match=message):
            _, (hidden, cell) = encoder(embedded)
        return
    _, (hidden, cell) = encoder(embedded)
    _, states = encoder(embedded)
    assert torch.equal(hidden, states[0]) and torch.equal(cell, states[1])
    with pytest.raises(AttributeError, match="'tuple' object has no attribute 'dim'"):
        torch.nn.GRU(16, 32, layers)(embedded[:1], (hidden, cell))
    with pytest.raises(RuntimeError, match="hx and cx should also be 3-D"):
        torch.nn.LSTM(16, 32, layers)(embedded[:1], (hidden, cell))


def test_a_state_is_what_its_cell_says():
    """004, 编码器, put right: one tuple a layer, (h, c) or (h,), and the same code for both."""
    rng = np.random.default_rng(0)
    for cell, parts in (("lstm", 2), ("gru", 1)):
        model, batch = model_of(cell=cell), make_batch(random_pairs(rng, 4))
        (_, states), _ = model.encode(batch.source, batch.source_lengths)
        assert [len(state) for state in states] == [parts] * 2
        (logits, _), _ = model.forward(batch.source, batch.source_lengths, batch.y)
        assert logits.shape == (*batch.targets.shape, V)
    with pytest.raises(ValueError, match="not enough values to unpack"):
        _, _ = states[-1]


# 实现: padding in the encoder, and in the loss.


def test_the_encoder_reads_the_padding():
    """004, 实现: id 0 is padding for the loss (ignore_index=0), and a word like any other for the encoder.

    Filled up with 1, 3 and 10 pads, a sentence's final h moves by 89%, 153% and 185% of its length in one
    draw, by 96%, 163% and 191% on average, give or take 7%, 11% and 13% (two layers, embedding 256, hidden
    512, untrained). And the padding's row of the embedding gets a gradient: it is learned.
    """
    shares = []
    for _ in range(12):
        embedding, encoder = torch.nn.Embedding(V, 256), torch.nn.LSTM(256, 512, 2)
        source = torch.randint(1, V, (5, 1))
        _, (h, _) = encoder(embedding(source))
        padded = [torch.cat([source, torch.zeros(pads, 1, dtype=torch.long)]) for pads in (1, 3, 10)]
        shares.append([exhibits.moved(encoder(embedding(ids))[1][0], h) for ids in padded])
    assert np.mean(shares, axis=0) == pytest.approx([0.96, 1.63, 1.91], abs=0.12)
    assert (np.min(shares, axis=0) < [0.89, 1.53, 1.85]).all()

    model, source, target = TorchSeq2Seq(), torch.randint(1, V, (5, 2)), torch.randint(1, V, (6, 2))
    source[3:, 1] = 0
    loss_of(model(source, target), target).backward()
    assert model.source.weight.grad[0].abs().max() > 0


def test_the_encoder_stops_at_the_end():
    """004, 实现, put right: with `lengths` 1, 3 or 10 pads move nothing; their embedding has no gradient."""
    rng = np.random.default_rng(0)
    model, source = model_of(), rng.integers(4, V, (5, 1))
    (_, states), _ = model.encode(source)
    for pads in (1, 3, 10):
        padded = np.concatenate([source, np.full((pads, 1), PAD)])
        (hs, padded_states), _ = model.encode(padded, np.array([5]))
        np.testing.assert_array_equal(padded_states[-1][0], hs[4])  # that of the last word, to the last bit
        for state, padded_state in zip(states, padded_states, strict=True):
            np.testing.assert_allclose(padded_state, state, rtol=1e-5, atol=1e-7)

    batch, loss = make_batch(random_pairs(rng, 8)), SoftmaxCrossEntropy(ignore_index=PAD)
    assert (batch.source == PAD).any() and (batch.y == PAD).any()
    (logits, _), cache = model.forward(batch.source, batch.source_lengths, batch.y)
    _, loss_cache = loss.forward(logits, batch.targets)
    model.backward(loss.backward(1.0, loss_cache), None, cache)
    for side in ("encoder", "decoder"):
        gradient = model.grads[f"{side}.embedding.W"]
        assert (gradient[PAD] == 0).all() and (gradient != 0).any()

    embedding = Embedding(V, 16, rng)  # by itself too, where a gradient does come to the padding's place
    x, cache = embedding.forward(batch.source)
    embedding.backward(np.ones_like(x), cache)
    assert (x[batch.source == PAD] == 0).all() and (embedding.grads["W"][PAD] == 0).all()


def test_a_batch_of_nothing_but_padding():
    """004, 实现: where every target is ignored the mean is 0 / 0, and the loss nan.

    The parameters survive it, but `epoch_loss` adds the nan up, and the epoch's figure is lost.
    """
    model, source, target = TorchSeq2Seq(), torch.randint(1, V, (5, 2)), torch.zeros(6, 2, dtype=torch.long)
    target[0] = START
    loss = loss_of(model(source, target), target)
    loss.backward()
    assert loss.isnan()
    assert not any(weight.grad.isnan().any() for weight in model.parameters())
    losses = [loss_of(model(source, source[:, :2]), source).item(), loss.item()]
    assert np.isnan(sum(losses) / 2)


def test_padding_alone_costs_nothing():
    """004, 实现, put right: SoftmaxCrossEntropy has loss 0 and gradient 0 where nothing counts."""
    loss = SoftmaxCrossEntropy(ignore_index=PAD)
    logits = np.random.default_rng(0).standard_normal((5, 2, V))
    value, cache = loss.forward(logits, np.full((5, 2), PAD))
    assert value == 0
    assert (loss.backward(1.0, cache) == 0).all()


def test_a_mean_of_means():
    """004, 实现: epoch_loss / len(iterator) is a mean of the batches' means, and batches differ in tokens.

    One short sentence that is predicted well, and one long one that is not: as two batches the figure is one,
    as one batch another, and so it depends on how the sentences happened to fall.
    """
    target = torch.zeros(10, 2, dtype=torch.long)
    target[:2, 0], target[:, 1] = 4, torch.randint(5, V, (10,))
    outputs = torch.zeros(10, 2, V)
    outputs[:, 0, 4] = 10  # knows the short one's word, and nothing of the long one's
    together = loss_of(outputs, target).item()
    one_by_one = [loss_of(outputs[:, b : b + 1], target[:, b : b + 1]).item() for b in range(2)]
    assert one_by_one == pytest.approx([0, np.log(V)], abs=0.01)
    assert sum(one_by_one) / 2 == pytest.approx(np.log(V) / 2, abs=0.01)
    assert together == pytest.approx(np.log(V) * 9 / 10, abs=0.01)  # nine of the ten tokens


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_mean_over_tokens(batch_size):
    """004, 实现, put right: the loss of an epoch is weighted by tokens, so batches may be cut as one likes."""
    rng = np.random.default_rng(0)
    pairs = random_pairs(rng, 64)
    model = model_of(dropout=0.0)
    whole = make_batch(pairs)
    (logits, _), _ = model.forward(whole.source, whole.source_lengths, whole.y)
    expected = float(SoftmaxCrossEntropy(ignore_index=PAD).forward(logits, whole.targets)[0])
    standing_still = Trainer(model, SGD(1e-12), batch_size=batch_size)
    assert standing_still.train_epoch(pairs) == pytest.approx(expected, rel=1e-5)
    assert evaluate(model, pairs, batch_size).loss == pytest.approx(expected, rel=1e-5)


# 实现 and 注意事项 2: teacher forcing.


def test_evaluation_by_lot():
    """004, 实现 and 注意事项 2: the ratio is forward's own default, 0.5, and eval() does not change it.

    So an evaluated model is still told half of the target, another half every time: the same input twice, and
    the outputs differ, in 4 trials out of 4. With ratio 0 they do not, and the target is not looked at.
    """
    model = TorchSeq2Seq().eval()
    source, target = torch.randint(1, V, (5, 4)), torch.randint(1, V, (12, 4))
    unequal = [not torch.equal(model(source, target), model(source, target)) for _ in range(4)]
    assert unequal == [True] * 4
    other = torch.cat([target[:1], target[1:].flip(0)])
    assert torch.equal(model(source, target, 0), model(source, other, 0))


def test_evaluation_without_the_target():
    """004, 实现 and 注意事项 2, put right: teacher forcing is the Trainer's; evaluation draws no lots.

    `evaluate` is the same every time, and what it counts as right was decoded without the target: on other
    targets the same sentences come out. Lots that nobody gave are refused.
    """
    rng = np.random.default_rng(0)
    model, pairs = model_of(), random_pairs(rng, 20)
    Trainer(model, Adam(0.01), teacher_forcing=0.5).train_epoch(pairs)
    assert evaluate(model, pairs) == evaluate(model, pairs)

    model.params["decoder.output.b"][END] = -100  # long sentences, for more to compare
    batch = make_batch(pairs)
    (free, _), _ = model.forward(batch.source, batch.source_lengths, batch.y, teacher_forcing=0)
    decoded = greedy(model, batch.source, batch.source_lengths, max_length=len(batch.y))
    assert [h.ids for h in decoded] == free.argmax(axis=2).T.tolist()
    others = np.concatenate([batch.y[:1], batch.y[:0:-1]])
    (same, _), _ = model.forward(batch.source, batch.source_lengths, others, teacher_forcing=0)
    np.testing.assert_array_equal(same, free)
    with pytest.raises(ValueError, match=r"teacher_forcing 0.5 draws lots, which needs rng"):
        model.forward(batch.source, batch.source_lengths, batch.y, teacher_forcing=0.5)


# 实现: two things that may surprise.


def test_dropout_between_the_layers_of_one():
    """004, 实现: `dropout` of nn.LSTM is between layers; with n_layers = 1 there is none, and it warns."""
    with pytest.warns(UserWarning, match="expects num_layers greater than 1"):
        lstm = torch.nn.LSTM(8, 8, 1, dropout=0.5)
    x = torch.randn(5, 2, 8)
    assert torch.equal(lstm.train()(x)[0], lstm(x)[0])


def test_one_layer_has_no_between():
    """004, 实现, put right: Stack says that it drops between layers, and needs no warning for one."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 2, 8)).astype("float32")
    for layers in (1, 2):
        stack = Stack("lstm", 8, 8, rng, layers=layers, dropout=0.5)
        (hs, _), _ = stack.forward(x)
        (dropped, _), _ = stack.forward(x, rng=rng)
        assert np.array_equal(hs, dropped) == (layers == 1)


def test_the_first_output_is_never_written():
    """004, 实现: outputs[0] is the place of <start>, and stays 0; the loss rightly leaves it out.

    Whoever forgets the [1:] has an even distribution over all words counted in, against <start>.
    """
    target = torch.randint(1, V, (6, 2))
    outputs = TorchSeq2Seq()(torch.randint(1, V, (5, 2)), target)
    assert (outputs[0] == 0).all() and (outputs[1:] != 0).any(dim=2).all()
    assert cross_entropy(outputs[0], target[0]).item() == pytest.approx(np.log(V), abs=1e-5)


def test_every_output_is_a_prediction():
    """004, 实现, put right: logits[0] predicts the first word, from <start>; there is nothing to leave out."""
    rng = np.random.default_rng(0)
    model, batch = model_of(), make_batch(random_pairs(rng, 4))
    (logits, _), _ = model.forward(batch.source, batch.source_lengths, batch.y)
    assert logits.shape == (*batch.targets.shape, V)
    assert (logits != 0).any(axis=2).all()
    (states, memory), _ = model.begin(batch.source, batch.source_lengths)
    first, _, _ = model.decoder.step(np.full(4, START), states, memory)
    np.testing.assert_allclose(first, logits[0], rtol=1e-4, atol=1e-6)


# 实现: the device.


def test_the_outputs_move_alone():
    """004, 实现: `outputs` is made on the device; neither the model nor the batch is moved there.

    Without a GPU that is the same. With one ("meta" stands for it here) forward runs, each step's logits being
    copied to `outputs`, and the loss stops: `output` lies there, `trg` here.
    """
    model, source, target = TorchSeq2Seq("meta"), torch.randint(1, V, (5, 2)), torch.randint(1, V, (6, 2))
    assert {weight.device.type for weight in model.parameters()} == {"cpu"}
    outputs = model(source, target)
    assert outputs.device.type == "meta"
    with pytest.raises(RuntimeError, match="device meta is not on the expected device cpu"):
        loss_of(outputs, target)

    source, target = source.to("meta"), target.to("meta")
    assert loss_of(model.to("meta")(source, target), target).device.type == "meta"


def test_the_model_and_its_batches_move():
    """004, 实现, put right: `to` moves every parameter, and a batch asks the model where it is."""
    model, batch, asked = model_of(), make_batch([Example([4, 5], [6])]), []

    class Asked(type(batch)):
        def to(self, device):
            asked.append(device)
            return self

    assert {array.shape for array in model.to("cpu").params.values()} == {a.shape for a in model_of().params.values()}
    Asked(*batch).for_model(model)
    assert asked == [model.device] == ["cpu"]
