"""A batch on several threads has the gradients that it has on one."""

import numpy as np
import pytest

from minis2s.data.batches import Example, make_batch
from minis2s.data.vocabulary import PAD
from minis2s.models import Seq2Seq, Seq2SeqConfig
from minis2s.optim import Adam
from minis2s.training import Trainer


def trainer_with(threads, dtype="float64", **config):
    config = {"attention": "additive", "embedding_size": 4, "hidden_size": 6} | config
    model = Seq2Seq(Seq2SeqConfig(12, 12, **config), np.random.default_rng(0), dtype)
    return Trainer(model, Adam(1e-2), threads=threads, clip=0.05)


def batch_of(sentences, seed=0):
    rng = np.random.default_rng(seed)
    texts = [rng.integers(4, 12, rng.integers(1, 7)).tolist() for _ in range(sentences)]
    return make_batch([Example(text, text[::-1] + text[:2]) for text in texts])


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("sentences", [1, 2, 7])
@pytest.mark.parametrize("config", [{}, {"cell": "lstm", "layers": 2, "attention": "none"}, {"tied": True}], ids=str)
def test_several_threads_do_what_one_does(threads, sentences, config):
    if "tied" in config:
        config |= {"attention": "none", "embedding_size": 6}
    one, several = trainer_with(1, **config), trainer_with(threads, **config)
    for step in range(4):
        batch = batch_of(sentences, step)
        assert several.step(batch) == pytest.approx(one.step(batch), rel=1e-9)
        for name, grad in one.model.grads.items():
            np.testing.assert_allclose(several.model.grads[name], grad, rtol=1e-7, atol=1e-12, err_msg=name)
    for name, param in one.model.params.items():
        np.testing.assert_allclose(several.model.params[name], param, rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_step_on_several_threads_can_be_repeated_to_the_last_bit():
    options = {"dtype": "float32", "dropout": 0.3, "output_dropout": 0.2}
    first, again = trainer_with(2, **options), trainer_with(2, **options)
    for step in range(3):
        assert first.step(batch_of(9, step)) == again.step(batch_of(9, step))
    for name, param in first.model.params.items():
        np.testing.assert_array_equal(again.model.params[name], param)


def test_parts_of_a_batch_hold_its_sentences_and_no_more_padding_than_they_need():
    batch = batch_of(7)
    parts = [part for _, part in batch.split(3)]
    assert [number for number, _ in batch.split(3)] == [(0,), (1,), (2,)]
    assert sum(part.tokens for part in parts) == batch.tokens
    start = 0
    for part in parts:
        S, B = part.source.shape
        assert part.source_lengths.max() == S and (part.targets[-1] != PAD).any()
        rows = slice(start, start + B)
        np.testing.assert_array_equal(part.source, batch.source[:S, rows])
        np.testing.assert_array_equal(part.targets, batch.targets[: len(part.targets), rows])
        np.testing.assert_array_equal(part.y, batch.y[: len(part.y), rows])
        start += B
    assert start == 7
    for part, (_, without) in zip(parts, batch._replace(source_lengths=None).split(3), strict=True):
        assert without.source_lengths is None and len(without.source) == len(batch.source)
        np.testing.assert_array_equal(without.targets, part.targets)


def test_copies_share_their_parameters_after_a_conversion_too():
    trainer = trainer_with(2)
    trainer.step(batch_of(6))
    trainer.model.astype("float32")
    trainer.optimiser.state = {}
    trainer.step(batch_of(6, 1))
    _, copied = trainer.replicas.models
    for name, param in trainer.model.params.items():
        assert copied.params[name] is param and param.dtype == "float32"


def test_the_number_of_threads_is_checked():
    with pytest.raises(ValueError, match="threads must be a whole number above 0, got 0"):
        trainer_with(0)
