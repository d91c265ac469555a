"""Generated pairs, drawn at random into splits that are alike and share nothing."""

from hashlib import sha256

import numpy as np

from .pairs import Splits, check_sizes, source_of

SHARES = ("test", "valid", *["train"] * 8)  # of ten keys, the split of each
PATIENCE = 20_000  # draws in vain


def draw_splits(draw, seed, train, valid, test, key=source_of):
    """Splits of pairs that `draw(rng)` gives; the seed and a pair's key, a text, say which one it is for.

    So no key is in two splits, no split changes with the size of another, and pairs of a rare kind, such as
    short ones, are shared out like all others.

    Raises ValueError where a size is none or there are not so many pairs.
    """
    sizes = {"train": train, "valid": valid, "test": test}
    check_sizes(**sizes)

    def part(split, rng):
        return draw_distinct(draw, rng, split, sizes[split], key, lambda drawn: share(drawn, seed) == split)

    return Splits(*map(part, sizes, np.random.default_rng(seed).spawn(len(sizes))))


def draw_distinct(draw, rng, name, count, key=source_of, wanted=lambda key: True):
    """`count` pairs that `draw(rng)` gives, of distinct keys, all of them `wanted`.

    Raises ValueError, naming the count by `name`, where for long nothing new was drawn.
    """
    check_sizes(**{name: count})
    pairs, seen, in_vain = [], set(), 0
    while len(pairs) < count:
        pair = draw(rng)
        found = key(pair)
        if found in seen or not wanted(found):
            in_vain += 1
            if in_vain == PATIENCE:
                raise ValueError(f"{name}={count} are too many: {len(pairs)} distinct pairs were found")
        else:
            in_vain = 0
            seen.add(found)
            pairs.append(pair)
    return pairs


def share(key, seed):
    """The split that a key belongs to: "train" eight times in ten, else "valid" or "test"."""
    return SHARES[int.from_bytes(sha256(f"{seed} {key}".encode()).digest()) % len(SHARES)]
