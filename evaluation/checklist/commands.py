"""Owns the command `checklist`: options in, one report of behaviour out."""

from pathlib import Path

import click

from evaluation.checklist.bars import check_bar_capabilities, check_bar_heads, check_gate, find_unchecked, read_bars
from evaluation.checklist.expand import expand_suites, texts_of
from evaluation.checklist.measure import OUTCOME_KEYS, describe_outcome, measure_outcomes
from evaluation.checklist.page import PAGE_NAME, REPORT_NAME, render_page
from evaluation.checklist.rates import check_scipy
from evaluation.checklist.rows import RowTexts, load_texts
from evaluation.checklist.run import run_checks
from evaluation.checklist.suites import Suites, check_taxonomy, load_suites
from evaluation.checklist.tables import print_checklist, print_tests
from evaluation.options import (
    JSON,
    PATH,
    RUNTIME,
    THREADS,
    VariadicCommand,
    describe_command,
    list_versions,
    tell_figures,
)
from evaluation.output import check_outputs, check_rows_output, list_model_files, write_predictions, write_with_page
from evaluation.progress import show_progress
from evaluation.report import check_report_extra
from twohands.classifier import Classifier
from twohands.cpu import describe_cpu
from twohands.errors import ChecklistGateError
from twohands.examples import expand_paths
from twohands.runtimes import Runtime

Json = dict[str, object]

_EXAMPLE = """\b
A suite of your own, mine.yaml:
  suite: mine
  description: Ports, as our desk writes of them.
  lexicons:
    port: [Mombasa, Santos, Gdansk]
  gates: {ports: 0.1}
  tests:
    - name: ports-sold-and-kept
      capability: ports
      kind: minimum-functionality
      description: Selling the port and keeping it push opposite ways.
      cases:
        - text: The port of {port} will be sold, and its tariff freed.
          expect: {stance: market-led, topics: {has: [regulation]}}
          variants:
            - text: The port of {port} will not be sold, nor its tariff freed.
              expect: {stance: state-led}
    - name: ports-renamed
      capability: ports
      kind: invariance
      description: Which port it is changes no answer.
      changes: [typos, "swap:port", "before:openings"]
      cases:
        - text: The cranes of Santos stood still on Monday; no ship was lost.
    - name: ports-protest
      capability: ports
      kind: directional
      description: A protest added at the end does not lift the other side.
      cases:
        - text: We shall take the quays of {port} back into public hands.
          variants:
            - text: We shall take the quays of {port} back into public hands.
                The shippers' league has protested.
              moves: {stance: {state-led: does-not-fall}}

\b
Run it alone, or with those that are shipped:
  twohands checklist --suite mine.yaml --no-shipped
  twohands checklist --suite mine.yaml --rows my_rows.jsonl --report out
"""


def _refuse_missed(report: Json, unchecked: list[str]) -> None:
    gates = report["gates"]
    if not gates:
        raise ChecklistGateError(
            "no check was held to a bar", unchecked or ["the bars are of tests that change --rows"]
        )
    missed = [gate for gate in gates if not gate["passed"]] if isinstance(gates, list) else []
    if missed or unchecked:
        faults = unchecked + [
            f"{gate['capability']} ({gate['head']}, {gate['on']}): fails {gate['failure_rate']:.3f} of its checks, "
            f"at most {gate['bar']:.3f} may"
            for gate in missed
        ]
        heading = "the model's behaviour misses its bars" if missed else "no check was held to these bars"
        raise ChecklistGateError(heading, faults)


def _note_what_is_missing(suites: Suites, rows: RowTexts | None) -> list[str]:
    notes = []
    if rows is not None and len(rows.texts) < rows.n_read:
        notes.append(f"{len(rows.texts)} of {rows.n_read} rows were drawn; --most-rows takes more.")
    if rows is not None and not any(test.rows for _, test in suites.tests()):
        notes.append("No test of these suites changes rows (`rows: true`); --rows had no effect.")
    return notes


@click.command(cls=VariadicCommand, epilog=_EXAMPLE)
@click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
@click.option("--suite", "suite_files", type=PATH, multiple=True, metavar="FILE...", help="Your own suites (YAML).")
@click.option("--no-shipped", is_flag=True, help="Leave the shipped tests out; their lexicons stay at hand.")
@click.option("--capability", multiple=True, metavar="NAME", help="Only this capability; may be repeated.")
@click.option(
    "--rows",
    "row_files",
    type=PATH,
    multiple=True,
    metavar="FILE...",
    help="Also change the texts of these rows (JSONL, CSV, Parquet; no labels needed) and see whether answers hold.",
)
@click.option(
    "--most-rows", type=click.IntRange(min=1), default=300, show_default=True, help="A seeded sample of so many rows."
)
@click.option("--report", type=PATH, metavar="DIR", help="Also write checklist.json and checklist.html there.")
@click.option("--outcomes", type=PATH, metavar="FILE", help="Also write every check and its outcome (JSONL).")
@click.option("--examples", type=click.IntRange(min=0), default=8, show_default=True, help="Failures kept, by head.")
@click.option("--without-texts", is_flag=True, help="Quote no row of --rows in any output.")
@click.option("--gate", is_flag=True, help="End with exit code 1 when a bar is missed, or nothing was held to it.")
@click.option(
    "--bar",
    "bars",
    multiple=True,
    metavar="CAPABILITY[:HEAD]=RATE",
    help="Highest failure rate; heads left out keep the suites' bars. May be repeated.",
)
@click.option("--list", "is_list", is_flag=True, help="Show the tests and run nothing.")
@JSON
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of fillings, samples and changes."
)
@THREADS
@RUNTIME
@click.pass_context
def checklist(
    ctx: click.Context,
    *,
    model: str | None,
    suite_files: tuple[Path, ...],
    no_shipped: bool,
    capability: tuple[str, ...],
    row_files: tuple[Path, ...],
    most_rows: int,
    report: Path | None,
    outcomes: Path | None,
    examples: int,
    without_texts: bool,
    gate: bool,
    bars: tuple[str, ...],
    is_list: bool,
    as_json: bool,
    seed: int,
    threads: int | None,
    runtime: Runtime,
) -> None:
    """Test what a model does, one behaviour at a time.

    An average hides that a model reads "will not be sold" as "will be sold". Each test states a behaviour of one
    capability (negation, attribution, another country's name, typos ...) in one of three kinds:

    \b
    minimum-functionality  the answer of each text is known: `expect`
    invariance             a change of the text keeps the answer: `changes`,
                           `variants`
    directional            a change moves a label's score: `moves`

    Reported is the share of checks that fail, by capability and head, with a 95% interval that takes the checks of
    one case as a cluster (Korn and Graubard), and the failures that the model is surest of. A failure counts whether
    or not the model abstains; how many were unsure is said beside it. A bar is held where the rate is at most the bar;
    held beyond chance (`shown` in JSON) where the whole interval is.

    \b
    In a suite:
      text      one text, or a template: {slot} takes entries of a lexicon
      expect    {stance: LABEL or [LABEL, LABEL],
                 topics: {has: [LABEL], lacks: [LABEL]}}
      variants  changed forms: a text, or `replace: {old: new}`, each with its
                own `expect` or `moves`
      moves     {HEAD: {LABEL: MOVE}}; MOVE is rises, falls, does-not-rise or
                does-not-fall, by the test's `margin` (0.1)
      changes   typos, scanner, upper-case, lower-case, title-case, dates,
                figures, american-spelling, contractions, punctuation,
                in-quotes, swap:LEXICON, before:LEXICON, after:LEXICON
      reuse     {capabilities: [NAME]}: change the texts of other tests
      rows      true: change the rows of --rows, too
      gates     {CAPABILITY: highest failure rate, or {HEAD: rate}}
    """  # noqa: D301 - click knows a block that is not rewrapped by the control character itself
    chosen_bars = read_bars(bars)
    suites = load_suites(suite_files, with_shipped=not no_shipped).only(capability)
    check_bar_capabilities(chosen_bars, suites)
    without_bar = check_gate(chosen_bars, suites) if gate else []
    if is_list:
        print_tests(suites)
        return
    check_scipy()
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / REPORT_NAME, report / PAGE_NAME]
    # A folder stands for its files: what is written into it must not take the place of one of them (#6).
    inputs = [*suite_files, *expand_paths(row_files), *list_model_files(model)]
    check_outputs([*outputs, *([] if outcomes is None else [outcomes])], inputs)
    if outcomes is not None:
        check_rows_output(outcomes, OUTCOME_KEYS, option="--outcomes")
    rows = load_texts(row_files, at_most=most_rows, seed=seed) if row_files else None
    classifier = Classifier.load(model, num_threads=threads, runtime=runtime)
    try:
        check_taxonomy(suites, classifier.taxonomy)
        check_bar_heads(chosen_bars, classifier.taxonomy)
        checks = expand_suites(suites, classifier.taxonomy, rows=rows.texts if rows else [], seed=seed)
        unchecked_notes, unchecked = find_unchecked(chosen_bars, suites, checks, has_rows=rows is not None)
        n_texts = len(texts_of(checks))
        with show_progress("answering", n_texts) as advance:
            found = run_checks(classifier, checks, advance=advance)
    finally:
        classifier.close()
    measured: Json = {
        "model": classifier.identity,
        "runtime": classifier.session.runtime,
        "n_checks": len(checks),
        "n_texts": n_texts,
        **measure_outcomes(found, suites, bars=chosen_bars, most_examples=examples, with_row_texts=not without_texts),
        "suites": suites.describe(),
        "data": None if rows is None else rows.describe(),
        "seed": seed,
        "notes": [*_note_what_is_missing(suites, rows), *unchecked_notes, *without_bar],
        "cpu": describe_cpu(),
        "versions": list_versions("scipy", classifier.session.runtime.split()[0]),
        "command": describe_command(ctx),
    }
    if outcomes is not None:
        write_predictions(
            outcomes,
            (describe_outcome(each, with_text=not (without_texts and each.check.is_row)) for each in found),
        )
    page = None
    if report is not None:
        page = write_with_page(report, measured, render_page(measured), names=(REPORT_NAME, PAGE_NAME))
    tell_figures(measured, print_checklist, as_json=as_json, page=page)
    if gate:
        _refuse_missed(measured, unchecked)
