"""twohands: whose hand steers the economy here, the state's or the market's?

`Classifier` and `Prediction` are imported when first used, so that `import twohands` costs nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twohands.classifier import Classifier
    from twohands.prediction import Prediction

__all__ = ["Classifier", "Prediction", "__version__"]

__version__ = "0.4.0"


def __getattr__(name: str) -> object:
    if name == "Classifier":
        from twohands.classifier import Classifier  # noqa: PLC0415, RUF100 - see above

        return Classifier
    if name == "Prediction":
        from twohands.prediction import Prediction  # noqa: PLC0415, RUF100

        return Prediction
    raise AttributeError(f"module 'twohands' has no attribute {name!r}")
