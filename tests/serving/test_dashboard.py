"""The dashboard and the alerts of deploy/ ask only for what the service tells, and each panel says how to read it."""

import json
import re

import pytest
import yaml

from serving.dialects import tell_failure
from tests.conftest import ROOT
from tests.serving.promql import OF_TARGETS, check_query, read_told

DEPLOY = ROOT / "deploy"
if not DEPLOY.is_dir():
    pytest.skip("deploy/ is no part of this folder", allow_module_level=True)

DASHBOARD = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
(GROUP,) = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text("utf-8"))["groups"]
# What a reader chose, of the model that the tests serve.
CHOSEN = {"instance": "a:8000", "model": "tiny", "head": "stance", "route": "/v1/classify", "target": "0.25"}
CHOSEN["__rate_interval"] = "1m"


def choose(query):
    return re.sub(r"\$(\w+)", lambda found: CHOSEN[found[1]], query)


def strings_of(value):
    """All strings of a JSON value."""
    if isinstance(value, str):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for child in children for text in strings_of(child)]


@pytest.fixture
async def told(app, client):
    await client.post("/v1/classify", json={"inputs": ["plan", ""]})
    await client.get("/readyz")
    # What takes a shadow, two hundred paragraphs and a cascade to tell.
    app.state.metrics.drift.labels(model="tiny", figure="labels:stance").set(0)
    for counter in (app.state.metrics.shadow_compared, app.state.metrics.shadow_disagreed):
        counter.labels("stance", "shadow")
    app.state.metrics.expect_asked("tiny")
    return read_told((await client.get("/metrics")).text)


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_the_alerts_ask_for_metrics_labels_and_values_that_are_told(told):
    for rule in GROUP["rules"]:
        assert set(rule["annotations"]) == {"summary", "action"}
        # The library reads figures of the process on Linux alone.
        if "process_cpu_seconds_total" in told or "process_" not in rule["expr"]:
            assert check_query(rule["expr"], told), rule["alert"]


@pytest.mark.issue(7)
@pytest.mark.anyio
async def test_the_bounds_of_latency_that_are_offered_are_written_as_they_are_told(told):
    head = (DEPLOY / "prometheus-rules.yaml").read_text("utf-8").partition("groups:")[0]
    offered = set(re.findall(r'(?<!=)"([\d.]+)"', head))
    assert offered
    assert offered <= told["twohands_request_duration_seconds_bucket"]["le"]


@pytest.mark.issue(7)
@pytest.mark.parametrize("path", ["/v1/classify", "/predict", "/", "/models/tiny", "/v2/models/tiny/infer"])
def test_a_fault_is_seen_by_whatever_protocol_it_is_told(path):
    status, _ = tell_failure(path, status=500, code="internal_error", message="it failed", request_id="a")
    (rule,) = [rule for rule in GROUP["rules"] if rule["alert"] == "TwohandsFaults"]
    (panel,) = [panel for panel in PANELS if panel["title"] == "Faults"]
    for query in (rule["expr"], panel["targets"][0]["expr"]):
        (counted,) = re.findall(r'\bcode=~"([^"]+)"', query)
        assert re.fullmatch(counted, str(status)), query
    for text in (rule["annotations"]["action"], (ROOT / "docs" / "serving.md").read_text("utf-8")):
        assert "jq 'select(.status >= 500 or .status == 424)'" in text


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_the_alerts_name_routes_that_are_there(client):
    paths = (await client.get("/openapi.json")).json()["paths"]
    routes = {path.replace("{name}", "NAME") for path in paths}
    named = {found for rule in GROUP["rules"] for found in re.findall(r"POST (/[\w/]+)", rule["annotations"]["action"])}
    assert named
    assert named <= routes


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_the_panels_ask_for_metrics_labels_and_values_that_are_told(told):
    if "process_cpu_seconds_total" not in told:
        pytest.skip("the library reads figures of the process on Linux alone")
    asked = set()
    for panel in PANELS:
        for target in panel["targets"]:
            query = choose(target["expr"])
            names = check_query(query, told)
            # What Prometheus tells itself, and the target's line.
            assert names or re.search(r"\b(up\{|ALERTS\{|vector\(0\.25\))", query), panel["title"]
            asked |= set(names)
            grouped = {label for found in re.findall(r"by \(([^)]*)\)", query) for label in found.split(", ")}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= grouped, panel["title"]
    # What an alert asks for can be looked at, but for that of reloads by its own panel.
    assert {name for rule in GROUP["rules"] for name in check_query(rule["expr"], told)} <= asked


@pytest.mark.issue(5)
def test_what_is_joined_is_one_series_of_each_group():
    """A model has several series while workers exchange it, and a join of many with many fails as a whole."""
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    queries += [rule["expr"] for rule in GROUP["rules"]]
    n_joins = 0
    for query in queries:
        joins = re.findall(
            r"\bon \(([^)]*)\) group_(?:left|right) \([^)]*\) (?:(?:sum|count|max|min) by \(([^)]*)\))?", query
        )
        n_joins += len(joins)
        assert all(joined == grouped for joined, grouped in joins), query
    assert n_joins >= 3


@pytest.mark.issue(4)
@pytest.mark.anyio
async def test_the_variables_are_of_metrics_and_labels_that_are_told(told):
    used = {found for text in strings_of(DASHBOARD) for found in re.findall(r"\$\{?(\w+)", text)}
    assert used - {"__rate_interval", "__all"} == set(VARIABLES)
    for variable in VARIABLES.values():
        if variable["type"] == "query":
            query = choose(variable["query"]["query"])
            metric, label = re.fullmatch(r"label_values\(([^{},]+(?:\{.*\})?), (\w+)\)", query).groups()
            name = metric.partition("{")[0]
            assert label in told[name] or label in OF_TARGETS, query
            assert all(each in OF_TARGETS | set(told[name]) for each in re.findall(r"(\w+)=~", metric)), query
    bounds = told["twohands_request_duration_seconds_bucket"]["le"]
    target = VARIABLES["target"]
    assert {option["value"] for option in target["options"]} == set(target["query"].split(",")) <= bounds
    # The one shown at first is the alert's.
    (slow,) = [rule["expr"] for rule in GROUP["rules"] if rule["alert"] == "TwohandsSlow"]
    assert f'route="{VARIABLES["route"]["current"]["value"]}", le="{target["current"]["value"]}"' in slow


@pytest.mark.issue(4)
@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_panel_has_a_unit_and_says_how_it_is_read(panel):
    assert re.fullmatch(r"[A-Z0-9].{40,}\.", panel["description"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


@pytest.mark.issue(4)
def test_no_two_panels_share_an_id_or_a_place():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken = set()
    for panel in DASHBOARD["panels"]:
        x, y, width, height = (panel["gridPos"][key] for key in "xywh")
        cells = {(column, line) for column in range(x, x + width) for line in range(y, y + height)}
        assert x + width <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
