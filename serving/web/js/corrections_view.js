// Owns the list of corrections: review, mend, delete, export.
import { announce, count, h, openDialog, quote, saveFile } from "./dom.js";
import { ask, askJson, explain } from "./api.js";
import { labelFields } from "./correct.js";
import { changeCorrection } from "./corrected.js";
import { chip, icon } from "./labels.js";
import { askBeforeLeaving } from "./leaving.js";

const LIMIT = 25;
const SHOWN = 1200; // characters of a text
const STATUSES = ["pending", "accepted", "rejected"];
const LONGEST_PAGE = 200; // of the service
const CONFIDENCE = { 1: "a guess", 2: "fairly sure", 3: "sure" };

export class CorrectionsView {
  constructor(service) {
    this.service = service;
    this.fault = h("p", { class: "fault", role: "alert", hidden: true });
    this.exported = h("span", { class: "muted" }, "Export accepted");
    this.status = h("select", { id: "correction-status", on: { change: () => this.choose() } }, h("option", { value: "" }, "all"), STATUSES.map((name) => h("option", { value: name }, name)));
    this.heading = h("h1", { tabindex: "-1" }, "Corrections");
    this.told = h("p", { class: "muted", role: "status" });
    this.printed = h("p", { class: "printed muted" });
    this.list = h("ol", { class: "corrections", role: "list", "aria-label": "Corrections" });
    this.more = h("button", { type: "button", hidden: true, on: { click: () => this.load(true) } }, "Show more");
    this.element = h(
      "div",
      { class: "view corrections-view" },
      h("div", { class: "result-head" }, this.heading, h("div", { class: "row" }, this.exportButtons())),
      h("p", { class: "lead" }, "What readers saved. Accepted ones are meant to train the next model; take each with a second pair of eyes."),
      h("div", { class: "controls" }, h("div", { class: "field" }, h("label", { for: "correction-status" }, "Status"), this.status)),
      this.fault,
      this.told,
      this.printed,
      this.list,
      this.more,
    );
  }

  exportButtons() {
    const save = async (format, name) => {
      // Where no status is chosen, what was rejected or is not reviewed must not slip into training data.
      const status = this.status.value || "accepted";
      this.fault.hidden = true;
      try {
        const { total } = await askJson(`v1/corrections?${new URLSearchParams({ limit: 1, status })}`);
        if (!total) {
          openDialog("Nothing to export", h("p", {}, `No correction is ${status}. ${status === "accepted" ? "Accept some, or choose another status." : ""}`));
          return;
        }
        const response = await ask(`v1/corrections/export?${new URLSearchParams({ format, status })}`, { accept: "*/*" });
        saveFile(name, await response.blob());
      } catch (error) {
        this.fail(error);
      }
    };
    return h(
      "span",
      { class: "group", role: "group", "aria-label": "Export" },
      this.exported,
      h("button", { type: "button", on: { click: () => save("jsonl", "corrections.jsonl") } }, "Training rows"),
      h("button", { type: "button", on: { click: () => save("label-studio", "corrections-label-studio.json") } }, "Label Studio"),
    );
  }

  choose() {
    this.exported.textContent = `Export ${this.status.value || "accepted"}`;
    this.load();
  }

  shown() {
    this.load();
  }

  fail(error) {
    this.fault.textContent = explain(error);
    this.fault.hidden = false;
  }

  tell(total) {
    this.total = total;
    this.told.textContent = total ? `${count(total, "correction")}${this.status.value ? ` ${this.status.value}` : ""}.` : this.status.value ? `None is ${this.status.value}.` : "None yet. Open a paragraph in the reading view and choose “This is wrong”.";
  }

  query(limit) {
    return new URLSearchParams({ limit, ...(this.status.value ? { status: this.status.value } : {}) });
  }

  async load(isMore = false) {
    this.fault.hidden = true;
    const query = this.query(LIMIT);
    if (isMore && this.next) query.set("after", this.next);
    const asked = {};
    this.asked = asked;
    if (!isMore && !this.list.children.length) this.told.textContent = "Asking the service for them …";
    try {
      const page = await askJson(`v1/corrections?${query}`);
      if (asked !== this.asked) return; // another status was chosen meanwhile
      this.next = page.next;
      if (!isMore) this.list.replaceChildren();
      const items = page.corrections.map((correction) => this.render(correction));
      this.list.append(...items);
      this.showClashes(page.clashes, items);
      if (isMore) items[0]?.focus();
      this.more.hidden = !page.next;
      this.printed.textContent = page.next ? `The newest ${count(this.list.children.length, "correction")} are on this paper.` : "";
      this.tell(page.total);
    } catch (error) {
      if (!this.list.children.length) this.told.textContent = "";
      this.fail(error);
    }
  }

  showClashes(clashes, items) {
    for (const item of items) {
      const { n_newer: nNewer = 0, n_older: nOlder = 0 } = clashes[item.dataset.id] ?? {};
      const line = item.querySelector(".clash");
      line.hidden = nNewer + nOlder === 0;
      const newer = `${nNewer === 1 ? "A newer correction" : `${nNewer} newer corrections`} of this paragraph ${nNewer === 1 ? "says" : "say"} otherwise. Training rows take the newest of those accepted.`;
      const older = `${nOlder === 1 ? "An older correction" : `${nOlder} older corrections`} of this paragraph ${nOlder === 1 ? "says" : "say"} otherwise. Training rows take this one, once it is accepted.`;
      line.textContent = line.hidden ? "" : `⚠ ${nNewer ? newer : older}`;
    }
  }

  // What is changed in one may clash with others, or no longer.
  async refreshClashes() {
    try {
      const page = await askJson(`v1/corrections?${this.query(LONGEST_PAGE)}`);
      const found = new Set(page.corrections.map(({ id }) => id));
      this.showClashes(page.clashes, [...this.list.children].filter((item) => found.has(item.dataset.id)));
    } catch (error) {
      this.fail(error);
    }
  }

  sayLabels(labels) {
    const { taxonomy } = this.service;
    const others = Object.keys(labels ?? {}).filter((name) => !taxonomy.head(name)); // of another model
    return [...taxonomy.heads.filter((head) => head.name in (labels ?? {})), ...others.map((name) => ({ name, labels: [] }))].map((head) => {
      const told = labels[head.name];
      const names = told === null || told === undefined ? null : [told].flat();
      return h("span", { class: "chips" }, names === null ? h("span", { class: "muted" }, `${head.name} not judged`) : names.length ? names.map((name) => chip(name, {}, icon(taxonomy.label(head, name)))) : h("span", { class: "muted" }, `no ${head.name}`));
    });
  }

  sayModel({ prediction }) {
    if (!prediction) return null;
    const answers = Object.entries(prediction).filter(([, answer]) => answer?.scores);
    const labels = Object.fromEntries(answers.map(([name, answer]) => [name, answer.labels ?? answer.label]));
    return h("div", { class: "said-by" }, h("span", { class: "muted" }, "model said"), this.sayLabels(labels));
  }

  render(correction) {
    const { text, labels, note, source, group, created, confidence, status, created_by: by, annotator, updated_by: changedBy } = correction;
    const facts = [`${created.slice(0, 16).replace("T", " ")} UTC`, ...new Set([group, source]), confidence && CONFIDENCE[confidence], by && `saved with key ${by}`, annotator && annotator !== by && `labelled with key ${annotator}`, changedBy && changedBy !== by && changedBy !== annotator && `changed with key ${changedBy}`].filter(Boolean).join(" · ");
    const item = h(
      "li",
      { "data-id": correction.id, tabindex: "-1", "aria-label": `${status}: ${text.slice(0, 80).toWellFormed()}` },
      h("div", { class: "correction-head" }, h("span", { class: `status ${status}` }, { pending: "○", accepted: "✓", rejected: "✕" }[status], " ", status), h("span", { class: "muted" }, facts)),
      h("p", { class: "correction-text", dir: "auto" }, text.slice(0, SHOWN).toWellFormed(), text.length > SHOWN && " …"),
      text.length > SHOWN && h("details", {}, h("summary", {}, `All ${count(text.length, "character")}`), h("p", { class: "correction-text", dir: "auto" }, text)),
      h("p", { class: "caution clash", hidden: true }),
      this.sayModel(correction),
      h("div", { class: "said-by" }, h("span", { class: "muted" }, "reader says"), this.sayLabels(labels)),
      note && h("p", { class: "note" }, h("span", { class: "muted" }, "Note: "), h("bdi", {}, note)),
      h(
        "div",
        { class: "row" },
        STATUSES.filter((name) => name !== status).map((name) => h("button", { type: "button", on: { click: () => this.change(item, correction, { status: name }) } }, { pending: "Back to pending", accepted: "Accept", rejected: "Reject" }[name])),
        h("button", { type: "button", on: { click: () => this.mend(item, correction) } }, "Change labels"),
        h("button", { type: "button", class: "quiet", on: { click: () => this.remove(item, correction) } }, "Delete"),
      ),
    );
    return item;
  }

  async save(item, correction, changes, close = () => {}) {
    const response = await ask(`v1/corrections/${encodeURIComponent(correction.id)}`, { method: "PATCH", type: "application/json", body: JSON.stringify(changes) });
    const kept = await response.json();
    close(); // before the focus moves: what is under a dialog cannot have it
    const fresh = this.render(kept);
    item.replaceWith(fresh);
    // One that no longer has the chosen status stays, so that it can be taken back, but is counted no more.
    const isIn = ({ status }) => !this.status.value || status === this.status.value;
    this.tell(this.total + isIn(kept) - isIn(correction));
    fresh.focus({ preventScroll: true });
    announce(changes.status ? `Saved: ${changes.status}.` : "Saved.");
    if (changes.labels) changeCorrection(kept.id, kept);
    await this.refreshClashes();
  }

  async change(item, correction, changes) {
    try {
      await this.save(item, correction, changes);
    } catch (error) {
      openDialog("Not saved", h("p", { class: "fault", role: "alert" }, explain(error))); // the head of the list may be out of sight
    }
  }

  // A dialog whose button does `act` and closes; where that fails, it stays and says why.
  openForm(title, button, content, act, isChanged = () => false) {
    const fault = h("p", { class: "fault", role: "alert", hidden: true });
    const sure = h("button", { type: "submit", class: "primary" }, button);
    const form = h("form", {}, content, fault, h("div", { class: "row" }, sure));
    const dialog = openDialog(title, form);
    dialog.addEventListener("close", askBeforeLeaving(isChanged));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      fault.hidden = true;
      sure.disabled = true;
      try {
        await act(() => dialog.close());
      } catch (error) {
        fault.textContent = explain(error);
        fault.hidden = false;
      } finally {
        sure.disabled = false;
      }
    });
  }

  mend(item, correction) {
    const foreign = Object.keys(correction.labels).filter((name) => !this.service.taxonomy.head(name));
    if (foreign.length) {
      openDialog("Not with this model", h("p", {}, `The correction is of a model with other labels (${foreign.join(", ")}). Choose that model at the top of the page, where it is served.`));
      return;
    }
    const fields = labelFields(this.service.taxonomy, correction.labels);
    const before = JSON.stringify(fields.read());
    this.openForm("Change the labels", "Save labels", [quote(correction.text), fields.element], (close) => this.save(item, correction, { labels: fields.read() }, close), () => JSON.stringify(fields.read()) !== before);
  }

  remove(item, correction) {
    this.openForm("Delete this correction?", "Delete it", [quote(correction.text.length > 300 ? `${correction.text.slice(0, 300).toWellFormed()} …` : correction.text), h("p", {}, "It is gone for good.")], async (close) => {
      await ask(`v1/corrections/${encodeURIComponent(correction.id)}`, { method: "DELETE" });
      const next = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      const isIn = !this.status.value || correction.status === this.status.value;
      this.tell(this.total - isIn);
      if (!next && this.next) await this.load();
      close();
      (next ?? this.list.querySelector("li") ?? this.heading).focus();
      announce("Deleted.");
      changeCorrection(correction.id, null);
      await this.refreshClashes();
    });
  }
}
