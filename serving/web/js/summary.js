// Owns what a document says as a whole: in words, as a small chart, and with the uncertainty of both.
import { count, h, interval, percent, signed, svg } from "./dom.js";
import { caution, chooseCounted, icon, isUnsure, nameClass, title } from "./labels.js";

const MOST_NAMED = 12; // numbers of paragraphs that could not be read
const MANY = 0.25; // share of paragraphs with a warning from which the whole is warned about
export const FEW = 5; // below, nothing is told as the lean of a whole; as few documents have no interval in `evaluate`

// How many paragraphs have each label for sure, and how many are unsure; of a head that gives one label.
function countSure(head, sound) {
  const sure = Object.fromEntries(head.labels.map(({ name }) => [name, 0]));
  let nUnsure = 0;
  for (const paragraph of sound) {
    if (isUnsure(paragraph, head)) nUnsure += 1;
    else sure[paragraph[head.name].label] += 1;
  }
  return { sure, nUnsure };
}

// A whole without a lean may be dull, of two minds, or short of evidence: these are different things to tell. What a
// few paragraphs say, however high their scores, is not told as if a whole article had said it.
export function sayLean(head, { balance, labels }, { sure }, n, unit) {
  if (n === 1) return `One ${unit}: ${head.labels.find(({ name }) => sure[name])?.name ?? "unsure"}`;
  const few = n < FEW ? `Few ${unit}s: ` : "";
  const tell = (pole, isClear) => (few ? `${few}lean ${pole}` : `${isClear ? "Clearly" : "Leans"} ${pole}`);
  if (balance.low > 0) return tell(head.poles[0], balance.low > 0.4);
  if (balance.high < 0) return tell(head.poles[1], balance.high < -0.4);
  const still = head.labels.find((label) => label.tone === "quiet");
  if (still && labels[still.name].share.low > 0.5) return few ? `${few}mostly ${still.name}` : `Mostly ${still.name}${still.name === "neutral" ? ": takes no side" : ""}`;
  const [first, second] = head.poles.map((pole) => sure[pole]);
  // Five to one is not both sides, though so few paragraphs show no lean.
  if (first && 2 * Math.min(first, second) >= Math.max(first, second)) {
    return `Both sides: ${count(first, unit)} ${head.poles[0]}, ${second.toLocaleString("en")} ${head.poles[1]}`;
  }
  // What is mostly of one pole is not close: it is little to go by. Unless the scores of the others outweigh it.
  if (Math.max(first, second) > 1 && balance.value * (first - second) > 0) return `${few}more ${head.poles[first > second ? 0 : 1]} than ${head.poles[first > second ? 1 : 0]}, but too little to be sure`.replace(/^m/, "M");
  return "Too close to call";
}

// What few paragraphs say of a document that is mostly left out must not be quoted for all of it.
function sayUnjudged({ n_paragraphs: n, n_left_out: nLeftOut }) {
  return 2 * nLeftOut >= n && nLeftOut ? ` (${nLeftOut.toLocaleString("en")} of ${n.toLocaleString("en")} cannot be judged)` : "";
}

// What at least half of three or more paragraphs are about, by the first any-of head; null where nothing is.
function sayTopics(summary, taxonomy) {
  const n = summary.n_paragraphs - summary.n_left_out;
  const head = taxonomy.anyOf[0];
  if (!head || n < 3) return null;
  const given = head.labels.map(({ name }) => [name, summary.heads[head.name].labels[name].n_given]).filter(([, nGiven]) => nGiven >= n / 2);
  if (!given.length) return null;
  const told = given.sort((a, b) => b[1] - a[1]).map(([name, nGiven]) => `${name} (${nGiven.toLocaleString("en")} of ${n.toLocaleString("en")})`);
  const about = head.name === "topics" ? "Mainly about" : `${title(head.name)} of half or more:`;
  return `${about} ${told.length > 1 ? `${told.slice(0, -1).join(", ")} and ${told.at(-1)}` : told[0]}.`;
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
  const [first, second] = taxonomy.main.poles.map((name) => taxonomy.label(taxonomy.main, name));
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

function renderHead(head, told, counts, { filter, onFilter, unit = "paragraph" }) {
  const rows = head.labels.map((label) => {
    const { share, n_given: nGiven } = told.labels[label.name];
    const nSure = counts ? counts.sure[label.name] : nGiven;
    const isOn = filter?.head === head.name && filter?.label === label.name;
    const name = onFilter
      ? h("button", { type: "button", class: "label-button", "aria-pressed": String(isOn), title: `${label.description} Press to show these paragraphs only.`, on: { click: () => onFilter({ head: head.name, label: label.name }) } }, icon(label), label.name)
      : h("span", { class: "label-button", title: label.description }, icon(label), label.name);
    return h(
      "tr",
      {},
      h("th", { scope: "row", class: nameClass(label) }, name),
      h("td", { class: "bar-cell" }, shareBar(share, label.tone)),
      h("td", { class: "figure" }, percent(share.value)),
      h("td", { class: "figure muted" }, interval(share), h("span", { class: "unit" }, " %")),
      h("td", { class: "figure muted" }, nSure.toLocaleString("en"), nGiven > nSure && [" ", h("span", { class: "and-unsure" }, `+ ${(nGiven - nSure).toLocaleString("en")} unsure`)]),
    );
  });
  const table = h(
    "table",
    { class: "shares" },
    h("caption", {}, title(head.name)),
    h("thead", {}, h("tr", {}, ["label", h("span", { class: "unseen" }, "chart"), "share", ["95 % ", h("br"), "interval"], `${unit}s`].map((name, i) => h("th", { scope: "col", class: i > 1 ? "figure" : null }, name)))),
    h("tbody", {}, rows),
  );
  return h("div", { class: "shares-place" }, table); // by whose width the columns are laid out
}

function sayCounts(head, { sure, nUnsure }, n, unit) {
  const given = head.labels.map(({ name }) => `${sure[name].toLocaleString("en")} ${name}`);
  if (nUnsure) given.push(`${nUnsure.toLocaleString("en")} unsure`);
  return `Of ${count(n, unit)}: ${given.join(", ")}.`;
}

// Which the figures leave out, and why; or that they hold those too, as there are no others.
function sayLeftOut({ n_paragraphs: n, n_left_out: nLeftOut, warnings }, unit) {
  const why = Object.entries(warnings).sort((a, b) => b[1] - a[1]).map(([code]) => caution(code)[0]).join(", ");
  if (nLeftOut) return `${count(nLeftOut, `${unit} is`, `${unit}s are`)} left out of the figures: ${why}.`;
  if (!why) return null;
  return n === 1 ? `The only ${unit} has a warning (${why}), and is counted all the same.` : `Every ${unit} has a warning (${why}), so all are counted.`;
}

function sayBalance(balance, poles) {
  return `Balance ${signed(balance.value)}, 95 % interval ${signed(balance.low)} to ${signed(balance.high)}; +1 would be all ${poles[0]}, −1 all ${poles[1]}.`;
}

// Which have no text, and which could not be read for another reason.
function sayFailed(paragraphs, unit, numbers) {
  const failed = { empty: [], other: [] };
  paragraphs.forEach(({ error }, i) => error && failed[error.code === "empty_paragraph" ? "empty" : "other"].push(numbers?.[i] ?? i + 1));
  const list = (found) => [...found].sort((a, b) => a - b).slice(0, MOST_NAMED).join(", ") + (found.length > MOST_NAMED ? " …" : "");
  const told = [];
  if (failed.empty.length) told.push(`${count(failed.empty.length, `${unit} has`, `${unit}s have`)} no text: ${list(failed.empty)}.`);
  if (failed.other.length) told.push(`${count(failed.other.length, unit)} could not be read: ${list(failed.other)}.`);
  return told;
}

// Warnings about the whole, where the model is out of its depth.
// `numbers` are those that the paragraphs are known by, where they are not 1, 2, 3 ...
export function renderDocumentWarnings(paragraphs, taxonomy, unit = "paragraph", numbers = null) {
  const sound = paragraphs.filter((paragraph) => !paragraph.error);
  const told = new Map();
  for (const { warnings } of sound) for (const code of warnings) told.set(code, (told.get(code) ?? 0) + 1);
  const lines = [...told]
    .filter(([, n]) => n >= MANY * sound.length)
    .map(([code, n]) => `${n === sound.length ? `Every ${unit}` : `${n} of ${count(sound.length, unit)}`}: ${caution(code, taxonomy)[1]} Take the answers for guesses.`);
  const nCut = sound.filter((paragraph) => paragraph.truncated).length;
  if (nCut) lines.push(`${count(nCut, `${unit} is`, `${unit}s are`)} longer than the model reads; the end was left out.`);
  lines.push(...sayFailed(paragraphs, unit, numbers));
  return lines.length ? h("div", { class: "caution", role: "note" }, lines.map((line) => h("p", {}, "⚠ ", line))) : null;
}

// What is unsure can be made to stand out too; and what stands out can be gone to.
function renderFinder(taxonomy, paragraphs, { filter, onFilter, onFirst }) {
  if (!onFilter) return null;
  const nUnsure = paragraphs.filter((paragraph) => !paragraph.error && isUnsure(paragraph, taxonomy.main)).length;
  const isOn = Boolean(filter?.isUnsure);
  return h(
    "div",
    { class: "row finder" },
    nUnsure > 0 && h("button", { type: "button", "aria-pressed": String(isOn), on: { click: () => onFilter({ label: "unsure", isUnsure: true }) } }, `Show what is unsure (${nUnsure.toLocaleString("en")})`),
    filter && h("button", { type: "button", on: { click: onFirst } }, `Go to the first: ${filter.label}`),
  );
}

export function renderSummary(summary, paragraphs, taxonomy, options = {}) {
  const warnings = renderDocumentWarnings(paragraphs, taxonomy, options.unit, options.numbers);
  if (!summary) return h("section", { class: "summary", "aria-label": "Summary" }, warnings);
  const main = taxonomy.main && summary.heads[taxonomy.main.name];
  const balance = main?.balance;
  const unit = options.unit ?? "paragraph";
  const counted = chooseCounted(paragraphs.filter((paragraph) => !paragraph.error));
  const leftOut = sayLeftOut(summary, unit);
  const counts = Object.fromEntries(taxonomy.oneOf.map((head) => [head.name, countSure(head, counted)]));
  const unjudged = counted.length && counted.every(({ warnings: each }) => each?.length) && [...new Set(counted.flatMap(({ warnings: each }) => each))].map((code) => caution(code)[0]).join(", ");
  const topics = unjudged ? null : sayTopics(summary, taxonomy);
  const lean = balance && (unjudged ? `Cannot be judged: ${unjudged}` : sayLean(taxonomy.main, main, counts[taxonomy.main.name], counted.length, unit) + sayUnjudged(summary));
  return h(
    "section",
    { class: "summary", "aria-label": "Summary" },
    h(
      "div",
      { class: "verdict" },
      lean && h("p", { class: "lean-words" }, lean),
      topics && h("p", { class: "topic-words" }, topics),
      balance && renderBalance(balance, taxonomy),
      balance && h("p", {}, sayBalance(balance, taxonomy.main.poles)),
      main && h("p", {}, sayCounts(taxonomy.main, counts[taxonomy.main.name], counted.length, unit)),
      leftOut && h("p", { class: "left-out" }, leftOut),
      options.corrected && h("p", { class: "yours" }, options.corrected),
      warnings,
      renderFinder(taxonomy, paragraphs, options),
      h("p", { class: "fine" }, "Shares add up the scores, so they may differ from the counts. True uncertainty is at least as wide as the intervals."),
    ),
    taxonomy.heads.map((head) => renderHead(head, summary.heads[head.name], counts[head.name], options)),
  );
}
