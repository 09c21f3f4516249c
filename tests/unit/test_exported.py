"""What programs write into a text when they export it is not read, and offsets point at the raw text."""

import time

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.exported import blank_exported

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."


def texts_of(text):
    assert len(blank_exported(text, lambda: None).text) == len(text)
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize("line_end", ["\u2028", "\x85", "\x0b", "\\n", "\\r\\n", "\r\r\n"])
def test_line_ends_that_few_programs_write_part_paragraphs(line_end):
    raw = line_end.join(["Loans", "", FIRST, "", LAST])
    assert texts_of(raw) == [FIRST, LAST]
    assert [raw[p.start : p.end] for p in split_paragraphs(raw)] == [FIRST, LAST]


def test_a_break_within_a_paragraph_parts_none_and_a_path_holds_no_line_ends():
    for soft in "\u2028\x0b\x85":
        assert texts_of(f"{FIRST}{soft}{LAST}\n\n{LAST}") == [f"{FIRST} {LAST}", LAST]
        assert texts_of(f"{FIRST}{soft}{soft}{LAST}\n\n{LAST}") == [FIRST, LAST, LAST]
    path = f"They keep it in C:\\notes\\new. {FIRST}"
    assert texts_of(path) == [path]
    assert texts_of(f"{FIRST}\\nis no line end where it stands once.") == [
        f"{FIRST}\\nis no line end where it stands once."
    ]


@pytest.mark.parametrize(
    "text",
    [
        'They keep it in "C:\\notes.\\new" and "C:\\notes", said the clerk.',
        'In most languages "\\n" ends a line. The words "a.\\nb" have two of them.',
        "The price is $\\nu = \\rho \\tau$.\\newline Its \\nabla is small. \\New is what it is not.",
        "The tag <p> opens a paragraph and </p> ends it. A <div> is ended by </div>, which few know.",
        "Write each <li> of the list, and end with </ul>. Then comes </p> or </div>.",
    ],
)
def test_what_is_said_of_paths_formulas_and_tags_is_text(text):
    assert texts_of(f"{text} {FIRST}") == [f"{text} {FIRST}"]


def test_tags_and_entities_in_plain_text_are_no_words():
    raw = f"<h2>Loans</h2><p class='a'>{FIRST}</p>\n<p>{LAST}<br/>\n&amp; so on, it&#8217;s said.</p>"
    raw += "<ul><li>We lend</li></ul>"
    first, last, item = split_paragraphs(raw)
    assert (first.text, first.section, raw[first.start : first.end]) == (FIRST, "Loans", FIRST)
    assert (last.text, item.text) == (f"{LAST} & so on, it\u2019s said.", "- We lend")
    assert texts_of(f"{FIRST}<br><br>{LAST}<br><br>{FIRST}") == [FIRST, LAST, FIRST]
    assert texts_of(f"{LAST}\n\n{FIRST}</p>\n\n{LAST}") == [LAST, f"{FIRST}</p>", LAST]


def cues(*lines, form="{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{line}\n\n"):
    return "".join(form.format(n=n, line=line) for n, line in enumerate(lines, start=1))


FORMS = [
    "{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{line}\n\n",
    "00:{n:02}.000 --> 00:{n:02}.900 align:start\n<i>{line}</i>\n\n",
    "{n}\r\n00:00:{n:02},000 --> 00:00:{n:02},900\r\n{{\\an8}}{line}\r\n\r\n",
]


@pytest.mark.parametrize("form", FORMS)
def test_cues_of_subtitles_are_joined_to_paragraphs(form):
    words = FIRST.split()
    raw = cues(*(" ".join(words[n : n + 4]) for n in range(0, len(words), 4)), form=form)
    assert texts_of(f"WEBVTT\nKind: captions\n\nNOTE of the clerk\nto all\n\n{raw}" if "." in form[:9] else raw) == [
        FIRST
    ]
    many = split_paragraphs(cues(*[FIRST, LAST] * 10, form=form))
    assert [len(p.text.split()) for p in many] == [78] * 5
    # A machine writes down no sentences.
    assert len(texts_of(cues(*(f"we lend to yard {n} of" for n in range(50)), form=form))) == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_one_cue_is_one_of_subtitles_and_an_article_that_quotes_one_is_none(form):
    raw = cues(FIRST, form=form)
    for head in ("", "\ufeff", "\r\n\r\n", "WEBVTT\n\n", "\ufeffWEBVTT - of the clerk\n\nNOTE to all\n\n"):
        assert texts_of(head + raw) == [FIRST]
    for head in ("WEBVTT \n", "WEBVTT\r\n", "WEBVTT FILE\n", "WEBVTT Kind: captions; Language: en\n"):
        assert texts_of(f"{head}\n{raw}") == [FIRST]
    for quoted in (f"{LAST}\n\n{raw}", f"WEBVTT\n\n{LAST}", f"WEBVTT is a format for what is said: {LAST}\n\n{raw}"):
        assert blank_exported(quoted, lambda: None).text.split() == quoted.split()


def test_an_article_that_quotes_subtitles_keeps_its_paragraphs():
    quoted = cues("We lend.", "We lose.", "We pay.")
    assert texts_of(f"{FIRST}\n\n{LAST}\n\n{quoted}{FIRST}\n\n{LAST}") == [
        FIRST,
        LAST,
        "We lend. We lose. We pay.",
        FIRST,
        LAST,
    ]
    # A cue may hold a blank line.
    assert texts_of(cues("We lend to the\n\nyards of the north,", "and to those", "of the south.")) == [
        "We lend to the yards of the north, and to those of the south."
    ]


def test_words_beside_a_time_and_between_less_and_more_are_no_marks():
    log = "\n".join(f"10:1{n}.000 --> 10:1{n}.900 The loan was paid to the yard of the north." for n in range(4))
    assert "paid to the yard" in " ".join(texts_of(f"{log}\n\n{FIRST}"))
    spoken = cues("With growth <3 per cent", "or a debt >60 per cent", "no yard is lent to.")
    assert texts_of(spoken) == ["With growth <3 per cent or a debt >60 per cent no yard is lent to."]


def test_who_speaks_in_subtitles_begins_a_paragraph():
    named = split_paragraphs(cues("LIND: We lend", "to yards.", "TARN: Who pays?", "LIND: All pay.", "TARN: Not I."))
    assert [(p.speaker, p.text) for p in named][:2] == [
        ("LIND", "LIND: We lend to yards."),
        ("TARN", "TARN: Who pays?"),
    ]
    voices = ["<v Ada Lind>We lend", "<v Ada Lind>to yards.</v>", "<v Bo Tarn>Who pays?", "<v Ada Lind>All pay."]
    spoken = split_paragraphs(f"WEBVTT\n\n{cues(*voices)}")
    assert [(p.speaker, p.text) for p in spoken] == [
        ("Ada Lind", "Ada Lind: We lend to yards."),
        ("Bo Tarn", "Bo Tarn: Who pays?"),
        ("Ada Lind", "Ada Lind: All pay."),
    ]
    assert texts_of(cues("- We lend to yards.\n- Who pays?") * 3)[:2] == ["We lend to yards.", "Who pays?"]
    assert texts_of(cues(">> We lend to yards.", ">> Who pays?", "- All pay.")) == [
        "We lend to yards.",
        "Who pays?",
        "All pay.",
    ]


def test_short_turns_of_subtitles_are_no_headings_and_what_is_heard_between_them_is_not_read():
    heard = cues(
        "The state must steer the yards.",
        "[applause]",
        "LIND: But the market would",
        "have built them anyway.",
        "(APPLAUSE)\n\u266a \u266a",
        "- The tariff must go, because",
        "- [laughter]",
        "- it should go.",
    )
    assert texts_of(heard) == [
        "The state must steer the yards.",
        "LIND: But the market would have built them anyway.",
        "The tariff must go, because",
        "it should go.",
    ]
    # What a machine hears has no stops.
    assert texts_of(cues(">> who pays for it", ">> [Applause]", ">> they all do")) == ["who pays for it", "they all do"]
    # Beside the cues headings are headings.
    assert texts_of(f"WEBVTT\n\n{heard}Who wrote this down\n\n{FIRST}")[-1] == FIRST
    assert "Who wrote" not in " ".join(texts_of(f"{heard}Who wrote this down\n\n{FIRST}"))


def test_captions_that_roll_up_are_read_once():
    lines = [
        "so who pays for the new yards",
        "is what they ask us in the",
        "north and what the state says",
        "is that it pays for them",
    ]
    stamp = "00:00:{n:02}.000 --> 00:00:{n:02}.900 align:start position:0%\n"
    # As YouTube has it: the new line word by word below the one above, and then that alone.
    rolling = "WEBVTT\nKind: captions\n\n"
    for n, line in enumerate(lines):
        timed = "".join(f"<00:00:{n:02}.{k}00><c> {word}</c>" for k, word in enumerate(line.split()[1:]))
        rolling += stamp.format(n=n) + (lines[n - 1] if n else " ") + f"\n{line.split()[0]}{timed}\n\n"
        rolling += stamp.format(n=n) + f"{line}\n \n\n"
    assert texts_of(rolling) == [" ".join(lines)]
    # As on television, two and three lines at a time.
    for most in (2, 3):
        shown = ["\n".join(lines[max(0, n - most + 1) : n + 1]) for n in range(len(lines))]
        assert texts_of(cues(*shown)) == [" ".join(lines)]
    # What is said twice is said twice.
    twice = ["Who pays?", "Who pays?", *(f"Town {n} pays for it." for n in range(9))]
    assert texts_of(cues(*twice))[0].startswith("Who pays? Who pays? Town 0")
    assert texts_of(cues("And [Music] then [ __ ] the", "state [of Lorn] pays.", "So it does.")) == [
        "And then the state [of Lorn] pays. So it does."
    ]


def test_times_beside_a_video_are_not_read_and_those_of_a_blog_part_its_entries():
    words = FIRST.rstrip(".").lower().split()
    raw = "".join(f"0:{n:02}\n{' '.join(words[n : n + 3])}\n" for n in range(0, len(words), 3))
    assert texts_of(raw) == [" ".join(words)]
    blog = "\n".join(f"14:0{n}\n{entry}" for n, entry in enumerate([FIRST, LAST] * 4))
    assert texts_of(blog) == [FIRST, LAST] * 4
    entries = [f"The yard of port {n} is to be sold by the state." for n in range(8)]
    assert texts_of("\n".join(f"14:0{n}\n{entry}" for n, entry in enumerate(entries))) == entries


@pytest.mark.parametrize(
    "form",
    [
        "00:00:0{n} {name}\n{words}\n\n",
        "{name}  0:0{n}\n{words}\n\n",
        "[00:00:0{n}] {name}: {words}\n",
        "[02/05/2031, 10:0{n}:44] {name}: {words}\n",
        "{name}  10:0{n} AM\n{words}\n",
    ],
)
@pytest.mark.parametrize("names", [("Ada Lind", "Bo Tarn"), ("Speaker 1", "Speaker 2")])
def test_names_beside_times_are_speakers(form, names):
    said = [(names[0], FIRST), (names[1], LAST), (names[0], LAST)]
    raw = "".join(form.format(n=n, name=name, words=words) for n, (name, words) in enumerate(said))
    found = split_paragraphs(raw)
    assert [(p.speaker, p.text) for p in found] == [(name, f"{name}: {words}") for name, words in said]
    assert all(raw[p.start : p.end].endswith(words) for p, (_, words) in zip(found, said, strict=True))


def test_hostile_exports_take_linear_time():
    began = time.process_time()
    for raw in (
        "\u200b " * 20_000 + "a" + "\n\u200b" * 20_000,
        "\u2028 " * 20_000,
        "<p>a" * 10_000,
        "0:01\na\n" * 5000,
        cues(*["<v a"] * 3) + "<a " * 10_000,
        "<br>" * 10_000,
    ):
        blank_exported(raw, lambda: None)
    for raw in ("a\n\n1 Ab c d e\n" * 2000, "a\n\n12\n\n" * 5000, "\f " * 20_000, "a b\f" * 5000, "x" + "\n " * 20_000):
        blank_exported(raw, lambda: None)
    marks = "".join(f"word{n}.\n\n{n} Abcd efgh ijkl mnop\n" for n in range(1, 999))
    for raw in (marks * 8, "a[1]\n\n[1] b\n\n" * 5000, "a\u00b9\n\n\u00b9a\n\n" * 5000):
        blank_exported(raw, lambda: None)
    assert time.process_time() - began < 3


def test_a_paragraph_tells_whether_more_than_its_words_stands_in_its_place():
    plain, broken = split_paragraphs(f"{FIRST}\u2028{LAST}\n\n<p>{FIRST}<br>{LAST}</p><p></p>")
    assert (plain.is_broken, broken.is_broken) == (False, True)
    assert broken.text == f"{FIRST} {LAST}"


SIGNS = ["\u200b", "\u200d", "\u200e", "\u200f", "\u202c", "\u2060", "\u2069", "\ufeff", " \u200b\u00a0\u200e"]


@pytest.mark.parametrize("sign", SIGNS)
def test_what_nobody_sees_at_the_edge_of_a_line_is_a_space(sign):
    raw = f"{FIRST}\n\nWe sell it.{sign}\n\n{LAST}"
    found = split_paragraphs(raw)
    assert [p.text for p in found] == [FIRST, "We sell it.", LAST]
    assert [raw[p.start : p.end] for p in found] == [FIRST, "We sell it.", LAST]
    assert texts_of(f"{FIRST}\n{sign}\n{LAST}\n{sign}\n{FIRST}") == [FIRST, LAST, FIRST]
    words = LAST.split()
    wrapped = f"{' '.join(words[:9])}{sign}\n{' '.join(words[9:])}"
    (paragraph,) = split_paragraphs(wrapped)
    assert (paragraph.text, paragraph.is_broken) == (LAST, False)


def test_a_byte_order_mark_that_begins_a_line_or_a_text_and_signs_in_words_stay():
    for raw in (f"\ufeff# Loans\n\n{FIRST}\n\n\ufeff# Prices\n\n{LAST}", f"\ufeff{FIRST} a\u200db", "\u200b"):
        assert blank_exported(raw, lambda: None).text == raw
    assert [p.section for p in split_paragraphs(f"\ufeff# Loans\n\n{FIRST}\n\n\ufeff# Prices\n\n{LAST}")] == [
        "Loans",
        "Prices",
    ]


def test_a_first_line_that_begins_in_lower_case_is_no_headline_behind_a_byte_order_mark_either():
    head = "iron is what we make here and there\nAnd what we sell is wool and timber"
    assert texts_of(f"\ufeff{head}\n\n{FIRST}") == texts_of(f"{head}\n\n{FIRST}") == [head.replace("\n", " "), FIRST]


@pytest.mark.parametrize(
    "said",
    ["\u201eWir verkaufen es.\u201c", "\u201aWir zahlen.\u2018", "\u201eWer zahlt?\u201c", "\u00bbWir zahlen.\u00ab"],
)
def test_german_quotes_close_a_sentence(said):
    assert texts_of(f"{FIRST}\n\n{said}\n\n{LAST}") == [FIRST, said, LAST]
