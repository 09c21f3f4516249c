"""Owns the command `twohands keys`: make, list and revoke the API keys of a service."""

from pathlib import Path
from typing import get_args

import click

from serving.keys import CorrectionsRight, lock_keys, make_key, read_keys, write_keys
from twohands.errors import UnknownKeyError

_FILE = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("twohands-keys.json"),
    show_default=True,
    envvar="TWOHANDS_SERVE_API_KEYS_FILE",
    show_envvar=True,
    help="The key file; `twohands serve --api-keys-file` takes the same.",
)


@click.group(name="keys")
def keys() -> None:
    """Make, list and revoke the API keys of a service.

    Only digests are kept, so a key is shown once, when it is made. A running service reads a changed file within a
    second.
    """


@keys.command(name="add", short_help="Make a key for NAME, and print it.")
@click.argument("name")
@_FILE
@click.option("--admin", "is_admin", is_flag=True, help="The key may reload models.")
@click.option("--requests-per-minute", type=click.IntRange(1), help="Its own bound; else the service's.")
@click.option(
    "--corrections",
    type=click.Choice(get_args(CorrectionsRight)),
    default="write",
    show_default=True,
    help="What it may do with readers' corrections: nothing; read and export; or also save, review and delete.",
)
def add(
    name: str, path: Path, *, is_admin: bool, requests_per_minute: int | None, corrections: CorrectionsRight
) -> None:
    """Make a key for NAME, add it to the file, and print it on standard output."""
    key, kept = make_key(name=name, is_admin=is_admin, requests_per_minute=requests_per_minute, corrections=corrections)
    with lock_keys(path):
        known = read_keys(path) if path.exists() else []
        write_keys(path, [*known, kept])
    click.echo(key)
    click.echo(f"kept its digest as {kept.id} in {path}; the key itself is not shown again", err=True)


@keys.command(name="list")
@_FILE
def list_command(path: Path) -> None:
    """List the keys: id, name, rights, bound and when it was made."""
    for key in read_keys(path):
        bound = f"{key.requests_per_minute}/min" if key.requests_per_minute else "-"
        click.echo(
            "  ".join(
                [
                    key.id,
                    key.name,
                    "admin" if key.is_admin else "classify",
                    f"corrections:{key.corrections}",
                    bound,
                    key.created,
                ]
            )
        )


@keys.command(name="revoke")
@click.argument("key_id")
@_FILE
def revoke(key_id: str, path: Path) -> None:
    """Take the key KEY_ID out of the file."""
    with lock_keys(path):
        known = read_keys(path)
        kept = [key for key in known if key.id != key_id]
        if len(kept) == len(known):
            raise UnknownKeyError(f"{path} has no key {key_id!r}; `twohands keys list` shows those it has")
        write_keys(path, kept)
    click.echo(f"revoked {key_id}", err=True)
