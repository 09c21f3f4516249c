// Owns one paragraph on the page: its margin, its text with evidence underlined, its chips and warnings.
import { h, openDialog, percent } from "./dom.js";
import { caution, chip, icon, isUnsure, strength } from "./labels.js";
import { explain, sendJson, ServiceError, StaleModelError } from "./api.js";
import { findCorrected } from "./corrected.js";
import { Points } from "./documents.js";
import { carryEvidence, cutLines, cutPieces, isTable, isTableRule, keepsLines, leaveOutEmphasis, markPiece, plainWords } from "./words.js";

// What the page adds to a prediction. Heads have no capitals in their names, so none can be one of these.
export const OWN_KEYS = ["rawText", "above", "readIndex", "showsEvidence", "hasEvidence", "isAsking", "sentWords", "shownMarks"];

const renderPiece = (text, nodes, isTable) => h("p", { class: isTable || keepsLines(text) ? "text lines" : "text", dir: "auto" }, ...nodes);

const RULE = /^\s*(?:={3,}|-{3,})\s*$/;
const SIGNS = /^\s*#{1,6}\s*$/; // of a heading that nothing follows: its words are read as a paragraph

const TURN = /^\s*(?:-|>{2,}|(?:<\/[a-z]+>\s*)+)$/; // of subtitles: somebody else begins to speak, or a tag ends
const listLines = (text) => cutLines(text).filter((line, i) => !(i && RULE.test(line)) && !SIGNS.test(line)); // a rule underlines the line above
const plainLine = (line) => leaveOutEmphasis(line.trim().replace(/^#{1,6}\s+(.*?)(?:\s+#+)?$/, "$1").replace(/^\*{2,3}\s+/, "")); // `** Prices` of newsletters

// A heading without the marks of Markdown, which are no words of it.
export const plainHeading = (text) => listLines(text).map(plainLine).join("\n").trimEnd();

const MARKED = /^\s*(#{1,6})\s/;
const MONTH = "(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\\.?";
const DAY = `(?:\\d{1,2}(?:st|[nr]d|th)?\\.? ${MONTH}|${MONTH} \\d{1,2}(?:st|[nr]d|th)?)`;
const DATED = new RegExp(`^(?:(?:last )?(?:updated|published|posted)\\b.*|(?:\\p{L}+,? )?${DAY}(?:,? \\d{4})?(?:[ ,|\u00b7]+\\d.*)?|.*\\bmin(?:ute)?s? read|[^\\p{L}]+)$`, "iu");
const SIGNED = /^\(?(?:[Bb]y|BY|(?:Additional )?(?:[Rr]eporting|[Ww]riting|[Ee]diting) by) (?:\p{Lu}|our |staff )/u;
const isByline = (words) => SIGNED.test(words) || DATED.test(words);

// Each line is one: a byline and its date must not run together. `top` is the level of the document's chief headings
// on the page, by which a screen reader goes from one to the next; who wrote it and when is no stop on that way.
function renderHeadings(text, top) {
  const found = [];
  for (const line of listLines(text)) {
    const words = plainLine(line);
    const depth = MARKED.exec(line)?.[1].length ?? 0;
    const name = !depth && isByline(words) ? "p" : `h${Math.min(top + Math.max(depth, 1) - 1, 6)}`;
    const last = found.at(-1);
    if (last && !depth && !last.depth && last.name === name) last.lines.push(words);
    else found.push({ name, depth, lines: [words] });
  }
  return found.map(({ name, lines }) => h(name, { class: "heading lines", dir: "auto" }, lines.join("\n").trimEnd()));
}

const FRONT = /^\ufeff?---[^\S\r\n]*\r?\n[\w-]+:[^]*?\n(?:---|\.\.\.)[^\S\r\n]*(?=[\r\n]|$)/;
const TITLE = /^title:[^\S\r\n]*(["']?)(\S.*?)\1[^\S\r\n]*$/m;
// Notes, targets of links, comments, code, times of subtitles, rules.
const ASIDE = /^\s*(?:`{3}|~{3}|\[[^\]\r\n]{1,200}\]:|<!--|(?:WEBVTT|NOTE)(?=\s|$)|(?:STYLE|REGION)[^\S\r\n]*[\r\n]|(?:[^\r\n]{1,80}[\r\n]+)?[\d:.,]{5,16}\s+-->|(?:<\/?[a-z][^<>]{0,100}>\s*)+$|[-=*_\s]{3,}$)/;
const LINK = /\]\((?:https?:|mailto:|\/|#)/; // of Markdown: a line of links is no heading
const QUOTED = /^[^\S\r\n]*(?:>[^\S\r\n]?)+/gm;
// What is shown small by what it is: a picture, who is quoted, what was done in a meeting, a header of a mail, the line
// above an answer, a signature, a salutation.
const IMAGE = /!\[([^\][\r\n]*)\]\([^()\r\n]*\)/g;
const SMALL = [
  /^(?:!\[[^\][\r\n]*\]\([^()\r\n]*\)\s*)+$/,
  /^(?:[\u2013\u2014\u2015]|--)\s?\p{L}[^\r\n]*$/u,
  /^(?:\[[^\][]{1,120}\]|\([^()]{1,120}\))\.?$/,
  /^(?:(?:[-_*]{5,}|[-_* \t]*(?:original message|forwarded message|begin forwarded message:?)[-_* \t]*)[\r\n]+)?(?:(?:from|to|b?cc|date|sent|subject|reply-to):[^\S\r\n][^\r\n]*(?:\r\n|\r|\n|$)){2}/i,
  /^On\b[^]{1,300}\bwrote:$/,
  /^--[^\S\r\n]*(?:\r|\n|$)/,
  /^(?:[^\r\n]{0,20}\b)?(?:best|regards|wishes|sincerely|faithfully|truly|cheers|thanks|thank you),[^\S\r\n]*[\r\n]/i,
  /,$/,
];
const SUBJECT = /^(?:\ufeff?(?:from|to|b?cc|date|sent|reply-to):[^\S\r\n][^\r\n]*[\r\n]+){0,8}?\ufeff?subject:[^\S\r\n]+(\S[^\r\n]*)/i;

const CELL_END = /(?<!\\)\|/;
const GAP = /\S(?:\t|[^\S\r\n]{3,})\S/; // between cells in plain text

// Whether lines are a table: its rows would be so many headings.
function isRows(lines) {
  const nRows = lines.filter((line) => GAP.test(line.trim())).length;
  return lines.length > 1 && (lines.some(isTableRule) || nRows >= 0.6 * lines.length);
}

// A table of Markdown without what is drawn around its cells.
function plainRows(text) {
  const lines = cutLines(text);
  if (!lines.some(isTableRule)) return text;
  return lines.filter((line) => !isTableRule(line)).map((line) => line.split(CELL_END).map((cell) => cell.trim()).join(" | ").replace(/^ \| | \| $/g, "")).join("\n");
}

// What is too long for a heading, or ends as a sentence and is not marked as one: a notice around the text.
const HEADING_WORDS = 20;
const STOPPED = /[.!?]["'\u2019\u201d)\]*_]*$/;

export const isAside = (text) => ASIDE.test(text);

function isBeside(text) {
  const lines = cutLines(text.trim());
  if (isAside(text) || isRows(lines) || SMALL.some((each) => each.test(text.trim()))) return true;
  const underlines = (line, i) => i > 0 && RULE.test(line) && (line.includes("=") || !STOPPED.test(lines[i - 1].trim())); // else it is a break
  if (lines.some((line, i) => MARKED.test(line) || underlines(line, i))) return false;
  return lines.some((line) => RULE.test(line)) || STOPPED.test(text.trim()) || LINK.test(text) || lines.some((line) => line.split(/\s+/).length > HEADING_WORDS);
}

// A note by its number, and the caption of a figure and what is told of a mail, without the marks of Markdown.
const NOTE = /^[^\S\r\n]*\[\^([^\]\r\n]{1,60})\]:[^\S\r\n]*/gm;
const plainNote = (text) => text.replace(NOTE, (_, name) => (/^\d+$/.test(name) ? `${name}. ` : ["figure", "mail"].includes(name) ? "" : `${name} `));

// The front matter of a Markdown file, and the title in it or the subject of a mail; what is above the first paragraph
// otherwise.
export function cutFront(above) {
  const front = FRONT.exec(above)?.[0] ?? "";
  return { front, title: TITLE.exec(front)?.[2] ?? SUBJECT.exec(above)?.[1] ?? "", rest: above.slice(front.length) };
}

const renderAside = (text) => h("p", { class: "aside lines", dir: "auto" }, plainWords(plainNote(plainRows(text.trim().replace(IMAGE, "$1")))));

// What stands between paragraphs and is not read: headings, and what is beside the text, which is none.
export function renderAbove(above, top = 2) {
  const { front, rest } = cutFront(above);
  const told = rest.replace(QUOTED, "");
  const pieces = cutPieces(told).map(({ start, end }) => told.slice(start, end)).filter((piece) => !SIGNS.test(piece) && !TURN.test(piece));
  return [front && renderAside(front), ...pieces.flatMap((piece) => (isBeside(piece) ? renderAside(piece) : renderHeadings(piece, top)))].filter(Boolean);
}

// The sentences behind an answer, those of several labels together: [{ from, to, names, drop }].
export function listEvidence(paragraph, taxonomy) {
  const points = new Points(paragraph.rawText);
  const found = new Map();
  for (const head of taxonomy.heads) {
    const told = paragraph.evidence?.[head.name];
    const named = head.isOneOf ? [[paragraph[head.name].label, told]] : Object.entries(told ?? {});
    for (const [name, sentence] of named) {
      if (!sentence) continue;
      const key = `${sentence.start}-${sentence.end}`;
      const entry = found.get(key) ?? { from: points.at(sentence.start), to: points.at(sentence.end), because: [] };
      entry.because.push({ head, name, score: paragraph[head.name].scores[name], drop: sentence.drop });
      found.set(key, entry);
    }
  }
  return [...found.values()].sort((a, b) => a.from - b.from);
}

async function fetchEvidence(paragraph, { served, sha256 }) {
  if (paragraph.hasEvidence) return;
  const words = paragraph.sentWords ?? paragraph.rawText.toWellFormed();
  const response = await sendJson("v1/classify", { inputs: words, explain: true, model: served });
  const { model: answering, predictions: [prediction] } = await response.json();
  if (answering.sha256 !== sha256) throw new StaleModelError();
  if (prediction.error) throw new ServiceError(422, prediction.error);
  paragraph.evidence = carryEvidence(prediction.evidence, words, paragraph.rawText);
  paragraph.hasEvidence = true;
}

// Underlines the evidence, or takes it back, by `show`; unless the reader has gone on by the time it is here.
export async function toggleEvidence(paragraph, { served, sha256, isGone, show }) {
  if (paragraph.isAsking) return;
  paragraph.isAsking = true;
  try {
    await fetchEvidence(paragraph, { served, sha256 });
    if (isGone()) return;
    paragraph.showsEvidence = !paragraph.showsEvidence;
    show();
  } catch (error) {
    if (!isGone()) openDialog("No evidence", h("p", { class: "fault", role: "alert" }, explain(error)));
  } finally {
    paragraph.isAsking = false;
  }
}

// Headings and text; evidence is underlined where it was asked for.
export function renderText(paragraph, taxonomy, top = 2) {
  const evidence = paragraph.showsEvidence ? listEvidence(paragraph, taxonomy) : [];
  const { above = "", rawText } = paragraph;
  return [
    ...renderAbove(above, top),
    ...cutPieces(rawText).map((piece) => renderPiece(rawText.slice(piece.start, piece.end), markPiece(paragraph, piece, evidence), isTable(paragraph))),
  ];
}

export function renderChips(paragraph, taxonomy) {
  const chips = [];
  for (const head of taxonomy.anyOf)
    for (const name of paragraph[head.name].labels) {
      const label = taxonomy.label(head, name);
      chips.push(h("li", {}, chip(name, { title: `${head.name}: ${label.description}` }, icon(label))));
    }
  for (const head of taxonomy.oneOf.filter((each) => each !== taxonomy.main)) {
    const { label } = paragraph[head.name];
    const told = isUnsure(paragraph, head) ? chip(`unsure, leans ${label}`, { class: "chip muted", title: head.name }) : chip(label, { title: head.name });
    chips.push(h("li", {}, told));
  }
  for (const code of paragraph.warnings) chips.push(h("li", {}, chip(caution(code)[0], { class: "chip warn", title: caution(code, taxonomy)[1] }, "⚠ ")));
  if (paragraph.truncated) chips.push(h("li", {}, chip("end not read", { class: "chip warn" }, "⚠ ")));
  return chips.length ? h("ul", { class: "chips", "aria-label": "Labels and warnings" }, chips) : null;
}

// The words of a paragraph's main answer, for eyes and ears alike.
export function tell(paragraph, taxonomy) {
  if (paragraph.error) return "not read";
  const answer = paragraph[taxonomy.main?.name];
  if (!answer) return isUnsure(paragraph, null) ? "read, but unsure" : "read";
  return `${isUnsure(paragraph, taxonomy.main) ? "unsure, leans " : ""}${answer.label}, ${percent(answer.score)}`;
}

// What a reader has said instead, in short.
export const sayCorrection = (corrected, taxonomy) => `you: ${corrected[taxonomy.main?.name] ?? "corrected"}`;

// The margin of a paragraph: a bar whose strength is the score, the label in words and shape, and a button to more.
export function renderMark(paragraph, taxonomy, onOpen) {
  const head = taxonomy.main;
  const answer = head && !paragraph.error ? paragraph[head.name] : null;
  const label = answer ? taxonomy.label(head, answer.label) : { tone: "quiet", shape: "square" };
  const unsure = !paragraph.error && isUnsure(paragraph, head);
  const corrected = findCorrected(taxonomy, paragraph.rawText);
  const kind = paragraph.error ? "failed" : unsure ? "unsure" : "sure";
  return h(
    "button",
    {
      type: "button",
      class: `mark ${kind} tone-${label.tone}`,
      style: { "--strength": `${answer ? strength(answer.score, head.labels.length) : 40}%` },
      "aria-expanded": "false",
      on: { click: () => onOpen(paragraph) },
    },
    h("span", { class: "bar" }),
    h(
      "span",
      { class: "words" },
      h("span", { class: "unseen" }, `Paragraph ${paragraph.readIndex + 1}${paragraph.page ? `, page ${paragraph.page}` : ""}: `),
      h("span", { class: "number", "aria-hidden": "true" }, `¶${paragraph.readIndex + 1}${paragraph.page ? ` p. ${paragraph.page}` : ""} `),
      unsure && h("em", {}, "unsure "),
      answer && h("span", { class: "label" }, icon(label), unsure ? `leans ${answer.label}` : answer.label),
      answer && h("span", { class: "score" }, ` ${percent(answer.score)}`),
      paragraph.error && h("span", { class: "label" }, "not read"),
      corrected && h("span", { class: "yours" }, ` ${sayCorrection(corrected, taxonomy)}`),
    ),
  );
}
