"""The protocols of other people's clients: one file each, every one of them answering through `Service.classify`."""

from serving.protocols import hugging_face, inference_v2, label_studio, text_embeddings

ROUTERS = (hugging_face.router, text_embeddings.router, inference_v2.router, label_studio.router)
