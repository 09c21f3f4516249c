from serving.archive import Archive
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.manifest import load_manifest


def test_a_copy_outlives_the_folder_that_it_was_made_of(tmp_path):
    archive = Archive(tmp_path / "kept")
    folder = build_tiny_model(tmp_path / "mine", version="1")
    sha256 = load_manifest(folder)[1]
    assert archive.find(sha256) is None
    archive.keep(folder, sha256)
    archive.keep(folder, sha256)
    build_tiny_model(folder, version="2")
    with_copy = Classifier.load(archive.find(sha256), num_threads=1)
    assert with_copy.identity["version"] == "1"
    with_copy.close()
    archive.prune({sha256})
    assert archive.find(sha256) is not None
    archive.prune(set())
    assert archive.find(sha256) is None
    assert archive.find(None) is None


def test_a_folder_that_holds_another_model_by_now_is_not_kept_for_the_first(tmp_path, caplog):
    archive = Archive(tmp_path / "kept")
    folder = build_tiny_model(tmp_path / "mine", version="1")
    first = load_manifest(folder)[1]
    build_tiny_model(folder, version="2")
    archive.keep(folder, first)
    archive.keep(tmp_path / "absent", first)
    assert archive.find(first) is None
    assert len(caplog.records) == 2
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_copy_is_one_even_where_files_are_written_into(tmp_path):
    archive = Archive(tmp_path / "kept")
    folder = build_tiny_model(tmp_path / "mine")
    sha256 = load_manifest(folder)[1]
    archive.keep(folder, sha256)
    with (folder / "model.onnx").open("r+b") as graph:  # as `cp` over it does
        graph.write(b"altered")
    assert load_manifest(archive.find(sha256))[1] == sha256
