"""Program: this project, text to prediction, as `Classifier.classify` does it."""

import sys
from collections.abc import Sequence

import loop

from twohands import Classifier


def main() -> None:
    """Run: `engine_twohands.py MODEL THREADS RUNTIME`."""
    model, threads, runtime = sys.argv[1:]
    classifier = Classifier.load(model, num_threads=int(threads), runtime=runtime)
    first = classifier.taxonomy.heads[0].name

    def classify(texts: Sequence[str]) -> list[list[float]]:
        # Decisions are part of the work; logits are not told, since the answer holds calibrated scores.
        return [list(prediction.heads[first].scores.values()) for prediction in classifier.classify(list(texts))]

    configuration = {
        "threads": classifier.session.num_threads,
        "runtime": classifier.session.runtime,
        "precision": classifier.manifest.graph.precision,
        "batch": "one paragraph a run, unpadded"
        if classifier.session.most_windows == 1
        else f"up to {classifier.session.most_windows} of nearly equal length",
    }
    loop.answer(configuration, bulk=classify, alone=classify)


if __name__ == "__main__":
    main()
