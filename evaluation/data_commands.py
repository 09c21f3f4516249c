"""Owns the group `data`: what a data set can teach, and what is wrong with it. Loads a command when it is called."""

import importlib

import click

_COMMANDS = {
    "curve": ("evaluation.curve_command", "curve", "Score against training size: do more labels pay?"),
    "audit": ("evaluation.audit_command", "audit", "Likely label errors, duplicates, leaks, imbalance, drift."),
}


class _LazyData(click.Group):
    """Lists commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, name, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.command(cls=_LazyData)
def data() -> None:
    """Look at labelled rows before, or instead of, a model."""
