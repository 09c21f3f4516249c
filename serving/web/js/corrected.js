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
export const hasDrafts = (taxonomy, texts) => drafts.size > 0 && texts.some((text) => findDraft(taxonomy, text));
askBeforeLeaving(() => drafts.size > 0);

const listGiven = (answer) => (answer ? [answer.labels ?? answer.label].flat() : null);

// Whether a reader says of every head that was judged what the model does: then nothing was corrected.
export function isConfirmed(taxonomy, labels, answer) {
  const same = (told, given) => told.length === given.length && told.every((label) => given.includes(label));
  return taxonomy.heads.every(({ name }) => {
    const [told, given] = [labels[name] ?? null, listGiven(answer[name])];
    return told === null || given === null || same([told].flat(), given);
  });
}

// How many the reader corrected and how many confirmed, as words behind "you"; null where none. `items` are
// { text, answer }.
export function countCorrected(items, taxonomy, unit = "paragraph") {
  const isJudged = saved.size ? items.filter(({ text }) => findCorrection(taxonomy, text)) : [];
  const nConfirmed = isJudged.filter(({ text, answer }) => isConfirmed(taxonomy, findCorrected(taxonomy, text), answer)).length;
  const nCorrected = isJudged.length - nConfirmed;
  const told = [nCorrected && `corrected ${count(nCorrected, unit)}`, nConfirmed && `confirmed ${count(nConfirmed, unit)}`];
  return told.filter(Boolean).join(" and ") || null;
}

// What is to be said beside figures, which are the model's: how many the reader judged, and the counts with these.
// `items` are { text, answer }; null where none was judged.
export function sayCorrected(items, taxonomy, unit = "paragraph") {
  const judged = countCorrected(items, taxonomy, unit);
  if (!judged) return null;
  const told = `These figures are the model's; you ${judged}.`;
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
