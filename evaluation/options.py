"""Owns the options that evaluation commands share, what `--json` prints, and how a call is written down."""

import json
import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

import click

from evaluation.dataset import SKIP_OPTION
from twohands.runtimes import DEFAULT_RUNTIME, Runtime

PATH = click.Path(path_type=Path)
DATA = click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Labelled JSONL, CSV, TSV (.gz, too), Parquet, or folders.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
REPLICATES = click.option(
    "--replicates", type=click.IntRange(min=100), default=1000, show_default=True, help="Bootstrap draws."
)
DAMAGE_DRAWS = click.option(
    "--damage-draws",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How often words are dropped and misread; 1 takes half the time.",
)
THREADS = click.option("--threads", type=click.IntRange(min=1), help="At most so many; default: all that are free.")
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(get_args(Runtime)),
    default=DEFAULT_RUNTIME,
    show_default=True,
    help="What runs the model; openvino is faster on CPUs with AMX, auto takes it there.",
)
TAXONOMY_OPTION = "--taxonomy FILE"  # as messages name it
MODEL_OPTION = "--model FOLDER of a model that has them"
SKIP = click.option(SKIP_OPTION, is_flag=True, help="Pass over rows without any label; else they are refused.")
TRAIN = click.option("--train", type=PATH, multiple=True, metavar="FILE...", help="Rows that a baseline is fitted on.")
DEV = click.option("--dev", type=PATH, multiple=True, metavar="FILE...", help="Rows that a baseline is tuned on.")


def seed_option(what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the option `--seed`.

    Args:
        what: all that the command draws by it.

    Returns:
        A decorator.
    """
    return click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help=f"Of {what}.")


def _spread(arguments: Sequence[str], names: set[str]) -> list[str]:
    """Repeat an option before each of its values: `--data a b` becomes `--data a --data b`."""
    spread: list[str] = []
    current: str | None = None
    for position, word in enumerate(arguments):
        if word == "--":
            return [*spread, *arguments[position:]]
        is_option = word.startswith("-") and word != "-"
        if is_option:
            current = word if word in names else None
        elif current is not None and spread[-1] != current:
            spread.append(current)
        spread.append(word)
    return spread


class VariadicCommand(click.Command):
    """A command whose repeatable path options take several values each, which click has no word for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spread the values, then parse as click does.

        Args:
            ctx: of this call.
            args: the words after the command's name.

        Returns:
            The words that no parameter took.
        """
        options = [parameter for parameter in self.params if isinstance(parameter, click.Option)]
        names = {
            name
            for option in options
            if option.multiple and isinstance(option.type, click.Path)
            for name in option.opts
        }
        return super().parse_args(ctx, _spread(args, names))


def describe_command(ctx: click.Context) -> str:
    """Write the command that repeats this call, defaults spelt out.

    Args:
        ctx: of this call.

    Returns:
        One line for a shell.
    """
    words: list[str] = []
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if isinstance(parameter, click.Argument):
            words.append(str(value))
        elif value is True:
            words.append(parameter.opts[0])
        elif isinstance(value, tuple) and value:
            # Only paths may follow one another behind one option, as `_spread` has it.
            is_spread = isinstance(parameter.type, click.Path)
            for place, one in enumerate(value):
                words += [str(one)] if is_spread and place else [parameter.opts[0], str(one)]
        elif value is not None and value is not False and value != ():
            words += [parameter.opts[0], str(value)]
    path = ctx.command_path.split()
    return shlex.join(["twohands", *path[path[0] == "twohands" :], *words])


def list_versions(*packages: str) -> dict[str, str]:
    """The versions that a figure depends on.

    Args:
        *packages: beside Python, ours and those of every model; one that is not installed is left out.

    Returns:
        By name.
    """
    found = {"python": platform.python_version()}
    for package in ("twohands", "numpy", "onnxruntime", "tokenizers", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # an optional package that this call did without
            continue
    return found


def tell_figures(
    figures: Mapping[str, Any], show: Callable[[Mapping[str, Any]], None], *, as_json: bool, page: Path | None = None
) -> None:
    """Print what was measured: one object for `--json`, else tables, and where the report is.

    Args:
        figures: all that was measured.
        show: prints the tables.
        as_json: whether programs are to read it.
        page: of the report; None where there is none, or where none is named.
    """
    if as_json:
        click.echo(json.dumps(figures, indent=2))
        return
    show(figures)
    if page is not None:
        click.echo(f"Report: {page}")
