"""What the heads of a self-attention look for: a task that asks for three things, and three heads that share it out."""

from functools import cache

import numpy as np

from ..contracts import expect_positive
from ..models import Tagger, TaggerConfig
from ..nn import SoftmaxCrossEntropy
from ..optim import Adam, clip_by_global_norm, cosine
from ..plots import attention_heatmaps, checked
from .trained import BATCH_SIZE, LR

LETTERS = "abcd"
TOKENS = [*LETTERS, *LETTERS.upper()]
NOTHING = "-"  # beyond the first letter and the last
TAGS = [before + after + capital for before in NOTHING + LETTERS for after in NOTHING + LETTERS for capital in LETTERS]
SHORTEST, LONGEST = 6, 12


def tags(text):
    """For each letter the one before it, the one after it, and the text's only capital, all written small.

    "abC" -> ["-bc", "acc", "b-c"]
    """
    (capital,) = (letter.lower() for letter in text if letter.isupper())
    small = NOTHING + text.lower() + NOTHING
    return [before + after + capital for before, after in zip(small, small[2:])]


def draw_text(rng, length):
    """Random letters, one of them a capital -> str"""
    text = "".join(rng.choice(list(LETTERS), length))
    place = rng.integers(length)
    return text[:place] + text[place].upper() + text[place + 1 :]


def encode(texts):
    """Texts of one length -> source (T,B), targets (T,B)"""
    sources = [[TOKENS.index(letter) for letter in text] for text in texts]
    targets = [[TAGS.index(tag) for tag in tags(text)] for text in texts]
    return np.array(sources).T, np.array(targets).T


@cache
def trained_tagger(steps, heads=3, size=96, seed=0):
    """A Tagger after so many steps, each on texts of one random length."""
    expect_positive(steps=steps)
    model = Tagger(TaggerConfig(len(TOKENS), len(TAGS), size, heads), np.random.default_rng(seed))
    loss, optimiser, schedule = SoftmaxCrossEntropy(), Adam(LR), cosine(steps)
    rng = np.random.default_rng([seed, 1])
    for step in range(steps):
        length = rng.integers(SHORTEST, LONGEST, endpoint=True)
        source, targets = encode([draw_text(rng, length) for _ in range(BATCH_SIZE)])
        (logits, _), cache = model.forward(source)
        _, loss_cache = loss.forward(logits, targets)
        model.zero_grad()
        model.backward(loss.backward(1.0, loss_cache), None, cache)
        clip_by_global_norm(model.grads, 1.0)
        optimiser.lr = LR * schedule(step)
        optimiser.update(model.params, model.grads)
    return model


def shares(alphas, text):
    """How much of a head's attention goes to each thing that is asked for, over the letters that have it.

    alphas (T,T) -> dict
    """
    capital = next(place for place, letter in enumerate(text) if letter.isupper())
    return {
        "the letter before": np.diag(alphas, -1).mean(),
        "the letter after": np.diag(alphas, 1).mean(),
        "the capital": alphas[:, capital].mean(),
    }


def self_attention_heads(path=None, text="badCabadda", steps=700):
    """Draw where each head of a trained Tagger looks in one text, and what it looks for.

    The model is asked to say for every letter its left neighbour, its right neighbour and the capital of the text, in
    one tag. Nothing tells a head which of the three to find; from another seed they can share the work otherwise.
    text: 6 to 12 letters a to d, one of them a capital. Raises ValueError for another text.
    Source: Vaswani et al. 2017, §3.2.2 and the figures of its appendix.
    """
    if not SHORTEST <= len(text) <= LONGEST or set(text) - set(TOKENS) or sum(map(str.isupper, text)) != 1:
        raise ValueError(f"text must be {SHORTEST} to {LONGEST} letters {LETTERS}, one of them a capital, got {text!r}")
    path = checked(path)
    source, targets = encode([text])
    (logits, alphas), _ = trained_tagger(steps).forward(source)
    examples = []
    for number, head in enumerate(alphas[0], start=1):
        asked, share = max(shares(head, text).items(), key=lambda item: item[1])
        examples.append((head, text, text, f"head {number}: {share:.0%} on {asked}"))
    right = (logits.argmax(axis=2) == targets).mean()
    title = f"Tagging each letter (row) with its neighbours and the capital, {right:.0%} right: where each head looks"
    return attention_heatmaps(examples, path, title)
