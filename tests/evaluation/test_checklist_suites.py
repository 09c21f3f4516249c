"""The shipped suites: what they cover, that they are paragraphs and not toys, and that what help shows can be run."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evaluation.checklist.commands import checklist
from evaluation.checklist.expand import expand_suites, texts_of
from evaluation.checklist.suites import SHIPPED, check_taxonomy, load_suites, variants_of
from twohands.errors import ConfigError
from twohands.paragraphs import normalise

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "data" / "starter"

# What the checklist must at least be about.
CAPABILITIES = {
    "negation", "attribution", "view-holder", "country-swap", "leader-swap", "dates", "figures", "tense", "quoting",
    "paraphrase", "typos", "casing", "boilerplate", "passive-voice", "sanction-as-approval", "self-reliance-as-thrift",
    "state-firm-without-push", "minimal-pairs",
}  # fmt: skip


@pytest.fixture(scope="module")
def suites():
    return load_suites([], with_shipped=True)


@pytest.fixture(scope="module")
def checks(suites, taxonomy):
    check_taxonomy(suites, taxonomy)
    return expand_suites(suites, taxonomy, rows=[], seed=0)


def written_texts(suites):
    for _, test in suites.tests():
        for case in test.cases:
            yield case.text
            yield from (variant.text for variant in variants_of(case) if variant.text)


def test_every_capability_is_there_with_enough_to_measure(checks):
    cases = Counter((check.capability, check.case) for check in checks)
    per_capability = Counter(capability for capability, _ in cases)
    assert set(per_capability) >= CAPABILITIES
    assert min(per_capability[name] for name in CAPABILITIES) >= 8
    assert len(texts_of(checks)) > 2000


def test_texts_are_hundreds_of_different_paragraphs(suites):
    texts = list(written_texts(suites))
    assert len(texts) > 400
    assert len(set(texts)) == len(texts)
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[len(lengths) // 2] >= 30  # the codebook's unit is a paragraph


def test_no_two_texts_of_different_cases_share_a_run_of_twelve_words(suites):
    """Texts made from one mould would test the mould."""
    seen = {}
    for file, test in suites.tests():
        if file.path.stem == "minimal_pairs":
            continue
        for number, case in enumerate(test.cases):
            words = re.findall(r"[a-z0-9]+", case.text.lower())
            for start in range(len(words) - 11):
                run = tuple(words[start : start + 12])
                assert seen.setdefault(run, (test.name, number)) == (test.name, number), run


def test_both_directions_are_asked_for_alike(suites):
    expected = Counter()
    for _, test in suites.tests():
        if test.capability in {"negation", "attribution", "view-holder", "irony"}:
            for case in test.cases:
                for part in [case, *variants_of(case)]:
                    expected[(part.expect or {}).get("stance")] += 1
    assert expected["state-led"] / expected["market-led"] == pytest.approx(1, abs=0.2)


def test_gates_are_those_that_were_promised(suites):
    gates = suites.gates
    assert gates["country-swap"] == 0.05
    assert gates["negation"] == gates["attribution"] == 0.2
    invariances = {test.capability for _, test in suites.tests() if test.kind == "invariance"}
    assert {name: gates[name] for name in invariances} == dict.fromkeys(invariances, 0.05)


def test_the_minimal_pairs_are_the_starter_corpus(suites):
    if not STARTER.is_dir():
        pytest.skip("runs from the wheel alone")
    rows = [
        json.loads(line)
        for name in ("dev", "test")
        for line in (STARTER / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    pairs = {}
    for row in rows:
        if row["pair"]:
            pairs.setdefault(row["pair"], set()).add((normalise(row["text"]), row["stance"]))
    (test,) = [test for file, test in suites.tests() if file.path.stem == "minimal_pairs"]
    written = [
        {(normalise(part.text), part.expect["stance"]) for part in [case, *variants_of(case)]} for case in test.cases
    ]
    assert sorted(map(sorted, written)) == sorted(map(sorted, pairs.values()))


def suite_in_help():
    shown = CliRunner().invoke(checklist, ["--help"], terminal_width=80).stdout
    start = shown.rindex("\n", 0, shown.index("suite: mine")) + 1
    lines = shown[start : shown.index("\n\n", start)].splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def test_the_docs_show_the_suite_that_help_shows():
    page = ROOT / "docs" / "evaluation.md"
    if not page.is_file():
        pytest.skip("runs from the wheel alone")
    block = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == yaml.safe_load(suite_in_help())


def test_what_help_shows_is_a_suite_that_runs(tiny_model, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(suite_in_help(), encoding="utf-8")
    arguments = ["--model", str(tiny_model), "--suite", str(path), "--no-shipped", "--json"]
    outcome = CliRunner().invoke(checklist, arguments, catch_exceptions=False)
    report = json.loads(outcome.stdout)
    assert set(report["capabilities"]) == {"ports"}
    assert report["n_checks"] > 10


def test_help_names_every_change(suites):
    from evaluation.checklist.changes import CHANGES

    shown = CliRunner().invoke(checklist, ["--help"]).stdout
    assert [name for name in CHANGES if name not in shown] == []
    used = {change for _, test in suites.tests() for change in test.changes if ":" not in change}
    assert used == set(CHANGES)


def test_list_shows_every_test_and_runs_nothing(suites):
    outcome = CliRunner().invoke(checklist, ["--list", "--model", "no-such-model"], catch_exceptions=False)
    assert outcome.exit_code == 0
    assert [test.name for _, test in suites.tests() if test.name not in outcome.stdout] == []


def test_suites_travel_in_the_package():
    assert SHIPPED.parent.name == "evaluation"
    assert len(list(SHIPPED.glob("*.yaml"))) >= 9


def list_runs(text, n_words=8):
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[start : start + n_words]) for start in range(len(words) - n_words + 1)}


def test_no_row_that_a_model_may_learn_from_holds_words_of_a_suite(suites):
    """A model that has learnt the test says nothing by passing it."""
    if not STARTER.is_dir():
        pytest.skip("runs from the wheel alone")
    written = {run for text in written_texts(suites) for run in list_runs(text)}
    learnt = [path for path in sorted(STARTER.glob("*.jsonl")) if path.stem not in {"dev", "test"}]
    assert learnt
    for path in learnt:
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            assert not list_runs(row.get("text") or "") & written, (path.name, row["id"])


@pytest.mark.issue(6)
def test_an_answer_that_yaml_reads_as_true_is_to_be_quoted(tmp_path):
    path = tmp_path / "suite.yaml"
    test = "{name: a, capability: a, kind: minimum-functionality, description: One., cases: [{text: T., expect: %s}]}"
    path.write_text(f"suite: a\ndescription: One.\ntests: [{test % '{urgent: yes}'}]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_suites([path], with_shipped=False)
    assert any(fault.endswith("put the word in quotation marks") for fault in caught.value.faults)
