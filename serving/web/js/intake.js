// Owns how a document comes in: pasted, typed, dropped or chosen as a file, or the example.
import { askFirst, h, openDialog } from "./dom.js";
import { explain, notify, unnotify } from "./api.js";
import { openFile } from "./documents.js";
import { EXAMPLES } from "./example.js";

const ACCEPT = ".txt,.md,.srt,.vtt,.html,.htm,.pdf,.docx,.eml,text/plain,text/html,application/pdf,message/rfc822";
const ENOUGH = 12; // words from which what is pasted is a text to be read, not a word to go on from
let serial = 0;

// Whether a text has so many words, in alphabets too that leave no blanks between them.
function hasEnough(text) {
  if (text.trim().split(/\s+/, ENOUGH).length === ENOUGH) return true;
  const words = new Intl.Segmenter(undefined, { granularity: "word" }).segment(text.trim().slice(0, 1000));
  let n = 0;
  for (const { isWordLike } of words) if (isWordLike && (n += 1) === ENOUGH) return true;
  return false;
}

// Takes files that are dropped anywhere on an element; what lies within another that takes some keeps them to itself.
export function takeDrops(element, onFiles) {
  let depth = 0;
  const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  element.addEventListener("dragenter", (event) => {
    if (!isFiles(event)) return;
    event.stopPropagation();
    depth += 1;
    element.classList.add("dropping");
  });
  element.addEventListener("dragleave", (event) => {
    event.stopPropagation();
    depth = Math.max(depth - 1, 0);
    element.classList.toggle("dropping", depth > 0);
  });
  element.addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  element.addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    depth = 0;
    element.classList.remove("dropping");
    onFiles([...event.dataTransfer.files]);
  });
}

// A button that opens the system's choice of files; the input itself stays out of sight.
export function fileButton(text, accept, onFiles) {
  const input = h("input", { type: "file", accept, hidden: true, tabindex: "-1", "aria-hidden": "true" });
  input.addEventListener("change", () => {
    if (input.files.length) onFiles([...input.files]);
    input.value = "";
  });
  return [h("button", { type: "button", on: { click: () => input.click() } }, text), input];
}

// Of several files the first is taken: that the others are not must be seen, and heard, until something else is read.
export function takeFirst([file, ...others], unit, more = "") {
  unnotify("left-out");
  if (others.length) notify(`One ${unit} at a time: only ${file.name} is read.${more}`, { button: "Close", action: () => notify(null), kind: "left-out", role: "alert" });
  return file;
}

// Headings and items of lists, which stand line by line in the plain text of what is copied from a page: there they
// run into the paragraphs beside them.
const STRUCTURE = /<(?:h[1-6]|li)[\s>]|\bMsoListParagraph/i;

export class Intake {
  // `onSource` gets { name, text }, { name, file, mediaType } or, of what was copied from a page, both; `example` is the number of one, null where none fits.
  // `listLost` gives what would go if a source took the place of what was read, a sentence each.
  constructor({ limits, onSource, label = "Text", example = null, action = "Read it", listLost = () => [] }) {
    Object.assign(this, { limits, onSource, listLost, label, begin: (source) => { unnotify("left-out"); onSource(source); } });
    const id = `intake-${(serial += 1)}`;
    this.area = h("textarea", { id, rows: 10, dir: "auto", spellcheck: "false", placeholder: "Paste the text here, or drop a text, HTML, PDF, Word or e-mail file …" });
    this.fault = h("p", { class: "fault", role: "alert", hidden: true });
    this.element = h(
      "form",
      { class: "intake", on: { submit: (event) => this.send(event) } },
      h("label", { for: id }, label),
      this.area,
      this.fault,
      h(
        "div",
        { class: "row" },
        h("button", { type: "submit", class: "primary" }, action),
        fileButton("Choose a file …", ACCEPT, (files) => this.takeFiles(files)),
        example !== null && h("button", { type: "button", class: "quiet", on: { click: () => this.takeExample(example) } }, "Try an example"),
      ),
    );
    this.area.addEventListener("paste", (event) => this.onPaste(event));
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.send(event);
    });
  }

  get isTyped() {
    return this.area.value.trim() !== "";
  }

  tell(text) {
    // Where a document is being read back, the field and what would be said below it are out of sight.
    if (text && !this.element.checkVisibility()) openDialog("Not read", h("p", { class: "fault", role: "alert" }, text));
    this.fault.hidden = !text;
    this.fault.textContent = text ?? "";
  }

  send(event) {
    event?.preventDefault();
    const text = this.area.value.replace(/^\ufeff/, "");
    if (!text.trim()) {
      this.tell("There is no text yet. Paste some, or choose a file.");
      this.area.focus();
      return;
    }
    this.tell(null);
    this.begin({ name: "", text, isTyped: true });
  }

  // Whether a source from elsewhere than the field may take the place of what is here: asked where that would be lost.
  async mayReplace() {
    const lost = [this.isTyped && "What you typed was not read, and would be lost.", ...this.listLost()].filter(Boolean);
    return !lost.length || askFirst(`${this.label}: replace what is here?`, lost.join(" "), "Replace it", "Keep it");
  }

  // What is pasted into an empty field is read at once. It is taken from the clipboard, not through the field: a field
  // takes seconds to lay out megabytes.
  async onPaste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (!text && files.length) {
      event.preventDefault();
      this.takeFiles(files);
    } else if (!this.area.value.trim() && hasEnough(text)) {
      event.preventDefault();
      this.tell(null);
      const html = event.clipboardData.getData("text/html");
      const file = STRUCTURE.test(html) && new Blob([html.toWellFormed()], { type: "text/html" });
      const isRich = file && file.size <= this.limits.max_document_bytes;
      const source = { name: "", text: text.replace(/\r\n?/g, "\n").replace(/^\ufeff/, ""), ...(isRich ? { file, mediaType: "text/html; charset=utf-8" } : {}) };
      if (await this.mayReplace()) this.begin(source);
    }
  }

  async takeFiles(files) {
    const file = takeFirst(files, "document", " Batch takes many rows.");
    const asked = {};
    this.asked = asked;
    this.tell(null);
    try {
      const source = await openFile(file, this.limits);
      if (asked !== this.asked) return;
      if (await this.mayReplace()) this.onSource(source);
      else unnotify("left-out");
    } catch (error) {
      if (asked === this.asked) this.tell(explain(error));
    }
  }

  clear() {
    this.area.value = "";
    this.tell(null);
  }

  // What was typed for another model. It moves: two copies would both be asked about before the page is left.
  takeOver(other) {
    this.area.value = other.area.value;
    other.clear();
  }

  async takeExample(number) {
    this.tell(null);
    if (await this.mayReplace()) this.begin({ name: "", text: EXAMPLES[number], isExample: true });
  }

  fill(text) {
    this.area.value = text;
    this.area.focus();
    this.area.setSelectionRange(0, 0);
  }
}
