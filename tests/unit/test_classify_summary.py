"""`twohands classify --summary`: one row a document or group, whatever the format, the engine and the interruptions."""

import csv
import json
import os
from contextlib import contextmanager
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.tiny import build_tiny_model
from tests.unit.test_classify_ray import FakeRay
from tests.unit.test_classify_resume import stop_early
from twohands import Classifier
from twohands.bulk_ray import Pool
from twohands.bulk_summary import summary_columns
from twohands.errors import ConfigError
from twohands.journal import hold_output, journal_path
from twohands.summary import summarise
from twohands.taxonomy import Taxonomy

PLAN, MARKET, WEATHER = (
    f"The {word} of the {word}, the {word} of the {word}." for word in ("plan", "market", "weather")
)


def read_lines(content):
    return [json.loads(line) for line in content.splitlines()]


@pytest.fixture
def sum_up(classify, tmp_path):
    """Gives a function that reads the JSON lines of a summary, by document."""

    def run(*arguments, **options):
        path = tmp_path / "sum.jsonl"
        finished = classify(*arguments, "--summary", path, "--overwrite", **options)
        assert finished.code == 0, finished.stderr
        return {row["document"]: row for row in read_lines(path.read_bytes())}

    return run


def write_rows(path, *cells):
    path.write_text("".join(json.dumps(row) + "\n" for row in cells), encoding="utf-8")
    return path


def test_a_document_has_the_figures_of_its_paragraphs(sum_up, tmp_path, tiny_model, taxonomy):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text(f"{PLAN}\n\n{PLAN} An embargo.\n\n{MARKET}\n\nThe plan.\n", encoding="utf-8")
    (tmp_path / "in/b.txt").write_text(f"{WEATHER}\n", encoding="utf-8")
    (tmp_path / "in/empty.txt").write_text("\n", encoding="utf-8")
    found = sum_up(tmp_path / "in")
    assert list(found) == [str(tmp_path / "in" / name) for name in ("a.txt", "b.txt", "empty.txt")]
    first, second, empty = found.values()
    classifier = Classifier.load(tiny_model)
    expected = summarise(classifier.classify([PLAN, f"{PLAN} An embargo.", MARKET, "The plan."]), taxonomy)
    classifier.close()
    assert first["heads"] == expected["heads"]
    assert (first["n_paragraphs"], first["n_errors"], first["n_left_out"], first["mean_words"]) == (4, 0, 1, 8.5)
    assert first["warnings"] == {"not_english": 0, "too_short": 1, "unknown_tokens": 0, "markup": 0}
    assert first["heads"]["stance"]["labels"]["state-led"]["n_given"] == 2
    assert second["heads"]["stance"]["labels"]["neutral"]["n_given"] == 1
    assert (empty["n_paragraphs"], empty["n_errors"], empty["mean_words"], empty["heads"]) == (0, 1, None, {})


def test_a_document_that_cannot_be_judged_at_all_says_so(classify, tmp_path):
    """Its figures are those of guesses, beside which it had no paragraph left out."""
    (tmp_path / "a.txt").write_text("The plan.\n\nThe plan.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text(f"The plan.\n\n{PLAN}\n", encoding="utf-8")
    (tmp_path / "c.txt").write_text("\n", encoding="utf-8")
    assert classify(tmp_path, "--summary", tmp_path / "sum.csv").code == 0
    with (tmp_path / "sum.csv").open(newline="", encoding="utf-8") as stream:
        found = [(row["n_left_out"], row["all_warned"]) for row in csv.DictReader(stream)]
    assert found == [("0", "true"), ("1", "false"), ("0", "false")]


def test_rows_are_put_together_by_their_group_and_else_by_their_file(sum_up, tmp_path):
    rows = write_rows(
        tmp_path / "rows.jsonl",
        {"text": PLAN, "group": "b"},
        {"text": PLAN},
        {"text": MARKET, "group": "a"},
        {"text": MARKET, "group": "b"},
        {"text": "", "group": "a"},
        {"text": WEATHER, "group": ""},
    )
    (tmp_path / "a.txt").write_text(MARKET, encoding="utf-8")
    found = sum_up(rows, tmp_path / "a.txt")
    assert list(found) == ["b", str(rows), "a", str(tmp_path / "a.txt")]
    assert [(row["n_paragraphs"], row["n_errors"]) for row in found.values()] == [(2, 0), (2, 0), (1, 1), (1, 0)]
    assert abs(found["b"]["heads"]["stance"]["balance"]["value"]) < 0.05
    assert set(sum_up(stdin=f'{{"text": "{PLAN}"}}\n'.encode())) == {"stdin"}


def test_a_group_that_is_called_as_a_file_is_not_summed_up_with_it(classify, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(f"{PLAN}\n\n{PLAN}\n", encoding="utf-8")
    write_rows(tmp_path / "rows.jsonl", {"text": MARKET, "group": "a.txt"}, {"text": WEATHER})
    finished = classify("a.txt", "rows.jsonl", "--summary", "sum.jsonl")
    assert "two rows are called 'a.txt': a file and a group" in finished.stderr
    found = [(row["document"], row["n_paragraphs"]) for row in read_lines((tmp_path / "sum.jsonl").read_bytes())]
    assert found == [("a.txt", 2), ("a.txt", 1), ("rows.jsonl", 1)]


def test_a_series_is_in_order_and_joins_files(sum_up, tmp_path):
    lines = write_rows(
        tmp_path / "a.jsonl",
        *({"text": PLAN, "year": year} for year in (1999, None, 2020.0, "nan", " 850 ", "late")),
        {"text": PLAN},
    )
    table = pa.table({"text": [MARKET] * 3, "year": pa.array([1999.0, float("nan"), None])})
    pq.write_table(table, tmp_path / "b.parquet")
    # 2020.0 is what pandas writes beside an empty cell.
    (tmp_path / "c.csv").write_text(f'year,text\n2020,"{MARKET}"\n2020.0,"{MARKET}"\n,"{MARKET}"\n', encoding="utf-8")
    found = sum_up(lines, tmp_path / "b.parquet", tmp_path / "c.csv", "--by", "year")
    counts = {name: row["n_paragraphs"] for name, row in found.items()}
    assert list(counts.items()) == [("850", 1), ("1999", 2), ("2020", 3), ("late", 1), ("nan", 1), ("(none)", 5)]


def test_every_format_holds_the_same(classify, rows, tmp_path):
    (tmp_path / "none.txt").write_text("\n", encoding="utf-8")
    for kind in ("jsonl", "csv", "parquet"):
        finished = classify(rows, tmp_path / "none.txt", "--summary", tmp_path / f"sum.{kind}")
        assert finished.code == 0
        assert f"summed up in 2 rows; written to {tmp_path / f'sum.{kind}'}" in finished.stderr
    answer, bare = read_lines((tmp_path / "sum.jsonl").read_bytes())
    row, bare_row = pq.read_table(tmp_path / "sum.parquet").to_pylist()
    with (tmp_path / "sum.csv").open(newline="", encoding="utf-8") as stream:
        line, bare_line = csv.DictReader(stream)
    assert answer["n_errors"] == row["n_errors"] == int(line["n_errors"]) == 30
    stance, topics = answer["heads"]["stance"], answer["heads"]["topics"]
    for part, ending in (("value", ""), ("low", "_low"), ("high", "_high")):
        share = stance["labels"]["neutral"]["share"][part]
        assert stance["balance"][part] == row[f"stance_balance{ending}"] == float(line[f"stance_balance{ending}"])
        assert share == row[f"stance_share_neutral{ending}"] == float(line[f"stance_share_neutral{ending}"])
    assert stance["n_abstained"] == row["stance_n_abstained"] == int(line["stance_n_abstained"])
    given = topics["labels"]["sanctions"]["n_given"]
    assert given == row["topics_n_sanctions"] == int(line["topics_n_sanctions"])
    assert answer["warnings"]["too_short"] == row["warnings_n_too_short"] == int(line["warnings_n_too_short"]) > 0
    assert bare["n_errors"] == bare_row["n_errors"] == int(bare_line["n_errors"]) == 1
    assert (bare["heads"], bare_row["stance_balance"], bare_line["stance_balance"]) == ({}, None, "")


def test_rows_that_all_lack_the_column_are_told_of(classify, tmp_path):
    rows = f'{{"text": "{PLAN}"}}\n'.encode()  # of standard input, which is read once, no column can be refused before
    finished = classify("--summary", tmp_path / "sum.csv", "--by", "decade", stdin=rows)
    assert finished.code == 0
    assert "no row has anything in 'decade'" in finished.stderr
    finished = classify("--summary", tmp_path / "sum.csv", "--by", "text", "--overwrite", stdin=rows)
    assert "no row" not in finished.stderr


def test_no_row_gives_a_table_with_a_heading_alone(classify, tmp_path):
    rows = write_rows(tmp_path / "rows.jsonl")
    assert classify(rows, "--summary", tmp_path / "sum.csv").code == 0
    (heading,) = (tmp_path / "sum.csv").read_text(encoding="utf-8").splitlines()
    assert heading.startswith("document,n_paragraphs,n_errors,n_left_out,all_warned,mean_words,stance_balance,")


def test_a_run_that_goes_on_gives_the_same_and_may_ask_for_another_summary(classify, rows, tmp_path, monkeypatch):
    whole, sums, output = tmp_path / "whole.csv", tmp_path / "sum.csv", tmp_path / "out.jsonl"
    assert classify(rows, "--summary", whole, "--by", "id").code == 0
    with monkeypatch.context() as patched:
        stop_early(patched, KeyboardInterrupt)
        assert classify(rows, "--output", output, "--summary", sums).code == 130
    assert not sums.exists()
    journal = journal_path(output).read_bytes()
    for length in (len(journal), len(journal) - 7, 0):
        for path in (output, sums):
            path.unlink(missing_ok=True)
        journal_path(output).write_bytes(journal[:length])
        assert classify(rows, "--output", output, "--summary", sums, "--by", "id").code == 0
        assert sums.read_bytes() == whole.read_bytes()


def test_answers_that_come_late_count_for_their_own_document(classify, rows, tmp_path, monkeypatch):
    @contextmanager
    def open_pool(classifier, *_, **__):
        def send(held, classify):
            return lambda: classify(classifier, held)

        yield Pool(FakeRay(), [SimpleNamespace(classify=SimpleNamespace(remote=send))] * 2)

    monkeypatch.setattr("twohands.bulk_ray.import_ray", lambda: None)
    monkeypatch.setattr("twohands.bulk_ray.open_pool", open_pool)
    assert classify(rows, "--by", "id", "--summary", tmp_path / "late.csv", "--engine", "ray").code == 0
    assert classify(rows, "--by", "id", "--summary", tmp_path / "sum.csv").code == 0
    assert (tmp_path / "late.csv").read_bytes() == (tmp_path / "sum.csv").read_bytes()


@pytest.mark.parametrize("is_of_answers", [True, False])
def test_summaries_are_written_once_the_answers_are_and_else_not(classify, rows, tmp_path, monkeypatch, is_of_answers):
    output, sums = tmp_path / "out.jsonl", tmp_path / "sum.jsonl"

    def fail(path, _format, lines, _columns):
        if ("out" in path.name) == is_of_answers:
            raise OSError("no room")
        path.write_bytes(b"".join(lines))

    with monkeypatch.context() as patched:
        patched.setattr("twohands.outputs.write_file", fail)
        finished = classify(rows, "--output", output, "--summary", sums)
    assert finished.code == 1
    assert "[unwritable_file]" in finished.stderr
    assert "the same command goes on later" in " ".join(finished.stderr.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl.partial", "rows.jsonl"]
    assert classify(rows, "--output", output, "--summary", sums).code == 0
    assert sums.exists()
    assert output.exists()


def test_a_summary_that_another_run_is_to_write_is_refused_before_the_work(classify, rows, tmp_path):
    with hold_output(tmp_path / "sum.csv"):
        finished = classify(rows, "--summary", tmp_path / "sum.csv")
    assert (finished.code, finished.stdout) == (1, b"")
    assert "another run is writing" in " ".join(finished.stderr.split())
    assert classify(rows, "--summary", tmp_path / "sum.csv").code == 0


@pytest.mark.parametrize("option", ["--output", "--summary"])
def test_a_folder_that_may_not_be_written_in_is_told_of_before_the_work(classify, rows, tmp_path, monkeypatch, option):
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "link.csv").symlink_to(closed / "there.csv")
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and access(path, mode))  # root may write in all
    for path in (closed / "a.csv", tmp_path / "link.csv"):
        finished = classify(rows, option, path)
        assert (finished.code, finished.stdout) == (1, b"")
        assert f"nothing may be written in the folder {closed}" in "".join(finished.stderr.split("\n"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["rows.jsonl", "--by", "year"], 2, "--summary"),
        (["rows.jsonl", "--summary", "-"], 2, "--summary"),
        (["rows.jsonl", "--summary", "sum.ods"], 2, "--summary sum.ods ends in .ods"),
        (["rows.jsonl", "--summary", "sum.csv.gz"], 2, "--summary sum.csv.gz"),
        (["rows.jsonl", "--summary", "rows.jsonl", "--overwrite"], 1, "another --summary"),
        (["rows.jsonl", "--output", "sum.csv", "--summary", "sum.csv"], 1, "another --summary"),
        (["rows.jsonl", "--output", "o", "--summary", "o.partial"], 1, "another --summary"),
        (["rows.jsonl", "--summary", "there.csv"], 1, "pass --overwrite"),
        (["rows.jsonl", "--summary", "none/sum.csv"], 1, "[unwritable_file]"),
        (["rows.jsonl", "--summary", "sum.csv", "--by", "decade"], 1, "no row of rows.jsonl has 'decade'"),
        (["there.csv", "--summary", "sum.csv", "--by", "decade"], 1, "there.csv has no column 'decade'"),
        (["a.txt", "--summary", "sum.csv", "--by", "decade"], 1, "--by decade is a column of rows"),
        (["-", "--summary", "sum.csv", "--by", "decade"], 1, "--by decade is a column of rows"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    classify, rows, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("id,text\n1,plan\n", encoding="utf-8")
    (tmp_path / "a.txt").write_text(PLAN, encoding="utf-8")
    before = rows.read_bytes()
    finished = classify(*arguments, stdin=PLAN.encode())
    assert (finished.code, finished.stdout) == (code, b"")
    assert words in " ".join(finished.stderr.split())
    assert rows.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "rows.jsonl", "there.csv"]


def test_a_taxonomy_whose_columns_collide_is_refused_but_for_json_lines(run, tmp_path):
    labels = [{"name": name, "description": "A."} for name in ("a", "b")]
    kinds = ("single_label_classification", "multi_label_classification")
    heads = [
        {"name": "side", "problem_type": kinds[0], "labels": [*labels[:1], {"name": "abstained", "description": "B."}]},
        {"name": "topics", "problem_type": kinds[1], "labels": labels[1:]},
    ]
    taxonomy = Taxonomy.model_validate({"heads": heads})
    with pytest.raises(ConfigError, match="side_n_abstained"):
        summary_columns(taxonomy)
    model = build_tiny_model(tmp_path / "model", taxonomy=taxonomy)
    finished = run("classify", "--model", model, "--summary", tmp_path / "sum.csv", stdin=PLAN.encode())
    assert (finished.code, finished.stdout) == (1, b"")
    assert "end --summary in .jsonl" in " ".join(finished.stderr.split())
    finished = run("classify", "--model", model, "--summary", tmp_path / "sum.jsonl", stdin=PLAN.encode())
    assert finished.code == 0, finished.stderr
    (told,) = read_lines((tmp_path / "sum.jsonl").read_bytes())
    assert told["heads"]["side"]["n_abstained"] == 0
