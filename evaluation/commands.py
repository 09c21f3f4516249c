"""Owns the commands `evaluate` and `compare`: options in, one report out."""

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from evaluation.comparison import compare_rows, reorder_labels, share_heads
from evaluation.curves import trace_curves
from evaluation.dataset import LabelledFiles, load_labelled, refuse_overlap
from evaluation.deciders import Decider, run_model
from evaluation.describe import describe_examples
from evaluation.measure import measure_rows, note_fitted, note_gaps, uncalibrated_rows
from evaluation.mistakes import describe_mistakes
from evaluation.options import PATH, VariadicCommand, describe_command
from evaluation.output import check_outputs, describe_rows, write_predictions
from evaluation.progress import show_progress
from evaluation.report import METRICS_NAME, PAGE_NAME, check_report_extra, write_report
from evaluation.rows import HeadRows, select_rows
from evaluation.sides import load_side, make_decider
from evaluation.slices import measure_slices, slice_values, usual_columns
from evaluation.tables import print_comparison, print_evaluation
from twohands.classifier import Classifier
from twohands.decide import decide_all
from twohands.examples import expand_paths
from twohands.locate import find_config
from twohands.taxonomy import Taxonomy, load_taxonomy

Json = dict[str, object]

_DATA = click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Labelled JSONL, CSV, Parquet, or folders.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
_SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the bootstrap draws.")
_REPLICATES = click.option(
    "--replicates", type=click.IntRange(min=100), default=1000, show_default=True, help="Bootstrap draws."
)
_THREADS = click.option("--threads", type=click.IntRange(min=1), help="At most so many; default: all that are free.")
_SKIP = click.option("--skip-unlabelled", is_flag=True, help="Pass over rows without any label; else they are refused.")


def _versions(*packages: str) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("twohands", "numpy", "onnxruntime", "tokenizers", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an optional package that this call did without
            continue
    return found


def _print_json(report: Json) -> None:
    click.echo(json.dumps(report, indent=2))


def _note_skipped(data: LabelledFiles) -> list[str]:
    return [f"{data.n_skipped} rows without any label were passed over."] if data.n_skipped else []


def _note_truncated(n_truncated: int) -> list[str]:
    return [f"{n_truncated} rows are longer than the model reads; their ends were cut."] if n_truncated else []


@click.command(
    cls=VariadicCommand,
    epilog="Example: twohands evaluate --model twohands --data dev.jsonl test.jsonl --by source --report report/",
)
@click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
@_DATA
@_JSON
@click.option("--report", type=PATH, metavar="DIR", help="Also write metrics.json and report.html there.")
@click.option("--predictions", type=PATH, metavar="FILE", help="Also write truth, labels and scores by row (JSONL).")
@click.option("--by", multiple=True, metavar="COLUMN", help="Figures for each value of a column; may be repeated.")
@click.option(
    "--mistakes", type=click.IntRange(min=0), default=10, show_default=True, help="How many a head the report shows."
)
@click.option("--without-texts", is_flag=True, help="Name mistakes in the report by id only: it quotes no row.")
@_SKIP
@_SEED
@_REPLICATES
@_THREADS
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
    mistakes: int,
    without_texts: bool,
    skip_unlabelled: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Measure a model on labelled rows.

    Per head: macro-F1, accuracy, Matthews correlation (MCC) and expected calibration error (ECE); per label:
    precision, recall and F1. Each comes with a 95% interval from a bootstrap over groups (documents), since
    rows of one document are not independent. The same rows, model and seed give the same output, byte for byte.

    A row that is not labelled for a head does not count for it. --by takes any column of the data; `decade` is
    made from `year`, `length` from the words of the text, `n_topics` from the labels; slices of fewer than 20 rows
    are folded into "(small)".

    --report writes one page that opens without a network: the figures with their intervals, confusion, reliability
    before and after calibration, risk against coverage, precision against recall, score histograms, slices (those
    of --by, else source, genre, country, decade, length and number of topics, as far as the rows hold them), the
    most confident mistakes with the sentence that misled the model, and the figures of the rows themselves.
    """
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / METRICS_NAME, report / PAGE_NAME]
    check_outputs(outputs if predictions is None else [*outputs, predictions], expand_paths(data))
    draws = {"n_replicates": replicates, "seed": seed}
    extras: Json = {}
    classifier = Classifier.load(model, num_threads=threads)
    try:
        taxonomy, rules = classifier.taxonomy, classifier.manifest.rules
        labelled = load_labelled(data, taxonomy, skip_unlabelled=skip_unlabelled)
        examples = labelled.examples
        for column in by:
            slice_values(examples, column)  # a misspelt column fails before minutes are spent
        with show_progress("classifying", len(examples)) as advance:
            logits, paragraphs = run_model(classifier, examples, advance=advance)
        decisions = decide_all(logits, taxonomy, rules)
        selected = select_rows(examples, taxonomy, decisions)
        before = uncalibrated_rows(examples, taxonomy, logits, decisions)
        if report is not None:
            extras = {
                "curves": {name: trace_curves(rows, before[name]) for name, rows in selected.items()},
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
        *note_gaps(selected, taxonomy),
        *_note_skipped(labelled),
        *_note_truncated(n_truncated),
    ]

    def slice_by(columns: Sequence[str]) -> Json:
        return {column: measure_slices(examples, selected, column, **draws) for column in columns}

    measured: Json = {
        "model": classifier.identity,
        "n": len(examples),
        "n_truncated": n_truncated,
        "heads": {name: measure_rows(rows, before[name], rules[name], **draws) for name, rows in selected.items()},
        "slices": slice_by(by),
        "data": labelled.describe(),
        **draws,
        "notes": notes,
        "versions": _versions(),
        "command": describe_command(ctx),
    }
    if predictions is not None:
        write_predictions(predictions, describe_rows(examples, taxonomy, decisions))
    if report is not None:
        if not by:
            extras["slices"] = slice_by(usual_columns(examples, taxonomy))
        write_report(report, {**measured, **extras})
    if as_json:
        _print_json(measured)
    else:
        print_evaluation(measured)
        if report is not None:
            click.echo(f"Report: {report / PAGE_NAME}")


def _shared_taxonomy(models: Sequence[Classifier], taxonomy: str | None) -> tuple[Taxonomy, list[str]]:
    """The heads to compare, and those that only one side has; models say them, else the option or the shipped file."""
    if models and taxonomy is not None:
        raise click.UsageError("--taxonomy is for two baselines; a model brings its own")
    if models:
        return share_heads(models[0].taxonomy, models[-1].taxonomy)
    return load_taxonomy(find_config(taxonomy or "taxonomy")), []


@click.command(
    cls=VariadicCommand,
    epilog="Example: twohands compare twohands tfidf --data test.jsonl --train train.jsonl --dev dev.jsonl",
)
@click.argument("a")
@click.argument("b")
@_DATA
@click.option("--train", type=PATH, multiple=True, metavar="FILE...", help="Rows that a baseline is fitted on.")
@click.option("--dev", type=PATH, multiple=True, metavar="FILE...", help="Rows that tfidf is tuned on.")
@click.option("--taxonomy", metavar="FILE", help="Heads of two baselines; default: those of the models, or shipped.")
@_JSON
@_SKIP
@_SEED
@_REPLICATES
@_THREADS
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    a: str,
    b: str,
    data: tuple[Path, ...],
    train: tuple[Path, ...],
    dev: tuple[Path, ...],
    taxonomy: str | None,
    as_json: bool,
    skip_unlabelled: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Test whether A or B is better on the same rows.

    A and B are model folders or names, or a baseline: `majority` (the most frequent answer) or `tfidf` (words and
    characters with logistic regression). Baselines learn from --train; tfidf is tuned on --dev. Name A and B
    before the options. (A folder that is called like a baseline is `./tfidf`.)

    Differences are A minus B. Macro-F1, accuracy and F1 per label come with 95% intervals from a paired bootstrap
    over groups (documents); McNemar's exact test counts the rows that only one of the two has right.
    """
    splits = {"train": train, "dev": dev, "data": data}
    sides = [load_side(name, num_threads=threads, splits=splits) for name in (a, b)]
    models = [side for side in sides if isinstance(side, Classifier)]
    known, only_one = _shared_taxonomy(models, taxonomy)
    files = {
        name: load_labelled(paths, known, skip_unlabelled=skip_unlabelled) for name, paths in splits.items() if paths
    }
    if len(models) < len(sides):
        refuse_overlap({name: part.examples for name, part in files.items()})
    labelled = files["data"]
    deciders: list[Decider] = []
    answers: list[dict[str, HeadRows]] = []
    for place, side in enumerate(sides):
        if place and a == b:  # fitted and run once
            deciders, answers = deciders * 2, answers * 2
            break
        decider = make_decider(side, known, files, seed=seed)
        with show_progress(f"running {'AB'[place]}", len(labelled.examples)) as advance:
            decisions = decider.decide(labelled.examples, advance=advance)
        deciders.append(decider)
        answers.append(select_rows(labelled.examples, known, reorder_labels(decisions, decider.taxonomy, known)))
    for model in models:
        model.close()
    notes = [f"{name} is left out: only one of the two decides it." for name in only_one]
    notes += [note for model in models for note in note_fitted(labelled, model.manifest)]
    draws = {"n_replicates": replicates, "seed": seed}
    compared: Json = {
        "a": deciders[0].identity,
        "b": deciders[1].identity,
        "n": len(labelled.examples),
        "heads": {name: compare_rows(rows, answers[1][name], **draws) for name, rows in answers[0].items()},
        **{name: part.describe() for name, part in files.items()},
        **draws,
        "notes": [*dict.fromkeys(notes), *note_gaps(answers[0], known), *_note_skipped(labelled)],
        "versions": _versions("scikit-learn"),
        "command": describe_command(ctx),
    }
    if as_json:
        _print_json(compared)
    else:
        print_comparison(compared)
