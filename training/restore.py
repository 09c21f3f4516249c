"""Owns model folder -> checkpoint: int8 weights back to floats, so that a run can go on from what was released."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml
from numpy.typing import NDArray
from onnx.numpy_helper import to_array
from transformers import PreTrainedModel

from training.checkpoints import build_checkpoint, check_output
from training.config import load_dumped_config
from training.encoders import PINNED, RUN_NAME, find_encoder
from training.graphs import export_graph, fuse_graph
from training.loop import CHECKPOINT, CONFIG_NAME
from training.model import build_blank, quiet
from training.stages import name_encoder, read_run
from twohands.errors import CheckpointError, EncoderError, FileReadError
from twohands.manifest import GRAPH_NAME, TOKENIZER_NAME, load_manifest
from twohands.session import OnnxSession
from twohands.weight_only import dequantize, make_weight_only

_PREFIX = "model."  # of the module that `training.graphs` wraps around what it exports
_QUANTISED = "_quantized"
_PRODUCTS = ("MatMul", "Gemm")
# Both compute in float32 with the same weights; another order of sums moves a logit by some 1e-5.
_MOST_CHANGE = 1e-3
_CHECK_SHAPES = ((1, 7), (2, 33), (3, 96))

Weights = dict[str, NDArray[np.float32]]


def _named_weights(graph: onnx.GraphProto) -> Weights:
    """Float weights by the name of their parameter; embeddings in int8 are made floats."""
    held = {tensor.name: tensor for tensor in graph.initializer}
    weights: Weights = {}
    for name, tensor in held.items():
        if name.startswith(_PREFIX) and name.endswith(_QUANTISED):
            stem = name.removesuffix(_QUANTISED)
            scale, point = to_array(held[f"{stem}_scale"]), to_array(held[f"{stem}_zero_point"])
            weights[stem.removeprefix(_PREFIX)] = dequantize(to_array(tensor), point, scale)
        elif name.startswith(_PREFIX) and tensor.data_type == onnx.TensorProto.FLOAT:
            weights[name.removeprefix(_PREFIX)] = to_array(tensor)
    return weights


def _products(graph: onnx.GraphProto) -> Iterator[NDArray[np.float32]]:
    """Weights of the matrix products, shape `(in, out)`, in the order in which the graph computes them."""
    held = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in _PRODUCTS and node.input[1] in held:
            weight = to_array(held[node.input[1]])
            # The quantiser writes a Gemm as a product and a sum.
            is_turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            yield weight.T if is_turned else weight


def _name_products(model: PreTrainedModel, graph: onnx.GraphProto) -> list[str]:
    """Which parameter stands in each product of a graph that was exported from `model`, by its values."""
    flat = {name: value.detach().numpy() for name, value in model.named_parameters() if value.ndim == 2}
    names = []
    for weight in _products(graph):
        found = [name for name, value in flat.items() if value.T.shape == weight.shape and (weight == value.T).all()]
        if len(found) != 1:
            raise CheckpointError(f"found {len(found)} parameters for a product of shape {weight.shape}, expected one")
        names.append(found[0])
    return names


def _fill(model: PreTrainedModel, weights: Weights, folder: Path) -> None:
    wanted = {name: tuple(value.shape) for name, value in model.named_parameters()}
    missing = sorted(wanted.keys() - weights.keys())
    odd = [name for name in wanted.keys() & weights.keys() if weights[name].shape != wanted[name]]
    if missing or odd:
        raise CheckpointError(
            f"{folder / GRAPH_NAME} does not hold the weights that its config.json names: "
            f"{len(missing)} missing, {len(odd)} of another shape ({', '.join([*missing, *odd][:3])})"
        )
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(torch.from_numpy(np.array(weights[name])))


def _measure_change(model: PreTrainedModel, graph: Path, *, max_tokens: int) -> float:
    """Largest difference of a logit between the network and the graph, on random tokens; NaN where one is NaN."""
    session = OnnxSession(graph, num_threads=1)
    generator = np.random.default_rng(0)
    n_tokens = model.get_input_embeddings().num_embeddings
    changes = []
    for n_rows, length in _CHECK_SHAPES:
        input_ids = generator.integers(5, n_tokens, (n_rows, min(length, max_tokens)))
        mask = np.ones_like(input_ids)
        mask[-1, input_ids.shape[1] - 2 :] = 0
        with torch.inference_mode():
            here = model(input_ids=torch.from_numpy(input_ids), attention_mask=torch.from_numpy(mask)).logits.numpy()
        changes.append(np.abs(here - session.run_padded(input_ids, mask)).max())
    session.close()
    return float(np.max(changes))  # NaN where one is


def restore_model(
    folder: Path, scratch: Path, *, recipe: str, opset: int, max_tokens: int
) -> tuple[PreTrainedModel, float]:
    """Build the network of a model folder, with the values that int8 left its weights.

    The same network with random weights is exported as the folder was; so it is known which product of the graph is
    which parameter. The answer is then compared with the graph's own.

    Args:
        folder: a model folder.
        scratch: an empty folder, for one graph in fp32 at a time.
        recipe: by which its graph was made.
        opset: that it was exported with.
        max_tokens: of a window.

    Returns:
        A model in evaluation mode, in float32, and the largest difference of a logit to the graph's with its products
        computed in floats.

    Raises:
        CheckpointError: the graph does not hold the weights of the network that `config.json` describes.
        FileReadError: the graph cannot be read, or holds int8 products in an order that is not known.
    """
    try:
        model = build_blank(folder)
    except Exception as error:  # the library raises many classes, by family
        raise CheckpointError(f"{folder / 'config.json'} describes no network that can be built: {error}") from error
    with torch.no_grad():
        # New biases are all alike, and the exporter writes weights that are alike once.
        generator = torch.Generator().manual_seed(0)
        for value in model.parameters():
            value.normal_(std=0.02, generator=generator)
    try:
        served = onnx.load(str(folder / GRAPH_NAME))
    except Exception as error:  # protobuf raises its own classes
        raise FileReadError(f"{folder / GRAPH_NAME} cannot be read as an ONNX graph: {error}") from error
    make_weight_only(served)
    skeleton, floats = scratch / "skeleton.onnx", scratch / "floats.onnx"
    export_graph(model, skeleton, opset=opset)
    if recipe.startswith("fused"):
        fuse_graph(skeleton, skeleton)
    names = _name_products(model, onnx.load(str(skeleton)).graph)
    skeleton.unlink()
    weights = _named_weights(served.graph)
    products = list(_products(served.graph))
    if len(products) != len(names):
        raise CheckpointError(f"{folder / GRAPH_NAME} has {len(products)} products, expected {len(names)}")
    weights |= {name: weight.T for name, weight in zip(names, products, strict=True)}
    _fill(model, weights, folder)
    onnx.save(served, str(floats))
    change = _measure_change(model, floats, max_tokens=max_tokens)
    floats.unlink()
    if not change < _MOST_CHANGE:
        raise CheckpointError(
            f"the network of {folder / 'config.json'} with the weights of {GRAPH_NAME} answers otherwise than the "
            f"graph: a logit differs by {change:.2g}, expected less than {_MOST_CHANGE:g}"
        )
    return model, change


def restore_checkpoint(folder: Path, output: Path, *, overwrite: bool) -> float:
    """Write a checkpoint from which a run can go on, made of a model folder.

    Args:
        folder: a model folder, whole.
        output: the checkpoint's folder.
        overwrite: replace it.

    Returns:
        The largest difference of a logit to the graph's in floats.

    Raises:
        RunConflictError: `output` is in the way, or is something other than a checkpoint.
        CheckpointError: the graph does not hold the weights of the network that the folder describes.
        ManifestError: the folder is not whole.
        ModelNotFoundError: it is no model folder.
        ConfigError: its `train_config.yaml` is not a run's.
        FileReadError: its graph cannot be read.
    """
    check_output(output, overwrite=overwrite)
    manifest, sha256 = load_manifest(folder)
    if manifest.cascade is not None:
        raise CheckpointError(
            f"{folder} is a cascade: restore each of its models, the second is {manifest.cascade.name}"
        )
    config, _ = load_dumped_config(folder / CONFIG_NAME)
    facts: dict[str, Any] = {
        "settings": config.model_dump(mode="json"),
        "taxonomy": manifest.taxonomy.model_dump(mode="json"),
        "encoder_sha256": manifest.encoder.sha256,
        "encoder": manifest.encoder.model_dump(),
        "restored_from": {"name": manifest.name, "version": manifest.version, "sha256": sha256},
        # A model folder names its files, not its rows: all rows are new to a run that goes on from here.
        "train_ids": [],
        "train_groups": [],
        "train_texts": [],
    }
    sys.stderr.write(f"restore: exporting the network of {folder} anew, to find its weights in the graph\n")
    with build_checkpoint(output) as held:
        scratch, partial = held / "graphs", held / CHECKPOINT
        scratch.mkdir()
        model, change = restore_model(
            folder,
            scratch,
            recipe=manifest.graph.recipe,
            opset=config.export.opset,
            max_tokens=manifest.window.max_tokens,
        )
        with quiet():
            model.save_pretrained(partial)
        for name in (TOKENIZER_NAME, CONFIG_NAME):
            shutil.copyfile(folder / name, partial / name)
        (partial / RUN_NAME).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return change


def tell_next(checkpoint: Path) -> list[str]:
    """Say by which command a run goes on from a restored checkpoint.

    Args:
        checkpoint: of `restore_checkpoint`.

    Returns:
        One line with the command, and one on its encoder where that is not found by the name that the model folder
        has for it: of a folder of another machine that is its last part alone.
    """
    facts = read_run(checkpoint)
    encoder, sha256 = facts["settings"]["encoder"], facts["encoder_sha256"]
    told = []
    try:
        find_encoder(encoder["name"], revision=encoder["revision"], sha256=sha256)
    except EncoderError as error:
        if encoder["name"] in PINNED or encoder["revision"]:
            told = [str(error)]
        else:
            told = [f"FOLDER is where its encoder {encoder['name']} is, whose weights have sha256 {sha256[:12]}…"]
            facts = {**facts, "settings": {"encoder": encoder | {"name": "FOLDER"}}}
    # By YAML's own rules, as a path may hold a comma.
    start = yaml.safe_dump(
        {"checkpoint": str(checkpoint), "replay": 1.0}, default_flow_style=True, sort_keys=False, allow_unicode=True,
        width=float("inf"),
    ).strip()  # fmt: skip
    options = f"{name_encoder(facts)} --set {shlex.quote(f'start={start}')}"
    return [f"go on from it: twohands train CONFIG --set run_name=NAME {options}", *told]
