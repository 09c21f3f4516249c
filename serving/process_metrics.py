"""Owns `process_*` of several workers: those of each, told apart by `pid` as the client library does.

Not their sums: of one worker that ends, the sum of counters would fall, which a rate takes for a start anew of all.
"""

from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric, ProcessCollector
from prometheus_client.registry import Collector


class WorkerCollector(Collector):
    """Reads what the system tells of each worker that lives; nothing where it tells nothing, as on macOS."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet.

        Args:
            folder: where the workers count; each keeps a file for what is counted only while it lives.
        """
        self._folder = folder

    def _list_pids(self) -> list[str]:
        return sorted({path.stem.rpartition("_")[2] for path in self._folder.glob("gauge_live*_*.db")}, key=int)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric once, with a sample of each worker."""
        found: dict[str, Metric] = {}
        for pid in self._list_pids():
            for each in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                metric = found.setdefault(each.name, Metric(each.name, each.documentation, each.type))
                for sample in each.samples:
                    metric.add_sample(sample.name, {**sample.labels, "pid": pid}, sample.value)
        yield from found.values()
