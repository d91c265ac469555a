"""Every task by name: nothing leaks, seeds decide, and each task is what it says it is."""

import gzip
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from minis2s.data.cmudict import cmudict, cmudict_references
from minis2s.data.components import normalised
from minis2s.data.corpora import CORPORA
from minis2s.data.dlfs2 import dlfs2
from minis2s.data.drawing import share
from minis2s.data.locate import sha256
from minis2s.data.multi30k import multi30k
from minis2s.data.numbers import LIMIT, ONES, TENS, chinese_numerals, english_words
from minis2s.data.pairs import Pair, Splits
from minis2s.data.scan import scan
from minis2s.data.tasks import TASKS, load_task
from minis2s.data.tokenisers import join_words, words
from minis2s.metrics import pronunciation_error

# task -> the corpus that it is read from, and the pairs in train, valid, test and longer: of a corpus as they
# are unless asked otherwise, of a generated task as these tests ask for them
SIZES = {
    "copy": (None, 6_000, 500, 1_000, 1_000),
    "reverse": (None, 6_000, 500, 1_000, 1_000),
    "addition": (None, 9_000, 500, 1_000),
    "numbers": (None, 6_000, 500, 1_000, 1_000),
    "dates": (None, 6_000, 500, 1_000),
    "dates-multilingual": (None, 6_000, 500, 1_000),
    "cmudict": ("cmudict", 110_620, 2_670, 12_000),
    "dlfs2-addition": ("dlfs2", 43_000, 2_000, 5_000),
    "dlfs2-date": ("dlfs2", 42_622, 2_378, 5_000),
    "multi30k": ("multi30k", 29_000, 1_014, 1_000),
    "scan-simple": ("scan", 15_728, 1_000, 4_182),
    "scan-length": ("scan", 15_990, 1_000, 3_920),
    "scan-jump": ("scan", 13_670, 1_000, 7_706),
    "tatoeba": ("tatoeba", 27_055, 1_000, 1_000),
}
GENERATED = [task for task in SIZES if SIZES[task][0] is None]


def plain(text):
    """Lower case without the marks and spaces of sentences; signs that mean something, + and /, stay."""
    return re.sub(r"""[\s.,!?'"“”。，！？、：；「」《》-]+""", "", text.lower())


# What tells sources apart: in a dictionary, OURS and OUR'S are two words.
IDENTITY = dict.fromkeys(SIZES, plain)
IDENTITY |= {"cmudict": str, "addition": lambda text: frozenset(text.split("+"))}
# Splits as they were published leak: (the two splits, sources that they share).
PUBLISHED = {"multi30k": {("train", "valid"): 1}}


def beside():
    """The directories where corpora may lie for these tests."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    return [Path(place) for place in (os.environ.get("MINIS2S_DATA"), shared) if place]


def directory_of(corpus):
    """The data directory with a corpus; the test is skipped where there is none."""
    wanted = CORPORA[corpus].files
    for place in beside():
        if all((place / CORPORA[corpus].folder / file.name).is_file() for file in wanted):
            return place
    pytest.skip(f"the corpus {corpus} is neither in MINIS2S_DATA nor in ../shared/data")


@cache
def load(task, seed=0, **options):
    if SIZES[task][0] is None:
        if task.startswith("dates"):
            pytest.importorskip("babel", reason='the date tasks need Babel: pip install "minis2s[data]"')
        sizes = dict(zip(("train", "valid", "test", "longer"), SIZES[task][1:], strict=False))
        return load_task(task, seed, **{**sizes, **options})
    return load_task(task, seed, directory_of(SIZES[task][0]), download=False, **options)


def parts(splits):
    return {"train": splits.train, "valid": splits.valid, "test": splits.test, **splits.more}


def shared(splits, identity):
    """How many sources any two splits have in common, where they have any."""
    texts = {name: {identity(pair.source) for pair in part} for name, part in parts(splits).items()}
    names = list(texts)
    count = {(a, b): len(texts[a] & texts[b]) for i, a in enumerate(names) for b in names[i + 1 :]}
    return {pair: number for pair, number in count.items() if number}


# --- laws of every task -------------------------------------------------------------------------------------


def test_the_table_of_these_tests_has_every_task():
    assert set(SIZES) == set(TASKS)


@pytest.mark.parametrize("task", [task for task in SIZES if task != "dlfs2-date"])
def test_no_source_is_in_two_splits(task):
    assert shared(load(task), IDENTITY[task]) == PUBLISHED.get(task, {})


def test_the_law_sees_a_leak():
    splits = Splits([Pair("1+23", "")], [Pair("2+3", "")], [Pair("23+1", "")], {"longer": [Pair("2+3", "")]})
    assert shared(splits, IDENTITY["addition"]) == {("train", "test"): 1, ("valid", "longer"): 1}
    splits = Splits([Pair("Hi there!", "")], [Pair("hi, there", "")], [])
    assert shared(splits, plain) == {("train", "valid"): 1}


@pytest.mark.parametrize("task", SIZES)
def test_splits_are_of_these_sizes_and_hold_pairs_of_texts(task):
    splits = load(task)
    assert [len(part) for part in parts(splits).values()] == list(SIZES[task][1:])
    for part in parts(splits).values():
        for pair in part:
            assert type(pair) is Pair
            assert pair.source.strip() == pair.source != ""
            assert pair.target.strip() == pair.target != ""


@pytest.mark.parametrize("task", [*GENERATED, "tatoeba", "scan-length", "dlfs2-addition"])
def test_the_seed_decides(task):
    small = {"train": 300, "valid": 20, "test": 30} if task in GENERATED else {}
    one = load(task, **small)
    assert load.__wrapped__(task, **small) == one
    assert load.__wrapped__(task, 1, **small) != one


@pytest.mark.parametrize("task", GENERATED)
def test_the_test_pairs_are_the_same_for_every_size_of_the_others(task):
    one, other = load(task, 0, train=300, valid=20, test=30), load(task, 0, train=400, valid=5, test=30)
    assert one.test == other.test
    assert one.more == other.more


@pytest.mark.parametrize("task", GENERATED)
def test_sizes_that_cannot_be_are_refused(task):
    for size in (-1, 2.5, "many"):
        with pytest.raises(ValueError, match=f"valid must .*{size}"):
            load_task(task, valid=size)


def test_an_unknown_task_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"task must be one of copy, reverse, .*tatoeba; got 'translation'"):
        load_task("translation")


@pytest.mark.parametrize("task", SIZES)
def test_an_unknown_option_is_answered_with_the_known_ones(task):
    for option in ("sizee", "directory_"):
        with pytest.raises(ValueError, match=rf"the task {task} has no option '{option}'; it has .*\w"):
            load_task(task, **{option: 1})


def test_the_options_of_corpora_are_not_of_generated_tasks():
    with pytest.raises(ValueError, match="the task addition has no option 'download'"):
        load_task("addition", download=False)
    with pytest.raises(ValueError, match="the task scan-jump has no option 'split'"):
        load_task("scan-jump", split="simple")


def test_a_task_is_read_from_the_directory_that_is_named(tmp_path, monkeypatch):
    for place in ("given", "named"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "addition.txt").write_text(f"1+1_{place}\n" * 20, "utf-8")
    monkeypatch.setenv("MINIS2S_DATA", str(tmp_path / "named"))
    options = {"valid": 0, "any_version": True, "download": False}
    assert load_task("dlfs2-addition", **options).test[0].target == "named"
    assert load_task("dlfs2-addition", directory=tmp_path / "given", **options).test[0].target == "given"
    assert len(load_task("copy", directory=tmp_path, train=5, valid=5, test=5).train) == 5


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_corpora_here_are_the_known_versions(corpus):
    folder = directory_of(corpus) / CORPORA[corpus].folder
    for file in CORPORA[corpus].files:
        assert (sha256(folder / file.name), (folder / file.name).stat().st_size) == (file.sha256, file.size)


# --- addition -----------------------------------------------------------------------------------------------


def test_sums_are_right_and_of_all_lengths():
    splits = load("addition")
    lengths = Counter()
    for part in parts(splits).values():
        for pair in part:
            a, b = pair.source.split("+")
            assert (str(int(a)), str(int(b)), str(int(a) + int(b))) == (a, b, pair.target)
            lengths[len(a)] += 1
    assert set(lengths) == {1, 2, 3}


def test_generated_splits_are_alike():
    """Short sums are few, and a tenth of them is in test, not all or none."""
    splits = load("addition")
    kinds = [Counter(len(pair.source) for pair in part) for part in splits[:3]]
    for length in (3, 4, 5, 6, 7):
        share = kinds[2][length] / sum(kind[length] for kind in kinds)
        assert 0 < share < 0.25, (length, share)


def test_addition_takes_its_last_sum_and_no_more():
    there_are = Counter(share(f"{a}+{b}", 0) for a in range(10) for b in range(a, 10))
    splits = load_task("addition", digits=1, **there_are)
    assert len({frozenset(pair.source.split("+")) for part in splits[:3] for pair in part}) == 55
    for split, count in there_are.items():
        with pytest.raises(ValueError, match=f"{split}={count + 1} are too many: {count} distinct"):
            load_task("addition", digits=1, **{**there_are, split: count + 1})


# --- numbers ------------------------------------------------------------------------------------------------

READINGS = [
    (0, "zero", "零"),
    (2, "two", "二"),
    (10, "ten", "十"),
    (15, "fifteen", "十五"),
    (20, "twenty", "二十"),
    (99, "ninety-nine", "九十九"),
    (101, "one hundred one", "一百零一"),
    (110, "one hundred ten", "一百一十"),
    (1_002, "one thousand two", "一千零二"),
    (1_010, "one thousand ten", "一千零一十"),
    (1_200, "one thousand two hundred", "一千二百"),
    (10_010, "ten thousand ten", "一万零一十"),
    (12_045, "twelve thousand forty-five", "一万二千零四十五"),
    (100_000, "one hundred thousand", "十万"),
    (102_000, "one hundred two thousand", "十万二千"),
    (110_203, "one hundred ten thousand two hundred three", "十一万零二百零三"),
    (1_000_200, "one million two hundred", "一百万零二百"),
    (20_000_020, "twenty million twenty", "二千万零二十"),
    (99_999_999, None, "九千九百九十九万九千九百九十九"),
    (100_005_000, "one hundred million five thousand", "一亿零五千"),
    (105_000_000, "one hundred five million", "一亿零五百万"),
    (123_000_000, "one hundred twenty-three million", "一亿二千三百万"),
    (1_000_000_000, "one billion", "十亿"),
    (100_000_000_001, "one hundred billion one", "一千亿零一"),
]


@pytest.mark.parametrize(("n", "english", "chinese"), READINGS)
def test_numbers_read_like_this(n, english, chinese):
    assert english is None or english_words(n) == english
    assert chinese_numerals(n) == chinese


def value_of_english(text):
    total = part = 0
    for word in re.split("[ -]", text):
        if word == "hundred":
            part *= 100
        elif word in ("thousand", "million", "billion"):
            total, part = total + part * {"t": 10**3, "m": 10**6, "b": 10**9}[word[0]], 0
        else:
            part += 10 * TENS.index(word) if word in TENS else ONES.index(word)
    return total + part


def value_of_chinese(text):
    for unit, size in (("亿", 10**8), ("万", 10**4)):
        if unit in text:
            many, rest = text.split(unit)
            return value_of_chinese(many) * size + value_of_chinese(rest)
    total = 0
    for digit, unit in re.findall("([一二三四五六七八九]?)([千百十]?)", text.replace("零", "")):
        if digit or unit:
            size = {"千": 1000, "百": 100, "十": 10, "": 1}[unit]
            total += ("一二三四五六七八九".index(digit or "一") + 1) * size
    return total


def test_readings_mean_their_number_and_no_other_says_so():
    rng = np.random.default_rng(0)
    lengths = np.repeat(np.arange(1, 13), 200)
    drawn = [int(rng.integers(10**digits)) for digits in lengths.tolist()]
    # Most mistakes are about zeros: so, numbers with many.
    zeros = [int("".join(rng.choice(list("0002"), digits))) for digits in lengths]
    for n in drawn + zeros:
        assert value_of_english(english_words(n)) == n
        chinese = chinese_numerals(n)
        assert value_of_chinese(chinese) == n
        assert n == 0 or not re.search("零零|零$|^零|零[千百十万亿]|^一十", chinese), (n, chinese)


@pytest.mark.parametrize("n", [-1, LIMIT])
def test_numbers_out_of_range_are_refused(n):
    for read in (english_words, chinese_numerals):
        with pytest.raises(ValueError, match=f"got {n}"):
            read(n)


def test_longer_numbers_are_longer_and_have_no_new_word():
    splits = load("numbers")
    known = {word for pair in splits.train for word in pair.source.split()}
    signs = {sign for pair in splits.train for sign in pair.target}
    for name, part in parts(splits).items():
        values = [value_of_english(pair.source) for pair in part]
        assert values == [value_of_chinese(pair.target) for pair in part]
        if name != "train":
            lengths = Counter(len(str(value)) for value in values)
            assert set(lengths) == ({7, 8} if name == "longer" else {3, 4, 5, 6})
            assert min(lengths.values()) > 50
            parts_of_words = {word for pair in part for word in re.split("[ -]", pair.source)}
            assert parts_of_words <= {word for text in known for word in text.split("-")}
            assert {sign for pair in part for sign in pair.target} <= signs
    in_train = {value_of_english(pair.source) for pair in splits.train}
    assert set(range(100)) < in_train
    assert {value % 10**6 for value in in_train if value >= 10**6} == {0}


def test_numbers_need_room_for_the_words():
    with pytest.raises(ValueError, match="train must be at least 199"):
        load_task("numbers", train=198)


# --- copy and reverse ---------------------------------------------------------------------------------------


def test_copy_and_reverse_are_what_they_say_on_the_same_sources():
    copied, reversed_ = parts(load("copy")), parts(load("reverse"))
    for name in copied:
        assert [pair.source for pair in copied[name]] == [pair.source for pair in reversed_[name]]
        for pair, turned in zip(copied[name], reversed_[name], strict=True):
            assert pair.target == pair.source == "".join(reversed(turned.target))
        lengths = {len(pair.source) for pair in copied[name]}
        # Of the ten texts of one letter, valid and test may have none.
        assert lengths | {1} == (set(range(11, 21)) if name == "longer" else set(range(1, 11))) | {1}
        assert len(set(copied[name])) == len(copied[name])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"longest": 10}, "longest must be above length=10, got 10"),
        ({"letters": 27}, "letters must be one of"),
        ({"length": 0}, "length"),
        ({"letters": 1}, "train=10000 are too many"),
        ({"letters": 1, "train": 0, "valid": 0, "test": 0, "longer": 11}, "longer=11 are too many: 10 "),
        ({"longer": -1}, "longer must .* got -1"),
    ],
)
def test_sequences_refuse_what_they_cannot_give(options, message):
    with pytest.raises(ValueError, match=message):
        load_task("copy", **options)


# --- CMUdict ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def references():
    return cmudict_references(directory_of("cmudict"), download=False)


def test_cmudict_has_the_published_counts(references):
    splits = load("cmudict")
    words = {pair.source for pair in splits.train}, {pair.source for pair in splits.valid}
    assert len(words[0]) + len(words[1]) == 106_837
    assert len(references) == 106_837 + 12_000
    assert sum(map(len, references.values())) == 113_438 + 12_753
    assert len(splits.train) + sum(len(references[word]) for word in words[1]) == 113_438
    assert len(set("".join(references))) == 27
    assert len({phone for word in references for phones in references[word] for phone in phones}) == 39


def test_cmudict_holds_words_out_with_all_their_pronunciations(references):
    splits = load("cmudict")
    assert not {pair.source for pair in splits.train} & {pair.source for pair in splits.valid}
    assert Counter(pair.source for pair in splits.train) == Counter(
        {pair.source: len(references[pair.source]) for pair in splits.train}
    )
    for part in (splits.valid, splits.test):
        assert [pair.target.split() for pair in part] == [references[pair.source][0] for pair in part]
        assert any(len(references[pair.source]) > 1 for pair in part)


def test_every_pronunciation_of_a_word_counts_as_right(references):
    words = [pair.source for pair in load("cmudict").test]
    of_words = [references[word] for word in words]
    assert pronunciation_error([phones[-1] for phones in of_words], of_words) == (0, 0)
    # One of 12,000 words wrong in its only phone.
    wrong = [["ZZ"] * len(of_words[0][0]), *(phones[0] for phones in of_words[1:])]
    assert pronunciation_error(wrong, of_words).wer == pytest.approx(100 / 12_000)


def test_cmudict_reads_other_versions_only_if_asked_to(tmp_path):
    (tmp_path / "g014b2b.train").write_text("AB\tAE B\nAB\tEY B\nBA\tB AA\n", "utf-8")
    (tmp_path / "g014b2b.test").write_text("C\tS IY\n", "utf-8")
    with pytest.raises(ValueError, match="another version"):
        cmudict(tmp_path, valid=1, download=False)
    splits = cmudict(tmp_path, valid=1, any_version=True)
    assert len(splits.train) + len(splits.valid) == (2 if splits.valid[0].source == "AB" else 3)
    assert splits.test == [("C", "S IY")]
    with pytest.raises(ValueError, match="2 held out of 2"):
        cmudict(tmp_path, valid=2, any_version=True)


# --- Multi30k -----------------------------------------------------------------------------------------------


def test_multi30k_pairs_the_lines_of_both_sides():
    splits = load("multi30k")
    assert splits.train[0] == (
        "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche.",
        "Two young, White males are outside near many bushes.",
    )
    assert splits.test[-1] == (
        "Ein Mädchen an einer Küste mit einem Berg im Hintergrund.",
        "A girl at the shore of a beach with a mountain in the distance.",
    )
    captions = [text for pair in splits.test for text in pair]
    assert sum(join_words(words(text)) == text for text in captions) > 0.98 * len(captions)


@pytest.mark.parametrize(
    ("english", "message"),
    [
        ("one\ntwo\n", r"train\.de\.gz has 3 lines, but .*train\.en\.gz has 2"),
        ("one\n\nthree\n", r"train\.en\.gz, line 2: the caption is empty"),
        (b"one\nt\xe9\nthree\n", r"train\.en\.gz, line 2: byte 2"),
    ],
)
def test_multi30k_refuses_sides_that_do_not_match(tmp_path, english, message):
    for name in ("train", "val", "test_2016_flickr"):
        (tmp_path / f"{name}.de.gz").write_bytes(gzip.compress(b"eins\nzwei\ndrei\n"))
        (tmp_path / f"{name}.en.gz").write_bytes(gzip.compress(b"one\ntwo\nthree\n"))
    assert multi30k(tmp_path, any_version=True).valid[2] == ("drei", "three")
    content = english if isinstance(english, bytes) else english.encode()
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=message):
        multi30k(tmp_path, any_version=True)


# --- SCAN ---------------------------------------------------------------------------------------------------


def test_scan_splits_ask_what_they_are_known_for():
    length = parts(load("scan-length")).items()
    actions = {part: [len(pair.target.split()) for pair in pairs] for part, pairs in length}
    assert max(actions["train"]) == max(actions["valid"]) == 22
    assert (min(actions["test"]), max(actions["test"])) == (24, 48)

    jump = load("scan-jump")
    assert Counter(pair for pair in jump.train if "jump" in pair.source) == {("jump", "I_JUMP"): 1_467}
    assert not any("jump" in pair.source for pair in jump.valid)
    assert all("jump" in pair.source and pair.source != "jump" for pair in jump.test)
    simple = load("scan-simple")
    everything = simple.train + simple.valid + simple.test
    assert len(set(everything)) == len(everything) == 20_910
    assert ("jump opposite left", "I_TURN_LEFT I_TURN_LEFT I_JUMP") in everything


@pytest.mark.parametrize("line", ["IN: run OUT:", "run I_RUN", "in: run out: I_RUN", "IN:  OUT: I_RUN", ""])
def test_scan_says_which_line_is_malformed(tmp_path, line):
    good = "".join(f"IN: {word} OUT: I_{word.upper()}\n" for word in ("walk", "run", "look"))
    for part in ("train", "test"):
        (tmp_path / f"tasks_{part}_simple.txt").write_text(good, "utf-8")
    assert scan("simple", tmp_path, valid=1, any_version=True).test[1] == ("run", "I_RUN")
    (tmp_path / "tasks_test_simple.txt").write_text(f"{good}{line}\n{good}", "utf-8")
    with pytest.raises(ValueError, match=r"tasks_test_simple\.txt, line 4: "):
        scan("simple", tmp_path, valid=1, any_version=True)


def test_scan_knows_its_splits():
    with pytest.raises(ValueError, match="split must be one of simple, length, jump; got 'turn'"):
        scan("turn")


# --- Deep Learning from Scratch 2 ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), [("addition", 7), ("date", 29)])
def test_dlfs2_is_split_as_in_the_book(name, width):
    directory = directory_of("dlfs2")
    lines = (directory / "dlfs2" / f"{name}.txt").read_text("utf-8").splitlines()
    order = np.arange(len(lines))
    np.random.RandomState(1984).shuffle(order)
    pairs = [(lines[i][:width].strip(), lines[i][width:].strip(" _")) for i in order]
    split_at = len(pairs) - len(pairs) // 10
    splits = load(f"dlfs2-{name}", valid=0)
    assert splits == (pairs[:split_at], [], pairs[split_at:], {})
    held = load(f"dlfs2-{name}")
    assert Counter(held.train + held.valid) == Counter(splits.train)
    assert held.test == splits.test
    assert not {pair.source for pair in held.train} & {pair.source for pair in held.valid}


def test_dlfs2_leaks_as_published():
    for task, leaked in (("dlfs2-addition", 0), ("dlfs2-date", 1_405)):
        splits = load(task, valid=0)
        questions = {pair.source for pair in splits.train}
        assert sum(pair.source in questions for pair in splits.test) == leaked


def test_dlfs2_turns_the_source_and_nothing_else():
    plain, turned = load("dlfs2-addition"), load("dlfs2-addition", reverse_source=True)
    for part, turned_part in zip(plain[:3], turned[:3], strict=True):
        assert [(pair.source[::-1], pair.target) for pair in part] == turned_part


@pytest.mark.parametrize("line", ["1+1 2", "_2", "1+1_ ", ""])
def test_dlfs2_says_which_line_is_malformed(tmp_path, line):
    good = "".join(f"{i}+1  _{i + 1}  \n" for i in range(20))
    (tmp_path / "addition.txt").write_text(f"{good}{line}\n{good}", "utf-8")
    with pytest.raises(ValueError, match=r"addition\.txt, line 21: "):
        dlfs2("addition", tmp_path, any_version=True)


# --- Tatoeba ------------------------------------------------------------------------------------------------


def test_tatoeba_shares_no_side_between_splits():
    for side in ("source", "target"):
        texts = [{plain(getattr(pair, side)) for pair in part} for part in load("tatoeba")[:3]]
        assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    together = [pair for part in load("tatoeba")[:3] for pair in part]
    order = np.random.default_rng(1).permutation(len(together))
    at_random = [together[i].source for i in order]
    leaked = {plain(text) for text in at_random[:1000]} & {plain(text) for text in at_random[1000:]}
    assert len(leaked) > 50, "a random split of this corpus leaks"


def test_tatoeba_holds_every_pair_of_the_file_once():
    path = directory_of("tatoeba") / "tatoeba-cmn-eng" / "cmn.txt"
    lines = path.read_text("utf-8-sig").splitlines()
    together = [pair for part in load("tatoeba")[:3] for pair in part]
    assert len(together) == len(set(together))
    assert set(together) == {tuple(line.split("\t")[:2]) for line in lines if line}


def test_words_of_real_sentences_join_to_the_sentences():
    texts = [pair.source for part in load("tatoeba")[:3] for pair in part]
    changed = [text for text in texts if join_words(words(text)) != text]
    assert len(changed) < len(texts) / 1000, changed[:5]


def test_plain_and_normalised_agree_on_sentences():
    texts = [pair.source for pair in load("tatoeba").test]
    assert len(set(map(plain, texts))) == len(set(map(normalised, texts)))
