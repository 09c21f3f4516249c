"""Owns `twohands models`: what model folders there are, what they hold, and whether they are sound."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twohands.printable import make_printable

if TYPE_CHECKING:
    from twohands.errors import TwoHandsError
    from twohands.manifest import Manifest


def _load(folder: Path) -> "tuple[Manifest, str] | TwoHandsError":
    from twohands.errors import TwoHandsError
    from twohands.manifest import load_manifest

    try:
        return load_manifest(folder)
    except TwoHandsError as error:
        return error


def _as_json(folder: Path, loaded: "tuple[Manifest, str] | TwoHandsError") -> dict[str, object]:
    from twohands.inspection import folder_size_bytes, headline, headline_split, second_size_bytes

    if not isinstance(loaded, tuple):
        return {"name": folder.name, "path": str(folder), "error": {"code": loaded.code, "message": str(loaded)}}
    manifest, sha256 = loaded
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": sha256,
        "precision": manifest.graph.precision,
        "size_bytes": folder_size_bytes(folder) + second_size_bytes(folder, manifest),
        "split": headline_split(manifest),
        "macro_f1": headline(manifest),
        "path": str(folder),
    }


def _as_cells(folder: Path, loaded: "tuple[Manifest, str] | TwoHandsError") -> list[str]:
    from twohands.inspection import folder_size_bytes, format_figure, headline, headline_split, second_size_bytes

    if not isinstance(loaded, tuple):
        return [folder.name, "-", "-", "-", "damaged, see `twohands models verify`", str(folder)]
    manifest, _ = loaded
    figures = ", ".join(f"{head} {format_figure(figure)}" for head, figure in headline(manifest).items())
    if figures and (split := headline_split(manifest)) != "test":  # by dev a model was chosen, so it looks better there
        figures += f", on {split}"
    size = f"{(folder_size_bytes(folder) + second_size_bytes(folder, manifest)) / 1e6:.1f} MB"
    return [manifest.name, manifest.version, manifest.graph.precision, size, figures or "-", str(folder)]


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


@click.group(name="models")
def command() -> None:
    """List, show and verify model folders.

    They are looked for in TWOHANDS_MODELS, in ./models, in the checkout and in the installed package; the first of a
    name counts.
    """


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_command(*, as_json: bool) -> None:
    """List the models that can be named."""
    from twohands.locate import list_models, model_roots

    models = [(folder, _load(folder)) for folder in list_models()]
    if as_json:
        click.echo(json.dumps([_as_json(*model) for model in models], indent=2, ensure_ascii=False))
    elif models:
        heading = ["NAME", "VERSION", "PRECISION", "SIZE", "MACRO-F1", "PATH"]
        click.echo(make_printable(_table([heading, *(_as_cells(*model) for model in models)])))
    else:
        click.echo(f"no models; looked in: {', '.join(map(str, model_roots())) or 'no folder that exists'}", err=True)


@command.command(name="show", short_help="Show one model, by default the released one.")
@click.argument("model", required=False, metavar="[NAME_OR_DIR]")
@click.option("--json", "as_json", is_flag=True, help="The manifest, with its path and digest.")
def show_command(*, model: str | None, as_json: bool) -> None:
    """Show one model, by default the released one: heads, thresholds, window, encoder, data, figures, files."""
    from twohands.inspection import describe_model
    from twohands.locate import find_model
    from twohands.manifest import load_manifest

    folder = find_model(model)
    manifest, sha256 = load_manifest(folder)
    if as_json:
        shown = {"path": str(folder), "sha256": sha256, "manifest": manifest.model_dump(mode="json")}
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        click.echo(make_printable(describe_model(folder, manifest, sha256)))


@command.command(name="verify", short_help="Check every digest of a model, or of all, and that it answers.")
@click.argument("model", required=False, metavar="[NAME_OR_DIR]")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def verify_command(*, model: str | None, as_json: bool) -> None:
    """Check every digest of a model, or of all, and that it answers; exit code 1 with all faults when one is bad."""
    from twohands.inspection import find_faults
    from twohands.locate import find_model, list_models

    folders = [find_model(model)] if model else list_models() or [find_model(None)]
    checked = [(folder, find_faults(folder)) for folder in folders]
    if as_json:
        rows = [{"name": f.name, "path": str(f), "ok": not faults, "faults": faults} for f, faults in checked]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for folder, faults in checked:
            click.echo(make_printable(f"{folder}: {'sound' if not faults else f'{len(faults)} faults'}"))
            for fault in faults:
                click.echo(make_printable(f"  - {fault}"))
    sys.exit(int(any(faults for _, faults in checked)))
