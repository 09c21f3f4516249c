// Owns the column of paragraphs. Of a long document only what is near the screen is drawn; the rest stands in as plain
// text of the same height, so that the page stays light and the browser's search and "select all" still reach it.
import { h } from "./dom.js";
import { plainHeading } from "./paragraph.js";

export const LONG = 500; // paragraphs; a shorter document is drawn whole
const IN_A_BLOCK = 25;
const NEAR = "1500px 0px";

const textOf = (block) => block.paragraphs.flatMap(({ above, rawText }) => [plainHeading(above), rawText.trim()].filter(Boolean)).join("\n\n");

export class Column {
  // `render` makes the section of a paragraph; `onSeen` gets the numbers of the first and the last on the screen.
  constructor({ render, onSeen }) {
    Object.assign(this, { render, onSeen });
    this.element = h("div", { class: "text-column", role: "region", "aria-label": "The document" });
    this.near = new IntersectionObserver((entries) => this.onNear(entries), { rootMargin: NEAR });
    this.watcher = new IntersectionObserver((entries) => this.onWatched(entries));
    addEventListener("beforeprint", () => this.element.isConnected && this.print(true));
    addEventListener("afterprint", () => this.print(false));
    this.clear();
  }

  clear() {
    this.near.disconnect();
    this.watcher.disconnect();
    Object.assign(this, { n: 0, blocks: [], drawn: new Set(), sections: new Map(), seen: new Set(), isPrinted: false });
    this.element.replaceChildren();
  }

  append(paragraphs) {
    const fresh = new Set();
    for (const paragraph of paragraphs) {
      let block = this.blocks.at(-1);
      if (!block || block.paragraphs.length === IN_A_BLOCK) {
        block = { element: h("div", { class: "block", "data-block": this.blocks.length }), paragraphs: [], isNear: this.n < LONG, isDrawn: this.n < LONG };
        if (block.isDrawn) this.drawn.add(block);
        this.blocks.push(block);
      }
      block.paragraphs.push(paragraph);
      this.n += 1;
      if (block.isDrawn) block.element.append(this.make(paragraph));
      fresh.add(block);
    }
    for (const block of fresh) if (!block.isDrawn) this.stand(block, this.estimate(block));
    const added = [...fresh].filter((block) => block.element.parentNode !== this.element);
    this.element.append(...added.map((block) => block.element));
    for (const block of added) this.near.observe(block.element);
    if (this.n > LONG && this.n - paragraphs.length <= LONG) this.fold();
  }

  // What stands behind the last paragraph, and belongs to none.
  close(element) {
    this.element.append(element);
  }

  make(paragraph) {
    const section = this.render(paragraph);
    this.sections.set(paragraph.readIndex, section);
    this.watcher.observe(section);
    return section;
  }

  // A guess at the height of what was never drawn; the browser keeps the place when the true height turns out.
  estimate({ paragraphs }) {
    const perLine = Math.min(Math.max((this.element.clientWidth - 170) / 8, 36), 72);
    return paragraphs.reduce((sum, { above, rawText }) => sum + 62 + 29 * Math.ceil((above.length + rawText.length) / perLine), 0);
  }

  // Lets plain text of a known height stand for a block.
  stand(block, height) {
    block.element.classList.add("folded");
    block.element.style.setProperty("height", `${height}px`);
    block.element.replaceChildren(h("p", { dir: "auto" }, textOf(block)));
  }

  draw(block) {
    if (block.isDrawn) return;
    block.isDrawn = true;
    this.drawn.add(block);
    block.element.replaceChildren(...block.paragraphs.map((paragraph) => this.make(paragraph)));
    block.element.classList.remove("folded");
    block.element.style.removeProperty("height");
  }

  // Takes what is far away out of the page, except where the reader has the focus or selects text.
  fold() {
    if (this.n <= LONG || this.isPrinted || !this.element.isConnected) return; // in another view nothing has a height
    const selection = getSelection();
    const isHeld = ({ element }) => element.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(element, true));
    const far = [...this.drawn].filter((block) => !block.isNear && !isHeld(block));
    const heights = far.map((block) => block.element.offsetHeight); // all are measured before any is changed
    far.forEach((block, i) => {
      for (const { readIndex } of block.paragraphs) {
        this.watcher.unobserve(this.sections.get(readIndex));
        this.sections.delete(readIndex);
        this.seen.delete(readIndex);
      }
      block.isDrawn = false;
      this.drawn.delete(block);
      this.stand(block, heights[i]);
    });
  }

  onNear(entries) {
    for (const { target, isIntersecting } of entries) {
      const block = this.blocks[Number(target.dataset.block)];
      if (block?.element !== target) continue; // of a document before
      block.isNear = isIntersecting;
      if (isIntersecting) this.draw(block);
    }
    this.fold();
  }

  print(isPrinted) {
    this.isPrinted = isPrinted;
    if (isPrinted) this.blocks.forEach((block) => this.draw(block));
    else this.fold();
  }

  // The section of a paragraph, drawn if it is not; null where there is no such paragraph.
  reach(number) {
    if (number < 0 || number >= this.n) return null;
    const place = Math.floor(number / IN_A_BLOCK);
    // Its neighbours too, or their true heights would push it away once it is on the screen.
    for (const block of this.blocks.slice(Math.max(place - 1, 0), place + 2)) this.draw(block);
    return this.sections.get(number);
  }

  redraw(paragraph) {
    const old = this.sections.get(paragraph.readIndex);
    if (!old) return;
    const hadFocus = old.contains(document.activeElement);
    this.watcher.unobserve(old);
    const fresh = this.make(paragraph);
    old.replaceWith(fresh);
    if (hadFocus) fresh.querySelector(".mark").focus({ preventScroll: true });
  }

  onWatched(entries) {
    for (const { target, isIntersecting } of entries) {
      const number = Number(target.dataset.number);
      if (isIntersecting && this.sections.get(number) === target) this.seen.add(number);
      else this.seen.delete(number);
    }
    if (this.seen.size) this.onSeen(Math.min(...this.seen), Math.max(...this.seen));
  }
}
