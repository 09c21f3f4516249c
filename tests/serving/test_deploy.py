"""The files in deploy/ name only options, variables, routes and files that are there."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import yaml
from fastapi.routing import APIRoute

from serving.app import create_app
from serving.commands import serve
from serving.document_routes import _MAX_READERS
from serving.extract import _MAX_MEMORY_BYTES
from serving.operations import METRICS_PATH
from serving.routes import router
from serving.server import CLOSE_GRACE_S
from tests.conftest import ROOT
from tests.serving.support import open_client, with_session
from twohands import __version__

DEPLOY = ROOT / "deploy"
if not DEPLOY.is_dir():
    pytest.skip("deploy/ is no part of this folder", allow_module_level=True)

FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.parent != DEPLOY / "secrets")
# Options of pip, useradd, docker, kubectl, systemctl, promtool, wget and `twohands keys`; of Prometheus up to the dot.
OF_OTHERS = """
--no-cache-dir --disable-pip-version-check --system --uid --home-dir --shell --from --interval --timeout --start-period
--retries --read-only --tmpfs --stop-timeout --from-file --now --file --rm --user --entrypoint --build --detach --spider
--url --config --storage --from-literal --syntax-only --version --admin --dry-run --cap-drop --security-opt --pids-limit
--memory --memory-swap
"""
OPTIONS = {name: option for option in serve.params for name in option.opts}
VARIABLES = {option.envvar for option in serve.params}
MANIFESTS = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text("utf-8"))}
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
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
    (spread,) = POD["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    (way_in,) = MANIFESTS["NetworkPolicy"]["spec"]["ingress"]
    assert [port["port"] for port in way_in["ports"]] == [CONTAINER["ports"][0]["name"]]
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


@pytest.mark.parametrize("path", [*FILES, ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_every_option_that_is_named_exists(path):
    text = path.read_text("utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    others = set(OF_OTHERS.split())
    assert not named - set(OPTIONS) - others


@pytest.mark.issue(4)
@pytest.mark.issue(5)
def test_a_unit_that_is_reloaded_before_it_heeds_the_signal_is_started_again():
    # To systemd the end by each of these is a clean one, after which `Restart=on-failure` starts nothing.
    lines = UNIT.splitlines()
    (sent,) = re.findall(r"^ExecReload=/bin/kill -(\w+) ", UNIT, re.M)
    assert "Restart=always" in lines or f"RestartForceExitStatus=SIG{sent}" in lines


def test_every_service_of_the_composition_is_bounded_and_watched():
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] == service["memswap_limit"], name
        assert service["healthcheck"]["test"][0] == "CMD", name
        # A tag that names a version, so that the same comes up tomorrow.
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        # What is no file is copied into the container, and that fails where its root is read-only.
        for kind in ("configs", "secrets"):
            sources = {each["source"] if isinstance(each, dict) else each for each in service.get(kind, ())}
            assert all(set(COMPOSE[kind][source]) == {"file"} for source in sources), name
    for source in COMPOSE["configs"].values():
        assert (DEPLOY / source["file"]).is_file()
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert all(source["file"].startswith("./secrets/") for source in COMPOSE["secrets"].values())
    assert "/deploy/secrets/" in ignored


@pytest.mark.issue(4)
@pytest.mark.issue(5)
def test_the_container_that_is_run_by_hand_has_the_bounds_of_the_composition():
    told = (DEPLOY / "README.md").read_text("utf-8").replace("\\\n", " ")
    (run,) = re.findall(r"^docker run (--read-only .*?) twohands:", told, re.MULTILINE)
    service = SERVICES["twohands"]
    wanted = [
        ("--tmpfs", *service["tmpfs"]), ("--cap-drop", *service["cap_drop"]), ("-p", *service["ports"]),
        ("--security-opt", *service["security_opt"]), ("--pids-limit", service["pids_limit"]),
        ("--memory", service["mem_limit"]), ("--memory-swap", service["memswap_limit"]),
        ("--stop-timeout", service["stop_grace_period"].rstrip("s")),
    ]  # fmt: skip
    assert [f"{option} {value}" for option, value in wanted if f"{option} {value} " not in run] == []


def test_the_composition_starts_the_service_with_options_that_it_has():
    service = SERVICES["twohands"]
    served = read_served(service["command"])
    (secret,) = service["secrets"]
    assert str(served["api_keys_file"]) == f"/run/secrets/{secret}"
    assert int(service["stop_grace_period"].removesuffix("s")) > served["shutdown_timeout_s"] + CLOSE_GRACE_S
    # As much as in the cluster, where a test says why.
    assert service["mem_limit"].replace("g", "Gi") == CONTAINER["resources"]["limits"]["memory"]
    assert service["image"] == CONTAINER["image"]
    port = re.search(r"TWOHANDS_SERVE_PORT=(\d+)", DOCKERFILE)[1]
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"127.0.0.1:{port}/readyz" in service["healthcheck"]["test"][-1]


@pytest.mark.issue(4)
def test_the_parts_of_the_composition_name_one_another():
    placed = {name: {each["target"] for each in SERVICES[name]["configs"]} for name in ("prometheus", "grafana")}
    assert "--config.file=/etc/prometheus/prometheus.yaml" in SERVICES["prometheus"]["command"]
    prometheus = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text("utf-8"))
    assert {*prometheus["rule_files"], "/etc/prometheus/prometheus.yaml"} == placed["prometheus"]
    (job,) = prometheus["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["twohands:" + SERVICES["twohands"]["ports"][0].rsplit(":", 1)[1]]}]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{SERVICES['prometheus']['secrets'][0]}"
    (source,) = yaml.safe_load((DEPLOY / "grafana/datasource.yaml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:" + SERVICES["prometheus"]["ports"][0].rsplit(":", 1)[1]
    assert source["jsonData"]["timeInterval"] == prometheus["global"]["scrape_interval"]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/dashboards.yaml").read_text("utf-8"))["providers"]
    variables = SERVICES["grafana"]["environment"]
    home = variables["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"] + "/")
    assert home in placed["grafana"]
    assert variables["GF_SECURITY_ADMIN_PASSWORD__FILE"] == f"/run/secrets/{SERVICES['grafana']['secrets'][0]}"


@pytest.mark.issue(4)
def test_the_monitor_finds_the_service_of_the_cluster():
    monitor = yaml.safe_load((DEPLOY / "servicemonitor.yaml").read_text("utf-8"))["spec"]
    service = MANIFESTS["Service"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert endpoint["path"] == METRICS_PATH


@pytest.mark.issue(7)
def test_keys_are_given_to_the_cluster_by_a_line_that_also_replaces_them():
    (volume,) = [each for each in POD["spec"]["volumes"] if each["name"] == "keys"]
    made = f"kubectl create secret generic {volume['secret']['secretName']} --from-file=keys.json"
    for name in ("README.md", "kubernetes.yaml"):
        text = (DEPLOY / name).read_text("utf-8")
        n_made = text.count(f"{made} --dry-run=client -o yaml | kubectl apply -f -\n")
        assert n_made == text.count("create secret generic twohands-keys") == 1, name


@pytest.mark.issue(7)
def test_the_rules_of_the_operator_are_what_it_reads():
    (command,) = re.findall(r"^(\{ printf .*?\}) \| kubectl", (DEPLOY / "README.md").read_text("utf-8"), re.M | re.S)
    made = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rules = yaml.safe_load(made)
    assert rules["kind"] == "PrometheusRule"
    assert rules["metadata"]["labels"]["release"]
    assert rules["spec"] == yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text("utf-8"))


@pytest.mark.issue(7)
@pytest.mark.skipif(shutil.which("make") is None or not (ROOT / "Makefile").is_file(), reason="needs make, a checkout")
def test_make_serves_at_the_address_that_it_is_told_and_not_at_one_of_the_environment(monkeypatch):
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    monkeypatch.setenv("PORT", "1")
    command = ["make", "-n", "-C", str(ROOT), "-o", ".venv-serve/.done", "serve"]
    for arguments, address in (((), "127.0.0.1 --port 8000"), (("HOST=0.0.0.0", "PORT=9000"), "0.0.0.0 --port 9000")):
        told = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout
        assert f"twohands serve --host {address} " in told


@pytest.mark.issue(4)
def test_images_are_of_this_version():
    for path in FILES:
        assert set(re.findall(r"\btwohands:(\d+\.[\w.]+)", path.read_text("utf-8"))) <= {__version__}, path.name


@pytest.mark.issue(7)
def test_an_image_is_built_by_the_name_that_it_is_asked_for():
    """The Dockerfile's own line built `twohands:latest`, which neither Compose nor Kubernetes asks for."""
    built = [name for path in FILES for name in re.findall(r"docker build .* -t (\S+)", path.read_text("utf-8"))]
    assert len(built) >= 3
    assert set(built) == {f"twohands:{__version__}"}


class Died(BaseException):
    """Nothing that a runner expects."""


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_a_service_that_can_answer_nothing_any_more_is_seen_and_started_anew(settings, classifier):
    n_labels = sum(len(head.labels) for head in classifier.taxonomy.heads)
    is_broken = False

    def run_batch(windows):
        if is_broken:
            raise Died
        return np.zeros((len(windows), n_labels), dtype=np.float32)

    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        asked = {CONTAINER["livenessProbe"]["httpGet"]["path"], *re.findall(r"/(?:healthz|readyz)\b", DOCKERFILE)}
        assert {(await client.get(path)).status_code for path in asked} == {200}
        is_broken = True
        assert (await client.post("/v1/classify", json={"inputs": "plan"})).status_code == 503
        assert {(await client.get(path)).status_code for path in asked} == {503}
    # Not while it only drains: from the signal to the end of the process.
    probe = CONTAINER["livenessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > POD["spec"]["terminationGracePeriodSeconds"]
