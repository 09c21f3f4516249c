"""Keep who set the labels. Until now it was inferred from who saved or changed a correction last."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    """Go forward; who set labels before the last change of a correction stays unknown."""
    op.add_column("corrections", sa.Column("labelled_by", sa.String(32)))
    of_what = "the time in `labelled` that `labelled_by` is of"
    op.add_column("corrections", sa.Column("attributed", sa.DateTime(timezone=True), comment=of_what))
    table = sa.table(
        "corrections",
        *map(sa.column, ("created", "updated", "labelled", "created_by", "updated_by", "labelled_by", "attributed")),
    )
    known = sa.case(
        (table.c.labelled == table.c.created, table.c.created_by),
        (table.c.labelled == table.c.updated, table.c.updated_by),
    )
    op.execute(table.update().values(labelled_by=known, attributed=table.c.labelled))


def downgrade() -> None:
    """Go back; who set the labels is lost where another changed the correction since."""
    op.drop_column("corrections", "attributed")
    op.drop_column("corrections", "labelled_by")
