"""Program: a plain FastAPI endpoint, as its tutorial writes one; uvicorn with one process for each CPU.

The endpoint is a plain `def`, so FastAPI calls it on a pool of 40 threads: up to so many runs stand side by side in
each process, each on one thread.
"""

import os
import sys

import uvicorn
from fastapi import FastAPI
from onnx_model import load
from pydantic import BaseModel

_GRAPH, _TOKENIZER, _MAX_TOKENS = "PEER_GRAPH", "PEER_TOKENIZER", "PEER_MAX_TOKENS"


class Request(BaseModel):
    """One text."""

    inputs: str


def create_app() -> FastAPI:
    """Make the app of one process; each run of the model takes one thread."""
    run = load(os.environ[_GRAPH], os.environ[_TOKENIZER], threads=1, max_tokens=int(os.environ[_MAX_TOKENS]))
    app = FastAPI()

    @app.post("/classify")
    def classify(request: Request) -> dict[str, list[float]]:
        return {"logits": run([request.inputs])[0]}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main() -> None:
    """Run: `serve_fastapi.py GRAPH TOKENIZER MAX_TOKENS PORT WORKERS`."""
    os.environ[_GRAPH], os.environ[_TOKENIZER], os.environ[_MAX_TOKENS] = sys.argv[1:4]
    uvicorn.run(
        "serve_fastapi:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[4]),
        workers=int(sys.argv[5]),
        log_level="warning",
    )


if __name__ == "__main__":
    main()
