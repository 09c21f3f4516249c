"""Owns which paths tell whether the service, or a model of it, lives and is ready, whatever the protocol.

Who asks them restarts what does not answer, and sends requests to what does: they need no key, and are answered when
too many connections are open.
"""

import re

_PROBE = re.compile(
    r"/(?:healthz|readyz|health|ping|v2/health/(?:live|ready)|v2/models/[^/]+(?:/versions/[^/]+)?/ready"
    r"|label-studio(?:/health)?)/?"
)


def is_probe(path: str) -> bool:
    """Whether a path, or the template of one, is one of these."""
    return _PROBE.fullmatch(path) is not None
