"""The panel figures that stand beside the people's codings (where at hand); they are no part of ours."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from evaluation.agreement.commands import agreement

HUMAN = Path(__file__).resolve().parents[3] / "shared" / "data" / "human"
SCALE = ("--scale", "market-led,neutral,state-led", "--cut", "1/3")

pytestmark = pytest.mark.skipif(not HUMAN.is_dir(), reason="the people's codings are not part of the project")


def measure(*arguments):
    command = [*map(str, arguments), *SCALE, "--no-model", "--json", "--replicates", "100"]
    return json.loads(CliRunner().invoke(agreement, command, catch_exceptions=False).stdout)["variables"]["stance"]


def test_one_panel_against_the_other_on_windows():
    found = measure("--data", HUMAN / "coal_debate_windows.jsonl", "--annotators", "panel_1", "panel_2")
    (pair,) = found["people"]["pairs"]
    assert pair["n"] == 130
    assert pair["accuracy"]["value"] == pytest.approx(0.769, abs=5e-4)
    assert pair["kappa"]["value"] == pytest.approx(0.611, abs=5e-4)
    assert pair["macro_f1"]["value"] == pytest.approx(0.770, abs=5e-4)


def test_one_coder_against_the_rest_and_alpha_on_sentences():
    found = measure(
        "--data", HUMAN / "coal_debate_sentences.jsonl", "--codes", "coders", "--annotator", "coder", "--label", "code"
    )
    assert found["people"]["n_items"] == 417
    assert found["people"]["alpha"]["nominal"]["value"] == pytest.approx(0.31, abs=5e-3)
    rest = found["people"]["one_against_rest"]
    assert rest["accuracy"]["value"] == pytest.approx(0.608, abs=5e-4)
    assert rest["kappa"]["value"] == pytest.approx(0.37, abs=5e-3)


def test_experts_and_crowd_are_read_from_inside_their_objects():
    found = measure("--data", HUMAN / "manifesto_windows.jsonl", "--annotators", "experts.sign", "crowd.sign")
    (pair,) = found["people"]["pairs"]
    assert pair["n"] > 500
    assert pair["same_side"]["value"] > 0.9
