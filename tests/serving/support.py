"""Opens an app in process with its lifespan, and makes classifiers whose session does as a test wants."""

import threading
from contextlib import asynccontextmanager

import httpx
import numpy as np

from twohands.classifier import Classifier

JSON = {"content-type": "application/json"}


@asynccontextmanager
async def open_client(app, *, lifespan=True, base_url="http://service"):
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        if not lifespan:
            yield client
            return
        async with app.router.lifespan_context(app):
            yield client


class FakeSession:
    """Stands for a session; `run_batch` is free to fail or to wait."""

    runtime, version = "onnxruntime", "0"

    def __init__(self, run_batch, *, num_threads=2, most_windows=1):
        self.num_threads = num_threads
        self.most_windows = most_windows
        self.run_batch = run_batch
        self.is_closed = False

    def close(self):
        self.is_closed = True


def with_session(classifier, run_batch, *, num_threads=2):
    session = FakeSession(run_batch, num_threads=num_threads)
    return Classifier(classifier.manifest, classifier.sha256, classifier.encoder, session)


class Gate:
    """A `run_batch` that lets the warm-up through and then holds every window until it is opened."""

    def __init__(self, n_labels, *, n_free):
        self.n_labels = n_labels
        self.n_free = n_free
        self.n_begun = 0
        self.opened = threading.Event()
        self.reached = threading.Event()
        self._lock = threading.Lock()

    def run_batch(self, windows):
        with self._lock:
            self.n_begun += 1
            is_free = self.n_begun <= self.n_free
        if not is_free:
            self.reached.set()
            if not self.opened.wait(20):
                raise TimeoutError("the test never opened the gate")
        return np.zeros((len(windows), self.n_labels), dtype=np.float32)
