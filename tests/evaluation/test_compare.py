"""`twohands compare`: the paired test, on arrays where the answer is known and through the command."""

import io
import json
from dataclasses import replace
from fractions import Fraction
from math import comb

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.compare_command import compare, describe_learnt
from evaluation.comparison import (
    _bootstrap_p,
    compare_rows,
    compare_slices,
    mcnemar_exact,
    reorder_labels,
    share_heads,
)
from evaluation.linear import GRID
from evaluation.progress import tell_stage
from evaluation.rows import TOO_FEW_GROUPS, HeadRows
from evaluation.swaps import swap_f1
from evaluation.tables import say_better, say_swaps
from tests.evaluation.support import make_rows, write_rows
from tests.support.tiny import build_tiny_model
from twohands import errors
from twohands.examples import Example
from twohands.hashing import sha256_of_file
from twohands.manifest import load_manifest
from twohands.metrics import draw_weights
from twohands.taxonomy import Taxonomy


def run(*arguments):
    outcome = CliRunner().invoke(compare, [str(argument) for argument in arguments])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def run_json(*arguments):
    outcome = run(*arguments, "--json", "--replicates", "200")
    assert outcome.exit_code == 0, outcome.output
    assert all(line.startswith("tfidf: ") for line in outcome.stderr.splitlines())
    return json.loads(outcome.stdout)


@pytest.fixture
def files(tmp_path):
    spans = {"train": (0, 200), "dev": (200, 80), "data": (280, 120)}
    return {
        name: write_rows(tmp_path / f"{name}.jsonl", make_rows(n, seed=first, first=first))
        for name, (first, n) in spans.items()
    }


def head_rows(taxonomy, truth, given, groups):
    head = taxonomy.heads[0]
    hot = [np.arange(3) == np.asarray(column)[:, None] for column in (truth, given)]
    return HeadRows(
        head, np.arange(len(truth)), hot[0].astype(np.float32), hot[1], np.full((len(truth), 3), 1 / 3), groups
    )


def planted(taxonomy, *, skill_a, skill_b, seed=0, n=300):
    generator = np.random.default_rng(seed)
    truth = generator.integers(3, size=n)
    groups = [f"d{number // 3}" for number in range(n)]

    def answer(skill):
        return np.where(generator.random(n) < skill, truth, generator.integers(3, size=n))

    return [head_rows(taxonomy, truth, answer(skill), groups) for skill in (skill_a, skill_b)]


def test_a_better_model_is_found(taxonomy):
    a, b = planted(taxonomy, skill_a=0.8, skill_b=0.5)
    compared = compare_rows(a, b, n_replicates=1000, seed=0)
    difference = compared["macro_f1"]["difference"]
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    assert difference["p"] < 0.01
    assert compared["mcnemar"]["p"] < 0.001
    assert compared["mcnemar"]["only_a_right"] > compared["mcnemar"]["only_b_right"]
    assert compared["macro_f1"]["a"]["value"] - compared["macro_f1"]["b"]["value"] == difference["value"]
    mirrored = compare_rows(b, a, n_replicates=1000, seed=0)["macro_f1"]["difference"]
    assert mirrored["value"] == -difference["value"]
    assert mirrored["high"] == pytest.approx(-difference["low"])


@pytest.mark.issue(6)
def test_the_verdict_names_macro_f1_since_accuracy_may_say_the_reverse(taxonomy, tiny_model, files, tmp_path):
    truth = np.array([0] * 80 + [1, 2] * 10)
    rare_only = np.where((np.arange(100) < 80) & (np.arange(100) % 3 == 0), 1, truth)
    groups = [f"d{number}" for number in range(100)]
    sides = [head_rows(taxonomy, truth, given, groups) for given in (rare_only, np.zeros(100, dtype=int))]
    compared = compare_rows(*sides, n_replicates=200, seed=0)
    assert compared["macro_f1"]["difference"]["low"] > 0 > compared["accuracy"]["difference"]["value"]
    assert say_better(compared) == "A is better by macro-F1"
    options = ("--data", files["data"], "--train", files["train"], "--replicates", "100")
    assert run(tiny_model, "majority", *options, "--report", tmp_path / "out").exit_code == 0
    assert "A is better by macro-F1" in (tmp_path / "out" / "comparison.html").read_text()


def differing(taxonomy, *, coins, n=300):
    """Two sides on documents of one row that answer alike, three in four right, but where a coin says who is right."""
    generator = np.random.default_rng(len(coins))
    truth = generator.integers(3, size=n)
    alike = np.where(generator.random(n) < 0.75, truth, (truth + 1) % 3)
    given = [alike.copy(), alike.copy()]
    for place, coin in enumerate(coins):
        given[coin][place], given[1 - coin][place] = truth[place], (truth[place] + 1 + place % 2) % 3
    return [head_rows(taxonomy, truth, of_side, [f"d{number}" for number in range(n)]) for of_side in given]


@pytest.mark.issue(6)
def test_no_side_is_called_better_by_five_documents_that_differ(taxonomy):
    for n, told in ((4, "too few documents differ (4)"), (5, "too few documents differ (5)"), (6, "A is better")):
        compared = compare_rows(*differing(taxonomy, coins=[0] * n), n_replicates=1000, seed=0)
        assert compared["macro_f1"]["difference"]["low"] > 0  # the interval alone would say so of four
        assert compared["swaps"] == {"n_differ": n, "p": 2.0 ** (1 - n)}
        assert say_better(compared).startswith(told)
        assert say_swaps(compared["swaps"]) == f"A and B differ in {n} documents"
    mirrored = compare_rows(*differing(taxonomy, coins=[1] * 6), n_replicates=1000, seed=0)
    assert say_better(mirrored) == "B is better by macro-F1"


@pytest.mark.issue(6)
def test_sides_that_differ_in_few_documents_by_chance_are_seldom_told_apart(taxonomy):
    # Of every way that five coins can fall, and of some that ten and twenty can.
    fallen = {5: [[number >> place & 1 for place in range(5)] for number in range(32)]}
    fallen |= {n: np.random.default_rng(n).integers(2, size=(40, n)).tolist() for n in (10, 20)}
    for n, most in ((5, 0), (10, 5), (20, 5)):  # of 40 at 5%, more than five come in 1.4% of sets
        verdicts = [
            say_better(compare_rows(*differing(taxonomy, coins=coins, n=100), n_replicates=300, seed=0))
            for coins in fallen[n]
        ]
        assert sum("is better" in verdict for verdict in verdicts) <= most


@pytest.mark.issue(6)
def test_swaps_of_single_rows_are_mcnemars_test_where_labels_weigh_alike(taxonomy):
    truth = np.arange(300) % 3
    for n_only_a, n_only_b in ((9, 0), (6, 3), (9, 3), (60, 30)):
        given = [truth.copy(), truth.copy()]
        for place in range(n_only_a + n_only_b):
            side = 1 if place < n_only_a else 0  # who is wrong, of each label alike
            given[side][place] = (truth[place] + 1) % 3
        rows = [head_rows(taxonomy, truth, of_side, [f"d{number}" for number in range(300)]) for of_side in given]
        swaps = swap_f1(*(side.count() for side in rows), n_replicates=4000, seed=0)
        assert swaps["n_differ"] == n_only_a + n_only_b
        assert swaps["p"] == pytest.approx(mcnemar_exact(n_only_a, n_only_b), rel=0.5, abs=0.01)
    assert swap_f1(rows[0].count(), rows[0].count(), n_replicates=10, seed=0) == {"n_differ": 0, "p": 1}


@pytest.mark.issue(6)
def test_p_of_each_figure_knows_how_few_documents_differ_in_it(taxonomy):
    truth = np.arange(120) % 3
    groups = [f"d{number // 3}" for number in range(120)]
    wrong = np.where((truth == 2) & (np.arange(120) < 12), 1, truth)  # in four documents
    worse = np.where((truth == 2) & (np.arange(120) < 90), 1, truth)  # in thirty
    a, b, c = (head_rows(taxonomy, truth, given, groups) for given in (truth, wrong, worse))
    four, thirty = (compare_rows(a, other, n_replicates=1000, seed=0) for other in (b, c))
    names = taxonomy.heads[0].label_names
    for compared, p in ((four, 1 / 8), (thirty, 1 / 1001)):
        figures = [compared["macro_f1"], compared["accuracy"], *(compared["labels"][name]["f1"] for name in names[1:])]
        assert [figure["difference"]["p_by_swaps"] for figure in figures] == [pytest.approx(p)] * 4
        assert compared["labels"][names[0]]["f1"]["difference"]["p_by_swaps"] is None  # nothing differs
    assert four["accuracy"]["difference"]["low"] > 0  # the interval alone would call A better


@pytest.mark.issue(6)
def test_slices_of_few_documents_show_no_difference_by_chance(taxonomy):
    share = {"p": 0.0, "p_by_swaps": 0.0}
    head = taxonomy.heads[0].name
    examples = [Example(f"{n}", "a text", {head: ("neutral",)}, "one", f"d{n}") for n in range(30)]
    for n_ones in range(9):  # of eight coins
        a, b = differing(taxonomy, coins=[1] * n_ones + [0] * (8 - n_ones), n=30)
        slices = compare_slices(examples, {head: a}, {head: b}, "source", n_replicates=500, seed=0)
        difference = slices["one"]["heads"][head]["accuracy"]["difference"]
        for key in share:
            share[key] += comb(8, n_ones) / 256 * (difference[key] is not None and difference[key] <= 0.05)
    assert share["p_by_swaps"] <= 0.05 < share["p"]


def test_few_documents_show_no_difference_however_many_rows(taxonomy, tiny_model, files, tmp_path):
    a, b = planted(taxonomy, skill_a=0.9, skill_b=0.3)
    one = compare_rows(replace(a, groups=["d"] * 300), replace(b, groups=["d"] * 300), n_replicates=200, seed=0)
    assert one["macro_f1"]["difference"].pop("value") == pytest.approx(0.4, abs=0.2)
    assert set(one["macro_f1"]["difference"].values()) == {None}
    assert one["mcnemar"]["p"] is None
    assert say_better(one) == "no interval of macro-F1 to tell by"
    rows = [row | {"group": f"d{number % 2}"} for number, row in enumerate(make_rows(120, seed=5, first=900))]
    path = write_rows(tmp_path / "two.jsonl", rows)
    arguments = (tiny_model, "majority", "--train", files["train"], "--data", path, "--by", "source")
    shown = run(*arguments, "--report", tmp_path / "out", "--replicates", "100")
    assert shown.exit_code == 0
    assert "better" not in shown.stdout
    before_slices = shown.stdout.partition(" by source")[0]
    assert before_slices.count(TOO_FEW_GROUPS) == 2  # below the table of each head, as on the page
    assert TOO_FEW_GROUPS in (tmp_path / "out" / "comparison.html").read_text()


@pytest.mark.issue(6)
def test_the_page_names_the_files_of_every_split(files, tmp_path):
    splits = [word for name, path in files.items() for word in (f"--{name}", path)]
    assert run("majority", "keywords", *splits, "--report", tmp_path, "--replicates", "100").exit_code == 0
    page = (tmp_path / "comparison.html").read_text()
    assert [sha256_of_file(path) in page for path in files.values()] == [True] * 3  # train, dev, data


def test_models_of_equal_skill_are_seldom_told_apart(taxonomy):
    false_alarms = 0
    for seed in range(30):
        a, b = planted(taxonomy, skill_a=0.6, skill_b=0.6, seed=seed, n=450)
        difference = compare_rows(a, b, n_replicates=300, seed=seed)["macro_f1"]["difference"]
        false_alarms += not difference["low"] <= 0 <= difference["high"]
    assert false_alarms <= 5  # 1.5 expected; more than 5 of 30 has a chance of 3 in a thousand


def test_the_pairing_narrows_the_interval(taxonomy):
    a, _ = planted(taxonomy, skill_a=0.6, skill_b=0.6)
    given = a.decided.argmax(axis=1)
    given[:10] = a.truth[:10].argmax(axis=1)
    b = head_rows(taxonomy, a.truth.argmax(axis=1), given, a.groups)
    compared = compare_rows(a, b, n_replicates=500, seed=0)["macro_f1"]
    alone, apart = compared["a"], compared["difference"]
    assert apart["high"] - apart["low"] < 0.5 * (alone["high"] - alone["low"])


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (0, 5), (7, 7), (3, 12), (40, 25)])
def test_mcnemar_is_the_binomial_test(only_a, only_b):
    n = only_a + only_b
    tail = sum(Fraction(comb(n, k), 2**n) for k in range(min(only_a, only_b) + 1))
    assert mcnemar_exact(only_a, only_b) == pytest.approx(float(min(Fraction(1), 2 * tail)))


def test_mcnemar_of_very_many_rows_does_not_overflow():
    assert mcnemar_exact(5000, 5000) == 1
    assert 0 < mcnemar_exact(4700, 5000) < 0.01
    assert 0 < mcnemar_exact(0, 1100) < 1e-300


def test_a_model_against_itself_differs_in_nothing_and_proves_nothing(tiny_model, files):
    report = run_json(tiny_model, tiny_model, "--data", files["data"])
    for head in report["heads"].values():
        parts = [head["macro_f1"], head["accuracy"], *(label["f1"] for label in head["labels"].values())]
        nothing = dict.fromkeys(("low", "high", "p", "p_is_least", "p_by_swaps"))
        assert [part["difference"] for part in parts] == [{"value": 0, **nothing}] * len(parts)
        assert head["mcnemar"] == {"only_a_right": 0, "only_b_right": 0, "p": 1}


def test_the_tiny_model_beats_the_majority(tiny_model, files):
    report = run_json(tiny_model, "majority", "--data", files["data"], "--train", files["train"])
    assert report["a"]["name"] == "tiny"
    assert report["b"]["name"] == "majority"
    assert report["heads"]["stance"]["macro_f1"]["difference"]["low"] > 0
    assert report["heads"]["stance"]["mcnemar"]["p"] < 0.001
    turned = run_json("majority", tiny_model, "--data", files["data"], "--train", files["train"])
    value = report["heads"]["stance"]["macro_f1"]["difference"]["value"]
    assert turned["heads"]["stance"]["macro_f1"]["difference"]["value"] == pytest.approx(-value)


def test_two_baselines_need_no_model(files):
    options = [word for name in ("data", "train", "dev") for word in (f"--{name}", files[name])]
    report = run_json("tfidf", "majority", *options)
    assert report["heads"]["stance"]["macro_f1"]["difference"]["low"] > 0
    assert report["a"]["settings"]["topics"]["c"] > 0
    assert report["train"]["n_rows"] == 200


@pytest.mark.issue(6)
def test_each_stage_of_fitting_is_told_where_no_bar_can_be(files, monkeypatch):
    options = [word for name in ("data", "train", "dev") for word in (f"--{name}", files[name])]
    told = run("tfidf", "majority", *options, "--replicates", "100").stderr.splitlines()
    assert "200 rows of train and 80 of dev" in told[0]
    assert len(told) == 1 + 2 * len(GRID)
    for head, lines in (("stance", told[1 : 1 + len(GRID)]), ("topics", told[1 + len(GRID) :])):
        for number, line in enumerate(lines, start=1):
            assert line.startswith(f"tfidf: fitting {head} on 200 rows, setting {number} of {len(GRID)}: ")
    said = io.StringIO()
    said.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", said)
    tell_stage("a bar says it")
    assert said.getvalue() == ""


def test_rows_labelled_for_one_head_are_compared_on_it(tiny_model, files):
    rows = [row | {"topics": None} for row in make_rows(200, seed=0, first=2000)]
    write_rows(files["train"], rows)
    options = [word for name in ("data", "train", "dev") for word in (f"--{name}", files[name])]
    report = run_json(tiny_model, "tfidf", *options)
    assert list(report["heads"]) == ["stance"]
    assert report["heads"]["stance"]["n"] == 120
    (note,) = [note for note in report["notes"] if note.startswith("topics")]
    assert "train" in note
    assert list(run_json(tiny_model, "keywords", *options)["heads"]) == ["stance", "topics"]  # it learns from no row
    write_rows(files["dev"], [row | {"stance": None} for row in make_rows(80, seed=1, first=3000)])
    with pytest.raises(errors.DataError):
        run(tiny_model, "tfidf", *options)


def test_tables_fit_eighty_columns(tiny_model, files):
    outcome = run(tiny_model, "majority", "--data", files["data"], "--train", files["train"], "--replicates", "100")
    assert outcome.exit_code == 0
    assert max(map(len, outcome.stdout.splitlines())) <= 80
    assert "A is better by macro-F1" in outcome.stdout
    assert "where an interval lies beyond 0 and p is above .05, few groups differ" in " ".join(outcome.stdout.split())


@pytest.mark.parametrize("given", [[], ["train"], ["dev"]])
def test_tfidf_needs_train_and_dev(tiny_model, files, given):
    options = [word for name in given for word in (f"--{name}", files[name])]
    assert run(tiny_model, "tfidf", "--data", files["data"], *options).exit_code == 2


def test_without_data_one_half_of_dev_tunes_and_the_other_measures(tiny_model, files):
    report = run_json(tiny_model, "tfidf", "--train", files["train"], "--dev", files["dev"])
    assert (report["n"], report["data"]["n_rows"], report["dev"]["n_rows"]) == (40, 40, 40)
    assert report["dev"]["n_groups"] == report["data"]["n_groups"] == 20
    assert run(tiny_model, "majority", "--train", files["train"]).exit_code == 2


def test_one_document_cannot_be_parted(tiny_model, tmp_path):
    rows = write_rows(tmp_path / "one.jsonl", [{**row, "group": "one"} for row in make_rows(10)])
    with pytest.raises(errors.DataError):
        run(tiny_model, "keywords", "--dev", rows)


@pytest.mark.issue(6)
def test_labels_apart_from_their_texts_count_among_what_a_model_learnt_from(tiny_model):
    manifest = load_manifest(tiny_model)[0]
    apart = manifest.training_data.files[0].model_copy(update={"split": "labels", "n_rows": 67_472})
    learnt = manifest.training_data.model_copy(update={"files": [*manifest.training_data.files, apart]})
    assert "lines of labels" not in describe_learnt(manifest)  # as in the manifests of old
    assert "67,472 lines of labels" in describe_learnt(manifest.model_copy(update={"training_data": learnt}))
    with_dev, without = (
        manifest.training_data.model_copy(
            update={"files": [apart.model_copy(update={"split": split}) for split in splits]}
        )
        for splits in (("train", "dev"), ("train",))
    )
    assert "held out" not in describe_learnt(manifest.model_copy(update={"training_data": with_dev}))
    assert "67,472 rows, less those held out" in describe_learnt(manifest.model_copy(update={"training_data": without}))


def test_a_baseline_is_not_measured_on_what_it_learnt(tiny_model, files):
    with pytest.raises(errors.LeakError):
        run(tiny_model, "majority", "--data", files["data"], "--train", files["train"], files["data"])


def test_missing_models_have_their_error(tiny_model, files, tmp_path):
    with pytest.raises(errors.ModelNotFoundError):
        run(tiny_model, tmp_path / "nowhere", "--data", files["data"])


def other_taxonomy(taxonomy, edit):
    content = taxonomy.model_dump(mode="json")
    edit(content["heads"])
    return Taxonomy.model_validate(content)


def test_labels_in_another_order_are_laid_out_alike(taxonomy):
    turned = other_taxonomy(taxonomy, lambda heads: heads[0]["labels"].reverse())
    shared, only_one = share_heads(taxonomy, turned)
    assert only_one == []
    scores = np.array([[0.1, 0.2, 0.7]])
    decisions = {"stance": (scores, scores == 0.7), "topics": (np.zeros((1, 4)), np.zeros((1, 4), dtype=bool))}
    laid_out = reorder_labels(decisions, turned, shared)
    assert laid_out["stance"][0].tolist() == [[0.7, 0.2, 0.1]]
    assert laid_out["stance"][1].tolist() == [[True, False, False]]


def test_heads_that_differ_are_refused_or_left_out(tiny_model, taxonomy, files, tmp_path):
    without_topics = other_taxonomy(taxonomy, lambda heads: heads.pop())
    model = build_tiny_model(tmp_path / "stance-only", taxonomy=without_topics)
    report = run_json(tiny_model, model, "--data", files["data"])
    assert list(report["heads"]) == ["stance"]
    assert [note for note in report["notes"] if note.startswith("topics")]
    fewer_labels = other_taxonomy(taxonomy, lambda heads: heads[0]["labels"].pop())
    with pytest.raises(errors.TaxonomyMismatchError):
        share_heads(taxonomy, fewer_labels)
    only_topics = other_taxonomy(taxonomy, lambda heads: heads.pop(0))
    with pytest.raises(errors.TaxonomyMismatchError):
        share_heads(without_topics, only_topics)


@pytest.mark.issue(6)
@pytest.mark.parametrize("skip", [(), ("--skip-unlabelled",)])
def test_two_baselines_on_rows_of_other_labels_name_the_option_for_them(tmp_path, tiny_model, skip):
    rows = [{"text": f"The court sat on day {n}.", "branch": "civil", "group": f"d{n}"} for n in range(4)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(errors.DataError) as caught:
        run("keywords", "majority", "--train", path, "--data", path, *skip)
    assert caught.value.faults[0].endswith("; other labels than these: --taxonomy FILE")
    with pytest.raises(errors.DataError) as caught:
        run(tiny_model, "keywords", "--data", path, *skip)  # a model has its own: the option would be refused
    assert "--taxonomy" not in caught.value.faults[0]


@pytest.mark.issue(6)
def test_p_of_few_documents_is_too_small_as_readers_are_told():
    def share_found(n_documents):
        """How often p is .05 or less between two sides that are equally good."""
        generator = np.random.default_rng(0)
        apart = generator.laplace(size=(500, n_documents))
        weights = draw_weights(n_documents, n_replicates=200, seed=0)
        return np.mean([_bootstrap_p(weights @ of_documents)[0] <= 0.05 for of_documents in apart])

    assert share_found(6) > 0.1
    assert share_found(100) < 0.07
