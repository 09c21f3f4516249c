"""The surest mistakes with their sentence, the figures of the rows themselves, and slices that the rows imply."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.commands import evaluate
from evaluation.dataset import load_labelled
from evaluation.describe import describe_examples
from evaluation.mistakes import describe_mistakes, rank_mistakes
from evaluation.rows import HeadRows
from evaluation.slices import slice_values, usual_columns
from tests.evaluation.support import make_rows, write_rows
from twohands.classifier import Classifier
from twohands.examples import Example


def make_example(**changes):
    fields = {
        "id": "1",
        "paragraph": "one two three",
        "labels": {"stance": ("neutral",), "topics": ("sanctions", "regulation")},
        "source": "s",
        "group": "g",
        "columns": {},
    }
    return Example(**fields | changes)


def test_mistakes_are_the_surest_first_and_half_are_missed(taxonomy):
    generator = np.random.default_rng(0)
    truth = (generator.random((60, 4)) < 0.5).astype(np.float32)
    scores = generator.random((60, 4))
    rows = HeadRows(taxonomy.heads[1], np.arange(60), truth, scores >= 0.5, scores, ["g"] * 60)
    ranked = rank_mistakes(rows, most=6)
    assert [mistake.kind for mistake in ranked] == ["given"] * 3 + ["missed"] * 3
    wrong = scores[(truth == 0) & (scores >= 0.5)]
    assert [mistake.certainty for mistake in ranked[:3]] == sorted(wrong, reverse=True)[:3]
    withheld = scores[(truth == 1) & (scores < 0.5)]
    assert [mistake.certainty for mistake in ranked[3:]] == [1 - score for score in sorted(withheld)[:3]]
    only_given = HeadRows(taxonomy.heads[1], rows.places, np.zeros_like(truth), rows.decided, scores, rows.groups)
    assert len(rank_mistakes(only_given, most=6)) == 6
    assert rank_mistakes(only_given, most=0) == []


def test_the_sentence_that_misled_is_marked(tiny_model, taxonomy, tmp_path):
    rows = make_rows(20, noise=0)
    rows[0] |= {"text": "The weather of the weather. A plan the plan, a plan of plan.", "stance": "neutral"}
    examples = load_labelled([write_rows(tmp_path / "rows.jsonl", rows)], taxonomy).examples
    classifier = Classifier.load(tiny_model)
    try:
        hot = np.eye(3, dtype=bool)
        wrong = HeadRows(
            taxonomy.heads[0], np.array([0]), hot[[2]].astype(np.float32), hot[[0]], np.array([[0.8, 0.1, 0.1]]), ["g"]
        )
        selected = {"stance": wrong}
        described = describe_mistakes(classifier, examples, selected, most=5, with_texts=True)
        (mistake,) = described["stance"]
        quiet = describe_mistakes(classifier, examples, selected, most=5, with_texts=False)
    finally:
        classifier.close()
    assert (mistake["label"], mistake["truth"], mistake["answer"]) == ("state-led", ["neutral"], ["state-led"])
    evidence = mistake["evidence"]
    assert mistake["text"][evidence["start"] : evidence["end"]] == "A plan the plan, a plan of plan."
    assert evidence["drop"] > 0
    assert "text" not in quiet["stance"][0]
    assert "evidence" not in quiet["stance"][0]


def test_a_report_without_texts_quotes_no_row(tiny_model, tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", make_rows(60, noise=0.9))
    arguments = ["--model", tiny_model, "--data", path, "--report", tmp_path / "report", "--replicates", "100"]
    outcome = CliRunner().invoke(evaluate, [*map(str, arguments), "--without-texts"], catch_exceptions=False)
    assert outcome.exit_code == 0
    written = [(tmp_path / "report" / name).read_text() for name in ("metrics.json", "report.html")]
    assert not any("weather weather" in text for text in written)
    assert json.loads(written[0])["mistakes"]["stance"]
    assert set(json.loads(written[0])["slices"]) == {"source", "decade", "n_topics"}


def test_rows_are_described(taxonomy):
    examples = [
        make_example(),
        make_example(id="2", labels={"stance": None, "topics": ()}),
        make_example(id="3", group="h", paragraph="four", labels={"stance": ("neutral",), "topics": None}),
    ]
    described = describe_examples(examples, taxonomy, n_tokens=[5, 5, 3], n_windows=[1, 2, 1])
    assert described["heads"]["stance"]["n"] == 2
    assert described["heads"]["stance"]["labels"]["neutral"] == {"n": 2, "share": 1}
    assert described["heads"]["topics"]["n_unlabelled"] == 1
    assert described["heads"]["topics"]["n_without"] == 1
    assert described["heads"]["topics"]["together"] == {"sanctions + regulation": 1}
    assert described["n_words"]["least"] == 1
    assert described["n_tokens"]["most"] == 5
    assert described["rows_per_group"]["most"] == 2
    assert (described["n_repeated_texts"], described["n_several_windows"]) == (1, 1)


@pytest.mark.parametrize(
    ("n_words", "expected"), [(1, "1 to 25 words"), (25, "1 to 25 words"), (26, "26 to 50 words"), (500, "201+ words")]
)
def test_lengths_are_slices(n_words, expected):
    assert slice_values([make_example(paragraph=" ".join(["w"] * n_words))], "length") == [expected]


def test_counts_of_labels_are_slices_unless_the_rows_hold_such_a_column():
    assert slice_values([make_example()], "n_topics") == ["2"]
    assert slice_values([make_example(columns={"n_topics": "many"})], "n_topics") == ["many"]


def test_usual_slices_are_those_that_part_the_rows(taxonomy):
    examples = [make_example(id=str(n), source="ab"[n % 2], columns={"country": "X", "year": 1990}) for n in range(60)]
    assert usual_columns(examples, taxonomy) == ["source"]
