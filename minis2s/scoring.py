"""What a translator's sentences are worth: each metric by name, over text pairs that it has not seen."""

from .contracts import expect_choice, expect_from_0, expect_positive
from .metrics import bleu, chrf, pronunciation_error, sequence_accuracy, token_accuracy
from .training import held_out_loss

# name: (translator, pairs, what it wrote) -> score, in the unit of minis2s.metrics
METRICS = {
    "exact_match": lambda translator, pairs, found: sequence_accuracy(written(found), wanted(translator, pairs)),
    "token_accuracy": lambda translator, pairs, found: token_accuracy(written(found), wanted(translator, pairs)),
    "bleu": lambda translator, pairs, found: (
        bleu(spaced(written(found)), spaced(wanted(translator, pairs)), "none").score
    ),
    "bleu 13a": lambda translator, pairs, found: bleu(*texts(pairs, found), "13a", lowercase=True).score,
    "bleu zh": lambda translator, pairs, found: bleu(*texts(pairs, found), "zh").score,
    "chrf": lambda translator, pairs, found: chrf(*texts(pairs, found)),
}

# The same against several references a source: (what was written as tokens, references) -> score
AGAINST_SEVERAL = {
    "per": lambda hypotheses, references: pronunciation_error(hypotheses, references).per,
    "wer": lambda hypotheses, references: pronunciation_error(hypotheses, references).wer,
}


def score(translator, pairs, metrics=("exact_match",), width=1, length_penalty=0.0, references=None):
    """Scores by name, and "loss": the mean of -log p a token, whose exponential is the perplexity.

    "bleu" is over the model's own tokens, "bleu 13a" (without case) and "bleu zh" over the text as it stands; "per" and
    "wer" need `references`: source text -> its right answers as lists of tokens.
    Raises ValueError for a metric that is not known or lacks its references, before anything is translated.
    """
    expect_evaluation(metrics, width, length_penalty)
    expect_references(metrics, references is not None)
    found = translator.translate([pair.source for pair in pairs], width=width, length_penalty=length_penalty)
    scores = {"loss": held_out_loss(translator.model, translator.encode(pairs))}
    for name in metrics:
        if name in METRICS:
            scores[name] = METRICS[name](translator, pairs, found)
        else:
            scores[name] = AGAINST_SEVERAL[name](written(found), [references[pair.source] for pair in pairs])
    return scores


def expect_evaluation(metrics=("exact_match",), width=1, length_penalty=0.0):
    """ValueError for what `score` cannot do."""
    for name in metrics:
        expect_choice("metrics", name, [*METRICS, *AGAINST_SEVERAL])
    expect_positive(width=width)
    expect_from_0("length_penalty", length_penalty)


def expect_references(metrics, there):
    """ValueError for a metric that needs several references a source, unless there are such."""
    for name in metrics:
        if name in AGAINST_SEVERAL and not there:
            raise ValueError(f"metrics hold {name!r}, which needs references that this task does not have")


def written(found):
    """The tokens of translations, without <end>."""
    return [[token for token in translation.target_tokens if token != "<end>"] for translation in found]


def wanted(translator, pairs):
    """The tokens of the references."""
    return [translator.split_target(pair.target) for pair in pairs]


def spaced(sentences):
    """Lists of tokens as texts, a space between tokens; a token that is a space itself is made visible."""
    return [" ".join(token.replace(" ", "␣") for token in tokens) for tokens in sentences]


def texts(pairs, found):
    return [translation.text for translation in found], [pair.target for pair in pairs]
