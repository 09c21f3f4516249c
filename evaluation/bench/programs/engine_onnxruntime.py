"""Program: the fp32 graph through ONNX Runtime's own defaults, padded in batches or one paragraph a run."""

import sys
from collections.abc import Sequence

import loop
import onnxruntime as ort
from onnx_model import load


def main() -> None:
    """Run: `engine_onnxruntime.py GRAPH TOKENIZER THREADS MAX_TOKENS BATCH`."""
    graph, tokenizer_path, threads, max_tokens, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    run = load(graph, tokenizer_path, threads=threads, max_tokens=max_tokens)

    def bulk(texts: Sequence[str]) -> list[list[float]]:
        return [row for start in range(0, len(texts), size) for row in run(texts[start : start + size])]

    configuration = {
        "onnxruntime": ort.__version__,
        "threads": threads,
        "precision": "fp32",
        "graph optimisation": "all (default)",
        "batch": "one paragraph a run, unpadded" if size == 1 else f"{size} in the order given, padded",
    }
    loop.answer(configuration, bulk=bulk, alone=run)


if __name__ == "__main__":
    main()
