"""The report folder: complete, self-contained, the same bytes each time, and safe against what the data holds."""

import json
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.calibration import measure_high_scores
from evaluation.commands import evaluate
from evaluation.curves import trace_curves
from evaluation.linear import plain_rule
from evaluation.measure import measure_rows
from evaluation.plots import _join_neighbours
from evaluation.report import check_report_extra
from evaluation.rows import HeadRows
from evaluation.tables import say_calibration
from tests.evaluation.support import make_rows, write_rows
from tests.support.tiny import build_tiny_model
from twohands.errors import MissingExtraError


def make_report(model, data, folder):
    arguments = [
        "--model",
        model,
        "--data",
        data,
        "--by",
        "source",
        "--report",
        folder,
        "--replicates",
        "100",
        "--json",
    ]
    outcome = CliRunner().invoke(evaluate, [str(argument) for argument in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0
    return json.loads(outcome.stdout), json.loads((folder / "metrics.json").read_text()), folder / "report.html"


@pytest.fixture
def rows_file(tmp_path):
    return write_rows(tmp_path / "rows.jsonl", make_rows(90))


def test_metrics_json_is_what_is_printed_plus_curves(tiny_model, rows_file, tmp_path):
    printed, written, _ = make_report(tiny_model, rows_file, tmp_path / "report")
    curves = written.pop("curves")
    thresholds, mistakes, described = (written.pop(name) for name in ("thresholds", "mistakes", "rows"))
    assert written == printed
    assert thresholds == {"stance": None, "topics": [0.5] * 4}
    assert 0 < len(mistakes["stance"]) <= 10
    assert described["heads"]["stance"]["n"] == 90
    assert sum(point["n"] for point in curves["stance"]["reliability"]["stance"]) == 90
    assert set(curves["topics"]["reliability"]) == set(printed["heads"]["topics"]["labels"])
    points = curves["stance"]["risk_coverage"]
    assert points[-1]["coverage"] == 1
    assert points[-1]["risk"] == pytest.approx(1 - printed["heads"]["stance"]["accuracy"]["value"])
    assert [point["coverage"] for point in points] == sorted(point["coverage"] for point in points)
    assert "risk_coverage" not in curves["topics"]


def test_risk_is_that_of_the_surest_rows_and_ties_are_answered_together(taxonomy):
    sureness, is_right = [0.9, 0.6, 0.6, 0.5], [True, True, False, False]
    scores = np.array([[sure, 1 - sure, 0] for sure in sureness])
    truth = np.array([[1, 0, 0] if right else [0, 1, 0] for right in is_right], dtype=np.float32)
    decided = np.tile([True, False, False], (4, 1))
    rows = HeadRows(taxonomy.heads[0], np.arange(4), truth, decided, scores, ["a", "b", "c", "d"])
    assert trace_curves(rows, rows, n_replicates=100, seed=0)["risk_coverage"] == [
        {"level": 0.9, "coverage": 0.25, "risk": 0},
        {"level": 0.6, "coverage": 0.75, "risk": pytest.approx(1 / 3)},
        {"level": 0.5, "coverage": 1, "risk": 0.5},
    ]


@pytest.mark.issue(6)
def test_bins_have_intervals_and_no_line_runs_across_scores_that_no_row_has(taxonomy):
    sureness = np.repeat([0.35, 0.95, 0.99], [8, 8, 4])
    scores = np.stack([sureness, 1 - sureness, 0 * sureness], axis=1)
    decided = np.tile([True, False, False], (20, 1))
    truth = np.where(np.arange(20)[:, None] % 8 < 6, [1, 0, 0], [0, 1, 0]).astype(np.float32)
    rows = HeadRows(
        taxonomy.heads[0], np.arange(20), truth, decided, scores, [f"d{n}" for n in range(8)] * 2 + ["e"] * 4
    )
    bins = trace_curves(rows, rows, n_replicates=200, seed=0)["reliability"]["stance"]
    assert [point["n"] for point in bins] == [8, 12]
    for point in bins:
        assert point["hit_rate_low"] < point["hit_rate"] < point["hit_rate_high"]
    joined = _join_neighbours(bins)
    assert [point["score"] for point in joined][::2] == [point["score"] for point in bins]
    assert np.isnan(joined[1]["hit_rate"])
    close = [point | {"low": place / 15, "high": (place + 1) / 15} for place, point in enumerate(bins)]
    assert _join_neighbours(close) == close
    one = rows.take(np.arange(20) > 15)
    few = trace_curves(one, one, n_replicates=200, seed=0)["reliability"]["stance"]
    assert few[0]["hit_rate_low"] is None


def test_the_page_loads_nothing_and_escapes_the_data(tiny_model, rows_file, tmp_path):
    printed, _, page = make_report(tiny_model, rows_file, tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert "speech &lt;b&gt;[red]" in text
    assert "<b>[red]" not in text
    assert not re.search(r"<(script|link|img|iframe)\b|@import|url\((?!#)", text)
    assert not re.search(r"(?:src|href)=\"(?!#)", text)
    # Reliability, precision against recall and histogram of both heads, risk of stance, one drawing for --by.
    assert text.count("<svg") == 8
    assert printed["model"]["sha256"] in text
    for head in printed["heads"].values():
        for label in head["labels"]:
            assert label in text


@pytest.mark.issue(6)
def test_slices_have_a_table_a_head_and_only_what_needs_it_is_explained(tmp_path):
    """Of two heads in one table the page was too narrow; `[-]` was explained where no figure had it."""
    model = build_tiny_model(tmp_path / "tiny", abstention=0.0)
    rows = [{**row, "source": "a_long_name_of_a_source", "group": f"d{n // 3}"} for n, row in enumerate(make_rows(90))]
    printed, _, page = make_report(model, write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    assert text.count("<td>a_<wbr>long_<wbr>name_<wbr>of_<wbr>a_<wbr>source</td><td>90</td><td>30</td>") == 2
    for table, explained in re.findall(r"(<table.*?</table>)</div>\s*(<p class=\"sub\">\[-\])?", text, re.DOTALL):
        assert ("[-]" in table) == bool(explained)
    # The model's level is 0, which no highest score is below.
    assert printed["heads"]["stance"]["abstention"]["level"] == 0
    assert "The model never abstains. It answers" in text
    assert "Below a score of" not in text
    assert "at its own level" not in text


@pytest.mark.issue(6)
def test_the_dotted_line_of_slices_is_over_the_labels_that_occur_as_they_are(tiny_model, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "evaluation.report.draw_forest", lambda *_, reference, **__: drawn.append(reference) or "<svg/>"
    )
    rows = [{**row, "source": "one", "topics": []} for row in make_rows(90) if row["stance"] != "neutral"]
    printed, _, page = make_report(tiny_model, write_rows(tmp_path / "rows.jsonl", rows), tmp_path / "report")
    (reference,) = drawn
    of_slice = printed["slices"]["source"]["one"]["heads"]["stance"]["macro_f1"]["value"]
    assert reference == {"stance": pytest.approx(of_slice)}  # no row has any topic
    assert of_slice > printed["heads"]["stance"]["macro_f1"]["value"]
    assert "all rows, over the labels that occur in any" in page.read_text(encoding="utf-8")


@pytest.mark.issue(6)
def test_scores_near_0_do_not_hide_the_error_of_the_others(taxonomy):
    generator = np.random.default_rng(0)
    n, head = 1500, taxonomy.heads[1]
    scores = np.where(generator.random((n, 4)) < 0.05, generator.uniform(0.3, 0.9, (n, 4)), 0.004)

    def measure(odds):
        truth = (generator.random((n, 4)) < np.where(scores > 0.05, scores * odds, scores)).astype(np.float32)
        rows = HeadRows(head, np.arange(n), truth, scores >= 0.5, scores, [f"d{number // 2}" for number in range(n)])
        rule = plain_rule(head)
        return rows, measure_rows(rows, rows, rule, n_replicates=100, seed=0)

    rows, wrong = measure(0.5)
    high = wrong["high_scores"]
    assert (high["n"], high["n_scores"]) == ((scores >= 0.05).sum(), 4 * n)
    assert high["n_missed"] == ((scores < 0.05) & (rows.truth == 1)).sum() > 0
    assert wrong["ece"]["value"] < 0.03
    assert high["ece"]["low"] < high["ece"]["value"] == pytest.approx(0.3, abs=0.06)
    assert high["ece"]["value"] > 1.5 * high["by_chance"]["high"]
    assert ": more than chance would show)" in say_calibration(wrong)
    every = measure_high_scores(rows, n_replicates=100, seed=0, least_score=0)
    assert every["ece"]["value"] == pytest.approx(wrong["ece"]["value"])
    assert every["by_chance"] == pytest.approx(wrong["ece_by_chance"])
    assert measure_high_scores(rows, n_replicates=100, seed=0, least_score=0.99) is None
    right = measure(1)[1]["high_scores"]
    assert right["ece"]["value"] < 1.2 * right["by_chance"]["high"]


@pytest.mark.issue(6)
def test_whether_calibration_error_is_chance_is_said(tiny_model, rows_file, tmp_path):
    printed, _, page = make_report(tiny_model, rows_file, tmp_path / "report")
    by_chance = {"value": 0.03, "low": 0.02, "high": 0.04}
    verdicts = [say_calibration({"ece": {"value": ece}, "ece_by_chance": by_chance}) for ece in (0.01, 0.04, 0.05)]
    assert verdicts == ["no more than chance would show"] * 2 + ["more than chance would show"]
    assert "high_scores" not in printed["heads"]["stance"]
    high = printed["heads"]["topics"]["high_scores"]
    assert f"Over the {high['n']} of {90 * 4} scores" in page.read_text(encoding="utf-8")
    # Of a model that misses labels, the page said all the same that its low scores were nearly all right.
    assert "nearly all rightly" not in page.read_text(encoding="utf-8")
    n_others = high["n_scores"] - high["n"]
    said = f"The other {n_others} are next to 0, rightly but for {high['n_missed']};"
    assert (said in page.read_text(encoding="utf-8")) == (n_others > 0)
    for head in printed["heads"].values():
        assert f"Calibration error: {say_calibration(head)}. Whether the model was" in page.read_text(encoding="utf-8")


def test_the_page_is_the_same_bytes_again_and_leaves_other_files_alone(tiny_model, rows_file, tmp_path):
    folder = tmp_path / "report"
    _, _, page = make_report(tiny_model, rows_file, folder)
    first, figures = page.read_bytes(), (folder / "metrics.json").read_bytes()
    (folder / "mine.txt").write_text("kept")
    make_report(tiny_model, rows_file, folder)
    assert page.read_bytes() == first
    assert (folder / "metrics.json").read_bytes() == figures
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.json", "mine.txt", "report.html"]


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_is_told_before_anything_is_run(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError):
        check_report_extra()
