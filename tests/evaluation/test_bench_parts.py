"""The parts of the benches: texts of a length, percentiles that count allows, the search, the ceiling's products."""

import json
import random
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from click.testing import CliRunner

from evaluation.bench.answers import FLOORS, Answer, compare_rows, make_reference, read_row
from evaluation.bench.ceiling import Ceiling, list_products
from evaluation.bench.checkpoint import prepare_checkpoint
from evaluation.bench.commands import bench
from evaluation.bench.engines import Engine, Peer, probe, read_peer_versions
from evaluation.bench.frontier_command import _weigh
from evaluation.bench.machine import add_load_after, describe_machine, read_commit, read_load
from evaluation.bench.options import check_threads, choose_texts
from evaluation.bench.peers_command import _try_export, choose_alone, parse_pythons
from evaluation.bench.plot import _draw_lines
from evaluation.bench.quantiles import tell_percentiles
from evaluation.bench.roster import Files, list_engines, list_servers
from evaluation.bench.scenarios import find_highest, search_rate, share_overhead
from evaluation.bench.served import Served, describe_idle, run_server
from evaluation.bench.speed import Case, check_ceiling, measure_ceiling, measure_padding
from evaluation.bench.speed_command import make_ceiling_case
from evaluation.bench.texts import describe_texts, list_mix_lengths, make_mix, make_paragraph, read_texts
from evaluation.bench.turns import take_turns
from tests.support.cascades import DOUBTED, SURE, build_tiny_cascade
from twohands import Classifier
from twohands.errors import BenchError, ConfigError, DataError, FileReadError
from twohands.locate import find_model
from twohands.manifest import load_manifest


@pytest.fixture(scope="module")
def released():
    classifier = Classifier.load(num_threads=1)
    yield classifier
    classifier.close()


@pytest.mark.parametrize("n_tokens", [1, 2, 30, 126, 510])
def test_a_paragraph_has_exactly_the_tokens_that_are_asked_for(released, n_tokens):
    text = make_paragraph(released.encoder, n_tokens, generator=random.Random(3))
    assert released.encoder.encode(text).n_tokens == n_tokens


def test_the_mix_is_realistic_fits_one_window_and_is_the_same_for_everybody(released):
    lengths = list_mix_lengths(400, seed=1)
    assert 120 <= np.mean(lengths) <= 140
    assert min(lengths) >= 32
    assert max(lengths) <= released.encoder.rule.max_tokens - 2
    assert sorted(lengths) == sorted(list_mix_lengths(400, seed=2)) != lengths
    mix = make_mix(released.encoder, 24, seed=5)
    assert mix == make_mix(released.encoder, 24, seed=5)
    assert len(set(mix)) == 24
    described = describe_texts(released.encoder, mix, source="mix")
    assert described["tokens_max"] == max(list_mix_lengths(24, seed=5))


def test_own_texts_are_read_and_too_few_are_refused_with_what_is_wrong_with_the_others(released, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "A plan."}\n{"text": "A market."}\n{"text": "Rain."}\n', encoding="utf-8")
    assert read_texts([rows], released.encoder, limit=3, seed=0) == (["A plan.", "A market.", "Rain."], 3, [])
    rows.write_text('{"text": " "}\n{"text": "A market."}\n{"text": 4}\n', encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_texts([rows], released.encoder, limit=10, seed=0)
    assert len(caught.value.faults) == 2
    rows.write_text('{"body": "A plan."}\n', encoding="utf-8")
    with pytest.raises(FileReadError, match="has 'text'; give the column that holds it this name: body") as caught:
        read_texts([rows], released.encoder, limit=1, seed=0)
    assert "--text-column" not in str(caught.value)  # which bench does not have


@pytest.mark.issue(5)
def test_rows_that_cannot_be_used_are_left_out_before_the_draw_counted_and_told(released, tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": f"Mill {n} was sold."}) for n in range(20)]
    lines[3:3] = ["{broken", '{"text": " "}', '{"text": 4}'] * 8
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    empty = tmp_path / "empty.txt"
    empty.write_text(" ", encoding="utf-8")
    drawn, described = choose_texts(released.encoder, (rows, empty), n_texts=10, seed=1)
    assert len(drawn) == 10
    assert (described["n_given"], described["n_left_out"]) == (20, 25)
    assert described["source"] == "rows.jsonl, empty.txt, drawn from 20 by seed 1, 25 unusable left out"
    assert "25 that cannot be used; the first: " in capsys.readouterr().err
    broken = tmp_path / "broken.pdf"
    broken.write_text("no", encoding="utf-8")
    _, _, faults = read_texts([rows, broken], released.encoder, limit=10, seed=1)
    assert len(faults) == 25, "a document is one fault, not two"


@pytest.mark.issue(5)
def test_of_more_texts_than_are_wanted_some_are_drawn_evenly_and_that_is_told(released, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": f"Mill {n} was sold."}) + "\n" for n in range(200)), encoding="utf-8")
    drawn, described = choose_texts(released.encoder, (rows,), n_texts=50, seed=3)
    numbers = [int(text.split()[1]) for text in drawn]
    assert numbers == sorted(set(numbers)), "in the order of the file"
    assert len(numbers) == described["n_texts"] == 50
    assert 5 <= sum(number < 50 for number in numbers) <= 21, "a quarter of a quarter, not all of the first"
    assert described["source"] == "rows.jsonl, drawn from 200 by seed 3"
    assert described["n_given"] == 200
    assert drawn == choose_texts(released.encoder, (rows,), n_texts=50, seed=3)[0]
    assert drawn != choose_texts(released.encoder, (rows,), n_texts=50, seed=4)[0]
    assert choose_texts(released.encoder, (rows,), n_texts=200, seed=3)[1]["source"] == "rows.jsonl"


@pytest.mark.parametrize(
    ("n", "known"), [(10, []), (11, [50]), (63, [50]), (129, [50, 90]), (661, [50, 90, 95]), (662, [50, 90, 95, 99])]
)
def test_a_percentile_of_too_few_is_not_told(n, known):
    told = tell_percentiles([float(value) for value in range(n)])
    assert [percent for percent in (50, 90, 95, 99) if told[f"p{percent}_ms"] is not None] == known
    assert told["n"] == n
    if known:
        assert told["p50_ms"] == pytest.approx((n - 1) / 2)


@pytest.mark.parametrize("limit", [3.0, 42.0, 69.9, 70.1, 98.0, 103.0])
def test_the_search_closes_in_on_the_highest_valid_rate(limit):
    asked = []

    def try_rate(rate):
        asked.append(rate)
        return {"verdict": "VALID" if rate <= limit else "INVALID", "target_qps": rate, "qps": rate}

    runs = search_rate(try_rate, offline_qps=100.0, n_steps=8)
    assert asked[0] == pytest.approx(70.0)
    assert len(runs) == 8
    best = max((run["target_qps"] for run in runs if run["verdict"] == "VALID"), default=0.0)
    assert best <= limit
    assert limit - best < 1.5


@pytest.mark.issue(5)
def test_the_search_goes_above_the_offline_rate_where_that_was_a_slow_moment():
    runs = search_rate(lambda rate: {"verdict": "VALID", "target_qps": rate, "qps": rate}, offline_qps=100.0, n_steps=5)
    assert [run["target_qps"] for run in runs] == pytest.approx([70, 85, 92.5, 108.75, 116.875])
    assert find_highest(runs, offline_qps=100.0) == pytest.approx(116.875)


@pytest.mark.issue(5)
def test_a_rate_that_only_a_long_bound_makes_valid_is_not_the_highest_one():
    def try_rate(rate):
        return {"verdict": "VALID", "target_qps": rate, "qps": min(rate, 100.0)}

    runs = search_rate(try_rate, offline_qps=100.0, n_steps=8)
    assert all(run["target_qps"] < 110 for run in runs), "it does not run away"
    assert 98 < find_highest(runs, offline_qps=100.0) <= 100 / 0.95
    # Its first seconds were slow, or the last ones took long: what is no more than the offline rate can go on.
    assert find_highest([{"verdict": "VALID", "target_qps": 90.0, "qps": 80.0}], offline_qps=100.0) == 90
    assert find_highest([{"verdict": "VALID", "target_qps": 150.0, "qps": 100.0}], offline_qps=100.0) is None


@pytest.mark.parametrize(
    ("found", "runtime", "served_ms", "share"),
    [
        ((20.0, 15.0), "onnxruntime 1.30", 15.0, 0.25),
        ((20.0, None), "onnxruntime 1.30", None, 0.5),
        ((None, 15.0), "onnxruntime 1.30", 15.0, None),
        ((20.0, 15.0), "openvino 2026.4", None, None),
    ],
)
def test_the_services_share_goes_by_the_servers_count_and_is_not_told_where_threads_are_not_counted(
    found, runtime, served_ms, share
):
    told = share_overhead(
        dict(zip(("offline_cpu_ms", "model_cpu_ms_served"), found, strict=True)), alone_cpu_ms=10.0, runtime=runtime
    )
    assert told == {"model_cpu_ms_served": served_ms, "overhead_share": share}


def test_every_product_of_the_graph_is_in_the_ceiling(released):
    graph = find_model() / "model.onnx"
    products = list_products(graph, length=20)
    hidden, inner, n_layers = 384, 1536, 6
    weights = 2 * 20 * n_layers * (4 * hidden * hidden + 2 * hidden * inner)
    attention = 2 * n_layers * 2 * 20 * 20 * hidden
    head = 2 * hidden * released.taxonomy.n_labels
    counted = sum(product.n_operations for product in products)
    assert weights + attention + head <= counted <= (weights + attention + head) * 1.02
    # Some recipes keep a few products in fp32: the graph itself says how many are in int8.
    n_integer = sum(node.op_type == "MatMulInteger" for node in onnx.load(str(graph)).graph.node)
    assert sum(product.is_integer for product in products) == n_integer >= n_layers * 5
    ceiling = Ceiling(graph, length=20)
    assert ceiling.n_operations == counted
    assert ceiling.run() > 0
    # Not one of them was dropped as unused: the results are there, and are no zeros.
    (_, results) = ceiling._local.held
    assert len(results) == len(products)
    assert all(np.abs(result).sum() > 0 for result in results.values())


def test_a_short_window_has_its_own_ceiling(released, tmp_path):
    assert make_ceiling_case(released, seed=0)[0] == 128
    folder = shutil.copytree(find_model(), tmp_path / "short")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["window"] |= {"max_tokens": 64, "overlap_tokens": 16}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    classifier = Classifier.load(folder, num_threads=1)
    length, case = make_ceiling_case(classifier, seed=0)
    assert length == 64
    measured = measure_ceiling(folder, {1: classifier}, Case("64", case.texts[:2]), length=length, seconds=0.01)
    classifier.close()
    assert measured["tokens"] == 64
    assert measured["threads"][1]["model_share_of_ceiling"] > 0
    with pytest.raises(BenchError):
        check_ceiling(released, case, length=128)


def test_padding_is_counted_where_the_runtime_is_called(released):
    texts = ["A plan.", "The market finds its own price for steel, and nobody else should."]
    assert measure_padding(released, texts)["padding_share"] == 0
    kept = released.session.run_batch

    def run_padded(windows):
        ids = np.zeros((len(windows), max(map(len, windows))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)], mask[row, : len(window)] = window, 1
        return released.session.run_padded(ids, mask)

    released.session.run_batch = run_padded
    try:
        padded = measure_padding(released, texts)
    finally:
        released.session.run_batch = kept
    assert padded["padding_share"] == pytest.approx(1 - padded["n_tokens_of_windows"] / padded["n_tokens_computed"])
    assert padded["padding_share"] > 0.2


@pytest.mark.issue(3)
def test_of_a_cascade_the_tokens_of_both_models_are_counted(tmp_path):
    both = Classifier.load(build_tiny_cascade(tmp_path / "both"), num_threads=1)
    measured = {text: measure_padding(both, [text])["n_tokens_computed"] for text in (SURE, DOUBTED)}
    both.close()
    assert measured == {SURE: 4, DOUBTED: 8}


@pytest.mark.issue(3)
def test_a_cascade_is_not_raced_against_peers_which_serve_one_graph(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    found = CliRunner().invoke(bench, ["peers", "--model", str(folder)])
    assert isinstance(found.exception, BenchError)
    assert "race each of its models" in str(found.exception)


@pytest.mark.issue(3)
def test_a_cascade_weighs_what_both_of_its_models_weigh(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    (folder.parent / "second" / "notes").write_bytes(bytes(3_000_000))
    weighed = _weigh(folder, load_manifest(folder)[0])
    assert weighed == pytest.approx(
        _weigh(folder.parent / "second", load_manifest(folder.parent / "second")[0]), abs=0.2
    )


def test_more_threads_than_are_granted_are_refused(monkeypatch):
    monkeypatch.setattr("evaluation.bench.options.count_threads", lambda: 2)
    assert check_threads((2, 1, 2), default=(1,)) == [1, 2]
    assert check_threads((), default=(1, 2, 4)) == [1, 2]
    with pytest.raises(ConfigError):
        check_threads((1, 3), default=(1,))


def test_the_machine_says_what_a_figure_needs():
    machine = describe_machine()
    assert {"cpu_model", "cpu_flags", "cpus_granted", "cpu_quota", "load_1_min_before", "commit"} <= set(machine)
    assert machine["cpu_model"]
    assert machine["cpus_granted"] >= 1
    assert add_load_after(machine) == machine | {"load_1_min_after": read_load()}


def test_the_pipeline_is_raced_in_batches_and_one_text_a_run(monkeypatch, tmp_path):
    monkeypatch.setattr("evaluation.bench.roster.multiplies_bf16", lambda: False)
    _, batches, single = list_engines(Files(tmp_path, tmp_path, None, 16), {}, own=sys.executable, threads=1)
    assert (batches.name, batches.words[-1]) == ("transformers fp32", "16")
    assert (single.name, single.words[-1]) == ("transformers fp32, one a run", "1")


@pytest.mark.issue(5)
def test_litserve_is_raced_in_batches_and_by_its_default_which_is_not_to_batch(tmp_path):
    served = list_servers(Files(tmp_path, None, None, 256), {"litserve": "other"}, own="python", workers=2)
    size_by_name = {one.name: one.command[-1] for one in served if one.package == "litserve"}
    assert size_by_name == {"litserve": "8", "litserve, one a run": "1"}
    assert {one.python for one in served if one.package == "litserve"} == {"other"}


def test_litserve_is_raced_with_the_fp32_graph_too_where_there_is_one(tmp_path):
    """The file of our int8 graph is half of our work: who serves a checkpoint does not have it."""
    fp32 = tmp_path / "fp32.onnx"
    served = list_servers(Files(tmp_path, None, fp32, 256), {}, own="python", workers=1)
    found = {one.name: (one.command[2], one.command[-1], one.configuration) for one in served}
    graph, size, said = found["litserve fp32, one a run"]
    assert (graph, size) == (str(fp32), "1")
    assert "the fp32 graph" in said
    assert found["litserve, one a run"][0] == str(tmp_path / "model.onnx")


@pytest.mark.issue(5)
def test_our_second_runtime_is_raced_among_the_servers_where_it_is_there(tmp_path):
    files = Files(tmp_path, None, None, 256)
    without, with_it = (
        [
            one
            for one in list_servers(files, {}, own="python", workers=2, with_openvino=has)
            if one.package == "twohands"
        ]
        for has in (False, True)
    )
    assert [one.name for one in without] == ["twohands", "twohands --workers 2"]
    assert not any("--runtime" in one.command for one in without)
    (second,) = [one for one in with_it if "openvino" in one.name]
    assert second.command[second.command.index("--runtime") + 1] == "openvino"


def test_the_commit_is_that_of_this_project_and_of_no_checkout_around_it(tmp_path, monkeypatch):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", *words], check=True)

    git("init", "-q")
    (tmp_path / "file").write_text("a", encoding="utf-8")
    git("add", "file")
    git("commit", "-q", "-m", "Begin", "--no-gpg-sign")
    monkeypatch.setattr("evaluation.bench.machine._ROOT", tmp_path.resolve())
    assert re.fullmatch("[0-9a-f]{40}", read_commit())
    (tmp_path / "file").write_text("b", encoding="utf-8")
    assert read_commit().endswith("-dirty")
    inside = tmp_path / "lib" / "site-packages"
    inside.mkdir(parents=True)
    monkeypatch.setattr("evaluation.bench.machine._ROOT", inside.resolve())
    assert read_commit() is None, "an installed copy within somebody's checkout is not of that commit"


def test_idle_has_no_more_digits_than_ticks_allow():
    assert describe_idle(0.0042, 15.0) == "0.4% of a CPU"
    assert describe_idle(0.0042, 3.0) == "0% of a CPU (in 3 s)"


def test_interpreters_of_peers_are_checked_all_at_once(tmp_path):
    assert parse_pythons((f"ray={sys.executable}",)) == {"ray": sys.executable}
    with pytest.raises(ConfigError) as caught:
        parse_pythons(("nobody=/bin/sh", "ray", f"litserve={tmp_path}/none"))
    assert len(caught.value.faults) == 3


def test_a_peer_that_is_not_installed_is_seen():
    assert probe(sys.executable, "numpy", "no-such-package-here") == {"numpy": np.__version__}
    assert probe("/no/such/python", "numpy") == {}
    assert read_peer_versions(sys.executable, "no-such-package-here") == {}
    assert read_peer_versions(sys.executable, "numpy")["onnxruntime"] == ort.__version__


def test_engines_that_lack_their_graph_are_named_and_the_others_are_raced(tmp_path, monkeypatch):
    figures = {"absent": [], "broken": []}
    assert _try_export("/no/such/python", tmp_path, tmp_path / "fp32.onnx", figures) is None
    (absent,) = figures["absent"]
    assert "onnxruntime" in absent["name"]
    assert "--fp32" in absent["what_to_do"]

    def fail(*_):
        raise BenchError("no such operator")

    monkeypatch.setattr("evaluation.bench.peers_command.probe", lambda *_: {"torch": "1", "transformers": "1"})
    monkeypatch.setattr("evaluation.bench.peers_command.export_fp32", fail)
    assert _try_export(sys.executable, tmp_path, tmp_path / "fp32.onnx", figures) is None
    assert figures["broken"][0]["reason"] == "no such operator"


EXPECTED = np.array([[2.0, -1.0], [-2.0, 1.0], [0.5, 3.0]])


def test_a_server_that_answers_as_our_model_does_is_raced():
    assert compare_rows((EXPECTED + 0.3).tolist(), EXPECTED) == pytest.approx(0.3)
    assert compare_rows([[1.0, 2.0]] * 2, np.array([[1.0, 2.0]] * 2)) == 0


@pytest.mark.parametrize(
    "rows",
    [
        [EXPECTED.mean(axis=0).tolist()] * 3,
        EXPECTED[[1, 2, 0]].tolist(),
        (-EXPECTED).tolist(),
        EXPECTED[:, :1].tolist(),
        [[1.0, 2.0], [1.0], [1.0, 2.0]],
        [[float("nan")] * 2] * 3,
    ],
    ids=["always the same", "of another text", "of another model", "narrower", "ragged", "not a number"],
)
def test_a_server_that_answers_something_else_is_not_raced(rows):
    with pytest.raises(BenchError):
        compare_rows(rows, EXPECTED)


@pytest.mark.issue(5)
def test_of_texts_that_are_all_but_alike_another_precision_is_not_taken_for_another_model():
    alike = EXPECTED[[0, 0, 0]] + [[0.0], [0.05], [0.1]]
    assert compare_rows((alike + 0.3).tolist(), alike, floor=FLOORS[Answer.LOGITS]) == pytest.approx(0.3)
    for rows in (alike + 1, alike * np.nan):
        with pytest.raises(BenchError):
            compare_rows(rows.tolist(), alike, floor=FLOORS[Answer.LOGITS])


@pytest.mark.issue(5)
def test_what_is_checked_and_timed_alone_is_of_all_of_a_sorted_file(released):
    texts = ["word " * 400 if n % 7 == 0 else f"Mill {n} was sold." for n in range(100)]
    numbers = make_reference(released, texts).numbers
    assert len(numbers) == 16
    assert sum(number < 50 for number in numbers) == 8
    encoded = [released.encoder.encode(text) for text in texts]
    alone = choose_alone(encoded, is_shuffled=False)
    assert len(alone) == 40
    assert sum(number < 50 for number in alone) == 20
    n_long = sum(number % 7 == 0 for number in alone)
    assert n_long > 0
    assert [number % 7 == 0 for number in alone] == [False] * (40 - n_long) + [True] * n_long, "long ones last"
    assert sorted(choose_alone(encoded, is_shuffled=True)) == list(range(40))
    assert describe_texts(released.encoder, texts, source="a file")["n_long"] == 15


def test_answers_of_each_kind_are_read():
    assert read_row(b'{"logits": [1, 2.5]}', Answer.LOGITS, ()) == [1, 2.5]
    told = b'{"data": [[{"label": "b", "score": 0.9}, {"label": "a", "score": 0.1}]]}'
    assert read_row(told, Answer.SCORES, ("a", "b")) == [0.1, 0.9]
    for content, kind in ((told, Answer.LOGITS), (b"no", Answer.SCORES), (b'{"predictions": []}', Answer.PREDICTIONS)):
        with pytest.raises(BenchError):
            read_row(content, kind, ("a", "b"))


def test_what_is_expected_of_a_peer_is_what_the_model_says_here(released):
    texts = ["A plan.", "The market finds its own price.", "word " * 2000, "An embargo."]
    config = {"problem_type": "multi_label_classification", "id2label": {"0": "a", "1": "b"}}
    reference = make_reference(released, texts, config=config)
    assert reference.numbers == (0, 1, 3), "peers cut what is longer than a window"
    scores = [list(head.scores.values()) for head in released.classify(["An embargo."])[0].heads.values()]
    np.testing.assert_allclose(reference.rows_for(Answer.PREDICTIONS)[2], np.concatenate(scores))
    squashed = 1 / (1 + np.exp(-reference.rows_for(Answer.LOGITS)))
    np.testing.assert_allclose(reference.rows_for(Answer.SCORES), squashed, rtol=1e-5)
    exclusive = make_reference(released, texts, config=config | {"problem_type": None})
    np.testing.assert_allclose(exclusive.squashed.sum(axis=1), 1, rtol=1e-6)
    assert exclusive.labels == ("a", "b")


def test_each_round_begins_with_another():
    assert [take_turns("abc", number)[0] for number in range(4)] == ["a", "b", "c", "a"]
    assert sorted(take_turns("abc", 2)) == ["a", "b", "c"]
    assert take_turns([], 3) == []


def test_an_engine_that_breaks_is_named_with_what_it_wrote(tmp_path):
    program = tmp_path / "broken.py"
    program.write_text("import sys\nsys.exit('it has no wheels')\n", encoding="utf-8")
    with pytest.raises(BenchError, match="it has no wheels"):
        Engine(Peer("broken", "broken", sys.executable, (str(program),)), ["text"])


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    with pytest.raises(FileReadError):
        prepare_checkpoint(tmp_path, tmp_path / "out", max_tokens=16)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not tell what it shares")
def test_memory_that_two_processes_share_is_counted_once():
    code = "import os, time; held = b'x' * 60_000_000; os.fork(); print('up http://h:1', flush=True); time.sleep(60)"
    with run_server([sys.executable, "-c", code], timeout_s=20) as served:
        while len(sizes := served.read_memory_mb()) < 2:
            time.sleep(0.01)
        assert 60 < sum(sizes) < 110, "resident memory would be twice 60 MB and more"


def test_a_picture_has_a_line_for_each_number_of_threads():
    from matplotlib.figure import Figure

    row = {"paragraphs_per_s": 9.0, "latency": {"p50_ms": 1.0, "p90_ms": None}}
    counts = [1, 2, 3, 4, 6, 8]
    cases = [{"tokens": tokens, "threads": {str(count): row for count in counts}} for tokens in (32, 64)]
    ceiling = {"tokens": 64, "threads": {str(count): {"products_ms": 1.0} for count in counts}}
    throughput, latency = Figure().subplots(1, 2)
    _draw_lines(throughput, latency, {"cases": cases, "threads": counts, "ceiling": ceiling})
    lines = [line for line in throughput.lines if "thread" in line.get_label()]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == len(latency.lines) == 6
    assert len([line for line in throughput.lines if line.get_marker() == "_"]) == 7, "and one for the legend"


def test_a_process_that_ends_while_it_is_looked_at_is_no_fault():
    import psutil

    gone = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(gone.pid)
    gone.wait()
    served = Served("http://h:1", process=process)
    assert served.read_memory_mb() == []
    assert served.read_cpu_s() == 0
    process.children = lambda **_: []  # as if the list had been read while it lived
    assert served.read_memory_mb() == []


def test_a_server_whose_parent_dies_is_told_at_once_and_leaves_nothing_behind(tmp_path):
    import psutil

    pid = tmp_path / "pid"
    began_s = time.perf_counter()
    with pytest.raises(BenchError), run_server(["sh", "-c", f"sleep 60 & echo $! > {pid}; exit 3"], timeout_s=30):
        pass
    assert time.perf_counter() - began_s < 10
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(int(pid.read_text())).status() != psutil.STATUS_ZOMBIE:
            assert time.perf_counter() - began_s < 10, "it still runs"
            time.sleep(0.01)


def test_a_server_that_says_nothing_is_ended_after_its_time():
    began_s = time.perf_counter()
    with pytest.raises(BenchError), run_server([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.5):
        pass
    assert time.perf_counter() - began_s < 10


def test_the_ceiling_has_huge_pages_as_the_model_has(monkeypatch):
    is_huge, made = [False], []

    @contextmanager
    def note():
        is_huge[0] = True
        yield
        is_huge[0] = False

    load = ort.InferenceSession
    monkeypatch.setattr("evaluation.bench.ceiling.huge_pages", note)
    monkeypatch.setattr(ort, "InferenceSession", lambda *words, **more: made.append(is_huge[0]) or load(*words, **more))
    Ceiling(find_model() / "model.onnx", length=4)
    assert made[-1], "its weights would stand on small pages, and the model would look faster than its own products"
