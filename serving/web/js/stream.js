// Owns rows -> answers through POST /v1/classify/stream. Browsers send a body whole before they read, so rows go in
// groups that fit into the buffers between; each answered line is one row done.
import { ask, readLines, ServiceError, StaleModelError } from "./api.js";

const ROWS_AT_ONCE = 96;
const CHARS_AT_ONCE = 400_000;

// Yields [{ index, answer }] as they come, from row `from` on; breaks off with OfflineError or ServiceError.
export async function* classifyRows(texts, { from = 0, signal, maxBodyBytes, served, sha256 }) {
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
    const response = await ask(path, { method: "POST", type: "application/x-ndjson", accept: "application/x-ndjson", body: lines.join(""), signal });
    // Rows of one table are all read by one model.
    if (response.headers.get("x-model-sha256") !== sha256) {
      response.body.cancel();
      throw new StaleModelError();
    }
    let nDone = 0;
    for await (const values of readLines(response, signal)) {
      const broken = values.find((value) => value.id === null);
      if (broken) throw new ServiceError(503, broken.error);
      yield values.map(({ id, ...answer }) => ({ index: Number(id), answer }));
      nDone += values.length;
    }
    if (nDone < lines.length) throw new ServiceError(503, { code: "engine_stopped", message: "the service stopped in the midst of it" });
    start = end;
  }
}
