"""Zero-shot by an NLI model: one that has learnt to entail, beside transformers' own zero-shot pipeline.

No package carries a finished NLI model, so one is made in seconds: the first layers of the default encoder learn from
pairs that are written by template.
"""

import json
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from evaluation.neural.encoder import find_default
from evaluation.neural.pretrained import SequenceClassifier
from evaluation.neural.sequence import HYPOTHESIS, EntailmentBaseline, find_entailment
from twohands import errors
from twohands.examples import Example
from twohands.taxonomy import ProblemType, Taxonomy

WHO = ["the state", "the council", "the bank", "the union", "the firm", "the ministry", "the court", "the farmer"]
WHAT = ["builds ports", "sells mines", "feeds schools", "cuts taxes", "guards forests", "buys steel", "prints books"]
FRAMES = ["Yesterday it was said that {}.", "We report that {} this year.", "In the north {}, as ever."]
UNSEEN = ["On Monday it was told that {}.", "Here {}, by all accounts."]
ENTAILS, CONTRADICTS, SAYS_NOTHING = "entailment", "contradiction", "neutral"
LEARNT = (ENTAILS, CONTRADICTS, SAYS_NOTHING)

# How the labels of NLI models are called and ordered: other names of the same three or two stand among the slow tests,
# as `find_entailment` is asked about names below, and each takes two seconds here.
ORDERS = {
    "bart-mnli": ["contradiction", "neutral", "entailment"],
    "roberta-mnli": ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"],
    "cross-encoder": ["contradiction", "entailment", "neutral"],
    "deberta-nli": ["entailment", "neutral", "contradiction"],
    "distilbert-mnli": ["ENTAILMENT", "NEUTRAL", "CONTRADICTION"],
    "zeroshot": ["entailment", "not_entailment"],
    "rte": ["not_entailment", "entailment"],
    "by-words": ["Not Entailment", "Entailment"],
}


def _write_pair(generator, frames):
    who, what = generator.choice(WHO), generator.choice(WHAT)
    label = generator.choice(LEARNT)
    said = {ENTAILS: f"{who} {what}", CONTRADICTS: f"{who} no longer {what}"}
    others = [other for other in WHO if other != who], [other for other in WHAT if other != what]
    said[SAYS_NOTHING] = " ".join(map(generator.choice, others))
    return generator.choice(frames).format(said[label]), HYPOTHESIS.format(description=f"{who} {what}"), label


@pytest.fixture(scope="module")
def learnt():
    """A model and its tokenizer, whose labels are `LEARNT`."""
    transformers.set_seed(0)
    torch.set_num_threads(1)  # so little work; two that wait for one another take minutes where others use the CPUs
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        find_default(), num_labels=len(LEARNT), num_hidden_layers=3
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(find_default())
    model.bert.embeddings.requires_grad_(False)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=2e-4)
    generator = random.Random(0)
    pairs = [_write_pair(generator, FRAMES) for _ in range(400)]
    model.train()
    for _ in range(4):
        generator.shuffle(pairs)
        for start in range(0, len(pairs), 32):
            texts, hypotheses, labels = zip(*pairs[start : start + 32], strict=True)
            encoded = tokenizer(list(texts), list(hypotheses), padding=True, return_tensors="pt")
            model(**encoded, labels=torch.tensor([LEARNT.index(label) for label in labels])).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.eval(), tokenizer


def _save(learnt, folder, labels):
    """The same model with its labels in another order, or with the best of two against entailment."""
    model, tokenizer = learnt
    places = [
        LEARNT.index(found[0] if (found := [word for word in LEARNT if label.lower() == word]) else CONTRADICTS)
        for label in labels
    ]
    config = transformers.BertConfig.from_dict(
        model.config.to_dict() | {"id2label": dict(enumerate(labels)), "label2id": {n: k for k, n in enumerate(labels)}}
    )
    ordered = transformers.BertForSequenceClassification(config)
    weights = model.state_dict()
    ordered.load_state_dict(
        weights | {name: weights[name][places] for name in ("classifier.weight", "classifier.bias")}
    )
    ordered.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def heads():
    """What is said, as one of three and as any of three."""
    described = [f"{WHO[place]} {WHAT[place]}" for place in range(3)]
    return Taxonomy.model_validate(
        {
            "heads": [
                {
                    "name": name,
                    "problem_type": kind.value,
                    "labels": [{"name": f"{name}-{n}", "description": said} for n, said in enumerate(described)],
                }
                for name, kind in (("one", ProblemType.ONE_OF), ("any", ProblemType.ANY_OF))
            ]
        }
    )


@pytest.fixture(scope="module")
def examples(heads):
    """Paragraphs in frames that were not learnt from; each third takes the assertion back."""
    rows = []
    for number, label in enumerate(heads.heads[0].labels):
        who, what = WHO[number], WHAT[number]
        for place, frame in enumerate(UNSEEN):
            labels = {"one": (label.name,), "any": (f"any-{number}",)}
            rows.append(Example(f"{number}-{place}", frame.format(f"{who} {what}"), labels, "s", f"{number}-{place}"))
        text = UNSEEN[0].format(f"{who} no longer {what}")
        rows.append(Example(f"not-{number}", text, {"one": None, "any": ()}, "s", f"not-{number}"))
    return rows


def ignore(steps):
    del steps


def assert_as_the_pipeline(folder, heads, examples, decisions):
    pipeline = transformers.pipeline("zero-shot-classification", model=str(folder), device="cpu")
    for head in heads.heads:
        descriptions = [label.description for label in head.labels]
        answers = pipeline(
            [example.paragraph for example in examples],
            descriptions,
            hypothesis_template=HYPOTHESIS.format(description="{}"),
            multi_label=head.problem_type is ProblemType.ANY_OF,
        )
        expected = [
            [dict(zip(each["labels"], each["scores"], strict=True))[d] for d in descriptions] for each in answers
        ]
        scores, given = decisions[head.name]
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        if head.problem_type is ProblemType.ONE_OF:
            assert (given.argmax(axis=1) == np.argmax(expected, axis=1)).all()


_SLOW = {"roberta-mnli", "cross-encoder", "distilbert-mnli", "rte"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in _SLOW else name for name in ORDERS]
)
def test_scores_are_those_of_the_zero_shot_pipeline(tmp_path, learnt, heads, examples, name):
    folder = _save(learnt, tmp_path / name, ORDERS[name])
    baseline = EntailmentBaseline(
        SequenceClassifier.load(str(folder), num_threads=1), heads, examples, label_map={}, advance=ignore
    )
    decisions = baseline.decide(examples, advance=ignore)
    assert_as_the_pipeline(folder, heads, examples, decisions)
    # It has learnt what it is asked, so that a score the wrong way round could not pass for right.
    truth = np.array([[label.name in (example.labels["any"] or ()) for label in heads.heads[1].labels]
                      for example in examples])  # fmt: skip
    assert (decisions["any"][1] == truth).mean() > 0.9
    stated = [place for place, example in enumerate(examples) if example.labels["one"]]
    assert (decisions["one"][1][stated] == truth[stated]).all()


def test_a_text_longer_than_the_model_reads_is_cut_as_the_pipeline_cuts_it(tmp_path, learnt, heads, examples):
    folder = _save(learnt, tmp_path / "nli", ORDERS["cross-encoder"])
    long = replace(examples[0], paragraph=f"{examples[0].paragraph} {'It rained. ' * 300}".strip())
    baseline = EntailmentBaseline(
        SequenceClassifier.load(str(folder), num_threads=1), heads, examples, label_map={}, advance=ignore
    )
    assert_as_the_pipeline(folder, heads, [long], baseline.decide([long], advance=ignore))
    assert "1 of 1 rows are longer" in baseline.notes[0]


def test_labels_without_names_are_mapped_to_the_same_scores(tmp_path, learnt, heads, examples):
    named = SequenceClassifier.load(str(_save(learnt, tmp_path / "named", ORDERS["bart-mnli"])), num_threads=1)
    folder = _save(learnt, tmp_path / "numbered", ORDERS["bart-mnli"])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"id2label": {str(n): f"LABEL_{n}" for n in range(3)}, "label2id": {f"LABEL_{n}": n for n in range(3)}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    numbered = SequenceClassifier.load(str(folder), num_threads=1)
    with pytest.raises(errors.TaxonomyMismatchError):
        find_entailment(numbered, {})
    label_map = {"LABEL_2": "entailment", "LABEL_0": "contradiction"}
    both = [
        EntailmentBaseline(each, heads, examples, label_map=given, advance=ignore).decide(examples, advance=ignore)
        for each, given in ((named, {}), (numbered, label_map))
    ]
    for head in ("one", "any"):
        np.testing.assert_array_equal(both[0][head][0], both[1][head][0])


@pytest.mark.issue(6)
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Not Entailment", "Entailment"], (1, 0)),
        (["entailment", "non-entailment"], (0, 1)),
        (["no", "entailment"], (1, 0)),
        (["entailment", "neutral", "other"], (0, None)),
        (["neutral", "entailment", "contradiction"], (1, 2)),  # the pipeline takes neutral for its contrary
    ],
)
def test_of_two_labels_the_other_one_is_no_entailment_whatever_it_is_called(labels, expected):
    assert find_entailment(SimpleNamespace(name="nli", labels=labels), {}) == expected
