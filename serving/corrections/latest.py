"""Owns which of the corrections of one text is the latest, the one that is exported."""

import sqlalchemy as sa

from serving.corrections.schemas import Status
from serving.corrections.table import CORRECTIONS


def _find_annotator(table: sa.FromClause) -> sa.ColumnElement[str | None]:
    """Who set the labels. Services of 0.12.0, which may run beside, set labels and leave who set those before them."""
    return sa.case(
        (table.c.attributed == table.c.labelled, table.c.labelled_by),
        (table.c.labelled == table.c.created, table.c.created_by),
        (table.c.labelled == table.c.updated, table.c.updated_by),
    )


ANNOTATOR = _find_annotator(CORRECTIONS).label("annotator")


def is_latest(*, status: Status | None, within_status: bool = False, by_reader: bool = False) -> sa.ColumnElement[bool]:
    """Whether no other correction of the same text had its labels set later.

    Args:
        status: the others are only these; None is all.
        within_status: the others are those of its own status, whatever that is.
        by_reader: the others are those whose labels were set with the same API key, or by nobody that is known, too.

    Returns:
        A condition on the table of corrections.
    """
    later = CORRECTIONS.alias("later")
    overruled = [
        later.c.text_sha256 == CORRECTIONS.c.text_sha256,
        sa.tuple_(later.c.labelled, later.c.id) > sa.tuple_(CORRECTIONS.c.labelled, CORRECTIONS.c.id),
    ]
    if status is not None:
        overruled.append(later.c.status == status)
    if within_status:
        overruled.append(later.c.status == CORRECTIONS.c.status)
    if by_reader:
        overruled.append(_find_annotator(later).is_not_distinct_from(_find_annotator(CORRECTIONS)))
    return ~sa.exists().where(*overruled)
