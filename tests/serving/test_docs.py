"""Runs the examples of docs/serving.md as they stand, against a real server; links and figures that stand twice."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from serving.commands import name_models, serve
from serving.failures import list_codes
from serving.settings import ServeSettings
from tests.conftest import ROOT
from tests.serving.running import run_server
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.errors import InputError
from twohands.hashing import sha256_of_file

DOCUMENT = ROOT / "docs" / "serving.md"
LARGE = ROOT / "models" / "twohands-large"
CASCADE = ROOT / "models" / "twohands-cascade"
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    ROOT / "data" / "README.md",
    ROOT / "deploy" / "README.md",
]
HEADINGS = ["Serving", "Our own client", "Other people's clients", "Under load", "Streams of any length"]
HEADINGS += ["Evidence, abstention, warnings", "Documents", "Corrections"]
NEEDS = {"huggingface_hub": "huggingface_hub", "tritonclient": "tritonclient.http"}


def list_blocks(*headings):
    """The blocks of some sections, in order."""
    for section in re.split(r"^#{1,2} ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if section.partition("\n")[0] in headings:
            yield from re.findall(r"```(bash|python)\n(.*?)```", section, flags=re.DOTALL)


# Sections whose examples need nothing but a running service.
EXAMPLES = list(list_blocks(*HEADINGS))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = build_tiny_model(tmp_path_factory.mktemp("served") / "twohands")
    classifier = Classifier.load(folder, num_threads=1)
    kept_in = f"sqlite:///{folder.parent}/corrections.sqlite3"
    with run_server(ServeSettings(model=str(folder), corrections=kept_in), classifier) as url:
        yield url.removeprefix("http://")
    classifier.close()


def run(language, code, address, **options):
    """Run a block against a service; what it printed."""
    code = code.replace("127.0.0.1:8000", address)
    command = ["bash", "-euo", "pipefail", "-c", code.replace("curl -s", "curl -s --fail-with-body")]
    if language == "python":
        command = [sys.executable, "-c", code]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where `twohands` is
    environment = os.environ | {"PATH": path} | options.pop("variables", {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_examples_are_found():
    assert len(EXAMPLES) >= 8
    assert {language for language, _ in EXAMPLES} == {"bash", "python"}


@pytest.mark.issue(5)
def test_every_route_is_told_of(app):
    """Two were found in the service alone: one of Label Studio's, and one of models by their version."""
    text = DOCUMENT.read_text(encoding="utf-8")
    together = "`/v2/models/NAME/versions/VERSION`, with `/infer` or `/ready` behind it"
    assert together in text
    for path in app.state.methods_by_path.keys() - {"/page/{path:path}"}:
        told = r"[^/\s\"'`]+".join(map(re.escape, re.split(r"\{[^}]*\}", path)))
        is_told = re.search(rf"{told}(?![\w/-])", text) is not None
        assert is_told or path == "/v2/models/{model}/versions/{version}/infer", path


@pytest.mark.parametrize(("language", "code"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_runs(address, language, code, monkeypatch):
    for package, module in NEEDS.items():
        if package in code:
            pytest.importorskip(module, reason="pip install twohands[clients]")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")  # the client would not even reach this machine
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    assert '"error"' not in run(language, code, address)


def starts_a_service(code):
    return re.search(r"^(\w+=\S+ )?twohands serve", code, flags=re.MULTILINE) is not None


def test_models_are_exchanged_as_the_document_says(tmp_path):
    folder = build_tiny_model(tmp_path / "twohands", version="1")
    other = build_tiny_model(tmp_path / "twohands-2", version="2")
    settings = ServeSettings(
        model=str(folder), other_models=(f"next={other}",), num_threads=1, shadow=str(other), shadow_share=1.0
    )
    blocks = [code for _, code in list_blocks("Models at run time") if not starts_a_service(code)]
    asked, exchanged, shadowed = blocks
    classifier = Classifier.load(folder, num_threads=1)
    with run_server(settings, classifier) as url:
        address = url.removeprefix("http://")
        assert '"version":"2"' in run("bash", asked, address)
        build_tiny_model(folder, version="3")
        shown = run("bash", exchanged, address)
        assert [word in shown for word in ('"reloaded"', '"rolled_back"')] == [True, True]
        assert "twohands_shadow_compared_total" in run("bash", shadowed, address)
    classifier.close()


def test_keys_are_made_used_and_revoked_as_the_document_says(tmp_path, tiny_model):
    made, used, headed = [code for _, code in list_blocks("Keys and limits") if not starts_a_service(code)]
    list_id = "twohands keys list --file keys.json | awk '/analyst/ {print $1}'"
    *_, key, listed = run("bash", f"{made}\necho $KEY\n{list_id}", "", cwd=tmp_path).split()
    settings = ServeSettings(model=str(tiny_model), num_threads=1, api_keys_file=tmp_path / "keys.json")
    classifier = Classifier.load(tiny_model, num_threads=1)
    with run_server(settings, classifier) as url:
        options = {"cwd": tmp_path, "variables": {"KEY": key}}
        shown = run("bash", used.replace("1f3a9c0e", listed), url.removeprefix("http://"), **options)
        assert '"predictions"' in shown
        assert "200 OK" in run("bash", headed, url.removeprefix("http://"))
    classifier.close()
    assert "analyst" not in run("bash", "twohands keys list --file keys.json", "", cwd=tmp_path)


def test_metrics_are_found_as_the_document_says(address):
    run("bash", "curl -s http://127.0.0.1:8000/info", address)  # a series of requests begins with the first
    shown = [run("bash", code, address) for _, code in list_blocks("Metrics, logs and traces") if "curl" in code]
    assert [("twohands_requests_total" in each, "twohands_model_info" in each) for each in shown] == [(True, True)]


@pytest.mark.issue(4)
def test_every_metric_of_ours_is_in_the_document(address):
    shown = run("bash", "curl -s http://127.0.0.1:8000/metrics", address)
    names = re.findall(r"^# TYPE (twohands_\w+)", shown, flags=re.MULTILINE)
    assert len(names) > 20
    assert not [name for name in names if name not in DOCUMENT.read_text(encoding="utf-8")]


@pytest.mark.issue(4)
def test_every_code_of_a_refusal_is_in_the_document():
    document = DOCUMENT.read_text(encoding="utf-8")
    codes = set(list_codes(range(400, 600))) - {InputError.code}  # of which only kinds are raised
    assert len(codes) > 20
    assert not [code for code in sorted(codes) if f"`{code}`" not in document]


def list_anchors(text):
    """What GitHub makes of headings; code blocks are left out."""
    headings = re.findall(r"^#{1,6} (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        linked = document.parent / path if path else document
        # The source distribution carries the default alone.
        if ("twohands-large" in path or CASCADE.name in path) and not LARGE.exists():
            continue
        assert linked.exists(), target
        assert not anchor or anchor in list_anchors(linked.read_text(encoding="utf-8")), target


@pytest.mark.issue(6)
def test_the_readme_has_the_released_models_own_figures():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("twohands", *(path.name for path in (LARGE, CASCADE) if path.exists())):
        manifest, metrics = (
            json.loads((ROOT / "models" / name / f"{file}.json").read_text(encoding="utf-8"))
            for file in ("manifest", "metrics")
        )
        (row,) = re.findall(rf"^\| `{name}` {re.escape(manifest['version'])}.*$", readme, flags=re.MULTILINE)
        for head in ("stance", "topics"):
            figure = metrics["test"][head]["macro_f1"]
            value, low, high = (f"{figure[key]:.3f}".lstrip("0") for key in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in row
    assert f'"sha256": "{sha256_of_file(ROOT / "models" / "twohands" / "manifest.json")}"' in readme


@pytest.mark.issue(7)
def test_the_readme_opens_with_the_scores_of_its_own_example():
    """The picture at the top kept the scores of the release before, beside the answer of this one."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^ .* ([a-z-]+) +[█▏▎▍▌▋▊▉]+ +(\d\.\d\d)$", readme, flags=re.MULTILINE))
    (answer,) = json.loads(re.search(r"```json\n(.*?)```", readme, flags=re.DOTALL)[1])["predictions"]
    assert shown == {
        label: f"{score:.2f}" for head in ("stance", "topics") for label, score in answer[head]["scores"].items()
    }


@pytest.mark.issue(7)
def test_the_readme_counts_the_rows_that_the_default_learnt_from():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    manifest = json.loads((ROOT / "models" / "twohands" / "manifest.json").read_text(encoding="utf-8"))
    files = manifest["training_data"]["files"]
    rows = {item["name"]: item["n_rows"] for item in files if item["split"] == "train"}
    written = sum(count for name, count in rows.items() if name.startswith("data/starter/"))
    assert f"Of the {sum(rows.values()):,} rows that the default learnt from, {written:,} were written" in readme


COMMANDS = re.findall(
    r"^(?:\w+=\S+ )?twohands serve([^\n]*)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE
)


def test_commands_are_found():
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("line", COMMANDS)
def test_options_of_a_command_are_ones_that_it_has(line):
    arguments = shlex.split(line.partition(" 2> ")[0], comments=True)
    with serve.make_context("serve", arguments) as context:
        ServeSettings(**name_models(context.params))


@pytest.mark.issue(4)
def test_the_proxy_that_is_shown_bounds_no_body_itself():
    """Its own bound, 1 MB, cut streams and refused half of what the service takes."""
    (shown,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert re.search(r"^ *client_max_body_size 0;", shown, re.MULTILINE)
    settings = ServeSettings()
    patience_s = int(re.search(r"^ *proxy_read_timeout (\d+)s;", shown, re.MULTILINE)[1])
    assert patience_s > 2 * settings.document_timeout_s + settings.request_timeout_s
