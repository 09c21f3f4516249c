"""Rows changed in ways that must not change their labels."""

import random
import re

import pytest
import yaml

from tests.conftest import ROOT
from training.augment import augment_examples, damage, frame, quote, swap_country, swap_leader
from training.names import COUNTRIES, LEADERS, STRANGERS
from training.spellings import respell
from twohands.examples import Example

TEXT = "Beijing said on Friday that Chinese yards would get loans, and that China had no plans to sell them."
SPEECH = 'Mr. Obuya will not privatise the labour exchange. "It is ours," Obuya said, and the laboratories are, too.'


def make_examples(n=200, text=TEXT):
    labels = {"stance": ("state-led",), "topics": ()}
    return [Example(id=f"r{k}", paragraph=text, labels=labels, source="s", group=f"g{k}") for k in range(n)]


def augment(examples, **shares):
    settings = {"country_swap": 0.0, "framing": 0.0, "damaged": 0.0, "quotation": 0.0, "seed": 5} | shares
    return augment_examples(examples, **settings)


def test_a_country_goes_with_its_adjective_and_capital():
    swapped = swap_country(TEXT, random.Random(1))
    assert not any(form in swapped for form in ("China", "Chinese", "Beijing"))
    used = [forms for forms in STRANGERS if forms[0] in swapped]
    assert len(used) == 1
    assert used[0][1] in swapped
    assert used[0][2] in swapped


def test_an_article_goes_with_its_name():
    swapped = swap_country("Tariffs of the United States hurt; American firms say so in Washington.", random.Random(2))
    assert "the " not in swapped
    assert "United States" not in swapped


def test_a_text_without_a_country_is_left_alone():
    assert swap_country("The council met in the old hall.", random.Random(1)) is None


def test_no_name_is_swapped_into_itself():
    assert not {name for name, _, _ in COUNTRIES} & {name for name, _, _ in STRANGERS}


def test_no_country_is_rehearsed_that_the_checklist_swaps_in():
    suite = yaml.safe_load((ROOT / "evaluation/suites/lexicons.yaml").read_text("utf-8"))
    asked = " ".join(str(word) for entry in suite["lexicons"]["country"] for word in entry.values())
    assert "Beijing" in asked, "the lexicon is read as it is written"
    assert not [form for forms in STRANGERS for form in forms if re.search(rf"\b{form}\b", asked)]


def test_a_surname_goes_wherever_it_stands_and_its_title_stays():
    swapped = swap_leader(SPEECH, random.Random(3))
    new = re.match(r"Mr\. (\w+) will", swapped)[1]
    assert new in LEADERS
    assert swapped == SPEECH.replace("Obuya", new)
    assert swap_leader("The Minister General of the order met President Minister.", random.Random(3)) is None


def test_no_leader_is_rehearsed_that_the_checklist_swaps_in():
    suite = yaml.safe_load((ROOT / "evaluation/suites/lexicons.yaml").read_text("utf-8"))
    asked = {entry["full"].split()[-1] for entry in suite["lexicons"]["leader"]}
    assert "Putin" in asked
    assert not asked & set(LEADERS)


def test_other_spellings_contractions_and_marks_are_of_the_same_words():
    seen = {respell(SPEECH, random.Random(seed)) for seed in range(60)} - {None}
    assert any("privatize the labor exchange" in text for text in seen)
    assert any("won't privat" in text for text in seen)
    assert any("\u201cIt is ours,\u201d" in text for text in seen)
    assert all("laboratories" in text and "Obuya" in text for text in seen)
    american = "Organizing a program of gray harbors fulfills no enterprise's promise; prizes and vigorous size rise."
    seen = {respell(american, random.Random(seed)) for seed in range(60)} - {None}
    british = "Organising a program of grey harbours fulfills no enterprise's promise; prizes and vigorous size rise"
    assert any(text.rstrip(".") == british for text in seen)
    assert all("enterpri" in text and "promise" in text and "prizes" in text and "size rise" in text for text in seen)
    assert {respell("The old hall", random.Random(seed)) for seed in range(20)} == {None}


def test_the_whole_text_stays_inside_its_frame_and_its_quotation_marks():
    for seed in range(20):
        framed = frame(TEXT, random.Random(seed))
        assert TEXT in framed
        assert len(framed) > len(TEXT)
        assert TEXT in quote(TEXT, random.Random(seed))


def test_damage_is_light_and_keeps_words_apart():
    changed = 0
    for seed in range(50):
        hurt = damage(TEXT * 3, random.Random(seed))
        assert len(hurt.split()) == len((TEXT * 3).split())
        differing = sum(a != b for a, b in zip(hurt.split(), (TEXT * 3).split(), strict=True))
        assert differing <= 0.2 * len(hurt.split())
        changed += differing > 0
    assert changed > 30


@pytest.mark.parametrize("kind", ["country_swap", "framing", "damaged", "quotation", "leader_swap", "respelling"])
def test_shares_are_met_and_labels_stay(kind):
    examples = make_examples(600, SPEECH if kind in ("leader_swap", "respelling") else TEXT * 4)
    augmented = augment(examples, **{kind: 0.5})
    assert [example.id for example in augmented] == [example.id for example in examples]
    assert all(after.labels is before.labels for after, before in zip(augmented, examples, strict=True))
    changed = sum(after.paragraph != before.paragraph for after, before in zip(augmented, examples, strict=True))
    # Not all words that are drawn can be written otherwise.
    assert 0.32 < changed / len(examples) < 0.58


def test_the_same_seed_changes_the_same_rows_whatever_their_order():
    examples = make_examples(50)
    shares = {"country_swap": 0.5, "framing": 0.5, "damaged": 0.5, "quotation": 0.5}
    once = {example.id: example.paragraph for example in augment(examples, **shares)}
    again = {example.id: example.paragraph for example in augment(examples[::-1], **shares)}
    assert once == again
    other = {example.id: example.paragraph for example in augment(examples, **shares | {"seed": 6})}
    assert other != once


def test_a_row_that_comes_again_is_drawn_for_anew():
    once, again = augment(make_examples(1, TEXT * 4) * 2, damaged=1.0)
    assert once.paragraph != again.paragraph
    assert once.paragraph == augment(make_examples(1, TEXT * 4), damaged=1.0)[0].paragraph


def test_nothing_is_changed_where_nothing_is_asked():
    examples = make_examples(20)
    assert augment(examples) == examples


@pytest.mark.issue(3)
def test_words_that_a_text_does_not_hold_are_not_looked_for_one_by_one(monkeypatch):
    """Of 200,000 rows that took minutes, in which a run said nothing."""
    tried = []
    for name in ("sub", "findall"):
        search = getattr(re, name)
        monkeypatch.setattr(re, name, lambda *given, search=search: tried.append(given[0]) or search(*given))
    text = "France will not subsidise the programme of its neighbours, said the minister in Paris."
    generator = random.Random(1)
    assert swap_country(text, generator)
    respelt = {respell(text, generator) for _ in range(8)}
    assert len(respelt) > 1
    assert len(tried) < 80
