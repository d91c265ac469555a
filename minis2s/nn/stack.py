"""Several recurrent layers as one: two directions side by side, layers one above the other."""

from typing import Any, NamedTuple

from ..backend import array_module
from ..contracts import expect_choice, expect_floats, expect_positive, expect_tuple
from ..functional import flush, transposed
from ..layer import Composite
from .dropout import Dropout
from .gru import GRU
from .lstm import LSTM
from .rnn import RNN

CELLS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


DIRECTIONS = ("left-to-right", "right-to-left")


class BidirectionalCache(NamedTuple):
    left_to_right: Any
    right_to_left: Any


class Bidirectional(Composite):
    """One layer that reads both ways, so that h_t knows what comes before and after.

    h_t = [h_t left-to-right ; h_t right-to-left]                      (6.4)
    x (T,B,D), state0 of arrays (B,H) -> hs (T,B,2H), (state left-to-right, state right-to-left) of arrays (B,H)
    Source: Schuster & Paliwal 1997.
    """

    def __init__(self, cell, input_size, hidden_size, rng, **options):
        expect_choice("cell", cell, CELLS)
        self.left_to_right = CELLS[cell](input_size, hidden_size, rng, **options)
        self.right_to_left = CELLS[cell](input_size, hidden_size, rng, reverse=True, **options)

    def forward(self, x, state0=None, lengths=None):
        if state0 is not None:
            expect_tuple("state0", state0, DIRECTIONS)
        ahead0, back0 = (None, None) if state0 is None else state0
        (ahead, ahead_T), ahead_cache = self.left_to_right.forward(x, ahead0, lengths)
        (back, back_T), back_cache = self.right_to_left.forward(x, back0, lengths)
        hs = array_module(x).concatenate([ahead, back], axis=2)  # (6.4)
        return (hs, (ahead_T, back_T)), BidirectionalCache(ahead_cache, back_cache)

    def backward(self, dhs, dstateT, cache):
        T, B, H = cache.left_to_right.h_prevs.shape
        if dhs is not None:
            expect_floats("dhs", dhs, (T, B, 2 * H), self.dtype)
        if dstateT is not None:
            self.check_state("dstateT", dstateT, B)
        dahead, dback = (None, None) if dhs is None else (dhs[:, :, :H], dhs[:, :, H:])  # (6.4)'
        dahead_T, dback_T = (None, None) if dstateT is None else dstateT
        dx, dahead0 = self.left_to_right.backward(dahead, dahead_T, cache.left_to_right)
        dx_back, dback0 = self.right_to_left.backward(dback, dback_T, cache.right_to_left)
        dx += dx_back  # x is read twice: sum
        return dx, (dahead0, dback0)

    def zero_state(self, x):
        """Zeros for both directions.  x (T,B,D)"""
        return self.left_to_right.zero_state(x), self.right_to_left.zero_state(x)

    def check_state(self, name, state, B):
        expect_tuple(name, state, DIRECTIONS)
        for direction, layer, part in zip(DIRECTIONS, (self.left_to_right, self.right_to_left), state, strict=True):
            layer.check_state(f"{name}, {direction}", part, B)


class StackCache(NamedTuple):
    layers: list
    dropouts: list
    B: int


class StepCache(NamedTuple):
    inputs: list  # of layers 1, 2, …; that of layer 0 comes in projected
    h_prevs: list
    layers: list
    dropouts: list


class Stack(Composite):
    """Layers of one cell, each reading the states of the one below, with dropout between them.

    x (T,B,D), state0 of arrays (B,H) -> hs (T,B,output_size) of the top layer, states, one a layer, of arrays (B,H)
    cell: "rnn", "lstm" or "gru"; output_size: H, or 2H with bidirectional=True.
    """

    def __init__(self, cell, input_size, hidden_size, rng, layers=1, bidirectional=False, dropout=0.0, **options):
        expect_choice("cell", cell, CELLS)
        expect_positive(layers=layers)
        make = Bidirectional if bidirectional else (lambda cell, *rest, **options: CELLS[cell](*rest, **options))
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes = [input_size] + [self.output_size] * (layers - 1)
        self.layers = [make(cell, size, hidden_size, rng, **options) for size in sizes]
        self.dropout = Dropout(dropout)

    def forward(self, x, state0=None, lengths=None, rng=None):
        if state0 is not None:
            expect_tuple("state0", state0, self.names())
        states, layer_caches, dropout_caches = [], [], []
        for index, layer in enumerate(self.layers):
            if index > 0:
                x, cache = self.dropout.forward(x, rng)
                dropout_caches.append(cache)
            (x, state), cache = layer.forward(x, None if state0 is None else state0[index], lengths)
            states.append(state)
            layer_caches.append(cache)
        return (x, tuple(states)), StackCache(layer_caches, dropout_caches, x.shape[1])

    def backward(self, dhs, dstateT, cache):
        if dstateT is not None:
            self.check_state("dstateT", dstateT, cache.B)
        dx, dstates0 = dhs, []
        for index in reversed(range(len(self.layers))):
            dstate = None if dstateT is None else dstateT[index]
            dx, dstate0 = self.layers[index].backward(dx, dstate, cache.layers[index])
            dstates0.insert(0, dstate0)
            if index > 0:
                dx = self.dropout.backward(dx, cache.dropouts[index - 1])
        return dx, tuple(dstates0)

    def zero_state(self, x):
        """Zeros for every layer.  x (T,B,D) or (B,D)"""
        return tuple(layer.zero_state(x) for layer in self.layers)

    def check_state(self, name, state, B):
        """ValueError unless `state` is one of this stack, for B rows."""
        expect_tuple(name, state, self.names())
        for part, layer, layer_state in zip(self.names(), self.layers, state, strict=True):
            layer.check_state(f"{name}, {part}", layer_state, B)

    def names(self):
        return [f"layer {index}" for index in range(len(self.layers))]

    # One step at a time, for a decoder whose next input waits for its last state.

    def step(self, xa, state, rng=None):
        """xa (B,GH) projected by the bottom layer, the states before -> h (B,H) on top, the states after."""
        after, inputs, caches, dropout_caches = [], [], [], []
        for index, layer in enumerate(self.layers):
            if index > 0:
                x, cache = self.dropout.forward(after[-1][0], rng)
                dropout_caches.append(cache)
                inputs.append(x)
                xa = layer.project(x)
            layer_state, cache = layer.step(xa, state[index])
            after.append(layer_state)
            caches.append(cache)
        h_prevs = [layer_state[0] for layer_state in state]
        return (after[-1][0], tuple(after)), StepCache(inputs, h_prevs, caches, dropout_caches)

    def transposed(self, times):
        """What step_backward takes for WhTs, for so many steps."""
        return [transposed(layer.params["Wh"], times) for layer in self.layers]

    def step_backward(self, dh, dstate, cache, WhTs):
        """dh (B,H) on top, the gradient of the states after -> dxas of each layer, that of the states before."""
        dxas, before = [], []
        for index in reversed(range(len(self.layers))):
            layer, (dh_state, *rest) = self.layers[index], dstate[index]
            dlayer = (dh + dh_state, *rest)  # h is used twice: sum
            dxa, dbefore = layer.step_backward(dlayer, cache.layers[index], WhTs[index])
            dxas.insert(0, dxa)
            before.insert(0, tuple(flush(d) for d in dbefore))
            if index > 0:
                dh = self.dropout.backward(layer.project_backward(dxa), cache.dropouts[index - 1])
        return dxas, tuple(before)

    def weight_gradients(self, x, caches, dxas):
        """Adds the gradients of all layers' weights over all steps.

        x (T,B,D) the bottom layer's input; caches and dxas as the T steps made them.
        """
        stack = array_module(x).stack
        for index, layer in enumerate(self.layers):
            layer_dxas = stack([step[index] for step in dxas])
            inputs = x if index == 0 else stack([cache.inputs[index - 1] for cache in caches])
            layer.input_weight_gradients(inputs, layer_dxas)
            h_prevs = stack([cache.h_prevs[index] for cache in caches])
            layer.hidden_weight_gradients(h_prevs, layer_dxas, [cache.layers[index] for cache in caches])
