"""Builds a tiny cascade: its first model is at a loss over "the", of which the second says market-led."""

from pathlib import Path

from tests.support.tiny import WORDS, build_tiny_model
from twohands.manifest import CascadeInfo, load_manifest, write_manifest
from twohands.taxonomy import Taxonomy

# Of a label that nothing pushes the tiny model's doubt is .12, of a stance that nothing pushes .67.
DOUBT = 0.3
SURE, DOUBTED = "plan plan", "the the"


def build_second(folder: Path, *, taxonomy: Taxonomy | None = None) -> Path:
    return build_tiny_model(folder, taxonomy=taxonomy, version="2.0.0", words=WORDS[::-1], also={"the": 1})


def build_tiny_cascade(folder: Path, *, doubt: float = DOUBT, second_name: str = "second") -> Path:
    """Write the cascade's folder, and its second model beside it."""
    build_tiny_model(folder)
    second, sha256 = load_manifest(build_second(folder.parent / second_name))
    manifest = load_manifest(folder)[0]
    calibrations = {name: rule.calibration for name, rule in manifest.rules.items()}
    info = CascadeInfo(
        name=second_name, version=second.version, sha256=sha256, doubt=doubt, calibrations=calibrations
    )  # fmt: skip
    write_manifest(folder, manifest.model_copy(update={"cascade": info}))
    return folder
