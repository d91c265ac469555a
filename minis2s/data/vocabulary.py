"""From tokens to ids and back."""

from collections import Counter

from ..contracts import expect_positive

PAD, START, END, UNK = range(4)
SPECIALS = ("<pad>", "<start>", "<end>", "<unk>")


class Vocabulary:
    """The tokens that a model knows, each with its id; ids 0 to 3 are <pad>, <start>, <end> and <unk>."""

    def __init__(self, tokens):
        """`tokens` in the order of their ids, the four specials left out; ValueError for one that comes twice."""
        tokens = list(tokens)
        repeated = [token for token, count in Counter([*SPECIALS, *tokens]).items() if count > 1]
        if repeated:
            raise ValueError(f"tokens must be distinct and none of {', '.join(SPECIALS)}; repeated: {repeated[:5]}")
        self.tokens = [*SPECIALS, *tokens]
        self.ids = {token: id for id, token in enumerate(self.tokens)}

    @classmethod
    def build(cls, sequences, min_count=1, max_size=None):
        """Every token seen at least min_count times, the most frequent first, at most max_size with the specials."""
        expect_positive(min_count=min_count)
        if max_size is not None and max_size <= len(SPECIALS):
            raise ValueError(f"max_size must be above {len(SPECIALS)}, for the specials are in it, got {max_size}")
        counts = Counter(token for sequence in sequences for token in sequence)
        if not counts:
            raise ValueError("sequences hold no token to build a vocabulary from")
        # Equal counts go by the token itself, so that the ids do not depend on the order of the sentences.
        kept = sorted((token for token in counts if counts[token] >= min_count), key=lambda t: (-counts[t], t))
        return cls(kept if max_size is None else kept[: max_size - len(SPECIALS)])

    def __len__(self):
        return len(self.tokens)

    def __repr__(self):
        return f"Vocabulary({len(self)} tokens)"

    def encode(self, tokens):
        """The id of each token, <unk>'s where it is not known."""
        return [self.ids.get(token, UNK) for token in tokens]

    def decode(self, ids):
        """The token of each id, up to the first <end>; <pad> and <start> are left out."""
        tokens = []
        for id in ids:
            if not 0 <= id < len(self):
                raise ValueError(f"ids hold {id}, outside 0..{len(self) - 1}")
            if id == END:
                break
            if id not in (PAD, START):
                tokens.append(self.tokens[id])
        return tokens
