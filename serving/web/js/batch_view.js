// Owns the batch view: a table of rows in, progress, then the table, the charts and the downloads.
import { $, announce, askFirst, count, h, openDialog } from "./dom.js";
import { explain, OfflineError, StaleModelError } from "./api.js";
import { loadChartLibrary, makeFigures, onPaper } from "./charts.js";
import { findCorrected, sayCorrected } from "./corrected.js";
import { findDateStyle } from "./dates.js";
import { downloadButtons } from "./download.js";
import { fileButton, takeDrops, takeFirst } from "./intake.js";
import { chooseCounted } from "./labels.js";
import { askBeforeLeaving } from "./leaving.js";
import { openRow } from "./row_dialog.js";
import { guessColumns, isNoText, listColumns, readRows, readText } from "./rows.js";
import { classifyRows } from "./stream.js";
import { renderSummary } from "./summary.js";
import { summarise } from "./estimate.js";
import { RowTable } from "./table.js";

const ACCEPT = ".csv,.tsv,.jsonl,.ndjson,.json,text/csv,application/x-ndjson";
const DRAW_EVERY_MS = 700;
const made = new Map(); // by the name of a model: the views of all that the service has had under it
const caution = (text) => h("p", { class: "caution" }, "⚠ ", text);

export class BatchView {
  constructor(service) {
    this.service = service;
    this.formers = []; // those among them whose answers are shown below
    made.set(service.served, [...(made.get(service.served) ?? []), this]);
    this.fault = h("div", { role: "alert", tabindex: "-1", hidden: true });
    this.drop = h(
      "div",
      { class: "drop" },
      h("p", { class: "drop-words" }, "Drop a CSV or JSONL file here"),
      h("div", { class: "row" }, fileButton("Choose a file …", ACCEPT, (files) => this.takeFile(files[0]))),
      h("p", { class: "fine" }, "A column of text is needed; a date and a source column give charts. The file stays in this tab; only its texts go to the service, which does not keep them."),
    );
    this.setup = h("div", { class: "setup", hidden: true });
    this.progress = h("progress", { max: 1, "aria-label": "Rows classified" });
    this.said = h("span", { class: "said" });
    this.stopButton = h("button", { type: "button", on: { click: () => this.stop() } }, "Stop");
    this.bar = h("div", { class: "progress", role: "group", "aria-label": "Progress", tabindex: "-1", hidden: true }, this.progress, this.said, this.stopButton);
    this.results = h("div", { class: "batch-results", hidden: true });
    this.kept = h("div", { class: "former", hidden: true });
    this.element = h("div", { class: "view batch-view" }, h("h1", {}, "Classify a table of rows"), this.fault, this.drop, this.setup, this.bar, this.results, this.kept);
    takeDrops(this.element, (files) => this.takeFile(takeFirst(files, "table")));
    addEventListener("themechange", () => this.drawCharts());
    addEventListener("beforeprint", () => this.figures?.forEach((figure) => onPaper(figure.draw)));
    addEventListener("afterprint", () => this.figures?.forEach((figure) => figure.draw()));
    addEventListener("corrected", () => {
      if (!this.rows || this.results.hidden) return;
      this.table.draw();
      this.drawSummary();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.drawCharts());
    addEventListener("online", async () => {
      if (this.wasCutOff) return this.run();
      await Promise.all(this.figures?.map((figure) => figure.drawn()) ?? []); // one begun without a network fails after this
      if (this.figures?.some((figure) => figure.isMissing())) this.drawCharts();
    });
    // Hours of work may stand here that nothing else holds, until all of it is downloaded.
    askBeforeLeaving(() => this.wouldLose());
  }

  wouldLose() {
    return Boolean(this.running) || (!this.results.hidden && this.done().some((row) => !row.isSaved));
  }

  sayHeld() {
    if (this.running) return `${this.name} is being classified: ${this.nDone.toLocaleString("en")} of ${count(this.rows.length, "row")} are done.`;
    const n = this.done().filter((row) => !row.isSaved).length;
    if (!n) return `The answers of ${this.name} are downloaded.`;
    return `${count(n, "row")} of ${this.name} ${n === 1 ? "has an answer" : "have answers"} that ${n === 1 ? "is" : "are"} not downloaded.`;
  }

  // As the browser asks before the page is left.
  async mayLose() {
    return !this.wouldLose() || askFirst("Discard the answers?", this.sayHeld(), "Discard them", "Keep them");
  }

  // Answers of models that the service has exchanged go on being shown, below what is begun anew with this one. An
  // exchange may be taken back: `service` is another object where it was asked anew, and has this very model.
  shown(service) {
    const isAsked = service !== this.service;
    this.service = service;
    if (this.results.parentNode !== this.element) this.kept.before(this.results); // it stood below those of another
    if (this.another) this.another.hidden = false;
    const others = made.get(service.served).filter((view) => view !== this);
    for (const view of others) view.settle();
    this.formers = others.filter((view) => !view.results.hidden && (view.wouldLose() || this.formers.includes(view)));
    this.kept.replaceChildren(...this.formers.flatMap((former) => {
      const { name, version, sha256 } = former.service.info.model;
      return [caution(`${former.sayHeld()} They are of ${name} ${version} (${sha256.slice(0, 8)}), which the service has exchanged, and stay here until the next table is classified.`), former.results];
    }));
    this.kept.hidden = !this.formers.length;
    if (this.drop.hidden && this.setup.hidden && this.results.hidden) this.beginAnew();
    else if (isAsked && this.isCutShort() && (this.fault.hidden || this.isStale)) this.offerToGoOn();
  }

  // The answers made way for a table of another model; this one's is still at hand.
  beginAnew() {
    this.fault.hidden = true;
    this.drop.hidden = false;
    if (this.raw) this.setUp(this.columns);
  }

  isCutShort() {
    return !this.results.hidden && !this.running && this.nDone < this.rows.length;
  }

  offerToGoOn() {
    const { name, version } = this.service.info.model;
    this.isStale = false;
    this.fail(`${name} ${version} is in service again. ${this.sayKept()}`, "Go on", () => this.run(), "caution");
  }

  // No more rows will come, not with the network either.
  settle() {
    this.wasCutOff = false;
    if (this.running) {
      this.discard();
      this.table.setRows(this.done(), this.extra);
    }
    if (this.another) this.another.hidden = true;
  }

  letGo() {
    for (const former of this.formers) former.results.hidden = true;
    this.formers = [];
    this.kept.replaceChildren();
    this.kept.hidden = true;
  }

  fail(text, button, action, className = "fault") {
    this.fault.className = className;
    this.fault.replaceChildren(h("p", {}, text), ...(button ? [h("div", { class: "row" }, h("button", { type: "button", on: { click: action } }, button))] : []));
    this.fault.hidden = !text;
  }

  async takeFile(file) {
    const asked = {};
    this.asked = asked;
    try {
      const told = await readRows(file);
      if (asked === this.asked && (await this.mayLose()) && asked === this.asked) this.prepare({ name: file.name, ...told });
    } catch (error) {
      if (asked === this.asked) this.refuse(explain(error));
    }
  }

  // A file that cannot be read takes nothing away: what runs runs on.
  refuse(text) {
    if (this.results.hidden) this.fail(text);
    else openDialog("Not read", h("p", { class: "fault", role: "alert" }, text));
  }

  // What another model was given is offered to this one.
  takeOver({ name, raw, notes, doubt, columns }) {
    this.dropOffer();
    if (!raw || raw === this.raw) return;
    const take = () => {
      this.prepare({ name, rows: raw, notes, doubt });
      this.setUp(columns);
    };
    if (!this.wouldLose()) return take();
    // Not in the place of a fault, whose button is the only way on with the rows that are left.
    const button = h("button", { type: "button", on: { click: async () => (await this.mayLose()) && take() } }, `Take ${name} over`);
    this.offered = name;
    this.offer = h("div", { class: "caution", role: "alert" }, h("p"), h("div", { class: "row" }, button));
    this.sayOffer();
    this.fault.after(this.offer);
  }

  sayOffer() {
    const held = this.running ? `${this.name} is being classified.` : this.offer && this.sayHeld();
    if (this.offer) $("p", this.offer).textContent = `${this.offered} is not taken over. ${held}`;
  }

  dropOffer() {
    this.offer?.remove();
    this.offer = null;
  }

  prepare({ name, rows, notes, doubt }) {
    this.discard();
    Object.assign(this, { name, raw: rows, notes, doubt });
    loadChartLibrary().catch(() => {}); // now, while there is a network: the charts come when it may have gone
    this.results.hidden = true;
    this.drop.hidden = false;
    this.setUp(guessColumns(rows));
  }

  setUp(columns) {
    const { name, raw: rows, notes } = this;
    this.columns = { ...columns };
    if (this.doubt) {
      this.warn();
      return;
    }
    const odd = h("p", { class: "caution", hidden: true });
    const look = () => {
      const n = rows.filter((row) => isNoText(row[this.columns.text])).length;
      odd.hidden = !n;
      odd.textContent = n ? `⚠ ${count(n, "row")} of ${this.columns.text} ${n === 1 ? "holds" : "hold"} an object or a list and no text, and ${n === 1 ? "is" : "are"} not read.` : "";
      if (n) announce(odd.textContent);
    };
    const names = listColumns(rows);
    const choose = (kind, text, isNeeded) => {
      const select = h("select", { id: `column-${kind}`, on: { change: () => { this.columns[kind] = select.value || null; look(); } } }, !isNeeded && h("option", { value: "" }, "none"), names.map((column) => h("option", { value: column }, column)));
      select.value = this.columns[kind] ?? "";
      return h("div", { class: "field" }, h("label", { for: `column-${kind}` }, text), select);
    };
    const start = h("button", { type: "submit", class: "primary" }, `Classify ${count(rows.length, "row")}`);
    this.setup.replaceChildren(
      h("h2", {}, name),
      ...notes.map(caution),
      odd,
      h("form", { class: "controls", on: { submit: (event) => { event.preventDefault(); this.begin(); } } }, choose("text", "Text", true), choose("date", "Date"), choose("source", "Source"), start),
    );
    look();
    this.setup.hidden = false;
    start.focus();
  }

  // A table that has come apart is not offered as one that has not.
  warn() {
    const told = h("p", { class: "fault", role: "alert", tabindex: "-1" }, this.doubt);
    const goOn = () => {
      Object.assign(this, { notes: [this.doubt, ...this.notes], doubt: null });
      this.setUp(this.columns);
    };
    this.setup.hidden = false;
    this.setup.replaceChildren(h("h2", {}, this.name), told, ...this.notes.map(caution), h("div", { class: "row" }, h("button", { type: "button", on: { click: goOn } }, "Go on anyway")));
    told.focus();
  }

  async begin() {
    for (const former of this.formers) if (!(await former.mayLose())) return;
    this.letGo();
    const { text, date, source } = this.columns;
    this.rows = this.raw.map((own, index) => ({ index, own, text: readText(own[text]), answer: null }));
    this.texts = this.rows.map((row) => row.text);
    this.dateStyle = date && findDateStyle(this.raw.map((own) => own[date]));
    Object.assign(this, { nDone: 0, tried: null });
    this.extra = [...new Set([date, source])].filter((column) => column && column !== text);
    this.layOut();
    this.run();
  }

  stop() {
    this.running?.abort(new DOMException("stopped", "AbortError"));
  }

  // Stops, and has nothing more to say: neither that it was stopped, nor that it goes on with the network.
  discard() {
    this.stop();
    Object.assign(this, { running: null, wasCutOff: false });
    this.dropOffer();
    this.fault.hidden = true;
    this.bar.hidden = true;
  }

  async run() {
    this.stop();
    const running = new AbortController();
    Object.assign(this, { running, wasCutOff: false });
    const hadFocus = this.setup.contains(document.activeElement) || this.fault.contains(document.activeElement);
    this.fault.hidden = true;
    this.sayOffer();
    this.bar.hidden = false;
    // Not to Stop: a key held a moment too long would press it.
    if (hadFocus) this.bar.focus();
    announce(`Classifying ${count(this.rows.length - this.nDone, "row")} …`);
    this.setup.hidden = true;
    this.drop.hidden = true;
    this.results.hidden = false;
    this.showProgress();
    const [startedAt, nBefore] = [performance.now(), this.nDone];
    let drawn = 0;
    try {
      for await (const answered of classifyRows(this.texts, { from: this.nDone, tried: this.tried, signal: running.signal, maxBodyBytes: this.service.limits.max_body_bytes, served: this.service.served, sha256: this.service.info.model.sha256 })) {
        for (const { index, answer } of answered) this.rows[index].answer = answer;
        this.nDone = answered.at(-1).index + 1;
        this.showProgress((performance.now() - startedAt) / (this.nDone - nBefore));
        const now = performance.now();
        if (now - drawn > DRAW_EVERY_MS) {
          this.table.setRows(this.done(), this.extra, { isRunning: true });
          drawn = performance.now() + 4 * (performance.now() - now); // the slower the drawing, the rarer
        }
      }
      announce(`${count(this.rows.length, "row")} classified.`);
    } catch (error) {
      if (running !== this.running) return;
      this.interrupted(error, running.signal.aborted);
    }
    if (running !== this.running) return;
    this.running = null;
    this.sayOffer();
    const hasFocus = this.bar.contains(document.activeElement);
    this.bar.hidden = true;
    if (hasFocus) (this.fault.hidden ? this.heading : this.fault).focus({ preventScroll: true });
    this.table.setRows(this.done(), this.extra);
  }

  sayKept() {
    return `${this.nDone.toLocaleString("en")} of ${count(this.rows.length, "row")} are done and kept.`;
  }

  interrupted(error, isStopped) {
    const kept = this.sayKept();
    const isLate = !isStopped && error.code === "deadline_exceeded";
    this.wasCutOff = error instanceof OfflineError;
    this.isStale = !isStopped && error instanceof StaleModelError;
    if (isLate) this.tried = this.nDone;
    if (isStopped) this.fail(`Stopped. ${kept}`, "Go on", () => this.run(), "caution");
    else if (isLate) this.fail(`Row ${(this.nDone + 1).toLocaleString("en")} took longer than the service gives to one request. ${kept} If it does so once more, it is passed over, as one that could not be read.`, "Go on from there", () => this.run());
    else if (this.isStale) this.fail(`${explain(error)} ${kept} They stay here, to be downloaded, until the new one begins.`, "Use the new model", () => dispatchEvent(new Event("modelexchange")));
    else this.fail(`${explain(error)} ${kept}`, "Go on from there", () => this.run());
  }

  done() {
    return this.rows.slice(0, this.nDone).filter((row) => row.answer !== null);
  }

  showProgress(msPerRow) {
    const left = this.rows.length - this.nDone;
    const seconds = msPerRow ? Math.ceil((left * msPerRow) / 1000) : null;
    const time = seconds === null || !left ? "" : seconds < 90 ? `, about ${seconds} s left` : `, about ${Math.round(seconds / 60)} min left`;
    if (this.nDone) this.progress.value = this.nDone / this.rows.length;
    else this.progress.removeAttribute("value"); // it moves until the first answers are there
    this.said.textContent = `${this.nDone.toLocaleString("en")} of ${count(this.rows.length, "row")}${time}`;
  }

  layOut() {
    const { taxonomy } = this.service;
    this.table = new RowTable({ taxonomy, onOpen: (row) => openRow(row, this), onFilter: () => this.drawCharts() });
    this.summary = h("div", { class: "summary-place" });
    this.charts = h("div", { class: "charts" });
    this.headSelect = h("select", { id: "chart-head", on: { change: () => this.drawCharts() } }, taxonomy.heads.map((head) => h("option", { value: head.name }, head.name)));
    this.chartControls = h("div", { class: "controls", hidden: true }, h("div", { class: "field" }, h("label", { for: "chart-head" }, "Charts of"), this.headSelect));
    const { rows } = this;
    const downloads = downloadButtons(taxonomy, () => [...this.table.chosen].sort((a, b) => a.index - b.index).map(({ own, index, text, answer }) => ({ own, place: { row: index + 1 }, corrected: findCorrected(taxonomy, text), model: this.service.info.model, answer: answer ?? {} })), this.name.replace(/\.[^.]*$/, ""), (saved) => { saved.forEach(({ place }) => { rows[place.row - 1].isSaved = true; }); this.sayOffer(); });
    this.heading = h("h2", { tabindex: "-1" }, this.name);
    this.another = h("button", { type: "button", on: { click: () => this.reset() } }, "Another file");
    this.results.replaceChildren(
      h("div", { class: "result-head" }, this.heading, h("div", { class: "row tools-row" }, downloads, this.another)),
      this.summary,
      this.chartControls,
      this.charts,
      this.table.element,
    );
  }

  async reset() {
    if (!(await this.mayLose())) return;
    this.discard();
    this.raw = null;
    this.results.hidden = true;
    this.setup.hidden = true;
    this.drop.hidden = false;
    this.drop.querySelector("button").focus();
  }

  drawCharts() {
    if (!this.rows || this.results.hidden) return;
    const sound = this.table.chosen.filter(({ answer }) => !answer.error);
    const { taxonomy } = this.service;
    this.drawSummary();
    for (const figure of this.figures ?? []) figure.end();
    // A table of figures that is open stays so: rows come in and filters change while it is read.
    const before = new Map((this.figures ?? []).map(({ kind, table }) => [kind, { isOpen: table.open, hasFocus: table.contains(document.activeElement) }]));
    const head = taxonomy.head(this.headSelect.value) ?? taxonomy.heads[0];
    const { figures, missing } = sound.length ? makeFigures(chooseCounted(sound, ({ answer }) => answer), head, this) : { figures: [], missing: [] };
    this.figures = figures;
    this.chartControls.hidden = !this.figures.length || taxonomy.heads.length < 2;
    this.charts.replaceChildren(...(this.running ? [] : missing.map(caution)), ...figures.map((figure) => figure.element));
    for (const figure of this.figures) {
      figure.draw();
      figure.table.open = before.get(figure.kind)?.isOpen ?? false;
      if (before.get(figure.kind)?.hasFocus) $("summary", figure.table).focus({ preventScroll: true });
    }
  }

  drawSummary() {
    const { chosen } = this.table;
    const { taxonomy } = this.service;
    const answers = chosen.map(({ answer }) => answer);
    this.summary.hidden = !answers.length;
    this.summary.replaceChildren(renderSummary(summarise(answers.filter(({ error }) => !error), taxonomy), answers, taxonomy, { unit: "row", numbers: chosen.map(({ index }) => index + 1), corrected: sayCorrected(chosen, taxonomy, "row") }));
  }
}
