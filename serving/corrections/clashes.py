"""Owns which corrections of one text contradict one another; knows nothing of how they are kept or shown."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from serving.corrections.schemas import Clash
from serving.corrections.table import CORRECTIONS


def _contradicts(labels: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Whether a head that both judge is judged differently."""
    return any(
        words is not None and others.get(name) is not None and words != others[name] for name, words in labels.items()
    )


def find_clashes(connection: sa.Connection, ids: Collection[str]) -> dict[str, Clash]:
    """Find which corrections others of the same text contradict; rejected ones contradict nobody.

    Args:
        connection: to the database.
        ids: of the corrections that are asked about.

    Returns:
        By id, for those that are contradicted: by how many newer and older ones.
    """
    asked = sa.select(CORRECTIONS.c.text_sha256).where(CORRECTIONS.c.id.in_(ids))
    wanted = [CORRECTIONS.c.status != "rejected", CORRECTIONS.c.text_sha256.in_(asked)]
    names = ("id", "text_sha256", "labelled", "labels")
    by_text: dict[str, list[sa.Row[Any]]] = {}
    for row in connection.execute(sa.select(*(CORRECTIONS.c[name] for name in names)).where(*wanted)):
        by_text.setdefault(row.text_sha256, []).append(row)
    clashes = {}
    for rows in by_text.values():
        for row in rows:
            if row.id not in ids:
                continue
            others = [other for other in rows if _contradicts(row.labels, other.labels)]
            n_newer = sum((other.labelled, other.id) > (row.labelled, row.id) for other in others)
            if others:
                clashes[row.id] = Clash(n_newer=n_newer, n_older=len(others) - n_newer)
    return clashes
