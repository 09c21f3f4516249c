"""Owns `twohands select`: which rows to label next; heavy imports wait until it runs."""

from pathlib import Path

import click

from training.room import check_room


@click.command(
    epilog="""\b
Examples:
  twohands select twohands --data pool.jsonl --rows 300 --output sheet.csv
  twohands select models/mine models/other --data my_rows --rows 500 \\
    --output sheet.jsonl
  twohands select twohands --data train.jsonl --excerpts 5000 --rows 500 \\
    --output sheet.jsonl

Fill in the empty cells (topics joined by |, a single - where none applies); rows that are left empty are left out.
Where the rows of --data are not among those that you train on, or for excerpts, add the sheet to these:
--set 'data.train=[train.jsonl, ./sheet.csv]'. Where they are, lay it over them: --set 'data.labels=[./sheet.csv]'.
The labels that a row has of some heads stand in the sheet. The scores do not, as who sees an answer agrees with it.
Rows marked `unsure` in `chosen` are hard ones: measure a model on those marked `random` alone.""",
    no_args_is_help=True,
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Rows with id and text, or a folder of them; repeatable.",
)
@click.option(
    "--rows", "n_rows", type=click.IntRange(min=1), default=200, show_default=True, help="How many to choose."
)
@click.option(
    "--known",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Rows or labels that are there already: their ids are passed over; repeatable.",
)
@click.option(
    "--excerpts",
    "n_excerpts",
    type=click.IntRange(min=1),
    help="Choose from so many excerpts of two or three sentences instead of whole rows.",
)
@click.option(
    "--random-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share drawn whatever the model says.",
)
@click.option(
    "--most-of-group",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="No more rows of one document (`group`).",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="For all that is drawn.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The sheet to write, .csv or .jsonl.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def select(
    models: tuple[str, ...],
    paths: tuple[Path, ...],
    n_rows: int,
    known: tuple[Path, ...],
    n_excerpts: int | None,
    random_share: float,
    most_of_group: int,
    seed: int,
    output: Path,
    overwrite: bool,
) -> None:
    """Choose the rows whose labels would teach a model most, as a sheet to fill in.

    MODELs (names or folders) score the rows that have no label, and those they are least sure of are taken: by the
    entropy of the calibrated scores (of several models, of their mean), the mean over heads. A share is drawn at
    random.
    """
    from twohands.examples import expand_paths  # noqa: PLC0415, RUF100
    from twohands.journal import check_output  # noqa: PLC0415, RUF100

    if output.exists():  # its folder is made where there is none
        check_output(output, expand_paths([*paths, *known]), overwrite=overwrite)
    check_room(output.parent, needed_bytes=0, option="--output")
    from training.select import select_rows  # noqa: PLC0415, RUF100
    from twohands.locate import find_model  # noqa: PLC0415, RUF100

    n_chosen, n_candidates, n_passed = select_rows(
        [find_model(model) for model in models],
        paths,
        output,
        n_rows=n_rows,
        known=known,
        n_excerpts=n_excerpts,
        random_share=random_share,
        most_of_group=most_of_group,
        seed=seed,
    )
    what = "rows" if n_excerpts is None else "excerpts"
    passed = f", {n_passed} more have their labels" if n_passed else ""
    click.echo(f"wrote {n_chosen} of {n_candidates} {what} to {output}{passed}", err=True)
    if n_chosen < min(n_rows, n_candidates):
        click.echo(
            f"{n_chosen} of {n_rows}: no more than --most-of-group {most_of_group} come from one document", err=True
        )
    elif n_chosen < n_rows:
        click.echo(f"{n_chosen} of {n_rows}: there are no more", err=True)
    sheet = output if output.is_absolute() else f"./{output}"
    added = f"--set 'data.train=[..., {sheet}]'"
    laid = f"--set 'data.labels=[{sheet}]', which lays the sheet over rows that data.train has already"
    click.echo(f"filled in, it is trained on with {added}" + ("" if n_excerpts else f", or with {laid}"), err=True)
