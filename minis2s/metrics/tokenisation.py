"""BLEU's tokenisations, the same as sacreBLEU's: a score is comparable only under the same one."""

import re
from collections.abc import Callable

# What mteval-v13a.pl does to Western text. Every ASCII symbol stands alone but for four: the apostrophe stays
# in its word, the point and the comma stay between digits, the hyphen stays except after a digit.
WESTERN_RULES = [
    (re.compile(r'([!"#$%&()*+/:;<=>?@\[\\\]^_`{|}~])'), r" \1 "),
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
]

# mteval undoes these in this order, so that "&amp;lt;" ends as "<".
ENTITIES = [("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]

# The first range is sacreBLEU's slip, kept because scores must agree: it was meant to be U+20000 to U+2A6D6
# (CJK Extension B), but "\u20000" in Python is U+2000 and a nought. So curly quotes, dashes and arrows stand
# alone, and the rare characters of Extension B do not.
CHINESE_RANGES = [
    (0x2001, 0x2A6D),
    (0x2E80, 0x2EFF),  # CJK radicals
    (0x2F00, 0x2FDF),  # Kangxi radicals
    (0x2FF0, 0x303F),  # description of ideographs, CJK punctuation
    (0x3100, 0x312F),  # Bopomofo
    (0x31A0, 0x31EF),  # Bopomofo extended, strokes
    (0x3200, 0x33FF),  # enclosed and squared CJK
    (0x3400, 0x4DB5),  # ideographs, Extension A
    (0x4E00, 0x9FBB),  # ideographs
    (0xF900, 0xFA2D),  # compatibility ideographs
    (0xFA30, 0xFA6A),
    (0xFA70, 0xFAD9),
    (0xFE10, 0xFE1F),  # vertical forms
    (0xFE30, 0xFE4F),  # compatibility forms
    (0xFF00, 0xFFEF),  # full and half width forms
]
CHINESE_CHARACTER = re.compile("([" + "".join(f"{chr(a)}-{chr(b)}" for a, b in CHINESE_RANGES) + "])")


def split_western(text: str) -> list[str]:
    """The tokens that the rules for Western text find."""
    for pattern, replacement in WESTERN_RULES:
        text = pattern.sub(replacement, text)
    return text.split()


def split_13a(sentence: str) -> list[str]:
    """mteval-v13a: join words broken at a line end, undo entities, then the Western rules."""
    sentence = sentence.replace("<skipped>", "").replace("-\n", "")
    for entity, character in ENTITIES:
        sentence = sentence.replace(entity, character)
    # The spaces let a point or a comma at either end see a neighbour that is no digit.
    return split_western(f" {sentence} ")


def split_zh(sentence: str) -> list[str]:
    """Chinese: every Chinese character stands alone, the rest goes by the Western rules."""
    # Without the spaces of split_13a, as in sacreBLEU: "2008." at the very end stays one token.
    return split_western(CHINESE_CHARACTER.sub(r" \1 ", sentence.strip()))


def split_characters(sentence: str) -> list[str]:
    """Every character that is no white space."""
    return [character for character in sentence if not character.isspace()]


TOKENISERS: dict[str, Callable[[str], list[str]]] = {
    "13a": split_13a,
    "zh": split_zh,
    "char": split_characters,
    "none": str.split,
}
