"""Owns checkpoint -> model folder: graph, int8, gates, calibration, figures, card; complete or absent."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from training.answers import count_labelled, warn_of_documents, warn_of_fit
from training.batches import describe_cut
from training.calibration import fit_rules
from training.card import describe_recipe, write_card
from training.config import ExportConfig, TrainConfig, dump_config
from training.data import Splits
from training.encoders import find_encoder
from training.exportchecks import check_heads, check_rows, refuse_restored
from training.gates import Candidate, check_fp32, choose_candidate, measure_candidate, tell_rule
from training.graphs import export_graph, make_candidate
from training.machine import set_threads
from training.model import list_labels, load_checkpoint
from training.public import publish_config
from twohands.bounds import measure_heads
from twohands.cautions import Caution, find_usual
from twohands.cpu import read_cpu
from twohands.decide import decide_all
from twohands.encoding import EncodedParagraph, ParagraphEncoder
from twohands.errors import FileReadError
from twohands.examples import Example, encode_labels, fingerprint
from twohands.inspection import format_figure, headline, headline_split
from twohands.known import KEPT_BY, KEY, PARITY_NAME, ask_known
from twohands.manifest import (
    GRAPH_NAME,
    SCHEMA_VERSION,
    TOKENIZER_NAME,
    EncoderInfo,
    ExportMachine,
    GraphInfo,
    HeadEntry,
    Manifest,
    TrainingData,
    build_folder,
    write_manifest,
)
from twohands.prediction import make_predictions
from twohands.reference import REFERENCE_KEY, measure_reference
from twohands.scores import DecisionRule
from twohands.session import OnnxSession, run_paragraphs
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits

Figures = dict[str, dict[str, object]]

_FEW_ROWS = 300  # of dev: below, one answer that turns moves macro-F1 by some .005
_LOOSE_DROP = 0.05
_MOST_LOOKED_AT = 10_000  # of train, for its usual warnings


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def _say_all(lines: list[str]) -> None:
    for line in lines:
        _say(f"export: {line}")


def _measure(
    logits: Logits, examples: list[Example], taxonomy: Taxonomy, rules: dict[str, DecisionRule], seed: int
) -> Figures:
    answers = decide_all(logits, taxonomy, rules)
    labels = encode_labels(examples, taxonomy)
    return measure_heads(answers, labels, [example.group for example in examples], taxonomy, seed=seed)


def _headline(figures: dict[str, Figures]) -> dict[str, object]:
    return {
        split: {head: {"macro_f1": values["macro_f1"]} for head, values in heads.items()}
        for split, heads in figures.items()
    }


def choose_graph(
    folder: Path,
    config: TrainConfig,
    taxonomy: Taxonomy,
    dev: list[Example],
    encoded: list[EncodedParagraph],
) -> tuple[Candidate, list[Candidate], list[str]]:
    """Measure the int8 candidates against the fp32 graph, and keep one that passes by `choose_candidate`.

    Args:
        folder: holds `fp32.onnx`; candidates are written beside it.
        config: which candidates, and the gates.
        taxonomy: the heads.
        dev: labelled rows.
        encoded: the same rows, encoded.

    Returns:
        What is kept, all that were measured, and why others were refused.
    """
    labels = encode_labels(dev, taxonomy)
    reference = measure_candidate("fp32", folder / "fp32.onnx", None, encoded, labels, taxonomy)
    measured, refusals, passed = [reference], list[str](), list[Candidate]()
    for recipe in config.export.candidates:
        _say(f"export: {recipe}")
        try:
            path = make_candidate(folder / "fp32.onnx", folder, recipe)
        except Exception as error:  # noqa: BLE001 - fusing and quantising fail in many ways on families they do not know
            refusals.append(f"{recipe}: cannot be made here ({type(error).__name__}: {str(error)[:120]})")
            continue
        candidate = measure_candidate(recipe, path, reference, encoded, labels, taxonomy)
        measured.append(candidate)
        faults = candidate.faults(
            reference, max_f1_drop=config.export.max_int8_f1_drop, min_speedup=config.export.min_int8_speedup
        )
        refusals += [f"{recipe}: {fault}" for fault in faults]
        passed += [] if faults else [candidate]
    return choose_candidate(passed) if passed else reference, measured, refusals


def weigh_refusal(
    reference: Candidate, refused: list[Candidate], gates: ExportConfig, n_dev: dict[str, int]
) -> str | None:
    """Say what fp32 costs where int8 was refused for a loss that so few rows of dev cannot tell from chance.

    Args:
        reference: the fp32 graph, which is served.
        refused: int8 graphs that failed a gate.
        gates: that they failed.
        n_dev: by head name, the labelled rows by which they were judged.

    Returns:
        One line; None where dev has rows enough of a head that lost, or where a looser gate on macro-F1 would take none
        of them.
    """
    taken = [
        candidate
        for candidate in refused
        if not candidate.faults(reference, max_f1_drop=_LOOSE_DROP, min_speedup=gates.min_int8_speedup)
    ]
    if not taken:
        return None
    best = max(taken, key=lambda candidate: candidate.speedup)
    # By the heads that lost: 900 rows, of which 20 say something of such a head, are 20.
    n_rows = max(
        n_dev[head]
        for head, before in reference.macro_f1.items()
        if not best.macro_f1[head] >= before - gates.max_int8_f1_drop
    )
    if n_rows >= _FEW_ROWS:
        return None
    return (
        f"export: {n_rows} rows of dev hardly tell a loss of {gates.max_int8_f1_drop} from chance; with more of them, "
        f"or --set export.max_int8_f1_drop={_LOOSE_DROP}, {best.recipe} would take {best.size_bytes / 1e6:.0f} MB "
        f"instead of {reference.size_bytes / 1e6:.0f}, and be {best.speedup:.2f} times as fast"
    )


def _check_checkpoint(checkpoint: Path, splits: Splits) -> dict[str, Any]:
    """What the run wrote of a checkpoint that is whole and learnt from these rows."""
    for name in ("config.json", "model.safetensors", TOKENIZER_NAME):
        if not (checkpoint / name).is_file():
            raise FileReadError(f"{checkpoint} is no checkpoint: it has no {name}")
    facts = refuse_restored(checkpoint)
    check_rows(checkpoint, facts, splits)
    return facts


def _find_usual_cautions(train: Sequence[Example], encoder: ParagraphEncoder) -> list[Caution]:
    learnt = train[:: -(-len(train) // _MOST_LOOKED_AT)]
    usual = find_usual(each.cautions for each in encoder.encode_many([example.paragraph for example in learnt]))
    if usual:
        _say(f"export: no warning of {', '.join(usual)}, which a twentieth or more of the training rows would have")
    return usual


def _make_graph(
    model: PreTrainedModel,
    work: Path,
    config: TrainConfig,
    taxonomy: Taxonomy,
    dev: list[Example],
    encoded: list[EncodedParagraph],
) -> tuple[Candidate, dict[str, Any]]:
    """The graph that is to be served, and what was measured to choose it."""
    _say("export: PyTorch to ONNX")
    export_graph(model, work / "fp32.onnx", opset=config.export.opset)
    parity = check_fp32(
        model,
        OnnxSession(work / "fp32.onnx", num_threads=config.compute.num_threads),
        max_tokens=config.window.max_tokens,
        limit=config.export.max_fp32_logit_change,
        seed=config.seed,
    )
    _say(f"export: largest change of a logit {parity['max_logit_change']:.1e}; measuring int8")
    kept, measured, refusals = choose_graph(work, config, taxonomy, dev, encoded)
    for refusal in refusals:
        _say(f"export: refused {refusal}")
    _say(f"export: keep {kept.recipe}" + (f", {kept.speedup:.2f} times as fast as fp32" if kept.reference else ""))
    if kept.reference is None:
        n_dev = count_labelled(encode_labels(dev, taxonomy), taxonomy)
        hint = weigh_refusal(kept, measured[1:], config.export, n_dev)
        if hint is not None:
            _say(hint)
    return kept, {
        "fp32": parity,
        "candidates": [candidate.to_dict() for candidate in measured],
        "refused": refusals,
        "kept": kept.recipe,
        KEPT_BY: tell_rule(kept),
    }


def _measure_dev(
    logits: Logits,
    dev: list[Example],
    taxonomy: Taxonomy,
    rules: dict[str, DecisionRule],
    seed: int,
) -> Figures:
    """Figures on the rows that the rules were fitted on, and warnings of what is odd in them."""
    figures = _measure(logits, dev, taxonomy, rules, seed)
    _say_all(warn_of_fit(logits, dev, taxonomy, rules, figures))
    return figures


def _measure_test(
    graph: Path,
    encoder: ParagraphEncoder,
    config: TrainConfig,
    test: list[Example],
    taxonomy: Taxonomy,
    rules: dict[str, DecisionRule],
) -> Figures:
    """Figures of the served graph on rows that chose nothing."""
    session = OnnxSession(graph, num_threads=config.compute.num_threads)
    encoded = encoder.encode_many([example.paragraph for example in test])
    n_cut = [paragraph.n_tokens_cut for paragraph in encoded]
    _say_all(describe_cut("test", n_cut, max_windows=config.window.max_windows))
    figures = _measure(run_paragraphs(session.run_batch, encoded), test, taxonomy, rules, config.seed)
    _say_all(warn_of_documents({"test": figures}))
    return figures


def _find_origin(facts: Mapping[str, Any], config: TrainConfig) -> EncoderInfo:
    origin = facts.get("encoder")
    if origin is None:  # a checkpoint of an older release does not say it
        wanted = config.encoder
        found = find_encoder(wanted.name, revision=wanted.revision, sha256=wanted.sha256)
        origin = found.identify(wanted.num_layers)
    return EncoderInfo.model_validate(origin)


def export_checkpoint(
    checkpoint: Path, config: TrainConfig, taxonomy: Taxonomy, splits: Splits, *, output: Path, overwrite: bool
) -> None:
    """Make a model folder of a checkpoint.

    Args:
        checkpoint: `config.json`, `model.safetensors` and `tokenizer.json`.
        config: the run.
        taxonomy: the heads.
        splits: dev for the gates, calibration and thresholds; test for the report.
        output: the folder to be.
        overwrite: replace it.

    Raises:
        GateError: the fp32 graph does not agree with PyTorch; nothing is written.
        FileReadError: the checkpoint is incomplete.
        CheckpointError: it was restored from a model folder, and no run has gone on from it; or it answers other
            labels than the taxonomy has, or in another order.
        LeakError: it learnt from a document or a text of dev or test.
        DataError: it learnt from other rows than those of train.
        RunConflictError: `output` is in the way.
    """
    facts = _check_checkpoint(checkpoint, splits)
    set_threads(config.compute.num_threads)
    model = load_checkpoint(checkpoint)
    check_heads(checkpoint, list_labels(model.config), facts, taxonomy)
    encoder = ParagraphEncoder.from_file(checkpoint / TOKENIZER_NAME, config.window)
    dev_encoded = encoder.encode_many([example.paragraph for example in splits.dev])
    usual = _find_usual_cautions(splits.train, encoder)
    with build_folder(output, overwrite=overwrite) as folder:
        work = folder / "work"
        work.mkdir()
        kept, report = _make_graph(model, work, config, taxonomy, splits.dev, dev_encoded)
        shutil.copyfile(kept.path, folder / GRAPH_NAME)
        # What is served decides what is calibrated: the logits are those of the graph that was kept.
        labels = encode_labels(splits.dev, taxonomy)
        rules = fit_rules(kept.logits, labels, taxonomy)
        figures = {"dev": _measure_dev(kept.logits, splits.dev, taxonomy, rules, config.seed)}
        # What it answers on rows that it was not fitted on, so that the service can tell when traffic drifts away.
        reference = measure_reference(make_predictions(kept.logits, dev_encoded, taxonomy, rules), dev_encoded)
        if splits.test:
            figures["test"] = _measure_test(folder / GRAPH_NAME, encoder, config, splits.test, taxonomy, rules)
        shutil.rmtree(work)

        encoder.save(folder / TOKENIZER_NAME)
        shutil.copyfile(checkpoint / "config.json", folder / "config.json")
        (folder / "train_config.yaml").write_text(dump_config(publish_config(config), taxonomy), encoding="utf-8")
        served = OnnxSession(folder / GRAPH_NAME, num_threads=1)
        report[KEY] = ask_known(encoder, lambda paragraphs: run_paragraphs(served.run_batch, paragraphs))
        (folder / PARITY_NAME).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        cpu_model, cpu_flags = read_cpu()
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            name=output.name,
            version=config.version,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            license=config.license,
            encoder=_find_origin(facts, config),
            heads=[HeadEntry(**head.model_dump(), decision=rules[head.name]) for head in taxonomy.heads],
            window=config.window,
            graph=GraphInfo(
                precision="fp32" if kept.reference is None else "int8",
                recipe=kept.recipe,
                inputs=kept.inputs,
                size_bytes=(folder / GRAPH_NAME).stat().st_size,
            ),
            training_data=TrainingData(fingerprint=fingerprint(splits.train), files=splits.files),
            metrics=_headline(figures) | {REFERENCE_KEY: reference.model_dump(mode="json")},
            export_machine=ExportMachine(
                cpu_model=cpu_model, cpu_flags=cpu_flags, onnxruntime=package_version("onnxruntime")
            ),
            files={},
            usual_cautions=usual,
        )
        write_card(
            folder,
            manifest,
            figures,
            kept,
            report["fp32"]["max_logit_change"],
            splits,
            recipe=describe_recipe(
                config, splits.train, restored_from=facts.get("start_restored_from"), averaged=facts.get("averaged", ())
            ),
            near_duplicate_jaccard=config.data.near_duplicate_jaccard,
            notes=config.card_notes,
        )
        write_manifest(folder, manifest)
    for head, figure in headline(manifest).items():
        _say(f"export: macro-F1 on {headline_split(manifest)}, {head}: {format_figure(figure)}")
