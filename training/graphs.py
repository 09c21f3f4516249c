"""Owns PyTorch -> ONNX -> fused -> int8: how each candidate graph is made. Measures nothing."""

import logging
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import PreTrainedModel

_EXAMPLE_SHAPE = (2, 16)
_QUANTISED_OPS = ["MatMul", "Gather"]


class _LogitsOnly(torch.nn.Module):
    """The graph has two inputs and one output, whatever else the family's forward takes and returns."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def export_graph(model: PreTrainedModel, path: Path, *, opset: int) -> None:
    """Write a model as ONNX with free batch size and length.

    Args:
        model: in evaluation mode.
        path: where to.
        opset: ONNX operator set.

    Raises:
        ValueError: the model is in training mode, whose dropout would be exported with it.
    """
    if model.training:
        raise ValueError("found a model in training mode, expected evaluation mode; call model.eval() first")
    input_ids = torch.randint(5, model.get_input_embeddings().num_embeddings, _EXAMPLE_SHAPE)
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    free = {0: batch, 1: length}
    for name in ("torch.onnx", "onnxscript"):  # they warn of operators that nobody asked for
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter, none of which a user can mend
        torch.onnx.export(
            _LogitsOnly(model),
            (),
            str(path),
            kwargs={"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)},
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": free, "attention_mask": free},
            opset_version=opset,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _forget_origins(path)


def _forget_origins(path: Path) -> None:
    """Leave out where in the source each node came from: paths of this machine, which would be passed on."""
    model = onnx.load(str(path))
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, str(path))


def _contracting_matmuls(path: Path) -> list[str]:
    """Names of matmuls with more inputs than outputs: the second feed-forward ones, and the classifier.

    Their inputs have the widest spread, so they are what int8 hurts.
    """
    graph = onnx.load(str(path)).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    weights = {node.name: shapes.get(node.input[1], []) for node in graph.node if node.op_type == "MatMul"}
    return [name for name, shape in weights.items() if len(shape) == 2 and shape[0] > shape[1]]


def _classifier_matmuls(path: Path) -> list[str]:
    """Names of the products as wide as there are labels: a few thousand weights that are not worth an error."""
    graph = onnx.load(str(path)).graph
    n_labels = graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    names: list[str] = []
    for node in graph.node:
        shape = shapes.get(node.input[1]) if node.op_type in {"MatMul", "Gemm"} else None
        is_transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if shape and shape[0 if is_transposed else -1] == n_labels:
            # The quantiser makes a Gemm a MatMul and an Add before it looks at names, and calls the former so.
            names += [node.name] if node.op_type == "MatMul" else [node.name, f"{node.name}_MatMul"]
    return names


def fuse_graph(fp32: Path, target: Path) -> None:
    """Fuse by ONNX Runtime's transformer optimizer, but for two kernels that are slower than their parts on CPUs.

    A skip layer normalisation takes four times as long as an addition and a layer normalisation; a bias goes into the
    int8 matmul before it for nothing, unless an activation has taken it. `twohands.session` keeps them apart too.
    """
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = False
    options.enable_bias_gelu = False
    # As one kernel with their norm, embeddings are out of the quantiser's reach: MPNet's stayed in fp32, 94 MB of them.
    options.enable_embed_layer_norm = False
    fused = optimizer.optimize_model(str(fp32), model_type="bert", opt_level=0, optimization_options=options)
    fused.save_model_to_file(str(target))


def make_candidate(fp32: Path, folder: Path, recipe: str) -> Path:
    """Make one int8 graph: per channel, embeddings too.

    Args:
        fp32: the plain export.
        folder: where to write.
        recipe: `plain-` or `fused-` (by ONNX Runtime's transformer optimizer), `int8`, and `-ffn` to keep
            contracting matmuls in fp32, or `-early` to keep those of the first third of the layers.

    Returns:
        The graph's path.
    """
    source = fp32
    logging.getLogger("onnxruntime").setLevel(logging.ERROR)
    if recipe.startswith("fused"):
        source = folder / "fused.onnx"
        if not source.is_file():
            fuse_graph(fp32, source)
    target = folder / f"{recipe}.onnx"
    classifier = _classifier_matmuls(source)
    contracting = [name for name in _contracting_matmuls(source) if name not in classifier]
    # An error that is made early passes through every layer after it.
    n_kept = {"ffn": len(contracting), "early": -(-len(contracting) // 3)}.get(recipe.rpartition("-")[2], 0)
    excluded = contracting[:n_kept] + classifier
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantiser advises a pre-processing that changes nothing here
    try:
        quantize_dynamic(
            str(source),
            str(target),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=_QUANTISED_OPS,
            nodes_to_exclude=excluded,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.setLevel(level)
    return target
