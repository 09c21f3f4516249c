"""Owns `twohands pseudo-label`: rows or excerpts scored by teachers; heavy imports wait until it runs."""

from pathlib import Path
from typing import get_args

import click

from twohands.interrupts import ending_on_interrupt
from twohands.runtimes import DEFAULT_RUNTIME, Runtime


@click.command(
    name="pseudo-label",
    epilog="""\b
Examples:
  twohands pseudo-label models/a models/b --data pool.jsonl \\
    --output pool.scores.jsonl
  twohands train CONFIG --set 'data.train=[train.jsonl, ./pool.jsonl]' \\
    --set 'data.labels=[./pool.scores.jsonl]'
  twohands pseudo-label models/a --data train.jsonl --excerpts 12000 \\
    --output excerpts.jsonl
  twohands pseudo-label models/a --data train.jsonl \\
    --excerpts-of readings.jsonl --output readings.scores.jsonl

The file holds ids and scores, no text. With data.labels a run lays it over rows that have no label, or blends it
with their labels by loss.teacher_weight. Excerpts (two or three sentences of a longer row) become rows of their own,
so that a teacher can say more than once a row what it knows. A run that was killed goes on where it was: give the same
command again.""",
    no_args_is_help=True,
)
@click.argument("models", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Rows with id and text; repeatable.",
)
@click.option(
    "--excerpts", "n_excerpts", type=click.IntRange(min=1), help="Score so many excerpts instead of whole rows."
)
@click.option(
    "--excerpts-of",
    "named_by",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Score the excerpts that this labels file names, as readers' do; repeatable.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For drawing excerpts.")
@click.option(
    "--runtime",
    type=click.Choice(get_args(Runtime)),
    default=DEFAULT_RUNTIME,
    show_default=True,
    help="What runs the models; openvino is faster in bulk on CPUs with AMX.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The JSONL file to write.")
@click.option("--overwrite", is_flag=True, help="Replace the output, or what another run left of it.")
def pseudo_label(
    models: tuple[Path, ...],
    paths: tuple[Path, ...],
    n_excerpts: int | None,
    named_by: tuple[Path, ...],
    seed: int,
    runtime: Runtime,
    output: Path,
    overwrite: bool,
) -> None:
    """Let an ensemble of model folders score rows that nobody labelled, to learn from.

    The calibrated scores of the MODELs are averaged: a student that is trained on them learns what the teachers are
    unsure of, too.
    """
    if named_by and n_excerpts is not None:
        raise click.UsageError("--excerpts draws excerpts, --excerpts-of names them; give one of the two")
    from twohands.examples import expand_paths  # noqa: PLC0415, RUF100
    from twohands.journal import check_output  # noqa: PLC0415, RUF100

    if output.exists():  # its folder is made where there is none
        check_output(output, expand_paths([*paths, *named_by]), overwrite=overwrite)
    from training.pseudo import write_pseudo_labels  # noqa: PLC0415, RUF100

    with ending_on_interrupt("the same command goes on from here"):
        n_rows = write_pseudo_labels(
            models,
            paths,
            output,
            n_excerpts=n_excerpts,
            named_by=named_by,
            seed=seed,
            runtime=runtime,
            overwrite=overwrite,
        )
    what = "rows" if n_excerpts is None and not named_by else "excerpts"
    click.echo(f"wrote the scores of {n_rows} {what} to {output}", err=True)
    if n_excerpts is not None and n_rows < n_excerpts:
        click.echo(f"the rows hold no more than {n_rows} of {n_excerpts}: at most three of each, none twice", err=True)
