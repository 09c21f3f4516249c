// Owns document -> paragraphs as they are answered. The service splits and reads; a text that is too long for one
// request is cut here, at blank lines far apart, and its parts are read one after the other.
import { ask, readLines, ServiceError } from "./api.js";
import { takeWords } from "./words.js";

const NDJSON = "application/x-ndjson";
const LONGEST_PART = 1_500_000; // characters
const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const KINDS = { txt: "text/plain", md: "text/plain", text: "text/plain", srt: "text/plain", vtt: "text/plain", htm: "text/html", html: "text/html", xhtml: "text/html", pdf: "application/pdf", docx: DOCX, eml: "message/rfc822" };
const TABLES = /\.(?:csv|tsv|jsonl|ndjson|json|xlsx?|xlsm|ods)$/i;

// Offsets of the service count code points, those of JavaScript UTF-16 units.
export class Points {
  constructor(text) {
    this.units = null;
    this.nUnits = text.length;
    if (!/[\ud800-\udfff]/.test(text)) return;
    const units = new Uint32Array(text.length + 1);
    let point = 0;
    for (let unit = 0; unit < text.length; point += 1) {
      units[point] = unit;
      unit += text.codePointAt(unit) > 0xffff ? 2 : 1;
    }
    units[point] = text.length;
    this.units = units.subarray(0, point + 1);
  }

  // How many code points there are.
  get n() {
    return this.units ? this.units.length - 1 : this.nUnits;
  }

  at(point) {
    return this.units ? this.units[Math.min(point, this.units.length - 1)] : point;
  }
}

export function kindOf(file) {
  const suffix = file.name.includes(".") ? file.name.split(".").pop().toLowerCase() : "";
  return KINDS[suffix] ?? (Object.values(KINDS).includes(file.type) ? file.type : null);
}

export class BadFileError extends ServiceError {
  constructor(message) {
    super(422, { code: "bad_file", message });
  }
}

async function decodeText(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isUtf32 = bytes[0] === 0xff && bytes[1] === 0xfe && bytes[2] === 0 && bytes[3] === 0; // which browsers do not know
  const isWide = !isUtf32 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
  const encoding = isWide ? (bytes[0] === 0xff ? "utf-16le" : "utf-16be") : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes); // its mark counts in `start`
  } catch {
    throw new BadFileError(`${file.name} is not text in UTF-8. Save it as UTF-8 text, HTML, PDF or .docx, or paste its text.`);
  }
}

// A source is { name, text } or { name, file, mediaType }. Plain text is decoded here, since it is shown from here.
export async function openFile(file, limits) {
  const mediaType = kindOf(file);
  if (TABLES.test(file.name)) throw new BadFileError(`${file.name} is no kind of document that is read here, but a table. Batch reads tables: CSV (with a header) and JSON lines; of a sheet, save one as “CSV UTF-8”.`);
  if (!mediaType) throw new BadFileError(`${file.name} is no kind of document that is read here. Text, HTML, PDF, Word (.docx) and e-mails (.eml) are; or paste its text.`);
  if (!file.size) throw new BadFileError(`${file.name} is empty.`);
  if (mediaType === "text/plain") return { name: file.name, text: await decodeText(file) };
  if (file.size > limits.max_document_bytes)
    throw new BadFileError(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; this service reads documents of up to ${limits.max_document_bytes / 1e6} MB.`);
  return { name: file.name, file, mediaType };
}

const MARKED = /^\s*(?:#{1,6}\s|={3,}\s*$|-{3,}\s*$)/; // the last line of a heading

// Cuts only what is too long for one request, and no heading from what stands below it, which would lose its section.
export function cutParts(text, limits) {
  const longest = Math.min(LONGEST_PART, Math.floor(limits.max_document_bytes / 4));
  const mostPieces = Math.max(1, Math.floor(limits.max_document_paragraphs * 0.9));
  const separator = /\n[^\S\n]*\n/.test(text.trim()) ? /\n[^\S\n]*\n\s*/g : /\n/g;
  const parts = [];
  let start = 0;
  let last = 0; // the end of the last cut that may be used
  let nPieces = 0;
  let nBehind = 0; // of these, behind that cut
  const close = (end) => {
    if (end > start) parts.push({ start, text: text.slice(start, end) });
    start = end;
    nPieces = nBehind;
  };
  for (const match of text.matchAll(separator)) {
    const end = match.index + match[0].length;
    if (end - start > longest && last > start) close(last);
    nPieces += 1;
    nBehind += 1;
    const line = text.slice(text.lastIndexOf("\n", match.index - 1) + 1, match.index);
    if (MARKED.test(line) && nPieces < limits.max_document_paragraphs) continue;
    last = end;
    nBehind = 0;
    if (nPieces >= mostPieces) close(end);
  }
  if (text.length - start > longest && last > start) close(last);
  close(text.length);
  return parts;
}

async function* readPart(request, served, signal) {
  const path = `v1/documents?${new URLSearchParams({ lines: true, ...(served === null ? {} : { model: served }) })}`;
  const response = await ask(path, { method: "POST", accept: NDJSON, signal, ...request });
  for await (const values of readLines(response, signal)) {
    const broken = values.find((value) => "error" in value && !("paragraph" in value));
    if (broken) throw new ServiceError(503, broken.error);
    yield values;
  }
}

const join = (...pieces) => pieces.filter(Boolean).join("\n\n");

// Of what was copied from a page the text is read where its HTML cannot be: it holds no article, is too long, or the
// service reads none.
export async function* readDocument(source, options) {
  let hasBegun = false;
  try {
    for await (const news of readSource(source, options)) {
      hasBegun = true;
      yield news;
    }
  } catch (error) {
    const isRefused = error instanceof ServiceError && error.status < 500 && ![401, 403].includes(error.status);
    const isUnable = error instanceof ServiceError && error.status === 501;
    if (hasBegun || !source.file || source.text === undefined || !(isRefused || isUnable)) throw error;
    yield* readSource({ name: source.name, text: source.text }, options);
  }
}

// Yields { text, nExpected, model } once a part is opened, { paragraphs } as they come, { summary } when the service
// has summed up the whole, { tail } where notes stand behind the last paragraph. Paragraphs get `from` and `to`, in UTF-16 units of the text that is shown.
async function* readSource(source, { limits, served, signal }) {
  const isFile = Boolean(source.file);
  const parts = isFile ? [null] : cutParts(source.text.toWellFormed(), limits);
  if (!isFile && !parts.some((part) => part.text.trim())) throw new BadFileError("There is no text to read.");
  let nBefore = 0;
  let nPointsBefore = 0;
  let nRead = 0;
  let section = null; // the last heading, which may stand in the part before
  let speaker = null; // so may the name of who speaks on
  let held = ""; // what stands behind the last paragraph of a part
  for (const part of parts) {
    if (part && !part.text.trim()) {
      nPointsBefore += part.text.length;
      continue;
    }
    const request = isFile
      ? { type: source.mediaType, body: source.file }
      : { type: "text/plain; charset=utf-8", body: part.text };
    let text = part?.text;
    let points = null;
    let end = 0; // of the last paragraph: what stands between two are headings, shown and not read
    let hasTurns = false; // somebody begins to speak in this part
    for await (const values of readPart(request, served, signal)) {
      const paragraphs = [];
      for (const value of values) {
        if (value.document) {
          text = value.document.text ?? text;
          points = new Points(text);
          const share = isFile ? 1 : (part.start + part.text.length) / source.text.length;
          const nExpected = Math.round((nRead + value.document.n_paragraphs) / share);
          yield { text, nExpected, model: value.model, isFirst: nBefore === 0 };
        } else if ("paragraph" in value) {
          const start = points.at(value.start);
          const above = join(held, text.slice(end, start).trim());
          held = "";
          end = points.at(value.end);
          section = value.section ?? section;
          hasTurns ||= Boolean(value.speaker);
          if (hasTurns) speaker = value.speaker ?? null;
          const { text: _, lines: __, ...answer } = value;
          // Files say where a paragraph stands in the whole text.
          const place = { start: nPointsBefore + value.start, end: nPointsBefore + value.end };
          paragraphs.push({ ...answer, ...place, ...(section ? { section } : {}), ...(speaker ? { speaker } : {}), ...takeWords(text.slice(start, end), value), above, readIndex: nRead });
          nRead += 1;
        } else if (value.summary && parts.length === 1) {
          yield { summary: value.summary };
        }
      }
      if (paragraphs.length) yield { paragraphs };
    }
    held = join(held, text?.slice(end).trim());
    nPointsBefore += points?.n ?? 0;
    nBefore += 1;
  }
  if (held) yield { tail: held };
}
