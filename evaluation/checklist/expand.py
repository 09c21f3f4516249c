"""Owns the way from tests to checks: templates filled, texts changed, one check for each text and head."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from evaluation.checklist.changes import CHANGES
from evaluation.checklist.checks import Check, Expected, Labels, Marks, Moves, Same
from evaluation.checklist.draws import make_generator
from evaluation.checklist.lexicons import Swapper, fill_template, name_entry
from evaluation.checklist.rows import RowText
from evaluation.checklist.schema import AnyOfExpectation, Case, Expectation, Kind, Test
from evaluation.checklist.suites import SuiteFile, Suites, variants_of, write_variant
from twohands.paragraphs import normalise
from twohands.taxonomy import Taxonomy

# Rows are many and cost the most; each is swapped for so many others.
MOST_ROW_VARIANTS = 3

Swappers = dict[tuple[str, str], Swapper]


def _expect(expectation: Expectation) -> Iterator[tuple[str, Expected]]:
    for head, expected in expectation.items():
        if isinstance(expected, AnyOfExpectation):
            yield head, Marks(tuple(expected.has), tuple(expected.lacks))
        else:
            yield head, Labels((expected,) if isinstance(expected, str) else tuple(expected))


def _fill_case(case: Case, file: SuiteFile, test: Test, seed: int) -> list[list[str]]:
    """For each filling, the text of the case and those of its variants."""
    texts = [case.text, *(write_variant(case, variant) for variant in variants_of(case))]
    filled = fill_template(texts, file.lexicons, n=test.fills, seed=seed)
    return [[normalise(text) for text in texts] for texts in filled]


class _Expander:
    def __init__(self, suites: Suites, taxonomy: Taxonomy, *, seed: int) -> None:
        self._suites = suites
        self._heads = [head.name for head in taxonomy.heads]
        self._seed = seed
        self._swappers: Swappers = {}

    def expand(self, rows: Sequence[RowText]) -> Iterator[Check]:
        for file, test in self._suites.tests():
            if not self._suites.is_chosen(test):
                continue
            if test.kind is Kind.INVARIANCE:
                yield from self._invariance(file, test, rows)
            else:
                for number, case in enumerate(test.cases):
                    for texts in _fill_case(case, file, test, self._seed):
                        yield from self._stated(test, f"{test.name}/{number + 1}", case, texts)

    def _stated(self, test: Test, name: str, case: Case, texts: list[str]) -> Iterator[Check]:
        check = partial(Check, capability=test.capability, test=test.name, kind=test.kind, case=name, note=case.note)
        base, *changed = texts
        for head, expected in _expect(case.expect or {}):
            yield check(head=head, text=base, expected=expected)
        for number, (variant, text) in enumerate(zip(variants_of(case), changed, strict=True), start=1):
            of_variant = partial(check, text=text, before=base, change=f"variant {number}")
            expectation = variant.expect if variant.expect or variant.moves else case.expect
            for head, expected in _expect(expectation or {}):
                yield of_variant(head=head, expected=expected)
            for head, moves in variant.moves.items():
                for label, move in moves.items():
                    yield of_variant(head=head, expected=Moves(label, move, test.margin))

    def _invariance(self, file: SuiteFile, test: Test, rows: Sequence[RowText]) -> Iterator[Check]:
        for name, base, changed, is_row in self._bases(file, test, rows):
            pairs: Iterable[tuple[str, str, tuple[str, str, str] | None]] = [
                *((f"variant {number}", text, None) for number, text in enumerate(changed, start=1)),
                *self._change(file, test, base, min(test.at_most, MOST_ROW_VARIANTS) if is_row else test.at_most),
            ]
            for change, text, swap in pairs:
                for head in test.heads or self._heads:
                    yield Check(
                        capability=test.capability,
                        test=test.name,
                        kind=test.kind,
                        case=name,
                        head=head,
                        text=text,
                        expected=Same(),
                        before=base,
                        change=change,
                        swap=swap,
                        is_row=is_row,
                    )

    def _bases(
        self, file: SuiteFile, test: Test, rows: Sequence[RowText]
    ) -> Iterator[tuple[str, str, list[str], bool]]:
        """Name, text, written variants, and whether it is a row, of everything that the test changes."""
        for number, case in enumerate(test.cases):
            (base, *first), *others = _fill_case(case, file, test, self._seed)
            # Where no variant is written, the fillings of a template are variants of each other.
            written = first if case.variants else [texts[0] for texts in others]
            yield f"{test.name}/{number + 1}", base, written, False
        if test.reuse:
            yield from ((name, text, [], False) for name, text in self._reused(test))
        if test.rows:
            yield from ((row.group, row.paragraph, [], True) for row in rows)

    def _reused(self, test: Test) -> list[tuple[str, str]]:
        if test.reuse is None:
            return []
        found: dict[str, str] = {}
        for file, other in self._suites.tests():
            if other.capability in test.reuse.capabilities and other.name != test.name:
                for number, case in enumerate(other.cases):
                    for texts in _fill_case(case, file, other, self._seed)[:1]:
                        for text in texts:
                            found.setdefault(text, f"{other.name}/{number + 1}")
        pairs = [(name, text) for text, name in found.items()]
        if test.reuse.at_most is not None and len(pairs) > test.reuse.at_most:
            pairs = make_generator(self._seed, "reuse", test.name).sample(pairs, test.reuse.at_most)
        return pairs

    def _change(
        self, file: SuiteFile, test: Test, base: str, at_most: int
    ) -> Iterator[tuple[str, str, tuple[str, str, str] | None]]:
        for change in test.changes:
            generator = make_generator(self._seed, change, base)
            kind, _, lexicon = change.partition(":")
            if kind == "swap":
                for swap in self._swapper(file, lexicon).swap(base, at_most=at_most, generator=generator):
                    yield change, normalise(swap.text), (lexicon, swap.found, swap.put)
            elif lexicon:
                entries = [name_entry(entry) for entry in file.lexicons[lexicon]]  # "A|B" is written as A, as in slots
                for entry in generator.sample(entries, min(at_most, len(entries))):
                    yield change, normalise(f"{entry} {base}" if kind == "before" else f"{base} {entry}"), None
            else:
                text = normalise(CHANGES[change](base, generator))
                if text != base:
                    yield change, text, None

    def _swapper(self, file: SuiteFile, lexicon: str) -> Swapper:
        key = (str(file.path), lexicon)
        if key not in self._swappers:
            self._swappers[key] = Swapper(lexicon, file.lexicons[lexicon])
        return self._swappers[key]


def expand_suites(suites: Suites, taxonomy: Taxonomy, *, rows: Sequence[RowText], seed: int) -> list[Check]:
    """Make all checks.

    Args:
        suites: fit the taxonomy, see `check_taxonomy`.
        taxonomy: the model's.
        rows: of the user, whose texts the tests with `rows: true` change; none where there are none.
        seed: of fillings, samples and changes.

    Returns:
        In the order of the tests.
    """
    return list(_Expander(suites, taxonomy, seed=seed).expand(rows))


def texts_of(checks: Iterable[Check]) -> list[str]:
    """Every text that must be answered, each once."""
    return list(dict.fromkeys(text for check in checks for text in (check.before, check.text) if text is not None))
