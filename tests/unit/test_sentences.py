import random
import time

import pytest

from twohands.sentences import count_sentences, find_sentences, group_sentences, split_sentences


def texts(text):
    return [sentence.text for sentence in split_sentences(text)]


COMMON = pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One ends. Two begins! Three?", ["One ends.", "Two begins!", "Three?"]),
        (
            "The U.S. Treasury, led by Mr. Smith, paid $1.5 bn (No. 5). J. P. Morgan did not.",
            ["The U.S. Treasury, led by Mr. Smith, paid $1.5 bn (No. 5).", "J. P. Morgan did not."],
        ),
        (
            'He asked: "Why?" She said: “Because.” Then… Nothing.',
            ['He asked: "Why?"', "She said: “Because.”", "Then…", "Nothing."],
        ),
        ("in 2021. 45 plants closed. e.g. this one did.", ["in 2021.", "45 plants closed. e.g. this one did."]),
        ("贷款。银行\uff01好", ["贷款。", "银行\uff01", "好"]),
        ("no end", ["no end"]),
        ("A wrapped\r\nline. And\none more.", ["A wrapped\r\nline.", "And\none more."]),
        ("a heading\n\nits paragraph", ["a heading", "its paragraph"]),
        (" \n ", []),
        ("", []),
    ],
)


@COMMON
def test_sentences_are_found(text, expected):
    assert texts(text) == expected
    assert [sentence.text for sentence in find_sentences(text)] == expected


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "expected",
    [
        ["It ended on Tuesday.[1]", "The ministry took it.[2][3]", "It rained.[4]"],
        ["It ended on Tuesday.1", "The ministry took it.12", "45 mills closed.123"],
        ["It ended on Tuesday.\u00b9", "\u201cThe ministry took it.\u201d\u00b2\u00b3", "It rained.\u2074"],
        ['"It ended." [1]', '"It rained."2', "(It froze.)[^note]", "It thawed![a]", "Why?[note 5]", "So it was."],
        ["It rose by 3.5 The bank said No.12 The clerk read p.5 The board Art.6 The end.[1]", "It rained."],
        ["It ended.", "iPhone makers fell.", "eBay rose, approx. iPhone. and so on."],
        [
            "It ended in the U.S.",
            "The ministry of the U.S. Treasury and of Acme Inc. Holdings sold Acme Inc.",
            "It rained.",
        ],
        ["It rained in Washington, D.C.", "A cold evening for J. A. Smith of St. The Hague."],
        ["1. It ended on Tuesday.", "2. The ministry took it.", "3. It rained."],
        ["\u8d37\u6b3e\u3002[1]", "\u94f6\u884c\uff01\u00b2", "\u597d"],
    ],
)
def test_a_reader_is_shown_sentences_with_the_marks_of_their_notes(expected):
    gap = "" if "\u3002" in expected[0] else " "
    assert [sentence.text for sentence in find_sentences(gap.join(expected))] == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["The vote began at 5 p.m. Monday and at 9 a.m. Eastern.", "It ended late."],
        ["The vote ended at 5 p.m.", "The house rose.", "It met at 9 a.m.", "\u201cWe won\u201d, said the clerk."],
        [
            "In Mill v. Harbour Board the court ruled.",
            "In Sens. Dale and Doe it had friends, as in Reps. Hill and Lee.",
        ],
        ["See 89 Fed. Reg. 1234 and Pub. L. 117-2 of last year.", "All waited for the Fed.", "It did nothing."],
        ["He quoted p. 5 of it to Adm. Dale, Maj. Doe, Capt. Lee, Rev. Hill and Messrs. Moss.", "They left."],
        ["It ended with p.", "So be it."],
    ],
)
def test_a_reader_is_shown_no_sentence_that_is_cut_at_an_abbreviation(expected):
    text = " ".join(expected)
    assert [sentence.text for sentence in find_sentences(text)] == expected
    assert texts("In Mill v. Harbour it ruled.") == ["In Mill v.", "Harbour it ruled."]  # as labels files count them


@pytest.mark.issue(4)
@pytest.mark.parametrize("quotes", ["\u201e\u201c", "\u201a\u2018", "\u00bb\u00ab", "\u00ab\u00bb", "\u2039\u203a"])
def test_a_reader_is_shown_sentences_in_quotes_of_other_languages(quotes):
    first, last = quotes
    quoted = f"{first}Sell the mills!{last}"
    expected = [f"He said: {quoted}", f"{first}So it was.{last}[1]", quoted, "Nobody came.", "It rained."]
    assert [sentence.text for sentence in find_sentences(" ".join(expected))] == expected
    assert [sentence.text for sentence in find_sentences(f"It ended. {quoted}")] == ["It ended.", quoted]
    assert len(find_sentences(f"{quoted} said the clerk, and {first}nobody{last} came.")) == 1


@pytest.mark.issue(2)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "marks", [("\u2022", "\u2022", "\u2022"), ("-", "-", "-"), ("(a)", "(b)", "(c)"), ("1.", "2.", "13.")]
)
def test_items_of_a_list_are_parted(marks, line_end):
    items = [f"{marks[0]} the mills", f"{marks[1]} the grid,{line_end}  which is old", f"  {marks[2]} the banks"]
    raw = line_end.join(["They shall take", *items])
    sentences = find_sentences(raw)
    assert [sentence.text for sentence in sentences] == ["They shall take", *(item.strip() for item in items)]
    assert [raw[sentence.start : sentence.end] for sentence in sentences] == [sentence.text for sentence in sentences]
    assert len(find_sentences(f"The plan{line_end}\u2013 which failed {line_end}(c) was old.")) == 1


@pytest.mark.issue(3)
def test_the_sentences_that_labels_files_count_stay_as_they_were():
    # `excerpt_of` lines of data/readings speak of sentences by number: cut elsewhere, labels would go to other words.
    for text in (
        "It ended.[1] The ministry took it.2 It rained.",
        "It ended in the U.S. The ministry took it",
        "- a\n- b",
    ):
        assert texts(text) == [text]
    assert texts("1. It ended. iPhone makers fell.") == ["1.", "It ended. iPhone makers fell."]


PIECES = [
    "Prices", "fell", "iPhone", "U.S", "Mr", "ab", "3", "12", "a", "ii", ".", ".", ".", "!", "?",
    "\u2026", "\u3002", "\uff01", " ", " ", " ", "\t", "\n", "\n", "\r\n", "\r", '"', "'", "\u2019", "\u201d", "\u201c",
    "\u201e", "\u201a", "\u2018", "\u00ab", "\u00bb",
    ")", "(", "]", "[", "[1]", " [note 5]", "[^note]", "[citation needed]", "\u00b9", "\u2074",
    "-", "\u2022", "\uf0b7", "1.", "(a)", "\u94f6", "\u00e9", "\u2029",
]  # fmt: skip


@pytest.mark.issue(4)
def test_no_text_has_more_sentences_than_are_counted():
    draw = random.Random(4)
    n_more = n_found = 0
    for _ in range(20_000):
        text = "".join(draw.choices(PIECES, k=draw.randint(1, 40)))
        found, counted = len(find_sentences(text)), count_sentences(text, most=1000)
        assert counted >= found, text
        assert count_sentences(text, most=3) == min(counted, 3)
        n_more, n_found = n_more + counted - found, n_found + found
    assert n_found > 30_000
    assert n_more < n_found  # of text that is all marks and abbreviations


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "text",
    [
        "Prices rose. Banks fell! Ports shut? So it is.",
        "It rose by 3.5% in 2021, i.e. by half, and e.g. mills grew.  It fell.\n",
        "A wrapped\nline. And\none more, of\nmany.",
        "We will:\n- buy chips\n- sell ports",
        "\u8d37\u6b3e\u3002\u94f6\u884c\uff01\u597d",
    ],
)
def test_sentences_of_plain_prose_are_counted_as_they_are_found(text):
    assert count_sentences(text, most=100) == len(find_sentences(text))


def test_offsets_lead_back_to_the_raw_text_and_nothing_is_lost():
    raw = "  One ends.\t Two begins!   \n\n Three (it seems). "
    sentences = split_sentences(raw)
    assert [raw[sentence.start : sentence.end] for sentence in sentences] == [sentence.text for sentence in sentences]
    assert "".join(sentence.text for sentence in sentences).replace(" ", "") == "".join(raw.split())


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40, 100])
def test_groups_are_few_even_and_complete(n):
    raw = " ".join(f"Sentence {number}." for number in range(n))
    groups = group_sentences(raw, split_sentences(raw), most=16)
    assert len(groups) == min(n, 16)
    assert " ".join(group.text for group in groups) == raw
    sizes = [group.text.count("Sentence") for group in groups]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "." * 100_000,
        ". " * 50_000,
        "\n " * 50_000,
        "\n" + " " * 99_999,
        'a."' * 33_333,
        "a.[1]" * 20_000,
        "ab." + "[1] " * 25_000,
        "U.S. The " * 11_000,
        "- a\n" * 25_000,
        "\n" + "-" * 99_999,
        "ab.1" * 25_000,
    ],
)
def test_no_text_takes_long(text):
    before_s = time.process_time()
    split_sentences(text)
    find_sentences(text)
    count_sentences(text, most=10**9)
    assert time.process_time() - before_s < 1.0
