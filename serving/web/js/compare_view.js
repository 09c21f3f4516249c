// Owns the comparison of two documents: side by side, with their differences in words and as a chart.
import { notify, unnotify } from "./api.js";
import { $, announce, count, h, openDialog, percent, quote, signed, svg } from "./dom.js";
import { correctDialog } from "./correct.js";
import { countCorrected } from "./corrected.js";
import { foldLegend, renderDetail } from "./detail.js";
import { difference } from "./estimate.js";
import { Intake, takeDrops } from "./intake.js";
import { icon, nameClass } from "./labels.js";
import { askBeforeLeaving } from "./leaving.js";
import { Reading } from "./reading.js";
import { renderText, tell, toggleEvidence } from "./paragraph.js";
import { keepStep, renderSteps } from "./steps.js";
import { FEW } from "./summary.js";

const NAMES = ["A", "B"];

class Side {
  constructor(view, number) {
    const { limits, taxonomy } = view.service;
    Object.assign(this, { view, number });
    this.intake = new Intake({ limits, label: `Document ${NAMES[number]}`, example: taxonomy.isOurs ? number : null, onSource: (source) => this.read(source), listLost: () => this.reading.listLost(this.source) });
    this.reading = new Reading({ service: view.service, onOpen: (paragraph) => this.open(paragraph), onStart: () => view.compare(), onBegun: () => this.name(), onDone: () => this.done(), top: 3 });
    this.heading = h("h2", { tabindex: "-1", dir: "auto" });
    this.result = h(
      "div",
      { hidden: true },
      h("div", { class: "side-head" }, h("span", { class: "side-name" }, NAMES[number]), this.heading, h("button", { type: "button", class: "quiet", "aria-label": `Replace document ${NAMES[number]}`, on: { click: () => this.reset() } }, "Replace")),
      this.reading.element,
    );
    this.element = h("section", { class: "side", "aria-label": `Document ${NAMES[number]}` }, this.intake.element, this.result);
    takeDrops(this.element, (files) => view.takeFiles(files, this));
    askBeforeLeaving(() => this.intake.isTyped || this.reading.wouldLose(this.source));
  }

  get summary() {
    return this.reading.isDone ? this.reading.current : null;
  }

  // How much of a document was read that was not read to its end; null where it was.
  get part() {
    const { isCut, nExpected, paragraphs } = this.reading;
    return isCut ? `${NAMES[this.number]} was read in part (${paragraphs.length.toLocaleString("en")} of ${count(nExpected, "paragraph")})` : null;
  }

  // What was read for another model, or typed.
  takeOver({ source, intake }) {
    if (intake.isTyped) {
      if (this.source) this.reset();
      this.intake.takeOver(intake);
    } else if (source && source !== this.source) this.read(source);
  }

  async read(source) {
    this.source = source;
    this.intake.clear();
    this.intake.element.hidden = true;
    this.result.hidden = false;
    this.heading.textContent = source.name || "Reading …";
    this.heading.focus({ preventScroll: true });
    await this.reading.start(source);
  }

  name() {
    this.heading.textContent = this.reading.title || "Nothing read";
  }

  done() {
    this.name();
    this.view.compare();
    // The sentence alone: a table of figures is read where it is wanted.
    const words = $(".lean-words", this.view.verdict);
    if (!this.view.verdict.hidden && words) announce(`${this.view.sayParts() ?? "Both are read."} ${words.textContent}`);
  }

  reset() {
    this.source = null;
    this.reading.discard();
    this.intake.element.hidden = false;
    this.result.hidden = true;
    this.intake.area.focus();
    this.view.compare();
  }

  open(first) {
    const { service } = this.view;
    const place = h("div", { class: "detail-body" });
    let paragraph = first;
    const leave = () => {
      if (!paragraph.showsEvidence) return;
      paragraph.showsEvidence = false;
      this.reading.redraw(paragraph);
    };
    const go = (next, step) => {
      leave();
      paragraph = next;
      this.reading.mark(next);
      this.reading.jump(next);
      draw();
      keepStep(place, step, ".detail-title");
      announce(`Paragraph ${next.readIndex + 1}: ${tell(next, service.taxonomy)}`);
    };
    const draw = () => {
      const shown = paragraph;
      const show = () => {
        this.reading.redraw(shown);
        draw();
        $(".evidence button", place)?.focus();
      };
      const onEvidence = (each) => toggleEvidence(each, { served: service.served, sha256: this.reading.model.sha256, isGone: () => !place.isConnected || paragraph !== each, show });
      const onCorrect = service.hasCorrections && ((each) => correctDialog(service, { text: each.rawText, prediction: each, source: this.reading.source.name || null, group: this.reading.group, model: this.reading.model, onSaved: draw }));
      const steps = renderSteps({ ...this.reading.stepsFrom(shown), go });
      // The dialog lies over the text, and one goes from paragraph to paragraph within it.
      const text = quote(shown.rawText, { class: "tall" }, renderText({ ...shown, above: "" }, service.taxonomy));
      place.replaceChildren(...[steps, text, renderDetail(shown, service.taxonomy, { onEvidence, onCorrect, model: this.reading.model, from: this.reading.title, level: "h3" })].flat(Infinity).filter(Boolean));
    };
    draw();
    this.reading.mark(paragraph);
    const dialog = openDialog(`Document ${NAMES[this.number]}`, place, () => this.reading.has(paragraph) && this.reading.column.reach(paragraph.readIndex).querySelector(".mark"));
    dialog.addEventListener("close", () => {
      leave();
      this.reading.mark(null);
      if (paragraph !== first && this.reading.has(paragraph)) this.reading.focus(paragraph);
    });
  }
}

const whole = (share) => {
  // What is near zero, but not zero, must not be told as if it were.
  const n = Math.abs(share) < 0.005 ? Number((100 * share).toFixed(1)) : Math.round(100 * share);
  return `${n > 0 ? "+" : n < 0 ? "−" : ""}${Math.abs(n)}`;
};
const points = ({ value, low, high }) => `${whole(value)} points (${whole(low)} to ${whole(high)})`;
const isClear = ({ low, high }) => low > 0 || high < 0;

// How much a share is more, in the words of a sentence.
export function sayPoints(value) {
  const n = Math.round(100 * Math.abs(value));
  return `${n ? count(n, "point") : "less than one point"} more in ${value > 0 ? "B" : "A"}`;
}

// Two balances that are alike may hide shares that are not: more of both poles, or less.
export function sayBalanced(head, a, b) {
  const more = { A: [], B: [] };
  for (const { name } of head.labels) {
    const told = difference(...[a, b].map((summary) => summary.heads[head.name].labels[name].share));
    if (isClear(told)) more[told.value > 0 ? "B" : "A"].push(name);
  }
  const sides = ["B", "A"].filter((side) => more[side].length);
  const told = sides.map((side, i) => `${side} ${i ? "" : "is "}more ${more[side].join(" and ")}`).join(", ");
  return `Overall balance: no clear difference.${told && ` But ${told}.`}`;
}

// What differs is true of these paragraphs; of a few it is no more than that.
function sayMore(head, parts, a, b) {
  const [nA, nB] = [a, b].map((summary) => summary.n_paragraphs - summary.n_left_out);
  const few = Math.min(nA, nB) < FEW ? `, by few paragraphs: ${nB.toLocaleString("en")} in B, ${nA.toLocaleString("en")} in A` : "";
  return `B is more ${head.poles[parts.value > 0 ? 0 : 1]} than A${few}.`;
}

// Two shares on one line: A's and B's, each with its interval.
function pairBar(a, b, tone) {
  const row = (share, y, name) => [
    svg("rect", { class: "track", x: 0, y, width: 100, height: 7 }),
    svg("rect", { class: `fill side-${name}`, x: 0, y, width: 100 * share.value, height: 7 }),
    svg("line", { class: "whisker", x1: 100 * share.low, x2: 100 * share.high, y1: y + 3.5, y2: y + 3.5 }),
  ];
  return svg("svg", { class: `pair-bar tone-${tone}`, viewBox: "0 0 100 17", preserveAspectRatio: "none", "aria-hidden": "true" }, row(a, 1, "A"), row(b, 9, "B"));
}

export class CompareView {
  constructor(service) {
    this.service = service;
    this.sides = [0, 1].map((number) => new Side(this, number));
    this.verdict = h("section", { class: "difference", "aria-label": "Differences" });
    this.element = h(
      "div",
      { class: "view compare-view" },
      h("h1", {}, "Compare two documents"),
      h("p", { class: "lead" }, `${service.taxonomy.isOurs ? "Two speeches, two years, two papers on one event. " : ""}Differences are stated only where the intervals allow it.`),
      this.verdict,
      foldLegend(service.taxonomy),
      h("div", { class: "sides" }, this.sides.map((side) => side.element)),
    );
    takeDrops(this.element, (files) => this.takeFiles(files, this.sides.find((side) => !side.source && !side.intake.isTyped)));
    this.compare();
    addEventListener("corrected", () => this.compare());
  }

  // Two files are A and B, wherever they are dropped; one beside the sides goes to the first that is free.
  takeFiles(files, side) {
    unnotify("no-side");
    if (files.length === 2) this.sides.forEach((each, i) => each.intake.takeFiles([files[i]]));
    else if (side) side.intake.takeFiles(files);
    else notify("Both sides hold a document: drop the file on the one that it is to replace.", { button: "Close", action: () => notify(null), kind: "no-side", role: "alert" });
  }

  takeOver({ sides }) {
    this.sides.forEach((side, i) => side.takeOver(sides[i]));
  }

  // What was not read to its end: all that is said is said of what was. Null where both were.
  sayParts() {
    const parts = this.sides.map((side) => side.part).filter(Boolean);
    return parts.length ? `${parts.join(", ")}: the comparison holds for what was read.` : null;
  }

  compare() {
    const [a, b] = this.sides.map((side) => side.summary);
    this.verdict.hidden = !(a && b);
    if (!a || !b) return;
    const { taxonomy } = this.service;
    const balances = taxonomy.main && [a, b].map((summary) => summary.heads[taxonomy.main.name].balance);
    const parts = balances?.every(Boolean) ? difference(...balances) : null;
    const read = this.sayParts();
    const leftOut = [a, b].flatMap(({ n_left_out: n }, i) => (n ? `${count(n, "paragraph")} of ${NAMES[i]}` : []));
    const corrected = this.sides.flatMap(({ reading }, i) => {
      const told = countCorrected(reading.paragraphs.map((paragraph) => ({ text: paragraph.rawText, answer: paragraph })), taxonomy);
      return told ? `${told} of ${NAMES[i]}` : [];
    });
    const rows = taxonomy.heads.flatMap((head) =>
      head.labels.map((label) => {
        const [first, second] = [a, b].map((summary) => summary.heads[head.name].labels[label.name].share);
        const told = difference(first, second);
        return h(
          "tr",
          { class: isClear(told) ? "given" : null },
          h("th", { scope: "row", class: nameClass(label) }, icon(label), label.name),
          h("td", { class: "bar-cell" }, pairBar(first, second, label.tone)),
          h("td", { class: "figure" }, percent(first.value)),
          h("td", { class: "figure" }, percent(second.value)),
          h("td", { class: "figure" }, points(told)),
          h("td", {}, isClear(told) ? sayPoints(told.value) : h("span", { class: "muted" }, "not told apart")),
        );
      }),
    );
    this.verdict.replaceChildren(
      ...(read ? [h("p", { class: "caution" }, "⚠ ", read)] : []),
      ...(parts
        ? [
            h("p", { class: "lean-words" }, isClear(parts) ? sayMore(taxonomy.main, parts, a, b) : sayBalanced(taxonomy.main, a, b)),
            leftOut.length > 0 && h("p", {}, `Left out for their warnings: ${leftOut.join(", ")}.`),
            corrected.length > 0 && h("p", { class: "yours" }, `These figures are the model's; you ${corrected.join(", ")}.`),
            h("p", {}, `Balance ${signed(balances[0].value)} in A and ${signed(balances[1].value)} in B: a difference of ${signed(parts.value)}, 95 % interval ${signed(parts.low)} to ${signed(parts.high)}.`),
          ].filter(Boolean)
        : []),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Shares of each label" },
        h("table", { class: "scores wide" }, h("caption", { class: "unseen" }, "Shares of each label in A and in B"), h("thead", {}, h("tr", {}, ["label", "A above, B below", "A", "B", "B minus A (95 % interval)", ""].map((name, i) => h("th", { scope: "col", class: [2, 3, 4].includes(i) ? "figure" : null }, name || h("span", { class: "unseen" }, "in words"))))), h("tbody", {}, rows)),
      ),
    );
  }
}
