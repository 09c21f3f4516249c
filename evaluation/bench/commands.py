"""Owns the command `bench` and its five: options in, one report out; told to end, it ends what it has started."""

import os
import signal
import sys
import threading
from functools import partial
from types import FrameType

import click

from evaluation.bench.frontier_command import frontier
from evaluation.bench.loadgen import is_running
from evaluation.bench.peers_command import peers
from evaluation.bench.runtimes_command import runtimes
from evaluation.bench.server_command import server
from evaluation.bench.speed_command import speed

_ENDINGS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    for each in _ENDINGS:  # a terminal that is closed may tell twice: the second must not end the ending
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def _leave() -> None:
    """End the process here where LoadGen still runs: it would crash in an interpreter that is being taken down (#5)."""
    if is_running():
        error = sys.exc_info()[1]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 128 + signal.SIGINT)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `twohands bench speed`. Figures hold for the machine, the load and the commit they name.",
)
@click.pass_context
def bench(context: click.Context) -> None:
    """Measure how fast a model is: alone, behind HTTP, beside its peers, and for what it answers.

    Every report names the processor, its flags, the threads, the commit and the digest of the model. Compare only
    what was measured in one run: on shared machines ratios hold, absolute times do not.
    """
    # By themselves SIGTERM, which `timeout` sends, and SIGHUP, which a terminal that is closed does, end a process
    # without its `finally`: servers of a race would live on. Under `nohup` SIGHUP is ignored, and stays so.
    if threading.current_thread() is threading.main_thread():
        for number in _ENDINGS:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                signal.signal(number, _end)
                context.call_on_close(partial(signal.signal, number, before))
        context.call_on_close(_leave)


bench.add_command(speed)
bench.add_command(server)
bench.add_command(peers)
bench.add_command(frontier)
bench.add_command(runtimes)
