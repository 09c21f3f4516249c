"""What is set beside the text of a PDF is no part of its sentences, and each paragraph knows its page."""

import time

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_document
from twohands.pdf_beside import take_notes
from twohands.pdf_join import join_pages
from twohands.pdf_lines import Line, Page

pytest.importorskip("pypdf")

FOOTER = (40, 60, 8, "F1", "Quay Papers | May 2031")
NOTE = ["1. Dock and Lane, Public Quays (Lorn: Tide Press, 2029), pp. 4-9.", "2. Talk with a clerk of the board."]
LEFT = [
    "The board of the harbour has lent to four yards since it was",
    "set up, and two of them have never paid anything back.1 The",
    "loans were meant to end in the year in which the old pier was",
    "sold, and they did not end.2 Those who ask why are told that",
]
RIGHT = ["the yards would close, and that the town would not bear it,", "which may be true."]


def draw_pdf(pages, media="/MediaBox [0 0 400 600]"):
    """Pages of lines (height, left, size, font, text) in the order of the file; F2 is bold."""
    bodies = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    bodies += [b"<< /Type /Font /Subtype /Type1 /BaseFont /%s >>" % name for name in (b"Times-Roman", b"Times-Bold")]
    kids = []
    for lines in pages:
        drawn = "".join(
            f"BT /{font} {size} Tf {left} {height} Td ({text.replace('(', '[').replace(')', ']')}) Tj ET\n"
            for height, left, size, font, text in lines
        ).encode("latin-1")
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        bodies.append(
            b"<< /Type /Page /Parent 2 0 R %s /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (media.encode(), len(bodies))
        )
        kids.append(b"%d 0 R" % len(bodies))
    bodies[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(content), len(bodies) + 1
    content += b"xref\n0 %d\n0000000000 65535 f \n" % size
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)


def body(lines, *, top=500, size=10, font="F1", left=60):
    return [(top - 12 * n, left, size, font, line) for n, line in enumerate(lines)]


def notes(lines=NOTE, *, top=70):
    return [(top - 9 * n, 60, 7, "F1", line) for n, line in enumerate(lines)]


def read(*pages):
    return extract_document(draw_pdf(pages), suffix=".pdf", name="x")


@pytest.mark.issue(4)
@pytest.mark.parametrize("is_first", [True, False], ids=["before the text", "behind it"])
def test_notes_and_footers_do_not_stand_within_a_sentence_that_goes_on_over_them(is_first):
    beside = [FOOTER, *notes()]
    first = [*beside, *body(LEFT)] if is_first else [*body(LEFT), *beside]
    read_back = read(first, [FOOTER, *body(RIGHT)])
    whole, *told = read_back.text.split("\n\n")
    assert whole == " ".join([*LEFT, *RIGHT])
    assert told == [f"[^1]: {NOTE[0][3:].replace('(', '[').replace(')', ']')}", f"[^2]: {NOTE[1][3:]}"]
    assert [paragraph.text for paragraph in split_paragraphs(read_back.text)] == [whole]


@pytest.mark.issue(4)
def test_small_numbered_lines_above_text_or_in_a_document_of_their_own_are_text():
    small = body(NOTE, top=520, size=7)
    assert "[^" not in read([*small, *body(LEFT)]).text  # above the text
    assert "[^" not in read(body([f"{n}. {line}" for n, line in enumerate(LEFT, 1)], size=7)).text  # all is so small
    assert "[^" not in read([*body(LEFT), *notes(["3.2 per cent of it is lost."])]).text  # a figure, and no number


@pytest.mark.issue(4)
def test_small_numbered_points_that_nothing_in_the_text_refers_to_are_text():
    points = ["1. The board should sell both of its yards.", "2. The town should not pay for CO2 in 2031."]
    text = [RIGHT[0], "which may be true of 2 or 3.1 of them."]
    assert "[^" not in read([*body(text), *notes(points)]).text
    raised = (503, 300, 6, "F1", "1")
    told = read([*body(text[:1]), raised, *body(text[1:], top=488), *notes(points)]).text.split("\n\n")
    assert told[1:] == [f"[^1]: {points[0][3:]} {points[1]}"]


@pytest.mark.issue(4)
def test_titles_and_boxes_are_told_by_their_letters():
    first = [LEFT[0], "set up, and two of them have never paid anything back."]
    second = [LEFT[2], "sold, and they did not end before the last ship had left."]
    lines = [
        *body(["Yards and Quays"], top=520, size=11, font="F2"),
        *body(first, top=508),
        *body(["What the board says"], top=484, font="F2"),
        *body(second, top=472),
        *body(["Box 1. Lorn"], top=448, size=8, font="F2"),
        *body(["The town sold its quay. It has not bought it back."], top=439, size=8),
    ]
    assert read(lines).text.split("\n\n") == [
        "# Yards and Quays",
        " ".join(first),
        "# What the board says",
        " ".join(second),
        "Box 1. Lorn",
        "The town sold its quay. It has not bought it back.",
    ]


@pytest.mark.issue(4)
def test_a_bold_line_within_a_sentence_is_no_heading():
    lines = [*body(LEFT[:1]), *body([LEFT[1].title()], top=488, font="F2"), *body(LEFT[2:], top=476)]
    assert read(lines).text == " ".join([LEFT[0], LEFT[1].title(), *LEFT[2:]])


@pytest.mark.issue(4)
def test_letters_of_scanned_text_that_differ_from_line_to_line_part_nothing():
    told = [
        "The board of Lorn, said",
        "Ada Lind of the Quay",
        "Bank, has sold both the",
        "Old Pier and the Yard",
        "to Bo Tarn.",
    ]
    lines = [(500 - 12 * n, 60, 9 + n % 3, "F1", line) for n, line in enumerate(told)]
    assert read(lines).text == " ".join(told)


@pytest.mark.issue(4)
def test_first_lines_that_are_set_in_begin_paragraphs_behind_full_lines():
    texts = [
        "The pier was sold to the men of Lorn.",
        "They paid for it in timber and in tar.",
        "The clerk was not sure.",
    ]
    narrow = [(500 - 12 * n, 60 + 9 * (n == 1), 10, "F1", line) for n, line in enumerate(texts)]
    assert read(narrow).text.split("\n\n") == [texts[0], " ".join(texts[1:])]
    quoted = [(500 - 12 * n, 60 + 9 * (n > 0), 10, "F1", line) for n, line in enumerate(texts)]
    assert read(quoted).text == " ".join(texts)


@pytest.mark.issue(4)
def test_bullets_are_bullets_and_begin_lines():
    lines = [LEFT[3], "\u2022 the yards would close", "\u2022 the town would not bear it"]
    drawn = [line.replace("\u2022", "\x7f") for line in lines]
    assert read(body(drawn)).text == join_pages([lines])[0] == "\n".join(lines)


@pytest.mark.issue(4)
def test_pages_are_counted_where_one_is_blank_and_a_paragraph_goes_on_over_two():
    found = read(body(LEFT[:2]), body(LEFT[2:]), [], body(["It is over, and it is good."]))
    second = found.text.index(LEFT[2])
    assert [found.find_page(place) for place in (0, second - 1, second, len(found.text) - 1)] == [1, 1, 2, 4]
    assert extract_document(b"One.\n\nTwo.", suffix=".txt", name="x").find_page(0) is None


@pytest.mark.issue(4)
def test_classify_tells_the_page_of_each_paragraph_of_a_pdf_alone(tmp_path, classify):
    content = draw_pdf([body(["The pier is sold."]), body(["The yard is not sold."], top=540)])
    (tmp_path / "a.pdf").write_bytes(content)
    (tmp_path / "b.txt").write_text("The quay is sold.")
    paths = [str(tmp_path / name) for name in ("a.pdf", "b.txt")]
    for arguments, stdin, pages in ((paths, b"", ["1", "2", ""]), (["-"], content, ["1", "2"])):
        header, *rows = classify(*arguments, "--format", "csv", stdin=stdin).stdout.decode().splitlines()
        assert header.split(",")[:6] == ["id", "document", "paragraph", "start", "end", "page"]
        assert [row.split(",")[5] for row in rows] == pages
    assert "page" not in classify(paths[1], "--format", "csv").stdout.decode().split("\n")[0].split(",")


@pytest.mark.issue(4)
def test_a_title_stays_that_runs_through_the_pages_behind_it():
    title = "Quays and Yards"
    first = [*body([title], top=540, size=18), *body(LEFT)]
    heads = {
        title: RIGHT,
        "Papers of the Quay": ["It may not be true, either.", "The clerk would not say which it was."],
    }
    left, right = ([*body([head], top=590, size=8), *body(lines)] for head, lines in heads.items())
    for pages in ([first, left, right, left], [first, left, right]):
        text = read(*pages).text
        assert (text.split("\n\n")[0], text.count(title)) == (f"# {title}", 1)


@pytest.mark.issue(4)
def test_lines_at_the_edge_are_dropped_by_their_place_and_not_where_a_sentence_ends():
    def page(number):
        return [
            *body(LEFT, top=400),
            (50, 60, 10, "F1", f"So it was in case {number}."),
            (30, 60, 8, "F1", f"Lorn, {number}"),
        ]

    text = read(page(1), page(2)).text
    assert [f"case {number}." in text for number in (1, 2)] == [True, True]
    assert "Lorn," not in text
    assert "Lorn, 1" in read(page(1)).text  # of one page nobody can say what runs through it


@pytest.mark.issue(4)
def test_notes_above_a_footer_that_wide_margins_set_high_are_no_text():
    def page(number):
        footer = (95, 60, 10, "F1", f"Institute of Quays | www.quays.example | {number}")
        return [*body([*LEFT, *RIGHT]), *notes(top=130), footer]

    text = read(page(1), page(2)).text
    assert "Institute" not in text
    assert text.count(f"are told that {RIGHT[0]} {RIGHT[1]}") == text.count("[^1]: Dock and Lane") == 2
    # What one page has, and cells that differ in figures alone, are text.
    assert "Institute" in read(page(1), body(LEFT)).text
    cells = read(*([*body(LEFT), (95, 60, 10, "F1", f"1{n} 2{n}")] for n in (1, 2))).text
    assert ("11 21" in cells, "12 22" in cells) == (True, True)


@pytest.mark.issue(4)
def test_a_page_of_small_numbered_lines_is_looked_through_a_bounded_number_of_times():
    lines = [Line("* small", 300.0, 60.0, 7.0)] * 20_000
    texts = [Line("Text* below them all.", 10.0, 60.0, 10.0)] * 20_000
    begun_s = time.process_time()
    kept, found = take_notes([Page([*lines, *texts], 0, 600)], 10.0)
    assert time.process_time() - begun_s < 20  # minutes if each looks through all
    assert (len(kept[0].lines), found) == (40_000, [])


@pytest.mark.issue(4)
@pytest.mark.parametrize("media", ["", "/MediaBox null", "/MediaBox [0 0]", "/MediaBox [0 0 0 0]"])
def test_pages_that_do_not_say_how_large_they_are_are_read(media):
    text = extract_document(draw_pdf([[*body(LEFT), *notes()]] * 2, media), suffix=".pdf", name="x").text
    assert text.count("loans were meant") == 2  # no line of a page is known to stand at its edge
    assert "[^" not in text


@pytest.mark.issue(4)
def test_the_corners_of_a_page_stand_in_any_order():
    pages = [[*body(LEFT), FOOTER], [*body(LEFT), FOOTER]]
    turned = extract_document(draw_pdf(pages, "/MediaBox [400 600 0 0]"), suffix=".pdf", name="x").text
    assert turned == read(*pages).text == " ".join([*LEFT, *LEFT])


@pytest.mark.issue(4)
def test_one_paragraph_of_very_many_lines_is_put_together_in_linear_time():
    page = [line for n in range(40_000) for line in (f"quay {n} and pier-", "side of it", "")]
    begun_s = time.process_time()
    text, starts = join_pages([page, ["and the end."]])
    assert time.process_time() - begun_s < 30  # ten minutes if each gap has it looked through
    assert text.startswith("quay 0 and pierside of it quay 1 and pierside")
    assert text[starts[1] :] == "and the end."
