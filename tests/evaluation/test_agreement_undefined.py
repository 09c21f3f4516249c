"""Agreement where a figure is not defined: nothing is computed of no items, and no sentence claims what is not so."""

import json

import pytest

from tests.evaluation.test_agreement import run, write_jsonl
from twohands.errors import DataError

pytestmark = pytest.mark.issue(6)
TEXTS = ("the plan", "the market", "the weather")


def measure(tiny_model, tmp_path, anna, ben):
    """Report, page and terminal for three items at most that two people coded; None is no code."""
    rows = [
        {"id": str(n), "text": text, "anna": one, "ben": other}
        for n, (text, one, other) in enumerate(zip(TEXTS, anna, ben, strict=False))
    ]
    path, out = write_jsonl(tmp_path / "rows.jsonl", rows), tmp_path / "out"
    found = run("--model", tiny_model, "--data", path, "--annotators", "anna", "ben", "--report", out)
    assert found.exit_code == 0
    report = json.loads((out / "agreement.json").read_text(encoding="utf-8"))
    page = (out / "agreement.html").read_text(encoding="utf-8")
    return report["variables"]["stance"], page, " ".join(found.stdout.split())


def test_people_who_are_tied_over_every_item_have_no_common_label(tiny_model, tmp_path):
    # numpy warned of the mean of nothing, and the model was 0 of 0 right.
    part, page, _ = measure(tiny_model, tmp_path, ["state-led", "neutral"], ["neutral", "state-led"])
    assert part["model"]["against_all"] is None
    assert part["model"]["against_rest"]["accuracy"]["value"] == 0.25
    assert "On each item they are tied" in page


@pytest.mark.parametrize(
    ("anna", "ben", "is_alike"),
    [
        (["neutral"] * 3, ["neutral"] * 3, False),  # the model says something else
        (["state-led"], ["state-led"], True),
    ],
)
def test_nobody_is_further_off_only_where_all_say_the_same(tiny_model, tmp_path, anna, ben, is_alike):
    part, page, shown = measure(tiny_model, tmp_path, anna, ben)
    assert part["model"]["model_minus_person"]["kappa"] is None
    assert part["model"]["swaps"]["p"] is None
    assert "kappa is not defined, and so no test of it" in page
    assert "p of kappa" not in page
    for told in (page, shown):
        assert ("nobody is further off" in told) is is_alike
        assert ("gives no verdict" in told) is not is_alike


def test_a_page_does_not_call_codes_alike_that_no_item_shares(tiny_model, tmp_path):
    _, page, _ = measure(tiny_model, tmp_path, ["state-led", None], [None, "neutral"])
    assert "no item has two codes" in page
    assert "all codes are alike" not in page


def test_one_annotator_is_told_as_one(tiny_model, tmp_path):
    path = write_jsonl(tmp_path / "rows.jsonl", [{"id": "1", "text": "the plan", "anna": "neutral"}])
    with pytest.raises(DataError) as caught:
        run("--model", tiny_model, "--data", path, "--annotators", "anna")
    assert caught.value.faults == [
        "annotators found: anna; expected two or more; `twohands agreement --help` shows the layouts"
    ]


@pytest.mark.parametrize(
    ("third", "n_tied"),
    [("market-led", 6), ("neutral", 4)],  # of six codes: of an item with two alike, those two have tied others
)
def test_codes_whose_others_are_tied_are_told_and_not_called_missing(tiny_model, tmp_path, third, n_tied):
    rows = [
        {"id": str(n), "text": text, "anna": "state-led", "ben": "neutral", "carl": third}
        for n, text in enumerate(TEXTS[:2])
    ]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    found = run("--model", tiny_model, "--data", path, "--annotators", "anna", "ben", "carl")
    shown = " ".join(found.stdout.split())
    assert f"not set against the rest, who are tied over the item: stance {n_tied} of 6." in shown
    assert ("or others who are not tied" in shown) is (n_tied == 6)
    on_scale = ("--scale", "market-led,neutral,state-led")
    found = run("--model", tiny_model, "--data", path, "--annotators", "anna", "ben", "carl", *on_scale)
    assert "who are tied" not in " ".join(found.stdout.split()), "a mean is never tied"
