"""The pages that evaluation writes, in a browser: on a phone tables scroll, and columns of words keep a width."""

import json

import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from tests.evaluation.support import write_rows
from tests.page.support import find_faults


@pytest.mark.issue(6)
def test_on_a_phone_words_of_a_table_keep_a_width(browser, tiny_model, tmp_path):
    """Scores of four topics stood in a column of 41 pixels, one or two letters to a line."""
    rows = [
        {"id": str(n), "text": f"In Kenya the plan {n}", "stance": "state-led", "topics": [], "group": f"g{n // 2}"}
        for n in range(20)
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    call = ("--model", str(tiny_model), "--data", str(path), "--robustness", "--damage-draws", "1")
    outcome = CliRunner().invoke(evaluate, [*call, "--replicates", "100", "--report", str(tmp_path / "out")])
    assert outcome.exit_code == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))["robustness"]["countries"]
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto((tmp_path / "out" / "report.html").as_uri())
    widths = page.locator("td.words").evaluate_all("(cells) => cells.map((cell) => cell.getBoundingClientRect().width)")
    assert len(widths) >= 2
    assert min(widths) > 120
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.close()


@pytest.mark.issue(6)
def test_shares_are_read_on_the_deepest_shade(browser, tiny_model, tmp_path):
    """Grey on blue had a contrast of 2.9, where 4.5 is the least; and nothing was called the page's main part."""
    rows = [
        {"id": str(n), "text": f"The plan {n}", "stance": "neutral", "topics": ["sanctions"], "group": f"g{n}"}
        for n in range(20)
    ]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    call = ("--model", str(tiny_model), "--data", str(path), "--replicates", "100", "--report", str(tmp_path / "out"))
    assert CliRunner().invoke(evaluate, call).exit_code == 0
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto((tmp_path / "out" / "report.html").as_uri())
    assert page.locator("main .confusion").count() == 2
    assert find_faults(page) == []
    page.close()
