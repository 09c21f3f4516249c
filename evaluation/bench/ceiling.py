"""Owns the machine's own ceiling: how fast this runtime multiplies the model's very matrices, and does nothing else.

The graph's products are put into a graph of their own, with their own weights and precision, fed with ready inputs.
What the model takes beyond that is everything that is not a matrix product.
"""

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from twohands.extras import import_extra
from twohands.pages import huge_pages

_CONSTANT_PRODUCTS = {"MatMul", "MatMulInteger", "Gemm"}


def _import_onnx() -> Any:  # noqa: ANN401 - an untyped module
    """Import onnx, which reads graphs.

    Returns:
        The module.

    Raises:
        MissingExtraError: it is not installed.
    """
    return import_extra("onnx", use="the ceiling", extra="bench")


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of a run: `weight` names a constant, or is None where both sides are computed."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    weight: str | None
    is_integer: bool

    @property
    def n_operations(self) -> int:
        """Multiplications and additions."""
        return 2 * int(np.prod(self.left)) * self.right[-1]


def _options(num_threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _feeds(input_names: list[str], length: int) -> dict[str, np.ndarray[Any, Any]]:
    ids = np.ones((1, length), dtype=np.int64)  # only shapes are asked for, and a small model has few tokens
    known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {name: known[name] for name in input_names}


def list_products(graph_path: Path, *, length: int) -> list[Product]:
    """List every matrix product of one run of a graph.

    Args:
        graph_path: `model.onnx`.
        length: tokens of the run.

    Returns:
        The products in the graph's order; shapes of computed sides come from a real run.
    """
    onnx = _import_onnx()
    model = onnx.load(str(graph_path))
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in _CONSTANT_PRODUCTS]
    computed = sorted({name for node in nodes for name in node.input[:2] if name not in weights})
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in computed if name not in known)
    options = _options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # else the names are gone
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    input_names = [value.name for value in session.get_inputs()]
    shapes = dict(
        zip(computed, (array.shape for array in session.run(computed, _feeds(input_names, length))), strict=True)
    )
    products = []
    for node in nodes:
        left, right = node.input[:2]
        right_shape = weights.get(right) or shapes[right]
        if node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
            right_shape = right_shape[::-1]
        left_shape = shapes.get(left) or weights[left]
        products.append(
            Product(
                left_shape, tuple(right_shape), right if right in weights else None, node.op_type == "MatMulInteger"
            )
        )
    return products


class Ceiling:
    """A graph of nothing but a model's products, ready to be timed."""

    def __init__(self, graph_path: Path, *, length: int) -> None:
        """Build and load it, on one thread.

        Args:
            graph_path: `model.onnx`.
            length: tokens of the run.

        Raises:
            MissingExtraError: the package onnx is not installed.
        """
        onnx = _import_onnx()
        self.products = list_products(graph_path, length=length)
        self.n_operations = sum(product.n_operations for product in self.products)
        tensors = {tensor.name: tensor for tensor in onnx.load(str(graph_path)).graph.initializer}
        generator = np.random.default_rng(0)
        nodes, inputs, outputs, initializers = [], [], [], []
        self._feeds: dict[str, np.ndarray[Any, Any]] = {}
        self._results: dict[str, np.ndarray[Any, Any]] = {}
        for number, product in enumerate(self.products):
            sides = []
            for side, shape in (("left", product.left), ("right", product.right)):
                name = f"{side}{number}"
                if side == "right" and product.weight is not None:
                    array = onnx.numpy_helper.to_array(tensors[product.weight]).reshape(product.right)
                    initializers.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
                    sides.append(name)
                    continue
                array = generator.random(shape, dtype=np.float32)
                if product.is_integer:
                    array = (array * 255).astype(np.uint8)
                # Products with inputs of one shape share them, as the layers of a model share a hot buffer.
                name = f"in_{array.dtype}_{'x'.join(map(str, shape))}_{side}"
                self._feeds.setdefault(name, array)
                sides.append(name)
            kind = np.dtype(np.int32 if product.is_integer else np.float32)
            nodes.append(
                onnx.helper.make_node("MatMulInteger" if product.is_integer else "MatMul", sides, [f"out{number}"])
            )
            self._results[f"out{number}"] = np.empty((*product.left[:-1], product.right[-1]), dtype=kind)
        value_info, element = onnx.helper.make_tensor_value_info, onnx.helper.np_dtype_to_tensor_dtype
        inputs = [value_info(name, element(array.dtype), array.shape) for name, array in self._feeds.items()]
        outputs = [value_info(name, element(array.dtype), array.shape) for name, array in self._results.items()]
        graph = onnx.helper.make_graph(nodes, "products", inputs, outputs, initializers)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
        model.ir_version = 9
        with tempfile.TemporaryDirectory(prefix="twohands-bench-") as folder:
            path = Path(folder) / "products.onnx"
            onnx.save(model, str(path))
            # The model's own weights stand there: without, it would race products that are slower than its own.
            with huge_pages():
                self._session = ort.InferenceSession(str(path), _options(1), providers=["CPUExecutionProvider"])
        self._local = threading.local()

    def _bind(self) -> Any:  # noqa: ANN401 - the runtime's own class, untyped
        """Inputs and outputs of one thread, in place once: copying is no product."""
        binding = getattr(self._local, "binding", None)
        if binding is None:
            binding = self._session.io_binding()
            self._local.held = [
                {name: array.copy() for name, array in part.items()} for part in (self._feeds, self._results)
            ]
            feeds, results = self._local.held
            for name, array in feeds.items():
                binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
            for name, array in results.items():
                binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
            self._local.binding = binding
        return binding

    def run(self) -> float:
        """Compute every product once.

        Returns:
            Seconds.
        """
        binding = self._bind()
        started_s = time.perf_counter()
        self._session.run_with_iobinding(binding)
        return time.perf_counter() - started_s
