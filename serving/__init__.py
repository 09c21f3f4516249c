"""The serving room: HTTP -> paragraphs -> model -> HTTP. Never imports training, evaluation, torch or transformers."""

import twohands  # noqa: F401 - before ONNX Runtime, which it keeps from telling its maker
