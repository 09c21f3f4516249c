"""Owns the section of a model card that a full report writes: replaced as a whole, its digests made good."""

import json
import shutil
from pathlib import Path

from twohands.errors import FileWriteError, RunConflictError
from twohands.locate import model_roots
from twohands.manifest import MANIFEST_NAME, build_folder, load_manifest, write_manifest

CARD_NAME = "README.md"
_MANIFESTS = f"[!.]*/{MANIFEST_NAME}"
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


def check_not_asked(folder: Path, sha256: str) -> None:
    """Refuse a card for a model that a cascade asks second: it knows that one by the digest, which a card changes.

    Args:
        folder: of the model.
        sha256: of its manifest.

    Raises:
        RunConflictError: there is such a cascade, beside the folder, around it or among the models.
    """
    places = [folder.resolve().parent, *model_roots()]
    folders = {each.parent.resolve() for place in places for each in (place / MANIFEST_NAME, *place.glob(_MANIFESTS))}
    asking = []
    for each in sorted(folders):
        try:
            content = json.loads((each / MANIFEST_NAME).read_bytes())
        except (OSError, ValueError):  # no model folder, or one that is none of this command's business
            continue
        if isinstance(content, dict) and (content.get("cascade") or {}).get("sha256") == sha256:
            asking.append(str(each))
    if asking:
        raise RunConflictError(
            f"{folder} is the second model of {', '.join(asking)}, which finds it by its digest, and a card changes "
            "that; leave out --card, or move the cascade away and make it again after the card"
        )


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
            if manifest.cascade is not None and (bundled := folder / manifest.cascade.name).is_dir():
                shutil.copytree(bundled, temporary / manifest.cascade.name)  # no file of its own, and so not listed
            (temporary / CARD_NAME).write_text(refreshed, encoding="utf-8")
            write_manifest(temporary, manifest)
    except OSError as error:
        raise FileWriteError(f"cannot refresh the card of {folder}: {error}") from error
    return load_manifest(folder)[1]
