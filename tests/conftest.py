"""Fixtures that several rooms' tests share."""

import os
import tempfile
from pathlib import Path

import pytest

# Nothing may download: a test that tries must fail instead of hanging on a closed network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

# What a person keeps in their own data folder is none of a test's business.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="twohands-tests-")
os.environ.pop("TWOHANDS_SERVE_CORRECTIONS", None)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    from tests.support.tiny import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def taxonomy():
    from twohands.locate import find_config
    from twohands.taxonomy import load_taxonomy

    return load_taxonomy(find_config("taxonomy"))  # from the checkout, or from the wheel where that is all there is
