"""Owns one question: do sums of int8 products overflow on this CPU, so that the slower, exact way has to be taken?

x86 without VNNI adds pairs of products in 16 bits, and a sum that does not fit is cut off. The exact way costs a fifth
of the time there. On CPUs with VNNI, which need it not, it takes twice the time of the other (docs/performance.md).
"""

import functools

import numpy as np
import onnxruntime as ort

# A graph of one node, y = MatMulInteger(a: uint8, b: int8), opset 10: the installation for serving cannot make one.
_PRODUCT = (
    b'\x08\x05\x12\x00:P\n\x18\n\x01a\n\x01b\x12\x01y"\rMatMulInteger\x12\x01pZ\x0f\n\x01a\x12\n\n\x08\x08\x02\x12\x04'
    b"\n\x00\n\x00Z\x0f\n\x01b\x12\n\n\x08\x08\x03\x12\x04\n\x00\n\x00b\x0f\n\x01y\x12\n\n\x08\x08\x06\x12\x04\n\x00\n\x00"
    b"B\x04\n\x00\x10\n"
)
_A, _B, _DEPTH = 255, 127, 64  # the largest of both types; a pair of their products is twice what 16 bits hold


@functools.cache
def sums_overflow() -> bool:
    """Say whether ONNX Runtime's product of unsigned with signed 8-bit matrices is wrong here for large values.

    Asked of the runtime itself, since what it does hangs on its own kernels and on flags that only Linux tells. Takes
    some milliseconds once in a process.

    Returns:
        Whether it is.

    Source:
        ONNX Runtime, session.x64quantprecision; Intel's VPMADDUBSW, which saturates.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(_PRODUCT, options, providers=["CPUExecutionProvider"])
    a, b = np.full((4, _DEPTH), _A, np.uint8), np.full((_DEPTH, 16), _B, np.int8)
    (sums,) = session.run(["y"], {"a": a, "b": b})
    return bool((np.asarray(sums) != _A * _B * _DEPTH).any())
