"""Beam search: the few likeliest beginnings of each sentence are carried on side by side.

    log P(y_1 … y_t | X) = log P(y_1 … y_{t-1} | X) + log p(y_t | y_1 … y_{t-1}, X)          (10.3)
    rank(Y) = log P(Y|X) / lp(Y)                                                             (10.4)

At every step each beam is continued by every token, and the `width` likeliest of all these are kept. One that
ends with <end> leaves them as a finished hypothesis (Sutskever et al. 2014, §3.2). Beams are equally long,
and log P orders them; finished hypotheses are of any length, and lp(Y) of (10.2) makes them comparable.
"""

from math import inf
from typing import Any, NamedTuple

from ..backend import array_module, map_tree
from ..contracts import expect_from_0, expect_positive
from ..data.vocabulary import END, START
from ..functional import logsumexp
from .greedy import read, source_lengths, stacked
from .hypothesis import hypothesis, length_normaliser


class Step(NamedTuple):
    """All K beams of every row after one step, by falling log P."""

    ys: Any  # (B,K) the last token of each
    parents: Any  # (B,K) which beam of the step before it continues
    scores: Any  # (B,K) log P, -inf where there is no beam
    alphas: Any  # (B,K,S) the attention of its last token, or None


def beam_search(model, source, lengths=None, width=5, max_length=100, length_penalty=0.0, n_best=1):
    """The n_best hypotheses of each row, best first; width 1 is greedy decoding.

    source (S,B) ids, lengths (B,) -> for each row a list of Hypotheses, ranked by (10.4)
    length_penalty: the exponent in (10.2), 0 for none. Where fewer than n_best finish, unfinished ones follow
    them; fewer than n_best come back only where no more exist. A width above their number finds them all.
    Raises ValueError for settings out of range.
    """
    expect_positive(width=width, max_length=max_length, n_best=n_best)
    if n_best > width:
        raise ValueError(f"n_best must be at most width, which is {width}, got {n_best}")
    expect_from_0("length_penalty", length_penalty)
    steps = search(model, source, lengths, width, max_length, length_penalty, n_best)
    ys, parents, scores, alphas = map(stacked, zip(*steps, strict=True))
    found = []
    for b, size in enumerate(source_lengths(source, lengths)):
        found.append([])
        for t, k in best_ends(ys[:, b], scores[:, b], length_penalty, n_best):
            path = range(t + 1), b, beams_to(parents[:, b], t, k)
            weights = None if alphas is None else alphas[path]
            found[-1].append(hypothesis(ys[path].tolist(), scores[t, b, k], weights, size))
    return found


def search(model, source, lengths, width, max_length, length_penalty, n_best):
    """All steps, until no beam can become one of the n_best of its sentence -> a list of Steps"""
    xp = array_module(source)
    B = source.shape[1]
    states, memory, dtype = read(model, source, lengths)
    # Beam k of sentence b has place b * width + k. The decoder's batch holds the live ones alone: what is
    # finished or given up costs nothing. Before the first token there is one beam a sentence.
    live = width * xp.arange(B)
    scores = xp.full((B, width), -inf, dtype=dtype)
    scores[:, 0] = 0
    y = xp.full(B, START, dtype=source.dtype)
    kept = xp.full((B, n_best), -inf, dtype=dtype)  # the best ranks of finished ones, in rising order
    steps = []
    for length in range(1, max_length + 1):
        logits, alphas, states = model.decoder.step(y, states, model.decoder.select(memory, live // width))
        scores, parents, rows, ys = likeliest(scores, logits, live)
        steps.append(Step(ys, parents, scores, None if alphas is None else alphas[rows]))
        finished = ys == END
        ranks = scores / length_normaliser(length, length_penalty)  # (10.4)
        kept = xp.sort(xp.concatenate([kept, xp.where(finished, ranks, -inf)], axis=1), axis=1)[:, -n_best:]
        # However a beam goes on, log P <= 0 cannot rise, and lp is largest at max_length: nothing that it
        # becomes ranks above this bound. Where that is no better than the worst rank kept, the beam is given
        # up. What moves up into its place is no likelier, so the search finds the same, only sooner.
        bound = scores / length_normaliser(max_length, length_penalty)
        scores = xp.where(finished | (bound <= kept[:, :1]), -inf, scores)
        live = xp.flatnonzero(scores > -inf)
        if len(live) == 0:
            break
        y, states = ys.reshape(-1)[live], of_rows(states, rows.reshape(-1)[live])
    return steps


def likeliest(scores, logits, live):
    """The K likeliest ways to go on for each sentence, in falling order.

    scores (B,K), logits (N,V) of the beams in the places live (N,) -> scores (B,K), and of each the beam that it
    continues: parents (B,K), that beam's row in logits: rows (B,K), and its own token: ys (B,K)
    """
    xp = array_module(scores)
    B, K = scores.shape
    M = min(K, logits.shape[1])  # the sentence's K likeliest are among the K likeliest of each of its beams
    gains, tokens = largest(logits, M)
    gains -= logsumexp(logits, keepdims=True)  # log p of these tokens alone
    continued = xp.full((B * K, M), -inf, dtype=scores.dtype)
    continued[live] = scores.reshape(-1)[live][:, None] + gains  # (10.3)
    row_of = (xp.cumsum(scores.reshape(-1) > -inf) - 1).reshape(B, K)  # the n-th live beam has row n
    scores, best = largest(continued.reshape(B, K * M), K)
    parents = best // M
    rows = xp.take_along_axis(row_of, parents, axis=1)
    return scores, parents, rows, tokens[rows, best % M]


def of_rows(states, rows):
    """The states of these rows of the decoder's batch: nested tuples of arrays (B,H) -> (N,H)"""
    return map_tree(lambda state: state[rows], states)


def largest(x, k):
    """The k largest of each row in falling order, of equals the first.  x (B,N) -> values (B,k), places (B,k)

    k rounds of argmax: for a beam's few, several times faster than sorting all. What is found is taken out of x, and
    put back in the end.
    """
    xp = array_module(x)
    values, places = [], []
    for _ in range(k):
        place = x.argmax(axis=1)[:, None]
        places.append(place)
        values.append(xp.take_along_axis(x, place, axis=1))
        xp.put_along_axis(x, place, -inf, axis=1)
    for place, value in zip(places[::-1], values[::-1], strict=True):
        xp.put_along_axis(x, place, value, axis=1)
    return xp.concatenate(values, axis=1), xp.concatenate(places, axis=1)


def best_ends(ys, scores, length_penalty, n_best):
    """Where the n_best hypotheses of one sentence end, best first.  ys (T,K), scores (T,K) -> pairs (t, k)"""
    ends = ys == END
    ends[-1] = True  # the unfinished ones, which come last

    def rank(end):
        return ys[end] == END, scores[end] / length_normaliser(end[0] + 1, length_penalty)

    reached = zip(*(ends & (scores > -inf)).nonzero(), strict=True)
    return sorted(reached, key=rank, reverse=True)[:n_best]


def beams_to(parents, t, k):
    """The beams through which beam k of step t was reached, itself the last.  parents (T,K) -> t + 1 beams"""
    beams = []
    for before in parents[t::-1]:
        beams.append(k)
        k = before[k]
    return beams[::-1]
