"""Owns how `huggingface_hub.InferenceClient.text_classification` is answered, at `/` and at a path for each model.

`InferenceClient(model="http://host:8000")` asks the default model, `…/models/NAME` another one, `…/models/NAME/HEAD`
or `…?head=HEAD` another head than the default one. The answer is nested, one list for each text, and each element
carries more than the Hub's: `head`, `calibrated`, and for labels of an any-of head `threshold`, from which the model
gives the label. Without `function_to_apply` scores are the model's own, calibrated; with it they are that function of
the raw logits, as the Hub has it. `/predict` and `/invocations` are text-embeddings-inference's; see `lists.py`.
"""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from serving.protocols.documented import HEAD_PARAMETER, LIST_FAILURES, RankedAnswer, Responses, take
from serving.protocols.lists import Lists, answer_lists
from serving.protocols.text_embeddings import make_headers, make_rows

router = APIRouter(tags=["hugging face, text-embeddings-inference"])
_RESPONSES: Responses = {200: {"model": RankedAnswer}, **LIST_FAILURES}
_EXAMPLE = {"inputs": "The ministry will pour state money into two domestic toolmakers.", "parameters": {"top_k": 2}}
_TAKEN = take("ListRequest", HEAD_PARAMETER, example=_EXAMPLE)
_TAKEN_OF_HEAD = take("ListRequest", example=_EXAMPLE)


def _make_nested(lists: Lists) -> list[list[dict[str, object]]]:
    return [
        [
            {"label": each.label, "score": each.score, "head": lists.head.name, "calibrated": lists.is_calibrated}
            | ({} if each.threshold is None else {"threshold": each.threshold})
            for each in row
        ]
        for row in lists.rows
    ]


def make_response(lists: Lists) -> JSONResponse:
    """Answer in the shape of whoever asked.

    Args:
        lists: labels for each text.

    Returns:
        Nested for the Hub's client, else as text-embeddings-inference has it.
    """
    content = _make_nested(lists) if lists.is_hugging_face else make_rows(lists)
    return JSONResponse(content, headers=make_headers(lists))


@router.post("/", responses=_RESPONSES, openapi_extra=_TAKEN)
@router.post("/predict", responses=_RESPONSES, openapi_extra=_TAKEN)
@router.post("/invocations", responses=_RESPONSES, openapi_extra=_TAKEN)
async def classify_default(request: Request) -> JSONResponse:
    """Rank the labels of one head of the default model."""
    return make_response(await answer_lists(request))


@router.post("/models/{model}", responses=_RESPONSES, openapi_extra=_TAKEN)
async def classify_by_model(request: Request, model: str) -> JSONResponse:
    """Rank the labels of one head of a named model."""
    return make_response(await answer_lists(request, model=model))


@router.post("/models/{model}/{head}", responses=_RESPONSES, openapi_extra=_TAKEN_OF_HEAD)
async def classify_by_head(request: Request, model: str, head: str) -> JSONResponse:
    """Rank the labels of a named head of a named model."""
    return make_response(await answer_lists(request, model=model, head=head))
