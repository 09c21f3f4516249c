"""Owns which corrections of one text contradict one another; knows nothing of how they are kept or shown."""

import json
from bisect import bisect_left
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from serving.corrections.schemas import Clash
from serving.corrections.table import CORRECTIONS, LABELS_TEXT

MOST_OF_A_TEXT = 1000

# When the labels of a correction were set, and its id: no two are equal.
_Place = tuple[Any, str]


def _contradicts(labels: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Whether a head that both judge is judged differently."""
    return any(
        words is not None and others.get(name) is not None and words != others[name] for name, words in labels.items()
    )


def find_clashes(connection: sa.Connection, ids: Collection[str]) -> dict[str, Clash]:
    """Find which corrections others of the same text contradict; rejected ones contradict nobody, pending ones do.

    Of each text only the newest `MOST_OF_A_TEXT` contradict others.

    Args:
        connection: to the database.
        ids: of the corrections that are asked about.

    Returns:
        By id, for those that are contradicted: by how many newer and older ones.
    """
    columns = CORRECTIONS.c
    age = sa.func.row_number().over(
        partition_by=columns.text_sha256, order_by=(columns.labelled.desc(), columns.id.desc())
    )
    asked = sa.select(columns.text_sha256).where(columns.id.in_(ids))
    sound = [columns.status != "rejected", columns.text_sha256.in_(asked)]
    ranked = sa.select(columns.id, age.label("age")).where(*sound).subquery()
    is_read = sa.or_(ranked.c.age <= MOST_OF_A_TEXT, ranked.c.id.in_(ids))
    rows = sa.select(columns.id, columns.text_sha256, columns.labelled, LABELS_TEXT.label("labels_text"), ranked.c.age)
    # By text and by labels as they are kept, of which a text has few: compared one by one, ten thousand corrections of
    # one text would take half a minute.
    by_text: dict[str, dict[str, list[tuple[_Place, bool]]]] = {}
    for row in connection.execute(rows.join(ranked, ranked.c.id == columns.id).where(is_read)):
        place, is_new = (row.labelled, row.id), row.age <= MOST_OF_A_TEXT
        by_text.setdefault(row.text_sha256, {}).setdefault(row.labels_text, []).append((place, is_new))
    wanted, clashes = frozenset(ids), {}
    for places_by_labels in by_text.values():
        labels = {kept: json.loads(kept) for kept in places_by_labels}
        for kept, places in places_by_labels.items():
            chosen = [place for place, _ in places if place[1] in wanted]
            if not chosen:
                continue
            others = sorted(
                place
                for other, found in places_by_labels.items()
                if _contradicts(labels[kept], labels[other])
                for place, is_new in found
                if is_new
            )
            for place in chosen:
                n_older = bisect_left(others, place)
                if others:
                    clashes[place[1]] = Clash(n_newer=len(others) - n_older, n_older=n_older)
    return clashes
