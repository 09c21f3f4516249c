"""Every input gives its items in order, each named by its place, and what cannot be read is told and passed over."""

import errno
import gzip
import io
import json
import os
import sys
import time
from pathlib import Path

import pytest

from twohands.charsets import read_utf_8_lines
from twohands.errors import FileReadError, MissingExtraError
from twohands.inputs import check_inputs, expand_inputs, find_inputs, find_unread
from twohands.items import read_items, read_stdin

FIRST = "The ministry will lend to the makers of chips, said the minister."
SECOND = "Prices, and not plans, should say what is built, his critics answered."


def read_all(*files, text_column="text"):
    faults = []
    return list(read_items(files, faults, text_column=text_column)), faults


def test_rows_keep_their_ids_or_are_named_by_their_place(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "text": "A."}\n\n{"text": "B."}\n{"id": 7, "text": "C."}\n{"id": "", "text": "D."}\n')
    items, faults = read_all(path)
    assert [(item.id, item.text) for item in items] == [
        ("a", "A."),
        (f"{path}:3", "B."),
        ("7", "C."),
        (f"{path}:5", "D."),
    ]
    assert faults == []
    assert all(item.error is None and item.where == {} for item in items)


@pytest.mark.issue(4)
def test_subtitles_are_documents_with_places_in_their_file(tmp_path):
    words = f"{FIRST} {SECOND}".split()
    lines = [" ".join(words[n : n + 6]) for n in range(0, len(words), 6)]
    cues = "\n\n".join(f"00:0{n}.000 --> 00:0{n + 1}.000\n{line}" for n, line in enumerate(lines))
    for name, head in ("talk.vtt", "WEBVTT\n\n"), ("talk.SRT", ""):
        (tmp_path / name).write_text(f"{head}{cues}\n")
        (item,), faults = read_all(tmp_path / name)
        assert (item.text, faults) == (" ".join(words), [])
        assert (head + cues)[item.where["start"] :].startswith(words[0])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"id": "a"}', "missing_text"),
        ('{"id": "a", "text": null}', "missing_text"),
        ('{"id": "a", "words": "A."}', "missing_text"),
        ('{"id": true, "text": "A."}', "invalid_id"),
        ('{"id": [1], "text": "A."}', "invalid_id"),
        ('{"id": 1.5, "text": "A."}', "invalid_id"),
    ],
)
def test_a_row_that_cannot_be_classified_has_its_error_in_its_place(tmp_path, line, code):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{line}\n{{"text": "B."}}\n')
    (bad, good), faults = read_all(path)
    assert bad.error.code == code
    assert bad.id == ("a" if '"a"' in line else f"{path}:1")
    assert (good.error, faults) == (None, [])


def test_rows_that_cannot_be_read_are_told_and_passed_over(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"text": "A."}\n{"text": \n[1]\n{"text": "caf\xe9"}\n{"text": "B."}\n')
    items, faults = read_all(path)
    assert [item.text for item in items] == ["A.", "B."]
    assert [fault.split(": ")[0] for fault in faults] == [f"{path}:{line}" for line in (2, 3, 4)]


def test_another_column_can_be_the_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id,body,text\n1,A.,\n2,,B.\n")
    items, _ = read_all(path, text_column="body")
    assert [item.text for item in items] == ["A.", None]
    assert find_inputs([path], text_column="body") == [path]


def test_paragraphs_of_a_document_point_at_its_characters(tmp_path):
    path = tmp_path / "speech.txt"
    raw = f"Title\r\n\r\n{FIRST}\r\n\r\n  {SECOND}  \r\n"
    path.write_bytes(raw.encode())
    items, faults = read_all(path)
    assert faults == []
    assert [(item.id, item.text) for item in items] == [(f"{path}#0", FIRST), (f"{path}#1", SECOND)]
    assert [item.where["paragraph"] for item in items] == [0, 1]
    assert {item.where["document"] for item in items} == {str(path)}
    assert [raw[item.where["start"] : item.where["end"]] for item in items] == [FIRST, SECOND]


def test_extracted_text_has_no_offsets(tmp_path):
    pytest.importorskip("bs4")
    path = tmp_path / "page.htm"
    path.write_text(f"<p>{FIRST}</p>")
    ((item,), _) = read_all(path)
    assert item.where == {"document": str(path), "paragraph": 0, "start": None, "end": None}


@pytest.mark.parametrize(
    ("content", "code", "n_faults"),
    [(b"", "empty_paragraph", 0), (b"\xff\x00", "unreadable_file", 1), (b"a " * 60_000, "paragraph_too_long", 0)],
)
def test_a_bad_document_has_its_error_in_its_place(tmp_path, content, code, n_faults):
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.txt").write_text(FIRST)
    (bad, good), faults = read_all(tmp_path / "a.txt", tmp_path / "b.txt")
    assert (bad.id, bad.error.code, bad.where["paragraph"]) == (str(tmp_path / "a.txt"), code, None)
    assert good.id == f"{tmp_path / 'b.txt'}#0"
    assert len(faults) == n_faults


@pytest.mark.issue(4)
def test_a_paragraph_that_is_too_long_has_its_error_in_its_place_among_the_others(tmp_path):
    path = tmp_path / "a.md"
    raw = f"# Ports\n\n{FIRST}\n\n{'A b. ' * 30_000}\n\n{SECOND}\n"
    path.write_text(raw)
    (first, long, second), faults = read_all(path)
    assert [(item.id, item.text) for item in (first, long, second)] == [
        (f"{path}#0", FIRST), (f"{path}#1", None), (f"{path}#2", SECOND)
    ]  # fmt: skip
    assert (long.error.code, long.raw, long.n_words, faults) == ("paragraph_too_long", None, 0, [])
    assert "in line 5, at character" in str(long.error)
    assert raw[long.where["start"] : long.where["end"]] == ("A b. " * 30_000).strip()
    assert (long.where["section"], long.where["paragraph"]) == ("Ports", 1)


def test_reading_twice_gives_the_same(tmp_path):
    (tmp_path / "a.txt").write_text(f"{FIRST}\n\n{SECOND}")
    (tmp_path / "b.jsonl").write_text('{"text": "A."}\nbroken\n{"text": ""}\n')
    files = find_inputs([tmp_path], text_column="text")
    (items, faults), (again, faults_again) = read_all(*files), read_all(*files)
    assert [(item.id, item.text, item.where) for item in items] == [(item.id, item.text, item.where) for item in again]
    assert faults == faults_again != []


def test_folders_are_expanded_in_order(tmp_path):
    for name in ("b.txt", "a/z.jsonl", "a/b.md", "c.png", "out.jsonl.partial"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_inputs([tmp_path], text_column="text")
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/b.md", "a/z.jsonl", "b.txt"]


@pytest.mark.issue(2)
def test_a_link_to_another_file_of_the_folder_is_not_read_again(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "b.txt").touch()
    (folder / "a_latest.txt").symlink_to("b.txt")
    (tmp_path / "elsewhere.txt").touch()
    for name in ("c.txt", "d.txt"):
        (folder / name).symlink_to("../elsewhere.txt")
    assert find_inputs([folder], text_column="text") == [folder / "b.txt", folder / "c.txt"]
    assert find_inputs([folder / "a_latest.txt"], text_column="text") == [folder / "a_latest.txt"]
    with pytest.raises(FileReadError, match=r"a_latest.txt is the same file as .*b.txt"):
        find_inputs([folder, folder / "a_latest.txt"], text_column="text")


@pytest.mark.issue(2)
def test_hidden_files_of_a_folder_are_read_only_where_they_are_named(tmp_path):
    folder = tmp_path / ".texts"
    for name in ("a.txt", "._a.txt", ".git/b.md", "c/.ipynb_checkpoints/d.csv", "~$a.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert find_inputs([folder], text_column="text") == [folder / "a.txt"]
    assert find_inputs([folder / ".git/b.md"], text_column="text") == [folder / ".git/b.md"]
    with pytest.raises(FileReadError):
        find_inputs([folder / "c"], text_column="text")


@pytest.mark.issue(2)
def test_a_table_that_holds_nothing_stops_no_other(tmp_path):
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").write_text("text\nA.\n")
    items, faults = read_all(*find_inputs([tmp_path], text_column="text"))
    assert ([item.text for item in items], faults) == (["A."], [])


def test_what_will_fail_is_refused_before_anything_is_classified(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("id,body\n1,A.\n")
    (tmp_path / "b.odt").touch()
    (tmp_path / "c.txt").touch()
    for paths in (["a.csv"], ["b.odt"], ["none.txt"], ["c.txt", "c.txt"], ["c.txt", "."]):
        with pytest.raises(FileReadError):
            find_inputs([tmp_path / path for path in paths], text_column="text")
    (tmp_path / "d.html").touch()
    monkeypatch.setitem(sys.modules, "bs4", None)
    with pytest.raises(MissingExtraError):
        find_inputs([tmp_path / "d.html"], text_column="text")


@pytest.mark.issue(2)
@pytest.mark.parametrize("n_times", [1, 9])
def test_a_text_in_the_place_of_a_file_is_sent_to_standard_input(n_times):
    with pytest.raises(FileReadError) as caught:
        find_inputs([Path(f"{FIRST} " * n_times)], text_column="text")
    assert "| twohands classify" in str(caught.value)
    with pytest.raises(FileReadError) as caught:
        find_inputs([Path("two words.txt")], text_column="text")
    assert f"does not exist in {Path.cwd()}" in str(caught.value)


@pytest.mark.issue(2)
def test_a_pipe_is_not_said_to_be_absent(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(FileReadError) as caught:
        find_inputs([tmp_path / "rows.jsonl"], text_column="text")
    assert "no plain file" in str(caught.value)


def read_bytes(content):
    faults = []
    kind, items = read_stdin(io.BytesIO(content), faults, text_column="text")
    return bool(kind), list(items), faults


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n  \n", b"\r\n"])
def test_standard_input_that_begins_with_an_object_is_jsonl(start):
    is_document, items, faults = read_bytes(start + b'{"text": "A."}\nbroken\n{"text": "B."}')
    assert not is_document
    assert [item.text for item in items] == ["A.", "B."]
    line = start.count(b"\n") + 1
    assert items[0].id == f"stdin:{line}"
    assert faults[0].startswith(f"stdin:{line + 1}: ")


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n  \n"])
def test_other_standard_input_is_a_document(start):
    is_document, items, faults = read_bytes(start + f"{FIRST}\n\n{SECOND}".encode())
    assert is_document
    assert [(item.id, item.text) for item in items] == [("stdin#0", FIRST), ("stdin#1", SECOND)]
    assert faults == []


@pytest.mark.issue(2)
def test_comments_before_what_is_no_html_take_linear_time():
    began_s = time.process_time()
    _, items, _ = read_bytes(b"<!-- a -->\n" * 22 + f"\n{FIRST}\n\n{SECOND}".encode())
    assert [item.text for item in items] == [FIRST, SECOND]
    assert time.process_time() - began_s < 2  # it doubled with each comment: ten seconds


@pytest.mark.parametrize(("content", "n_faults"), [(b"", 0), (b"\n\n", 0), (b"\xff\x00", 1)])
def test_standard_input_without_text_is_an_error_in_its_place(content, n_faults):
    is_document, (item,), faults = read_bytes(content)
    assert is_document
    assert item.error is not None
    assert len(faults) == n_faults


def test_rows_of_standard_input_are_streamed():
    class Endless(io.RawIOBase):
        """Never ends; reading it whole would hang."""

        def readable(self):
            return True

        def readinto(self, buffer):
            line = b'{"text": "A."}\n'
            buffer[: len(line)] = line
            return len(line)

    _, items = read_stdin(io.BufferedReader(Endless()), [], text_column="text")
    assert [next(items).text for _ in range(3)] == ["A."] * 3


@pytest.mark.issue(4)
@pytest.mark.parametrize("start", [b"", b"\n", b'{"text": "A."}\n'])
@pytest.mark.parametrize("n_chars", [199, 200, 201, 5000])
def test_a_line_of_standard_input_without_bound_is_told_of_and_held_by_nobody(start, n_chars, monkeypatch):
    monkeypatch.setattr("twohands.row_files.MAX_LINE", 200)
    line = b'{"text": "%s"}' % (b"a" * (n_chars - 12))
    is_document, items, faults = read_bytes(start + line + b'\n{"text": "B."}\n')
    assert not is_document
    is_read = n_chars == 199  # with its end it has 200
    assert [item.text for item in items][-1] == "B."
    assert len(items) == (b"A." in start) + is_read + 1
    number = start.count(b"\n") + 1
    expected = f"stdin:{number}: a line has more than 200 bytes; one object a line is expected"
    assert faults == [expected] * (not is_read)


@pytest.mark.issue(4)
def test_a_document_on_standard_input_may_be_one_long_line(monkeypatch):
    monkeypatch.setattr("twohands.row_files.MAX_LINE", 20)
    is_document, (item,), faults = read_bytes(FIRST.encode())
    assert (is_document, item.text, faults) == (True, FIRST, [])


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", b"id\ttext\n1\tA, and more.\n2\tB.\n"),
        ("a.tsv", b"id\ttext, as it was\ttext\n1\t\tA, and more.\n2\t\tB.\n"),
        ("a.csv.gz", gzip.compress(b'id,text\n1,"A, and more."\n2,B.\n', mtime=0)),
        ("a.TSV.GZ", gzip.compress(b"id\ttext\n1\tA, and more.\n2\tB.\n", mtime=0)),
        ("a.jsonl.gz", gzip.compress(b'{"id": 1, "text": "A, and more."}\n{"id": 2, "text": "B."}\n', mtime=0)),
        ("a.csv", 'id,text\n1,"A, and more."\n2,B.\n'.encode("utf-16")),
        ("a.csv", 'id,text\n1,"A, and more."\n2,B.\n'.encode("utf-32")),
        ("a.csv", "\ufeffid\ttext\r\n1\tA, and more.\r\n2\tB.\r\n".encode("utf-32-be")),
        ("a.csv", "id\ttext\r\n1\tA, and more.\r\n2\tB.\r\n".encode("utf-16")),
        ("a.csv", b"sep=;\r\nid;text\r\n1;A, and more.\r\n2;B.\r\n"),
        ("a.csv", b'\xef\xbb\xbf"sep=|"\nid|text\n1|A, and more.\n2|B.\n'),
    ],
)
def test_tables_as_people_have_them_are_read(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert find_inputs([tmp_path], text_column="text") == [path]
    items, faults = read_all(path)
    assert ([(item.id, item.text) for item in items], faults) == ([("1", "A, and more."), ("2", "B.")], [])


@pytest.mark.issue(2)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_rows_in_utf_16_or_32_are_rows_in_files_and_on_standard_input(tmp_path, encoding, end):
    texts = ["A plan\u2028of \u0a05\u010a.", "\U0001f680 B."]  # with the byte of a line feed in its letters
    lines = [json.dumps({"text": text}, ensure_ascii=False) + end for text in texts]
    content = ("\ufeff" + "".join(lines) + '{"text": "cut"').encode(encoding)
    (tmp_path / "a.jsonl").write_bytes(content[:-1])
    items, faults = read_all(tmp_path / "a.jsonl")
    assert [item.text for item in items] == texts
    assert len(faults) == 1
    n_mark = len("\ufeff".encode(encoding))
    for each in (content, ("\ufeff" + end).encode(encoding) + content[n_mark:]):  # a blank line before is no document
        is_document, items, faults = read_bytes(each)
        assert (is_document, [item.text for item in items], len(faults)) == (False, texts, 1)


@pytest.mark.issue(4)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("letter", ["a", "\u0a85"])  # the second has the byte of a line feed: no piece of it is long
@pytest.mark.parametrize("n_letters", [50, 5000, 5001])
def test_a_line_of_utf_16_or_32_without_bound_takes_no_other_along(tmp_path, monkeypatch, encoding, letter, n_letters):
    for module in ("charsets", "row_files"):
        monkeypatch.setattr(f"twohands.{module}.MAX_LINE", 200)
    rows = [f'{{"text": "{text}"}}\n' for text in ("A.", letter * n_letters, "B.", "C.")]
    content = ("\ufeff" + "".join(rows)).encode(encoding)
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    is_read = n_letters < 100
    for name, (items, faults) in {"stdin": read_bytes(content)[1:], str(path): read_all(path)}.items():
        assert [len(item.text) for item in items] == [2, *([n_letters] if is_read else []), 2, 2]
        expected = f"{name}:2: a line has more than 200 bytes; one object a line is expected"
        assert faults == [expected] * (not is_read)


@pytest.mark.issue(4)
def test_a_row_that_is_no_utf_32_is_told_of_by_its_place(tmp_path):
    start, good = b"\xff\xfe\0\0", '{"text": "A."}\n'.encode("utf-32-le")
    content = start + good + '{"text": "'.encode("utf-32-le") + b"\xff\xff\xff\xff" + good[40:] + good
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    for items, faults in (read_all(path), read_bytes(content)[1:]):
        assert [item.text for item in items] == ["A.", "A."]
        (fault,) = faults
        assert ":2: not JSON" in fault
    is_document, (item,), _ = read_bytes(start + b"\xff" * 400)
    assert is_document
    assert isinstance(item.error, FileReadError)


@pytest.mark.issue(2)
def test_a_long_line_of_utf_16_takes_linear_time():
    content = ("\ufeff" + "\u0a85" * 80_000).encode("utf-16-le")  # a byte of a line feed in each letter
    began_s = time.process_time()
    assert b"".join(read_utf_8_lines(io.BytesIO(content))).decode() == "\u0a85" * 80_000
    assert time.process_time() - began_s < 1  # it grew with its square: three seconds


@pytest.mark.issue(2)
def test_a_table_that_cannot_be_decoded_is_told(tmp_path):
    packed = gzip.compress(b'{"text": "A."}\n' * 20_000, mtime=0)
    files = {
        "cut.jsonl.gz": packed[:-40],
        "plain.jsonl.gz": b'{"text": "A."}\n',
        "odd.csv": "text\nA.\n".encode("utf-16"),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content[:-1] if name == "odd.csv" else content)
        _, faults = read_all(tmp_path / name)
        assert [fault.partition(": ")[0] for fault in faults] == [str(tmp_path / name)]
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"text\nA.\n")[:12])
    with pytest.raises(FileReadError):
        find_inputs([tmp_path / "cut.csv.gz"], text_column="text")


@pytest.mark.issue(2)
def test_a_file_of_another_kind_is_refused_with_what_to_do(tmp_path):
    for name, remedy in {"a.odt": ".html", "a.msg": ".eml", "a.json": "one object a line", "a.xlsx": "CSV"}.items():
        (tmp_path / name).touch()
        with pytest.raises(FileReadError) as caught:
            find_inputs([tmp_path / name], text_column="text")
        assert remedy in str(caught.value).partition(";")[2]


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "content", [b'[{"text": "A."}]', b' [\n  {"text": "A."},\n', b'["A.", "B."]', b"\xef\xbb\xbf[]"]
)
def test_an_array_of_json_is_no_prose(content):
    with pytest.raises(FileReadError):
        read_bytes(content)


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "start",
    [
        "id,text\n1,The mill.\n",
        '\ufeff"id";"Text";"How far do you agree, and why?"\r\n1;The mill.;2\r\n',
        "id\tTEXT\n1\tThe mill.\n",
        ",text\n0,The mill.\n",
        "id, text, year\n1, The mill., 1999\n",
        "text,stance",
        "text\nThe mill.\nThe depot.\n",
        "sep=;\r\nid;text\r\n1;The mill.\r\n",
        '"sep=|"\nid| text\n1| The mill.\n',
        "id,text,,\n1,The mill.,,\n",
        "id,text\r1,The mill.\r",
        "\n \n\ttext\n0\tThe mill.\n",
        'id,"Why, in a word",text\n1,So.,The mill.\n',
        ",".join(f"question {number}" for number in range(400)) + ",text\n" + "1," * 400 + "The mill.\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_on_standard_input_is_no_prose(start, encoding):
    with pytest.raises(FileReadError, match=r"name the file .* if it is prose, save it as FILE\.txt"):
        read_bytes(start.encode(encoding))


@pytest.mark.issue(4)
def test_a_table_on_standard_input_is_known_by_the_column_that_was_named():
    with pytest.raises(FileReadError, match="'body'"):
        read_stdin(io.BytesIO(b"id,body\n1,The mill.\n"), [], text_column="body")
    assert read_bytes(b"id,body\n1,The mill.\n")[0]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "start",
    [
        "Text, images and sound are to be labelled, ",
        "The rules cover images, text, and\nsound, film, and maps. ",
        "Images, text, sound\n\n",
        "Of text, said the minister, and\nof images, ",
        "Text\n",
        "text\n\n",
        "Text;\n",
        "text: ",
        "Text, Ada Lind\nLeeds, 3 May. ",
        "Photos, Text\nLeeds, 3 May. ",
        "Speech, Text, Video\nMr President, members of the house, the ministry, and more, said: ",
        '"Images, text," he said, ',
    ],
)
def test_prose_about_text_is_prose(start):
    is_document, items, faults = read_bytes(f"{start}{FIRST}".encode())
    assert (is_document, bool(items), faults) == (True, True, [])


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("start", "is_told"),
    [
        ("id,body\n1,The mill.\n2,The depot.\n", True),
        ("sep=;\nid;body\n1;The mill.\n2;The depot.\n", True),
        ('id\tbody\n1\t"The mill,\nand the depot."\n2\tThe port.\n', True),
        (",body\n0,The mill.\n1,The depot.\n", True),
        ("id, text\n1, The mill.\n2, The depot.\n", True),
        ("id|body\r1|The mill.\r2|The depot.\r", True),
        ("id,body\n1,The mill.\n", False),
        ("The mill,\nthe depot,\nthe port,\n", False),
        ("The mill, too.\nThe depot, too.\nThe port, too.\n", False),
        ("\tThe mill.\n\tThe depot.\n\tThe port.\n", False),
        ('"The mill,\nthe depot,\nthe port.\n', False),
    ],
)
def test_what_may_be_a_table_without_the_column_is_read_as_prose_and_told_of(start, is_told):
    notes, faults = [], []
    kind, items = read_stdin(io.BytesIO(start.encode()), faults, text_column="text", notes=notes)
    assert (kind, bool(list(items)), faults) == (".txt", True, [])
    assert ["read as prose" in note for note in notes] == [True] * is_told


@pytest.mark.issue(4)
def test_rows_without_a_text_stop_no_other_file_of_their_folder(tmp_path):
    (tmp_path / "a.txt").write_text(FIRST)
    answers = tmp_path / "answers.jsonl"
    answers.write_text('{"id": "a#0", "stance": {"label": "neutral"}}\n')
    files = expand_inputs([tmp_path])
    assert check_inputs(files, text_column="text", named=[tmp_path]) == [tmp_path / "a.txt"]
    for named in ([answers], None):  # by itself it was meant to be read
        with pytest.raises(FileReadError, match="no row of"):
            check_inputs(files, text_column="text", named=named)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(FileReadError, match="no row of"):  # nothing would be left
        check_inputs([answers], text_column="text", named=[tmp_path])


@pytest.mark.issue(4)
def test_a_file_that_is_not_read_and_cannot_be_looked_at_stops_nothing(tmp_path, monkeypatch):
    for name in ("a.txt", "b.rtf", "c.rtf"):
        (tmp_path / name).touch()
    is_file = Path.is_file

    def look(path):
        if path.name == "c.rtf":
            raise PermissionError(errno.EACCES, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", look)
    assert find_unread([tmp_path]) == [tmp_path / "b.rtf"]


@pytest.mark.issue(4)
def test_rows_of_which_none_has_the_text_are_refused_before_any_is_classified(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "body": "The mill."}\nbroken\n{"id": 2, "speech": "The depot."}\n')
    with pytest.raises(
        FileReadError, match=r"no row of .* has 'text'; name the right one with --text-column: id, body"
    ):
        find_inputs([path], text_column="text")
    assert find_inputs([path], text_column="speech") == [path]
    path.write_text('{"id": 1}\n{"text": null}\n')  # each row has its own columns
    assert find_inputs([path], text_column="text") == [path]
    path.write_text("broken\n")
    assert find_inputs([path], text_column="text") == [path]


@pytest.mark.parametrize("start", ["[Applause] ", '["Never", he said.] '])
def test_prose_in_brackets_is_prose(start):
    _, (item,), _ = read_bytes(f"{start}{FIRST}".encode())
    assert item.text == start + FIRST


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "start", ["<!DOCTYPE html>", "<html lang='en'>", "\n<?xml version='1.0'?>\n<!-- a\nb --><!doctype HTML>"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_html_on_standard_input_is_read_as_html(start, encoding, monkeypatch):
    pytest.importorskip("bs4")
    content = f"{start}<head><title>T</title></head><body><p>{FIRST}</p></body>".encode(encoding)
    is_document, (item,), faults = read_bytes(content)
    assert (is_document, item.text, item.where["start"], faults) == (True, FIRST, None, [])
    monkeypatch.setitem(sys.modules, "bs4", None)
    with pytest.raises(MissingExtraError):
        read_bytes(content)


def test_standard_input_that_cannot_be_read_is_a_fault(tmp_path):
    with (tmp_path / "a").open("wb") as stream, pytest.raises(FileReadError):
        read_stdin(io.BufferedReader(io.FileIO(stream.fileno(), "r", closefd=False)), [], text_column="text")
