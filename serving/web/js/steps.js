// Owns the buttons that lead from what is shown in detail to what stands before it and behind it.
import { $, h } from "./dom.js";

// `seek` gives what stands so far off (-1 or 1), null where there is nothing; `go` shows it. `chosen` is there where
// some stand out: { name, seek }, the same among those alone. `onClose` is there where there is something to close.
export function renderSteps({ seek, go, chosen = null, onClose = null }) {
  const button = (name, step, told, find, by) => {
    const next = find(by);
    return h("button", { type: "button", class: "quiet", "data-step": step, "aria-label": told, disabled: !next, on: { click: () => go(next, step) } }, name);
  };
  return [
    h(
      "div",
      { class: "row steps" },
      button("← Previous", "-1", null, seek, -1),
      button("Next →", "1", null, seek, 1),
      onClose && h("button", { type: "button", class: "quiet close", "aria-label": "Close", on: { click: onClose } }, "✕"),
    ),
    chosen && h("div", { class: "row steps", role: "group", "aria-label": `Those that stand out: ${chosen.name}` }, button(`← ${chosen.name}`, "chosen -1", `Previous: ${chosen.name}`, chosen.seek, -1), button(`${chosen.name} →`, "chosen 1", `Next: ${chosen.name}`, chosen.seek, 1)),
  ];
}

// The button pressed keeps the focus, to be pressed again, though all is drawn anew; at an end its fellow has it.
export function keepStep(root, step, otherwise) {
  const fellow = step.endsWith("-1") ? step.replace("-1", "1") : step.replace("1", "-1");
  const found = [step, fellow].map((each) => $(`.steps [data-step="${each}"]:enabled`, root)).find(Boolean);
  (found ?? $(otherwise, root)).focus({ preventScroll: true });
}
