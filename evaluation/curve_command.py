"""Owns the command `data curve`: options in, one learning curve out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from evaluation.dataset import HALVED, cut_taxonomy, halve, load_labelled, refuse_overlap
from evaluation.growth import FACTORS, FEWEST_POINTS, choose_sizes, draw_parts, grow
from evaluation.learners import LEARNER, Learner, parse_learner
from evaluation.linear import import_sklearn
from evaluation.measure import note_absent, note_data, note_few, note_rare
from evaluation.options import (
    DEV,
    JSON,
    PATH,
    REPLICATES,
    SKIP,
    TAXONOMY_OPTION,
    THREADS,
    TRAIN,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
    tell_figures,
)
from evaluation.output import check_outputs
from evaluation.plots_growth import draw_growth
from evaluation.progress import show_progress
from evaluation.report import check_report_extra
from evaluation.report_data import name_outputs, write_data_report
from evaluation.tables import WIDTH, make_table, show_figure, show_text
from twohands.cpu import describe_cpu
from twohands.examples import Example, encode_labels, expand_paths
from twohands.locate import find_config
from twohands.taxonomy import Taxonomy, load_taxonomy

Json = dict[str, object]
_KIND = "curve"


def _judge_gain(gain: Mapping[str, Any]) -> str:
    if gain["low"] is None:
        return "no interval to tell by"
    if gain["low"] > 0:
        return "more labels still paid"
    return "it did worse with more" if gain["high"] < 0 else "no gain is shown"  # as the page says


def _print_curve(report: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console(width=WIDTH, highlight=False)
    console.print(show_text(f"{report['learner']['name']}: score against training size", "bold"))
    console.print(
        show_text(
            f"Measured on {report['n']} rows of {report['data']['n_groups']} groups. In brackets: 95% intervals over "
            f"the fits of each size and {report['n_replicates']} bootstrap draws of groups, seed {report['seed']}."
        )
    )
    table = make_table("training rows", "fits", *(f"{name} macro-F1" for name in report["heads"]))
    for point in report["points"]:
        cells = [show_figure(point["heads"][name]["macro_f1"]) for name in report["heads"]]
        table.add_row(f"{point['n_rows']:,}", str(point["n_fits"]), *cells)
    beyond = [
        {
            point["n_rows"]: show_figure(point["macro_f1"])
            for point in (head["extrapolation"] or {"points": []})["points"]
        }
        for head in report["heads"].values()
    ]
    for n_rows in sorted({n_rows for of_head in beyond for n_rows in of_head}):
        table.add_row(f"{n_rows:,} extrapolated", "-", *(of_head.get(n_rows, "-") for of_head in beyond))
    console.print(table)
    for name, head in report["heads"].items():
        gain = head["last_doubling"]
        if gain is not None:
            verdict = _judge_gain(gain)
            console.print(
                show_text(f"{name}: the last doubling brought {show_figure(gain, is_signed=True)}; {verdict}.")
            )
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))


def _note_measured(examples: Sequence[Example], taxonomy: Taxonomy) -> list[str]:
    truth, groups = encode_labels(examples, taxonomy), [example.group for example in examples]
    notes = note_few(groups)
    for head in taxonomy.heads:
        has_label = truth[:, taxonomy.slices[head.name]] == 1
        gaps = [*note_absent(head.label_names, has_label), *note_rare(head.label_names, has_label, groups)]
        notes += [f"{head.name}: {note[0].lower()}{note[1:]}" for note in gaps]
    return notes


def _note_sizes(n_sizes: int, points: Sequence[Mapping[str, Any]]) -> list[str]:
    notes = []
    if len(points) < n_sizes:
        n_left_out = n_sizes - len(points)
        left_out = "1 size is" if n_left_out == 1 else f"{n_left_out} sizes are"
        notes.append(
            f"{left_out} left out: whole documents, some of them long, filled their parts with as many rows as those "
            "of the next size."
        )
    if len(points) < FEWEST_POINTS:
        found = "1 size is" if len(points) == 1 else f"{len(points)} sizes are"
        notes.append(f"{found} too few to extrapolate; {FEWEST_POINTS} are needed.")
    return notes


def _note_guesses(heads: Mapping[str, Mapping[str, Any]], points: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(points) < FEWEST_POINTS:
        return []
    guessed = {name: (head["extrapolation"] or {"points": []})["points"] for name, head in heads.items()}
    return [
        f"{name}: the curve continued to {FACTORS[0]} times the rows lies below what all rows reached, which was above "
        "it by chance; such guesses are left out."
        for name, found in guessed.items()
        if len(found) < len(FACTORS)
    ]


@click.command(
    cls=VariadicCommand,
    epilog="Example: twohands data curve --train train.jsonl --dev dev.jsonl --report out",
)
@TRAIN
@DEV
@click.option("--data", type=PATH, multiple=True, metavar="FILE...", help="Rows to measure on; default: half of --dev.")
@LEARNER
@click.option("--points", type=click.IntRange(min=2), default=7, show_default=True, help="Sizes, each half the next.")
@click.option(
    "--fits", type=click.IntRange(min=1), default=5, show_default=True, help="Parts drawn of each size but the largest."
)
@click.option("--fewest", type=click.IntRange(min=10), default=50, show_default=True, help="Rows of the smallest part.")
@click.option("--taxonomy", metavar="FILE", help="The heads; default: those of the shipped model.")
@JSON
@click.option("--report", type=PATH, metavar="DIR", help="Also write curve.json, curve.html and curve.svg there.")
@SKIP
@seed_option("the bootstrap draws, the parts, the half of --dev and solvers")
@REPLICATES
@THREADS
@click.pass_context
def curve(
    ctx: click.Context,
    *,
    train: tuple[Path, ...],
    dev: tuple[Path, ...],
    data: tuple[Path, ...],
    learner: str,
    points: int,
    fits: int,
    fewest: int,
    taxonomy: str | None,
    as_json: bool,
    report: Path | None,
    skip_unlabelled: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Measure what a learner gains by more labelled rows: do more labels pay?

    Parts of --train, of whole documents and each twice as large as the one before, are fitted and measured on the
    same rows. C and class weights of the learner are chosen once, on --dev with all rows; thresholds, and the number
    of neighbours, anew by each fit.
    Without --data, one half of the documents of --dev tunes and the other measures.

    The learner is a quick one (tfidf, or logistic regression on a frozen encoder), so that the whole takes minutes:
    it shows what the rows hold, not what a fine-tuned model reaches. For that, run `twohands train` on parts.

    Beyond the last size the curve is continued as a power law, and labelled as extrapolated: a guess, not a figure.
    """
    import_sklearn()
    parse_learner(learner)
    missing = [f"--{name}" for name, paths in (("train", train), ("dev", dev)) if not paths]
    if missing:
        raise click.UsageError(f"data curve needs {' and '.join(missing)}")
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / name for name in name_outputs(_KIND)]
    splits = {"train": train, "dev": dev, "data": data}
    inputs = expand_paths([path for paths in splits.values() for path in paths])
    check_outputs(outputs, [*inputs, *([] if taxonomy is None else [Path(taxonomy)])])
    known = load_taxonomy(find_config(taxonomy or "taxonomy"))
    files = {
        name: load_labelled(paths, known, skip_unlabelled=skip_unlabelled, taxonomy_option=TAXONOMY_OPTION)
        for name, paths in splits.items()
        if paths
    }
    refuse_overlap({name: part.examples for name, part in files.items()})
    notes = []
    if not data:
        files["dev"], files["data"] = halve(files["dev"], seed=seed)
        notes.append(HALVED)
    known, left_out = cut_taxonomy(known, {name: part.examples for name, part in files.items()})
    notes += left_out
    rows: Sequence[Example] = files["train"].examples
    sizes = choose_sizes(len(rows), n_points=points, fewest=fewest)
    known, left_out = cut_taxonomy(
        known,
        {
            f"part {number + 1} of {sizes[0]}": draw_parts(rows, sizes[:1], seed=(seed, number))[0]
            for number in range(fits)
        },
        advice=" (of the smallest size; a larger --fewest takes larger parts)",
    )
    notes += left_out
    fitter = Learner.make(learner, known, files["dev"].examples, seed=seed, num_threads=threads)
    everything = [example for part in files.values() for example in part.examples]
    with show_progress("reading", len(everything)) as advance:
        fitter.read(everything, advance=advance)
    with show_progress(f"fitting {learner}", 1 + fits * (len(sizes) - 1)) as advance:
        grown = grow(
            fitter,
            rows,
            files["data"].examples,
            sizes,
            n_fits=fits,
            n_replicates=replicates,
            seed=seed,
            advance=advance,
        )
    notes += [*_note_measured(files["data"].examples, known), *note_data(files["data"])]
    notes += _note_sizes(len(sizes), cast("list[dict[str, Any]]", grown["points"]))
    notes += _note_guesses(
        cast("dict[str, dict[str, Any]]", grown["heads"]), cast("list[dict[str, Any]]", grown["points"])
    )
    encoder = {} if fitter.encoder is None else fitter.encoder.identity
    found: Json = {
        "learner": {"name": learner, **encoder, "settings": fitter.grids},
        "n": len(files["data"].examples),
        **grown,
        **{name: part.describe() for name, part in files.items()},
        "n_fits": fits,
        "n_replicates": replicates,
        "seed": seed,
        "notes": notes,
        "cpu": describe_cpu(),
        "versions": list_versions("scikit-learn", *(() if fitter.encoder is None else ("torch", "transformers"))),
        "command": describe_command(ctx),
    }
    page = None
    if report is not None:
        drawing = draw_growth(cast("list[dict[str, Any]]", grown["points"]), cast("dict[str, Any]", grown["heads"]))
        page = write_data_report(report, _KIND, found, {"growth": drawing}, picture="growth")
    tell_figures(found, _print_curve, as_json=as_json, page=page)
