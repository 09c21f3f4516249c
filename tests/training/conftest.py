"""Fixtures of the training room: a tiny encoder, a few rows, and a config that fits both."""

import json
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from tests.conftest import ROOT

# Deprecations inside these libraries, at import and at use; our own warnings still fail the run.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _quiet_libraries():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch|transformers|onnx|onnxscript|datasets|pyarrow|copyreg")
        warnings.filterwarnings("ignore", message=".*null_placement.*", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        yield


@pytest.fixture(autouse=True)
def _no_search_for_garbage(monkeypatch):
    """Each run looks through all that other tests have imported here, some times, to free memory of devices."""
    if "accelerate.utils.memory" in sys.modules:
        monkeypatch.setattr("accelerate.utils.memory.gc", SimpleNamespace(collect=lambda: 0))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    from tests.support.encoders import make_encoder

    return make_encoder(tmp_path_factory.mktemp("encoder") / "tiny-bert")


@pytest.fixture(scope="session")
def starter_rows() -> dict[str, list[dict[str, object]]]:
    return {
        split: [json.loads(line) for line in (ROOT / f"data/starter/{split}.jsonl").read_text("utf-8").splitlines()]
        for split in ("train", "dev", "test")
    }


@pytest.fixture
def write_run(tmp_path, tiny_encoder, starter_rows):
    """Write a data folder and a config; returns the config's path."""

    def write(*, n_rows: int = 24, n_dev: int = 40, epochs: float = 1, **changes: object) -> Path:
        data = tmp_path / "rows"
        data.mkdir(exist_ok=True)
        for split, rows in starter_rows.items():
            n = n_rows if split == "train" else n_dev
            (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:n]), encoding="utf-8")
        content = yaml.safe_load((ROOT / "configs/minilm.yaml").read_text(encoding="utf-8"))
        content["run_name"] = "tiny"
        content["data"]["root"] = str(data)
        content["encoder"]["name"] = str(tiny_encoder)
        content["window"] = {"max_tokens": 64, "overlap_tokens": 16, "max_windows": 8}
        content["optim"] |= {"num_epochs": epochs, "min_steps": 0, "batch_size": 8, "learning_rate": 5e-3}
        content["compute"] = {"precision": "fp32", "num_threads": 1}
        content["export"]["candidates"] = ["plain-int8"]
        for key, value in changes.items():
            section, _, name = key.partition("__")
            if name:
                content[section][name] = value
            else:
                content[section] = value
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write
