"""Owns the schema of a suite file: capabilities, tests, cases, lexicons and gates. Knows nothing of models."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
MARGIN = 0.1


class Kind(StrEnum):
    """The three kinds of test of CheckList (Ribeiro et al. 2020, *Beyond Accuracy*, ACL)."""

    MINIMUM = "minimum-functionality"
    INVARIANCE = "invariance"
    DIRECTIONAL = "directional"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnyOfExpectation(_Part):
    """What an any-of head must and must not answer; labels named in neither are not looked at."""

    has: list[str] = Field(default=[])
    lacks: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.has and not self.lacks:
            raise ValueError("expected `has`, `lacks` or both")
        if both := sorted(set(self.has) & set(self.lacks)):
            raise ValueError(f"{', '.join(both)} stands in `has` and in `lacks`")
        return self


# By head: a label, several of which any is right, or `has` and `lacks` of an any-of head.
Expectation = dict[str, str | list[str] | AnyOfExpectation]
Move = Literal["rises", "falls", "does-not-rise", "does-not-fall"]


class Variant(_Part):
    """A changed form of a case's text: written out, or as words replaced in it."""

    text: Text | None = Field(default=None, description="the whole changed text")
    replace: dict[str, str] = Field(default={}, description="words of the text -> words in their place")
    expect: Expectation | None = Field(default=None, description="what the changed text must be answered")
    moves: dict[str, dict[str, Move]] = Field(default={}, description="head -> label -> how its score must move")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.text is None) == (not self.replace):
            raise ValueError("expected either `text` or `replace`")
        return self


class Case(_Part):
    """One text, or a template with {slots}, and what is expected of it or of its variants."""

    text: Text
    expect: Expectation | None = Field(default=None, description="what the text itself must be answered")
    variants: list[Variant | Text] = Field(default=[], description="changed forms; a bare string is a whole text")
    note: str | None = Field(default=None, description="why this is the right answer; shown beside a failure")


class Reuse(_Part):
    """Borrow the texts of other tests, to change them; what they expect is not borrowed."""

    capabilities: list[Name] = Field(min_length=1)
    at_most: int | None = Field(default=None, ge=1, description="a seeded sample of so many texts")


class Test(_Part):
    """Cases of one kind for one capability."""

    __test__ = False  # pytest would take it for a test class

    name: Name
    capability: Name
    kind: Kind
    description: Text = Field(description="one sentence: what a good model does here")
    heads: list[str] = Field(default=[], description="invariance only: heads that may not change; empty for all")
    changes: list[str] = Field(default=[], description="invariance only: named changes, or `swap:lexicon` and the like")
    at_most: int = Field(
        default=4, ge=1, description="variants that one `swap:`, `before:` or `after:` makes of a text"
    )
    margin: Rate = Field(default=MARGIN, description="directional only: by how much a score must move, or may")
    fills: int = Field(default=4, ge=1, description="texts that are made of one template")
    cases: list[Case] = Field(default=[])
    reuse: Reuse | None = None
    rows: bool = Field(default=False, description="invariance only: with --rows, change the rows' texts too")

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = [*self._faults_of_kind(), *(fault for case in self.cases for fault in self._faults_of_case(case))]
        if not self.cases and self.reuse is None and not self.rows:
            faults.append("expected `cases`, `reuse` or `rows`")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_kind(self) -> list[str]:
        faults = []
        if self.kind is not Kind.INVARIANCE:
            given = [key for key in ("heads", "changes", "reuse", "rows") if getattr(self, key)]
            faults += [f"`{key}` belongs to invariance tests" for key in given]
        elif (self.reuse or self.rows) and not self.changes:
            faults.append("`reuse` and `rows` need `changes`")
        return faults

    def _faults_of_case(self, case: Case) -> list[str]:
        where = f"case {case.text[:40]!r}"
        variants = [Variant(text=part) if isinstance(part, str) else part for part in case.variants]
        if self.kind is Kind.INVARIANCE:
            if case.expect or any(variant.expect or variant.moves for variant in variants):
                return [f"{where}: an invariance test compares answers; it takes no `expect` or `moves`"]
            return [] if variants or self.changes else [f"{where}: expected `variants` of it, or `changes` of the test"]
        if self.kind is Kind.MINIMUM:
            if any(variant.moves for variant in variants):
                return [f"{where}: `moves` belongs to directional tests"]
            # A variant without `expect` shares that of its case.
            return [] if case.expect or (variants and all(v.expect for v in variants)) else [f"{where}: no `expect`"]
        if not variants or not all(variant.moves or variant.expect for variant in variants):
            return [f"{where}: a directional case needs `variants`, each with `moves` or `expect`"]
        return []


class Suite(_Part):
    """One suite file."""

    suite: Name
    description: Text
    lexicons: dict[Name, list[str | Annotated[dict[str, str], Field(min_length=1)]]] = Field(
        default={}, description="words for {slots} and `swap:`; an entry with fields is used as {lexicon.field}"
    )
    tests: list[Test] = Field(default=[])
    gates: dict[Name, Rate | dict[str, Rate]] = Field(
        default={}, description="capability -> highest failure rate, for every head or by head"
    )
