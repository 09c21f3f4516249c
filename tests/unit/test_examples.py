"""Rows of every kind of file are read alike, and each bad one is named by file and line, all at once."""

import gzip
import json
import random
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.rows import load_examples
from twohands.errors import DataError, FileReadError, MissingExtraError
from twohands.examples import as_words, encode_labels, expand_paths, fingerprint, read_rows
from twohands.row_faults import LabelWordsError
from twohands.taxonomy import Taxonomy

TEXT = "The ministry lends to chip makers."


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def row(number, **changes):
    cells = {"id": f"r{number}", "text": f"{TEXT} {number}", "stance": "neutral", "topics": ["sanctions"]}
    return cells | {"source": "s", "group": f"g{number}"} | changes


def faults_of(paths, taxonomy):
    with pytest.raises(DataError) as caught:
        load_examples(paths, taxonomy)
    return caught.value.faults


def test_jsonl_csv_and_parquet_hold_the_same(tmp_path, taxonomy):
    rows = [
        row(0, text='Two "quoted" words,\nand a second line | with a bar.', topics=["sanctions", "regulation"]),
        row(1, stance=None),
        row(2, topics=None),
        row(3, topics=[]),
    ]
    write_jsonl(tmp_path / "a.jsonl", rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
    (tmp_path / "c.csv").write_bytes(
        b"id,text,stance,topics,source,group\r\n"
        b'r0,"Two ""quoted"" words,\nand a second line | with a bar.",neutral,sanctions|regulation,s,g0\r\n'
        + f"r1,{TEXT} 1,,sanctions,s,g1\r\nr2,{TEXT} 2,neutral,,s,g2\r\nr3,{TEXT} 3,neutral,-,s,g3\r\n".encode()
    )
    read = {path.suffix: load_examples([path], taxonomy) for path in tmp_path.iterdir()}
    assert read[".jsonl"] == read[".csv"] == read[".parquet"]
    first, *others = read[".jsonl"]
    assert first.paragraph == 'Two "quoted" words, and a second line | with a bar.'
    assert first.labels == {"stance": ("neutral",), "topics": ("sanctions", "regulation")}
    assert [example.labels for example in others] == [
        {"stance": None, "topics": ("sanctions",)},
        {"stance": ("neutral",), "topics": None},
        {"stance": ("neutral",), "topics": ()},
    ]
    assert encode_labels([others[0], others[2]], taxonomy).tolist() == [
        [-100, -100, -100, 1, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
    ]


def test_byte_order_marks_line_ends_and_blank_lines_do_not_matter(tmp_path, taxonomy):
    plain = write_jsonl(tmp_path / "a.jsonl", [row(0), row(1)])
    lines = plain.read_bytes().splitlines()
    (tmp_path / "b.jsonl").write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n  \n" + lines[1])
    assert load_examples([plain], taxonomy) == load_examples([tmp_path / "b.jsonl"], taxonomy)
    csv = f"text,stance\n{TEXT},neutral\n".encode()
    (tmp_path / "c.csv").write_bytes(b"\xef\xbb\xbf" + csv.replace(b"\n", b"\r\n"))
    assert load_examples([tmp_path / "c.csv"], taxonomy)[0].paragraph == TEXT


def test_a_row_without_id_is_named_by_its_place_and_is_its_own_group(tmp_path, taxonomy):
    path = write_jsonl(tmp_path / "news.jsonl", [{"text": TEXT, "stance": "neutral"}, row(1, group="d", page=7)])
    first, second = load_examples([path], taxonomy)
    assert (first.id, first.group, first.source) == (f"{path}:1", f"{path}:1", "news")
    assert (second.group, second.columns) == ("d", {"page": 7})


def test_labels_are_kept_in_the_taxonomys_order_and_once(tmp_path, taxonomy):
    path = write_jsonl(tmp_path / "a.jsonl", [row(0, topics=["regulation", "sanctions", "regulation"])])
    assert load_examples([path], taxonomy)[0].labels["topics"] == ("sanctions", "regulation")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '"text"',
        '{"text": "A b c.", "stance": "neutral"} trailing',
        "[" * 50_000,
        json.dumps(row(1, stance="State-led")),
        json.dumps(row(1, stance=["neutral"])),
        json.dumps(row(1, stance=1)),
        json.dumps(row(1, topics=["tariffs"])),
        json.dumps(row(1, topics="sanctions|tariffs")),
        json.dumps(row(1, topics={"sanctions": 1})),
        json.dumps(row(1, topics=[["sanctions"]])),
        json.dumps(row(1, text="")),
        json.dumps(row(1, text=" \u200b ")),
        json.dumps(row(1, text=None)),
        json.dumps(row(1, text=5)),
        json.dumps(row(1, text="a" * 100_001)),
        json.dumps({"stance": "neutral"}),
        json.dumps(row(1, stance=None, topics=None)),
        json.dumps(row(1, id="")),
        json.dumps(row(1, id=["a"])),
        json.dumps(row(1, group=1.5)),
    ],
    ids=range(23),
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, taxonomy, line):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([json.dumps(row(0)), "", line, json.dumps(row(2))]), encoding="utf-8")
    (fault,) = faults_of([path], taxonomy)
    assert fault.startswith(f"{path}:3: ")


def test_bytes_that_are_no_utf_8_are_named_by_line(tmp_path, taxonomy):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(json.dumps(row(0)).encode() + b'\n{"text": "caf\xe9 talk", "stance": "neutral"}\n')
    (fault,) = faults_of([path], taxonomy)
    assert fault.startswith(f"{path}:2: ")


def test_every_fault_of_every_file_is_told_at_once(tmp_path, taxonomy):
    write_jsonl(tmp_path / "a.jsonl", [row(0), row(1, stance="left"), row(2), row(3, text="", topics=["x"])])
    (tmp_path / "b.csv").write_text(
        f"id,text,stance,topics\nb0,{TEXT},up,\nb1,{TEXT}\nb2,{TEXT},neutral,,more\n", encoding="utf-8"
    )
    pq.write_table(pa.table({"id": ["c0"], "text": [""], "stance": ["neutral"]}), tmp_path / "c.parquet")
    faults = faults_of([tmp_path], taxonomy)
    wanted = ["a.jsonl:2", "a.jsonl:4", "b.csv:3", "b.csv:4", "b.csv:2", "c.parquet:row 1"]
    assert sorted(fault.split(": ")[0] for fault in faults) == sorted(str(tmp_path / place) for place in wanted)
    assert all(part in next(f for f in faults if "a.jsonl:4" in f) for part in ("text", "topics"))


def test_more_faults_than_are_shown_are_all_counted(tmp_path, taxonomy):
    path = write_jsonl(tmp_path / "a.jsonl", [row(n, text="") for n in range(80)])
    with pytest.raises(DataError) as caught:
        load_examples([path], taxonomy)
    assert len(caught.value.faults) == 80
    assert len(str(caught.value).splitlines()) == 52


def test_a_word_that_is_no_label_is_told_of_once(tmp_path, taxonomy):
    path = tmp_path / "a.jsonl"
    renamed = [row(n, stance="statist") for n in range(3, 103)]
    write_jsonl(path, [row(0), row(1, stance="statist", text=""), row(2, topics=["x", "y"]), *renamed])
    assert faults_of([path], taxonomy) == [
        f"{path}:2: text: the text is empty or holds only white space and control characters",
        f"{path}:2 and 100 more rows: stance 'statist' is none of state-led, market-led, neutral",
        f"{path}:3: topics 'x' is none of sanctions, self-reliance, industrial-policy, regulation; "
        "topics 'y' is none of sanctions, self-reliance, industrial-policy, regulation",
    ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("Neutral", "neutral"), ("neutral ", "neutral"), ("stateled", "state-led"), ("MARKET LED", "market-led"),
     ("praise", None), ("neutral " * 9, None), ("", None), (1, None), (["neutral"], None)],
)  # fmt: skip
def test_a_word_that_is_like_a_label_is_asked_about(tmp_path, taxonomy, word, meant):
    (fault,) = faults_of([write_jsonl(tmp_path / "a.jsonl", [row(0, stance=word)])], taxonomy)
    assert fault.partition("; did you mean ")[2] == (f"{meant!r}?" if meant else "")


@pytest.mark.parametrize("line", ['"stance": "market-led"', '"scores": {"stance": 1, "stance": 2}'])
def test_a_key_that_stands_twice_is_a_fault(tmp_path, taxonomy, line):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row(0)) + "\n" + json.dumps(row(1))[:-1] + f", {line}}}\n", encoding="utf-8")
    (fault,) = faults_of([path], taxonomy)
    assert fault == f"{path}:2: 'stance' stands twice in one object, expected once; keep one"


@pytest.mark.parametrize("mark", [";", "\t"])
def test_csv_without_a_comma_in_its_header_is_read_by_semicolon_or_tab(tmp_path, taxonomy, mark):
    text = f"Lent, or so they say{mark} to chip makers."
    lines = ["id,stance,topics,text", f'r0,neutral,sanctions|regulation,"{text}"', f'r1,state-led,-,"{text} 1"']
    (tmp_path / "a.csv").write_text("\r\n".join(lines), encoding="utf-8")
    head, first, second = (line.partition('"') for line in lines)
    told = [head[0].replace(",", mark)] + [line[0].replace(",", mark) + '"' + line[2] for line in (first, second)]
    (tmp_path / "b.csv").write_text("\r\n".join(told), encoding="utf-8-sig")
    read = [load_examples([tmp_path / name], taxonomy) for name in ("a.csv", "b.csv")]
    assert [(e.id, e.paragraph, e.labels) for e in read[0]] == [(e.id, e.paragraph, e.labels) for e in read[1]]
    assert len(read[1]) == 2


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    ("line", "n_faults"),
    [
        (b'r2,he said "no" ok,neutral', 0),
        (b'r2,"he said "no" ok",neutral', 1),
        (b'r2,"nobody closes this,neutral', 1),
        (b"r2,caf\xe9,neutral", 1),
        (b'"r2,caf\xe9",one,two,neutral', 1),
        (b"", 0),
    ],
)
@pytest.mark.parametrize("n_after", [0, 3])
def test_a_bad_row_of_csv_costs_no_other(tmp_path, line, n_faults, n_after):
    good = [f'r{n},"A. {n}\r\nB.",neutral'.encode() for n in range(3 + n_after)]
    good[3:] = [f"r{n},C.,neutral".encode() for n in range(3, 3 + n_after)]
    path, faults = tmp_path / "a.csv", []
    path.write_bytes(b"\r\n".join([b"id,text,stance", *good[:3], line, *good[3:]]) + b"\r\n")
    rows = [found for found in read_rows(path, faults) if found.cells["text"] != 'he said "no" ok']
    assert [found.cells["id"] for found in rows] == [f"r{n}" for n in range(3 + n_after)]
    assert [found.place for found in rows] == [f"{path}:{n}" for n in [3, 5, 7, *range(9, 9 + n_after)]]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:8"] * n_faults


@pytest.mark.issue(2)
@pytest.mark.parametrize("header", [b"id,t\xe9xt,stance", b'id,"tail"xt,stance', b"id,text,text"])
def test_a_bad_header_of_csv_is_one_fault(tmp_path, header):
    path, faults = tmp_path / "a.csv", []
    path.write_bytes(header + b"\nr0,A.,neutral\nr1,B.,neutral\n")
    assert list(read_rows(path, faults)) == []
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:1"]


@pytest.mark.issue(2)
def test_blank_rows_and_columns_that_excel_leaves_are_passed_over(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    lines = ["id;text;stance;;", f"r0;{TEXT};neutral;;", ";;;;", f"r1;{TEXT} 1;state-led;;", " ;;;;", ";;"]
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    rows = load_examples([path], taxonomy)
    assert [(e.id, e.labels["stance"], e.columns) for e in rows] == [
        ("r0", ("neutral",), {}),
        ("r1", ("state-led",), {}),
    ]
    path.write_text("\n".join([*lines[:4], f"r2;{TEXT} 2;neutral;;a note"]), encoding="utf-8")
    (fault,) = faults_of([path], taxonomy)
    assert fault.startswith(f"{path}:5: a cell behind column 'stance' has no name")


@pytest.mark.issue(2)
def test_an_empty_cell_of_csv_is_told_of_by_the_header(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    path.write_text(f"id,text,stance,note\nr0,{TEXT},neutral,\nr1,,neutral,\nr2,{TEXT} 2,,\n", encoding="utf-8")
    assert faults_of([path], taxonomy) == [
        f"{path}:3: text: the text is empty or holds only white space and control characters",
        f"{path}:4: no label: none of the columns stance, topics is filled (columns: id, text, stance, note); leave "
        "such rows out, or write - (in JSON []) where no topics applies",
    ]


@pytest.mark.issue(2)
def test_a_header_of_another_case_is_asked_about(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    path.write_text(f"ID,Text,Stance,test\nr0,{TEXT},neutral,x\nr1,{TEXT} 1,neutral,x\n", encoding="utf-8")
    assert faults_of([path], taxonomy) == [
        f"{path}:2 and the row after it: no column 'text', in which texts are expected (columns: ID, Text, Stance, "
        "test); did you mean 'Text' for text, 'Stance' for stance, 'ID' for id?"
    ]


@pytest.mark.issue(3)
@pytest.mark.parametrize("name", ["Group", "ID", " source", "Topics "])
def test_a_column_that_differs_by_case_or_blanks_alone_is_refused_once_a_file(tmp_path, taxonomy, name):
    plain = name.strip().lower()
    rows = [{name if key == plain else key: cell for key, cell in row(n).items()} for n in range(3)]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    fault = f"column {name!r} is not {plain!r}, by case or blanks alone, and would not be read; rename it"
    assert faults_of([path], taxonomy) == [f"{path}:1 and 2 more rows: {fault}"]
    both = [each | {plain: row(n)[plain]} for n, each in enumerate(rows)]  # somebody's own, beside the one that is read
    assert len(load_examples([write_jsonl(path, both)], taxonomy)) == 3


@pytest.mark.issue(2)
def test_a_file_of_another_encoding_is_told_of_once(tmp_path, taxonomy):
    other = tmp_path / "a.csv"
    lines = [f"r{n},caf{letter},neutral" for n, letter in enumerate("éèeê")]
    other.write_text("\n".join(["id,text,stance", *lines]), encoding="cp1252")
    faults: list[str] = []
    assert [found.cells["id"] for found in read_rows(other, faults)] == ["r2"]
    assert len(faults) == 3  # rows, as bulk classification counts what it could not read
    (tmp_path / "b.csv").write_text(f"id,text,stance\nr9,{TEXT},up\n", encoding="utf-8")
    told, label = faults_of([tmp_path], taxonomy)
    assert told == f"{other}:2 and 2 more rows: byte 0xe9 is not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)"
    assert "b.csv" in label


@pytest.mark.issue(2)
def test_whole_numbers_that_pandas_makes_floats_of_name_documents(tmp_path, taxonomy):
    rows = [row(n, group=group) for n, group in enumerate([0.0, 0.0, None, 7.0])]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    write_jsonl(tmp_path / "b.jsonl", rows)
    for name in ("a.parquet", "b.jsonl"):
        assert [e.group for e in load_examples([tmp_path / name], taxonomy)] == ["0", "0", "r2", "7"]


@pytest.mark.issue(3)
def test_whole_numbers_that_pandas_makes_floats_name_rows_of_csv_alike(tmp_path, taxonomy):
    lines = [f"{n},{TEXT} {n},neutral,{name},{name}" for n, name in (("4.0", "7.0"), ("5.0", ""), (" 6.0", "8.0 "))]
    (tmp_path / "a.csv").write_text("\n".join(["id,text,stance,source,group", *lines]), encoding="utf-8")
    found = [(e.id, e.source, e.group) for e in load_examples([tmp_path / "a.csv"], taxonomy)]
    assert found == [("4", "7", "7"), ("5", "a", "5"), ("6", "8", "8")]


@pytest.mark.issue(3)
@pytest.mark.parametrize("other", ["1", "1.1", "2.00", "a"])
def test_a_column_of_csv_that_is_not_of_whole_numbers_alone_is_left_as_it_is(tmp_path, taxonomy, other):
    # Chapter and section, or document and paragraph: 1.0 is no 1 there, and stood for a repeated id.
    lines = [f"{name},{TEXT} {n},neutral,{name},9.0" for n, name in enumerate(("1.0", "2.0", other))]
    (tmp_path / "a.csv").write_text("\n".join(["id,text,stance,source,group", *lines]), encoding="utf-8")
    found = [(e.id, e.source, e.group) for e in load_examples([tmp_path / "a.csv"], taxonomy)]
    assert found == [(name, name, "9") for name in ("1.0", "2.0", other)]


@pytest.mark.issue(3)
def test_a_packed_csv_of_whole_numbers_that_is_cut_off_gives_its_rows_and_the_fault(tmp_path):
    # Random words, else all of it fits into what is unpacked at once.
    rng = random.Random(0)
    words = [f"{n}.0,{rng.randbytes(400).hex()},neutral" for n in range(400)]
    packed = gzip.compress("\n".join(["id,text,stance", *words]).encode())
    (tmp_path / "a.csv.gz").write_bytes(packed[: len(packed) // 2])
    faults = []
    ids = [found.cells["id"] for found in read_rows(tmp_path / "a.csv.gz", faults)]
    assert ids
    assert ids == [str(n) for n in range(len(ids))]
    assert "cut off" in faults[-1]


@pytest.mark.issue(3)
def test_blanks_around_the_names_of_a_row_do_not_count(tmp_path, taxonomy):
    rows = [row(n, id=f" {n}\t", source=" s", group=f"g{chr(0xA0)}") for n in range(2)]
    write_jsonl(tmp_path / "a.jsonl", rows)
    lines = [f' {n} ,{TEXT} {n},neutral,"s\n", g' for n in range(2)]
    (tmp_path / "b.csv").write_text("\n".join(["id,text,stance,source,group", *lines]), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    for name in ("a.jsonl", "b.csv", "c.parquet"):
        examples = load_examples([tmp_path / name], taxonomy)
        assert [(e.id, e.source, e.group) for e in examples] == [("0", "s", "g"), ("1", "s", "g")], name


@pytest.mark.issue(3)
def test_a_blank_name_is_absent_in_csv_and_refused_in_json(tmp_path, taxonomy):
    (tmp_path / "a.csv").write_text(f"id,text,stance,source,group\n ,{TEXT},neutral, , \n", encoding="utf-8")
    place = f"{tmp_path / 'a.csv'}:2"
    (example,) = load_examples([tmp_path / "a.csv"], taxonomy)
    assert (example.id, example.source, example.group) == (place, "a", place)
    path = write_jsonl(tmp_path / "b.jsonl", [row(0, id=" ", source="  ", group="\t")])
    (fault,) = faults_of([path], taxonomy)
    for name in ("id", "source", "group"):
        assert f"{name} is '', expected a whole number, or a string, not empty" in fault


@pytest.mark.issue(3)
@pytest.mark.parametrize("name", ["id", "source", "group"])
def test_half_of_an_emoji_names_no_row(tmp_path, taxonomy, name):
    path = write_jsonl(tmp_path / "a.jsonl", [row(0, **{name: "a\ud83d"}), row(1, **{name: "a\U0001f4f7"})])
    (fault,) = faults_of([path], taxonomy)
    assert fault.startswith(
        f"{path}:1: {name} is 'a\\ud83d', expected a whole number, or a string, not empty, with no half"
    )


@pytest.mark.issue(2)
def test_labels_that_are_numbers_may_be_written_as_such():
    labels = [{"name": str(n), "description": f"{n} of 3."} for n in range(4)]
    one, several = (
        Taxonomy.model_validate({"heads": [{"name": "rating", "problem_type": kind, "labels": labels}]}).heads[0]
        for kind in ("single_label_classification", "multi_label_classification")
    )
    assert as_words(2, one) == as_words("2", one) == as_words(2, several) == ("2",)
    assert as_words([3, "1"], several) == ("1", "3")
    for value in (4, 2.5, True):
        with pytest.raises(LabelWordsError) as caught:
            as_words(value, one)
        assert caught.value.faults == [f"rating {value} is none of 0, 1, 2, 3"]


@pytest.mark.issue(3)
@pytest.mark.parametrize("written", ['{"text": "%s", "spam": %s}', '"%s",%s'])
def test_the_labels_true_and_false_may_be_written_as_truth_values(tmp_path, written):
    labels = [{"name": word, "description": f"It is {word}."} for word in ("true", "false")]
    taxonomy = Taxonomy.model_validate(
        {"heads": [{"name": "spam", "problem_type": "single_label_classification", "labels": labels}]}
    )
    is_json = written.startswith("{")
    words = ("true", "false") if is_json else ("True", "FALSE")  # as pandas and spreadsheets write them
    lines = [*([] if is_json else ["text,spam"]), *(written % (f"{TEXT} {word}", word) for word in words)]
    path = tmp_path / ("a.jsonl" if is_json else "a.csv")
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [example.labels["spam"] for example in load_examples([path], taxonomy)] == [("true",), ("false",)]


@pytest.mark.issue(3)
def test_labels_as_other_tools_export_them_are_told_of_with_what_to_write(taxonomy):
    """Label Studio writes several choices as an object, `datasets` a label as its number."""
    stance, topics = taxonomy.heads
    cases = [
        (stance, 2, "expected one of the words state-led, market-led, neutral; write which it stands for"),
        (topics, {"choices": ["sanctions", "regulation"]}, "labels joined by |; put the list of choices in its place"),
        (
            topics,
            '{"choices": ["sanctions", "regulation"]}',
            "write sanctions|regulation, as labels are joined by a bar",
        ),
        (
            stance,
            True,
            "is true or false, expected one of the words state-led, market-led, neutral; write which it stands for",
        ),
        (stance, ["neutral"], "; the head is one-of: write one word, not a list"),
        (stance, " ", "; an empty cell, or null in JSONL, says that nobody looked"),
        (topics, {"a": 1}, "topics is an object of a, expected a list of labels or labels joined by |"),
    ]
    for head, value, told in cases:
        with pytest.raises(LabelWordsError) as caught:
            as_words(value, head)
        assert caught.value.faults[0].endswith(told)


def test_a_header_with_a_comma_is_one_of_commas_and_ragged_rows_are_counted(tmp_path, taxonomy):
    path = tmp_path / "a.csv"
    path.write_text(f"id,text,stance,note; b\nr0,{TEXT},neutral,a;b\nr1,one, two,neutral,c\nr2,x\n", encoding="utf-8")
    told = "expected 4 as in the header; a cell that holds ',' must stand in double quotes"
    assert faults_of([path], taxonomy) == [f"{path}:3: found 5 cells, {told}", f"{path}:4: found 2 cells, {told}"]


@pytest.mark.issue(2)
def test_a_file_of_other_columns_is_told_of_once(tmp_path, taxonomy):
    other = write_jsonl(tmp_path / "a.jsonl", [{"sentence": f"{TEXT} {n}", "kind": "praise"} for n in range(80)])
    mixed = write_jsonl(tmp_path / "b.jsonl", [row(0), {"text": TEXT}, {"text": TEXT}])
    told, *rest = faults_of([other, mixed], taxonomy)
    assert told.startswith(f"{other}:1 and all 79 rows after it: ")
    assert "sentence" in told
    assert [fault.split(": ")[0] for fault in rest] == [f"{mixed}:2 and 1 more row"]


def test_an_id_that_stands_twice_is_a_fault_across_files(tmp_path, taxonomy):
    write_jsonl(tmp_path / "a.jsonl", [row(0), row(1)])
    write_jsonl(tmp_path / "b.jsonl", [row(1, text="Other words.")])
    assert len(faults_of([tmp_path], taxonomy)) == 1


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", b""), ("a.jsonl", b"\n\n"), ("a.csv", b"id,text,stance\n")])
def test_no_row_is_a_fault(tmp_path, taxonomy, name, content):
    (tmp_path / name).write_bytes(content)
    assert len(faults_of([tmp_path / name], taxonomy)) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"text,stance\ncaf\xe9,neutral\n"),
        ("a.csv", b'text,stance\n"open,neutral\n'),
        ("a.parquet", b"PAR1 not really"),
        ("a.parquet", b""),
    ],
)
def test_a_broken_table_is_named(tmp_path, taxonomy, name, content):
    (tmp_path / name).write_bytes(content)
    (fault,) = faults_of([tmp_path / name], taxonomy)
    assert fault.startswith(str(tmp_path / name))


def test_folders_are_searched_in_order_of_name(tmp_path):
    for name in ("b.jsonl", "sub/a.csv", "a.NDJSON", "notes.txt", "out.jsonl.partial"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in expand_paths([tmp_path])]
    assert found == ["a.NDJSON", "b.jsonl", "sub/a.csv"]


@pytest.mark.parametrize("name", ["none.jsonl", "notes.txt", "empty"])
def test_a_path_that_cannot_be_read_is_refused(tmp_path, taxonomy, name):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileReadError):
        load_examples([tmp_path / name], taxonomy)


def test_rows_are_streamed(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row(0)) + "\n{broken\n" + json.dumps(row(2)) + "\n", encoding="utf-8")
    faults = []
    rows = read_rows(path, faults)
    assert next(rows).cells["id"] == "r0"
    assert faults == []
    assert next(rows).place == f"{path}:3"
    assert len(faults) == 1


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError):
        list(read_rows(tmp_path / "a.parquet", []))


def test_the_fingerprint_knows_texts_and_labels_and_no_order(tmp_path, taxonomy):
    examples = load_examples([write_jsonl(tmp_path / "a.jsonl", [row(0), row(1)])], taxonomy)
    changed = load_examples([write_jsonl(tmp_path / "b.jsonl", [row(0), row(1, stance="state-led")])], taxonomy)
    assert fingerprint(examples) == fingerprint(reversed(examples))
    assert fingerprint(examples) != fingerprint(changed)
    assert fingerprint(examples) != fingerprint(examples[:1])


@pytest.mark.issue(2)
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz"])
@pytest.mark.parametrize("n_chars", [200, 201, 5000])
def test_a_line_without_bound_is_told_of_and_held_by_nobody(name, n_chars, tmp_path, monkeypatch):
    monkeypatch.setattr("twohands.row_files.MAX_LINE", 200)
    monkeypatch.setattr("twohands.csv_cells.MAX_LINE", 200)
    before, long, behind = ({"text": text} for text in ("First.", "a" * n_chars, "Last."))
    lines = [json.dumps(row) for row in (before, long, behind)]
    if name == "a.csv.gz":
        lines = ["text", "First.", "a" * n_chars, "Last."]
    path = tmp_path / name
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    faults = []
    assert [row.cells for row in read_rows(path, faults)] == [before, behind]
    assert len(faults) == 1
    assert faults[0].startswith(f"{path}:{len(lines) - 1}: ")
    assert "a line has more than 200 " in faults[0]
