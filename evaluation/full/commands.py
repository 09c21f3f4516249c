"""Owns the command `report`: every measurement of one model, one folder, one summary."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evaluation.agreement.commands import check_call
from evaluation.agreement.figures import check_agreement_extra
from evaluation.checklist.rates import check_scipy
from evaluation.dataset import cut_taxonomy, halve, load_labelled, refuse_overlap
from evaluation.full.behaviour import choose_suites
from evaluation.full.card import CARD_NAME, check_not_asked, refresh_card
from evaluation.full.page import PAGE_NAME, REPORT_NAME, describe_origin, rename_digest, render_index, write_docs_page
from evaluation.full.parts import (
    PEOPLE,
    Part,
    Shared,
    plan_baselines,
    plan_behaviour,
    plan_figures,
    plan_people,
    run_parts,
)
from evaluation.full.summary import BEYOND_CHANCE, Section, summarise, write_markdown
from evaluation.keywords import KeywordBaseline
from evaluation.linear import import_sklearn
from evaluation.options import (
    DAMAGE_DRAWS,
    DATA,
    DEV,
    JSON,
    MODEL_OPTION,
    PATH,
    REPLICATES,
    THREADS,
    TRAIN,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
)
from evaluation.output import check_outputs, write_with_page
from evaluation.report import check_report_extra
from evaluation.sides import KEYWORDS, Bench, list_side_files, load_side, parse_baseline
from evaluation.tables import WIDTH, make_table, show_text
from twohands.cpu import describe_cpu
from twohands.examples import expand_paths
from twohands.locate import DEFAULT_MODEL, find_model
from twohands.manifest import Manifest, load_manifest
from twohands.taxonomy import Taxonomy

Json = dict[str, object]
_GRAPH = "model.onnx"
# The export drew by the seed of its training; two intervals of one figure look like an error unless that is said.
_OTHER_DRAWS = (
    "Intervals above come from other draws of the same documents, so their third digit may differ from those here."
)
_FRACTION = re.compile(r"\d+/\d+")  # of --cut, no path

_EXAMPLE = """\b
The figures alone, some minutes:
  twohands report --data dev.jsonl --output out

\b
What stands behind a release, its card and its docs:
  twohands report --model models/twohands --data dev.jsonl \\
    --train train.jsonl --baseline tfidf --baseline zero-shot \\
    --people 'two panels=--data windows.jsonl --annotators p1 p2' \\
    --output out --card --page docs/model-report.md
"""


def _check_baselines(
    baselines: Sequence[str], splits: Mapping[str, tuple[Path, ...]], taxonomy: Taxonomy, *, seed: int
) -> None:
    """A baseline that cannot be made, or rows that overlap, end the command now and not after minutes."""
    if not baselines:
        return
    import_sklearn()
    own_dev = {**splits, "dev": splits["dev"] or splits["data"]}
    for name in baselines:
        if parse_baseline(name) is None:
            raise click.UsageError(f"--baseline {name!r} is none; `twohands compare --help` lists them")
        load_side(name, num_threads=None, splits=own_dev)
    files = {name: load_labelled(paths, taxonomy) for name, paths in splits.items() if paths}
    refuse_overlap({name: part.examples for name, part in files.items()})
    if not splits["dev"]:
        files["dev"], files["data"] = halve(files["data"], seed=seed)
    examples = {name: part.examples for name, part in files.items()}
    cut_taxonomy(taxonomy, examples)
    asked = [baseline for baseline in map(parse_baseline, baselines) if baseline is not None]
    learnt, _ = cut_taxonomy(taxonomy, {"data": examples["data"]})
    Bench(learnt, examples).load_peers(asked)  # their labels may be others
    for baseline in asked:
        if baseline.kind == KEYWORDS:  # its words are of the released labels, or of a file
            KeywordBaseline(learnt, None if baseline.path is None else Path(baseline.path))


def _shorten(command: str) -> str:
    """A command with paths cut to their last parts: cards and docs name no folder of the machine they were made on."""
    words = []
    for word in shlex.split(command):
        is_options = " " in word and "=" in word
        inner = shlex.split(word) if is_options else [word]
        cut = [each if _FRACTION.fullmatch(each) else re.sub(r"[^:=\s]*/(?=[^/])", "", each) for each in inner]
        words.append(" ".join(cut))
    return shlex.join(words)


def _print_summary(report: Mapping[str, Any], sections: Sequence[Section], output: Path) -> None:
    from rich.console import Console

    console = Console(width=WIDTH, highlight=False)
    model = report["model"]
    console.print(show_text(f"{model['name']} {model['version']} (sha256 {model['sha256'][:12]})", "bold"))
    for section in sections:
        console.print()
        console.print(show_text(section.title, "bold"))
        console.print(show_text(section.lead.replace("`", "")))
        # Written out, the verdict left long names of capabilities no room: they were broken in the middle of words.
        is_starred = any(BEYOND_CHANCE in row for row in section.rows)
        table = make_table(*section.headings)
        for row in section.rows:
            cells = (cell.replace("*", "").replace("`", "") for cell in row)
            table.add_row(*(show_text("held*" if cell == BEYOND_CHANCE else cell) for cell in cells))
        console.print(table)
        if is_starred:
            console.print(show_text(f"held*: {BEYOND_CHANCE}."))
        for sentence in section.after:
            console.print(show_text(sentence, "yellow"))
    for note in report["notes"]:
        console.print(show_text(f"note: {note}", "yellow"))
    click.echo(f"Report: {output / PAGE_NAME}")


def _list_written(parts: Sequence[Part]) -> list[str]:
    return [name for part in parts for name in (f"{part.folder}/{part.json_name}", part.page)]


def _describe(manifest: Manifest, sha256: str) -> Json:
    return {"name": manifest.name, "version": manifest.version, "sha256": sha256}


@click.command(cls=VariadicCommand, epilog=_EXAMPLE)
@click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
@DATA
@click.option("--output", type=PATH, required=True, metavar="DIR", help="Folder of the report.")
@click.option("--baseline", "baselines", multiple=True, metavar="NAME", help="A side of `compare`; may be repeated.")
@TRAIN
@DEV
@click.option(
    "--people",
    multiple=True,
    metavar="NAME=OPTIONS",
    help="Texts that people coded, with the options of `agreement` for them; may be repeated.",
)
@click.option("--suite", "suite_files", type=PATH, multiple=True, metavar="FILE...", help="Own suites of `checklist`.")
@click.option("--no-shipped", is_flag=True, help="Leave the shipped suites out.")
@click.option("--no-robustness", is_flag=True, help="Leave damaged rows and other countries out; much shorter.")
@DAMAGE_DRAWS
@click.option("--with-texts", is_flag=True, help="Quote rows among the mistakes; else they are named by id.")
@click.option("--card", is_flag=True, help="Also write the summary into the model's card, and its new digests.")
@click.option("--page", type=PATH, metavar="FILE", help="Also write the summary as a Markdown page, for docs.")
@JSON
@seed_option("all that is drawn: bootstrap, damage, checks, the half of --data, solvers")
@REPLICATES
@THREADS
@click.pass_context
def report(
    ctx: click.Context,
    *,
    model: str | None,
    data: tuple[Path, ...],
    output: Path,
    baselines: tuple[str, ...],
    train: tuple[Path, ...],
    dev: tuple[Path, ...],
    people: tuple[str, ...],
    suite_files: tuple[Path, ...],
    no_shipped: bool,
    no_robustness: bool,
    damage_draws: int,
    with_texts: bool,
    card: bool,
    page: Path | None,
    as_json: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Measure all that is known to measure of a model, and sum it up.

    \b
    Runs, each with a page of its own in the folder --output:
      agreement   for each --people: the model beside those who coded
      checklist   behaviour, one capability at a time
      compare     for each --baseline (with --train; minutes to hours)
      evaluate    figures of --data, and of the same rows damaged and
                  with other countries' names (20 times their time)

    index.html leads to all of them and shows the summary; full.json says what was run. --card puts the summary into
    README.md of the model folder, in the place of the former one, and makes the digests good: the manifest's digest,
    which names the model, is then another, and the report names the new one. --page writes it for docs.

    Baselines are fitted on --train. They are tuned on --dev and measured on --data; without --dev, one half of the
    documents of --data tunes and the other measures. Of a model with other labels than the released one's the shipped
    suites are passed over, and the report says so; --suite takes your own. The same call with the same model and seed
    writes the same bytes.
    """  # noqa: D301 - the escape is click's mark of lines that it must not wrap
    check_report_extra()
    check_scipy()
    if people:
        check_agreement_extra()
    name = model or DEFAULT_MODEL
    folder = find_model(name)
    manifest, sha256 = load_manifest(folder)
    if card:
        check_not_asked(folder, sha256)
    shared = Shared(model=name, seed=seed, replicates=replicates, threads=threads)
    suites = choose_suites(suite_files, manifest.taxonomy, with_shipped=not no_shipped)
    parts = [
        *plan_people(people, shared),
        *plan_behaviour(suites, shared),
        *plan_baselines(baselines, shared, train=train, dev=dev, data=data),
        plan_figures(data, shared, damage_draws=None if no_robustness else damage_draws, without_texts=not with_texts),
    ]
    splits = {"train": train, "dev": dev, "data": data}
    written = _list_written(parts)
    coded = [path for part in parts if part.kind == PEOPLE for path in check_call(part.words, manifest.taxonomy)]
    inputs = [*expand_paths([path for paths in splits.values() for path in paths]), *suite_files, *coded]
    known = [each for each in baselines if parse_baseline(each) is not None]  # others are refused below, as such
    inputs += [path for side in (name, *known) for path in list_side_files(side)]
    outputs = [output / each for each in (REPORT_NAME, PAGE_NAME, *written)]
    # A card comes with a new model folder, which holds nothing but the model.
    check_outputs(outputs if page is None else [*outputs, page], inputs, replaced=folder if card else None)
    load_labelled(data, manifest.taxonomy, taxonomy_option=MODEL_OPTION)
    _check_baselines(baselines, splits, manifest.taxonomy, seed=seed)
    found = run_parts(parts, output, tell=lambda line: click.echo(line, err=True))
    described = {
        "model": _describe(manifest, sha256),
        "graph_sha256": manifest.files[_GRAPH],
        "second": None if manifest.cascade is None else manifest.cascade.identity,
        "parts": [
            {"title": part.title, "kind": part.kind, "page": part.page, "command": each["command"]}
            for part, each in zip(parts, found, strict=True)
        ],
        "notes": list(suites.notes),
        "seed": seed,
        "n_replicates": replicates,
        "cpu": describe_cpu(),
        "versions": list_versions("scikit-learn", "scipy", "krippendorff"),
        "command": describe_command(ctx),
    }
    described["command_in_brief"] = _shorten(str(described["command"]))
    if card:
        origin = " ".join((describe_origin(described), _OTHER_DRAWS, *suites.notes))
        section = f"## Measured\n{origin}\n\n" + write_markdown(summarise(parts, found, is_brief=True), level=3)
        after = refresh_card(folder, section)
        rename_digest(output, written, before=sha256, after=after)
        described["model"] = _describe(manifest, after)
        click.echo(f"Card: {folder / CARD_NAME}; the model's sha256 is now {after}", err=True)
    sections = summarise(parts, found)
    write_with_page(output, described, render_index(described, sections), names=(REPORT_NAME, PAGE_NAME))
    if page is not None:
        write_docs_page(page, described, sections)
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        _print_summary(described, sections, output)
