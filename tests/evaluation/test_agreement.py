"""Agreement: figures known from the literature, the same from every layout, and the model on the people's scale."""

import csv
import json
import random
import tracemalloc

import krippendorff
import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score

from evaluation.agreement.alternative import stand_in
from evaluation.agreement.codings import MISSING, Codings, Item, Scale, Variable
from evaluation.agreement.commands import agreement
from evaluation.agreement.consensus import agree_on, leave_one_out
from evaluation.agreement.figures import compare_codes, measure_alpha
from evaluation.agreement.measure import measure_agreement, note_limits
from evaluation.agreement.tables import say_verdict
from tests.evaluation.support import WORD_OF_STANCE
from twohands.errors import DataError, RunConflictError, UnknownColumnError, UnknownHeadError
from twohands.metrics import draw_weights
from twohands.taxonomy import Head, Label, ProblemType

STANCES = ("market-led", "neutral", "state-led")
SCALE = Scale(STANCES, 1 / 3)
# Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, part C: four observers, twelve units, gaps.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def lay_out(observers):
    return np.array([[MISSING if code is None else code - 1 for code in codes] for codes in observers]).T


def draw_ones(n):
    return np.ones((1, n))


def test_alpha_is_that_of_krippendorffs_own_example():
    variable = Variable("v", tuple("12345"), lay_out(KRIPPENDORFF))
    groups, weights = np.arange(12), draw_ones(12)
    assert measure_alpha(variable, groups, weights, level="nominal")["value"] == pytest.approx(0.743, abs=5e-4)
    assert measure_alpha(variable, groups, weights, level="ordinal")["value"] == pytest.approx(0.815, abs=5e-4)


def test_alpha_of_the_example_comes_out_of_files_too():
    head = Head(
        name="v",
        problem_type=ProblemType.ONE_OF,
        labels=[Label(name=name, description="a number") for name in "12345"],
    )
    given = [
        {f"observer {number}": (str(codes[unit]),) for number, codes in enumerate(KRIPPENDORFF) if codes[unit]}
        for unit in range(12)
    ]
    items = [Item(str(unit), None, str(unit)) for unit in range(12)]
    codings = Codings(head, items, [f"observer {number}" for number in range(4)], given, None)
    (part,) = measure_agreement(codings, None, n_replicates=200, seed=0, epsilon=0.1).values()
    alpha = part["people"]["alpha"]["nominal"]
    assert alpha["value"] == pytest.approx(0.743, abs=5e-4)
    assert alpha["low"] < 0.743 < alpha["high"]
    assert part["people"]["n_codes"] == 41
    assert part["people"]["n_items_pairable"] == 11
    assert part["model"] is None


@pytest.mark.issue(6)
@pytest.mark.parametrize("scale", [None, SCALE])
def test_of_two_annotators_one_against_the_rest_is_scotts_pi_and_the_pair_cohens_kappa(scale):
    head = Head(
        name="v", problem_type=ProblemType.ONE_OF, labels=[Label(name=name, description="a side") for name in STANCES]
    )
    first, second = np.random.default_rng(0).choice(3, size=(2, 200), p=(0.5, 0.3, 0.2))
    second = np.where(np.arange(200) % 3 == 0, second, np.maximum(first, second))  # so that they give unlike shares
    given = [{"a": (STANCES[a],), "b": (STANCES[b],)} for a, b in zip(first, second, strict=True)]
    codings = Codings(head, [Item(str(n), None, str(n)) for n in range(200)], ["a", "b"], given, scale)
    (part,) = measure_agreement(codings, None, n_replicates=100, seed=0, epsilon=0.1).values()
    expected = sum((((first == label).mean() + (second == label).mean()) / 2) ** 2 for label in range(3))
    pi = ((first == second).mean() - expected) / (1 - expected)
    assert part["people"]["one_against_rest"]["kappa"]["value"] == pytest.approx(pi, abs=1e-12)
    cohen = cohen_kappa_score(first, second)
    assert part["people"]["pairs"][0]["kappa"]["value"] == pytest.approx(cohen, abs=1e-12)
    assert pi < cohen - 0.001


def test_kappa_is_that_of_the_textbook_example():
    # Fifty grant proposals, two readers: both yes 20, both no 15, first only 5, second only 10. Kappa is .4.
    a = np.array([1] * 20 + [0] * 15 + [1] * 5 + [0] * 10)
    b = np.array([1] * 20 + [0] * 15 + [0] * 5 + [1] * 10)
    found = compare_codes(a, b, groups=np.arange(50), weights=draw_ones(50), labels=("no", "yes"), scale=None)
    described = found.describe()
    assert described["kappa"]["value"] == pytest.approx(0.4)
    assert described["accuracy"]["value"] == pytest.approx(0.7)
    assert described["labels"]["yes"]["f1"]["value"] == pytest.approx(40 / 55)


def test_figures_agree_with_scikit_learn_on_every_draw():
    generator = np.random.default_rng(1)
    a = generator.integers(0, 3, size=120)
    b = np.where(generator.random(120) < 0.6, a, generator.integers(0, 3, size=120))
    groups = np.arange(120) // 4
    weights = np.concatenate([np.ones((1, 30)), generator.multinomial(30, [1 / 30] * 30, size=5)])
    found = compare_codes(a, b, groups=groups, weights=weights, labels=STANCES, scale=SCALE)
    for draw, weights_of in enumerate(weights.astype(int)):
        times = weights_of[groups]
        truth, given = np.repeat(a, times), np.repeat(b, times)
        assert found.by_name["accuracy"][draw] == pytest.approx(accuracy_score(truth, given), abs=1e-12)
        assert found.by_name["kappa"][draw] == pytest.approx(cohen_kappa_score(truth, given), abs=1e-12)
        by_label = f1_score(truth, given, average=None, labels=[0, 1, 2])
        assert [found.by_label[label][draw] for label in STANCES] == pytest.approx(by_label.tolist(), abs=1e-12)
        assert found.by_name["macro_f1"][draw] == pytest.approx(by_label.mean(), abs=1e-12)
        takes = (truth != 1) & (given != 1)
        assert found.by_name["same_side"][draw] == pytest.approx((truth == given)[takes].mean(), abs=1e-12)


def test_alpha_draws_are_those_of_the_library_on_the_drawn_items():
    generator = np.random.default_rng(2)
    codes = generator.integers(-1, 3, size=(40, 4))
    variable, groups = Variable("v", STANCES, codes, SCALE), np.arange(40) // 2
    weights = np.concatenate([np.ones((1, 20)), generator.multinomial(20, [1 / 20] * 20, size=2)])
    expected = []
    for weights_of in weights[1:].astype(int):
        drawn = np.repeat(codes, weights_of[groups], axis=0).astype(float)
        drawn[drawn == MISSING] = np.nan
        expected.append(krippendorff.alpha(drawn.T, level_of_measurement="ordinal", value_domain=[0, 1, 2]))
    figure = measure_alpha(variable, groups, weights, level="ordinal")
    assert [figure["low"], figure["high"]] == pytest.approx(np.quantile(expected, [0.025, 0.975]).tolist())


@pytest.mark.issue(6)
def test_alpha_holds_one_draw_at_a_time():
    codes = np.random.default_rng(2).integers(0, 3, size=(2000, 2))
    weights = draw_weights(2000, n_replicates=40, seed=0)
    tracemalloc.start()
    measure_alpha(Variable("v", STANCES, codes), np.arange(2000), weights, level="nominal")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_500_000  # all draws at once are 1.9 MB, one is 48 kB


def test_where_all_codes_are_alike_there_is_no_alpha_and_no_kappa():
    variable = Variable("v", STANCES, np.ones((5, 2), dtype=int))
    assert measure_alpha(variable, np.arange(5), draw_ones(5), level="nominal") is None
    ones = np.ones(5, dtype=int)
    found = compare_codes(ones, ones, groups=np.arange(5), weights=draw_ones(5), labels=STANCES, scale=None)
    assert found.describe()["kappa"] is None
    assert found.describe()["accuracy"]["value"] == 1


def test_a_draw_without_any_of_the_items_is_no_draw():
    ones = np.array([0, 1, 2, 2])
    weights = np.array([[1, 1], [2, 0], [0, 2]])  # the sample, a draw with all items twice, one with none
    found = compare_codes(ones, ones, groups=np.zeros(4, dtype=int), weights=weights, labels=STANCES, scale=SCALE)
    for drawn in (found.by_name["accuracy"], found.by_name["macro_f1"], found.by_label["neutral"]):
        np.testing.assert_array_equal(drawn, [1, 1, np.nan])
    other = compare_codes(ones, 2 - ones, groups=np.zeros(4, dtype=int), weights=weights, labels=STANCES, scale=SCALE)
    assert found.minus(other)["accuracy"] == {"value": 0.75, "low": None, "high": None}  # of one document


def test_a_label_that_nobody_gave_is_no_disagreement_and_a_draw_that_lost_one_does_not_count():
    codes = np.array([0, 0, 0, 0, 0, 1])
    weights = draw_weights(6, n_replicates=50, seed=0)
    found = compare_codes(
        codes, codes, groups=np.arange(6), weights=np.concatenate([draw_ones(6), weights]), labels=STANCES, scale=None
    )
    assert found.describe()["labels"]["state-led"]["f1"] is None
    assert found.describe()["labels"]["neutral"]["f1"]["low"] < 0.1  # it is in one document
    assert found.describe()["macro_f1"] == {"value": 1, "low": None, "high": None}
    np.testing.assert_array_equal(np.unique(found.by_name["macro_f1"]), [1, np.nan])


@pytest.mark.issue(6)
def test_people_in_perfect_agreement_are_not_certain_to_agree(tmp_path):
    rows = [
        {"id": f"{n}", "text": "the plan", "group": f"g{n // 2}"}
        | dict.fromkeys(("anna", "ben", "carl"), STANCES[n % 2 * 2])
        for n in range(40)
    ]
    call = ("--no-model", "--annotators", *NAMES, "--scale", ",".join(STANCES))
    report = run_json("--data", write_jsonl(tmp_path / "rows.jsonl", rows), *call)
    people = report["variables"]["stance"]["people"]
    for figure in (*people["alpha"].values(), people["one_against_rest"]["kappa"]):
        assert figure == {"value": 1, "low": None, "high": None}
    for pair in people["pairs"]:
        bounds = {"value": 1, "low": pytest.approx(0.025 ** (1 / 20)), "high": 1}
        assert pair["accuracy"] == pair["same_side"] == bounds
        assert pair["macro_f1"] == {"value": 1, "low": None, "high": None}  # of two labels, not two thirds of three
        assert pair["labels"]["neutral"]["f1"] is None
    assert any("Nobody gave neutral" in note for note in report["notes"])
    rows[0]["ben"] = "neutral"
    report = run_json("--data", write_jsonl(tmp_path / "rows.jsonl", rows), *call)
    macro = report["variables"]["stance"]["people"]["pairs"][0]["macro_f1"]
    assert 0.6 < macro["low"] < macro["value"] <= macro["high"] <= 2 / 3  # not 1.00, of draws without that code
    assert any("no interval of macro-F1" in note for note in report["notes"])


def test_one_document_gives_neither_interval_nor_verdict():
    generator = np.random.default_rng(3)
    truth = generator.integers(3, size=30)
    codes = np.stack([truth, truth, truth], axis=1)
    weights = np.ones((101, 1))
    noisy = np.where(generator.random(30) < 0.4, truth, generator.integers(3, size=30))
    groups = np.zeros(30, dtype=int)
    assert measure_alpha(Variable("v", STANCES, codes), groups, weights, level="nominal")["low"] is None
    person, machine = (
        compare_codes(truth, given, groups=groups, weights=weights, labels=STANCES, scale=None)
        for given in (truth, noisy)
    )
    apart = machine.minus(person)
    assert apart["kappa"]["value"] < 0
    assert apart["kappa"]["low"] is apart["kappa"]["high"] is None
    assert say_verdict({"model_minus_person": apart}).startswith("No interval")


@pytest.mark.issue(6)
def test_a_label_of_three_documents_gives_no_verdict_however_many_lack_it():
    labels = [Label(name=name, description=name) for name in ("sanctions", "regulation")]
    topics = Head(name="topics", problem_type=ProblemType.ANY_OF, labels=labels)
    given = [
        {name: tuple(label for label, n in (("sanctions", 3), ("regulation", 15)) if number < n) for name in NAMES}
        for number in range(40)
    ]
    given[0]["anna"] = ()
    items = [Item(str(number), None, f"d{number}") for number in range(40)]
    codings = Codings(topics, items, list(NAMES), given, None)
    # The model gives either label to five documents more.
    answers = [tuple(label for label in ("sanctions", "regulation") if n in (0, *range(12, 20))) for n in range(40)]
    found = measure_agreement(codings, answers, n_replicates=100, seed=0, epsilon=0.1)
    rare, common = (found[label] for label in ("sanctions", "regulation"))
    apart = rare["model"]["model_minus_person"]
    sides = rare["people"]["one_against_rest"], rare["model"]["against_rest"]
    for figure in (rare["people"]["alpha"]["nominal"], apart["kappa"], apart["f1"], *(side["f1"] for side in sides)):
        assert figure["low"] is figure["high"] is None
    assert sides[0]["kappa"]["low"] is None
    assert apart["accuracy"]["low"] is not None
    assert say_verdict(rare["model"]).startswith("No interval")
    assert common["model"]["model_minus_person"]["f1"]["high"] < 0
    assert "further from the people" in say_verdict(common["model"])
    _, note, *_ = note_limits(codings, answers, n_repeated=0, n_tied=0)  # the first: 40 documents in all
    assert note.startswith("sanctions: fewer than 5 documents")


@pytest.mark.issue(6)
@pytest.mark.parametrize("who", ["one person", "the model"])
def test_macro_f1_of_people_and_model_is_a_mean_over_the_same_labels(who):
    labels = [Label(name=name, description=name) for name in STANCES]
    sure = [STANCES[number % 2 * 2] for number in range(40)]
    odd = ["neutral" if number % 10 == 7 else code for number, code in enumerate(sure)]  # which nobody else says
    coders = {"anna": sure, "ben": sure, "carl": odd if who == "one person" else sure}
    given = [{name: (codes[number],) for name, codes in coders.items()} for number in range(40)]
    items = [Item(str(number), None, f"d{number}") for number in range(40)]
    codings = Codings(Head(name="stance", problem_type=ProblemType.ONE_OF, labels=labels), items, [*NAMES], given, None)
    answers = [(code,) for code in (odd if who == "the model" else sure)]
    (part,) = measure_agreement(codings, answers, n_replicates=100, seed=0, epsilon=0.1).values()
    people, model = part["people"]["one_against_rest"], part["model"]["against_rest"]
    for side in (people, model):
        of_labels = [side["labels"][name]["f1"]["value"] for name in (STANCES[0], STANCES[2])]
        assert side["macro_f1"]["value"] == pytest.approx(np.mean(of_labels))
    apart = part["model"]["model_minus_person"]["macro_f1"]["value"]
    assert apart == pytest.approx(model["macro_f1"]["value"] - people["macro_f1"]["value"])


def test_that_everybody_always_said_one_label_is_not_called_a_lack_of_codes():
    alike = say_verdict({"model_minus_person": {"kappa": None, "accuracy": {"value": 0}}})
    assert "same label" in alike
    assert alike != say_verdict({"model_minus_person": None})


def test_items_that_one_person_coded_are_neither_unanimous_nor_divided(tiny_model, tmp_path):
    rows = [{"id": str(n), "text": "the plan", "anna": "state-led", "ben": "state-led"} for n in range(12)]
    for row in rows[:5]:
        row["ben"] = "neutral"
    for row in rows[5:9]:
        row["ben"] = None
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    model = run_json("--model", tiny_model, "--data", path, "--annotators", "anna", "ben")["variables"]["stance"]
    assert model["model"]["unanimous_items"]["n"] == 3
    # Two who differ by majority are tied, and an item without a label is set against nothing; the scale breaks the tie.
    scaled = run_json(
        "--model", tiny_model, "--data", path, "--annotators", "anna", "ben", "--scale", ",".join(STANCES)
    )["variables"]["stance"]["model"]
    assert (scaled["unanimous_items"]["n"], scaled["divided_items"]["n"]) == (3, 5)


def test_consensus_is_the_mean_on_a_scale_else_the_majority():
    counts = np.array([[0, 2, 1], [0, 1, 1], [1, 0, 2], [1, 1, 1], [0, 0, 0], [2, 0, 1], [0, 3, 1]])
    assert agree_on(counts, SCALE).tolist() == [2, 2, 2, 1, MISSING, 0, 1]  # a third is enough, a quarter is not
    assert agree_on(counts, None).tolist() == [1, MISSING, 2, MISSING, MISSING, 0, 1]


def test_one_is_left_out_of_what_the_rest_says():
    variable = Variable("v", STANCES, np.array([[0, 2, 2], [1, MISSING, 0], [2, MISSING, MISSING]]))
    left = leave_one_out(variable)
    found = list(zip(left.item.tolist(), left.annotator.tolist(), left.code.tolist(), left.rest.tolist(), strict=True))
    # Item 0: without the first all say 2; without another the rest is tied. Item 1: each against the other.
    assert found == [(0, 0, 0, 2), (1, 0, 1, 0), (1, 2, 0, 1)]


def test_the_stand_in_test_is_a_t_test_of_wins():
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, size=80)

    def noisy(share):
        return np.where(generator.random(80) < share, generator.integers(0, 3, size=80), truth)

    codes = np.stack([noisy(0.3), noisy(0.3), noisy(0.3), noisy(0.9)], axis=1)
    codes[40:, 2] = MISSING
    model = noisy(0.25)
    variable, names, apart = Variable("v", STANCES, codes), ["a", "b", "c", "d"], np.arange(80)
    found = stand_in(variable, model, names, groups=apart, epsilon=0.1)
    wins = []
    for row in range(80):  # annotator d, by hand
        others = [code for code in codes[row, :3] if code != MISSING]
        machine, person = others.count(model[row]), others.count(codes[row, 3])
        wins.append((machine >= person, person >= machine))
    model_wins, person_wins = np.array(wins).T
    assert found["annotators"]["d"]["model"] == pytest.approx(model_wins.mean())
    assert found["annotators"]["d"]["person"] == pytest.approx(person_wins.mean())
    apart = person_wins.astype(float) - model_wins.astype(float)
    expected = stats.ttest_1samp(apart, 0.1, alternative="less").pvalue
    assert found["annotators"]["d"]["p"] >= expected  # adjusted for four tests
    assert found["annotators"]["d"]["p"] == pytest.approx(min(1, expected * 4 * (1 + 1 / 2 + 1 / 3 + 1 / 4)), rel=1e-6)
    assert found["annotators"]["c"]["n"] == 40
    assert found["n_won"] >= 1
    few = Variable("v", STANCES, codes[:20])
    assert stand_in(few, model[:20], names, groups=np.arange(20), epsilon=0.1) is None


@pytest.mark.issue(6)
def test_nobody_is_stood_in_for_by_what_stands_in_fewer_than_five_documents():
    codes = np.tile(np.random.default_rng(0).integers(0, 3, size=60)[:, None], 3)
    variable, model, names = Variable("v", STANCES, codes), codes[:, 0], ["a", "b", "c"]
    assert stand_in(variable, model, names, groups=np.arange(60) % 5, epsilon=0.1)["passed"]
    assert stand_in(variable, model, names, groups=np.arange(60) % 4, epsilon=0.1) is None
    # Of many documents the second annotator coded four.
    codes = codes.copy()
    groups = np.where(np.arange(60) < 40, np.arange(60) % 4, np.arange(60))
    codes[40:, 1] = MISSING
    found = stand_in(Variable("v", STANCES, codes), model, names, groups=groups, epsilon=0.1)
    assert list(found["annotators"]) == ["a", "c"]


def make_codings(n=60, *, noise=0.3, seed=0, annotators=("anna", "ben", "carl")):
    """Items whose word says the stance, and people who see it more or less; the tiny model sees it always."""
    generator = random.Random(seed)
    rows = []
    for number in range(n):
        said = generator.choice(STANCES)
        codes = {name: generator.choice(STANCES) if generator.random() < noise else said for name in annotators}
        for name in annotators:
            if generator.random() < 0.2 and len(codes) > 2:
                del codes[name]
        rows.append({"id": f"i{number}", "text": f"the {WORD_OF_STANCE[said]}", "group": f"g{number // 2}", **codes})
    return rows


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(agreement, list(map(str, arguments)), catch_exceptions=False)


def run_json(*arguments):
    outcome = run(*arguments, "--json", "--replicates", "100")
    assert outcome.exit_code == 0
    return json.loads(outcome.stdout)


NAMES = ("anna", "ben", "carl")


@pytest.fixture
def wide(tmp_path):
    return write_jsonl(tmp_path / "wide.jsonl", make_codings())


def test_every_layout_gives_the_same_figures(tiny_model, tmp_path, wide):
    rows = make_codings()
    nested, long = tmp_path / "nested.jsonl", tmp_path / "long.csv"
    write_jsonl(
        nested,
        [
            {
                **{key: row[key] for key in ("id", "text", "group")},
                "codes": [{"who": name, "code": row[name]} for name in NAMES if name in row],
            }
            for row in rows
        ],
    )
    with long.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "text", "group", "annotator", "stance"])
        writer.writeheader()
        for row in rows:
            for name in NAMES:
                if name in row:
                    part = {key: row[key] for key in ("id", "text", "group")}
                    writer.writerow({**part, "annotator": name, "stance": row[name]})
    deep = tmp_path / "deep.jsonl"
    write_jsonl(deep, [{**row, "by": {name: row.get(name) for name in NAMES}} for row in rows])
    reports = [
        run_json("--model", tiny_model, "--data", wide, "--annotators", *NAMES),
        run_json("--model", tiny_model, "--data", nested, "--codes", "codes", "--annotator", "who", "--label", "code"),
        run_json("--model", tiny_model, "--data", long),
        run_json("--model", tiny_model, "--data", deep, "--annotators", *(f"by.{name}" for name in NAMES)),
    ]
    first = json.dumps(reports[0]["variables"]).replace("by.", "")
    for report in reports:
        assert json.dumps(report["variables"]).replace("by.", "") == first
        assert report["data"]["n_items"] == 60
    assert len(reports[0]["variables"]["stance"]["people"]["pairs"]) == 3
    assert len(reports[0]["variables"]["stance"]["model"]["pairs"]) == 3


def test_a_model_that_sees_more_than_people_is_nearer_and_a_blind_one_further(tiny_model, tmp_path, wide):
    seeing = run_json("--model", tiny_model, "--data", wide, "--annotators", *NAMES)["variables"]["stance"]["model"]
    assert seeing["model_minus_person"]["kappa"]["low"] > 0
    assert "nearer" in say_verdict(seeing)
    assert seeing["unanimous_items"]["accuracy"]["value"] > seeing["divided_items"]["accuracy"]["value"]
    assert seeing["unanimous_items"]["n"] + seeing["divided_items"]["n"] <= 60
    blind = write_jsonl(tmp_path / "blind.jsonl", [{**row, "text": "the weather"} for row in make_codings()])
    found = run_json("--model", tiny_model, "--data", blind, "--annotators", *NAMES)["variables"]["stance"]["model"]
    assert found["model_minus_person"]["kappa"]["high"] < 0
    assert found["stand_in"]["n_won"] == 0
    assert "further" in say_verdict(found)


def test_the_model_is_compared_on_the_very_codes_of_the_people(tiny_model, wide):
    part = run_json("--model", tiny_model, "--data", wide, "--annotators", *NAMES)["variables"]["stance"]
    person, machine = part["people"]["one_against_rest"], part["model"]["against_rest"]
    assert person["n"] == machine["n"]
    apart = part["model"]["model_minus_person"]["accuracy"]["value"]
    assert apart == pytest.approx(machine["accuracy"]["value"] - person["accuracy"]["value"])


def test_numbers_become_labels_by_the_scale_only(tmp_path):
    rows = [
        {"id": str(number), "text": "the plan", "a": mean, "b": -mean} for number, mean in enumerate([1 / 3, 0.3, -0.9])
    ]
    path = write_jsonl(tmp_path / "means.jsonl", rows)
    arguments = ("--data", path, "--annotators", "a", "b", "--no-model")
    report = run_json(*arguments, "--scale", ",".join(STANCES))
    (pair,) = report["variables"]["stance"]["people"]["pairs"]
    assert pair["accuracy"]["value"] == pytest.approx(1 / 3)  # a third and its negative are sides, .3 is none
    assert pair["same_side"]["value"] == 0
    assert report["model"] is None
    wider = run_json(*arguments, "--scale", ",".join(STANCES), "--cut", "0.95")
    assert wider["variables"]["stance"]["people"]["pairs"][0]["accuracy"]["value"] == 1
    with pytest.raises(DataError) as error:
        run(*arguments)
    assert len(error.value.faults) == 6
    for scale, cut in (
        ("neutral,state-led", "1/3"),
        ("a,b,c", "1/3"),
        (",".join(STANCES), "0"),
        (",".join(STANCES), "x"),
    ):
        assert run(*arguments, "--scale", scale, "--cut", cut).exit_code == 2


@pytest.mark.parametrize("gap", [float("nan"), "nan", "NaN", None, ""])
def test_a_number_that_is_none_is_no_code(tmp_path, gap):
    rows = [{"id": str(number), "a": -1.0, "b": 1.0 if number else gap} for number in range(6)]
    path = write_jsonl(tmp_path / "gaps.jsonl", rows)
    found = run_json("--data", path, "--annotators", "a", "b", "--no-model", "--scale", ",".join(STANCES))
    people = found["variables"]["stance"]["people"]
    assert people["n_items"] == 6
    assert people["n_items_pairable"] == 5  # not the middle label of the sixth
    assert people["n_codes"] == 11


@pytest.mark.parametrize("number", [1.5, -2, "2", 7, float("inf")])
def test_a_number_of_another_scale_is_refused(tmp_path, number):
    path = write_jsonl(tmp_path / "wide.jsonl", [{"id": "0", "a": 1, "b": -1.0}, {"id": "1", "a": number, "b": 0}])
    with pytest.raises(DataError) as error:
        run("--data", path, "--annotators", "a", "b", "--no-model", "--scale", ",".join(STANCES))
    assert len(error.value.faults) == 1
    with pytest.raises(ValueError, match="expected a number"):
        SCALE.label_of(float(number))
    assert SCALE.label_of(1 + 1e-12) == "state-led"  # a sum's last bit


def test_panels_speak_as_one_and_second_codes_do_not_count(tmp_path):
    rows = [
        {
            "id": str(number),
            "coders": [
                {"annotator": "a", "job": 1, "stance": "state-led"},
                {"annotator": "a", "job": 1, "stance": "market-led"},  # a second look
                {"annotator": "b", "job": 1, "stance": "neutral"},
                {"annotator": "c", "job": 2, "stance": "neutral" if number else "market-led"},
                {"annotator": "d", "job": 2, "stance": "neutral"},
            ],
        }
        for number in range(4)
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    arguments = ("--data", path, "--codes", "coders", "--panel", "job", "--no-model")
    report = run_json(*arguments, "--scale", ",".join(STANCES))
    assert report["data"]["n_annotators"] == 2
    assert report["data"]["n_repeated"] == 4
    (pair,) = report["variables"]["stance"]["people"]["pairs"]
    assert (pair["a"], pair["b"], pair["accuracy"]["value"]) == ("1", "2", 0)  # state-led; market-led or neutral
    assert report["notes"]
    with pytest.raises(DataError):  # by majority panel 1 is always tied: one panel is left
        run(*arguments)


@pytest.mark.issue(6)
def test_a_panel_that_is_tied_over_a_topic_did_not_code_it(tmp_path):
    def codes_of(panel, *given):
        return [{"annotator": f"{panel}{number}", "job": panel, "topics": words} for number, words in enumerate(given)]

    rows = [
        {"id": str(number), "coders": codes_of("p", "sanctions", "-") + codes_of("q", "sanctions", "sanctions")}
        for number in range(4)
    ]
    rows.append({"id": "4", "coders": codes_of("p", "regulation|sanctions", "sanctions") + codes_of("q", "-")})
    every = "sanctions|self-reliance|industrial-policy|regulation"
    rows.append({"id": "5", "coders": codes_of("p", every, "-") + codes_of("q", "regulation")})
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    report = run_json("--data", path, "--head", "topics", "--codes", "coders", "--panel", "job", "--no-model")
    variables = report["variables"]
    assert report["data"]["n_tied"] == 4 + 1 + 4
    assert report["data"]["n_codes"] == 11  # of the last item a panel said nothing
    assert any(note.startswith("9 times a panel was tied over a label") for note in report["notes"])
    (pair,) = variables["sanctions"]["people"]["pairs"]
    assert (pair["n"], pair["accuracy"]["value"]) == (1, 0)  # of the fifth item alone; ties are not "absent"
    assert variables["sanctions"]["people"]["n_codes"] == 7
    assert variables["self-reliance"]["people"]["pairs"][0]["n"] == 5


def test_each_topic_is_a_question_of_its_own(tiny_model, tmp_path):
    rows = [
        {"id": str(number), "text": "the embargo", "a": ["sanctions"], "b": "sanctions|regulation" if number else "-"}
        for number in range(6)
    ]
    path = write_jsonl(tmp_path / "topics.jsonl", rows)
    report = run_json("--model", tiny_model, "--data", path, "--head", "topics", "--annotators", "a", "b")
    variables = report["variables"]
    assert set(variables) == {"sanctions", "self-reliance", "industrial-policy", "regulation"}
    assert variables["sanctions"]["people"]["pairs"][0]["accuracy"]["value"] == pytest.approx(5 / 6)
    assert variables["sanctions"]["people"]["pairs"][0]["f1"]["value"] == pytest.approx(10 / 11)
    assert variables["regulation"]["people"]["pairs"][0]["accuracy"]["value"] == pytest.approx(1 / 6)
    assert variables["self-reliance"]["people"]["alpha"]["nominal"] is None  # nobody ever gave it
    assert variables["sanctions"]["model"]["pairs"][0]["accuracy"]["value"] == 1
    assert run("--model", tiny_model, "--data", path, "--head", "topics", "--annotators", "a", "b").exit_code == 0


def test_one_seed_gives_the_same_bytes(tiny_model, wide):
    arguments = ("--model", tiny_model, "--data", wide, "--annotators", *NAMES, "--json", "--replicates", 100)
    assert run(*arguments).stdout == run(*arguments).stdout
    assert run(*arguments, "--seed", 1).stdout != run(*arguments).stdout


def test_the_report_loads_nothing_and_escapes_names(tiny_model, tmp_path):
    rows = [{**row, "<b>[red]": row.get("anna")} for row in make_codings()]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    names = ("<b>[red]", "ben", "carl")
    shown = run(
        "--model", tiny_model, "--data", path, "--annotators", *names, "--report", tmp_path / "out", "--replicates", 100
    )
    assert "<b>[red]" in shown.stdout
    page = (tmp_path / "out" / "agreement.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;[red]" in page
    assert "<b>[red]" not in page
    assert "<script" not in page
    assert 'src="' not in page
    written = json.loads((tmp_path / "out" / "agreement.json").read_text())
    assert written["model"]["sha256"] in page
    assert written["data"]["fingerprint"] in page


@pytest.mark.issue(6)
def test_no_p_is_shown_as_naught(tiny_model, tmp_path, wide):
    arguments = ("--model", tiny_model, "--data", wide, "--annotators", *NAMES, "--report", tmp_path / "out")
    run(*arguments, "--replicates", 100)
    report = json.loads((tmp_path / "out" / "agreement.json").read_text())
    found = report["variables"]["stance"]["model"]["stand_in"]["annotators"]
    assert min(each["p"] for each in found.values()) < 0.001
    assert "<td>&lt;.001</td>" in (tmp_path / "out" / "agreement.html").read_text(encoding="utf-8")


@pytest.mark.issue(6)
def test_rows_are_chosen_by_the_values_of_their_columns(tmp_path):
    rows = make_codings(40, annotators=("anna", "ben"))
    for number, row in enumerate(rows):
        row |= {
            "fits": number % 2 == 0,
            "by": {"year": 1987 if number < 20 else 1992},
            "note": "a=b" if number else None,
        }
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    call = ("--no-model", "--data", path, "--annotators", "anna", "ben")
    kept = write_jsonl(tmp_path / "kept.jsonl", [row for row in rows[:20] if row["fits"]])
    chosen = run_json(*call, "--where", "fits=true", "--where", "by.year=1987")
    by_hand = run_json("--no-model", "--data", kept, "--annotators", "anna", "ben")
    assert chosen["variables"] == by_hand["variables"]
    assert chosen["data"]["fingerprint"] == by_hand["data"]["fingerprint"]
    assert chosen["data"]["where"] == {"fits": "true", "by.year": "1987"}
    assert "--where fits=true --where by.year=1987" in chosen["command"]
    assert run_json(*call, "--where", "note=a=b")["data"]["n_items"] == 39
    assert run(*call, "--where", "fits").exit_code == run(*call, "--where", "=true").exit_code == 2
    with pytest.raises(UnknownColumnError):
        run(*call, "--where", "fit=true")
    with pytest.raises(DataError):  # no row has it
        run(*call, "--where", "fits=maybe")


@pytest.mark.issue(6)
def test_columns_that_no_row_has_are_told_with_those_that_there_are(tiny_model, tmp_path):
    """An annotator misspelt was left out, and of three two were measured; a document misspelt made each row its own."""
    rows = [row | {"by": {"sign": "neutral"}} for row in make_codings(20, annotators=("anna", "ben"))]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)

    def refuse(*options, data=path):
        with pytest.raises(UnknownColumnError) as error:
            run("--no-model", "--data", data, *options)
        return str(error.value)

    told = refuse("--annotators", "anna", "bem", "by.sing")
    assert told.startswith("no row has a column 'bem', 'by.sing' (columns: ")
    assert "by.sign" in told
    assert told.endswith("; did you mean 'by.sign' for by.sing?")  # three letters are too few to guess from
    assert refuse("--annotators", "Anna", "ben").endswith("; did you mean 'anna' for Anna?")
    assert "'talk'" in refuse("--annotators", "anna", "ben", "--group", "talk")
    assert "'name'" in refuse("--annotators", "anna", "ben", "--item", "name")
    assert "'codes'" in refuse("--codes", "codes")
    assert "'label'" in refuse("--annotator", "anna", "--label", "label")
    nested = [{"id": str(n), "codes": [{"who": name, "code": "neutral"} for name in "ab"]} for n in range(9)]
    nested = write_jsonl(tmp_path / "nested.jsonl", nested)
    options = ("--codes", "codes", "--annotator", "who")
    assert refuse(*options, "--label", "cod", data=nested) == (
        "no code has 'cod' (columns: who, code); did you mean 'code' for cod?"
    )
    with pytest.raises(UnknownColumnError, match="'texts'"):
        run("--model", tiny_model, "--data", path, "--annotators", "anna", "ben", "--text", "texts")
    # A column that is there and empty is one that nobody coded in.
    empty = write_jsonl(tmp_path / "empty.jsonl", [row | {"eve": None} for row in rows])
    assert run("--no-model", "--data", empty, "--annotators", "anna", "ben", "eve").exit_code == 0


def simulate_equals(generator, n_documents):
    """Two people and a model who are right alike often, more so in some documents than in others."""
    head = Head(
        name="v", problem_type=ProblemType.ONE_OF, labels=[Label(name=name, description="a side") for name in STANCES]
    )
    items, given, answers = [], [], []
    for document in range(n_documents):
        ease, shares = generator.beta(6, 3), generator.dirichlet([2, 2, 2])
        for place in range(20):
            true = generator.choice(3, p=shares)
            codes = [true if generator.random() < ease else generator.integers(3) for _ in range(3)]
            first, second, answer = ((STANCES[code],) for code in codes)
            items.append(Item(f"{document}-{place}", None, str(document)))
            given.append({"anna": first, "ben": second})
            answers.append(answer)
    return Codings(head, items, ["anna", "ben"], given, None), answers


def count_verdicts(n_documents, *, n_sets):
    """How often a model as good as the people is called nearer or further: by the interval alone, and in all."""
    generator = np.random.default_rng(0)
    n_beyond = n_given = 0
    for seed in range(n_sets):
        codings, answers = simulate_equals(generator, n_documents)
        (part,) = measure_agreement(codings, answers, n_replicates=200, seed=seed, epsilon=0.1).values()
        apart, verdict = part["model"]["model_minus_person"]["kappa"], say_verdict(part["model"])
        is_beyond = apart["low"] is not None and not apart["low"] <= 0 <= apart["high"]
        is_given = verdict.startswith(("The model is further", "The model is nearer"))
        assert is_beyond or not is_given
        n_beyond, n_given = n_beyond + is_beyond, n_given + is_given
    return n_beyond / n_sets, n_given / n_sets


@pytest.mark.issue(6)
def test_five_documents_give_no_verdict_where_their_interval_alone_would():
    by_interval, given = count_verdicts(5, n_sets=25)
    assert given == 0 < by_interval


@pytest.mark.slow
@pytest.mark.parametrize(("n_documents", "bold"), [(6, 0.08), (9, 0.08), (60, 0.02)])
def test_a_model_as_good_as_the_people_is_seldom_called_nearer_or_further(n_documents, bold):
    """What the docs say of it: 5% are to be expected."""
    by_interval, given = count_verdicts(n_documents, n_sets=250)
    assert given <= 0.09
    assert by_interval > bold


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        ([{"id": "1", "text": "a", "anna": "state-led"}], ("--annotators", "anna")),
        ([{"id": "1", "text": "a", "anna": "upward", "ben": "neutral"}], ("--annotators", "anna", "ben")),
        ([{"id": "1", "text": "", "anna": "neutral", "ben": "neutral"}], ("--annotators", "anna", "ben")),
        ([{"id": "1", "text": "a", "codes": "neutral"}], ("--codes", "codes")),
        ([{"id": "1", "text": "a", "codes": [{"stance": "neutral"}]}], ("--codes", "codes")),
        ([{"id": "1", "text": "a", "stance": "neutral"}], ()),
    ],
)
def test_what_cannot_be_read_is_refused(tiny_model, tmp_path, rows, options):
    with pytest.raises(DataError):
        run("--model", tiny_model, "--data", write_jsonl(tmp_path / "rows.jsonl", rows), *options)


def test_options_that_contradict_each_other_are_refused(tiny_model, wide, tmp_path):
    assert run("--data", wide, "--annotators", "anna", "--codes", "x").exit_code == 2
    assert run("--data", wide, "--model", tiny_model, "--no-model", "--annotators", *NAMES).exit_code == 2
    with pytest.raises(UnknownHeadError):
        run("--data", wide, "--no-model", "--head", "mood", "--annotators", *NAMES)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "agreement.json").symlink_to(wide)
    with pytest.raises(RunConflictError):
        run("--data", wide, "--no-model", "--annotators", *NAMES, "--report", tmp_path / "out")
