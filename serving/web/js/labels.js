// Owns what the model's heads and labels look like: a tone and a shape each, by their place. Their names, meanings and
// thresholds come from /info, so that any taxonomy can be shown.
import { h, svg } from "./dom.js";

const TONES = ["a", "b", "c", "d", "e", "f"];
const QUIET_NAMES = new Set(["neutral", "none", "other", "unclear"]);
// Of the taxonomy that is shipped: what is said of texts and errors is known for these alone (training/card.py).
const OUR_LABELS = ["state-led market-led neutral", "sanctions self-reliance industrial-policy regulation"];
// The model of which it was counted how often its scores are right (docs/evaluation.md); of others with its labels it is not known.
const MEASURED = "twohands 0.11.0";

export const SHAPES = {
  triangle: "M8 2 14.5 13.5h-13Z",
  circle: "M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8Z",
  square: "M2.5 6h11v4h-11Z",
  diamond: "M8 1.2 14.8 8 8 14.8 1.2 8Z",
  cross: "M6 2h4v4h4v4h-4v4H6v-4H2V6h4Z",
  down: "M8 14 1.5 2.5h13Z",
  star: "M8 1l2 5h5l-4 3.4L12.6 15 8 11.6 3.4 15 5 9.4 1 6h5Z",
};
const ORDER = ["triangle", "circle", "diamond", "cross", "down", "star"];

export class Taxonomy {
  constructor(info) {
    let place = 0; // goes on from head to head, so that no topic looks like a stance; each round pairs them anew
    this.heads = info.heads.map((head) => {
      const labels = head.labels.map((label) => {
        const isQuiet = QUIET_NAMES.has(label.name);
        const found = isQuiet ? { tone: "quiet", shape: "square" } : { tone: TONES[place % TONES.length], shape: ORDER[(place + Math.floor(place / ORDER.length)) % ORDER.length] };
        if (!isQuiet) place += 1;
        return { ...label, ...found };
      });
      return { ...head, labels, isOneOf: head.problem_type === "single_label_classification" };
    });
    this.oneOf = this.heads.filter((head) => head.isOneOf);
    this.anyOf = this.heads.filter((head) => !head.isOneOf);
    this.main = this.oneOf.find((head) => head.poles) ?? this.oneOf[0] ?? null; // whose answers the margins show
    const named = new Set(this.heads.map((head) => head.labels.map((label) => label.name).join(" ")));
    this.isOurs = named.size === OUR_LABELS.length && OUR_LABELS.every((names) => named.has(names));
    this.isMeasured = this.isOurs && `${info.model?.name} ${info.model?.version}` === MEASURED;
    // Equal where what a reader says of one model's answers holds for those of another.
    this.signature = JSON.stringify(this.heads.map(({ name, labels }) => [name, labels.map((label) => label.name)]));
  }

  head(name) {
    return this.heads.find((head) => head.name === name);
  }

  label(head, name) {
    return head.labels.find((label) => label.name === name) ?? { name, description: "", tone: "quiet", shape: "square" };
  }
}

// Not to be relied on: the model abstains, or the text is one that it cannot judge. Where there is no one-of head (null),
// nothing abstains, and warnings alone say so.
export const isUnsure = (prediction, head) => Boolean((head && prediction[head.name].abstained) || prediction.warnings?.length);

// Those that count for a whole, as in twohands/summary.py: without those that cannot be judged, unless all are such.
export function chooseCounted(items, answerOf = (item) => item) {
  const counted = items.filter((item) => !answerOf(item).warnings?.length);
  return counted.length ? counted : items;
}

export const icon = (label) =>
  svg("svg", { class: `icon tone-${label.tone}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: SHAPES[label.shape] }));

// How strongly a score shows, 0 to 100: chance is pale, certainty is full.
export function strength(score, nLabels) {
  const chance = 1 / nLabels;
  return Math.round(22 + 78 * Math.max(0, Math.min(1, (score - chance) / (1 - chance))));
}

// What a name's cell is called where the name is too long for one line beside figures.
export const nameClass = ({ name }) => (name.length > 20 ? "long" : null);

export const chip = (text, attributes = {}, ...before) => h("span", { class: "chip", ...attributes }, ...before, text);

const CAUTIONS = {
  not_english: ["not English", "This does not read like English, and the model may have learnt no other language."],
  too_short: ["too short", "Fewer than five words: there is little to judge by."],
  unknown_tokens: ["unknown words", "Many of its words are outside the model's vocabulary."],
  markup: ["markup", "Much of it is markup, code, addresses, figures or a table rather than prose."],
};
const OUR_CAUTIONS = { not_english: ["not English", "This does not read like English, the only language the model has learnt."] };
export const caution = (code, { isOurs } = {}) => (isOurs && OUR_CAUTIONS[code]) || (CAUTIONS[code] ?? [code.replaceAll("_", " "), `The service warns: ${code}.`]);
export const title = (name) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
