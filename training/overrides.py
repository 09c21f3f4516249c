"""Owns `--set a.b=value`: one key of a config changed, and the likeliest key where there is none of that name."""

from collections.abc import Iterator, Mapping

import yaml

from twohands.repeated_keys import RepeatedKeysError, load_yaml
from twohands.row_faults import find_like, suggest


def _list_keys(content: Mapping[str, object], section: str = "") -> Iterator[str]:
    """Every key that there is, as `--set` has them."""
    for key, value in content.items():
        yield f"{section}{key}"
        if isinstance(value, dict):
            yield from _list_keys(value, f"{section}{key}.")


def _suggest_key(content: Mapping[str, object], key: str, section: object) -> str:
    """The end of a fault on a key that is none: the likeliest one, else those of its section, where there is one."""
    *parents, last = key.split(".")
    if not parents or not isinstance(section, dict) or not section:
        return suggest(key, tuple(_list_keys(content)))
    place = ".".join(parents)
    if like := find_like(last, tuple(map(str, section))):
        return f"; did you mean {f'{place}.{like}'!r}?"
    elsewhere = [name for name in _list_keys(content) if "." in name and not f"{name}.".startswith(f"{place}.")]
    return suggest(key, tuple(elsewhere)) or f"; {place} has {', '.join(map(str, section))}"


def apply_override(content: dict[str, object], override: str) -> None:
    """Change one key.

    Args:
        content: of a config; changed in place.
        override: `a.b=value`; the value is YAML.

    Raises:
        ValueError: it is not of that form, or there is no such key; says what is wrong.
    """
    key, separator, raw = override.partition("=")
    if not separator or not key.strip():
        raise ValueError(f"--set {override!r}: expected a.b=value")
    *parents, last = key.strip().split(".")
    section: object = content
    for depth, parent in enumerate(parents, start=1):
        if isinstance(section, dict) and parent in section and section[parent] is None:
            place = ".".join(parents[:depth])
            raise ValueError(f"--set {override!r}: {place} is null here; set it whole: {place}={{{last}: ..., ...}}")
        section = section.get(parent) if isinstance(section, dict) else None
    if not isinstance(section, dict) or last not in section:
        like = _suggest_key(content, key.strip(), section)
        raise ValueError(f"--set {override!r}: the config has no key {key.strip()!r}{like}")
    try:
        section[last] = load_yaml(raw)
    except yaml.YAMLError as error:
        raise ValueError(f"--set {override!r}: the value is not YAML: {error}") from error
    except RepeatedKeysError as error:
        raise ValueError(f"--set {override!r}: {error}") from error
