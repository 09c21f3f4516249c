"""`twohands evaluate`, through its own door, on a real tiny model."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import f1_score

from evaluation.commands import evaluate
from evaluation.dataset import load_labelled
from evaluation.measure import list_fitted, note_fitted
from evaluation.rows import TOO_FEW_GROUPS
from evaluation.slices import slice_values
from evaluation.tables import say_calibration, say_checked
from tests.evaluation.support import make_rows, write_rows
from tests.support.cascades import build_tiny_cascade
from twohands import errors
from twohands.examples import Example
from twohands.manifest import DataFile, load_manifest


def run(*arguments):
    outcome = CliRunner().invoke(evaluate, [str(argument) for argument in arguments])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def run_json(*arguments):
    outcome = run(*arguments, "--json", "--replicates", "100")
    assert outcome.exit_code == 0, outcome.output
    assert outcome.stderr == ""
    return json.loads(outcome.stdout)


@pytest.fixture
def rows_file(tmp_path):
    return write_rows(tmp_path / "rows.jsonl", make_rows(120))


FIGURE = {"value", "low", "high"}


@pytest.mark.issue(6)
def test_of_a_cascade_it_is_told_what_before_calibration_leaves_out(tiny_model, rows_file, tmp_path):
    cascade = build_tiny_cascade(tmp_path / "both")
    for model, is_told in ((cascade, True), (tiny_model, False)):
        notes = run_json("--model", model, "--data", rows_file)["notes"]
        assert any(note.startswith("Before calibration: of a cascade") for note in notes) == is_told


def test_json_has_the_shape_of_the_interface(tiny_model, rows_file):
    report = run_json("--model", tiny_model, "--data", rows_file)
    assert report["model"]["name"] == "tiny"
    assert report["model"]["sha256"] == load_manifest(tiny_model)[1]
    assert report["n"] == 120
    assert list(report["heads"]) == ["stance", "topics"]
    for head in report["heads"].values():
        for name in ("macro_f1", "accuracy", "mcc", "ece", "ece_by_chance"):
            assert set(head[name]) == FIGURE
        for label in head["labels"].values():
            assert set(label["precision"]) == set(label["recall"]) == set(label["f1"]) == FIGURE
            assert isinstance(label["support"], int)
    assert set(report["heads"]["stance"]["labels"]) == {"state-led", "market-led", "neutral"}
    assert report["data"]["n_groups"] == 60
    assert report["data"]["files"][0]["n_rows"] == 120


def test_figures_are_those_of_the_rows_that_predictions_tells(tiny_model, rows_file, tmp_path):
    report = run_json("--model", tiny_model, "--data", rows_file, "--predictions", tmp_path / "new" / "rows.jsonl")
    told = [json.loads(line) for line in (tmp_path / "new" / "rows.jsonl").read_text().splitlines()]
    rows = [json.loads(line) for line in rows_file.read_text().splitlines()]
    assert [row["id"] for row in told] == [row["id"] for row in rows]
    assert [row["truth"]["stance"] for row in told] == [row["stance"] for row in rows]
    assert [set(row["truth"]["topics"]) for row in told] == [set(row["topics"]) for row in rows]
    truth, given = ([row[key]["stance"] for row in told] for key in ("truth", "labels"))
    assert given == [max(row["scores"]["stance"], key=row["scores"]["stance"].get) for row in told]
    expected = f1_score(truth, given, average="macro")
    assert report["heads"]["stance"]["macro_f1"]["value"] == pytest.approx(expected, abs=1e-9)
    assert 0.5 < expected < 0.95
    confusion = report["heads"]["stance"]["confusion"]
    assert confusion["state-led"]["neutral"] == list(zip(truth, given, strict=True)).count(("state-led", "neutral"))


def test_the_same_seed_gives_the_same_bytes_in_another_process(tiny_model, rows_file):
    command = [sys.executable, "-m", "twohands", "evaluate", "--model", tiny_model, "--data", rows_file, "--json"]
    printed = []
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [*command, "--by", "source", "--seed", "5"], env=environment, capture_output=True, check=True
        )
        assert done.stderr == b""
        printed.append(done.stdout)
    assert printed[0] == printed[1]
    assert json.loads(printed[0])["seed"] == 5


def test_calibration_error_is_told_before_and_after(tiny_model, rows_file, tmp_path):
    folder = tmp_path / "report"
    report = run_json("--model", tiny_model, "--data", rows_file, "--report", folder)
    # The tiny model's stance has temperature 1, its topics an intercept of -2: only the latter change.
    stance, topics = report["heads"]["stance"], report["heads"]["topics"]
    assert stance["ece"] == stance["ece_before"]
    assert topics["ece"] != topics["ece_before"]
    curves = json.loads((folder / "metrics.json").read_text())["curves"]
    assert curves["stance"]["reliability"] == curves["stance"]["reliability_before"]
    assert curves["topics"]["reliability"] != curves["topics"]["reliability_before"]


def test_another_seed_moves_intervals_and_no_value(tiny_model, rows_file):
    first, second = (run_json("--model", tiny_model, "--data", rows_file, "--seed", seed) for seed in (1, 2))
    first, second = first["heads"]["stance"]["macro_f1"], second["heads"]["stance"]["macro_f1"]
    assert first["value"] == second["value"]
    assert first["low"] != second["low"]


def test_intervals_are_drawn_over_documents(tiny_model, tmp_path):
    # The same rows, once as 100 documents and once as 10, each of which is all right or all wrong.
    rows = make_rows(100, noise=0)
    wrong = {"plan": "market", "market": "weather", "weather": "plan"}
    for number, row in enumerate(rows):
        row["group"] = f"document-{number // 10}"
        if number // 10 % 2:
            row["text"] = " ".join(wrong.get(word, word) for word in row["text"].split())
    grouped = run_json("--model", tiny_model, "--data", write_rows(tmp_path / "grouped.jsonl", rows))
    apart = [row | {"group": row["id"]} for row in rows]
    alone = run_json("--model", tiny_model, "--data", write_rows(tmp_path / "apart.jsonl", apart))
    assert (grouped["heads"]["stance"]["n_groups"], alone["heads"]["stance"]["n_groups"]) == (10, 100)
    for name in ("accuracy", "macro_f1"):
        wide, narrow = grouped["heads"]["stance"][name], alone["heads"]["stance"][name]
        assert wide["value"] == narrow["value"]
        assert wide["high"] - wide["low"] > 1.5 * (narrow["high"] - narrow["low"])
    assert [note for note in grouped["notes"] if "10 groups" in note]


def test_threads_change_no_figure(tiny_model, rows_file):
    one, two = (run_json("--model", tiny_model, "--data", rows_file, "--threads", n) for n in (1, 2))
    assert one["heads"] == two["heads"]


def test_data_takes_several_files_and_folders_and_repeats(tiny_model, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write_rows(folder / "a.jsonl", make_rows(20))
    write_rows(folder / "b.jsonl", make_rows(20, first=20))
    c, d = (write_rows(tmp_path / f"{name}.jsonl", make_rows(20, first=n)) for name, n in (("c", 40), ("d", 60)))
    report = run_json("--data", folder, c, "--model", tiny_model, "--data", d)
    assert report["n"] == 80
    assert [file["n_rows"] for file in report["data"]["files"]] == [20] * 4
    repeated = run_json("--model", tiny_model, "--data", folder, "--data", c, "--data", d)
    assert repeated["heads"] == report["heads"]


def test_rows_that_are_not_labelled_for_a_head_do_not_count_for_it(tiny_model, tmp_path):
    rows = make_rows(60)
    labelled = write_rows(tmp_path / "labelled.jsonl", rows)
    extra = [row | {"stance": None, "topics": ["sanctions"]} for row in make_rows(30, first=60)]
    mixed = write_rows(tmp_path / "mixed.jsonl", rows + extra)
    alone, together = (run_json("--model", tiny_model, "--data", path) for path in (labelled, mixed))
    assert together["heads"]["stance"] == alone["heads"]["stance"]
    assert together["n"] == 90
    assert (together["heads"]["stance"]["n"], together["heads"]["topics"]["n"]) == (60, 90)


def test_a_head_that_no_row_is_labelled_for_is_left_out_and_noted(tiny_model, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [row | {"topics": None} for row in make_rows(80)])
    report = run_json("--model", tiny_model, "--data", path)
    assert list(report["heads"]) == ["stance"]
    assert [note for note in report["notes"] if note.startswith("topics")]


def test_slices_count_their_own_rows_and_small_ones_are_folded(tiny_model, tmp_path):
    rows = make_rows(100)
    for number, row in enumerate(rows):
        row["text_number"] = number / 10
        row["genre"] = "speech" if number < 60 else "law" if number < 85 else f"genre {number}"
    rows[0]["genre"] = None
    path = write_rows(tmp_path / "rows.jsonl", rows)
    report = run_json("--model", tiny_model, "--data", path, "--by", "genre", "--by", "decade")
    genres = report["slices"]["genre"]
    assert [(name, part["n"]) for name, part in genres.items()] == [("speech", 59), ("law", 25), ("(small)", 16)]
    shown = run("--model", tiny_model, "--data", path, "--by", "genre").stdout
    assert "(small, <20 rows)" in shown
    lower = run_json("--model", tiny_model, "--data", path, "--by", "genre", "--min-slice", 1)["slices"]["genre"]
    assert "(small)" not in lower
    assert sum(part["n"] for part in lower.values()) == 100
    assert lower["law"] == genres["law"]
    only_law = write_rows(tmp_path / "law.jsonl", [row for row in rows if row["genre"] == "law"])
    alone = run_json("--model", tiny_model, "--data", only_law)
    of_law = genres["law"]["heads"]["stance"]
    assert of_law["macro_f1"] == alone["heads"]["stance"]["macro_f1"]
    assert of_law["accuracy"] == alone["heads"]["stance"]["accuracy"]
    assert set(report["slices"]["decade"]) == {"1980s", "1990s"}
    assert not [note for note in report["notes"] if "(small)" in note]
    none = run_json("--model", tiny_model, "--data", only_law, "--by", "text_number", "--by", "genre")["notes"]
    assert [note.split(":")[0] for note in none if "(small)" in note] == ["text_number"]


@pytest.mark.issue(6)
def test_a_date_in_the_place_of_a_year_has_its_decade():
    written = ["1987-05-03", "1987-05-03T10:00:00", "1986/87", 1987, "1987.0", "19870503", "03/05/1987", "n. d.", None]
    dated = [Example(str(n), "a text", {}, "s", "g", {"year": year}) for n, year in enumerate(written)]
    assert slice_values(dated, "decade") == ["1980s"] * 5 + ["(none)"] * 4


@pytest.mark.issue(6)
def test_a_year_that_pandas_wrote_with_a_point_is_in_the_slice_of_that_year():
    cells = [1987, "1987", 1987.0, "1987.0", float("nan"), None, 1987.5]
    rows = [Example(str(n), "a text", {}, "s", "g", {"year": year}) for n, year in enumerate(cells)]
    assert slice_values(rows, "year") == ["1987"] * 4 + ["(none)"] * 2 + ["1987.5"]


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("id", "each row has its own id, which makes no slices; columns: group, length, source, year"),
        ("stance", "'stance' is what is measured, and makes no slices; columns: "),
        ("colour", "no row has a column 'colour' to slice by; columns: "),
    ],
)
def test_a_column_that_makes_no_slices_is_told_by_what_it_is(column, told):
    rows = [Example(str(n), "a text", {"stance": ("neutral",)}, "s", "g", {"year": "n. d."}) for n in range(3)]
    with pytest.raises(errors.UnknownColumnError, match=re.escape(told)):
        slice_values(rows, column)


def test_cells_that_hold_lists_make_slices_and_no_traceback(tiny_model, tmp_path):
    rows = make_rows(90)
    for number, row in enumerate(rows):
        row |= {"country": [["Chile"], ["Chile", "Peru"], []][number % 3], "genre": {"of": "a"}, "year": [1990]}
    path = write_rows(tmp_path / "rows.jsonl", rows)
    outcome = run("--model", tiny_model, "--data", path, "--report", tmp_path / "out", "--replicates", "100")
    assert outcome.exit_code == 0
    slices = json.loads((tmp_path / "out" / "metrics.json").read_text())["slices"]
    assert {value: part["n"] for value, part in slices["country"].items()} == {
        "Chile": 30, "Chile|Peru": 30, "(none)": 30
    }  # fmt: skip


@pytest.mark.issue(6)
@pytest.mark.parametrize("column", ["[/b]", "[bold]", "\x1b[2J"])
def test_a_column_that_is_called_like_markup_heads_its_table(tiny_model, tmp_path, column):
    rows = [row | {column: number % 2} for number, row in enumerate(make_rows(60))]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    outcome = run("--model", tiny_model, "--data", path, "--by", column, "--replicates", "100")
    assert outcome.exit_code == 0
    (heading,) = {line.split("  ")[0] for line in outcome.output.splitlines() if "rows  docs" in line}
    assert heading == column.replace("\x1b", "\\x1b")


def test_a_slice_of_few_documents_has_no_interval(tiny_model, tmp_path):
    rows = make_rows(120)
    for number, row in enumerate(rows):
        row["genre"] = "many" if number < 80 else "one"
        row["group"] = row["group"] if number < 80 else "the only one"
    path = write_rows(tmp_path / "rows.jsonl", rows)
    arguments = ("--model", tiny_model, "--data", path, "--by", "genre")
    genres = run_json(*arguments)["slices"]["genre"]
    assert (genres["many"]["n_groups"], genres["one"]["n_groups"]) == (40, 1)
    for head in ("stance", "topics"):
        for key in ("macro_f1", "accuracy"):
            assert genres["many"]["heads"][head][key]["low"] < genres["many"]["heads"][head][key]["high"]
            figure = genres["one"]["heads"][head][key]
            assert (figure["low"], figure["high"]) == (None, None)
            assert 0 <= figure["value"] <= 1
    shown = run(*arguments, "--report", tmp_path / "out").stdout
    assert TOO_FEW_GROUPS in shown
    assert TOO_FEW_GROUPS in (tmp_path / "out" / "report.html").read_text()
    assert max(map(len, shown.splitlines())) <= max(80, len(f"Report: {tmp_path / 'out' / 'report.html'}"))


def test_a_slice_is_not_marked_down_for_a_label_that_it_lacks(tiny_model, tmp_path):
    rows = [row | {"source": "one-sided"} for row in make_rows(200, noise=0) if row["stance"] != "neutral"]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    report = run_json("--model", tiny_model, "--data", path, "--by", "source")
    of_slice = report["slices"]["source"]["one-sided"]["heads"]["stance"]
    assert of_slice["macro_f1"]["value"] == 1
    assert of_slice["labels"] == ["state-led", "market-led"]
    assert report["heads"]["stance"]["macro_f1"]["value"] == pytest.approx(2 / 3)
    assert [note for note in report["notes"] if "neutral" in note]


def test_abstention_is_measured_at_the_models_own_level(tiny_model, tmp_path):
    unsure = [row | {"text": row["text"].replace("weather", "river")} for row in make_rows(120, noise=0)]
    path = write_rows(tmp_path / "rows.jsonl", unsure)
    report = run_json("--model", tiny_model, "--data", path)
    abstention = report["heads"]["stance"]["abstention"]
    share_known = np.mean([row["stance"] != "neutral" for row in unsure])
    assert abstention["level"] == 0.5
    assert abstention["coverage"]["value"] == pytest.approx(share_known)
    assert abstention["accuracy"]["value"] == 1
    assert abstention["risk"]["value"] == 0
    assert report["heads"]["stance"]["accuracy"]["value"] < 1
    assert "abstention" not in report["heads"]["topics"]


def test_rows_longer_than_the_model_reads_are_counted(tiny_model, tmp_path):
    rows = make_rows(40)
    rows[3]["text"] = "the plan of a river . " * 40
    report = run_json("--model", tiny_model, "--data", write_rows(tmp_path / "rows.jsonl", rows))
    assert report["n_truncated"] == 1


def test_tables_fit_eighty_columns(tiny_model, rows_file):
    outcome = run("--model", tiny_model, "--data", rows_file, "--by", "source", "--replicates", "100")
    assert outcome.exit_code == 0
    assert outcome.stderr == ""
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    for word in ("macro-F1", "MCC", "ECE", "state-led", "industrial-policy", "speech <b>[red]"):
        assert word in outcome.stdout


def test_a_wrong_label_is_refused_with_every_fault(tiny_model, tmp_path):
    rows = make_rows(40)
    rows[3]["stance"] = "left"
    rows[7]["topics"] = ["sanction"]
    with pytest.raises(errors.DataError) as caught:
        run("--model", tiny_model, "--data", write_rows(tmp_path / "rows.jsonl", rows))
    assert len(caught.value.faults) == 2


def test_rows_without_any_label_are_refused_unless_skipped(tiny_model, tmp_path):
    rows = [*make_rows(40), *(row | {"stance": None, "topics": None} for row in make_rows(3, first=40))]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(errors.DataError) as caught:
        run("--model", tiny_model, "--data", path)
    (fault,) = caught.value.faults
    assert "rows.jsonl:41 and 2 more rows: no label" in fault
    assert "leave such rows out (--skip-unlabelled)" in fault
    report = run_json("--model", tiny_model, "--data", path, "--skip-unlabelled")
    assert (report["n"], report["data"]["n_skipped"]) == (40, 3)


@pytest.mark.issue(6)
def test_rows_of_other_labels_name_the_option_for_their_model(tiny_model, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [{"text": f"Day {n}.", "branch": "civil"} for n in range(3)])
    for extra in ((), ("--skip-unlabelled",)):
        with pytest.raises(errors.DataError, match="other labels than these: --model FOLDER"):
            run("--model", tiny_model, "--data", path, *extra)


def test_missing_things_have_their_errors(tiny_model, rows_file, tmp_path):
    with pytest.raises(errors.ModelNotFoundError):
        run("--model", tmp_path / "nowhere", "--data", rows_file)
    with pytest.raises(errors.FileReadError):
        run("--model", tiny_model, "--data", tmp_path / "nowhere.jsonl")
    with pytest.raises(errors.UnknownColumnError):
        run("--model", tiny_model, "--data", rows_file, "--by", "colour")
    assert run("--model", tiny_model).exit_code == 2


@pytest.mark.issue(6)
def test_a_column_that_is_misspelt_is_told_with_all_that_rows_can_be_sliced_by(tiny_model, rows_file):
    with pytest.raises(errors.UnknownColumnError) as error:
        run("--model", tiny_model, "--data", rows_file, "--by", "decades")
    told = str(error.value)
    assert told.endswith("did you mean 'decade'?")  # which is derived, and stood in no list
    assert "n_topics" in told
    assert "n_stance" not in told  # one in each row


def test_an_output_never_replaces_the_data(tiny_model, rows_file):
    before = rows_file.read_bytes()
    roundabout = rows_file.parent / "folder" / ".." / rows_file.name
    for name in (rows_file, roundabout):
        with pytest.raises(errors.RunConflictError):
            run("--model", tiny_model, "--data", rows_file, "--predictions", name)
    assert rows_file.read_bytes() == before


def test_an_output_that_cannot_be_written_has_its_error(tiny_model, rows_file):
    with pytest.raises(errors.FileWriteError):
        run("--model", tiny_model, "--data", rows_file, "--predictions", rows_file / "below.jsonl")


def test_data_that_the_model_learnt_from_is_pointed_out(tiny_model, rows_file):
    manifest, _ = load_manifest(tiny_model)
    labelled = load_labelled([rows_file], manifest.taxonomy)
    sha256 = str(labelled.files[0]["sha256"])

    def known_as(split):
        files = [DataFile(split=split, name="any.jsonl", sha256=sha256, n_rows=120)]
        training_data = manifest.training_data.model_copy(update={"files": files})
        return manifest.model_copy(update={"training_data": training_data})

    assert note_fitted(labelled, manifest) == list_fitted(labelled, known_as("train")) == []
    assert list_fitted(labelled, known_as("dev")) == ["rows.jsonl"]
    by_chance = {"value": 0.03, "low": 0.02, "high": 0.04}
    plain = {"ece": {"value": 0.01}, "ece_by_chance": by_chance, "calibration_fitted_on": []}
    said = say_calibration(plain | {"calibration_fitted_on": ["rows.jsonl"]})
    assert said.startswith(say_calibration(plain))
    assert "rows.jsonl, where it was fitted" in said
    assert "a slice or a converted copy of its train or dev file is not recognised" in say_checked(plain)
    assert say_checked(plain | {"calibration_fitted_on": ["rows.jsonl"]}) == ""
    assert len(note_fitted(labelled, known_as("dev"))) == 1
    assert note_fitted(labelled, known_as("test")) == []


def test_rows_of_one_document_have_figures_without_intervals_everywhere(tiny_model, tmp_path):
    rows = [row | {"group": "one", "topics": []} for row in make_rows(60)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    outcome = run("--model", tiny_model, "--data", path, "--report", tmp_path / "out", "--replicates", "100")
    assert outcome.exit_code == 0, outcome.output
    stance = json.loads((tmp_path / "out" / "metrics.json").read_text())["heads"]["stance"]
    for key in ("macro_f1", "accuracy", "mcc", "ece"):
        assert set(stance[key]) == FIGURE
        assert stance[key]["low"] is stance[key]["high"] is None
    assert "1 group (document) is too few for any interval" in outcome.output
    (line,) = [line for line in outcome.output.splitlines() if line.startswith("regulation")]
    assert line.split()[1:] == [".000", "[-]", "-", "-", "0"]  # given, always wrongly; no row has it
    assert '<span class="ci">-</span>' in (tmp_path / "out" / "report.html").read_text()
