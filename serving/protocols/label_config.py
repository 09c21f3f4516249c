"""Owns what a Label Studio labelling config asks for: which `Choices` belong to which head, and where the text is.

A `Choices` belongs to the head whose labels stand among its choices, whatever its name; label words are unique across
heads, so this is never ambiguous. Upper and lower case are one where the `Choices` has all labels of the head, or
others as they are written; a lone `Neutral` may be of anything. Labels that the config does not offer are left out of
answers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.parsers import expat

from twohands.errors import ProtocolError
from twohands.taxonomy import Head, ProblemType, Taxonomy

_FORBIDDEN = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
MAX_CONFIG_CHARS = 200_000
MAX_CONTROLS = 64
_MAX_NAME_CHARS = 256


@dataclass(frozen=True, slots=True)
class Control:
    """One `Choices` of a config that a head fills in."""

    name: str
    to_name: str
    text_key: str
    head: Head
    choice_by_label: dict[str, str]

    @property
    def missing(self) -> list[str]:
        """Labels of the head that the config does not offer."""
        return [name for name in self.head.label_names if name not in self.choice_by_label]


def _parse(label_config: str) -> ET.Element:
    if _FORBIDDEN.search(label_config):  # entities could make a small config an endless one
        raise ProtocolError("label_config: a document type or an entity has no place in a labelling config")
    # Names stay as they are written: ElementTree's own parser puts the whole address of a namespace before each, and
    # one of 95 kB made half a gigabyte of a config of 125 kB (#5).
    builder, parser = ET.TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    try:
        parser.Parse(label_config, True)
    except expat.ExpatError as error:
        raise ProtocolError(f"label_config: not XML, line {error.lineno} column {error.offset}") from error
    return builder.close()


def _read_choices(element: ET.Element, head: Head) -> dict[str, str]:
    """What is ticked for each label: the alias of a choice stands for its value in results."""
    names = set(head.label_names)  # in lower case, by their pattern
    exact: dict[str, str] = {}
    alike: dict[str, str] = {}
    for choice in element.iter("Choice"):
        value, alias = choice.get("value", ""), choice.get("alias")
        for word in {value, alias or ""}:
            if word.lower() in names:
                (exact if word in names else alike)[word.lower()] = alias or value
    choices = alike | exact
    return choices if exact or len(choices) == len(names) else {}


def _check_elements(elements: Sequence[ET.Element]) -> None:
    """Each is filled in for each task: thousands of them would make an answer of gigabytes out of a small request."""
    if len(elements) > MAX_CONTROLS:
        raise ProtocolError(f"label_config: {len(elements)} Choices of a Text, at most {MAX_CONTROLS} are filled in")
    if len({element.get("name", "") for element in elements}) < len(elements):
        raise ProtocolError("label_config: two Choices have the same name; give each its own, as Label Studio asks too")


def _check_lengths(names: Sequence[str]) -> None:
    """Each stands in the answer to each task: of 1,000 tasks one of 190,000 characters made 190 MB (#5)."""
    if (longest := max(map(len, names))) > _MAX_NAME_CHARS:
        raise ProtocolError(
            f"label_config: a name or an alias has {longest:,} characters, at most {_MAX_NAME_CHARS} are repeated"
        )


def _find_controls(root: ET.Element, taxonomy: Taxonomy) -> Iterator[Control]:
    key_by_text = {
        element.get("name", ""): element.get("value", "").removeprefix("$")
        for element in root.iter("Text")
        if element.get("valueType", "text") == "text"
    }
    elements = [element for element in root.iter("Choices") if element.get("toName", "") in key_by_text]
    _check_elements(elements)
    for element in elements:
        to_name = element.get("toName", "")
        for head in taxonomy.heads:
            if choices := _read_choices(element, head):
                if head.problem_type is ProblemType.ANY_OF and element.get("choice") != "multiple":
                    raise ProtocolError(
                        f'label_config: {head.name} may have several labels at once; give its Choices choice="multiple"'
                    )
                _check_lengths([element.get("name", ""), to_name, *choices.values()])
                yield Control(element.get("name", ""), to_name, key_by_text[to_name], head, choices)
                break


def read_controls(label_config: str, taxonomy: Taxonomy) -> list[Control]:
    """Match a config with the heads of a model.

    Args:
        label_config: XML.
        taxonomy: of the model.

    Returns:
        At least one control.

    Raises:
        ProtocolError: it is not XML, or has no choices that are labels of the model, or offers only one of several, or
            has too many Choices, two of one name, or a name that is too long.
    """
    controls = list(_find_controls(_parse(label_config), taxonomy))
    if not controls:
        raise ProtocolError(
            f"label_config: no Choices of a Text offers a label of this model: {', '.join(taxonomy.label_names)}"
        )
    return controls
