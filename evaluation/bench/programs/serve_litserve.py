"""Program: LitServe, batching as its documentation advises, one worker for each CPU."""

import sys

import litserve as ls
from onnx_model import load


class Api(ls.LitAPI):
    """The four verbs of LitServe around one graph."""

    def __init__(self, graph: str, tokenizer: str, max_tokens: int) -> None:
        """Batches of at most 8, waiting at most 10 ms."""
        super().__init__(max_batch_size=8, batch_timeout=0.01, api_path="/predict")
        self.graph, self.tokenizer, self.max_tokens = graph, tokenizer, max_tokens

    def setup(self, device: str) -> None:
        """Load the model in a worker; it runs on one thread there."""
        del device
        self.run_texts = load(self.graph, self.tokenizer, threads=1, max_tokens=self.max_tokens)

    def decode_request(self, request: dict[str, str]) -> str:
        """Take the text."""
        return request["inputs"]

    def predict(self, texts: list[str]) -> list[list[float]]:
        """Run a batch."""
        return self.run_texts(texts)

    def encode_response(self, row: list[float]) -> dict[str, list[float]]:
        """Give the logits."""
        return {"logits": row}


def main() -> None:
    """Run: `serve_litserve.py GRAPH TOKENIZER MAX_TOKENS PORT WORKERS`."""
    api = Api(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=int(sys.argv[5]), timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[4]), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
