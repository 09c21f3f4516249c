"""The parity tests share the training room's fixtures: they need torch and a tiny encoder."""

from tests.training.conftest import _quiet_libraries, starter_rows, tiny_encoder, write_run

__all__ = ["_quiet_libraries", "starter_rows", "tiny_encoder", "write_run"]
