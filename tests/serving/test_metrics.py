import asyncio
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.app import create_app
from serving.drift import Drift
from serving.keys import make_key, write_keys
from serving.logs import JsonFormatter, TextFormatter, set_up_logs
from serving.metrics import Metrics
from serving.stability import stability_index
from serving.tracing import OtelSpans
from tests.serving.processes import ask, start_serve
from tests.serving.support import open_client, with_session
from twohands.reference import measure_reference, read_reference

pytestmark = pytest.mark.anyio

TELLS_OF_PROCESSES = Path("/proc/self/stat").exists()


async def read_metrics(client, **named):
    response = await client.get("/metrics", **named)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((f"twohands_{name}", tuple(sorted(labels.items()))), 0)


async def test_requests_and_answers_are_counted_by_the_agreed_names(client, classifier):
    await client.post("/v1/classify", json={"inputs": ["plan", "market " * 60, "zzz", ""]})
    await client.post("/v1/classify", json={"inputs": []})
    await client.get("/a/path/with/a/text")
    samples = await read_metrics(client)
    assert value(samples, "requests_total", route="/v1/classify", code="200") == 1
    assert value(samples, "requests_total", route="/v1/classify", code="422") == 1
    assert value(samples, "requests_total", route="(none)", code="404") == 1
    assert value(samples, "request_duration_seconds_count", route="/v1/classify") == 2
    assert (
        value(samples, "predictions_total", head="stance", label="state-led", model="tiny") == 2
    )  # no word known: the first
    assert value(samples, "predictions_total", head="stance", label="market-led", model="tiny") == 1
    assert value(samples, "confidence_count", head="stance", model="tiny") == 3
    assert value(samples, "abstained_total", head="stance", model="tiny") == 1
    assert value(samples, "input_tokens_sum", model="tiny") == 62
    assert value(samples, "unknown_tokens_total", model="tiny") == 1
    assert value(samples, "truncated_inputs_total", model="tiny") == 1
    assert value(samples, "windows_total", model="tiny") == 5
    assert value(samples, "failed_inputs_total", code="empty_paragraph") == 1
    for name in ("queue_wait_seconds", "tokenize_seconds", "inference_seconds"):
        assert value(samples, f"{name}_count") == 1
    assert value(samples, "batch_size_sum") >= 5
    assert value(samples, "batch_tokens_count") >= 1
    assert 0 < value(samples, "model_cpu_seconds_total") < 10
    assert ("twohands_queue_depth", ()) in samples
    identity = classifier.identity
    info = {"model": "tiny", "version": identity["version"], "sha256": identity["sha256"], "quantized": "false"}
    assert value(samples, "model_info", **info) == 1
    # The library reads them where the system tells: on Linux.
    assert any(name.startswith("process_") for name, _ in samples) == TELLS_OF_PROCESSES


@pytest.mark.issue(5)
async def test_runs_that_warm_a_model_up_are_counted_for_nobody(client):
    names = ("batch_size_count", "batch_tokens_count", "model_cpu_seconds_total")
    before = await read_metrics(client)
    assert [value(before, name) for name in names] == [0, 0, 0]
    assert (await client.post("/admin/models/tiny/reload", headers={"host": "localhost"})).status_code == 200
    await client.post("/v1/classify", json={"inputs": ["the plan", "the market"]})
    assert [value(await read_metrics(client), name) for name in names[:2]] == [2, 2]


async def test_a_request_that_no_model_ran_for_tells_nothing_of_how_long_models_run(client):
    before = await read_metrics(client)
    await client.post("/v1/classify", json={"inputs": ["", "  "]})
    after = await read_metrics(client)
    counted = ("queue_wait_seconds", "inference_seconds", "tokenize_seconds")
    more = [value(after, f"{name}_count") - value(before, f"{name}_count") for name in counted]
    assert more == [1, 0, 1], "it waited to be read, too"


async def test_the_models_cpu_is_what_its_thread_computes_and_not_what_it_waits_for(settings, classifier):
    is_warm, n_runs = False, 2

    def wait_and_fail(windows):
        if not is_warm:
            return np.zeros((len(windows), 7), dtype=np.float32)
        time.sleep(0.2)
        raise RuntimeError("the model broke")

    async with open_client(create_app(settings, with_session(classifier, wait_and_fail, num_threads=1))) as client:
        is_warm = True
        before = await read_metrics(client)
        for _ in range(n_runs):
            await client.post("/v1/classify", json={"inputs": ["plan"]})
        after = await read_metrics(client)
    runs, spent_s = (
        value(after, name) - value(before, name) for name in ("batch_size_count", "model_cpu_seconds_total")
    )
    assert runs == n_runs, "a run that fails is counted, too"
    assert 0 < spent_s < 0.2


async def test_dashboards_of_text_embeddings_inference_find_their_names(client):
    await client.post("/predict", json={"inputs": "plan of the market"})
    await client.post("/predict", json={"inputs": ["plan", "market"]})
    await client.post("/predict", json={"inputs": [7]})
    shown = (await client.get("/metrics")).text  # the library's parser would add `_total` to TEI's counters
    for line in (
        'te_request_count{method="single"} 1.0',
        'te_request_success{method="batch"} 1.0',
        'te_request_failure{err="validation"} 1.0',
        "te_predict_count 4.0",
        "te_predict_success 3.0",
    ):
        assert f"\n{line}\n" in shown
    samples = {(name, labels): n for (name, labels), n in (await read_metrics(client)).items() if name[:3] == "te_"}
    for name in ("duration", "tokenization_duration", "queue_duration", "inference_duration"):
        assert samples[f"te_request_{name}_count", ()] == samples[f"te_predict_{name}_count", ()] == 2
    assert samples["te_request_input_length_sum", ()] == 6
    assert samples["te_queue_size", ()] == 0
    assert samples["te_batch_next_size_count", ()] == samples["te_batch_next_tokens_count", ()] >= 3
    assert samples["te_batch_next_tokens_sum", ()] >= 6
    edges = sorted(float(labels[0][1]) for name, labels in samples if name == "te_request_duration_bucket")
    assert edges[0] == pytest.approx(1.5e-5)
    assert len(edges) == 36


@pytest.mark.issue(7)
async def test_tei_counts_a_flat_list_that_is_one_pair_as_one_request_from_its_beginning_to_its_end(
    settings, classifier
):
    app = create_app(settings.model_copy(update={"flat_list": "pair"}), classifier)
    async with open_client(app) as client:
        for inputs, status in ((["plan"], 200), (["plan", "market"], 422), ([["plan"], ["market"]], 200), ([], 400)):
            assert (await client.post("/predict", json={"inputs": inputs})).status_code == status
        shown = app.state.metrics.show().decode()
    for line in (
        'te_request_count{method="single"} 2.0',
        'te_request_success{method="single"} 1.0',
        'te_request_count{method="batch"} 2.0',
        'te_request_success{method="batch"} 1.0',
    ):
        assert f"\n{line}\n" in shown


async def test_tei_counts_requests_as_they_come_and_calls_only_faults_of_the_model_inference(settings, classifier):
    def fail(windows):
        return np.full((len(windows), 7), np.nan if calls else 0, dtype=np.float32)

    calls = []
    app = create_app(settings, with_session(classifier, fail))
    async with open_client(app) as client:
        await client.get("/predict")
        await client.delete("/predict")
        await client.post("/predict", json={"inputs": ""})
        await client.post("/predict", content="plan", headers={"content-type": "text/plain"})
        await client.post("/predict", json={"inputs": ["plan"] * 9})
        shown = app.state.metrics.show().decode()
        for line in (
            'te_request_count{method="single"} 1.0',
            'te_request_count{method="batch"} 1.0',
            'te_request_failure{err="validation"} 1.0',  # no text; what is no JSON was no request
            'te_request_failure{err="batch_size"} 1.0',
            "te_predict_count 1.0",  # as there: the empty one, none of those that were too many
            "te_predict_success 0.0",
        ):
            assert f"\n{line}\n" in shown
        assert '\nte_request_failure{err="inference"} 0.0\n' in shown
        assert re.findall(r"^te_request_success\{.*\} (\S+)$", shown, re.MULTILINE) == ["0.0", "0.0"]
        calls.append(1)
        assert (await client.post("/predict", json={"inputs": "plan"})).status_code == 424
        app.state.models.abandon()
        assert (await client.post("/predict", json={"inputs": "plan"})).status_code == 503  # a stop is no fault
    shown = app.state.metrics.show().decode()
    assert '\nte_request_failure{err="inference"} 1.0\n' in shown
    assert '\nte_request_failure{err="dropped"} 1.0\n' in shown


@pytest.mark.issue(4)
async def test_tei_counts_the_end_of_each_request_that_it_counted_and_of_no_other(client, app):
    text, hub = {"inputs": "plan"}, {"inputs": "plan", "parameters": {}}
    wrong = {"inputs": [["plan", "market"]]}
    for path in ("/", "/predict", "/invocations", "/models/tiny", "/models/tiny/topics"):
        for body in (text, hub, wrong, wrong | {"parameters": {}}, {"inputs": 7}, {}):
            await client.post(path, json=body)
        await client.post(path, content=b"{", headers={"content-type": "application/json"})
    await client.post("/models/absent", json=text)
    shown = app.state.metrics.show().decode()
    totals = dict.fromkeys(("count", "success", "failure"), 0.0)
    for name, n in re.findall(r"^te_request_(count|success|failure)\{.*\} (\S+)$", shown, flags=re.MULTILINE):
        totals[name] += float(n)
    assert totals == {"count": 11, "success": 5, "failure": 6}


async def test_what_is_refused_before_it_has_a_route_counts_under_the_route_of_its_path(settings, classifier, tmp_path):
    key, kept = make_key(name="a", requests_per_minute=4)
    write_keys(tmp_path / "keys.json", [kept])
    app = create_app(settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"}), classifier)
    asked = (
        ("POST", "/predict", {}, 401),
        ("HEAD", "/v1/models", {}, 401),
        ("POST", "/v2/models/Zanzibar/infer", {}, 401),
        ("GET", "/v1/corrections/export", {}, 401),
        ("GET", "/Zanzibar", {}, 401),
        ("POST", "/v1/classify", {"origin": "https://elsewhere.example"}, 403),
        ("POST", "/admin/models/Zanzibar/reload", {"x-api-key": key}, 403),
        ("POST", "/v1/classify", {"x-api-key": key, "content-length": "9999"}, 413),
        ("POST", "/v1/classify", {"x-api-key": key, "content-encoding": "gzip"}, 415),
        ("POST", "/v1/classify", {"x-api-key": key, "x-long": "a" * 99_999}, 431),
        ("POST", "/predict", {"x-api-key": key}, 422),
        ("POST", "/predict", {"x-api-key": key}, 429),
    )
    async with open_client(app) as client:
        for method, path, headers, status in asked:
            found = await client.request(method, path, json={}, headers=headers)
            assert found.status_code == status, (method, path)
    shown = app.state.metrics.show().decode()
    counted = dict(re.findall(r'^twohands_requests_total{code="(\d+)",route="/(?:v1/classify)"} (\S+)$', shown, re.M))
    assert counted == {"403": "1.0", "413": "1.0", "415": "1.0", "431": "1.0"}
    for route, code in (
        ("/predict", 401),
        ("/v1/models", 401),
        ("/v2/models/{model}/infer", 401),
        ("/v1/corrections/export", 401),
        ("/admin/models/{name}/reload", 403),
        ("/predict", 429),
        ("(none)", 401),
    ):
        assert f'\ntwohands_requests_total{{code="{code}",route="{route}"}} 1.0\n' in shown
    failures = re.findall(r"^te_request_failure\{.*\} (\S+)$", shown, re.MULTILINE)
    assert set(failures) == {"0.0"}  # as none of them was counted
    assert "Zanzibar" not in shown


async def test_names_and_types_keep_the_rules_of_prometheus(client):
    await client.post("/v1/classify", json={"inputs": ["plan", ""]})
    await client.post("/predict", json={"inputs": "plan"})
    shown = (await client.get("/metrics")).text
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", shown, flags=re.MULTILINE))
    ours = {name: kind for name, kind in types.items() if name.startswith("twohands_")}
    assert len(ours) > 25
    for name, kind in ours.items():
        assert (kind == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|kb|kilobytes|percent|count|sum|bucket)(_total)?$", name), name
        assert re.fullmatch(r"[a-z_]+", name)
    # The counters of text-embeddings-inference keep its names, and are counters all the same.
    assert [name for name, kind in types.items() if name.startswith("te_") and kind == "counter"] == [
        "te_request_count", "te_request_success", "te_request_failure", "te_predict_count", "te_predict_success",
    ]  # fmt: skip
    if promtool := shutil.which("promtool"):
        checked = await asyncio.to_thread(
            subprocess.run, [promtool, "check", "metrics"], input=shown, capture_output=True, text=True, check=False
        )
        assert all(line.startswith("te_") for line in (checked.stdout + checked.stderr).splitlines() if line)


@pytest.mark.issue(4)
async def test_what_can_be_counted_is_shown_at_zero_from_the_start(client):
    samples = await read_metrics(client)
    for outcome in ("reloaded", "unchanged", "refused", "rolled_back"):
        assert samples["twohands_model_reloads_total", (("outcome", outcome),)] == 0
    for label in ("state-led", "market-led", "neutral"):
        labels = (("head", "stance"), ("label", label), ("model", "tiny"))
        assert samples["twohands_predictions_total", labels] == 0
    refused = {dict(labels)["reason"]: n for (name, labels), n in samples.items() if name == "twohands_rejected_total"}
    assert set(refused.values()) == {0}
    assert set(refused) == {
        "body_timeout", "body_too_large", "corrections_full", "corrections_unavailable", "deadline_exceeded",
        "engine_stopped", "forbidden", "headers_too_large", "not_ready", "overloaded", "rate_limited", "reader_failed",
        "too_many_connections", "unauthorized", "unsupported_media_type",
    }  # fmt: skip
    for name, label, values in (
        ("count", "method", ("single", "batch")),
        ("success", "method", ("single", "batch")),
        ("failure", "err", ("overloaded", "inference", "validation", "batch_size", "dropped")),
    ):
        shown = {labels for found, labels in samples if found.removesuffix("_total") == f"te_request_{name}"}
        assert shown == {((label, each),) for each in values}
        assert all(n == 0 for (found, _), n in samples.items() if found.removesuffix("_total") == f"te_request_{name}")
    shown = [dict(labels)["head"] for name, labels in samples if name == "twohands_abstained_total"]
    assert shown == ["stance"]  # only one-of heads abstain
    assert not [name for name, _ in samples if name.endswith("_created")]


async def test_refusals_are_counted_by_their_reason(settings, classifier, tmp_path):
    write_keys(tmp_path / "keys.json", [make_key(name="a")[1]])
    key, kept = make_key(name="b", requests_per_minute=1)
    write_keys(tmp_path / "keys.json", [kept])
    guarded = settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    app = create_app(guarded, classifier)
    async with open_client(app) as client:
        await client.post("/v1/classify", json={"inputs": "plan"})
        await client.post("/v1/classify", json={"inputs": "plan"}, headers={"x-api-key": key})
        await client.post("/v1/classify", json={"inputs": "plan"}, headers={"x-api-key": key})
    shown = app.state.metrics.show().decode()
    assert 'twohands_rejected_total{reason="unauthorized"} 1.0' in shown
    assert 'twohands_rejected_total{reason="rate_limited"} 1.0' in shown


async def test_no_text_and_no_key_is_in_any_log_or_label(settings, classifier, tmp_path, caplog):
    key, kept = make_key(name="a")
    write_keys(tmp_path / "keys.json", [kept])
    guarded = settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    caplog.set_level(logging.DEBUG)
    secret = "Zanzibar"
    app = create_app(guarded, classifier)
    async with open_client(app) as client:
        headers = {"authorization": f"Bearer {key}"}
        await client.post("/v1/classify", json={"inputs": [secret, "", 7]}, headers=headers)
        await client.post("/v1/classify", json={secret: secret}, headers=headers)
        await client.post("/v1/documents", content=secret, headers=headers | {"content-type": "text/plain"})
        await client.get(f"/{secret}?{secret}={key}", headers=headers)
        await client.post("/v1/classify", json={"inputs": secret}, headers={"x-api-key": secret})
        await client.request(secret.upper(), f"/v1/{secret}", headers=headers)
    written = "\n".join(
        formatter.format(record) for record in caplog.records for formatter in (JsonFormatter(), TextFormatter())
        if record.name.startswith("serving")
    )  # fmt: skip
    assert kept.id in written
    for forbidden in (secret, key, kept.sha256):
        assert forbidden.lower() not in written.lower()
        assert forbidden.lower() not in app.state.metrics.show().decode().lower()


async def test_each_request_is_one_json_line_with_its_id(client, caplog):
    caplog.set_level(logging.INFO, "serving.access")
    await client.post("/v1/classify", json={"inputs": "plan"}, headers={"x-request-id": "job-7"})
    (record,) = [record for record in caplog.records if record.name == "serving.access"]
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert {
        "request_id": "job-7",
        "route": "/v1/classify",
        "status": 200,
        "method": "POST",
        "level": "info",
    }.items() <= (entry.items())
    assert entry["duration_ms"] > 0
    assert entry["n_bytes_out"] > entry["n_bytes_in"] > 0


@pytest.mark.parametrize(
    "path",
    [
        "/healthz", "/readyz", "/health", "/ping", "/metrics", "/v2/health/live", "/v2/health/ready",
        "/v2/models/tiny/ready", "/v2/models/tiny/versions/0.0.1/ready", "/label-studio", "/label-studio/health",
    ],
)  # fmt: skip
async def test_probes_that_find_all_well_are_told_at_debug_alone(client, caplog, path):
    caplog.set_level(logging.DEBUG, "serving.access")
    assert (await client.get(path)).status_code == 200
    assert (await client.head(path)).status_code == 200
    await client.get("/info")
    told = [(record.levelname, record.facts["route"]) for record in caplog.records if record.name == "serving.access"]
    assert [level for level, _ in told] == ["DEBUG", "DEBUG", "INFO"]
    assert told[-1] == ("INFO", "/info")


async def test_a_probe_that_finds_fault_is_told(client, app, caplog):
    caplog.set_level(logging.DEBUG, "serving.access")
    app.state.models.begin_stop()
    for path in ("/readyz", "/v2/health/ready"):
        caplog.clear()
        assert (await client.get(path)).status_code >= 400
        assert [record.levelname for record in caplog.records if record.name == "serving.access"] == ["INFO"]


@pytest.mark.issue(4)
async def test_a_fault_that_nobody_expected_is_told_with_its_answer(client, caplog, monkeypatch):
    async def fail(*_, **__):
        raise ZeroDivisionError

    caplog.set_level(logging.INFO, "serving.access")
    monkeypatch.setattr("serving.access.AccessControl.__call__", fail)
    answer = await client.get("/info")
    assert answer.status_code == 500
    (told,) = [record.facts for record in caplog.records if record.name == "serving.access"]
    assert (told["status"], told["code"]) == (500, "internal_error")
    assert told["n_bytes_out"] == len(answer.content)
    assert told["request_id"] == answer.headers["x-request-id"]


def make_record(error):
    try:
        raise error
    except ValueError:
        return logging.LogRecord("a", logging.ERROR, "a.py", 1, "it failed\n%s", ("again",), sys.exc_info())


def test_of_an_exception_only_where_it_was_is_logged():
    record = make_record(ValueError("the caller's text"))
    for formatter in (JsonFormatter(), TextFormatter()):
        line = formatter.format(record)
        assert "caller" not in line
        assert "ValueError" in line
        assert "make_record" in line
        assert "\n" not in line


def test_logs_go_to_standard_error_from_the_level_on(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        set_up_logs(level="warning", log_format="json")
        logging.getLogger("a").info("unseen")
        logging.getLogger("a").warning("seen")
        (handler,) = root.handlers
        handler.close()
    finally:
        root.handlers[:], root.level = handlers, level
    assert json.loads(capsys.readouterr().err)["message"] == "seen"


def test_counts_of_several_processes_are_added_up(tmp_path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    code = (
        "import sys\nfrom serving.metrics import Metrics\nmetrics = Metrics()\n"
        "metrics.requests.labels('/a', '200').inc(int(sys.argv[1]))\n"
        "metrics.model_info.labels('m', '1', 'x', 'true').set(1)\n"
        "metrics.drift.labels('m', 'f').set(1 / int(sys.argv[1]))\n"
        "print(metrics.show().decode())\n"
    )
    for n_requests in ("3", "4"):
        ended = subprocess.run(
            [sys.executable, "-c", code, n_requests], env=environment, capture_output=True, text=True, check=True
        )
    assert 'twohands_requests_total{code="200",route="/a"} 7.0' in ended.stdout
    assert 'twohands_model_info{model="m",quantized="true",sha256="x",version="1"} 1.0' in ended.stdout
    # That of the last to tell it, not the highest: a worker may have had no traffic since.
    assert 'twohands_drift_stability_index{figure="f",model="m"} 0.25' in ended.stdout


@pytest.mark.issue(5)
@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_one_process_counts_alone_whatever_the_environment_has_for_other_services(
    tiny_model, tmp_path, monkeypatch, name
):
    monkeypatch.setenv(name, str(tmp_path / "absent"))
    with start_serve(tiny_model) as (_, port):
        status, shown = ask(port, "GET", "/metrics")
    assert status == 200
    assert "\ntwohands_requests_in_flight 1.0\n" in shown
    assert not TELLS_OF_PROCESSES or "\nprocess_resident_memory_bytes " in shown
    assert not (tmp_path / "absent").exists()


@pytest.mark.issue(4)
@pytest.mark.skipif(not TELLS_OF_PROCESSES, reason="the library reads them where the system tells: on Linux")
def test_processes_are_told_of_each_worker_that_lives(tmp_path):
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    code = "from serving.metrics import Metrics\nmetrics = Metrics()\nprint(metrics.show().decode())\ninput()\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:
        assert other.stdout.readline()
        shown = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, input="\n"
        ).stdout
        other.communicate("\n")
    pids = dict(re.findall(r'^process_resident_memory_bytes\{pid="(\d+)"\} (\S+)$', shown, flags=re.MULTILINE))
    assert str(other.pid) in pids
    assert len(pids) == 2
    assert all(float(size_bytes) > 1e6 for size_bytes in pids.values())
    for kind, name in (("counter", "cpu_seconds_total"), ("gauge", "open_fds"), ("gauge", "start_time_seconds")):
        assert shown.count(f"# TYPE process_{name} {kind}\n") == 1
        assert shown.count(f"\nprocess_{name}{{pid=") == 2


async def test_drift_is_small_for_traffic_like_the_training_data_and_large_for_another(classifier):
    reference = read_reference(
        {
            "reference": {
                "label_share": {"stance": {"state-led": 0.5, "market-led": 0.5, "neutral": 0.0}},
                "input_tokens_edges": [2, 8],
                "input_tokens_share": [1.0, 0.0, 0.0],
                "unknown_token_share": 0.0,
                "a later figure": 1,
            }
        }
    )

    def run(texts):
        metrics = Metrics()
        drift = Drift(reference, heads=classifier.taxonomy.heads, metrics=metrics, model="m")
        for text in texts:
            encoded = classifier.encoder.encode(text)
            drift.see(classifier.predict([encoded])[0], encoded)
        found = {}
        for family in text_string_to_metric_families(metrics.show().decode()):
            found |= {s.labels["figure"]: s.value for s in family.samples if "stability" in s.name}
        return found

    alike = run(["plan", "market"] * 100)
    other = run(["weather is zzz and yyy"] * 200)
    assert set(alike) == {"labels:stance", "input_tokens", "unknown_tokens"}
    assert all(index < 0.05 for index in alike.values())
    assert all(index > 0.2 for index in other.values())
    assert run(["weather is zzz and yyy"] * 199) == {}, "so few may differ by chance"
    assert read_reference({}) is None
    assert read_reference({"reference": {"label_share": 3}}) is None
    assert stability_index(np.array([1, 1]), np.array([5, 5])) == pytest.approx(0)


async def test_a_model_measured_on_its_own_data_does_not_drift_from_it(classifier):
    texts = ["plan market", "market", "weather of a plan", "the embargo zzz"] * 50
    encoded = [classifier.encoder.encode(text) for text in texts]
    predictions = classifier.predict(encoded)
    kept = json.loads(measure_reference(predictions, encoded).model_dump_json())
    assert kept["unknown_token_share"] == pytest.approx(1 / 10)
    assert sum(kept["input_tokens_share"]) == pytest.approx(1)
    assert sum(kept["label_share"]["stance"].values()) == pytest.approx(1)
    metrics = Metrics()
    reference = read_reference({"reference": kept})
    drift = Drift(reference, heads=classifier.taxonomy.heads, metrics=metrics, model="m")
    for prediction, paragraph in zip(predictions, encoded, strict=True):
        drift.see(prediction, paragraph)
    families = text_string_to_metric_families(metrics.show().decode())
    found = {s.labels["figure"]: s.value for family in families for s in family.samples if "stability" in s.name}
    assert set(found) >= {"labels:stance", "labels:topics", "scores:stance", "input_tokens", "unknown_tokens"}
    assert all(index < 0.02 for index in found.values())


@pytest.fixture
def traced(monkeypatch, settings, classifier):
    """An app whose requests are traced, and what gives the spans that ended."""
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry.sdk.trace import TracerProvider

    provider, exporter = TracerProvider(), memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr("serving.app.open_tracing", lambda: OtelSpans(provider))
    return create_app(settings.model_copy(update={"tracing": True}), classifier), exporter.get_finished_spans


async def test_a_span_joins_the_callers_trace_and_holds_no_text(traced):
    app, get_spans = traced
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with open_client(app) as client:
        headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01", "x-request-id": "job-1"}
        await client.post("/v1/classify", json={"inputs": "Zanzibar"}, headers=headers)
        await client.request("ZANZIBAR", "/v1/classify")
    span, other = get_spans()
    # A method that nobody knows is the caller's text, too.
    assert (other.attributes["http.request.method"], other.name.partition(" ")[0]) == ("_OTHER", "HTTP")
    assert "ZANZIBAR" not in other.to_json()
    assert span.name == "POST /v1/classify"
    assert f"{span.context.trace_id:032x}" == trace_id
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["twohands.request_id"] == "job-1"
    assert "Zanzibar" not in span.to_json()


@pytest.mark.issue(5)
async def test_a_span_of_a_path_that_is_not_served_names_no_route(traced):
    app, get_spans = traced
    async with open_client(app) as client:
        assert (await client.get("/Zanzibar")).status_code == 404
        assert (await client.get("/info")).status_code == 200
    without, with_one = get_spans()
    assert without.name == "GET"
    assert "http.route" not in without.attributes
    assert without.attributes["http.response.status_code"] == 404
    assert (with_one.name, with_one.attributes["http.route"]) == ("GET /info", "/info")


async def test_a_provider_that_somebody_set_gets_no_spans_of_fastapi_itself(classifier, settings, monkeypatch):
    """Its spans hold the query, and its logs the words of exceptions."""
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider, exporter = TracerProvider(), memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    async with open_client(create_app(settings, classifier)) as client:
        assert (await client.get("/info?model=Zanzibar")).status_code == 404
    assert exporter.get_finished_spans() == ()
