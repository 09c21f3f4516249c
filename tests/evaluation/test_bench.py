"""The benches from the command line: real models, a real server under LoadGen, real peers; seconds, not minutes."""

import json
import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import click
import pytest
from click.testing import CliRunner

from evaluation.bench import loadgen
from evaluation.bench.answers import Answer
from evaluation.bench.client import LoadClient, make_bodies, measure_client
from evaluation.bench.closed_loop import drive
from evaluation.bench.commands import bench
from evaluation.bench.engines import PROGRAMS, Engine, Peer
from evaluation.bench.frontier import mark_frontier
from evaluation.bench.frontier_plot import draw_frontier, spread_labels
from evaluation.bench.loadgen import Plan, Scenario, import_loadgen, read_log, run_loadgen
from evaluation.bench.peers import race_engines, race_servers
from evaluation.bench.roster import TEXT, US, Files, ServedPeer, list_engines
from evaluation.bench.scenarios import run_scenarios
from evaluation.bench.served import Served
from evaluation.commands import evaluate
from tests.support.tiny import build_tiny_model
from twohands import Classifier
from twohands.errors import BenchError, FileWriteError


def run(*words):
    answer = CliRunner().invoke(bench, [str(word) for word in words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.output


class Handler(BaseHTTPRequestHandler):
    """Answers as this service does; every n-th request fails where the server says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.keys.add(self.headers.get("x-api-key"))
        self.server.users.add(self.headers.get("authorization"))
        with self.server.counting:
            self.server.n_seen += 1
            fails = (
                self.server.fail_every and self.server.n_seen > 1 and self.server.n_seen % self.server.fail_every == 0
            )
        body = b'{"error": {}}' if fails else json.dumps({"predictions": [{}]}).encode()
        self.send_response(503 if fails else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        body = {"/info": self.server.info, "/metrics": self.server.metrics}.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def stub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.n_seen, server.fail_every, server.metrics, server.counting = 0, 0, b"", threading.Lock()
    server.info, server.keys, server.users = b'{"model": null}', set(), set()
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(stub):
    opened = LoadClient(f"http://127.0.0.1:{stub.server_port}", make_bodies(["a plan", "a market"]), max_connections=8)
    yield opened
    opened.close()


def test_loadgen_gives_its_verdict_and_only_percentiles_that_hold(client, tmp_path):
    made = run_loadgen(Plan(Scenario.SERVER, 300.0, 5000.0, 0.5, 100), client, n_texts=2, keep=tmp_path / "logs")
    assert made["n_errors"] == 0
    assert made["n_samples"] >= 100
    assert made["latency"]["p50_ms"] > 0
    assert made["latency"]["p99_ms"] is None, "662 queries carry a p99, not these"
    # Of one per cent over, 100 queries are too few to be sure; LoadGen says how many it wants.
    assert made["verdict"] == "INVALID"
    assert "VALID" in (tmp_path / "logs" / "mlperf_log_summary.txt").read_text()
    valid = run_loadgen(Plan(Scenario.SERVER, 700.0, 5000.0, 0.5, 700), client, n_texts=2)
    assert (valid["verdict"], valid["reasons"]) == ("VALID", None)
    assert valid["latency"]["p99_ms"] >= valid["latency"]["p50_ms"]


def test_a_request_that_fails_is_late_for_loadgen(stub, client):
    stub.fail_every = 10
    made = run_loadgen(Plan(Scenario.SERVER, 700.0, 100.0, 0.5, 700), client, n_texts=2)
    assert made["n_errors"] >= 60
    assert made["verdict"] == "INVALID"
    assert made["latency"]["p95_ms"] >= 1000, "ten times the bound"
    assert "503" in client.first_failure


@pytest.mark.issue(5)
def test_a_server_that_has_gone_ends_the_bench_and_is_asked_for_no_rate_of_zero(stub, client):
    client.check()
    stub.fail_every = 1
    with pytest.raises(BenchError, match=r"none of .* requests .*status 503"):
        run_scenarios(
            Served(f"http://127.0.0.1:{stub.server_port}"), client, client, scenario=Scenario.SERVER, rate_qps=None,
            slo_ms=1.0, seconds=0.05, n_steps=1, n_texts=2, logs=None,
        )  # fmt: skip
    for scenario in Scenario:
        with pytest.raises(BenchError, match="more than 0"):
            run_loadgen(Plan(scenario, 0.0, 100.0, 0.1, 1), client, n_texts=2)


URL = "http://127.0.0.1:9"


@pytest.mark.issue(5)
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--url", URL, "--threads", "2"), "--threads"),
        (("--url", URL, "--workers", "1"), "--workers"),
        (("--rate", "9", "--steps", "2"), "--steps"),
        (("--scenario", "offline", "--rate", "9"), "--rate"),
        (("--scenario", "offline", "--slo-ms", "130"), "--slo-ms"),
        (("--scenario", "single-stream", "--steps", "5"), "--steps"),
    ],
)
def test_options_that_would_change_nothing_are_refused(words, option):
    answer = CliRunner().invoke(bench, ["server", *words, "--model", "none"])
    assert answer.exit_code == 2
    assert f"Error: {option} is for " in answer.output


@pytest.mark.issue(5)
def test_a_service_with_keys_is_measured_by_a_key_that_no_report_holds(stub, tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("TWOHANDS_API_KEY", " th_secret\n")
    stub.info = b'{"model": {"name": "far", "version": "1", "sha256": "0123456789abcdef"}, "threads": 1}'
    offline = {
        "scenario": "offline", "verdict": "VALID", "reasons": None, "target_qps": None, "qps": 40.0, "latency": None,
        "n_samples": 80, "n_errors": 0, "seconds": 2.0, "client": {"cpu_ms_per_request": 1.0, "late_p99_ms": None},
        "server_cpu_ms_per_request": None,
    }  # fmt: skip
    found = {
        "runs": [offline], "warm_up": offline, "offline_qps": 40.0, "offline_connections": 64, "offline_cpu_ms": None,
        "model_cpu_ms_served": None, "first_failure": None,
    }  # fmt: skip
    monkeypatch.setattr("evaluation.bench.server_command.run_scenarios", lambda *_, **__: found)
    monkeypatch.setattr(
        "evaluation.bench.server_command.measure_client",
        lambda *_, **__: {"requests_per_s": 1.0, "cpu_ms_per_request": 1.0},
    )
    url = f"http://me:th_p%40ss@127.0.0.1:{stub.server_port}"
    text = run(
        "server", "--url", url, "--model", tiny_model, "--scenario", "offline",
        "--n-texts", 8, "--report", tmp_path,
    )  # fmt: skip
    assert stub.keys == {"th_secret"}
    assert stub.users == {"Basic " + b64encode(b"me:th_p@ss").decode()}, "for a proxy on the way"
    report = (tmp_path / "server.json").read_text(encoding="utf-8")
    for secret in ("th_secret", "th_p"):
        assert secret not in report + text
    assert f"--url http://127.0.0.1:{stub.server_port} " in json.loads(report)["command"]
    assert "load_1_min_after" in json.loads(report)["machine"]
    assert "measured from commit" in text
    assert "64 requests under way at once" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("scenario", [Scenario.OFFLINE, Scenario.SINGLE_STREAM])
def test_a_server_that_refuses_is_not_valid_where_nothing_can_be_late(stub, client, scenario, tmp_path):
    stub.fail_every = 2
    made = run_loadgen(Plan(scenario, 200.0, 5.0, 0.05, 20), client, n_texts=2, keep=tmp_path)
    assert made["verdict"] == "INVALID"
    assert f"{made['n_errors']} of {made['n_samples']} requests were not answered with 200" in made["reasons"]
    # LoadGen's own clock counts the queries alone.
    done_qps = read_log(tmp_path).get("result_samples_per_second", made["n_samples"] / made["seconds"])
    n_answered = made["n_samples"] - made["n_errors"]
    assert made["qps"] == pytest.approx(done_qps * n_answered / made["n_samples"], rel=0.2), "refusals are no answers"


def test_a_bench_that_is_told_to_end_ends_what_it_has_started(monkeypatch):
    ended = []

    def race():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            ended.append("server")

    monkeypatch.setitem(bench.commands, "race", click.Command("race", callback=race))
    before = signal.getsignal(signal.SIGTERM)
    assert CliRunner().invoke(bench, ["race"]).exit_code == 128 + signal.SIGTERM
    assert ended == ["server"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.issue(5)
def test_a_bench_that_is_told_to_end_amid_loadgen_ends_at_once_and_without_a_crash(client, monkeypatch):
    told, tickets = [], []

    def submit(given, _done):
        tickets.extend(number for number, _ in given)
        os.kill(os.getpid(), signal.SIGTERM)

    def race():
        try:
            run_loadgen(Plan(Scenario.OFFLINE, 1.0, 5.0, 0.0, 1), client, n_texts=2)
        finally:
            told.append("server")

    monkeypatch.setattr(client, "submit", submit)
    monkeypatch.setitem(bench.commands, "race", click.Command("race", callback=race))
    monkeypatch.setattr("evaluation.bench.commands.os._exit", told.append)
    assert CliRunner().invoke(bench, ["race"]).exit_code == 128 + signal.SIGTERM
    assert told == ["server", 128 + signal.SIGTERM]
    lg = import_loadgen()
    lg.QuerySamplesComplete([lg.QuerySampleResponse(ticket, 0, 0) for ticket in tickets])  # or it would never end
    with loadgen._RUNNING:
        pass


@pytest.mark.parametrize("scenario", [pytest.param(Scenario.OFFLINE, marks=pytest.mark.slow), Scenario.SINGLE_STREAM])
def test_other_scenarios_are_valid_against_a_server_that_answers(client, scenario):
    made = run_loadgen(Plan(scenario, 4000.0, 100.0, 0.3, 64), client, n_texts=2)
    assert made["verdict"] == "VALID", made
    assert made["qps"] > 10
    assert (made["latency"] is None) == (scenario is Scenario.OFFLINE)


def test_a_closed_loop_keeps_as_many_under_way_as_it_says(stub, client):
    made = drive(client, n_clients=4, seconds=0.4, n_texts=2)
    assert made["n_requests"] == len(made["latencies_ms"]) == stub.n_seen >= 8
    assert made["n_failed"] == 0


def test_what_fails_is_no_answer_of_a_race(stub, client):
    stub.fail_every = 4
    made = drive(client, n_clients=2, seconds=0.4, n_texts=2)
    assert made["n_requests"] == stub.n_seen == made["n_answered"] + made["n_failed"]
    assert made["n_failed"] == client.n_failed >= 2
    assert len(made["latencies_ms"]) == made["n_answered"] == pytest.approx(3 * made["n_failed"], abs=3)


def test_a_server_that_refuses_has_no_ratio_and_no_p99(monkeypatch):
    order = []

    def hold(peer, *_, **__):
        n_failed = 300 if peer.name == "quick" else 0
        run = {"latencies_ms": [5.0] * 700, "n_requests": 700 + n_failed, "n_answered": 700, "n_failed": n_failed}
        load = run | {"seconds": 10.0, "cpu_s": 7.0, "first_failure": "status 503" if n_failed else None}
        order.append(peer.name)
        return {
            "clients": {8: load},
            "difference": 0.1,
            "idle": 0.0,
            "idle_seconds": 1.0,
            "memory_mb": 1.0,
            "ready_s": 1.0,
        }

    monkeypatch.setattr("evaluation.bench.peers._run_round", hold)
    peers = [
        ServedPeer(name, name, sys.executable, (), None, "/", "/", {"inputs": TEXT}, "", Answer.LOGITS)
        for name in (US, "fair", "quick")
    ]
    figures, _ = race_servers(
        peers, ["a plan"], reference=None, clients=(8,), n_rounds=2, seconds=1.0, advance=lambda _: None
    )
    assert order == [US, "fair", "quick", "fair", "quick", US], "each round begins with another"
    _, fair, quick = (one["clients"]["8"] for one in figures)
    assert fair["ours_throughput_ratio"] == fair["ours_p99_ms_ratio"] == 1
    assert (fair["cpu_ms_per_request"], fair["latency"]["p99_ms"]) == (10, 5)
    assert (quick["requests_per_s"], quick["n_failed"]) == (70, 600)
    assert (fair["first_failure"], quick["first_failure"]) == (None, "status 503")
    assert (
        fair["rounds"]
        == [{"requests_per_s": 70, "p50_ms": 5, "p99_ms": 5, "cpu_ms_per_request": 10, "n_failed": 0}] * 2
    )
    for value in ("ours_throughput_ratio", "ours_p50_ms_ratio", "ours_p99_ms_ratio", "cpu_ms_per_request"):
        assert quick[value] is None
    assert quick["latency"]["p99_ms"] is None


def test_the_client_is_faster_than_any_server_here():
    measured = measure_client(make_bodies(["a plan"]), n_requests=300, n_clients=16)
    assert measured["requests_per_s"] > 100
    assert measured["cpu_ms_per_request"] < 10


def test_a_server_that_shows_no_metrics_has_none(stub, client):
    assert client.read_counter("twohands_model_cpu_seconds_total") is None
    stub.metrics = b"# TYPE a_total counter\na_total_of_all 9\na_total 2.5\n"
    assert client.read_counter("a_total") == 2.5
    assert client.read_counter("another_total") is None


def test_a_server_that_is_not_there_or_is_another_is_an_error(stub, client):
    client.check()
    assert client.get_json("/info") == {"model": None}
    with pytest.raises(BenchError):
        client.get_json("/other")  # an object, too, but with 404
    stub.fail_every = 1
    with pytest.raises(BenchError):
        client.check()
    absent = LoadClient("http://127.0.0.1:9", make_bodies(["a plan"]), max_connections=1)
    with pytest.raises(BenchError):
        absent.check()
    absent.close()


def test_another_server_that_has_an_info_is_an_error_and_no_traceback(stub, tiny_model):
    words = ["server", "--url", f"http://127.0.0.1:{stub.server_port}", "--model", tiny_model, "--n-texts", 8]
    answer = CliRunner().invoke(bench, [str(word) for word in words])
    assert isinstance(answer.exception, BenchError)


def test_logs_of_loadgen_that_have_no_place_are_an_error(client, tmp_path):
    (tmp_path / "loadgen").write_text("no folder", encoding="utf-8")
    with pytest.raises(FileWriteError):
        run_loadgen(Plan(Scenario.OFFLINE, 10.0, 100.0, 0.1, 1), client, n_texts=2, keep=tmp_path / "loadgen" / "1")


def test_speed_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.bench.speed._N_COLD_STARTS", 2)
    out = tmp_path / "out"
    text = run(
        "speed", "--length", 8, "--length", 128, "--threads", 1, "--n-texts", 8, "--seconds", 0.05, "--report", out
    )
    assert max(map(len, text.splitlines())) <= 80
    report = json.loads((out / "speed.json").read_text(encoding="utf-8"))
    assert [case["tokens"] for case in report["cases"]] == [8, 128, "mix"]
    short, long = (case["threads"]["1"]["paragraphs_per_s"] for case in report["cases"][:2])
    assert short > 2 * long > 0
    assert sum(part["share"] for part in report["shares"].values()) == pytest.approx(1)
    assert report["shares"]["model"]["share"] > 0.5
    assert report["padding"]["padding_share"] == 0
    assert 0.1 < report["ceiling"]["threads"]["1"]["bulk_share_of_ceiling"] < 1.2
    assert report["cold_start"]["n_processes"] == 2
    assert report["cold_start"]["to_first_answer_ms"] > report["cold_start"]["import_and_load_ms"]
    assert (out / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_server_from_the_command_line_starts_one_measures_it_and_ends_it(tiny_model, tmp_path):
    import psutil

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    text = run(
        "server", "--model", tiny_model, "--rate", 400, "--seconds", 1, "--slo-ms", 2000, "--threads", 1,
        "--n-texts", 8, "--report", tmp_path / "out",
    )  # fmt: skip
    assert max(map(len, text.splitlines())) <= 80
    report = json.loads((tmp_path / "out" / "server.json").read_text(encoding="utf-8"))
    *_, offline, served = report["runs"]  # offline is run again where the machine was faster than guessed
    assert (offline["scenario"], served["scenario"]) == ("offline", "server")
    assert served["target_qps"] == 400
    assert served["n_samples"] >= 662
    assert served["verdict"] in {"VALID", "INVALID"}
    assert report["server"]["model"] == Classifier.load(tiny_model, num_threads=1).identity
    assert report["server"]["idle_cpu_share"] < 0.5
    assert (report["warm_up"]["scenario"], report["offline_connections"]) == ("offline", 64)
    for measured in (offline, served):
        assert f"{measured['client']['cpu_ms_per_request']:.2f}" in text
    assert served["client"]["late_p99_ms"] > 0
    assert report["server"]["memory_kind"].upper() in text
    # Both are counted from outside and from within: ticks of 10 ms on the one side, so no closer than this.
    assert 0 < report["model_cpu_ms_served"] < report["offline_cpu_ms"] == offline["server_cpu_ms_per_request"]
    assert report["overhead_share"] == pytest.approx(1 - report["model_cpu_ms_served"] / report["offline_cpu_ms"])
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_our_own_engine_and_the_runtimes_race_on_the_same_graph(tiny_model):
    texts = ["the plan", "a market of weather", "the embargo"] * 4
    files = Files(tiny_model, None, tiny_model / "model.onnx", 16)
    peers = [peer for peer in list_engines(files, {}, own=sys.executable, threads=1) if "openvino" not in peer.name]
    classifier = Classifier.load(tiny_model, num_threads=1)
    reference = classifier.predict_logits([classifier.encoder.encode(text) for text in texts])
    classifier.close()
    figures, broken = race_engines(
        peers,
        texts,
        reference=reference,
        numbers=range(len(texts)),
        n_rounds=2,
        alone=range(12),
        advance=lambda _: None,
    )
    assert broken == []
    ours, alone, batched = figures
    assert ours["name"] == "twohands"
    for other in (alone, batched):
        assert other["max_logit_difference"] < 1e-4, "the same weights must give the same logits"
        assert other["ours_bulk_ratio"] == pytest.approx(ours["paragraphs_per_s"] / other["paragraphs_per_s"])
        assert other["ours_alone_ratio"] > 0


LATE = """
import loop, sys
print("a library says hello")
n_bulk = 0
def bulk(texts):
    global n_bulk
    n_bulk += 1
    if n_bulk > 2:
        sys.exit("it has run out of luck")
    return [[0.0]] * len(texts)
loop.answer({"batch": 1}, bulk=bulk, alone=bulk if sys.argv[1:] else lambda texts: [[0.0]])
"""


def test_an_engine_that_breaks_late_does_not_lose_the_race_of_the_others(tiny_model, tmp_path):
    program = tmp_path / "late.py"
    program.write_text(f"import sys; sys.path.insert(0, {str(PROGRAMS)!r})\n{LATE}", encoding="utf-8")
    files = Files(tiny_model, None, None, 16)
    ours = list_engines(files, {}, own=sys.executable, threads=1)
    late, early = (
        Peer(name, name, sys.executable, (str(program), *more)) for name, more in (("late", ()), ("early", ("x",)))
    )
    steps = []
    figures, broken = race_engines(
        [*ours, late, early], ["the plan"] * 8, reference=None, n_rounds=3, alone=range(4), advance=steps.append
    )
    assert [one["name"] for one in figures] == ["twohands"]
    assert [one["name"] for one in broken] == ["early", "late"]
    assert all("out of luck" in one["reason"] for one in broken)
    assert sum(steps) == 3 * (3 + 1)
    with pytest.raises(BenchError):
        race_engines(
            [Peer(US, US, sys.executable, late.words)], ["the plan"], reference=None, n_rounds=3, alone=range(4),
            advance=steps.append,
        )  # fmt: skip


def test_what_an_engine_says_that_is_no_answer_is_told(tmp_path):
    program = tmp_path / "odd.py"
    program.write_text("import sys\nsys.stdin.readline()\nprint('hello')\n", encoding="utf-8")
    with pytest.raises(BenchError, match="hello"):
        Engine(Peer("odd", "odd", sys.executable, (str(program),)), ["text"])


def test_a_folder_that_takes_no_report_is_found_before_the_bench_runs(tmp_path):
    place = tmp_path / "file"
    place.write_text("no folder", encoding="utf-8")
    for name in ("speed", "server", "peers"):
        answer = CliRunner().invoke(bench, [name, "--report", str(place / "out"), "--model", str(tmp_path / "none")])
        assert isinstance(answer.exception, FileWriteError), answer.exception


def test_peers_that_are_not_installed_are_named(tiny_model, tmp_path):
    lean = tmp_path / "lean"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", lean], check=True)
    python = lean / "bin" / "python"
    words = [f"--python={name}={python}" for name in ("litserve", "ray", "infinity")]
    rows = tmp_path / "rows.jsonl"
    short = ("the plan", "a market of weather", "the embargo", "a plan of the market")  # within the tiny window
    rows.write_text("".join(json.dumps({"text": line}) + "\n" for line in short), encoding="utf-8")
    text = run(
        "peers", "--model", tiny_model, "--data", rows, "--only", "servers", *words, "--server-rounds", 1,
        "--seconds", 0.5, "--clients", 2, "--n-texts", 8, "--threads", 1, "--report", tmp_path / "out",
    )  # fmt: skip
    assert max(map(len, text.splitlines())) <= 80
    for name in ("litserve", "ray[serve]"):
        assert name in text
    assert text.count("not installed") == 3  # LitServe in batches, LitServe one text a run, Ray Serve
    report = json.loads((tmp_path / "out" / "peers.json").read_text(encoding="utf-8"))
    # With AMX and OpenVINO our second runtime is raced, too.
    ours, *_, fastapi = report["servers"]
    assert (ours["name"], fastapi["name"], report["broken"]) == ("twohands", "fastapi", [])
    for one in (ours, fastapi):
        assert one["max_answer_difference"] < 1e-3, "the same graph on the same texts"
        assert one["clients"]["2"]["n_failed"] == 0
    assert fastapi["clients"]["2"]["ours_throughput_ratio"] > 0
    assert fastapi["versions"]["onnxruntime"] in text


def test_the_frontier_names_the_models_that_no_other_beats(tmp_path):
    small, large = build_tiny_model(tmp_path / "small"), build_tiny_model(tmp_path / "large")
    (large / "ballast.bin").write_bytes(bytes(3_000_000))
    rows = tmp_path / "rows.jsonl"
    labels = ["state-led", "market-led", "neutral"]
    lines = [
        json.dumps({"text": f"Mill number {n} was sold.", "stance": labels[n % 3], "topics": [], "group": f"g{n}"})
        for n in range(12)
    ]
    rows.write_text("\n".join(lines), "utf-8")
    words = ["frontier", small, large, "--data", rows, "--n-texts", "8", "--seconds", "0.1", "--replicates", "100"]
    out = tmp_path / "out"
    printed = run(*words, "--report", out)
    assert all(len(line) <= 80 for line in printed.splitlines())
    report = json.loads((out / "frontier.json").read_text("utf-8"))
    first, second = report["models"]
    assert (first["name"], second["name"]) == ("small", "large")
    assert first["heads"] == second["heads"], "the same graph on the same rows"
    evaluated = CliRunner().invoke(evaluate, ["--model", str(small), "--data", str(rows), "--json"])
    of_evaluate = json.loads(evaluated.output)
    # Four rows of each stance are too few for an interval, and no row has a topic.
    found = of_evaluate["heads"]["stance"]["macro_f1"]
    assert first["heads"]["stance"] == {"value": found["value"], "low": None, "high": None}
    assert report["notes"] == [note for note in of_evaluate["notes"] if "MCC" not in note]
    assert any(note.startswith("topics: no row is ") for note in report["notes"])
    assert second["size_mb"] - first["size_mb"] == pytest.approx(3.0)
    assert first["on_frontier"]["size_mb"] == list(first["heads"])
    assert second["on_frontier"]["size_mb"] == []
    assert (out / "frontier.png").stat().st_size > 10_000
    assert report["texts"]["source"] == "built-in mix, seed 0"
    run(*words, "--timed", rows, "--report", out)
    timed = json.loads((out / "frontier.json").read_text("utf-8"))["texts"]
    assert timed["source"].startswith("rows.jsonl, drawn from 12 by seed 0")
    assert timed["n_given"] > timed["n_texts"] == 8
    twice = CliRunner().invoke(bench, ["frontier", str(small), str(small), "--data", str(rows)])
    assert "another name" in str(twice.exception)


def test_a_model_is_beaten_by_one_that_is_as_cheap_and_as_good_and_better_in_one():
    points = {"a": (1.0, 0.7), "b": (2.0, 0.8), "c": (2.0, 0.75), "d": (3.0, 0.8), "e": (1.0, 0.7)}
    assert mark_frontier(points) == {"a", "b", "e"}


@pytest.mark.issue(3)
@pytest.mark.issue(5)
@pytest.mark.parametrize("n_near", [2, 3, 5, 12])
def test_names_of_like_models_do_not_cover_one_another(n_near, tmp_path, monkeypatch):
    names = ["tiller", "tiller-large", "tiller-narrow-third", "a", "helm-distilled"]
    models = [
        {
            "name": f"{names[n % 5]}-{n}",
            "p50_ms": 10 + n % 3 * 0.7,
            "size_mb": 30.0,
            "heads": {"stance": {"value": 0.8 + n * 0.0008, "low": 0.7, "high": 0.9}},
            "on_frontier": {"p50_ms": ["stance"] * (n == 0), "size_mb": []},
        }
        for n in range(n_near)
    ]
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, _: drawn.append(figure))
    draw_frontier({"models": models, "data": {"n_rows": 9}, "machine": {"cpu_model": "ours"}}, tmp_path / "unused")
    for axes in drawn[0].axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
        assert len(boxes) == n_near
        assert all(lower.y1 <= upper.y0 + 0.1 for lower, upper in pairwise(boxes)), "the better of two stands higher"


@pytest.mark.issue(5)
def test_names_go_no_further_than_they_must():
    box = (0.0, 10.0, 30.0, 20.0)
    assert spread_labels([box, (31.0, 10.0, 50.0, 20.0), (0.0, 21.0, 30.0, 31.0)]) == [10, 10, 21]  # apart already
    assert spread_labels([box, box]) == [15, 5]
    assert spread_labels([box] * 3) == pytest.approx([20, 10, 0], abs=0.1)
    assert spread_labels([]) == []
