"""Program: the transformers pipeline, in batches in the order given, or one text a run, which is its default."""

import sys
from collections.abc import Sequence
from typing import Any

import loop
import torch
import transformers


def main() -> None:
    """Run: `engine_transformers.py CHECKPOINT THREADS MAX_TOKENS fp32|bf16 BATCH`."""
    folder, threads, max_tokens, precision, size = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    transformers.logging.set_verbosity_error()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    pipe = transformers.pipeline(
        "text-classification",
        model=folder,
        tokenizer=folder,
        device="cpu",
        dtype=dtype,
        trust_remote_code=True,
        batch_size=int(size),
        top_k=None,
        function_to_apply="none",
    )
    pipe.model.to(dtype)  # an encoder within a model of somebody's code is built as its own config says, in fp32
    labels = [pipe.model.config.id2label[number] for number in range(pipe.model.config.num_labels)]

    def read(entries: list[dict[str, Any]]) -> list[float]:
        scores = {entry["label"]: entry["score"] for entry in entries}
        return [scores[label] for label in labels]

    def bulk(texts: Sequence[str]) -> list[list[float]]:
        return [read(entries) for entries in pipe(list(texts), truncation=True, max_length=int(max_tokens))]

    def alone(texts: Sequence[str]) -> list[list[float]]:
        # The text itself, as its documentation calls it: for a list it makes a data set and a loader.
        (text,) = texts
        (entries,) = pipe(text, truncation=True, max_length=int(max_tokens))
        return [read(entries)]

    configuration = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": precision,
        "attention": pipe.model.config._attn_implementation,
        "batch": "one text a run (default)" if size == "1" else f"{size} in the order given, padded to the longest",
    }
    loop.answer(configuration, bulk=bulk, alone=alone)


if __name__ == "__main__":
    main()
