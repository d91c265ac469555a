"""Scores of what a model says against what it should have said.

| metric                  | unit         | over                                            |
|-------------------------|--------------|-------------------------------------------------|
| `bleu`, `chrf`          | 0 to 100     | sentences as strings, one or several references |
| `token_accuracy`        | 0 to 1       | token sequences, one reference                  |
| `sequence_accuracy`     | 0 to 1       | token sequences, one reference                  |
| `pronunciation_error`   | per cent     | token sequences, one or several references      |
| `edit_distance`         | edits        | any two sequences                               |

The first two equal sacreBLEU's to 0.01.
"""

from .accuracy import sequence_accuracy, token_accuracy
from .bleu import BLEUScore, bleu
from .chrf import chrf
from .edit_distance import edit_distance
from .pronunciation import ErrorRates, pronunciation_error

__all__ = [
    "BLEUScore",
    "ErrorRates",
    "bleu",
    "chrf",
    "edit_distance",
    "pronunciation_error",
    "sequence_accuracy",
    "token_accuracy",
]
