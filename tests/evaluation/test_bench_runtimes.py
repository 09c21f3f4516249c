"""The gate between our runtimes: figures of both, what differs, and one line that says which to take."""

import json
import sys

import pytest
from click.testing import CliRunner

from evaluation.bench.commands import bench
from evaluation.bench.peers import race_engines
from evaluation.bench.roster import Files, list_engines
from evaluation.bench.runtimes import choose, compare_predictions
from evaluation.bench.speed import measure_padding
from evaluation.commands import evaluate
from tests.support.runtimes import skip_without_openvino
from twohands import Classifier
from twohands.prediction import AnyOf, OneOf, Prediction


def run(command, *words):
    answer = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def predict(label, score, *topics, abstained=False):
    heads = {
        "stance": OneOf(label, score, {"a": score, "b": 1 - score}, abstained),
        "topics": AnyOf(list(topics), {"x": 0.5, "y": score}),
    }
    return Prediction(heads, n_tokens=1, n_windows=1, truncated=False, n_tokens_cut=0)


def test_answers_differ_by_label_by_abstaining_and_by_any_topic():
    ours = [predict("a", 0.9, "x"), predict("a", 0.6), predict("b", 0.5, "x", "y"), predict("a", 0.5)]
    others = [predict("a", 0.8, "x"), predict("b", 0.6), predict("b", 0.5, "x"), predict("a", 0.5, abstained=True)]
    compared = compare_predictions(ours, others)
    assert compared["stance"] == {"n_differ": 2, "share_differ": 0.5, "max_score_change": pytest.approx(0.1)}
    assert compared["topics"]["n_differ"] == 1


@pytest.mark.parametrize(
    ("bulk", "alone", "take", "said"),
    [
        (1.5, 0.8, "openvino", "onnxruntime is the faster one"),
        (1.5, 1.2, "openvino", "1.20 times as fast alone"),
        (1.05, 1.2, "onnxruntime", "1.1 times in bulk"),
        (0.7, None, "onnxruntime", "+60 MB"),
    ],
)
def test_bulk_on_all_threads_decides(bulk, alone, take, said):
    races = {"1": {"bulk_ratio": 9.0, "alone_ratio": 9.0}, "2": {"bulk_ratio": bulk, "alone_ratio": alone}}
    memory = {"onnxruntime": {"pss_after_mb": 100.0}, "openvino": {"pss_after_mb": 160.0}}
    verdict = choose(races, {"stance": {"share_differ": 0.01}}, memory)
    assert verdict["take"] == take
    assert said in verdict["why"]


@pytest.fixture
def openvino():
    skip_without_openvino()


@pytest.mark.usefixtures("openvino")
def test_runtimes_from_the_command_line(tiny_model, tmp_path, monkeypatch):
    rows = tmp_path / "rows.jsonl"
    texts = ["the plan", "a market of plan", "weather .", "subsidy a licence"]
    rows.write_text("".join(json.dumps({"text": text * 2}) + "\n" for text in texts * 3), encoding="utf-8")
    words = ("runtimes", "--model", tiny_model, "--data", rows, "--threads", 1, "--seconds", 0.05)
    text = run(bench, *words, "--report", tmp_path / "out")
    assert text.splitlines()[-1].startswith("take --runtime ")
    assert max(map(len, text.splitlines()[:-1])) <= 80
    report = json.loads((tmp_path / "out/runtimes.json").read_text(encoding="utf-8"))
    assert report["runtimes"]["onnxruntime"] == "onnxruntime"
    assert report["runtimes"]["openvino"].startswith("openvino ")
    assert set(report["answers"]) == {"stance", "topics"}
    assert report["threads"]["1"]["bulk_ratio"] > 0
    assert all(row["pss_after_mb"] > 20 for row in report["memory"].values())
    # What was measured once is told again as JSON, not measured again.
    measured = {
        "race_runtimes": (report["threads"]["1"], report["runtimes"]),
        "compare_answers": report["answers"],
        "measure_memory": report["memory"],
    }
    for name, found in measured.items():
        monkeypatch.setattr(f"evaluation.bench.runtimes_command.{name}", lambda *_, found=found, **__: found)
    told = json.loads(run(bench, *words, "--json"))
    assert all(told[key] == report[key] for key in ("texts", "threads", "answers", "memory", "verdict"))


@pytest.mark.usefixtures("openvino")
def test_padding_by_openvino_is_counted_where_the_runtime_is_called():
    classifier = Classifier.load(num_threads=1, runtime="openvino")
    padded = measure_padding(classifier, ["A plan.", "The market finds its own price for steel, and nobody else."])
    classifier.close()
    assert padded["n_tokens_of_windows"] < padded["n_tokens_computed"] == 32


@pytest.mark.usefixtures("openvino")
def test_evaluate_says_by_which_runtime(tiny_model, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(
            json.dumps({"text": text, "stance": label, "topics": [], "document": text}) + "\n"
            for text, label in (("the plan", "state-led"), ("market", "market-led"), ("weather", "neutral"))
        ),
        encoding="utf-8",
    )
    words = ("--model", tiny_model, "--data", rows, "--replicates", 100, "--json")
    ours, other = (json.loads(run(evaluate, *words, "--runtime", name)) for name in ("onnxruntime", "openvino"))
    assert (ours["runtime"], other["runtime"].split()[0]) == ("onnxruntime", "openvino")
    assert "openvino" in other["versions"]
    assert "openvino" not in ours["versions"]
    assert other["heads"]["stance"]["macro_f1"] == ours["heads"]["stance"]["macro_f1"]


@pytest.mark.usefixtures("openvino")
@pytest.mark.parametrize(("has_it", "precision"), [(True, "bf16"), (False, "f32")])
def test_our_second_runtime_is_named_by_what_it_computes_in(tiny_model, monkeypatch, has_it, precision):
    monkeypatch.setattr("evaluation.bench.roster.multiplies_bf16", lambda: has_it)
    peers = list_engines(Files(tiny_model, None, None, 16), {}, own=sys.executable, threads=1, with_openvino=True)
    assert peers[1].name == f"twohands openvino {precision}"


@pytest.mark.usefixtures("openvino")
def test_our_second_runtime_is_raced_among_the_engines(tiny_model):
    files = Files(tiny_model, None, None, 16)
    peers = list_engines(files, {}, own=sys.executable, threads=1, with_openvino=True)
    figures, broken = race_engines(
        peers, ["the plan", "market"] * 6, reference=None, n_rounds=2, alone=[0, 1], advance=lambda _: None
    )
    assert broken == []
    ours, second = figures
    assert (ours["name"], ours["configuration"]["runtime"].split()[0]) == ("twohands", "onnxruntime")
    # The name is by the processor's flags, the configuration by what OpenVINO took.
    assert second["name"] == f"twohands {second['configuration']['runtime']}"


@pytest.mark.usefixtures("openvino")
def test_speed_by_openvino_has_no_ceiling_of_another_runtime(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr("evaluation.bench.speed._N_COLD_STARTS", 2)
    words = ("--model", tiny_model, "--length", 8, "--threads", 1, "--n-texts", 8, "--seconds", 0.05)
    assert "ceiling" not in run(bench, "speed", "--runtime", "openvino", *words, "--report", tmp_path)
    report = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert report["runtime"].startswith("openvino ")
    assert report["ceiling"] is None
    assert report["padding"]["padding_share"] < 0.2
