"""The decoder: one token at a time, each from the tokens before it and from the source.

    s_t      = step(y_{t-1}, s_{t-1}, source)      each kind its own
    logits_t = features_t W + b                                        (7.2)

While training, the token before is the target's (teacher forcing, Williams & Zipser 1989), or with
probability 1 - teacher_forcing the decoder's own best guess (scheduled sampling, Bengio et al. 2015). No gradient
flows through that choice. So all steps from one own guess to the next have known inputs and are run as one
sequence; with teacher forcing throughout, the whole sentence is one such run.
"""

from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_floats, expect_fraction, expect_ids, expect_shape
from ..layer import Composite
from ..nn import Dropout, Embedding, Linear, Stack, TiedLinear
from ..nn.linear import LinearCache


class RunCache(NamedTuple):
    """What backward needs of the steps start..stop-1, run as one sequence."""

    start: int
    stop: int
    embedding: Any
    dropout: Any
    run: Any
    output_dropout: Any


class DecoderCache(NamedTuple):
    features: Any
    alphas: Any
    begin: Any
    runs: list


class Decoder(Composite):
    """What every decoder shares; a kind says how it begins, and how it runs.

    y (T,B) ids <start> y_1 … y_{T-1}, states0, hs (S,B,H) -> logits (T,B,V), alphas (T,B,S) or None
    input_size, features_size: what the recurrent layers and the output layer read. tied: the output layer's W is the
    embedding's, transposed, where features_size allows it. stack: cell, layers and further options of Stack.
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_size,
        hidden_size,
        rng,
        input_size,
        features_size,
        dropout=0.0,
        output_dropout=0.0,
        tied=False,
        dtype="float32",
        **stack,
    ):
        self.vocabulary_size, self.hidden_size = vocabulary_size, hidden_size
        self.embedding = Embedding(vocabulary_size, embedding_size, rng, dtype=dtype)
        self.dropout, self.output_dropout = Dropout(dropout), Dropout(output_dropout)
        self.rnn = Stack(input_size=input_size, hidden_size=hidden_size, rng=rng, dropout=dropout, dtype=dtype, **stack)
        if tied:
            self.output = TiedLinear(self.embedding, features_size, dtype)
        else:
            self.output = Linear(features_size, vocabulary_size, rng, dtype=dtype)

    def begin(self, states0, hs, lengths):
        """Whatever is worked out once a sentence -> (the states before the first step, memory), cache"""
        return (states0, None), None

    def begin_backward(self, dstates, dmemory, cache):
        """dstates, dmemory (a tuple of arrays, as run_backward gives it) -> dstates0, dhs (S,B,H) or None"""
        return dstates, None

    def select(self, memory, rows):
        """What is remembered of these rows of the batch alone, in this order.  rows (N,) -> memory"""
        return None if memory is None else memory.select(rows)

    def run(self, x, states, memory, rng):
        """x (T,B,E), the states before -> features (T,B,F), alphas (T,B,S) or None, the states after"""
        raise NotImplementedError

    def run_backward(self, dfeatures, dalphas, dstates, cache):
        """-> dx (T,B,E), the gradient of the states before, dmemory; dstates None stands for zeros"""
        raise NotImplementedError

    def forward(self, y, states0, hs=None, lengths=None, teacher_forcing=1.0, rng=None):
        expect_ids("y", y, self.vocabulary_size, ("T", "B"))
        self.rnn.check_state("states0", states0, y.shape[1])
        if hs is not None:
            expect_shape("hs", hs, ("S", y.shape[1], "H"))
        xp = array_module(y)
        (states, memory), begin_cache = self.begin(states0, hs, lengths)
        fed, runs, features, logits, alphas = y.copy(), [], [], [], []
        for start, stop in runs_of_known_inputs(len(y), teacher_forcing, rng):
            if start > 0:
                fed[start] = logits[-1][-1].argmax(axis=1)  # of the last run's last step
            x, embedding_cache = self.embedding.forward(fed[start:stop])
            x, dropout_cache = self.dropout.forward(x, rng)
            (run_features, run_alphas, states), run_cache = self.run(x, states, memory, rng)
            run_features, output_cache = self.output_dropout.forward(run_features, rng)
            features.append(run_features)
            alphas.append(run_alphas)
            logits.append(self.output.forward(run_features)[0])  # (7.2)
            runs.append(RunCache(start, stop, embedding_cache, dropout_cache, run_cache, output_cache))
        alphas = None if alphas[0] is None else joined(xp, alphas)
        return (joined(xp, logits), alphas), DecoderCache(joined(xp, features), alphas, begin_cache, runs)

    def backward(self, dlogits, dalphas, cache):
        """dlogits (T,B,V), dalphas (T,B,S) or None -> None for the ids, dstates0, dhs (S,B,H) or None"""
        expect_floats("dlogits", dlogits, (*cache.features.shape[:2], self.vocabulary_size), self.dtype)
        if dalphas is not None:
            if cache.alphas is None:
                raise ValueError("dalphas must be None: this decoder has no attention")
            expect_floats("dalphas", dalphas, cache.alphas.shape, self.dtype)
        # The output layer was called once a run; its inputs laid end to end are the cache of one call.
        dfeatures = self.output.backward(dlogits, LinearCache(cache.features))  # (7.2)'
        dstates, dmemory = None, None
        for start, stop, embedding_cache, dropout_cache, run_cache, output_cache in reversed(cache.runs):
            run_dalphas = None if dalphas is None else dalphas[start:stop]
            run_dfeatures = self.output_dropout.backward(dfeatures[start:stop], output_cache)
            dx, dstates, dpart = self.run_backward(run_dfeatures, run_dalphas, dstates, run_cache)
            self.embedding.backward(self.dropout.backward(dx, dropout_cache), embedding_cache)
            dmemory = dpart if dmemory is None else added(dmemory, dpart)  # every run looks back: sum
        return None, *self.begin_backward(dstates, dmemory, cache.begin)

    def step(self, y, states, memory):
        """One step of decoding.  y (B,) ids, the states before -> logits (B,V), alphas (B,S) or None, states after"""
        x, _ = self.embedding.forward(y[None])
        (features, alphas, states), _ = self.run(x, states, memory, None)
        logits, _ = self.output.forward(features)
        return logits[0], None if alphas is None else alphas[0], states


class PlainDecoder(Decoder):
    """A decoder that knows of the source only what its first state holds.

    s_t = cell(y_{t-1}, s_{t-1}), s_0 = h_S                            (7.3)
    Source: Sutskever et al. 2014, §2.
    """

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, **options):
        sizes = {"input_size": embedding_size, "features_size": hidden_size}
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, **sizes, **options)

    def run(self, x, states, memory, rng):
        (ss, states), cache = self.rnn.forward(x, states, rng=rng)  # (7.3)
        return (ss, None, states), cache

    def run_backward(self, dfeatures, dalphas, dstates, cache):
        dx, dstates = self.rnn.backward(dfeatures, dstates, cache)  # (7.3)'
        return dx, dstates, ()


class AttendingDecoder(Decoder):
    """What decoders with attention share: the source is read once, and all that is looked up goes back to it."""

    def __init__(self, vocabulary_size, embedding_size, hidden_size, rng, attention, **options):
        super().__init__(vocabulary_size, embedding_size, hidden_size, rng, **options)
        self.attention = attention

    def begin(self, states0, hs, lengths):
        memory, cache = self.attention.remember(hs, lengths)
        return (states0, memory), cache

    def begin_backward(self, dstates, dmemory, cache):
        return dstates, self.attention.remember_backward(dmemory, cache)


def runs_of_known_inputs(T, teacher_forcing, rng):
    """(start, stop) of runs of steps whose inputs are known before the run; every start but 0 needs an own guess.

    As in document 004, one lot is drawn a step for the whole batch. Raises ValueError for a teacher_forcing outside
    0..1, and for one between them without an rng.
    """
    expect_fraction("teacher_forcing", teacher_forcing)
    if 0 < teacher_forcing < 1 and rng is None:
        raise ValueError(f"teacher_forcing {teacher_forcing} draws lots, which needs rng")
    own = [t for t in range(1, T) if teacher_forcing < 1 and (teacher_forcing == 0 or rng.random() >= teacher_forcing)]
    return list(zip([0, *own], [*own, T], strict=True))


def joined(xp, arrays):
    return arrays[0] if len(arrays) == 1 else xp.concatenate(arrays)


def added(these, those):
    """Two gradients of the same memory, tuples of arrays, part by part."""
    return tuple(a + b for a, b in zip(these, those, strict=True))


def with_top(dstates, d):
    """The states' gradient with `d` added to h of the top layer, which was used for something else as well."""
    *below, (dh, *rest) = dstates
    return (*below, (dh + d, *rest))
