"""What decoding comes back with, and how hypotheses of different lengths are compared."""

from typing import Any, NamedTuple

from ..data.vocabulary import END


class Hypothesis(NamedTuple):
    """One decoded sentence.

    An unfinished one is a beginning, and its score that of all its continuations together: no finished
    sentence's score can be held against it.
    """

    ids: list  # without <end>
    score: float  # log P(Y|X) as the model has it, that of <end> included: never normalised, never tempered
    alphas: Any  # (T,S) attention of each id, and of <end>, over the source; None without attention
    finished: bool  # whether <end> was reached

    def normalised(self, length_penalty):
        """The score by which beam search ranks: log P(Y|X) / lp(Y)"""
        return self.score / length_normaliser(len(self.ids) + self.finished, length_penalty)


def length_normaliser(length, length_penalty):
    """What the log-probability of a sentence is divided by, so that long ones are not at a disadvantage.

    lp(Y) = ((5 + |Y|) / 6)^length_penalty                             (10.2)
    |Y|: the number of tokens, <end> included.  Source: Wu et al. 2016, §7, eq. (14).
    """
    return ((5 + length) / 6) ** length_penalty  # (10.2)


def hypothesis(ids, score, alphas, source_length):
    """A Hypothesis of the ids up to the first <end>.  ids (T,), alphas (T,S) or None"""
    finished = END in ids
    length = ids.index(END) if finished else len(ids)
    if alphas is not None:
        alphas = alphas[: length + finished, :source_length]
    return Hypothesis(ids[:length], float(score), alphas, finished)
