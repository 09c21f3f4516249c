"""Owns bytes -> a JSON value, strictly, or words for why there is none."""

from typing import Any

from pydantic_core import from_json


def read_json(content: bytes | bytearray, *, name: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON: no NaN, no lone surrogates, no invalid UTF-8, no nesting that would exhaust the stack.

    Args:
        content: as it came.
        name: of what it is, for the message.

    Returns:
        The value.

    Raises:
        ValueError: it is none; the message says where, not what.
    """
    try:
        return from_json(content, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        fault = str(error)
        if "in hex escape" in fault or "of hex escape" in fault:
            # The parser's words hide what JavaScript sends of a text that was cut amid an emoji (#4).
            fault += "; half of a surrogate pair such as \\ud83d stands there, as where a text was cut amid an emoji"
        raise ValueError(f"{name} is not valid JSON: {fault}") from error
