"""Titles of boxes and of sections of acts are not read, nor is what closes a letter or stands below a picture."""

import pytest

from tests.support.paragraphs import split_paragraphs

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."
TITLE = "Who owns the yards of the land and what they paid for them in all those years"
NAMES = "Ada Lind\nChair of the Board of Yards, the Union of Berths and the House of Trade in Lorn"


def texts_of(*pieces):
    return [paragraph.text for paragraph in split_paragraphs("\n\n".join(pieces))]


@pytest.mark.parametrize(
    "title",
    [
        f"Box 1: {TITLE}", f"**Box 2.3:** {TITLE}", f"**Box A** \u2014 {TITLE}", f"PANEL 3. {TITLE}",
        "SEC. 2. FINDINGS.", "SECTION 1. SHORT TITLE.", "\u00a7 12.\u00a0LOANS TO YARDS, AND OTHER\nAID OF THE STATE.",
        "SEC. 101A. REGISTER OF THE YARDS OF THE LAND, AND OF WHO OWNS THEM.",
        "Sec. 3. Definitions.", "Section 12. Short title and extent.", "Art. 4.1. Subject matter and\nscope.",
    ],
)  # fmt: skip
def test_a_title_is_not_read_however_long_it_is_or_ends(title):
    assert texts_of(FIRST, title, LAST) == [FIRST, LAST]
    assert texts_of(FIRST, LAST, title)[-1].startswith(title.strip("*")[:3])  # nothing follows


@pytest.mark.parametrize(
    "text",
    [
        f"Box 1: {TITLE}.", f"Boxes 1: {TITLE}", f"Box 1: {TITLE}, and who is to own them then",
        "Sec. 5. The State pays.", "Art. 4. Land belongs to all.", "Section 2. Banks decide.",
        f"Sec. 3. Definitions. {FIRST}",
        "SEC. 5. THE STATE SHALL PAY.", "SEC. 6. (a) The State pays.", f"SEC. 7. {FIRST}",
        "\u00a7 8. \u0411\u0430\u043d\u043a \u043f\u043b\u0430\u0442\u0438\u0442.",  # "Bank platit" in Cyrillic
    ],
)  # fmt: skip
def test_what_is_said_in_a_box_or_a_section_is_read(text):
    assert texts_of(FIRST, text, LAST) == [FIRST, text, LAST]


def test_a_box_whose_title_stands_in_the_lines_of_its_list_is_read():
    box = ["Box 2: What to do", "- Sell the yards of the land", "- Lend to no maker of chips"]
    assert texts_of(FIRST, "\n".join(box), LAST) == [FIRST, " ".join(box), LAST]


@pytest.mark.parametrize(
    "closing",
    [
        "Yours sincerely,",
        "Sincerely",
        "Respectfully submitted,",
        "With best wishes,",
        "Best,",
        "All the best,",
        "Many thanks,",
        "Cheers,",
    ],
)
def test_what_closes_a_letter_is_not_read(closing):
    for pieces in ([f"{closing}\n{NAMES}"], [closing, NAMES], [closing, *NAMES.split("\n"), "cc: Bo Tarn, Treasury"]):
        assert texts_of("Dear Minister,", FIRST, *pieces) == [FIRST]
        assert texts_of("Dear Minister,", FIRST, *pieces, LAST) == [FIRST, LAST]
        assert texts_of(*pieces)  # there is nothing else
    for said in (
        f"{closing}\n{LAST}",
        f"{closing}\nAda Lind\nP.S. Sell the yards.",
        f"{closing[:-1]} he asked for loans.",
    ):
        assert texts_of(FIRST, said, LAST) == [FIRST, " ".join(said.split()), LAST]


def test_what_follows_a_letter_is_read():
    points = ["We ask you to:", "(a) sell the yards;", "(b) lend to none."]
    assert texts_of(FIRST, "Sincerely,", "Ada Lind", *points)[-1] == " ".join(points)
    assert texts_of(FIRST, "Sincerely,", "Ada Lind", "# Annex", "Yards", "Berths") == [FIRST, "Yards Berths"]
    annex = [f"What yard {n} has been lent by the state" for n in range(10)]
    assert texts_of(FIRST, "Sincerely,", "Ada Lind", *annex)[-1].endswith(annex[-1])
    assert texts_of(FIRST, "Sincerely,", "Ada Lind", "P.S. Sell them.") == [FIRST, "P.S. Sell them."]


@pytest.mark.parametrize(
    "caption", ["Figure 3: The yards of Lorn hold fewer ships than at any time since they were built there.",
                "*The yards of Lorn hold fewer ships than at any time since they were built there.*"]
)  # fmt: skip
def test_a_caption_is_not_read_with_its_picture(caption):
    picture = "![The yards](yards.png)"
    for piece in (f"{picture}\n{caption}", f"{caption}\r\n{picture}", f"{picture} {picture}\n{caption}"):
        assert texts_of(FIRST, piece, LAST) == [FIRST, LAST]
    assert texts_of(FIRST, f"{picture}\n{LAST}") == [FIRST, LAST]
    assert texts_of(FIRST, f"{picture}\n{caption}\n{LAST}")[-1].endswith(LAST)
    assert texts_of(FIRST, f"*{LAST}*") == [FIRST, LAST]
