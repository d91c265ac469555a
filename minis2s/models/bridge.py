"""The bridge from the encoder's last states to the decoder's first."""

from ..backend import array_module
from ..functional import tanh, tanh_backward
from ..layer import Composite
from ..nn import Linear


class Bridge(Composite):
    """A learned first state for a decoder whose encoder reads both ways.

    s_0 = tanh([h left-to-right ; h right-to-left] W + b)              (7.1)
    states of the encoder -> states of the decoder; for LSTM, c_0 likewise with a map of its own.
    Source: Bahdanau et al. 2015, appendix A.2.2 (there from one direction only).
    """

    def __init__(self, layers, parts, encoder_size, decoder_size, rng, dtype="float32"):
        self.parts_per_state = parts
        self.maps = [Linear(2 * encoder_size, decoder_size, rng, dtype=dtype) for _ in range(layers * parts)]

    def forward(self, states):
        xp = array_module(states[0][0][0])
        out, caches = [], []
        for ahead, back in states:
            state = []
            for pair in zip(ahead, back, strict=True):
                a, cache = self.maps[len(caches)].forward(xp.concatenate(pair, axis=1))
                state.append(tanh(a))  # (7.1)
                caches.append((cache, state[-1]))
            out.append(tuple(state))
        return tuple(out), caches

    def backward(self, dstates, caches):
        dflat = [d for dstate in dstates for d in dstate]
        dpairs = []
        for layer, d, (cache, s) in zip(self.maps, dflat, caches, strict=True):
            dpair = layer.backward(tanh_backward(d, s), cache)  # (7.1)'
            half = dpair.shape[1] // 2
            dpairs.append((dpair[:, :half], dpair[:, half:]))
        n = self.parts_per_state
        per_layer = [dpairs[start : start + n] for start in range(0, len(dpairs), n)]
        return tuple(tuple(zip(*layer_pairs, strict=True)) for layer_pairs in per_layer)
