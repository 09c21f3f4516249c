"""Misspelt names of a checklist: bars, capabilities, heads and labels that there are not are refused, not passed."""

import pytest
import yaml
from click.testing import CliRunner

from evaluation.checklist.commands import checklist
from evaluation.checklist.suites import check_taxonomy, load_suites
from twohands.errors import ChecklistGateError, ConfigError

SUITE = {
    "suite": "mine",
    "description": "Words that the tiny model knows.",
    "tests": [
        {
            "name": name,
            "capability": name,
            "kind": "minimum-functionality",
            "description": "Says what stands there.",
            "cases": [{"text": "the plan", "expect": {"stance": "state-led"}}],
        }
        for name in ("ports", "canals")
    ],
}


def write_suite(folder, **changes):
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(SUITE | changes), encoding="utf-8")
    return path


@pytest.fixture
def arguments(tiny_model, tmp_path):
    return ["--model", str(tiny_model), "--suite", str(write_suite(tmp_path)), "--no-shipped", "--gate"]


def run(arguments, *more):
    return CliRunner().invoke(checklist, [*arguments, *more], catch_exceptions=False)


def test_a_bar_for_a_capability_of_no_test_is_refused(arguments):
    with pytest.raises(ConfigError) as error:
        run(arguments, "--bar", "prots=0.0", "--bar", "nope=0.1", "--bar", "ports=0.0")
    assert error.value.heading == "no test has this capability"
    assert error.value.faults == [
        "--bar 'prots' is none of canals, ports; did you mean 'ports'?",
        "--bar 'nope' is none of canals, ports",
    ]


def test_a_bar_for_a_head_that_the_model_lacks_is_refused(arguments):
    with pytest.raises(ConfigError) as error:
        run(arguments, "--bar", "ports:topic=0.0", "--bar", "ports:stance=0.0")
    (fault,) = error.value.faults
    assert fault == ("--bar ports:topic: the model has no head 'topic'; it has stance, topics; did you mean 'topics'?")


def test_a_bar_for_a_capability_that_is_left_out_stays_accepted(arguments):
    bars = ("--bar", "canals:stance=0.0", "--bar", "ports=1.0")
    assert run(arguments, "--capability", "ports", *bars).exit_code == 0


@pytest.mark.issue(6)
def test_a_gate_without_any_bar_does_not_pass(arguments):
    """In a script it would look held for ever."""
    refused = run(arguments)
    assert refused.exit_code == 2
    assert "--gate has no bar to hold" in refused.output
    assert run(arguments, "--bar", "ports=1.0").exit_code == 0


@pytest.mark.issue(6)
def test_a_gate_whose_bars_are_for_other_capabilities_does_not_pass(arguments):
    refused = run(arguments, "--capability", "ports", "--bar", "canals=1.0")
    assert refused.exit_code == 2
    assert "--gate has no bar to hold for ports" in " ".join(refused.output.split())
    told = run(arguments, "--capability", "ports", "--capability", "canals", "--bar", "canals=1.0")
    assert told.exit_code == 0
    assert "No bar is set for ports" in told.output
    assert "No bar" not in run(arguments, "--bar", "canals=1.0").output  # nobody asked for ports by name


@pytest.mark.issue(6)
def test_a_gate_whose_bars_are_for_heads_that_no_check_asks_for_does_not_pass(arguments):
    with pytest.raises(ChecklistGateError) as error:
        run(arguments, "--bar", "ports:topics=0.0")
    assert error.value.heading == "no check was held to a bar"


SWAPS = {
    "name": "swaps",
    "capability": "names",
    "kind": "invariance",
    "description": "Another market, by a name that does not stand there.",
    "changes": ["swap:thing"],
    "cases": [{"text": "the plann"}],
}


def suite_with(folder, **changes):
    tests = [*SUITE["tests"], SWAPS | changes]
    return write_suite(folder, tests=tests, lexicons={"thing": ["plan", "market"]}, gates={"names": 0.0, "ports": 1.0})


@pytest.mark.issue(6)
def test_a_gate_of_a_capability_that_was_never_checked_does_not_pass(arguments, tmp_path):
    suite_with(tmp_path)
    with pytest.raises(ChecklistGateError) as error:
        run(arguments, "--bar", "canals:topics=0.0")
    assert error.value.heading == "no check was held to these bars"
    assert error.value.faults == ["canals (topics): no check asks for it", "names: no check came of swaps"]
    with pytest.raises(ChecklistGateError) as error:
        run(arguments, "--capability", "names", "--report", str(tmp_path / "out"))  # no warning of an empty drawing
    assert error.value.heading == "no check was held to a bar"
    told = run([word for word in arguments if word != "--gate"])
    assert "No check came of swaps (names)" in " ".join(told.output.split())
    assert run(arguments, "--capability", "ports").exit_code == 0


@pytest.mark.issue(6)
def test_a_gate_of_rows_waits_for_rows(arguments, tmp_path):
    suite_with(tmp_path, cases=[], rows=True)
    told = run(arguments)
    assert told.exit_code == 0
    assert "Nothing was asked of swaps (names)" in " ".join(told.output.split())
    (tmp_path / "rows.jsonl").write_text('{"text": "the weather"}\n')
    with pytest.raises(ChecklistGateError) as error:
        run(arguments, "--rows", str(tmp_path / "rows.jsonl"))
    assert error.value.faults == ["names: no check came of swaps"]


def test_a_misspelt_capability_is_told_the_likely_one(arguments, tmp_path):
    with pytest.raises(ConfigError) as error:
        run(arguments, "--capability", "canal")
    assert error.value.faults == ["'canal' is none of canals, ports; did you mean 'canals'?"]
    with pytest.raises(ConfigError) as error:
        load_suites([write_suite(tmp_path, gates={"prots": 0.1})], with_shipped=False)
    assert error.value.faults == ["gate of 'prots': no test has this capability; did you mean 'ports'?"]
    with pytest.raises(ConfigError):
        load_suites([write_suite(tmp_path, tests=[])], with_shipped=False).only(["ports"])


def test_a_wrong_label_is_told_the_likely_one_and_no_advice_that_was_followed(tmp_path, taxonomy):
    test = SUITE["tests"][0]
    expected = {"text": "the plan", "expect": {"stance": "state-lead", "topics": {"has": ["sanction"]}}}
    path = write_suite(tmp_path, tests=[test | {"cases": [expected]}], gates={"ports": {"stanse": 0.1}})
    for with_shipped in (False, True):  # the shipped suites fit these labels, so leaving them out mends nothing
        with pytest.raises(ConfigError) as error:
            check_taxonomy(load_suites([path], with_shipped=with_shipped), taxonomy)
        assert error.value.heading == "the suite does not fit the model's labels"
        of_stance, of_topics, of_gate = error.value.faults
        assert of_stance.endswith("neutral; did you mean 'state-led'?")
        assert of_topics.endswith("; did you mean 'sanctions'?")
        assert of_gate.endswith("gate of 'ports': the model has no head 'stanse'; it has stance, topics; did you mean "
                                "'stance'?")  # fmt: skip


def test_shipped_suites_that_do_not_fit_can_be_left_out(taxonomy):
    stance_alone = taxonomy.model_copy(update={"heads": taxonomy.heads[:1]})
    with pytest.raises(ConfigError) as error:
        check_taxonomy(load_suites([], with_shipped=True), stance_alone)
    assert error.value.heading.endswith("; give your own with --suite and leave the shipped ones out with --no-shipped")
    (fault,) = error.value.faults
    assert fault.startswith("the shipped suites: test 'markets-blamed' and ")


@pytest.mark.issue(6)
def test_a_head_that_the_model_does_not_have_is_one_fault_of_a_file(tmp_path, taxonomy):
    tests = [SUITE["tests"][0] | {"name": name} for name in ("first", "second", "third")]
    topics_alone = taxonomy.model_copy(update={"heads": taxonomy.heads[1:]})
    with pytest.raises(ConfigError) as error:
        check_taxonomy(load_suites([write_suite(tmp_path, tests=tests)], with_shipped=False), topics_alone)
    assert error.value.faults == [
        "mine.yaml: test 'first' and 2 more: the model has no head 'stance'; it has topics",
    ]
