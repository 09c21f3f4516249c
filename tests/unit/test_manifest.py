"""A model folder is verified in full, every fault is told at once, and a folder is complete or absent."""

import errno
import json
import shutil
from pathlib import Path

import pytest

from twohands.errors import ManifestError, ModelNotFoundError, RunConflictError
from twohands.hashing import sha256_of_file
from twohands.manifest import (
    MANIFEST_NAME,
    REQUIRED_FILES,
    build_folder,
    check_output_folder,
    load_manifest,
    write_manifest,
)


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model, tmp_path / "model")


def edit(folder, change):
    path = folder / MANIFEST_NAME
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def faults_of(folder):
    with pytest.raises(ManifestError) as caught:
        load_manifest(folder)
    return caught.value.faults


def test_a_sound_folder_loads_with_its_digest(folder, taxonomy):
    manifest, sha256 = load_manifest(folder)
    assert sha256 == sha256_of_file(folder / MANIFEST_NAME)
    assert manifest.taxonomy == taxonomy
    assert set(manifest.rules) == {"stance", "topics"}
    assert set(manifest.files) == REQUIRED_FILES


@pytest.mark.parametrize("name", sorted(REQUIRED_FILES))
def test_one_altered_byte_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    (fault,) = faults_of(folder)
    assert fault.startswith(f"{name}:")


@pytest.mark.parametrize("name", sorted(REQUIRED_FILES))
def test_a_missing_file_is_found(folder, name):
    (folder / name).unlink()
    (fault,) = faults_of(folder)
    assert fault.startswith(f"{name}:")


def test_every_fault_is_told_at_once(folder):
    (folder / "config.json").unlink()
    (folder / "README.md").write_text("other", encoding="utf-8")

    def change(content):
        content["colour"] = "red"
        content["window"]["max_tokens"] = "many"
        content["heads"][1]["decision"]["thresholds"] = [0.5]
        del content["files"]["parity.json"]
        del content["license"]

    edit(folder, change)
    faults = faults_of(folder)
    told = " ".join(faults)
    places = ["colour", "window.max_tokens", "heads.1", "license", "config.json:", "README.md:", "parity.json:"]
    assert [place for place in places if place not in told] == []
    assert len(faults) == len(places)


@pytest.mark.parametrize("version", [2, 0, "1", None, [1]])
def test_another_schema_version_is_refused(folder, version):
    edit(folder, lambda content: content.update(schema_version=version))
    assert len(faults_of(folder)) == 1


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "..", ".", "", "a/b", "..\\x", ".hidden", "a\x00b", "a\n"]
)
def test_names_that_leave_the_folder_are_refused_and_not_opened(folder, name, monkeypatch):
    (folder.parent / "secret").write_text("s", encoding="utf-8")
    opened = []
    monkeypatch.setattr("twohands.manifest.sha256_of_file", lambda path: opened.append(path) or "0" * 64)
    edit(folder, lambda content: content["files"].update({name: "0" * 64}))
    assert any("files" in fault for fault in faults_of(folder))
    assert all(path.parent == folder and path.name in REQUIRED_FILES for path in opened)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 100_000, b"{}" * 2],
    ids=range(9),
)
def test_a_manifest_that_is_no_json_object_is_refused(folder, content):
    (folder / MANIFEST_NAME).write_bytes(content)
    faults_of(folder)


def test_a_truncated_manifest_is_refused(folder):
    content = (folder / MANIFEST_NAME).read_bytes()
    for length in range(0, len(content) - 2, 97):
        (folder / MANIFEST_NAME).write_bytes(content[:length])
        faults_of(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["heads"][0]["decision"].update(calibration=c["heads"][1]["decision"]["calibration"]),
        lambda c: c["heads"][0]["decision"].update(thresholds=[0.5, 0.5, 0.5]),
        lambda c: c["heads"][1]["decision"].update(thresholds=None),
        lambda c: c["heads"][1]["decision"]["calibration"].update(slopes=[1.0]),
        lambda c: c["heads"][1]["decision"]["calibration"].update(method="isotonic"),
        lambda c: c["heads"][1].update(name="stance"),
        lambda c: c["heads"][1]["labels"][0].update(name="neutral"),
        lambda c: c.update(files=[]),
        lambda c: c["files"].update({"model.onnx": "short"}),
        lambda c: c.update(heads=[]),
    ],
)
def test_decisions_that_do_not_fit_their_head_are_refused(folder, change):
    edit(folder, change)
    assert faults_of(folder)


def test_no_folder_or_no_manifest_is_no_model(tmp_path):
    with pytest.raises(ModelNotFoundError):
        load_manifest(tmp_path / "none")
    with pytest.raises(ModelNotFoundError):
        load_manifest(tmp_path)


def test_a_folder_appears_only_when_all_went_well(tmp_path):
    target = tmp_path / "models" / "new"
    with build_folder(target) as temporary:
        (temporary / MANIFEST_NAME).write_text("{}", encoding="utf-8")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert [path.name for path in target.parent.iterdir()] == ["new"]
    assert target.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing_behind(tmp_path, error):
    def build():
        with build_folder(tmp_path / "new") as temporary:
            (temporary / "model.onnx").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(error):
        build()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_folder_as_it_was(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError, match="stop"), build_folder(folder, overwrite=True):
        raise ValueError("stop")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.issue(2)
def test_a_new_folder_that_cannot_be_renamed_leaves_the_old_one(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    rename = Path.rename

    def refuse_the_new(self, target):
        if target == folder and not self.name.endswith("-old"):
            raise OSError(errno.ENOSPC, "no space")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(OSError, match="no space"), build_folder(folder, overwrite=True) as temporary:
        (temporary / MANIFEST_NAME).write_text("{}", encoding="utf-8")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.issue(3)
def test_of_a_link_what_it_points_to_is_replaced(folder, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    with build_folder(link, overwrite=True) as temporary:
        (temporary / "fresh.txt").write_text("new", encoding="utf-8")
    assert link.is_symlink()
    assert [path.name for path in folder.iterdir()] == ["fresh.txt"]
    assert not list(tmp_path.glob(".*")) + list(folder.parent.glob(".*"))


@pytest.mark.issue(3)
def test_what_a_killed_run_was_replacing_is_put_back_before_it_is_asked_for(folder):
    folder.rename(folder.with_name(f".{folder.name}-x.partial-old"))
    with pytest.raises(RunConflictError, match="already exists"):
        check_output_folder(folder, overwrite=False)
    assert load_manifest(folder)


def test_overwriting_replaces_the_whole_folder(folder):
    (folder / "stale.txt").write_text("old", encoding="utf-8")
    with build_folder(folder, overwrite=True) as temporary:
        (temporary / "fresh.txt").write_text("new", encoding="utf-8")
    assert [path.name for path in folder.iterdir()] == ["fresh.txt"]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_what_exists_is_not_replaced_unasked(folder):
    with pytest.raises(RunConflictError), build_folder(folder):
        pytest.fail("must not get here")
    assert load_manifest(folder)


def test_what_is_no_model_folder_is_left_alone(tmp_path):
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.txt").write_text("years of work", encoding="utf-8")
    file = tmp_path / "file"
    file.write_text("words", encoding="utf-8")
    for target in (foreign, file):
        with pytest.raises(RunConflictError), build_folder(target, overwrite=True):
            pytest.fail("must not get here")
    assert (foreign / "chapter.txt").read_text(encoding="utf-8") == "years of work"
    assert file.read_text(encoding="utf-8") == "words"


def test_an_empty_folder_may_become_a_model_folder(tmp_path):
    (tmp_path / "new").mkdir()
    with build_folder(tmp_path / "new", overwrite=True) as temporary:
        (temporary / "a").write_text("", encoding="utf-8")
    assert (tmp_path / "new" / "a").exists()


def test_what_was_written_is_checked(folder):
    manifest, _ = load_manifest(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(ManifestError):
        write_manifest(folder, manifest)


def test_digests_are_renewed_when_written(folder):
    manifest, before = load_manifest(folder)
    (folder / "README.md").write_text("# better\n", encoding="utf-8")
    write_manifest(folder, manifest)
    renewed, after = load_manifest(folder)
    assert before != after
    assert renewed.files["README.md"] == sha256_of_file(folder / "README.md")
