"""Records of finished runs: kept, read again, and put into a table by experiment."""

import json
from pathlib import Path

import pytest

from minis2s import cli, results
from minis2s.bench import report


def record(name="sums", seed=0, exact=0.5, cpu_seconds=30, **more):
    return {
        "experiment": {"name": name},
        "seed": seed,
        "made": {"date": f"2026-01-0{seed + 1}"},
        "scores": {"loss": 0.25, "exact_match": exact, "bleu": 20.0},
        "more": more,
        "pairs": {"test": 1500},
        "parameters": 12_345,
        "epochs": 3,
        "cpu_seconds": cpu_seconds,
        "log": [],
    }


def rows(records):
    return results.table(records).splitlines()[2:]


def test_one_run_is_a_row():
    assert rows([record()]) == [
        "| sums | 0 | loss 0.25, exact_match 50.00%, bleu 20.00 | 1,500 | 12,345 | 3 | 30 s | 2026-01-01 |"
    ]


def test_seeds_share_a_row_with_their_mean_and_range():
    (row,) = rows([record(seed=2, exact=0.75, cpu_seconds=600), record(seed=0), record(seed=1, exact=0.25)])
    assert row.startswith("| sums | 0, 1, 2 | loss 0.25 (0.25), exact_match 50.00% (25.00%–75.00%), bleu 20.00 (20.00)")
    assert row.endswith("| 30 s–10 min | 2026-01-03 |")


def test_further_test_sets_stand_behind_the_scores():
    (row,) = rows([record(longer={"exact_match": 0.125, "alignment": None})])
    assert "bleu 20.00; longer: exact_match 12.50%, alignment –" in row


def test_experiments_have_rows_of_their_own():
    assert [row.split(" | ")[0] for row in rows([record("b"), record("a", 1), record("a")])] == ["| a", "| b"]


def test_records_are_kept_and_read_again(tmp_path, capsys):
    records = [record(), record(seed=1)]
    paths = results.save(records, tmp_path / "kept")
    assert [path.name for path in paths] == ["sums-0.json", "sums-1.json"]
    assert [results.read(path) for path in paths] == records
    assert cli.main(["results", *map(str, paths), "--save", str(tmp_path / "again")]) == 0
    assert "| sums | 0, 1 |" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["sums-0.json", "sums-1.json"]


def test_what_is_no_record_is_refused(tmp_path):
    path = tmp_path / "sums-0.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"sums-0\.json is no record of a run"):
        results.read(path)
    path.write_text('{"scores": {}}', encoding="utf-8")
    with pytest.raises(ValueError, match="it does not say experiment and log"):
        results.read(path)
    with pytest.raises(FileNotFoundError):
        results.read(tmp_path)


def test_the_results_page_shows_the_table_of_the_kept_records():
    """After new runs: minis2s results RUN … --save figures/results, then the table again, into RESULTS.md."""
    root = Path(__file__).parents[1]
    records = [results.read(path) for path in sorted((root / "figures/results").glob("*-[0-9].json"))]
    assert results.table(records) in (root / "RESULTS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["bench", "ablation", "scaling", "decoding", "profile"])
def test_the_results_page_shows_the_tables_of_the_kept_benchmark(name):
    """After minis2s bench … --json figures/results/NAME.json: what it printed goes into RESULTS.md."""
    root = Path(__file__).parents[1]
    found = json.loads((root / f"figures/results/{name}.json").read_text(encoding="utf-8"))
    assert report.markdown(found) in (root / "RESULTS.md").read_text(encoding="utf-8")
