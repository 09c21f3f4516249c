"""Owns what is reported of outcomes: failure rates by capability, test and head, gates, swaps and examples."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from evaluation.checklist.checks import Answer, Labels, Marks, Moves, Outcome, name_answer
from evaluation.checklist.rates import rate_of
from evaluation.checklist.schema import Kind
from evaluation.checklist.suites import Suites
from twohands.metrics import Figure
from twohands.prediction import OneOf

Json = dict[str, object]
Bars = Mapping[str, float | Mapping[str, float]]
EVERY_HEAD = ""  # in bars by head, what counts for those that are not named
_DIGITS = 6


def _group(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> dict[str, list[Outcome]]:
    found: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        found[key(outcome)].append(outcome)
    return dict(found)


def _is_unsure(answer: Answer | None) -> bool:
    return isinstance(answer, OneOf) and answer.abstained


def _count(outcomes: Sequence[Outcome]) -> Json:
    failed = [outcome for outcome in outcomes if not outcome.passed]
    return {
        "failure_rate": rate_of([not outcome.passed for outcome in outcomes], [o.check.case for o in outcomes]),
        "n_checks": len(outcomes),
        "n_failed": len(failed),
        "n_failed_unsure": sum(_is_unsure(o.answer) or _is_unsure(o.before) for o in failed),
        "n_cases": len({outcome.check.case for outcome in outcomes}),
        "n_cases_failed": len({outcome.check.case for outcome in failed}),
    }


def _measure_capabilities(outcomes: Iterable[Outcome]) -> Json:
    measured: Json = {}
    for capability, of_capability in _group(outcomes, lambda o: o.check.capability).items():
        heads: Json = {}
        for head, of_head in _group(of_capability, lambda o: o.check.head).items():
            tests = _group(of_head, lambda o: o.check.test)
            heads[head] = {**_count(of_head), "tests": {name: _count(of_test) for name, of_test in tests.items()}}
        measured[capability] = {"kinds": sorted({o.check.kind.value for o in of_capability}), "heads": heads}
    return measured


def _find_bar(sources: Sequence[Bars], capability: str, head: str) -> float | None:
    """The highest failure rate that is allowed.

    Args:
        sources: bars by capability; where an earlier one says nothing of the head, the next one counts.
        capability: which.
        head: which.

    Returns:
        None where there is no bar.
    """
    for bars in sources:
        bar = bars.get(capability)
        found = bar.get(head, bar.get(EVERY_HEAD)) if isinstance(bar, Mapping) else bar
        if found is not None:
            return found
    return None


def _judge_gates(capabilities: Json, sources: Sequence[Bars]) -> list[Json]:
    """A rate at the bar holds it; only where the whole interval lies at or under the bar is that shown."""
    gates: list[Json] = []
    for capability, measured in capabilities.items():
        heads = cast("dict[str, dict[str, Figure]]", cast("Json", measured)["heads"])
        for head, counted in heads.items():
            bar = _find_bar(sources, capability, head)
            if bar is not None:
                rate, high = counted["failure_rate"]["value"], counted["failure_rate"]["high"]
                gates.append(
                    {
                        "capability": capability,
                        "head": head,
                        "bar": bar,
                        "failure_rate": rate,
                        "passed": rate <= bar,
                        "shown": high <= bar,
                    }
                )
    return gates


def _measure_swaps(outcomes: Iterable[Outcome]) -> Json:
    """By lexicon, head and name: how often putting it in flipped the answer, and which scores it draws up or down."""
    texts: dict[tuple[str, str], dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        if outcome.check.swap is not None:
            texts[outcome.check.swap[0], outcome.check.head][outcome.check.before or ""].append(outcome)
    swaps: dict[str, dict[str, Json]] = defaultdict(dict)
    for (lexicon, head), by_text in texts.items():
        swaps[lexicon][head] = _measure_names(by_text.values())
    return dict(swaps)


def _measure_names(by_text: Iterable[Sequence[Outcome]]) -> Json:
    """A name is compared with all names in the same text: the written one may itself have drawn a score its way."""
    apart: dict[str, list[dict[str, float]]] = defaultdict(list)
    put: dict[str, list[bool]] = defaultdict(list)
    for of_text in by_text:
        scores: dict[str, Mapping[str, float]] = {}
        for outcome in of_text:
            if outcome.check.swap is not None and outcome.before is not None:
                _, written, name = outcome.check.swap
                scores |= {written: outcome.before.scores, name: outcome.answer.scores}
                put[name].append(not outcome.passed)
        labels = list(next(iter(scores.values())))
        mean = {label: sum(of_name[label] for of_name in scores.values()) / len(scores) for label in labels}
        for name, of_name in scores.items():
            apart[name].append({label: of_name[label] - mean[label] for label in labels})
    return {
        name: {
            "n_texts": len(found),
            "n_put": len(put[name]),
            "n_flipped": sum(put[name]),
            "mean_shift": {
                label: round(sum(each[label] for each in found) / len(found), _DIGITS) for label in found[0]
            },
        }
        for name, found in sorted(apart.items())
    }


def count_held(gates: Sequence[Mapping[str, object]]) -> str:
    """Say how many bars are held, and how many of them beyond chance.

    Args:
        gates: from `measure_outcomes`.

    Returns:
        `11 of 21 bars are held, 2 of them beyond chance`.
    """
    n_held, n_shown = (sum(bool(gate[key]) for gate in gates) for key in ("passed", "shown"))
    beyond = f", {n_shown or 'none'} of them beyond chance" if n_held else ""
    return f"{n_held} of {len(gates)} bars are held{beyond}"


OUTCOME_KEYS = ("capability", "test", "expected", "answer", "passed")  # of those that each outcome has


def describe_outcome(outcome: Outcome, *, with_text: bool = True) -> Json:
    """Say of one check what was asked and answered.

    Args:
        outcome: judged.
        with_text: whether the texts are quoted.

    Returns:
        For JSON.
    """
    check = outcome.check
    described: Json = {
        "capability": check.capability,
        "test": check.test,
        "kind": check.kind.value,
        "case": check.case,
        "change": check.change,
        "head": check.head,
        "expected": check.expected.describe(),
        "answer": name_answer(outcome.answer),
        "scores": outcome.answer.scores,
        "abstained": _is_unsure(outcome.answer),
        "passed": outcome.passed,
    }
    if outcome.before is not None:
        described |= {"answer_before": name_answer(outcome.before), "scores_before": outcome.before.scores}
    if check.swap is not None:
        described["swap"] = {"found": check.swap[1], "put": check.swap[2]}
    if with_text:
        described |= {"text": check.text}
        described |= {} if check.before is None else {"text_before": check.before}
    return described | ({} if check.note is None else {"note": check.note})


def _list_given(answer: Answer) -> set[str]:
    return {answer.label} if isinstance(answer, OneOf) else set(answer.labels)


def _certainty(outcome: Outcome) -> float:
    """How sure the model was of what it should not have said or withheld, or how far it moved where it should not."""
    expected, scores, given = outcome.check.expected, outcome.answer.scores, _list_given(outcome.answer)
    if isinstance(expected, Marks):
        withheld = [1 - scores[label] for label in expected.has if label not in given]
        return max([*withheld, *(scores[label] for label in expected.lacks if label in given)], default=0.0)
    if isinstance(expected, Labels) or outcome.before is None:
        return max(scores.values())
    before = outcome.before.scores
    if isinstance(expected, Moves):
        by = scores[expected.label] - before[expected.label]
        return -by if expected.move in {"rises", "does-not-fall"} else by
    changed = given ^ _list_given(outcome.before)
    return max((abs(scores[label] - before[label]) for label in changed), default=0.0)


def choose_failures(outcomes: Iterable[Outcome], *, most: int, with_row_texts: bool) -> Json:
    """Choose examples of each capability: the surest failure of each case first, then others.

    Args:
        outcomes: all.
        most: of each capability and head.
        with_row_texts: whether paragraphs of the user's rows are quoted; the suite's own texts always are.

    Returns:
        By capability, lists of `describe_outcome`.
    """
    chosen: Json = {}
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for capability, of_capability in _group(failed, lambda o: o.check.capability).items():
        examples: list[Json] = []
        for of_head in _group(of_capability, lambda o: o.check.head).values():
            ranked = sorted(of_head, key=lambda o: (-_certainty(o), o.check.case, o.check.change, o.check.text))
            firsts = {outcome.check.case: outcome for outcome in reversed(ranked)}  # the surest of each case
            order = sorted(ranked, key=lambda o: (firsts[o.check.case] is not o, -_certainty(o)))
            examples += [
                describe_outcome(outcome, with_text=with_row_texts or not outcome.check.is_row)
                for outcome in order[:most]
            ]
        chosen[capability] = examples
    return chosen


def _average_kinds(capabilities: Json) -> Json:
    """By kind and head the mean of the capabilities' failure rates, each counting alike however many checks it has."""
    rates: dict[str, dict[str, list[float]]] = {kind.value: defaultdict(list) for kind in Kind}
    for measured in cast("dict[str, Json]", capabilities).values():
        kinds = cast("list[str]", measured["kinds"])
        if len(kinds) == 1:
            for head, counted in cast("dict[str, dict[str, Figure]]", measured["heads"]).items():
                rates[kinds[0]][head].append(counted["failure_rate"]["value"])
    return {
        kind: {head: {"mean_failure_rate": sum(of_head) / len(of_head), "n_capabilities": len(of_head)}
               for head, of_head in heads.items()}
        for kind, heads in rates.items()
    }  # fmt: skip


def measure_outcomes(
    outcomes: Sequence[Outcome],
    suites: Suites,
    *,
    bars: Bars,
    most_examples: int,
    with_row_texts: bool,
) -> Json:
    """Measure all that was found.

    Args:
        outcomes: of all checks.
        suites: they came from.
        bars: by capability, what `--bar` says over the suites' own gates, head by head.
        most_examples: of each capability and head.
        with_row_texts: whether failures quote the user's rows.

    Returns:
        For JSON: `capabilities` and `kinds` of the suites, `rows` of the user, `gates`, `swaps`, `row_swaps`,
        `failures`, `row_failures`, `tests` with their descriptions.
    """
    of_suites = [outcome for outcome in outcomes if not outcome.check.is_row]
    of_rows = [outcome for outcome in outcomes if outcome.check.is_row]
    capabilities, rows = _measure_capabilities(of_suites), _measure_capabilities(of_rows)
    sources = (bars, suites.gates)
    choose = partial(choose_failures, most=most_examples, with_row_texts=with_row_texts)
    return {
        "capabilities": capabilities,
        "kinds": _average_kinds(capabilities),
        "rows": rows,
        "gates": [
            *({**gate, "on": "suite"} for gate in _judge_gates(capabilities, sources)),
            *({**gate, "on": "rows"} for gate in _judge_gates(rows, sources)),
        ],
        "swaps": _measure_swaps(of_suites),
        "row_swaps": _measure_swaps(of_rows),
        "failures": choose(of_suites),
        "row_failures": choose(of_rows),
        "tests": {test.name: {"capability": test.capability, "kind": test.kind.value, "description": test.description}
                  for _, test in suites.tests()},
    }  # fmt: skip
