"""`classify --answers` sums up what an earlier run or the page wrote, to the very figures that the run gave."""

import csv
import json

import pytest

from tests.unit.test_classify_summary import MARKET, PLAN, WEATHER, write_rows
from twohands.answer_files import read_answers
from twohands.errors import DataError, TaxonomyMismatchError

KINDS = ("jsonl", "csv", "parquet")


@pytest.fixture
def sum_up(classify, tmp_path):
    """Gives a function that runs with `--summary` and reads what was written; all in one call."""

    def run(*arguments):
        path = tmp_path / "sum.jsonl"
        path.unlink(missing_ok=True)
        finished = classify(*arguments, "--summary", path)
        assert finished.code == 0, finished.stderr
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_answers_of_documents_are_summed_up_as_when_they_were_given(sum_up, tmp_path, kind):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text(f"{PLAN}\n\n{PLAN} An embargo.\n\n{MARKET}\n\nThe plan.\n", encoding="utf-8")
    (tmp_path / "in/b.md").write_text(f"# Ports\n\n{WEATHER}\n", encoding="utf-8")
    (tmp_path / "in/empty.txt").write_text("\n", encoding="utf-8")
    output = tmp_path / f"out.{kind}"
    expected = sum_up(tmp_path / "in", "--output", output, "--with-text")
    assert sum_up("--answers", output) == expected
    assert sum_up("--answers", output, tmp_path / "in") == expected
    assert sum_up("--answers", output, "--by", "section")[0]["document"] == "Ports"


@pytest.mark.parametrize("kind", KINDS)
def test_answers_to_rows_are_summed_up_by_the_columns_of_the_rows(classify, sum_up, tmp_path, kind):
    cells = [{"text": text, "year": 1990 + n % 3, "group": f"g{n % 2}"} for n, text in enumerate([PLAN, MARKET] * 5)]
    rows = write_rows(tmp_path / "rows.jsonl", *cells, {"text": "", "year": 1991}, {"text": "The plan."})
    output = tmp_path / f"out.{kind}"
    expected = sum_up(rows, "--output", output)
    assert sum_up("--answers", output, rows) == expected
    for column in ("year", "text"):
        assert sum_up("--answers", output, rows, "--by", column) == sum_up(rows, "--by", column)
    (bare,) = sum_up("--answers", output)
    assert (bare["document"], bare["n_paragraphs"], bare["n_errors"], bare["mean_words"]) == (str(output), 11, 1, None)
    finished = classify("--answers", output, "--by", "year", "--summary", tmp_path / "none.csv")
    assert finished.code == 1
    assert "no answer has 'year' beside it; name the files that were classified" in " ".join(finished.stderr.split())
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.parametrize(
    "truths", ["FALSE TRUE", "FALSCH WAHR", "FAUX VRAI", "FALSO VERO", "YANLIŞ DOĞRU", "ЛОЖЬ ИСТИНА"]
)
def test_a_table_that_has_been_through_a_spreadsheet_is_read(classify, sum_up, rows, tmp_path, truths):
    spelt = dict(zip(("false", "true"), truths.split(), strict=True))
    output = tmp_path / "out.csv"
    expected = sum_up(rows, "--output", output)
    with output.open(newline="", encoding="utf-8") as stream:
        header, *lines = csv.reader(stream)
    for line in lines:
        line[:] = [cell.replace(".", ",") if cell[:2] in {"0.", "1."} else spelt.get(cell, cell)
                   for cell in line]  # fmt: skip
    saved = tmp_path / "saved.csv"
    with saved.open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter=";").writerows([[*header, "decade", "corrected_stance"]] + [
            [*line, "1990", "neutral" if n == 4 else ""] for n, line in enumerate(lines)
        ])  # fmt: skip
    assert sum_up("--answers", saved, rows) == expected
    finished = classify("--answers", saved, "--by", "decade", "--summary", tmp_path / "decades.csv")
    assert "1 answer stands beside a reader's correction; figures are the model's" in finished.stderr
    assert (tmp_path / "decades.csv").read_text(encoding="utf-8").splitlines()[1].startswith("1990,270,30,")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("stance_score_neutral", "989611", "stance_score_neutral: '989611' is no score from 0 to 1"),
        ("stance_score_neutral", "0. Mai", "'0. Mai' is no score"),
        ("stance_score_neutral", "", "nothing is no score"),
        ("topics_score_sanctions", "nan", "'nan' is no score"),
        ("stance_score_neutral", "0.9999", "stance: the scores sum to"),
        ("stance", "state led", "stance: 'state led' is no label of it"),
        ("topics", "sanctions|trade", "topics: 'trade' is no label of it"),
        ("stance_abstained", "VIELLEICHT", "neither true nor false"),
    ],
)
def test_a_cell_that_no_run_wrote_is_told_of_and_nothing_is_summed_up(classify, tmp_path, column, cell, words):
    write_rows(tmp_path / "rows.jsonl", {"text": PLAN}, {"text": MARKET})
    assert classify(tmp_path / "rows.jsonl", "--output", tmp_path / "out.csv").code == 0
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    second[column] = cell
    with (tmp_path / "out.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, first)
        writer.writeheader()
        writer.writerows([first, second])
    finished = classify("--answers", tmp_path / "out.csv", "--summary", tmp_path / "sum.csv")
    assert finished.code == 1
    told = " ".join(finished.stderr.split())
    assert words in told
    assert "out.csv:3" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "rows.jsonl"]


def test_what_is_no_answer_of_the_model_is_refused(tmp_path, taxonomy):
    path = write_rows(tmp_path / "a.jsonl", {"id": "1", "text": PLAN})
    with pytest.raises(TaxonomyMismatchError, match=r"a\.jsonl:1 has no '"):
        list(read_answers(path, taxonomy))
    path = write_rows(tmp_path / "b.jsonl", {"stance": {"label": "calm", "score": 1.0, "scores": {"calm": 1.0}}})
    with pytest.raises(DataError, match="stance has not the scores of state-led, market-led, neutral"):
        list(read_answers(path, taxonomy))
    path = write_rows(tmp_path / "c.jsonl", *({"stance": {"scores": None}} for _ in range(30)))
    with pytest.raises(DataError, match=r"\(30 faults\)(?s:.*)and 10 more"):
        list(read_answers(path, taxonomy))
    path.write_text("caf\u00e9\n" * 8, encoding="latin-1")
    with pytest.raises(DataError, match=r"c\.jsonl:1 and 7 more rows: byte 0xe9 is not UTF-8"):
        list(read_answers(path, taxonomy))


@pytest.mark.parametrize(
    ("head", "key", "value", "words"),
    [
        ("stance", "score", None, "stance has a score that is no number"),
        ("topics", "scores", {"sanctions": "0,1"}, "topics has a score that is no number"),
        (None, "warnings", "not_english", "warnings is 'not_english', expected a list of words"),
    ],
)
def test_json_of_another_shape_is_told_of_by_row(classify, tmp_path, head, key, value, words):
    rows, path = write_rows(tmp_path / "rows.jsonl", {"text": PLAN}), tmp_path / "out.jsonl"
    assert classify(rows, "--output", path).code == 0
    answer = json.loads(path.read_bytes())
    place = answer[head] if head else answer
    place[key] = place[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(answer), encoding="utf-8")
    finished = classify("--answers", path, "--summary", tmp_path / "sum.csv")
    assert finished.code == 1
    assert f"out.jsonl:1: {words}" in " ".join(finished.stderr.split())


def test_a_name_that_two_files_of_answers_have_is_told(classify, tmp_path):
    text, outputs = tmp_path / "a.txt", [tmp_path / "1.csv", tmp_path / "2.csv"]
    text.write_text(PLAN, encoding="utf-8")
    for output in outputs:
        assert classify(text, "--output", output).code == 0
    both = [part for output in outputs for part in ("--answers", output)]
    finished = classify(*both, "--summary", tmp_path / "sum.csv")
    assert finished.code == 0
    assert f"{str(text)!r} stands in several files of answers, and is summed up as one" in finished.stderr
    assert "stands in several" not in classify(*both[:2], "--summary", tmp_path / "one.csv").stderr


def test_a_changed_cell_is_told_of_before_rows_that_do_not_match_for_it(classify, tmp_path):
    rows, path = write_rows(tmp_path / "rows.jsonl", {"text": PLAN}, {"text": MARKET}), tmp_path / "out.csv"
    assert classify(rows, "--output", path).code == 0
    header, first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{header}\n{first.replace(',0.', ',0. Mai ')}\n{second}\n", encoding="utf-8")
    finished = classify(rows, "--answers", path, "--summary", tmp_path / "sum.csv")
    assert finished.code == 1
    assert "is no score from 0 to 1" in " ".join(finished.stderr.split())


def test_answers_to_other_files_are_refused(classify, rows, tmp_path):
    output, sums = tmp_path / "out.jsonl", tmp_path / "sum.csv"
    assert classify(rows, "--output", output).code == 0
    lines = rows.read_bytes().splitlines(keepends=True)
    for changed in (lines[:-1], lines[1:], [*lines, lines[0]], [lines[1], lines[0], *lines[2:]]):
        rows.write_bytes(b"".join(changed))
        finished = classify(rows, "--answers", output, "--summary", sums)
        assert finished.code == 1
        assert "name the files that were classified, in the same order" in " ".join(finished.stderr.split())
        assert not sums.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--answers", "out.jsonl"], 2, "pass --summary FILE"),
        (["--answers", "none.csv", "--summary", "s.csv"], 2, "does not exist"),
        (["--answers", "out.jsonl", "--summary", "s.csv", "--output", "o.csv"], 2, "--output says how to classify"),
        (["--answers", "out.jsonl", "--summary", "s.csv", "--explain"], 2, "--explain says how to classify"),
        (["-", "--answers", "out.jsonl", "--summary", "s.csv"], 2, "standard input is read once"),
        (["--answers", "out.jsonl", "--summary", "out.jsonl", "--overwrite"], 1, "is one of the inputs"),
        (["--answers", "out.jsonl", "--answers", "./out.jsonl", "--summary", "s.csv"], 1, "is given twice"),
        (["--answers", "out.xlsx", "--summary", "s.csv"], 1, "save the sheet as CSV UTF-8"),
        (
            ["rows.jsonl", "--answers", "out.jsonl", "--summary", "s.csv", "--by", "x"],
            1,
            "no row of rows.jsonl has 'x'",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(classify, rows, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    assert classify(rows, "--output", "out.jsonl").code == 0
    (tmp_path / "out.xlsx").touch()
    finished = classify(*arguments)
    assert (finished.code, finished.stdout) == (code, b"")
    assert words in " ".join(finished.stderr.split())
