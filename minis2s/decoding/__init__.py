"""From a trained model to text: the target is not known, so every step is fed its own output.

All ways of decoding agree on three rules. No token is forbidden: a model that gives <pad> or <start> some
probability may say them, and the scores stay its own. A sentence ends with its first <end>, or unfinished
after max_length tokens, <end> included. And what becomes of a row does not depend on the rows beside it.
"""

from .beam import beam_search
from .greedy import greedy
from .hypothesis import Hypothesis, length_normaliser
from .sampling import sample

__all__ = ["Hypothesis", "beam_search", "greedy", "length_normaliser", "sample"]
