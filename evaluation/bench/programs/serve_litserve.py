"""Program: LitServe, batching as its documentation advises or not at all, its default; one worker for each CPU."""

import sys

import litserve as ls
from onnx_model import load


class Api(ls.LitAPI):
    """The four verbs of LitServe around one graph."""

    def __init__(self, graph: str, tokenizer: str, max_tokens: int, batch: int) -> None:
        """Batches of at most so many, waiting at most 10 ms; 1 for none."""
        super().__init__(max_batch_size=batch, batch_timeout=0.01 if batch > 1 else 0.0, api_path="/predict")
        self.graph, self.tokenizer, self.max_tokens = graph, tokenizer, max_tokens

    def setup(self, device: str) -> None:
        """Load the model in a worker; it runs on one thread there."""
        del device
        self.run_texts = load(self.graph, self.tokenizer, threads=1, max_tokens=self.max_tokens)

    def decode_request(self, request: dict[str, str]) -> str:
        """Take the text."""
        return request["inputs"]

    def predict(self, texts: list[str] | str) -> list[list[float]] | list[float]:
        """Run a batch, or the one text that LitServe hands over where it does not batch."""
        return self.run_texts([texts])[0] if isinstance(texts, str) else self.run_texts(texts)

    def encode_response(self, row: list[float]) -> dict[str, list[float]]:
        """Give the logits."""
        return {"logits": row}


def main() -> None:
    """Run: `serve_litserve.py GRAPH TOKENIZER MAX_TOKENS PORT WORKERS BATCH`."""
    api = Api(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[6]))
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=int(sys.argv[5]), timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[4]), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
