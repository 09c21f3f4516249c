"""Owns what all errors of `errors.py` come from, and how several faults are told as one."""

from collections.abc import Sequence


class TwoHandsError(Exception):
    """Root of all errors that this project raises on purpose."""

    code = "twohands_error"


class FaultsError(TwoHandsError):
    """Several faults found in one pass, so that they can be mended in one pass."""

    code = "faults"

    def __init__(self, heading: str, faults: Sequence[str], *, limit: int = 50) -> None:
        """Join a heading and its faults, one a line; at most `limit` are shown, their count is always complete."""
        self.heading = heading
        self.faults = list(faults)
        shown = [f"  - {fault}" for fault in self.faults[:limit]]
        shown += [f"  - and {len(self.faults) - limit} more"] if len(self.faults) > limit else []
        super().__init__("\n".join([f"{heading} ({len(self.faults)} fault{'s'[: len(self.faults) != 1]}):", *shown]))
