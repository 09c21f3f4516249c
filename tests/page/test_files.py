"""How the page is served: policy, caching, keys; and that its vendored libraries are what they are pinned to be."""

import hashlib
import json
import re

import httpx
import pytest

from serving.page.files import load_files
from serving.page.routes import CONTENT_SECURITY_POLICY
from tests.page.support import FOLDER

ROOT = FOLDER.parents[1]
WEB = ROOT / "serving" / "web"


@pytest.fixture(scope="module")
def client(url):
    with httpx.Client(base_url=url) as client:
        yield client


def test_the_page_stands_at_the_root_under_a_strict_policy(client):
    for accept in ("text/html,*/*;q=0.8", "*/*"):
        answer = client.get("/", headers={"accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.head("/").headers["content-type"].startswith("text/html")
    assert "info" in (client.get("/", headers={"accept": "application/json"})).json()
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


def test_files_are_sent_zipped_and_only_once(client):
    for path, content in load_files().items():
        if path == "index.html":
            continue
        answer = client.get(f"/page/{path}")
        assert (answer.status_code, answer.content) == (200, content.content)
        again = client.get(f"/page/{path}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert (client.get("/page/js/main.js")).headers["content-encoding"] == "gzip"
    plain = client.get("/page/js/main.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.issue(7)
@pytest.mark.parametrize(
    ("accepted", "is_zipped"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP ; q=0.001", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("xgzip", False),
        ("*", False),
    ],
)
def test_files_are_zipped_for_who_takes_them_so(client, accepted, is_zipped):
    answer = client.get("/page/js/main.js", headers={"accept-encoding": accepted})
    assert answer.content == load_files()["js/main.js"].content
    assert answer.headers.get("content-encoding") == ("gzip" if is_zipped else None)


@pytest.mark.parametrize(
    "path", ["", "none.js", "index.html", "../routes.py", "%2e%2e/routes.py", "js/", "js//main.js"]
)
def test_nothing_else_is_served(client, path):
    assert (client.get(f"/page/{path}")).status_code == 404


def test_the_page_is_open_where_a_key_is_needed(locked):
    url, _, _ = locked
    assert httpx.get(url).status_code == 200
    assert httpx.get(f"{url}page/js/main.js").status_code == 200
    assert httpx.get(f"{url}info").status_code == 401
    assert httpx.post(f"{url}page/js/main.js").status_code == 401


def test_vendored_files_have_the_digests_that_are_pinned():
    pins = json.loads((FOLDER / "vendored.json").read_text())
    for pin in pins["files"]:
        assert hashlib.sha256((ROOT / pin["path"]).read_bytes()).hexdigest() == pin["sha256"], pin["path"]
    pinned = {pin["path"] for pin in pins["files"]}
    for folder in ("vendor", "fonts"):
        for path in (WEB / folder).iterdir():
            assert path.relative_to(ROOT).as_posix() in pinned, path
    assert all(package["license"] for package in pins["packages"])


def own_files():
    return sorted(path for folder in (WEB, WEB / "js", WEB / "css") for path in folder.glob("*.*"))


@pytest.mark.parametrize("path", own_files(), ids=lambda path: path.name)
def test_own_files_are_short_say_what_they_own_and_name_no_other_host(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    if path.suffix == ".js":
        assert text.startswith("// Owns ")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    if path.suffix == ".css":
        assert text.startswith("/* Owns ")
    # Names of kinds of XML, which nobody asks for anything.
    own = re.sub(r"http://(?:www\.w3\.org/2000/svg|schemas\.openxmlformats\.org/)", "", text)
    assert re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}", own) == []
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
