// Owns the talk with the service: the key, waiting when it is busy, and what to say when it fails.
import { $, announce, h, openDialog, placeNotice } from "./dom.js";

const KEY = "twohands-key";
const LONGEST_WAIT_S = 600;
const WAITED_FOR = new Set([429, 503]);
const NOT_BUSY = new Set(["corrections_unavailable"]); // somebody has to mend the database first
let key = readKey();
let asking = null;

export class ServiceError extends Error {
  constructor(status, { code, message, request_id: requestId } = {}) {
    super(message ?? `the service answered ${status}`);
    Object.assign(this, { status, code: code ?? "unknown", requestId });
  }
}

// The model that answers is not the one whose labels this page knows.
export class StaleModelError extends ServiceError {
  constructor() {
    super(409, { code: "model_exchanged", message: "the service has exchanged its model since this page asked for its labels" });
  }
}

export class OfflineError extends Error {
  constructor() {
    super("The connection to the service was lost.");
  }
}

function readKey() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keepKey(value) {
  key = value;
  $("#key-button").hidden = value === null;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // storage is switched off: the key lives until the page is left
  }
}

export const forgetKey = () => keepKey(null);
export const hasKey = () => key !== null;

// Asks for the key once, however many requests wait for it. Rejects when the dialog is closed.
function askForKey(wasRefused) {
  asking ??= new Promise((resolve, reject) => {
    const input = h("input", { id: "key-input", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
    const wrong = h("p", { class: "fault", role: "alert", hidden: true }, "A key holds only letters, digits and signs of the ASCII alphabet, and no spaces.");
    const form = h(
      "form",
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            const typed = input.value.trim();
            // Anything else cannot be sent in a header, and is the key of no service.
            wrong.hidden = /^[\x21-\x7e]+$/.test(typed);
            if (!wrong.hidden) return;
            keepKey(typed);
            resolve();
            dialog.close();
          },
        },
      },
      wasRefused && h("p", { class: "fault", role: "alert" }, "The service does not know this key. It may have been revoked."),
      h("p", {}, "This service asks for an API key. It is kept in this tab only, and forgotten when the tab is closed."),
      h("label", { for: "key-input" }, "API key"),
      input,
      wrong,
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Use this key")),
    );
    const dialog = openDialog("A key is needed", form);
    dialog.id = "key-dialog";
    dialog.addEventListener("close", () => reject(new ServiceError(401, { code: "unauthorized", message: "No API key was given." })));
    input.focus();
  }).finally(() => {
    asking = null;
  });
  return asking;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// A line under the header: what is waited for, and perhaps a button. It may count down, so it is told only as `role` says.
export function notify(text, { button, action, kind = "wait", role = null } = {}) {
  const notice = $("#notice");
  const hadFocus = notice.contains(document.activeElement);
  placeNotice(notice);
  notice.hidden = !text;
  notice.dataset.kind = kind;
  notice.replaceChildren(...(text ? [h("span", { role }, text)] : []));
  if (text && button) notice.append(h("button", { type: "button", on: { click: action } }, button));
  if (hadFocus && !text) $("#main").focus({ preventScroll: true });
}

// Takes back a line of one kind, and none that something else has put in its place.
export function unnotify(kind) {
  const notice = $("#notice");
  if (!notice.hidden && notice.dataset.kind === kind) notify(null);
}

async function waitBusy(seconds, signal) {
  announce(`The service is busy. Trying again in ${seconds} seconds.`);
  for (let left = seconds; left > 0; left -= 1) {
    notify(`The service is busy with other readers. Trying again in ${left} s …`);
    await pause(1000, signal);
  }
  notify(null);
}

// A file that was saved again or moved since it was chosen can be read no more, and `fetch` fails as without a network.
async function isGone(body) {
  if (!(body instanceof Blob)) return false;
  try {
    await body.slice(0, 1).arrayBuffer();
    return false;
  } catch {
    return true;
  }
}

// Fetches; waits and asks again where the service says so, as often as `mostTries` allows its code; asks for a key where it
// needs one.
export async function ask(path, { method = "GET", body, type, accept = "application/json", signal, mostTries = {} } = {}) {
  let waitedS = 0;
  const tries = {};
  for (;;) {
    const sent = key;
    const headers = { accept, ...(type ? { "content-type": type } : {}), ...(key ? { "x-api-key": key } : {}) };
    let response;
    try {
      response = await fetch(path, { method, body, headers, signal, credentials: "omit", cache: "no-store" });
    } catch (error) {
      if (signal?.aborted) throw error;
      if (await isGone(body)) throw new ServiceError(422, { code: "bad_file", message: `${body.name ?? "The file"} can no longer be read: it may have been changed or moved since it was chosen. Choose it again.` });
      throw new OfflineError();
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => ({}));
    const failure = new ServiceError(response.status, typeof told.error === "object" ? told.error : {});
    tries[failure.code] = (tries[failure.code] ?? 0) + 1;
    const isPatient = waitedS < LONGEST_WAIT_S && !(tries[failure.code] >= mostTries[failure.code]);
    if (response.status === 401) {
      if (sent !== key && key !== null) continue; // another request has got a new key meanwhile
      if (key !== null) keepKey(null);
      await askForKey(sent !== null);
    } else if (WAITED_FOR.has(response.status) && !NOT_BUSY.has(failure.code) && isPatient) {
      const seconds = Math.min(Math.max(Number(response.headers.get("retry-after")) || 1, 1), 60);
      try {
        await waitBusy(seconds, signal);
      } finally {
        notify(null);
      }
      waitedS += seconds;
    } else {
      throw failure;
    }
  }
}

export const askJson = async (path, options) => (await ask(path, options)).json();
export const sendJson = (path, content, options = {}) =>
  ask(path, { method: "POST", ...options, type: "application/json", body: JSON.stringify(content) });

// Yields the JSON value of each line as it comes.
export async function* readLines(response, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const lines = (held + (value ?? "")).split("\n");
      held = done ? "" : lines.pop();
      const sound = lines.filter((line) => line.trim()).map((line) => JSON.parse(line));
      if (sound.length) yield sound;
      if (done) return;
    }
  } catch (error) {
    if (signal?.aborted || error instanceof ServiceError) throw error;
    throw new OfflineError();
  } finally {
    reader.cancel().catch(() => {});
  }
}

// What to tell a person about an error.
export function explain(error) {
  if (error instanceof OfflineError) return "The connection to the service was lost. Check the network, then try again.";
  if (!(error instanceof ServiceError)) return `Something went wrong on this page: ${error.message}`;
  if (error.code === "bad_file") return error.message; // begins with the name of a file
  if (error.code === "unauthorized") return "No API key was given, so the service does not answer.";
  if (error.code === "forbidden") return `The service refuses this: ${error.message}.`;
  if (error.code === "corrections_unavailable") return "The service cannot use its store of corrections now; nothing was changed. Who runs it finds the reason in its log.";
  if (error.status >= 500 && ![501, 507].includes(error.status))
    return `The service failed${error.requestId ? ` (request ${error.requestId})` : ""}. Try again in a moment.`;
  const text = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
