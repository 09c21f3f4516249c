"""Owns which variables of the environment are taken for misspelt options of `twohands serve`."""

import difflib
import re
from collections.abc import Collection, Mapping

PREFIX = "TWOHANDS_SERVE_"
# Kubernetes tells every pod of each service beside it, here of one whose name begins with `twohands-serve`.
_OF_SERVICE = re.compile(
    r"(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_URL_OF_SERVICE = re.compile(r"(?:tcp|udp|sctp)://.+")
_LEAST_ALIKE = 0.4


def describe_unknown(environment: Mapping[str, str], known: Collection[str]) -> str:
    """Say which variables look like options and are none; values, which may be secret, are not shown.

    Args:
        environment: all variables.
        known: names of those that options are read from.

    Returns:
        One line; empty where there is none.
    """
    suffixes = [name.removeprefix(PREFIX) for name in known]
    told = []
    for name in sorted(set(environment) - set(known)):
        suffix = name.removeprefix(PREFIX)
        if suffix == name or _is_of_service(suffix, environment[name]):
            continue
        nearest = difflib.get_close_matches(suffix.upper(), suffixes, n=1, cutoff=_LEAST_ALIKE)
        told.append(f"{name} (is it {PREFIX}{nearest[0]}?)" if nearest else name)
    return f"no option is read from {', '.join(told)}; `twohands serve --help` names those that are" if told else ""


def _is_of_service(suffix: str, content: str) -> bool:
    is_url = suffix.endswith("_PORT") and _URL_OF_SERVICE.fullmatch(content) is not None
    return is_url or _OF_SERVICE.fullmatch(suffix) is not None
