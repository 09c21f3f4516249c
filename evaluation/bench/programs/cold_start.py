"""Program of its own process: from nothing to the first answer, and what memory that takes. Prints one JSON object."""

import json
import sys
import time


def read_rss_mb() -> float:
    """Resident memory of this process in megabytes (10^6 bytes)."""
    import psutil  # noqa: PLC0415, RUF100 - it must not count as part of the import that is timed

    return float(psutil.Process().memory_info().rss) / 1e6


def read_pss_mb() -> float:
    """The same with pages that are shared parted among their processes, where the system tells it; else resident."""
    import psutil  # noqa: PLC0415, RUF100

    process = psutil.Process()
    return float(process.memory_full_info().pss) / 1e6 if psutil.LINUX else read_rss_mb()


def main() -> None:
    """Load a model, answer once, then answer the rest: `cold_start.py MODEL THREADS TEXTS.json RUNTIME`."""
    started_s = time.perf_counter()
    import twohands  # noqa: PLC0415, RUF100

    imported_s = time.perf_counter()
    with open(sys.argv[3], encoding="utf-8") as stream:  # noqa: PTH123 - pathlib's import would be timed below
        texts = json.load(stream)
    began_s = time.perf_counter()
    classifier = twohands.Classifier.load(sys.argv[1], num_threads=int(sys.argv[2]), runtime=sys.argv[4])
    loaded_s = time.perf_counter()
    classifier.classify(texts[:1])
    answered_s, answered_at = time.perf_counter(), time.time()
    rss_first_mb = read_rss_mb()
    classifier.classify(texts)
    sys.stdout.write(
        json.dumps(
            {
                "import_package_ms": 1e3 * (imported_s - started_s),
                "import_and_load_ms": 1e3 * (loaded_s - began_s),
                "answered_at": answered_at,
                "first_answer_ms": 1e3 * (answered_s - loaded_s),
                "rss_first_answer_mb": rss_first_mb,
                "rss_after_mb": read_rss_mb(),
                "pss_after_mb": read_pss_mb(),
            }
        )
    )


if __name__ == "__main__":
    main()
