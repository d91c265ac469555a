"""The text side of the data: pairs are read, splits do not leak, dates are right, tokens join again."""

import gzip
import re
import sys
from collections import Counter
from datetime import date
from functools import partial

import numpy as np
import pytest

from minis2s.data.components import component_split, components, normalised
from minis2s.data.lines import parse_lines
from minis2s.data.pairs import Pair, Splits, hold_out, read_pairs
from minis2s.data.tokenisers import TOKENISERS, characters, join_characters, join_words, tokeniser, words

# --- reading ------------------------------------------------------------------------------------------------


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n", "\r\n\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_read_pairs_reads_every_line_whatever_its_end(tmp_path, mark, end):
    newline = "\r\n" if "\r" in end else "\n"
    lines = ["Hi.\t嗨。\tby A", " Run. \t跑\u3000", "é\tö"]
    path = write(tmp_path / "pairs.txt", mark + newline.join(lines) + end)
    assert read_pairs(path) == [("Hi.", "嗨。"), ("Run.", "跑"), ("é", "ö")]


def test_read_pairs_takes_the_columns_asked_for(tmp_path):
    path = write(tmp_path / "pairs.txt", "1\tHi.\t嗨。\n2\tRun.\t跑\n")
    assert read_pairs(path, columns=(2, 1)) == [Pair("嗨。", "Hi."), Pair("跑", "Run.")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nc\nd\te\n", r"pairs\.txt, line 2: .* only 1"),
        ("a\tb\n\nd\te\n", r"pairs\.txt, line 2: "),
        ("a\tb\nc\td\n \te\n", r"pairs\.txt, line 3: the source is empty"),
        ("a\t\n", r"pairs\.txt, line 1: the target is empty"),
        ("a\tb\nc\tdé\n".encode("latin-1"), r"pairs\.txt, line 2: byte 4 .*0xe9"),
        ("a\tb\n".encode("utf-16"), r"pairs\.txt, line 1: byte 1 .*0xff"),
        ("", r"pairs\.txt holds no lines"),
    ],
)
def test_read_pairs_says_which_line_is_wrong(tmp_path, content, message):
    path = write(tmp_path / "pairs.txt", content)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)


def test_read_pairs_names_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt.*put"):
        read_pairs(tmp_path / "nowhere.txt")


@pytest.mark.parametrize("columns", [(0,), (0, -1), (0, 1, 2)])
def test_read_pairs_refuses_columns_that_are_not_two(tmp_path, columns):
    path = write(tmp_path / "pairs.txt", "a\tb\tc\n")
    with pytest.raises(ValueError, match="columns"):
        read_pairs(path, columns)


def test_parse_lines_reads_compressed_files_and_names_a_damaged_one(tmp_path):
    path = tmp_path / "numbers.txt.gz"
    path.write_bytes(gzip.compress(b"1\n22\n"))
    assert parse_lines(path, int) == [1, 22]
    path.write_bytes(gzip.compress(b"1\ntwo\n"))
    with pytest.raises(ValueError, match=r"numbers\.txt\.gz, line 2: .*'two'"):
        parse_lines(path, int)
    for damaged in (gzip.compress(b"1\n22\n" * 99)[:-12], b"1\n22\n"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"numbers\.txt\.gz is not a whole gzip file"):
            parse_lines(path, int)


# --- splitting ----------------------------------------------------------------------------------------------


def plain(text):
    """Lower case without the marks and spaces that these tests use: written apart from `normalised`."""
    return re.sub(r"""[\s.,!?'"“”。，！？、：；「」《》-]+""", "", text.lower())


def leaks(splits):
    """How many sides of a split occur in another one."""
    count = 0
    for side in ("source", "target"):
        texts = [{plain(getattr(pair, side)) for pair in split} for split in splits[:3]]
        count += sum(len(texts[i] & texts[j]) for i in range(3) for j in range(i))
    return count


def random_split(pairs, seed, valid, test):
    """The split that leaks: pairs one by one."""
    shuffled = [pairs[i] for i in np.random.default_rng(seed).permutation(len(pairs))]
    return Splits(shuffled[valid + test :], shuffled[:valid], shuffled[valid : valid + test])


def tangled(seed, size=300):
    """Pairs that share sides at random, each side in a spelling of its own."""
    rng = np.random.default_rng(seed)
    spellings = ("{}", " {}.", "{}!", "{} ?", "“{}”")
    sources, targets = rng.integers(0, 2 * size, (2, size))

    def spell(text):
        text = text.upper() if rng.integers(2) else text
        return spellings[rng.integers(len(spellings))].format(text)

    return [Pair(spell(f"it's word{s}"), spell(f"词{t}")) for s, t in zip(sources, targets, strict=True)]


@pytest.mark.parametrize("seed", range(8))
def test_component_split_keeps_what_belongs_together_on_one_side(seed):
    pairs = tangled(seed)
    splits = component_split(pairs, seed, valid=30, test=60)
    assert leaks(splits) == 0
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (210, 30, 60)
    assert Counter(pair for split in splits[:3] for pair in split) == Counter(pairs)
    assert leaks(random_split(pairs, seed, valid=30, test=60)) > 10, "this corpus must be able to leak"


def test_component_split_is_decided_by_the_seed_and_test_by_nothing_else():
    pairs = tangled(0)
    assert component_split(pairs, 1, 30, 60) == component_split(pairs, 1, 30, 60)
    assert component_split(pairs, 1, 30, 60).test == component_split(pairs, 1, 0, 60).test
    assert set(component_split(pairs, 1, 30, 60).test) != set(component_split(pairs, 2, 30, 60).test)


def test_a_component_goes_through_others_and_no_further():
    chain = [Pair("One.", "一"), Pair("ONE", "壹"), Pair("1", "壹。"), Pair("１", "幺")]
    apart = [Pair("ok", "好"), Pair("fine", "ok"), Pair("?", "问"), Pair("!", "叹")]
    assert sorted(map(len, components(chain + apart))) == [1, 1, 1, 1, 4]


def test_a_component_too_large_for_test_goes_to_train():
    huge = [Pair(f"source {i}", "yes") for i in range(50)]
    single = [Pair(f"alone {i}", f"no {i}") for i in range(20)]
    for seed in range(10):
        splits = component_split(huge + single, seed, valid=5, test=10)
        assert set(huge) <= set(splits.train)
        assert (len(splits.valid), len(splits.test)) == (5, 10)


@pytest.mark.parametrize(
    ("valid", "test", "message"),
    [
        (-1, 1, "valid.*-1"),
        (1, 1.5, r"test.*1\.5"),
        (3, 3, "leave nothing of 6"),
        (0, 3, "test=3 cannot.* 2 pairs"),
    ],
)
def test_component_split_refuses_sizes_that_it_cannot_give(valid, test, message):
    twins = [Pair(source, target) for target in "abc" for source in (f"{target}1", f"{target}2")]
    with pytest.raises(ValueError, match=message):
        component_split(twins, 0, valid, test)


def test_hold_out_keeps_the_pairs_of_a_key_together_and_in_order():
    pairs = [Pair(f"word {i % 20}", f"meaning {i}") for i in range(50)]
    kept, held = hold_out(pairs, 6, seed=0)
    assert len({pair.source for pair in held}) == 6
    assert not {pair.source for pair in held} & {pair.source for pair in kept}
    assert sorted(kept + held, key=pairs.index) == pairs
    for part in (kept, held):
        assert part == sorted(part, key=pairs.index)
    assert hold_out(pairs, 6, seed=0) == (kept, held) != hold_out(pairs, 6, seed=1)
    assert hold_out(pairs, 0, seed=0) == (pairs, [])


@pytest.mark.parametrize(("count", "message"), [(20, "valid=20 held out of 20"), (-1, "-1"), (2.5, r"2\.5")])
def test_hold_out_refuses_what_leaves_nothing(count, message):
    with pytest.raises(ValueError, match=message):
        hold_out([Pair(f"word {i % 20}", "") for i in range(50)], count, seed=0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How are you?", "how are you"),
        ("１２３", "123"),
        ("Straße", "STRASSE"),
        ("你好。", "你 好！"),
        ("嗨\u200b", "嗨"),
    ],
)
def test_normalised_forgets_case_width_spaces_and_punctuation(one, other):
    assert normalised(one) == normalised(other)


def test_normalised_keeps_what_tells_texts_apart():
    assert len({normalised(text) for text in ("12+3", "1+23", "é", "e", "?", "!", "嗨", "海")}) == 8


# --- dates --------------------------------------------------------------------------------------------------

MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
ENGLISH = [
    re.compile(pattern)
    for pattern in (
        r"(?:(?P<weekday>\w+),? )?(?P<month>[A-Z][a-z]+) (?P<day>\d+), (?P<year>\d{4})",
        r"(?:(?P<weekday>\w+),? )?(?P<day>\d+) (?P<month>[A-Z][a-z]+) (?P<year>\d{4})",
        r"(?:(?P<weekday>\w+),? )?(?P<month>\d+)/(?P<day>\d+)/(?P<year>\d{4})",
        r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)",
    )
]


def position(name, names):
    """Where a name or its short form of three or four letters stands in a list of names."""
    found = [i for i, full in enumerate(names) if name in (full, full[:3], full[:4])]
    assert len(found) == 1, name
    return found[0]


def in_chinese(english):
    """The date of an English text and what it is in Chinese, without Babel."""
    match = next(match for pattern in ENGLISH if (match := pattern.fullmatch(english)))
    parts = {"weekday": None, **match.groupdict()}
    numeric = parts["month"].isdigit()
    month = int(parts["month"]) if numeric else position(parts["month"], MONTHS) + 1
    day = date(int(parts["year"]), month, int(parts["day"]))
    chinese = f"{day.year}/{day.month}/{day.day}" if numeric else f"{day.year}年{day.month}月{day.day}日"
    if parts["weekday"] is not None:
        assert position(parts["weekday"], WEEKDAYS) == day.weekday(), english
        chinese += ("星期" if parts["weekday"] in WEEKDAYS else "周") + "一二三四五六日"[day.weekday()]
    return day, chinese


@pytest.fixture(scope="module")
def dates():
    pytest.importorskip("babel", reason='the date task needs Babel: pip install "minis2s[data]"')
    from minis2s.data.dates import dates

    return dates


@pytest.fixture(scope="module")
def calendar(dates):
    return dates(seed=5)


def test_every_date_is_the_same_day_and_weekday_in_both_languages(calendar):
    for split in calendar[:3]:
        for pair in split:
            assert in_chinese(pair.source)[1] == pair.target, pair


def test_no_day_of_one_split_occurs_in_another(calendar):
    days = [{in_chinese(pair.source)[0] for pair in split} for split in calendar[:3]]
    assert not (days[0] & days[1] or days[0] & days[2] or days[1] & days[2])
    assert leaks(calendar) == 0
    together = [pair for split in calendar[:3] for pair in split]
    assert leaks(random_split(together, 5, 500, 1500)) > 100, "days come in several formats and could leak"


def test_dates_have_the_sizes_asked_for_no_repeats_and_one_meaning_a_text(calendar):
    together = [pair for split in calendar[:3] for pair in split]
    assert [len(split) for split in calendar[:3]] == [20_000, 500, 1_500]
    assert len(set(together)) == len({pair.source for pair in together}) == 22_000
    assert {char for pair in together for char in pair.source if char.isspace()} == {" "}


def test_one_day_is_written_in_every_format(dates):
    day = "1994-09-27"
    drawn = {dates(seed, train=1, valid=0, test=0, first=day, last=day).train[0] for seed in range(200)}
    # Versions of CLDR differ in "Sept" and in the comma after a British weekday.
    assert {(re.sub(r"(?<=day), (?=27)", " ", en).replace("Sept ", "Sep "), zh) for en, zh in drawn} == {
        ("Tuesday, September 27, 1994", "1994年9月27日星期二"),
        ("Tuesday 27 September 1994", "1994年9月27日星期二"),
        ("September 27, 1994", "1994年9月27日"),
        ("27 September 1994", "1994年9月27日"),
        ("Sep 27, 1994", "1994年9月27日"),
        ("27 Sep 1994", "1994年9月27日"),
        ("Tue, Sep 27, 1994", "1994年9月27日周二"),
        ("Tue, 27 Sep 1994", "1994年9月27日周二"),
        ("Tue, 9/27/1994", "1994/9/27周二"),
        ("9/27/1994", "1994/9/27"),
        ("1994-09-27", "1994/9/27"),
    }


def test_dates_are_decided_by_the_seed_and_test_by_nothing_else(dates):
    small = {"train": 50, "valid": 20, "test": 30}
    assert dates(1, **small) == dates(1, **small)
    assert dates(1, **small).test != dates(2, **small).test
    assert dates(1, **small).test == dates(1, train=90, valid=0, test=30).test


def test_dates_stay_between_first_and_last(dates):
    splits = dates(0, train=300, valid=30, test=30, first=date(2024, 1, 1), last="2024-12-31")
    assert {in_chinese(pair.source)[0].year for split in splits[:3] for pair in split} == {2024}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": -1}, "train.*-1"),
        ({"first": "1994-09-27", "last": "1994-09-30"}, "there are 4"),
        ({"first": "1994-09-27", "last": "1994-09-01"}, "there are 0"),
        ({"last": "27/09/1994"}, "last.*27/09/1994"),
    ],
)
def test_dates_refuse_what_they_cannot_give(dates, wrong, message):
    with pytest.raises(ValueError, match=message):
        dates(0, **wrong)


def test_without_babel_dates_say_what_to_install(dates, monkeypatch):
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(ImportError, match=r'pip install "minis2s\[data\]"'):
        dates(0)


CHINESE = re.compile(r"(?P<year>\d+)[年/](?P<month>\d+)[月/](?P<day>\d+)日?(?P<weekday>(?:星期|周).)?")


def test_an_aligned_character_stands_where_its_field_stands(dates, calendar):
    from minis2s.data.dates import date_alignment

    for pair in calendar.test[:300]:
        english = next(match for pattern in ENGLISH if (match := pattern.fullmatch(pair.source)))
        expected = [None] * len(pair.target)
        for field, text in CHINESE.fullmatch(pair.target).groupdict().items():
            if text is not None:
                start = CHINESE.fullmatch(pair.target).start(field)
                expected[start : start + len(text)] = [set(range(*english.span(field)))] * len(text)
        assert date_alignment(*pair) == expected, pair


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("March 3, 2031", "2031年3月4日"),
        ("March 3, 2031", "2031/3/3"),
        ("Monday, March 2, 2031", "2031年3月2日星期一"),
        ("hello", "你好"),
        ("", ""),
    ],
)
def test_what_no_format_writes_has_no_alignment(dates, source, target):
    from minis2s.data.dates import date_alignment

    with pytest.raises(ValueError, match="no pair of this task"):
        date_alignment(source, target)


# --- dates in ten languages ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def multilingual(dates):
    from minis2s.data.dates_multilingual import dates_multilingual

    return dates_multilingual(seed=3, train=6_000, valid=500, test=1_000)


@pytest.fixture(scope="module")
def month_names(dates):
    """The number of every month's name in every language."""
    from babel import Locale

    from minis2s.data.dates_multilingual import LOCALES

    return {
        name.lower(): number
        for locale in LOCALES.values()
        for width in ("wide", "abbreviated")
        for number, name in Locale.parse(locale).months["format"][width].items()
    }


def read_date(text, month_names):
    """The year, month and day of a date in any of the languages, without the formats that wrote it."""
    rest = text.lower()
    for spelt in (r"\b(\d+)月", r"年(\d+)月", r"\b(\d+)월", r"\b(?:tháng|thg) (\d+)"):
        if match := re.search(spelt, rest):
            month, rest = int(match[1]), rest.replace(match[0], " ")
            break
    else:
        # The last and longest: "mar" alone can be a Tuesday, but then a month comes after it.
        name = max(month_names, key=lambda name: (rest.rfind(name), len(name)))
        month, rest = month_names[name], rest.replace(name, " ")
    rest = re.sub(r"\b(?:thứ|th) \d", " ", rest)  # the weekdays of Vietnamese are numbered
    year, day = sorted(map(int, re.findall(r"\d+", rest)), reverse=True)
    return year, month, day


def test_multilingual_dates_say_the_same_day_and_share_none(multilingual, month_names):
    days = []
    for split in multilingual[:3]:
        days.append(set())
        for pair in split:
            day = read_date(pair.source.split(" ", 1)[1], month_names)
            assert day == read_date(pair.target, month_names), pair
            days[-1].add(day)
    assert not (days[0] & days[1] or days[0] & days[2] or days[1] & days[2])


def test_multilingual_dates_are_in_every_language_on_both_sides(multilingual):
    tags = Counter(pair.source.split(" ", 1)[0] for pair in multilingual.train)
    assert len(tags) == 10
    assert min(tags.values()) > 0.07 * len(multilingual.train)
    everything = " ".join(pair.source for pair in multilingual.train)
    tuesdays = "Dienstag Tuesday martes mardi kedd 火曜日 화요일 вторник Thứ_Ba 星期二"
    for tuesday in tuesdays.split():
        assert tuesday.replace("_", " ") in everything


def test_a_multilingual_source_has_one_meaning_and_one_target(dates):
    from minis2s.data.dates_multilingual import _writers

    days = [date.fromordinal(date(2003, 12, 1).toordinal() + i) for i in range(120)]
    meaning, target = {}, {}
    for writer in _writers():
        for day in days:
            pair = writer(day)
            assert meaning.setdefault(pair.source.split(" ", 1)[1], day) == day
            assert target.setdefault(pair.source, pair.target) == pair.target


@pytest.mark.parametrize(
    ("source", "target", "fields"),
    [
        ("<zh> mardi 27 mai 1994", "1994年5月27日星期五", None),
        ("<zh> ven. 27 mai 1994", "1994年5月27日周五", ["1994", None, "mai", None, "27", None, "ven."]),
        ("<en> 1994年5月27日星期五", "Friday, May 27, 1994", ["星期五", None, "5", None, "27", None, "1994"]),
        ("<fr> 27 tháng 5, 1994", "27 mai 1994", ["27", None, "tháng 5", None, "1994"]),
    ],
)
def test_a_multilingual_alignment_counts_the_tag_as_one(dates, source, target, fields):
    from minis2s.data.dates_multilingual import multilingual_alignment

    tokens = tokeniser("tagged characters").split(source)
    assert tokens[0] == source[:4]
    if fields is None:
        with pytest.raises(ValueError, match="no pair of this task"):
            multilingual_alignment(source, target)
        return
    found = multilingual_alignment(source, target)
    assert len(found) == len(target)
    read = [where if where is None else "".join(tokens[i] for i in sorted(where)) for where in found]
    assert [text for i, text in enumerate(read) if i == 0 or text != read[i - 1]] == fields


# --- tokens -------------------------------------------------------------------------------------------------


def random_text(seed):
    return "".join(np.random.default_rng(seed).choice(list("ab sS19.,:;!?'\"’“”()-—$%/…&é你_\n\t "), 40))


@pytest.mark.parametrize("text", ["", "你好，世界。", " two  spaces\n", *map(random_text, range(20))])
def test_characters_join_to_the_text(text):
    assert join_characters(characters(text)) == text


@pytest.mark.parametrize("seed", range(300))
def test_words_join_to_the_text_but_for_white_space(seed):
    text = random_text(seed)
    assert "".join(join_words(words(text)).split()) == "".join(text.split())
    assert words(text, lower=True) == words(text.lower())


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("I don't know.", ["I", "don't", "know", "."]),
        ("It’s 7:45 a.m., isn't it?", ["It’s", "7:45", "a.m.", ",", "isn't", "it", "?"]),
        ("$1,000.50 (90%)", ["$", "1,000.50", "(", "90", "%", ")"]),
        ("A well-known 3rd man...", ["A", "well-known", "3rd", "man", "..."]),
        ("“Wait!” he said.", ["“", "Wait", "!", "”", "he", "said", "."]),
        ('He said, "Run!" twice.', ["He", "said", ",", '"', "Run", "!", '"', "twice", "."]),
        ("The boys' room: 'in use'.", ["The", "boys", "'", "room", ":", "'", "in", "use", "'", "."]),
    ],
)
def test_words_are_these_and_join_to_the_very_text(text, tokens):
    assert words(text) == tokens
    assert join_words(tokens) == text


def test_a_mark_between_letters_parts_words_and_between_digits_does_not():
    assert words("Stop.Go,3:0,at 1,5") == ["Stop", ".", "Go", ",", "3:0", ",", "at", "1,5"]


def test_spaces_part_phones_and_actions():
    split, join = tokeniser("spaces")
    assert split(" S P  IY CH\n") == ["S", "P", "IY", "CH"]
    assert join(["I_JUMP", "I_JUMP"]) == "I_JUMP I_JUMP"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("<zh> 9.", ["<zh>", " ", "9", "."]),
        ("a<b >c<>\n", list("a<b >c<>\n")),
        ("", []),
    ],
)
def test_a_tag_is_one_token_among_characters(text, tokens):
    split, join = tokeniser("tagged characters")
    assert split(text) == tokens
    assert join(tokens) == text


def test_lower_case_is_asked_for():
    for split in (partial(words, lower=True), tokeniser("lowercase words").split):
        assert split("Tom's OK.") == ["tom's", "ok", "."]
    for split in (words, tokeniser("words").split):
        assert split("Tom's OK.") == ["Tom's", "OK", "."]


@pytest.mark.parametrize("name", TOKENISERS)
def test_every_tokeniser_joins_what_it_splits(name):
    split, join = tokeniser(name)
    assert join(split("tom's here, isn't he?")) == "tom's here, isn't he?"


def test_an_unknown_tokeniser_is_answered_with_the_known_names():
    with pytest.raises(ValueError, match=r"'bytes'.*characters, words, lowercase words"):
        tokeniser("bytes")
