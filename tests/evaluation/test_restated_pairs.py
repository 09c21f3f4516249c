"""Rows beside those that they restate: how often the two are answered otherwise, in numbers, terminal and page."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from evaluation.restated import measure_restated
from tests.evaluation.support import write_rows
from twohands.examples import Example

STANCES = ["state-led", "market-led", "neutral"]


def example(identifier, stance, *, restates=None, group="g", topics=()):
    return Example(
        id=identifier,
        paragraph=f"Paragraph {identifier}.",
        labels={"stance": None if stance is None else (stance,), "topics": topics},
        source="written",
        group=group,
        columns={"restates": restates},
    )


def decide(stances):
    """As decided: one stance a row, never a topic."""
    stance = np.array([[name == given for name in STANCES] for given in stances])
    topics = np.zeros((len(stances), 4), dtype=bool)
    return {"stance": (stance.astype(float), stance), "topics": (topics.astype(float), topics)}


def test_pairs_that_are_answered_otherwise_are_counted_and_those_labelled_otherwise_are_not(taxonomy):
    rows = [
        example("a", "state-led"),
        example("b", "state-led", restates="a"),  # answered alike, both right
        example("c", "state-led", restates="a"),  # otherwise: one of two right
        example("d", None, restates="a"),  # no label: counts as otherwise, not as labelled
        example("e", "neutral", restates="a"),  # labelled otherwise: no pair
        example("f", "state-led", restates="gone"),  # what it restates is not there
    ]
    given = ["state-led", "state-led", "neutral", "market-led", "neutral", "neutral"]
    found = measure_restated(rows, taxonomy, decide(given))
    stance = found["stance"]
    assert (stance["n_pairs"], stance["n_groups"], stance["n_labelled"]) == (3, 1, 2)
    assert stance["otherwise"]["value"] == pytest.approx(2 / 3)
    assert stance["one_right"]["value"] == pytest.approx(1 / 2)
    assert found["topics"]["n_pairs"] == 4
    assert found["topics"]["otherwise"]["value"] == 0.0


def test_rows_that_restate_nothing_have_no_figure(taxonomy):
    rows = [example("a", "neutral"), example("b", "neutral", restates="b")]
    assert measure_restated(rows, taxonomy, decide(["neutral", "neutral"])) is None


def test_pairs_of_one_group_are_one_cluster(taxonomy):
    rows, given = [], []
    for group in range(20):
        rows.append(example(f"{group}", "neutral", group=f"g{group}"))
        rows += [example(f"{group}-{n}", "neutral", restates=f"{group}", group=f"g{group}") for n in range(5)]
        given += ["neutral"] + ["state-led" if group < 4 else "neutral"] * 5
    together = measure_restated(rows, taxonomy, decide(given))["stance"]["otherwise"]
    alone = [replace(row, group=row.id) for row in rows]
    apart = measure_restated(alone, taxonomy, decide(given))["stance"]["otherwise"]
    assert together["value"] == apart["value"] == pytest.approx(0.2)
    assert together["high"] - together["low"] > 1.5 * (apart["high"] - apart["low"])


def run(*arguments):
    outcome = CliRunner().invoke(evaluate, list(map(str, arguments)), catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_evaluate_tells_of_pairs_in_json_terminal_and_page(tiny_model, tmp_path):
    rows = [
        {"id": "1", "text": "the plan plan plan plan", "stance": "state-led", "group": "a"},
        {"id": "2", "text": "the market market market", "stance": "state-led", "group": "a", "restates": "1"},
        {"id": "3", "text": "the weather weather weather", "stance": "neutral", "group": "b"},
        {"id": "4", "text": "weather the weather weather", "stance": "neutral", "group": "b", "restates": "3"},
    ]
    rows = [row | {"topics": []} for row in rows]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    told = json.loads(run("--model", tiny_model, "--data", file, "--json", "--replicates", "100"))
    assert told["restated"]["stance"]["n_pairs"] == 2
    assert told["restated"]["stance"]["otherwise"]["value"] == 0.5
    shown = run("--model", tiny_model, "--data", file, "--replicates", "100", "--report", tmp_path / "report")
    assert "answered otherwise" in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("Report:")) <= 80
    assert 'id="restated"' in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")

    plain = write_rows(tmp_path / "plain.jsonl", [{k: v for k, v in row.items() if k != "restates"} for row in rows])
    assert "restated" not in json.loads(run("--model", tiny_model, "--data", plain, "--json", "--replicates", "100"))
