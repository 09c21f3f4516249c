// Owns the page as a whole: asks what is served, shows one view at a time, and the dialog about the model.
import { $, announce, h, openDialog } from "./dom.js";
import { askJson, explain, forgetKey, hasKey, notify, unnotify } from "./api.js";
import { icon, Taxonomy, title } from "./labels.js";

const VIEWS = {
  read: async () => (await import("./read_view.js")).ReadView,
  compare: async () => (await import("./compare_view.js")).CompareView,
  batch: async () => (await import("./batch_view.js")).BatchView,
  corrections: async () => (await import("./corrections_view.js")).CorrectionsView,
};
const main = $("#main");
const views = new Map(); // by model and name: the views of each model stay
const latest = new Map(); // by name: the one that was shown last
const places = new Map(); // by view: how far down the reader was
let service = null;
let shown = null;
let changing = null; // the change of model that was asked for last

// `served` is the name of one of several models; null is the default one.
async function fetchService(served) {
  const info = await askJson(served === null ? "info" : `info?${new URLSearchParams({ model: served })}`);
  return { info, served, taxonomy: new Taxonomy(info), limits: info.limits, hasCorrections: info.corrections === true };
}

async function begin() {
  const hadFocus = main.contains(document.activeElement);
  main.replaceChildren(h("p", { class: "loading" }, "Asking the service which model it serves …"));
  if (hadFocus) main.focus(); // on what is gone
  try {
    service = await fetchService(null);
    offerModels((await askJson("v1/models")).models);
  } catch (error) {
    main.replaceChildren(
      h("div", { class: "fault", role: "alert" }, h("p", {}, explain(error)), h("div", { class: "row" }, h("button", { type: "button", class: "primary", on: { click: begin } }, "Try again"))),
    );
    return;
  }
  $("#about-button").disabled = false;
  $("[data-view=corrections]").hidden = !service.hasCorrections;
  $("#key-button").hidden = !hasKey();
  await show(false);
  // Now, while the service answers: without it, what was offered was to load the page anew, and lose what is done.
  for (const load of [...Object.values(VIEWS), () => import("../vendor/hyparquet-writer.js")]) load().catch(() => {});
}

function offerModels(models) {
  const select = h("select", { id: "model-select", on: { change: () => changeModel(select.value || null) } }, models.map(({ name, is_default: isDefault }) => h("option", { value: isDefault ? "" : name }, name)));
  $("#model-choice").hidden = models.length < 2;
  $("#model-choice").replaceChildren(h("label", { class: "unseen", for: "model-select" }, "Model that reads"), select);
}

// Views of the model before stay as they are; those of the new one take over what is read in them, and typed.
async function changeModel(served) {
  const asked = (changing = {});
  const hadFocus = main.contains(document.activeElement); // on what is shown no more
  main.inert = true; // what is begun meanwhile would be begun with the model before, out of sight
  try {
    const fetched = await fetchService(served);
    if (asked !== changing) return; // answers may come in another order than they were asked for
    service = fetched;
    await show(false);
    if (asked !== changing) return;
    main.inert = false;
    if (hadFocus) main.focus({ preventScroll: true });
    announce(`${service.info.model.name} ${service.info.model.version} reads now.`);
  } catch (error) {
    if (asked !== changing) return;
    $("#model-select").value = service.served ?? "";
    openDialog("Not changed", h("p", { class: "fault", role: "alert" }, explain(error)));
  } finally {
    if (asked === changing) main.inert = false;
  }
}

async function show(withFocus = true) {
  if (!service) return;
  const wanted = location.hash.slice(1);
  const name = Object.hasOwn(VIEWS, wanted) && (wanted !== "corrections" || service.hasCorrections) ? wanted : "read";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const [asked, place] = [service, `${service.info.model.sha256} ${service.served ?? ""} ${name}`];
  const View = await VIEWS[name]();
  if (asked !== service || wanted !== location.hash.slice(1)) return; // another one is wanted by now
  if (!views.has(place)) views.set(place, new View(service));
  const [before, view] = [latest.get(name), views.get(place)];
  latest.set(name, view);
  if (shown) places.set(shown, scrollY);
  // A dialog is about what is shown below it; one that holds a form may hold what was typed.
  if (shown !== view && !$("dialog[open] form")) document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  if (shown !== view) unnotify("left-out"); // it is about a file of the view before
  shown = view;
  main.replaceChildren(view.element);
  scrollTo(0, places.get(view) ?? 0);
  if (before && before !== view) view.takeOver?.(before);
  view.shown?.(service);
  sign();
  document.title = view.title ?? `${title(name)} – twohands`;
  if (withFocus) main.focus({ preventScroll: true });
}

// What paper has at its end: who read this and when, and what the margins mean.
function sign() {
  if (!service) return;
  const { info, taxonomy } = service;
  const day = new Date().toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const labels = taxonomy.heads.map((head) => h("p", { class: "row" }, `${title(head.name)}:`, head.labels.map((label) => h("span", { class: "group" }, icon(label), label.name))));
  $("#colophon").replaceChildren(h("p", {}, `${info.model.name} ${info.model.version}, ${info.model.sha256.slice(0, 8)}, ${day}`), ...labels, h("p", {}, "The stronger a margin, the higher the score. A hatched margin is not to be relied on."));
}

function figures(metrics) {
  const rows = Object.entries(metrics ?? {}).flatMap(([split, heads]) =>
    Object.entries(heads ?? {}).flatMap(([head, told]) => {
      const f1 = told?.macro_f1;
      if (typeof f1?.value !== "number") return [];
      const range = typeof f1.low === "number" ? `${f1.low.toFixed(3)}–${f1.high.toFixed(3)}` : "-"; // none from few documents
      return [h("tr", {}, h("th", { scope: "row" }, `${split}, ${head}`), h("td", { class: "figure" }, f1.value.toFixed(3)), h("td", { class: "figure muted" }, range))];
    }),
  );
  if (!rows.length) return null;
  return h("table", { class: "plain" }, h("caption", {}, "How well it answers"), h("thead", {}, h("tr", {}, ["rows", "macro-F1", "95 % interval"].map((name, i) => h("th", { scope: "col", class: i ? "figure" : null }, name)))), h("tbody", {}, rows));
}

function about() {
  if (!service) return;
  const { info, taxonomy } = service;
  openDialog(
    `${info.model.name} ${info.model.version}`,
    h("p", {}, `Fine-tuned from ${info.encoder}, served in ${info.precision}${info.precision === "int8" ? " (its numbers rounded to one byte, for speed)" : ""} on ordinary processors. Licence ${info.license}; made ${info.created.slice(0, 10)}.`),
    taxonomy.heads.map((head) => [h("h3", {}, title(head.name)), h("dl", {}, head.labels.map((label) => [h("dt", {}, label.name), h("dd", {}, label.description)]))]),
    info.metrics && h("p", {}, "The table says how often it is right: its settings were chosen on the rows called dev, those called test it had never seen. Macro-F1 weighs each label alike: 1 is perfect, 0 is always wrong."),
    figures(info.metrics),
    h("p", {}, `Text is read in windows of ${info.window.max_tokens} tokens, at most ${info.window.max_windows} for a paragraph; what is left out is said.`),
    h("p", { class: "fine" }, h("span", {}, "Digest, by which this very model is known: "), h("code", {}, info.model.sha256)),
  );
}

function tryToShow() {
  show().catch((error) => main.replaceChildren(h("div", { class: "fault", role: "alert" }, h("p", {}, `This view could not be loaded: ${error.message}`), h("div", { class: "row" }, h("button", { type: "button", on: { click: () => location.reload() } }, "Reload the page")))));
}

history.scrollRestoration = "manual"; // the browser's own comes before the view is there, and is cut short
addEventListener("hashchange", tryToShow);
addEventListener("beforeprint", sign); // a tab may be open for days
addEventListener("modelexchange", () => changeModel(service.served));
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
addEventListener("offline", () => {
  const told = "This computer is offline. What was read stays on the page.";
  notify(told, { kind: "offline" });
  announce(told);
});
addEventListener("online", () => notify(null));
// A file that misses its place must not replace the page.
for (const type of ["dragover", "drop"]) {
  addEventListener(type, (event) => {
    const isWords = event.target.closest?.("input, textarea") && !event.dataTransfer?.types.includes("Files");
    if (!isWords) event.preventDefault(); // words that are dragged into a field go in
  });
}
// Pasted anywhere, read where it belongs.
addEventListener("paste", (event) => {
  if (!shown?.intake || $("dialog[open]") || event.target.closest?.("input, textarea")) return;
  shown.intake.onPaste(event);
});
begin();
