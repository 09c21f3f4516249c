"""What Markdown and mail mark in plain text is read as what it is, and offsets point at the raw text."""

import time

import pytest

from tests.support.paragraphs import LINE_ENDS, split, split_paragraphs
from twohands.paragraphs import normalise

LONG_A = "The ministry told the state banks to lend to the makers of chips before the winter."
LONG_B = "Shop owners answered that prices, not plans, should say what is built and by whom."


@pytest.mark.issue(2)
@LINE_ENDS
@pytest.mark.parametrize("rule", ["===", "---", "----------  "])
def test_an_underlined_line_above_a_paragraph_is_a_heading(line_end, rule):
    title = "Who sets the price in the years to come"
    assert split(line_end.join([title, rule, LONG_A, "", title, rule, LONG_B])) == [LONG_A, LONG_B]
    assert split(line_end.join(["\ufeff" + title, rule, "", LONG_A])) == [LONG_A]
    assert split(line_end.join([LONG_A, title, rule, LONG_B])) == [LONG_A, LONG_B]


@pytest.mark.issue(2)
def test_a_rule_below_prose_is_a_break():
    assert split(f"{LONG_A}\n---\n\n{LONG_B}") == [LONG_A, LONG_B]
    wrapped = f"{LONG_A[:50]}\n{LONG_A[50:].rstrip('.')}"
    assert split(f"{wrapped}\n---\n\n{LONG_B}") == [normalise(wrapped), LONG_B]
    assert split(f"{LONG_A}\n\n---\n\n{LONG_B}") == [LONG_A, LONG_B]
    short = "The state will keep all of the mills, as the plan says"
    for above in f"{short}!", f"**{short}.**", f"\u00ab\u00a0{short}. \u00bb", f"{short} (the clerk)":
        assert split(f"{LONG_B}\n\n{above}\n---\n\n{LONG_B}") == [LONG_B, normalise(above), LONG_B]
    long = " ".join([LONG_A[:-1], *LONG_B.split()[:5]])
    assert len(long.split()) > 20
    assert split(f"{long}\n===\n\n{LONG_B}")[0].startswith(long)


@pytest.mark.issue(4)
@LINE_ENDS
@pytest.mark.parametrize("rule", ["-" * 75, "_" * 32, "___"])
def test_a_rule_within_a_piece_parts_it_and_is_no_word(line_end, rule):
    assert split(line_end.join([LONG_A, rule, LONG_B])) == [LONG_A, LONG_B]
    assert split(line_end.join([rule, LONG_A, rule, "", rule, LONG_B, rule])) == [LONG_A, LONG_B]
    below = "This e-mail and any attachments are confidential and meant for the addressee alone."
    assert split(line_end.join([LONG_A, "", rule, below])) == [LONG_A]
    raw = line_end.join([LONG_A, rule, LONG_B])
    assert [raw[each.start : each.end] for each in split_paragraphs(raw)] == [LONG_A, LONG_B]


@pytest.mark.issue(4)
def test_what_holds_more_than_a_rule_is_none():
    for line in "-- a yard", "___ or ___", "_ _ _ _", "--", "* * * * *":
        assert split(f"{LONG_A}\n{line}\n{LONG_B}\n\n{LONG_B}") == [f"{LONG_A} {line} {LONG_B}", LONG_B]
    assert split(f"{LONG_A}\n\nA title\n___\n{LONG_B}") == [LONG_A, LONG_B]


@pytest.mark.issue(4)
@LINE_ENDS
def test_a_note_between_short_pieces_is_not_read_with_them(line_end):
    pieces = [LONG_A, "Share", "[^1]: See Smith, who said so twice.", "[a]: https://tide.example/b", "Twelve likes"]
    paragraphs = split_paragraphs((2 * line_end).join(pieces))
    assert [each.text for each in paragraphs] == [LONG_A, "Share Twelve likes"]
    pieces[3] = "[sic]: so he said"
    paragraphs = split_paragraphs((2 * line_end).join(pieces))
    assert [each.text for each in paragraphs] == [LONG_A, "Share [sic]: so he said Twelve likes"]


@pytest.mark.issue(2)
@LINE_ENDS
def test_a_note_goes_on_where_it_is_indented_by_four_within_a_sentence(line_end):
    for gap, note in ("  ", "[^1]: See Smith,"), ("", "[^1]: See Smith,"), ("    ", "[^1]: See Smith."):
        assert split(line_end.join([LONG_B, note, gap + LONG_A])) == [LONG_B, LONG_A]
    for indent in "    ", "\t", "  \t ":
        assert split(line_end.join([LONG_B, "[^1]: See Smith,", f"{indent}p. 3,", f"{indent}and", LONG_A])) == [
            LONG_B, LONG_A,
        ]  # fmt: skip


@pytest.mark.issue(2)
@LINE_ENDS
def test_comments_and_definitions_are_no_paragraphs(line_end):
    comment = ["<!-- What no reader sees.", "", LONG_B, "-->"]
    note = ["[^1]: The minister said so in an interview,", "    as has been told before.", "[^2]: See there."]
    links = [
        "[bank]: https://example.org/banks 'Of all the banks that lend to the makers of chips in winter.'",
        "[a]: /b",
    ]
    raw = line_end.join([*comment, LONG_A + "[^1]", "", *note, "", *links, "", LONG_B, "  " + comment[0] + " -->"])
    assert split(raw) == [LONG_A + "[^1]", LONG_B]
    assert split(line_end.join([LONG_A, *note, LONG_B])) == [LONG_A, LONG_B]
    inline = f"{LONG_A} <!-- a comment --> {LONG_B}"
    assert split(inline) == [inline]
    assert split(f"<!-- no end\n\n{LONG_A}") == [LONG_A]
    assert split(f"[sic]: {LONG_A}") == [f"[sic]: {LONG_A}"]


@pytest.mark.issue(2)
@LINE_ENDS
def test_a_quotation_is_parted_at_its_empty_lines(line_end):
    half = LONG_A.index("lend")
    raw = line_end.join(["> " + LONG_A[:half].rstrip(), "> " + LONG_A[half:], "> ", f"> {LONG_B}", ">", "> > Why?"])
    expected = [f"> {LONG_A[:half]}> {LONG_A[half:]}", f"> {LONG_B}", "> > Why?"]
    assert split(raw) == expected
    assert split(line_end.join([raw, "", LONG_B])) == [*expected, LONG_B]


HEADER = """\
From: Jane Doe <jane@example.org>
To: All who work for the makers of chips,
\tand those who lend to them before the winter comes
Subject: Who sets the price?
Date: Mon, 3 May 2025 10:00:00 +0200
Content-Type: text/plain"""


@pytest.mark.issue(2)
@LINE_ENDS
def test_the_header_of_a_mail_is_no_paragraph(line_end):
    for gap in "\n\n", "\n":
        assert split(f"{HEADER}{gap}{LONG_A}\n\n{LONG_B}".replace("\n", line_end)) == [LONG_A, LONG_B]
    assert split(f"\ufeffTO: All\nFROM: Me\n\n{LONG_A}".replace("\n", line_end)) == [LONG_A]


@pytest.mark.issue(2)
@LINE_ENDS
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (f"From: A\nTo: B\n  {LONG_A}", [LONG_A]),
        (f"From: A\nTo: B\n  {LONG_A}\n\n{LONG_B}", [LONG_A, LONG_B]),
        (f"From: A\nTo: B\n  We agree.\n\n{LONG_B}", ["We agree.", LONG_B]),
        (f"TO: All\nFROM: Me\nSelf-reliance: {LONG_A}\n\n{LONG_B}", [f"Self-reliance: {LONG_A}", LONG_B]),
        (f"Date: 3 May\nFrom: Me\nSubject: {LONG_A}\n\n{LONG_B}", [f"Subject: {LONG_A}", LONG_B]),
        (f"Date: 3 May\nSubject: {LONG_A}", ["Date: 3 May", f"Subject: {LONG_A}"][1:]),
        ("From: A\nTo: B", ["From: A To: B"]),
        (f"From: A\nTo: {'a@b.c, ' * 20}d\nX-Seen-By: {'e ' * 20}\n\n\n{LONG_A}\n{LONG_B}", [LONG_A, LONG_B]),
    ],
)
def test_no_text_is_taken_for_a_header(line_end, raw, expected):
    assert split(raw.replace("\n", line_end)) == expected


@pytest.mark.issue(2)
def test_one_line_that_looks_like_a_header_is_text():
    assert split(f"To: {LONG_A}\n\n{LONG_B}") == [f"To: {LONG_A}", LONG_B]
    assert split(f"{LONG_A}\n\nTo: {LONG_B}") == [LONG_A, f"To: {LONG_B}"]


@pytest.mark.parametrize("n_words", [1, 28, 29, 30])
def test_the_mark_of_a_heading_is_none_of_its_words(n_words):
    words = " ".join(["word"] * n_words)
    assert split(f"# {words}\n\n{LONG_A}") == ([] if n_words < 30 else [f"# {words}"]) + [LONG_A]


@pytest.mark.parametrize("mark", ["# ", "###### ", "#\t", "\n===", "\r\n ---"])
def test_a_heading_that_stands_alone_is_a_paragraph_without_its_mark(mark):
    for before in ("", f"{LONG_A}\n\n"):
        raw = before + (f"Question #4{mark}" if mark.strip()[0] in "=-" else f"{mark}Question #4") + "\n"
        found = split_paragraphs(raw)[-1]
        assert (found.text, raw[found.start : found.end]) == ("Question #4", "Question #4")


def test_marks_of_headings_without_words_are_no_paragraph():
    assert split("# \n\n<!-- a -->") == []
    assert split(f"{LONG_A}\n\n## 3\n") == [LONG_A]


def test_hostile_marks_take_linear_time():
    began = time.process_time()
    for part in (
        "<!--",
        "<!-- -->\n",
        "a\n---\n",
        "a.\n===\n",
        "\n[",
        "[^a]:\n",
        "[^a]: b\nc\n",
        "[a]: /b\n",
        ">\n",
        "> >",
    ):
        split_paragraphs(part * (100_000 // len(part)) + "x.", limit_chars=200_000)
    for raw in (
        "From: a\nTo: b\n" + " a\n" * 30_000,
        "From: a\nTo: b\n" * 5000 + "x.",
        "From: a\n b\n" * 5000 + "x.",
        "From: a\nTo: b\n" + "\n" * 90_000 + "x.",
        "[^a]: b\n" + "    c\n" * 15_000 + "x.",
        "a.\n" + "    [^a]: b\n" * 8000 + "x.",
        "a" * 99_000 + "\n---",
        "-" * 99_000,
    ):
        split_paragraphs(raw)
    for raw in "\n" + " " * 99_000 + "---", "x\n" + ">" * 99_000, "x\n" + "[" * 99_000, "<!--" + " " * 99_000 + "-->":
        split_paragraphs(raw)
    assert time.process_time() - began < 12  # a second and a half on a busy Xeon; minutes were it quadratic


@pytest.mark.issue(4)
@LINE_ENDS
@pytest.mark.parametrize("rule", ["_" * 12, "---", "====="])
def test_a_rule_within_a_sentence_parts_nothing_and_makes_no_heading(line_end, rule):
    for above in (
        "I agree that the board may sell this yard to the",
        "The board may sell the yard and hold the price,",
    ):
        found = split(line_end.join([above, rule, f"who will pay for it by the end of the year. {LONG_B}", "", LONG_A]))
        assert found[-1] == LONG_A
        assert len(found) == 2
        assert found[0].startswith(above)
    assert split(line_end.join(["what it costs", rule, LONG_A.lower(), "", LONG_B])) == [LONG_A.lower(), LONG_B]


@pytest.mark.issue(4)
def test_an_item_above_a_rule_is_no_heading():
    raw = f"{LONG_B}\n\n- Buy the yards of the town\n---\n- Sell the steel of the town\n---\n{LONG_A}"
    assert [(each.text, each.section) for each in split_paragraphs(raw)] == [(LONG_B, ""), (LONG_A, "")]


@pytest.mark.issue(4)
def test_stars_and_addresses_of_a_newsletter_are_no_words_of_a_heading():
    rule = "-" * 40
    raw = f"** Who pays\n{rule}\n{LONG_A}\n\n** [Ports] (https://example.org/a?b=1)\n{rule}\n{LONG_B}"
    assert [each.section for each in split_paragraphs(raw)] == ["Who pays", "[Ports]"]
