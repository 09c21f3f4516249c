"""What the makers of PDFs do each in their way: headings, lists, tables, captions, and what is no text."""

import io
import time

import pytest

from tests.support.paragraphs import split_paragraphs
from tests.unit.test_pdf_layout import body, draw_pdf, notes
from twohands.documents import extract_document
from twohands.pdf_headings import find_headings
from twohands.pdf_items import drop_figures, join_initials, join_markers
from twohands.pdf_join import join_pages
from twohands.pdf_lines import Line, Page
from twohands.pdf_outline import read_outline
from twohands.pdf_parts import CAPTION_MARK

pypdf = pytest.importorskip("pypdf")

TEXT = [
    "The board of the harbour has lent to four yards since it was",
    "set up, and two of them have never paid anything back, which",
    "the clerk of the town calls a scandal and the board a delay.",
]
MORE = ["Those who ask are told that the yards would close without it,", "and that the town would not bear that."]


def read(*pages):
    return extract_document(draw_pdf(pages), suffix=".pdf", name="x").text.split("\n\n")


def split(*pages):
    found = split_paragraphs(extract_document(draw_pdf(pages), suffix=".pdf", name="x").text)
    return [(paragraph.section, paragraph.text) for paragraph in found]


def lines_of(texts, *, top=500.0, left=60.0, size=10.0):
    return [Line(text, top - 12 * n, left, size) for n, text in enumerate(texts)]


def add_outline(content, titles):
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    for title, page in titles:
        writer.add_outline_item(title=title, page_number=page)
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


@pytest.mark.issue(4)
def test_large_and_bold_lines_are_the_sections_of_what_stands_below_them():
    page = [
        *body(["Who Owns the Quays of the"], top=570, size=16),
        *body(["Town of Lorn?"], top=552, size=16),
        *body(["1.2 What was lent"], top=520, size=12),
        *body(TEXT, top=500),
        *body(["What is said"], top=452, font="F2"),
        *body(MORE, top=440),
    ]
    assert split(page) == [("1.2 What was lent", " ".join(TEXT)), ("What is said", " ".join(MORE))]
    assert read(page)[0] == "# Who Owns the Quays of the Town of Lorn?"


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("line", "size", "font"),
    [
        ('"We never asked for a quay"', 14, "F1"),  # a quotation that is set large
        ("We never asked for a quay, and we never will.", 14, "F1"),
        ("T", 30, "F1"),  # an initial
        ("Table 1. Loans to yards", 10, "F2"),
        ("b) What is said", 10, "F2"),
        ("What is said:", 10, "F2"),
    ],
)
def test_what_is_large_or_bold_for_other_reasons_is_no_heading(line, size, font):
    assert not any(
        piece.startswith("# ") for piece in read([*body([line], top=540, size=size, font=font), *body(TEXT)])
    )


@pytest.mark.issue(4)
def test_headings_that_the_outline_names_need_no_letters_of_their_own():
    page = [*body(TEXT), *body(["III. On", "loans"], top=450), *body(MORE, top=410)]
    content = add_outline(draw_pdf([page, page]), [("On loans", 1), ("Nothing of that name", 0)])
    text = extract_document(content, suffix=".pdf", name="x").text
    assert [line for line in text.split("\n\n") if line.startswith("#")] == ["# III. On loans"]
    assert split_paragraphs(text)[-1].section == "III. On loans"


@pytest.mark.issue(4)
def test_an_outline_that_goes_round_or_is_broken_ends():
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(draw_pdf([body(TEXT)])))
    entry = writer.add_outline_item(title="Loans", page_number=0).get_object()
    entry[pypdf.generic.NameObject("/Next")] = entry.indirect_reference
    entry[pypdf.generic.NameObject("/First")] = entry.indirect_reference
    stream = io.BytesIO()
    writer.write(stream)
    reader = pypdf.PdfReader(stream)
    assert read_outline(reader) == [("Loans", 0)]
    reader.trailer["/Root"][pypdf.generic.NameObject("/Outlines")] = pypdf.generic.NumberObject(3)
    assert read_outline(reader) == []
    assert read_outline(object()) == []


@pytest.mark.issue(4)
def test_titles_of_an_outline_do_not_make_headings_of_each_line_that_a_hostile_page_has():
    begun_s = time.process_time()
    titles = [(f"title {n} of all", None) for n in range(5000)]
    assert find_headings([Page(lines_of(["title 3 of none"] * 20_000))], 0, titles) == [set()]
    assert time.process_time() - begun_s < 20


@pytest.mark.issue(4)
@pytest.mark.parametrize("marks", [["1.", "2."], ["\x7f", "\x7f"], ["o", "o"]])
@pytest.mark.parametrize("is_behind", [True, False])
def test_markers_that_are_drawn_by_themselves_stand_before_their_items(marks, is_behind):
    items = ["Sell the old pier.", "Sell both yards."]
    drawn = [*body(["The town should do this:"], top=520), *body(items, left=80, top=500)]
    signs = [(500 - 12 * n, 66, 10, "F1", mark) for n, mark in enumerate(marks)]
    page = [*drawn, *signs] if is_behind else [*drawn[:1], *signs, *drawn[1:]]
    read_as = [{"\x7f": "\u2022", "o": "\u2022"}.get(mark, mark) for mark in marks]
    listed = " ".join(f"{mark} {item}" for mark, item in zip(read_as, items, strict=True))
    (_, text), *_ = split([*page, *body(MORE, top=440)])
    assert text == f"The town should do this: {listed}"


@pytest.mark.issue(4)
@pytest.mark.parametrize("gap", [0, 8])
def test_short_items_are_one_list_and_what_stands_below_it_is_another_paragraph(gap):
    items = ["\x7f Sell the old pier", "\x7f Sell both of the yards to whoever", "wants them", "\x7f Lend nothing"]
    lefts, tops = (60, 60, 70, 60), (500, 488 - gap, 476 - gap, 464 - 2 * gap)
    drawn = [(top, left, 10, "F1", item) for top, left, item in zip(tops, lefts, items, strict=True)]
    below = body(MORE, top=452 - 2 * gap - 8)
    (_, first), (_, last) = split([*body(["The town should:"], top=512 + gap), *drawn, *below])
    wanted = "\u2022 Sell the old pier \u2022 Sell both of the yards to whoever wants them \u2022 Lend nothing"
    assert (first, last) == (f"The town should: {wanted}", " ".join(MORE))


@pytest.mark.issue(4)
def test_counted_items_are_parted_without_gaps_and_those_that_are_paragraphs_stay_such():
    items = [f"{n}. {TEXT[0]} {TEXT[1][:-1]}." for n in (1, 2, 3)]
    assert join_pages([["It says in this order:", *items]])[0].split("\n\n") == ["It says in this order:", *items]
    assert join_pages([["It is said in section", "2. The board denies it."]])[0].count("\n") == 0


@pytest.mark.issue(4)
def test_a_list_with_an_item_that_is_too_short_is_one_and_not_torn_at_it():
    items = [
        f"\u2022 {TEXT[0]} {TEXT[1][:-1]}.",
        f"\u2022 {TEXT[0]} founded by the town last year.",
        "\u2022 Lend nothing.",
    ]
    for listed in ([items[0], items[1], items[2]], [items[2], items[0], items[1]], [items[0], items[2], items[1]]):
        page = ["It finds that:", *(line for item in listed for line in ("", item))]
        assert join_pages([page])[0].split("\n\n") == ["It finds that:", "\n".join(listed)]
    # But what is long is a paragraph, beside which only the next one is drawn in.
    long = [f"\u2022 {' '.join(TEXT)} {' '.join(MORE)}"] * 3
    page = [line for item in [*long, items[2]] for line in ("", item)][1:]
    assert join_pages([page])[0].split("\n\n")[:2] == long[:2]


@pytest.mark.issue(4)
def test_items_that_are_clauses_are_one_list():
    clauses = [f"({sign}) {TEXT[0]} founded by the town{end}" for sign, end in (("a", ";"), ("b", "; and"), ("c", "."))]
    assert join_pages([["It finds that:", "", clauses[0], "", clauses[1], "", clauses[2]]])[0].count("\n") == 4
    sentences = [clause.rstrip("; and.") + "." for clause in clauses]
    assert join_pages([["It finds that:", "", sentences[0], "", sentences[1], "", sentences[2]]])[0].count("\n") == 6


@pytest.mark.issue(4)
def test_rows_of_figures_are_left_out_of_the_sentence_in_which_they_stand():
    rows = ["Port Loans Late", "Lorn 41.0 4", "Old Pier 22.5 12", "Quay of Tarn 18 0"]
    page = [*body(TEXT[:2]), *body(["Table 2: Loans by port"], top=462), *body(rows, top=450), *body(TEXT[2:], top=402)]
    assert read(page) == [" ".join(TEXT), "[^figure]: Table 2: Loans by port"]
    assert [text for _, text in split(page)] == [" ".join(TEXT)]
    told = ["In 2014 and 2015 it lent 12 and 14 m,", "in 2016, 2017 and 2018 another 5, 7 and 9.", "That was all."]
    assert drop_figures(Page(lines_of(told))).lines == lines_of(told)
    narrow = ["Lorn 41.0", "Old Pier 22.5", "Tarn 18"]
    assert [line.text for line in drop_figures(Page(lines_of([*TEXT, *narrow]))).lines] == [*TEXT, ""]


@pytest.mark.issue(4)
def test_a_caption_stands_behind_the_paragraph_that_goes_on_below_it():
    pages = [
        ["The yards were lent money", "", f"{CAPTION_MARK}Figure 1: Of all", "yards.", "", "by the town. It is gone."]
    ]
    assert join_pages(pages)[0].split("\n\n") == [
        "The yards were lent money by the town. It is gone.",
        "[^figure]: Figure 1: Of all yards.",
    ]
    assert join_pages([["It is gone."], [f"{CAPTION_MARK}Figure 1: Yards", "", "So it is."]])[1] == [0, 13]


@pytest.mark.issue(4)
def test_sources_in_small_letters_are_no_paragraphs():
    page = [*body(TEXT), *body(["Source: the books of the board, which it showed to nobody else."], top=440, size=7)]
    assert [text for _, text in split(page)] == [" ".join(TEXT)]


def draw_marked(content):
    """A page of marked content, as viewers that print and programs for office work write it."""
    drawn = draw_pdf([body(["PLACE OF IT ALL"])])
    begin = drawn.index(b"BT /F1")
    end = drawn.index(b"\nendstream", begin)
    return drawn[:begin] + content + drawn[end:]


def test_what_the_file_itself_calls_no_text_is_none_and_a_bullet_that_is_drawn_is_one():
    def show(top, text, left=60):
        return b"BT /F1 10 Tf %d %d Td (%s) Tj ET\n" % (left, top, text.encode())

    def bullet(top):
        return b"/Lbl << /MCID 1 >> BDC 60 %d 3 3 re f EMC\n/LBody << /MCID 2 >> BDC\n" % top

    items = ["Sell the old pier.", "Sell both yards."]
    content = b"/Artifact BMC " + show(300, "Lorn, 1") + b"EMC\n"
    content += b"".join(show(500 - 12 * n, line) for n, line in enumerate([*TEXT, "It asks the town to:"]))
    content += b"".join(bullet(440 - 12 * n) + show(440 - 12 * n, item, 70) + b"EMC\n" for n, item in enumerate(items))
    text = extract_document(draw_marked(content), suffix=".pdf", name="x").text
    assert "Lorn, 1" not in text
    assert text.endswith("It asks the town to:\n\n\u2022 Sell the old pier.\n\u2022 Sell both yards.")
    everything = b"/Artifact BMC\n" + b"".join(show(500 - 12 * n, line) for n, line in enumerate(TEXT)) + b"EMC\n"
    assert extract_document(draw_marked(everything), suffix=".pdf", name="x").text == " ".join(TEXT)


@pytest.mark.issue(4)
def test_raised_marks_are_written_as_notes_and_end_sentences_behind_years():
    texts = [TEXT[0], "set up, and nothing was paid back by the end of the year 2019.", *TEXT[:2], TEXT[2]]
    mark = (491, 330, 6, "F1", "2")
    page = [*body(texts[:2]), mark, *body(texts[2:], top=468)]
    page += notes(["2. Dock, Quays, p. 4."])
    assert [text for _, text in split(page)] == [" ".join(texts[:2]), " ".join(texts[2:])]
    assert read(page)[0].endswith("of the year 2019.[^2]")
    plain = [texts[0], f"{texts[1]}2", "", *texts[2:]]
    assert len(join_pages([plain])[0].split("\n\n")) == 2
    assert len(join_pages([[f"{TEXT[0]} paid 2019.2", "", "and then less."]])[0].split("\n\n")) == 1


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "up",
    [
        b"/F1 6 Tf 4 Ts (1) Tj 0 Ts /F1 10 Tf",
        b"ET q BT /F1 6 Tf 1 0 0 1 380 500 Tm 4 Ts (1) Tj ET Q BT /F1 10 Tf 1 0 0 1 384 500 Tm",
    ],
)
def test_marks_that_are_raised_by_the_rise_of_text_are_written_as_notes(up):
    raised = b"BT /F1 10 Tf 1 0 0 1 60 500 Tm (" + TEXT[0].encode() + b" paid.) Tj " + up + b" ( It asked why.) Tj ET\n"
    below = b"".join(
        b"BT /F1 10 Tf 60 %d Td (%s) Tj ET\n" % (476 - 12 * n, line.encode()) for n, line in enumerate(TEXT)
    )
    text = extract_document(draw_marked(raised + below), suffix=".pdf", name="x").text
    assert text.startswith(f"{TEXT[0]} paid.[^1] It asked why.")
    # What is lowered is a part of its word, and so is what stands in the line.
    for other in (up.replace(b"4 Ts", b"-4 Ts"), up.replace(b"4 Ts", b"0 Ts")):
        text = extract_document(draw_marked(raised.replace(up, other) + below), suffix=".pdf", name="x").text
        assert text.replace("paid. 1", "paid.1").startswith(f"{TEXT[0]} paid.1 It asked why.")


@pytest.mark.issue(4)
def test_notes_at_the_end_of_a_document_belong_to_no_paragraph():
    raised = (503, 340, 6, "F1", "1")
    page = [*body(TEXT[:1]), raised, *body(TEXT[1:], top=488)]
    told = ["1. Dock and Lane, Public Quays.", "2. Talk with a clerk", "of the board."]
    last = [*body(["Endnotes"], top=560, size=14), *notes(told, top=530)]
    assert read(page, last)[1:] == ["[^1]: Dock and Lane, Public Quays.", "[^2]: Talk with a clerk of the board."]
    assert "[^" not in "".join(read(body(TEXT), notes(told, top=530)))  # nothing refers to them


@pytest.mark.issue(4)
def test_first_lines_that_are_set_in_begin_paragraphs_at_the_top_of_a_page_too():
    def draw(town, indent=12):
        told = [
            line for n in range(4) for line in (f"The pier {n} of {town} was sold.", "They paid for it in old tar.")
        ]
        return [(500 - 12 * n, 60 + indent * (n % 2 == 0), 10, "F1", line) for n, line in enumerate(told)]

    number = (20, 200, 10, "F1", "1")
    assert len(read([*draw("Lorn"), number], draw("Tarn"))) == 8
    assert len(read([*draw("Lorn"), number], draw("Tarn", indent=0))) == 4


@pytest.mark.issue(4)
def test_prose_that_is_set_narrow_is_not_parted_behind_each_sentence():
    wide = ["w" * 70, "w" * 70, "w" * 70 + "."]
    narrow = ["We did not ask for it.", "We were told of it in", "a letter, and that was", "late. It is so."]
    assert join_pages([[*wide, "", *narrow]])[0].split("\n\n")[1:] == [" ".join(narrow)]


@pytest.mark.issue(4)
def test_rows_of_a_table_of_contents_are_left_out():
    rows = ["1. Loans of the board . . . . . . . . . 3", "2. Piers that were sold ............ 14"]
    assert read([*body(rows, top=560), *body(TEXT)]) == [" ".join(TEXT)]


@pytest.mark.issue(4)
def test_markers_on_a_hostile_page_are_looked_for_a_bounded_number_of_times():
    lines = [Line("1.", 100.0, 60.0, 10.0), Line("words", 100.0, 70.0, 10.0)] * 20_000
    letters = [Line("T", 100.0, 60.0, 30.0)] * 20_000
    begun_s = time.process_time()
    assert len(join_markers(Page(lines)).lines) == 40_000
    assert len(join_initials(Page([*lines, *letters]), 10.0).lines) == 59_980
    assert time.process_time() - begun_s < 20


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("initial", "rest", "whole"),
    [
        ("T", "he board has lent to four yards,", "The board has lent to four yards,"),
        ("A", "board has lent to four yards", "A board has lent to four yards"),
        ("A", "fter that it lent to a yard", "After that it lent to a yard"),  # codespell:ignore
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_initial_that_is_set_large_stands_before_its_word(initial, rest, whole, is_first):
    letter, lines = Line(initial, 480.0, 60.0, 30.0), lines_of([rest, "and to no yard of the board."])
    page = Page([letter, *lines] if is_first else [*lines, letter])
    assert [line.text for line in join_initials(page, 10.0).lines] == [whole, "and to no yard of the board."]
    far = Page([letter, *lines_of([rest], top=400.0)])
    assert join_initials(far, 10.0) == far
    assert join_initials(page, 0) == page


@pytest.mark.issue(4)
def test_names_of_sections_that_run_through_the_pages_are_left_out_as_the_same_line_is():
    pages = [
        [(590, 60, 8, "F1", f"{name} | {n}"), *body([name], top=530, size=14), *body(lines)]
        for n, (name, lines) in enumerate({"Loans": TEXT, "Of the piers": MORE, "Sales": TEXT[::-1]}.items())
    ]
    assert [piece for piece in read(*pages) if "|" in piece] == []
    text = [[*page[:1], *page[2:]] for page in pages]  # no line elsewhere says so
    assert len([piece for piece in read(*text) if "|" in piece]) == 3


@pytest.mark.issue(4)
def test_cells_that_stand_far_from_each_other_are_a_table_and_no_heading():
    rows = [("Way", "What it does"), ("Do nothing", "The yards keep what they have"), ("Sell", "The town is paid")]
    drawn = [
        (440 - 12 * n, left, 10, "F1" if n else "F2", cell)
        for n, row in enumerate(rows)
        for left, cell in zip((60, 180), row, strict=True)
    ]
    found = split([*body(["Loans"], top=540, size=14), *body(TEXT), *drawn, *body(MORE, top=404)])
    assert found[-1] == ("Loans", " ".join(MORE))
    assert ("Loans", " ".join(TEXT)) in found


@pytest.mark.issue(4)
def test_turns_of_a_transcript_that_no_gap_parts_are_a_paragraph_each():
    """They were one paragraph, and all of it the first speaker's, where the last line of a turn is full."""
    names = ["MS BERG", "MR REED", "MS BERG"]
    page = [[f"{name}: I only say what I have said before, and say it again", *TEXT] for name in names]
    content = draw_pdf([body([*page[0], *page[1][:2]]), body([*page[1][2:], *page[2]])])
    document = extract_document(content, suffix=".pdf", name="x")
    found = split_paragraphs(document.text)
    assert [(each.speaker, each.text) for each in found] == [(turn[0][:7], " ".join(turn)) for turn in page]
    assert [document.find_page(each.start) for each in found] == [1, 1, 2]


@pytest.mark.issue(4)
def test_a_sentence_of_many_figures_in_a_narrow_column_is_no_table():
    lines = ["In 2019, 12 of 14; in 2020, 13", "of 15; in 2021, 14 of 16, and", "in 2022, 15 of 17 yards had got"]
    assert split(body([*lines, "a loan of the board of the town."])) == [
        ("", " ".join([*lines, "a loan of the board of the town."]))
    ]
