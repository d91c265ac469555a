"""Metrics against sacreBLEU, against brute force and against numbers worked out by hand."""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest

from minis2s.metrics import (
    bleu,
    chrf,
    edit_distance,
    pronunciation_error,
    sequence_accuracy,
    token_accuracy,
)
from minis2s.metrics.tokenisation import TOKENISERS

words = str.split

ENGLISH = words(
    "the a cat dog Tom's don't isn't saw well-known U.S. e.g. 3.14 1,000 2008-09 50% $9.99 3-year (maybe) "
    'river bank walked slowly "quoted" and/or x=y C++ #1 user@host.org &quot;so&quot; R&amp;D &lt;b&gt; '
    "&amp;lt; [sic] <skipped> it's... --dash-- wait?! naïve café Straße “curly” ’tis pre–post"
)
CHINESE = words(
    "我们 今天 去 图书馆 看 一本 書 很 有趣 汤姆 ， 。 ！ 「 」 《红楼梦》 Hello GPT-4 3.5 U.S. 100% 第1名 "
    "２０２４ ㊀ 𠀀 〇 ——"
)
ENDINGS = [".", "?", "!", "...", " .", "", "", " 2008.", ", etc.", "\n", " the end-\n"]


def random_sentence(rng, vocabulary, joint):
    chosen = rng.choice(vocabulary, size=rng.integers(1, 16))
    return joint.join(chosen) + str(rng.choice(ENDINGS))


def noisy(rng, sentence, vocabulary, joint, rate):
    """The sentence with about `rate` of its words dropped, doubled, swapped for another or moved."""
    tokens = sentence.split() if joint else list(sentence)
    kept = []
    for token in tokens:
        edit = rng.integers(4) if rng.random() < rate else -1
        if edit == 1:
            kept += [token, token]
        elif edit == 2:
            kept.append(str(rng.choice(vocabulary)))
        elif edit == 3:
            kept.insert(rng.integers(len(kept) + 1), token)
        elif edit == -1:
            kept.append(token)
    return joint.join(kept)


def random_corpus(seed, size, references, vocabulary=ENGLISH, joint=" ", rate=None):
    """`size` hypotheses, each with `references` references; the noise varies by sentence if not given."""
    rng = np.random.default_rng(seed)
    hypotheses, alternatives = [], []
    for _ in range(size):
        sentence = random_sentence(rng, vocabulary, joint)
        amount = rng.choice([0, 0.1, 0.3, 0.6, 1]) if rate is None else rate
        hypotheses.append(noisy(rng, sentence, vocabulary, joint, amount))
        others = [noisy(rng, sentence, vocabulary, joint, 0.3) for _ in range(references - 1)]
        alternatives.append([sentence, *others])
    return hypotheses, alternatives


def mixed_corpus(seed, size, references, rate=None):
    """Half English, half Chinese with Latin words inside."""
    english = random_corpus(seed, size // 2, references, rate=rate)
    chinese = random_corpus(seed + 1, size - size // 2, references, CHINESE, "", rate)
    return english[0] + chinese[0], english[1] + chinese[1]


@pytest.fixture(scope="module")
def sacrebleu():
    return pytest.importorskip("sacrebleu.metrics")


def assert_same_bleu(sacrebleu, hypotheses, references, tokenize, lowercase=False):
    theirs = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase, force=True).corpus_score(
        hypotheses, list(zip(*references, strict=True))
    )
    ours = bleu(hypotheses, references, tokenize=tokenize, lowercase=lowercase)
    assert ours.score == pytest.approx(theirs.score, abs=1e-9)
    assert ours.precisions == pytest.approx(theirs.precisions, abs=1e-9)
    assert ours.brevity_penalty == pytest.approx(theirs.bp, abs=1e-12)
    assert (ours.hypothesis_length, ours.reference_length) == (theirs.sys_len, theirs.ref_len)
    return ours.score


# Tokenisation


@pytest.mark.parametrize("name", TOKENISERS)
def test_tokens_equal_sacrebleus(sacrebleu, name):
    tokenizer = sacrebleu.BLEU(tokenize=name).tokenizer
    hypotheses, references = mixed_corpus(seed=1, size=400, references=1)
    rng = np.random.default_rng(2)
    alphabet = list(" aZ019.,-'&;$[]\\^{}~/:@_\n\t我，“𠀀é")
    gibberish = ["".join(rng.choice(alphabet, size=rng.integers(30))) for _ in range(2000)]
    for sentence in hypotheses + [r for (r,) in references] + gibberish:
        assert TOKENISERS[name](sentence) == tokenizer(sentence).split()


def test_every_character_is_chinese_or_not_as_in_sacrebleu(sacrebleu):
    tokenizer = sacrebleu.BLEU(tokenize="zh").tokenizer
    planes = [*range(0xD800), *range(0xE000, 0x10000), *range(0x20000, 0x20100), *range(0x2F800, 0x2FA20)]
    text = "|".join(f"x{chr(code)}x" for code in planes)
    assert TOKENISERS["zh"](text) == tokenizer(text).split()


def test_tokenisations_by_hand():
    assert TOKENISERS["13a"]("Don't pay $1,000.50, R&amp;D-man (2008-09).") == (
        words("Don't pay $ 1,000.50 , R & D-man ( 2008 - 09 ) .")
    )
    assert TOKENISERS["zh"]("他用GPT-4翻译3.5页。") == words("他 用 GPT-4 翻 译 3.5 页 。")
    assert TOKENISERS["char"]("a b你 ") == ["a", "b", "你"]
    assert TOKENISERS["none"](" a,b  c. ") == ["a,b", "c."]


# BLEU


@pytest.mark.parametrize("references", [1, 2])
@pytest.mark.parametrize("tokenize", TOKENISERS)
def test_bleu_of_a_corpus_equals_sacrebleus_from_perfect_to_hopeless(sacrebleu, tokenize, references):
    corpora = [mixed_corpus(10 * k, 80, references, rate) for k, rate in enumerate([0, 0.02, 0.1, 0.3, 1])]
    hypotheses, alternatives = corpora[0]
    corpora.append((hypotheses, alternatives[40:] + alternatives[:40]))  # English beside Chinese
    scores = [
        assert_same_bleu(sacrebleu, *corpus, tokenize, lowercase)
        for corpus in corpora
        for lowercase in (False, True)
    ]
    assert min(scores) < 10 and max(scores) > 99


@pytest.mark.parametrize("references", [1, 2, 3])
@pytest.mark.parametrize("tokenize", TOKENISERS)
def test_bleu_of_single_sentences_equals_sacrebleus(sacrebleu, tokenize, references):
    # One sentence at a time, smoothing and missing orders show; averaged over a corpus they hardly would.
    hypotheses, alternatives = mixed_corpus(3, 120, references)
    scores = [
        assert_same_bleu(sacrebleu, [h], [r], tokenize) for h, r in zip(hypotheses, alternatives, strict=True)
    ]
    assert min(scores) == 0 and max(scores) > 99 and sum(0 < score < 99 for score in scores) > 25


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        ([""], [["a b c d e"]]),
        ([""], [[""]]),
        (["a b c d e"], [[""]]),
        (["", "a b c d e"], [["x y"], ["a b c d e"]]),
        (["a b c"], [["a b c"]]),
        (["a b c x d e"], [["a b c d e"]]),
        (["p q r s t"], [["a b c d e"]]),
        (["the the the the the"], [["the cat the mat sat"]]),
        (["a b c d e f"], [["a b c d e f g h", "a b c d"]]),
        (["a b c d e f"], [["a b c d", "a b c d e f g h"]]),
        (["The Cat Sat Down Now"], [["the cat sat down now"]]),
    ],
)
@pytest.mark.parametrize("tokenize", TOKENISERS)
def test_bleu_edge_cases_equal_sacrebleus(sacrebleu, hypotheses, references, tokenize):
    assert_same_bleu(sacrebleu, hypotheses, references, tokenize)
    assert_same_bleu(sacrebleu, hypotheses, references, tokenize, lowercase=True)


def test_bleu_by_hand():
    # 5 of 6 words, 3 of 5 pairs, 1 of 4 triples, no quadruple of 3: smoothed to 1 / (2 * 3).
    result = bleu(["the cat sat on a mat"], ["the cat sat quietly on a soft mat"])
    assert result.precisions == pytest.approx((100 * 6 / 6, 100 * 3 / 5, 100 * 1 / 4, 100 / 6))
    assert result.brevity_penalty == pytest.approx(math.exp(1 - 8 / 6))
    assert result.score == pytest.approx(100 * math.exp(1 - 8 / 6) * (1 * 0.6 * 0.25 / 6) ** 0.25)
    assert (result.hypothesis_length, result.reference_length) == (6, 8)


def test_bleu_counts_a_repeated_word_only_as_often_as_one_reference_has_it():
    # Papineni et al. 2002, section 2.1, example 2: "the" seven times matches twice.
    result = bleu(["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]])
    assert result.precisions[0] == pytest.approx(100 * 2 / 7)


def test_bleu_takes_the_shorter_of_two_equally_near_reference_lengths():
    for references in (["a b c d", "a b c d e f g h"], ["a b c d e f g h", "a b c d"]):
        assert bleu(["a b c d e f"], [references]).reference_length == 4


def test_bleu_of_a_perfect_corpus_is_100_and_one_reference_may_stand_alone():
    hypotheses, references = mixed_corpus(4, 50, 1, rate=0)
    alone = bleu(hypotheses, [r for (r,) in references], tokenize="char")
    assert alone == bleu(hypotheses, references, tokenize="char")
    assert bleu(["a b c d"], ["a b c d"]) == (100, (100, 100, 100, 100), 1, 4, 4)


# chrF


@pytest.mark.parametrize("references", [1, 2])
@pytest.mark.parametrize(("n", "beta", "word_order"), [(6, 2, 0), (6, 2, 2), (3, 1, 0), (6, 3, 1)])
def test_chrf_equals_sacrebleus(sacrebleu, n, beta, word_order, references):
    theirs = sacrebleu.CHRF(char_order=n, beta=beta, word_order=word_order)

    def compare(hypotheses, alternatives):
        expected = theirs.corpus_score(hypotheses, list(zip(*alternatives, strict=True))).score
        assert chrf(hypotheses, alternatives, n, beta, word_order) == pytest.approx(expected, abs=1e-9)
        return expected

    scores = [compare(*mixed_corpus(20 * k, 80, references, rate)) for k, rate in enumerate([0, 0.2, 0.6])]
    assert max(scores) > 90 and min(scores) < 75
    sentences = mixed_corpus(5, 120, references)
    scores = [compare([h], [r]) for h, r in zip(*sentences, strict=True)]
    assert min(scores) < 10 and max(scores) > 99.99


@pytest.mark.parametrize(
    ("hypotheses", "references"),
    [
        ([""], ["abc"]),
        (["abc"], [""]),
        ([""], [""]),
        (["xyz"], ["abc"]),
        (["abcdefgh"], ["ab"]),
        (["ab"], ["abcdefgh"]),
        (["(so) 'it' ... a. .b -"], ["(so it) ... a b"]),
        (["long enough to count", "abcdefghij"], ["long enough to count too", "ab"]),
    ],
)
@pytest.mark.parametrize("word_order", [0, 2])
def test_chrf_edge_cases_equal_sacrebleus(sacrebleu, hypotheses, references, word_order):
    expected = sacrebleu.CHRF(word_order=word_order).corpus_score(hypotheses, [references]).score
    assert chrf(hypotheses, references, word_order=word_order) == pytest.approx(expected, abs=1e-9)


def test_chrf_by_default_is_chrf2_over_six_characters_without_words():
    corpus = mixed_corpus(7, 20, 2)
    assert chrf(*corpus) == chrf(*corpus, n=6, beta=2, word_order=0) != chrf(*corpus, word_order=2)


def test_chrf_by_hand():
    # The one pair and both letters of "ab" are right: P = 1; the reference has 4 letters and 3 pairs.
    recall = (2 / 4 + 1 / 3) / 2
    assert chrf(["a b"], ["ab cd"], n=2) == pytest.approx(100 * 5 * recall / (4 + recall))


# Edit distance


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("saturday", "sunday", 3),
        ("flaw", "lawn", 2),
        ("ab", "ba", 2),
        (["T", "AH", "M"], ["T", "AA", "M"], 1),
        ((1, 2, 3), [2, 3, 4], 2),
    ],
)
def test_edit_distance_by_hand(a, b, distance):
    assert edit_distance(a, b) == distance


def test_edit_distance_equals_the_recursive_definition():
    @cache
    def recursive(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            recursive(a[1:], b[1:]) + (a[0] != b[0]),
            recursive(a[1:], b) + 1,
            recursive(a, b[1:]) + 1,
        )

    short = [sequence for length in range(5) for sequence in product("xyz", repeat=length)]
    for a, b in product(short, repeat=2):
        assert edit_distance(a, b) == recursive(a, b)


def test_edit_distance_is_a_metric():
    rng = np.random.default_rng(6)
    for _ in range(500):
        a, b, c = (rng.integers(4, size=rng.integers(13)).tolist() for _ in range(3))
        assert edit_distance(a, b) == edit_distance(b, a)
        assert (edit_distance(a, b) == 0) == (a == b)
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
        assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


def test_edit_distance_leaves_its_arguments_alone_and_reads_arrays():
    a, b = [1, 2, 3], np.array([1, 3, 3, 4])
    assert edit_distance(a, b) == 2
    assert a == [1, 2, 3] and b.tolist() == [1, 3, 3, 4]


# Accuracy


def test_token_accuracy_counts_reference_positions():
    assert token_accuracy([["a", "b", "c", "d"]], [["a", "b", "x"]]) == pytest.approx(
        2 / 3
    )  # d is not counted
    assert token_accuracy([["a"]], [["a", "b"]]) == pytest.approx(1 / 2)  # b is missing
    assert token_accuracy([["b", "c"]], [["a", "b", "c"]]) == 0  # one token dropped early
    assert token_accuracy([[1, 2], (5,)], [(1, 2), [3, 4, 5]]) == pytest.approx(2 / 5)  # not 1 / 2
    assert token_accuracy([[1], [1, 2]], [[], [1, 2]]) == 1


def test_sequence_accuracy_wants_the_whole_sequence():
    hypotheses = [["a", "b"], ["a", "b", "c"], ["a"], []]
    references = [("a", "b"), ["a", "b"], ["a", "b"], []]
    assert sequence_accuracy(hypotheses, references) == pytest.approx(2 / 4)
    assert sequence_accuracy(np.array([[1, 2], [3, 4]]), [[1, 2], [3, 5]]) == pytest.approx(1 / 2)


# PER and WER


def test_pronunciation_error_by_hand():
    hypotheses = [
        words("T AH M EY T OW"),  # the second pronunciation exactly: 0 of 6
        words("R IY D"),  # 1 from "R EH D": 1 of 3
        words("K AE T S AH"),  # 2 from "K AE T": 2 of 3
        [],  # nothing said: 2 of 2
        words("AH B K D EH F"),  # 5 from "B AH"; capped at 2 of 2
    ]
    references = [
        [words("T AH M AA T OW"), words("T AH M EY T OW")],
        [words("R EH D")],
        [words("K AE T"), words("D AO G Z IH Z")],
        [words("OW N")],
        [words("B AH")],
    ]
    error = pronunciation_error(hypotheses, references)
    assert error.per == pytest.approx(100 * (0 + 1 + 2 + 2 + 2) / (6 + 3 + 3 + 2 + 2))
    assert error.wer == pytest.approx(100 * 4 / 5)


def test_of_equally_near_pronunciations_the_first_counts():
    short, long = ["A", "B"], ["A", "B", "C", "D"]  # both one edit away from A B C
    assert pronunciation_error([["A", "B", "C"]], [[short, long]]).per == pytest.approx(100 / 2)
    assert pronunciation_error([["A", "B", "C"]], [[long, short]]).per == pytest.approx(100 / 4)


def test_the_nearest_pronunciation_is_sought_before_the_distance_is_capped():
    # Distances 4 of 5 and 5 of 1: the first is nearer, though the second, capped, would count as 1.
    hypothesis, near, tiny = list("abcde"), list("awxyz"), ["q"]
    assert pronunciation_error([hypothesis], [[near, tiny]]).per == pytest.approx(100 * 4 / 5)


def test_pronunciation_error_stays_between_0_and_100():
    phones = [["A", "B"], ["C"]]
    assert pronunciation_error(phones, [[p] for p in phones]) == (0, 0)
    assert pronunciation_error([["X"] * 50, []], [[p] for p in phones]) == (100, 100)


# Bad input


TOKEN_METRICS = [token_accuracy, sequence_accuracy, pronunciation_error]


@pytest.mark.parametrize("metric", [bleu, chrf, *TOKEN_METRICS])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        ([], [], "are empty"),
        (["a b", "c"], ["a b"], "equally many, got 2 and 1"),
        ("a b", ["a b"], "hypotheses must be a list.*'a b'"),
        (["a b"], "a b", "references must be a list.*'a b'"),
        (None, ["a b"], "hypotheses must be a list.*None"),
    ],
)
def test_a_corpus_that_does_not_pair_off_is_refused(metric, hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        metric(hypotheses, references)


@pytest.mark.parametrize("metric", [bleu, chrf])
@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (["ok", ["a", "b"]], ["ok", "a b"], r"hypotheses\[1\] must be a string.*\['a', 'b'\]"),
        (["ok", None], ["ok", "a b"], r"hypotheses\[1\] must be a string.*None"),
        (["ok", "a b"], ["ok", [["a", "b"]]], r"references\[1\]\[0\] must be a string.*\['a', 'b'\]"),
        (["ok", "a b"], ["ok", []], r"references\[1\] is empty"),
        (["ok", "a b"], ["ok", 7], r"references\[1\] must be a list of references.*7"),
    ],
)
def test_sentences_must_be_strings(metric, hypotheses, references, message):
    with pytest.raises(ValueError, match=message):
        metric(hypotheses, references)


@pytest.mark.parametrize("metric", TOKEN_METRICS)
def test_tokens_must_be_lists(metric):
    reference = [["a"]] if metric is pronunciation_error else ["a"]
    with pytest.raises(ValueError, match=r"hypotheses\[1\] must be a list of tokens, got 'a b'"):
        metric([["a"], "a b"], [reference, reference])
    with pytest.raises(ValueError, match=r"references\[1\] must be a list of .*'a b'"):
        metric([["a"], ["a"]], [reference, "a b"])
    with pytest.raises(ValueError, match=r"hypotheses\[0\] must be a list of tokens, got 3"):
        metric([3], [reference])


def test_a_pronunciation_is_a_list_of_phones_with_at_least_one():
    with pytest.raises(ValueError, match=r"references\[0\] is empty"):
        pronunciation_error([["A"]], [[]])
    with pytest.raises(ValueError, match=r"references\[0\]\[1\] is a pronunciation without a single phone"):
        pronunciation_error([["A"]], [[["A"], []]])
    with pytest.raises(ValueError, match=r"references\[0\]\[0\] must be a list of tokens, got 'AH'"):
        pronunciation_error([["AH", "B"]], [["AH", "B"]])  # one list too few


def test_token_accuracy_needs_a_reference_token():
    with pytest.raises(ValueError, match="references hold no token"):
        token_accuracy([["a"], []], [[], []])


def test_an_unknown_tokenisation_names_the_known_ones():
    with pytest.raises(ValueError, match=r"tokenize.*13a, zh, char, none.*'intl'"):
        bleu(["a"], ["a"], tokenize="intl")


@pytest.mark.parametrize("options", [{"n": 0}, {"beta": 0}, {"beta": -1}, {"word_order": -1}])
def test_chrf_refuses_orders_and_weights_that_mean_nothing(options):
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        chrf(["a"], ["a"], **options)
