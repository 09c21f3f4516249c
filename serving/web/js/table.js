// Owns the table of a batch's rows: filter, sort, pages. Knows nothing of where rows come from.
import { $, count, h, percent } from "./dom.js";
import { caution, chip, icon, isUnsure, title } from "./labels.js";
import { sayCorrection } from "./paragraph.js";
import { findCorrected } from "./corrected.js";
import { isNoText, readCell } from "./rows.js";

const ROWS_OF_A_PAGE = 50;
const LONGEST = 160; // characters of a text in its cell
const IN_ORDER = new Intl.Collator("en", { numeric: true });

// The beginning of a long text, cut between two words where there are any.
function shorten(text) {
  if (text.length <= LONGEST) return text;
  const end = text.slice(0, LONGEST + 1).search(/\s+\S*$/);
  return `${text.slice(0, end > LONGEST / 2 ? end : LONGEST).toWellFormed()} …`;
}

export class RowTable {
  // Rows are { index, text, own, answer }. `onOpen` gets one; `onFilter` is told when the choice of rows changes.
  constructor({ taxonomy, onOpen, onFilter }) {
    Object.assign(this, { taxonomy, onOpen, onFilter, rows: [], chosen: [], page: 0, sort: { column: "#", isDown: false } });
    this.bearer = taxonomy.main ?? taxonomy.heads[0]; // in whose cell stands what holds for the whole row
    this.search = h("input", { type: "search", id: "filter-text", placeholder: "any word", on: { input: () => this.refreshSoon() } });
    this.selects = taxonomy.heads.map((head) => ({ head, select: h("select", { id: `filter-head-${head.name}`, on: { change: () => this.refresh() } }, h("option", { value: "" }, `any ${head.name}`), head.labels.map((label) => h("option", { value: label.name }, label.name)), !head.isOneOf && h("option", { value: "\u0000" }, "none of them")) }));
    this.state = h("select", { id: "filter-state", on: { change: () => this.refresh() } }, ["all answers", "sure only", "unsure only", "with warnings", "not read"].map((name, i) => h("option", { value: i }, name)));
    this.least = h("input", { type: "number", id: "filter-score", min: 0, max: 100, step: 5, value: 0, on: { input: () => this.refresh() } });
    const field = (id, text, control) => h("div", { class: "field" }, h("label", { for: id }, text), control);
    this.controls = h(
      "div",
      { class: "controls", role: "search", "aria-label": "Filter the rows" },
      field("filter-text", "Find", this.search),
      this.selects.map(({ head, select }) => field(`filter-head-${head.name}`, head.name, select)),
      field("filter-state", "Certainty", this.state),
      taxonomy.main && field("filter-score", `${title(taxonomy.main.name)} score from, in %`, this.least),
    );
    this.told = h("p", { class: "muted", role: "status" });
    // The roles are those of the elements: on a phone, rows are laid out as cards, and browsers then forget the table.
    this.head = h("thead", { role: "rowgroup" });
    this.body = h("tbody", { role: "rowgroup" });
    this.table = h("table", { class: "batch-table", role: "table" }, h("caption", { class: "unseen" }, "Classified rows"), this.head, this.body);
    this.scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of rows" }, this.table);
    this.pager = h("div", { class: "row pager", role: "group", "aria-label": "Pages" });
    this.printed = h("p", { class: "printed muted" });
    this.element = h("section", { "aria-label": "Rows" }, this.controls, this.told, this.printed, this.scroll, this.pager);
  }

  columns() {
    const { taxonomy, extra } = this;
    return [
      { id: "#", name: "#", isFigure: true, value: (row) => row.index },
      ...extra.map((column) => ({ id: `own:${column}`, name: column, value: ({ own }) => (isNoText(own[column]) ? readCell(own[column]) : (own[column] ?? "")), cell: ({ own }) => readCell(own[column]) })),
      { id: "text", name: "text", value: (row) => row.text, cell: (row) => this.textButton(row) },
      ...taxonomy.heads.map((head) => ({
        id: head.name,
        name: head.name,
        isAnswer: true,
        value: (row) => (row.answer?.[head.name] ? (head.isOneOf ? row.answer[head.name].label : row.answer[head.name].labels.join(" ")) : ""),
        cell: (row) => this.answerCell(row, head),
      })),
      ...(taxonomy.main ? [{ id: "#score", name: `${taxonomy.main.name} score`, isFigure: true, value: (row) => row.answer?.[taxonomy.main.name]?.score ?? -1, cell: (row) => (row.answer?.[taxonomy.main.name] ? percent(row.answer[taxonomy.main.name].score) : "") }] : []),
    ];
  }

  textButton(row) {
    const text = shorten(row.text);
    return h("button", { type: "button", class: "row-text", "data-row": row.index, dir: "auto", on: { click: () => this.onOpen(row) } }, text || "(no text)");
  }

  answerCell(row, head) {
    if (!row.answer) return "";
    if (row.answer.error) return head === this.taxonomy.heads[0] ? chip("not read", { class: "chip warn", title: row.answer.error.message }) : "";
    const answer = row.answer[head.name];
    const unsure = head.isOneOf && isUnsure(row.answer, head);
    const told = head.isOneOf
      ? h("span", { class: unsure ? "label muted" : "label" }, icon(this.taxonomy.label(head, answer.label)), unsure ? `unsure, leans ${answer.label}` : answer.label)
      : h("span", { class: "chips" }, answer.labels.map((name) => chip(name, {}, icon(this.taxonomy.label(head, name)))));
    if (head !== this.bearer) return told;
    const words = [told];
    for (const code of row.answer.warnings) words.push(" ", chip(caution(code)[0], { class: "chip warn", title: caution(code, this.taxonomy)[1] }, "⚠ "));
    const corrected = findCorrected(this.taxonomy, row.text);
    if (corrected) words.push(" ", h("span", { class: "yours" }, sayCorrection(corrected, this.taxonomy)));
    return words;
  }

  setRows(rows, extra, { isRunning = false } = {}) {
    // Told once it is over: counts that rise by the second would drown what a screen reader reads.
    this.told.setAttribute("aria-live", isRunning ? "off" : "polite");
    Object.assign(this, { rows, extra });
    this.refresh({ keepPage: true });
  }

  // Not at each key: a table may have a hundred thousand rows.
  refreshSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(), this.rows.length > 5000 ? 300 : 60);
  }

  matches(row) {
    const { answer } = row;
    const word = this.search.value.trim().toLowerCase();
    if (word && !row.text.toLowerCase().includes(word) && !Object.values(row.own).some((value) => readCell(value).toLowerCase().includes(word))) return false;
    for (const { head, select } of this.selects) {
      if (!select.value) continue;
      const told = answer?.[head.name];
      if (!told) return false;
      if (head.isOneOf ? told.label !== select.value : select.value === "\u0000" ? told.labels.length : !told.labels.includes(select.value)) return false;
    }
    const main = answer?.[this.taxonomy.main?.name];
    if (Number(this.least.value) > 0 && !(main?.score >= Number(this.least.value) / 100)) return false;
    switch (Number(this.state.value)) {
      case 1: return Boolean(answer && !answer.error && !isUnsure(answer, this.taxonomy.main));
      case 2: return Boolean(answer && !answer.error && isUnsure(answer, this.taxonomy.main));
      case 3: return Boolean(answer?.warnings?.length);
      case 4: return Boolean(answer?.error);
      default: return true;
    }
  }

  refresh({ keepPage = false } = {}) {
    if (!keepPage) this.page = 0;
    const column = this.columns().find(({ id }) => id === this.sort.column) ?? this.columns()[0];
    const factor = this.sort.isDown ? -1 : 1;
    this.chosen = this.rows.filter((row) => this.matches(row));
    const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : IN_ORDER.compare(String(a), String(b)));
    const keyed = this.chosen.map((row) => ({ row, key: column.value(row) }));
    keyed.sort((a, b) => factor * compare(a.key, b.key) || a.row.index - b.row.index);
    this.chosen = keyed.map(({ row }) => row);
    this.draw();
    this.onFilter?.(this.chosen);
  }

  draw() {
    const columns = this.columns();
    const nPages = Math.max(Math.ceil(this.chosen.length / ROWS_OF_A_PAGE), 1);
    this.page = Math.min(this.page, nPages - 1);
    const focus = this.findFocus();
    const shown = this.chosen.slice(this.page * ROWS_OF_A_PAGE, (this.page + 1) * ROWS_OF_A_PAGE);
    this.head.replaceChildren(
      h("tr", { role: "row" }, columns.map(({ id, name, isFigure }) => {
        const isSorted = this.sort.column === id;
        return h(
          "th",
          { scope: "col", role: "columnheader", class: isFigure ? "figure" : id === "text" ? "text-cell" : null, "aria-sort": isSorted ? (this.sort.isDown ? "descending" : "ascending") : null },
          h("button", { type: "button", class: "sort", "data-column": id, on: { click: () => this.sortBy(id) } }, name, h("span", { "aria-hidden": "true" }, isSorted ? (this.sort.isDown ? " ↓" : " ↑") : "")),
        );
      })),
    );
    this.body.replaceChildren(...shown.map((row) => h("tr", { role: "row" }, columns.map(({ id, name, isFigure, isAnswer, value, cell }) => h("td", { role: "cell", class: `${isFigure ? "figure" : ""} ${id === "text" ? "text-cell" : isAnswer ? "answer" : String(value(row)).length > 24 ? "long" : ""}`, "data-label": id.startsWith("own:") ? name : null }, cell ? cell(row) : String(id === "#" ? value(row) + 1 : value(row)))))));
    this.told.textContent = this.chosen.length === this.rows.length ? `${count(this.rows.length, "row")}.` : `${this.chosen.length.toLocaleString("en")} of ${count(this.rows.length, "row")} shown${this.chosen.length ? "; charts and downloads hold these" : ""}.`;
    this.pager.hidden = nPages < 2;
    this.printed.textContent = nPages < 2 ? "" : `Page ${this.page + 1} of ${nPages} of the table: the others are not on this paper.`;
    const go = (page) => {
      this.page = page;
      this.draw();
      this.table.scrollIntoView({ block: "start" });
    };
    this.pager.replaceChildren(
      h("button", { type: "button", "data-step": "earlier", disabled: this.page === 0, on: { click: () => go(this.page - 1) } }, "← Earlier"),
      h("span", { class: "muted" }, `Page ${this.page + 1} of ${nPages}`),
      h("button", { type: "button", "data-step": "later", disabled: this.page >= nPages - 1, on: { click: () => go(this.page + 1) } }, "Later →"),
    );
    focus?.();
  }

  // The row before (-1) or behind (1) another, in the order and of the choice that the table shows.
  seek(row, by) {
    const place = this.chosen.indexOf(row);
    return (place >= 0 && this.chosen[place + by]) || null;
  }

  // Turns to the page with a row, and gives it the focus.
  reveal(row) {
    const place = this.chosen.indexOf(row);
    if (place < 0) return;
    this.page = Math.floor(place / ROWS_OF_A_PAGE);
    this.draw();
    const button = $(`[data-row="${row.index}"]`, this.body);
    button.scrollIntoView({ block: "nearest" });
    button.focus({ preventScroll: true });
  }

  // What is drawn anew must not drop the focus of who walks through it by keyboard.
  findFocus() {
    const focused = document.activeElement;
    if (!focused || !this.element.contains(focused)) return null;
    for (const name of ["column", "step", "row"]) {
      const value = focused.dataset[name];
      if (value === undefined) continue;
      return () => {
        const found = $(`[data-${name}="${CSS.escape(value)}"]`, this.element);
        (found && !found.disabled ? found : (this.pager.querySelector("button:enabled") ?? this.scroll)).focus({ preventScroll: true });
      };
    }
    return null;
  }

  sortBy(id) {
    this.sort = { column: id, isDown: this.sort.column === id ? !this.sort.isDown : id === "#score" };
    this.refresh();
  }
}
