// Owns rows -> a workbook of Excel, part for part as twohands/xlsx.py writes it, but stored and not packed. Knows
// nothing of answers.
const MAX_ROWS = 1_048_575; // below the heading
const MAX_CHARS = 32_767; // of a cell, as UTF-16 counts them; Excel calls a file damaged that has more
const ROWS_AT_ONCE = 1000; // as one text: a browser makes none of more than half a gigabyte
const MADE = (1 << 5) | 1; // 1 January 1980, as zip counts days

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml";
const FONT = '<sz val="11"/><name val="Calibri"/>';
const PLAIN = 'fillId="0" borderId="0"';
const PARTS = {
  "[Content_Types].xml": `<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${TYPE}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="${TYPE}.styles+xml"/></Types>`,
  "_rels/.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
  "xl/workbook.xml": `<workbook xmlns="${MAIN}" xmlns:r="${OFFICE}"><bookViews><workbookView/></bookViews><sheets><sheet name="twohands" sheetId="1" r:id="rId1"/></sheets></workbook>`,
  "xl/_rels/workbook.xml.rels": `<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="rId1" Type="${OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="${OFFICE}/styles" Target="styles.xml"/></Relationships>`,
  "xl/styles.xml": `<styleSheet xmlns="${MAIN}"><fonts count="2"><font>${FONT}</font><font><b/>${FONT}</font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" ${PLAIN}/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0" fontId="0" ${PLAIN} xfId="0"/><xf numFmtId="0" fontId="1" ${PLAIN} xfId="0" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`,
};
const BEGIN = `${XML}<worksheet xmlns="${MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`;
const END = "</sheetData></worksheet>";
// What XML cannot hold, and a carriage return, which it reads as a line feed; `_x0041_` itself stands for an A.
const ESCAPED = /[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g;
const MARKS = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

function writeText(value, style = "") {
  const told = ` [cut: ${value.length} characters]`;
  const text = value.length > MAX_CHARS ? `${value.slice(0, MAX_CHARS - told.length).replace(/[\ud800-\udbff]$/, "")}${told}` : value;
  const escaped = text
    .toWellFormed()
    .replace(ESCAPED, (found) => `_x${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`)
    .replace(/[&<>]/g, (mark) => MARKS[mark]);
  return `<c t="inlineStr"${style}><is><t xml:space="preserve">${escaped}</t></is></c>`;
}

function writeCell(cell) {
  if (cell === null || cell === undefined) return "<c/>";
  if (typeof cell === "boolean") return `<c t="b"><v>${Number(cell)}</v></c>`;
  return typeof cell === "number" && Number.isFinite(cell) ? `<c><v>${cell}</v></c>` : writeText(String(cell));
}

const TABLE = Uint32Array.from({ length: 256 }, (_, number) => {
  let left = number;
  for (let bit = 0; bit < 8; bit += 1) left = left & 1 ? (left >>> 1) ^ 0xedb88320 : left >>> 1;
  return left;
});

function checksum(pieces) {
  let sum = 0xffffffff;
  for (const bytes of pieces) for (const byte of bytes) sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 0xff];
  return (sum ^ 0xffffffff) >>> 0;
}

// Numbers of 2 and 4 bytes, as zip has them: the lowest first.
function pack(...numbers) {
  const view = new DataView(new ArrayBuffer(numbers.reduce((total, [, size]) => total + size, 0)));
  let at = 0;
  for (const [number, size] of numbers) {
    if (size === 2) view.setUint16(at, number, true);
    else view.setUint32(at, number, true);
    at += size;
  }
  return view.buffer;
}

const encode = (text) => new TextEncoder().encode(text);

// `files` are lists of bytes by name.
function zip(files, type) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, pieces] of Object.entries(files)) {
    const path = encode(name);
    const nBytes = pieces.reduce((total, bytes) => total + bytes.length, 0);
    // Version, flags, stored, time, day, checksum, twice the size, length of the name, nothing more.
    const told = [[20, 2], [0, 2], [0, 2], [0, 2], [MADE, 2], [checksum(pieces), 4], [nBytes, 4], [nBytes, 4], [path.length, 2], [0, 2]];
    const head = pack([0x04034b50, 4], ...told);
    parts.push(head, path, ...pieces);
    directory.push(pack([0x02014b50, 4], [20, 2], ...told, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]), path);
    at += head.byteLength + path.length + nBytes;
  }
  const size = directory.reduce((total, part) => total + part.byteLength, 0);
  const n = Object.keys(files).length;
  return new Blob([...parts, ...directory, pack([0x06054b50, 4], [0, 2], [0, 2], [n, 2], [n, 2], [size, 4], [at, 4], [0, 2])], { type });
}

// `rows` are lists of cells: texts, numbers, truths, or nothing.
export function makeWorkbook(names, rows) {
  if (rows.length > MAX_ROWS) throw new Error(`a sheet of Excel holds ${MAX_ROWS} rows, and there are ${rows.length}. Take CSV.`);
  const heading = names.map((name) => writeText(name, ' s="1"')).join("");
  const sheet = [encode(`${BEGIN}<row>${heading}</row>`)];
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const held = rows.slice(at, at + ROWS_AT_ONCE).map((row) => `<row>${row.map(writeCell).join("")}</row>`);
    sheet.push(encode(held.join("")));
  }
  sheet.push(encode(END));
  const parts = Object.fromEntries(Object.entries(PARTS).map(([name, content]) => [name, [encode(XML + content)]]));
  return zip({ ...parts, "xl/worksheets/sheet1.xml": sheet }, `${TYPE}.sheet`);
}
