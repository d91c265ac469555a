"""How a model with attention learns, and its twin without: losses and exact matches, from the records of their runs."""

from ..plots import drawing, logarithmic
from .records import lines


def learning_curves(experiment, folder="figures/results", path=None):
    """Draw held-out loss (training loss thin) and exact match against the step, a line a seed, twin beside twin.

    Raises FileNotFoundError where `folder` has no record of the experiment.
    """
    found = lines(experiment, folder)
    with drawing((7.2, 5.0), path) as figure:
        losses, scores = figure.subplots(2, sharex=True)
        for label, stroke, record in found:
            columns = ([entry[key] for entry in record["log"]] for key in ("step", "loss", "valid_loss", "exact_match"))
            steps, train, held_out, exact = columns
            losses.plot(steps, train, **stroke | {"marker": "", "linewidth": 0.7})
            losses.plot(steps, held_out, label=label, **stroke)
            scores.plot(steps, [100 * share for share in exact], label=label, clip_on=False, **stroke)
        logarithmic(losses, [loss for line in losses.lines for loss in line.get_ydata()])
        losses.set_title(f"{experiment}: held-out loss a token (thin: training loss)")
        scores.set(title="exact match on held-out pairs, %", xlabel="step", xlim=(0, None), ylim=(0, None))
        scores.xaxis.set_major_formatter("{x:,.0f}")
        losses.grid()
        scores.grid()
        losses.legend()
    return figure
