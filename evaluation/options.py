"""Owns how the evaluation commands read their options. Knows nothing of models or figures."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


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
            words += [parameter.opts[0], *map(str, value)]
        elif value is not None and value is not False and value != ():
            words += [parameter.opts[0], str(value)]
    return shlex.join(["twohands", ctx.info_name or "", *words])
