"""Fixtures that several rooms' tests share."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Nothing may download: a test that tries must fail instead of hanging on a closed network.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"

# What a person keeps in their own data folder is none of a test's business.
DATA_HOME = os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="twohands-tests-")
os.environ.pop("TWOHANDS_SERVE_CORRECTIONS", None)

# Tests run side by side, on tiny matrices. Two threads of one process that wait for each other spin, and take the CPU
# from the test beside them: the suite took half as long again. Read when NumPy and torch are first imported, so here;
# who names a number of threads, gets it.
for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(library, "1")

ROOT = Path(__file__).resolve().parent.parent


# Modules and tests are there to the end. A training run asks for collections of garbage time and again, and looking
# through all of these each time took half of its time; nor is there garbage worth a search before the tests begin. In
# them it is looked for less often than usual, but it is: 50,000 objects are not much.
gc.disable()


def pytest_collection_modifyitems(items):
    # Each file goes to one process as a whole: those that take longest were the last to begin, and all others idle.
    items.sort(key=lambda item: item.path.name not in {"test_run.py", "test_families.py", "test_restore.py"})


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20)


def pytest_unconfigure():
    shutil.rmtree(DATA_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    from tests.support.tiny import build_tiny_model

    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def taxonomy():
    from twohands.locate import find_config
    from twohands.taxonomy import load_taxonomy

    return load_taxonomy(find_config("taxonomy"))  # from the checkout, or from the wheel where that is all there is
