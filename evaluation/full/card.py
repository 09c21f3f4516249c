"""Owns the section of a model card that a full report writes: replaced as a whole, its digests made good."""

import shutil
from pathlib import Path

from twohands.errors import FileWriteError
from twohands.manifest import build_folder, load_manifest, write_manifest

CARD_NAME = "README.md"
BEGIN = "<!-- twohands report: begin; written by the command, which replaces it -->"
END = "<!-- twohands report: end -->"


def put_section(card: str, section: str) -> str:
    """Put a section into a card, in the place of the former one or at the end.

    Args:
        card: Markdown.
        section: Markdown, without the marks.

    Returns:
        The card; putting the same section in again changes nothing.
    """
    block = f"{BEGIN}\n{section.strip()}\n{END}\n"
    before, mark, rest = card.partition(BEGIN)
    if not mark or END not in rest:
        return f"{card.rstrip()}\n\n{block}"
    after = rest.partition(END)[2].removeprefix("\n")
    return f"{before}{block}{after}"


def refresh_card(folder: Path, section: str) -> str:
    """Write a section into the card of a model folder, with the digests of the folder made good.

    The folder is replaced in one step, so that no reader ever meets a card that its manifest does not know. Where the
    section stands there already, nothing is written.

    Args:
        folder: the model folder.
        section: Markdown.

    Returns:
        The digest of the manifest as it now stands, which names the model.

    Raises:
        ManifestError: the folder is incomplete or altered.
        FileWriteError: the folder cannot be replaced.
    """
    manifest, sha256 = load_manifest(folder)
    card = (folder / CARD_NAME).read_text(encoding="utf-8")
    refreshed = put_section(card, section)
    if refreshed == card:
        return sha256
    try:
        with build_folder(folder, overwrite=True) as temporary:
            for name in manifest.files:
                shutil.copyfile(folder / name, temporary / name)
            (temporary / CARD_NAME).write_text(refreshed, encoding="utf-8")
            write_manifest(temporary, manifest)
    except OSError as error:
        raise FileWriteError(f"cannot refresh the card of {folder}: {error}") from error
    return load_manifest(folder)[1]
