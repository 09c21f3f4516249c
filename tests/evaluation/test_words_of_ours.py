"""Labels that are called like what figures and answers are kept under are labels like any other."""

import json

import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from tests.support.tiny import build_tiny_model
from twohands.taxonomy import Head, Label, ProblemType, Taxonomy

pytestmark = pytest.mark.issue(6)
TEXT = "The embargo the embargo of embargo. A market the market of the weather."


def make_head(name: str, kind: ProblemType, *labels: str) -> Head:
    return Head(name=name, problem_type=kind, labels=[Label(name=label, description="what it is") for label in labels])


def test_labels_may_be_called_as_counts_and_evidence_are(tmp_path):
    heads = [
        make_head("triage", ProblemType.ONE_OF, "benign", "true_positive", "unclear"),
        make_head("parts", ProblemType.ANY_OF, "sentence", "verdict"),
    ]
    model = build_tiny_model(tmp_path / "triage", taxonomy=Taxonomy(heads=heads))
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out"
    labels = {"triage": "true_positive", "parts": []}
    rows.write_text("".join(json.dumps({"text": f"{TEXT} {n}", "group": str(n)} | labels) + "\n" for n in range(8)))
    ran = CliRunner().invoke(
        evaluate,
        ["--model", str(model), "--data", str(rows), "--replicates", "100", "--report", str(out)],
        catch_exceptions=False,
    )
    assert ran.exit_code == 0
    mistakes = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["mistakes"]["parts"]
    marked = [each["evidence"] for each in mistakes if each["label"] == "sentence"]
    assert marked
    assert all(evidence["start"] == 0 for evidence in marked)
    (page,) = out.glob("*.html")
    shown = page.read_text(encoding="utf-8")
    assert "<th>true_positive</th>" in shown, "a label of confusion stands as it is written"
    assert "<th>true positive</th>" in shown, "our own words are spelt out"
