"""Owns looking at a model folder: its headline figures, its description for people, and a check that it works."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from twohands.cascade import find_second
from twohands.classifier import Classifier
from twohands.errors import FaultsError, ModelNotFoundError, TwoHandsError
from twohands.manifest import CascadeInfo, Manifest, load_manifest
from twohands.reference import REFERENCE_KEY

# Long enough to need several windows of a small model, so that a check sees the whole way of a text.
PROBE = "The ministry will direct banks to lend to chip makers, while others want markets to decide. " * 40


def headline_split(manifest: Manifest) -> str | None:
    """Name the split whose figures stand for the model: `test`, else the last that was reported."""
    splits = [name for name, figures in manifest.metrics.items() if isinstance(figures, dict) and name != REFERENCE_KEY]
    return "test" if "test" in splits else next(reversed(splits), None)


def headline(manifest: Manifest) -> dict[str, dict[str, float]]:
    """Give the macro-F1 of each head on the headline split.

    Args:
        manifest: of any model.

    Returns:
        `value`, and `low` and `high` where there is an interval, by head name; heads without a figure are left out.
    """
    split = headline_split(manifest)
    heads = manifest.metrics.get(split) if split else None
    figures: dict[str, dict[str, float]] = {}
    for head in manifest.heads:
        entry = heads.get(head.name) if isinstance(heads, dict) else None
        macro_f1 = entry.get("macro_f1") if isinstance(entry, dict) else None
        if isinstance(macro_f1, dict) and "value" in macro_f1:
            # Bounds are null where there is no interval; older releases always wrote two.
            figures[head.name] = {name: float(value) for name, value in macro_f1.items() if value is not None}
    return figures


def format_figure(figure: Mapping[str, float]) -> str:
    """Write a figure with its interval, in the manner `.757 [.731, .782]`."""

    def short(number: float) -> str:
        return f"{number:.3f}".removeprefix("0")

    interval = f" [{short(figure['low'])}, {short(figure['high'])}]" if {"low", "high"} <= figure.keys() else ""
    return short(figure["value"]) + interval


def folder_size_bytes(folder: Path) -> int:
    """How many bytes the files of a folder hold."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def second_size_bytes(folder: Path, manifest: Manifest) -> int:
    """How many bytes the second model of a cascade holds, which lies in another folder; 0 of any other model."""
    if manifest.cascade is None:
        return 0
    try:
        return folder_size_bytes(find_second(folder, manifest.cascade))
    except ModelNotFoundError:  # `find_faults` tells
        return 0


def _describe_heads(manifest: Manifest) -> Iterator[str]:
    for head in manifest.heads:
        rule = head.decision
        kind = "one of" if rule.thresholds is None else "any of"
        yield f"head {head.name}: {kind} {len(head.labels)}, {head.problem_type}"
        if rule.calibration.method == "temperature":
            yield f"  calibration: temperature {rule.calibration.temperature:.4g}"
        else:
            yield "  calibration: Platt, per label"
        if rule.thresholds is None:
            never = rule.abstention is None or rule.abstention <= 1 / len(head.labels)  # no highest score is below
            yield f"  abstains below: {'never' if never else f'{rule.abstention:.4g}'}"
        for number, label in enumerate(head.labels):
            at = "" if rule.thresholds is None else f" (from {rule.thresholds[number]:.4g})"
            platt = ""
            if rule.calibration.method == "platt":
                slope, intercept = rule.calibration.slopes[number], rule.calibration.intercepts[number]
                platt = f" [slope {slope:.4g}, intercept {intercept:.4g}]"
            yield f"  - {label.name}{at}{platt}: {label.description}"


def _describe_second(second: CascadeInfo | None) -> Iterator[str]:
    if second is not None:
        yield f"second model: {second.name} {second.version}, sha256 {second.sha256}"
        yield f"  asked where the doubt of the first, 0 to 1, is {second.doubt:.4g} or more"


def describe_model(folder: Path, manifest: Manifest, sha256: str) -> str:
    """Write down everything a person wants to know of a model.

    Args:
        folder: where it stands.
        manifest: its manifest.
        sha256: digest of the manifest.

    Returns:
        Several lines.
    """
    window, graph, machine = manifest.window, manifest.graph, manifest.export_machine
    split = headline_split(manifest)
    lines = [
        f"{manifest.name} {manifest.version}, made {manifest.created}, licence {manifest.license}",
        f"path: {folder}",
        f"sha256: {sha256}",
        *_describe_heads(manifest),
        f"window: {window.max_tokens} tokens, {window.overlap_tokens} shared, at most {window.max_windows} windows",
        f"encoder: {manifest.encoder.name}, licence {manifest.encoder.license}, sha256 {manifest.encoder.sha256}",
        f"graph: {graph.precision}, {graph.size_bytes / 1e6:.1f} MB, {graph.recipe}",
        *_describe_second(manifest.cascade),
        f"exported on: {machine.cpu_model} ({' '.join(machine.cpu_flags) or 'no flags'}), "
        f"ONNX Runtime {machine.onnxruntime}",
        f"training data: fingerprint {manifest.training_data.fingerprint}",
        *(
            f"  - {entry.split}: {entry.name}, {entry.n_rows} rows, sha256 {entry.sha256}"
            for entry in manifest.training_data.files
        ),
        *(f"macro-F1 on {split}, {head}: {format_figure(figure)}" for head, figure in headline(manifest).items()),
        "files:",
        *(f"  - {name}: {digest}" for name, digest in sorted(manifest.files.items())),
    ]
    return "\n".join(lines)


def _run_probe(folder: Path, n_labels: int) -> list[str]:
    classifier = Classifier.load(folder, num_threads=1)
    try:
        encoded = classifier.encoder.encode(PROBE)
        n_logits = classifier.predict_logits([encoded]).shape[1]
        if n_logits != n_labels:
            return [f"the graph gives {n_logits} logits, the manifest lists {n_labels} labels"]
        classifier.predict([encoded])
    finally:
        classifier.close()
    return []


def _compare_labels(folder: Path, manifest: Manifest) -> list[str]:
    """Tell of labels that `config.json` has otherwise: other tools go by it, and one of the two names them wrongly."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_bytes()) if path.is_file() else None
    except (ValueError, RecursionError) as error:
        return [f"{path.name} is not JSON: {error}"]
    id2label = content.get("id2label") if isinstance(content, dict) else None
    if not isinstance(id2label, dict):
        return []
    named, listed = [id2label.get(str(n)) for n in range(len(id2label))], list(manifest.taxonomy.label_names)
    if named == listed:
        return []
    return [
        f"{path.name} names the labels {', '.join(map(str, named))}, the manifest {', '.join(listed)}; export again"
    ]


def find_faults(folder: Path) -> list[str]:
    """Check a model folder: every digest, that its files name the same labels, then that the model answers.

    Args:
        folder: a model folder.

    Returns:
        All faults, none when it is sound.
    """
    try:
        manifest, _ = load_manifest(folder)
    except FaultsError as error:
        return error.faults
    except TwoHandsError as error:
        return [str(error)]
    if faults := _compare_labels(folder, manifest):
        return faults
    try:
        return _run_probe(folder, manifest.taxonomy.n_labels)
    except TwoHandsError as error:
        return [str(error)]
    except Exception as error:  # noqa: BLE001 - ONNX Runtime raises its own untyped classes when a graph cannot run
        return [f"the graph does not run: {type(error).__name__}: {error}"]
