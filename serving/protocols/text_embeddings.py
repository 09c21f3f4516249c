"""Owns what clients of text-embeddings-inference (TEI) read: `/predict`'s list and headers, `/health`, `/info`'s keys.

A list has the labels of one head, the default one unless `?head=` names another, each `{"score", "label"}`, the
highest score first. `raw_scores` gives the logits. Unlike there, a flat list of texts is a batch (`--flat-list pair`
has it TEI's way) and text longer than one window is read in several, so that far less is ever cut.
"""

from fastapi import APIRouter, Request, Response

from serving.protocols.documented import EMPTY
from serving.protocols.heads import find_head, find_service
from serving.protocols.lists import Lists
from serving.service import Service
from serving.tei_info import TeiClassifier, TeiInfo, TeiModelType
from twohands import __version__
from twohands.prediction import Prediction

router = APIRouter(tags=["hugging face, text-embeddings-inference"])


def make_tei_info(service: Service, *, name: str) -> TeiInfo:
    """Say what TEI would say of the model and the router.

    Args:
        service: of the model.
        name: the one it is served under, which clients send back; that of its manifest may be another.

    Returns:
        What stands in `/info` beside this service's own keys.
    """
    classifier, settings = service.classifier, service.settings
    window = classifier.manifest.window
    names = find_head(classifier).label_names
    longest = window.overlap_tokens + window.max_windows * (classifier.encoder.capacity - window.overlap_tokens)
    precision = classifier.manifest.graph.precision
    return TeiInfo(
        model_id=name,
        model_sha=classifier.sha256,
        model_dtype="float32" if precision == "fp32" else precision,
        served_model_name=name,
        model_type=TeiModelType(
            classifier=TeiClassifier(
                id2label={str(number): name for number, name in enumerate(names)},
                label2id={name: number for number, name in enumerate(names)},
            )
        ),
        max_concurrent_requests=settings.max_pending,
        max_input_length=longest,
        max_batch_tokens=settings.max_queue_tokens,
        max_batch_requests=None,
        max_client_batch_size=settings.max_inputs,
        auto_truncate=True,
        tokenization_workers=1,
        version=__version__,
        sha=None,
        docker_label=None,
    )


def make_rows(lists: Lists) -> list[dict[str, object]] | list[list[dict[str, object]]]:
    """Write lists down as TEI does: flat for a single text, nested for a batch."""
    rows: list[list[dict[str, object]]] = [
        [{"score": each.score, "label": each.label} for each in row] for row in lists.rows
    ]
    return rows if lists.is_batch else rows[0]


def make_headers(lists: Lists) -> dict[str, str]:
    """TEI's headers, in whole milliseconds, and which model and head answered."""
    timing = lists.answers.timing
    n_tokens = sum(item.n_tokens for item in lists.answers.items if isinstance(item, Prediction))
    return {
        "x-compute-type": "cpu",
        "x-compute-time": str(round(timing.tokenize_ms + timing.infer_ms)),
        "x-compute-characters": str(lists.n_chars),
        "x-compute-tokens": str(n_tokens),
        "x-total-time": str(round(lists.total_ms)),
        "x-tokenization-time": str(round(timing.tokenize_ms)),
        "x-queue-time": str(round(timing.queue_ms)),
        "x-inference-time": str(round(timing.infer_ms)),
        "x-model-sha256": lists.answers.identity["sha256"],
        "x-head": lists.head.name,
    }


@router.get("/health", response_class=Response, responses=EMPTY)
@router.get("/ping", response_class=Response, responses=EMPTY)
async def health(request: Request) -> Response:
    """Answer 200 with nothing in it while requests are answered, else 503."""
    find_service(request).check_ready()
    return Response()
