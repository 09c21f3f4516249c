"""Owns `twohands narrow`: a checkpoint made faster for a run to go on from; heavy imports wait until it runs."""

from pathlib import Path

import click

from training.room import check_room, folder_bytes, telling_full_disk, unwinding_on_sigterm


@click.command(
    epilog="""\b
Examples:
  twohands narrow runs/first/checkpoint --width 768 --data train.jsonl \\
    --output runs/narrow/checkpoint
  twohands export runs/narrow/checkpoint --set data.root=my_rows \\
    --output models/narrow
  twohands train CONFIG --set run_name=second \\
    --set 'start={checkpoint: runs/narrow/checkpoint, replay: 1.0}'

Half the width loses about a point of macro-F1 here, and a run that goes on from it wins that back
(docs/training.md). See on dev what yours loses: export it, and `twohands compare` the two.""",
    no_args_is_help=True,
)
@click.argument("checkpoint", metavar="CHECKPOINT", type=click.Path(path_type=Path))
@click.option(
    "--width",
    type=click.IntRange(min=1),
    required=True,
    help="Units that each feed-forward part keeps; MiniLM has 1536, MPNet 3072.",
)
@click.option(
    "--data",
    "paths",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Texts by which is seen what the units do: rows to train on, needing no label, or documents; repeatable.",
)
@click.option("--n-texts", type=click.IntRange(min=1), default=1500, show_default=True, help="Draw so many of them.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The checkpoint to write.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def narrow(
    checkpoint: Path, width: int, paths: tuple[Path, ...], n_texts: int, seed: int, output: Path, overwrite: bool
) -> None:
    """Make the feed-forward parts of a checkpoint narrower, so that its model is faster and smaller.

    Those units of each part go whose work the others can best take over, seen on texts; the others are refitted
    by least squares. Nothing is trained, and no label is read.
    """
    check_room(output, needed_bytes=2 * folder_bytes(checkpoint), option="--output")
    from training.narrow import draw_texts, narrow_checkpoint  # noqa: PLC0415, RUF100

    texts, faults = draw_texts(paths, limit=n_texts, seed=seed)
    if faults:
        click.echo(f"{len(faults):,} texts cannot be read and are left out, the first: {faults[0]}", err=True)
    with telling_full_disk(output), unwinding_on_sigterm():
        lost = narrow_checkpoint(checkpoint, output, texts=texts, width=width, overwrite=overwrite)
    click.echo(
        f"of what the feed-forward parts give on {len(texts):,} texts "
        f"{', '.join(f'{share:.1%}' for share in lost)} are lost, layer by layer",
        err=True,
    )
    click.echo(
        f"wrote {output}; go on from it by `start` of `twohands train`, or, unless it was restored from a model "
        "folder, make one of it by `twohands export`",
        err=True,
    )
