"""What the system tells of the CPU, from files as Linux writes them on x86 and ARM."""

import pytest

from twohands.cpu import describe_cpu, multiplies_bf16, read_cpu

X86 = """processor\t: 0
model name\t: A CPU @ 2.0GHz: second edition
flags\t\t: fpu sse avx2 fma avx512f avx512_vnni amx_bf16
processor\t: 1
model name\t: A CPU @ 2.0GHz: second edition
flags\t\t: fpu sse avx2 fma avx512f avx512_vnni amx_bf16
"""
ARM = """processor\t: 0
Features\t: fp asimd i8mm bf16
CPU implementer\t: 0x41
"""


@pytest.mark.parametrize(
    ("text", "flags"),
    [(X86, ["avx2", "fma", "avx512f", "avx512_vnni", "amx_bf16"]), (ARM, ["asimd", "bf16", "i8mm"]), ("", [])],
)
def test_flags_that_matter_are_told_once_and_in_one_order(tmp_path, text, flags):
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    assert read_cpu(tmp_path / "cpuinfo")[1] == flags


def test_the_name_is_read_whole(tmp_path):
    (tmp_path / "cpuinfo").write_text(X86, encoding="utf-8")
    assert read_cpu(tmp_path / "cpuinfo")[0] == "A CPU @ 2.0GHz: second edition"


def test_a_system_without_the_file_has_a_name_and_no_flags(tmp_path):
    name, flags = read_cpu(tmp_path / "missing")
    assert flags == []
    assert isinstance(name, str)


@pytest.mark.parametrize(
    ("flags", "has"),
    [(["avx512_bf16"], True), (["amx_bf16", "amx_tile"], True), (["asimd", "bf16"], True), (["avx512f"], False)],
)
def test_who_multiplies_bf16(monkeypatch, flags, has):
    monkeypatch.setattr("twohands.cpu.read_cpu", lambda: ("a cpu", flags))
    assert multiplies_bf16() is has
    assert describe_cpu() == f"a cpu ({' '.join(flags)})"
