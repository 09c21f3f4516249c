"""twohands: whose hand steers the economy here, the state's or the market's?

`Classifier` and `Prediction` are imported when first used, so that `import twohands` costs nothing.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twohands.classifier import Classifier
    from twohands.prediction import Prediction

__all__ = ["Classifier", "Prediction", "__version__"]

__version__ = "0.22.0"

# From 1.26 on ONNX Runtime's builds for Linux write a number for this machine into the user's cache and send how
# sessions go to their maker. They read this when they are first imported; `disable_telemetry_events()` comes too late.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> object:
    if name == "Classifier":
        from twohands.classifier import Classifier  # noqa: PLC0415, RUF100 - see above

        return Classifier
    if name == "Prediction":
        from twohands.prediction import Prediction  # noqa: PLC0415, RUF100

        return Prediction
    raise AttributeError(f"module 'twohands' has no attribute {name!r}")
