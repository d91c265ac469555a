"""A trained model with all it needs to go from text to text, in one file."""

from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from . import checkpoint
from .backend import to_device
from .data.batches import batches_by_length, encode_pairs
from .data.pairs import Pair
from .data.tokenisers import tokeniser
from .data.vocabulary import SPECIALS, Vocabulary
from .decoding import beam_search
from .models import Seq2Seq, Seq2SeqConfig


class Translation(NamedTuple):
    """A text and what became of it: alphas (T,S) belong to target_tokens (rows) and source_tokens (columns).

    The tokens are all that was read and said, <end> included; the text is without the special ones.
    """

    text: str
    source_tokens: list
    target_tokens: list
    alphas: Any
    score: float
    unknown: list  # source tokens that are not in the vocabulary


class Translator:
    """Tokenisers, vocabularies and a model."""

    def __init__(self, model, source_vocabulary, target_vocabulary, source_tokens, target_tokens):
        """source_tokens, target_tokens: names of tokenisers, as `minis2s.data.tokenisers` lists them."""
        for side, vocabulary, size in (
            ("source", source_vocabulary, model.config.input_size),
            ("target", target_vocabulary, model.config.output_size),
        ):
            if len(vocabulary) != size:
                raise ValueError(f"{side}_vocabulary has {len(vocabulary)} tokens, but the model is made for {size}")
        self.model = model
        self.source_vocabulary, self.target_vocabulary = source_vocabulary, target_vocabulary
        self.source_tokens, self.target_tokens = source_tokens, target_tokens
        self.split_source = tokeniser(source_tokens).split
        self.split_target, self.join_target = tokeniser(target_tokens)

    @classmethod
    def untrained(cls, pairs, source_tokens, target_tokens, seed=0, min_count=1, max_size=None, **config):
        """A new model for text pairs; vocabularies are built from them, `config` are fields of Seq2SeqConfig."""

        def vocabulary(texts, tokens):
            return Vocabulary.build(map(tokeniser(tokens).split, texts), min_count, max_size)

        source_vocabulary = vocabulary((pair.source for pair in pairs), source_tokens)
        target_vocabulary = vocabulary((pair.target for pair in pairs), target_tokens)
        config = Seq2SeqConfig(len(source_vocabulary), len(target_vocabulary), **config)
        model = Seq2Seq(config, np.random.default_rng(seed))
        return cls(model, source_vocabulary, target_vocabulary, source_tokens, target_tokens)

    def encode(self, pairs):
        """Text pairs -> Examples of ids"""
        return encode_pairs(
            pairs, self.source_vocabulary, self.target_vocabulary, self.split_source, self.split_target
        )

    def translate(self, texts, batch_size=256, max_length=100, width=1, length_penalty=0.0):
        """One Translation a text, in order, by beam search; width 1 is greedy decoding.

        Raises ValueError for a text without a token.
        """
        if isinstance(texts, str):
            raise ValueError(f"texts must be a list of texts, got the text {texts!r}")
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str) or not self.split_source(text):
                raise ValueError(f"text {number} holds nothing to translate: {text!r}")
        if not texts:
            return []
        examples = self.encode([Pair(text, "") for text in texts])
        translations = [None] * len(texts)
        for positions, batch in batches_by_length(examples, batch_size):
            batch = batch.for_model(self.model)
            found = beam_search(self.model, batch.source, batch.source_lengths, width, max_length, length_penalty)
            for position, (best, *_) in zip(positions, found, strict=True):
                translations[position] = self._translation(texts[position], best)
        return translations

    def _translation(self, text, hypothesis):
        source = self.split_source(text)
        target = [self.target_vocabulary.tokens[id] for id in hypothesis.ids]
        return Translation(
            self.join_target(self.target_vocabulary.decode(hypothesis.ids)),
            [*source, "<end>"],
            [*target, "<end>"] if hypothesis.finished else target,
            hypothesis.alphas,
            hypothesis.score,
            [token for token in source if token not in self.source_vocabulary.ids],
        )

    def save(self, path):
        """Write everything to one file."""
        checkpoint.save(path, to_device(self.model.params, "cpu"), self._description())

    def _description(self):
        return {
            "kind": "translator",
            "config": asdict(self.model.config),
            "source_tokens": self.source_tokens,
            "target_tokens": self.target_tokens,
            "source_vocabulary": self.source_vocabulary.tokens[len(SPECIALS) :],
            "target_vocabulary": self.target_vocabulary.tokens[len(SPECIALS) :],
        }

    def restore(self, path):
        """Read the parameters of a file made by a translator of this one's configuration.

        Raises ValueError that names the fields that differ, if any do; nothing is changed then.
        """
        params, description = checkpoint.load(path)
        checkpoint.expect_same(path, description, self._description())
        self.model.load(params)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote; ValueError where the file is damaged or holds something else."""
        params, description = checkpoint.load(path)
        try:
            config = Seq2SeqConfig(**description["config"])
            vocabularies = [Vocabulary(description[f"{side}_vocabulary"]) for side in ("source", "target")]
            tokens = [description[f"{side}_tokens"] for side in ("source", "target")]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a saved translator ({error})") from error
        if not params:
            raise ValueError(f"{path} is not a saved translator (it holds no parameters)")
        model = Seq2Seq(config, np.random.default_rng(0), dtype=next(iter(params.values())).dtype)
        model.load(params)
        return cls(model, *vocabularies, *tokens)
