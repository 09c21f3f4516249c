// Owns the reading view: one document in, read back with a panel about the chosen paragraph.
import { $, announce, h } from "./dom.js";
import { correctDialog } from "./correct.js";
import { foldLegend, renderDetail, renderLegend } from "./detail.js";
import { downloadButtons, paragraphRows } from "./download.js";
import { Intake, takeDrops } from "./intake.js";
import { tell, toggleEvidence } from "./paragraph.js";
import { askBeforeLeaving } from "./leaving.js";
import { Reading } from "./reading.js";
import { keepStep, renderSteps } from "./steps.js";

const SHEET = matchMedia("(max-width: 1180px)");

function listWords(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function introduce(taxonomy) {
  const told = taxonomy.heads.map((head) => `${head.isOneOf ? "its" : "any"} ${head.name} (${listWords(head.labels.map((label) => label.name))})`);
  return `Paste ${taxonomy.isOurs ? "an article or a speech" : "a text"}, or drop a file. Each paragraph is read back with ${told.join(" and ")}, and how sure the model is of it.`;
}

export class ReadView {
  constructor(service) {
    this.service = service;
    const { taxonomy, limits } = service;
    this.intake = new Intake({ limits, ...(taxonomy.isOurs ? { label: "Article or speech", example: 0 } : {}), onSource: (source) => this.read(source), listLost: () => this.reading.listLost(this.source, { isSaved: this.isSaved }) });
    this.start = h(
      "div",
      { class: "start" },
      h("h1", {}, taxonomy.isOurs ? "Whose hand is on the tiller?" : "Read a text, paragraph by paragraph"),
      h("p", { class: "lead" }, introduce(taxonomy)),
      this.intake.element,
      h("p", { class: "fine" }, "The text goes to this service and to no other, and is not kept."),
    );
    this.detail = h("aside", { class: "detail", id: "detail", "aria-label": "About the paragraph" });
    this.reading = new Reading({ service, onOpen: (paragraph) => this.open(paragraph), onBegun: () => this.name(), onDone: () => this.showTools(), onChosen: () => this.opened && this.open(this.opened, { focus: false }) });
    this.heading = h("h1", { tabindex: "-1", dir: "auto" });
    this.tools = h("div", { class: "row tools-row" });
    this.result = h("div", { class: "result", hidden: true }, h("div", { class: "result-head" }, this.heading, this.tools), this.reading.element);
    this.reading.body.append(this.detail);
    this.reading.summary.after(foldLegend(taxonomy));
    this.element = h("div", { class: "view read-view" }, this.start, this.result);
    takeDrops(this.element, (files) => this.intake.takeFiles(files));
    askBeforeLeaving(() => this.intake.isTyped || (this.reading.wouldLose(this.source) && !this.isSaved));
    // In another view; here the panel is drawn anew with the focus in it.
    addEventListener("corrected", () => this.opened && !this.element.isConnected && this.open(this.opened, { focus: false }));
    // From wherever the reader is, unless Escape has a meaning there.
    addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.opened && this.element.isConnected && !$("dialog[open]") && !event.target.closest?.("input, textarea, select")) this.close();
    });
  }

  get title() {
    return this.start.hidden ? `${this.heading.textContent} – twohands` : "twohands";
  }

  get isSaved() {
    return this.saved === this.reading.paragraphs;
  }

  // What another model has read is read by this one too, and what was typed for it is here to be read.
  takeOver({ source, start, intake }) {
    if (intake.isTyped) {
      if (this.source) this.reset();
      this.intake.takeOver(intake);
    } else if (start.hidden && source !== this.source) this.read(source);
  }

  async read(source) {
    this.source = source;
    this.intake.clear(); // kept until now: a file that cannot be read must not cost what was typed
    this.start.hidden = true;
    this.result.hidden = false;
    this.heading.textContent = source.name || "Reading …";
    this.tools.replaceChildren();
    this.close(false);
    scrollTo(0, 0);
    this.heading.focus({ preventScroll: true });
    await this.reading.start(source);
  }

  name() {
    this.heading.textContent = this.reading.title || "Nothing read";
    if (this.element.isConnected) document.title = this.title;
  }

  showTools() {
    this.name();
    this.tools.replaceChildren(
      h("button", { type: "button", on: { click: () => this.reset() } }, "New text"),
      ...(this.source.text !== undefined && this.source.text.length < 300_000 ? [h("button", { type: "button", on: { click: () => this.edit() } }, "Edit")] : []),
      ...(this.reading.paragraphs.length ? [h("button", { type: "button", on: { click: () => print() } }, "Print"), ...downloadButtons(this.service.taxonomy, () => paragraphRows(this.reading), this.reading.title, () => { this.saved = this.reading.paragraphs; })] : []),
    );
  }

  reset() {
    this.reading.discard();
    this.source = null;
    this.start.hidden = false;
    this.result.hidden = true;
    this.intake.area.focus();
    document.title = this.title;
  }

  edit() {
    const { text } = this.source;
    this.reset();
    this.intake.fill(text);
  }

  open(paragraph, { focus = true } = {}) {
    if (this.opened && this.opened !== paragraph && this.opened.showsEvidence) {
      this.opened.showsEvidence = false;
      this.reading.redraw(this.opened);
    }
    this.opened = paragraph;
    this.reading.mark(paragraph);
    const go = (next, step) => {
      this.open(next, { focus: false });
      this.reading.jump(next);
      keepStep(this.detail, step, ".detail-title");
      announce(`Paragraph ${next.readIndex + 1}: ${tell(next, this.service.taxonomy)}`);
    };
    const steps = renderSteps({ ...this.reading.stepsFrom(paragraph), go, onClose: () => this.close() });
    const onCorrect = this.service.hasCorrections && ((each) => correctDialog(this.service, { text: each.rawText, prediction: each, source: this.source.name || null, group: this.reading.group, model: this.reading.model, onSaved: () => this.open(each) }));
    const show = () => {
      this.reading.redraw(paragraph);
      this.open(paragraph, { focus: false });
      $(".evidence button", this.detail)?.focus({ preventScroll: true });
    };
    const onEvidence = (each) => toggleEvidence(each, { served: this.service.served, sha256: this.reading.model.sha256, isGone: () => this.opened !== each, show });
    this.detail.replaceChildren(...[steps, renderDetail(paragraph, this.service.taxonomy, { onEvidence, onCorrect, model: this.reading.model, from: this.reading.title })].flat(Infinity).filter(Boolean));
    this.detail.classList.add("open");
    this.detail.removeAttribute("tabindex");
    this.detail.scrollTop = 0;
    if (SHEET.matches) this.reading.reveal(paragraph); // the panel lies over the lower part of the text
    if (focus) $(".detail-title", this.detail).focus({ preventScroll: true });
  }

  close(withFocus = true) {
    const before = this.opened;
    this.opened = null;
    this.detail.classList.remove("open");
    this.detail.tabIndex = 0; // it scrolls on a low screen, and has nothing in it that could have the focus
    this.detail.replaceChildren(...renderLegend(this.service.taxonomy).flat(Infinity).filter(Boolean));
    this.reading.mark(null);
    if (before?.showsEvidence && this.reading.has(before)) {
      before.showsEvidence = false;
      this.reading.redraw(before);
    }
    if (withFocus && before) this.reading.focus(before);
  }
}
