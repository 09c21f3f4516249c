"""Owns suites: which files are read, whether they fit each other and the model, and their fingerprint."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from evaluation.checklist.changes import CHANGES, LEXICON_CHANGES
from evaluation.checklist.lexicons import Entry, check_filling, check_slots
from evaluation.checklist.schema import AnyOfExpectation, Case, Expectation, Suite, Test, Variant
from twohands.errors import ConfigError, FileReadError
from twohands.hashing import sha256_of_file, sha256_of_value
from twohands.row_faults import suggest, tell_unknown
from twohands.taxonomy import Head, ProblemType, Taxonomy, describe_faults, read_yaml

SHIPPED = Path(__file__).resolve().parent.parent / "suites"
LEXICONS = "lexicons.yaml"
_SUFFIXES = (".yaml", ".yml")
_SHIPPED_NAME = "the shipped suites"
# Of a word that has ends; Thai, Burmese, Khmer, Chinese and Japanese set no spaces, Korean adds particles.
_LETTER = r"[^\W\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """One file and what it holds; `lexicons` are its own and, where it has none of a name, the shipped ones."""

    path: Path
    is_shipped: bool
    suite: Suite
    lexicons: Mapping[str, Sequence[Entry]]


@dataclass(frozen=True, slots=True)
class Suites:
    """All files of a run, checked against each other."""

    files: list[SuiteFile]
    chosen: frozenset[str] = frozenset()

    def is_chosen(self, test: Test) -> bool:
        """Whether a test is to be run."""
        return not self.chosen or test.capability in self.chosen

    def tests(self) -> Iterator[tuple[SuiteFile, Test]]:
        """Every test with its file, in order."""
        for file in self.files:
            for test in file.suite.tests:
                yield file, test

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Those of all tests, also of tests that are not to be run; sorted."""
        return tuple(sorted({test.capability for _, test in self.tests()}))

    def suggest(self, capability: str) -> str:
        """The end of a fault that asks for the likeliest capability; nothing where none is like it."""
        return suggest(capability, known) if (known := self.capabilities) else ""

    def only(self, capabilities: Sequence[str]) -> "Suites":
        """Keep the tests of some capabilities; none named keeps all.

        Args:
            capabilities: names.

        Returns:
            The same files with fewer tests. Texts that a kept test reuses stay at hand.

        Raises:
            ConfigError: a name is unknown.
        """
        if not capabilities:
            return self
        known = self.capabilities
        if unknown := sorted(set(capabilities) - set(known)):
            faults = [f"{name!r} is none of {', '.join(known)}{self.suggest(name)}" for name in unknown]
            raise ConfigError("no test has this capability", faults)
        return replace(self, chosen=frozenset(capabilities))

    @property
    def gates(self) -> dict[str, float | dict[str, float]]:
        """Bars by capability; a later file's own word counts."""
        return {name: bar for file in self.files for name, bar in file.suite.gates.items()}

    def describe(self) -> dict[str, object]:
        """Name what was read, so that a figure can be traced to its tests."""
        return {
            "files": [
                {
                    "name": file.path.name if file.is_shipped else str(file.path),
                    "is_shipped": file.is_shipped,
                    "suite": file.suite.suite,
                    "sha256": sha256_of_file(file.path),
                    "n_tests": len(file.suite.tests),
                }
                for file in self.files
            ],
            "capabilities": sorted(self.chosen) or None,
            "fingerprint": sha256_of_value([file.suite.model_dump(mode="json") for file in self.files]),
        }


def _expand(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        if path.is_dir():
            inside = sorted(part for part in path.iterdir() if part.suffix in _SUFFIXES)
            if not inside:
                raise FileReadError(f"{path} holds no file that ends in {' or '.join(_SUFFIXES)}")
            found += inside
        else:
            found.append(path)
    return found


def load_suites(paths: Sequence[Path], *, with_shipped: bool) -> Suites:
    """Read suite files.

    Args:
        paths: the user's own files, or folders of them.
        with_shipped: also the tests that the package brings; its `lexicons.yaml` can be used in any case.

    Returns:
        The suites, the shipped ones first.

    Raises:
        FileReadError: a file cannot be read or is not YAML.
        ConfigError: a file does not fit; all faults of all files at once.
    """
    faults: list[str] = []
    read: list[tuple[Path, Suite, bool]] = []
    shipped = _expand([SHIPPED]) if with_shipped else [SHIPPED / LEXICONS]
    for path, is_shipped in [*((path, True) for path in shipped), *((path, False) for path in _expand(paths))]:
        try:
            read.append((path, Suite.model_validate(read_yaml(path)), is_shipped))
        except ValidationError as error:
            faults += [f"{path}: {fault}" for fault in describe_faults(error)]
    shared = {
        name: words for path, suite, _ in read if path == SHIPPED / LEXICONS for name, words in suite.lexicons.items()
    }
    files = [
        SuiteFile(path, is_shipped, suite, shared | suite.lexicons)
        for path, suite, is_shipped in read
        if with_shipped or not is_shipped
    ]
    suites = Suites(files)
    faults += _faults_between(suites)
    if faults:
        raise ConfigError("the suite cannot be used; `twohands checklist --help` shows one", faults)
    return suites


def _faults_between(suites: Suites) -> list[str]:
    faults = []
    seen: dict[str, Path] = {}
    capabilities = set(suites.capabilities)
    for file, test in suites.tests():
        where = f"{file.path}: test {test.name!r}"
        if test.name in seen:
            faults.append(f"{where} stands in {seen[test.name]}, too; names are unique")
        seen.setdefault(test.name, file.path)
        faults += [f"{where}: {fault}" for change in test.changes for fault in _faults_of_change(change, file)]
        for case in test.cases:
            texts = [case.text, *(write_variant(case, part) for part in variants_of(case))]
            of_slots = [fault for text in texts for fault in check_slots(text, file.lexicons)]
            of_slots += check_filling(texts, file.lexicons)
            faults += [f"{where}: {fault}" for fault in dict.fromkeys(of_slots)]
            faults += [
                f"{where}: {words!r} does not stand in the text {case.text[:40]!r} (as whole words)"
                for part in variants_of(case)
                for words in part.replace
                if not re.search(_bound(words), case.text)
            ]
        if test.reuse:
            unknown = sorted(set(test.reuse.capabilities) - capabilities)
            faults += [
                f"{where}: no test has the capability {name!r}, whose texts are to be reused" for name in unknown
            ]
    faults += [
        f"gate of {name!r}: no test has this capability{suites.suggest(name)}"
        for file in suites.files
        for name in file.suite.gates
        if name not in capabilities
    ]
    return faults


def _faults_of_change(change: str, file: SuiteFile) -> list[str]:
    kind, colon, lexicon = change.partition(":")
    if not colon:
        known = [*CHANGES, *(f"{name}:LEXICON" for name in LEXICON_CHANGES)]
        return [] if change in CHANGES else [f"change {change!r} is none of {', '.join(known)}"]
    if kind not in LEXICON_CHANGES:
        return [f"change {change!r} does not begin with {', '.join(LEXICON_CHANGES)}"]
    if lexicon not in file.lexicons:
        return [f"change {change!r} names no lexicon; there are: {', '.join(sorted(file.lexicons))}"]
    if kind == "swap" and len(file.lexicons[lexicon]) < 2:
        return [f"change {change!r} needs a lexicon of at least 2 entries"]
    if kind != "swap" and not all(isinstance(entry, str) for entry in file.lexicons[lexicon]):
        return [f"change {change!r} needs a lexicon of plain texts"]
    return []


def variants_of(case: Case) -> list[Variant]:
    """The variants of a case, bare strings made whole."""
    return [Variant(text=part) if isinstance(part, str) else part for part in case.variants]


def write_variant(case: Case, variant: Variant) -> str:
    """Write a variant out.

    All words of `replace` are put in at once, so that two can change places, the longest first; and not inside of
    other words: `state` does not stand in `estate` (#6).

    Args:
        case: whose text is changed.
        variant: of the case.

    Returns:
        The text or template.
    """
    if variant.text is not None:
        return variant.text
    pattern = "|".join(map(_bound, sorted(variant.replace, key=len, reverse=True)))
    return re.sub(pattern, lambda match: variant.replace[match[0]], case.text)


def _bound(words: str) -> str:
    """The pattern by which `replace` finds words."""
    start = rf"(?<!{_LETTER})" if re.match(_LETTER, words[:1]) else ""
    return start + re.escape(words) + (rf"(?!{_LETTER})" if re.match(_LETTER, words[-1:]) else "")


def check_taxonomy(suites: Suites, taxonomy: Taxonomy) -> None:
    """Check that every head and label that a suite names is one of the model's.

    Args:
        suites: the files.
        taxonomy: the model's.

    Raises:
        ConfigError: a head or a label is unknown; all faults at once.
    """
    heads = {head.name: head for head in taxonomy.heads}
    places: dict[tuple[str, str], list[str]] = {}

    def note(file: SuiteFile, place: str, named: Sequence[str]) -> None:
        for fault in dict.fromkeys(named):
            places.setdefault((_SHIPPED_NAME if file.is_shipped else file.path.name, fault), []).append(place)

    for file, test in suites.tests():
        named = [fault for name in test.heads for fault in faults_of_head(name, heads)]
        for case in test.cases:
            named += _faults_of_expectation(case.expect or {}, heads)
            for variant in variants_of(case):
                named += _faults_of_expectation(variant.expect or {}, heads) + _faults_of_moves(variant, heads)
        note(file, f"test {test.name!r}", named)
    for file in suites.files:
        for capability, bar in file.suite.gates.items():
            named = [fault for head in (bar if isinstance(bar, dict) else ()) for fault in faults_of_head(head, heads)]
            note(file, f"gate of {capability!r}", named)
    if places:
        # A head that is called otherwise is one fault, not one for each test and gate (#6).
        faults = [
            f"{name}: {found[0]}{f' and {n_more} more' if (n_more := len(found) - 1) else ''}: {fault}"
            for (name, fault), found in places.items()
        ]
        # Who wrote the suite needs no other.
        is_shipped = any(name == _SHIPPED_NAME for name, _ in places)
        advice = "; give your own with --suite and leave the shipped ones out with --no-shipped" if is_shipped else ""
        raise ConfigError(f"the suite does not fit the model's labels{advice}", faults)


def faults_of_head(name: str, heads: Mapping[str, Head]) -> list[str]:
    """Say that a head is none of the model's.

    Args:
        name: of the head.
        heads: the model's, by name.

    Returns:
        One fault, or none.
    """
    if name in heads:
        return []
    return [f"the model has no head {name!r}; it has {', '.join(heads)}{suggest(name, tuple(heads))}"]


def _faults_of_labels(labels: Sequence[str], head: Head) -> list[str]:
    return [
        tell_unknown(head.name, label, tuple(head.label_names)) for label in labels if label not in head.label_names
    ]


def _faults_of_expectation(expectation: Expectation, heads: Mapping[str, Head]) -> list[str]:
    faults = []
    for name, expected in expectation.items():
        if name not in heads:
            faults += faults_of_head(name, heads)
            continue
        head = heads[name]
        is_any_of = head.problem_type is ProblemType.ANY_OF
        if isinstance(expected, AnyOfExpectation):
            faults += [] if is_any_of else [f"{name} gives one label; expected a label, not `has` and `lacks`"]
            faults += _faults_of_labels([*expected.has, *expected.lacks], head)
            continue
        faults += [f"{name} gives any number of labels; expected `has` and `lacks`"] if is_any_of else []
        faults += _faults_of_labels([expected] if isinstance(expected, str) else expected, head)
    return faults


def _faults_of_moves(variant: Variant, heads: Mapping[str, Head]) -> list[str]:
    return [
        fault
        for name, moves in variant.moves.items()
        for fault in (_faults_of_labels(list(moves), heads[name]) if name in heads else faults_of_head(name, heads))
    ]
