"""Make the table of corrections. Written out, not taken from table.py, which later revisions change."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None


def upgrade() -> None:
    """Go forward."""
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "corrections",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "labelled",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the labels were last set; the latest win",
        ),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("text_sha256", sa.String(64), nullable=False, comment="of the normalised text: equal for training"),
        sa.Column("labels", json, nullable=False),
        sa.Column("confidence", sa.SmallInteger),
        sa.Column("note", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("group", sa.Text),
        sa.Column("prediction", json),
        sa.Column("model", json),
        sa.Column("created_by", sa.String(32)),
        sa.Column("updated_by", sa.String(32)),
        sa.CheckConstraint("status IN ('pending', 'accepted', 'rejected')", name="corrections_status"),
        sa.CheckConstraint("confidence BETWEEN 1 AND 3", name="corrections_confidence"),
    )
    op.create_index("corrections_by_status", "corrections", ["status", "id"])
    op.create_index("corrections_by_text", "corrections", ["text_sha256", "labelled", "id"])


def downgrade() -> None:
    """Go back; every correction is lost."""
    op.drop_table("corrections")
