"""What a translator's sentences are worth: each metric by name, over text pairs that it has not seen."""

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple

from .contracts import expect_choice, expect_from_0, expect_positive
from .evaluation import held_out_loss
from .metrics import bleu, chrf, pronunciation_error, sequence_accuracy, token_accuracy


class Attempt(NamedTuple):
    """What a translator wrote for pairs of texts, and what is known of the truth besides their targets.

    references: source text -> its right answers as lists of tokens; alignment: (source, target) -> for each token of
    the target the set of source positions that it comes from, or None.
    """

    translator: object
    pairs: list
    translations: list
    references: Mapping | None = None
    alignment: Callable | None = None

    def written(self):
        """The tokens of the translations, without <end>."""
        return [[token for token in found.target_tokens if token != "<end>"] for found in self.translations]

    def wanted(self):
        """The tokens of the targets."""
        return [self.translator.split_target(pair.target) for pair in self.pairs]

    def texts(self):
        return [found.text for found in self.translations], [pair.target for pair in self.pairs]

    def select(self, rows):
        """The attempt at some of the pairs."""
        pairs, translations = ([each[row] for row in rows] for each in (self.pairs, self.translations))
        return self._replace(pairs=pairs, translations=translations)


def alignment_accuracy(attempt):
    """Of the target's tokens that come from known places, the share whose largest attention weight lies on one.

    Over the sentences that were translated rightly: for a wrong one there is no truth. None where there are none.
    """
    hits = known = 0
    for pair, found in zip(attempt.pairs, attempt.translations, strict=True):
        if found.text == pair.target:
            for places, alpha in zip(attempt.alignment(*pair), found.alphas):  # alphas: <end> as well
                if places is not None:
                    known += 1
                    hits += int(alpha.argmax()) in places
    return hits / known if known else None


def _pronunciation(attempt):
    return pronunciation_error(attempt.written(), [attempt.references[pair.source] for pair in attempt.pairs])


# name: attempt -> score, in the unit of minis2s.metrics
METRICS = {
    "exact_match": lambda attempt: sequence_accuracy(attempt.written(), attempt.wanted()),
    "token_accuracy": lambda attempt: token_accuracy(attempt.written(), attempt.wanted()),
    "bleu": lambda attempt: bleu(_spaced(attempt.written()), _spaced(attempt.wanted()), "none").score,
    "bleu 13a": lambda attempt: bleu(*attempt.texts(), "13a", lowercase=True).score,
    "bleu zh": lambda attempt: bleu(*attempt.texts(), "zh").score,
    "chrf": lambda attempt: chrf(*attempt.texts()),
    "per": lambda attempt: _pronunciation(attempt).per,
    "wer": lambda attempt: _pronunciation(attempt).wer,
    "alignment": alignment_accuracy,
}
# What a metric needs to know besides the targets; not every task has it.
NEEDS = {"per": "references", "wer": "references", "alignment": "alignment"}


def attempt(translator, pairs, width=1, length_penalty=0.0, **truth):
    """Translate the sources of pairs -> Attempt; `truth` as its fields references and alignment."""
    found = translator.translate([pair.source for pair in pairs], width=width, length_penalty=length_penalty)
    return Attempt(translator, pairs, found, **truth)


def score(attempt, metrics=("exact_match",)):
    """Scores by name, and "loss": the mean of -log p a token, whose exponential is the perplexity.

    "bleu" is over the model's own tokens, "bleu 13a" (without case) and "bleu zh" over the text as it stands.
    Raises ValueError for a metric that is not known or lacks what it needs.
    """
    expect_evaluation(metrics)
    expect_truth(metrics, [name for name in Attempt._field_defaults if getattr(attempt, name) is not None])
    loss = held_out_loss(attempt.translator.model, attempt.translator.encode(attempt.pairs))
    return {"loss": loss} | {name: METRICS[name](attempt) for name in metrics}


def score_by_length(attempt, metrics=("exact_match",), groups=8):
    """Scores by the length of the source in tokens: about `groups` groups of about as many pairs, a dict each.

    from, to: the lengths; pairs: how many; scores: by name. Pairs of one length stay together.
    """
    lengths = [len(attempt.translator.split_source(pair.source)) for pair in attempt.pairs]
    rows = sorted(range(len(lengths)), key=lengths.__getitem__)
    found, group = [], []
    for _, same in groupby(rows, key=lengths.__getitem__):
        group += same
        if len(group) * groups >= len(rows):
            found.append(group)
            group = []
    found += [group] if group else []
    return [
        {"from": lengths[rows[0]], "to": lengths[rows[-1]], "pairs": len(rows)}
        | {"scores": {name: METRICS[name](attempt.select(rows)) for name in metrics}}
        for rows in found
    ]


def expect_evaluation(metrics=("exact_match",), width=1, length_penalty=0.0):
    """ValueError for what `attempt` and `score` cannot do."""
    for name in metrics:
        expect_choice("metrics", name, METRICS)
    expect_positive(width=width)
    expect_from_0("length_penalty", length_penalty)


def expect_truth(metrics, known):
    """ValueError for a metric that needs more of the truth than is known: names of Attempt's fields."""
    for name in metrics:
        if name in NEEDS and NEEDS[name] not in known:
            raise ValueError(f"metrics hold {name!r}, which needs {NEEDS[name]} that this task does not have")


def _spaced(sentences):
    """Lists of tokens as texts, a space between tokens; a token that is a space itself is made visible."""
    return [" ".join(token.replace(" ", "␣") for token in tokens) for tokens in sentences]
