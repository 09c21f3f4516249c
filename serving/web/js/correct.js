// Owns the form by which a reader says what the labels should have been. Nothing leaves it unless Save is pressed.
import { announce, h, openDialog, quote } from "./dom.js";
import { ask, explain, sendJson } from "./api.js";
import { dropDraft, findCorrection, findDraft, keepCorrection, keepDraft } from "./corrected.js";
import { icon, title } from "./labels.js";
import { askBeforeLeaving } from "./leaving.js";
import { OWN_KEYS } from "./paragraph.js";

let serial = 0;
const OURS = new Set([...OWN_KEYS, "paragraph", "start", "end", "page", "section", "speaker"]);

// Names of files, cells and first lines are as long as they like; one cut within a character must not be refused.
const bound = (text, most) => text?.slice(0, most).toWellFormed() || null;
// A head of an older model may be called as one of these.
export const predictionOf = (answer) => Object.fromEntries(Object.entries(answer).filter(([name, value]) => !OURS.has(name) || value?.scores));

// Fields for every head: one of its labels, or "not sure"; for an any-of head each topic, and whether it was judged.
export function labelFields(taxonomy, labels) {
  const prefix = `label-${(serial += 1)}`;
  const readers = {};
  const element = taxonomy.heads.map((head) => {
    const name = `${prefix}-${head.name}`;
    const before = labels?.[head.name];
    const options = head.labels.map((label, i) => {
      const input = h("input", { type: head.isOneOf ? "radio" : "checkbox", name, value: label.name });
      input.checked = head.isOneOf ? before === label.name : (before ?? []).includes(label.name);
      const told = h("span", { class: "fine", id: `${name}-${i}` }, label.description);
      if (label.description) input.setAttribute("aria-describedby", told.id);
      return { input, label, element: h("div", { class: "defined" }, h("label", { class: "option" }, input, icon(label), label.name), label.description && told) };
    });
    const skip = h("input", { type: head.isOneOf ? "radio" : "checkbox", name: head.isOneOf ? name : `${name}-skip`, value: "" });
    skip.checked = before === null || before === undefined;
    if (!head.isOneOf) {
      skip.addEventListener("change", () => skip.checked && options.forEach(({ input }) => (input.checked = false)));
      options.forEach(({ input }) => input.addEventListener("change", () => (skip.checked = false)));
    }
    readers[head.name] = () => {
      if (skip.checked) return null;
      const chosen = options.filter(({ input }) => input.checked).map(({ label }) => label.name);
      return head.isOneOf ? (chosen[0] ?? null) : chosen;
    };
    return h("fieldset", {}, h("legend", {}, title(head.name)), options.map((option) => option.element), h("label", { class: "option muted" }, skip, "I do not judge this"));
  });
  return { element, read: () => Object.fromEntries(Object.entries(readers).map(([name, read]) => [name, read()])) };
}

const givenLabels = (taxonomy, answer) => Object.fromEntries(taxonomy.heads.map((head) => [head.name, head.isOneOf ? answer[head.name].label : answer[head.name].labels]));

function sayFilled(draft, before) {
  if (draft) return "What you had begun and not saved is filled in.";
  return before ? "What you said before is filled in; what you save now takes its place." : "The model's own are filled in.";
}

// Keeps a correction of which this tab has saved one before: in its place, to be reviewed anew. One that is about
// another model's answer, or was deleted meanwhile, is saved beside it; of two, training rows take the newer.
async function sendCorrection(content, before) {
  if (before?.model?.sha256 === content.model.sha256) {
    const { labels, confidence, note } = content;
    const body = JSON.stringify({ labels, confidence, note, status: "pending" });
    try {
      return await ask(`v1/corrections/${encodeURIComponent(before.id)}`, { method: "PATCH", type: "application/json", body });
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  return sendJson("v1/corrections", content);
}

// Asks what the labels of a text should be, and saves it; `onSaved` is called then. What is begun and not saved is
// kept as a draft of the text.
export function correctDialog(service, { text, prediction, source = null, group = null, model = service.info.model, onSaved }) {
  const { taxonomy } = service;
  const before = findCorrection(taxonomy, text);
  const draft = findDraft(taxonomy, text);
  const first = before ?? { labels: givenLabels(taxonomy, prediction), confidence: null, note: null };
  const filled = draft ?? first;
  const fields = labelFields(taxonomy, filled.labels);
  const note = h("textarea", { id: "correct-note", rows: 2, maxlength: 2000, value: filled.note ?? "" });
  const sure = h("select", { id: "correct-sure" }, h("option", { value: "" }, "not said"), h("option", { value: "3" }, "sure"), h("option", { value: "2" }, "fairly sure"), h("option", { value: "1" }, "a guess"));
  sure.value = filled.confidence ?? "";
  const read = () => ({ labels: fields.read(), confidence: sure.value ? Number(sure.value) : null, note: note.value.trim() || null });
  const unchanged = JSON.stringify({ labels: labelFields(taxonomy, first.labels).read(), confidence: first.confidence, note: first.note });
  const isChanged = () => JSON.stringify(read()) !== unchanged;
  let isDone = false;
  const end = () => {
    isDone = true;
    dropDraft(taxonomy, text); // also where it was closed while the service was asked
    dialog.close();
  };
  const fault = h("p", { class: "fault", role: "alert", hidden: true });
  const save = h("button", { type: "submit", class: "primary" }, "Save correction");
  const onSubmit = async (event) => {
    event.preventDefault();
    fault.hidden = true;
    save.disabled = true;
    try {
      const content = {
        text: text.toWellFormed(),
        ...read(),
        note: bound(note.value.trim(), 4000),
        source: bound(source, 500),
        group: bound(group, 500),
        prediction: predictionOf(prediction),
        model,
      };
      const kept = await (await sendCorrection(content, before)).json();
      end();
      announce("Correction saved.");
      keepCorrection(taxonomy, text, kept);
      onSaved?.();
    } catch (error) {
      fault.textContent = explain(error);
      fault.hidden = false;
    } finally {
      save.disabled = false;
    }
  };
  const form = h(
    "form",
    { class: "correct", on: { submit: onSubmit } },
    quote(text.length > 400 ? `${text.slice(0, 400).toWellFormed()} …` : text),
    h("p", {}, `What should the labels be? ${sayFilled(draft, before)}`),
    fields.element,
    h("div", { class: "pair" }, h("label", { for: "correct-sure" }, "How sure are you?"), sure),
    h("label", { for: "correct-note" }, "Note (optional)"),
    note,
    fault,
    h("p", { class: "fine" }, "Saving keeps this paragraph, your labels and your note in the service's store, so that the next model can learn from them."),
    h("div", { class: "row" }, save, draft && h("button", { type: "button", on: { click: end } }, "Discard the draft")),
  );
  const dialog = openDialog("Correct the labels", form);
  const release = askBeforeLeaving(isChanged);
  dialog.addEventListener("close", () => {
    release();
    if (isDone) return;
    if (!isChanged()) {
      dropDraft(taxonomy, text);
      return;
    }
    keepDraft(taxonomy, text, read());
    announce("What you have begun is kept as a draft.");
  });
}
