"""Program: Ray Serve, dynamic batching as its documentation advises, one replica for each CPU."""

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

# Its token authentication would write a file into the user's home.
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from onnx_model import load
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Classify:
    """One graph on one thread, in batches of at most 8 that wait at most 10 ms."""

    def __init__(self, graph: str, tokenizer: str, max_tokens: int) -> None:
        """Load the model in a replica."""
        self.run_texts = load(graph, tokenizer, threads=1, max_tokens=max_tokens)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.01)
    async def classify(self, texts: list[str]) -> list[list[float]]:
        """Run a batch."""
        return self.run_texts(texts)

    async def __call__(self, request: Request) -> dict[str, list[float]]:
        """Answer one request."""
        if request.method == "GET":
            return {"logits": []}
        return {"logits": await self.classify((await request.json())["inputs"])}


def main() -> None:
    """Run: `serve_ray.py GRAPH TOKENIZER MAX_TOKENS PORT WORKERS`."""
    graph, tokenizer, max_tokens, port, workers = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent)  # replicas import `onnx_model` too
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with tempfile.TemporaryDirectory(prefix="ray-") as place:
        ray.init(num_cpus=workers + 1, include_dashboard=False, _temp_dir=place, log_to_driver=False)
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(Classify.options(num_replicas=workers).bind(graph, tokenizer, max_tokens), route_prefix="/")
        stopped.wait()
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
