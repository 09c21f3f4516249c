"""What templates, swaps and named changes make of a text, and that the same seed makes the same of it."""

import random

import pytest

from evaluation.checklist.changes import CHANGES
from evaluation.checklist.draws import make_generator
from evaluation.checklist.lexicons import Swapper, check_slots, fill_template
from evaluation.checklist.page import mark_changes
from evaluation.checklist.schema import Case, Variant
from evaluation.checklist.suites import load_suites, write_variant
from twohands.errors import ConfigError

COUNTRIES = [
    {"name": "India", "adjective": "Indian", "capital": "New Delhi|Delhi"},
    {"name": "Oman", "adjective": "Omani", "capital": "Muscat"},
    {"name": "the Netherlands", "adjective": "Dutch", "capital": "Amsterdam", "unless": "Holland"},
]


def swap_all(text, entries=COUNTRIES, at_most=9):
    swaps = Swapper("country", entries).swap(text, at_most=at_most, generator=random.Random(0))
    return {swap.put: swap.text for swap in swaps}


def test_a_swap_changes_every_form_and_nothing_else():
    text = "NEW DELHI - An Indian firm left India. In Delhi, India's press wrote of Indiana and non-Indian firms."
    swapped = swap_all(text)
    assert swapped["Oman"] == (
        "MUSCAT - An Omani firm left Oman. In Muscat, Oman's press wrote of Indiana and non-Indian firms."
    )
    assert swapped["the Netherlands"] == (
        "AMSTERDAM - A Dutch firm left the Netherlands. In Amsterdam, the Netherlands's press wrote of Indiana and "
        "non-Indian firms."
    )


def test_a_swap_minds_articles_and_the_beginning_of_a_sentence():
    assert swap_all("The Netherlands won. It was a Dutch win.")["Oman"] == "Oman won. It was an Omani win."
    assert swap_all("Oman won. Oman did!")["the Netherlands"] == "The Netherlands won. The Netherlands did!"


def test_a_swap_leaves_alone_what_it_cannot_change_whole():
    assert swap_all("no country here") == {}
    assert swap_all("the Netherlands, or Holland") == {}
    assert set(swap_all("India and Oman")) == {"the Netherlands"}  # the others stand there already
    only_names = [*COUNTRIES, {"name": "Chad"}]
    assert "Chad" not in swap_all("Indian wool", only_names)  # has no adjective to put in
    assert "Chad" in swap_all("wool from India", only_names)


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    ("text", "replace", "written"),
    [
        ("The state leads, the market follows.", {"state": "market", "market": "state"}, "market leads, the state"),
        ("The estate of the state, 9 of 49.", {"state": "crown", "9": "8"}, "The estate of the crown, 8 of 49."),
        ("The state bank and the state.", {"state": "crown", "state bank": "mint"}, "The mint and the crown."),
        ("To sell (or not) at 5%.", {"(or not)": "now", "5%": "6 %"}, "To sell now at 6 %."),
        ("\u653f\u5e9c\u51b3\u5b9a", {"\u653f\u5e9c": "\u5e02\u573a"}, "\u5e02\u573a\u51b3\u5b9a"),
        ("{port} and Suez.", {"{port}": "Suez", "Suez": "{port}"}, "Suez and {port}."),
    ],
)
def test_words_are_replaced_at_once_and_whole(text, replace, written):
    assert written in write_variant(Case(text=text), Variant(replace=replace))


def test_a_swap_needs_two_entries():
    with pytest.raises(ConfigError):
        Swapper("country", COUNTRIES[:1])


def test_a_template_is_filled_with_different_entries_and_one_for_all_its_texts():
    lexicons = {"country": COUNTRIES, "goods": ["tea", "tin"]}
    filled = fill_template(
        ["{country.name} sells {goods} to {country#2.name}.", "{country.name} buys {goods}."], lexicons, n=50, seed=1
    )
    assert len({first for first, _ in filled}) == len(filled) == 12  # 3 * 2 pairs of countries, 2 goods
    for first, second in filled:
        seller, _, buyer = first.removesuffix(".").partition(" sells ")
        goods, _, buyer = buyer.partition(" to ")
        assert seller.lower() != buyer.lower()
        assert second == f"{seller} buys {goods}."
    assert all(not first.startswith("the ") for first, _ in filled)
    assert fill_template(["plain"], lexicons, n=5, seed=1) == [["plain"]]
    assert fill_template(["{goods}"], lexicons, n=1, seed=1) == fill_template(["{goods}"], lexicons, n=1, seed=1)


def test_slots_that_cannot_be_filled_are_named():
    lexicons = {"country": COUNTRIES, "goods": ["tea"]}
    assert check_slots("{country.adjective} {goods}", lexicons) == []
    assert len(check_slots("{continent}", lexicons)) == 1
    assert len(check_slots("{country.river}", lexicons)) == 1
    assert len(check_slots("{goods.name}", lexicons)) == 1


TEXT = (
    "On Friday, 14 June 1987, the programme's labour centre in Leeds said it had not met its 4,250 tons; it will not "
    "close, though 12.5 per cent of May's orders were lost."
)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_is_the_same_again_and_keeps_most_of_the_text(name):
    change = CHANGES[name]
    changed = change(TEXT, make_generator(3, name))
    assert changed == change(TEXT, make_generator(3, name))
    assert changed != TEXT
    words = [word.strip(".,;'\u201c\u201d") for word in changed.lower().split()]
    kept = set(TEXT.lower().replace(".", "").replace(",", "").split())
    assert sum(word.replace(",", "").replace(".", "") in kept for word in words) > len(words) / 2


def test_years_move_together_and_other_numbers_stay():
    changed = CHANGES["dates"]("From 1961 to 1966 some 1,966 mills and 20.5 tons, on Monday.", make_generator(0))
    first, last = (int(word) for word in changed.split() if word.isdigit() and len(word) == 4)
    assert last - first == 5
    assert first != 1961
    assert "1,966 mills and 20.5 tons" in changed
    assert "Monday" not in changed
    assert CHANGES["dates"]("It may march on.", make_generator(0)) == "It may march on."


def test_figures_keep_their_shape_and_years_stay():
    changed = CHANGES["figures"]("In 1987 it was 4,250 tons, 12.5 per cent, G20 and $39 billion.", make_generator(4))
    assert changed.startswith("In 1987 it was ")
    assert "4,250" not in changed
    assert changed[16] == ","
    assert "G20" in changed
    assert CHANGES["figures"]("No number.", make_generator(0)) == "No number."


def test_a_typo_stands_in_one_word_of_twelve_at_least_in_one():
    text = " ".join(["harbour"] * 48)
    changed = CHANGES["typos"](text, make_generator(1)).split()
    assert 1 <= sum(word != "harbour" for word in changed) <= 4
    assert CHANGES["typos"]("harbour", make_generator(1)) != "harbour"
    assert CHANGES["typos"]("a b c", make_generator(1)) == "a b c"  # nothing long enough


def test_marked_changes_spell_the_changed_text():
    pieces = mark_changes("the state will not sell", "the state will sell it now")
    assert " ".join(words for words, kind in pieces if kind != "gone") == "the state will sell it now"
    assert ("not", "gone") in pieces
    assert ("it now", "new") in pieces


def test_a_test_added_in_front_changes_no_choice_of_another():
    assert make_generator(1, "typos", TEXT).random() == make_generator(1, "typos", TEXT).random()
    assert make_generator(1, "typos", TEXT).random() != make_generator(2, "typos", TEXT).random()
    assert make_generator(1, "a", "bc").random() != make_generator(1, "ab", "c").random()


def test_the_shipped_countries_can_stand_in_for_each_other():
    suites = load_suites([], with_shipped=True)
    (entries,) = [file.suite.lexicons["country"] for file in suites.files if file.path.stem == "lexicons"]
    swapper = Swapper("country", entries)
    for entry in entries:
        forms = {field: words.split("|")[0] for field, words in entry.items()}
        text = "A {adjective} firm left {name} for good, and in {capital} the {people} wept.".format(**forms)
        found = swapper.swap(text, at_most=99, generator=make_generator(0))
        assert len(found) == len(entries) - 1
        for swap in found:
            left = [words for field, words in forms.items() if field in {"name", "capital"} and words in swap.text]
            assert left == []
