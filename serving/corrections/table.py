"""Owns the table of corrections, as SQLAlchemy sees it; the migrations make it."""

from datetime import UTC, datetime

import sqlalchemy as sa

METADATA = sa.MetaData()


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An instant; SQLite knows no time zones, so it keeps UTC and we say so when reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Turn any zone into UTC."""
        del dialect
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Name the zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# JSON, not JSONB: the latter forgets the order of heads and refuses what JSON allows.
_JSON = sa.JSON(none_as_null=True)
CORRECTIONS = sa.Table(
    "corrections",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("created", UtcDateTime, nullable=False),
    sa.Column("updated", UtcDateTime, nullable=False),
    sa.Column("labelled", UtcDateTime, nullable=False, comment="when the labels were last set; the latest win"),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("text_sha256", sa.String(64), nullable=False, comment="of the normalised text: equal for training"),
    sa.Column("labels", _JSON, nullable=False),
    sa.Column("confidence", sa.SmallInteger),
    sa.Column("note", sa.Text),
    sa.Column("source", sa.Text),
    sa.Column("group", sa.Text),
    sa.Column("prediction", _JSON),
    sa.Column("model", _JSON),
    sa.Column("created_by", sa.String(32)),
    sa.Column("updated_by", sa.String(32)),
    sa.Column("labelled_by", sa.String(32)),
    sa.Column("attributed", UtcDateTime, comment="the time in `labelled` that `labelled_by` is of"),
    sa.CheckConstraint("status IN ('pending', 'accepted', 'rejected')", name="corrections_status"),
    sa.CheckConstraint("confidence BETWEEN 1 AND 3", name="corrections_confidence"),
    sa.Index("corrections_by_status", "status", "id"),
    sa.Index("corrections_by_text", "text_sha256", "labelled", "id"),
)
LABELS_TEXT = sa.cast(CORRECTIONS.c.labels, sa.Text)
"""The labels as they are kept, not decoded: to be compared as a whole, which PostgreSQL cannot do with JSON."""
