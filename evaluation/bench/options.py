"""Owns the options that the benches share, and how a report leaves them."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from evaluation.bench.texts import describe_texts, make_mix, read_texts
from evaluation.options import PATH
from evaluation.output import write_whole
from twohands.encoding import ParagraphEncoder
from twohands.errors import ConfigError, FileWriteError
from twohands.printable import make_printable
from twohands.threads import count_threads

_Command = Callable[..., None]

MODEL = click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
DATA = click.option(
    "--data",
    type=PATH,
    multiple=True,
    metavar="FILE...",
    help="Measure on these rows or documents instead of the built-in mix of lengths.",
)
N_TEXTS_HELP = "Paragraphs; of --data at most, drawn if there are more."
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the texts, built in or drawn."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
REPORT = click.option("--report", type=PATH, metavar="DIR", help="Also write the figures there.")


def choose_texts(
    encoder: ParagraphEncoder, data: tuple[Path, ...], *, n_texts: int, seed: int, option: str = "--data"
) -> tuple[list[str], dict[str, object]]:
    """Read or write the texts of a bench.

    Args:
        encoder: of the model that is measured.
        data: the user's files; none for the built-in mix.
        n_texts: how many, at most.
        seed: of the mix, or of the draw from files that hold more.
        option: by which the files were given.

    Returns:
        The texts, and what describes them in a report; of files also how many there are that can be used, as
        `n_given`, and how many others, as `n_left_out`, of which standard error tells the first.

    Raises:
        FileReadError: a file cannot be read.
        DataError: too few texts can be classified.
    """
    if not data:
        texts = make_mix(encoder, n_texts, seed=seed)
        return texts, describe_texts(encoder, texts, source=f"built-in mix, seed {seed}")
    texts, n_given, faults = read_texts(data, encoder, limit=n_texts, seed=seed)
    source = ", ".join(path.name for path in data)
    if n_given > len(texts):
        source += f", drawn from {n_given:,} by seed {seed}"
    if faults:
        source += f", {len(faults):,} unusable left out"
        said = f"left out of {option}: {len(faults):,} that cannot be used; the first: {faults[0]}"
        click.echo(make_printable(said), err=True)
    described = describe_texts(encoder, texts, source=source)
    return texts, described | {"n_given": n_given, "n_left_out": len(faults)}


def check_threads(wanted: tuple[int, ...], *, default: tuple[int, ...]) -> list[int]:
    """Refuse more threads than are granted: they would be measured as fewer, and told as more.

    Args:
        wanted: by the user.
        default: what is taken instead of nothing, as far as it is granted.

    Returns:
        Numbers of threads, rising.

    Raises:
        ConfigError: one is more than this process may use.
    """
    granted = count_threads()
    faults = [f"{threads} threads are asked for, {granted} are granted" for threads in wanted if threads > granted]
    if faults:
        raise ConfigError("so many threads cannot be measured here", faults)
    return sorted(set(wanted)) or [threads for threads in default if threads <= granted]


def check_report(folder: Path | None) -> None:
    """Make the folder of a report and write into it, before minutes are spent on figures that then have no place.

    Args:
        folder: where to; None for nowhere.

    Raises:
        FileWriteError: no file can be written there.
    """
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise FileWriteError(f"no report can be written into {folder}: {error}; choose another folder") from error


def print_subject(console: Console, report: Mapping[str, Any]) -> None:
    """Print what a report is about: the model, the commit, the machine and the texts.

    Args:
        console: where to.
        report: with `model`, `machine` and `texts`; `runtime`, where all of it is by one.
    """
    model, machine, texts = report["model"], report["machine"], report["texts"]
    runtime = f", runtime {report['runtime']}" if "runtime" in report else ""
    console.print(f"{model['name']} {model['version']} ({model['sha256'][:12]})")
    console.print(f"commit {machine['commit'] or 'unknown'}{runtime}")
    console.print(
        f"{machine['cpu_model']}, {machine['cpus_granted']} CPUs granted, load {machine['load_1_min_before']:.1f}"
    )
    longer = f"; {texts['n_long']} longer than a window" if texts["n_long"] else ""
    console.print(
        f"texts: {texts['source']}: {texts['n_texts']} of {texts['tokens_min']} to {texts['tokens_max']} tokens, "
        f"{texts['tokens_mean']} on average{longer}\n"
    )


def write_report(folder: Path | None, name: str, report: Mapping[str, Any]) -> None:
    """Write a report as JSON, if it is wanted.

    Args:
        folder: where to; None for nowhere.
        name: of the file.
        report: the figures.

    Raises:
        FileWriteError: the file cannot be written.
    """
    if folder is not None:
        write_whole(folder / name, json.dumps(report, indent=2) + "\n")
