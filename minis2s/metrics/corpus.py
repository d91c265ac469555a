"""What a metric asks of its corpus: as many references as hypotheses, each of the right kind.

Every function returns plain lists and raises ValueError, naming the entry, before anything is scored.
"""

from collections.abc import Iterable
from reprlib import repr as shortened


def pairs(hypotheses, references) -> list[tuple]:
    """(hypothesis, reference) for each sentence; ValueError where the two do not pair off or are empty."""
    for name, entries in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(entries, str) or not isinstance(entries, Iterable):
            raise ValueError(f"{name} must be a list with one entry per sentence, got {shortened(entries)}")
    hypotheses, references = list(hypotheses), list(references)
    if len(hypotheses) != len(references):
        raise ValueError(
            f"hypotheses and references must be equally many, got {len(hypotheses)} and {len(references)}"
        )
    if not hypotheses:
        raise ValueError("hypotheses and references are empty; a corpus needs at least one sentence")
    return list(zip(hypotheses, references, strict=True))


def sentence_pairs(hypotheses, references) -> list[tuple[str, list[str]]]:
    """(hypothesis, its references) for each sentence, all of them strings; one reference may stand alone."""
    checked = []
    for i, (hypothesis, reference) in enumerate(pairs(hypotheses, references)):
        several = [reference] if isinstance(reference, str) else alternatives(f"references[{i}]", reference)
        several = [sentence(f"references[{i}][{k}]", r) for k, r in enumerate(several)]
        checked.append((sentence(f"hypotheses[{i}]", hypothesis), several))
    return checked


def token_pairs(hypotheses, references) -> list[tuple[list, list]]:
    """(hypothesis, reference) for each sentence, both as lists of tokens."""
    return [
        (tokens(f"hypotheses[{i}]", hypothesis), tokens(f"references[{i}]", reference))
        for i, (hypothesis, reference) in enumerate(pairs(hypotheses, references))
    ]


def alternatives(name: str, value) -> list:
    """The references of one hypothesis, at least one."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list of references, got {shortened(value)}")
    value = list(value)
    if not value:
        raise ValueError(f"{name} is empty; every hypothesis needs at least one reference")
    return value


def sentence(name: str, value) -> str:
    """One sentence as a string."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {shortened(value)}; join tokens with spaces")
    return value


def tokens(name: str, value) -> list:
    """One sequence of tokens as a list; a string, whose tokens nobody has named, is refused."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list of tokens, got {shortened(value)}")
    return list(value)
