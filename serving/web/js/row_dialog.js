// Owns the dialog about one row of a table: its text, its scores, and the steps to the rows beside it.
import { $, announce, h, openDialog, quote } from "./dom.js";
import { correctDialog } from "./correct.js";
import { renderDetail } from "./detail.js";
import { renderText, tell, toggleEvidence } from "./paragraph.js";
import { readCell } from "./rows.js";
import { keepStep, renderSteps } from "./steps.js";

// `view` is the table's: its service, columns and name, `table` to go through, and `results` where it stands.
export function openRow(first, view) {
  const { service, columns, name, table, results } = view;
  const place = h("div", { class: "detail-body" });
  let [row, paragraph] = [];
  const take = (next) => {
    row = next;
    paragraph = { ...row.answer, rawText: row.text, readIndex: row.index };
  };
  const go = (next, step) => {
    take(next);
    draw();
    $("h2", dialog).textContent = `Row ${row.index + 1}`;
    keepStep(place, step, ".close");
    announce(`Row ${row.index + 1}: ${tell(paragraph, service.taxonomy)}`);
  };
  const draw = () => {
    const show = () => {
      draw();
      $(".evidence button", place)?.focus();
    };
    const onEvidence = (each) => toggleEvidence(each, { served: service.served, sha256: service.info.model.sha256, isGone: () => !place.isConnected || paragraph !== each, show });
    const onCorrect = service.hasCorrections && row.answer && ((each) => correctDialog(service, { text: each.rawText, prediction: each, source: columns.source ? readCell(row.own[columns.source]) || null : name, group: row.own.group ? readCell(row.own.group) : null, onSaved: draw }));
    const text = quote(row.text, { class: "tall" }, row.text ? renderText(paragraph, service.taxonomy) : "(no text)");
    const steps = renderSteps({ seek: (by) => table.seek(row, by), go });
    place.replaceChildren(...[steps, text, renderDetail(paragraph, service.taxonomy, { onEvidence, onCorrect, model: service.info.model, from: name, place: "row ", level: "h3" }).flat(Infinity).slice(1)].flat(Infinity).filter(Boolean));
  };
  take(first);
  draw();
  // The table is drawn anew while rows come in.
  const dialog = openDialog(`Row ${row.index + 1}`, place, () => $(`[data-row="${row.index}"]`, results));
  dialog.addEventListener("close", () => row !== first && table.reveal(row));
}
