"""Owns `train`, `export`, `restore` and `average`; heavy imports wait until a command runs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.room import (
    EXPORT_COPIES,
    RUN_COPIES,
    check_room,
    folder_bytes,
    telling_full_disk,
    unwinding_on_sigterm,
)
from twohands.errors import CheckpointError
from twohands.interrupts import ending_on_interrupt

if TYPE_CHECKING:
    from training.config import TrainConfig
    from training.data import Splits
    from twohands.examples import Example
    from twohands.taxonomy import Taxonomy

_SMOKE = {
    "optim.num_epochs": "1",
    "optim.min_steps": "0",
    "optim.batch_size": "8",
    "selection.evaluations_per_epoch": "1",
    "export.candidates": "[plain-int8]",
}
SMOKE_ROWS = 64
# Of the folder's graph: its checkpoint and one graph at a time, both in floats.
_RESTORE_COPIES = {"fp32": 2, "int8": 8}


@click.command(
    epilog="""\b
Examples:
  twohands train configs/minilm.yaml
  twohands train minilm --set data.root=my_rows --set run_name=mine
  twohands train minilm --smoke
  torchrun --nproc-per-node 2 -m twohands train minilm

\b
On your own rows, beyond their own labels (docs/training.md tells more):
  --set taxonomy=mine.yaml                  heads and labels of your own
  --set 'data.labels=[labels.jsonl]'        labels, or a teacher's scores
  --set augmentation.damaged=0.15           rows changed as must not matter
  --set 'start={checkpoint: runs/first/checkpoint, replay: 0.3}'
                                            go on from an earlier run
  --set encoder.num_layers=3                a shorter encoder

A run that was killed goes on where it was when the same command is given again.""",
    no_args_is_help=True,
)
@click.argument("config", metavar="CONFIG")
@click.option(
    "--set", "overrides", multiple=True, metavar="a.b=value", help="Change one key of the config; repeatable."
)
@click.option("--output", type=click.Path(path_type=Path), help="The model folder to write. [default: models/RUN_NAME]")
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Checkpoints.")
@click.option("--restart", is_flag=True, help="Discard a run that was begun.")
@click.option("--overwrite", is_flag=True, help="Replace the model folder if it exists.")
@click.option("--no-export", is_flag=True, help="Stop at the checkpoint, for a second stage to go on from.")
@click.option(
    "--smoke",
    is_flag=True,
    help=f"The whole chain on {SMOKE_ROWS} rows of each split, in about a minute, as RUN_NAME-smoke.",
)
def train(
    config: str,
    overrides: tuple[str, ...],
    output: Path | None,
    runs: Path,
    restart: bool,
    overwrite: bool,
    no_export: bool,
    smoke: bool,
) -> None:
    """Fine-tune, calibrate, export and check: from the rows that CONFIG names to a model folder.

    CONFIG is a YAML file, or the name of one that is shipped (minilm). Rows are JSONL, CSV, TSV or Parquet with the
    columns text, one for each head (stance, topics), and optionally id, source, group; hub:NAME#SPLIT reads a
    Hugging Face dataset. Dev chooses the step, the calibration and the thresholds; test is measured once, at the
    end, with the exported model.
    """
    from training.config import load_config  # noqa: PLC0415, RUF100 - as below: --help must not import torch
    from twohands.manifest import check_output_folder  # noqa: PLC0415, RUF100

    chosen, taxonomy = load_config(config, overrides=[*(f"{k}={v}" for k, v in _SMOKE.items() if smoke), *overrides])
    # A model that a minute made must not take the place of the run's own, nor stand in its way.
    run_name = f"{chosen.run_name}-smoke" if smoke else chosen.run_name
    target = output or Path("models") / run_name
    if not no_export:
        check_output_folder(target, overwrite=overwrite)

    from training.data import load_splits  # noqa: PLC0415, RUF100
    from training.encoders import find_encoder  # noqa: PLC0415, RUF100
    from training.present import describe_heads  # noqa: PLC0415, RUF100
    from training.restated import describe_restated  # noqa: PLC0415, RUF100

    encoder = find_encoder(chosen.encoder.name, revision=chosen.encoder.revision, sha256=chosen.encoder.sha256)
    encoder.check_fit(
        max_tokens=chosen.window.max_tokens, num_layers=chosen.encoder.num_layers, layers=chosen.encoder.layers
    )
    run_dir = runs / run_name
    if restart or smoke or not (run_dir / "checkpoint").is_dir():
        needed_bytes = RUN_COPIES * encoder.weights_bytes(chosen.encoder.num_layers) - folder_bytes(run_dir)
        check_room(run_dir, needed_bytes=needed_bytes, option="--runs")
    if not no_export:
        needed_bytes = EXPORT_COPIES * encoder.weights_bytes(chosen.encoder.num_layers)
        check_room(target, needed_bytes=needed_bytes, option="--output")
    splits = load_splits(chosen.data, taxonomy, seed=chosen.seed)
    if smoke:
        splits = _take_smoke_rows(splits, chosen, taxonomy)
    is_main = int(os.environ.get("RANK", "0")) == 0
    if is_main:
        click.echo(
            f"{len(splits.train)} rows to fit, {len(splits.dev)} to select by, {len(splits.test)} to report on",
            err=True,
        )
        click.echo(f"encoder {encoder.describe(chosen.encoder.num_layers)}, sha256 {encoder.sha256[:12]}", err=True)
        told = describe_heads(splits.train, taxonomy, n_left_out=splits.n_left_out)
        told += _describe_teacher(splits.train, taxonomy)
        for line in told + describe_restated(splits.train, is_used=chosen.loss.consistency_weight > 0):
            click.echo(line, err=True)
        for line in _describe_laid(splits):
            click.echo(line, err=True)
    from training.export import export_checkpoint  # noqa: PLC0415, RUF100
    from training.loop import fit  # noqa: PLC0415, RUF100

    with ending_on_interrupt("the same command goes on from the last checkpoint"), telling_full_disk(run_dir):
        checkpoint = fit(chosen, taxonomy, splits, encoder, run_dir=run_dir, restart=restart or smoke)
    if not is_main:
        return
    if no_export:
        click.echo(f"wrote {checkpoint}; `twohands export` makes a model folder of it", err=True)
        return
    with telling_full_disk(target), unwinding_on_sigterm():
        export_checkpoint(checkpoint, chosen, taxonomy, splits, output=target, overwrite=overwrite)
    click.echo(f"wrote {target}; try: twohands classify --model {target} FILE", err=True)


@click.command(
    epilog="""\b
Examples:
  twohands export runs/minilm/checkpoint --output models/minilm
  twohands export my-checkpoint --set data.root=my_rows --output models/mine""",
    no_args_is_help=True,
)
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CHECKPOINT")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The model folder to write.")
@click.option(
    "--set", "overrides", multiple=True, metavar="a.b=value", help="Change one key of the config; repeatable."
)
@click.option("--overwrite", is_flag=True, help="Replace the model folder if it exists.")
def export(checkpoint: Path, output: Path, overrides: tuple[str, ...], overwrite: bool) -> None:
    """Turn a checkpoint into a model folder, with the same gates as after training.

    CHECKPOINT is what `twohands train` leaves in runs/RUN_NAME/checkpoint. Its train_config.yaml names the dev rows
    by which calibration, thresholds and the int8 gate are fitted; --set data.root=... points to where they are now.
    --set takes keys of data, export, compute and window, and version, license, card_notes and run_name.
    Refused are rows of train that it did not learn from, and rows of dev or test that it did.
    """
    from training.config import load_dumped_config  # noqa: PLC0415, RUF100
    from training.loop import CONFIG_NAME  # noqa: PLC0415, RUF100
    from training.weights import check_there  # noqa: PLC0415, RUF100
    from twohands.manifest import MANIFEST_NAME, check_output_folder  # noqa: PLC0415, RUF100

    if not checkpoint.exists() and (hint := _hint_of_run(checkpoint)):
        raise CheckpointError(f"{checkpoint} does not exist{hint}")
    check_there(checkpoint)
    if (checkpoint / MANIFEST_NAME).is_file():
        raise CheckpointError(f"{checkpoint} is a model folder already; `twohands restore` makes a checkpoint of it")
    if not (checkpoint / CONFIG_NAME).is_file():
        raise CheckpointError(
            f"{checkpoint} is no checkpoint of `twohands train`: it has no {CONFIG_NAME}{_hint_of_run(checkpoint)}"
        )
    from training.encoders import check_window  # noqa: PLC0415, RUF100
    from training.exportchecks import refuse_overrides, refuse_restored  # noqa: PLC0415, RUF100

    facts = refuse_restored(checkpoint)
    refuse_overrides(overrides, facts, checkpoint / CONFIG_NAME)
    chosen, taxonomy = load_dumped_config(checkpoint / CONFIG_NAME, overrides=overrides)
    check_output_folder(output, overwrite=overwrite)
    if (checkpoint / "config.json").is_file():  # else told of with what else it lacks
        check_window(checkpoint, max_tokens=chosen.window.max_tokens)
    check_room(output, needed_bytes=EXPORT_COPIES * folder_bytes(checkpoint), option="--output")

    from training.data import load_splits  # noqa: PLC0415, RUF100
    from training.export import export_checkpoint  # noqa: PLC0415, RUF100
    from twohands.examples import fingerprint  # noqa: PLC0415, RUF100

    splits = load_splits(chosen.data, taxonomy, seed=chosen.seed, is_trained=True)
    learnt = facts.get("train_fingerprint")
    if learnt not in (None, fingerprint(splits.train)):
        # A smoke run took a few rows of the files that its config names, so its checkpoint was refused (#2).
        fewer = _take_smoke_rows(splits, chosen, taxonomy)
        splits = fewer if fingerprint(fewer.train) == learnt else splits
    with telling_full_disk(output), unwinding_on_sigterm():
        export_checkpoint(checkpoint, chosen, taxonomy, splits, output=output, overwrite=overwrite)
    click.echo(f"wrote {output}; try: twohands classify --model {output} FILE", err=True)


def _take_smoke_rows(splits: "Splits", config: "TrainConfig", taxonomy: "Taxonomy") -> "Splits":
    """The few rows of each split by which a smoke run tries the chain."""
    from training.present import take_few  # noqa: PLC0415, RUF100
    from training.restated import take_pair  # noqa: PLC0415, RUF100

    train, dev, test = (take_few(rows, SMOKE_ROWS, taxonomy) for rows in (splits.train, splits.dev, splits.test))
    train = take_pair(train, splits.train, is_used=config.loss.consistency_weight > 0)
    return replace(splits, train=train, dev=dev, test=test)


def _describe_laid(splits: "Splits") -> Iterator[str]:
    """Tell of rows with no label or document, of labels without a row, and of rows that a file labels otherwise."""
    from training.present import describe_misnamed  # noqa: PLC0415, RUF100

    if n := splits.n_left_out:
        have = "row of data.train has no label, and is" if n == 1 else "rows of data.train have no label, and are"
        yield f"{n} {have} left out"
    for each in splits.files:
        if each.split != "labels" and not each.n_rows:
            yield f"{each.name} gives {each.split} no row: it is empty, or none of its rows has a label"
    yield from describe_misnamed(splits.misnamed)
    for file, n, n_ids in splits.unmatched:
        yield f"{n:,} of {n_ids:,} ids in {file} {'is' if n == 1 else 'are'} of no row in data.train"
    for file, head, n in splits.overruled:
        have = "row of {} has another label of its" if n == 1 else "rows of {} have another label of their"
        yield f"{n} {have.format(file)} own for {head}, which wins"


def _describe_teacher(train: "Sequence[Example]", taxonomy: "Taxonomy") -> Iterator[str]:
    """Tell apart rows that somebody labelled and those that a teacher scored alone, in a line a head with such rows."""
    from training.labels import ONLY_SCORED, TEACHER_SCORES  # noqa: PLC0415, RUF100

    for head in taxonomy.heads:
        labelled = [example for example in train if example.labels[head.name] is not None]
        n_scored = sum(bool(example.columns.get(ONLY_SCORED)) for example in labelled)
        # A row that somebody labelled for other heads alone is learnt from by its scores of this one.
        open_scores = [example.columns.get(TEACHER_SCORES) for example in train if example.labels[head.name] is None]
        n_open = sum(isinstance(scores, Mapping) and head.name in scores for scores in open_scores)
        if n_scored + n_open:
            yield f"  {head.name}: {len(labelled) - n_scored} labelled, {n_scored + n_open} by a teacher's scores alone"


def _hint_of_run(folder: Path) -> str:
    """The rest of a sentence on a folder that is no checkpoint: where its run's is, or how it comes to be."""
    from training.encoders import RUN_NAME  # noqa: PLC0415, RUF100
    from training.loop import CHECKPOINT, CONFIG_NAME  # noqa: PLC0415, RUF100

    # The run's folder, the library's own `trainer` in it, or one of the steps there.
    for run in (folder, *folder.parents[:2]):
        if (run / CHECKPOINT / CONFIG_NAME).is_file():
            return f"; give {run / CHECKPOINT}"
        if (run / RUN_NAME).is_file():
            return f"; the run in {run} is not finished: give its `twohands train` again, and it goes on where it was"
    return ""


@click.command(
    epilog="""\b
Examples:
  twohands restore twohands --output runs/released/checkpoint
  twohands train minilm --set data.root=my_rows --set run_name=mine \\
    --set optim.learning_rate=3.0e-5 \\
    --set 'start={checkpoint: runs/released/checkpoint, replay: 1.0}'

So the released model learns a few hundred rows of yours in minutes. Give `encoder` as the folder's train_config.yaml
has it, and dev rows that it never saw: a model folder names its files, not its rows, so rows of yours that it learnt
from cannot be found out.""",
    no_args_is_help=True,
)
@click.argument("model", metavar="NAME_OR_DIR")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The checkpoint to write.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
def restore(model: str, output: Path, overwrite: bool) -> None:
    """Turn a model folder back into a checkpoint, from which a run can go on.

    The weights have the values that int8 left them, as floats; the result is compared with the folder's own graph,
    its products computed in floats. A checkpoint that was kept after its training is better: it was never rounded.
    """
    from twohands.locate import find_model  # noqa: PLC0415, RUF100
    from twohands.manifest import load_manifest  # noqa: PLC0415, RUF100

    folder = find_model(model)
    graph = load_manifest(folder)[0].graph
    needed_bytes = _RESTORE_COPIES.get(graph.precision, max(_RESTORE_COPIES.values())) * graph.size_bytes
    check_room(output, needed_bytes=needed_bytes, option="--output")
    from training.restore import restore_checkpoint, tell_next  # noqa: PLC0415, RUF100

    with telling_full_disk(output), unwinding_on_sigterm():
        change = restore_checkpoint(folder, output, overwrite=overwrite)
    click.echo(f"wrote {output}; a logit differs by at most {change:.1e} from {folder} in floats", err=True)
    for line in tell_next(output):
        click.echo(line, err=True)


@click.command(
    epilog="""\b
Examples:
  twohands average runs/one/checkpoint runs/two/checkpoint \\
    --output runs/mean/checkpoint
  twohands export runs/mean/checkpoint --set data.root=my_rows \\
    --output models/mean

Of runs that went on from one start (`start.checkpoint`), by other rows or seeds. See on dev whether the mean is better
than each of them: often it is not.""",
    no_args_is_help=True,
)
@click.argument("checkpoints", metavar="CHECKPOINT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The checkpoint to write.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@click.option(
    "--config", help="What it is exported by: the rows that any of them learnt from, name, notes. [the first's]"
)
@click.option("--set", "overrides", multiple=True, metavar="a.b=value", help="Change one key of --config; repeatable.")
def average(
    checkpoints: tuple[Path, ...], output: Path, overwrite: bool, config: str | None, overrides: tuple[str, ...]
) -> None:
    """Average the weights of checkpoints into one, which is as fast as each.

    Its export must name the rows that any of them learnt from (`data.train`, `data.labels`): --config says so now, or
    --set of `twohands export` later.
    """
    if overrides and config is None:
        raise click.UsageError("--set changes keys of --config, which is not given")
    check_room(output, needed_bytes=2 * max(map(folder_bytes, checkpoints)), option="--output")
    from training.average import average_checkpoints  # noqa: PLC0415, RUF100
    from training.config import load_config  # noqa: PLC0415, RUF100

    described = None if config is None else load_config(config, overrides=overrides)
    with telling_full_disk(output), unwinding_on_sigterm():
        have_one_start = average_checkpoints(checkpoints, output, overwrite=overwrite, described=described)
    if not have_one_start:
        click.echo("warning: the runs did not go on from one start, so their mean is most likely no model", err=True)
    click.echo(
        f"wrote {output}, the mean of {len(checkpoints)}; `twohands export` makes a model folder of it", err=True
    )
