"""A paragraph of a transcript is one speaker's, and says whose; other texts have no speakers."""

import csv
import json
import time
from itertools import product

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_text
from twohands.speakers import find_turns

LONG = "The ministry told the state banks to lend to the makers of chips before the winter."
OTHER = "Shop owners answered that prices, not plans, should say what is built and by whom."
HEARING = [
    "HOUSE COMMITTEE ON INDUSTRY\nHearing on the Bill",
    "The CHAIR: The committee will come to order.",
    f"Ms. HALVORSEN: {OTHER}",
    LONG,
    f"The Chair: {LONG}",
]


def turns_of(*pieces, between="\n\n"):
    return [(paragraph.speaker, paragraph.text) for paragraph in split_paragraphs(between.join(pieces))]


def speakers_of(*pieces, between="\n\n"):
    return [speaker for speaker, _ in turns_of(*pieces, between=between)]


def test_a_turn_goes_on_until_the_next_and_a_name_is_spelt_as_first():
    assert speakers_of(*HEARING) == ["The CHAIR", "Ms. HALVORSEN", "Ms. HALVORSEN", "The CHAIR"]
    for ends in ("\r\n\r\n", "\r\r", "\n \n"):
        assert speakers_of(*HEARING, between=ends) == speakers_of(*HEARING)


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("Q:", "A:", ["Q", "A"]),
        ("**Q:**", "**A**:", ["Q", "A"]),
        ("[Anna Berg](/anna):", "**[Tom Reed](https://a.example/tom)**:", ["Anna Berg", "Tom Reed"]),
        ("> Anna Berg:", "Tom Reed (Liberal):", ["Anna Berg", "Tom Reed (Liberal)"]),
        ("Speaker 1:", "Speaker 2:", ["Speaker 1", "Speaker 2"]),
        ("SPEAKER_00:", "SPEAKER_01:", ["SPEAKER_00", "SPEAKER_01"]),
        ("Speaker 1 (00:10):", "Speaker 12 (1:00:25):", ["Speaker 1", "Speaker 12"]),
        ("**Speaker 1:**", "Moderator 1:", ["Speaker 1", "Moderator 1"]),
        ("Mr. JONES.", "Senator O'NEIL of Ohio.", ["Mr. JONES", "Senator O'NEIL of Ohio"]),
        ("Mr van der Berg, MP:", "MODERATOR\uff1a", ["Mr van der Berg, MP", "MODERATOR"]),
        ("The Minister for Trade (Mr Archer):", "Moderator:", ["The Minister for Trade (Mr Archer)", "Moderator"]),
        ("Mr Archer (Leeds) (Lab)\n", "Mrs Brandt\n", ["Mr Archer (Leeds) (Lab)", "Mrs Brandt"]),
        ("Dr. \u00c9mile ZOLA:\n", "PRESIDENT \u00d6ZDEMIR:\n", ["Dr. \u00c9mile ZOLA", "PRESIDENT \u00d6ZDEMIR"]),
        ("Mr. McADAM.", "Ms. DeVRIES.", ["Mr. McADAM", "Ms. DeVRIES"]),
        ("Ms. N\u00da\u00d1EZ.", "Mr. LI.", ["Ms. N\u00da\u00d1EZ", "Mr. LI"]),
        ("Mr. \u00c1VILA of New Mexico.", "The Acting CHAIR.", ["Mr. \u00c1VILA of New Mexico", "The Acting CHAIR"]),
        ("The SPEAKER pro tempore (Ms. Li).", "Mr. REED.", ["The SPEAKER pro tempore (Ms. Li)", "Mr. REED"]),
        ("Ms REED (Hull\u2014Ports) (14:02):", "Mr LI (2.05 p.m.):", ["Ms REED (Hull\u2014Ports)", "Mr LI"]),
        (
            "The Prime Minister (Ann Lee)\n",
            "The Attorney General\n",
            ["The Prime Minister (Ann Lee)", "The Attorney General"],
        ),
        ("The Earl of Hull (CB)\n", "Viscount Reed\n", ["The Earl of Hull (CB)", "Viscount Reed"]),
        ("The Chancellor of the Exchequer (A. Lee)\n", "Ann Reed (Hull East) (Lab/Co-op)\n", None),
        ("The Parliamentary Under-Secretary of State for Ports and the Sea (A. Lee)\n", "Mr Reed\n", None),
        ("The Chief Secretary to the Treasury (Ann Lee)\n", "The Secretary of State for Trade (B. Lee)\n", None),
    ],
)
def test_names_are_known_by_what_they_look_like(first, second, names):
    names = names or [first.strip(), second.strip()]
    assert speakers_of(*(f"{mark} {LONG}" for mark in (first, second, first, second))) == names * 2


@pytest.mark.parametrize(
    "pieces",
    [
        [f"Energy: {LONG}", f"Transport: {LONG}", f"Housing: {LONG}", f"Energy: {LONG}"],
        [f"Target: {LONG}", f"Budget: {LONG}"] * 3,
        [f"Energy Policy: {LONG}", f"Climate Change: {LONG}", f"Human Rights: {LONG}"] * 2,
        [f"Chapter 1: {LONG}", f"Chapter 2: {LONG}", f"Table 2: {LONG}"] * 2,
        [f"Speaker Notes 1: {LONG}", f"Scenario_1: {LONG}", f"Region 2: {LONG}"] * 2,
        [f"NOTE: {LONG}", f"SOURCE: {LONG}"] * 3,
        [f"In short: {LONG}", f"We ask for two things: {LONG}"] * 3,
        [f"President Kent: {LONG}", LONG, f"President Kent: {OTHER}", f"President Kent: {LONG}"],
        [f"Mr Kent: {LONG}", f"Ms Berg: {OTHER}"],
        ["The WTO. It ruled for us.", "The EU. It did not."] * 2,
        [f"With OpenAI. {LONG}", f"In GeoIP. {OTHER}"] * 2,
        [f"Guide to Trade: {LONG}"] * 3,
        [f"{title}\n{LONG}" for title in ("Gross Product (Real) (2024)", "Steel Output (Tonnes) (2023)")] * 2,
        [f"{title}\n{LONG}" for title in ("President of France Says That Tariffs on Steel Will Rise", "Mr Reed")] * 2,
        [f"{title}\n{LONG}" for title in ("General Provisions", "The Parliamentary Office", "Prime Rates")] * 2,
    ],
)
def test_texts_that_are_no_transcripts_have_no_speakers(pieces):
    assert set(speakers_of(*pieces)) == {""}


@pytest.mark.issue(4)
def test_names_that_stood_with_an_office_or_a_seat_come_back_alone():
    """The official report has these once; what was said later was another's."""
    lines = ["Ann Reed (Hull East) (Lab)", "The Secretary of State for Trade (Tom Li)", "Ann Reed", "**Tom Li**"]
    pieces = [f"{line}\n\n{LONG}" for line in [*lines, "Mr Doe (Wyre) (Con)"]]
    assert speakers_of(*pieces) == [*lines[:3], "Tom Li", "Mr Doe (Wyre) (Con)"]
    # Nobody said that these are names.
    others = [f"{line}\n\n{LONG}" for line in ("Hull East", "Con", "Wyre", "Trade", "Ann Reed is here")]
    assert speakers_of(*pieces, *others) == [*speakers_of(*pieces), *["Mr Doe (Wyre) (Con)"] * 5]


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "lines",
    [
        [f"Attorney General Bonta {words}" for words in ("Sues Oil Firm", "Warns Landlords", "Joins Coalition")],
        ["Prime Minister Visits Steel Mill", "The First Minister Backs Plan", "Chancellor Raises Taxes"],
        ["Chancellor to Raise Taxes", "Chief Secretary Calls for Cuts", "Leader of the Opposition Attacks Budget"],
        ["SOLICITOR GENERAL APPEALS RULING", "**Bishop Speaks on Ports**", "Prime Minister of Peru Visits Mill"],
    ],
)
def test_headlines_that_begin_with_an_office_are_nobodys_name(lines):
    """What stood below was said by `Chancellor Raises Taxes`."""
    assert set(speakers_of(*(f"{line}\n\n{LONG}" for line in lines))) == {""}


@pytest.mark.issue(4)
def test_names_behind_an_office_are_of_one_word_or_come_again():
    names = [
        *("Viscount Reed", "Attorney General Bonta", "Attorney General for Northern Ireland", "The Vice Chair"),
        *("Chancellor of the Exchequer", "Viscount Reed of Hull", "The Chief Secretary to the Treasury"),
        *("Leader of the House of Lords", "Bishop of Hull", "The Under-Secretary of State for Ports"),
    ]
    assert speakers_of(*(f"{name}\n\n{LONG}" for name in names)) == names
    pieces = [f"{name}\n\n{LONG}" for name in ("Bishop Ann Mary Lee", "Mr Doe", "Prime Minister Tom Li")]
    assert set(speakers_of(*pieces, f"Bishop Ann Mary Lee: {OTHER}")) == {"Bishop Ann Mary Lee", "Mr Doe"}
    assert speakers_of(*pieces, *pieces) == ["Bishop Ann Mary Lee", "Mr Doe", "Prime Minister Tom Li"] * 2


@pytest.mark.issue(4)
def test_names_that_come_back_alone_are_turns_of_a_transcript():
    """Of four turns by two people two were counted, so that nobody spoke."""
    first, second = "The Prime Minister (Ann Lee)", "Jane Doe (Leeds East) (Lab)"
    for lines in ([first, second, "Ann Lee", "Jane Doe"], [second, "Tom Li (Hull) (Con)", "Jane Doe"]):
        assert speakers_of(*(f"{line}\n\n{LONG}" for line in lines)) == lines
    for lines in ([first, "Ann Lee", "Ann Lee"], ["The Minister (Ports)", "Mr Doe (Hull)", "Ports"]):
        assert set(speakers_of(*(f"{line}\n\n{LONG}" for line in lines))) == {""}
    indices = [f"{line} {LONG}" for line in ("Price Index (CPI):", "Gross Product (GDP):", "Price Index\n\n")]
    assert set(speakers_of(*indices)) == {""}


def test_another_section_is_nobodys_until_somebody_speaks():
    pieces = [*HEARING[1:3], "# Annex", LONG, "Mr. OKONKWO: The plan came first.", OTHER]
    assert speakers_of(*pieces)[2:] == ["", "Mr. OKONKWO", "Mr. OKONKWO"]


def test_turns_that_no_blank_line_parts_are_a_paragraph_each():
    """They were one of the state and of the market at once, with one answer."""
    wrapped = [
        "CHAIR: Good evening to all of you. We talk about who is to run the grid, and",
        "I would like to begin with the minister, who has ten minutes.",
        "MS BERG: The grid is a public good. We bought it back last year, and we will",
        "build the lines that no owner ever built, with money from the national fund --",
        "MR REED: And the bill went up by a fifth. Let three firms bid for each of the",
        "regions, as the committee of the house was told in spring by none other than",
        "Ms Berg: that is what she said then, and what happens to the price.",
        "CHAIR: Is that so, minister?",
    ]
    expected = ["CHAIR", "MS BERG", "MR REED", "CHAIR"]
    assert speakers_of(*wrapped, between="\n") == expected
    assert speakers_of("A title\n", *wrapped, between="\n") == expected
    found = [text for _, text in turns_of(*(f"  {line}" for line in wrapped), between="\r\n")]
    assert [text.split(":")[0] for text in found] == expected
    assert found[2].endswith("what happens to the price.")


def test_html_says_who_speaks_by_marks_or_by_headings():
    debate = "".join(f"<h4>{name}</h4><p>{LONG}</p><p>{OTHER}</p>" for name in ("Mr Archer (Hull)", "Mrs Brandt") * 2)
    marked = "".join(f"<p><b>{name}</b>: {LONG}</p><p>{OTHER}</p>" for name in ("Mr Archer (Hull)", "Mrs Brandt") * 2)
    for body in (debate, marked):
        page = f"<html><body><article><h1>Steel</h1>{body}</article></body></html>".encode()
        speakers = speakers_of(extract_text(page, suffix=".html", name="a.html"))
        assert speakers == (["Mr Archer (Hull)"] * 2 + ["Mrs Brandt"] * 2) * 2


@pytest.mark.parametrize(
    "text",
    [
        *(" " * 400_000, "A " * 200_000, "Mr A" + " B" * 200_000, "A.B" * 100_000, "Ab: " * 100_000, "A:\n" * 100_000),
        *("Mr A" + " (A)" * 25_000, ("Mr A" + " (A)" * 20 + "\n") * 999, "The " + "AB " * 33_000, "The AB\n" * 14_000),
        *(("The Minister of " + "A to " * 20 + "\n") * 900, "Mr. " + "AbABC" * 20_000, "Mr. A" + " of A A" * 15_000),
        "Earl of A and A B C\n" * 14_000,
    ],
)
def test_no_text_takes_long(text):
    begun = time.process_time()
    find_turns(text, lambda: None)
    assert time.process_time() - begun < 3


def test_work_can_be_given_up_also_while_lines_that_come_again_are_read():
    lines = "\n".join(f"Bishop A{a}{b} B{c}" for a, b, c in product("abcdefghijk", repeat=3))
    once, twice = [], []
    find_turns(lines, lambda: once.append(0))
    find_turns(f"{lines}\n{lines}", lambda: twice.append(0))
    assert len(twice) > 2 * len(once) + 10


def test_files_of_answers_say_who_speaks_and_are_summed_up_by_it(classify, tmp_path):
    (tmp_path / "a.txt").write_text("\n\n".join(HEARING), encoding="utf-8")
    (tmp_path / "b.txt").write_text(LONG, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(f'text,speaker\n"{LONG}",The CHAIR\n', encoding="utf-8")
    answers = [json.loads(line) for line in classify(tmp_path / "a.txt", tmp_path / "b.txt").stdout.splitlines()]
    expected = [*speakers_of(*HEARING), None]
    assert [answer.get("speaker") for answer in answers] == expected
    table = list(csv.DictReader(classify(tmp_path / "a.txt", "--format", "csv").stdout.decode().splitlines()))
    assert list(table[0])[4:8] == ["end", "section", "speaker", "stance"]
    assert [row["speaker"] for row in table] == expected[:-1]
    finished = classify(*tmp_path.iterdir(), "--summary", tmp_path / "sum.jsonl", "--by", "speaker")
    assert finished.code == 0, finished.stderr
    rows = [json.loads(line) for line in (tmp_path / "sum.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = [(row["document"], row["n_paragraphs"]) for row in rows]
    assert counts == [("Ms. HALVORSEN", 2), ("The CHAIR", 3), ("(none)", 1)]


def test_documents_are_summed_up_by_their_sections(classify, tmp_path):
    (tmp_path / "a.md").write_text(f"{LONG}\n\n# Ports\n\n{LONG}\n\n{OTHER}\n", encoding="utf-8")
    finished = classify("--summary", tmp_path / "s.csv", "--by", "section", stdin=(tmp_path / "a.md").read_bytes())
    assert finished.code == 0, finished.stderr
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as stream:
        assert [(row["document"], row["n_paragraphs"]) for row in csv.DictReader(stream)] == [
            ("Ports", "2"),
            ("(none)", "1"),
        ]


def test_short_turns_without_a_stop_are_one_speakers_and_those_who_are_interrupted_are_read():
    """Captions of several speakers were one paragraph of the first; a sentence that was cut short was a heading."""
    captions = [
        "JANE DOE: so we went and bought the whole grid",
        "TOM REED: right and who paid for all of that",
        "JANE DOE: the state did of course it always does",
        "TOM REED: and the price went up by a fifth",
    ]
    for between in ("\n\n", "\r\n \r\n"):
        assert turns_of(*captions, between=between) == [(each[:8], each) for each in captions]
    raw = "\n\n".join(captions)
    assert [raw[each.start : each.end] for each in split_paragraphs(raw)] == captions
    cut_short = "**Mr. REED:** We would --"
    assert turns_of(*HEARING[1:3], cut_short, HEARING[4])[2] == ("Mr. REED", "Mr. REED: We would --")
    assert len(turns_of(*HEARING[1:3], "Mr. REED: --", HEARING[4])) == 3


def test_a_short_turn_that_ends_without_a_stop_is_read_and_who_takes_part_is_not():
    turns = ["Ms. HALVORSEN: The market would have built them\n(Applause)", "Ms. HALVORSEN: It will stay, because"]
    texts = [text for _, text in turns_of(*HEARING[1:3], turns[0], HEARING[4], turns[1], HEARING[4])]
    assert [texts[2], texts[4]] == [" ".join(turns[0].split()), turns[1]]
    present = ["Chair: Ada Lind, professor of law", "Secretary: Tom Reed, who kept the minutes"]
    assert [text for _, text in turns_of(*present, *HEARING[1:])] == [text for _, text in turns_of(*HEARING[1:])]
    assert len(turns_of(*HEARING[1:3], "The Chair: Ports and Yards of the North", HEARING[4])) == 3


def test_offices_are_names_and_marks_are_none():
    pieces = [f"Minister for Industrial Strategy: {LONG}", f"__TOM REED__: {OTHER}", f"__TOM REED__: {LONG}"]
    assert speakers_of(*pieces) == ["Minister for Industrial Strategy", "TOM REED", "TOM REED"]


@pytest.mark.issue(4)
@pytest.mark.parametrize(("number", "between"), [("Q{} ", "\n\n"), ("Q{}.\t", "\n"), ("**Q{}** ", "\n\n")])
def test_the_number_of_a_question_is_no_part_of_a_name(number, between):
    asked = [number.format(n) + f"**{name}:** {LONG}" for n, name in ((9, "Chair"), (10, "Anna Berg"), (11, "Chair"))]
    pieces = [asked[0], f"**Dr Reed:** {OTHER}", asked[1], f"**Dr Reed:** {OTHER}", asked[2]]
    assert speakers_of(*pieces, between=between) == ["Chair", "Dr Reed", "Anna Berg", "Dr Reed", "Chair"]


@pytest.mark.issue(4)
@pytest.mark.parametrize("number", ["{}. ", "Q{}. [90421{}] "])
def test_a_numbered_question_is_not_the_words_of_whoever_spoke_before(number):
    first, second = (number.format(n, n) for n in (1, 2))
    asked = [f"{first}Anna Berg (Hull) (Lab): {LONG}", f"The Minister for Trade (Tom Reed): {OTHER}"]
    asked.append(f"Anna Berg: {LONG}")
    again = [f"{second}Sir Otto Lind (Quay North) (Con): {LONG}", f"The Minister for Trade: {OTHER}"]
    names = ["Anna Berg (Hull) (Lab)", "The Minister for Trade (Tom Reed)", "Anna Berg"]
    assert speakers_of(*asked, *again) == [*names, "Sir Otto Lind (Quay North) (Con)", "The Minister for Trade"]


@pytest.mark.issue(4)
def test_items_of_a_numbered_list_are_nobodys_words():
    assert not any(speakers_of(f"1. President: {LONG}", f"2. Secretary: {OTHER}", f"3. Treasurer: {LONG}"))
    assert not any(speakers_of(f"1. Energy (Grid) (Lines): {LONG}", f"2. Steel (Mills) (Plate): {OTHER}"))


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "words",
    [
        "HAS ADOPTED THIS REGULATION:", "HEREBY DECIDES AS FOLLOWS:", "BE IT ENACTED:",
        "NOW, THEREFORE, BE IT RESOLVED:", "WHEREAS:", "HAVE AGREED:",
        "Be It Enacted by the Parliament:", "HAT BESCHLOSSEN:", "A ADOPT\u00c9 LA LOI:",
        "THE BOARD OF TRADE DECIDES:",
    ],
)  # fmt: skip
def test_what_enacts_an_act_is_no_speaker(words):
    acts = [words, LONG, "HAS DECIDED:", OTHER]
    assert not any(speakers_of(*acts, *acts))
    assert speakers_of(f"Ms. REED: {LONG}", words, OTHER, f"Mr. LI: {LONG}", f"Ms. REED: {OTHER}")[-3:] == [
        "Ms. REED",
        "Mr. LI",
        "Ms. REED",
    ]
    assert speakers_of(f"HASSAN ALI: {LONG}", f"Ms. Resolva: {OTHER}", f"Hassan Ali: {LONG}")[0] == "HASSAN ALI"


@pytest.mark.issue(4)
def test_whom_a_letter_that_is_read_out_addresses_does_not_speak():
    pieces = [f"Ms. REED: {LONG}", f"Dear Senator Reed: {OTHER}", f"Mr. LI: {LONG}", f"Ms. REED: {OTHER}"]
    assert speakers_of(*pieces) == ["Ms. REED", "Ms. REED", "Mr. LI", "Ms. REED"]
    named = [piece.replace("REED", "DEAR").replace("Dear Senator", "To Senator") for piece in pieces]
    assert speakers_of(*named)[0] == "Ms. DEAR"


@pytest.mark.issue(4)
@pytest.mark.parametrize("dash", ["--", "\u2013", "\u2014"])
def test_a_name_with_a_post_behind_a_dash_speaks_below(dash):
    chief, analyst = f"Ada M. Reed {dash} Chief Executive Officer", f"**Bo Li {dash} Quay Bank {dash} Analyst**"
    assert speakers_of(chief, LONG, analyst, OTHER, chief, OTHER) == ["Ada M. Reed", "Bo Li", "Ada M. Reed"]
    headings = [f"Next Steps {dash} Energy", LONG, f"Main Aims {dash} Trade", OTHER]
    assert not any(speakers_of(*headings, *headings))
    said = f"Ada Reed {dash} Chief of the yards, as she calls herself {dash} would not say."
    assert not any(speakers_of(said, said, f"Bo Li {dash} he is an Analyst: {LONG}", said))


@pytest.mark.issue(4)
def test_a_heading_that_comes_again_with_an_office_behind_a_dash_does_not_speak():
    for pair in (
        ("Interest Rates -- Economist Views", "Steel Prices -- Analyst Views"),
        ("Press Release \u2014 Office of the President", "Media Note \u2014 Office of the President"),
    ):
        pieces = [each for heading in pair for each in (heading, LONG)]
        assert not any(speakers_of(*pieces, *pieces))
    posts = {
        "Ada Reed": "Vice President, Investor Relations",
        "Bo Li": "Head of Yards",
        "Cy Orm": "Chairman and Founder",
    }
    turns = [each for name, post in posts.items() for each in (f"{name} -- {post}", LONG)]
    assert speakers_of(*turns, *turns) == [*posts, *posts]


@pytest.mark.issue(4)
def test_what_minutes_record_is_said_by_nobody_and_the_turn_goes_on():
    turns = f"Ms. REED: {LONG}", f"Mr. LI: {OTHER}", f"Ms. REED: {LONG}"
    for recorded in (
        "Question put and agreed to.", "Question put, That the yards be sold.", "Amendment, by leave, withdrawn.",
        "The House divided: Ayes 12.", "House adjourned at 4 p.m. until the next day.", "Motion agreed to.",
    ):  # fmt: skip
        assert speakers_of(*turns, recorded, OTHER) == ["Ms. REED", "Mr. LI", "Ms. REED", "", "Ms. REED"]
    for said in (
        "Question put to me by the Chair: who pays?", "Motion after motion on yards was agreed to, and who was heard?",
        "The House divided us for years.", "The House adjourned the vote.", "Motion 5 was never agreed to.",
    ):  # fmt: skip
        assert speakers_of(*turns, said)[-1] == "Ms. REED"
