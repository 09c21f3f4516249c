"""The classifier answers in order from any number of threads, and names the text that it cannot read."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from tests.support.tiny import build_tiny_model
from twohands import Classifier
from twohands.errors import (
    EmptyParagraphError,
    FileReadError,
    InputError,
    InputTypeError,
    ManifestError,
    ModelNotFoundError,
    ThresholdError,
)
from twohands.manifest import load_manifest, write_manifest
from twohands.misuse import ArgumentError, ClosedError
from twohands.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def classifier(tiny_model):
    loaded = Classifier.load(tiny_model)
    yield loaded
    loaded.close()


@pytest.mark.parametrize(
    ("text", "stance", "topics"),
    [
        ("The plan", "state-led", []),
        ("the market .", "market-led", []),
        ("WEATHER", "neutral", []),
        ("a plan of embargo", "state-led", ["sanctions"]),
        ("embargo homemade subsidy licence", None, ["sanctions", "self-reliance", "industrial-policy", "regulation"]),
    ],
)
def test_words_give_their_labels(classifier, text, stance, topics):
    (prediction,) = classifier.classify([text])
    assert stance in {None, prediction.stance.label}
    assert prediction.topics.labels == topics


def test_answers_keep_the_order_over_many_batches(classifier):
    words = ["plan", "market", "weather"] * 67
    assert [p.stance.label for p in classifier.classify(words)] == ["state-led", "market-led", "neutral"] * 67


def test_batch_and_alone_are_equal(classifier):
    texts = [f"{'the plan of a market ' * n} embargo." for n in range(1, 12)]
    assert classifier.classify(texts) == [classifier.classify([text])[0] for text in texts]


def test_several_threads_at_once_get_their_own_answers(classifier):
    texts = [
        [f"{'plan ' * (n % 5)}market {'weather ' * (n % 3)}" for n in range(start, start + 9)] for start in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(classifier.classify, texts)) == [classifier.classify(batch) for batch in texts]


def test_no_text_gives_no_answer(classifier):
    assert classifier.classify([]) == []


@pytest.mark.issue(2)
@pytest.mark.parametrize("texts", ["the plan", b"the plan", {"the plan": 1}, None, 5])
def test_what_is_no_list_of_texts_is_a_mistake(classifier, texts):
    with pytest.raises(ArgumentError) as caught:
        classifier.classify(texts)
    assert isinstance(caught.value, TypeError)


@pytest.mark.issue(2)
@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("make", [iter, tuple, np.array, lambda texts: dict.fromkeys(texts).keys()])
def test_any_iterable_of_texts_will_do(classifier, make, explain):
    texts = [f"plan {'of ' * n}market" for n in range(3)]
    assert classifier.classify(make(texts), explain=explain) == classifier.classify(texts, explain=explain)


def test_a_generator_is_read_over_many_batches(classifier):
    words = ["plan", "market", "weather"] * 67
    assert classifier.classify(word for word in words) == classifier.classify(words)


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    "arguments",
    [{"runtime": "OpenVINO"}, {"runtime": "foo"}, {"runtime": None}, {"num_threads": 0}, {"num_threads": 1.5}],
)
def test_arguments_that_mean_nothing_are_refused(tiny_model, arguments):
    with pytest.raises(ArgumentError):
        Classifier.load(tiny_model, **arguments)


@pytest.mark.parametrize("model", [5, "", b"twohands"])
def test_a_model_is_named_by_a_path(model):
    with pytest.raises(ArgumentError):
        Classifier.load(model)


@pytest.mark.issue(2)
def test_after_closing_nothing_is_classified(tiny_model):
    with Classifier.load(tiny_model, num_threads=np.int64(2)) as classifier:
        assert len(classifier.classify(["plan", "market"])) == 2
    for texts in (["plan"], ["plan", "market"]):
        with pytest.raises(ClosedError):
            classifier.classify(texts)
    classifier.close()


@pytest.mark.parametrize(("bad", "error"), [("", EmptyParagraphError), (None, InputTypeError)])
def test_a_bad_text_is_named_by_its_place(classifier, bad, error):
    with pytest.raises(error) as caught:
        classifier.classify(["plan"] * 70 + [bad])
    assert "70" in str(caught.value)


def test_what_can_be_encoded_is(classifier):
    encoded = classifier.try_encode(["plan", "", 3, "market"])
    assert [isinstance(one, InputError) for one in encoded] == [False, True, True, False]


def test_thresholds_change_decisions_and_not_scores(classifier):
    (plain,) = classifier.classify(["a plan of embargo"])
    (changed,) = classifier.classify(["a plan of embargo"], thresholds={"sanctions": 1.0, "regulation": 0, "stance": 1})
    assert changed.topics.labels == ["regulation"]
    assert (plain.stance.abstained, changed.stance.abstained) == (False, True)
    assert changed.topics.scores == plain.topics.scores
    for nonsense in ({"tariffs": 0.5}, {"sanctions": True}, {"sanctions": "0.5"}, [("sanctions", 0.5)]):
        with pytest.raises(ThresholdError):
            classifier.classify(["plan"], thresholds=nonsense)


@pytest.mark.issue(2)
@pytest.mark.parametrize("number", [np.float32(1), np.int64(1), Fraction(1)])
def test_any_real_number_is_a_threshold(classifier, number):
    thresholds = {"sanctions": number, "regulation": 0, "stance": number}
    (prediction,) = classifier.classify(["a plan of embargo"], thresholds=thresholds)
    assert (prediction.topics.labels, prediction.stance.abstained) == (["regulation"], True)


def test_long_text_says_what_was_cut(classifier):
    short, long = classifier.classify(["plan", "plan " * 60])
    assert (short.n_tokens, short.n_windows, short.truncated) == (1, 1, False)
    assert (long.n_tokens, long.n_windows, long.truncated, long.n_tokens_cut) == (60, 3, True, 26)


def test_identity_names_the_exact_model(classifier, tiny_model):
    assert classifier.identity == {"name": "tiny", "version": "0.0.1", "sha256": load_manifest(tiny_model)[1]}


def test_any_taxonomy_works(tmp_path):
    heads = [
        {"name": "flag", "problem_type": "multi_label_classification", "labels": [{"name": "f", "description": "F."}]},
        {
            "name": "tone",
            "problem_type": "single_label_classification",
            "labels": [{"name": "calm", "description": "C."}, {"name": "loud", "description": "L."}],
        },
    ]
    folder = build_tiny_model(tmp_path / "own", taxonomy=Taxonomy.model_validate({"heads": heads}))
    classifier = Classifier.load(folder)
    plan, market, weather = classifier.classify(["plan", "market", "weather"])
    classifier.close()
    assert plan.flag.labels == ["f"]
    assert (market.tone.label, weather.tone.label) == ("calm", "loud")


def test_a_folder_that_is_not_sound_is_refused(tiny_model, tmp_path):
    with pytest.raises(ModelNotFoundError):
        Classifier.load(tmp_path / "none")
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ManifestError):
        Classifier.load(folder)
    write_manifest(folder, load_manifest(tiny_model)[0])  # the digest now fits, the graph still does not
    with pytest.raises(FileReadError):
        Classifier.load(folder)


def test_a_table_is_refused_and_its_column_is_not(classifier):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"id": ["a"], "text": ["the plan"]})
    with pytest.raises(ArgumentError, match="column"):
        classifier.classify(table)
    assert len(classifier.classify(table["text"])) == 1


class Polars:
    """What of a table of polars tells that it is one; going through it gives its columns."""

    columns = property(lambda _: pytest.fail("a lazy table reads its files for this"))
    iter_rows = __iter__ = lambda _: iter([["the plan"]])


@pytest.mark.issue(2)
def test_tables_of_other_libraries_and_columns_of_arrow_are_told_how_to_be_passed(classifier):
    table = pa.table({"text": ["the plan"]})
    for texts in (table, table.to_batches()[0], Polars()):
        with pytest.raises(ArgumentError, match="a table; pass the column"):
            classifier.classify(texts)
    for texts in (table["text"], table["text"].chunk(0)):
        with pytest.raises(ArgumentError, match="to_pylist"):
            classifier.classify(texts)
    assert len(classifier.classify(table["text"].to_pylist())) == 1
