// Owns the making of elements. Text becomes text nodes and nothing else: no part of the page parses HTML, and the
// policy `trusted-types 'none'` would stop one that did.

const SVG = "http://www.w3.org/2000/svg";
let serial = 0;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else if (name === "value" && "value" in element) element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// An element of HTML: attributes by name, `on` for listeners, `style` for properties, then children.
export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);

// An element of SVG.
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

export const $ = (selector, root = document) => root.querySelector(selector);

// A text that is spoken of. Long ones scroll, so they can be reached by the keyboard.
export const quote = (text, attributes = {}, ...children) => h("blockquote", { dir: "auto", ...(text.length > 200 ? { tabindex: "0", role: "region", "aria-label": "The text" } : {}), ...attributes }, children.length ? children : text);

const topDialog = () => [...document.querySelectorAll("dialog[open]")].at(-1) ?? null;

// Says something to a screen reader without moving the focus. While a dialog is open, all that is outside it is inert,
// and what is said there is heard by nobody: each dialog has an announcer of its own. Gives what takes it back unsaid.
export function announce(text) {
  const announcer = $(".announcer", topDialog() ?? document.body);
  announcer.textContent = "";
  const timer = setTimeout(() => {
    announcer.textContent = text;
  }, 50);
  return () => clearTimeout(timer);
}

// Puts the line about what is waited for where it is seen: below the head of the page, or in the dialog over it.
export function placeNotice(notice) {
  const head = $(".dialog-head", topDialog() ?? document.createElement("div"));
  if (head) head.after(notice);
  else $("#main").before(notice);
}

// No score is certain, and no share of a label that has one: what rounds to all or nothing is told as near to it.
export function percent(share) {
  const n = Math.round(share * 100);
  return n >= 100 ? ">99 %" : n <= 0 ? "<1 %" : `${n} %`;
}
// The ends of an interval can be all or nothing, but only where they are: else it would leave its value out.
const lowEnd = (share) => (share >= 1 ? 100 : Math.min(Math.round(share * 100), 99));
const highEnd = (share) => (share <= 0 ? 0 : Math.max(Math.round(share * 100), 1));
export const interval = ({ low, high }) => `${lowEnd(low)}–${highEnd(high)}`;
export const signed = (figure) => {
  const digits = Math.abs(figure).toFixed(2);
  return `${Number(digits) === 0 ? "" : figure > 0 ? "+" : "−"}${digits}`;
};
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// Whether a pointer is beside a dialog: its own padding, too, is a target that is the dialog.
function isBeside(dialog, { target, clientX: x, clientY: y }) {
  const box = dialog.getBoundingClientRect();
  return target === dialog && (x < box.left || x > box.right || y < box.top || y > box.bottom);
}

// A dialog that closes by Escape, by its button and, unless it holds a form, by a click beside it; it gives
// the focus back to what had it, or to what `findNext` finds where that was drawn anew meanwhile.
export function openDialog(title, ...content) {
  const findNext = typeof content.at(-1) === "function" ? content.pop() : () => null;
  const id = `dialog-title-${(serial += 1)}`; // dialogs may stand on one another
  const close = h("button", { type: "button", class: "quiet close", "aria-label": "Close" }, "✕");
  const dialog = h("dialog", { "aria-labelledby": id }, h("div", { class: "dialog-head" }, h("h2", { id }, title), close), h("div", { class: "unseen announcer", "aria-live": "polite" }), ...content);
  const before = document.activeElement;
  let isPressedBeside = false; // a text that is selected with the pointer, too, may be let go of outside
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("pointerdown", (event) => {
    isPressedBeside = isBeside(dialog, event);
  });
  dialog.addEventListener("click", (event) => {
    if (isPressedBeside && isBeside(dialog, event) && !dialog.querySelector("form")) dialog.close();
  });
  dialog.addEventListener("close", () => {
    const notice = $("#notice", dialog);
    dialog.remove();
    if (notice) placeNotice(notice);
    if (document.activeElement !== document.body) return; // it has gone to where the reader is needed
    (before?.isConnected ? before : (findNext() ?? topDialog()?.querySelector("button") ?? $("#main"))).focus({ preventScroll: true });
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Asks before something is done that cannot be taken back, and gives whether it is to be done. No question of the
// browser's own: it shows none in a page that is framed by one of another host.
export function askFirst(title, text, action, otherwise) {
  return new Promise((resolve) => {
    const sure = (event) => {
      event.preventDefault();
      resolve(true);
      dialog.close();
    };
    const buttons = [h("button", { type: "submit", class: "primary" }, action), h("button", { type: "button", on: { click: () => dialog.close() } }, otherwise)];
    const dialog = openDialog(title, h("form", { on: { submit: sure } }, h("p", {}, text), h("div", { class: "row" }, buttons)));
    dialog.addEventListener("close", () => resolve(false));
  });
}

// Copies text, and gives whether it could. Where a page came by plain HTTP from another machine, browsers keep the
// clipboard from it, and only the old way is left; its field stands beside `near`, as all outside a dialog is inert.
export async function copyText(text, near) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "unseen", value: text, "aria-label": "What is copied" });
    near.after(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    near.focus({ preventScroll: true });
    return isDone;
  }
}

export function saveFile(name, parts, type) {
  const url = URL.createObjectURL(parts instanceof Blob ? parts : new Blob(parts, { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
