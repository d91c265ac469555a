"""From text to tokens and back: by character, by English word, or as spaces part it."""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple


def characters(text):
    """The characters of a text, spaces too: "你 好" -> ["你", " ", "好"]."""
    return list(text)


def tagged_characters(text):
    """The characters of a text, a tag such as <zh> as one token: "<zh> 9" -> ["<zh>", " ", "9"]."""
    return re.findall(r"<\w+>|.", text, re.DOTALL)


def join_characters(tokens):
    """The text of its characters: `join_characters(characters(text)) == text`."""
    return "".join(tokens)


_WORD = re.compile(
    r"""
    (?:[^\W\d_]\.){2,}                                      # a.m.  U.S.
    | \w+ (?: ['’-]\w+ | (?<=\d)[.,:](?=\d)\w+ )*           # word  don't  well-known  3rd  1,000.50  7:45
    | ([^\w\s]) \1*                                         # ,  "  ...  --
    """,
    re.VERBOSE,
)


def words(text, lower=False):
    """The words, numbers and punctuation marks of an English text, spaces dropped, lower-cased on request.

    A contraction is one token, as is a word with hyphens: "Don't!" -> ["Don't", "!"]. Split in two (do n't)
    it would share its parts with other words, but what joins the tokens would have to know English.
    Punctuation stands alone, a run of one mark as one token. Chinese has no spaces: use `characters` for it.
    """
    return [match.group() for match in _WORD.finditer(text.lower() if lower else text)]


_NO_SPACE_BEFORE = frozenset(".,;:!?%)]}”’…/—")
_NO_SPACE_AFTER = frozenset("([{“‘$€£#/—")


def join_words(tokens):
    """The text of its words, spaced as English prints it: ["Don't", "!"] -> "Don't!".

    `join_words(words(text))` has the characters of `text` in order and differs in white space at most;
    in ordinary prose it is `text`. Straight quotes open and close by turns.
    """
    pieces, opened, glue = [], set(), True  # glue: the next token follows without a space
    for token in tokens:
        quote = token in ('"', "'")
        # "The boys' room": after an s, an apostrophe that nothing opened is taken for a plural's.
        plural = token == "'" and token not in opened and pieces and pieces[-1].endswith("s")
        closes = quote and (token in opened or plural)
        if not (glue or closes or token[:1] in _NO_SPACE_BEFORE):
            pieces.append(" ")
        pieces.append(token)
        glue = token[:1] in _NO_SPACE_AFTER or (quote and not closes)
        if quote and not plural:
            opened ^= {token}
    return "".join(pieces)


class Tokeniser(NamedTuple):
    """How a text becomes tokens, and how tokens become a text."""

    split: Callable[[str], list[str]]
    join: Callable[[list[str]], str]


TOKENISERS = {
    "characters": Tokeniser(characters, join_characters),
    "words": Tokeniser(words, join_words),
    "lowercase words": Tokeniser(partial(words, lower=True), join_words),
    "spaces": Tokeniser(str.split, " ".join),
    "tagged characters": Tokeniser(tagged_characters, join_characters),
}


def tokeniser(name):
    """The tokeniser of that name; raises ValueError, with the names there are, for an unknown one."""
    if name not in TOKENISERS:
        raise ValueError(f"unknown tokeniser {name!r}: choose one of {', '.join(TOKENISERS)}")
    return TOKENISERS[name]
