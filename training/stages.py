"""Owns the second stage of a run: the checkpoint it goes on from, and which of the rows seen there come again."""

import hashlib
import json
import random
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.matching import find_name, index_names
from training.model import count_layers, list_labels, load_checkpoint, read_network_config, shorten_classifier
from training.weights import check_there, check_weights, hint_of_weights
from twohands.errors import CheckpointError, DataError, LeakError
from twohands.examples import Example
from twohands.hashing import sha256_of_file
from twohands.taxonomy import Taxonomy


def read_run(checkpoint: Path) -> dict[str, Any]:
    """Read what a run wrote of itself beside its checkpoint.

    Args:
        checkpoint: its folder.

    Returns:
        The content of `run.json`; nothing where there is none, as beside an encoder that no run of ours left.

    Raises:
        CheckpointError: it is not JSON, so that nobody knows what was learnt from.
    """
    path = checkpoint / RUN_NAME
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error}); copy the checkpoint again, or train it again") from error
    return facts


def outline_heads(taxonomy: Mapping[str, Any]) -> str:
    """Name heads, their kinds and labels in their order; what describes them to people is not learnt.

    Args:
        taxonomy: as `model_dump` gives it and runs write it.

    Returns:
        One line.
    """
    return "; ".join(
        f"{head['name']} ({head['problem_type']}): {', '.join(label['name'] for label in head['labels'])}"
        for head in taxonomy["heads"]
    )


def tell_heads(facts: Mapping[str, Any], taxonomy: Taxonomy) -> str | None:
    """Say how a checkpoint's heads differ from those that are wanted: its labels do not tell their kinds (#3).

    Args:
        facts: what its run wrote of itself.
        taxonomy: what is wanted.

    Returns:
        What was found and what was expected; None where they are the same, or its run says nothing of them.
    """
    if "taxonomy" not in facts:
        return None
    found, wanted = outline_heads(facts["taxonomy"]), outline_heads(taxonomy.model_dump(mode="json"))
    return None if found == wanted else f"has learnt the heads {found}; expected {wanted}"


def _read_facts(checkpoint: Path) -> dict[str, Any]:
    facts = read_run(checkpoint)
    if "train_ids" not in facts:
        raise CheckpointError(
            f"{checkpoint / RUN_NAME} does not list its rows (train_ids); train the first stage again"
        )
    return facts


def digest_paragraph(paragraph: str) -> str:
    """Name a text in `train_texts` without saying it: 16 hex digits."""
    return hashlib.sha256(paragraph.encode()).hexdigest()[:16]


def list_rows(
    examples: Sequence[Example], *, start: Path | None = None, encoder: Path | None = None
) -> dict[str, list[str]]:
    """Say what a run learnt from, for a second stage: by id, document and digest, without a text.

    Args:
        examples: the rows.
        start: the checkpoint that the run went on from, whose rows it has learnt from, too.
        encoder: the folder of the encoder that it began from; where a run of ours left it, its rows count, too.

    Returns:
        `train_ids`, `train_groups` and `train_texts`, for `run.json`.
    """
    earlier = [] if start is None else [_read_facts(start)]
    if encoder is not None and "train_ids" in (facts := read_run(encoder)):
        earlier.append(facts)
    found = {
        "train_ids": [example.id for example in examples],
        "train_groups": [example.group for example in examples],
        "train_texts": [digest_paragraph(example.paragraph) for example in examples],
    }
    return {
        key: sorted({*values, *(value for facts in earlier for value in facts[key])})
        for key, values in found.items()
        # What an older release's checkpoint does not list would be a list that looks whole and is not.
        if all(key in facts for facts in earlier)
    }


def check_not_learnt(checkpoint: Path, held_out: Mapping[str, Sequence[Example]]) -> None:
    """Refuse weights that have learnt from rows by which they, or a run that begins from them, are chosen or judged.

    Args:
        checkpoint: a first stage, an encoder, or what is exported. One that no run of ours left passes.
        held_out: by split, rows that may not have been learnt from.

    Raises:
        CheckpointError: what it learnt from cannot be read.
        LeakError: it learnt from a document or a text of them; all of them are named.
    """
    facts = read_run(checkpoint)
    groups, texts, ids = (index_names(facts.get(key, ())) for key in ("train_groups", "train_texts", "train_ids"))
    leaks = [
        f"{example.id} of {split}"
        for split, examples in held_out.items()
        for example in examples
        # Checkpoints of an older release list ids only.
        if find_name(example.group, groups) is not None
        or digest_paragraph(example.paragraph) in texts
        or (not texts and find_name(example.id, ids) is not None)
    ]
    if leaks:
        raise LeakError(f"{checkpoint} learnt from rows that are held out here", leaks)


def read_origin(checkpoint: Path) -> dict[str, str] | None:
    """Name the model folder that a checkpoint, or the first one of its stages, was restored from.

    Args:
        checkpoint: its folder.

    Returns:
        `name`, `version` and `sha256`; None where it was trained from an encoder.
    """
    facts = _read_facts(checkpoint)
    origin: dict[str, str] | None = facts.get("restored_from") or facts.get("start_restored_from")
    return origin


def name_encoder(facts: Mapping[str, Any]) -> str:
    """Say by which `--set` a run gets the encoder of a checkpoint.

    Args:
        facts: of the checkpoint's `run.json`.

    Returns:
        Options of `twohands train`.
    """
    encoder = facts["settings"]["encoder"]
    keys = {key: encoder.get(key) for key in ("name", "revision", "num_layers", "pooling")}
    keys["layers"] = None  # numbers of those of the encoder or of an earlier start: here all are kept
    keys["sha256"] = facts["encoder_sha256"] if encoder.get("sha256") else None
    if keys["name"] is None:
        del keys["name"]
    options = (f"encoder.{key}={'null' if value is None else value}" for key, value in keys.items())
    return " ".join(f"--set {shlex.quote(option)}" for option in options)


def _check_heads(checkpoint: Path, labels: Sequence[str], taxonomy: Taxonomy) -> None:
    if labels != list(taxonomy.label_names):
        raise CheckpointError(
            f"start.checkpoint: {checkpoint} answers {', '.join(labels)}; "
            f"this run has {', '.join(taxonomy.label_names)}"
        )
    if (told := tell_heads(read_run(checkpoint), taxonomy)) is not None:
        raise CheckpointError(f"start.checkpoint: {checkpoint} {told}, as this run has them")


def check_start(
    checkpoint: Path,
    taxonomy: Taxonomy,
    *,
    encoder_sha256: str,
    num_layers: int | None,
    layers: Sequence[int] | None,
    pooling: str,
    held_out: Mapping[str, Sequence[Example]],
) -> str:
    """Refuse a first stage that this run does not go on from: of another encoder, other heads, or that learnt its dev.

    Args:
        checkpoint: its folder.
        taxonomy: the heads of this run.
        encoder_sha256: of the encoder that this run names, by whose tokenizer it reads.
        num_layers: how many of its layers this run names; fewer than the first stage had are kept of those.
        layers: which of those are kept, as many; None for evenly spaced ones.
        pooling: that this run names.
        held_out: by split, rows that neither stage may learn from.

    Returns:
        Digest of the checkpoint's weights, 64 hex digits.

    Raises:
        CheckpointError: there is none or half of one, or it is of another encoder, pooling or heads, or has fewer
            layers.
        LeakError: it learnt from a document or a text of the rows held out; all of them are named.
    """
    check_there(checkpoint)
    if not (checkpoint / WEIGHTS_NAME).is_file():
        hint = hint_of_weights(checkpoint) or "train the first stage first"
        raise CheckpointError(f"start.checkpoint: {checkpoint} holds no {WEIGHTS_NAME}; {hint}")
    check_weights(checkpoint / WEIGHTS_NAME)
    facts = _read_facts(checkpoint)
    first: dict[str, object] = facts["settings"]["encoder"]
    here: dict[str, object] = {"sha256": encoder_sha256, "num_layers": num_layers, "pooling": pooling}
    there: dict[str, Any] = {
        "sha256": facts["encoder_sha256"],
        "num_layers": first.get("num_layers"),
        "pooling": first["pooling"],
    }
    if num_layers is not None:
        there["num_layers"] = there["num_layers"] or count_layers(checkpoint)
        here["num_layers"] = max(num_layers, there["num_layers"])  # fewer may be kept of them
    differing = [f"{key} {there[key]} there, {here[key]} here" for key in here if here[key] != there[key]]
    if differing:
        raise CheckpointError(
            f"start.checkpoint: {checkpoint} comes from another encoder ({'; '.join(differing)}); give both stages "
            f"the same encoder, of which this one may keep fewer layers: {name_encoder(facts)}"
        )
    if layers is not None and layers[-1] >= there["num_layers"]:
        raise CheckpointError(
            f"encoder.layers names layer {layers[-1]}; {checkpoint} has {there['num_layers']}, numbered from 0; "
            "name those, or set encoder.layers to null"
        )
    # Here, before the run has a folder: told of by `load_start` alone, the mended command met a run conflict (#3).
    _check_heads(checkpoint, list_labels(read_network_config(checkpoint)), taxonomy)
    check_not_learnt(checkpoint, held_out)
    return sha256_of_file(checkpoint / WEIGHTS_NAME)


def load_start(
    checkpoint: Path, taxonomy: Taxonomy, *, num_layers: int | None = None, layers: Sequence[int] | None = None
) -> PreTrainedModel:
    """Load what an earlier run left.

    Args:
        checkpoint: its folder.
        taxonomy: the heads of this run.
        num_layers: how many of its layers are kept; None for all.
        layers: which, as many; None for evenly spaced ones.

    Returns:
        The model, with its heads.

    Raises:
        CheckpointError: its labels, or the kinds of its heads, are not those of the taxonomy.
        EncoderError: its layers cannot be told apart.
    """
    model = load_checkpoint(checkpoint)
    _check_heads(checkpoint, list_labels(model.config), taxonomy)
    return model if num_layers is None else shorten_classifier(model, num_layers, layers=layers)


def _find_old(examples: Sequence[Example], facts: Mapping[str, Any]) -> list[tuple[Example, str]]:
    """The rows that were learnt from, and the id that each had then."""
    ids, texts = index_names(facts["train_ids"]), set(facts.get("train_texts", ()))
    named = ((row, find_name(row.id, ids)) for row in examples)
    # An id alone may be a line of a file, which holds another text by now.
    return [
        (row, was) for row, was in named if was is not None and (not texts or digest_paragraph(row.paragraph) in texts)
    ]


def draw_replay(examples: Sequence[Example], checkpoint: Path, *, share: float, seed: int) -> list[Example]:
    """Keep every row that the first stage did not learn from, and some of those it did, so that it forgets little.

    Args:
        examples: all rows of this run.
        checkpoint: of the first stage; its `run.json` lists what it learnt from.
        share: of the old rows, in (0, 1].
        seed: of the draw.

    Returns:
        Rows in the order given, at least one.

    Raises:
        CheckpointError: the first stage does not say which rows it learnt from.
        DataError: no row is left.
    """
    facts = _read_facts(checkpoint)
    generator = random.Random(seed)  # noqa: S311 - no secret, and it must repeat
    drawn = {id_ for id_ in sorted(set(facts["train_ids"])) if generator.random() < share}
    left_out = {row.id for row, was in _find_old(examples, facts) if was not in drawn}
    kept = [row for row in examples if row.id not in left_out]
    if not kept:
        fault = (
            f"all {len(examples):,} rows of data.train were learnt by {checkpoint}, and start.replay={share:g} draws "
            "none of them; name rows that are new, or a larger share"
        )
        raise DataError("no row is left to learn from", [fault])
    return kept


def describe_replay(examples: Sequence[Example], drawn: Sequence[Example], checkpoint: Path) -> str:
    """Say how many rows come again.

    Args:
        examples: all rows of this run.
        drawn: of `draw_replay`.
        checkpoint: of the first stage.

    Returns:
        One line.

    Raises:
        CheckpointError: the first stage does not say which rows it learnt from.
    """
    facts = _read_facts(checkpoint)
    n_old, n_again = len(_find_old(examples, facts)), len(_find_old(drawn, facts))
    return f"{n_again:,} of {n_old:,} old rows are learnt again (start.replay), {len(drawn) - n_again:,} new ones"
