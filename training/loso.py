"""Owns leave-one-source-out: which rows a fold learns from and is asked about, and what it answered.

A source is left out, alone or with others, with all its documents, and with every row elsewhere that repeats one of its
texts.
"""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.config import TrainConfig
from training.data import Splits
from training.encoders import FoundEncoder
from training.export import export_checkpoint
from training.identity import identify_order
from training.kept import is_kept, read_kept, write_kept
from training.labels import ONLY_SCORED, fingerprint_scores
from training.leaks import find_shared
from training.loop import fit
from training.present import check_labels
from training.restated import fingerprint_restated
from twohands import Classifier
from twohands.decide import decide_all
from twohands.errors import DataError
from twohands.examples import Example, fingerprint
from twohands.hashing import sha256_of_value
from twohands.restating import RESTATES, list_pairs
from twohands.taxonomy import Taxonomy
from twohands.values import spell_whole

IN_DOMAIN = "in-domain"
# By row id and head: the labels that a model gave.
Answers = dict[str, dict[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of one source that a reader labelled: all of them, and those that no run learns from."""

    name: str
    rows: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, slots=True)
class Fold:
    """What one model learns from, and what it is asked about afterwards; `left_out` names the sources that it lacks."""

    name: str
    left_out: tuple[str, ...]
    train: list[Example]
    dev: list[Example]
    asked: list[Example]
    n_dropped: int


def _rename(examples: Sequence[Example], names: Mapping[str, str]) -> list[Example]:
    """Give rows other ids, where they stand and where another row restates them: else that one was shown alone."""
    restated = {row.id: names[other.id] for row, other in list_pairs(examples) if other.id in names}
    return [
        dataclasses.replace(
            row,
            id=names.get(row.id, row.id),
            columns={**row.columns, RESTATES: restated[row.id]} if row.id in restated else row.columns,
        )
        for row in examples
    ]


def tell_apart(splits: Splits) -> Splits:
    """Give rows of different splits different ids: answers are kept by id, and files may each be numbered from 1.

    Args:
        splits: of the run; an id stands once in each of them.

    Returns:
        The same rows; an id that stands in several splits has the split's name before it.
    """
    held = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    n_splits = Counter(example.id for rows in held.values() for example in rows)
    renamed = {
        split: _rename(rows, {e.id: f"{split}:{e.id}" for e in rows if n_splits[e.id] > 1})
        for split, rows in held.items()
    }
    return Splits(renamed["train"], renamed["dev"], renamed["test"], splits.files, splits.n_left_out)


def list_sources(splits: Splits) -> list[Source]:
    """Gather rows by source.

    Args:
        splits: of the run. Held out are the rows of test; where the run has none, of dev.

    Returns:
        Sources, the one with most rows first; rows that only a teacher scored are not counted.
    """
    held_out = splits.test or splits.dev
    known = [e for e in [*splits.train, *splits.dev, *splits.test] if not e.columns.get(ONLY_SCORED)]
    names = sorted({example.source for example in known})
    sources = [
        Source(name, [e for e in known if e.source == name], [e for e in held_out if e.source == name])
        for name in names
    ]
    return sorted(sources, key=lambda source: (-len(source.rows), source.name))


def make_in_domain(splits: Splits) -> Fold:
    """The fold that leaves nothing out: all of train, asked about what was held out."""
    return Fold(IN_DOMAIN, (), splits.train, splits.dev, splits.test or splits.dev, 0)


def deal_sources(sources: Sequence[Source], n_folds: int) -> list[list[Source]]:
    """Deal sources into folds of like size, so that each is left out once in fewer runs than there are sources.

    Args:
        sources: the one with most rows first, as `list_sources` has them.
        n_folds: at least 1; more than there are sources leave each alone.

    Returns:
        Folds; each next source went to the one with fewest rows so far, of equals to the first.
    """
    folds: list[list[Source]] = [[] for _ in range(min(n_folds, len(sources)))]
    for source in sources:
        min(folds, key=lambda fold: sum(len(s.rows) for s in fold)).append(source)
    return folds


def make_fold(
    splits: Splits, sources: Sequence[Source], taxonomy: Taxonomy, *, near_duplicate_jaccard: float | None
) -> Fold:
    """Leave one source out, or several at once.

    Args:
        splits: of the run.
        sources: which; at least one.
        taxonomy: the heads.
        near_duplicate_jaccard: as in `find_shared`.

    Returns:
        A fold whose train and dev share no document and no text with the sources' rows.

    Raises:
        DataError: what is left lacks a label.
    """
    # Rows that only a teacher scored are of the source, too, though nobody is asked about them.
    names = {source.name for source in sources}
    gone = [e for e in [*splits.train, *splits.dev, *splits.test] if e.source in names]
    # As `find_shared` compares them, which names one row of a document: the others that are of 7.0 stayed (#3).
    groups = {spell_whole(example.group) for example in gone}
    kept = {
        split: [e for e in rows if e.source not in names and spell_whole(e.group) not in groups]
        for split, rows in (("train", splits.train), ("dev", splits.dev))
    }
    n_before = sum(e.source not in names for e in [*splits.train, *splits.dev])
    repeated = {
        leak.second.id
        for rows in kept.values()
        for leak in find_shared({"left out": gone, "kept": rows}, near_duplicate_jaccard=near_duplicate_jaccard)
    }
    train, dev = ([e for e in kept[split] if e.id not in repeated] for split in ("train", "dev"))
    check_labels(train, dev, taxonomy)
    asked = [example for source in sources for example in source.rows]
    # All names together could be longer than a line.
    name = sources[0].name if len(sources) == 1 else f"{sources[0].name} and {len(sources) - 1} more"
    return Fold(name, tuple(sorted(names)), train, dev, asked, n_before - len(train) - len(dev))


def answer(model: Classifier, rows: Sequence[Example]) -> Answers:
    """Ask a model about rows.

    Args:
        model: a loaded folder.
        rows: at least one.

    Returns:
        The labels given, with the model's own thresholds.
    """
    logits = model.predict_logits([model.encoder.encode(example.paragraph) for example in rows])
    decided = decide_all(logits, model.taxonomy, model.manifest.rules)
    return {
        example.id: {
            head.name: [n for n, given in zip(head.label_names, decided[head.name][1][row], strict=True) if given]
            for head in model.taxonomy.heads
        }
        for row, example in enumerate(rows)
    }


def _identify(fold: Fold, config: TrainConfig, taxonomy: Taxonomy, encoder: FoundEncoder) -> dict[str, object]:
    """What the answers of a fold hang on."""
    return {
        "settings": config.model_dump(mode="json", exclude={"run_name", "compute", "export", "version", "card_notes"}),
        "taxonomy": taxonomy.model_dump(mode="json"),
        "train_fingerprint": fingerprint(fold.train),
        "dev_fingerprint": fingerprint(fold.dev),
        "scores_sha256": fingerprint_scores(fold.train),
        # Else a fold that was answered before its rows restated others, or other ones, was taken for this one (#3).
        "restated_sha256": fingerprint_restated(fold.train, is_used=config.loss.consistency_weight > 0),
        "asked_fingerprint": fingerprint(fold.asked),
        "asked_ids_sha256": sha256_of_value(sorted(example.id for example in fold.asked)),
        # Answers are kept by id, and rows without one are named by their line: in another order of the file, or with
        # ids that changed places, they were taken for those of other texts (#3).
        "asked_texts_sha256": sha256_of_value(sorted((example.id, example.paragraph) for example in fold.asked)),
        **identify_order(fold.train),
        "encoder_sha256": encoder.sha256,
    }


def is_answered(fold: Fold, config: TrainConfig, taxonomy: Taxonomy, encoder: FoundEncoder, *, output: Path) -> bool:
    """Say whether an earlier call was answered by a fold, so that nothing is left to train.

    Args:
        fold: which rows.
        config: the run.
        taxonomy: the heads.
        encoder: checked weights.
        output: folder of all folds.

    Returns:
        Whether `answer_fold` would read its answers.
    """
    return is_kept(output / f"{_slug(fold)}.json", _identify(fold, config, taxonomy, encoder))


def answer_fold(
    fold: Fold,
    config: TrainConfig,
    taxonomy: Taxonomy,
    encoder: FoundEncoder,
    *,
    output: Path,
    restart: bool,
    say: Callable[[str], None],
) -> Answers:
    """Train one fold and ask it, or read what an earlier call was answered.

    Args:
        fold: which rows.
        config: the run; its graph stays fp32, so that no fold differs by how it was quantised.
        taxonomy: the heads.
        encoder: checked weights.
        output: folder of all folds; a fold's checkpoints are removed when it has answered.
        restart: discard what is there.
        say: is told what is done.

    Returns:
        The answers to `fold.asked`.

    Raises:
        RunConflictError: `output` holds this fold with other settings or rows.
    """
    kept, identity = output / f"{_slug(fold)}.json", _identify(fold, config, taxonomy, encoder)
    work = output / _slug(fold)
    before = None if restart else read_kept(kept, identity)
    if before is not None:
        say(f"{fold.name}: answered before")
        found: Answers = before["answers"]
        return found
    say(
        f"{fold.name}: {len(fold.train)} rows to fit, {len(fold.dev)} to select by, {len(fold.asked)} to answer; "
        f"{fold.n_dropped} of other sources dropped, as they share a document or text"
    )
    splits = Splits(fold.train, fold.dev, [], [])
    checkpoint = fit(config, taxonomy, splits, encoder, run_dir=work / "run", restart=restart)
    as_fp32 = config.model_copy(update={"export": config.export.model_copy(update={"candidates": []})})
    export_checkpoint(checkpoint, as_fp32, taxonomy, splits, output=work / "model", overwrite=True)
    answers = answer(Classifier.load(work / "model", num_threads=config.compute.num_threads), fold.asked)
    write_kept(kept, {"identity": identity, "answers": answers})
    shutil.rmtree(work)
    return answers


def answer_beside(model: Path, splits: Splits, rows: Sequence[Example]) -> Answers:
    """Ask a model folder that was trained before, instead of training the in-domain one.

    Args:
        model: its folder.
        splits: of the run.
        rows: to ask about.

    Returns:
        The answers.

    Raises:
        DataError: it learnt from other rows than the run's.
    """
    classifier = Classifier.load(model)
    found, expected = classifier.manifest.training_data.fingerprint, fingerprint(splits.train)
    if found != expected:
        fault = f"{model} learnt from rows with fingerprint {found[:12]}…, this run's have {expected[:12]}…"
        raise DataError("the in-domain model does not fit the run", [fault])
    return answer(classifier, rows)


def _slug(fold: Fold) -> str:
    """A fold's name as a file's: letters, digits, dash, dot and underscore, and a digest of the sources left out.

    Without the digest `a/b` and `a b` would be one file, and a source called in-domain that of the whole run.
    """
    safe = "".join(sign if sign.isalnum() or sign in "-._" else "_" for sign in fold.name).lstrip(".") or "_"
    return f"{safe}-{sha256_of_value(fold.left_out)[:8]}" if fold.left_out else safe
