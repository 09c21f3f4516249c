"""`twohands models` tells what there is and finds every way in which a folder can be bad."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx.external_data_helper
import pytest

from tests.support.tiny import build_tiny_model, make_graph
from twohands.errors import FileReadError
from twohands.inspection import find_faults, format_figure, headline, headline_split
from twohands.manifest import load_manifest, write_manifest
from twohands.weight_only import read_weight_only

FIGURES = {
    "dev": {"stance": {"macro_f1": {"value": 0.9, "low": 0.8, "high": 1.0}}},
    "test": {
        "stance": {"macro_f1": {"value": 0.7571, "low": 0.7, "high": 0.81}},
        "topics": {"macro_f1": {"value": 0.5}},
    },
}


def update(folder, **fields):
    write_manifest(folder, load_manifest(folder)[0].model_copy(update=fields))


@pytest.fixture
def places(tiny_model, taxonomy, tmp_path, monkeypatch):
    """A working folder with the models `tiny` and `twohands`."""
    monkeypatch.setattr("twohands.locate._PACKAGE", tmp_path / "elsewhere" / "twohands")
    monkeypatch.delenv("TWOHANDS_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model, tmp_path / "models" / "tiny")
    build_tiny_model(tmp_path / "models" / "twohands", taxonomy=taxonomy, version="1.2.3")
    update(tmp_path / "models" / "twohands", metrics=FIGURES)
    return tmp_path / "models"


def test_list(run, places):
    finished = run("models", "list")
    assert finished.code == 0
    heading, *rows = finished.stdout.decode().splitlines()
    assert heading.split() == ["NAME", "VERSION", "PRECISION", "SIZE", "MACRO-F1", "PATH"]
    assert [row.split()[:3] for row in rows] == [["tiny", "0.0.1", "fp32"], ["twohands", "1.2.3", "fp32"]]
    assert "stance .757 [.700, .810], topics .500" in rows[1]
    assert rows[1].endswith("models/twohands")
    (places / "tiny" / "README.md").write_text("altered", encoding="utf-8")
    tiny, twohands = json.loads(run("models", "list", "--json").stdout)
    assert (tiny["name"], tiny["error"]["code"]) == ("tiny", "invalid_model_folder")
    assert (twohands["split"], twohands["macro_f1"]["topics"]) == ("test", {"value": 0.5})
    assert twohands["size_bytes"] == sum(path.stat().st_size for path in (places / "twohands").iterdir())
    assert run("models", "list").code == 0


@pytest.mark.issue(6)
def test_list_says_of_which_rows_figures_are_where_these_are_no_test(run, places):
    assert ", on " not in run("models", "list").stdout.decode()
    update(places / "twohands", metrics={"dev": FIGURES["test"]})
    assert "stance .757 [.700, .810], topics .500, on dev  models" in run("models", "list").stdout.decode()


def test_list_of_nothing_says_where_was_looked(run, places):
    shutil.rmtree(places)
    finished = run("models", "list")
    assert (finished.code, finished.stdout) == (0, b"")
    assert finished.stderr
    assert json.loads(run("models", "list", "--json").stdout) == []


@pytest.mark.usefixtures("places")
def test_show(run):
    finished = run("models", "show")
    assert finished.code == 0
    shown = finished.stdout.decode()
    manifest, sha256 = load_manifest(Path("models/twohands"))
    for part in [
        "twohands 1.2.3", sha256, "models/twohands", "head stance: one of 3", "head topics: any of 4", "state-led",
        "self-reliance (from 0.5)", "temperature 1", "abstains below: 0.5", "16 tokens", "tiny", "none.jsonl",
        "macro-F1 on test, stance: .757 [.700, .810]", *manifest.files,
    ]:  # fmt: skip
        assert part in shown, part
    as_json = json.loads(run("models", "show", "tiny", "--json").stdout)
    assert as_json["manifest"]["version"] == "0.0.1"
    assert as_json["sha256"] != sha256
    assert run("models", "show", "none").code == 1


def test_verify(run, places):
    assert run("models", "verify").code == 0
    (places / "tiny" / "README.md").unlink()
    (places / "tiny" / "config.json").write_text("[]", encoding="utf-8")
    assert run("models", "verify", "twohands").code == 0
    for arguments in (["tiny"], [places / "tiny"], []):
        finished = run("models", "verify", *arguments)
        assert finished.code == 1
        assert b"README.md" in finished.stdout
        assert b"config.json" in finished.stdout
    tiny, twohands = json.loads(run("models", "verify", "--json").stdout)
    assert (tiny["ok"], len(tiny["faults"])) == (False, 2)
    assert (twohands["ok"], twohands["faults"]) == (True, [])
    assert run("models", "verify", "none").code == 1


@pytest.mark.issue(3)
def test_labels_that_the_manifest_and_the_network_name_otherwise_are_a_fault(places):
    folder = places / "tiny"
    manifest, _ = load_manifest(folder)
    labels = list(manifest.taxonomy.label_names)
    for names, n_faults in ((labels, 0), ([labels[1], labels[0], *labels[2:]], 1), (labels[:-1], 1)):
        content = {"id2label": {str(n): name for n, name in enumerate(names)}}
        (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
        write_manifest(folder, manifest)
        assert sum("names the labels" in fault for fault in find_faults(folder)) == n_faults, names
    (folder / "config.json").write_text("{", encoding="utf-8")
    write_manifest(folder, manifest)
    (fault,) = find_faults(folder)
    assert "config.json is not JSON" in fault


def test_verify_without_any_model_is_an_error(run, places):
    shutil.rmtree(places)
    assert run("models", "verify").code == 1


def replace(folder, name, content):
    """Replaces a file, and its digest as well."""
    manifest, _ = load_manifest(folder)
    (folder / name).write_bytes(content)
    write_manifest(folder, manifest)


def nan_graph():
    graph = make_graph(7)
    table = np.full_like(onnx.numpy_helper.to_array(graph.graph.initializer[0]), np.nan)
    graph.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    return graph


def small_vocabulary_graph():
    graph = make_graph(7)
    table = onnx.numpy_helper.to_array(graph.graph.initializer[0])[:1].copy()
    graph.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    return graph


@pytest.mark.parametrize("make", [lambda: make_graph(6), lambda: make_graph(8), nan_graph, small_vocabulary_graph])
def test_a_folder_whose_digests_fit_but_whose_graph_does_not_work_is_bad(places, make):
    assert find_faults(places / "tiny") == []
    replace(places / "tiny", "model.onnx", make().SerializeToString())
    assert len(find_faults(places / "tiny")) == 1


@pytest.mark.issue(2)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_weights_that_no_digest_vouches_for_are_not_read(places, monkeypatch, runtime):
    graph, folder = make_graph(7), places / "tiny"
    table = graph.graph.initializer[0]
    content = table.raw_data
    onnx.external_data_helper.set_external_data(table, "table.bin")
    table.ClearField("raw_data")
    replace(folder, "model.onnx", graph.SerializeToString())
    (folder / "table.bin").write_bytes(content)  # after the manifest, which lists all that is there
    monkeypatch.chdir(folder)  # where a graph that is loaded from memory looks
    if runtime == "openvino":
        inner = graph.graph.node.add(op_type="Constant", output=[table.name])  # weights stand in attributes, too
        inner.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(table)
        del graph.graph.initializer[0]
        (folder / "inner.onnx").write_bytes(graph.SerializeToString())
        for name in ("model.onnx", "inner.onnx"):
            with pytest.raises(FileReadError, match="in other files"):
                read_weight_only(folder / name)
        (folder / "inner.onnx").unlink()
    else:
        assert len(find_faults(folder)) == 1
    named = make_graph(7)
    named.graph.node[0].name = "/location/Gather"
    replace(folder, "model.onnx", named.SerializeToString())
    assert find_faults(folder) == []


def test_a_tokenizer_or_graph_that_cannot_be_read_is_bad(places):
    for name in ("tokenizer.json", "model.onnx"):
        replace(places / "tiny", name, b"{}")
        assert len(find_faults(places / "tiny")) == 1


@pytest.mark.parametrize(
    ("metrics", "split", "heads"),
    [
        ({}, None, []),
        (FIGURES, "test", ["stance", "topics"]),
        ({"train": FIGURES["dev"], "dev": FIGURES["dev"]}, "dev", ["stance"]),
        ({"test": {"stance": {"accuracy": 1}, "topics": 3, "other": {"macro_f1": {"value": 1}}}}, "test", []),
        ({"note": "none"}, None, []),
    ],
)
def test_the_headline_is_what_the_manifest_has(tiny_model, metrics, split, heads):
    manifest = load_manifest(tiny_model)[0].model_copy(update={"metrics": metrics})
    assert headline_split(manifest) == split
    assert list(headline(manifest)) == heads


@pytest.mark.issue(3)
def test_a_headline_without_an_interval_is_read(tiny_model):
    metrics = {"test": {"stance": {"macro_f1": {"value": 0.5, "low": None, "high": None}}}}
    manifest = load_manifest(tiny_model)[0].model_copy(update={"metrics": metrics})
    assert headline(manifest) == {"stance": {"value": 0.5}}
    assert format_figure(headline(manifest)["stance"]) == ".500"
