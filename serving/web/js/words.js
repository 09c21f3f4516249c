// Owns the words of a paragraph: as the service read them, as they are shown, and where evidence and notes stand in
// them. Knows nothing of labels.
import { h } from "./dom.js";

export const BLANK_LINE = /\n[^\S\n]*\n\s*/g;
const EMPHASIS = /(?<![\w*_])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?![\w*_])/g;
const LINKED = /\[([^\][\r\n]{1,200})\]\((?:https?:|mailto:|\/|#)[^()\s]{0,500}\)/g;

// The mark of a note within a text: its number is raised as in print, another name is left out.
const REFERENCE = /\[\^([^\]\s]{1,60})\](?!:)/g;
const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
const raise = (name) => (/^\d+$/.test(name) ? name.replace(/\d/g, (digit) => RAISED[digit]) : "");

export const leaveOutEmphasis = (text) => text.replace(EMPHASIS, "$2");

// Text without Markdown's marks of emphasis and targets of links, for show alone: of what is not read, and of rows of
// a table, which the model reads with their marks.
export const plainWords = (text) => leaveOutEmphasis(text.replace(REFERENCE, (_, name) => raise(name)).replace(LINKED, "$1"));

const asTheyAre = (text) => text;
const plainOf = ({ sentWords }) => (sentWords === undefined ? plainWords : asTheyAre);

// The words that are shown and copied.
export const shownWords = (paragraph) => plainOf(paragraph)(paragraph.rawText);

const TABLE_ROW = /^[^\S\r\n]*\|/m;
const TAG = /<\/?[a-z]/i;

// Words as the service read them, at their lines, without the white space that marks leave behind. Where more than
// marks stood between them, such as times, their lines are not those of the text.
function tidy(lines, raw, isBroken) {
  if (isBroken) return lines.replace(/\s+/g, " ").trim();
  let words = lines;
  if (TABLE_ROW.test(raw)) words = words.replace(/^[^\S\r\n]+|[^\S\r\n]+$/gm, "");
  else if (TAG.test(raw)) words = words.replace(/(?<=\S) {2,}(?=\S)/g, " ");
  if (raw.search(BLANK_LINE) < 0) words = words.replace(BLANK_LINE, "\n");
  return words.trim();
}

const LETTER = /[\p{L}\p{N}]/gu;
const KNOWN_BY = 24; // letters before the mark of a note
const lettersOf = (text) => (text.match(LETTER) ?? []).join("");

// Where the raised numbers of notes stand in words that were read without their marks: behind the same letters.
function findNotes(raw, words) {
  if (!raw.includes("[^")) return [];
  const ends = []; // of each letter, by UTF-16 unit
  for (const { 0: letter, index } of words.matchAll(LETTER)) for (let unit = 0; unit < letter.length; unit += 1) ends.push(index + letter.length);
  const letters = lettersOf(words);
  const notes = [];
  // Letters up to the mark in the raw text, and of those in the words up to the note before.
  let [behind, passed, last, at] = [0, 0, 0, 0];
  for (const match of raw.matchAll(REFERENCE)) {
    const before = plainWords(raw.slice(behind, match.index)).trimEnd();
    const between = lettersOf(before);
    behind = match.index + match[0].length;
    passed += between.length;
    // Not further on than that: what is no letter of the words, such as an entity, may stand before it.
    const find = (known) => ({ known, place: letters.lastIndexOf(known, passed - known.length) });
    const found = [between.slice(-KNOWN_BY), lettersOf(before.split(/\s/).at(-1))].map(find);
    const { known, place } = found.find((each) => each.place >= last) ?? {};
    if (place === undefined) continue;
    passed = last = place + known.length;
    if (known) at = ends[last - 1];
    const stop = /[^\p{L}\p{N}\s]*$/u.exec(before)[0];
    if (words.startsWith(stop, at)) at += stop.length;
    notes.push({ at, sign: raise(match[1]) });
  }
  return notes.filter(({ sign }) => sign);
}

// What a paragraph of a document says, from where it stood (`raw`) and the service's answer. `rawText` is shown, saved
// and corrected; `sentWords` is asked about again, since sentences end at their line ends as in the document.
export function takeWords(raw, { lines, text }) {
  if (lines === undefined) return { rawText: text ?? raw };
  const rawText = tidy(lines, raw, text !== undefined);
  const noteMarks = text === undefined ? findNotes(raw, rawText) : [];
  return { rawText, sentWords: lines, ...(noteMarks.length ? { noteMarks } : {}) };
}

// Evidence whose places count in `sent`, by places in `shown`: the same characters with other white space between.
export function carryEvidence(evidence, sent, shown) {
  if (sent === shown || !evidence) return evidence;
  const ranks = [0]; // how many that are no white space stand before each place
  for (const character of sent) ranks.push(ranks.at(-1) + (/\S/.test(character) ? 1 : 0));
  const characters = [...shown];
  const places = characters.flatMap((character, i) => (/\S/.test(character) ? [i] : []));
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
function cutShown(paragraph, { start, end }, evidence, notes) {
  const signs = [...evidence.flatMap(({ from, to }) => [{ at: Math.max(from, start), sign: BEGIN, rank: 2 }, { at: Math.min(to, end), sign: END, rank: 0 }]), ...notes.map((note) => ({ ...note, rank: 1 }))];
  const text = paragraph.rawText.replace(SIGNS, "\ufffd");
  let [signed, at] = ["", start];
  for (const { at: next, sign } of signs.sort((a, b) => a.at - b.at || a.rank - b.rank)) {
    signed += text.slice(at, next) + sign;
    at = next;
  }
  return plainOf(paragraph)(signed + text.slice(at, end)).split(SIGNS);
}

// Nodes of a piece, with the evidence marked by what it is for.
export function markPiece(paragraph, piece, evidence) {
  const within = evidence.filter(({ from, to }) => Math.max(from, piece.start) < Math.min(to, piece.end));
  const notes = (paragraph.noteMarks ?? []).filter(({ at }) => at > piece.start && at <= piece.end);
  return cutShown(paragraph, piece, within, notes).map((words, i) => {
    if (i % 2 === 0) return words;
    return h("mark", {}, words, h("span", { class: "because" }, within[(i - 1) / 2].because.map(({ name }) => name).join(", ")));
  });
}

// The words of evidence, one text for each.
export function quoteEvidence(paragraph, evidence) {
  const parts = cutShown(paragraph, { start: 0, end: paragraph.rawText.length }, evidence, []);
  return parts.filter((_, i) => i % 2);
}
