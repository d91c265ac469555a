"""What finished runs came to: their records kept in a folder, and a table of them."""

import json
from itertools import groupby
from pathlib import Path
from statistics import mean

from .atomic import write_atomically
from .runs import Run

# Scores that are shares, shown in per cent; the others are so already, or (loss, chrf, bleu) are no shares.
SHARES = ("exact_match", "token_accuracy", "alignment")
COLUMNS = ("experiment", "seeds", "scores on the test pairs", "test pairs", "parameters", "epochs", "CPU time", "date")


def read(path):
    """The record of a finished run: of its folder, or of a file that `save` wrote; None where it is not finished.

    Raises FileNotFoundError or ValueError where there is no run, or its record is damaged.
    """
    path = Path(path)
    try:
        record = Run.at(path).results() if path.is_dir() else json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no record of a run ({error})") from error
    if record is not None and not {"experiment", "log"} <= set(record):
        raise ValueError(f"{path} is no record of a run: it does not say experiment and log")
    return record


def save(records, folder):
    """Write each record to folder/NAME-SEED.json -> the paths"""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = [Path(folder) / f"{record['experiment']['name']}-{record['seed']}.json" for record in records]
    for path, record in zip(paths, records, strict=True):
        text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
        write_atomically(path, lambda file, text=text: file.write(text.encode()))
    return paths


def table(records):
    """A Markdown table, a row an experiment: the mean over its seeds and, behind it, the smallest and the largest."""
    rows = []
    for _, same in groupby(sorted(records, key=_name_and_seed), key=lambda record: record["experiment"]["name"]):
        rows.append(f"| {' | '.join(_row(list(same)))} |")
    return "\n".join([f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), *rows])


def _name_and_seed(record):
    return record["experiment"]["name"], record["seed"]


def _row(records):
    first = records[0]
    scores = _scores([record["scores"] for record in records])
    for name in first["more"]:
        scores += f"; {name}: {_scores([record['more'][name] for record in records])}"
    return (
        first["experiment"]["name"],
        ", ".join(str(record["seed"]) for record in records),
        scores,
        f"{first['pairs']['test']:,}",
        f"{first['parameters']:,}",
        _range([record["epochs"] for record in records], "{:d}".format),
        _range([record["cpu_seconds"] for record in records], _duration),
        max(record["made"]["date"] for record in records),
    )


def _scores(scores):
    return ", ".join(f"{name} {_mean_and_range(name, [each[name] for each in scores])}" for name in scores[0])


def _mean_and_range(name, values):
    if None in values:
        return "–"
    form = "{:.2%}".format if name in SHARES else "{:.2f}".format
    return form(mean(values)) + ("" if len(values) == 1 else f" ({_range(values, form)})")


def _range(values, form):
    shown = list(dict.fromkeys(map(form, (min(values), max(values)))))
    return "–".join(shown)


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
