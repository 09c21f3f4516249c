"""`twohands data curve`: nested parts of whole documents, a power law that finds its own, the same output again."""

import json
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation import growth
from evaluation.curve_command import _judge_gain, _note_sizes
from evaluation.data_commands import data
from evaluation.dataset import halve, load_labelled, refuse_overlap
from evaluation.growth import FEWEST_POINTS, choose_sizes, draw_parts, fit_power_law
from evaluation.plots_growth import draw_growth
from tests.evaluation.peers import make_word_encoder
from tests.evaluation.support import make_rows, write_rows
from twohands import errors


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    spans = {"train": (0, 160), "dev": (200, 80), "data": (300, 60)}
    return {
        name: write_rows(folder / f"{name}.jsonl", make_rows(n, seed=first, first=first, noise=0.1))
        for name, (first, n) in spans.items()
    }


def run(*arguments):
    outcome = CliRunner().invoke(data, ["curve", *map(str, arguments)])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def run_json(*arguments):
    outcome = run(*arguments, "--fits", "3", "--replicates", "100", "--json")
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


def test_sizes_double_up_to_all_rows():
    assert choose_sizes(800, n_points=4, fewest=10) == [100, 200, 400, 800]
    assert choose_sizes(800, n_points=7, fewest=150) == [200, 400, 800]
    assert choose_sizes(30, n_points=7, fewest=50) == [30]


def test_parts_are_nested_and_hold_whole_documents(files, taxonomy):
    examples = load_labelled([files["train"]], taxonomy).examples
    sizes = [20, 41, 80]
    parts = draw_parts(examples, sizes, seed=3)
    ids = [{example.id for example in part} for part in parts]
    assert ids[0] < ids[1] < ids[2]
    assert [len(part) for part in parts] == [20, 42, 80]  # documents of two rows: the one that fills a part stays whole
    for part in parts:
        groups = {example.group for example in part}
        assert len(part) == sum(example.group in groups for example in examples)
        assert part == [example for example in examples if example in part]
    assert ids != [{example.id for example in part} for part in draw_parts(examples, sizes, seed=4)]


@pytest.mark.parametrize(("floor", "scale", "exponent"), [(0.1, 2.0, 0.5), (0.0, 1.5, 0.3), (0.25, 0.0, 1.0)])
def test_a_power_law_is_found_again(floor, scale, exponent):
    sizes = np.array([50.0, 100, 200, 400, 800, 1600])
    errors_of = floor + scale * sizes**-exponent
    found = fit_power_law(sizes, np.stack([errors_of, errors_of]))
    for part in found:
        assert part[0] == part[1]
    beyond = found[0][0] + found[1][0] * 6400 ** -found[2][0]
    assert beyond == pytest.approx(floor + scale * 6400**-exponent, abs=0.003)
    assert min(found[0][0], found[1][0]) >= 0


def test_errors_that_rise_are_no_law_that_rises():
    floor, scale, _ = fit_power_law(np.array([50.0, 100, 200, 400]), np.array([[0.1, 0.2, 0.3, 0.4]]))
    assert scale[0] == 0
    assert floor[0] == pytest.approx((50 * 0.1 + 100 * 0.2 + 200 * 0.3 + 400 * 0.4) / 750)


def test_the_curve_rises_and_is_the_same_again(files, tmp_path):
    options = [word for name in files for word in (f"--{name}", files[name])]
    arguments = [
        *options,
        "--fewest",
        "10",
        "--fits",
        "2",
        "--replicates",
        "100",
        "--json",
        "--report",
        tmp_path / "out",
    ]
    first = run(*arguments)
    assert first.exit_code == 0, first.output
    names = ("curve.json", "curve.html", "curve.svg")
    written = [(tmp_path / "out" / name).read_bytes() for name in names]
    assert run(*arguments).stdout == first.stdout
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == written
    report = json.loads(first.stdout)
    assert json.loads(written[0]) == report
    assert [point["n_rows"] for point in report["points"]] == [10, 20, 40, 80, 160]
    assert [point["n_fits"] for point in report["points"]] == [2, 2, 2, 2, 1]
    scores = [point["heads"]["stance"]["macro_f1"] for point in report["points"]]
    assert scores[0]["value"] < scores[-1]["value"]
    for figure in scores:
        assert figure["low"] <= figure["value"] <= figure["high"]
    beyond = report["heads"]["stance"]["extrapolation"]["points"]
    assert [point["n_rows"] for point in beyond] == [320, 640]
    assert beyond[1]["macro_f1"]["value"] <= 1
    page = written[1].decode()
    assert "extrapolated" in page
    assert "<script" not in page
    assert page.count("<svg") == 1
    assert "Mean over 2 parts of each size but the largest, which is one fit of all rows, and" in page
    assert "Shaded and dotted: extrapolated" in page
    assert "measured and extrapolated" in page
    assert written[2].startswith(b"<?xml")
    assert report["command"].startswith("twohands data curve") or report["command"].startswith("twohands curve")


@pytest.mark.issue(6)
def test_labels_that_no_row_has_are_told_of_and_bound_where_the_curve_leads(files, tmp_path):
    rows = [json.loads(line) for line in files["data"].read_text().splitlines()]
    kept = [row for row in rows if row["stance"] == "neutral"]
    assert len(kept) > 9
    one = write_rows(tmp_path / "one.jsonl", kept)
    report = run_json("--train", files["train"], "--dev", files["dev"], "--data", one, "--fewest", "10")
    assert "stance: no row is state-led, market-led; F1 is 0 there and pulls the macro mean down." in report["notes"]
    beyond = report["heads"]["stance"]["extrapolation"]
    assert beyond["law"]["floor"] >= 2 / 3
    for point in beyond["points"]:
        assert max(point["macro_f1"]["value"], point["macro_f1"]["high"] or 0) <= 1 / 3 + 1e-12
        law = beyond["law"]
        assert point["macro_f1"]["value"] == pytest.approx(
            1 - law["floor"] - law["scale"] * point["n_rows"] ** -law["exponent"]
        )


def test_sizes_that_do_not_grow_are_measured_once_and_lead_nowhere(files, tmp_path):
    rows = make_rows(160, noise=0.1)
    for row in rows[:150]:
        row["group"] = "one long document"  # most parts hold it, and are as large as all
    train = write_rows(tmp_path / "train.jsonl", rows)
    report = run_json("--train", train, "--dev", files["dev"], "--data", files["data"], "--fewest", "10")
    n_rows = [point["n_rows"] for point in report["points"]]
    assert n_rows[-1] == 160
    assert all(after >= 1.2 * before for before, after in pairwise(n_rows))
    assert len(n_rows) < FEWEST_POINTS
    for head in report["heads"].values():
        assert head["extrapolation"] is None
        assert head["last_doubling"] is None
    assert [note for note in report["notes"] if "left out" in note]
    assert [note for note in report["notes"] if "too few to extrapolate" in note]


def test_the_page_says_only_what_is_drawn(files, tmp_path):
    options = [word for name in files for word in (f"--{name}", files[name])]
    more = ("--learner", "majority", "--points", "2", "--fits", "1", "--replicates", "100", "--report", tmp_path)
    assert run(*options, *more).exit_code == 0
    page = (tmp_path / "curve.html").read_text(encoding="utf-8")
    assert "One fit of each size" in page
    assert "Mean over" not in page
    assert "Shaded" not in page
    assert "and extrapolated" not in page


def test_rows_labelled_for_one_head_have_a_curve(files, tmp_path):
    train = write_rows(tmp_path / "train.jsonl", [row | {"topics": None} for row in make_rows(120)])
    report = run_json("--train", train, "--dev", files["dev"], "--data", files["data"])
    assert list(report["heads"]) == ["stance"]
    assert [note for note in report["notes"] if note.startswith("topics is left out")]


@pytest.mark.issue(6)
def test_a_head_labelled_in_too_few_documents_is_left_out_with_the_reason(files, tmp_path):
    rows = [row | ({"topics": None} if n >= 4 else {}) for n, row in enumerate(make_rows(120))]
    train = write_rows(tmp_path / "train.jsonl", rows)
    report = run_json("--train", train, "--dev", files["dev"], "--data", files["data"], "--fewest", "10")
    assert list(report["heads"]) == ["stance"]
    (note,) = [note for note in report["notes"] if note.startswith("topics is left out")]
    assert "no row of part " in note
    assert note.endswith("is labelled for it (of the smallest size; a larger --fewest takes larger parts).")


def test_no_part_of_one_seed_is_a_part_of_the_next(files, monkeypatch):
    drawn = []
    draw = growth.draw_parts
    monkeypatch.setattr(growth, "draw_parts", lambda *args, **keys: drawn.append(draw(*args, **keys)) or drawn[-1])
    for seed in (0, 1):
        run_json("--train", files["train"], "--dev", files["dev"], "--learner", "majority", "--seed", seed)
    firsts = [[example.id for example in parts[0]] for parts in drawn]
    assert len(firsts) == 6
    assert all(a != b for number, a in enumerate(firsts) for b in firsts[:number])


def test_a_frozen_encoder_learns_too_and_tables_fit(files, tmp_path):
    folder = make_word_encoder(tmp_path / "encoder")
    options = [word for name in files for word in (f"--{name}", files[name])]
    outcome = run(*options, "--learner", f"frozen:{folder}", "--points", "2", "--fits", "1", "--replicates", "100")
    assert outcome.exit_code == 0
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert "too few to extrapolate" in outcome.stdout.replace("\n", " ")


def test_without_data_half_of_dev_measures(files, taxonomy):
    part = load_labelled([files["dev"]], taxonomy)
    tuned, measured = halve(part, seed=0)
    assert {e.group for e in tuned.examples} & {e.group for e in measured.examples} == set()
    assert len(tuned.examples) == len(measured.examples) == 40
    outcome = run("--train", files["train"], "--dev", files["dev"], "--points", "2", "--fits", "1", "--json")
    assert json.loads(outcome.stdout)["n"] == 40


def test_halves_share_no_text_and_are_what_they_were_where_none_repeats(tmp_path, taxonomy):
    rows = make_rows(80, seed=7)
    plain = load_labelled([write_rows(tmp_path / "plain.jsonl", rows)], taxonomy)
    groups = list(dict.fromkeys(example.group for example in plain.examples))
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(groups))
        expected = {groups[number] for number in order[: len(groups) // 2]}
        assert {example.group for example in halve(plain, seed=seed)[0].examples} == expected
    for number in (10, 20, 31, 45):  # a chain of documents: each repeats a text of the one before
        rows[number]["text"] = "  ".join(rows[number - 10]["text"].split(" "))
    rows[21]["text"] = rows[10]["text"]
    part = load_labelled([write_rows(tmp_path / "repeats.jsonl", rows)], taxonomy)
    for seed in range(8):
        halves = halve(part, seed=seed)
        refuse_overlap({"tunes": halves[0].examples, "measures": halves[1].examples})
        assert min(len(half.examples) for half in halves) >= 30
    for row in rows:
        row["text"] = rows[0]["text"]
    with pytest.raises(errors.DataError):
        halve(load_labelled([write_rows(tmp_path / "one.jsonl", rows)], taxonomy), seed=0)


@pytest.mark.issue(3)
def test_a_document_that_is_7_and_7_0_stands_in_one_half(tmp_path, taxonomy):
    rows = [row | {"group": f"{n // 2}" + ".0" * (n % 2)} for n, row in enumerate(make_rows(40, seed=7))]
    part = load_labelled([write_rows(tmp_path / "rows.jsonl", rows)], taxonomy)
    halves = {name: half.examples for name, half in zip(("tunes", "measures"), halve(part, seed=0), strict=True)}
    refuse_overlap(halves)
    assert all(len({example.group.removesuffix(".0") for example in half}) == 10 for half in halves.values())
    with pytest.raises(errors.LeakError) as caught:
        refuse_overlap({"tunes": part.examples[:1], "measures": part.examples[1:2]})
    assert caught.value.faults == ["group '0' stands in tunes and in measures"]
    assert "1 of 1 rows of measures" in str(caught.value)


def test_wrong_use_is_told(files):
    assert run("--train", files["train"]).exit_code == 2
    assert run("--train", files["train"], "--dev", files["dev"], "--learner", "keywords").exit_code == 2
    with pytest.raises(errors.LeakError, match=r"; shared are (\d+) of \1 rows of dev \("):
        run("--train", files["train"], "--dev", files["train"])
    notes = _note_sizes(3, [{}])
    assert [note.split(" ", 2)[:2] for note in notes] == [["2", "sizes"], ["1", "size"]]


@pytest.mark.issue(6)
def test_a_loss_is_not_told_as_no_gain():
    """The terminal called it so, where the page said that it did worse."""
    said = [_judge_gain({"low": low, "high": high}) for low, high in ((0.1, 0.2), (-0.1, 0.2), (-0.2, -0.1))]
    assert said == ["more labels still paid", "no gain is shown", "it did worse with more"]
    assert _judge_gain({"low": None, "high": None}) == "no interval to tell by"


@pytest.mark.issue(6)
def test_an_axis_does_not_promise_doublings_that_whole_documents_do_not_allow():
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    points = [{"n_rows": n, "heads": {"stance": {"macro_f1": figure}}} for n in (60, 100, 130)]
    svg = draw_growth(points, {"stance": {"extrapolation": None}})
    assert "training rows" in svg
    assert "each step doubles" not in svg
