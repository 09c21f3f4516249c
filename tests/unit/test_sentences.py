import time

import pytest

from twohands.sentences import group_sentences, split_sentences


def texts(text):
    return [sentence.text for sentence in split_sentences(text)]


@pytest.mark.parametrize(
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
def test_sentences_are_found(text, expected):
    assert texts(text) == expected


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


@pytest.mark.parametrize("text", ["." * 100_000, ". " * 50_000, "\n " * 50_000, "\n" + " " * 99_999, 'a."' * 33_333])
def test_no_text_takes_long(text):
    before_s = time.process_time()
    split_sentences(text)
    assert time.process_time() - before_s < 1.0
