// Owns file -> rows: CSV and JSON lines, and which of their columns hold text, date and source.
import { BadFileError } from "./documents.js";

const MOST_BYTES = 300_000_000;
const NAMES = {
  text: ["text", "paragraph", "body", "content", "article", "sentence", "abstract"],
  date: ["date", "published", "published_at", "pubdate", "created", "created_at", "timestamp", "time", "day", "month", "year"],
  source: ["source", "outlet", "publisher", "newspaper", "author", "speaker", "country", "group"],
};

// Decoded as a whole, and not by Papa Parse piece by piece: it would break a character that two pieces share.
// Spreadsheets save CSV in the machine's own alphabet, which would be read with every accent and quotation mark lost.
async function decodeCsv(file) {
  const decoder = new TextDecoder("utf-8", { fatal: true }); // takes the mark of byte order away
  const pieces = [];
  const bytes = file.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await bytes.read();
      pieces.push(decoder.decode(value, { stream: !done }));
      if (done) return pieces.join("");
    }
  } catch {
    throw new BadFileError(`${file.name} is not text in UTF-8. In Excel, save it as "CSV UTF-8".`);
  }
}

async function readCsv(file) {
  const text = await decodeCsv(file);
  const rows = [];
  let faults = [];
  let nFields = 0;
  const take = ({ data, errors, meta }) => {
    for (const row of data) {
      const { __parsed_extra: _, ...own } = row;
      rows.push(own);
    }
    faults = faults.concat(errors.filter(({ type }) => type !== "Delimiter").slice(0, 5 - faults.length));
    nFields = Math.max(nFields, meta.fields?.length ?? 0);
  };
  await new Promise((resolve, reject) => {
    const chunk = (taken, parser) => {
      take(taken);
      parser.pause(); // the page answers in between
      setTimeout(() => parser.resume());
    };
    globalThis.Papa.parse(text, { header: true, skipEmptyLines: "greedy", chunkSize: 2_000_000, chunk, complete: resolve, error: reject });
  });
  if (!nFields) throw new BadFileError(`${file.name} has no header line that names its columns.`);
  return { rows, notes: faults.map(({ message, row }) => `Row ${(row ?? 0) + 1}: ${message}.`) };
}

async function readJsonLines(file) {
  const rows = [];
  const notes = [];
  let number = 0;
  let nBad = 0;
  let held = "";
  const take = (line) => {
    number += 1;
    if (!line.trim()) return;
    try {
      const value = JSON.parse(line);
      if (typeof value === "string") rows.push({ text: value });
      else if (value && typeof value === "object" && !Array.isArray(value)) rows.push(value);
      else throw new Error("no object");
    } catch {
      nBad += 1;
      if (notes.length < 5) notes.push(`Line ${number} is no JSON object; it is left out.`);
    }
  };
  let decoded;
  try {
    decoded = file.stream().pipeThrough(new TextDecoderStream("utf-8", { fatal: true })).getReader();
    for (;;) {
      const { done, value } = await decoded.read();
      const lines = (held + (value ?? "")).split("\n");
      held = done ? "" : lines.pop();
      lines.forEach(take);
      if (done) break;
    }
  } catch {
    throw new BadFileError(`${file.name} is not text in UTF-8.`);
  }
  if (nBad > notes.length) notes.push(`and ${nBad - notes.length} more such lines.`);
  return { rows, notes };
}

// A file that is one JSON list, and not a line for each row; null where it is none.
async function readJsonList(file) {
  if (!/^\s*\[/.test(await file.slice(0, 4096).text())) return null;
  try {
    const rows = JSON.parse(await file.text());
    return rows.every((row) => row && typeof row === "object" && !Array.isArray(row)) ? { rows, notes: [] } : null;
  } catch {
    return null;
  }
}

// Reads { rows, notes }; rows are objects. Throws BadFileError.
export async function readRows(file) {
  const suffix = file.name.split(".").pop().toLowerCase();
  if (!file.size) throw new BadFileError(`${file.name} is empty.`);
  if (file.size > MOST_BYTES) throw new BadFileError(`${file.name} has ${Math.round(file.size / 1e6)} MB, more than a browser should hold. Use "twohands classify" for it.`);
  if (!["csv", "tsv", "jsonl", "ndjson", "json"].includes(suffix)) throw new BadFileError(`${file.name} is no table that is read here. CSV (with a header) and JSON lines are.`);
  const start = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  if (start.includes(0)) throw new BadFileError(`${file.name} is not text. Save the table as CSV in UTF-8.`);
  const isCsv = suffix === "csv" || suffix === "tsv";
  const told = isCsv ? await readCsv(file) : ((await readJsonList(file)) ?? (await readJsonLines(file)));
  if (!listColumns(told.rows).length) throw new BadFileError(`${file.name} holds no rows.${told.notes.length ? ` ${told.notes[0]}` : ""}`);
  return told;
}

export function listColumns(rows) {
  const names = new Set();
  for (const row of rows.slice(0, 1000)) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

const YEAR_FIRST = /^\s*(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2}))?)?(?!\d)/;
const YEAR_LAST = /^\s*(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)/;

// Which of 03/04/2021 is the day, as its column tells: "first", "second", or null where no day is above 12.
export function findDayPlace(values) {
  let place = null;
  for (const value of values) {
    const found = YEAR_LAST.exec(String(value ?? ""));
    if (found && (found[2] === "." || Number(found[1]) > 12)) return "first";
    if (found && Number(found[3]) > 12) place = "second";
  }
  return place;
}

const checkDate = (year, month, day) => (year < 1500 || year > 2200 || month === 0 || month > 12 || day > 31 ? null : [year, month, day]);

// A value as a day, as [year, month, day]; months and days may be missing. Where it cannot be known which is the day,
// both are: half of the rows would stand in a wrong month.
export function readDate(value, dayPlace = null) {
  const found = YEAR_FIRST.exec(String(value ?? ""));
  if (found) return checkDate(Number(found[1]), found[2] ? Number(found[2]) : null, found[3] ? Number(found[3]) : null);
  const late = YEAR_LAST.exec(String(value ?? ""));
  if (late) {
    const [first, second] = [Number(late[1]), Number(late[3])];
    if (dayPlace === null) return checkDate(Number(late[4]), null, null);
    return dayPlace === "first" ? checkDate(Number(late[4]), second, first) : checkDate(Number(late[4]), first, second);
  }
  if (typeof value !== "string" || !/\d{4}/.test(value)) return null;
  const time = new Date(value);
  return Number.isNaN(time.getTime()) ? null : checkDate(time.getFullYear(), time.getMonth() + 1, time.getDate());
}

// Which columns hold what, as well as can be told; null where none does.
export function guessColumns(rows) {
  const columns = listColumns(rows);
  const sample = rows.slice(0, 200);
  const named = (kind) => NAMES[kind].map((name) => columns.find((column) => column.toLowerCase() === name)).find(Boolean) ?? null;
  const meanLength = (column) => sample.reduce((sum, row) => sum + (typeof row[column] === "string" ? row[column].length : 0), 0) / sample.length;
  const longest = columns.reduce((best, column) => (meanLength(column) > meanLength(best) ? column : best), columns[0]);
  const isDate = (column) => column && sample.filter((row) => readDate(row[column])).length >= sample.length / 2;
  const date = named("date");
  return { text: named("text") ?? longest, date: isDate(date) ? date : (columns.find((column) => column !== longest && isDate(column)) ?? null), source: named("source") };
}
