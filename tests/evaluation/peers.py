"""Makes peers on the spot: an encoder as an ONNX graph, and tiny sequence classifiers that transformers can load."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.tiny import SPECIAL, WORDS, make_tokenizer


def make_word_encoder(folder):
    """Hidden states are the words themselves, one axis each: vectors that a test can reason about."""
    folder.mkdir(parents=True, exist_ok=True)
    size = len(SPECIAL) + len(WORDS)
    table = np.eye(size, dtype=np.float32)
    table[: len(SPECIAL)] = 0.001
    hidden = helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])
    mask = helper.make_node("Identity", ["attention_mask"], ["mask_again"])
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "s"]) for n in ("input_ids", "attention_mask")]
    outputs = [
        helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["b", "s", size]),
        helper.make_tensor_value_info("mask_again", TensorProto.INT64, ["b", "s"]),
    ]
    graph = helper.make_graph([hidden, mask], "words", inputs, outputs, [numpy_helper.from_array(table, "table")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(folder / "model.onnx"))
    make_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 32}), encoding="utf-8")
    return folder


def make_sequence_classifier(folder, labels, *, seed=0):
    """A tiny random BERT with named labels, as `save_pretrained` writes it."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.save_pretrained(folder)
    return folder
