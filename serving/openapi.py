"""Owns the OpenAPI document: the words and the schema of a loaded model's heads, and examples that hold for it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from types import GenericAlias
from typing import Any, Literal, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.corrections.exports import make_label_config
from serving.corrections.schemas import CorrectionChange, CorrectionRequest
from serving.protocols import REQUEST_BODIES
from serving.schemas import AnyOfAnswer, ClassifyRequest, OneOfAnswer, Prediction, Score
from twohands.classifier import Classifier
from twohands.taxonomy import Head, ProblemType, Taxonomy

_REFERENCE = "#/components/schemas/{model}"
EXAMPLE_TEXT = (
    "The ministry will buy the first three years of output from any domestic maker of lithography tools, and "
    "banks have been told to price their loans to the sector below the benchmark rate."
)
_WITH_LABELS = ("CorrectionRequest", "CorrectionChange")
_PAGE = {
    "tags": ["state"],
    "summary": "Show Page",
    "description": "The page, for people; to a program that accepts JSON only, where to look.",
    "operationId": "show_page",
    "responses": {
        "200": {
            "description": "The page, or where to look",
            "content": {
                "text/html": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "object"}},
            },
        }
    },
}
EXAMPLE_TEXTS = [
    EXAMPLE_TEXT,
    "Regulators dropped the price cap on freight and will let carriers set their own rates from January.",
]


def _make_answer_model(head: Head) -> type[BaseModel]:
    title = "".join(part.capitalize() for part in head.name.replace("_", "-").split("-"))
    names = head.label_names
    # Fields are numbered and aliased: a label may be called `copy` or `json`, which a model's field may not.
    scores = create_model(
        f"{title}Scores",
        __config__=ConfigDict(extra="forbid"),
        **cast("Any", {f"label_{i}": (Score, Field(alias=name, title=name)) for i, name in enumerate(names)}),
    )
    label: Any = Literal[tuple(names)]  # known only when a model is loaded
    if head.problem_type is ProblemType.ONE_OF:
        return create_model(f"{title}Answer", __base__=OneOfAnswer, label=(label, ...), scores=(scores, ...))
    labels: Any = GenericAlias(list, (label,))
    return create_model(f"{title}Answer", __base__=AnyOfAnswer, labels=(labels, ...), scores=(scores, ...))


def make_prediction_model(taxonomy: Taxonomy) -> type[BaseModel]:
    """Write down what a prediction of a loaded model looks like.

    Args:
        taxonomy: its heads.

    Returns:
        A model with a field for each head, and those that every prediction has.
    """
    heads = {
        f"head_{i}": (_make_answer_model(head), Field(alias=head.name, title=head.name))
        for i, head in enumerate(taxonomy.heads)
    }
    common = {name: (field.annotation, field) for name, field in Prediction.model_fields.items()}
    return create_model(
        "Prediction",
        __config__=ConfigDict(extra="forbid"),
        __doc__=Prediction.__doc__,
        **cast("Any", heads | common),
    )


def make_example_prediction(taxonomy: Taxonomy) -> dict[str, object]:
    """A prediction as a model with these heads might give it.

    Args:
        taxonomy: the heads.

    Returns:
        An object that `make_prediction_model` accepts.
    """
    answers: dict[str, object] = {}
    for head in taxonomy.heads:
        first, *others = head.label_names
        if head.problem_type is ProblemType.ONE_OF:
            scores = {first: 0.9} | {name: round(0.1 / len(others), 6) for name in others}
            answers[head.name] = {"label": first, "score": 0.9, "scores": scores, "abstained": False}
        else:
            answers[head.name] = {"labels": [first], "scores": {first: 0.97} | dict.fromkeys(others, 0.08)}
    return answers | {
        "n_tokens": 34, "n_windows": 1, "truncated": False, "n_tokens_cut": 0, "evidence": None, "warnings": []
    }  # fmt: skip


def make_request_examples(taxonomy: Taxonomy) -> dict[str, dict[str, object]]:
    """Requests to show, by name; the thresholds are for labels of these heads."""
    one: dict[str, object] = {"inputs": EXAMPLE_TEXT}
    head = taxonomy.heads[0]
    name = head.name if head.problem_type is ProblemType.ONE_OF else head.label_names[0]
    return {
        "one paragraph": {"value": one},
        "several paragraphs": {"value": {"inputs": EXAMPLE_TEXTS}},
        "own thresholds": {"value": one | {"thresholds": {name: 0.6}}},
    }


def describe_heads(taxonomy: Taxonomy) -> str:
    """Say what goes in and what comes out.

    Args:
        taxonomy: the heads of the loaded model.

    Returns:
        A sentence; `Paragraphs in, stance (one of state-led, market-led, neutral) and topics (any of ...) out.`
    """
    told = [
        f"{head.name} ({'one' if head.problem_type is ProblemType.ONE_OF else 'any'} of {', '.join(head.label_names)})"
        for head in taxonomy.heads
    ]
    return f"Paragraphs in, {' and '.join(told)} out."


def _show_own_labels(document: dict[str, Any], classifiers: Mapping[str, Classifier]) -> None:
    """Where routes show labels of the released model, show those of the default one; drop what no model answers."""
    config = make_label_config(next(iter(classifiers.values())).taxonomy)
    for path, key in (("/label-studio/setup", "schema"), ("/label-studio/predict", "label_config")):
        content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        content["example"] = content["example"] | {key: config}
    heads = [head for each in classifiers.values() for head in each.taxonomy.heads]
    if not any(head.balance_poles for head in heads):
        del document["components"]["schemas"]["HeadSummary"]["properties"]["balance"]


def _drop_foreign_failures(document: dict[str, Any]) -> None:
    """FastAPI documents a 422 of its own wherever there is a parameter; every failure here has another shape."""
    for operations in document["paths"].values():
        for operation in operations.values():
            if "HTTPValidationError" in str(operation["responses"].get("422")):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _name_served(document: dict[str, Any], classifiers: Mapping[str, Classifier]) -> None:
    """Write the names in that a request may use: of models, and of what has a threshold."""
    names = sorted({name for each in classifiers.values() for name in list_threshold_names(each.taxonomy)})
    schemas = document["components"]["schemas"]
    for thresholds in _find_named(document, "thresholds"):
        thresholds["propertyNames"] = {"enum": names}
    heads = sorted({head.name for each in classifiers.values() for head in each.taxonomy.heads})
    served = {
        "model": list(classifiers),
        "name": list(classifiers),
        "head": heads,
        "version": sorted({each.identity["version"] for each in classifiers.values()}),
    }
    for labels in _find_named({name: schemas[name] for name in _WITH_LABELS}, "labels"):
        labels.pop("patternProperties", None)
        labels |= make_labels_schema([each.taxonomy for each in classifiers.values()])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if "/models/{" in path and parameter["in"] == "path" and parameter["name"] in served:
                    parameter["schema"]["enum"] = served[parameter["name"]]
                if parameter["name"] == "threshold":
                    parameter["schema"]["items"]["pattern"] = f"^({'|'.join(names)})=(0([.][0-9]+)?|1([.]0+)?)$"
    schemas["ClassifyRequest"]["properties"]["model"]["examples"] = list(classifiers)


def _find_named(node: object, name: str) -> Iterator[dict[str, Any]]:
    """Every property of this name, wherever its schema stands."""
    if isinstance(node, dict):
        found = node.get("properties")
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            yield found[name]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _find_named(child, name)


def make_labels_schema(taxonomies: Iterable[Taxonomy]) -> dict[str, Any]:
    """Write down which labels a correction may have: those of the heads of any model, at least one of them given.

    Args:
        taxonomies: of the models in service.

    Returns:
        A schema of an object.
    """
    told: dict[str, list[dict[str, Any]]] = {}
    for head in (head for taxonomy in taxonomies for head in taxonomy.heads):
        label: dict[str, Any] = {"type": "string", "enum": head.label_names}
        words = label if head.problem_type is ProblemType.ONE_OF else {"type": "array", "items": label}
        if words not in told.setdefault(head.name, []):
            told[head.name].append(words)
    return {
        "type": "object",
        "properties": {name: {"anyOf": [*words, {"type": "null"}]} for name, words in told.items()},
        "additionalProperties": False,
        "anyOf": [{"required": [name], "properties": {name: {"anyOf": words}}} for name, words in told.items()],
    }


def list_threshold_names(taxonomy: Taxonomy) -> list[str]:
    """What a request may set a threshold for: labels of any-of heads, and one-of heads themselves."""
    return [
        name
        for head in taxonomy.heads
        for name in ([head.name] if head.problem_type is ProblemType.ONE_OF else head.label_names)
    ]


def build_openapi(app: FastAPI, classifiers: Mapping[str, Classifier]) -> dict[str, Any]:
    """Write the document.

    Args:
        app: its routes.
        classifiers: the loaded models by name; the heads and labels of the first stand in the document.

    Returns:
        OpenAPI 3.1.
    """
    classifier = next(iter(classifiers.values()))
    taxonomy = classifier.taxonomy
    description = describe_heads(taxonomy)
    document = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    schemas = document["components"]["schemas"]
    _drop_foreign_failures(document)

    def add(model: type[BaseModel]) -> None:
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema

    for request_body in (ClassifyRequest, CorrectionRequest, CorrectionChange, *REQUEST_BODIES):
        add(request_body)
    classify = document["paths"]["/v1/classify"]["post"]
    classify["requestBody"] = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": _REFERENCE.format(model="ClassifyRequest")},
                "examples": make_request_examples(taxonomy),
            }
        },
    }
    add(make_prediction_model(taxonomy))
    failed = {"error": {"code": "empty_paragraph", "message": "the text is empty"}}
    predictions = [make_example_prediction(taxonomy), failed]
    content = classify["responses"]["200"]["content"]["application/json"]
    content["example"] = {"model": classifier.identity, "predictions": predictions}
    _name_served(document, classifiers)
    _show_own_labels(document, classifiers)
    document["paths"]["/"]["get"] = deepcopy(_PAGE)  # of the routes of the page, the one that is no file
    return document


class OpenapiDocument:
    """The document as it is answered: made off the event loop when it is first asked for, and kept.

    To make it takes a second, and several on a busy machine.
    """

    def __init__(
        self,
        build: Callable[[Mapping[str, Classifier]], dict[str, Any]],
        list_classifiers: Callable[[], Mapping[str, Classifier]],
    ) -> None:
        """Make nothing yet.

        Args:
            build: writes the document, on any thread.
            list_classifiers: the loaded models by name; on the event loop.
        """
        self._build, self._list_classifiers = build, list_classifiers
        self._making: asyncio.Task[bytes] | None = None

    def forget(self) -> None:
        """Another model answers: it has heads and labels of its own."""
        self._making = None

    def make(self) -> dict[str, Any]:
        """Write the document here and now."""
        return self._build(self._list_classifiers())

    async def answer(self, request: Request) -> Response:
        """Answer with the document; who asks while it is being made waits for the same."""
        del request
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._write, self._list_classifiers()))
        making = self._making
        try:
            # Shielded: who leaves must not take it from the others, or leave a thread at work for nobody.
            content = await asyncio.shield(making)
        except Exception:
            if self._making is making:
                self._making = None
            raise
        return Response(content, media_type="application/json")

    def _write(self, classifiers: Mapping[str, Classifier]) -> bytes:
        return bytes(JSONResponse(self._build(classifiers)).body)
