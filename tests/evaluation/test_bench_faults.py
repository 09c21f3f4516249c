"""What a race does with peers that stall, die, refuse or are another model, and how each is told to run."""

import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import click
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from rich.console import Console

from evaluation.bench.answers import Answer, Reference
from evaluation.bench.checkpoint import lay_graph_beside
from evaluation.bench.client import LoadClient, part_url
from evaluation.bench.commands import bench
from evaluation.bench.engines import PROGRAMS, Engine, Peer
from evaluation.bench.loadgen import Scenario
from evaluation.bench.peers import _check_answers, race_engines, race_servers
from evaluation.bench.peers_command import _print_configurations, export_fp32
from evaluation.bench.roster import TEXT, US, Files, ServedPeer, free_port, list_servers
from evaluation.bench.scenarios import run_scenarios
from evaluation.bench.served import Served, run_server
from evaluation.bench.speed import Case, measure_case, measure_cold_start
from twohands.errors import BenchError
from twohands.session import CROWDED_FOR_S, Crowd

pytestmark = pytest.mark.issue(5)
EXPECTED = np.array([[2.0, -1.0], [-2.0, 1.0], [0.5, 3.0]])
ANSWERING = """
import json, sys
sys.path.insert(0, {programs!r})
import loop
rows = json.loads(sys.argv[1])
loop.answer({{}}, bulk=lambda texts: rows, alone=lambda texts: rows[:1])
"""
DYING = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    n_left = 3
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        Handler.n_left -= 1
        if not Handler.n_left:
            print("it has run out of luck", flush=True)
            os._exit(3)
        self.do_GET()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
PIPELINE = """
import runpy, sys, types
torch, transformers = types.ModuleType("torch"), types.ModuleType("transformers")
torch.__version__ = transformers.__version__ = "0"
torch.bfloat16 = torch.float32 = torch.set_num_threads = lambda _: None
torch.get_num_threads = lambda: 1
config = types.SimpleNamespace(id2label={{0: "a", 1: "b"}}, num_labels=2, _attn_implementation="none")
class Pipe:
    model = types.SimpleNamespace(config=config, to=lambda _: None)
    def __call__(self, inputs, **_):
        assert isinstance(inputs, str) or len(inputs) > 1, "one text in a list, which takes longer"
        entries = [{{"label": "b", "score": 2.0}}, {{"label": "a", "score": 1.0}}]
        return [entries] * (1 if isinstance(inputs, str) else len(inputs))
transformers.logging = types.SimpleNamespace(set_verbosity_error=lambda: None)
transformers.pipeline = lambda *_, **__: Pipe()
sys.modules |= {{"torch": torch, "transformers": transformers}}
sys.path.insert(0, {programs!r})
sys.argv = ["", "folder", "1", "16", "fp32", "1"]
runpy.run_path({programs!r} + "/engine_transformers.py", run_name="__main__")
"""


def write_program(folder, text):
    path = folder / "program.py"
    path.write_text(text.format(programs=str(PROGRAMS)), encoding="utf-8")
    return str(path)


def be_peer(name, package, program, rows):
    return Peer(name, package, sys.executable, (program, json.dumps(rows.tolist())))


def test_an_engine_of_another_model_is_not_raced_and_ours_is_not_set_against_logits(tmp_path):
    program = write_program(tmp_path, ANSWERING)
    peers = [
        be_peer(US, US, program, 1 / (1 + np.exp(EXPECTED))),  # a model of one head gives as many scores as logits
        be_peer("fair", "fair", program, EXPECTED + 0.3),
        be_peer("other", "other", program, -EXPECTED),
        be_peer("narrow", "narrow", program, EXPECTED[:, :1]),
        be_peer("long", "long", program, np.vstack([EXPECTED[:2], -EXPECTED[2:]])),
    ]
    figures, broken = race_engines(
        peers, ["a", "b", "c"], reference=EXPECTED, numbers=[0, 1], n_rounds=1, alone=[0], advance=lambda _: None
    )
    differences = {one["name"]: one["max_logit_difference"] for one in figures}
    assert differences == {US: None, "fair": pytest.approx(0.3), "long": 0}, "what peers cut is not compared"
    assert [one["name"] for one in broken] == ["other", "narrow"]
    assert "same model" in broken[0]["reason"]


def test_before_texts_are_run_one_at_a_time_nothing_runs_for_longer_than_a_session_holds_itself_crowded(tmp_path):
    engine = Engine(be_peer("still", "still", write_program(tmp_path, ANSWERING), EXPECTED), ["a", "b", "c"])
    began_s = time.perf_counter()
    latencies_ms, _ = engine.run_alone([0, 1, 2])
    spent_s = time.perf_counter() - began_s
    engine.close()
    assert spent_s - sum(latencies_ms) / 1e3 > CROWDED_FOR_S


def test_no_run_of_one_text_is_timed_on_one_thread_of_several(monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    ticking = SimpleNamespace(**dict.fromkeys(("monotonic", "perf_counter", "process_time"), lambda: clock.now_s))
    monkeypatch.setattr("twohands.session.time", ticking)
    monkeypatch.setattr("evaluation.bench.speed.time", ticking)
    monkeypatch.setattr("evaluation.bench.speed.tell_percentiles", lambda values_ms: {"worst_ms": max(values_ms)})

    class TwoThreads:
        """As our session: a window that is alone gets both threads, unless runs went side by side lately."""

        crowd = Crowd()
        encoder = SimpleNamespace(encode=lambda text: SimpleNamespace(windows=text.split()))

        def classify(self, texts):
            n_windows = sum(len(text.split()) for text in texts)
            with self.crowd.join() as is_alone:
                if n_windows > 1:
                    with self.crowd.join():
                        clock.now_s += 0.4e-3 * n_windows
                else:
                    clock.now_s += 1e-3 if is_alone else 2e-3

    for texts in (["x"] * 16, ["x x"] + ["x"] * 8 + ["x x"] + ["x"] * 6):
        figures = measure_case({2: TwoThreads()}, Case("32", texts), seconds=0.3)
        assert figures[2]["latency"]["worst_ms"] == pytest.approx(1)


def test_the_pipeline_is_asked_for_one_text_as_its_documentation_does(tmp_path):
    engine = Engine(Peer("pipe", "pipe", sys.executable, (write_program(tmp_path, PIPELINE),)), ["a", "b"])
    try:
        assert engine.read_rows().tolist() == [[1, 2]] * 2
        assert len(engine.run_alone([0, 1])[0]) == 2
    finally:
        engine.close()


def test_an_engine_that_stalls_while_it_loads_is_given_up(monkeypatch):
    monkeypatch.setattr("evaluation.bench.engines._ANSWER_TIMEOUT_S", 0.3)
    began_s = time.perf_counter()
    with pytest.raises(BenchError):  # more texts than a pipe holds
        Engine(Peer("stuck", "stuck", sys.executable, ("-c", "import time; time.sleep(60)")), ["word " * 200] * 120)
    assert time.perf_counter() - began_s < 20


def test_a_bench_that_is_told_to_end_while_an_engine_loads_ends_that_engine(monkeypatch):
    started = []

    def ask(engine, *_):
        started.append(engine._process)
        raise SystemExit(143)

    monkeypatch.setattr(Engine, "_ask", ask)
    began_s = time.perf_counter()
    with pytest.raises(SystemExit):
        Engine(Peer("slow", "slow", sys.executable, ("-c", "import time; time.sleep(60)")), ["a plan"])
    assert started[0].returncode is not None
    assert time.perf_counter() - began_s < 15, "one that loads does not see that its input is closed"


def test_programs_that_never_end_are_given_up(monkeypatch, tmp_path, tiny_model):
    monkeypatch.setattr("evaluation.bench.peers_command._EXPORT_TIMEOUT_S", 0.1)
    stuck = tmp_path / "python"
    stuck.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    stuck.chmod(0o755)
    with pytest.raises(BenchError, match="--fp32"):
        export_fp32(str(stuck), tmp_path, tmp_path / "fp32.onnx")
    monkeypatch.setattr("evaluation.bench.speed._COLD_START_TIMEOUT_S", 0.01)
    with pytest.raises(BenchError, match="within"):
        measure_cold_start(tiny_model, ["the plan"], threads=1)


NONE = np.empty((0, 0))
TWO = np.array([[1.0, 2.0], [3.0, -1.0]])


@pytest.mark.parametrize(
    ("reference", "when"),
    [(Reference((), NONE, NONE, NONE, ()), "asked by"), (Reference((0, 1), TWO, TWO, TWO, ()), "while it was checked")],
)
def test_a_server_that_dies_is_told_with_what_it_wrote_and_what_failed(tmp_path, reference, when):
    program, port = tmp_path / "dying.py", free_port()
    text = DYING if not reference.numbers else DYING.replace("n_left = 3", "n_left = 1")
    program.write_text(text, encoding="utf-8")
    words = (sys.executable, str(program), str(port))
    url = f"http://127.0.0.1:{port}"
    peer = ServedPeer("mortal", "mortal", sys.executable, words, url, "/", "/", {"inputs": TEXT}, "", Answer.LOGITS)
    figures, broken = race_servers(
        [peer], ["a plan", "a market"], reference=reference, clients=(2,), n_rounds=1, seconds=0.2,
        advance=lambda _: None,
    )  # fmt: skip
    assert figures == []
    (fault,) = broken
    for said in (when, "has ended", "out of luck", "first failure: "):
        assert said in fault["reason"]


def test_a_server_of_which_one_text_alone_could_be_checked_is_not_checked():
    one = np.array([[1.0, 2.0]])
    reference = Reference((0,), one, one, one, ())
    assert _check_answers(None, None, None, reference) is None, "it has no other that it could be told from"


def tell_run(scenario, verdict, qps, n_errors, rate=None):
    return {
        "scenario": scenario, "verdict": verdict, "qps": qps, "n_errors": n_errors, "n_samples": 1000,
        "target_qps": rate, "seconds": 20.0,
    }  # fmt: skip


def run_against(served, monkeypatch, last):
    clients = [
        SimpleNamespace(first_failure="", read_counter=lambda _: None, check_there=lambda: None) for _ in range(2)
    ]
    rates = []

    def load(plan, client, **_):
        if plan.scenario is Scenario.OFFLINE:
            return tell_run("offline", "VALID", 100.0, 0)
        rates.append(plan.rate_qps)
        if len(rates) == 1:
            client.first_failure = client.first_failure or "status 429"
            return tell_run("server", "INVALID", 60.0, 100, plan.rate_qps)
        client.first_failure = client.first_failure or "connection refused"
        return tell_run("server", "INVALID", last, 999, plan.rate_qps)

    monkeypatch.setattr("evaluation.bench.scenarios.run_loadgen", load)
    monkeypatch.setattr("evaluation.bench.scenarios.GRACE_S", 0.1)
    return run_scenarios(
        served, *clients, scenario=Scenario.SERVER, rate_qps=None, slo_ms=130, seconds=20, n_steps=2, n_texts=8,
        logs=None,
    )  # fmt: skip


def test_a_run_fails_for_its_own_reason_and_a_server_that_died_amid_it_is_told_with_its_last_lines(monkeypatch):
    found = run_against(Served("http://h:1"), monkeypatch, last=5.0)
    assert [run["first_failure"] for run in found["runs"]] == [None, "status 429", "connection refused"]
    assert found["first_failure"] == "status 429"
    with pytest.raises(BenchError, match=r"answered none .*first failure: connection refused"):
        run_against(Served("http://h:1"), monkeypatch, last=0.0)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(gone.pid)
    gone.wait()
    with pytest.raises(BenchError, match=r"(?s)has ended.*out of luck"):
        run_against(Served("http://h:1", process, 1.0, ["out of luck"]), monkeypatch, last=5.0)


def test_a_server_that_was_up_and_is_gone_is_told():
    client = LoadClient(f"http://127.0.0.1:{free_port()}", [b""], max_connections=1)
    try:
        with pytest.raises(BenchError, match="is gone"):
            client.check_there()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h:1", ("http://h:1", "")),
        ("https://me:se:c@ret@h:1/a@b", ("https://h:1/a@b", "me:se:c@ret")),
        ("key@h:1?a=@", ("h:1?a=@", "key")),
        ("http://[", ("http://[", "")),
    ],
)
def test_a_name_and_password_are_parted_from_an_address_whatever_it_is(url, parts):
    assert part_url(url) == parts


def make_checkpoint(folder, **more):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "a"}} | more), encoding="utf-8")
    for name in ("model.safetensors", "tokenizer.json"):
        (folder / name).write_text("", encoding="utf-8")
    return folder


def test_infinity_has_its_default_where_the_checkpoint_and_its_environment_allow_for_it(tmp_path, monkeypatch):
    mean = make_checkpoint(tmp_path / "mean", auto_map={"AutoConfig": "a.B"})
    first = make_checkpoint(tmp_path / "first")
    found = {}
    monkeypatch.setattr("evaluation.bench.roster.probe", lambda *_: found)

    def list_it(checkpoint):
        *_, peer = list_servers(Files(tmp_path, checkpoint, None, 256), {}, own="python", workers=2)
        assert peer.name == "infinity"
        return peer

    for checkpoint, version, is_off, why in (
        (mean, "1.27.0", True, "mean pooling"),
        (first, "2.3.0", True, "optimum 1.x"),
        (first, "1.27.0", False, "on (its default)"),
    ):
        found["optimum"] = version
        peer = list_it(checkpoint)
        assert ("--no-bettertransformer" in peer.command) == is_off
        assert why in peer.configuration
    assert peer.environment == {"OMP_NUM_THREADS": "2", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


@pytest.mark.issue(5)
def test_infinity_is_raced_by_its_onnx_engine_too_where_there_is_a_graph(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint, graph = make_checkpoint(tmp_path / "first"), tmp_path / "fp32.onnx"
    graph.write_bytes(b"graph")
    beside = lay_graph_beside(checkpoint, graph, tmp_path / "with-graph")
    assert {one.name for one in beside.iterdir()} == {one.name for one in checkpoint.iterdir()} | {"model.onnx"}
    files = Files(tmp_path, checkpoint, graph, 256, beside)
    *_, by_torch, by_onnx = list_servers(files, {"infinity": "venv/bin/python"}, own="python", workers=2)
    assert (by_torch.name, by_onnx.name) == ("infinity", "infinity, optimum")
    assert "torch" in by_torch.command
    assert "optimum" in by_onnx.command
    # It leaves a cache where it is started, and from there a relative interpreter would not be found.
    assert (by_torch.folder, by_onnx.folder) == (checkpoint, beside)
    assert {by_torch.command[0], by_onnx.command[0]} == {str(tmp_path / "venv/bin/python")}
    assert all(one.command[one.command.index("--model-id") + 1] == "." for one in (by_torch, by_onnx))


def test_a_version_is_printed_though_its_package_is_named_in_the_configuration(capsys):
    """It was not, where a sentence held the name: "engine torch on 2 threads"."""
    served = {"name": "infinity", "configuration": "engine torch", "versions": {"torch": "2.13.0"}}
    engine = {"name": "pipeline", "configuration": {"torch": "2.13.0"}, "versions": {"torch": "2.13.0"}}
    _print_configurations(Console(), [served, engine])
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "infinity: engine torch (torch 2.13.0)",
        "pipeline: torch 2.13.0",
    ]


def test_a_server_starts_in_the_folder_it_is_given(tmp_path):
    code = "import os; os.mkdir('here'); print('twohands serves http://127.0.0.1:1', flush=True); input()"
    with run_server([sys.executable, "-c", code], timeout_s=20, marker="twohands serves", folder=tmp_path):
        pass
    assert (tmp_path / "here").exists()


@pytest.fixture
def by_default():
    number = signal.SIGHUP
    before = signal.signal(number, signal.SIG_DFL)  # under nohup it is ignored
    yield number
    signal.signal(number, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no terminal hangs up here")
def test_a_bench_whose_terminal_is_closed_ends_what_it_has_started(monkeypatch, by_default):
    ended = []

    def race():
        try:
            signal.raise_signal(by_default)
        finally:
            signal.raise_signal(by_default)  # from the shell, too
            ended.append("server")

    monkeypatch.setitem(bench.commands, "race", click.Command("race", callback=race))
    assert CliRunner().invoke(bench, ["race"]).exit_code == 128 + by_default
    assert ended == ["server"]
    assert signal.getsignal(by_default) is signal.SIG_DFL
    signal.signal(by_default, signal.SIG_IGN)
    assert CliRunner().invoke(bench, ["race"]).exit_code == 0, "under nohup it goes on"
