// Owns the words of a paragraph: as the service read them, as they are shown, and where evidence and notes stand in
// them. Knows nothing of labels.
import { h } from "./dom.js";

export const BLANK_LINE = /\n[^\S\n]*\n\s*/g;
const EMPHASIS = /(?<![\w*_])(\*{1,3}|_{1,3})(?=\S)(?![*_]+(?:\s|$))(.{1,300}?)(?<=\S)\1(?![\w*_])/g;
// Where a link may lead: to an address, or to a file beside the text; "[The board](sic)" is none.
const FILE = "[\\w%-][\\w%./-]{0,200}\\.(?:aspx?|csv|docx?|html?|jpe?g|md|odt|pdf|php|png|pptx?|qmd|txt|xlsx?)(?=[#?)])";
const ADDRESSED = "(?:[^()\\s\\ufdd0\\ufdd1]|\\([^()\\s\\ufdd0\\ufdd1]{0,200}\\)){0,500}";
const LINKED = new RegExp(`\\[([^\\][\\r\\n]{1,200})\\]\\((?:https?:|mailto:|/|#|${FILE})${ADDRESSED}\\)`, "g");

// The mark of a note within a text: its number is raised as in print, another name is left out.
const REFERENCE = /\[\^([^\]\s\ufdd0\ufdd1]{1,60})\](?!:)/g;
const NOTE_OR_CELL = new RegExp(`${REFERENCE.source}|(?<!\\\\)\\|`, "g");
const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
const raise = (name) => (/^\d+$/.test(name) ? name.replace(/\d/g, (digit) => RAISED[digit]) : "");

export const leaveOutEmphasis = (text) => text.replace(EMPHASIS, "$2");

// Text without Markdown's marks of emphasis and targets of links, for show alone: of what is not read, and of rows of
// a table, which the model reads with their marks.
export const plainWords = (text) => leaveOutEmphasis(text.replace(REFERENCE, (_, name) => raise(name)).replace(LINKED, "$1"));

const asTheyAre = (text) => text;
const plainOf = ({ sentWords }) => (sentWords === undefined ? plainWords : asTheyAre);

const ITEM = /^\s*(?:[-*+\u00b7\u2013\u2014\u2022\u2023\u2043\u2219\u25a0-\u25ab\u25b6-\u25ba\u25c6-\u25e6\u2713\u2714\u27a2\u27a4\uf0a7\uf0b7\uf0d8]\s|[|>]|\(?(?:\d{1,3}|[a-z])[.)]\s)/i;
const COLUMNS = /[^\s.!?:](?:\t|[^\S\r\n]{2,})\S/; // behind the end of a sentence, two spaces are a habit of typists

const countItems = (lines) => lines.filter((line) => ITEM.test(line)).length;

// Whether lines are those of a list, a table or verse, which are lost when run together, and not of wrapped prose.
export function keepsLines(text) {
  const lines = cutLines(text.trim());
  if (lines.length < 2) return false;
  const nItems = countItems(lines);
  const nRows = lines.filter((line) => COLUMNS.test(line.trim())).length;
  if (nItems > 1 || nRows >= Math.max(2, lines.length / 2)) return true;
  const lengths = lines.map((line) => line.trim().length);
  const longest = Math.max(...lengths);
  return lengths.slice(0, -1).filter((length) => length >= 0.7 * longest).length < 0.6 * (lines.length - 1);
}

const TABLE_RULE = /^\|?[ :]*-[ :-]*\|[ :|-]*$/;
export const isTableRule = (line) => TABLE_RULE.test(line.trim());
export const cutLines = (text) => text.split(/\r\n|\r|\n/);
const holdsTable = (raw) => raw.includes("|") && cutLines(raw).some(isTableRule);

const HYPHEN = /[-\u00ad\u2010][^\S\r\n]*[\r\n]/;
const ONE_LINE_END = /(?<!\n[^\S\n]*)\r?\n(?![^\S\n]*\n)[^\S\n]*/g;
const TAG = /<\/?[a-z]/i;
const UNSEEN = /[\u00ad\u200b\u2060\ufeff]/g; // where a word may be parted or not: with them nobody finds it in a file

// Words as the service read them, at their lines, without the white space that marks leave behind. Where more than
// marks stood between them, such as times, their lines are not those of the text.
function tidy(lines, raw, isBroken) {
  if (isBroken) return lines.replace(/\s+/g, " ").trim();
  let words = lines;
  if (holdsTable(raw)) words = words.replace(/[^\S\r\n]+/g, " ").replace(/^ | $/gm, "");
  else if (TAG.test(raw)) words = words.replace(/(?<=\S) {2,}(?=\S)/g, " ");
  if (raw.search(BLANK_LINE) < 0) words = words.replace(BLANK_LINE, "\n");
  // Lines that a parted word was put together from are as long as two, and by their lengths not those of prose.
  const [shown, stood] = [words, raw].map((each) => cutLines(each.trim()));
  if (HYPHEN.test(raw) && shown.length < stood.length && countItems(shown) < 2) words = words.replace(ONE_LINE_END, " ");
  return words.trim();
}

const LETTER = /[\p{L}\p{N}]/gu;
const KNOWN_BY = 24; // letters before the mark of a note
const lettersOf = (text) => (text.match(LETTER) ?? []).join("");

const CELL = " |";

// Whether something stands on either side of a place in its line.
function isWithinLine(text, at) {
  const end = text.indexOf("\n", at);
  return Boolean(text.slice(text.lastIndexOf("\n", at) + 1, at).trim() && text.slice(at + 1, end < 0 ? undefined : end).trim());
}

// What is shown between words that were read without it, behind the same letters: numbers of notes, raised, and what
// parts the cells of a table.
function findMarks(stood, words) {
  const ofTable = holdsTable(stood);
  if (!ofTable && !stood.includes("[^")) return [];
  const raw = cutLines(stood).filter((line) => !ofTable || !isTableRule(line)).join("\n");
  const ends = []; // of each letter, by UTF-16 unit
  for (const { 0: letter, index } of words.matchAll(LETTER)) for (let unit = 0; unit < letter.length; unit += 1) ends.push(index + letter.length);
  const letters = lettersOf(words);
  const marks = [];
  // Letters up to the mark in the raw text, and of those in the words up to the mark before.
  let [behind, passed, last, at] = [0, 0, 0, 0];
  for (const match of raw.matchAll(ofTable ? NOTE_OR_CELL : REFERENCE)) {
    const before = plainWords(raw.slice(behind, match.index)).trimEnd();
    const between = lettersOf(before);
    behind = match.index + match[0].length;
    passed += between.length;
    // Not further on than that: what is no letter of the words, such as an entity, may stand before it.
    const find = (known) => ({ known, place: letters.slice(last, passed).lastIndexOf(known) });
    const found = [between.slice(-KNOWN_BY), lettersOf(before.split(/\s/).at(-1))].map(find);
    const { known, place } = found.find((each) => each.place >= 0) ?? {};
    if (place === undefined) continue;
    passed = last += place + known.length;
    if (known) at = ends[last - 1];
    const stop = /[^\p{L}\p{N}\s]*$/u.exec(before)[0];
    if (words.startsWith(stop, at)) at += stop.length;
    if (match[0] !== "|") marks.push({ at, sign: raise(match[1]) });
    else if (isWithinLine(raw, match.index)) marks.push({ at, sign: CELL });
  }
  return marks.filter(({ sign }) => sign);
}

// What a paragraph of a document says, from where it stood (`raw`) and the service's answer. `rawText` is shown, saved
// and corrected; `sentWords` is asked about again, since sentences end at their line ends as in the document.
export function takeWords(raw, { lines, text }) {
  if (lines === undefined) return { rawText: text ?? raw };
  const rawText = tidy(lines, raw, text !== undefined).replace(UNSEEN, "");
  const shownMarks = text === undefined ? findMarks(raw, rawText) : [];
  return { rawText, sentWords: lines, ...(shownMarks.length ? { shownMarks } : {}) };
}

const listCells = ({ shownMarks = [] }) => shownMarks.filter(({ sign }) => sign === CELL);
export const isTable = (paragraph) => listCells(paragraph).length > 0;

const isSeen = (character) => /[^\s\u00ad\u200b\u2060\ufeff]/.test(character);

// Evidence whose places count in `sent`, by places in `shown`: the same characters with other white space between, and
// without those that are not seen.
export function carryEvidence(evidence, sent, shown) {
  if (sent === shown || !evidence) return evidence;
  const ranks = [0]; // how many that are seen stand before each place
  for (const character of sent) ranks.push(ranks.at(-1) + (isSeen(character) ? 1 : 0));
  const characters = [...shown];
  const places = characters.flatMap((character, i) => (isSeen(character) ? [i] : []));
  const carry = (told) => {
    if (!told) return told;
    if (typeof told.start === "number") {
      const [start, end] = [places[ranks[told.start]], places[ranks[told.end] - 1] + 1];
      return { ...told, sentence: characters.slice(start, end).join(""), start, end };
    }
    return Object.fromEntries(Object.entries(told).map(([name, each]) => [name, carry(each)]));
  };
  return carry(evidence);
}

// What is one paragraph may hold blank lines: a list of short pieces, or a row of a table.
export function cutPieces(raw) {
  const pieces = [];
  let start = 0;
  for (const match of raw.matchAll(BLANK_LINE)) {
    pieces.push({ start, end: match.index });
    start = match.index + match[0].length;
  }
  pieces.push({ start, end: raw.length });
  return pieces.filter(({ start: from, end }) => raw.slice(from, end).trim());
}

// Signs that stand in no text (Unicode keeps them for programs): marks of emphasis may stand on either side of the end
// of a sentence, and are left out of the whole.
const [BEGIN, END] = ["\ufdd0", "\ufdd1"];
const SIGNS = /[\ufdd0\ufdd1]/g;

// A piece as it is shown, cut where evidence begins and ends: every other part is evidence, that of `evidence` in order.
function cutShown(paragraph, { start, end }, evidence, marks) {
  const signs = [...evidence.flatMap(({ from, to }) => [{ at: Math.max(from, start), sign: BEGIN, rank: 3 }, { at: Math.min(to, end), sign: END, rank: 1 }]), ...marks.map((mark) => ({ ...mark, rank: mark.sign === CELL ? 2 : 0 }))];
  const textOf = (from, to) => paragraph.rawText.slice(from, to).replace(SIGNS, "\ufffd");
  let [signed, at] = ["", start];
  for (const { at: next, sign } of signs.sort((a, b) => a.at - b.at || a.rank - b.rank)) {
    signed += textOf(at, next) + sign;
    at = next;
  }
  return plainOf(paragraph)(signed + textOf(at, end)).split(SIGNS);
}

// Nodes of a piece, with the evidence marked by what it is for.
export function markPiece(paragraph, piece, evidence) {
  const within = evidence.filter(({ from, to }) => Math.max(from, piece.start) < Math.min(to, piece.end));
  const marks = (paragraph.shownMarks ?? []).filter(({ at }) => at > piece.start && at <= piece.end);
  return cutShown(paragraph, piece, within, marks).map((words, i) => {
    if (i % 2 === 0) return words;
    return h("mark", {}, words, h("span", { class: "because" }, within[(i - 1) / 2].because.map(({ name }) => name).join(", ")));
  });
}

const wholeOf = ({ rawText }) => ({ start: 0, end: rawText.length });

// The words of a paragraph in one line, as they are copied.
export const copiedWords = (paragraph) => cutShown(paragraph, wholeOf(paragraph), [], listCells(paragraph)).join("").trim().replace(/\s+/g, " ");

// The words of evidence, one text for each.
export function quoteEvidence(paragraph, evidence) {
  const parts = cutShown(paragraph, wholeOf(paragraph), evidence, listCells(paragraph));
  return parts.filter((_, i) => i % 2);
}
