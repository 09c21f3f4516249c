"""Runs a real server on a free port in a thread, for clients that know nothing of ASGI; and how services start fast."""

import signal
import threading
from contextlib import contextmanager

from serving.server import make_server, make_url, open_socket


def leave_out_of_starts(request, monkeypatch):
    """Pass over what a service makes ready when it starts, so that no request waits for it, but for `whole_start`.

    All that other tests have imported here is looked through for garbage and moved to huge pages, and each of forty
    routes is made: half a second, hundreds of times.
    """
    if request.node.get_closest_marker("whole_start"):
        return
    for name in ("server.settle", "pauses.settle", "server.give_back", "pauses.give_back", "server.move_to_huge_pages"):
        monkeypatch.setattr(f"serving.{name}", lambda: None)
    monkeypatch.setattr("serving.app._settle_routes", lambda _: None)


@contextmanager
def run_server(settings, classifier):
    """Yields the URL."""
    is_ready = threading.Event()
    with open_socket("127.0.0.1", 0) as listener:
        url = make_url(listener)
        server = make_server(settings, classifier, url=url, announce=lambda _: is_ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert is_ready.wait(20)
            yield url
        finally:
            server.handle_exit(signal.SIGTERM, None)
            thread.join(20)
            assert not thread.is_alive()
