"""Owns how the table of corrections came to be: Alembic's environment and its revisions, part of the wheel."""
