"""Owns the command `compare`: two sides, the same rows, one paired report."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from evaluation.comparison import compare_rows, compare_slices, reorder_labels, share_heads
from evaluation.dataset import HALVED, LabelledFiles, cut_taxonomy, halve, load_labelled, refuse_overlap
from evaluation.deciders import Decider, Decisions
from evaluation.measure import note_data, note_fitted, note_gaps
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
from evaluation.output import check_outputs, write_with_page
from evaluation.progress import show_each, show_progress
from evaluation.report import check_report_extra
from evaluation.report_comparison import COMPARISON_NAME, COMPARISON_PAGE_NAME, render_comparison
from evaluation.rows import select_rows
from evaluation.sides import (
    Baseline,
    Bench,
    Side,
    check_map,
    examples_of,
    list_needs,
    list_side_files,
    load_side,
    make_decider,
    note_peers,
)
from evaluation.slices import note_folded, slice_values
from evaluation.tables import print_comparison
from twohands.classifier import Classifier
from twohands.cpu import describe_cpu
from twohands.examples import Example, expand_paths
from twohands.locate import find_config
from twohands.manifest import Manifest
from twohands.taxonomy import Taxonomy, load_taxonomy

Json = dict[str, object]


def _choose_taxonomy(models: Sequence[Classifier], taxonomy: str | None) -> Taxonomy:
    """The heads that baselines answer: those of a model, else of the option or the shipped file."""
    if models and taxonomy is not None:
        raise click.UsageError("--taxonomy is for two baselines; a model brings its own")
    if models:
        return share_heads(models[0].taxonomy, models[-1].taxonomy)[0]
    return load_taxonomy(find_config(taxonomy or "taxonomy"))


def _read_map(option: str, pairs: Sequence[str]) -> dict[str, str]:
    faulty = [pair for pair in pairs if not all(pair.rpartition("="))]
    if faulty:
        raise click.UsageError(f"{option} {faulty[0]!r}; expected THEIRS=OURS, as in {option} LABEL_0=state-led")
    mapped: dict[str, str] = {}
    for theirs, _, ours in (pair.rpartition("=") for pair in pairs):
        if mapped.setdefault(theirs, ours) != ours:
            of_one = "; --map-a and --map-b say it of one side" if option == "--map" else ""
            raise click.UsageError(f"{option} says of {theirs} both {mapped[theirs]} and {ours}; expected one{of_one}")
    return mapped


def _map_label(option: str, help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name = f"label_{option.removeprefix('--').replace('-', '_')}"
    return click.option(option, name, multiple=True, metavar="THEIRS=OURS", help=help_text)


def _decide_both(
    names: Sequence[str], deciders: Sequence[Decider], examples: Sequence[Example]
) -> tuple[Decisions, Decisions]:
    decisions: list[Decisions] = []
    for place, decider in enumerate(deciders):
        if place and decider is deciders[0]:
            decisions.append(decisions[0])
            break
        with show_progress(f"running {'AB'[place]}: {names[place]}", len(examples)) as advance:
            decisions.append(decider.decide(examples, advance=advance))
    return decisions[0], decisions[1]


def _list_omitted(known: Sequence[Taxonomy], shared: Taxonomy, cut: set[str]) -> list[str]:
    kept = {head.name for head in shared.heads} | cut
    names = dict.fromkeys(head.name for taxonomy in known for head in taxonomy.heads if head.name not in kept)
    return [f"{name} is left out: only one of the two decides it." for name in names]


def _read_files(
    splits: Mapping[str, Sequence[Path]], known: Taxonomy, sides: Sequence[Side], *, skip_unlabelled: bool, seed: int
) -> dict[str, LabelledFiles]:
    """All splits that were given, and `data` where it was not: half of dev."""
    # A model brings its own labels.
    option = None if any(isinstance(side, Classifier) for side in sides) else TAXONOMY_OPTION
    files = {
        name: load_labelled(paths, known, skip_unlabelled=skip_unlabelled, taxonomy_option=option)
        for name, paths in splits.items()
        if paths
    }
    if not all(isinstance(side, Classifier) for side in sides):
        refuse_overlap({name: part.examples for name, part in files.items()})
    if "data" not in files:
        files["dev"], files["data"] = halve(files["dev"], seed=seed)
    return files


def _cut_heads(
    known: Taxonomy, sides: Sequence[Side], examples: Mapping[str, Sequence[Example]]
) -> tuple[Taxonomy, list[str]]:
    """The heads that baselines can learn from what they need; all where there is no baseline."""
    if all(isinstance(side, Classifier) for side in sides):
        return known, []
    return cut_taxonomy(known, {name: examples[name] for name in (*list_needs(sides), "data")})


def describe_learnt(manifest: Manifest) -> str:
    """Say what a model learnt from: rows of train, and labels that stand apart from texts.

    Those are of the same rows anew, or of excerpts, which are rows of their own; a manifest does not tell them apart.

    Args:
        manifest: of the model.

    Returns:
        Words of a sentence.
    """
    n_rows, n_labels = (
        sum(file.n_rows for file in manifest.training_data.files if file.split == split)
        for split in ("train", "labels")
    )
    # Without dev files dev was held out of train's (data.dev_fraction), and a manifest does not say how much that was.
    is_held_out = n_rows and all(file.split != "dev" for file in manifest.training_data.files)
    held = ", less those held out as dev" if is_held_out else ""
    apart = f" and {n_labels:,} lines of labels, of these rows or of excerpts from them" if n_labels else ""
    return f"{manifest.name} {manifest.version} learnt from {n_rows:,} rows{held}{apart}, by its manifest"


def _note_learnt(sides: Sequence[Side], files: Mapping[str, LabelledFiles]) -> list[str]:
    """Who learnt from how many rows: a baseline from one file, a model from all that its manifest lists."""
    if "train" not in list_needs(sides):
        return []
    of_models = [describe_learnt(side.manifest) for side in sides if isinstance(side, Classifier)]
    n_rows = len(files["train"].examples)
    return [f"Baselines that are fitted learnt from {'; '.join([f'the {n_rows:,} rows of --train', *of_models])}."]


@click.command(
    cls=VariadicCommand,
    epilog="""\b
Example:
  twohands compare twohands tfidf --data test.jsonl \\
    --train train.jsonl --dev dev.jsonl --by source""",
)
@click.argument("a")
@click.argument("b")
@click.option("--data", type=PATH, multiple=True, metavar="FILE...", help="Rows to measure on; default: half of --dev.")
@TRAIN
@DEV
@click.option("--taxonomy", metavar="FILE", help="Heads of two baselines; default: those of the models, or shipped.")
@click.option("--by", multiple=True, metavar="COLUMN", help="Differences for each value of a column; may be repeated.")
@_map_label("--map", "A label of hf: or nli:FOLDER; repeatable.")
@_map_label("--map-a", "The same of A alone, before --map.")
@_map_label("--map-b", "The same of B alone, before --map.")
@click.option(
    "--shots", type=click.IntRange(min=1), default=8, show_default=True, help="Rows of each label that setfit sees."
)
@JSON
@click.option("--report", type=PATH, metavar="DIR", help="Also write comparison.json and comparison.html there.")
@SKIP
@seed_option("the bootstrap draws, the half of --dev, solvers and shots")
@REPLICATES
@THREADS
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
    by: tuple[str, ...],
    label_map: tuple[str, ...],
    label_map_a: tuple[str, ...],
    label_map_b: tuple[str, ...],
    shots: int,
    as_json: bool,
    report: Path | None,
    skip_unlabelled: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Test whether A or B is better on the same rows.

    A and B are model folders or names, or one of these (a folder that is called like one is `./tfidf`):

    \b
    majority            the most frequent answer; learns from --train
    keywords[:FILE]     words and phrases, kept as data; learns nothing
    tfidf               words and characters, logistic regression
    zero-shot[:FOLDER]  nearness of a text to the labels' descriptions
    neighbours[:FOLDER] the nearest rows of --train
    frozen[:FOLDER]     logistic regression on a frozen encoder
    setfit[:FOLDER]     SetFit, from --shots rows a label; minutes to hours
    hf:FOLDER           a Hugging Face sequence classifier; --map its labels
    nli:FOLDER          an NLI model, asked for the labels' descriptions

    FOLDER is a sentence encoder (ONNX, or safetensors with the train extra); without one it is all-MiniLM-L6-v2.
    What has settings is tuned on --dev, thresholds of zero-shot and nli too; keywords and hf keep one half. Without
    --data, one half of the documents of --dev tunes and the other measures. Name A and B before the options.

    Differences are A minus B. Macro-F1, accuracy and F1 per label come with 95% intervals from a paired bootstrap
    over groups (documents); McNemar's exact test counts the rows that only one of the two has right.
    """  # noqa: D301 - the escape is click's mark of lines that it must not wrap
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / COMPARISON_NAME, report / COMPARISON_PAGE_NAME]
    if not data and not dev:
        raise click.UsageError("compare needs --data, or --dev to measure on one half of it")
    splits = {"train": train, "dev": dev, "data": data}
    names, shared_map = (a, b), _read_map("--map", label_map)
    own_maps = [_read_map("--map-a", label_map_a), _read_map("--map-b", label_map_b)]
    if a == b and label_map_a != label_map_b:
        raise click.UsageError("--map-a and --map-b are for two models; A and B are one")
    inputs = expand_paths([path for paths in splits.values() for path in paths])
    inputs += [path for name in names for path in list_side_files(name)]
    check_outputs(outputs, [*inputs, *([] if taxonomy is None else [Path(taxonomy)])])
    sides = [load_side(name, num_threads=threads, splits=splits) for name in names]
    models = [side for side in sides if isinstance(side, Classifier)]
    known = _choose_taxonomy(models, taxonomy)
    check_map("--map", shared_map, sides, known)
    for option, own, side in zip(("--map-a", "--map-b"), own_maps, sides, strict=True):
        check_map(option, own, [side], known)
    files = _read_files(splits, known, sides, skip_unlabelled=skip_unlabelled, seed=seed)
    labelled = files["data"]
    for column in by:
        slice_values(labelled.examples, column)  # a misspelt column fails before minutes are spent
    examples = examples_of(files)
    learnt, left_out = _cut_heads(known, sides, examples)
    cut = {head.name for head in known.heads} - {head.name for head in learnt.heads}
    of_sides = {side: own for side, own in zip(sides, own_maps, strict=True) if isinstance(side, Baseline)}
    bench = Bench(
        learnt, examples, seed=seed, num_threads=threads, label_map=shared_map, own_maps=of_sides, shots=shots
    )
    bench.load_peers(sides)
    first = make_decider(sides[0], bench)
    deciders = [first, first if a == b else make_decider(sides[1], bench)]
    decisions = _decide_both(names, deciders, labelled.examples)
    for model in models:
        model.close()
    shared, _ = share_heads(deciders[0].taxonomy, deciders[1].taxonomy)
    answers = [
        select_rows(labelled.examples, shared, reorder_labels(of_side, decider.taxonomy, shared))
        for decider, of_side in zip(deciders, decisions, strict=True)
    ]
    notes = [] if data else [HALVED]
    notes += [*_note_learnt(sides, files), *left_out]
    notes += _list_omitted([known, *(decider.taxonomy for decider in deciders)], shared, cut)
    notes += note_peers(deciders)
    notes += [note for model in models for note in note_fitted(labelled, model.manifest)]
    gaps = note_gaps(answers[0], shared, n_rows=labelled.n_read, with_mcc=False)
    draws = {"n_replicates": replicates, "seed": seed}
    slices = {column: compare_slices(labelled.examples, answers[0], answers[1], column, **draws) for column in by}
    notes += note_folded(slices)
    compared: Json = {
        "a": deciders[0].identity,
        "b": deciders[1].identity,
        "n": len(labelled.examples),
        "heads": {
            name: compare_rows(answers[0][name], answers[1][name], **draws)
            for name in show_each("comparing heads", answers[0])
        },
        "slices": slices,
        **{name: part.describe() for name, part in files.items()},
        **draws,
        "notes": [*dict.fromkeys(notes), *gaps, *note_data(labelled)],
        "cpu": describe_cpu(),
        "versions": list_versions("scikit-learn", *(() if len(models) == len(sides) else ("torch", "transformers"))),
        "command": describe_command(ctx),
    }
    page = None
    if report is not None:
        page = write_with_page(
            report, compared, render_comparison(compared), names=(COMPARISON_NAME, COMPARISON_PAGE_NAME)
        )
    tell_figures(compared, print_comparison, as_json=as_json, page=page)
