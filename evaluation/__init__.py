"""The evaluation room: measures models on labelled rows, with intervals. Never imports another room."""

import twohands  # noqa: F401 - before ONNX Runtime, which it keeps from telling its maker
