# ruff: noqa: RUF001 - other scripts are what is tested here
import random
import time

import pytest

from tests.support.rows import load_examples
from tests.support.tiny import build_tiny_model
from twohands.cautions import _WORD, LIMIT_CHARS, Caution, _list_words, find_cautions, find_usual, is_foreign, is_markup
from twohands.classifier import Classifier
from twohands.manifest import MANIFEST_NAME

ENGLISH = "The ministry will buy whatever the mills cannot sell abroad, and banks are told to lend below the rate."
FOREIGN = {
    "German": "Das Ministerium wird in den nächsten Jahren die Produktion der Hersteller kaufen und Banken anweisen.",
    "French": "Le ministère achètera la production des trois premières années et les banques ont reçu des consignes.",
    "Spanish": "El ministerio comprará la producción de los primeros tres años y los bancos prestarán por debajo.",
    "Polish": "Ministerstwo kupi produkcję z pierwszych trzech lat od każdego producenta oraz nakaże bankom, że tak.",
    "Turkish": "Bakanlık yerli üreticilerin ilk üç yıllık üretimini satın alacak ve bu sektör için daha düşük faiz.",
    "Finnish": "Ministeriö ostaa kotimaisten valmistajien kolmen ensimmäisen vuoden tuotannon, minkä lisäksi "
    "pankkeja kehotetaan lainaamaan alalle viitekorkoa halvemmalla, jotta tehtaat eivät joutuisi sulkemaan oviaan.",
    "Chinese": "该部将购买国内光刻机制造商头三年的产量，并要求银行以低于基准的利率贷款。",
    "Russian": "Министерство закупит продукцию первых трёх лет у любого отечественного производителя.",
    "Hindi": "मंत्रालय घरेलू निर्माताओं के पहले तीन वर्षों का उत्पादन खरीदेगा और बैंकों को निर्देश देगा।",
}


def cautions(text, *, n_tokens=40, n_tokens_unknown=0):
    return find_cautions(text, n_tokens=n_tokens, n_tokens_unknown=n_tokens_unknown)


def test_english_prose_raises_none():
    assert cautions(ENGLISH) == ()
    assert cautions("Beijing's toolkit: tariffs, export controls, subsidies and a 45% quota (see Annex II).") == ()
    assert cautions("The “Made in China” plan — naïve, per Müller & Søn — cost €1.5bn; the façade holds.") == ()


@pytest.mark.parametrize("language", FOREIGN)
def test_other_languages_are_noticed(language):
    assert is_foreign(FOREIGN[language])
    assert Caution.NOT_ENGLISH.value in cautions(FOREIGN[language])
    assert not is_markup(FOREIGN[language])


def test_english_with_some_words_of_another_language_is_english():
    assert not is_foreign(f"{ENGLISH} As the Conseil d'État put it, le marché est libre.")
    assert not is_foreign("Der Spiegel and Die Zeit report that the law is to be read twice.")


@pytest.mark.issue(4)
def test_words_that_english_has_as_well_do_not_make_another_language():
    assert not is_foreign("A: (laughs) I do not vote. I rule.")
    assert not is_foreign("• Arden: 61 per cent foreign-held • Ostvik: 49 per cent • Grimnes: 33 per cent")
    # The same words beside others, or beside letters with accents, do.
    assert is_foreign("Fondi per porti, per ferrovie e per strade saranno stanziati entro luglio.")
    assert is_foreign("Chcemy obniżyć podatki i cła, i otworzyć rynek.")


@pytest.mark.parametrize(
    "text",
    [
        "<div class='a'><p>Hello</p><a href='http://x.y/z'>Read the rest of it</a></div>",
        "| 12.3 | 45.1 | 99 | 2021 | 2022 | 2023 |",
        '{"a": [1, 2, 3], "b": {"c": [4, 5]}, "d": 6}',
        "| State | Tool | Our view | |---|:---:|---| | Norway | a fund that buys stakes in mines | it is mixed |",
        "Harbour Operator Boxes 2031 Charge Oslofjord Nordic 782,000 $212 Bergensund Western 1,310,000 $188 Tromsen",
        "https://example.org/a/very/long/address see www.example.org/another/one",
        "&nbsp;&nbsp;&#160;one &amp; two&nbsp;&nbsp;",
        "![output of the mills](mills.png) ``` tonnes = 12 ```",
        "```python for row in rows: total += row.value print(total) return the total when it is more than the limit",
    ],
)
def test_markup_is_noticed(text):
    assert Caution.MARKUP.value in cautions(text)


@pytest.mark.parametrize(
    "text",
    [
        f"``` {ENGLISH} ```",  # prose that was pasted within a fence
        f"{ENGLISH} ![mills](mills.png)",
        f"{ENGLISH} It stands in the file as ``` rate = 3 ``` since then.",
    ],
)
def test_prose_with_a_fence_or_a_picture_is_no_markup(text):
    assert Caution.MARKUP.value not in cautions(text)


@pytest.mark.parametrize(("text", "is_short"), [("plan", True), ("one two three four", True), ("a b c d e", False)])
def test_short_text_is_noticed(text, is_short):
    assert (Caution.TOO_SHORT.value in cautions(text)) == is_short


def test_text_without_spaces_is_measured_by_tokens():
    assert Caution.TOO_SHORT.value not in cautions(FOREIGN["Chinese"])
    assert Caution.TOO_SHORT.value in cautions("银行贷款", n_tokens=4)


@pytest.mark.parametrize(("n_unknown", "is_found"), [(0, False), (11, False), (12, True), (40, True)])
def test_unknown_tokens_are_noticed_from_three_in_ten(n_unknown, is_found):
    assert (Caution.UNKNOWN_TOKENS.value in cautions(ENGLISH, n_tokens_unknown=n_unknown)) == is_found


def test_the_starter_corpus_is_what_the_models_are_made_for(request, taxonomy):
    rows = load_examples([request.config.rootpath / "data" / "starter" / "train.jsonl"], taxonomy)
    assert len(rows) > 100
    assert [row.id for row in rows if cautions(row.paragraph)] == []


@pytest.mark.issue(3)
def test_what_a_twentieth_of_the_training_rows_has_is_usual():
    rows = [("too_short", "markup")] * 5 + [("not_english",)] * 4 + [()] * 91
    assert find_usual(rows) == [Caution.TOO_SHORT, Caution.MARKUP]
    assert find_usual([]) == []
    assert find_cautions("The plan.", n_tokens=3, n_tokens_unknown=3, usual=["too_short"]) == ("unknown_tokens",)


@pytest.mark.issue(3)
def test_a_model_of_short_texts_warns_of_none(tmp_path):
    folder = build_tiny_model(tmp_path / "short", usual_cautions=[Caution.TOO_SHORT])
    plain = build_tiny_model(tmp_path / "plain")
    answers = [Classifier.load(each, num_threads=1).classify(["plan .", "Lieferung ."]) for each in (folder, plain)]
    assert [[each.warnings for each in told] for told in answers] == [
        [[], ["unknown_tokens"]],
        [["too_short"], ["too_short", "unknown_tokens"]],
    ]
    # A release that does not know the key reads every folder that has no need of it.
    assert "usual_cautions" not in (plain / MANIFEST_NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["<a " * 33_000, "." * 100_000, "die " * 25_000, "&#1" * 33_000, "http://" * 14_000])
def test_cost_is_bounded_for_the_longest_text(text):
    before_s = time.process_time()
    cautions(text)
    assert time.process_time() - before_s < 0.5
    assert cautions(ENGLISH + " " * LIMIT_CHARS + FOREIGN["Chinese"] * 1000) == ()


def test_words_of_plain_english_are_those_that_the_slower_way_finds():
    generator = random.Random(0)
    pieces = [
        "the",
        "o'clock",
        "'quoted",
        "states'",
        "''",
        "a_b",
        "x1y",
        "3.5",
        "--",
        "don't",
        "café",
        "l\u2019état",
        "мир",
    ]
    for _ in range(3000):
        text = generator.choice((" ", "", "'")).join(generator.choices(pieces, k=generator.randrange(1, 12)))
        assert _list_words(text) == _WORD.findall(text.lower()), text


@pytest.mark.parametrize("n_others", [1, 9, 10, 11, 30])
def test_a_paragraph_is_foreign_by_its_script_where_less_than_half_of_its_letters_are_latin(n_others):
    assert is_foreign("ab " * 5 + "ми" * (n_others // 2) + "р" * (n_others % 2)) == (n_others > 10)
