"""What a race does with peers that stall, die, refuse or are another model, and how each is told to run."""

import json
import signal
import sys
import time
from types import SimpleNamespace

import click
import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.bench.answers import Answer, Reference
from evaluation.bench.commands import bench
from evaluation.bench.engines import PROGRAMS, Engine, Peer
from evaluation.bench.peers import race_engines, race_servers
from evaluation.bench.peers_command import export_fp32
from evaluation.bench.roster import TEXT, US, Files, ServedPeer, free_port, list_servers
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
        peers, ["a", "b", "c"], reference=EXPECTED, numbers=[0, 1], n_rounds=1, n_alone=1, advance=lambda _: None
    )
    differences = {one["name"]: one["max_logit_difference"] for one in figures}
    assert differences == {US: None, "fair": pytest.approx(0.3), "long": 0}, "what peers cut is not compared"
    assert [one["name"] for one in broken] == ["other", "narrow"]
    assert "same model" in broken[0]["reason"]


def test_before_texts_are_run_one_at_a_time_nothing_runs_for_longer_than_a_session_holds_itself_crowded(tmp_path):
    engine = Engine(be_peer("still", "still", write_program(tmp_path, ANSWERING), EXPECTED), ["a", "b", "c"])
    began_s = time.perf_counter()
    latencies_ms, _ = engine.run_alone(3)
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

        def classify(self, texts):
            with self.crowd.join() as is_alone:
                if len(texts) > 1:
                    with self.crowd.join():
                        clock.now_s += 1e-3 * len(texts)
                else:
                    clock.now_s += 1e-3 if is_alone else 2e-3

    figures = measure_case({2: TwoThreads()}, Case("32", ["x"] * 16), seconds=0.3)
    assert figures[2]["latency"]["worst_ms"] == pytest.approx(1)


def test_the_pipeline_is_asked_for_one_text_as_its_documentation_does(tmp_path):
    engine = Engine(Peer("pipe", "pipe", sys.executable, (write_program(tmp_path, PIPELINE),)), ["a", "b"])
    try:
        assert engine.read_rows().tolist() == [[1, 2]] * 2
        assert len(engine.run_alone(2)[0]) == 2
    finally:
        engine.close()


def test_an_engine_that_stalls_while_it_loads_is_given_up(monkeypatch):
    monkeypatch.setattr("evaluation.bench.engines._ANSWER_TIMEOUT_S", 0.3)
    began_s = time.perf_counter()
    with pytest.raises(BenchError):  # more texts than a pipe holds
        Engine(Peer("stuck", "stuck", sys.executable, ("-c", "import time; time.sleep(60)")), ["word " * 200] * 120)
    assert time.perf_counter() - began_s < 20


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


def test_a_server_that_dies_under_load_is_told_with_what_it_wrote_and_what_failed(tmp_path):
    program, port = tmp_path / "dying.py", free_port()
    program.write_text(DYING, encoding="utf-8")
    words = (sys.executable, str(program), str(port))
    url = f"http://127.0.0.1:{port}"
    peer = ServedPeer("mortal", "mortal", sys.executable, words, url, "/", "/", {"inputs": TEXT}, "", Answer.LOGITS)
    none = np.empty((0, 0))
    figures, broken = race_servers(
        [peer], ["a plan"], reference=Reference((), none, none, none, ()), clients=(2,), n_rounds=1, seconds=0.2,
        advance=lambda _: None,
    )  # fmt: skip
    assert figures == []
    (fault,) = broken
    for said in ("has ended", "out of luck", "first failure: "):
        assert said in fault["reason"]


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
        assert "optimum engine (ONNX)" in peer.configuration
    assert peer.environment == {"OMP_NUM_THREADS": "2", "INFINITY_ANONYMOUS_USAGE_STATS": "0"}


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
