// Owns rows -> answers through POST /v1/classify/stream. Browsers send a body whole before they read, so rows go in
// groups that fit into the buffers between; each answered line is one row done.
import { ask, readLines, ServiceError, StaleModelError } from "./api.js";

const ROWS_AT_ONCE = 96;
const CHARS_AT_ONCE = 400_000;
// In the place of a row these tell of the service and not of the row: as in twohands/exchange_long.py.
const PASSING = new Set(["overloaded", "deadline_exceeded", "engine_stopped", "body_timeout"]);
// A service that is busy for a moment has time for the row soon; one that has none three times over is told of.
const MOST_TRIES = 3;

// Yields [{ index, answer }] as they come, from row `from` on; breaks off with OfflineError or ServiceError. A row that
// the service had no time for stops it, too; `tried` is the one that did so before, which is passed over: else none that
// follow would be read. Where nothing is answered before it, the service says so of the whole request.
export async function* classifyRows(texts, { from = 0, tried = null, signal, maxBodyBytes, served, sha256 }) {
  const isPassing = ({ error }, index) => PASSING.has(error?.code) && !(error.code === "deadline_exceeded" && index === tried);
  const path = served === null ? "v1/classify/stream" : `v1/classify/stream?${new URLSearchParams({ model: served })}`;
  for (let start = from; start < texts.length; ) {
    let end = start;
    let nChars = 0;
    const lines = [];
    while (end < texts.length && lines.length < ROWS_AT_ONCE && (nChars === 0 || nChars + texts[end].length < Math.min(CHARS_AT_ONCE, maxBodyBytes / 4))) {
      lines.push(`${JSON.stringify({ id: end, text: texts[end].toWellFormed() })}\n`);
      nChars += texts[end].length + 1;
      end += 1;
    }
    let response;
    try {
      response = await ask(path, { method: "POST", type: "application/x-ndjson", accept: "application/x-ndjson", body: lines.join(""), signal, mostTries: { deadline_exceeded: MOST_TRIES } });
    } catch (error) {
      if (error.code !== "deadline_exceeded" || start !== tried) throw error;
      yield [{ index: start, answer: { error: { code: error.code, message: error.message } } }];
      start += 1;
      continue;
    }
    // Rows of one table are all read by one model.
    if (response.headers.get("x-model-sha256") !== sha256) {
      response.body.cancel();
      throw new StaleModelError();
    }
    let nDone = 0;
    for await (const values of readLines(response, signal)) {
      const first = start + nDone; // answers come in order; the `id` of a line that could not be read is none of ours
      const nSound = values.findIndex((value, i) => value.id === null || isPassing(value, first + i));
      const sound = nSound < 0 ? values : values.slice(0, nSound);
      if (sound.length) yield sound.map(({ id: _, ...answer }, i) => ({ index: first + i, answer }));
      if (nSound >= 0) throw new ServiceError(503, values[nSound].error);
      nDone += sound.length;
    }
    if (nDone < lines.length) throw new ServiceError(503, { code: "engine_stopped", message: "the service stopped in the midst of it" });
    start = end;
  }
}
