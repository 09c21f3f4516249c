"""Owns the command `data audit`: labelled files in, what is likely wrong with them out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from evaluation.audit_balance import drift_columns, measure_balance, measure_drift, note_balance, rank_drift
from evaluation.audit_labels import (
    LEAST_FOLDS,
    Suspect,
    find_suspects,
    import_cleanlab,
    make_folds,
    measure_floor,
    measure_learner,
    score_out_of_fold,
)
from evaluation.audit_texts import (
    AuditedRows,
    describe_repeats,
    find_leaks,
    find_odd,
    find_repeats,
    note_misnamed,
    read_all,
)
from evaluation.dataset import cut_taxonomy
from evaluation.learners import LEARNER, Learner, parse_learner
from evaluation.linear import import_sklearn
from evaluation.options import (
    DATA,
    JSON,
    PATH,
    REPLICATES,
    THREADS,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
    tell_figures,
)
from evaluation.output import check_outputs, write_predictions
from evaluation.plots_audit import draw_balance, draw_drift, draw_suspects
from evaluation.progress import show_progress
from evaluation.report import check_report_extra
from evaluation.report_data import name_outputs, write_data_report
from evaluation.slices import slice_values
from evaluation.tables import WIDTH, make_table, show_figure, show_number, show_p, show_text
from twohands.cpu import describe_cpu
from twohands.errors import DataError
from twohands.examples import Example, expand_paths, fingerprint
from twohands.hashing import sha256_of_file
from twohands.locate import find_config
from twohands.taxonomy import ProblemType, Taxonomy, load_taxonomy

Json = dict[str, object]
_KIND = "audit"
SUSPECTS_NAME = "suspects.jsonl"
_SHOWN = 8
_SHOWN_FAULTS = 20
_WEAK = 0.8  # below it a learner is wrong more often than labels made with care are
_LEAST_MENDED = 1 / 3  # of what the most frequent answer gets wrong: .97 is little where .96 of the labels are "no"


def _describe_suspects(
    rows: AuditedRows, suspects: Mapping[str, Sequence[Suspect]], *, with_texts: bool
) -> dict[str, list[Json]]:
    described: dict[str, list[Json]] = {}
    for head, found in suspects.items():
        described[head] = []
        for suspect in found:
            example = rows.examples[suspect.place]
            entry: Json = {
                "id": example.id,
                "file": rows.files[suspect.place],
                "source": example.source,
                "given": suspect.given,
                "suggested": suspect.suggested,
                "quality": suspect.quality,
            }
            described[head].append(entry | {"text": example.paragraph} if with_texts else entry)
    return described


def _count_suspects(
    examples: Sequence[Example], taxonomy: Taxonomy, suspects: Mapping[str, Sequence[Suspect]]
) -> list[tuple[str, int, int]]:
    """Label, likely errors among the rows that were given it, rows that were given it; also of labels withheld."""
    counts = []
    for head in taxonomy.heads:
        labelled = [words for example in examples if (words := example.labels[head.name]) is not None]
        wrong = Counter(suspect.given for suspect in suspects[head.name])
        for name in head.label_names:
            n = sum(name in words for words in labelled)
            counts.append((name, wrong[name], n))
            if head.problem_type is ProblemType.ANY_OF:
                counts.append((f"not {name}", wrong[f"not {name}"], len(labelled) - n))
    return counts


def note_weak(agreement: Mapping[str, float], floors: Mapping[str, float]) -> list[str]:
    """Warn of heads that the learner reads too badly for its doubts to say much.

    Args:
        agreement: by head, from `measure_learner`.
        floors: by head, from `measure_floor`.

    Returns:
        A sentence for each head where it agrees with less than .80 of the labels, or mends less than a third of what
        the most frequent answer gets wrong.
    """
    notes = []
    for head, share in agreement.items():
        if share < _WEAK:
            notes.append(
                f"{head}: the learner itself agrees with only {share:.2f} of the labels; most of its doubts are its "
                "own faults."
            )
        elif floors[head] < 1 and share - floors[head] < _LEAST_MENDED * (1 - floors[head]):
            notes.append(
                f"{head}: the learner agrees with {share:.3f} of the labels, and always giving the most frequent "
                f"answer with {floors[head]:.3f}: it knows little more, and many of its doubts are its own faults."
            )
    return notes


def _draw(report: Mapping[str, Any], counts: Sequence[tuple[str, int, int]]) -> dict[str, str]:
    plots = {"suspects": draw_suspects(counts)}
    first = next(iter(report["balance"].values()))
    plots |= {f"balance {head}": draw_balance(report["balance"], head) for head in first}
    # Of each column the label that stands apart most: all of them would be a wall of drawings.
    for entry in report["apart"]:
        values = report["drift"][entry["column"]][entry["head"]][entry["label"]]
        plots.setdefault(f"drift {entry['column']}", draw_drift(values, entry["label"]))
    return plots


def _print_faults(console: Console, faults: Sequence[str]) -> None:
    if faults:
        console.print()
    for fault in faults[:_SHOWN_FAULTS]:
        console.print(show_text(f"- {fault}"), soft_wrap=True)
    if len(faults) > _SHOWN_FAULTS:
        console.print(show_text(f"- and {len(faults) - _SHOWN_FAULTS:,} more; --json lists all"))


def _print_audit(report: Mapping[str, Any]) -> None:
    console = Console(width=WIDTH, highlight=False)
    console.print(
        show_text(f"{report['n']} rows of {report['n_groups']} groups in {len(report['files'])} files", "bold")
    )
    leaks = report["leaks"]
    for title, n in (
        ("rows that cannot be used", report["n_left_out"]),
        ("ids that stand more than once", len(report["repeated_ids"])),
        ("odd rows", len(report["odd"])),
        ("pairs of texts that are the same or nearly", len(report["repeats"])),
        ("  of these with differing labels", sum(bool(pair["differs"]) for pair in report["repeats"])),
        ("  of these across files", leaks["n_texts"]),
        ("groups (documents) that stand in several files", len(leaks["groups"])),
    ):
        console.print(show_text(f"{n:>7,}  {title}", "" if n == 0 else "yellow"))
    _print_faults(console, report["faults"])
    for name, found in report["suspects"].items():
        console.print()
        share = show_number(len(found) / max(1, report["n_labelled"][name]))
        console.print(show_text(f"{name}: {len(found)} labels are in doubt ({share} a row)", "bold"))
        agrees, floor = (show_number(report[key].get(name, 0.0)) for key in ("agreement", "agreement_floor"))
        console.print(show_text(f"the learner agrees with {agrees} of the labels; the most frequent answer: {floor}"))
        if not found:
            continue
        table = make_table("id", "given", "suggested", "quality")
        for entry in found[:_SHOWN]:
            table.add_row(show_text(entry["id"]), entry["given"], entry["suggested"], show_number(entry["quality"]))
        console.print(table)
    if report["apart"]:
        console.print()
        console.print(show_text("Labels given more or less often than the texts suggest", "bold"))
        table = make_table("slice", "label", "rows", "docs", "share", "beyond expected", "q")
        for entry in report["apart"][:_SHOWN]:
            slice_name = show_text(f"{entry['column']} {entry['value']}")
            table.add_row(
                slice_name, entry["label"], str(entry["n"]), str(entry["n_groups"]), show_number(entry["share"]),
                show_figure(entry["excess"], is_signed=True), show_p(entry["q"]),
            )  # fmt: skip
        console.print(table)
        console.print(
            show_text(
                "q: p adjusted for the number of slices and labels. Listed up to .05: about one entry in twenty is "
                "there by chance."
            )
        )
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))


def _read(paths: Sequence[Path], taxonomy: Taxonomy) -> AuditedRows:
    rows = read_all(paths, taxonomy)
    if not rows.examples:
        raise DataError("no row can be used, so there is nothing to audit", rows.faults or ["no row at all"])
    return rows


@contextmanager
def _telling_faults(rows: AuditedRows) -> Iterator[None]:
    """Tell of rows that cannot be used beside what the others are too few for: it may be for them alone."""
    try:
        yield
    except DataError as error:
        raise DataError(error.heading, [*error.faults, *rows.all_faults]) from error


@click.command(
    cls=VariadicCommand,
    epilog="""\b
Example:
  twohands data audit --data train.jsonl dev.jsonl test.jsonl \\
    --report out""",
)
@DATA
@LEARNER
@click.option("--folds", type=click.IntRange(min=LEAST_FOLDS), default=5, show_default=True, help="Of whole documents.")
@click.option(
    "--alike", type=click.FloatRange(0.1, 1), default=0.5, show_default=True, help="Share from which texts repeat."
)
@click.option("--by", multiple=True, metavar="COLUMN", help="Drift by a column; default: annotator, source, decade.")
@click.option("--taxonomy", metavar="FILE", help="The heads; default: those of the shipped model.")
@JSON
@click.option("--report", type=PATH, metavar="DIR", help="Also write audit.json, .html, .svg and suspects.jsonl there.")
@click.option("--without-texts", is_flag=True, help="Name rows by id only: nothing written quotes a row.")
@seed_option("the bootstrap draws, the folds and solvers")
@REPLICATES
@THREADS
@click.pass_context
def audit(
    ctx: click.Context,
    *,
    data: tuple[Path, ...],
    learner: str,
    folds: int,
    alike: float,
    by: tuple[str, ...],
    taxonomy: str | None,
    as_json: bool,
    report: Path | None,
    without_texts: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Look for what is wrong with labelled rows, before a model learns it.

    Likely label errors: a learner scores each row without having seen its document, and cleanlab's confident
    learning says which labels contradict it too much. A hard row looks like a wrong one: a person decides.

    Repeats: texts that share half of their three-word sequences, and whether their labels differ. Leaks: such texts,
    or documents, in two files. Odd rows: another language, markup, no sentence, capitals, very long. Imbalance by
    file. Drift: an annotator, source or decade that gives a label more often than its texts suggest.

    Give all files of a data set at once: leaks show only between them. Rows that cannot be read are listed and
    passed over. It exits with 0 whatever it finds; what is found is yours to weigh.
    """
    import_sklearn()
    import_cleanlab()
    parse_learner(learner)
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / name for name in (*name_outputs(_KIND), SUSPECTS_NAME)]
    check_outputs(outputs, [*expand_paths(data), *([] if taxonomy is None else [Path(taxonomy)])])
    known = load_taxonomy(find_config(taxonomy or "taxonomy"))
    rows = _read(data, known)
    examples = rows.examples
    for column in by:
        slice_values(examples, column)  # a misspelt column fails before minutes are spent
    fewer = f"give fewer --folds ({LEAST_FOLDS} at least), or " if folds > LEAST_FOLDS else "give "
    with _telling_faults(rows):
        known, left_out = cut_taxonomy(known, {"the data": examples})
        parted = make_folds(examples, n_folds=folds, seed=seed)
        # Each fold tunes once, so that a head of few documents has nothing to be tuned on.
        known, too_few = cut_taxonomy(
            known,
            {f"fold {fold + 1}": [each for each, of in zip(examples, parted, strict=True) if of == fold]
             for fold in range(folds)},
            advice=f"; {fewer}more documents that are labelled for it",
        )  # fmt: skip
    fitter = Learner.make(learner, known, [], seed=seed, num_threads=threads)
    with show_progress("reading", len(examples)) as advance:
        fitter.read(examples, advance=advance)

    def make(tuned: Sequence[Example]) -> Learner:
        return Learner(fitter.baseline, known, tuned, seed, fitter.encoder)

    with show_progress(f"judging labels by {learner}, in folds", folds) as advance:
        scores = score_out_of_fold(make, examples, known, parted, advance=advance)
    suspects = find_suspects(examples, known, scores)
    pairs = find_repeats([example.paragraph for example in examples], least=alike)
    agreement, floors = measure_learner(examples, known, scores), measure_floor(examples, known)
    balance = measure_balance(rows, known)
    columns = drift_columns(examples, known, by)
    drift = {
        column: measure_drift(examples, known, scores, column, n_replicates=replicates, seed=seed) for column in columns
    }
    found: Json = {
        "n": len(examples),
        "n_groups": len({example.group for example in examples}),
        "n_labelled": {
            head.name: sum(example.labels[head.name] is not None for example in examples) for head in known.heads
        },
        "files": [
            {"name": str(p), "sha256": sha256_of_file(p), "n_rows": rows.files.count(str(p))}
            for p in expand_paths(data)
        ],
        "fingerprint": fingerprint(examples),
        "learner": {"name": learner, **({} if fitter.encoder is None else fitter.encoder.identity)},
        "agreement": agreement,
        "agreement_floor": floors,
        "faults": rows.all_faults,
        "n_left_out": rows.n_left_out,
        "repeated_ids": rows.repeated_ids,
        "odd": find_odd(rows),
        "repeats": describe_repeats(rows, pairs),
        "leaks": find_leaks(rows, pairs),
        "suspects": _describe_suspects(rows, suspects, with_texts=not without_texts),
        "balance": balance,
        "drift": drift,
        "apart": rank_drift(drift),
        "n_folds": folds,
        "alike": alike,
        "n_replicates": replicates,
        "seed": seed,
        "notes": [*left_out, *too_few, *note_misnamed(rows), *note_weak(agreement, floors), *note_balance(balance)],
        "cpu": describe_cpu(),
        "versions": list_versions("scikit-learn", "cleanlab", *(() if fitter.encoder is None else ("torch",))),
        "command": describe_command(ctx),
    }
    page = None
    if report is not None:
        plots = _draw(found, _count_suspects(examples, known, suspects))
        page = write_data_report(report, _KIND, found, plots, picture="suspects")
        described = _describe_suspects(rows, suspects, with_texts=not without_texts)
        write_predictions(
            report / SUSPECTS_NAME,
            ({"head": head, **entry} for head, entries in described.items() for entry in entries),
        )
    tell_figures(found, _print_audit, as_json=as_json, page=page)
