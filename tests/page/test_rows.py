"""Rows of a table and their answers: each answer goes to its row, and what is not sound of a file is told."""

import csv
import json

import pytest

from tests.page.support import ARTICLE, drop, paste, save, wait_read
from tests.page.test_batch import TEXTS

pytestmark = pytest.mark.issue(4)


@pytest.fixture
def batch(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    return page


def test_a_file_that_was_saved_and_read_again_has_each_column_once(batch, tmp_path):
    header = "text,stance,input_stance,input_input_stance,row"
    drop(batch, ".batch-view", "a.csv", f'{header}\n"{TEXTS[0]}",last,first,none,7\n'.encode())
    batch.get_by_role("button", name="Classify 1 row").click()
    batch.locator(".progress").wait_for(state="hidden")
    path = save(batch, batch.get_by_role("button", name="CSV"), tmp_path)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        names, cells = csv.reader(stream)
    assert len(set(names)) == len(names)
    wanted = {"input_input_input_stance": "last", "input_stance": "first", "input_input_stance": "none"}
    assert wanted.items() <= dict(zip(names, cells, strict=True)).items()
    row = json.loads(save(batch, batch.get_by_role("button", name="JSONL"), tmp_path).read_text())
    assert wanted.items() <= row.items()
    assert (row["input_row"], row["row"]) == ("7", 1)


def test_files_of_a_document_say_where_a_paragraph_stands(page, tmp_path):
    paste(page, ARTICLE)
    wait_read(page)
    path = save(page, page.get_by_role("button", name="CSV"), tmp_path)
    with path.open(newline="", encoding="utf-8-sig") as stream:
        table = list(csv.DictReader(stream))
    assert [ARTICLE[int(row["start"]) : int(row["end"])] for row in table] == [row["text"] for row in table]
    parquet = pytest.importorskip("pyarrow.parquet")
    schema = parquet.read_schema(save(page, page.get_by_role("button", name="Parquet"), tmp_path))
    assert {str(schema.field(name).type) for name in ("paragraph", "start", "end")} == {"int64"}
    lines = save(page, page.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    assert [str(json.loads(line)["end"]) for line in lines] == [row["end"] for row in table]
