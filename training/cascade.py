"""Owns two model folders -> the folder of a cascade: fitted on dev, asked as it will be served, complete or absent."""

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from training.answers import warn_of_fit
from training.calibration import fit_rules
from training.cascadecard import write_cascade_card
from training.cascadefit import (
    Cascade,
    Figures,
    Split,
    check_apart,
    check_present,
    check_unseen,
    hear,
    offer_shares,
    read_split,
)
from twohands import Classifier
from twohands.bounds import measure_heads
from twohands.cascade import find_second
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph
from twohands.errors import ConfigError, GateError, ModelNotFoundError, RunConflictError
from twohands.examples import Example, encode_labels
from twohands.hashing import sha256_of_file, sha256_of_list
from twohands.manifest import (
    GRAPH_NAME,
    MANIFEST_NAME,
    TOKENIZER_NAME,
    CascadeInfo,
    DataFile,
    HeadEntry,
    Manifest,
    TrainingData,
    build_folder,
    check_output_folder,
    write_manifest,
)
from twohands.prediction import make_predictions
from twohands.reference import REFERENCE_KEY, measure_reference
from twohands.scores import DecisionRule
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits

# Of the first, whose graph stands in the folder.
_COPIED = (GRAPH_NAME, TOKENIZER_NAME, "config.json", "parity.json", "train_config.yaml")
# The loaded folder and the fit read the same graphs; only the width of a run can differ, which OpenVINO's bf16 shows.
_MOST_TURNED = 0.01


def _merge_files(first: Manifest, second: Manifest, own: Sequence[DataFile]) -> list[DataFile]:
    """What any of both learnt from or was chosen by, once each, and what the cascade was fitted and reported on."""
    given = {(file.split, file.sha256) for file in own}
    learnt = {
        (file.split, file.sha256): file
        for manifest in (second, first)
        for file in manifest.training_data.files
        if file.split != "test" and (file.split, file.sha256) not in given
    }
    order = {split: number for number, split in enumerate(("train", "labels"))}
    return [*sorted(learnt.values(), key=lambda file: order.get(file.split, len(order))), *own]


def _measure(
    logits: Logits, examples: Sequence[Example], taxonomy: Taxonomy, rules: dict[str, DecisionRule]
) -> dict[str, dict[str, object]]:
    """Every figure of every head, with intervals."""
    labels = encode_labels(examples, taxonomy)
    return measure_heads(decide_all(logits, taxonomy, rules), labels, [example.group for example in examples], taxonomy)


def _check_place(folders: tuple[Path, Path], output: Path, *, bundle: bool) -> str:
    """See to it that nothing is written over the two models, and that the second will be found; give its name."""
    second, place = folders[1], output.resolve()
    for folder in folders:
        if place == folder.resolve():
            raise RunConflictError(f"{output} is one of the two models, which it needs; choose another --output")
    name = second.absolute().name  # of a link its own, where it is looked for
    try:
        wanted = CascadeInfo(
            name=name, version="", sha256=sha256_of_file(second / MANIFEST_NAME), doubt=1, calibrations={}
        )
    except ValidationError as error:
        raise RunConflictError(
            f"{second} cannot be found by its name, {name!r}, as a manifest keeps names of letters without accents, "
            "digits, `.`, `-` and `_`; rename the folder"
        ) from error
    try:
        if not bundle:
            find_second(place, wanted)
    except ModelNotFoundError as error:
        raise RunConflictError(
            f"{second} does not stand beside {output}, where a cascade looks for its second model; write to "
            f"{second.absolute().parent / output.name}, or pass --bundle to copy it into the folder"
        ) from error
    return name


def _join_licenses(first: Manifest, second: Manifest) -> str:
    return " AND ".join(dict.fromkeys([first.license, second.license]))


def _headline(figures: Figures) -> dict[str, object]:
    return {
        split: {head: {"macro_f1": values["macro_f1"]} for head, values in heads.items()}
        for split, heads in figures.items()
    }


def _describe(
    first: Classifier,
    second: Classifier,
    name: str,
    version: str | None,
    second_name: str,
    rules: dict[str, DecisionRule],
    doubt: float,
) -> Manifest:
    """The first model's manifest, with what is the cascade's own; its data and figures are yet to come."""
    return first.manifest.model_copy(
        update={
            "name": name,
            "version": version or first.manifest.version,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "heads": [HeadEntry(**head.model_dump(), decision=rules[head.name]) for head in first.taxonomy.heads],
            "license": _join_licenses(first.manifest, second.manifest),
            "cascade": CascadeInfo(
                name=second_name,
                version=second.manifest.version,
                sha256=second.sha256,
                doubt=doubt,
                calibrations={name: rule.calibration for name, rule in first.manifest.rules.items()},
            ),
        }
    )


def _check_answers(folder: Path, expected: Logits, paragraphs: Sequence[EncodedParagraph], manifest: Manifest) -> None:
    """Load the folder as it will be served, and refuse it where it decides otherwise than what was measured."""
    taxonomy, rules = manifest.taxonomy, manifest.rules
    with closing(Classifier.load(folder)) as loaded:
        found = decide_all(loaded.predict_logits(paragraphs), taxonomy, rules)
    measured = decide_all(expected, taxonomy, rules)
    turned = {head: float((found[head][1] != measured[head][1]).any(axis=1).mean()) for head in measured}
    faults = [
        f"{head}: {share:.1%} of the answers on dev, expected at most {_MOST_TURNED:.0%}"
        for head, share in turned.items()
        if share > _MOST_TURNED
    ]
    if faults:
        raise GateError("the cascade as loaded answers otherwise than the models it is made of", faults)


def make_cascade(
    folders: tuple[Path, Path],
    dev_paths: Sequence[Path],
    test_paths: Sequence[Path],
    output: Path,
    *,
    share: float,
    version: str | None = None,
    bundle: bool = False,
    overwrite: bool = False,
) -> Cascade:
    """Make a cascade of two model folders: choose when the second is asked, fit all decisions on dev, and write it.

    Args:
        folders: the small model and the large one.
        dev_paths: labelled rows that neither learnt from; they choose, so figures on them flatter.
        test_paths: labelled rows to report on, once; none to leave that out.
        output: the model folder to be; the second stands beside it.
        share: of dev's windows that the second is asked, in (0, 1].
        version: of the cascade; None for the first model's.
        bundle: copy the second into the folder, so that it can be moved alone.
        overwrite: replace `output`.

    Returns:
        What was made.

    Raises:
        FileReadError: rows cannot be read.
        DataError: rows cannot be used, a model learnt from them, or the models do not fit together.
        LeakError: dev and test share a document or a text.
        ConfigError: `share` is not in its range.
        RunConflictError: `output` is in the way or one of both models, or the second would not be found from it.
        GateError: the folder answers otherwise than what was measured.
    """
    if not 0 < share <= 1:  # also of what is no number, which the command lets through
        raise ConfigError("a cascade cannot be fitted", [f"share is {share}, expected more than 0 and at most 1"])
    check_output_folder(output, overwrite=overwrite)
    second_name = _check_place(folders, output, bundle=bundle)
    with closing(Classifier.load(folders[0])) as first, closing(Classifier.load(folders[1])) as second:
        taxonomy = first.taxonomy
        dev = read_split(dev_paths, taxonomy, split="dev")
        test = read_split(test_paths, taxonomy, split="test") if test_paths else Split([], [])
        check_present(dev, taxonomy)
        check_apart(dev, test)
        check_unseen((first, second), [*dev.files, *test.files])
        encoded = first.encoder.encode_many([example.paragraph for example in dev.examples])
        heard = hear(first, second, encoded, name="dev")
        doubt = heard.find_level(share)
        labels, logits = encode_labels(dev.examples, taxonomy), heard.blend(doubt)
        rules = fit_rules(logits, labels, taxonomy)
        figures = {"dev": _measure(logits, dev.examples, taxonomy, rules)}
        if test.examples:
            asked = first.encoder.encode_many([example.paragraph for example in test.examples])
            figures["test"] = _measure(
                hear(first, second, asked, name="test").blend(doubt), test.examples, taxonomy, rules
            )
        made = Cascade(
            dev_files=dev.files,
            share=float((heard.doubt >= doubt).mean()),
            doubt=doubt,
            offers=offer_shares(heard, labels, taxonomy, chosen=share),
            figures=figures,
            warnings=warn_of_fit(logits, dev.examples, taxonomy, rules, figures["dev"]),
        )
        reference = measure_reference(make_predictions(logits, encoded, taxonomy, rules), encoded)
        manifest = _describe(first, second, output.resolve().name, version, second_name, rules, doubt)
        manifest = manifest.model_copy(
            update={
                "training_data": TrainingData(
                    fingerprint=sha256_of_list(each.manifest.training_data.fingerprint for each in (first, second)),
                    files=_merge_files(first.manifest, second.manifest, [*dev.files, *test.files]),
                ),
                "metrics": _headline(figures) | {REFERENCE_KEY: reference.model_dump(mode="json")},
            }
        )
        with build_folder(output, overwrite=overwrite) as folder:
            for name in _COPIED:
                shutil.copyfile(folders[0] / name, folder / name)
            if bundle:
                shutil.copytree(folders[1], folder / second_name)
            (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
            write_cascade_card(folder, manifest, (first.manifest, second.manifest), made, dev.examples, logits)
            write_manifest(folder, manifest)
            _check_answers(folder, logits, encoded, manifest)
    return made
