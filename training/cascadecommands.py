"""Owns `twohands cascade`: two model folders as one that asks the second only where it helps; heavy imports wait."""

import re
from pathlib import Path

import click

from training.room import check_room, folder_bytes, telling_full_disk, unwinding_on_sigterm


def _check_version(_ctx: click.Context, _option: click.Parameter, version: str | None) -> str | None:
    if version is not None and not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise click.BadParameter(f"found {version!r}, expected three numbers, such as 1.0.0")
    return version


@click.command(
    epilog="""\b
Examples:
  twohands cascade twohands twohands-large --dev dev.jsonl \\
    --output models/twohands-cascade
  twohands cascade models/small models/large --dev dev.jsonl \\
    --test test.jsonl --share 0.2 --output models/both
  twohands serve --model models/both

The table shows what each share costs and gives on dev; choose --share by it. The folder is a model folder like any
other: serve, classify, evaluate, compare and checklist take it. Its second model stands beside it and is found by its
digest; with --bundle it is copied in.

Both models must answer the same labels and part text alike, as those fine-tuned from MiniLM and MPNet do.""",
    no_args_is_help=True,
)
@click.argument("first", metavar="SMALL")
@click.argument("second", metavar="LARGE")
@click.option(
    "--dev",
    "dev_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Labelled rows that neither model learnt from, to fit on; repeatable. Files are told by their digest.",
)
@click.option(
    "--test",
    "test_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Labelled rows to report on, which choose nothing and chose neither model; repeatable.",
)
@click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.35,
    show_default=True,
    help="Of dev's windows, those that the large model is asked. Below one half, the median answer takes the time of "
    "the small one.",
)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The model folder to write.")
@click.option(
    "--version", "model_version", callback=_check_version, help="Of the cascade.  [default: the small model's]"
)
@click.option("--bundle", is_flag=True, help="Copy the large model into the folder, which then can be moved alone.")
@click.option("--overwrite", is_flag=True, help="Replace the model folder if it exists.")
def cascade(
    first: str,
    second: str,
    dev_paths: tuple[Path, ...],
    test_paths: tuple[Path, ...],
    share: float,
    output: Path,
    model_version: str | None,
    bundle: bool,
    overwrite: bool,
) -> None:
    """Make one model of two: the LARGE one is asked where the SMALL one is in doubt, and both are averaged.

    Nothing is trained. Most paragraphs cost what the small model costs; the answers are near, often above, those of
    the large one.
    """
    from twohands.locate import find_model  # noqa: PLC0415, RUF100

    folders = (find_model(first), find_model(second))
    needed_bytes = sum(map(folder_bytes, folders if bundle else folders[:1]))
    check_room(output, needed_bytes=needed_bytes, option="--output")
    from training.cascade import make_cascade  # noqa: PLC0415, RUF100
    from training.cascadecard import offers_table  # noqa: PLC0415, RUF100
    from twohands.inspection import format_figure, headline, headline_split  # noqa: PLC0415, RUF100
    from twohands.manifest import load_manifest  # noqa: PLC0415, RUF100

    with telling_full_disk(output), unwinding_on_sigterm():
        made = make_cascade(
            folders,
            dev_paths,
            test_paths,
            output,
            share=share,
            version=model_version,
            bundle=bundle,
            overwrite=overwrite,
        )
    for line in offers_table(made.offers):
        click.echo(line)
    for warning in made.warnings:
        click.echo(f"cascade: {warning}", err=True)
    click.echo(f"wrote {output}: the large model is asked {made.share:.0%} of dev's windows", err=True)
    manifest = load_manifest(output)[0]
    for head, figure in headline(manifest).items():
        click.echo(f"macro-F1 on {headline_split(manifest)}, {head}: {format_figure(figure)}", err=True)
