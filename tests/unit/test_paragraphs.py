"""Normalising is idempotent and total, and splitting loses no word and points at the right characters."""

import random
import time
import unicodedata
from itertools import islice

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.errors import EmptyParagraphError, InputTypeError, ParagraphTooLongError
from twohands.exported import blank_exported
from twohands.paragraphs import LIMIT_CHARS, LIMIT_MARKS, iter_paragraphs, normalise
from twohands.plain_words import PlainWords
from twohands.runs import LIST_WORDS

LONG_A = "The ministry told the state banks to lend to the makers of chips before the winter."
LONG_B = "Shop owners answered that prices, not plans, should say what is built and by whom."
# Letters, accents to be composed, all kinds of space and line end, format, control, private, unassigned, surrogates.
ALPHABET = (
    "abcXYZ019.!?,;'\"-()" + " \t\u00a0\u2003\u3000" * 2 + "\r\n\n\x0b\f\x1c\u0085\u2028\u2029"
    "\u00e9e\u0301\u0327\u200b\u200d\u202e\ufeff\u00ad\x00\x07\x7f\ue000\U0010ffff\ud800\udfff\u0e33\uac00\u1100\u1161"
    "\U0001f600\u6c34\u3002\u2126\ufb01"
)


def random_texts(seed, n, longest=80):
    generator = random.Random(seed)
    for _ in range(n):
        yield "".join(generator.choices(ALPHABET, k=generator.randint(0, longest)))


@pytest.mark.parametrize(
    ("raw", "paragraph"),
    [
        ("  two\t words \r\n more\u00a0here ", "two words more here"),
        ("cafe\u0301", "caf\u00e9"),
        ("zero\u200bwidth and so\u00adft", "zerowidth and soft"),
        ("\ufeffmarked", "marked"),
        ("right\u202eleft", "rightleft"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("lone \ud83d half", "lone half"),
        ("Case, Punctuation: 100%!", "Case, Punctuation: 100%!"),
        ("\u6c34 \U0001f600", "\u6c34 \U0001f600"),
        ("a \u200b b", "a b"),
        ("line\u2028separator\u2029here", "line separator here"),
    ],
)
def test_normalise(raw, paragraph):
    assert normalise(raw) == paragraph


def test_an_accent_behind_a_dropped_character_is_composed():
    # Training normalises a row when it reads it and again when it encodes it; serving does so once.
    assert normalise("e\u200b\u0301") == "\u00e9"


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "marks",
    ["\u0300\u0316", "\u0301", "\u0344\u0f73", "\u0300\u200b\u0316", "\u0300\u2026\u0316", "\u0958\u09c7"],
)
def test_at_most_thirty_marks_in_a_row_are_kept(marks):
    for n_marks in (29, 30, 31, 200):
        paragraph = normalise(f"caf e{(marks * n_marks)[:n_marks]} b")
        runs = "".join("M" if unicodedata.category(c)[0] == "M" else " " for c in paragraph).split()
        assert max(map(len, runs)) <= LIMIT_MARKS
        assert normalise(paragraph) == paragraph
        assert (paragraph[:4], paragraph[-2:]) == ("caf ", " b")
    assert len(normalise("x" + "\u0301" * 30)) == 31


def test_normalise_twice_is_normalise_once():
    n_texts = 0
    for text in random_texts(1, 3000):
        try:
            paragraph = normalise(text)
        except EmptyParagraphError:
            continue
        n_texts += 1
        assert normalise(paragraph) == paragraph
        assert paragraph == paragraph.strip() != ""
        assert "  " not in paragraph
        assert unicodedata.is_normalized("NFC", paragraph)
        paragraph.encode()  # no lone surrogate is left
    assert n_texts > 2500


@pytest.mark.parametrize("raw", ["", " ", "\n\t\r", "\u200b\ufeff", "\x00\x01", "\ud800", "\u00a0\u2003"])
def test_nothing_is_no_paragraph(raw):
    with pytest.raises(EmptyParagraphError):
        normalise(raw)


@pytest.mark.parametrize("raw", [None, 3, b"bytes", ["text"], {"text": "text"}, True])
def test_only_strings_are_text(raw):
    with pytest.raises(InputTypeError):
        normalise(raw)


def test_the_limit_is_exact():
    assert len(normalise("a" * LIMIT_CHARS)) == LIMIT_CHARS
    with pytest.raises(ParagraphTooLongError, match=r"as a \.txt file") as caught:
        normalise("a" * (LIMIT_CHARS + 1))
    assert "blank lines" not in str(caught.value)  # of a row, which is one paragraph whatever stands in it


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_paragraph_of_a_document_that_is_too_long_is_told_by_its_place(line_end):
    raw = f"{LONG_A}{line_end * 2}{LONG_B} {LONG_B}{line_end * 2}{LONG_A}"
    start = raw.index(LONG_B)
    told = (
        rf"found {2 * len(LONG_B) + 1} characters in the paragraph that begins in line 3, at character {start}; at most"
    )
    with pytest.raises(ParagraphTooLongError, match=told) as caught:
        split_paragraphs(raw, limit_chars=len(LONG_B) + 5)
    assert LONG_B[:20] not in str(caught.value)


@pytest.mark.issue(4)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_paragraph_that_is_too_long_costs_no_other(line_end):
    gap, long = line_end * 2, f"{LONG_B} {LONG_B}"
    raw = gap.join(["# Ports", LONG_A, long, LONG_A, long, LONG_A])
    found = list(iter_paragraphs(raw, limit_chars=len(LONG_B) + 5))
    assert [paragraph.text for paragraph in found] == [LONG_A, "", LONG_A, "", LONG_A]
    assert [raw[paragraph.start : paragraph.end] for paragraph in found] == [LONG_A, long, LONG_A, long, LONG_A]
    assert {paragraph.section for paragraph in found} == {"Ports"}
    told = [(str(paragraph.error).split(";")[0], paragraph.start) for paragraph in found if paragraph.error]
    assert told == [
        (f"found {len(long)} characters in the paragraph that begins in line {line}, at character {start}", start)
        for line, start in ((5, raw.index(long)), (9, raw.rindex(long)))
    ]
    # Short pieces in a row that are too long together are read to their end, too.
    raw = "a b c\n\n" * 30 + f"{LONG_A}\n\nWho pays?"
    assert [paragraph.text for paragraph in iter_paragraphs(raw, limit_chars=len(LONG_A))] == ["", LONG_A, "Who pays?"]


@pytest.mark.issue(4)
def test_a_transcript_of_short_turns_is_read_to_its_end_however_long_they_are_together():
    text = "Mr. Bo: The plan it is\n\nMs. Li: A market again\n\n" * 20 + LONG_A
    found = list(iter_paragraphs(text, limit_chars=len(LONG_A)))
    assert len(found) == 41
    assert (found[-1].text, found[-1].end) == (LONG_A, len(text))


@pytest.mark.issue(4)
def test_lines_are_counted_once_however_many_paragraphs_are_too_long():
    begun_s = time.process_time()
    text = f"{'a ' * 99} a.\n\n" + "\n" * 200_000
    found = list(iter_paragraphs(text * 10 + f"{'The b. ' * 20}\n\n" * 500, limit_chars=100))
    assert sum(paragraph.error is not None for paragraph in found) == 510
    assert time.process_time() - begun_s < 6  # to count all lines takes 60 ms, which 500 times are half a minute


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_blank_lines_part_whatever_the_line_end(line_end):
    raw = line_end.join(["", LONG_A, "", "  ", LONG_B, ""])
    assert [paragraph.text for paragraph in split_paragraphs(raw)] == [LONG_A, LONG_B]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_wrapped_text_is_one_paragraph_whatever_the_line_end(line_end):
    lines = ["The ministry told the state banks to lend", "to the makers of chips before the winter,", "and they did."]
    assert [paragraph.text for paragraph in split_paragraphs(line_end.join(lines))] == [" ".join(lines)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_wrapped_paragraphs_are_parted_at_blank_lines_only(line_end):
    half = len(LONG_A) // 2
    lines = [LONG_A[:half].rstrip() + "-x", LONG_A[half:].lstrip(), "", LONG_B]
    texts = [paragraph.text for paragraph in split_paragraphs(line_end.join(lines))]
    assert texts == [f"{lines[0]} {lines[1]}", LONG_B]


def test_lines_that_end_sentences_are_paragraphs():
    assert [paragraph.text for paragraph in split_paragraphs(f"{LONG_A}\n{LONG_B}\n")] == [LONG_A, LONG_B]


@pytest.mark.issue(2)
def test_headings_are_not_read_with_what_follows_and_a_last_one_stands_alone():
    headline = "State credit for the makers of chips is to flow before winter"
    raw = f"{headline}\n\nBy our correspondent in the capital, 3 July\n\n{LONG_A}\n\n17\n\n{LONG_B}\n\nAnnex"
    paragraphs = split_paragraphs(raw)
    assert [p.text for p in paragraphs] == [LONG_A, LONG_B, "Annex"]
    assert [raw[p.start : p.end] for p in paragraphs] == [LONG_A, LONG_B, "Annex"]


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "no_text",
    ["***", "* * *", "____", "- 3 -", "3.", "Page 3 of 3", "- p. 12 -", "THE END", "\u2013 ends \u2013", "12.5 | 14"],
)
def test_a_rule_or_a_page_number_is_no_paragraph_at_the_end_either(no_text):
    assert split_paragraphs(no_text) == []
    for last in LONG_A, "Annex", "Prices rule.":
        found = [p.text for p in split_paragraphs("\n\n".join([no_text, LONG_B, no_text, last, no_text, no_text]))]
        assert found == [LONG_B, last]


@pytest.mark.parametrize(
    "words", ["Page three of the treaty", "Endsleigh", "The end of tariffs", "p. 3 of the bill", "3 mills"]
)
def test_words_beside_a_number_are_read_where_nothing_follows(words):
    assert [p.text for p in split_paragraphs(f"{LONG_A}\n\n{words}")] == [LONG_A, words]


@pytest.mark.issue(2)
@pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n"])
def test_a_long_headline_is_no_paragraph_where_the_paragraphs_end_sentences(gap):
    headline = "Ministers plan to sell the remaining public stakes in ports and rail before the election"
    byline = "By our correspondent"
    assert [p.text for p in split_paragraphs("\n".join([headline, LONG_A, LONG_B]))] == [LONG_A, LONG_B]
    assert [p.text for p in split_paragraphs(gap.join([headline, byline, LONG_A, headline, LONG_B]))] == [
        LONG_A, headline, LONG_B,
    ]  # fmt: skip
    assert [p.text for p in split_paragraphs(gap.join([headline, headline, LONG_A]))] == [headline, headline, LONG_A]
    assert [p.text for p in split_paragraphs(gap.join([byline, headline]))] == [headline]
    assert [p.text for p in split_paragraphs(gap.join([headline + " or after it, as others have it", LONG_A]))] != [
        LONG_A
    ]
    letterhead = "The White Quay\nOffice of the Clerk to the Board of Ports\nLorn, North Quay\n3 May 2031"
    for pieces in ([letterhead, headline], [letterhead, byline, headline], [letterhead]):
        assert [p.text for p in split_paragraphs(gap.join([*pieces, LONG_A]))] == [LONG_A]
    assert len(split_paragraphs(gap.join([letterhead, headline, headline, LONG_A]))) == 4
    assert split_paragraphs(f"{headline}\nin spring\n\n{LONG_A}")[0].text == f"{headline} in spring"


@pytest.mark.issue(2)
@pytest.mark.parametrize("gap", ["\n\n", "\n", "\r\n"])
def test_a_marked_heading_is_one_however_it_ends(gap):
    raw = gap.join(
        ["\ufeff# Who sets the price?", LONG_A, "### 2. And then: what now?", LONG_B, "#budget is no heading."]
    )
    paragraphs = split_paragraphs(raw)
    assert [" ".join(p.text for p in paragraphs)] == [f"{LONG_A} {LONG_B} #budget is no heading."]
    assert all(raw[p.start : p.end] == p.text for p in paragraphs)
    assert [p.text for p in split_paragraphs(f"{LONG_A}{gap}# Who pays?")] == [LONG_A, "Who pays?"]
    assert [p.text for p in split_paragraphs(f"# {LONG_A} {LONG_B}")] == [f"# {LONG_A} {LONG_B}"]  # too long for one


PROSE = """\
and so the second plan of the harbour board had run its lib-
eral course. Between the wars the town had sold its cranes,
closed the weighing house and let the pilots set their fees.
   The turn that came with the frost was not foreseen by any
of them. The board took back two of the piers and lent the
money of the savers to builders of wooden ships.12
\tIn the spring half of the yards stood idle. The clerk who
counted the ribs found fewer than the ledgers had, and the
savers went home."""
VERSE = """\
The harbour slept beneath a heavy frost and all the cranes were still.
   The board had sold the winter wheat.
The pilots drank and counted what was lost upon the windy hill.
   And no one asked them what to eat.
The yards went up, the yards went down, and so the silver left the town.
   They took it to the miller's seat."""
POINTS = """\
The board of the harbour has decided at its meeting what follows.
  - The piers two and three are to be taken back before the frost.
  - The savers are to be paid out of the fees that the pilots take.
  - No yard may have more than a third of the credit of the savings.
It will meet again when the ice has gone and the books are whole."""
QUOTED = """\
The clerk wrote to the board about what he had found in the yards.
   The ribs that I have counted are fewer than those in the books.
   The masts are none, and the nails have been sold to the smithy.
The board did not answer him, and in the spring he went to the sea."""


@pytest.mark.issue(2)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_wrapped_prose_is_parted_at_indents_and_verse_lists_and_quotations_are_not(line_end):
    raw = f"{PROSE}\n\n{LONG_A}\n".replace("\n", line_end)
    paragraphs = split_paragraphs(raw)
    assert [p.text.split()[0] for p in paragraphs] == ["and", "The", "In", "The"]
    assert "its liberal course" in paragraphs[0].text
    for paragraph in paragraphs:
        assert normalise(PlainWords(raw).read(raw[paragraph.start : paragraph.end])) == paragraph.text
    assert [p.text.split()[0] for p in split_paragraphs(PROSE)] == ["and", "The", "In"]
    for other in VERSE, POINTS, QUOTED:
        (whole, _) = split_paragraphs(f"{other}\n\n{LONG_A}".replace("\n", line_end))
        assert whole.text == normalise(other)


ORDERED = """\
   The board of the harbour met at noon and heard the clerk, who had
counted the ribs in all of the yards that the savers have paid for,
and the masts and the sails and the nails that were in their books.
   It orders:
     1.  the piers two and three shall be taken back before the frost,
         and the cranes with them; and
     2.  the savers shall be paid out of the fees that the pilots take.
   The pilots regretted the order. The fees are theirs, they said, to
set as they please, and nobody asked the savers to lend to the yards."""


@pytest.mark.issue(4)
def test_a_list_within_wrapped_prose_does_not_hide_its_indents():
    """Whoever gave an order and whoever spoke against it were one paragraph, of one stance."""
    paragraphs = split_paragraphs(f"{ORDERED}\n\n{LONG_A}")
    assert [p.text.split()[1] for p in paragraphs[:3]] == ["board", "orders:", "pilots"]
    assert paragraphs[1].text.endswith("that the pilots take.")


@pytest.mark.issue(4)
def test_who_spoke_at_what_is_no_text_before_a_speech():
    head = "Remarks by Deputy Governor Helena Marsh\nat the Annual Conference of the Savings Institute\n9 October 2031"
    for title in (head, f"Who sets the price\n{head}", head.replace("Remarks", "Keynote speech delivered")):
        assert [p.text for p in split_paragraphs(f"{title}\n\n{LONG_A}")] == [LONG_A]
    # Words that were wrapped, and say nothing of a speech, may be text.
    text = "The board has seen the remarks of the clerk\non the price of bread, and of all that is made of it"
    assert [p.text for p in split_paragraphs(f"{text}\n\n{LONG_A}")] == [normalise(text), LONG_A]


@pytest.mark.issue(2)
def test_a_list_of_short_pieces_is_read():
    items = [f"- Sell the depot of town {n} to its drivers" for n in range(4)]
    assert [p.text for p in split_paragraphs("\n\n".join([*items, LONG_A]))] == [" ".join(items), LONG_A]
    assert [p.text for p in split_paragraphs("\n\n".join([LONG_A, *items[:2]]))] == [LONG_A, " ".join(items[:2])]
    assert [p.text for p in split_paragraphs("\n\n".join(items[:2]))] == [" ".join(items[:2])]


@pytest.mark.issue(2)
@pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n"])
def test_clauses_of_a_law_are_read(gap):
    law = [
        "Article 1",
        "The ministry shall:",
        "(a) set the price of every good;",
        "(b) seize any mill; and",
        "(c) trade,",
    ]
    last = "(d) forbid all private trade in grain."
    whole = " ".join([*law[1:], last])  # none of its clauses says who shall do it
    assert [p.text for p in split_paragraphs(gap.join([*law, last, "Article 2", LONG_A]))] == [whole, LONG_A]
    recital = "Recalling that no mill is private,"
    assert [p.text for p in split_paragraphs(gap.join([recital, "Dear Sir,", LONG_A]))] == [recital, LONG_A]


@pytest.mark.issue(2)
def test_a_comma_ends_a_clause_beside_another_or_in_an_item_only():
    salutation = "Mr President, honourable members of the House, ladies and gentlemen,"
    clauses = ["Recalling that no mill is private,", "Concerned at the price of bread, and"]
    for before in [], ["By our own correspondent"], [LONG_B]:
        assert [p.text for p in split_paragraphs("\n\n".join([*before, salutation, LONG_A]))][-1:] == [LONG_A]
        assert salutation not in [p.text for p in split_paragraphs("\n\n".join([*before, salutation, LONG_A]))]
    assert [p.text for p in split_paragraphs("\n\n".join([*clauses, LONG_A]))] == [*clauses, LONG_A]
    assert [p.text for p in split_paragraphs(f"(a) all trade,\n\n{LONG_A}")] == ["(a) all trade,", LONG_A]
    assert [p.text for p in split_paragraphs(f"Mills, carts and ships; and\n\n{LONG_A}")][1:] == [LONG_A]


@pytest.mark.issue(2)
@pytest.mark.parametrize("no_item", ["- 3 -", "\u2014 Jane Doe, minister", "Q. Thanks", "J. Smith"])
def test_a_name_or_a_page_number_is_no_item(no_item):
    marker = no_item[0] if no_item[1] == " " else "K."
    for pieces in ([f"{marker} {LONG_A}", no_item, LONG_B], [LONG_A, no_item, f"{marker} {LONG_B}"]):
        if pieces[2].startswith("K. ") and no_item[0] == "J":
            continue  # the letters go on
        assert [p.text for p in split_paragraphs("\n\n".join(pieces))] == [pieces[0], pieces[2]]


@pytest.mark.issue(2)
def test_items_by_capitals_go_on_from_each_other():
    items = [f"A. {LONG_A}", "B. Of mills", "C. Of carts"]
    assert [p.text for p in split_paragraphs("\n\n".join([*items, LONG_B]))] == [*items, LONG_B]
    dash = ["- to sell no mill to newcomers", f"- {LONG_A}"]
    assert [p.text for p in split_paragraphs("\n\n".join([*dash, LONG_B]))] == [*dash, LONG_B]


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "first",
    [
        "**The state will keep control of the mills, the ministry said on Tuesday, as frost came.**",
        "\u00ab L'\u00c9tat doit garder la main sur le rail, les ports et les moulins du pays. \u00bb",
        "\u300c" + "a b c d e f g h i j k l m n\u3002\u300d",
        "a b c d e f g h i j k l m n\u061f",
        "a b c d e f g h i j k l m n\u0964",
        "a b c d e f g h i j k l m n\uff01",
        "\u2014 Will the state sell? asked the clerk, who had come from the north with a list",
    ],
)
def test_a_first_paragraph_that_ends_a_sentence_is_no_headline(first):
    assert [p.text for p in split_paragraphs(f"{first}\n\n{LONG_A}")] == [first.strip("*"), LONG_A]


@pytest.mark.issue(2)
def test_an_item_is_read_where_one_beside_it_ends_as_a_clause():
    items = ["(a) set all prices;", "(b) seize any mill", "(ii) or two", "3. Of trade", "(c) forbid trade."]
    assert [p.text for p in split_paragraphs("\n\n".join([*items, LONG_A]))] == [*items[:3], items[4], LONG_A]
    raw = "\n\n".join(["Duties", *items[1:3], items[0], LONG_A])
    paragraphs = split_paragraphs(raw)
    assert [p.text for p in paragraphs] == ["(b) seize any mill (ii) or two", items[0], LONG_A]
    assert [normalise(raw[p.start : p.end]) for p in paragraphs] == [p.text for p in paragraphs]
    assert [p.text for p in split_paragraphs("\n\n".join(["1. Duties", LONG_A, "2. Rights", LONG_B]))] == [
        LONG_A,
        LONG_B,
    ]
    chapters = [f"6. Liability. {LONG_A}", "7. Termination", LONG_B]
    assert [p.text for p in split_paragraphs("\n\n".join(chapters))] == [chapters[0], LONG_B]


@pytest.mark.issue(2)
@pytest.mark.parametrize("note", ["[1]", "2", "\u00b9\u00b2", '" [3][4]', '"12', "[^note]", "[a]"])
def test_a_note_behind_the_end_of_a_sentence_does_not_make_a_heading_of_it(note):
    raw = f"Seize the mills at once.{note}"
    assert [p.text for p in split_paragraphs(f"{raw}\n\n{LONG_A}")] == [raw.removesuffix("[^note]"), LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("end", "read"),
    [
        (f"the mills{end}", f"the mills{end}")
        for end in (
            ".(2)",
            ".\\2\\",
            ". (901234)",
            "? [904212]",
            ".\u2020",
            ". [2, 3]",
            ".[Note 3]",
            ". [sic]",
            "! \U0001f44f",
        )
    ]
    + [
        ("[the mills.](https://a.example/x)", "the mills."),
        ("the mills.<br>", "the mills."),
        ("the mills.</b>", "the mills."),
        ("the mills.&quot;", 'the mills."'),
        ("the mills.\\", "the mills.\\"),
        ("`the mills.`", "the mills."),
    ],
)
def test_marks_behind_the_end_of_a_sentence_do_not_make_a_heading_of_it(end, read):
    found = split_paragraphs(f"{LONG_B}\n\nSeize at once {end}\n\n{LONG_A}")
    assert [p.text for p in found] == [LONG_B, f"Seize at once {read}", LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "end", ["[the mills](https://a.example/x)", "the mills (2)", "the mills \U0001f44f", "<b>it</b>"]
)
def test_marks_alone_end_no_sentence(end):
    assert [p.text for p in split_paragraphs(f"{LONG_B}\n\nSeize {end}\n\n{LONG_A}")] == [LONG_B, LONG_A]


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "heading", ["Sector growth of 3.5", "Notice No.12", "Chapter 3.1", "See Art.5", "Goals for 2.2030"]
)
def test_a_number_is_no_note(heading):
    assert [p.text for p in split_paragraphs(f"{heading}\n\n{LONG_A}")] == [LONG_A]


def test_a_short_sentence_is_no_heading():
    assert [p.text for p in split_paragraphs(f"Prices rule.\n\n{LONG_A}")] == ["Prices rule.", LONG_A]


@pytest.mark.parametrize("raw", ["", "  \n\n \r\n", "\f\f", "\u200b\n\n\u200b"])
def test_a_document_without_text_has_no_paragraphs(raw):
    assert split_paragraphs(raw) == []


def test_pages_part_at_form_feeds():
    assert [p.text for p in split_paragraphs(f"{LONG_A}\f{LONG_B}")] == [LONG_A, LONG_B]


def test_a_paragraph_beyond_the_limit_is_refused():
    with pytest.raises(ParagraphTooLongError):
        split_paragraphs(f"{LONG_A}\n\n{'a ' * 60}", limit_chars=100)


def test_offsets_point_at_the_paragraph_and_nothing_but_headings_is_left_out():
    n_paragraphs = n_left_out = 0
    for text in random_texts(2, 3000, longest=200):
        paragraphs = split_paragraphs(text)
        n_paragraphs += len(paragraphs)
        end = 0
        read = blank_exported(text, lambda: None).text
        assert len(read) == len(text)
        for paragraph in paragraphs:
            assert end <= paragraph.start < paragraph.end <= len(text)
            assert normalise(PlainWords(text).read(read[paragraph.start : paragraph.end])) == paragraph.text
            passed_over = text[end : paragraph.start].split()
            assert sum(any(map(str.isalpha, word)) for word in passed_over) < LIST_WORDS
            end = paragraph.end
        n_left_out += any(map(str.isalpha, read[end:]))  # what looks like a table of figures, or stands in brackets
    assert n_left_out < 10
    assert n_paragraphs > 4000


HOSTILE = {
    "a blank line": ("\n" + " " * 50_000) * 2, "blank lines": "\r\n" * 50_000 + "x", "ends of quotes": ".'\"" * 30_000,
    "short lines": "a\n \n" * 20_000, "short sentences": "x.\n  y" * 20_000, "signs": "#" * LIMIT_CHARS,
    "signs apart": "# " * 50_000, "signs on lines": "\n#" * 50_000, "headings": "# a\n" * 25_000,
    "a wide line": "\n" + " " * 99_000 + "\n  x", "combining marks": "a" + "\u0300\u0316" * 50_000,
    "marks without width": "\u0300\u200b\u0316" * 30_000, "runs of marks": ("a" + "\u0f73" * 29) * 3000,
    "dots": "x" + "." * 99_000, "dots apart": "x" + ". " * 49_000, "glued numbers": "(a)b\n" * 20_000,
    "pages": "the\n14\n<PAGE>\n" * 7000, "closings": "Sincerely,\n\n" * 8000, "brackets": "x. " + "(a) " * 24_000,
}  # fmt: skip


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_takes_linear_time(raw):
    began = time.process_time()  # 0.6 s at most on a quiet machine; minutes where something is quadratic
    split_paragraphs(raw[:LIMIT_CHARS])
    assert time.process_time() - began < 1.5


@pytest.mark.issue(4)
@pytest.mark.parametrize("line", ["\n", "a:\n", "a\n", "\f", "a:\n\n", "a\n\n"])
def test_who_gives_up_is_heard_wherever_the_work_is(line):
    class EnoughError(Exception):
        pass

    n_checked = 0

    def check():
        nonlocal n_checked
        n_checked += 1
        if n_checked == 3:
            raise EnoughError

    text = "x" + line * 20_000 + "y"
    with pytest.raises((EnoughError, ParagraphTooLongError)):
        for _ in iter_paragraphs(text, limit_chars=100, check=check):
            pass


@pytest.mark.issue(4)
def test_who_has_enough_pays_for_no_more():
    begun_s = time.process_time()
    assert len(list(islice(iter_paragraphs("a:\n\n" * 1_000_000), 10))) == 10
    assert time.process_time() - begun_s < 1


def texts_of(text):
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.issue(4)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_a_list_is_read_with_the_words_that_introduce_it(gap):
    lead, listed = "We will:", "- cap rents\n- sell the barges"
    assert texts_of(f"{LONG_A}\n\n{lead}{gap}{listed}\n\n{LONG_A}") == [
        LONG_A,
        f"{lead} {' '.join(listed.split())}",
        LONG_A,
    ]
    # A heading between them, one item alone, and words that are an item or end no clause introduce nothing.
    assert texts_of(f"{LONG_A}\n\n{lead}\n\n# Rents\n\n{listed}\n\n{LONG_A}")[1] == lead
    assert texts_of(f"{LONG_A} So:\n\n- {LONG_A}") == [f"{LONG_A} So:", f"- {LONG_A}"]
    assert texts_of(f"{LONG_A}\n\n{listed}\n\n{LONG_A}") == [LONG_A, LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize("marks", ["---", "***", "\u2013" * 3, "\u2022" * 3, ["1.", "2.", "3."], ["(a)", "(b)", "(c)"]])
@pytest.mark.parametrize("end", ["", ";", "."])
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("lead", ["We will:", "**We will:**", "__We will__:"])
def test_items_are_read_with_their_lead_however_they_stand_apart_and_end(marks, end, gap, lead):
    wishes = ["cap the rents of the old town", "sell barges", "free the quays of Lorn"]
    items = [f"{mark} {wish}{end}" for mark, wish in zip(marks, wishes, strict=True)]
    listed = " ".join([lead.replace("*", "").replace("_", ""), *items])
    found = texts_of("\n\n".join([LONG_A, lead + gap + gap.join(items), LONG_A]))
    if marks[0] == "\u2013" and end == "." and gap == "\n\n":  # they may be turns of a dialogue, each a paragraph
        assert found[-4:] == [*items, LONG_A]
        return
    assert found == [LONG_A, listed, LONG_A]
    for before in "", "# Wishes\n\n", "Wishes\n\n":
        assert texts_of(f"{before}{lead}{gap}{gap.join(items)}\n\n{LONG_A}") == [listed, LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "We will:\n\n- cut taxes;\n\n- raise pay;\n\n- build homes",
            ["We will: - cut taxes; - raise pay; - build homes"],
        ),
        ("We will:\n\n- Cut tax now.\n\n- Raise pay\n\n- Build", ["We will: - Cut tax now. - Raise pay - Build"]),
        ("We will:\n\n1. Cut tax now.\n\n2. Raise pay\n\n3. Build", ["We will: 1. Cut tax now. 2. Raise pay 3. Build"]),
        ("We will:\n\n- cut:\n\n  - a tax\n\n  - a fee\n\n- pay", ["We will: - cut: - a tax - a fee - pay"]),
        (
            "- tax mills\n- own quays\n\n**We want:**\n\n- no docks\n- tea",
            ["- tax mills - own quays", "We want: - no docks - tea"],
        ),
        ("Town\n\n* tax\n\n* own\n\n**We want:**\n\n- tea\n\n- oil", ["* tax * own", "We want: - tea - oil"]),
        (
            "In this Act:\n\n(a) dock means a quay\n(b) tea means tea",
            ["In this Act: (a) dock means a quay (b) tea means tea"],
        ),
        ("Agenda:\n- own the mills\n- cap the rents", ["Agenda: - own the mills - cap the rents"]),
        ("In this issue:\n\n- of mills\n\n- of rents", ["In this issue:"]),
        ("**Note:**\n\n- one item", []),
        (f"**Note:**\n\n1. {LONG_B}", [f"1. {LONG_B}"]),
    ],
)
def test_short_items_behind_their_lead(text, expected):
    assert texts_of(f"{text}\n\n{LONG_A}") == [*expected, LONG_A]
    if not text.startswith("In this issue"):
        assert texts_of(f"{LONG_A}\n\n{text}\n\n{LONG_A}") == [LONG_A, *expected, LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "struck",
    [
        "~~{}~~",
        "~~{}~~ ~~{}~~",
        "<del>{}</del>",
        "- ~~{}~~",
        "2. <s>{}</s>\n3. ~~{}~~",
        "~~" + "{} " * 9 + "and more.~~",
    ],
)
def test_a_paragraph_that_is_struck_out_is_read_only_where_nothing_else_stands(struck):
    words = "The ministry will fix what it costs to ship coal, by decree, from the next year on."
    whole = struck.format(*[words] * 9)
    others = ["The town will sell the quay to whoever pays most for it, and it will do so soon.", "Who asked for that?"]
    texts = [paragraph.text for paragraph in split_paragraphs(f"{others[0]}\n\n{whole}\n\n{others[1]}")]
    assert texts == others
    assert words in split_paragraphs(whole)[0].text
    half = f"{whole} Not so."
    assert split_paragraphs(f"{others[0]}\n\n{half}")[-1].text.endswith("Not so.")


@pytest.mark.issue(4)
def test_what_goes_on_below_is_no_headline_and_a_place_ends_no_sentence():
    clause = "The Council of Ministers, having regard to the needs of the nation and the advice of its bank,"
    decided = "has decided to fix the price of bread for a year, and to pay the bakers what they lose."
    assert texts_of(f"{clause}\n\n{decided}\n\n{LONG_A}") == [clause, decided, LONG_A]
    assert texts_of(f"Dear Senator Lind,\n\n{LONG_A}") == [LONG_A]
    front = "HEARING ON BREAD\nTuesday, March 4, 2031\nHouse of Bakers, Committee on Flour, Lornton, D.C."
    assert texts_of(f"{front}\n\n{LONG_A}") == [LONG_A]
    wrapped = "He told the bakers of the town\nthat he would meet them in Lornton, D.C."
    assert texts_of(f"{wrapped}\n\n{LONG_A}") == [" ".join(wrapped.split()), LONG_A]
    assert texts_of(f"He met them in Lornton, D.C.\n\n{LONG_A}") == ["He met them in Lornton, D.C.", LONG_A]


@pytest.mark.issue(4)
def test_tags_that_have_a_line_for_themselves_are_no_paragraph():
    words = "The town will sell the quay to whoever pays most for it, and it will do so soon."
    for tags in ("</details>", "<br>\n<br />", "<div class='x'><p>", "</SECTION> </div>"):
        assert [paragraph.text for paragraph in split_paragraphs(f"{words}\n\n{tags}")] == [words]
    assert len(split_paragraphs(f"{words}\n\n<A board of the town> pays.")) == 2


@pytest.mark.issue(4)
def test_a_headline_above_a_lead_and_a_lead_that_is_an_item_stand_in_their_place():
    headline = "A long headline about tariffs and coal that nobody wants to read any more today"
    listed = "**We demand:**\n\n- lower taxes\n\n- more schools"
    assert texts_of(f"{headline}\n\nJane Doe\n\n{listed}\n\n{LONG_A}") == [plain_of(listed), LONG_A]
    assert texts_of(f"1. Alpha\n\n2. Beta\n\n3. {listed}\n\n{LONG_A}") == [
        "1. Alpha 2. Beta",
        f"3. {plain_of(listed)}",
        LONG_A,
    ]


def plain_of(text):
    return " ".join(text.replace("*", "").split())


PIECES = [
    "- **We want:**", "2. **Fares:**", "(a) **Scope:**", "1. one", "2. two", "\u2022 one", "\u2022 two;", "We will:",
    "**We demand:**", "Contents:", "- lower taxes", "- more schools and mills", "(a) to build;", "(b) to cut; and",
    "(c) to sell more.", "1. Termination", "* Cut tariffs", "# Heading", "Jane Doe", "Lorn, 3 May 2031", LONG_A,
    "A long headline about tariffs and coal that nobody wants to read any more today", "Taxes rise",
    "A person may\u2014",
    "Notes to editors:", "- one\n- two\n- three", "He said so:", "All rights reserved", "---", "\u2014 yes", "**Bold**",
]  # fmt: skip


@pytest.mark.issue(4)
@pytest.mark.parametrize("form", ["**{}:**", "{}\uff1a"])
def test_a_first_paragraph_that_introduces_others_is_no_headline_however_its_colon_is_set(form):
    lead = form.format("The ministry asks all of the yards of the land to do these things by May")
    assert texts_of(f"{lead}\n\n{LONG_A}\n\n{LONG_B}") == [lead.strip("*"), LONG_A, LONG_B]


@pytest.mark.issue(4)
def test_one_or_two_words_before_a_dash_are_a_heading_and_three_what_clauses_go_on_from():
    for heading in ("Loans\u2014", "On loans:-"):
        assert texts_of(f"{LONG_A}\n\n{heading}\n\n{LONG_B}") == [LONG_A, LONG_B]
    lead = "A yard may\u2014"
    assert texts_of(f"{LONG_A}\n\n{lead}\n\n{LONG_B}") == [LONG_A, lead, LONG_B]


@pytest.mark.issue(4)
def test_paragraphs_stand_in_order_and_none_within_another():
    generator = random.Random(8)
    for _ in range(1500):
        text = "\n\n".join(generator.choices(PIECES, k=generator.randint(2, 11)))
        end = 0
        for paragraph in split_paragraphs(text):
            assert paragraph.start >= end, text
            end = paragraph.end


@pytest.mark.issue(4)
def test_items_that_are_paragraphs_stay_so_and_a_list_ends_at_its_size():
    lead, clause = (
        "The House asks that:",
        "(a) the ministry of ports and mills set no price for any good, whoever sells it;",
    )
    assert texts_of("\n\n".join([lead, f"1. {LONG_A}", f"2. {LONG_B}"])) == [lead, f"1. {LONG_A}", f"2. {LONG_B}"]
    longer = clause.replace("whoever", "in the old town or the new, and whoever")
    assert texts_of("\n\n".join([lead, *[longer] * 3])) == [lead, *[longer] * 3]
    found = texts_of("\n\n".join([lead, *[clause] * 20]))
    assert found[0].startswith(lead)
    assert 200 < len(found[0].split()) < 250
    assert found[1:] == [" ".join([clause] * (20 - found[0].count("(a)")))]
    assert texts_of(f"Contents:\n- mills\n- quays\n- the state as an owner of barges\n- who pays\n\n{LONG_A}") == [
        LONG_A
    ]
    assert texts_of(f"Who owns the mills and quays of Lorn\nJ. Smith\nA. Jones and M. Reed\n\n{LONG_A}") == [LONG_A]


@pytest.mark.issue(4)
def test_rows_of_figures_make_no_list_of_the_headings_beside_them():
    rows = [f"Hulls of type {n}  {n}1 {n}2 {n}3 {n}4 {n}5 {n}6 {n}7" for n in range(1, 6)]
    assert texts_of("\n\n".join([LONG_A, *rows, LONG_A])) == [LONG_A, LONG_A]


@pytest.mark.issue(4)
def test_what_stands_above_a_text_is_no_list_and_a_title_may_have_lines():
    matter = ["HOUSE OF THE QUAY", "Tuesday 3 February 2031", "The House met at two", "[THE SPEAKER in the Chair]"]
    matter += ["Oral Answers to Questions of the Day", "PORTS AND TOLLS", "Of fares and of who may set them, again"]
    assert sum(len(line.split()) for line in matter) > 30
    assert texts_of("\n\n".join([*matter, LONG_A])) == [LONG_A]
    assert texts_of("\n\n".join([*matter, "# Fares", LONG_A])) == [LONG_A]
    assert len(texts_of("\n\n".join([*matter * 3, LONG_A]))) == 2
    title = "STATE TO BUY EACH SHIP THAT IS BUILT\nSecond quay of Lorn will be its own, says clerk"
    assert texts_of(f"{title}\n\n{LONG_A}") == [LONG_A]
    wrapped = "The state is to buy each ship that is built\nand the second quay of Lorn will be its own"
    assert texts_of(f"{wrapped}\n\n{LONG_A}") == [wrapped.replace("\n", " "), LONG_A]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "heading", ["SUPPLEMENTARY INFORMATION:", "From:", "**Key dates:**", "FOR WHOM THE ACT IS:", "Dear Senator Lind:"]
)
def test_a_heading_with_a_colon_is_not_read_where_text_follows_and_a_lead_is(heading):
    assert texts_of(f"{LONG_A}\n\n{heading}\n\n{LONG_B}") == [LONG_A, LONG_B]
    assert len(texts_of(f"{LONG_A}\n\n{heading}\n\n- cap rents\n- sell the barges")) == 2
    assert len(texts_of(f"{LONG_A}\n\n{heading}")) == 2  # nothing follows
    for said in ("He said this:", "\u6539\u9769\u5e02\u573a:", "We want:", "we will:", "2. Aims:"):
        assert texts_of(f"{LONG_A}\n\n{said}\n\n{LONG_B}") == [LONG_A, said, LONG_B]
