"""Codes that are no labels are told of once, with what names the labels; numbers are labels as pandas writes them.

Rows of one item are of one text and one document, whichever of the rows has these.
"""

from dataclasses import replace

import pytest

from evaluation.agreement.reading import Layout, read_codings
from tests.evaluation.test_agreement import SCALE, make_codings, write_jsonl
from twohands.errors import DataError
from twohands.taxonomy import Head, Label, ProblemType

LAYOUT = Layout(
    item="id",
    group="group",
    texts=("text",),
    columns=("anna", "ben"),
    codes=None,
    annotator="annotator",
    label="label",
    panel=None,
)
RATING = Head(
    name="rating",
    problem_type=ProblemType.ONE_OF,
    labels=[Label(name=name, description="a number") for name in "012"],
)


LONG = replace(LAYOUT, columns=())


def read(path, head, *, layout=LAYOUT, with_texts=False, scale=None):
    return read_codings([path], layout=layout, head=head, scale=scale, with_texts=with_texts)


def make_rows(*items, annotators=("anna", "ben")):
    """A row of each annotator for each item, in the order of the annotators."""
    return [{**item, "annotator": annotator, "label": "neutral"} for annotator in annotators for item in items]


@pytest.mark.issue(6)
def test_codes_of_other_labels_are_told_of_once_with_how_these_are_named(tmp_path, taxonomy):
    rows = [{"id": f"r{n}", "text": "A.", "anna": "high", "ben": "low" if n else "high"} for n in range(60)]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(DataError) as caught:
        read(path, taxonomy.heads[0])
    labels = "state-led, market-led, neutral"
    assert caught.value.faults == [
        f"{path}:1 and 59 more rows: anna: stance 'high' is none of {labels}",
        f"{path}:1: ben: stance 'high' is none of {labels}",
        f"{path}:2 and 58 more rows: ben: stance 'low' is none of {labels}; "
        "other labels than these: --model FOLDER of a model that has them, and --head NAME",
    ]
    # One slip among codes that are labels says nothing of the model.
    path = write_jsonl(tmp_path / "slip.jsonl", [*make_codings(9, annotators=("anna", "ben")), rows[0]])
    with pytest.raises(DataError) as caught:
        read(path, taxonomy.heads[0])
    assert not any("--model" in fault for fault in caught.value.faults)


@pytest.mark.issue(6)
def test_numbers_beside_gaps_are_labels(tmp_path):
    rows = [
        {"id": "a", "anna": 1.0, "ben": "2.0"},
        {"id": "b", "anna": float("nan"), "ben": 0},
        {"id": "c", "anna": 2.0, "ben": "nan"},
    ]
    codings = read(write_jsonl(tmp_path / "rows.jsonl", rows), RATING).codings
    assert codings.given == [{"anna": ("1",), "ben": ("2",)}, {"ben": ("0",)}, {"anna": ("2",)}]


@pytest.mark.issue(6)
def test_a_file_in_latin_1_is_one_fault(tmp_path, taxonomy):
    (tmp_path / "rows.jsonl").write_text('{"id": "caf\u00e9"}\n' * 8, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "rows.jsonl", taxonomy.heads[0])
    assert caught.value.faults[0].startswith(f"{tmp_path / 'rows.jsonl'}:1 and 7 more rows: byte 0xe9")


@pytest.mark.issue(6)
@pytest.mark.parametrize(("column", "what", "other"), [("group", "document", "Port"), ("text", "text", "Nobody knew.")])
def test_ids_that_restart_are_no_items(tmp_path, taxonomy, column, what, other):
    rows = make_rows({"id": 1, column: "Mill"}, {"id": 2, column: "Mill"}, annotators=("anna", "ben", "cleo"))
    rows[2:4] = make_rows({"id": 1, column: other}, {"id": 2, column: other}, annotators=("ben",))
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(DataError) as caught:
        read(path, taxonomy.heads[0], layout=LONG)
    (fault,) = caught.value.faults
    assert fault.startswith(
        f"{path}:3 and 1 more row: id '1' has the {column} {other!r}, but 'Mill' at {path}:1; "
        f"expected one {what} of one item: name items by --item"
    )


@pytest.mark.issue(6)
def test_an_item_has_its_text_and_document_from_any_of_its_rows(tmp_path, taxonomy):
    rows = make_rows({"id": "a"}, {"id": "b"})
    rows[0] |= {"text": "The  mill closed.", "group": 7}
    rows[2] |= {"text": "The mill\nclosed.", "group": "7.0"}
    rows[1] |= {"text": None, "group": ""}
    rows[3] |= {"text": "It reopened.", "group": "8"}
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    items = read(path, taxonomy.heads[0], layout=LONG, with_texts=True).codings.items
    assert [(item.id, item.text, item.group) for item in items] == [
        ("a", "The mill closed.", "7"),
        ("b", "It reopened.", "8"),
    ]


@pytest.mark.issue(6)
def test_items_of_a_document_called_nan_are_documents_of_their_own(tmp_path, taxonomy):
    items = [{"id": f"i{n}", "group": ("nan", "None", "<NA>", "Mill")[n % 4]} for n in range(8)]
    rows = make_rows(*items)
    rows[0] |= {"group": "Port"}  # the other row of the item has an empty cell
    found = read(write_jsonl(tmp_path / "rows.jsonl", rows), taxonomy.heads[0], layout=LONG)
    assert [item.group for item in found.codings.items] == ["Port", "i1", "i2", "Mill", "i4", "i5", "i6", "Mill"]
    (note,) = found.notes
    assert note.startswith("5 items have nan or the like as their `group`")


@pytest.mark.issue(6)
def test_items_of_which_none_names_its_document_are_pointed_out(tmp_path, taxonomy):
    bare = [{"id": f"i{n}"} for n in range(6)]
    found = read(write_jsonl(tmp_path / "bare.jsonl", make_rows(*bare)), taxonomy.heads[0], layout=LONG)
    assert found.notes == ("No item names its document (`group`): intervals take each as a document of its own.",)
    bare[0] |= {"group": "Mill"}
    assert not read(write_jsonl(tmp_path / "one.jsonl", make_rows(*bare)), taxonomy.heads[0], layout=LONG).notes


@pytest.mark.issue(6)
def test_a_number_that_pandas_wrote_names_the_same_item_annotator_and_panel(tmp_path, taxonomy):
    rows = make_rows({"item": "1", "panel": 5}, annotators=(1, "2.0"))
    rows += make_rows({"item": 2.0, "panel": "6"}, {"item": "1.0", "panel": 6.0}, annotators=(1.0, "2"))
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    layout = replace(LONG, item="item")
    codings = read(path, taxonomy.heads[0], layout=layout).codings
    assert [item.id for item in codings.items] == ["1", "2"]
    assert codings.annotators == ["1", "2"]
    assert read(path, taxonomy.heads[0], layout=replace(layout, panel="panel")).codings.annotators == ["5", "6"]


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    ("codes", "label"),
    [
        ([-0.3, -0.3, -0.3, -0.9], "market-led"),  # as labels, three are neutral: -.25 on average
        (["0.4", 0.4, -0.1], "neutral"),  # as labels, two of three are state-led
        ([-0.3, -0.3, -0.3, "market-led"], "neutral"),  # of labels and numbers all are labels
        (["state-led", "neutral", "state-led"], "state-led"),
    ],
)
def test_a_panels_numbers_are_averaged_before_they_are_cut(tmp_path, taxonomy, codes, label):
    rows = [
        {"id": "a", "panel": panel, "annotator": f"{panel}{number}", "label": code}
        for panel in "PQ"
        for number, code in enumerate(codes)
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    read_panels = read(path, taxonomy.heads[0], layout=replace(LONG, panel="panel"), scale=SCALE)
    assert read_panels.codings.given == [{"P": (label,), "Q": (label,)}]
