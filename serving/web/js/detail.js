// Owns the panel about one paragraph: every score, what was read, warnings, evidence, and the way to a correction.
import { count, h, percent, svg } from "./dom.js";
import { caution, chip, icon, title } from "./labels.js";
import { listEvidence, tell } from "./paragraph.js";

function scoreRow(label, score, { isGiven, threshold }) {
  return h(
    "tr",
    { class: isGiven ? "given" : null },
    h("th", { scope: "row", title: label.description }, icon(label), label.name),
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

function renderScores(head, answer) {
  const given = head.isOneOf ? [answer.label] : answer.labels;
  const level = head.isOneOf ? head.abstention : null;
  const note = head.isOneOf
    ? answer.abstained
      ? `Unsure: the score is below ${percent(level ?? 0)}, under which answers were wrong too often.`
      : level !== null && `Sure enough: at or above ${percent(level)}.`
    : "The upright line is the score from which a topic is given.";
  return h(
    "table",
    { class: "scores" },
    h("caption", {}, title(head.name)),
    h("thead", { class: "unseen" }, h("tr", {}, ["label", "chart", "score", "given"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, head.labels.map((label) => scoreRow(label, answer.scores[label.name], { isGiven: given.includes(label.name), threshold: head.isOneOf ? level : label.threshold }))),
    note && h("tfoot", {}, h("tr", {}, h("td", { colspan: 4, class: "fine" }, note))),
  );
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
  const items = told.map(({ from, to, because }) =>
    h("li", {}, h("q", { dir: "auto" }, paragraph.rawText.slice(from, to)), h("p", { class: "fine" }, because.map(({ name, drop }) => (drop === null ? `${name}: its only sentence` : `${name}: without it ${percent(drop)} lower`)).join("; "))),
  );
  return h("div", { class: "evidence" }, button, items.length ? h("ul", {}, items) : h("p", {}, "No single sentence carries an answer: leaving any one out does not lower the score."));
}

function renderFacts(paragraph) {
  const read = `${count(paragraph.n_tokens, "token")} in ${count(paragraph.n_windows, "window")}`;
  const cut = paragraph.truncated ? `The last ${count(paragraph.n_tokens_cut, "token")} were not read.` : "Read to its end.";
  return h("dl", { class: "facts" }, h("dt", {}, "Read"), h("dd", {}, `${read}. ${cut}`), h("dt", {}, "Length"), h("dd", {}, count(paragraph.rawText.length, "character")));
}

// Nodes about one paragraph. `actions` has onEvidence, and onCorrect where corrections are kept.
export function renderDetail(paragraph, taxonomy, { onEvidence, onCorrect, level = "h2" }) {
  const heading = h(level, { class: "detail-title", tabindex: "-1" }, `Paragraph ${paragraph.readIndex + 1}`);
  if (paragraph.error) return [heading, h("p", { class: "fault" }, `It could not be read: ${paragraph.error.message}`)];
  return [
    heading,
    h("p", { class: "tell" }, tell(paragraph, taxonomy)),
    paragraph.isCorrected && h("p", { class: "saved" }, "✓ Your correction is saved."),
    paragraph.warnings.map((code) => h("p", { class: "caution" }, "⚠ ", caution(code)[1])),
    taxonomy.heads.map((head) => renderScores(head, paragraph[head.name])),
    onEvidence && renderEvidence(paragraph, taxonomy, onEvidence),
    renderFacts(paragraph),
    onCorrect && h("div", { class: "row" }, h("button", { type: "button", class: "correct-button", on: { click: () => onCorrect(paragraph) } }, "This is wrong …")),
  ];
}

// What the panel holds before anything is chosen: how to read the page.
export function renderLegend(taxonomy) {
  const head = taxonomy.main;
  const still = head?.labels.find((label) => label.tone === "quiet");
  return [
    h("h2", {}, "How to read this"),
    h("p", {}, "Choose a paragraph for its scores, its evidence and what was read of it."),
    head && h("dl", { class: "legend" }, head.labels.map((label) => [h("dt", {}, icon(label), label.name), h("dd", {}, label.description)])),
    h(
      "dl",
      { class: "legend" },
      h("dt", {}, h("span", { class: "swatches", "aria-hidden": "true" }, [35, 65, 100].map((n) => h("i", { class: "swatch tone-a", style: { "--strength": `${n}%` } }))), "strength"),
      h("dd", {}, "The stronger the margin, the higher the score, which is calibrated: of answers at 80 %, some 80 % should be right."),
      h("dt", {}, h("i", { class: "swatch unsure tone-a", "aria-hidden": "true" }), "unsure"),
      h("dd", {}, `A hatched margin: the score is too low to rely on.${still ? ` That is not the same as ${still.name}.` : ""}`),
      taxonomy.anyOf.length > 0 && [h("dt", {}, chip("topic")), h("dd", {}, taxonomy.anyOf.map((each) => `${each.name}: ${each.labels.map((label) => label.name).join(", ")}`).join("; "))],
    ),
  ];
}
