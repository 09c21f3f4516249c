"""Owns rows -> a workbook of Excel (.xlsx) with one sheet, a row at a time. Knows nothing of answers.

Cells have their kind: a number is one whatever the decimal sign of the reader's Excel, and a text is never a formula
or a date, however it begins.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from twohands.errors import FileWriteError

MAX_ROWS = 1_048_575  # below the heading
MAX_CHARS = 32_767  # of a cell, as UTF-16 counts them; Excel calls a file damaged that has more
_ROWS_AT_ONCE = 1000
_MADE = (1980, 1, 1, 0, 0, 0)  # the same rows make the same bytes

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews>'
    '<sheets><sheet name="twohands" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><fonts count="2">'
    '<font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}
_SHEET_BEGIN = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
_BOLD = ' s="1"'
_SHEET_END = "</sheetData></worksheet>"
# What XML cannot hold, and a carriage return, which it reads as a line feed; `_x0041_` itself stands for an A.
_ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def _write_text(text: str, style: str = "") -> str:
    if len(text) > MAX_CHARS // 2 and len(units := text.encode("utf-16-le")) > 2 * MAX_CHARS:
        told = f" [cut: {len(units) // 2} characters]"
        text = units[: 2 * (MAX_CHARS - len(told))].decode("utf-16-le", "ignore") + told  # with no half of a letter
    escaped = _ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{escaped}</t></is></c>'


def _write_cell(cell: object) -> str:
    if cell is None:
        return "<c/>"
    if isinstance(cell, bool):
        return f'<c t="b"><v>{int(cell)}</v></c>'
    return f"<c><v>{cell!r}</v></c>" if isinstance(cell, int | float) else _write_text(str(cell))


def _sheet(names: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _SHEET_BEGIN
    yield f"<row>{''.join(_write_text(name, _BOLD) for name in names)}</row>"
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            raise FileWriteError(f"a sheet of Excel holds {MAX_ROWS:,} rows, and there are more; write .csv")
        yield f"<row>{''.join(map(_write_cell, row))}</row>"
    yield _SHEET_END


def write_xlsx(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a workbook.

    Args:
        path: replaced if it exists.
        names: of the columns, which stay in sight.
        rows: cells in that order: texts, finite numbers, truths, or None for a blank one. A text of more than
            `MAX_CHARS` characters is cut, and says so at its end.

    Raises:
        OSError: the file cannot be written.
        FileWriteError: there are more than `MAX_ROWS` rows.

    Source:
        ECMA-376, part 1, sections 18.3 (worksheets) and 22.9.2.19 (how characters are escaped).
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _PARTS.items():
            archive.writestr(_describe(name), _XML + content)
        with archive.open(_describe("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as stream:
            held: list[str] = []
            for piece in _sheet(names, rows):
                held.append(piece)
                if len(held) == _ROWS_AT_ONCE:
                    stream.write("".join(held).encode())
                    held.clear()
            stream.write("".join(held).encode())


def _describe(name: str) -> zipfile.ZipInfo:
    described = zipfile.ZipInfo(name, _MADE)
    described.compress_type = zipfile.ZIP_DEFLATED
    return described
