"""Builds a tiny but real model folder: a word tokenizer and a graph that answers by the words it sees.

Logits are the mean over tokens of a per-word row, so a test can say what a text must be called: "plan" pushes
state-led, "market" market-led, "weather" neutral, and each topic has a word of its own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from twohands.cautions import Caution
from twohands.locate import find_config
from twohands.manifest import (
    SCHEMA_VERSION,
    DataFile,
    EncoderInfo,
    ExportMachine,
    GraphInfo,
    HeadEntry,
    Manifest,
    TrainingData,
    build_folder,
    write_manifest,
)
from twohands.scores import DecisionRule, Platt, Temperature
from twohands.taxonomy import ProblemType, Taxonomy, load_taxonomy
from twohands.windows import WindowRule

WORDS = ["plan", "market", "weather", "embargo", "homemade", "subsidy", "licence", "the", "a", "of", "."]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def make_tokenizer(words: Sequence[str] = WORDS) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def make_graph(
    n_labels: int, *, words: Sequence[str] = WORDS, also: Mapping[str, int] = MappingProxyType({})
) -> onnx.ModelProto:
    table = np.zeros((len(SPECIAL) + len(words), n_labels), dtype=np.float32)
    pushes = {word: number for number, word in enumerate(WORDS[: min(n_labels, 7)])} | dict(also)
    for word, number in pushes.items():
        table[len(SPECIAL) + words.index(word), number] = 20.0
    table[1] = 0.01  # unknown words move nothing much
    weights = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "middle"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),  # (batch, length, n_labels)
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "middle"], ["sums"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "middle"], ["counts"], keepdims=1),
        helper.make_node("Div", ["sums", "counts"], ["logits"]),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["b", n_labels])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def make_rules(taxonomy: Taxonomy, *, abstention: float = 0.5) -> dict[str, DecisionRule]:
    rules = {}
    for head in taxonomy.heads:
        n = len(head.labels)
        if head.problem_type is ProblemType.ONE_OF:
            rules[head.name] = DecisionRule(
                calibration=Temperature(temperature=1.0), thresholds=None, abstention=abstention
            )
        else:
            platt = Platt(slopes=[1.0] * n, intercepts=[-2.0] * n)
            rules[head.name] = DecisionRule(calibration=platt, thresholds=[0.5] * n, abstention=None)
    return rules


def build_tiny_model(
    folder: Path,
    *,
    taxonomy: Taxonomy | None = None,
    version: str = "0.0.1",
    usual_cautions: Sequence[Caution] = (),
    abstention: float = 0.5,
    words: Sequence[str] = WORDS,
    also: Mapping[str, int] = MappingProxyType({}),
) -> Path:
    """Write it; `words` number the vocabulary, `also` has words that push the label of a number besides."""
    taxonomy = taxonomy or load_taxonomy(find_config("taxonomy"))
    rules = make_rules(taxonomy, abstention=abstention)
    with build_folder(folder, overwrite=True) as temporary:
        make_tokenizer(words).save(str(temporary / "tokenizer.json"))
        onnx.save(make_graph(taxonomy.n_labels, words=words, also=also), str(temporary / "model.onnx"))
        for name in ("config.json", "metrics.json", "parity.json"):
            (temporary / name).write_text("{}\n", encoding="utf-8")
        (temporary / "README.md").write_text("# tiny\n", encoding="utf-8")
        (temporary / "train_config.yaml").write_text("{}\n", encoding="utf-8")
        write_manifest(
            temporary,
            Manifest(
                schema_version=SCHEMA_VERSION,
                name=folder.name,
                version=version,
                created="2026-01-01T00:00:00Z",
                license="Apache-2.0",
                encoder=EncoderInfo(name="tiny", sha256="0" * 64, license="Apache-2.0"),
                heads=[HeadEntry(**head.model_dump(), decision=rules[head.name]) for head in taxonomy.heads],
                window=WindowRule(max_tokens=16, overlap_tokens=4, max_windows=3),
                graph=GraphInfo(precision="fp32", recipe="tiny", inputs=["input_ids", "attention_mask"], size_bytes=1),
                training_data=TrainingData(
                    fingerprint="0" * 64,
                    files=[DataFile(split="train", name="none.jsonl", sha256="0" * 64, n_rows=0)],
                ),
                metrics={},
                export_machine=ExportMachine(cpu_model="none", cpu_flags=[], onnxruntime="none"),
                files={},
                usual_cautions=list(usual_cautions),
            ),
        )
    return folder
