"""Owns the command `evaluate`: options in, one report out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evaluation.checklist.rates import check_scipy
from evaluation.curves import trace_curves
from evaluation.dataset import load_labelled
from evaluation.deciders import run_model
from evaluation.describe import describe_examples
from evaluation.measure import list_fitted, measure_rows, note_data, note_fitted, note_gaps, uncalibrated_rows
from evaluation.mistakes import describe_mistakes
from evaluation.options import (
    DAMAGE_DRAWS,
    DATA,
    JSON,
    MODEL_OPTION,
    PATH,
    REPLICATES,
    RUNTIME,
    SKIP,
    THREADS,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
    tell_figures,
)
from evaluation.output import (
    PREDICTION_KEYS,
    check_outputs,
    check_rows_output,
    describe_rows,
    list_model_files,
    write_predictions,
    write_with_page,
)
from evaluation.progress import show_each, show_progress
from evaluation.report import METRICS_NAME, PAGE_NAME, check_report_extra, render_page
from evaluation.restated import check_restated, measure_restated, print_restated
from evaluation.robustness.measure import measure_robustness
from evaluation.robustness.show import print_robustness
from evaluation.rows import select_rows
from evaluation.slices import MIN_ROWS, measure_slices, note_folded, slice_values, usual_columns
from evaluation.tables import print_evaluation
from twohands.classifier import Classifier
from twohands.cpu import describe_cpu
from twohands.decide import decide_all
from twohands.examples import expand_paths
from twohands.manifest import Manifest
from twohands.runtimes import Runtime

Json = dict[str, object]


def _note_cascade(manifest: Manifest) -> list[str]:
    if manifest.cascade is None:
        return []
    return [
        "Before calibration: of a cascade only its own is left out; those of its two models have shaped the logits."
    ]


def _note_truncated(n_truncated: int) -> list[str]:
    return [f"{n_truncated} rows are longer than the model reads; their ends were cut."] if n_truncated else []


def _check_beforehand(
    report: Path | None, predictions: Path | None, data: Sequence[Path], model: str | None, *, robustness: bool
) -> None:
    """Whatever would end the command after minutes ends it now."""
    if robustness:
        check_scipy()
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / METRICS_NAME, report / PAGE_NAME]
    outputs += [] if predictions is None else [predictions]
    check_outputs(outputs, [*expand_paths(data), *list_model_files(model)])
    if predictions is not None:
        check_rows_output(predictions, PREDICTION_KEYS, option="--predictions")


def _print(measured: Mapping[str, Any]) -> None:
    print_evaluation(measured)
    if "restated" in measured:
        print_restated(measured["restated"])
    if "robustness" in measured:
        print_robustness(measured["robustness"], measured["heads"])


@click.command(
    cls=VariadicCommand,
    epilog="""\b
Example:
  twohands evaluate --model twohands --data dev.jsonl test.jsonl \\
    --by source --report report/""",
)
@click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
@DATA
@JSON
@click.option("--report", type=PATH, metavar="DIR", help="Also write metrics.json and report.html there.")
@click.option("--predictions", type=PATH, metavar="FILE", help="Also write truth, labels and scores by row (JSONL).")
@click.option("--by", multiple=True, metavar="COLUMN", help="Figures for each value of a column; may be repeated.")
@click.option(
    "--min-slice", type=click.IntRange(min=1), default=MIN_ROWS, show_default=True, help="Rows of a slice of its own."
)
@click.option(
    "--mistakes", type=click.IntRange(min=0), default=10, show_default=True, help="How many a head the report shows."
)
@click.option("--without-texts", is_flag=True, help="Name mistakes in the report by id only: it quotes no row.")
@click.option("--robustness", is_flag=True, help="Also on damaged rows and other countries; 20 times as long.")
@DAMAGE_DRAWS
@SKIP
@seed_option("the bootstrap draws; with --robustness also of damage and the countries put in")
@REPLICATES
@THREADS
@RUNTIME
@click.pass_context
def evaluate(
    ctx: click.Context,
    *,
    model: str | None,
    data: tuple[Path, ...],
    as_json: bool,
    report: Path | None,
    predictions: Path | None,
    by: tuple[str, ...],
    min_slice: int,
    mistakes: int,
    without_texts: bool,
    robustness: bool,
    damage_draws: int,
    skip_unlabelled: bool,
    seed: int,
    replicates: int,
    threads: int | None,
    runtime: Runtime,
) -> None:
    """Measure a model on labelled rows.

    Per head: macro-F1, accuracy, Matthews correlation (MCC) and expected calibration error (ECE); per label:
    precision, recall and F1. Each comes with a 95% interval from a bootstrap over groups (documents), since
    rows of one document are not independent. The same rows, model and seed give the same output, byte for byte.

    ECE is biased upwards: few rows show an error even where there is none. Beside it stands what these rows would show
    by chance, were every score exactly right; an ECE no larger than that is no sign of a fault. Its interval is that
    of other samples of this size, not of the true error. Of a head whose rows may have several labels most scores are
    next to 0, and right: its error over the scores of at least .05 is told, too.

    Where rows have a column `restates` (the id of the row whose statement they put in other words), it says how
    often the two are answered otherwise.

    A row that is not labelled for a head does not count for it. --by takes any column of the data; `decade` is
    made from `year`, `length` from the words of the text, `n_topics` from the labels; slices of fewer rows than
    --min-slice are folded into "(small)".

    --report writes one page that opens without a network: the figures with their intervals, confusion, reliability
    before and after calibration, risk against coverage, precision against recall, score histograms, slices (those
    of --by, else source, genre, country, decade, length and number of topics, as far as the rows hold them), the
    most confident mistakes with the sentence that misled the model, and the figures of the rows themselves.

    --robustness measures the same rows again with 5, 10 and 20% of their words dropped, cut to 128, 64 and 32 tokens,
    in capitals, and with 5, 10 and 20% of their words misread as by a scanner, each beside the rows as they are; and
    it puts other countries' names into rows that name one, to see whether a name moves an answer. Which words are
    dropped or misread is drawn --damage-draws times: figures are the means, with the standard deviation over draws.
    """
    _check_beforehand(report, predictions, data, model, robustness=robustness)
    draws = {"n_replicates": replicates, "seed": seed}
    extras: Json = {}
    classifier = Classifier.load(model, num_threads=threads, runtime=runtime)
    try:
        taxonomy, rules = classifier.taxonomy, classifier.manifest.rules
        labelled = load_labelled(data, taxonomy, skip_unlabelled=skip_unlabelled, taxonomy_option=MODEL_OPTION)
        examples = labelled.examples
        check_restated(examples)
        for column in by:
            slice_values(examples, column)  # a misspelt column fails before minutes are spent
        with show_progress("classifying", len(examples)) as advance:
            logits, paragraphs = run_model(classifier, examples, advance=advance)
        decisions = decide_all(logits, taxonomy, rules)
        selected = select_rows(examples, taxonomy, decisions)
        before = uncalibrated_rows(examples, taxonomy, logits, decisions)
        restated = measure_restated(examples, taxonomy, decisions)
        damaged = None
        if robustness:
            damaged = measure_robustness(classifier, examples, selected, logits, **draws, n_draws=damage_draws)
        if report is not None:
            extras = {
                "curves": {
                    name: trace_curves(selected[name], before[name], **draws)
                    for name in show_each("tracing curves", selected)
                },
                "thresholds": {name: rules[name].thresholds for name in selected},
                "mistakes": describe_mistakes(
                    classifier, examples, selected, most=mistakes, with_texts=not without_texts
                ),
                "rows": describe_examples(
                    examples,
                    taxonomy,
                    n_tokens=[paragraph.n_tokens for paragraph in paragraphs],
                    n_windows=[len(paragraph.windows) for paragraph in paragraphs],
                ),
            }
    finally:
        classifier.close()
    n_truncated = sum(paragraph.is_truncated for paragraph in paragraphs)
    notes = [
        *note_fitted(labelled, classifier.manifest),
        *note_gaps(selected, taxonomy, n_rows=labelled.n_read),
        *note_data(labelled),
        *_note_truncated(n_truncated),
        *_note_cascade(classifier.manifest),
    ]

    def slice_by(columns: Sequence[str]) -> Json:
        return {column: measure_slices(examples, selected, column, **draws, min_rows=min_slice) for column in columns}

    slices = slice_by(by)
    notes += note_folded(slices, min_rows=min_slice)
    fitted_on = list_fitted(labelled, classifier.manifest)
    heads = {
        name: measure_rows(selected[name], before[name], rules[name], **draws, fitted_on=fitted_on)
        for name in show_each("measuring heads", selected)
    }
    measured: Json = {
        "model": classifier.identity,
        "runtime": classifier.session.runtime,
        "n": len(examples),
        "n_truncated": n_truncated,
        "heads": heads,
        "slices": slices,
        "min_slice_rows": min_slice,
        **({} if restated is None else {"restated": restated}),
        **({} if damaged is None else {"robustness": damaged}),
        "data": labelled.describe(),
        **draws,
        "notes": notes,
        "cpu": describe_cpu(),
        "versions": list_versions(classifier.session.runtime.split()[0]),
        "command": describe_command(ctx),
    }
    if predictions is not None:
        write_predictions(predictions, describe_rows(examples, taxonomy, decisions))
    page = None
    if report is not None:
        if not by:
            extras["slices"] = slice_by(usual_columns(examples, taxonomy, min_rows=min_slice))
        full = {**measured, **extras}
        page = write_with_page(report, full, render_page(full), names=(METRICS_NAME, PAGE_NAME))
    tell_figures(measured, _print, as_json=as_json, page=page)
