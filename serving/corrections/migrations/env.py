"""Owns how Alembic runs the revisions: on the connection, and in the transaction, of who calls it."""

from alembic import context

from serving.corrections.table import METADATA

# Alembic imports this file in order to run it.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
