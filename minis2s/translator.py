"""A trained model with all it needs to go from text to text, in one file."""

from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from . import checkpoint
from .data.batches import batches_by_length, encode_pairs
from .data.pairs import Pair
from .data.tokenisers import tokeniser
from .data.vocabulary import Vocabulary
from .decoding import greedy
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

    def translate(self, texts, batch_size=256, max_length=100):
        """One Translation a text, in order; ValueError for a text without a token."""
        for number, text in enumerate(texts, start=1):
            if not isinstance(text, str) or not self.split_source(text):
                raise ValueError(f"text {number} holds nothing to translate: {text!r}")
        if not texts:
            return []
        examples = self.encode([Pair(text, "") for text in texts])
        translations = [None] * len(texts)
        for positions, batch in batches_by_length(examples, batch_size):
            batch = batch.to(self.model.device)
            decoded = greedy(self.model, batch.source, batch.source_lengths, max_length)
            for position, hypothesis in zip(positions, decoded, strict=True):
                translations[position] = self._translation(texts[position], hypothesis)
        return translations

    def _translation(self, text, hypothesis):
        source = self.split_source(text)
        target = [self.target_vocabulary.tokens[id] for id in hypothesis.ids]
        alphas = hypothesis.alphas
        return Translation(
            self.join_target(self.target_vocabulary.decode(hypothesis.ids)),
            [*source, "<end>"],
            [*target, "<end>"] if alphas is not None and len(alphas) > len(target) else target,
            alphas,
            hypothesis.score,
            [token for token in source if token not in self.source_vocabulary.ids],
        )

    def save(self, path):
        """Write everything to one file."""
        description = {
            "kind": "translator",
            "config": asdict(self.model.config),
            "source_tokens": self.source_tokens,
            "target_tokens": self.target_tokens,
            "source_vocabulary": self.source_vocabulary.tokens[4:],
            "target_vocabulary": self.target_vocabulary.tokens[4:],
        }
        params = {name: np.asarray(array) for name, array in self.model.params.items()}
        checkpoint.save(path, params, description)

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
        model = Seq2Seq(config, np.random.default_rng(0), dtype=next(iter(params.values())).dtype)
        model.load(params)
        return cls(model, *vocabularies, *tokens)
