"""Owns the command line: composed from the entry points `twohands.commands`, each loaded only when it is called."""

import contextlib
import errno
import importlib.metadata
import os
import signal
import sys
from collections.abc import Sequence

import click

from twohands import __version__
from twohands.errors import FileReadError, MissingExtraError, TwoHandsError
from twohands.interrupts import ending_on_interrupt
from twohands.printable import make_printable
from twohands.standard_streams import open_closed_streams, watch_stdout

GROUP = "twohands.commands"
ROOMS = ("twohands", "training", "serving", "evaluation")
# Why a path that the user gave cannot even be looked at, which any command may meet wherever it asks for one.
_OF_PATHS = {errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG, errno.EPERM}

# One line and the extra of each command, so that `--help` needs no import and an absent room can be named.
COMMANDS: dict[str, tuple[str, str | None]] = {
    "train": ("Fine-tune, calibrate, export and check a model folder from one config.", "train"),
    "export": ("Turn a checkpoint into a model folder, with the same gates.", "train"),
    "pseudo-label": ("Score unlabelled rows with an ensemble of models, to train a student on.", "train"),
    "select": ("Choose the rows whose labels would teach a model most, as a sheet.", "train"),
    "restore": ("Turn a model folder back into a checkpoint, for a run to go on from.", "train"),
    "average": ("Average the weights of checkpoints that went on from one start.", "train"),
    "cascade": ("Make one model of two, the larger asked only where the smaller is in doubt.", "train"),
    "narrow": ("Make a checkpoint faster by narrower feed-forward parts.", "train"),
    "encoders": ("List, show, fetch and verify the encoders that runs start from.", "train"),
    "loso": ("Train without each source in turn and test on it, beside in-domain figures.", "train"),
    "ablate": ("Train with and without steps of a recipe over several seeds, and compare.", "train"),
    "serve": ("Serve a model over HTTP.", "serve"),
    "keys": ("Make, list and revoke the API keys of a service.", "serve"),
    "corrections": ("Review, export and purge what readers corrected.", "serve"),
    "classify": ("Classify paragraphs of files or standard input in bulk.", None),
    "evaluate": ("Measure a model on labelled files, with intervals.", "eval"),
    "report": ("Measure everything about one model: one folder, one summary.", "eval"),
    "compare": ("Test two models, or a model and a baseline, on the same rows.", "eval"),
    "data": ("Learning curves and label audits of a data set.", "eval"),
    "checklist": ("Test a model's behaviour: negation, attribution, names swapped, typos and more.", "eval"),
    "agreement": ("Set a model beside people: do they agree with it as with one another?", "eval"),
    "bench": ("Measure speed: alone, behind HTTP under load, and beside peers.", "bench"),
    "models": ("List, show and verify model folders.", None),
}


def _hint(name: str) -> str:
    extra = COMMANDS.get(name, ("", None))[1]
    return f"pip install 'twohands[{extra}]'" if extra else "reinstall twohands"


def _say_missing(name: str, absent: str) -> str:
    return f"`twohands {name}` needs {absent}, which is not installed: {_hint(name)}"


def _missing(name: str, absent: str) -> click.Command:
    """A command that says which extra to install, and exits with an error."""

    def refuse() -> None:
        raise MissingExtraError(_say_missing(name, absent))

    return click.Command(
        name,
        callback=refuse,
        help=f"Not installed: {_hint(name)}",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


class _LazyGroup(click.Group):
    """Lists commands without importing them."""

    def invoke(self, ctx: click.Context) -> object:
        with ending_on_interrupt():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        found = {point.name for point in importlib.metadata.entry_points(group=GROUP)}
        return [*COMMANDS, *sorted(found - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        points = [point for point in importlib.metadata.entry_points(group=GROUP) if point.name == cmd_name]
        if not points:
            return _missing(cmd_name, "its room") if cmd_name in COMMANDS else None
        try:
            command = points[0].load()
        except ModuleNotFoundError as error:
            return _missing(cmd_name, f"the package {(error.name or 'unknown').split('.')[0]!r}")
        if not isinstance(command, click.Command):
            raise TypeError(f"entry point {points[0].value} of group {GROUP} is no click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, COMMANDS.get(name, ("Added by another package.", None))[0]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `twohands classify FILE` or `twohands serve`; `twohands COMMAND --help` tells more.",
)
@click.version_option(__version__, prog_name="twohands")
def cli() -> None:
    """Whose hand steers the economy here, the state's or the market's?

    twohands reads policy and news text paragraph by paragraph and gives each a stance and topics.
    """


def _say_error(error: TwoHandsError) -> None:
    with contextlib.suppress(OSError):  # where standard error is full there is nobody to tell
        click.echo(make_printable(f"error [{error.code}]: {error}"), err=True)


def _heed_terminate() -> None:
    """Let SIGTERM end process 1, which a container's is, as it ends any other.

    The system gives that one no signal which it has not asked for. One that came while a command's packages or its
    model are loaded would be lost, and a service begin after it was told to stop.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a fault that has a name ends with exit code 1 and one message on standard error.

    That holds for a standard output that is full or closed, too, and for paths that cannot be looked at; a closed
    standard error changes nothing.

    Args:
        arguments: without the program's name; None takes the process's own.
    """
    _heed_terminate()
    open_closed_streams()
    try:
        with watch_stdout():
            cli.main(args=None if arguments is None else list(arguments), prog_name="twohands")
    except ModuleNotFoundError as error:
        # A command loads heavy packages only once it runs, past the look at its extra.
        given = sys.argv[1:] if arguments is None else list(arguments)
        package = (error.name or "").partition(".")[0]
        extra = COMMANDS.get(given[0], ("", None))[1] if given else None
        if extra is None or not package or package in ROOMS:
            raise
        missing = MissingExtraError(_say_missing(given[0], f"the package {package!r}"))
        _say_error(missing)
        sys.exit(1)
    except OSError as error:
        if error.filename is None or error.errno not in _OF_PATHS:
            raise
        _say_error(FileReadError(f"cannot use {error.filename}: {error.strerror}"))
        sys.exit(1)
    except TwoHandsError as error:
        _say_error(error)
        sys.exit(1)
