"""Owns what the system tells of the CPU: its name, and those flags that decide between kernels. Only Linux tells."""

import platform
from pathlib import Path

CPU_FILE = Path("/proc/cpuinfo")

# Those that decide between int8, bf16 and float kernels, x86 and ARM; the whole list would be noise beside a figure.
_FLAGS = (
    *("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "avx_vnni", "amx_bf16", "amx_int8", "amx_tile"),
    *("asimd", "bf16", "i8mm", "sve"),
)


def read_cpu(cpu_file: Path = CPU_FILE) -> tuple[str, list[str]]:
    """Name the CPU and its flags that matter here.

    Args:
        cpu_file: `/proc/cpuinfo`.

    Returns:
        The model's name, and flags in a fixed order; no flags where the system does not tell.
    """
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        lines = cpu_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return model, []
    for line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "model name":
            model = value
        elif key in {"flags", "Features"}:
            flags |= set(value.split())
    return model, [flag for flag in _FLAGS if flag in flags]


def describe_cpu() -> str:
    """Name the CPU in a line, since int8 and bf16 kernels differ by it, and some scores with them.

    Returns:
        As `AMD EPYC (avx2 fma avx512f)`.
    """
    model, flags = read_cpu()
    return f"{model} ({' '.join(flags) or 'flags unknown'})"


def multiplies_bf16() -> bool:
    """Say whether this CPU multiplies matrices of bf16 itself (AMX, AVX-512, ARM), which changes what is fastest.

    Returns:
        Whether it lists a flag for it.
    """
    return not {"amx_bf16", "avx512_bf16", "bf16"}.isdisjoint(read_cpu()[1])
