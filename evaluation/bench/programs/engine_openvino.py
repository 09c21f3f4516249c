"""Program: the fp32 graph through OpenVINO: asynchronous requests for throughput, one request for latency."""

import sys
from collections.abc import Sequence

import loop
import numpy as np
from tokenizers import Tokenizer

# Its import tells its maker over the network, unless the package that does so cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino as ov  # noqa: E402 - see above


def main() -> None:
    """Run: `engine_openvino.py GRAPH TOKENIZER THREADS MAX_TOKENS default|f32`."""
    graph, tokenizer_path, threads, max_tokens, precision = sys.argv[1:6]
    tokenizer = Tokenizer.from_file(tokenizer_path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(int(max_tokens))
    core = ov.Core()
    model = core.read_model(graph)
    names = [port.get_any_name() for port in model.inputs]
    settings = {"INFERENCE_NUM_THREADS": int(threads)}
    if precision != "default":
        settings["INFERENCE_PRECISION_HINT"] = precision
    fast = core.compile_model(model, "CPU", settings | {"PERFORMANCE_HINT": "LATENCY"})
    many = core.compile_model(model, "CPU", settings | {"PERFORMANCE_HINT": "THROUGHPUT"})
    request, jobs = fast.create_infer_request(), ov.AsyncInferQueue(many)
    rows: dict[int, list[float]] = {}
    jobs.set_callback(lambda done, number: rows.__setitem__(number, done.get_output_tensor(0).data[0].tolist()))

    def feed(text: str) -> dict[str, np.ndarray]:
        ids = np.array([tokenizer.encode(text).ids])
        known = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        return {name: known[name] for name in names}

    def alone(texts: Sequence[str]) -> list[list[float]]:
        return [request.infer(feed(text))[0][0].tolist() for text in texts]

    def bulk(texts: Sequence[str]) -> list[list[float]]:
        rows.clear()
        for number, text in enumerate(texts):
            jobs.start_async(feed(text), number)
        jobs.wait_all()
        return [rows[number] for number in range(len(texts))]

    configuration = {
        "openvino": ov.__version__,
        "threads": int(threads),
        "precision": str(many.get_property("INFERENCE_PRECISION_HINT")),
        "streams": many.get_property("NUM_STREAMS"),
        "batch": "one paragraph a request, unpadded; THROUGHPUT hint in bulk, LATENCY hint alone",
    }
    loop.answer(configuration, bulk=bulk, alone=alone)


if __name__ == "__main__":
    main()
