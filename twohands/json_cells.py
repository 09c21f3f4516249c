"""Owns how JSONL becomes cells by key: streamed, each fault told of by row, and what the file as a whole is instead."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from twohands.charsets import read_utf_8_lines
from twohands.repeated_keys import RepeatedKeysError, refuse_repeats
from twohands.row_faults import FileFault
from twohands.row_files import bound_lines

_EXPECTED = "one object a line is expected"
# The first lines of what is one value over many, and what makes a line of each row.
_OF_ARRAY = "as by: jq -c '.[]' FILE"
_WHOLE_FILES = (
    (re.compile(rb"\[\s*(\{.*)?"), f"an array of JSON; {_EXPECTED}, {_OF_ARRAY}"),
    (re.compile(rb"\{"), f"an object of JSON over several lines; {_EXPECTED}, as by: jq -c . FILE"),
)
# Made once: `json.loads` makes one for each line.
_DECODER = json.JSONDecoder(object_pairs_hook=refuse_repeats)
_MOST_ALONE = 5  # lines that are no JSON; of more it was the file that was written otherwise


def _tell_whole_file(line: bytes) -> str | None:
    """What a file is that goes on behind a first line which is no JSON; None where that line alone may be wrong."""
    return next((what for begins, what in _WHOLE_FILES if begins.fullmatch(line)), None)


def _describe(error: ValueError | RecursionError) -> tuple[str, str, int]:
    """What kind of fault it is, the fault, and how many of its kind are told of one by one."""
    if isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8":
        byte = error.object[error.start]
        return "UTF-8", f"byte 0x{byte:02x} is not UTF-8; save the file as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)", 1
    # The line that `json` names is always the first: of the row, and not of the file.
    what = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    return "JSON", f"not JSON ({what}); {_EXPECTED}", _MOST_ALONE


def read_json_cells(
    pieces: Iterable[bytes], name: str, faults: list[str]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Stream the rows of JSONL.

    Args:
        pieces: as of `read_pieces`, in UTF-8, or in UTF-16 or UTF-32 with its byte order mark.
        name: how places are named.
        faults: lines that cannot be read, or are too long, are described here and passed over; of a file that is one
            array, or has its objects over several lines, nothing else is.

    Yields:
        The place of a row, and its cells by key.
    """
    is_first = True
    for number, raw in enumerate(bound_lines(read_utf_8_lines(pieces), name, faults), start=1):
        place = f"{name}:{number}"
        if not (line := raw.removeprefix(b"\xef\xbb\xbf").strip()):
            continue
        try:
            cells = _DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
        except RepeatedKeysError as error:
            faults.append(f"{place}: {error}")
        except (ValueError, RecursionError) as error:
            if is_first and (whole := _tell_whole_file(line)):
                faults.append(f"{place}: {whole}")
                return
            kind, what, n_alone = _describe(error)
            faults.append(FileFault(f"{name}: {kind}", place, what, n_alone=n_alone))
        else:
            if isinstance(cells, dict):
                yield place, cells
            else:
                is_array = is_first and isinstance(cells, list) and any(isinstance(each, dict) for each in cells)
                remedy = f", {_OF_ARRAY}" if is_array else ""
                faults.append(f"{place}: found {type(cells).__name__}, expected one JSON object a line{remedy}")
        is_first = False
