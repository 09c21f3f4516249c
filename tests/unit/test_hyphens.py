"""A word that was parted at the end of a line is put together, and a compound keeps its hyphen."""

import pytest

from twohands.hyphens import find_words, join_word
from twohands.pdf_join import join_lines


@pytest.mark.parametrize("hyphen", ["-", "\u2010"])
@pytest.mark.parametrize(
    ("so_far", "line", "expected"),
    [
        ("a plan of self", "reliance in chips", "a plan of self-reliance in chips"),
        ("The state", "owned yard", "The state-owned yard"),
        ("Long", "term loans", "Long-term loans"),
        ("an anti", "monopoly office", "an anti-monopoly office"),
        ("its pro", "market rules", "its pro-market rules"),
        ("a government", "backed loan", "a government-backed loan"),
        ("state-of-the", "art mills", "state-of-the-art mills"),
        ("it pro", "vides loans", "it provides loans"),
        ("its state", "hood is", "its statehood is"),
        ("the market", "ing board", "the marketing board"),
        ("the short", "age of", "the shortage of"),
        ("the high", "way to", "the highway to"),
        ("the lend", "ers lost", "the lenders lost"),
        ("self-reli", "ance is", "self-reliance is"),
        ("it co", "operates", "it cooperates"),
        ("they de", "controlled it", "they decontrolled it"),
        ("from hand", "to-mouth lives", "from hand-to-mouth lives"),
        ("a US", "led pact", "a US-led pact"),
        ("the x", "ray mill", "the x-ray mill"),
        ("the MARKET", "ing mill", "the MARKETing mill"),
        ("the \u00c9", "tat", "the \u00c9tat"),
        ("they ran a", "bout", "they ran about"),
    ],
)
def test_compounds_keep_their_hyphen_and_words_lose_it(so_far, line, expected, hyphen):
    joined = join_word(so_far + hyphen, line, frozenset())
    assert joined is not None
    assert joined.replace("\u2010", "-") == expected
    assert join_word(f"{so_far}\u00ad", line, frozenset()) == so_far + line  # which stands in no compound


@pytest.mark.parametrize(("so_far", "line"), [("state-", "Owned"), ("2031-", "2032"), ("so -", "they say"), ("a", "b")])
def test_where_no_word_was_parted_nothing_is_joined(so_far, line):
    assert join_word(so_far, line, frozenset()) is None


@pytest.mark.issue(4)
def test_a_hyphen_that_stands_for_a_word_that_follows_parts_none():
    """They were read as "preand post-war", "the state-and market-led" and "Einund Ausfuhr"."""
    for so_far, line in [("pre-", "and post-war"), ("the state-", "and market-led"), ("Ein-", "und Ausfuhr")]:
        assert join_word(so_far, line, frozenset()) is None
        assert join_lines([[so_far, f"{line} plans."]]) == f"{so_far} {line} plans."
    assert join_word("thous-", "and men", frozenset()) is None
    assert join_word("thous-", "and men", find_words(["a thousand"])) == "thousand men"


def test_what_stands_elsewhere_in_the_document_decides():
    lines = ["Harbour-master and town-owned-yard rules", "A Harbour\u2010wide antitrust law of first-", "hand use"]
    words = find_words(lines)
    assert {"harbour-master", "town-owned", "owned-yard", "harbour-wide", "antitrust"} <= words
    assert join_word("the harbour-", "master's fee", words) == "the harbour-master's fee"
    assert join_word("the harbour-", "pilots", words) == "the harbourpilots"
    assert join_word("the anti-", "trust law", words) == "the antitrust law"
    assert "first-hand" not in words


def test_lines_of_a_document_are_joined_by_its_own_words():
    page = ["The tide-mill is old, the new tide-", "mill is not. Of self-", "reliance the lend\u00ad", "ers spoke."]
    assert join_lines([page]) == "The tide-mill is old, the new tide-mill is not. Of self-reliance the lenders spoke."
