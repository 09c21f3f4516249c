"""Owns `twohands ablate`: steps of a recipe over several seeds, a table after each run; heavy imports wait."""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.room import telling_full_disk
from twohands.errors import NonFiniteLogitsError

if TYPE_CHECKING:
    from training.ablate import Answered, Run
    from training.ablatesteps import Step

_MOST_SEED = 2**32 - 1


def _say(line: str) -> None:
    click.echo(f"ablate: {line}", err=True)


def _read_seeds(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """`13,14,15` as numbers."""
    del context, parameter
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,10}", part) and int(part) <= _MOST_SEED for part in parts):
        raise click.BadParameter(f"found {value!r}, expected numbers from 0 to {_MOST_SEED}, as in 13,14,15")
    seeds = tuple(map(int, parts))
    if len(set(seeds)) < len(seeds):
        raise click.BadParameter(f"{value!r} names a seed twice")
    return seeds


def _spell_command(
    config: str, overrides: Sequence[str], seeds: Sequence[int], steps: Sequence[str], output: Path
) -> list[str]:
    """The command that repeats it, in parts that stand on a line each."""
    options = [("--set", override) for override in overrides] + [("--step", step) for step in steps]
    options = [("--seeds", ",".join(map(str, seeds))), *options, ("--output", str(output))]
    return [f"twohands ablate {shlex.quote(config)}", *(f"{name} {shlex.quote(value)}" for name, value in options)]


def _list_runs(
    runs: "Sequence[Run]",
    answered: "Mapping[tuple[str, int], Answered]",
    steps: "Sequence[Step]",
    diverged: Sequence[str],
    output: Path,
) -> None:
    """What would run, and what would not."""
    from training.ablate import has_begun, tell_left  # noqa: PLC0415, RUF100

    click.echo(f"{'SEED':<10} {'STEP':<16} STATE")
    for run in runs:
        done = answered.get((run.step, run.seed))
        if done is not None:
            state = "done" if done.minutes is None else f"done, {done.minutes:.1f} min"
        else:
            state = "diverged" if run.name in diverged else "begun" if has_begun(run, output) else "to run"
        click.echo(f"{run.seed:<10} {run.step:<16} {state}")
    for step in steps:
        if step.changes:
            click.echo(f"{step.name}: {' '.join(step.changes)}")
    left = [run for run in runs if (run.step, run.seed) not in answered and run.name not in diverged]
    click.echo(f"{len(left)} of {len(runs)} to run{tell_left(left, answered)}")


def _tell_run(content: Mapping[str, Any], run: "Run") -> str:
    """What a run came to, in a line."""
    told = []
    for name, head in content["heads"].items():
        figures = head["steps"][run.step]["by_seed"][str(run.seed)]
        apart = f" ({figures['difference']:+.3f})" if "difference" in figures else ""
        told.append(f"{name} {figures['macro_f1']:.3f}{apart}")
    return f"{run.step}, seed {run.seed}: {', '.join(told)}"


def _prepare(
    runs: "Sequence[Run]", left: "Sequence[Run]", done: "Sequence[Run]", output: Path, *, keep_checkpoints: bool
) -> None:
    """See that there is room, and say what is there."""
    from training.ablate import check_room_for, clear, has_checkpoint  # noqa: PLC0415, RUF100

    check_room_for(left, output, keep_checkpoints=keep_checkpoints)
    output.mkdir(parents=True, exist_ok=True)
    splits = runs[0].splits
    _say(f"{len(splits.train)} rows to fit by the base, {len(splits.dev)} of dev to select by and to answer")
    for run in done:
        clear(run, output, keep_checkpoint=keep_checkpoints)
    if done:
        _say(f"{len(done)} of {len(runs)} runs were answered before")
    gone = [run.name for run in done if not has_checkpoint(run, output)]
    if keep_checkpoints and gone:
        _say(f"no checkpoint is left of {', '.join(gone)}, which were answered without --keep-checkpoints")


@click.command(
    epilog="""\b
Examples:
  twohands ablate minilm --step smoothing='loss.label_smoothing=0.1' --list
  twohands ablate minilm --set data.root=FOLDER --seeds 13,14,15 \\
    --step smoothing='loss.label_smoothing=0.1' \\
    --step both='loss.label_smoothing=0.1 optim.layer_decay=0.9'
  twohands ablate minilm \\
    --step topics='loss.head_weights={stance: 1, topics: 3}'

Given again, it goes on where it was. Further seeds and steps reuse the runs that are there, other settings are refused.
Dev that is held out by data.dev_fraction is drawn by the config's own seed, for all runs. Of twenty steps without
effect one may be called beyond chance: show a step that was picked from many again, with other seeds.""",
    no_args_is_help=True,
)
@click.argument("config", metavar="CONFIG")
@click.option("--set", "overrides", multiple=True, metavar="a.b=value", help="Change one key of the base; repeatable.")
@click.option(
    "--step",
    "given",
    multiple=True,
    metavar="NAME='a.b=value ...'",
    help="A step: its name, and what it changes of the base, as --set does, parted by blanks. Values are YAML and may "
    "hold blanks within brackets or quotes: a blank parts two changes where key= follows it and the value before it is "
    "whole. Not seed, run_name, taxonomy, nor rows of dev. Repeatable; without it the base alone shows how far seeds "
    "are apart.",
)
@click.option(
    "--seeds",
    callback=_read_seeds,
    metavar="13,14,15",
    help="Each trains the base and every step. [default: the config's seed and the two after it]",
)
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder of table and answers. [default: runs/RUN_NAME-ablate]"
)
@click.option("--keep-checkpoints", is_flag=True, help="Leave the weights of each run in OUTPUT/STEP-SEED/checkpoint.")
@click.option("--list", "only_list", is_flag=True, help="Show the runs, done and to do, and train nothing.")
@click.option(
    "--restart", is_flag=True, help="Discard what an earlier call left of these runs; after a kill go on without it."
)
def ablate(
    config: str,
    overrides: tuple[str, ...],
    given: tuple[str, ...],
    seeds: tuple[int, ...] | None,
    output: Path | None,
    *,
    keep_checkpoints: bool,
    only_list: bool,
    restart: bool,
) -> None:
    """Is a step of the recipe worth it? Train with and without it over several seeds, and compare on dev.

    CONFIG and --set give the base. The base and each --step are trained once a seed, without an export, and asked about
    dev alone; test is not read. ablate.md and ablate.json tell macro-F1 of each head, the difference from the base with
    the same seed, how far it is sure over rows (bootstrap over documents) and over seeds, and the minutes that a run
    took. Thresholds are fitted on other documents than those they decide. Runs go seed by seed, the base first, and the
    tables grow with each.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise click.UsageError("ablate trains in one process; start it without torchrun")
    from training.ablatesteps import read_steps  # noqa: PLC0415, RUF100 - --help must not import torch

    steps, taxonomy = read_steps(config, overrides, given)
    base = steps[0].config
    chosen = seeds or tuple(base.seed + number for number in range(3))
    target = output or Path("runs") / f"{base.run_name}-ablate"

    from training.ablate import discard, has_diverged, plan_runs, read_answered  # noqa: PLC0415, RUF100

    runs = plan_runs(steps, taxonomy, chosen)
    if restart and not only_list:
        discard(runs, target)
    found = {} if restart else {(run.step, run.seed): read_answered(run, taxonomy, target) for run in runs}
    answered: dict[tuple[str, int], Answered] = {key: each for key, each in found.items() if each is not None}
    # The same numbers would come to the same end, after as long.
    diverged = [] if restart else [run.name for run in runs if has_diverged(run, target)]
    if only_list:
        _list_runs(runs, answered, steps, diverged, target)
        return
    done = [run for run in runs if (run.step, run.seed) in answered]
    left = [run for run in runs if run not in done and run.name not in diverged]
    _prepare(runs, left, done, target, keep_checkpoints=keep_checkpoints)
    if diverged:
        _say(f"{', '.join(diverged)} diverged before, and {'is' if len(diverged) == 1 else 'are'} not tried again")
        _say(f"to try one of them all the same, remove {target / 'NAME.diverged.json'}")

    from training.ablate import answer_left  # noqa: PLC0415, RUF100
    from training.ablatetable import write_tables  # noqa: PLC0415, RUF100

    def write() -> tuple[dict[str, Any], str]:
        return write_tables(
            target,
            runs,
            {(run.step, run.seed): answered[run.step, run.seed] for run in runs if (run.step, run.seed) in answered},
            taxonomy,
            changes={step.name: step.changes for step in steps},
            command=_spell_command(config, overrides, chosen, given, target),
            run_name=base.run_name,
            diverged=diverged,
        )

    with telling_full_disk(target):
        for run in answer_left(
            runs,
            answered,
            taxonomy,
            diverged=tuple(diverged),
            output=target,
            restart=restart,
            keep_checkpoints=keep_checkpoints,
            say=_say,
        ):
            if (run.step, run.seed) in answered:
                _say(_tell_run(write()[0], run))
            else:
                diverged.append(run.name)
        if answered:
            click.echo(write()[1])
            _say(f"wrote ablate.md and ablate.json to {target}")
    if diverged:
        raise NonFiniteLogitsError(
            f"{len(diverged)} of {len(runs)} runs diverged: {', '.join(diverged)}; the others were measured. Give the "
            "step a lower optim.learning_rate, or leave it out; they are not tried again as they are"
        )
