"""Chapter 00, the map."""

import numpy as np

from ..models import Seq2Seq, document
from .checking import Sealed, Trial
from .registry import exercise, question


@exercise
def decoder_line_of_003(rng):
    """y (B,E), s (B,H), h (B,H), W_ys (H,E), W_ss (H,H), W_hs (H,H), b_s (H,) -> s_t (B,H)"""
    for B, E, H in ((1, 1, 1), (3, 4, 2), (1, 2, 3), (2, 3, 3)):
        y, (s, h) = rng.standard_normal((B, E)), rng.standard_normal((2, B, H))
        W_ys, (W_ss, W_hs), b_s = rng.standard_normal((H, E)), rng.standard_normal((2, H, H)), rng.standard_normal(H)
        # Sentence by sentence, with columns, as the document writes it.
        columns = [W_ys @ y[n] + W_ss @ s[n] + W_hs @ h[n] + b_s for n in range(B)]
        sizes, inputs = {"B": B, "E": E, "H": H}, (y, s, h, W_ys, W_ss, W_hs, b_s)
        yield Trial(sizes, inputs, {"s_t": np.tanh(columns)}, "the document says")


@exercise
def shapes_of_a_batch(rng):
    """S, T, B, H, V -> the shapes of hs, logits and alphas of a model with attention that reads both ways"""
    for S, T, B, H, V in ((7, 5, 3, 4, 9), (2, 6, 1, 3, 8)):
        config = document("003 §9 attention", V, V, embedding_size=2, hidden_size=H, bidirectional=True)
        model = Seq2Seq(config, rng)
        source, y = rng.integers(4, V, (S, B)), rng.integers(4, V, (T, B))
        (hs, _), _ = model.encode(source)
        (logits, alphas), _ = model.forward(source, None, y)
        arrays = {"hs": hs, "logits": logits, "alphas": alphas}
        sizes = [(name, axis, size) for name, array in arrays.items() for axis, size in enumerate(array.shape)]
        expected = {f"axis {axis} of {name}": np.array(size) for name, axis, size in sizes}
        yield Trial({"S": S, "T": T, "B": B, "H": H, "V": V}, (S, T, B, H, V), expected, "minis2s says")


CHOICES = ("000 and 001", "002 and 003", "003 and 004", "all", "none")


@question(choices=CHOICES, hint="Look for the encoder's last state in the line that makes the decoder's next one.")
def documents_with_context_at_every_step():
    """The documents in whose formulas the decoder hears the encoder's last state at every step."""
    return Sealed("4fbce842d946c0ce")


@question(choices=CHOICES, hint="Look for a formula with gates in it.")
def documents_with_the_cell_of_an_lstm():
    """The documents that write down the equation of an LSTM's cell."""
    return Sealed("ee19d9ab0b00c9c0")
