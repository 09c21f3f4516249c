// Owns the strip beside the text: the whole document at a glance, each paragraph in the lane of its label. It is a
// slider: arrow keys go from paragraph to paragraph, a click jumps.
import { h, svg } from "./dom.js";
import { icon, isUnsure, strength } from "./labels.js";
import { tell } from "./paragraph.js";

const NARROW = matchMedia("(max-width: 760px)");
const MOST_CELLS = 1500;

// Poles at the two sides, what lies between them in the middle.
export function orderLanes(head) {
  const [first, second] = (head.poles ?? []).map((name) => head.labels.find((label) => label.name === name));
  if (!first || !second) return head.labels;
  return [first, ...head.labels.filter((label) => label !== first && label !== second), second];
}

export class Strip {
  constructor(taxonomy, onJump, isChosen) {
    Object.assign(this, { taxonomy, onJump, isChosen });
    this.paragraphs = [];
    this.current = 0;
    this.lanes = taxonomy.main ? orderLanes(taxonomy.main) : [];
    this.map = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.window = svg("rect", { class: "window" });
    this.slider = h(
      "div",
      { class: "strip-map", role: "slider", tabindex: "0", "aria-label": "The document at a glance; arrow keys go from paragraph to paragraph" },
      this.map,
    );
    this.element = h("div", { class: "strip" }, h("div", { class: "lanes", "aria-hidden": "true" }, this.lanes.map((label) => icon(label))), this.slider);
    this.slider.addEventListener("keydown", (event) => this.onKey(event));
    this.slider.addEventListener("pointerdown", (event) => this.jumpTo(event));
    this.slider.addEventListener("pointermove", (event) => event.buttons && this.jumpTo(event));
    NARROW.addEventListener("change", () => this.draw());
  }

  draw(paragraphs = this.paragraphs) {
    this.paragraphs = paragraphs;
    this.isFlat = NARROW.matches;
    this.slider.setAttribute("aria-orientation", this.isFlat ? "horizontal" : "vertical");
    this.ends = [];
    let length = 0;
    for (const { rawText } of paragraphs) this.ends.push((length += Math.max(rawText.length, 80)));
    this.length = length || 1;
    const [across, n] = [12 * Math.max(this.lanes.length, 1), paragraphs.length];
    this.map.setAttribute("viewBox", this.isFlat ? `0 0 1000 ${across}` : `0 0 ${across} 1000`);
    const every = Math.ceil(n / MOST_CELLS); // of a very long document, every so manyth
    const cells = [];
    for (let i = 0; i < n; i += every) cells.push(this.drawCell(paragraphs[i], i, Math.min(i + every, n) - 1));
    this.map.replaceChildren(...cells, this.window);
    this.tellValue();
    this.showWindow();
  }

  at(index) {
    return (1000 * (index ? this.ends[index - 1] : 0)) / this.length;
  }

  drawCell(paragraph, first, last) {
    // Where one cell stands for several, it stands out if any of them does.
    const isPale = !this.paragraphs.slice(first, last + 1).some((each) => this.isChosen(each));
    const head = this.taxonomy.main;
    const answer = head && !paragraph.error ? paragraph[head.name] : null;
    const unsure = answer !== null && isUnsure(paragraph, head);
    const lane = answer ? this.lanes.findIndex((label) => label.name === answer.label) : 0;
    const from = this.at(first);
    const size = Math.max((1000 * this.ends[last]) / this.length - from - 1.5, 1.5);
    const tone = answer ? this.lanes[lane].tone : "quiet";
    const box = this.isFlat ? { x: from, y: 12 * lane + 1, width: size, height: 10 } : { x: 12 * lane + 1, y: from, width: 10, height: size };
    return svg("rect", {
      class: `tone-${isPale ? "quiet pale" : tone} ${unsure ? "unsure" : "sure"}`,
      "fill-opacity": isPale ? 0.15 : unsure ? 0.25 : answer ? strength(answer.score, head.labels.length) / 100 : 0.2,
      ...box,
    });
  }

  tellValue() {
    const n = this.paragraphs.length;
    const paragraph = this.paragraphs[this.current];
    const values = { "aria-valuemin": 1, "aria-valuemax": Math.max(n, 1), "aria-valuenow": Math.min(this.current + 1, Math.max(n, 1)) };
    for (const [name, value] of Object.entries(values)) this.slider.setAttribute(name, value);
    this.slider.setAttribute("aria-valuetext", paragraph ? `Paragraph ${this.current + 1} of ${n}: ${tell(paragraph, this.taxonomy)}` : "nothing read yet");
  }

  go(index) {
    this.current = Math.min(Math.max(index, 0), this.paragraphs.length - 1);
    if (this.current < 0) this.current = 0;
    this.tellValue();
    if (this.paragraphs.length) this.onJump(this.paragraphs[this.current]);
  }

  onKey(event) {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.go(this.current + steps[event.key]);
  }

  jumpTo(event) {
    const box = this.slider.getBoundingClientRect();
    const share = this.isFlat ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
    const index = this.ends.findIndex((end) => end >= share * this.length);
    this.go(index < 0 ? this.paragraphs.length - 1 : index);
  }

  // Shows which part of the document is on the screen.
  showWindow(first = this.shown?.[0] ?? 0, last = this.shown?.[1] ?? 0) {
    this.shown = [first, last];
    if (!this.paragraphs.length) return;
    const from = this.at(Math.min(first, this.ends.length - 1));
    const size = (1000 * this.ends[Math.min(last, this.ends.length - 1)]) / this.length - from;
    const across = 12 * Math.max(this.lanes.length, 1);
    const box = this.isFlat ? { x: from, y: 0, width: size, height: across } : { x: 0, y: from, width: across, height: size };
    for (const [name, value] of Object.entries(box)) this.window.setAttribute(name, value);
    if (document.activeElement !== this.slider && this.current !== first) {
      this.current = first;
      this.tellValue();
    }
  }
}
