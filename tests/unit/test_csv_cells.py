"""CSV is read by the delimiter that its header shows, and what is wrong with a cell is said."""

import pytest

from twohands import csv_cells
from twohands.csv_cells import read_csv_cells, read_csv_header

pytestmark = pytest.mark.issue(4)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("id;text;Place, date", ["id", "text", "Place, date"]),
        ('id;text;"Place,date"', ["id", "text", "Place,date"]),
        ("id\ttext\tPlace, date", ["id", "text", "Place, date"]),
        ("id;text", ["id", "text"]),
        ("id,text,note; place", ["id", "text", "note; place"]),
        ('id,text,"a;b;c;d"', ["id", "text", "a;b;c;d"]),
        ("id, text, a;b", ["id", " text", " a;b"]),
        ("id,text;a;b", ["id", "text;a;b"]),
        ("id;text\tPlace, date", ["id;text\tPlace", " date"]),
    ],
)
def test_a_comma_within_a_name_parts_no_columns(tmp_path, header, names):
    path = tmp_path / "rows.csv"
    path.write_text(f"{header}\n", encoding="utf-8")
    assert read_csv_header(path) == names


def test_of_a_cell_beyond_the_limit_it_is_said_that_it_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_cells, "_FIELD_CHARS", 100)
    path = tmp_path / "rows.csv"
    path.write_text(f"id,text\n1,{'a' * 101}\n2,We lend.\n", encoding="utf-8")
    faults = []
    assert [cells for _, cells, _ in read_csv_cells(path, faults)] == [{"id": "2", "text": "We lend."}]
    (fault,) = faults
    assert fault.startswith(f"{path}:2: a cell has more than 100 characters; cut it")
    assert "doubled" not in fault


@pytest.mark.parametrize("above", ["\n", "\r\n \r\n", ",\n", ';"";\n\nsep=,\n'])
def test_blank_lines_above_the_header_are_passed_over(tmp_path, above):
    path = tmp_path / "a.csv"
    path.write_text(f"{above}text,year\nLet it be.,2020\n", encoding="utf-8", newline="")
    faults = []
    place = f"{path}:{above.count(chr(10)) + 2}"
    assert list(read_csv_cells(path, faults)) == [(place, {"text": "Let it be.", "year": "2020"}, ("text", "year"))]
    assert (read_csv_header(path), faults) == (["text", "year"], [])
    path.write_text(above, encoding="utf-8", newline="")
    assert list(read_csv_cells(path, faults)) == []
