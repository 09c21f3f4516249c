"""Damaged rows and other countries: how rows are damaged, and that the figures are those of the damaged rows."""

import json
import random
import statistics

import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from evaluation.robustness.conditions import damage_text, list_conditions, share_of_words
from evaluation.robustness.names import swap_countries
from tests.evaluation.support import write_rows
from twohands.classifier import Classifier
from twohands.errors import EmptyParagraphError
from twohands.examples import Example

STANCES = {"state-led": "plan", "market-led": "market", "neutral": "weather"}


@pytest.fixture(scope="module")
def encoder(tiny_model):
    classifier = Classifier.load(tiny_model)
    yield classifier.encoder
    classifier.close()


@pytest.fixture
def rows_file(tmp_path):
    """The word that says the stance stands last, so that whoever reads only the beginning knows nothing."""
    generator = random.Random(0)
    rows = []
    for number in range(40):
        stance = generator.choice(list(STANCES))
        text = " ".join(["In Kenya", *["a of the"] * generator.choice((4, 10)), STANCES[stance]])
        rows.append({"id": str(number), "text": text, "stance": stance, "topics": [], "group": f"g{number // 2}"})
    return write_rows(tmp_path / "rows.jsonl", rows)


def run(*arguments):
    outcome = CliRunner().invoke(evaluate, list(map(str, arguments)), catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.stdout


def test_conditions_do_what_their_names_say(encoder):
    text = " ".join(f"word{number} plan" for number in range(200))
    conditions = {condition.name: condition for condition in list_conditions(encoder)}
    damaged = {name: damage_text(text, condition, seed=0) for name, condition in conditions.items()}
    assert len(damaged) == 10
    assert len(damaged["20% of words dropped"].split()) == 320
    assert len(damaged["5% of words dropped"].split()) == 380
    for most in (128, 64, 32):
        assert encoder.encode(damaged[f"first {most} tokens"]).n_tokens == most
        assert text.startswith(damaged[f"first {most} tokens"])
    assert damaged["in capitals"] == text.upper()
    words = zip(damaged["10% of words misread"].split(), text.split(), strict=True)
    assert sum(after != before for after, before in words) == 40
    again = {name: damage_text(text, condition, seed=0) for name, condition in conditions.items()}
    assert damaged == again
    for name, condition in conditions.items():
        others = [damage_text(text, condition, seed=1), damage_text(text, condition, seed=0, draw=1)]
        assert [other != damaged[name] for other in others] == [condition.is_random] * 2


@pytest.mark.issue(6)
def test_as_many_words_are_damaged_as_the_name_says_however_short_the_rows(encoder):
    """Cut off to whole words, and tried on words that no scanner misreads, 5, 10 and 20% were 4.1, 8.4 and 17.1%."""
    texts = [
        " ".join(["the bank", *["of a zoo"] * 4, "sold homes left mines there", f"at {n}"] * (1 + n % 4))
        for n in range(400)
    ]
    n_words = sum(len(text.split()) for text in texts)
    for condition in (condition for condition in list_conditions(encoder) if condition.is_random):
        share = int(condition.name.split("%")[0]) / 100
        damaged = [damage_text(text, condition, seed=0) for text in texts]
        pairs = list(zip(texts, damaged, strict=True))
        for before, after in pairs:  # no row is spared and none pays for another: next to its own share, by a word
            n = share_of_words(before, after) * len(before.split())
            assert int(share * len(before.split()) + 1e-9) <= round(n) <= share * len(before.split()) + 1
        changed = sum(share_of_words(before, after) * len(before.split()) for before, after in pairs) / n_words
        assert changed == pytest.approx(share, rel=0.03)


def test_where_few_words_can_be_misread_all_of_them_are(encoder):
    conditions = {condition.name: condition for condition in list_conditions(encoder)}
    damaged = damage_text("to us a zoo is an old big banks", conditions["20% of words misread"], seed=0)
    assert damaged == "to us a zoo is an old big banks"  # no word of four letters holds one that is misread
    damaged = damage_text("to us a zoo is an old big mess", conditions["20% of words misread"], seed=0)
    assert damaged.rsplit(" ", 1)[0] == "to us a zoo is an old big"
    assert damaged.split()[-1] in {"rness", "mcss"}


def test_something_is_always_left(encoder):
    for condition in list_conditions(encoder):
        assert damage_text("plan", condition, seed=0).strip()


def test_rows_that_name_a_country_are_swapped_and_others_left_out():
    examples = [Example(text, text, {}, "s", "g") for text in ("Chile sold the mine.", "No country.", "Kenya lost.")]
    swapped = swap_countries(examples, seed=0)
    assert [example.id for example, _ in swapped] == ["Chile sold the mine.", "Kenya lost."]
    for _, swaps in swapped:
        assert len({swap.text for swap in swaps}) == 5
    assert swapped == swap_countries(examples, seed=0)


def test_figures_are_those_of_the_damaged_rows(tiny_model, rows_file):
    arguments = ("--model", tiny_model, "--data", rows_file, "--robustness", "--json", "--replicates", 100)
    report = json.loads(run(*arguments))
    conditions = report["robustness"]["conditions"]
    stance = report["heads"]["stance"]["macro_f1"]["value"]
    assert stance > 0.9
    capitals = conditions["in capitals"]["heads"]["stance"]  # the tiny tokenizer reads small letters
    assert capitals["difference"] == {"value": 0, "low": None, "high": None}  # no draw differs, which proves little
    assert capitals["changed"]["value"] == 0
    assert conditions["in capitals"]["n_damaged"] == 40
    cut = conditions["first 32 tokens"]["heads"]["stance"]  # the longer rows lose their last words
    assert conditions["first 32 tokens"]["n_damaged"] == pytest.approx(20, abs=10)
    assert cut["difference"]["high"] < 0
    assert cut["macro_f1"]["value"] - stance == pytest.approx(cut["difference"]["value"])
    assert cut["changed"]["value"] > 0.1
    countries = report["robustness"]["countries"]
    assert (countries["n_rows"], countries["n_texts"]) == (40, 200)
    assert countries["heads"]["stance"]["flipped"]["value"] == 0  # no country is a word that the tiny model knows
    assert countries["heads"]["stance"]["spread"]["neutral"] < 0.01
    dropped = conditions["20% of words dropped"]
    assert (dropped["n_draws"], conditions["in capitals"]["n_draws"]) == (3, 1)
    assert dropped["words_changed"] == pytest.approx(0.2, abs=0.01)
    found = dropped["heads"]["stance"]
    assert len(set(found["draws"]["macro_f1"])) > 1
    assert found["macro_f1"]["value"] == pytest.approx(statistics.mean(found["draws"]["macro_f1"]))
    assert found["draws"]["sd"] == pytest.approx(statistics.stdev(found["draws"]["macro_f1"]))
    assert found["macro_f1"]["value"] - stance == pytest.approx(found["difference"]["value"])
    assert capitals["draws"] == {"macro_f1": [capitals["macro_f1"]["value"]], "sd": None}
    assert json.loads(run(*arguments)) == report
    once = json.loads(run(*arguments, "--damage-draws", 1))["robustness"]["conditions"]["20% of words dropped"]
    assert once["heads"]["stance"]["draws"] == {"macro_f1": found["draws"]["macro_f1"][:1], "sd": None}


@pytest.mark.issue(6)
def test_a_row_of_which_damage_leaves_nothing_to_read_stays_as_it_is(tiny_model, tmp_path, monkeypatch):
    try_encode = Classifier.try_encode

    def know_letters_alone(self, texts):
        tried = zip(texts, try_encode(self, texts), strict=True)
        return [found if any(map(str.isalpha, text)) else EmptyParagraphError("no token") for text, found in tried]

    monkeypatch.setattr(Classifier, "try_encode", know_letters_alone)
    rows = [
        {"id": f"{n}", "text": f"{chr(0x2603) * n} plan", "stance": "state-led", "topics": [], "group": f"g{n}"}
        for n in range(1, 41)
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    options = ("--robustness", "--damage-draws", 1, "--json", "--replicates", 100)
    conditions = json.loads(run("--model", tiny_model, "--data", path, *options))["robustness"]["conditions"]
    # One word of two is dropped from two rows of five, and from half of these it is the only one that can be read.
    assert 0 < conditions["20% of words dropped"]["n_damaged"] < 14
    assert conditions["first 32 tokens"]["n_damaged"] == 0


def test_the_report_shows_robustness_only_where_it_was_measured(tiny_model, rows_file, tmp_path):
    arguments = ("--model", tiny_model, "--data", rows_file, "--replicates", 100, "--report")
    shown = run(*arguments, tmp_path / "with", "--robustness")
    assert "first 32 tokens" in shown
    page = (tmp_path / "with" / "report.html").read_text(encoding="utf-8")
    assert 'id="robustness"' in page
    assert "first 32 tokens" in page
    assert "<script" not in page
    assert "robustness" not in run(*arguments, tmp_path / "without")
    assert 'id="robustness"' not in (tmp_path / "without" / "report.html").read_text(encoding="utf-8")


def test_rows_without_any_country_are_told_so(tiny_model, tmp_path):
    rows = [{"text": "the plan", "stance": "state-led", "group": str(number)} for number in range(4)]
    path = write_rows(tmp_path / "rows.jsonl", [{"id": str(number), **row} for number, row in enumerate(rows)])
    shown = run(
        "--model", tiny_model, "--data", path, "--robustness", "--replicates", 100, "--report", tmp_path / "out"
    )
    assert "No row names a country" in shown
    assert "No row names a country" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
