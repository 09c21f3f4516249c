"""Owns whether a run may begin where it is to stand: what its weights hang on, and what differs from a run there."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.data import Splits, place_name
from training.encoders import FoundEncoder
from training.labels import fingerprint_scores
from training.restated import check_consistency, fingerprint_restated
from training.stages import check_not_learnt, check_start, outline_heads
from twohands.errors import RunConflictError
from twohands.examples import Example, fingerprint
from twohands.hashing import sha256_of_list
from twohands.taxonomy import Taxonomy

# Settings that say how a model is called, judged and described, not what it learns: rows, heads and encoder are
# compared by their digests, whatever place they were read from.
_NOT_LEARNT_FROM = {
    "run_name", "version", "license", "taxonomy", "compute", "export", "card_notes", "data.test",
    "data.near_duplicate_jaccard",
}  # fmt: skip
# What a finished checkpoint can be exported with, though a run could not go on with it.
_OF_EXPORT = {"data.root", "data.train", "data.labels", "data.dev", "data.dev_fraction", "dev_fingerprint"}
# What releases added, and an older one's run does not say of itself.
LATER = ("scores_sha256", "order_sha256", "texts_sha256", "n_processes")
_LONGEST = 80  # of a value in a message
_SHOWN_DIGITS = 12  # of a digest: all 64 of them say no more than that it is another
# What a digest is of, for those who are told that it differs: its name does not say where to look.
_IN_WORDS = {
    "train_fingerprint": "texts and labels of data.train",
    "dev_fingerprint": "texts and labels of data.dev",
    "scores_sha256": "a teacher's scores",
    "restated_sha256": "rows that restate others",
    "order_sha256": "ids of data.train, in their order",
    "texts_sha256": "texts of data.train, in their order",
    "encoder_sha256": "weights of the encoder",
    "start_sha256": "weights of start.checkpoint",
}


def identify_run(config: TrainConfig, taxonomy: Taxonomy, splits: Splits, encoder: FoundEncoder) -> dict[str, object]:
    """Say what the weights of a run hang on, for `list_changes`; refuse one that may not begin.

    Args:
        config: the run.
        taxonomy: the heads.
        splits: checked rows.
        encoder: checked weights.

    Returns:
        Settings, heads and digests.

    Raises:
        ConfigError: answers are to be drawn together where no row has another text.
        DataError: a row restates itself, or one that is labelled otherwise.
        CheckpointError: the run cannot go on from its `start`.
        LeakError: its `start` or its encoder learnt from rows that are held out here.
    """
    check_consistency(config, splits.train)
    identity: dict[str, object] = {
        "settings": config.model_dump(mode="json", exclude={"compute", "export", "version"}),
        "taxonomy": taxonomy.model_dump(mode="json"),
        "train_fingerprint": fingerprint(splits.train),
        "dev_fingerprint": fingerprint(splits.dev),
        "scores_sha256": fingerprint_scores(splits.train),
        "restated_sha256": fingerprint_restated(splits.train, is_used=config.loss.consistency_weight > 0),
        **identify_order(splits.train),
        "n_processes": int(os.environ.get("WORLD_SIZE", "1")),
        "encoder_sha256": encoder.sha256,
    }
    held_out = {"dev": splits.dev, "test": splits.test}
    check_not_learnt(encoder.folder, held_out)
    if config.start is not None:
        identity["start_sha256"] = check_start(
            config.start.checkpoint,
            taxonomy,
            encoder_sha256=encoder.sha256,
            num_layers=config.encoder.num_layers,
            layers=config.encoder.layers,
            pooling=config.encoder.pooling,
            held_out=held_out,
        )
    return identity


def identify_order(train: Sequence[Example]) -> dict[str, object]:
    """Say which row stands where among those that are learnt from, which a fingerprint does not.

    Args:
        train: in their order.

    Returns:
        Digests, for `list_changes`.
    """
    return {
        # Rows are shuffled by place and changed by id, and processes share a step's rows.
        "order_sha256": sha256_of_list(example.id for example in train),
        # Of rows without an id that is a line of the file, which may hold another text by now.
        "texts_sha256": sha256_of_list(example.paragraph for example in train),
    }


def check_apart(config: TrainConfig, encoder: FoundEncoder, run_dir: Path) -> None:
    """Refuse a run in a folder that holds what it goes on from: `--restart` would delete that first (#3).

    Args:
        config: the run.
        encoder: where its weights are.
        run_dir: where its checkpoints would stand.

    Raises:
        RunConflictError: its encoder, its `start` or a file of its rows or labels stands in `run_dir`.
    """
    sources = [("encoder.name", encoder.folder)]
    if config.start is not None:
        sources.append(("start.checkpoint", config.start.checkpoint))
    data = config.data
    for key, names in (("train", data.train), ("labels", data.labels), ("dev", data.dev), ("test", data.test)):
        sources += [(f"data.{key}", place_name(name, data.root)) for name in names or ()]
    for key, path in sources:
        if path.resolve().is_relative_to(run_dir.resolve()):
            raise RunConflictError(
                f"{key} is {path}, which stands in {run_dir}, this run's own folder, and would be written over "
                "or deleted with it; give --set run_name=... for another"
            )


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Settings by dotted key, without those that no weight depends on."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        key = prefix + name
        if key in _NOT_LEARNT_FROM:
            continue
        # Of an empty section, or one that is null in one of two runs, the key itself is told.
        flat |= _flatten(value, f"{key}.") if isinstance(value, Mapping) and value else {key: value}
    return flat


def _spread(identity: Mapping[str, Any]) -> dict[str, object]:
    flat = {key: value for key, value in identity.items() if key not in ("settings", "taxonomy")}
    if taxonomy := identity.get("taxonomy"):
        flat["heads"] = outline_heads(taxonomy)
    return _flatten(identity.get("settings", {})) | flat


def _show(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if re.fullmatch("[0-9a-f]{64}", text):
        return f"{text[:_SHOWN_DIGITS]}…"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def list_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Find what of a run differs that its weights may depend on.

    Args:
        before: what the run that is there wrote of itself: `settings`, `taxonomy`, digests.
        now: the same of the run that is asked for; what it does not name is not compared.

    Returns:
        By key, both values in words, of a section that one of the two lacks by the keys within; nothing where it is
        the same run.
    """
    was, wanted = _spread({key: before[key] for key in now if key in before}), _spread(now)
    absent = object()
    keys = [key for key in sorted(was.keys() | wanted.keys()) if was.get(key, absent) != wanted.get(key, absent)]
    shown = {key: (_show(was.get(key)), _show(wanted.get(key))) for key in keys}
    return {
        key: f"{key}{f' ({_IN_WORDS[key]})' if key in _IN_WORDS else ''} {there} there, {here} here"
        for key, (there, here) in shown.items()
        # Of a section that is null in one of the two, its keys say what the section itself cannot.
        if there != here or not any(other.startswith(f"{key}.") for other in keys)
    }


def hint_of_export(changed: Mapping[str, str], checkpoint: Path) -> str:
    """Point to `export` where a finished run differs in nothing but the rows that choose and judge it.

    Args:
        changed: of `list_changes`.
        checkpoint: of the run, finished.

    Returns:
        The rest of a sentence; empty where an export would not do.
    """
    if not changed.keys() <= _OF_EXPORT:
        return ""
    options = [f"--set {key}=…" for key in changed if key.startswith("data.")]
    return (
        f"; the run is finished, and `twohands export {checkpoint} {' '.join(options or ['--set data.dev=…'])} "
        "--output …` makes a model folder of it with these rows"
    )
