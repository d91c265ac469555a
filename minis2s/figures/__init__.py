"""The pictures of the chapters, each computed by the library itself: `minis2s figures` writes them into figures/.

A figure is one file, minis2s/figures/NAME.py, with one public function of that name,

    def NAME(path=None, …options with defaults…):
        numbers = …                                  # from the library, fixed seeds, under 15 seconds
        with drawing((7.5, 3), path) as figure:      # minis2s.plots: the style, and the file at the end
            …
        return figure

To add one, write the file and put NAME into the list below. The figures in OF_RESULTS show what runs of an experiment
left behind instead: NAME(experiment, folder, path=None).
"""

from importlib import import_module
from pathlib import Path

from ..contracts import expect_choice


def _later(name):
    """The function of that name, whose file is imported when it is first called."""

    def figure(*arguments, **options):
        return getattr(import_module(f"{__name__}.{name}"), name)(*arguments, **options)

    return figure


OF_RESULTS = {name: _later(name) for name in ("learning_curves", "accuracy_by_length")}
FIGURES = {
    name: _later(name)
    for name in (
        "saturation",
        "loss_surface",
        "unrolled_graph",
        "gradient_distance",
        "gate_activations",
        "update_gate",
        "padding_and_masks",
        "teacher_forcing",
        "bottleneck",
        "attention_kinds",
        "alignment",
        "beam_tree",
        "self_attention_heads",
    )
} | OF_RESULTS


def draw(name, folder="figures", results="figures/results"):
    """Write the figure of that name as folder/NAME.png -> the paths written

    One of OF_RESULTS is written once for each experiment in the folder `results`, as NAME-EXPERIMENT.png.
    Raises ValueError for a name that is none.
    """
    expect_choice("name", name, FIGURES)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if name not in OF_RESULTS:
        path = folder / f"{name}.png"
        FIGURES[name](path)
        return [path]
    from .records import experiments

    paths = {experiment: folder / f"{name}-{experiment}.png" for experiment in experiments(results)}
    for experiment, path in paths.items():
        OF_RESULTS[name](experiment, results, path)
    return list(paths.values())
