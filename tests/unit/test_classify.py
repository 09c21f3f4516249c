"""`twohands classify`: every input, every format, bad rows, and what is refused."""

import contextlib
import csv
import json
import os
import subprocess
import sys
import threading
from email.message import EmailMessage

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.runtimes import skip_without_openvino
from twohands import Classifier
from twohands.examples import check_rows, read_rows
from twohands.journal import journal_path

FIRST = "The ministry will lend to the makers of chips, said the plan."
SECOND = "Prices, and not plans, should say what is built, the market answered."


def read_lines(content):
    return [json.loads(line) for line in content.splitlines()]


def test_jsonl_has_the_shape_of_the_interface(classify, tiny_model, rows):
    finished = classify(rows)
    assert finished.code == 0
    answers = read_lines(finished.stdout)
    assert [answer["id"] for answer in answers] == [f"r{n}" for n in range(300)]
    texts = [json.loads(line)["text"] for line in rows.read_text(encoding="utf-8").splitlines()]
    classifier = Classifier.load(tiny_model)
    expected = iter(classifier.classify([text for text in texts if text]))
    classifier.close()
    for answer, text in zip(answers, texts, strict=True):
        del answer["id"]
        if text:
            assert answer == next(expected).to_dict()
        else:
            assert answer["error"].keys() == {"code", "message"}
            assert answer["error"]["code"] == "empty_paragraph"
    assert "30 of 300" in finished.stderr


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_change_nothing(classify, rows, threads):
    assert classify(rows, "--threads", threads).stdout == classify(rows).stdout


def test_csv_and_parquet_inputs_give_the_same_answers(classify, tmp_path):
    cells = [{"id": "a", "text": 'the "plan", |\nand more'}, {"id": "b", "text": "market"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in cells), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(cells), tmp_path / "in.parquet")
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, ["id", "text"])
        writer.writeheader()
        writer.writerows(cells)
    outputs = [classify(tmp_path / f"in.{kind}").stdout for kind in ("jsonl", "csv", "parquet")]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(read_lines(outputs[0])) == 2


@pytest.mark.issue(2)
@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_without_a_comma_in_its_header_is_read_by_semicolon_or_tab(classify, tmp_path, mark):
    path = tmp_path / "in.csv"
    path.write_text(f"id{mark}text\na{mark}the plan, and more\nb{mark}market\n", encoding="utf-8")
    assert [answer["id"] for answer in read_lines(classify(path).stdout)] == ["a", "b"]


def test_every_output_format_holds_the_same(classify, rows, tmp_path):
    for kind in ("jsonl", "csv", "parquet"):
        assert classify(rows, "--output", tmp_path / f"out.{kind}").code == 0
    answers = read_lines((tmp_path / "out.jsonl").read_bytes())
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(answers) == len(table) == len(lines) == 300
    for answer, row, line in zip(answers, table, lines, strict=True):
        assert answer["id"] == row["id"] == line["id"]
        if "error" in answer:
            assert (row["error_code"], line["error_code"], row["stance"]) == (
                "empty_paragraph",
                "empty_paragraph",
                None,
            )
            continue
        assert answer["stance"]["label"] == row["stance"] == line["stance"]
        assert answer["stance"]["score"] == row["stance_score"] == float(line["stance_score"])
        assert "|".join(answer["topics"]["labels"]) == row["topics"] == line["topics"]
        assert row["error_code"] is None
    assert classify(rows, "--format", "csv").stdout == (tmp_path / "out.csv").read_bytes()
    assert classify(rows).stdout == (tmp_path / "out.jsonl").read_bytes()
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.stem == "out") == [".csv", ".jsonl", ".parquet"]


@pytest.mark.issue(2)
def test_answers_by_which_no_label_applies_are_rows_that_say_so(classify, rows, tmp_path, taxonomy):
    """They were an empty cell, which says of a row to learn from or to measure by that nobody looked."""
    for kind in ("jsonl", "csv", "parquet"):
        assert classify(rows, "--output", tmp_path / f"out.{kind}", "--with-text").code == 0
    answers = read_lines((tmp_path / "out.jsonl").read_bytes())
    given = {answer["id"]: tuple(answer["topics"]["labels"]) for answer in answers if "error" not in answer}
    assert () in given.values()
    for kind in ("csv", "parquet"):
        found = [row for row in read_rows(tmp_path / f"out.{kind}", []) if not row.cells.get("error_code")]
        examples = check_rows(found, taxonomy, faults := [], default_source="s")
        assert not faults
        assert {example.id: example.labels["topics"] for example in examples} == given


def test_the_format_can_differ_from_the_name(classify, rows, tmp_path):
    assert classify(rows, "--output", tmp_path / "out.txt", "--format", "csv").code == 0
    assert (tmp_path / "out.txt").read_text(encoding="utf-8").startswith("id,stance,")


def test_documents_are_split_and_say_where(classify, tmp_path):
    raw = f"Title\n\n{FIRST}\n\n{SECOND}\n"
    (tmp_path / "b.txt").write_text(raw, encoding="utf-8")
    (tmp_path / "a.md").write_text(SECOND, encoding="utf-8")
    finished = classify(tmp_path, "--with-text")
    assert finished.code == 0
    answers = read_lines(finished.stdout)
    names = [str(tmp_path / "a.md"), str(tmp_path / "b.txt"), str(tmp_path / "b.txt")]
    assert [answer["document"] for answer in answers] == names
    assert [answer["paragraph"] for answer in answers] == [0, 0, 1]
    assert [answer["id"] for answer in answers] == [f"{n}#{p}" for n, p in zip(names, [0, 0, 1], strict=True)]
    assert raw[answers[2]["start"] : answers[2]["end"]] == answers[2]["text"] == SECOND
    assert [answer["stance"]["label"] for answer in answers] == ["market-led", "state-led", "market-led"]
    header = classify(tmp_path, "--format", "csv").stdout.split(b"\n")[0]
    assert header.startswith(b"id,document,paragraph,start,end,section,speaker,stance,")


@pytest.mark.issue(4)
def test_a_paragraph_that_is_too_long_costs_the_document_no_other(classify, tmp_path):
    path = tmp_path / "speech.txt"
    path.write_text(f"{FIRST}\n\n{'A plan. ' * 20_000}\n\n{SECOND}\n", encoding="utf-8")
    finished = classify(path, "--summary", tmp_path / "out.jsonl", "--with-text")
    assert (finished.code, "1 of 3" in finished.stderr) == (0, True)
    first, long, second = read_lines(finished.stdout)
    assert [answer["text"] for answer in (first, long, second)] == [FIRST, None, SECOND]
    assert [answer["id"] for answer in (first, long, second)] == [f"{path}#{number}" for number in range(3)]
    assert long["error"]["code"] == "paragraph_too_long"
    assert "begins in line 3, at character" in long["error"]["message"]
    (row,) = read_lines((tmp_path / "out.jsonl").read_text())
    assert (row["n_paragraphs"], row["n_errors"]) == (2, 1)


def test_rows_and_documents_mix(classify, tmp_path, rows):
    (tmp_path / "a.txt").write_text(FIRST, encoding="utf-8")
    (tmp_path / "z.txt").write_text(FIRST, encoding="utf-8")
    answers = read_lines(classify(tmp_path / "z.txt", rows, tmp_path / "a.txt").stdout)
    assert (answers[0]["id"], answers[1]["id"], answers[-1]["id"]) == (
        f"{tmp_path / 'z.txt'}#0",
        "r0",
        f"{tmp_path / 'a.txt'}#0",
    )


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_standard_input(classify, arguments):
    answers = read_lines(classify(*arguments, stdin=b'{"id": "x", "text": "plan"}\n{"text": "market"}\n').stdout)
    assert [(answer["id"], answer["stance"]["label"]) for answer in answers] == [
        ("x", "state-led"),
        ("stdin:2", "market-led"),
    ]
    answers = read_lines(classify(*arguments, stdin=f"{FIRST}\n\n{SECOND}".encode()).stdout)
    assert [(answer["id"], answer["document"], answer["stance"]["label"]) for answer in answers] == [
        ("stdin#0", "stdin", "state-led"),
        ("stdin#1", "stdin", "market-led"),
    ]


def test_rows_that_cannot_be_read_are_named_and_the_rest_is_written(classify, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "text": "plan"}\n{"id": \n{"id": "c", "text": "market"}\n7\n', encoding="utf-8")
    for extra in ([], ["--output", tmp_path / "out.jsonl"]):
        finished = classify(path, *extra)
        assert finished.code == 1
        assert [f"{path}:{line}:" in finished.stderr for line in (1, 2, 3, 4)] == [False, True, False, True]
        answers = read_lines((tmp_path / "out.jsonl").read_bytes() if extra else finished.stdout)
        assert [answer["id"] for answer in answers] == ["a", "c"]
    assert not journal_path(tmp_path / "out.jsonl").exists()


def test_bad_items_alone_are_no_failure_unless_nothing_is_left(classify):
    assert classify(stdin=b'{"text": ""}\n{"text": "plan"}\n').code == 0
    finished = classify(stdin=b'{"text": ""}\n{"text": 3}\n{"words": "plan"}\n{"id": [], "text": "plan"}\n')
    assert finished.code == 1
    codes = [answer["error"]["code"] for answer in read_lines(finished.stdout)]
    assert codes == ["empty_paragraph", "input_not_a_string", "missing_text", "invalid_id"]
    assert classify(stdin=b"").code == 1


@pytest.mark.issue(4)
def test_files_of_a_folder_that_are_not_read_are_told_of(classify, tmp_path):
    folder = tmp_path / "mine"
    (folder / "in").mkdir(parents=True)
    (folder / "a.txt").write_text(FIRST)
    assert "not read" not in classify(folder).stderr
    (folder / "in" / "b.rtf").touch()
    (folder / ".DS_Store").touch()
    (folder / "~$a.doc").touch()
    finished = classify(folder)
    assert (finished.code, finished.stderr) == (0, f"1 file of another kind is not read: {folder / 'in' / 'b.rtf'}\n")
    for name in "cdefgh":
        (folder / f"{name}.doc").touch()
    line = classify(folder).stderr
    assert line.startswith("7 files of other kinds are not read: ")
    assert line.endswith("g.doc, …\n")


@pytest.mark.issue(4)
def test_earlier_answers_in_a_folder_are_left_out_and_told_of(classify, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text(FIRST)
    assert classify(folder, "--output", folder / "old.jsonl").code == 0
    (folder / "new.jsonl.partial").write_text('{"twohands_journal": 1}\n')  # of another run
    (folder / "film.partial").write_text("half")
    finished = classify(folder, "--output", folder / "new.csv")
    assert finished.code == 0
    assert finished.stderr.splitlines()[:2] == [
        f"1 file of another kind is not read: {folder / 'film.partial'}",
        f"1 file is left out, as no row of it has 'text' (--text-column): {folder / 'old.jsonl'}",
    ]
    again = classify(folder, "--output", folder / "old.jsonl", "--overwrite")
    assert again.code == 1
    assert "is one of the inputs" in again.stderr
    assert "no row of" not in again.stderr


@pytest.mark.issue(4)
def test_earlier_tables_in_a_folder_are_left_out_and_other_tables_refused(classify, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text(FIRST)
    answers, summary, other = folder / "old.csv", folder / "old_summary.parquet", folder / "budget.csv"
    assert classify(folder, "--output", answers, "--summary", summary).code == 0
    finished = classify(folder, "--output", tmp_path / "new.csv")
    assert finished.code == 0
    left = f"2 files are left out, as no row of them has 'text' (--text-column): {answers}, {summary}"
    assert finished.stderr.splitlines()[0] == left
    assert classify(answers).code == 1  # named itself
    other.write_text("body,year\nThe mill.,2021\n")  # whose text may have another name
    refused = classify(folder)
    assert refused.code == 1
    assert f"{other} has no column 'text'" in refused.stderr


@pytest.mark.issue(4)
def test_a_table_on_standard_input_without_the_column_is_told_of(classify):
    finished = classify(stdin=b"id,body\n1,The mill.\n2,The depot.\n")
    assert finished.code == 0
    assert "is read as prose" in finished.stderr
    assert "--text-column NAME" in finished.stderr


def test_no_row_is_no_failure(classify, tmp_path):
    (tmp_path / "rows.jsonl").touch()
    finished = classify(tmp_path / "rows.jsonl", "--output", tmp_path / "out.csv")
    assert finished.code == 0
    assert (tmp_path / "out.csv").read_bytes().count(b"\n") == 1
    assert list(tmp_path.glob("*.partial")) == []


def test_many_faults_are_counted_and_not_all_shown(classify):
    finished = classify(stdin=b'{"text": "plan"}\n' + b"broken\n" * 500)
    assert finished.code == 1
    assert len(finished.stderr.splitlines()) < 30
    assert "500" in finished.stderr


def test_thresholds(classify):
    (answer,) = read_lines(classify("--threshold", "sanctions=1", "--threshold", "stance=1.0", stdin=b"embargo").stdout)
    assert answer["topics"]["labels"] == []
    assert answer["stance"]["abstained"] is True
    for bad in ("tariffs=0.5", "sanctions=2"):
        finished = classify("--threshold", bad, stdin=b"embargo")
        assert (finished.code, finished.stdout) == (1, b"")
        assert "[invalid_threshold]" in finished.stderr
    for bad in ("sanctions", "sanctions=", "=0.5", "sanctions=high", ""):
        assert classify("--threshold", bad, stdin=b"embargo").code == 2
    finished = classify("--threshold", "stance=.5", "--threshold", "stance=.6", stdin=b"embargo")
    assert (finished.code, finished.stdout) == (2, b""), "the last would win in silence"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["none.jsonl"], 1, "unreadable_file"),
        (["-", "rows.jsonl"], 2, ""),
        (["rows.jsonl", "rows.jsonl"], 1, "unreadable_file"),
        (["rows.jsonl", "--format", "parquet"], 2, ""),
        (["rows.jsonl", "--format", "xml"], 2, ""),
        (["rows.jsonl", "--output", "out.tsv"], 2, ""),
        (["rows.jsonl", "--output", "out.XLS"], 2, ""),
        (["rows.jsonl", "--output", "out.json"], 2, ""),
        (["rows.jsonl", "--output", "out.csv.gz"], 2, ""),
        (["rows.jsonl", "--output", "out.csv.gz", "--format", "csv"], 2, ""),
        (["rows.jsonl", "--threads", "0"], 2, ""),
        (["rows.jsonl", "--output", "rows.jsonl", "--overwrite"], 1, "run_conflict"),
        (["rows.jsonl", "--output", "none/out.jsonl"], 1, "unwritable_file"),
        (["rows.jsonl", "--model", "none"], 1, "model_not_found"),
        (["rows.csv", "--text-column", "body"], 1, "unreadable_file"),
        (["rows.jsonl", "--text-column", "body"], 1, "unreadable_file"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    classify, rows, tmp_path, monkeypatch, arguments, code, error
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("id,text\n1,plan\n", encoding="utf-8")
    before = rows.read_bytes()
    finished = classify(*arguments)
    assert (finished.code, finished.stdout) == (code, b"")
    assert f"[{error}]" in finished.stderr or code == 2
    assert rows.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.jsonl"]


def test_a_terminal_is_not_waited_for(run):
    finished = run("classify", is_terminal=True)
    assert finished.code == 2
    assert "FILE" in finished.stderr


def test_an_existing_output_is_replaced_only_when_asked(classify, rows, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("old", encoding="utf-8")
    finished = classify(rows, "--output", output)
    assert finished.code == 1
    assert "[run_conflict]" in finished.stderr
    assert output.read_text(encoding="utf-8") == "old"
    assert classify(rows, "--output", output, "--overwrite").code == 0
    assert len(read_lines(output.read_bytes())) == 300


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_progress_bar_is_shown_on_a_terminal_only(tiny_model, rows, tmp_path):
    leader, follower = os.openpty()
    shown = bytearray()

    def read():
        with contextlib.suppress(OSError):  # how Linux says that the other end was closed
            while piece := os.read(leader, 4096):
                shown.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    command = [
        sys.executable,
        "-m",
        "twohands",
        "classify",
        rows,
        "--model",
        tiny_model,
        "--output",
        tmp_path / "o.jsonl",
    ]
    subprocess.run(command, stderr=follower, stdout=subprocess.PIPE, check=True)
    os.close(follower)
    reader.join(timeout=30)
    os.close(leader)
    assert b"300/300" in shown
    assert b"rows/s" in shown


@pytest.mark.issue(2)
def test_a_long_run_that_nobody_watches_tells_of_itself_now_and_then(classify, rows, monkeypatch):
    assert "so far" not in classify(rows).stderr
    monkeypatch.setattr("twohands.progress.TELL_EVERY_S", 0)
    finished = classify(rows)
    assert [line.split(",")[0] for line in finished.stderr.splitlines() if "so far" in line] == [
        "128 done so far",
        "256 done so far",
        "300 done so far",
    ]
    assert len(read_lines(finished.stdout)) == 300


def test_evidence_is_written_in_every_format_and_equals_the_library(classify, tiny_model, tmp_path):
    text = "The weather of the. A plan of plan plan.\nThe weather."
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": "a", "text": text}) + "\n" + '{"id": "b", "text": ""}\n')
    answer, bad = read_lines(classify(tmp_path / "in.jsonl", "--explain").stdout)
    classifier = Classifier.load(tiny_model)
    (expected,) = classifier.classify([text], explain=True)
    classifier.close()
    assert answer == {"id": "a", **expected.to_dict()}
    assert answer["evidence"]["stance"]["sentence"] == "A plan of plan plan."
    assert "error" in bad
    (row, _) = csv.DictReader(
        classify(tmp_path / "in.jsonl", "--explain", "--format", "csv").stdout.decode().splitlines()
    )
    assert row["stance_evidence"] == "A plan of plan plan."
    assert float(row["stance_evidence_drop"]) == answer["evidence"]["stance"]["drop"]
    plain = classify(tmp_path / "in.jsonl", "--format", "csv").stdout.decode()
    assert "evidence" not in plain
    assert "warnings" in plain


@pytest.mark.issue(2)
def test_evidence_of_a_document_is_cut_at_the_items_of_its_lists(classify, tmp_path):
    items = ["(a) the weather of the", "(b) a plan of plan plan", "(c) the weather and the"]
    items = [f"{item} weather of the weather;" for item in items]
    lines = "\r\n".join(["The **weather** of the [weather](/b):", "", *items])  # marks are no words of a sentence
    (tmp_path / "in.md").write_text(lines, newline="")
    (answer,) = read_lines(classify(tmp_path / "in.md", "--explain", "--with-text").stdout)
    evidence = answer["evidence"]["stance"]
    assert evidence["sentence"] in items
    assert answer["text"][evidence["start"] : evidence["end"]] == evidence["sentence"]


def test_another_runtime_gives_the_same_labels(classify, rows):
    skip_without_openvino()
    ours, other = (
        [answer.get("stance", {}).get("label") for answer in read_lines(classify(rows, "--runtime", name).stdout)]
        for name in ("onnxruntime", "openvino")
    )
    assert len(ours) == 300
    assert other == ours


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_that_is_replaced_keeps_its_mode_and_its_links(classify, rows, tmp_path, suffix):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "answers").write_text("old")
    (kept / "answers").chmod(0o600)
    output = tmp_path / f"answers{suffix}"
    output.symlink_to(kept / "answers")
    assert classify(rows, "--overwrite", "--output", output).code == 0
    assert output.is_symlink()
    assert (kept / "answers").stat().st_mode & 0o777 == 0o600
    assert (kept / "answers").stat().st_size > 1000
    assert [path.name for path in kept.iterdir()] == ["answers"]


@pytest.mark.issue(4)
def test_mails_are_classified_and_what_of_them_is_not_read_is_told(classify, tmp_path):
    pytest.importorskip("bs4")
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ada Lind <ada@tide.example>", "Loans"
    mail.set_content(f"{FIRST}\n\n{SECOND}\n", cte="base64")
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="a\u202eb.pdf")
    (tmp_path / "a.eml").write_bytes(mail.as_bytes())
    finished = classify(tmp_path, "--with-text")
    assert finished.code == 0
    answers = read_lines(finished.stdout)
    assert [(answer["text"], answer["section"]) for answer in answers] == [(FIRST, "Loans"), (SECOND, "Loans")]
    assert [answer["start"] for answer in answers] == [None, None]
    told = f"{tmp_path / 'a.eml'}: 1 attachment is not read: a"
    assert told in finished.stderr
    assert "\u202e" not in finished.stderr
    assert classify("-", stdin=mail.as_bytes()).stderr.startswith("stdin: 1 attachment is not read: ")
    (tmp_path / "b.txt").write_bytes(mail.as_bytes())
    refused = classify(tmp_path)
    assert refused.code == 1
    assert f"{tmp_path / 'b.txt'} is an e-mail" in refused.stderr
    for n in range(30):
        (tmp_path / f"c{n}.eml").write_bytes(mail.as_bytes())
    (tmp_path / "b.txt").unlink()
    many = classify(tmp_path).stderr
    assert many.count("1 attachment is not read") == 20
    assert "31 times a part of a document was not read, 11 of them not shown" in many
