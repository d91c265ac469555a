"""Scores of what a translator wrote, from translations made by hand."""

import numpy as np
import pytest

from minis2s.data.dates import date_alignment
from minis2s.data.pairs import Pair
from minis2s.scoring import Attempt, alignment_accuracy, attempt, score, score_by_length
from minis2s.translator import Translation, Translator

PAIRS = [Pair("9/27/1994", "1994/9/27"), Pair("2/3/2031", "2031/2/3"), Pair("1/2/2000", "2000/1/2")]


class Scribe:
    """Stands for a translator, as far as scores look at it."""

    split_source = split_target = staticmethod(list)


def translation(pair, text, look):
    """What was written for a pair; look[t]: the source position on which output t looks most."""
    alphas = np.full((len(look), len(pair.source) + 1), 0.01)
    alphas[np.arange(len(look)), look] = 0.9
    return Translation(text, [*pair.source, "<end>"], [*text, "<end>"], alphas, 0.0, [])


def looks(pair):
    """The first of the places that the truth names for each token, and the last position for the others."""
    return [min(places) if places else len(pair.source) for places in date_alignment(*pair)] + [len(pair.source)]


def attempted(texts, all_looks):
    found = [translation(*each) for each in zip(PAIRS, texts, all_looks, strict=True)]
    return Attempt(Scribe(), PAIRS, found, alignment=date_alignment)


def test_attention_on_the_truth_is_right_and_one_place_beside_it_is_wrong():
    right = [looks(pair) for pair in PAIRS]
    texts = [pair.target for pair in PAIRS]
    assert alignment_accuracy(attempted(texts, right)) == 1
    missed = [list(look) for look in right]
    missed[0][0] = 4  # the 1 of 1994 from the slash before it
    known = sum(places is not None for pair in PAIRS for places in date_alignment(*pair))
    assert alignment_accuracy(attempted(texts, missed)) == (known - 1) / known


def test_only_right_sentences_have_a_truth_to_look_at():
    right = [looks(pair) for pair in PAIRS]
    wrong = [[0] * len(look) for look in right]
    one_right = [PAIRS[0].target, "2031/3/2", ""]
    assert alignment_accuracy(attempted(one_right, [right[0], *wrong[1:]])) == 1
    assert alignment_accuracy(attempted(["", "", ""], wrong)) is None


def test_scores_by_length_keep_pairs_of_one_length_together():
    sources = ["a"] * 5 + ["bb"] * 2 + ["ccc"] * 3
    pairs = [Pair(source, source) for source in sources]
    texts = [source if index % 2 else "x" for index, source in enumerate(sources)]
    found = [translation(pair, text, [0] * (len(text) + 1)) for pair, text in zip(pairs, texts, strict=True)]
    groups = score_by_length(Attempt(Scribe(), pairs, found), groups=4)
    assert [(group["from"], group["to"], group["pairs"]) for group in groups] == [(1, 1, 5), (2, 3, 5)]
    assert [group["scores"]["exact_match"] for group in groups] == [2 / 5, 3 / 5]


@pytest.mark.parametrize(
    ("metric", "needs"), [("per", "references"), ("wer", "references"), ("alignment", "alignment")]
)
def test_a_metric_says_what_it_lacks(metric, needs):
    translator = Translator.untrained(PAIRS, "characters", "characters", embedding_size=2, hidden_size=2)
    found = attempt(translator, PAIRS, width=2)
    with pytest.raises(ValueError, match=f"metrics hold '{metric}', which needs {needs} that this task does not have"):
        score(found, [metric])


def test_the_references_that_are_given_are_those_compared_with():
    translator = Translator.untrained(PAIRS, "characters", "characters", embedding_size=2, hidden_size=2)
    found = attempt(translator, PAIRS)
    own = {pair.source: [tokens] for pair, tokens in zip(PAIRS, found.written(), strict=True)}
    assert all(found.written())
    assert score(found._replace(references=own), ["per", "wer"])["wer"] == 0
    targets = {pair.source: [list(pair.target)] for pair in PAIRS}
    assert score(found._replace(references=targets), ["wer"])["wer"] == 100
