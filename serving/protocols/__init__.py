"""The protocols of other people's clients: one file each, every one of them answering through `Service.classify`."""

from serving.protocols import hugging_face, inference_v2, label_studio, lists, text_embeddings

# Read by hand, so FastAPI does not know of them; `openapi.py` puts them into the document.
REQUEST_BODIES = (
    lists.ListRequest,
    inference_v2.InferRequest,
    label_studio.SetupRequest,
    label_studio.PredictRequest,
    label_studio.WebhookRequest,
)
ROUTERS = (hugging_face.router, text_embeddings.router, inference_v2.router, label_studio.router)
