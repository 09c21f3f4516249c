import pytest

from twohands import evidence
from twohands.classifier import Classifier
from twohands.evidence import MAX_PIECES, MIN_DROP, list_runs, plan_evidence

TEXT = "The weather of the. A plan of homemade plan plan. Subsidy the of a."


@pytest.fixture(scope="module")
def classifier(tiny_model):
    classifier = Classifier.load(tiny_model, num_threads=1)
    yield classifier
    classifier.close()


def explain(classifier, text, **options):
    (prediction,) = classifier.classify([text], explain=True, **options)
    return prediction


def test_each_answer_points_to_the_sentence_that_carries_it(classifier):
    prediction = explain(classifier, TEXT, thresholds={"self-reliance": 0.1, "industrial-policy": 0.1})
    assert prediction.stance.label == "state-led"
    stance, topics = prediction.evidence["stance"], prediction.evidence["topics"]
    assert stance["sentence"] == "A plan of homemade plan plan."
    assert TEXT[stance["start"] : stance["end"]] == stance["sentence"]
    assert set(topics) == set(prediction.topics.labels) >= {"self-reliance", "industrial-policy"}
    assert topics["self-reliance"]["sentence"] == stance["sentence"]
    assert topics["industrial-policy"]["sentence"] == "Subsidy the of a."


def test_drop_is_the_score_less_the_score_without_the_sentence(classifier):
    prediction = explain(classifier, TEXT)
    stance = prediction.evidence["stance"]
    (without,) = classifier.classify([TEXT[: stance["start"]] + " " + TEXT[stance["end"] :]])
    assert stance["drop"] == pytest.approx(prediction.stance.score - without.stance.scores["state-led"], abs=2e-6)


def test_explaining_changes_no_answer(classifier):
    (plain,) = classifier.classify([TEXT])
    explained = explain(classifier, TEXT).to_dict()
    assert plain.evidence is None
    assert explained | {"evidence": None} == plain.to_dict()


def test_offsets_are_those_of_the_raw_text(classifier):
    raw = "\n  The\u200b weather\t of  the. \n A  plan of plan.  "
    stance = explain(classifier, raw).evidence["stance"]
    assert raw[stance["start"] : stance["end"]] == stance["sentence"] == "A  plan of plan."


def test_one_sentence_has_no_drop(classifier):
    stance = explain(classifier, "the plan of a plan").evidence["stance"]
    assert (stance["sentence"], stance["drop"]) == ("the plan of a plan", None)


def test_no_sentence_carries_what_all_say_alike(classifier):
    assert explain(classifier, "The of the. The a of. The the a.").evidence["stance"] is None


def test_no_sentence_is_named_for_a_drop_that_says_nothing(classifier, monkeypatch):
    drop = explain(classifier, TEXT).evidence["stance"]["drop"]
    assert drop >= MIN_DROP > 0
    monkeypatch.setattr(evidence, "MIN_DROP", drop + 1e-6)
    assert explain(classifier, TEXT).evidence["stance"] is None
    monkeypatch.setattr(evidence, "MIN_DROP", drop)
    assert explain(classifier, TEXT).evidence["stance"]["drop"] == drop


def test_cost_is_bounded(classifier):
    plan = plan_evidence(classifier.encoder, " ".join(["The plan of a market."] * 500))
    assert len(plan.variants) == len(plan.pieces) == MAX_PIECES


def test_all_is_run_in_one_batch(classifier, monkeypatch):
    sizes = []
    run_batch = classifier.session.run_batch

    def count(windows):
        sizes.append(len(windows))
        return run_batch(windows)

    monkeypatch.setattr(classifier.session, "run_batch", count)
    classifier.classify(["The plan. A market. The weather.", "market of the. A plan."], explain=True)
    assert sizes == [2 + 3 + 2]


def test_order_of_runs_is_paragraphs_then_variants(classifier):
    texts = ["The plan. A market.", "The weather. A plan. A licence."]
    encoded = classifier.try_encode(texts)
    plans = [plan_evidence(classifier.encoder, text) for text in texts]
    runs = list_runs(encoded, plans)
    assert runs[:2] == encoded
    assert runs[2:] == [*plans[0].variants, *plans[1].variants]


def test_part_without_which_nothing_is_left_is_passed_over(classifier):
    plan = plan_evidence(classifier.encoder, "The plan.\n\n\u200b\u200b")
    assert plan.variants == ()
    assert explain(classifier, "The plan.\n\n\u200b\u200b").evidence["stance"]["drop"] is None
