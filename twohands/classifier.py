"""Owns the way of a text through the contract: paragraphs -> token ids -> logits -> predictions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Self

from twohands.cascade import Calibrations, CascadeSession, find_second
from twohands.encoding import EncodedParagraph, ParagraphEncoder
from twohands.errors import InputError, ManifestError
from twohands.evidence import EvidencePlan, list_runs, make_explained_predictions, plan_evidence
from twohands.known import check_known
from twohands.locate import find_model
from twohands.manifest import GRAPH_NAME, TOKENIZER_NAME, Manifest, load_manifest
from twohands.misuse import ArgumentError, ClosedError, check_texts
from twohands.prediction import Prediction
from twohands.runtimes import DEFAULT_RUNTIME, Runtime, open_session
from twohands.scores import with_thresholds
from twohands.session import Session, run_paragraphs
from twohands.translation import make_translation
from twohands.windows import Logits

_BATCH = 128  # the more, the nearer in length are those that a runtime puts together


class Classifier:
    """A model folder, loaded and verified; `with Classifier.load() as classifier:` closes it at the end.

    `classify` may be called from several threads at once. Other processes may have it, too: one that is forked loads
    the graph anew on first use (with OpenVINO it is refused), and pickling takes along where the folder stands, from
    which it is loaded where it is unpickled. So pools of `multiprocessing` (fork or spawn), joblib and Ray work, if the
    folder is there; each process takes `num_threads`, so pass 1 for as many processes as there are cores.
    """

    def __init__(self, manifest: Manifest, sha256: str, encoder: ParagraphEncoder, session: Session) -> None:
        """Put a classifier together; `Classifier.load` is the usual way.

        Args:
            manifest: what the model is.
            sha256: digest of its manifest, by which answers name it.
            encoder: text to token ids.
            session: token ids to logits.
        """
        self.manifest = manifest
        self.sha256 = sha256
        self.encoder = encoder
        self.session = session
        self.taxonomy = manifest.taxonomy
        self._origin: tuple[Path, int | None, Runtime] | None = None  # how it was loaded
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        if self._origin is None:
            raise TypeError("only a classifier that `Classifier.load` made can be pickled")
        return _load_same, (*self._origin, self.sha256)

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        *,
        num_threads: int | None = None,
        runtime: Runtime = DEFAULT_RUNTIME,
    ) -> "Classifier":
        """Load a model folder.

        Args:
            model: a folder or the name of one; None is the released model.
            num_threads: most threads; None for all that this process may use.
            runtime: `onnxruntime`; `openvino`, which is faster in bulk on CPUs with AMX (extra `openvino`); or `auto`,
                which takes it there.

        Returns:
            The classifier.

        Raises:
            ArgumentError: `model` is no path, there is no such runtime, or `num_threads` is no whole number from 1 on.
            ModelNotFoundError: there is no such model, or it is a cascade and its second model is not found.
            ManifestError: the folder is incomplete or altered, or the models of a cascade do not fit together.
            FileReadError: the graph or the tokenizer cannot be read, or the runtime cannot run the graph.
            MissingExtraError: the runtime is not installed.
            WrongAnswersError: the graph is computed otherwise here than where it was exported.
            NonFiniteLogitsError: the model answers NaN or infinity.
        """
        if model is not None and not (isinstance(model, str | Path) and str(model)):
            raise ArgumentError(f"model is {model!r}; expected a folder, a name, or None for the released model")
        folder = find_model(model)
        manifest, sha256 = load_manifest(folder)
        encoder = ParagraphEncoder.from_file(
            folder / TOKENIZER_NAME, manifest.window, usual_cautions=manifest.usual_cautions
        )
        session = open_session(
            folder / GRAPH_NAME, runtime=runtime, num_threads=num_threads, max_tokens=manifest.window.max_tokens
        )
        n_labels = manifest.taxonomy.n_labels
        if session.n_labels not in {None, n_labels}:
            fault = f"{GRAPH_NAME} answers {session.n_labels} logits, the manifest names {n_labels} labels"
            raise ManifestError(f"{folder} is not a sound model folder; fetch or export it again", [fault])
        classifier = cls(manifest, sha256, encoder, session)
        machine = manifest.export_machine
        made_on = f"{machine.cpu_model}, ONNX Runtime {machine.onnxruntime}"
        try:
            here = f"{session.runtime} {session.version}"
            check_known(folder, encoder, classifier.predict_logits, made_on=made_on, runtime=here)
            if manifest.cascade is not None:
                classifier._add_second(folder, num_threads=num_threads, runtime=runtime)
        except BaseException:
            classifier.close()
            raise
        classifier._origin = folder.absolute(), num_threads, runtime
        return classifier

    def _add_second(self, folder: Path, *, num_threads: int | None, runtime: Runtime) -> None:
        """Ask a second model where this one is in doubt, as the manifest of a cascade says."""
        wanted = self.manifest.cascade
        assert wanted is not None  # noqa: S101 - the caller looked
        place = find_second(folder, wanted)
        second = _load_same(place, num_threads, runtime, wanted.sha256, what="the one that the cascade asks second")
        try:
            self.session = join_sessions(self, second, first_calibrations=wanted.calibrations, doubt=wanted.doubt)
        except ValueError as error:
            second.close()
            heading = f"{folder} is not a sound model folder; fetch or export it again"
            raise ManifestError(heading, [f"its second model, {wanted.name}, does not fit: {error}"]) from error

    @property
    def identity(self) -> dict[str, str]:
        """The `model` object of every answer."""
        return {"name": self.manifest.name, "version": self.manifest.version, "sha256": self.sha256}

    def predict_logits(self, paragraphs: Sequence[EncodedParagraph]) -> Logits:
        """Run the model.

        Args:
            paragraphs: encoded by this classifier's encoder.

        Returns:
            Shape `(len(paragraphs), n_labels)`, uncalibrated.

        Raises:
            ClosedError: the classifier was closed.
            FileReadError: this process was forked, and the graph cannot be loaded anew.
            ForkError: this process was forked, and the runtime is OpenVINO.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        if self._is_closed:
            raise ClosedError("the classifier was closed; load it again")
        return run_paragraphs(self.session.run_batch, paragraphs)

    def predict(
        self,
        paragraphs: Sequence[EncodedParagraph],
        *,
        thresholds: Mapping[str, object] | None = None,
        plans: Sequence[EvidencePlan] = (),
    ) -> list[Prediction]:
        """Classify encoded paragraphs.

        Args:
            paragraphs: encoded by this classifier's encoder; at least one.
            thresholds: overrides, as in `with_thresholds`.
            plans: one for each paragraph, by `plan_evidence`, when evidence is wanted.

        Returns:
            One prediction for each.

        Raises:
            ThresholdError: an override is unknown or out of range.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        heads = self.taxonomy.heads
        rules = with_thresholds(heads, self.manifest.rules, thresholds or {})
        logits = self.predict_logits(list_runs(paragraphs, plans))
        return make_explained_predictions(logits, paragraphs, plans, self.taxonomy, rules)

    def classify(
        self, texts: Iterable[str], *, thresholds: Mapping[str, object] | None = None, explain: bool = False
    ) -> list[Prediction]:
        """Classify paragraphs.

        Args:
            texts: raw text, one paragraph each; a list, a generator, a column of a table.
            thresholds: label of an any-of head -> threshold, one-of head -> abstention level; any real numbers.
            explain: also say which sentence carries each answer; up to 17 times the work.

        Returns:
            One prediction for each text, in order.

        Raises:
            ArgumentError: `texts` is one string, a mapping, a table, or nothing to go through.
            ClosedError: the classifier was closed.
            EmptyParagraphError: a text is empty; the message names its place.
            ParagraphTooLongError: a text is too long.
            InputTypeError: a text is not a string.
            ThresholdError: an override is unknown or out of range.
            FileReadError: this process was forked, and the graph cannot be loaded anew.
            ForkError: this process was forked, and the runtime is OpenVINO.
            NonFiniteLogitsError: the model answered NaN or infinity.
        """
        remaining = _go_through(texts)
        predictions: list[Prediction] = []
        while held := list(islice(remaining, _BATCH)):
            encoded = []
            for place, text in enumerate(held, start=len(predictions)):
                try:
                    encoded.append(self.encoder.encode(text))
                except InputError as error:
                    raise type(error)(f"text {place}: {error}") from error
            plans = [plan_evidence(self.encoder, text) for text in held] if explain else []
            predictions += self.predict(encoded, thresholds=thresholds, plans=plans)
        return predictions

    def try_encode(self, texts: Sequence[object]) -> list[EncodedParagraph | InputError]:
        """Encode what can be encoded; a bad item gives its error in its place."""
        encoded: list[EncodedParagraph | InputError] = []
        for text in texts:
            try:
                encoded.append(self.encoder.encode(text))
            except InputError as error:
                encoded.append(error)
        return encoded

    def close(self) -> None:
        """End the session's threads; nothing can be classified afterwards. May be called again."""
        self._is_closed = True
        self.session.close()


def join_sessions(
    first: Classifier, second: Classifier, *, first_calibrations: Calibrations, doubt: float
) -> CascadeSession:
    """Make one session of two models.

    Args:
        first: is asked everything.
        second: is asked what the first doubts; no cascade itself.
        first_calibrations: of the first alone, by head name.
        doubt: from which on.

    Returns:
        The session, which closes both.

    Raises:
        ValueError: they have other heads or labels, part text in other ways, or the second is a cascade.
    """
    if second.manifest.cascade is not None:
        raise ValueError(f"{second.manifest.name} is a cascade itself")
    heads = [
        [(head.name, head.problem_type, head.label_names) for head in each.taxonomy.heads] for each in (first, second)
    ]
    if heads[0] != heads[1]:
        raise ValueError("they have other heads or labels, or in another order")
    calibrations = {name: rule.calibration for name, rule in second.manifest.rules.items()}
    return CascadeSession(
        first.session,
        second.session,
        translation=make_translation(first.encoder, second.encoder),
        taxonomy=first.taxonomy,
        calibrations=(first_calibrations, calibrations),
        doubt=doubt,
    )


def _go_through(texts: Iterable[str]) -> Iterator[str]:
    """Iterate over texts; what would be gone through by its letters, keys or names of columns is refused."""
    check_texts(texts)
    return iter(texts)


def _load_same(
    folder: Path, num_threads: int | None, runtime: Runtime, sha256: str, *, what: str = "the one that was pickled"
) -> Classifier:
    """Load a model that is known; refuse another one in its place."""
    classifier = Classifier.load(folder, num_threads=num_threads, runtime=runtime)
    if classifier.sha256 != sha256:
        classifier.close()
        fault = f"found {classifier.sha256}, expected {sha256}"
        raise ManifestError(f"{folder} is another model than {what}", [fault])
    return classifier
