"""Saves corrections, also as a process of its own, which loads no more than that needs."""

import threading

from serving.corrections.address import read_address
from serving.corrections.store import Store

LABELS = {"stance": "neutral", "topics": None}


def add(store, text="plan", **fields):
    others = dict.fromkeys(("confidence", "note", "source", "group", "prediction", "model"))
    return store.add(**others | {"text": text, "labels": LABELS} | fields)


def save_many(setting, name, n_threads, n_each, barrier):
    """What one process does: its threads begin at once, on a database that nobody has made yet."""
    store = Store(read_address(setting))
    failures = []

    def work(thread):
        try:
            for number in range(n_each):
                add(store, f"{name} {thread} {number}")
        except Exception as error:  # noqa: BLE001 - the parent tells it
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(n_threads)]
    barrier.wait(30)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    if failures:
        raise AssertionError(failures)
