"""Keep who set the labels. Until now it was inferred from who saved or changed a correction last."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    """Go forward; who set labels before the last change of a correction stays unknown."""
    op.add_column("corrections", sa.Column("labelled_by", sa.String(32)))
    table = sa.table(
        "corrections",
        *(sa.column(name) for name in ("created", "updated", "labelled", "created_by", "updated_by", "labelled_by")),
    )
    known = sa.case(
        (table.c.labelled == table.c.created, table.c.created_by),
        (table.c.labelled == table.c.updated, table.c.updated_by),
    )
    op.execute(table.update().values(labelled_by=known))


def downgrade() -> None:
    """Go back; who set the labels is lost where another changed the correction since."""
    op.drop_column("corrections", "labelled_by")
