"""Every kind of attention on the same task: by its score, and by where it comes to look."""

from ..plots import attention_heatmaps, checked, style, written
from .trained import trained

SCORES = {
    "additive": "e = v · tanh(q W + h U + b)",
    "dot": "e = q · h",
    "general": "e = q · h W",
    "concat": "e = v · tanh([q ; h] W + b)",
    "position": "e = q W + b, without h",
}
LENGTH, LETTERS = 8, "abcdefghij"
REVERSAL = {"task": "reverse", "train": 8_000, "valid": 1, "test": 500, "longer": 0}
REVERSAL |= {"length": LENGTH, "letters": len(LETTERS), "max_length": LENGTH + 1}
# One-way: dot attention needs encoder states of the decoder's size.
REVERSAL |= {"embedding_size": 16, "hidden_size": 32, "bidirectional": False}


def attention_kinds(path=None, text="baggage", steps=400):
    """Draw where each kind of attention looks while it writes the same text from right to left.

    text: up to 8 of the letters a to j, or ValueError is raised. The models differ in the score e alone, and have had
    the same steps of training.
    Source: Bahdanau et al. 2015, §3.1; Luong et al. 2015, §3.1; document 003 §5.3.
    """
    if not 1 <= len(text) <= LENGTH or not set(text) <= set(LETTERS):
        raise ValueError(f"text must be 1 to {LENGTH} of the letters {LETTERS}, got {text!r}")
    path = checked(path)
    examples = []
    for kind, score in SCORES.items():
        translator, splits = trained(**REVERSAL, attention=kind, steps=steps)
        (shown,) = translator.translate([text], max_length=LENGTH + 1)
        name = f"{kind}, exact match {exact_match(translator, splits.test):.0%}\n{score}"
        examples.append((shown.alphas, shown.source_tokens, shown.target_tokens, name))
    key = "q  state of the decoder\nh  state of the encoder\nα  softmax of e over the columns\n\n"
    key += f"exact match: of {len(splits.test)} held-out texts"
    with style():
        title = f"Where each kind of attention looks to write “{text}” from right to left"
        figure = attention_heatmaps(examples, title=title)
        _, _, third, fourth, *_ = (ax.get_position() for ax in figure.axes)
        figure.text(third.x0, fourth.y1, key, va="top", linespacing=1.5)
        return written(figure, path)


def exact_match(translator, pairs):
    """The share of the pairs whose target the model writes to the last letter."""
    found = translator.translate([pair.source for pair in pairs], max_length=LENGTH + 1)
    return sum(t.text == pair.target for t, pair in zip(found, pairs, strict=True)) / len(pairs)
