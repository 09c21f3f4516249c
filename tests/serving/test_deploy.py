"""The files in deploy/ name only options, variables, routes and files that are there."""

import re

import pytest
import yaml
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from serving.commands import serve
from serving.document_routes import _MAX_READERS
from serving.extract import _MAX_MEMORY_BYTES
from serving.routes import router
from serving.server import CLOSE_GRACE_S
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
if not DEPLOY.is_dir():
    pytest.skip("deploy/ is no part of this folder", allow_module_level=True)

# Options of pip, useradd, docker, kubectl, systemctl and `twohands keys`.
OF_OTHERS = """
--no-cache-dir --disable-pip-version-check --system --uid --home-dir --shell --from --interval --timeout --start-period
--retries --read-only --tmpfs --stop-timeout --from-file --now --file --rm --user --entrypoint
"""
OPTIONS = {name: option for option in serve.params for name in option.opts}
VARIABLES = {option.envvar for option in serve.params}
MANIFESTS = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
UNIT = (DEPLOY / "twohands.service").read_text("utf-8")


def read_served(words):
    """What `twohands serve` makes of words of a command line; fails on an option or value that it does not take."""
    return serve.make_context("serve", list(words)).params


def test_the_cluster_starts_the_service_with_options_that_it_has(monkeypatch):
    for variable in CONTAINER["env"]:
        assert variable["name"] in VARIABLES
        monkeypatch.setenv(variable["name"], variable["value"])
    served = read_served(CONTAINER["args"])
    (port,) = CONTAINER["ports"]
    assert (served["host"], served["port"]) == ("0.0.0.0", port["containerPort"])  # noqa: S104
    (mount,) = [mount for mount in CONTAINER["volumeMounts"] if mount["name"] == "keys"]
    assert str(served["api_keys_file"]) == f"{mount['mountPath']}/keys.json"
    # Who kills must wait for the drain, the shutdown and what closing takes.
    needed_s = served["drain_delay_s"] + served["shutdown_timeout_s"] + CLOSE_GRACE_S
    assert POD["spec"]["terminationGracePeriodSeconds"] > needed_s
    ready = CONTAINER["readinessProbe"]
    assert served["drain_delay_s"] > ready["periodSeconds"] * ready["failureThreshold"]


@pytest.mark.issue(4)
def test_the_container_survives_documents_that_take_all_the_memory_they_may():
    asked, most = (CONTAINER["resources"][kind]["memory"] for kind in ("requests", "limits"))
    requested_bytes, limit_bytes = (int(each[:-2]) * {"Mi": 2**20, "Gi": 2**30}[each[-2:]] for each in (asked, most))
    # Twice the service itself: a model that takes the place of another is loaded while that serves.
    assert limit_bytes > 2 * requested_bytes + _MAX_READERS * _MAX_MEMORY_BYTES


def test_the_probes_ask_routes_that_are_there_and_need_no_key():
    from serving.access import is_open

    routes = {route.path for route in router.routes if isinstance(route, APIRoute)}
    asked = {CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    asked |= set(re.findall(r"/(?:healthz|readyz)\b", DOCKERFILE))
    assert asked <= {path for path in routes if is_open("GET", path)}
    assert {CONTAINER[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")} == {
        CONTAINER["ports"][0]["name"]
    }


def test_the_parts_of_the_cluster_name_one_another():
    labels = POD["metadata"]["labels"]
    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = MANIFESTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", MANIFESTS["Deployment"]["metadata"]["name"])
    assert MANIFESTS["Service"]["spec"]["ports"][0]["targetPort"] == CONTAINER["ports"][0]["name"]
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == {each["name"] for each in POD["spec"]["volumes"]}


def test_the_image_sets_variables_that_are_read_and_has_what_it_copies():
    assert set(re.findall(r"\bTWOHANDS_\w+", DOCKERFILE)) <= VARIABLES
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    assert not [name for name in kept if not (ROOT / name).exists()]
    # What the wheel is built of, or `pip install .` in the image fails.
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    carried = re.findall(r'^"([^"]+)" = "twohands/released/', text, re.MULTILINE)
    assert carried
    assert set(carried) <= set(kept)


def test_the_unit_starts_the_service_with_options_that_it_has():
    command = re.search(r"^ExecStart=\S+/twohands serve (.+)$", UNIT, re.MULTILINE)[1]
    served = read_served(command.split())
    timeout_s = int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1])
    assert timeout_s > served["shutdown_timeout_s"] + CLOSE_GRACE_S
    assert served["api_keys_file"]


@pytest.mark.parametrize("name", ["README.md", "Dockerfile", "kubernetes.yaml", "twohands.service"])
def test_every_option_that_is_named_exists(name):
    text = (DEPLOY / name).read_text("utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    others = set(OF_OTHERS.split())
    assert not named - set(OPTIONS) - others


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_the_alerts_ask_for_metrics_labels_and_values_that_are_told(client):
    await client.post("/v1/classify", json={"inputs": "plan"})
    told = {}  # name -> label -> values
    for family in text_string_to_metric_families((await client.get("/metrics")).text):
        told[family.name] = {}  # also without a sample yet, such as drift
        for sample in family.samples:
            labels = told.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    rules = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text("utf-8"))["groups"][0]["rules"]
    asked = [found for rule in rules for found in re.findall(r"(twohands_\w+)(?:\{(.*?)\}[\[)])?", rule["expr"])]
    assert len(asked) >= len(rules)
    for name, matchers in asked:
        assert name in told, name
        for label, operator, value in re.findall(r'(\w+)(=~|!~|=)"(.*?)"', matchers):
            assert label in told[name], f"{name} has no {label}"
            if operator == "=" and label != "route":
                assert value in told[name][label], f"{label} of {name} is never {value}"
            elif operator == "=~" and label != "code":
                assert set(value.split("|")) <= told[name][label], f"{label} of {name} is never one of {value}"
    for rule in rules:
        assert set(rule["annotations"]) == {"summary", "action"}
