"""What is loaded stands on huge pages afterwards, with its bytes; stacks and files stay as they are."""

import mmap
import re
import subprocess
import sys
from pathlib import Path

import pytest

from twohands.pages import PAGE_BYTES, huge_pages, move_to_huge_pages, read_memory

MAPS = """\
55d0c0a00000-55d0c0b00000 r-xp 00002000 fe:00 190545                     /usr/bin/python3.11
55d0c1a00000-55d0c1b00000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 ---p 00000000 00:00 0
7f0000001000-7f0000801000 rw-p 00000000 00:00 0
7f0000900000-7f0001900000 rw-p 00000000 00:00 0
7f0002000000-7f0002100000 rw-p 00001000 fe:00 178047                     /usr/lib/a library.so (deleted)
7f0003000000-7f0003100000 rw-s 00000000 00:01 4                          /dev/zero (deleted)
7fff98311000-7fff98332000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_the_heap_and_memory_that_is_no_file_and_no_stack_is_found():
    assert read_memory(MAPS) == [(0x55D0C1A00000, 0x55D0C1B00000), (0x7F0000900000, 0x7F0001900000)]


def read_huge_kb():
    return int(re.search(r"AnonHugePages: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text("ascii"))[1])


def can_collapse():
    """Whether the kernel takes the wish; it is 6.1 or later, and has huge pages switched on."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not sys.platform.startswith("linux") or not setting.exists() or "[never]" in setting.read_text("ascii"):
        return False
    release = Path("/proc/sys/kernel/osrelease").read_text("ascii").split(".")
    return (int(release[0]), int(re.match(r"\d+", release[1])[0])) >= (6, 1)


@pytest.mark.skipif(not can_collapse(), reason="no huge pages on demand here")
def test_what_is_taken_within_stands_on_huge_pages_and_keeps_its_bytes():
    size = 8 * PAGE_BYTES
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as earlier:
        earlier.madvise(mmap.MADV_NOHUGEPAGE)  # a mapping of its own, which the later one is not joined to
        earlier.write(b"e" * size)
        before_kb = read_huge_kb()
        with huge_pages():
            taken = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            taken.write(b"t" * size)
        grown_kb = read_huge_kb() - before_kb
        assert taken[:] == b"t" * size
        taken.close()
    assert grown_kb >= 6 * PAGE_BYTES // 1024


@pytest.mark.skipif(not can_collapse(), reason="no huge pages on demand here")
def test_all_memory_of_a_process_is_moved():
    code = (
        "import re; from pathlib import Path; from twohands.pages import move_to_huge_pages\n"
        "kept = [bytearray(1000) for _ in range(20_000)]\n"
        "move_to_huge_pages()\n"
        "assert all(part == bytes(1000) for part in kept)\n"
        "print(re.search(r'AnonHugePages: +(\\d+)', Path('/proc/self/smaps_rollup').read_text())[1])\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert int(shown) >= 8 * PAGE_BYTES // 1024


@pytest.mark.parametrize("name", ["absent", "never"])
def test_where_the_system_has_no_huge_pages_nothing_is_asked_for(monkeypatch, tmp_path, name):
    (tmp_path / "never").write_text("always madvise [never]\n", encoding="ascii")
    monkeypatch.setattr("twohands.pages._SETTING", tmp_path / name)
    monkeypatch.setattr("twohands.pages.ctypes.CDLL", lambda _: pytest.fail("asked for all the same"))
    with huge_pages():
        kept = bytearray(4 * PAGE_BYTES)
    move_to_huge_pages()
    assert not any(kept)
