"""Owns what A and B of a comparison may be: a model folder, a baseline fitted on the spot, or somebody else's model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from evaluation.baselines import MAJORITY, TFIDF, MajorityBaseline, TfidfBaseline
from evaluation.dataset import LabelledFiles
from evaluation.deciders import Decider, ModelDecider
from evaluation.embedding import fit_frozen, fit_neighbours, fit_zero_shot
from evaluation.keywords import KeywordBaseline
from evaluation.neural.encoder import SentenceEncoder, find_default
from evaluation.neural.pretrained import SequenceClassifier
from evaluation.neural.sequence import ENTAILMENT_LABELS, EntailmentBaseline, PeerClassifier, find_entailment
from evaluation.neural.setfit import SetFitBaseline
from evaluation.output import list_model_files
from evaluation.progress import show_progress, tell_stage
from twohands.classifier import Classifier
from twohands.errors import ModelNotFoundError, TaxonomyMismatchError
from twohands.examples import Example
from twohands.row_faults import suggest
from twohands.taxonomy import ProblemType, Taxonomy

KEYWORDS, ZERO_SHOT, NEIGHBOURS, FROZEN = "keywords", "zero-shot", "neighbours", "frozen"
SETFIT, PEER, ENTAILMENT = "setfit", "hf", "nli"

# What each kind needs beside the rows that are measured, and whether a folder or file follows its name.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    MAJORITY: ("train",),
    KEYWORDS: (),
    TFIDF: ("train", "dev"),
    ZERO_SHOT: ("dev",),
    NEIGHBOURS: ("train", "dev"),
    FROZEN: ("train", "dev"),
    SETFIT: ("train", "dev"),
    PEER: (),
    ENTAILMENT: ("dev",),
}
_NEVER_WITH_PATH = {MAJORITY, TFIDF}
_ALWAYS_WITH_PATH = {PEER, ENTAILMENT}


@dataclass(frozen=True, slots=True)
class Baseline:
    """A side that is no model folder of ours: its kind, and the folder or file that was named after the colon."""

    kind: str
    path: str | None = None


Side = Classifier | Baseline


def parse_baseline(name: str) -> Baseline | None:
    """Read the name of a side.

    Args:
        name: `tfidf`, `frozen`, `frozen:FOLDER`, `nli:FOLDER` and so on.

    Returns:
        The baseline; None for a model's folder or name.

    Raises:
        UsageError: a path is given that the kind does not take, or one that it needs is not.
    """
    kind, colon, path = name.partition(":")
    if kind not in _NEEDS:
        return None
    if kind in _ALWAYS_WITH_PATH and not path:
        raise click.UsageError(f"{kind} needs a folder, as in {kind}:FOLDER")
    if colon and (kind in _NEVER_WITH_PATH or not path):
        raise click.UsageError(f"{kind} takes no folder; found {name!r}")
    return Baseline(kind, path or None)


def list_side_files(name: str) -> list[Path]:
    """The files of a side that an output could replace.

    Args:
        name: as `parse_baseline`.

    Returns:
        Those of a model, or the file of keywords. None of an encoder's folder, where no report has a file's name.

    Raises:
        UsageError: as `parse_baseline`.
        ModelNotFoundError: there is no such model.
        ManifestError: the model folder is incomplete or altered.
    """
    baseline = parse_baseline(name)
    if baseline is None:
        try:
            return list_model_files(name)
        except ModelNotFoundError as error:
            hint = suggest(name.partition(":")[0], tuple(_NEEDS)).replace("; did", ". Did")  # sentences stand before it
            raise ModelNotFoundError(f"{str(error).removesuffix('.')}{hint}" if hint else str(error)) from error
    return [] if baseline.path is None or Path(baseline.path).is_dir() else [Path(baseline.path)]


def load_side(name: str, *, num_threads: int | None, splits: Mapping[str, object]) -> Side:
    """Load a model, or check that a baseline has what it needs.

    Args:
        name: a baseline, or a model's folder or name.
        num_threads: most threads of a model.
        splits: what was given.

    Returns:
        The model, or the baseline.

    Raises:
        UsageError: rows that the baseline needs are not given.
        ModelNotFoundError: there is no such model.
        ManifestError: the model folder is incomplete or altered.
        FileReadError: the model's graph or tokenizer cannot be read.
    """
    baseline = parse_baseline(name)
    if baseline is None:
        return Classifier.load(name, num_threads=num_threads)
    missing = [f"--{split}" for split in _NEEDS[baseline.kind] if not splits[split]]
    if missing:
        # As after `data.dev_fraction`, which leaves no file.
        halves = "; without such rows give --dev those of --data and leave --data out: one half tunes, one measures"
        raise click.UsageError(f"the baseline {name} needs {' and '.join(missing)}{halves * ('--dev' in missing)}")
    return baseline


def list_needs(sides: Sequence[Side]) -> list[str]:
    """Which splits the baselines among the sides learn from, in the order train, dev."""
    needed = {split for side in sides if isinstance(side, Baseline) for split in _NEEDS[side.kind]}
    return [split for split in ("train", "dev") if split in needed]


@dataclass
class Bench:
    """What baselines are made of: the heads, the rows, and the encoders that were loaded, each once.

    `label_map` is of every classifier of somebody else that has such a label; `own_maps` of one, before the former.
    """

    taxonomy: Taxonomy
    splits: Mapping[str, Sequence[Example]]
    seed: int = 0
    num_threads: int | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    own_maps: Mapping[Baseline, Mapping[str, str]] = field(default_factory=dict)
    shots: int = 8
    _encoders: dict[str | None, SentenceEncoder] = field(default_factory=dict)
    _loaded: dict[str, SequenceClassifier] = field(default_factory=dict)
    _peers: dict[str, PeerClassifier] = field(default_factory=dict)

    @property
    def train(self) -> Sequence[Example]:
        """Rows to fit on."""
        return self.splits["train"]

    @property
    def dev(self) -> Sequence[Example]:
        """Rows to tune on."""
        return self.splits["dev"]

    def encoder(self, path: str | None) -> SentenceEncoder:
        """The encoder of a folder, or the default one."""
        if path not in self._encoders:
            self._encoders[path] = SentenceEncoder(path, num_threads=self.num_threads)
        return self._encoders[path]

    def load_peers(self, sides: Sequence[Side]) -> None:
        """Load other people's classifiers, whose labels may not fit, before others are fitted for minutes.

        Args:
            sides: of which those of `hf` and `nli` are loaded.

        Raises:
            EncoderError: a folder is no classifier.
            MissingExtraError: transformers or torch is not installed.
            TaxonomyMismatchError: labels do not fit, or the map names one that no classifier has.
        """
        asked = [side for side in sides if isinstance(side, Baseline) and side.kind in (PEER, ENTAILMENT)]
        for side in asked:
            if str(side.path) not in self._loaded:
                self._loaded[str(side.path)] = SequenceClassifier.load(str(side.path), num_threads=self.num_threads)
        self._check_names(self.label_map, list(self._loaded.values()))
        for side in asked:
            each = self._loaded[str(side.path)]
            self._check_names(self.own_maps.get(side, {}), [each])
            if side.kind == PEER:
                self._peers[str(side.path)] = PeerClassifier(each, self.taxonomy, self.map_of(side))
            else:
                find_entailment(each, self.map_of(side))

    def _check_names(self, label_map: Mapping[str, str], classifiers: Sequence[SequenceClassifier]) -> None:
        strange = sorted(set(label_map).difference(*(each.labels for each in classifiers)))
        if strange:
            held = "; ".join(f"{each.name} has {', '.join(each.labels)}" for each in classifiers)
            raise TaxonomyMismatchError(f"--map names {', '.join(strange)}; {held}")

    def map_of(self, side: Baseline) -> dict[str, str]:
        """What the maps say of the labels of one classifier that was loaded."""
        merged = {**self.label_map, **self.own_maps.get(side, {})}
        labels = self.classifier(side.path).labels
        return {theirs: ours for theirs, ours in merged.items() if theirs in labels}

    def peer(self, path: str | None) -> PeerClassifier:
        """A classifier that was loaded."""
        return self._peers[str(path)]

    def classifier(self, path: str | None) -> SequenceClassifier:
        """A model of somebody else's that was loaded."""
        return self._loaded[str(path)]


def _make_tfidf(bench: Bench, path: str | None) -> Decider:
    del path
    with show_progress("fitting tfidf", TfidfBaseline.count_fits(bench.taxonomy)) as advance:
        return TfidfBaseline(bench.taxonomy, bench.train, bench.dev, seed=bench.seed, advance=advance, tell=tell_stage)


def _make_zero_shot(bench: Bench, path: str | None) -> Decider:
    encoder = bench.encoder(path)
    with show_progress("reading dev", len(bench.dev)) as advance:
        return fit_zero_shot(bench.taxonomy, encoder, bench.dev, advance=advance)


def _make_neighbours(bench: Bench, path: str | None) -> Decider:
    encoder = bench.encoder(path)
    tell_stage(f"neighbours: reading {len(bench.train):,} rows of train and {len(bench.dev):,} of dev")
    with show_progress("reading train and dev", len(bench.train) + len(bench.dev)) as advance:
        return fit_neighbours(bench.taxonomy, encoder, bench.train, bench.dev, advance=advance)


def _make_frozen(bench: Bench, path: str | None) -> Decider:
    encoder = bench.encoder(path)
    with show_progress("reading train and dev", len(bench.train) + len(bench.dev)) as advance:
        return fit_frozen(
            bench.taxonomy, encoder, bench.train, bench.dev, seed=bench.seed, advance=advance, tell=tell_stage
        )


def _make_setfit(bench: Bench, path: str | None) -> Decider:
    with show_progress("fitting setfit, one model a head", len(bench.taxonomy.heads)) as advance:
        return SetFitBaseline(
            bench.taxonomy,
            find_default() if path is None else Path(path),
            bench.train,
            bench.dev,
            shots=bench.shots,
            seed=bench.seed,
            num_threads=bench.num_threads,
            advance=advance,
        )


def _make_entailment(bench: Bench, path: str | None) -> Decider:
    n_any_of = sum(len(head.labels) for head in bench.taxonomy.heads if head.problem_type is ProblemType.ANY_OF)
    with show_progress("thresholds on dev, in pairs", len(bench.dev) * n_any_of) as advance:
        return EntailmentBaseline(
            bench.classifier(path),
            bench.taxonomy,
            bench.dev,
            label_map=bench.map_of(Baseline(ENTAILMENT, path)),
            advance=advance,
        )


_MAKERS: Mapping[str, Callable[[Bench, str | None], Decider]] = {
    MAJORITY: lambda bench, _: MajorityBaseline(bench.taxonomy, bench.train),
    KEYWORDS: lambda bench, path: KeywordBaseline(bench.taxonomy, None if path is None else Path(path)),
    TFIDF: _make_tfidf,
    ZERO_SHOT: _make_zero_shot,
    NEIGHBOURS: _make_neighbours,
    FROZEN: _make_frozen,
    SETFIT: _make_setfit,
    PEER: lambda bench, path: bench.peer(path),
    ENTAILMENT: _make_entailment,
}


def list_peers(sides: Sequence[Side], kind: str) -> list[str]:
    """Folders of other people's classifiers among the sides, of one kind."""
    return [str(side.path) for side in sides if isinstance(side, Baseline) and side.kind == kind]


def check_map(option: str, mapped: Mapping[str, str], sides: Sequence[Side], known: Taxonomy) -> None:
    """Check the words of a map of labels before anything is loaded.

    A map that nothing reads, or of a misspelt label, would leave a head out, and say that the model lacks it.

    Args:
        option: that gave it.
        mapped: somebody's label -> ours, or what an NLI model means by it.
        sides: that it is of.
        known: the heads that are compared.

    Raises:
        UsageError: no side is somebody's classifier, or a word is no label.
    """
    if mapped and not (list_peers(sides, PEER) or list_peers(sides, ENTAILMENT)):
        of = "and neither side is one" if len(sides) > 1 else "and that side is none"
        raise click.UsageError(f"{option} is for hf:FOLDER and nli:FOLDER, {of}")
    labels = [name for head in known.heads for name in head.label_names] if list_peers(sides, PEER) else []
    labels += ENTAILMENT_LABELS if list_peers(sides, ENTAILMENT) else ()
    unknown = sorted(set(mapped.values()) - set(labels))
    if unknown:
        raise click.UsageError(f"{option} to {', '.join(unknown)}; expected one of {', '.join(dict.fromkeys(labels))}")


def note_peers(deciders: Sequence[Decider]) -> list[str]:
    """What must be known of other people's classifiers: labels that are never given, rows that were cut."""
    return [
        note
        for decider in deciders
        if isinstance(decider, PeerClassifier | EntailmentBaseline)
        for note in decider.notes
    ]


def make_decider(side: Side, bench: Bench) -> Decider:
    """Make a side ready to decide; `bench.load_peers` comes first.

    Args:
        side: from `load_side`.
        bench: what a baseline is made of.

    Returns:
        A model or a fitted baseline.

    Raises:
        DataError: a head has no labelled row to fit or to tune on.
        EncoderError: a folder is no encoder or no classifier.
        MissingExtraError: a package that the side needs is not installed.
        TaxonomyMismatchError: an NLI model has other labels.
    """
    return ModelDecider(side) if isinstance(side, Classifier) else _MAKERS[side.kind](bench, side.path)


def examples_of(files: Mapping[str, LabelledFiles]) -> dict[str, list[Example]]:
    """The examples of each split."""
    return {name: part.examples for name, part in files.items()}
