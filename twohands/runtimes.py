"""Owns which runtime runs a model: chosen by name, or by what the CPU multiplies. Imports none until one is opened."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from twohands.cpu import CPU_FILE, read_cpu
from twohands.misuse import ArgumentError

if TYPE_CHECKING:
    from twohands.session import Session

Runtime = Literal["onnxruntime", "openvino", "auto"]
DEFAULT_RUNTIME: Runtime = "onnxruntime"


def has_amx_bf16(cpu_file: Path = CPU_FILE) -> bool:
    """Say whether this CPU multiplies bf16 in tiles; no where the system does not tell (only Linux does).

    Args:
        cpu_file: `/proc/cpuinfo`.

    Returns:
        Whether the kernel lists the flag.
    """
    return "amx_bf16" in read_cpu(cpu_file)[1]


def lacks_vnni(cpu_file: Path = CPU_FILE) -> bool:
    """Say whether this is an x86 CPU without instructions for int8 sums, where int8 is hardly faster than floats.

    Args:
        cpu_file: `/proc/cpuinfo`.

    Returns:
        Whether the kernel lists AVX2 and none of VNNI and AMX; no where the system does not tell (only Linux does).
    """
    flags = set(read_cpu(cpu_file)[1])
    return "avx2" in flags and not flags & {"avx512_vnni", "avx_vnni", "amx_int8"}


def choose_runtime(runtime: Runtime) -> Literal["onnxruntime", "openvino"]:
    """Make `auto` one of the runtimes.

    Args:
        runtime: `auto` takes OpenVINO where it is installed and the CPU has AMX for bf16, else ONNX Runtime.

    Returns:
        The runtime.

    Raises:
        ArgumentError: there is no such runtime.
    """
    if runtime not in get_args(Runtime):
        raise ArgumentError(f"runtime is {runtime!r}; expected one of {', '.join(get_args(Runtime))}")
    if runtime != "auto":
        return runtime
    is_installed = all(importlib.util.find_spec(name) is not None for name in ("openvino", "onnx"))
    return "openvino" if is_installed and has_amx_bf16() else "onnxruntime"


def open_session(
    path: Path, *, runtime: Runtime = DEFAULT_RUNTIME, num_threads: int | None = None, max_tokens: int | None = None
) -> "Session":
    """Load a graph into a runtime.

    Args:
        path: `model.onnx`.
        runtime: which.
        num_threads: most threads; None for all that this process may use.
        max_tokens: of the model's window; a runtime that pads pads no further.

    Returns:
        The session.

    Raises:
        ArgumentError: there is no such runtime, or `num_threads` is no whole number of at least 1.
        FileReadError: the file is missing or is not a graph that this runtime can run.
        MissingExtraError: OpenVINO is not installed.
    """
    if choose_runtime(runtime) == "openvino":
        from twohands.openvino_session import OpenVinoSession

        return OpenVinoSession(path, num_threads=num_threads, max_tokens=max_tokens)
    from twohands.session import OnnxSession

    return OnnxSession(path, num_threads=num_threads)
