// Owns what a document says as a whole: in words, as a small chart, and with the uncertainty of both.
import { count, h, percent, signed, svg } from "./dom.js";
import { caution, icon, POLES, title } from "./labels.js";

const MANY = 0.25; // share of paragraphs with a warning from which the whole is warned about

const interval = ({ low, high }) => `${Math.round(low * 100)}–${Math.round(high * 100)} %`;

export function sayLean(balance) {
  if (balance.low > 0) return { words: `${balance.low > 0.4 ? "Clearly" : "Leans"} ${POLES[0]}`, pole: POLES[0] };
  if (balance.high < 0) return { words: `${balance.high < -0.4 ? "Clearly" : "Leans"} ${POLES[1]}`, pole: POLES[1] };
  return { words: "No clear lean", pole: null };
}

// One share with its interval: a bar, and a line over it from the low end to the high end.
function shareBar(share, tone) {
  const x = (figure) => 1 + 98 * figure;
  return svg(
    "svg",
    { class: `share tone-${tone}`, viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", x: 1, y: 2, width: 98, height: 8 }),
    svg("rect", { class: "fill", x: 1, y: 2, width: 98 * share.value, height: 8 }),
    svg("line", { class: "whisker", x1: x(share.low), x2: x(share.high), y1: 6, y2: 6 }),
    svg("line", { class: "whisker", x1: x(share.low), x2: x(share.low), y1: 3, y2: 9 }),
    svg("line", { class: "whisker", x1: x(share.high), x2: x(share.high), y1: 3, y2: 9 }),
  );
}

export function renderBalance(balance, taxonomy) {
  const x = (figure) => 50 - 47 * figure; // the first pole stands at the left, as in the strip
  const [first, second] = POLES.map((name) => taxonomy.label(taxonomy.main, name));
  return h(
    "figure",
    { class: "balance", role: "img", "aria-label": `Balance ${signed(balance.value)}, between ${signed(balance.low)} and ${signed(balance.high)}` },
    h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, icon(first), first.name), h("span", {}, second.name, icon(second))),
    svg(
      "svg",
      { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("line", { class: "axis", x1: 3, x2: 97, y1: 6, y2: 6 }),
      svg("line", { class: "axis", x1: 50, x2: 50, y1: 1, y2: 11 }),
      svg("line", { class: "range", x1: x(balance.low), x2: x(balance.high), y1: 6, y2: 6 }),
      svg("line", { class: "point", x1: x(balance.value), x2: x(balance.value), y1: 0.5, y2: 11.5 }),
    ),
  );
}

function renderHead(head, told, { filter, onFilter }) {
  const rows = head.labels.map((label) => {
    const { share, n_given: nGiven } = told.labels[label.name];
    const isOn = filter?.head === head.name && filter?.label === label.name;
    const name = onFilter
      ? h("button", { type: "button", class: "label-button", "aria-pressed": String(isOn), title: `${label.description} Press to show these paragraphs only.`, on: { click: () => onFilter(head.name, label.name) } }, icon(label), label.name)
      : h("span", { class: "label-button", title: label.description }, icon(label), label.name);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "bar-cell" }, shareBar(share, label.tone)),
      h("td", { class: "figure" }, percent(share.value)),
      h("td", { class: "figure muted" }, interval(share)),
      h("td", { class: "figure muted" }, nGiven.toLocaleString("en")),
    );
  });
  return h(
    "table",
    { class: "shares" },
    h("caption", {}, title(head.name)),
    h("thead", {}, h("tr", {}, ["label", "", "share", "95 % interval", "given"].map((name, i) => h("th", { scope: "col", class: i > 1 ? "figure" : null }, name || h("span", { class: "unseen" }, "chart"))))),
    h("tbody", {}, rows),
  );
}

function sayCounts(head, told, n, unit) {
  const given = head.labels.map((label) => `${told.labels[label.name].n_given} ${label.name}`);
  const unsure = told.n_abstained ? ` The model is unsure of ${told.n_abstained}.` : "";
  return `Of ${count(n, unit)}, ${given.join(", ")}.${unsure}`;
}

function sayBalance(balance) {
  return `Balance ${signed(balance.value)}, 95 % interval ${signed(balance.low)} to ${signed(balance.high)}; +1 would be all ${POLES[0]}, −1 all ${POLES[1]}.`;
}

// Warnings about the whole, where the model is out of its depth.
export function renderDocumentWarnings(paragraphs, unit = "paragraph") {
  const sound = paragraphs.filter((paragraph) => !paragraph.error);
  const nFailed = paragraphs.length - sound.length;
  const told = new Map();
  for (const { warnings } of sound) for (const code of warnings) told.set(code, (told.get(code) ?? 0) + 1);
  const lines = [...told]
    .filter(([, n]) => n >= MANY * sound.length)
    .map(([code, n]) => `${n === sound.length ? `Every ${unit}` : `${n} of ${count(sound.length, unit)}`}: ${caution(code)[1]} Take the answers for guesses.`);
  const nCut = sound.filter((paragraph) => paragraph.truncated).length;
  if (nCut) lines.push(`${count(nCut, `${unit} is`, `${unit}s are`)} longer than the model reads; the end was left out.`);
  if (nFailed) lines.push(`${count(nFailed, unit)} could not be read.`);
  return lines.length ? h("div", { class: "caution", role: "note" }, lines.map((line) => h("p", {}, "⚠ ", line))) : null;
}

export function renderSummary(summary, paragraphs, taxonomy, options = {}) {
  if (!summary) return h("section", { class: "summary", "aria-label": "Summary" }, renderDocumentWarnings(paragraphs, options.unit));
  const main = taxonomy.main && summary.heads[taxonomy.main.name];
  const balance = main?.balance;
  return h(
    "section",
    { class: "summary", "aria-label": "Summary" },
    h(
      "div",
      { class: "verdict" },
      balance && h("p", { class: "lean-words" }, sayLean(balance).words),
      balance && renderBalance(balance, taxonomy),
      balance && h("p", {}, sayBalance(balance)),
      main && h("p", {}, sayCounts(taxonomy.main, main, summary.n_paragraphs, options.unit ?? "paragraph")),
      renderDocumentWarnings(paragraphs, options.unit),
      h("p", { class: "fine" }, "Shares are expected by the calibrated scores; intervals are the least uncertainty there is."),
    ),
    taxonomy.heads.map((head) => renderHead(head, summary.heads[head.name], options)),
  );
}
