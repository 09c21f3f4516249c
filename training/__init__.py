"""The training room: rows -> fine-tuned checkpoint -> calibrated, quantised, parity-checked model folder."""

import twohands  # noqa: F401 - before ONNX Runtime, which it keeps from telling its maker
