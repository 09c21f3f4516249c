// Owns a document read back: progress, summary, paragraphs and strip. Knows nothing of where the document came from.
import { announce, count, h } from "./dom.js";
import { isUnsure } from "./labels.js";
import { Column, LONG } from "./column.js";
import { hasDrafts, sayCorrected } from "./corrected.js";
import { explain, OfflineError, StaleModelError } from "./api.js";
import { readDocument } from "./documents.js";
import { summarise } from "./estimate.js";
import { cutFront, plainHeading, isAside, renderAbove, renderChips, renderMark, renderText } from "./paragraph.js";
import { Strip } from "./strip.js";
import { renderDocumentWarnings, renderSummary } from "./summary.js";

const SUM_UP_EVERY_MS = 600;

export class Reading {
  // `onOpen` is called with a paragraph that is to be shown in detail, `onStart` when it is read (anew), `onBegun` once
  // the title is known; `onChosen` when others stand out; `top` is the level of the document's headings below that of
  // its title.
  constructor({ service, onOpen, onStart, onBegun, onDone, onChosen, top = 2 }) {
    const { taxonomy, limits, served } = service;
    Object.assign(this, { taxonomy, limits, served, top, expected: service.info.model, onOpen, onStart, onBegun, onDone, onChosen });
    this.paragraphs = [];
    this.isDone = false;
    this.isCut = false; // it ended before the document did
    this.filter = null;
    this.marked = null; // the paragraph that is shown in detail
    this.here = null; // the one that was jumped to
    this.progress = h("progress", { max: 1, "aria-label": "Paragraphs read" });
    this.said = h("span", { class: "said" });
    this.stopButton = h("button", { type: "button", on: { click: () => this.stop() } }, "Stop");
    this.bar = h("div", { class: "progress", hidden: true }, this.progress, this.said, this.stopButton);
    this.fault = h("div", { class: "fault", role: "alert", tabindex: "-1", hidden: true });
    this.summary = h("div", { class: "summary-place" });
    this.column = new Column({ render: (paragraph) => this.renderSection(paragraph), onSeen: (first, last) => this.strip.element.hidden || this.strip.showWindow(first, last) });
    this.text = this.column.element;
    this.strip = new Strip(taxonomy, (paragraph) => this.jump(paragraph), (paragraph) => this.isChosen(paragraph));
    // What is beside the text, such as a panel, is put in by the view.
    this.body = h("div", { class: "page-body" }, this.text, this.strip.element);
    this.element = h("div", { class: "reading" }, this.bar, this.fault, this.summary, this.body);
    this.text.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("corrected", ({ detail }) => this.onCorrected(detail));
    addEventListener("online", () => this.wasCutOff && this.element.isConnected && this.start(this.source));
  }

  get sound() {
    return this.paragraphs.filter((paragraph) => !paragraph.error);
  }

  get title() {
    if (this.source?.name) return this.source.name;
    const { above = "", rawText = "" } = this.paragraphs[0] ?? {};
    const { title, rest } = cutFront(above);
    const lines = [title, rest, rawText].flatMap((each) => each.trim().split(/\r|\n/));
    const line = lines.find((each) => /[\p{L}\p{N}]/u.test(each) && !isAside(each)) ?? rawText.trim(); // a rule is no title
    const words = plainHeading(line).split(/\s+/);
    const told = words.length > 18 ? `${words.slice(0, 8).join(" ")} …` : words.join(" ");
    return told.length > 120 ? `${told.slice(0, 118).toWellFormed()} …` : told;
  }

  // By which the corrections of one document are known to belong together.
  get group() {
    return this.title.slice(0, 200) || null;
  }

  // Whether what was made of a source, or the source itself, would go with the page; of a file that was not read, nothing.
  wouldLose(source) {
    return Boolean(source && !source.isExample && (this.paragraphs.length || !source.name));
  }

  // What reading a source again would not bring back, a sentence each: it is asked about before another takes its place.
  listLost(source, { isSaved = false } = {}) {
    if (!source) return [];
    return [
      source.isTyped && !isSaved && "The text that is shown came from the field, and would be lost.",
      hasDrafts(this.taxonomy, this.paragraphs.map(({ rawText }) => rawText)) && "Corrections that you have begun here are not saved.",
    ].filter(Boolean);
  }

  stop() {
    this.running?.abort(new DOMException("stopped", "AbortError"));
  }

  // Stops, and has nothing more to say: neither that it is done, nor that it begins again with the network.
  discard() {
    this.stop();
    Object.assign(this, { running: null, wasCutOff: false, isDone: false });
  }

  async start(source) {
    this.stop();
    const running = new AbortController();
    const hadFocus = this.fault.contains(document.activeElement);
    Object.assign(this, { source, running, paragraphs: [], told: null, model: null, nExpected: null, isDone: false, isCut: false, filter: null, marked: null, here: null, wasCutOff: false, drawn: 0 });
    this.onStart?.();
    this.column.clear();
    this.summary.replaceChildren();
    this.strip.element.hidden = true;
    this.fault.hidden = true;
    this.fault.className = "fault";
    this.body.hidden = true;
    this.bar.hidden = false;
    this.progress.removeAttribute("value");
    this.said.textContent = source.name ? `Reading ${source.name} …` : "Reading …";
    this.unsay = announce(this.said.textContent);
    if (hadFocus) this.stopButton.focus();
    let [isStopped, hasFailed] = [false, false];
    try {
      for await (const news of readDocument(source, { limits: this.limits, served: this.served, signal: running.signal })) this.take(news);
    } catch (error) {
      if (running !== this.running) return; // another document was begun meanwhile
      isStopped = running.signal.aborted;
      hasFailed = !isStopped;
      if (hasFailed) this.fail(error);
    }
    if (running !== this.running) return;
    this.isCut = hasFailed || (isStopped && this.paragraphs.length < (this.nExpected ?? Infinity));
    this.finish(isStopped);
  }

  take(news) {
    if (news.nExpected) {
      if (news.model.sha256 !== this.expected.sha256) throw new StaleModelError();
      this.nExpected = news.nExpected;
      this.model = news.model;
    }
    if (news.summary) this.told = news.summary;
    if (news.tail) this.column.close(h("div", { class: "tail" }, renderAbove(news.tail, this.top)));
    if (news.paragraphs) {
      this.append(news.paragraphs);
      if (this.paragraphs.length === news.paragraphs.length) this.onBegun();
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
    const isHopeless = error.code === "bad_file"; // until it is chosen again
    this.unsay(); // where it fails at once, that it begins would be heard after that it failed
    this.fault.replaceChildren(
      h("p", {}, explain(error) + kept),
      ...(isHopeless ? [] : [h("div", { class: "row" }, h("button", { type: "button", on: { click: again[1] } }, again[0]))]),
    );
    this.fault.hidden = false;
  }

  finish(isStopped) {
    const hadFocus = this.bar.contains(document.activeElement);
    this.bar.hidden = true;
    this.draw();
    if (isStopped && this.isCut) {
      const n = this.paragraphs.length;
      this.fault.className = "caution";
      this.fault.replaceChildren(h("p", {}, n ? `Stopped after ${n.toLocaleString("en")} of ${count(this.nExpected, "paragraph")}; the summary holds for these.` : "Stopped before a paragraph was read."));
      this.fault.hidden = false;
    }
    this.body.hidden = !this.paragraphs.length;
    this.isDone = true;
    if (this.paragraphs.length && this.fault.hidden) announce(`${count(this.paragraphs.length, "paragraph")} read.`);
    this.onDone();
    // What had it is gone: the focus must not fall back to the top of the page.
    if (hadFocus) (this.fault.hidden ? this.text.querySelector(".mark") : this.fault)?.focus({ preventScroll: true });
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
    if (!summary) this.summary.replaceChildren(...[renderDocumentWarnings(this.paragraphs, this.taxonomy)].filter(Boolean));
    else this.summary.replaceChildren(renderSummary(summary, this.paragraphs, this.taxonomy, { filter: this.filter, onFilter: (filter) => this.choose(filter), onFirst: () => this.openFirst(), corrected: sayCorrected(this.paragraphs.map((paragraph) => ({ text: paragraph.rawText, answer: paragraph })), this.taxonomy) }));
    if (focused !== null) [...this.summary.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
  }

  append(paragraphs) {
    this.paragraphs.push(...paragraphs);
    this.column.append(paragraphs);
    this.body.hidden = false;
  }

  renderSection(paragraph) {
    const body = h("div", { class: "body" }, renderText(paragraph, this.taxonomy, this.top), !paragraph.error && renderChips(paragraph, this.taxonomy));
    const section = h("section", { class: "para", "data-number": paragraph.readIndex }, renderMark(paragraph, this.taxonomy, (each) => this.onOpen(each, this)), body);
    section.classList.toggle("pale", !this.isChosen(paragraph));
    section.classList.toggle("here", this.here === paragraph);
    this.showMarked(section, this.marked === paragraph);
    body.addEventListener("click", () => {
      if (getSelection().isCollapsed) this.onOpen(paragraph, this);
    });
    return section;
  }

  has(paragraph) {
    return this.paragraphs[paragraph.readIndex] === paragraph;
  }

  redraw(paragraph) {
    this.column.redraw(paragraph);
  }

  // Here or in another view, of this paragraph or of one with the same words.
  onCorrected({ isText }) {
    const found = this.paragraphs.filter(({ rawText }) => isText(rawText));
    for (const paragraph of found) this.redraw(paragraph);
    if (found.length) this.drawSummary();
  }

  showMarked(section, isMarked) {
    section?.classList.toggle("open", isMarked);
    section?.querySelector(".mark").setAttribute("aria-expanded", String(isMarked));
  }

  mark(paragraph) {
    if (this.marked) this.showMarked(this.column.sections.get(this.marked.readIndex), false);
    this.marked = paragraph;
    if (paragraph) this.showMarked(this.column.reach(paragraph.readIndex), true);
  }

  jump(paragraph) {
    const section = this.column.reach(paragraph.readIndex);
    const isSlow = this.paragraphs.length <= LONG && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    section.scrollIntoView({ block: "center", behavior: isSlow ? "smooth" : "auto" });
    if (this.here) this.column.sections.get(this.here.readIndex)?.classList.remove("here");
    this.here = paragraph;
    section.classList.add("here");
  }

  reveal(paragraph) {
    this.column.reach(paragraph.readIndex).scrollIntoView({ block: "nearest" });
  }

  focus(paragraph) {
    this.column.reach(paragraph.readIndex)?.querySelector(".mark").focus();
  }

  isChosen(paragraph) {
    if (!this.filter) return true;
    if (this.filter.isUnsure) return !paragraph.error && isUnsure(paragraph, this.taxonomy.main);
    const answer = paragraph[this.filter.head];
    if (!answer || (paragraph.warnings.length && !this.filter.isOfAll)) return false;
    return Boolean(answer.label === this.filter.label || answer.labels?.includes(this.filter.label));
  }

  // Shows only the paragraphs that count for a label, as many as the summary says, or those that are unsure; the
  // others stay readable, but pale. What stands out already is what no longer does.
  choose({ head, label, isUnsure: isOfUnsure = false }) {
    const isSame = this.filter?.head === head && this.filter?.label === label;
    const isOfAll = this.sound.every(({ warnings }) => warnings.length); // then all count
    this.filter = isSame ? null : { head, label, isUnsure: isOfUnsure, isOfAll };
    const isOneOf = !isOfUnsure && this.taxonomy.head(head).isOneOf;
    let [n, nUnsure] = [0, 0];
    for (const paragraph of this.paragraphs) {
      const isOn = this.isChosen(paragraph);
      n += isOn ? 1 : 0;
      nUnsure += isOn && isOneOf && isUnsure(paragraph, { name: head }) ? 1 : 0;
      this.column.sections.get(paragraph.readIndex)?.classList.toggle("pale", !isOn);
    }
    this.draw();
    this.onChosen?.();
    const stand = n === 1 ? "stands" : "stand";
    announce(this.filter ? `${count(n, "paragraph")} ${isOfUnsure ? `that ${n === 1 ? "is" : "are"}` : "with"} ${label} ${stand} out${nUnsure ? `, ${nUnsure.toLocaleString("en")} of them unsure` : ""}.` : "All paragraphs stand alike.");
  }

  // The nearest paragraph in a direction, 1 or -1; where some stand out, of those alone if so asked.
  seek(from, by, isOfChosen) {
    let place = from + by;
    while (isOfChosen && this.paragraphs[place] && !this.isChosen(this.paragraphs[place])) place += by;
    return this.paragraphs[place] ?? null;
  }

  // Where one can go from a paragraph that is shown in detail.
  stepsFrom({ readIndex }) {
    const seek = (by) => this.seek(readIndex, by, false);
    return { seek, chosen: this.filter && { name: this.filter.label, seek: (by) => this.seek(readIndex, by, true) } };
  }

  openFirst() {
    const first = this.seek(-1, 1, true);
    if (!first) return;
    this.jump(first);
    this.onOpen(first, this);
  }

  onKey(event) {
    const mark = event.target.closest?.(".mark");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!mark || !step) return;
    const found = this.seek(Number(mark.closest(".para").dataset.number), step, event.shiftKey);
    if (!found) return;
    event.preventDefault();
    const next = this.column.reach(found.readIndex);
    next.querySelector(".mark").focus();
    next.scrollIntoView({ block: "nearest" });
  }
}
