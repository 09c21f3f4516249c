"""Owns the cascade: a larger model is asked where a small one is in doubt, and what both say is averaged.

Most paragraphs are answered by the small model alone, at its price; the few that it is unsure of cost both.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from twohands.encoding import TokenIds
from twohands.errors import ModelNotFoundError
from twohands.hashing import sha256_of_file
from twohands.locate import model_roots
from twohands.manifest import MANIFEST_NAME, CascadeInfo
from twohands.scores import Platt, Scores, Temperature, sigmoid, softmax
from twohands.session import Crowded, Session
from twohands.taxonomy import ProblemType, Taxonomy
from twohands.windows import Logits

Calibrations = Mapping[str, Temperature | Platt]


def calibrate_logits(logits: Logits, taxonomy: Taxonomy, calibrations: Calibrations) -> Logits:
    """Put logits on the scale on which those of two models can be averaged.

    Args:
        logits: shape `(n, n_labels)`, of one model.
        taxonomy: its heads.
        calibrations: of that model, by head name.

    Returns:
        The same shape: their softmax, or sigmoid, are the model's calibrated scores.
    """
    parts = []
    for head in taxonomy.heads:
        fitted, raw = calibrations[head.name], logits[:, taxonomy.slices[head.name]].astype(np.float64)
        if isinstance(fitted, Temperature):
            parts.append(raw / fitted.temperature)
        else:
            parts.append(raw * fitted.slopes + fitted.intercepts)
    return np.concatenate(parts, axis=1).astype(np.float32)


def measure_doubt(logits: Logits, taxonomy: Taxonomy) -> Scores:
    """Say how likely the most doubtful of a model's answers is wrong, by its own scores.

    Args:
        logits: shape `(n, n_labels)`, calibrated.
        taxonomy: the heads.

    Returns:
        Shape `(n,)`, in [0, 1]: the largest, over heads, of what the highest score lacks to 1 (one-of), and of what the
        score of a label lacks to 0 or 1, whichever is nearer (any-of).

    Source:
        Wang et al. 2022, *Wisdom of Committees: An Overlooked Approach To Faster and More Accurate Models*, section 4:
        a cascade goes on where the highest score is low.
    """
    doubts = []
    for head in taxonomy.heads:
        own = logits[:, taxonomy.slices[head.name]]
        if head.problem_type is ProblemType.ONE_OF:
            doubts.append(1 - softmax(own).max(axis=1))
        else:
            scores = sigmoid(own)
            doubts.append(np.minimum(scores, 1 - scores).max(axis=1))
    return np.asarray(np.max(doubts, axis=0))


def _tell_nobody(n_windows: int, n_asked_again: int) -> None:
    pass


def _blend(logits: Logits, doubtful: TokenIds, more: Logits) -> None:
    logits[doubtful] = (logits[doubtful] + more) / 2


class CascadeSession:
    """Two sessions as one: windows go to the first, those that it doubts to the second as well.

    Which windows go on depends on each alone, so answers do not depend on what is asked beside them. Logits are
    calibrated: the first model's, or the mean of both.

    Attributes:
        num_threads: most threads that run side by side.
        input_names: of the first graph.
        n_labels: logits of one window.
        runtime: which it is and in what precision, for people.
        version: of the runtime's package.
        most_windows: how many windows one run takes; 1 where each is best run alone.
    """

    def __init__(
        self,
        first: Session,
        second: Session,
        *,
        translation: TokenIds,
        taxonomy: Taxonomy,
        calibrations: tuple[Calibrations, Calibrations],
        doubt: float,
    ) -> None:
        """Put two sessions together, which are this one's to close from now on.

        Args:
            first: whom every window is asked.
            second: whom the doubtful ones are asked.
            translation: ids of the first -> ids of the second, of `make_translation`.
            taxonomy: of both.
            calibrations: of the first and of the second, each alone.
            doubt: of the first, from which on the second is asked.
        """
        self._first, self._second = first, second
        self._translation, self._taxonomy, self._calibrations = translation, taxonomy, calibrations
        self._doubt = doubt
        # A seam for who counts: told how many windows ran, and how many of these again, from several threads at once.
        self.on_asked: Callable[[int, int], object] = _tell_nobody
        self.num_threads, self.input_names = first.num_threads, first.input_names
        self.n_labels: int | None = taxonomy.n_labels
        self.runtime, self.version = first.runtime, first.version
        self.most_windows = max(first.most_windows, second.most_windows)
        if isinstance(first, Crowded) and isinstance(second, Crowded):
            second.crowd = first.crowd  # so that a window of either is alone only if it is beside both

    @property
    def members(self) -> tuple[Session, Session]:
        """The sessions of the first model and of the second."""
        return self._first, self._second

    def ask_first(self, token_ids: Sequence[TokenIds]) -> Logits:
        """What the first model says of windows, calibrated, shape `(len(token_ids), n_labels)`."""
        return calibrate_logits(self._first.run_batch(token_ids), self._taxonomy, self._calibrations[0])

    def ask_second(self, token_ids: Sequence[TokenIds]) -> Logits:
        """What the second model says of windows in the first one's ids, as `ask_first`."""
        translated = [self._translation[ids] for ids in token_ids]
        return calibrate_logits(self._second.run_batch(translated), self._taxonomy, self._calibrations[1])

    def run_padded(self, input_ids: TokenIds, attention_mask: TokenIds) -> Logits:
        """Run one padded batch as it is, shapes `(batch, length)`, into `(batch, n_labels)`."""
        first = self._first.run_padded(input_ids, attention_mask)
        logits = calibrate_logits(first, self._taxonomy, self._calibrations[0])
        if len(doubtful := self._find_doubtful(logits)):
            more = self._second.run_padded(self._translation[input_ids[doubtful]], attention_mask[doubtful])
            _blend(logits, doubtful, calibrate_logits(more, self._taxonomy, self._calibrations[1]))
        return logits

    def run_batch(self, token_ids: Sequence[TokenIds]) -> Logits:
        """Run windows.

        Args:
            token_ids: windows, shape `(length,)` each; at least one.

        Returns:
            Shape `(len(token_ids), n_labels)`, calibrated, in the order given.

        Raises:
            FileReadError: this process was forked, and a graph cannot be loaded anew.
            NonFiniteLogitsError: a logit is NaN or infinite.
        """
        logits = self.ask_first(token_ids)
        doubtful = self._find_doubtful(logits)
        self.on_asked(len(logits), len(doubtful))
        if len(doubtful):
            _blend(logits, doubtful, self.ask_second([token_ids[number] for number in doubtful.tolist()]))
        return logits

    def _find_doubtful(self, logits: Logits) -> TokenIds:
        return np.flatnonzero(measure_doubt(logits, self._taxonomy) >= self._doubt)

    def close(self) -> None:
        """End the threads."""
        self._first.close()
        self._second.close()


def _later_roots() -> Iterator[Path]:
    yield from model_roots()


def find_second(folder: Path, wanted: CascadeInfo) -> Path:
    """Find the second model of a cascade: in its folder, beside it, or where models are found by name.

    Args:
        folder: of the cascade.
        wanted: as its manifest has it.

    Returns:
        The model folder.

    Raises:
        ModelNotFoundError: there is none of this digest; the message says where was looked. Or `TWOHANDS_MODELS` is no
            folder, and it does not stand here.
    """
    looked = []
    # The other places are asked for last: where they are named wrongly, what stands here is found all the same.
    for root in chain((folder, folder.resolve().parent), _later_roots()):
        path = root / wanted.name / MANIFEST_NAME
        if not path.is_file():
            looked.append(f"  - {path.parent}: not there")
        elif (found := sha256_of_file(path)) == wanted.sha256:
            return path.parent
        else:
            looked.append(f"  - {path.parent}: another one, sha256 {found[:12]}…")
    raise ModelNotFoundError(
        f"{folder} is a cascade, and asks {wanted.name} {wanted.version} (sha256 {wanted.sha256[:12]}…) where its own "
        "graph is in doubt; put that folder beside it. Looked at:\n" + "\n".join(dict.fromkeys(looked))
    )
