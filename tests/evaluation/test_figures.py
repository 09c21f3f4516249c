"""Intervals of one model's figures: none where there is none, and wide where a few documents are all right."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binom

from evaluation.comparison import compare_rows
from evaluation.curve_command import _note_guesses
from evaluation.growth import _Fits, _score, extrapolate
from evaluation.measure import _abstention, note_few, note_gaps
from evaluation.plots_growth import draw_growth
from evaluation.ranking import measure_ranking
from evaluation.rows import HeadRows, Sample, ratio_of, share_of
from evaluation.slices import measure_slices
from evaluation.tables import (
    list_labels,
    say_better,
    show_figure,
    show_number,
    show_range,
    show_text,
)
from twohands.bounds import bound_head, bound_share
from twohands.examples import Example
from twohands.metrics import accuracy, draw_weights

NO_BOUNDS = {"low": None, "high": None}


def make_rows(taxonomy, truth, given, *, n_of_document=1):
    hot = [np.arange(3) == np.asarray(column)[:, None] for column in (truth, given)]
    groups = [f"d{number // n_of_document}" for number in range(len(truth))]
    scores = np.full((len(truth), 3), 1 / 3)
    return HeadRows(taxonomy.heads[0], np.arange(len(truth)), hot[0].astype(np.float32), hot[1], scores, groups)


def measure(rows):
    return bound_head(rows.head, rows.count(), rows.draw(n_replicates=200, seed=0))


def test_rates_of_1_have_the_bounds_of_clopper_and_pearson(taxonomy):
    truth = [0] * 40 + [1] * 2 + [2] * 2
    measured = measure(make_rows(taxonomy, truth, truth))
    assert measured["accuracy"] == {"value": 1, "low": pytest.approx(beta.ppf(0.025, 44, 1)), "high": 1}
    rare = list(measured["labels"].values())[1]
    assert rare["recall"]["low"] == rare["precision"]["low"] == pytest.approx(beta.ppf(0.025, 2, 1))
    assert rare["recall"]["low"] < rare["f1"]["low"] < 0.3
    assert measured["macro_f1"] == {"value": 1, **NO_BOUNDS}  # no draw differs, and that proves nothing
    wrong = measure(make_rows(taxonomy, truth, [0] * 44))
    missed = list(wrong["labels"].values())[1]["recall"]
    assert missed == {"value": 0, "low": 0, "high": pytest.approx(beta.ppf(0.975, 1, 2))}


def test_recall_of_few_positives_is_covered():
    generator = np.random.default_rng(0)
    weights = draw_weights(100, n_replicates=200, seed=1)
    covered = []
    for _ in range(300):
        is_true = np.arange(100) < 8
        hits = is_true & (generator.random(100) < 0.9)
        recall = share_of(hits.astype(float), is_true.astype(float), weights)
        covered.append(recall["low"] <= 0.9 <= recall["high"])
    assert np.mean(covered) > 0.9  # .57 by draws alone


@pytest.mark.issue(6)
@pytest.mark.parametrize("n_errors", [1, 3])
def test_few_errors_bound_no_closer_than_none(taxonomy, n_errors):
    truth = np.repeat([0, 1], 160)
    given = np.where(np.arange(320) < n_errors, 1, truth)
    none, some = (make_rows(taxonomy, truth, each, n_of_document=20) for each in (truth, given))
    of_none, of_some = measure(none), measure(some)
    sides = [(of_none["accuracy"], of_some["accuracy"])]
    sides += [(of_none["labels"]["state-led"][key], of_some["labels"]["state-led"][key]) for key in ("recall", "f1")]
    for certain, found in sides:
        assert found["low"] == certain["low"] < found["value"] < found["high"] <= 1
    sample = Sample.of(some, some.draw(n_replicates=200, seed=0))
    assert sample.rate(accuracy) == of_some["accuracy"]
    # A mean over labels falls by as much for each wrong row as it does in this sample; the third label has no row.
    macro, right = of_some["macro_f1"], of_some["accuracy"]
    fall = (2 / 3 - macro["value"]) / (1 - right["value"])
    assert macro["low"] == pytest.approx(2 / 3 - fall * (1 - of_none["accuracy"]["low"]))
    assert sample.macro() == macro
    assert sample.macro(np.array([0, 1]))["low"] == pytest.approx(macro["low"] * 3 / 2)
    assert of_some["mcc"]["low"] < right["low"] < of_some["mcc"]["value"]
    nearly_wrong = measure(make_rows(taxonomy, truth, 1 - given, n_of_document=20))["accuracy"]
    assert nearly_wrong["high"] == pytest.approx(1 - of_none["accuracy"]["low"])


@pytest.mark.issue(6)
@pytest.mark.parametrize(("n", "rate"), [(8, 0.95), (20, 0.98), (60, 0.99)])
def test_shares_near_1_are_covered(n, rate):
    generator, rows = np.random.default_rng(0), np.full(n, 20.0)
    weights = draw_weights(n, n_replicates=200, seed=1)
    covered = {share_of: [], ratio_of: []}
    for _ in range(300):
        right = generator.binomial(20, generator.beta(2 * rate, 2 * (1 - rate), size=n)).astype(float)
        for of, found in covered.items():
            share = of(right, rows, weights)
            found.append(share["value"] == 1 or share["low"] <= rate <= share["high"])
    assert np.mean(covered[share_of]) >= 0.93
    assert np.mean(covered[ratio_of]) < 0.93  # by draws alone


@pytest.mark.issue(6)
def test_how_often_shares_of_single_rows_are_covered():
    n = 100
    found = np.arange(n + 1)
    lows, highs = binom.ppf(np.array([[0.025], [0.975]]), n, found / n) / n  # of endless draws
    bounds = [
        bound_share({"value": k / n, "low": low, "high": high}, np.ones(n))
        for k, low, high in zip(found.tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]
    least, most = (np.array([figure[key] for figure in bounds]) for key in ("low", "high"))

    def cover(rate):
        return binom.pmf(found, n, rate)[(least <= rate) & (rate <= most)].sum()

    assert cover(0.962) == pytest.approx(0.883, abs=0.001)  # just below what those bounds serve
    assert min(cover(rate) for rate in np.arange(0.501, 1, 0.01)) > 0.88
    assert min(cover(rate) for rate in (0.97, 0.98, 0.99)) > 0.97


@pytest.mark.issue(6)
@pytest.mark.parametrize("rate", [0.3, 0.6, 0.9])
def test_shares_away_from_0_and_1_are_bounded_by_draws(rate):
    generator, rows = np.random.default_rng(0), np.full(100, 4.0)
    weights = draw_weights(100, n_replicates=200, seed=1)
    for _ in range(100):
        right = generator.binomial(4, generator.beta(3 * rate, 3 * (1 - rate), size=100)).astype(float)
        assert share_of(right, rows, weights) == ratio_of(right, rows, weights)


def test_what_is_not_defined_has_no_interval_and_is_a_dash_to_a_reader(taxonomy):
    truth, given = [0, 1] * 30, [0, 1, 0, 0] * 15
    measured = measure(make_rows(taxonomy, truth, given))
    names = taxonomy.heads[0].label_names
    absent = measured["labels"][names[2]]
    for key in ("precision", "recall", "f1"):
        assert absent[key] == {"value": 0, **NO_BOUNDS}
    shown = list_labels(measured)
    assert [show_figure(shown[names[2]][key]) for key in ("precision", "recall", "f1")] == ["-"] * 3
    assert shown[names[0]]["f1"] == measured["labels"][names[0]]["f1"]


def test_fewer_than_five_documents_give_no_interval_to_any_figure(taxonomy):
    truth, given = [0, 1, 2] * 20, [0, 1, 2, 0, 1, 1] * 10
    rows = make_rows(taxonomy, truth, given, n_of_document=60)
    measured = measure(rows)
    figures = [measured[key] for key in ("macro_f1", "accuracy", "mcc", "ece")]
    figures += [label[key] for label in measured["labels"].values() for key in ("precision", "recall", "f1")]
    figures += measure_ranking(rows, n_replicates=50, seed=0).values()
    assert all(figure["low"] is figure["high"] is None for figure in figures)
    assert show_range(figures[0]) == "-"
    assert len(note_few("a" * 9)) == len(note_few(range(20))) == 1
    assert note_few(range(50)) == []


@pytest.mark.issue(6)
def test_many_documents_of_which_one_holds_most_rows_are_called_few():
    (note,) = note_few(["statute"] * 540 + list(range(59)))
    assert note.startswith("Of 60 groups (documents) the largest holds 90% of the rows: they say as much as 1 of one")
    assert note_few([number for number in range(60) for _ in range(number % 2 + 1)]) == []


def test_a_learning_curve_measured_on_one_document_has_no_interval_and_is_drawn():
    fits = [_Fits(np.array([score]), np.full((1, 30), score), 1) for score in (0.4, 0.5, 0.56, 0.6)]
    assert fits[0].figure() == {"value": pytest.approx(0.4), **NO_BOUNDS}
    beyond = extrapolate([50, 100, 200, 400], fits, seed=0)
    assert beyond["points"][0]["macro_f1"]["low"] is None
    points = [
        {"n_rows": n, "heads": {"stance": {"macro_f1": fit.figure()}}}
        for n, fit in zip((50, 100, 200, 400), fits, strict=True)
    ]
    assert draw_growth(points, {"stance": {"extrapolation": beyond}}).startswith("<svg")


@pytest.mark.issue(6)
def test_no_more_rows_are_guessed_to_reach_less_than_was_measured():
    def guess(*scores):
        fits = [_Fits(np.array([score]), np.full((1, 30), score), 9) for score in scores]
        return extrapolate([50, 100, 200, 400], fits, seed=0)

    assert guess(0.6, 0.71, 0.69, 0.715) is None
    for scores in ((0.4, 0.5, 0.56, 0.6), (0.6, 0.6, 0.6, 0.6)):
        assert [point["n_rows"] for point in guess(*scores)["points"]] == [800, 1600]
    report = {"stance": {"extrapolation": None}, "topics": {"extrapolation": guess(0.4, 0.5, 0.56, 0.6)}}
    (note,) = _note_guesses(report, [{}] * 4)
    assert note.startswith("stance: the curve continued to 2 times the rows lies below what all rows reached")
    assert _note_guesses({"stance": {"extrapolation": None}}, [{}] * 3) == []


@pytest.mark.issue(6)
def test_f1_of_a_label_is_drawn_from_documents_that_have_it(taxonomy):
    truth = [0] * 95 + [1] * 5
    rare = measure(make_rows(taxonomy, truth, [1, *truth[1:]]))["labels"][taxonomy.heads[0].label_names[1]]
    assert rare["f1"]["value"] == pytest.approx(10 / 11)
    assert rare["f1"]["low"] > 0.3  # a draw of the one wrong row alone has an F1 of 0


@pytest.mark.issue(6)
def test_macro_f1_is_a_mean_over_the_same_labels_in_sample_and_draws(taxonomy):
    truth = [0] * 30 + [1] * 29 + [0]
    one_bad = measure(make_rows(taxonomy, truth, [*truth[:-1], 2]))["macro_f1"]
    assert one_bad["low"] < one_bad["value"] <= one_bad["high"] <= 2 / 3  # 1.00, where draws may leave out a label
    flawless = measure(make_rows(taxonomy, truth, truth))["macro_f1"]
    assert flawless == {"value": pytest.approx(2 / 3), **NO_BOUNDS}


@pytest.mark.issue(6)
@pytest.mark.parametrize(("n_true", "n_given"), [(4, 20), (20, 4), (5, 5)])
def test_correlation_rests_on_the_documents_that_depart_from_the_most_frequent_label(taxonomy, n_true, n_given):
    places = np.arange(60)
    truth, given = (np.where(places % 60 < n, 1 + places % 2, 0) for n in (n_true, n_given))
    rows = make_rows(taxonomy, truth, np.where(places == 59, 1, given) if n_given == n_true else given)
    mcc, notes = measure(rows)["mcc"], note_gaps({"stance": rows}, taxonomy, n_rows=len(rows.groups))
    is_few = min(n_true, n_given) < 5
    assert (mcc["low"] is mcc["high"] is None) == is_few
    assert any("no interval of MCC" in note for note in notes) == is_few
    compared = note_gaps({"stance": rows}, taxonomy, n_rows=len(rows.groups), with_mcc=False)
    assert not any("MCC" in note for note in compared)  # a comparison shows none


@pytest.mark.issue(6)
@pytest.mark.parametrize("n_given", [3, 5])
def test_correlation_of_labels_that_few_were_given_has_no_interval_and_says_so(taxonomy, n_given):
    truth = np.zeros((60, len(taxonomy.heads[1].labels)))
    truth[:20] = truth[20:40, 1:] = 1
    given = truth == 1
    given[n_given:, 0] = False  # what is given is right, so that precision has bounds and shows no gap
    groups = [f"d{number}" for number in range(60)]
    rows = HeadRows(taxonomy.heads[1], np.arange(60), truth.astype(np.float32), given, given.astype(float), groups)
    mcc, notes = measure(rows)["mcc"], note_gaps({"topics": rows}, taxonomy, n_rows=60)
    name = taxonomy.heads[1].label_names[0]
    assert (mcc["low"] is None) == (n_given < 5)
    assert any(f"{name}: no interval of MCC" in note for note in notes) == (n_given < 5)
    compared = note_gaps({"topics": rows}, taxonomy, n_rows=60, with_mcc=False)
    assert not any("MCC" in note for note in compared)


@pytest.mark.issue(6)
@pytest.mark.parametrize("side", ["true", "given"])
def test_labels_whose_correlation_is_not_defined_are_told(taxonomy, side):
    truth = np.tile(np.eye(len(taxonomy.heads[1].labels), dtype=np.float32), (15, 1))
    given = truth == 1
    if side == "true":
        truth[:, 0] = 0
    else:
        given[:, 0] = False
    groups = [f"d{number}" for number in range(len(truth))]
    rows = HeadRows(taxonomy.heads[1], np.arange(len(truth)), truth, given, given.astype(float), groups)
    told = f"topics: all rows, or none, have or are given {rows.head.label_names[0]}; its correlation counts 0 in MCC."
    assert measure(rows)["mcc"]["value"] == pytest.approx(0.75, abs=0.02)
    assert told in note_gaps({"topics": rows}, taxonomy, n_rows=len(truth))
    assert told not in note_gaps({"topics": rows}, taxonomy, n_rows=len(truth), with_mcc=False)


@pytest.mark.issue(6)
def test_macro_f1_rests_on_the_documents_of_its_rarest_label(taxonomy):
    def measure_with(n_rare):
        truth = np.array([0] * 40 + [1] * 40 + [2] * n_rare)
        given = np.where(np.arange(len(truth)) % 4 == 3, (truth + 1) % 3, truth)
        rows = make_rows(taxonomy, truth, given)
        other = make_rows(taxonomy, truth, np.roll(given, 1))
        compared = compare_rows(rows, other, n_replicates=200, seed=0)["macro_f1"]
        gaps = note_gaps({"stance": rows}, taxonomy, n_rows=len(rows.groups))
        return measure(rows)["macro_f1"], compared, any("no interval of macro-F1" in note for note in gaps)

    few, compared, is_noted = measure_with(4)
    assert (few["low"], few["high"], is_noted) == (None, None, True)
    assert {compared[side]["low"] for side in ("a", "b", "difference")} == {compared["difference"]["p"]} == {None}
    enough, compared, is_noted = measure_with(5)
    assert enough["low"] < enough["value"] < enough["high"]
    assert not is_noted
    assert compared["a"] == enough
    assert compared["difference"]["p"] < 1


@pytest.mark.issue(6)
def test_what_no_draw_contradicts_is_not_certain_in_slices_ranking_and_comparison(taxonomy):
    truth = np.array([0, 0, 1, 1, 2] * 6)
    right, wrong = make_rows(taxonomy, truth, truth), make_rows(taxonomy, truth, (truth + 1) % 3)
    surely = replace(right, scores=right.decided.astype(float))
    assert all(
        figure == {"value": 1, **NO_BOUNDS} for figure in measure_ranking(surely, n_replicates=50, seed=0).values()
    )
    examples = [Example(f"{n}", "a text", {"stance": ("neutral",)}, "one", f"d{n}") for n in range(30)]
    (part,) = measure_slices(examples, {"stance": right}, "source", n_replicates=50, seed=0).values()
    assert part["heads"]["stance"]["macro_f1"] == {"value": 1, **NO_BOUNDS}
    for other, apart in ((right, 0), (wrong, 1)):
        compared = compare_rows(right, other, n_replicates=100, seed=0)
        differences = [compared[key]["difference"] for key in ("macro_f1", "accuracy")]
        differences += [label["f1"]["difference"] for label in compared["labels"].values()]
        for difference in differences:
            assert difference == {"value": apart, **NO_BOUNDS, "p": None, "p_is_least": None, "p_by_swaps": None}
        assert compared["macro_f1"]["b"]["low"] is None
        assert 0 < compared["accuracy"]["a"]["low"] < 1
        sides = measure(right)
        assert compared["labels"]["neutral"]["f1"]["a"] == sides["labels"]["neutral"]["f1"]
    assert say_better(compared) == "no interval of macro-F1 to tell by"


@pytest.mark.issue(6)
def test_the_least_p_is_told_to_be_a_bound(taxonomy):
    generator = np.random.default_rng(1)
    truth = np.array([0, 1, 2] * 30)
    rows = [
        make_rows(taxonomy, truth, np.where(generator.random(90) < skill, truth, (truth + 1) % 3))
        for skill in (0.95, 0.2, 0.25)
    ]
    apart = compare_rows(*rows[:2], n_replicates=1000, seed=0)["macro_f1"]["difference"]
    assert (apart["p"], apart["p_is_least"]) == (pytest.approx(2 / 1001), True)
    near = compare_rows(*rows[1:], n_replicates=1000, seed=0)["macro_f1"]["difference"]
    assert not near["p_is_least"]


@pytest.mark.issue(6)
def test_a_figure_beyond_1_is_rounded_and_not_cut():
    """A difference of kappa or of correlation may be as large as 2."""
    shown = [show_number(value, is_signed=True) for value in (1.238, -1.238, 0.9996, -0.0201, 2)]
    assert shown == ["+1.24", "-1.24", "+1.00", "-.020", "+2.00"]
    assert [show_number(value, digits=2) for value in (0.951, 0.999, 1)] == [".95", "1.0", "1.0"]


def test_draws_that_lack_a_label_are_dropped_on_both_sides(taxonomy):
    truth = np.array([0] * 58 + [1] * 5)
    slips = truth.copy()
    slips[0] = 1  # wrong in a row of the frequent label, so that some draws would define the rare one for B alone
    compared = compare_rows(
        make_rows(taxonomy, truth, truth), make_rows(taxonomy, truth, slips), n_replicates=1000, seed=0
    )
    rare = compared["labels"][taxonomy.heads[0].label_names[1]]["f1"]["difference"]
    assert 0 <= rare["low"] <= rare["value"] <= rare["high"] < 1


@pytest.mark.issue(6)
@pytest.mark.parametrize("n_rare", [4, 5])
def test_figures_of_a_label_rest_on_the_documents_that_have_it(taxonomy, n_rare):
    """Label 1 is in few documents and given in many, label 2 the other way round."""
    truth = np.array([0] * 40 + [2] * 40 + [1] * n_rare)
    given = np.array([1] * 20 + [0] * 19 + [2] * n_rare + [0] * (41 - n_rare) + [1] * (n_rare - 1) + [0])
    scores = np.where(np.arange(3) == given[:, None], 0.6, 0.2) + np.linspace(0, 0.1, len(truth))[:, None]
    rows = replace(make_rows(taxonomy, truth, given), scores=scores)
    other = make_rows(taxonomy, truth, np.where(np.arange(len(truth)) == 80, 0, given))
    _, rare, frequent = rows.head.label_names
    measured = measure(rows)["labels"]
    sample = Sample.of(rows, rows.draw(n_replicates=50, seed=0))
    resting = [
        measured[rare]["recall"],
        measured[rare]["f1"],
        measured[frequent]["precision"],
        measure_ranking(rows, n_replicates=50, seed=0)[rare],
        compare_rows(rows, other, n_replicates=50, seed=0)["labels"][rare]["f1"]["difference"],
        _score([sample], 1).figure(),
    ]
    assert all(0 < abs(figure["value"]) < 1 for figure in resting)
    assert [figure["low"] is None for figure in resting] == [n_rare < 5] * len(resting)
    enough = [measured[rare]["precision"], measured[frequent]["recall"], measured[frequent]["f1"]]
    assert all(figure["low"] is not None for figure in enough)
    is_answered = np.arange(len(truth)) >= len(truth) - n_rare
    surely = replace(rows, scores=np.where(is_answered[:, None], 0.9, 0.1) * np.ones((1, 3)))
    abstention = _abstention(surely, 0.5, n_replicates=50, seed=0)
    assert 0 < abstention["risk"]["value"] < 1
    assert (abstention["risk"]["low"] is None) == (abstention["accuracy"]["low"] is None) == (n_rare < 5)
    assert abstention["coverage"]["low"] is not None


@pytest.mark.issue(6)
def test_words_from_rows_are_neither_markup_nor_obeyed():
    assert show_text("[bold]a[/] \x1b[2J \u202eb\tc\n").plain == "[bold]a[/] \\x1b[2J \\u202eb\tc\n"
