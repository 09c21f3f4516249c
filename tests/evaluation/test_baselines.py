"""The baselines: the majority's answer, and a TF-IDF that learns what can be learnt from words."""

import sys

import numpy as np
import pytest

from evaluation import linear
from evaluation.baselines import MajorityBaseline, TfidfBaseline
from evaluation.dataset import load_labelled
from evaluation.rows import select_rows
from tests.evaluation.support import make_rows, write_rows
from twohands.errors import DataError, MissingExtraError
from twohands.metrics import macro_f1


@pytest.fixture(scope="module")
def splits(tmp_path_factory, taxonomy):
    folder = tmp_path_factory.mktemp("splits")

    def load(name, **options):
        return load_labelled([write_rows(folder / f"{name}.jsonl", make_rows(**options))], taxonomy).examples

    return {
        "train": load("train", n=200, seed=1, noise=0),
        "dev": load("dev", n=80, seed=2, noise=0, first=200),
        "data": load("data", n=80, seed=3, noise=0, first=280),
    }


def fit(taxonomy, splits, **changes):
    splits = splits | changes
    steps = []
    baseline = TfidfBaseline(taxonomy, splits["train"], splits["dev"], seed=0, advance=steps.append)
    assert sum(steps) == TfidfBaseline.count_fits(taxonomy)
    return baseline


@pytest.fixture(scope="module")
def fitted(taxonomy, splits):
    return fit(taxonomy, splits)


def ignore(steps):
    del steps


def decide(baseline, examples):
    return baseline.decide(examples, advance=ignore)


def test_tfidf_learns_a_separable_set(taxonomy, splits, fitted):
    for name, rows in select_rows(splits["data"], taxonomy, decide(fitted, splits["data"])).items():
        reached = macro_f1(rows.count().weigh(np.ones((1, rows.n_groups))))[0]
        assert reached > 0.95, name
        assert rows.scores.min() >= 0
        assert rows.scores.max() <= 1


@pytest.mark.parametrize("number", [0, 1])
def test_the_best_of_the_grid_on_dev_is_kept(monkeypatch, taxonomy, number):
    generator = np.random.default_rng(4)
    head = taxonomy.heads[number]
    n_labels = len(head.labels)

    def draw(n):
        features = generator.normal(size=(n, 30))
        logits = features[:, :n_labels] + generator.normal(scale=1.5, size=(n, n_labels)) - [1.5, *[0] * (n_labels - 1)]
        if number == 0:
            return features, (np.arange(n_labels) == logits.argmax(axis=1)[:, None]).astype(np.float32)
        return features, (logits > 1).astype(np.float32)

    splits = [*draw(150), *draw(150)]
    kept = linear.fit_head(head, *splits, seed=0, advance=ignore)
    reached = {}
    for point in linear.GRID:
        monkeypatch.setattr(linear, "GRID", (point,))
        reached[point] = linear.fit_head(head, *splits, seed=0, advance=ignore).settings["dev_macro_f1"]
    assert min(reached.values()) < max(reached.values())
    assert kept.settings["dev_macro_f1"] == max(reached.values())
    assert reached[kept.settings["c"], kept.settings["class_weight"]] == max(reached.values())


def test_tfidf_repeats(taxonomy, splits, fitted):
    first, second = (decide(baseline, splits["data"]) for baseline in (fitted, fit(taxonomy, splits)))
    assert fitted.identity["settings"]["stance"]["dev_macro_f1"] > 0.95
    for name, (scores, decided) in first.items():
        np.testing.assert_array_equal(scores, second[name][0])
        np.testing.assert_array_equal(decided, second[name][1])


def test_tfidf_never_looks_at_the_truth_of_what_it_decides(splits, fitted):
    blind = [
        type(example)(example.id, example.paragraph, dict.fromkeys(example.labels), example.source, example.group)
        for example in splits["data"]
    ]
    np.testing.assert_array_equal(decide(fitted, blind)["stance"][0], decide(fitted, splits["data"])["stance"][0])


def test_tfidf_stands_labels_that_train_lacks(taxonomy, splits):
    train = [example for example in splits["train"] if example.labels["stance"] != ("neutral",)]
    train = [example for example in train if "sanctions" not in example.labels["topics"]]
    decisions = decide(fit(taxonomy, splits, train=train), splits["data"])
    scores, decided = decisions["stance"]
    assert (scores[:, 2] == 0).all()
    assert (decided.sum(axis=1) == 1).all()
    assert not decisions["topics"][1][:, 0].any()


def test_a_head_without_labels_cannot_be_fitted(taxonomy, splits):
    blind = [
        type(e)(e.id, e.paragraph, {"stance": e.labels["stance"], "topics": None}, e.source, e.group)
        for e in splits["train"]
    ]
    with pytest.raises(DataError):
        MajorityBaseline(taxonomy, blind)
    with pytest.raises(DataError):
        TfidfBaseline(taxonomy, splits["train"], blind, seed=0, advance=ignore)


def test_train_without_a_word_that_comes_twice_is_refused(taxonomy, splits):
    with pytest.raises(DataError):
        TfidfBaseline(taxonomy, splits["train"][:1], splits["dev"], seed=0, advance=ignore)


def test_tfidf_names_its_missing_package(monkeypatch, taxonomy, splits):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError):
        TfidfBaseline(taxonomy, splits["train"], splits["dev"], seed=0, advance=ignore)


def test_majority_gives_the_most_frequent_answer(taxonomy, splits):
    train = splits["train"]
    words = [example.labels["stance"][0] for example in train]
    decisions = decide(MajorityBaseline(taxonomy, train), splits["data"])
    scores, decided = decisions["stance"]
    expected = [words.count(name) / len(words) for name in taxonomy.heads[0].label_names]
    assert scores[0] == pytest.approx(expected)
    assert (decided.argmax(axis=1) == int(np.argmax(expected))).all()
    assert not decisions["topics"][1].any()  # no topic stands in half of the rows
