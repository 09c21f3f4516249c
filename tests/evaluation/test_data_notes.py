"""What `evaluate` and `compare` say of the rows they were given, where these make figures look better than they are."""

import csv
import json

import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from evaluation.compare_command import compare
from evaluation.dataset import halve, load_labelled
from evaluation.measure import note_data
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


@pytest.mark.issue(6)
def test_repeated_texts_and_labels_that_contradict_are_counted(measure, tmp_path):
    rows = make_rows(60)
    stance = "neutral" if rows[1]["stance"] != "neutral" else "state-led"
    again = [
        rows[0] | {"id": "again-0", "text": f"  {rows[0]['text']} ", "topics": None},  # nobody looked: no contradiction
        rows[1] | {"id": "again-1", "stance": stance},
        rows[1] | {"id": "again-2"},
    ]
    for notes in measure(write_rows(tmp_path / "rows.jsonl", rows + again)):
        (note,) = [note for note in notes if "repeat" in note]
        assert note.startswith("3 rows repeat the text of another (1 with other labels)")
    for notes in measure(write_rows(tmp_path / "one.jsonl", [*rows, again[2]])):
        assert [note for note in notes if note.startswith("1 row repeats the text of another (0 with other labels)")]
    for notes in measure(write_rows(tmp_path / "plain.jsonl", rows)):
        assert not [note for note in notes if "repeat" in note]


@pytest.mark.issue(6)
def test_rows_of_which_none_names_its_document_are_pointed_out(measure, tmp_path):
    bare = [{key: cell for key, cell in row.items() if key != "group"} for row in make_rows(60)]
    for notes in measure(write_rows(tmp_path / "bare.jsonl", bare)):
        assert len([note for note in notes if note.startswith("No row names its document (`group`)")]) == 1
    one_named = [bare[0] | {"group": "a"}, *bare[1:]]
    own = [row | {"group": row["id"]} for row in bare]  # documents of one row, and said to be
    for name, rows in (("one", one_named), ("own", own)):
        for notes in measure(write_rows(tmp_path / f"{name}.jsonl", rows)):
            assert not [note for note in notes if "names its document" in note]


@pytest.mark.issue(6)
def test_rows_of_a_document_called_nan_are_documents_of_their_own(measure, taxonomy, tmp_path):
    words = ["nan", "NaN", "None", "null", "<NA>"]
    rows = [row | ({"group": words[number % 5]} if number < 20 else {}) for number, row in enumerate(make_rows(60))]
    for name, write in (("rows.csv", lambda path: write_table(path, rows, none="-")), ("rows.jsonl", None)):
        path = write(tmp_path / name) if write else write_rows(tmp_path / name, rows)
        labelled = load_labelled([path], taxonomy)
        assert [example.group for example in labelled.examples[:20]] == [f"row-{number}" for number in range(20)]
        assert labelled.describe()["n_groups"] == 20 + 20
        for notes in measure(path):
            (note,) = [note for note in notes if "`group`" in note]
            assert note.startswith("20 rows have nan or NaN or None or null or <NA> as their `group`")
    halves = halve(labelled, seed=0)
    told = [note for half in halves for note in note_data(half)]
    counts = [sum(example.id in labelled.misnamed for example in half.examples) for half in halves]
    assert sum(counts) == 20
    assert [int(note.split()[0]) for note in told] == counts  # each half tells of its own rows


@pytest.mark.issue(6)
def test_an_id_that_is_called_nan_is_no_name_of_a_document(taxonomy, tmp_path):
    rows = [row | {"group": None, "id": "nan" if number == 0 else row["id"]} for number, row in enumerate(make_rows(4))]
    labelled = load_labelled([write_rows(tmp_path / "rows.jsonl", rows)], taxonomy)
    assert not labelled.misnamed
    assert not labelled.named
    assert labelled.examples[0].group == "nan"
