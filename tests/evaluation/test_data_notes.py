"""What `evaluate` and `compare` say of the rows they were given, where these make figures look better than they are."""

import csv
import json

import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from evaluation.compare_command import compare
from tests.evaluation.support import make_rows, write_rows


def list_notes(command, *arguments):
    words = [*map(str, arguments), "--json", "--replicates", "100"]
    outcome = CliRunner().invoke(command, words, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)["notes"]


def write_table(path, rows, *, none):
    """Rows as CSV; those without a topic have `none` in its cell."""
    columns = ["id", "text", "stance", "topics", "group"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row | {"topics": "|".join(row["topics"]) or none} for row in rows)
    return path


@pytest.fixture
def measure(tiny_model):
    """Notes of both commands on the same rows."""

    def run(path, *options):
        of_evaluate = list_notes(evaluate, "--model", tiny_model, "--data", path, *options)
        return of_evaluate, list_notes(compare, tiny_model, "keywords", "--data", path, *options)

    return run


@pytest.mark.issue(6)
def test_empty_cells_that_may_mean_none_are_pointed_out(measure, tmp_path):
    rows = make_rows(80)
    n_without = sum(not row["topics"] for row in rows)
    assert 5 < n_without < 40
    for notes in measure(write_table(tmp_path / "empty.csv", rows, none="")):
        (note,) = [note for note in notes if "if an empty cell means none, write `-`" in note]
        assert note.startswith(f"topics: {n_without} of 80 rows are not labelled and were not counted")
    for notes in measure(write_table(tmp_path / "dash.csv", rows, none="-")):
        assert not [note for note in notes if "not labelled" in note]


@pytest.mark.issue(6)
def test_rows_not_labelled_among_others_that_have_none_are_not_doubted(measure, tmp_path):
    rows = [row | {"topics": None if number % 7 == 0 else row["topics"]} for number, row in enumerate(make_rows(80))]
    for notes in measure(write_rows(tmp_path / "rows.jsonl", rows)):
        assert not [note for note in notes if "not labelled" in note]


@pytest.mark.issue(6)
def test_rows_passed_over_for_an_empty_cell_are_counted_with_those_not_labelled(measure, tmp_path):
    rows = [row | {"stance": ""} if not row["topics"] else row for row in make_rows(80)]
    path = write_table(tmp_path / "skipped.csv", rows, none="")
    for notes in measure(path, "--skip-unlabelled"):
        (note,) = [note for note in notes if "not labelled" in note]
        assert f"{sum(not row['topics'] for row in rows)} of 80 rows" in note
