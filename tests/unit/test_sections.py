"""A paragraph is said to stand below the last marked heading above it, in every file of answers."""

import csv
import json

import pytest

from tests.support.paragraphs import split_paragraphs
from tests.unit.test_documents import make_pdf
from tests.unit.test_docx_text import make_docx
from tests.unit.test_docx_text import p as write_paragraph

FIRST = "The ministry told the state banks to lend to the makers of chips before the winter."
SECOND = "Shop owners answered that prices, not plans, should say what is built and by whom."
LIST = "- a wide quay,\n- a deep harbour,\n- and a long rail to both of them in a year."


def sections_of(*pieces):
    return [paragraph.section for paragraph in split_paragraphs("\n\n".join(pieces))]


def test_the_last_heading_above_counts_whatever_its_level():
    pieces = [
        FIRST,
        "# Ports",
        FIRST,
        SECOND,
        "### Of  the\tquays ##",
        FIRST,
        "Rail\n====",
        "# Money\n\n## Loans",
        SECOND,
    ]
    assert sections_of(*pieces) == ["", "Ports", "Ports", "Of the quays", "Loans"]
    assert sections_of(f"\ufeff# Ports\n{FIRST}\n## Rail\n{SECOND}") == ["Ports", "Rail"]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("# **Ports** {#ports .wide}", "Ports"),
        ("## ***Ports*** and _more_ ##", "Ports and more"),
        ("## [Ports](https://a.example/b_c) of 1990", "Ports of 1990"),
        ("## **[Ports](/a)**", "Ports"),
        ("## snake_case_words, 2 * 3 * 4, C# and {n}", "snake_case_words, 2 * 3 * 4, C# and {n}"),
        ("## [Ports] (see note)", "[Ports] (see note)"),
        ("_Ports_\n=======", "Ports"),
    ],
)
def test_marks_of_markdown_are_no_words_of_it(heading, section):
    assert sections_of(heading, FIRST) == [section]


def test_what_is_no_marked_heading_names_no_section():
    assert sections_of("Ports and quays", FIRST, "By our clerk", SECOND) == ["", ""]
    assert sections_of("# Ports", "## ***", FIRST, "## \u200b", SECOND) == ["Ports", "Ports"]
    assert sections_of("# Ports", FIRST, f"<!--\n\n# Rail\n\n-->\n\n{SECOND}") == ["Ports", "Ports"]


def test_a_heading_that_is_all_there_is_below_another_is_read_and_stands_in_that():
    assert sections_of("# Ports", FIRST, "## Rail and quays") == ["Ports", "Ports"]
    assert sections_of("# Ports") == [""]


def test_a_list_stands_where_the_words_do_that_introduce_it():
    assert sections_of("# Ports", FIRST, "# Rail", "We will build:", LIST, "# Money", SECOND) == [
        "Ports",
        "Rail",
        "Money",
    ]


def test_a_notice_that_is_all_there_is_has_its_section():
    assert sections_of("# Ports", "Read more: all about the quays of the town.") == ["Ports"]


def test_a_heading_of_any_length_is_held_to_so_much():
    (section,) = sections_of("# " + "a" * 1000, FIRST)
    assert section == "a" * 400


def test_answers_of_documents_say_it_and_tables_have_a_column(classify, tmp_path):
    pytest.importorskip("bs4")
    page = f"<h1>Ports</h1><p>{FIRST}</p><h2>Of <i>rail</i></h2><p>{SECOND}</p>"
    (tmp_path / "a.html").write_text(f"<html><body>{page}</body></html>", encoding="utf-8")
    heading = write_paragraph("Of rail", "berschrift1")
    (tmp_path / "b.docx").write_bytes(make_docx(write_paragraph(FIRST), heading, write_paragraph(SECOND)))
    (tmp_path / "c.md").write_text(f"# Ports, quays\n\n{FIRST}\n", encoding="utf-8")
    make_pdf(tmp_path / "d.pdf", [[FIRST]])
    expected = ["Ports", "Of rail", None, "Of rail", "Ports, quays", None]
    answers = [json.loads(line) for line in classify(tmp_path).stdout.splitlines()]
    assert [answer.get("section") for answer in answers] == expected
    table = list(csv.DictReader(classify(tmp_path, "--format", "csv").stdout.decode().splitlines()))
    assert [row["section"] or None for row in table] == expected
    assert list(table[0])[4:8] == ["end", "page", "section", "speaker"]


def test_rows_have_none(classify, rows):
    assert b"section" not in classify(rows, "--format", "csv").stdout.splitlines()[0]
