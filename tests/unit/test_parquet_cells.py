"""Cells of Parquet of which Python can make no value cost the row that needs them, and nothing where none does."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.rows import load_examples
from twohands.errors import DataError
from twohands.examples import read_rows
from twohands.inputs import find_inputs
from twohands.items import read_items
from twohands.row_files import UnreadableCell

TEXT = "The ministry lends to chip makers."
# In the second of three rows, but for the zone, which is the whole column's.
STRANGE = {
    "date": pa.array([0, 2**31 - 1, 1], pa.int32()).cast(pa.date32()),
    "time": pa.array([0, 2**60, 1], pa.timestamp("us")),
    "listed": pa.array([[0], [2**60], []], pa.list_(pa.timestamp("us"))),
    "bytes": pa.Array.from_buffers(
        pa.string(),
        3,
        [None, pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 1, 3, 4))), pa.py_buffer(b"a\xe9xb")],
    ),
    "zone": pa.array([0, 1, 2], pa.timestamp("us", "Foo/Bar")),
}


def write(path, **changes):
    columns = {
        "id": pa.array(["r0", "r1", "r2"]),
        "text": pa.array([f"{TEXT} {n}" for n in range(3)]),
        "stance": pa.array(["neutral"] * 3),
    }
    pq.write_table(pa.table(columns | changes), path)
    return path


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_cell_that_nobody_needs_costs_nothing(tmp_path, taxonomy, kind):
    path = write(tmp_path / "a.parquet", note=STRANGE[kind])
    faults = []
    items = list(read_items(find_inputs([path], text_column="text"), faults, text_column="text"))
    assert [(item.id, item.text, item.error) for item in items] == [(f"r{n}", f"{TEXT} {n}", None) for n in range(3)]
    assert faults == []
    examples = load_examples([path], taxonomy)
    assert [example.id for example in examples] == ["r0", "r1", "r2"]
    notes = [example.columns["note"] for example in examples]
    assert isinstance(notes[1], str)  # in Arrow's words, so that slices by it can be made and written
    assert kind == "zone" or not any(
        isinstance(row.cells["note"], UnreadableCell) for row in list(read_rows(path, []))[::2]
    )


@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_text_is_the_fault_of_its_row(tmp_path, taxonomy, kind):
    path = write(tmp_path / "a.parquet", text=STRANGE[kind])
    faults = []
    items = list(read_items([path], faults, text_column="text"))
    assert [item.id for item in items] == ["r0", "r1", "r2"]
    assert faults == []
    bad = items[1].error
    assert bad.code == "input_not_a_string"
    assert str(bad).startswith(f"{path}:row 2: column text cannot be read (")
    with pytest.raises(DataError) as caught:
        load_examples([path], taxonomy)
    assert any(fault.startswith(f"{path}:row 2: text cannot be read (") for fault in caught.value.faults)
    assert not any("not Parquet" in fault for fault in caught.value.faults)


@pytest.mark.parametrize(("column", "kind"), [("id", "time"), ("id", "bytes"), ("stance", "bytes"), ("stance", "date")])
def test_a_strange_id_or_label_is_the_fault_of_its_row(tmp_path, taxonomy, column, kind):
    path = write(tmp_path / "a.parquet", **{column: STRANGE[kind]})
    with pytest.raises(DataError) as caught:
        load_examples([path], taxonomy)
    assert any(fault.startswith(f"{path}:row 2: {column} cannot be read (") for fault in caught.value.faults)
    if column == "id":
        item = list(read_items([path], [], text_column="text"))[1]
        assert (item.id, item.error.code) == (f"{path}:row 2", "invalid_id")
        assert "cannot be read" in str(item.error)


def test_parquet_that_breaks_off_is_not_called_another_kind_of_file(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"{TEXT} {n}" for n in range(2048)]})
    pq.write_table(table, path, row_group_size=1024, compression="none", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    faults = []
    assert len(list(read_rows(path, faults))) == 1024
    (fault,) = faults
    assert fault.startswith(f"{path}: row 1025 and all after it cannot be read (")


@pytest.mark.issue(2)
def test_a_long_text_of_many_rows_is_not_held_once_for_each(tmp_path):
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["a" * 100_000]))
    bomb = pa.table({"text": [TEXT] * 1000, "note": long})  # 100 MB in a file of a kilobyte
    pq.write_table(bomb, tmp_path / "a.parquet", store_schema=False)
    held = pa.total_allocated_bytes()
    rows = read_rows(tmp_path / "a.parquet", [])
    assert len(next(rows).cells["note"]) == 100_000
    assert pa.total_allocated_bytes() - held < 10_000_000
    assert len(list(rows)) == 999
    assert list(next(read_rows(tmp_path / "a.parquet", [], columns={"id", "text"})).cells) == ["text"]


LONG = {
    "string": pa.array([TEXT, "a" * 1001, TEXT]),
    "binary": pa.array([TEXT.encode(), b"a" * 1001, None]),
    "dictionary": pa.array([TEXT, "a" * 1001, TEXT]).dictionary_encode(),
    "list": pa.array([[TEXT], ["a"] * 1001, []]),
}


@pytest.mark.issue(4)
@pytest.mark.parametrize("kind", LONG)
def test_a_cell_without_bound_is_the_fault_of_its_row(tmp_path, monkeypatch, kind):
    path = write(tmp_path / "a.parquet", text=LONG[kind])
    read = [row.cells["text"] for row in read_rows(path, [])]
    monkeypatch.setattr("twohands.row_files.MAX_LINE", 1000)
    cells = [row.cells["text"] for row in read_rows(path, [])]
    assert isinstance(cells[1], UnreadableCell)
    assert [cells[0], cells[2]] == [read[0], read[2]]
    bad = list(read_items([path], [], text_column="text"))[1]
    assert bad.id == "r1"
    assert str(bad.error) == f"{path}:row 2: column text cannot be read (it has more than 1,000 bytes)"


@pytest.mark.issue(4)
def test_one_long_text_of_a_category_is_no_fault_of_the_rows_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("twohands.row_files.MAX_LINE", 1000)
    texts = pa.array([f"{TEXT} {'a' * (400 + n)}" for n in range(3)])  # more together, none of them
    path = write(tmp_path / "a.parquet", text=texts.dictionary_encode())
    assert [row.cells["text"] for row in read_rows(path, [])] == texts.to_pylist()
