"""Owns dynamic int8 -> weight-only int8: a graph as the exporter writes it, with float products instead of int8 ones.

For runtimes whose float products are the fast ones. The weights keep the values that int8 gave them; activations are
no longer rounded to eight bits. Reads graphs by the package onnx, of the extra `openvino`; knows no runtime.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twohands.errors import FileReadError
from twohands.extras import import_extra

_USE_OTHER = "take the runtime that reads every graph of this project: --runtime onnxruntime"
_EXPECTED = "DynamicQuantizeLinear, MatMulInteger, Cast, Mul, as `twohands export` writes them"
# Operators that no float product can be made of here; ONNX Runtime alone knows most of them.
_LEFT_OVER = {
    "ConvInteger", "DynamicQuantizeLinear", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger",
    "MatMulIntegerToFloat", "MatMulNBits", "QAttention", "QEmbedLayerNormalization", "QGemm", "QLinearConv",
    "QLinearMatMul", "QuantizeLinear",
}  # fmt: skip

Node = Any  # onnx.NodeProto: its classes are made at run time, and its package is an extra


class _Graph:
    """What is asked of a graph's wires: who writes one, who reads it, which are weights."""

    def __init__(self, graph: Node, to_array: Any) -> None:  # noqa: ANN401 - a function of an optional package
        self.nodes = list(graph.node)
        self._to_array = to_array
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._writers = {name: node for node in self.nodes for name in node.output if name}
        self._readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def weight(self, name: str) -> NDArray[Any] | None:
        """The values of a weight; None when the wire is computed."""
        tensor = self._weights.get(name)
        return None if tensor is None else np.asarray(self._to_array(tensor))

    def writer(self, name: str, op_type: str) -> Node | None:
        """The node that computes a wire, if it is of this kind."""
        node = self._writers.get(name)
        return node if node is not None and node.op_type == op_type else None

    def reader(self, name: str, op_type: str) -> Node | None:
        """The only node that reads a wire, if it is of this kind."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == op_type else None


def dequantize(weight: NDArray[Any], zero_point: NDArray[Any] | None, scale: NDArray[Any]) -> NDArray[np.float32]:
    """Give the floats that an int8 weight stands for.

    Args:
        weight: int8 or uint8, any shape.
        zero_point: one number, or one for each place of the last axis; None for 0.
        scale: likewise.

    Returns:
        Of the same shape.
    """
    shifted = weight.astype(np.float32)
    if zero_point is not None:
        shifted -= zero_point.astype(np.float32)
    # A scale per column stands along the last axis of the weight, (in, out); one for all is a single number.
    return np.asarray(shifted * scale.astype(np.float32), dtype=np.float32)


def _find_product(graph: _Graph, product: Node) -> tuple[Node, Node, NDArray[np.float32]] | None:
    """The quantiser before an int8 product, the node that writes its float answer, and the float weight."""
    quantiser = graph.writer(product.input[0], "DynamicQuantizeLinear")
    weight = graph.weight(product.input[1])
    has_point = len(product.input) > 3 and bool(product.input[3])
    zero_point = graph.weight(product.input[3]) if has_point else None
    cast = graph.reader(product.output[0], "Cast")
    answer = None if cast is None else graph.reader(cast.output[0], "Mul")
    if quantiser is None or weight is None or cast is None or answer is None or (has_point and zero_point is None):
        return None
    factor = next((name for name in answer.input if name != cast.output[0]), "")
    scales = graph.writer(factor, "Mul")
    if scales is None or quantiser.output[1] not in scales.input:
        return None
    scale = next((found for name in scales.input if (found := graph.weight(name)) is not None), None)
    return None if scale is None else (quantiser, answer, dequantize(weight, zero_point, scale))


def _drop_unread(graph: Node) -> None:
    """Take out nodes and weights that nothing reads any more."""
    kept: list[Node] = []
    read = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):  # from the end: who reads a wire stands after who writes it
        if any(name in read for name in node.output):
            kept.append(node)
            read.update(node.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def _describe(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))


def make_weight_only(model: Node) -> int:
    """Replace each dynamic int8 product of a graph by a float one, in place.

    Args:
        model: of the package onnx; one that holds no int8 product is left as it is.

    Returns:
        How many products were replaced.

    Raises:
        FileReadError: it holds quantised operators in an order that is not known.
        MissingExtraError: the package onnx is not installed.
    """
    onnx = import_extra("onnx", use="the runtime openvino", extra="openvino")
    from_array, to_array = onnx.numpy_helper.from_array, onnx.numpy_helper.to_array
    graph = _Graph(model.graph, to_array)
    replaced: dict[str, Node] = {}  # by the wire that the float answer is written to
    added: dict[str, Node] = {}
    for product in graph.nodes:
        found = _find_product(graph, product) if product.op_type == "MatMulInteger" else None
        if found is not None:
            quantiser, answer, weight = found
            name = f"{answer.output[0]}_float_weight"
            added[name] = from_array(weight, name)
            replaced[answer.output[0]] = onnx.helper.make_node(
                "MatMul", [quantiser.input[0], name], [answer.output[0]], name=f"{answer.output[0]}_float"
            )
    if replaced:
        nodes = [replaced.get(node.output[0], node) for node in graph.nodes]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(added.values())
        _drop_unread(model.graph)
    left = Counter(node.op_type for node in model.graph.node if node.op_type in _LEFT_OVER)
    if left:
        raise FileReadError(
            f"found {_describe(left)} in the graph, in an order that cannot be made float; expected {_EXPECTED}"
        )
    return len(replaced)


def _names_files(message: Node, *, external: int) -> bool:
    """Whether a tensor anywhere in a graph, also in an attribute of a node or of a function, lies in another file."""
    if getattr(message, "data_location", None) == external:
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            inner = [value] if hasattr(value, "ListFields") else value
            if any(_names_files(each, external=external) for each in inner):
                return True
    return False


def read_weight_only(path: Path) -> bytes:
    """Read a graph with its int8 products made float ones.

    Args:
        path: `model.onnx`; it is not changed.

    Returns:
        The graph, as a file of ONNX would hold it.

    Raises:
        FileReadError: the file is missing or is no ONNX graph, keeps weights in other files, or holds quantised
            operators in an order that is not known.
        MissingExtraError: the package onnx is not installed.
    """
    onnx = import_extra("onnx", use="the runtime openvino", extra="openvino")
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises its own classes, and OSError
        raise FileReadError(f"{path} cannot be read as an ONNX graph: {error}") from error
    if _names_files(model, external=onnx.TensorProto.EXTERNAL):
        raise FileReadError(f"{path} keeps weights in other files, which are not read; export it again")
    if not model.graph.node:  # protobuf reads much that is none of ours
        raise FileReadError(f"{path} cannot be read as an ONNX graph: it holds no operator; fetch or export it again")
    try:
        make_weight_only(model)
    except FileReadError as error:
        raise FileReadError(f"{error}; {_USE_OTHER}") from error
    content: bytes = model.SerializeToString()
    return content
