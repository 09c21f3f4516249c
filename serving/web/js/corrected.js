// Owns what the reader has said of paragraphs while the tab is open: saved corrections, and drafts of some. Both go by
// the paragraph's text and the labels there are, so that they outlast another reading of it, by whichever model.
import { count } from "./dom.js";
import { chooseCounted, isUnsure } from "./labels.js";
import { askBeforeLeaving } from "./leaving.js";

const saved = new Map(); // as the service keeps them
const drafts = new Map();

// Texts are equal where they are to the service (twohands/paragraphs.py), so far as a page can tell.
const plain = (text) => text.normalize("NFC").replace(/\s+/g, " ").replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, "").replace(/ {2,}/g, " ").trim();
const keyOf = (taxonomy, text) => `${taxonomy.signature}\n${plain(text)}`;

export const findCorrection = (taxonomy, text) => (saved.size ? (saved.get(keyOf(taxonomy, text)) ?? null) : null);
// The labels that the reader gave to a text; null where none were.
export const findCorrected = (taxonomy, text) => findCorrection(taxonomy, text)?.labels ?? null;

// Where a text is shown, it is drawn anew: `isText` of the event says of which it is.
function tellChanged(text) {
  const wanted = plain(text);
  dispatchEvent(new CustomEvent("corrected", { detail: { isText: (each) => plain(each) === wanted } }));
}

export function keepCorrection(taxonomy, text, kept) {
  saved.set(keyOf(taxonomy, text), kept);
  tellChanged(text);
}

// One that was mended, or with null deleted, in the list of all; those of others are none of ours.
export function changeCorrection(id, kept) {
  for (const [key, before] of saved) {
    if (before.id !== id) continue;
    if (kept) saved.set(key, kept);
    else saved.delete(key);
    tellChanged(before.text);
  }
}

export const findDraft = (taxonomy, text) => drafts.get(keyOf(taxonomy, text)) ?? null;
export const keepDraft = (taxonomy, text, draft) => drafts.set(keyOf(taxonomy, text), draft);
export const dropDraft = (taxonomy, text) => drafts.delete(keyOf(taxonomy, text));
askBeforeLeaving(() => drafts.size > 0);

export const countCorrected = (texts, taxonomy) => (saved.size ? texts.filter((text) => findCorrection(taxonomy, text)).length : 0);

// What is to be said beside figures, which are the model's: how many the reader corrected, and the counts with these.
// `items` are { text, answer }; null where none is corrected.
export function sayCorrected(items, taxonomy, unit = "paragraph") {
  const n = countCorrected(items.map(({ text }) => text), taxonomy);
  if (!n) return null;
  const told = `These figures are the model's; you corrected ${count(n, unit)}.`;
  const head = taxonomy.main;
  if (!head) return told;
  const counted = new Set(chooseCounted(items.filter(({ answer }) => !answer.error), ({ answer }) => answer));
  const counts = Object.fromEntries(head.labels.map(({ name }) => [name, 0]));
  let nUnsure = 0;
  for (const item of items) {
    const yours = findCorrected(taxonomy, item.text)?.[head.name]; // also of what is left out: now it was judged
    if (yours) counts[yours] += 1;
    else if (!counted.has(item)) continue;
    else if (isUnsure(item.answer, head)) nUnsure += 1;
    else counts[item.answer[head.name].label] += 1;
  }
  const given = head.labels.map(({ name }) => `${counts[name].toLocaleString("en")} ${name}`);
  return `${told} With your labels: ${given.join(", ")}${nUnsure ? `, ${nUnsure.toLocaleString("en")} unsure` : ""}.`;
}
