"""Owns what a head and a label are: the taxonomy is data, and the model's logits are laid out by it.

Knows nothing of models, text or training.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from twohands.errors import ConfigError, DocumentError, FileReadError
from twohands.repeated_keys import RepeatedKeysError, load_yaml

_SHOWN_CHARS = 80  # of what was found
_NO_BLANK = re.compile(r"[^:]+:[^:]+")  # of a key that has swallowed its value
_BETWEEN = re.compile(r"[^a-z0-9]+")  # the letters and digits of a name
_NAME = r"^[a-z0-9]+([-_][a-z0-9]+)*$"
Name = Annotated[str, StringConstraints(pattern=_NAME, max_length=64)]
# Columns that came when there were models already, which may have heads of these names: such a model goes on loading,
# and a new taxonomy has none.
LATER_NAMES = {"page", "section", "speaker", "restates", "annotator", "evidence_error", "lines"}
# A head is a column of rows: one that is called like a column which a command reads or writes would lose its labels.
RESERVED_NAMES = LATER_NAMES | {
    "id", "text", "source", "group", "document", "paragraph", "start", "end", "error", "model",
    "heads", "n_tokens", "n_windows", "truncated", "n_tokens_cut", "evidence", "warnings",
    "confidence", "scores", "excerpt_of", "sentences", "chosen", "row", "error_code", "error_message",
}  # fmt: skip

# The poles of a head that has both labels, where its taxonomy names none.
OUR_POLES = ("state-led", "market-led")


def _refuse_name(name: str) -> str:
    return f"head name {name!r} is the name of a data column; choose another"


# Of what a person writes by hand, with which keys it stands there.
_SHOWN_KEYS = {
    "Label": "name: refund, description: Money is asked back.",
    "Head": "name: ..., problem_type: ..., labels: [...]",
}
_SHOWN_ENTRIES: dict[int | str, str] = {"labels": "Label", "heads": "Head"}


class ProblemType(StrEnum):
    """Hugging Face's words for the two kinds of head."""

    ONE_OF = "single_label_classification"
    ANY_OF = "multi_label_classification"


class Label(BaseModel):
    """One label: its word and what it means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str = Field(min_length=1, description="one sentence by which an annotator or analyst knows the label")


class Head(BaseModel):
    """One classification head: a named slice of the logits with its own activation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    problem_type: ProblemType = Field(description="softmax over the labels (single) or a sigmoid for each (multi)")
    labels: list[Label] = Field(min_length=1)
    poles: tuple[str, str] | None = Field(
        default=None, description="one-of: two of the labels, between which a document has a balance from 1 to -1"
    )

    @property
    def balance_poles(self) -> tuple[str, str] | None:
        """The labels of which a document's balance is 1 and -1; None where it has no balance."""
        is_ours = self.problem_type is ProblemType.ONE_OF and set(OUR_POLES) <= set(self.label_names)
        return self.poles or (OUR_POLES if is_ours else None)

    @cached_property
    def label_names(self) -> list[str]:
        """The label words in the order of the logits; made once, as each answer asks for them several times."""
        return [label.name for label in self.labels]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.problem_type is ProblemType.ONE_OF and len(self.labels) < 2:
            raise ValueError(f"head {self.name!r} is one-of and needs at least 2 labels")
        if self.name in RESERVED_NAMES - LATER_NAMES:
            raise ValueError(_refuse_name(self.name))
        if self.poles is not None:
            are_labels = len(set(self.poles)) == 2 and set(self.poles) <= set(self.label_names)
            if self.problem_type is not ProblemType.ONE_OF or not are_labels:
                raise ValueError(f"head {self.name!r}: poles are two labels of a one-of head; found {self.poles}")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_no_poles(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        # Runs and folders of older releases know no such key: it would look like another taxonomy, or be refused.
        content: dict[str, object] = handler(self)
        if self.poles is None:
            content.pop("poles", None)
        return content


class Taxonomy(BaseModel):
    """All heads, in the order of the logits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    heads: list[Head] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        # Label words are unique across heads, so that one id2label serves tools that know nothing of heads.
        for kind, names in (("head", [head.name for head in self.heads]), ("label", self.label_names)):
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"each {kind} name stands once; repeated: {', '.join(repeated)}")
        return self

    @property
    def label_names(self) -> list[str]:
        """All label words in the order of the logits, across heads."""
        return [name for head in self.heads for name in head.label_names]

    @property
    def n_labels(self) -> int:
        """How many logits the model has."""
        return len(self.label_names)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """Which logits belong to which head."""
        slices, start = {}, 0
        for head in self.heads:
            slices[head.name] = slice(start, start + len(head.labels))
            start += len(head.labels)
        return slices


def _explain_no_string(value: object) -> str:
    """Say why what looks like a word in YAML is none; nothing where it does not."""
    if isinstance(value, bool):
        return "; YAML reads yes, no, on and off as true and false: put the word in quotation marks"
    return "; put it in quotation marks" if isinstance(value, int | float) else ""


def _explain_name(value: str) -> str:
    """Say what a name is made of, in words and not as a pattern, with one that is."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", value.casefold()) if not unicodedata.combining(c))
    plain = _BETWEEN.sub(lambda found: "_" if not found[0].strip("_") else "-", letters).strip("-_")
    # Of other alphabets some letters would be lost: `gr-n` is no word for grün.
    has_all = all(c.isascii() for c in letters if c.isalnum())
    example = f", such as {plain}" if has_all and re.fullmatch(_NAME, plain) else ""
    return f"expected small letters, digits, - and _ between them{example}"


def _explain_broken_off(fault: ErrorDetails) -> str | None:
    """Say that a key may be the rest of a sentence: to YAML a comma ends the value of `{description: This, that}`."""
    loc, has_value = fault["loc"], fault["input"] is not None
    is_of_label = len(loc) > 2 and loc[-3] == "labels"
    if fault["type"] == "extra_forbidden" and " " in str(loc[-1]) and (is_of_label or not has_value):
        return "a sentence breaks off at a comma here: put the whole of it in quotation marks"
    # A single word may be a key that is none, too; a number, `yes` or `no` is no string to YAML (#3).
    if is_of_label and (fault["type"] == "invalid_key" or (fault["type"] == "extra_forbidden" and not has_value)):
        return "unknown key; if a sentence breaks off at a comma here, put the whole of it in quotation marks"
    return None


def describe_faults(error: ValidationError, patterns: Mapping[str, str] | None = None) -> list[str]:
    """Turn pydantic's errors into one line each: where, what was found, what was expected.

    Args:
        error: of a schema.
        patterns: those of its strings, and what they ask for in words.

    Returns:
        A line for each fault.
    """
    faults, patterns = [], patterns or {}
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "(whole file)"
        shown = (
            "nothing" if fault["input"] is None else repr(str(fault["input"])[:_SHOWN_CHARS])
        )  # `key:`, or an empty file
        found = "" if fault["type"] in {"missing", "value_error"} else f"; found {shown}"
        if fault["type"] == "string_type":
            found += _explain_no_string(fault["input"])
        message = {"extra_forbidden": "unknown key", "missing": "missing key"}.get(fault["type"], fault["msg"])
        if fault["type"] == "string_pattern_mismatch" and fault["ctx"]["pattern"] == _NAME:
            message = _explain_name(fault["input"])
        elif fault["type"] == "string_pattern_mismatch" and fault["ctx"]["pattern"] in patterns:
            message = f"expected {patterns[fault['ctx']['pattern']]}"
        elif fault["type"] == "list_type" and isinstance(fault["input"], str):
            is_shown = len(fault["input"]) <= _SHOWN_CHARS  # half of a list is none to copy
            message = f"expected a list: write [{fault['input'] if is_shown else '...'}]"
        elif fault["type"] == "list_type" and isinstance(fault["input"], dict) and fault["loc"][-1] in _SHOWN_ENTRIES:
            shown_keys = _SHOWN_KEYS[_SHOWN_ENTRIES[fault["loc"][-1]]]
            message, found = f"expected a list, each entry behind a dash: - {{{shown_keys}}}", ""
        elif fault["input"] is None and fault["loc"] and _NO_BLANK.fullmatch(str(fault["loc"][-1])):
            # `{stance:1}`: to YAML that is a key without a value (#3).
            key, value = str(fault["loc"][-1]).split(":")
            message, found = f"put a blank behind the colon: {key}: {value}", ""
        elif (told := _explain_broken_off(fault)) is not None:
            message, found = told, found if fault["type"] == "invalid_key" else ""
        elif fault["type"] == "model_type":  # a label that is its word alone, most often
            message = (
                f"expected keys and their values, as {{{_SHOWN_KEYS.get(fault['ctx']['class_name'], 'key: value')}}}"
            )
        faults.append(f"{where}: {message.removeprefix('Value error, ')}{found if message != 'unknown key' else ''}")
    return faults


def read_yaml(path: Path) -> object:
    """Read one YAML file.

    Args:
        path: the file.

    Returns:
        Whatever the file holds.

    Raises:
        FileReadError: the file cannot be read or is not YAML in UTF-8.
        ConfigError: a key stands twice; all such keys at once.
    """
    try:
        return load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FileReadError(f"cannot read {path}: {error}") from error
    except yaml.YAMLError as error:
        raise FileReadError(f"{path} is not valid YAML: {error}") from error
    except RepeatedKeysError as error:
        raise ConfigError(f"{path} names keys twice, of which only one could count", error.faults) from error


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy from YAML.

    Args:
        path: a file with a list of `heads`.

    Returns:
        The checked taxonomy.

    Raises:
        FileReadError: the file cannot be read or is not YAML.
        ConfigError: the content does not fit; all faults at once.
    """
    try:
        taxonomy = Taxonomy.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ConfigError(f"{path} is not a taxonomy", describe_faults(error)) from error
    later = [f"heads.{n}: {_refuse_name(h.name)}" for n, h in enumerate(taxonomy.heads) if h.name in LATER_NAMES]
    if later:
        raise ConfigError(f"{path} is not a taxonomy", later)
    return taxonomy


def check_documents(taxonomy: Taxonomy, suffixes: Collection[str]) -> None:
    """Refuse documents to a model of an older release, where an answer would have two values of one name.

    Args:
        taxonomy: the model's heads.
        suffixes: by which the names of documents end; none where there are rows alone.

    Raises:
        DocumentError: a head is called `section`, `speaker`, `lines` or `evidence_error`, or `page` and there is a PDF.
    """
    places = {"section", "speaker", "lines", "evidence_error"} if suffixes else set()
    places |= {"page"} if ".pdf" in suffixes else set()
    if clash := next((head.name for head in taxonomy.heads if head.name in places), None):
        raise DocumentError(
            f"the model has a head {clash!r}, and answers to documents have the {clash} of each paragraph under that "
            "name; give it the paragraphs as rows, or train it anew with a head of another name"
        )
