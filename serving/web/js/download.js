// Owns results -> files, made in the browser: JSON lines as the service answers, tables with the flat columns
// of `twohands classify` (twohands/outputs.py); with them which row or paragraph it is, which model answered, and what
// the reader corrected.
import { h, openDialog, saveFile } from "./dom.js";
import { findCorrected } from "./corrected.js";
import { OWN_KEYS } from "./paragraph.js";
import { makeWorkbook } from "./xlsx.js";

// Flat columns: { name, type, get }.
function answerColumns(taxonomy) {
  const columns = [];
  const add = (name, type, get) => columns.push({ name, type, get });
  for (const head of taxonomy.heads) {
    if (head.isOneOf) {
      add(head.name, "STRING", (answer) => answer[head.name]?.label);
      add(`${head.name}_score`, "DOUBLE", (answer) => answer[head.name]?.score);
      add(`${head.name}_abstained`, "BOOLEAN", (answer) => answer[head.name]?.abstained);
    } else {
      add(head.name, "STRING", (answer) => answer[head.name]?.labels.join("|"));
    }
    for (const label of head.labels) add(`${head.name}_score_${label.name}`, "DOUBLE", (answer) => answer[head.name]?.scores[label.name]);
  }
  for (const name of ["n_tokens", "n_windows", "n_tokens_cut"]) add(name, "INT64", (answer) => answer[name]);
  add("truncated", "BOOLEAN", (answer) => answer.truncated);
  add("warnings", "STRING", (answer) => answer.warnings?.join("|"));
  add("error_code", "STRING", (answer) => answer.error?.code);
  add("error_message", "STRING", (answer) => answer.error?.message);
  return columns;
}

// What is told of a row beside what the service answered: where it stands, counted from 1 as the page does, who
// answered, and what a reader has said instead.
function remark({ place, model, corrected }, taxonomy) {
  const labels = Object.fromEntries(taxonomy.heads.map((head) => [`corrected_${head.name}`, corrected?.[head.name] ?? null]));
  return { ...place, model: `${model.name} ${model.version} ${model.sha256.slice(0, 8)}`, ...labels };
}

// Where a paragraph stands: its number as in the margin, the page of a PDF; where any stands below a heading, which, and
// where any has a speaker, who speaks.
const NAMED = ["section", "speaker"];
const placeOf = (paragraph, named) => ({
  number: paragraph.readIndex + 1,
  ...(paragraph.page ? { page: paragraph.page } : {}),
  ...Object.fromEntries(named.map((name) => [name, paragraph[name] ?? null])),
});

// Rows of a reading: { own, place, model, corrected, answer }.
export function paragraphRows(reading) {
  const named = NAMED.filter((name) => reading.paragraphs.some((paragraph) => paragraph[name]));
  return reading.paragraphs.map((paragraph) => ({
    own: { document: reading.title, paragraph: paragraph.readIndex, start: paragraph.start, end: paragraph.end, text: paragraph.rawText },
    place: placeOf(paragraph, named),
    model: reading.model,
    corrected: findCorrected(reading.taxonomy, paragraph.rawText),
    answer: Object.fromEntries(Object.entries(paragraph).filter(([name]) => !["paragraph", "start", "end", "page", ...NAMED].includes(name) && !OWN_KEYS.includes(name))),
  }));
}

function ownColumns(rows) {
  return ownNames(rows).map((name) => {
    const values = rows.map(({ own }) => own[name]).filter((value) => value !== null && value !== undefined);
    const isWhole = values.length > 0 && values.every((value) => Number.isSafeInteger(value));
    const isNumber = values.length > 0 && values.every((value) => typeof value === "number");
    const isBoolean = values.length > 0 && values.every((value) => typeof value === "boolean");
    return { name, type: isWhole ? "INT64" : isNumber ? "DOUBLE" : isBoolean ? "BOOLEAN" : "STRING" };
  });
}

// What each name becomes: before one that is taken comes `mark`, until it is free. A file that was saved here and read
// again has columns with the mark already.
function avoid(names, taken, mark = "input_") {
  const used = new Set([...taken, ...names]);
  const found = new Map();
  for (const name of names) {
    let free = name;
    if (taken.has(name)) do free = `${mark}${free}`; while (used.has(free));
    used.add(free);
    found.set(name, free);
  }
  return (name) => found.get(name);
}

const renameAll = (values, rename) => Object.fromEntries(Object.entries(values).map(([name, value]) => [rename(name), value]));

const remarkNames = (rows, taxonomy) => (rows.length ? Object.keys(remark(rows[0], taxonomy)) : []);

function ownNames(rows) {
  const names = new Set();
  for (const { own } of rows) for (const name of Object.keys(own)) names.add(name);
  return [...names];
}

// Of several labels as one cell; "-" is that none applies, as in rows to train on.
const joinLabels = (value) => (Array.isArray(value) ? value.join("|") || "-" : value);

// Columns of the file, those that came in first; one that has the name of an answer's gets `input_` before it.
// What a head of the model is called is its own: a remark of that name gets `page_`.
export function layOut(rows, taxonomy) {
  const answered = answerColumns(taxonomy);
  const taken = new Set(answered.map((column) => column.name));
  const remarked = remarkNames(rows, taxonomy);
  const renameRemark = avoid(remarked, taken, "page_");
  const remarks = remarked.map((name) => ({ name: renameRemark(name), type: ["row", "number", "page"].includes(name) ? "INT64" : "STRING", get: (row) => joinLabels(remark(row, taxonomy)[name]) }));
  const answers = [...answered.map((column) => ({ ...column, get: (row) => column.get(row.answer) })), ...remarks];
  const rename = avoid(ownNames(rows), new Set(answers.map((column) => column.name)));
  const own = ownColumns(rows).map((column) => ({ ...column, name: rename(column.name), get: (row) => row.own[column.name] }));
  return [...own, ...answers];
}

// A lone minus is the mark of no label, and computes nothing.
const FORMULA = /^(?!-$)(?![+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$)[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/; // the last four: full-width
const BOM = "\ufeff"; // without it, Excel reads UTF-8 in the machine's own alphabet
const asText = (value) => (value === null || value === undefined ? null : typeof value === "object" ? JSON.stringify(value) : String(value));

async function toCsv(rows, taxonomy) {
  const columns = layOut(rows, taxonomy);
  const cells = rows.map((row) => columns.map((column) => asText(column.get(row)) ?? ""));
  // Cells that a spreadsheet would take for a formula get an apostrophe before them; a number below zero is none.
  const csv = globalThis.Papa.unparse({ fields: columns.map((column) => column.name), data: cells }, { newline: "\n", escapeFormulae: FORMULA });
  return new Blob([BOM, csv, "\n"], { type: "text/csv;charset=utf-8" });
}

function toJsonLines(rows, taxonomy) {
  const answered = new Set(rows.flatMap(({ answer }) => Object.keys(answer)));
  const renameRemark = avoid(remarkNames(rows, taxonomy), answered, "page_");
  const rename = avoid(ownNames(rows), new Set([...answered, ...remarkNames(rows, taxonomy).map(renameRemark)]));
  const write = (row) => `${JSON.stringify({ ...renameAll(row.own, rename), ...renameAll(remark(row, taxonomy), renameRemark), ...row.answer })}\n`;
  return new Blob(rows.map(write), { type: "application/x-ndjson" });
}

// A workbook has no text that is a formula, and no number that a comma would be the point of.
async function toExcel(rows, taxonomy) {
  const columns = layOut(rows, taxonomy);
  const read = ({ type, get }, row) => (type === "STRING" ? asText(get(row)) : get(row));
  return makeWorkbook(columns.map(({ name }) => name), rows.map((row) => columns.map((column) => read(column, row))));
}

async function toParquet(rows, taxonomy) {
  const { parquetWriteBuffer } = await import("../vendor/hyparquet-writer.js");
  const columnData = layOut(rows, taxonomy).map(({ name, type, get }) => ({
    name,
    type,
    nullable: true,
    data: rows.map((row) => {
      const value = get(row);
      if (value === null || value === undefined) return null;
      return type === "STRING" ? asText(value) : type === "INT64" ? BigInt(value) : value;
    }),
  }));
  return new Blob([parquetWriteBuffer({ columnData })], { type: "application/vnd.apache.parquet" });
}

const FORMATS = { xlsx: toExcel, csv: toCsv, jsonl: async (rows, taxonomy) => toJsonLines(rows, taxonomy), parquet: toParquet };

// A name of a document or a table as that of a file, on any system.
const nameFile = (name) => name.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}]+/gu, "-").slice(0, 60).toWellFormed().replace(/^-+|-+$/g, "") || "reading";

// Buttons that save what `getRows` gives, in files that bear a name; `onSaved` gets the rows of each.
export function downloadButtons(taxonomy, getRows, name, onSaved) {
  const save = async (format) => {
    try {
      const rows = getRows();
      if (!rows.length) {
        openDialog("Nothing to download", h("p", {}, "No answer is shown yet, or none is left by the filters."));
        return;
      }
      saveFile(`${nameFile(name)}-twohands.${format}`, await FORMATS[format](rows, taxonomy));
      onSaved(rows);
    } catch (error) {
      openDialog("No file", h("p", { class: "fault", role: "alert" }, `The file could not be made: ${error.message}`));
    }
  };
  const labels = { xlsx: "Excel", csv: "CSV", jsonl: "JSONL", parquet: "Parquet" };
  return [h("span", { class: "group", role: "group", "aria-label": "Download" }, h("span", { class: "muted" }, "Download"), Object.entries(labels).map(([format, label]) => h("button", { type: "button", on: { click: () => save(format) } }, label)))];
}
