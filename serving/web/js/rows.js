// Owns file -> rows: CSV and JSON lines, and which of their columns hold text, date and source.
import { BadFileError } from "./documents.js";
import { readDate } from "./dates.js";
import { count } from "./dom.js";

const MOST_BYTES = 300_000_000;
const PIECE = 2_000_000; // characters of a CSV that are parsed at once
const MOST_TOLD = 5; // faults that are told one by one
const MOST_FAULTY = 0.2; // share of rows with a fault beyond which the whole table is not to be trusted
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

const SAID = /^"?sep=([^"\r\n])"?[\r\n]+/i; // the first line, by which Excel is told what parts the cells, and no header

// The names of columns; one that stands twice gets a number, as an object has each name once.
function nameColumns(cells) {
  const names = new Set();
  for (const cell of cells) {
    let name = cell;
    for (let n = 1; names.has(name); n += 1) name = `${cell}_${n}`;
    names.add(name);
  }
  return [...names];
}

// Cells behind the last column are lost, which is no fault where they are empty: spreadsheets write such.
const isTooLong = (cells, names) => cells.length > names.length && cells.slice(names.length).some((cell) => cell.trim());

// How many lines of a cell are rows that a quotation mark before them took in, which may go unseen: each of them has the
// cells of a row, and most lines are such. Commas and semicolons of prose have something else behind them than cells do,
// or else texts of several lines, which are sound, would be told of; so would those with decimal commas or addresses.
function countSwallowed(cell, delimiter, nBetween) {
  if (!nBetween || !/[\r\n]/.test(cell)) return 0;
  const lines = cell.split(/\r\n?|\n/).slice(1);
  const inNumber = nBetween === 1 ? /(\d),(?=\d)/g : /(\d),(?=\d{3}(?!\d))/g; // more cells are seldom told by numbers alone
  const strip = (line) => (/[,;]/.test(delimiter) ? line.replace(/[,;](?=[\s"'”’»]|$)|https?:\S+/g, "").replace(inNumber, "$1") : line);
  const n = lines.filter((line) => strip(line).split(delimiter).length > nBetween).length;
  return 2 * n >= lines.length ? n : 0;
}

// Rows that have too few cells: those that were cut in their text, by a line break, and what follows these, are broken;
// others lack empty cells at their end, which some programs do not write. Where the text comes first, nothing tells one
// from the other.
function findCut(shorts, textPlace) {
  const isCut = (place) => textPlace > 0 && shorts.has(place) && shorts.get(place) <= textPlace + 1;
  return [...shorts.keys()].filter((place) => isCut(place) || isCut(place - 1));
}

function sayShort(shorts, textPlace) {
  const [place] = shorts.keys();
  const first = `row ${(place + 1).toLocaleString("en")}`;
  const told = shorts.size === 1 ? `R${first.slice(1)} has fewer cells than columns` : `${count(shorts.size, "row")} have fewer cells than columns, the first of them ${first}`;
  const cut = textPlace === 0 ? " If a text was cut there by a line break, put quotation marks around it." : "";
  return `${told}: what is missing at the end is taken for empty.${cut}`;
}

function sayDoubt({ rows, faults, open, delimiter }) {
  const mark = { ",": "a comma", ";": "a semicolon", "\t": "a tab" }[delimiter] ?? `"${delimiter}"`;
  const remedy = `Put quotation marks around each cell that has ${mark} or a line break in it, and double those within it; or open the table in a spreadsheet, see that each text stands in one cell, and save it as "CSV UTF-8". Then choose it again.`;
  if (open !== null) return `A quotation mark in row ${(open + 1).toLocaleString("en")} is not closed: all that follows it was taken for one cell. ${remedy}`;
  const nSwallowed = [...faults.values()].reduce((sum, fault) => sum + fault.nSwallowed, 0);
  const [nFaulty, nRows] = [faults.size + nSwallowed, rows.length + nSwallowed];
  if (nFaulty <= nRows * MOST_FAULTY) return null;
  return `${nFaulty.toLocaleString("en")} of ${count(nRows, "row")} have more or fewer cells than the header has columns, or stray quotation marks${nSwallowed ? ", or stand in a cell of another" : ""}: their texts are cut, or stand in other columns. ${remedy}`;
}

async function readCsv(file) {
  const whole = await decodeCsv(file);
  const said = SAID.exec(whole);
  const text = said ? whole.slice(said[0].length) : whole;
  const delimiter = said?.[1] ?? globalThis.Papa.parse(text.slice(0, PIECE), { preview: 10, skipEmptyLines: "greedy" }).meta.delimiter;
  const rows = [];
  const faults = new Map(); // by the place of the row, as a fault of one that two pieces share comes twice
  const shorts = new Map(); // how many cells there are, by the place of a row that has too few
  let names = null;
  let nNamed = 0; // columns, but for those at the end that have no name
  let open = null;
  const sayCells = (n) => `has ${count(n, "cell")} for ${count(nNamed, "column")}`;
  const take = ({ data, errors }) => {
    const places = data.map((cells) => {
      const place = names ? rows.length : -1;
      if (!cells.join("").trim()) return place;
      if (!names) {
        names = nameColumns(cells);
        nNamed = cells.findLastIndex((cell) => cell.trim()) + 1;
        return place;
      }
      const nSwallowed = cells.reduce((sum, cell) => sum + countSwallowed(cell, delimiter, nNamed - 1), 0);
      if (nSwallowed) faults.set(place, { nSwallowed, words: `has ${count(nSwallowed, "line")} in one cell that ${nSwallowed === 1 ? "looks like a row" : "look like rows"}: a quotation mark may not be closed` });
      else if (isTooLong(cells, names)) faults.set(place, { nSwallowed: 0, words: sayCells(cells.length) });
      else if (cells.length < nNamed) shorts.set(place, cells.length);
      const own = {};
      for (let i = 0; i < Math.min(cells.length, names.length); i += 1) own[names[i]] = cells[i];
      rows.push(own);
      return place;
    });
    for (const { type, code, row } of errors) {
      if (type !== "Quotes") continue;
      const place = places[row] ?? rows.length;
      if (code === "MissingQuotes") open = Math.max(place, 0);
      const words = code === "MissingQuotes" ? "has a quotation mark that is not closed" : "has a quotation mark within a quoted cell that is not doubled";
      const nSwallowed = faults.get(place)?.nSwallowed ?? 0;
      if (code === "MissingQuotes" || !nSwallowed) faults.set(place, { nSwallowed, words });
    }
  };
  await new Promise((resolve, reject) => {
    const chunk = (taken, parser) => {
      take(taken);
      parser.pause(); // the page answers in between
      setTimeout(() => parser.resume());
    };
    // Rows are made of the cells here: Papa Parse counts the rows of a fault in its own piece of the file.
    globalThis.Papa.parse(text, { delimiter, chunkSize: PIECE, chunk, complete: resolve, error: reject });
  });
  if (!names) throw new BadFileError(`${file.name} has no header line that names its columns.`);
  const textPlace = names.indexOf(guessColumns(rows).text);
  for (const place of findCut(shorts, textPlace)) if (!faults.has(place)) faults.set(place, { nSwallowed: 0, words: sayCells(shorts.get(place)) });
  for (const place of faults.keys()) shorts.delete(place);
  const told = [...faults].sort(([a], [b]) => a - b).slice(0, MOST_TOLD).map(([place, { words }]) => `${place < 0 ? "The header" : `Row ${(place + 1).toLocaleString("en")}`} ${words}.`);
  if (faults.size > told.length) told.push(`and ${(faults.size - told.length).toLocaleString("en")} more such rows.`);
  if (shorts.size) told.push(sayShort(shorts, textPlace));
  return { rows, notes: told, doubt: sayDoubt({ rows, faults, open, delimiter }) };
}

// Whole numbers beyond those that a browser tells apart, such as ids of posts, stay text: each digit counts. Browsers
// that do not show how a number was written change it; `onChanged` is told of each.
function parseJson(text, onChanged) {
  if (!/\d{16}/.test(text)) return JSON.parse(text); // to look at each value takes its time
  return JSON.parse(text, (_, value, context) => {
    if (!Number.isInteger(value) || Number.isSafeInteger(value)) return value;
    if (!context) onChanged();
    return /^-?\d+$/.test(context?.source) ? context.source : value;
  });
}

const sayChanged = (n) => (n ? [`This browser cannot hold whole numbers of more than 15 digits: ${n.toLocaleString("en")} may have been changed. Put them in quotation marks, or use a newer browser.`] : []);

async function readJsonLines(file) {
  const rows = [];
  const notes = [];
  let number = 0;
  let nBad = 0;
  let nChanged = 0;
  let held = "";
  const take = (line) => {
    number += 1;
    if (!line.trim()) return;
    try {
      const value = parseJson(line, () => { nChanged += 1; });
      if (typeof value === "string") rows.push({ text: value });
      else if (value && typeof value === "object" && !Array.isArray(value)) rows.push(value);
      else throw new Error("no object");
    } catch {
      nBad += 1;
      if (notes.length < MOST_TOLD) notes.push(`Line ${number} is no JSON object; it is left out.`);
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
  if (nBad > notes.length) notes.push(`and ${(nBad - notes.length).toLocaleString("en")} more such lines.`);
  return { rows, notes: [...notes, ...sayChanged(nChanged)], doubt: null };
}

// A file that is one JSON list, and not a line for each row; null where it is none.
async function readJsonList(file) {
  if (!/^\s*\[/.test(await file.slice(0, 4096).text())) return null;
  let nChanged = 0;
  try {
    const rows = parseJson(await file.text(), () => { nChanged += 1; });
    return rows.every((row) => row && typeof row === "object" && !Array.isArray(row)) ? { rows, notes: sayChanged(nChanged), doubt: null } : null;
  } catch {
    return null;
  }
}

// Whether a file is one JSON value, of whose lines none need be one: what services answer has its rows within an object.
const isJson = async (file) => file.text().then(JSON.parse).then(() => true, () => false);

// Reads { rows, notes, doubt }; rows are objects, and `doubt` says why the table as a whole is not to be trusted, or is
// null. Throws BadFileError.
export async function readRows(file) {
  const suffix = file.name.split(".").pop().toLowerCase();
  if (!file.size) throw new BadFileError(`${file.name} is empty.`);
  if (file.size > MOST_BYTES) throw new BadFileError(`${file.name} has ${Math.round(file.size / 1e6)} MB, more than a browser should hold. Use "twohands classify" for it.`);
  if (!["csv", "tsv", "jsonl", "ndjson", "json"].includes(suffix)) throw new BadFileError(`${file.name} is no table that is read here. CSV (with a header) and JSON lines are.`);
  const start = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  if (start.includes(0)) throw new BadFileError(`${file.name} is not text. Save the table as CSV in UTF-8.`);
  const isCsv = suffix === "csv" || suffix === "tsv";
  const told = isCsv ? await readCsv(file) : ((await readJsonList(file)) ?? (await readJsonLines(file)));
  if (listColumns(told.rows).length) return told;
  if (told.notes.length && !isCsv && (await isJson(file))) throw new BadFileError(`${file.name} is JSON, but neither a list of objects nor an object on each line. Save the list of its rows by itself.`);
  throw new BadFileError(`${file.name} holds no rows.${told.notes.length ? ` ${told.notes[0]}` : ""}`);
}

export function listColumns(rows) {
  const names = new Set();
  for (const row of rows.slice(0, 1000)) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

// JSON may have an object or a list where a text should be.
export const isNoText = (value) => typeof value === "object" && value !== null;
export const readText = (value) => (isNoText(value) ? "" : String(value ?? ""));

// What a cell is shown as, and known by: of objects their JSON, as files have it. As `[object Object]` all would be one.
export const readCell = (value) => (isNoText(value) ? JSON.stringify(value) : String(value ?? ""));

// Which columns hold what, as well as can be told; null where none does.
export function guessColumns(rows) {
  const columns = listColumns(rows);
  const sample = rows.slice(0, 200);
  const named = (kind) => NAMES[kind].map((name) => columns.find((column) => column.toLowerCase() === name)).find(Boolean) ?? null;
  const meanLength = (column) => sample.reduce((sum, row) => sum + (typeof row[column] === "string" ? row[column].length : 0), 0) / sample.length;
  const longest = columns.reduce((best, column) => (meanLength(column) > meanLength(best) ? column : best), columns[0]);
  const isDate = (column) => column && sample.filter((row) => readDate(row[column])).length >= sample.length / 2;
  const date = named("date");
  const text = named("text");
  return { text: text && !sample.every((row) => isNoText(row[text])) ? text : longest, date: isDate(date) ? date : (columns.find((column) => column !== longest && isDate(column)) ?? null), source: named("source") };
}
