// Owns a document read back: progress, summary, paragraphs and strip. Knows nothing of where the document came from.
import { announce, count, h } from "./dom.js";
import { explain, OfflineError, StaleModelError } from "./api.js";
import { readDocument } from "./documents.js";
import { summarise } from "./estimate.js";
import { renderChips, renderMark, renderText } from "./paragraph.js";
import { Strip } from "./strip.js";
import { renderDocumentWarnings, renderSummary } from "./summary.js";

const SUM_UP_EVERY_MS = 600;

export class Reading {
  // `onOpen` is called with a paragraph that is to be shown in detail.
  constructor({ service, onOpen, onDone }) {
    const { taxonomy, limits, served } = service;
    Object.assign(this, { taxonomy, limits, served, expected: service.info.model, onOpen, onDone });
    this.paragraphs = [];
    this.sections = new Map();
    this.filter = null;
    this.progress = h("progress", { max: 1, "aria-label": "Paragraphs read" });
    this.said = h("span", { class: "said" });
    this.stopButton = h("button", { type: "button", on: { click: () => this.stop() } }, "Stop");
    this.bar = h("div", { class: "progress", hidden: true }, this.progress, this.said, this.stopButton);
    this.fault = h("div", { class: "fault", role: "alert", hidden: true });
    this.summary = h("div", { class: "summary-place" });
    this.text = h("div", { class: "text-column", role: "region", "aria-label": "The document" });
    this.strip = new Strip(taxonomy, (paragraph) => this.jump(paragraph));
    // What is beside the text, such as a panel, is put in by the view.
    this.body = h("div", { class: "page-body" }, this.text, this.strip.element);
    this.element = h("div", { class: "reading" }, this.bar, this.fault, this.summary, this.body);
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    this.watcher = new IntersectionObserver((entries) => this.onSeen(entries));
    this.seen = new Set();
    addEventListener("online", () => this.wasCutOff && this.element.isConnected && this.start(this.source));
  }

  get sound() {
    return this.paragraphs.filter((paragraph) => !paragraph.error);
  }

  get title() {
    if (this.source?.name) return this.source.name;
    const words = (this.paragraphs[0]?.rawText.trim().split("\n")[0] ?? "").split(/\s+/);
    const told = words.length > 10 ? `${words.slice(0, 8).join(" ")} …` : words.join(" ");
    return told.length > 120 ? `${told.slice(0, 118).toWellFormed()} …` : told;
  }

  // By which the corrections of one document are known to belong together.
  get group() {
    return this.title.slice(0, 200) || null;
  }

  stop() {
    this.running?.abort(new DOMException("stopped", "AbortError"));
  }

  // Stops, and has nothing more to say: neither that it is done, nor that it begins again with the network.
  discard() {
    this.stop();
    Object.assign(this, { running: null, wasCutOff: false });
  }

  async start(source) {
    this.stop();
    const running = new AbortController();
    Object.assign(this, { source, running, paragraphs: [], told: null, model: null, filter: null, wasCutOff: false, drawn: 0 });
    this.sections.clear();
    this.seen.clear();
    this.watcher.disconnect();
    this.text.replaceChildren();
    this.summary.replaceChildren();
    this.strip.element.hidden = true;
    this.fault.hidden = true;
    this.fault.className = "fault";
    this.body.hidden = true;
    this.bar.hidden = false;
    this.progress.removeAttribute("value");
    this.said.textContent = source.file ? `Reading ${source.name} …` : "Reading …";
    let isStopped = false;
    try {
      for await (const news of readDocument(source, { limits: this.limits, served: this.served, signal: running.signal })) this.take(news);
    } catch (error) {
      if (running !== this.running) return; // another document was begun meanwhile
      if (running.signal.aborted) isStopped = true;
      else this.fail(error);
    }
    if (running !== this.running) return;
    this.bar.hidden = true;
    this.finish(isStopped);
  }

  take(news) {
    if (news.nExpected) {
      if (news.model.sha256 !== this.expected.sha256) throw new StaleModelError();
      this.nExpected = news.nExpected;
      this.model = news.model;
    }
    if (news.summary) this.told = news.summary;
    if (news.paragraphs) {
      this.append(news.paragraphs);
      this.progress.value = Math.min(this.paragraphs.length / this.nExpected, 1);
      this.said.textContent = `${this.paragraphs.length.toLocaleString("en")} of ${this.nExpected.toLocaleString("en")} paragraphs`;
      const now = performance.now();
      if (this.drawn === 0 || now - this.drawn > SUM_UP_EVERY_MS) {
        this.draw();
        this.drawn = performance.now() + (performance.now() - now) * 4; // the slower the drawing, the rarer
      }
    }
  }

  fail(error) {
    this.wasCutOff = error instanceof OfflineError;
    const kept = this.paragraphs.length ? ` The ${count(this.paragraphs.length, "paragraph")} read until then ${this.paragraphs.length === 1 ? "is" : "are"} below.` : "";
    const again = error instanceof StaleModelError ? ["Use the new model", () => dispatchEvent(new Event("modelexchange"))] : ["Try again", () => this.start(this.source)];
    this.fault.replaceChildren(
      h("p", {}, explain(error) + kept),
      h("div", { class: "row" }, h("button", { type: "button", on: { click: again[1] } }, again[0])),
    );
    this.fault.hidden = false;
  }

  finish(isStopped) {
    this.draw();
    if (isStopped && this.paragraphs.length < (this.nExpected ?? 0)) {
      this.fault.className = "caution";
      this.fault.replaceChildren(h("p", {}, `Stopped after ${this.paragraphs.length.toLocaleString("en")} of ${count(this.nExpected, "paragraph")}; the summary holds for these.`));
      this.fault.hidden = false;
    }
    this.body.hidden = !this.paragraphs.length;
    if (this.paragraphs.length && this.fault.hidden) announce(`${count(this.paragraphs.length, "paragraph")} read.`);
    this.onDone?.(this);
  }

  draw() {
    this.drawSummary();
    this.strip.element.hidden = this.paragraphs.length < 2 || !this.taxonomy.main;
    if (!this.strip.element.hidden) this.strip.draw(this.paragraphs);
  }

  drawSummary() {
    const focused = this.summary.contains(document.activeElement) ? document.activeElement.textContent : null;
    const summary = this.told ?? summarise(this.sound, this.taxonomy);
    this.current = summary;
    if (!summary) this.summary.replaceChildren(...[renderDocumentWarnings(this.paragraphs)].filter(Boolean));
    else this.summary.replaceChildren(renderSummary(summary, this.paragraphs, this.taxonomy, { filter: this.filter, onFilter: (head, label) => this.choose(head, label) }));
    if (focused !== null) [...this.summary.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
  }

  append(paragraphs) {
    const fragment = document.createDocumentFragment();
    for (const paragraph of paragraphs) {
      this.paragraphs.push(paragraph);
      const section = this.renderSection(paragraph);
      this.sections.set(paragraph.readIndex, section);
      this.watcher.observe(section);
      section.classList.toggle("pale", !this.isChosen(paragraph));
      fragment.append(section);
    }
    this.text.append(fragment);
    this.body.hidden = false;
    this.text.classList.toggle("long", this.paragraphs.length > 300); // what is not seen is then not laid out
  }

  renderSection(paragraph) {
    const body = h("div", { class: "body" }, renderText(paragraph, this.taxonomy), !paragraph.error && renderChips(paragraph, this.taxonomy));
    const section = h("section", { class: "para", "data-number": paragraph.readIndex }, renderMark(paragraph, this.taxonomy, (each) => this.onOpen(each, this)), body);
    body.addEventListener("click", () => {
      if (getSelection().isCollapsed) this.onOpen(paragraph, this);
    });
    return section;
  }

  redraw(paragraph) {
    const old = this.sections.get(paragraph.readIndex);
    const fresh = this.renderSection(paragraph);
    fresh.className = old.className;
    const hadFocus = old.contains(document.activeElement);
    this.watcher.unobserve(old);
    old.replaceWith(fresh);
    this.watcher.observe(fresh);
    this.sections.set(paragraph.readIndex, fresh);
    if (hadFocus) fresh.querySelector(".mark").focus({ preventScroll: true });
  }

  mark(paragraph) {
    for (const section of this.text.querySelectorAll(".para.open")) {
      section.classList.remove("open");
      section.querySelector(".mark").setAttribute("aria-expanded", "false");
    }
    if (!paragraph) return;
    const section = this.sections.get(paragraph.readIndex);
    section.classList.add("open");
    section.querySelector(".mark").setAttribute("aria-expanded", "true");
  }

  jump(paragraph) {
    const section = this.sections.get(paragraph.readIndex);
    section.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    for (const other of this.text.querySelectorAll(".here")) other.classList.remove("here");
    section.classList.add("here");
  }

  reveal(paragraph) {
    this.sections.get(paragraph.readIndex).scrollIntoView({ block: "nearest" });
  }

  focus(paragraph) {
    this.sections.get(paragraph.readIndex)?.querySelector(".mark").focus();
  }

  isChosen(paragraph) {
    const answer = this.filter && paragraph[this.filter.head];
    return !this.filter || Boolean(answer && (answer.label === this.filter.label || answer.labels?.includes(this.filter.label)));
  }

  // Shows only the paragraphs that have a label; the others stay readable, but pale.
  choose(head, label) {
    const isSame = this.filter?.head === head && this.filter?.label === label;
    this.filter = isSame ? null : { head, label };
    let n = 0;
    for (const paragraph of this.paragraphs) {
      const isOn = this.isChosen(paragraph);
      n += isOn ? 1 : 0;
      this.sections.get(paragraph.readIndex).classList.toggle("pale", !isOn);
    }
    this.drawSummary();
    announce(this.filter ? `${count(n, "paragraph")} with ${label} stand out.` : "All paragraphs stand alike.");
  }

  onKey(event) {
    const mark = event.target.closest?.(".mark");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!mark || !step) return;
    const number = Number(mark.closest(".para").dataset.number) + step;
    const next = this.sections.get(number);
    if (!next) return;
    event.preventDefault();
    next.querySelector(".mark").focus();
    next.scrollIntoView({ block: "nearest" });
  }

  onSeen(entries) {
    for (const { target, isIntersecting } of entries) {
      const number = Number(target.dataset.number);
      if (isIntersecting) this.seen.add(number);
      else this.seen.delete(number);
    }
    if (this.seen.size && !this.strip.element.hidden) this.strip.showWindow(Math.min(...this.seen), Math.max(...this.seen));
  }
}
