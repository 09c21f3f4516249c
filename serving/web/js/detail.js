// Owns the panel about one paragraph: every score, what was read, warnings, evidence, and the way to a correction.
import { announce, copyText, count, h, percent, svg } from "./dom.js";
import { caution, chip, icon, isUnsure, nameClass, title } from "./labels.js";
import { findCorrected, isConfirmed } from "./corrected.js";
import { listEvidence, sayCorrection, tell } from "./paragraph.js";
import { copiedWords, quoteEvidence } from "./words.js";

function scoreRow(label, score, { isGiven, threshold }) {
  return h(
    "tr",
    { class: isGiven ? "given" : null },
    h("th", { scope: "row", class: nameClass(label), title: label.description }, icon(label), label.name),
    h(
      "td",
      { class: "bar-cell" },
      svg(
        "svg",
        { class: `share tone-${label.tone}`, viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { class: "track", x: 0, y: 3, width: 100, height: 6 }),
        svg("rect", { class: "fill", x: 0, y: 3, width: 100 * score, height: 6 }),
        threshold !== null && svg("line", { class: "threshold", x1: 100 * threshold, x2: 100 * threshold, y1: 0, y2: 12 }),
      ),
    ),
    h("td", { class: "figure" }, percent(score)),
    h("td", { class: "tick" }, isGiven ? h("span", { title: "given" }, "✓", h("span", { class: "unseen" }, "given")) : ""),
  );
}

function renderScores(head, answer, { isWarned }) {
  const given = isWarned ? [] : head.isOneOf ? [answer.label] : answer.labels;
  const level = head.isOneOf ? head.abstention : null;
  const ofOne = () => (answer.abstained ? `Unsure: the score is below ${percent(level ?? 0)}, under which answers were wrong too often.` : level > 0 && `Counted as sure from ${percent(level)}.`);
  const usual = head.isOneOf ? ofOne() : "The upright line is the score from which a label is given.";
  const note = isWarned ? "Not to be relied on, however high: see the warning above." : usual;
  return h(
    "table",
    { class: "scores" },
    h("caption", {}, title(head.name)),
    h("thead", { class: "unseen" }, h("tr", {}, ["label", "chart", "score", "given"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, head.labels.map((label) => scoreRow(label, answer.scores[label.name], { isGiven: given.includes(label.name), threshold: head.isOneOf ? level : label.threshold }))),
    note && h("tfoot", {}, h("tr", {}, h("td", { colspan: 4, class: "fine" }, note))),
  );
}

// The answers that no sentence carries alone, as they would else be missed where others have one.
function listUncarried(paragraph, taxonomy) {
  return taxonomy.heads.flatMap((head) => {
    const told = paragraph.evidence?.[head.name] ?? null;
    return head.isOneOf ? (told ? [] : [`${head.name} (${paragraph[head.name].label})`]) : paragraph[head.name].labels.filter((name) => !told?.[name]);
  });
}

function renderEvidence(paragraph, taxonomy, onEvidence) {
  const told = paragraph.showsEvidence ? listEvidence(paragraph, taxonomy) : null;
  const name = paragraph.showsEvidence ? "Hide the evidence" : "Underline the evidence";
  const ask = async () => {
    if (!paragraph.hasEvidence) button.textContent = "Looking for it …";
    await onEvidence(paragraph);
    button.textContent = name; // unless it is drawn anew: then nothing was found out
  };
  const button = h("button", { type: "button", "aria-pressed": String(Boolean(paragraph.showsEvidence)), on: { click: ask } }, name);
  if (!told) return h("div", { class: "evidence" }, button, h("p", { class: "fine" }, "Finds the sentence without which the score falls most."));
  const quoted = quoteEvidence(paragraph, told);
  const items = told.map(({ because }, i) =>
    h("li", {}, h("q", { dir: "auto" }, quoted[i]), h("p", { class: "fine" }, because.map(({ name, score, drop }) => (drop === null ? `${name}: its only sentence` : `${name}: without it ${percent(Math.max(score - drop, 0))} instead of ${percent(score)}`)).join("; "))),
  );
  const uncarried = listUncarried(paragraph, taxonomy);
  return h(
    "div",
    { class: "evidence" },
    button,
    items.length > 0 && h("ul", {}, items),
    uncarried.length > 0 && h("p", {}, `No single sentence carries ${uncarried.join(", ")}: leaving any one out hardly lowers the score.`),
    items.length + uncarried.length === 0 && h("p", {}, "There is no answer to explain: no label was given."),
  );
}

function renderFacts(paragraph) {
  const cut = paragraph.truncated ? `The last ${paragraph.n_tokens_cut.toLocaleString("en")} of ${count(paragraph.n_tokens, "token")} (pieces of words) were not read.` : "Read in full.";
  return h("dl", { class: "facts" }, h("dt", {}, "Text"), h("dd", {}, cut), h("dt", {}, "Length"), h("dd", {}, count(paragraph.rawText.length, "character")));
}

// What a reader says of every head that was judged.
function listLabels(labels, taxonomy) {
  const judged = taxonomy.heads.filter(({ name }) => labels[name] !== null && labels[name] !== undefined);
  return judged.map(({ name }) => [labels[name]].flat().join(", ") || `no ${name}`).join(", ");
}

// Words between quotation marks: those within become single ones. After a digit a straight one that nothing opened
// stands for inches.
function quoteWords(words) {
  let isOpen = false;
  const inner = words.replace(/["\u201c\u201d]/g, (mark, at) => {
    if (mark !== '"') return mark === "\u201c" ? "\u2018" : "\u2019";
    if (!isOpen && /\d/.test(words[at - 1] ?? "")) return mark;
    isOpen = !isOpen;
    return "'";
  });
  return `"${inner}"`;
}

// Of a transcript; an answer of a model that has a head of this name tells of none.
const speakerOf = ({ speaker }) => (typeof speaker === "string" ? speaker : null);

// Saves a reader the typing where a paragraph is cited: its words, its document and place, and who says what of it.
function renderCopy(paragraph, taxonomy, { model, from, place }) {
  const words = copiedWords(paragraph);
  const isNamed = from && !words.startsWith(from.replace(/ …$/, "")); // by more than its own first words
  const corrected = findCorrected(taxonomy, paragraph.rawText);
  const where = `${isNamed ? `${from}, ` : ""}${place}${paragraph.readIndex + 1}${paragraph.page ? `, p. ${paragraph.page}` : ""}${speakerOf(paragraph) ? `, ${speakerOf(paragraph)}` : ""}`;
  const said = `${model.name} ${model.version}: ${tell(paragraph, taxonomy)}${corrected ? `; ${isConfirmed(taxonomy, corrected, paragraph) ? "confirmed" : "corrected"} by a reader: ${listLabels(corrected, taxonomy)}` : ""}`;
  const citation = `${quoteWords(words)} (${where}; ${said})`;
  const copy = async () => {
    const isDone = await copyText(citation, button);
    button.textContent = isDone ? "✓ Copied" : "It could not be copied";
    announce(isDone ? "Copied." : button.textContent);
  };
  const button = h("button", { type: "button", on: { click: copy } }, "Copy as quotation");
  return button;
}

// Nodes about one paragraph of a `model`; `from` is the title of its document, `place` is what its number counts.
// `onCorrect` is there where corrections are kept.
export function renderDetail(paragraph, taxonomy, { onEvidence, onCorrect, model, from = null, place = "¶", level = "h2" }) {
  const heading = h(level, { class: "detail-title", tabindex: "-1" }, `Paragraph ${paragraph.readIndex + 1}`, paragraph.page && h("span", { class: "page" }, `, page ${paragraph.page}`), speakerOf(paragraph) && h("span", { class: "page" }, `, ${speakerOf(paragraph)}`));
  if (paragraph.error) return [heading, h("p", { class: "fault" }, `It could not be read: ${paragraph.error.message}`)];
  const corrected = findCorrected(taxonomy, paragraph.rawText);
  return [
    heading,
    h("p", { class: "tell" }, tell(paragraph, taxonomy)),
    corrected && h("p", { class: "saved" }, `✓ Your ${isConfirmed(taxonomy, corrected, paragraph) ? "confirmation" : "correction"} is saved (${sayCorrection(corrected, taxonomy)}).`),
    paragraph.warnings.map((code) => h("p", { class: "caution" }, "⚠ ", caution(code, taxonomy)[1])),
    isUnsure(paragraph, taxonomy.main) && h("div", { class: "row advice" }, h("span", {}, paragraph.warnings.length ? "Leave it out of counts, or judge it yourself." : "It counts by its scores, a part to each label; judge it yourself where one answer is needed."), onCorrect && h("button", { type: "button", on: { click: () => onCorrect(paragraph) } }, "Correct it …")),
    taxonomy.heads.map((head) => renderScores(head, paragraph[head.name], { isWarned: paragraph.warnings.length > 0 })),
    onEvidence && renderEvidence(paragraph, taxonomy, onEvidence),
    renderFacts(paragraph),
    h("div", { class: "row" }, renderCopy(paragraph, taxonomy, { model, from, place }), onCorrect && h("button", { type: "button", class: "correct-button", on: { click: () => onCorrect(paragraph) } }, corrected ? "Change your correction …" : "This is wrong …")),
  ];
}

// The same, to be opened where there is no room for it beside the text.
export const foldLegend = (taxonomy) => h("details", { class: "how" }, h("summary", {}, "How to read this"), renderLegend(taxonomy).slice(1));

// What the panel holds before anything is chosen: how to read the page.
export function renderLegend(taxonomy) {
  const head = taxonomy.main;
  const still = head?.labels.find((label) => label.tone === "quiet");
  return [
    h("h2", {}, "How to read this"),
    h("p", {}, "Choose a paragraph for its scores, its evidence and what was read of it. ↑ ↓ next margin, with Shift the next that stands out, Enter details, Esc close."),
    head && h("dl", { class: "legend" }, head.labels.map((label) => [h("dt", {}, icon(label), label.name), h("dd", {}, label.description)])),
    h(
      "dl",
      { class: "legend" },
      h("dt", {}, h("span", { class: "swatches", "aria-hidden": "true" }, [35, 65, 100].map((n) => h("i", { class: "swatch tone-a", style: { "--strength": `${n}%` } }))), "strength"),
      h("dd", {}, `The stronger the margin, the higher the score.${taxonomy.isMeasured ? " Of policy text that it had not seen, somewhat fewer answers were right than their scores say; other text may fare worse." : ""}`),
      h("dt", {}, h("i", { class: "swatch unsure tone-a", "aria-hidden": "true" }), "unsure"),
      h("dd", {}, `A hatched margin: the score is too low to rely on, or a warning (⚠) says why the text cannot be judged.${still ? ` That is not the same as ${still.name}.` : ""}`),
      taxonomy.anyOf.map((each) => [h("dt", {}, chip(each.name)), h("dd", {}, `Any of ${each.labels.map((label) => label.name).join(", ")}.${taxonomy.isMeasured ? " Of scores between 40 % and 90 %, about two in three were right." : ""}`)]),
      taxonomy.isOurs && [h("dt", {}, "Where it often errs"), h("dd", {}, "Critics who are quoted, denials, harm told as plain fact, and two measures in one paragraph that pull apart.")],
    ),
  ];
}
