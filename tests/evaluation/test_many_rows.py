"""Many rows: what is shared by all is not compared pair by pair, and draws of documents are held once."""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation import audit_texts
from evaluation.audit_balance import measure_drift
from evaluation.audit_texts import find_repeats
from evaluation.commands import evaluate
from evaluation.compare_command import compare
from evaluation.dataset import load_labelled
from evaluation.linear import plain_rule
from evaluation.measure import measure_rows
from evaluation.ranking import average_precision
from evaluation.rows import HeadRows
from tests.evaluation.support import make_rows, write_rows
from twohands.metrics import draw_weights


@contextmanager
def tracing():
    tracemalloc.start()
    peak = []
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def list_sequences(text):
    words = text.lower().split()
    return {tuple(words[at : at + 3]) for at in range(max(1, len(words) - 2))}


def write_forms(n, *, seed=0):
    """Texts of one form, each with twice as many words of its own; every tenth is the one before it, with a change."""
    generator = np.random.default_rng(seed)
    form = " ".join(f"form{number}" for number in range(20))
    texts = []
    for number in range(n):
        own = [f"w{word}" for word in generator.integers(5000, size=40)]
        if number % 10 == 9:
            own = texts[-1].split()[20:]
            own[int(generator.integers(40))] = "changed"
        texts.append(f"{form} {' '.join(own)}")
    return texts


@pytest.mark.issue(6)
@pytest.mark.parametrize("least", [0.1, 0.2, 0.5, 2 / 3, 1.0])
def test_repeats_are_those_of_comparing_each_with_each(monkeypatch, least):
    generator = np.random.default_rng(1)
    short = [" ".join(generator.choice(list("abcd"), size=generator.integers(1, 9))) for _ in range(60)]
    texts = [*write_forms(40), *short]
    monkeypatch.setattr(audit_texts, "_BLOCK", 7)
    monkeypatch.setattr(audit_texts, "_PAIRS", 11)
    sequences = [list_sequences(text) for text in texts]
    expected = [
        (a, b, alike)
        for a, first in enumerate(sequences)
        for b, second in enumerate(sequences[a + 1 :], a + 1)
        if (alike := len(first & second) / len(first | second)) >= least
    ]
    assert expected
    assert find_repeats(texts, least=least) == expected


@pytest.mark.issue(6)
def test_texts_of_one_form_are_not_compared_each_with_each(monkeypatch):
    n_met = []
    keep = audit_texts._keep_rare

    def note(found, least):
        rare = keep(found, least)
        n_met.append((rare @ rare.T).nnz)
        return rare

    monkeypatch.setattr(audit_texts, "_keep_rare", note)
    assert len(find_repeats(write_forms(400), least=0.5)) == 40
    assert n_met[0] < 2000  # of 160,000


@pytest.mark.issue(6)
def test_draws_that_somebody_holds_are_drawn_once_and_cannot_be_changed():
    held = draw_weights(500, n_replicates=30, seed=4)
    assert draw_weights(500, n_replicates=30, seed=4) is held
    plain = np.random.default_rng(4).multinomial(500, np.full(500, 1 / 500), size=30)
    np.testing.assert_array_equal(held, plain)
    assert not np.array_equal(draw_weights(500, n_replicates=30, seed=5), held)
    with pytest.raises(ValueError, match="read-only"):
        held[0, 0] = 1


@pytest.mark.issue(6)
def test_draws_take_no_more_memory_than_they_fill(monkeypatch):
    plain = np.random.default_rng(0).multinomial(2000, np.full(2000, 1 / 2000), size=500)
    monkeypatch.setattr("twohands.metrics._DRAWN_CELLS", 50_000)
    with tracing() as peak:
        drawn = draw_weights(2000, n_replicates=500, seed=0)
    np.testing.assert_array_equal(drawn, plain)
    assert peak[0] < 1.3 * drawn.nbytes


@pytest.mark.issue(6)
def test_a_report_of_many_documents_holds_their_draws_once(monkeypatch, taxonomy):
    head = taxonomy.heads[1]
    generator = np.random.default_rng(0)
    n = 4000
    truth = (generator.random((n, 4)) < 0.3).astype(np.float32)
    scores = generator.random((n, 4))
    rows = HeadRows(head, np.arange(n), truth, scores >= 0.5, scores, [f"d{number}" for number in range(n)])
    monkeypatch.setattr("evaluation.ranking._MAX_CELLS", 50_000)
    with tracing() as peak:
        measured = measure_rows(rows, rows, plain_rule(head, None), n_replicates=1000, seed=0)
    assert measured["n_groups"] == n
    assert peak[0] < 2 * 1000 * n * 8  # three copies were held at once


@pytest.mark.issue(6)
def test_precision_is_asked_where_recall_rises():
    n, n_draws = 20_000, 40  # one block
    generator = np.random.default_rng(0)
    truth, scores = (generator.random(n) < 0.05).astype(float), generator.random(n)
    weights = generator.integers(0, 4, size=(n_draws, n)).astype(float)
    order = np.argsort(-scores)
    given, found = np.cumsum(weights[:, order], axis=1), np.cumsum((weights * truth)[:, order], axis=1)
    steps = np.diff(found, axis=1, prepend=0) * np.divide(found, given, out=np.zeros_like(found), where=given > 0)
    with tracing() as peak:
        areas = average_precision(truth, scores, weights)
    np.testing.assert_allclose(areas, steps.sum(axis=1) / found[:, -1], rtol=1e-12)
    assert peak[0] < 2 * weights.nbytes  # six more of its size were made


@pytest.mark.issue(6)
def test_drift_draws_the_documents_of_a_slice_once_for_all_labels(monkeypatch, taxonomy, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", make_rows(120, noise=0))
    examples = load_labelled([path], taxonomy).examples
    generator = np.random.default_rng(0)
    scores = {head.name: generator.random((len(examples), len(head.labels))) for head in taxonomy.heads}
    drawn = []

    def note(n_documents, **options):
        drawn.append(n_documents)
        return draw_weights(n_documents, **options)

    monkeypatch.setattr("evaluation.audit_balance.draw_weights", note)
    drift = measure_drift(examples, taxonomy, scores, "source", n_replicates=50, seed=0)
    n_values = len({example.source for example in examples})
    assert len(drawn) == n_values * len(taxonomy.heads)
    for head in taxonomy.heads:
        assert list(drift[head.name]) == list(head.label_names)
        assert all(len(by_value) == n_values for by_value in drift[head.name].values())


class CountedGroups(list):
    """Groups that count how often one is looked at."""

    n_looks = 0

    def __iter__(self):
        for group in super().__iter__():
            self.n_looks += 1
            yield group

    def __getitem__(self, place):
        self.n_looks += 1
        return super().__getitem__(place)


@pytest.mark.issue(6)
def test_taking_a_few_rows_looks_at_their_documents_alone(taxonomy):
    groups = CountedGroups(f"d{number}" for number in range(1000))
    empty = np.zeros((1000, 4))
    rows = HeadRows(taxonomy.heads[1], np.arange(1000), empty, empty > 0, empty, groups)
    chosen = np.isin(np.arange(1000), [3, 500])
    groups.n_looks = 0
    taken = rows.take(chosen)
    assert (taken.groups, taken.places.tolist(), groups.n_looks) == (["d3", "d500"], [3, 500], 2)


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        (evaluate, "--model MODEL --report out", {"tracing curves", "measuring slices", "measuring heads"}),
        (compare, "MODEL majority --train train.jsonl --dev dev.jsonl", {"comparing slices", "comparing heads"}),
    ],
)
def test_what_follows_classifying_shows_bars_too(tiny_model, tmp_path, monkeypatch, command, words, expected):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("rows", 1), ("dev", 2), ("train", 3)):
        write_rows(tmp_path / f"{name}.jsonl", make_rows(60, seed=seed, first=1000 * seed))
    bars = {}

    @contextmanager
    def note(description, total):
        bars[description] = [total, 0]

        def advance(steps):
            bars[description][1] += steps

        yield advance

    monkeypatch.setattr("evaluation.progress.show_progress", note)
    words = [str(tiny_model) if word == "MODEL" else word for word in words.split()]
    ran = CliRunner().invoke(command, [*words, "--data", "rows.jsonl", "--by", "source", "--replicates", "100"])
    assert ran.exit_code == 0, ran.output
    assert expected <= set(bars)
    assert all(total == done > 0 for total, done in bars.values())
