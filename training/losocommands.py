"""Owns `twohands loso`: sources left out in turn, a table after each fold; heavy imports wait until it runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from training.room import RUN_COPIES, check_room, folder_bytes, telling_full_disk
from twohands.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Collection

    from training.data import Splits
    from training.loso import Answers, Fold, Source
    from twohands.taxonomy import Taxonomy


def _choose(sources: "list[Source]", names: tuple[str, ...], *, min_rows: int) -> "tuple[list[Source], dict[str, str]]":
    """The sources to leave out, and why others are passed over."""
    unknown = sorted(set(names) - {source.name for source in sources})
    if unknown:
        known = ", ".join(source.name for source in sources)
        faults = [f"no row has the source {name!r}; there are: {known}" for name in unknown]
        raise DataError("sources cannot be left out", faults)
    if names:
        return [source for source in sources if source.name in names], {}
    passed_over = {s.name: f"{len(s.rows)} rows, fewer than {min_rows}" for s in sources if len(s.rows) < min_rows}
    return [source for source in sources if source.name not in passed_over], passed_over


def _say(line: str) -> None:
    click.echo(f"loso: {line}", err=True)


def _tell_unsourced(names: "Collection[str]") -> None:
    if names:
        _say(f"rows without a column `source` are taken to come from their file: {', '.join(names)}")


def _make_folds(
    splits: "Splits",
    groups: "list[list[Source]]",
    taxonomy: "Taxonomy",
    passed_over: dict[str, str],
    *,
    near_duplicate_jaccard: float | None,
) -> "list[tuple[list[Source], Fold]]":
    """The folds that can be, with what each leaves out; sources of others join `passed_over`, which may not be all."""
    from training.loso import make_fold  # noqa: PLC0415, RUF100 - --help must not import torch

    folds = []
    for group in groups:
        try:
            fold = make_fold(splits, group, taxonomy, near_duplicate_jaccard=near_duplicate_jaccard)
        except DataError as error:
            passed_over |= {source.name: "; ".join(error.faults) for source in group}
            _say(f"passed over {', '.join(source.name for source in group)}: {'; '.join(error.faults)}")
        else:
            folds.append((group, fold))
    if not folds:
        raise DataError("no source can be left out", [f"{name}: {reason}" for name, reason in passed_over.items()])
    return folds


@click.command(
    epilog="""\b
Examples:
  twohands loso CONFIG --set data.root=FOLDER --list
  twohands loso CONFIG --set data.root=FOLDER --source debates --source news
  twohands loso CONFIG --set data.root=FOLDER --folds 5
  twohands loso CONFIG --set data.root=FOLDER --beside models/twohands

Given again, it goes on where it was; loso.md and loso.json stand after the first source and grow with each.""",
    no_args_is_help=True,
)
@click.argument("config", metavar="CONFIG")
@click.option(
    "--set", "overrides", multiple=True, metavar="a.b=value", help="Change one key of the config; repeatable."
)
@click.option("--source", "names", multiple=True, metavar="NAME", help="Leave out this one; repeatable. [default: all]")
@click.option("--min-rows", type=click.IntRange(min=1), default=30, show_default=True, help="Of a source not named.")
@click.option(
    "--folds",
    "n_folds",
    type=click.IntRange(min=2),
    metavar="N",
    help="Leave several out at once, in N folds of like size: fewer runs, and harder, as sources alike may go "
    "together. [default: each alone]",
)
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the table. [default: runs/RUN_NAME-loso]")
@click.option(
    "--beside",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Model folder of the whole run, for the in-domain figures. [default: train it]",
)
@click.option("--list", "only_list", is_flag=True, help="Show the sources and their rows, and train nothing.")
@click.option("--restart", is_flag=True, help="Discard what an earlier call left in the output.")
def loso(
    config: str,
    overrides: tuple[str, ...],
    names: tuple[str, ...],
    min_rows: int,
    n_folds: int | None,
    output: Path | None,
    beside: Path | None,
    *,
    only_list: bool,
    restart: bool,
) -> None:
    """Train without each source in turn and test on it: how does a model fare on what it was not made for?

    A source is the column of that name. All its documents leave train and dev, and so does every row elsewhere that
    repeats one of its texts. The figures stand beside those of the model that learnt from all sources, on the rows of
    test (of dev, with --set data.test=null). One run of CONFIG for each source, or for each of --folds.
    """
    from training.config import load_config  # noqa: PLC0415, RUF100 - --help must not import torch
    from training.data import load_splits  # noqa: PLC0415, RUF100

    chosen, taxonomy = load_config(config, overrides=overrides)
    if chosen.start is not None:
        fault = "start is set: its checkpoint may have learnt from the source; name the first stage's config instead"
        raise ConfigError("the run is a second stage, which leaves nothing out", [fault])
    loaded = load_splits(chosen.data, taxonomy, seed=chosen.seed)
    held_out_split = "test" if loaded.test else "dev"

    from training.loso import (  # noqa: PLC0415, RUF100
        answer_beside,
        answer_fold,
        deal_sources,
        is_answered,
        list_sources,
        make_in_domain,
        tell_apart,
    )
    from training.present import describe_misnamed  # noqa: PLC0415, RUF100

    splits = tell_apart(loaded)
    _tell_unsourced(loaded.unsourced)
    for line in describe_misnamed(loaded.misnamed):
        _say(line)
    sources, passed_over = _choose(list_sources(splits), names, min_rows=min_rows)
    groups = deal_sources(sources, n_folds or len(sources))
    if only_list:
        click.echo(f"{'SOURCE':<40} {'ROWS':>6} {held_out_split.upper():>6}" + "   FOLD" * bool(n_folds))
        fold_of = {source.name: number for number, group in enumerate(groups, start=1) for source in group}
        for source in sources:
            column = f" {fold_of[source.name]:>6}" if n_folds else ""
            click.echo(f"{source.name:<40} {len(source.rows):>6} {len(source.held_out):>6}{column}")
        for name, reason in passed_over.items():
            click.echo(f"passed over: {name} ({reason})", err=True)
        return

    from training.encoders import RUN_NAME, find_encoder  # noqa: PLC0415, RUF100
    from training.losotable import write_tables  # noqa: PLC0415, RUF100

    encoder = find_encoder(chosen.encoder.name, revision=chosen.encoder.revision, sha256=chosen.encoder.sha256)
    if (encoder.folder / RUN_NAME).is_file():
        fault = f"encoder.name is {chosen.encoder.name}, a checkpoint of a run; name the encoder that it came from"
        raise ConfigError("the encoder may have learnt from the source that is left out", [fault])
    encoder.check_fit(
        max_tokens=chosen.window.max_tokens, num_layers=chosen.encoder.num_layers, layers=chosen.encoder.layers
    )
    target = output or Path("runs") / f"{chosen.run_name}-loso"

    def run(fold: "Fold") -> "Answers":
        return answer_fold(fold, chosen, taxonomy, encoder, output=target, restart=restart, say=_say)

    answers: dict[str, Answers] = {}
    text = ""
    # Before the whole run, which takes as long as a fold and is for nothing where no fold can be (#3).
    folds = _make_folds(
        splits, groups, taxonomy, passed_over, near_duplicate_jaccard=chosen.data.near_duplicate_jaccard
    )
    whole = make_in_domain(splits)
    # Folds are run one after another, and each clears its checkpoints away once it has answered.
    needed_bytes = RUN_COPIES * encoder.weights_bytes(chosen.encoder.num_layers) - folder_bytes(target)
    asked = [fold for _, fold in folds] if beside else [whole, *(fold for _, fold in folds)]
    if not restart and all(is_answered(fold, chosen, taxonomy, encoder, output=target) for fold in asked):
        needed_bytes = 0  # nothing is left to train
    check_room(target, needed_bytes=needed_bytes, option="--output")
    with telling_full_disk(target):
        target.mkdir(parents=True, exist_ok=True)
        in_domain = answer_beside(beside, splits, whole.asked) if beside else run(whole)
        described = f"{beside.name}, as it is served" if beside else "the same recipe on all sources, fp32"
        for number, (group, fold) in enumerate(folds, start=1):
            _say(f"fold {number} of {len(folds)}, without {', '.join(source.name for source in group)}")
            given = run(fold)
            answers |= {source.name: given for source in group}
            text = write_tables(
                target,
                groups,
                answers,
                in_domain,
                taxonomy,
                seed=chosen.seed,
                held_out_split=held_out_split,
                described=described,
                passed_over=passed_over,
            )
    click.echo(text)
    _say(f"wrote loso.md and loso.json to {target}")
