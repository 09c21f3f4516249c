// Owns the page as a whole: asks what is served, shows one view at a time, and the dialog about the model.
import { $, h, openDialog } from "./dom.js";
import { askJson, explain, forgetKey, hasKey, notify } from "./api.js";
import { Taxonomy, title } from "./labels.js";

const VIEWS = {
  read: async () => (await import("./read_view.js")).ReadView,
  compare: async () => (await import("./compare_view.js")).CompareView,
  batch: async () => (await import("./batch_view.js")).BatchView,
  corrections: async () => (await import("./corrections_view.js")).CorrectionsView,
};
const main = $("#main");
const views = new Map();
let service = null;

async function begin() {
  main.replaceChildren(h("p", { class: "loading" }, "Asking the service which model it serves …"));
  try {
    const info = await askJson("info");
    service = { info, taxonomy: new Taxonomy(info), limits: info.limits, hasCorrections: info.corrections === true };
  } catch (error) {
    main.replaceChildren(
      h("div", { class: "fault", role: "alert" }, h("p", {}, explain(error)), h("div", { class: "row" }, h("button", { type: "button", class: "primary", on: { click: begin } }, "Try again"))),
    );
    return;
  }
  $("[data-view=corrections]").hidden = !service.hasCorrections;
  $("#key-button").hidden = !hasKey();
  await show(false);
}

async function show(withFocus = true) {
  if (!service) return;
  const wanted = location.hash.slice(1);
  const name = wanted in VIEWS && (wanted !== "corrections" || service.hasCorrections) ? wanted : "read";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!views.has(name)) {
    const View = await VIEWS[name]();
    views.set(name, new View(service));
  }
  const view = views.get(name);
  main.replaceChildren(view.element);
  view.shown?.();
  document.title = name === "read" ? "twohands" : `${title(name)} – twohands`;
  if (withFocus) main.focus({ preventScroll: true });
}

function figures(metrics) {
  const rows = Object.entries(metrics ?? {}).flatMap(([split, heads]) =>
    Object.entries(heads ?? {}).flatMap(([head, told]) => {
      const f1 = told?.macro_f1;
      if (typeof f1?.value !== "number") return [];
      return [h("tr", {}, h("th", { scope: "row" }, `${split}, ${head}`), h("td", { class: "figure" }, f1.value.toFixed(3)), h("td", { class: "figure muted" }, `${f1.low.toFixed(3)}–${f1.high.toFixed(3)}`))];
    }),
  );
  if (!rows.length) return null;
  return h("table", { class: "plain" }, h("caption", {}, "How well it answers (macro-F1, 1 is perfect)"), h("thead", {}, h("tr", {}, ["rows", "macro-F1", "95 % interval"].map((name, i) => h("th", { scope: "col", class: i ? "figure" : null }, name)))), h("tbody", {}, rows));
}

function about() {
  if (!service) return;
  const { info, taxonomy } = service;
  openDialog(
    `${info.model.name} ${info.model.version}`,
    h("p", {}, `Fine-tuned from ${info.encoder}, served in ${info.precision} on ordinary processors. Licence ${info.license}; made ${info.created.slice(0, 10)}.`),
    taxonomy.heads.map((head) => [h("h3", {}, title(head.name)), h("dl", {}, head.labels.map((label) => [h("dt", {}, label.name), h("dd", {}, label.description)]))]),
    figures(info.metrics),
    h("p", {}, `Text is read in windows of ${info.window.max_tokens} tokens, at most ${info.window.max_windows} for a paragraph; what is left out is said.`),
    h("p", { class: "fine" }, h("span", {}, "Digest "), h("code", {}, info.model.sha256)),
  );
}

addEventListener("hashchange", () => show());
// The address stays: its fragment names the view.
$(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
$("#about-button").addEventListener("click", about);
$("#key-button").addEventListener("click", () => {
  forgetKey();
  location.reload();
});
addEventListener("offline", () => notify("This computer is offline. What was read stays on the page.", { kind: "offline" }));
addEventListener("online", () => notify(null));
// A file that misses its place must not replace the page.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
// Pasted anywhere, read where it belongs.
addEventListener("paste", (event) => {
  const view = views.get("read");
  if (!view?.element.isConnected || event.target.closest?.("input, textarea, dialog")) return;
  view.reset();
  view.intake.onPaste(event);
});
begin();
