"""Further sides of a comparison: keyword rules, baselines on a frozen encoder, other people's classifiers."""

import json
from dataclasses import replace

import click
import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

from evaluation.compare_command import compare
from evaluation.dataset import load_labelled
from evaluation.embedding import fit_frozen, fit_neighbours, fit_zero_shot
from evaluation.keywords import SHIPPED, KeywordBaseline
from evaluation.neural.encoder import SentenceEncoder
from evaluation.neural.pretrained import SequenceClassifier
from evaluation.neural.sequence import EntailmentBaseline, PeerClassifier, find_entailment
from evaluation.neural.setfit import draw_shots
from evaluation.rows import select_rows
from evaluation.sides import list_side_files, load_side, parse_baseline
from tests.evaluation.peers import make_sequence_classifier, make_word_encoder
from tests.evaluation.support import WORD_OF_STANCE, WORD_OF_TOPIC, make_rows, write_rows
from tests.support.encoders import make_encoder
from twohands import errors
from twohands.metrics import macro_f1
from twohands.taxonomy import Taxonomy


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    spans = {"train": (0, 120), "dev": (200, 60), "data": (280, 80)}
    return {
        name: write_rows(folder / f"{name}.jsonl", make_rows(n, seed=first, first=first, noise=0))
        for name, (first, n) in spans.items()
    }


@pytest.fixture(scope="module")
def splits(files, taxonomy):
    return {name: load_labelled([path], taxonomy).examples for name, path in files.items()}


@pytest.fixture(scope="module")
def words(taxonomy):
    """The taxonomy, with descriptions that consist of the words by which the rows were made."""
    content = taxonomy.model_dump(mode="json")
    for head in content["heads"]:
        for label in head["labels"]:
            label["description"] = (WORD_OF_STANCE | WORD_OF_TOPIC)[label["name"]]
    return Taxonomy.model_validate(content)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return SentenceEncoder(str(make_word_encoder(tmp_path_factory.mktemp("encoder"))), num_threads=1)


def ignore(steps):
    del steps


def reach(baseline, examples, taxonomy):
    decisions = baseline.decide(examples, advance=ignore)
    for scores, _ in decisions.values():
        assert scores.min() >= 0
        assert scores.max() <= 1
    selected = select_rows(examples, taxonomy, decisions)
    return {
        name: float(macro_f1(rows.count().weigh(np.ones((1, rows.n_groups))))[0]) for name, rows in selected.items()
    }


def test_vectors_are_means_of_words_whatever_the_batch(encoder):
    vectors = encoder.embed(["plan", "plan plan plan", "plan market", "market"], advance=ignore)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=0.01)
    assert vectors[0] @ vectors[2] == pytest.approx(0.5**0.5, abs=0.01)
    assert vectors[0] @ vectors[3] == pytest.approx(0, abs=0.01)
    alone = SentenceEncoder.embed(encoder, ["plan market"], advance=ignore)
    np.testing.assert_array_equal(alone[0], vectors[2])


def test_a_text_is_told_done_once_and_read_once(encoder, monkeypatch):
    steps = []
    encoder.embed(["the plan of a plan", "the plan of a plan", "licence"], advance=steps.append)
    assert sum(steps) == 3
    monkeypatch.setattr(encoder, "_run", None)  # would fail if it were called again
    encoder.embed(["licence"], advance=ignore)


def test_an_encoder_of_weights_gives_the_mean_of_its_hidden_states(tmp_path):
    folder = make_encoder(tmp_path / "encoder")
    text = "The ministry will fund two toolmakers."
    (vector,) = SentenceEncoder(str(folder), num_threads=1).embed([text], advance=ignore)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = tokenizer(text, padding=False, truncation=False)["input_ids"]
    with torch.inference_mode():
        hidden = transformers.AutoModel.from_pretrained(folder).eval()(torch.tensor([ids])).last_hidden_state
    mean = hidden[0].mean(dim=0).numpy()
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_zero_shot_finds_labels_by_their_descriptions(words, splits, encoder):
    reached = reach(fit_zero_shot(words, encoder, splits["dev"], advance=ignore), splits["data"], words)
    assert reached["stance"] > 0.95
    assert reached["topics"] > 0.95


def test_zero_shot_without_telling_descriptions_is_poor(taxonomy, splits, encoder):
    # None of the shipped descriptions holds a word of the tiny tokenizer that tells labels apart, but for "the".
    assert (
        reach(fit_zero_shot(taxonomy, encoder, splits["dev"], advance=ignore), splits["data"], taxonomy)["stance"] < 0.7
    )


def test_neighbours_and_a_frozen_encoder_learn_a_separable_set(taxonomy, splits, encoder):
    near = fit_neighbours(taxonomy, encoder, splits["train"], splits["dev"], advance=ignore)
    frozen = fit_frozen(taxonomy, encoder, splits["train"], splits["dev"], seed=0, advance=ignore)
    for baseline in (near, frozen):
        assert min(reach(baseline, splits["data"], taxonomy).values()) > 0.95
        assert baseline.identity["sha256"] == encoder.sha256
    assert near.identity["settings"]["stance"]["n_neighbours"] >= 1


def test_neighbours_answer_as_the_row_that_is_the_same(taxonomy, splits, encoder):
    near = fit_neighbours(taxonomy, encoder, splits["train"][:40], splits["dev"], advance=ignore)
    near._heads["stance"].settings["n_neighbours"] = 1
    decided = near.decide(splits["train"][:40], advance=ignore)["stance"][1]
    expected = [example.labels["stance"][0] for example in splits["train"][:40]]
    assert [taxonomy.heads[0].label_names[n] for n in decided.argmax(axis=1)] == expected


def test_shipped_keywords_fit_the_shipped_labels(taxonomy, splits):
    baseline = KeywordBaseline(taxonomy)
    example = splits["data"][0]

    def answer(text):
        row = type(example)("1", text, example.labels, "s", "g")
        decided = {name: given[0] for name, (_, given) in baseline.decide([row], advance=ignore).items()}
        return [
            label
            for head in taxonomy.heads
            for label, on in zip(head.label_names, decided[head.name], strict=True)
            if on
        ]

    assert answer("They will SUBSIDISE chip makers.") == ["state-led", "industrial-policy"]
    assert answer("Free  market, free trade, and an embargo.") == ["market-led", "sanctions"]
    assert answer("Subsidies and free trade.") == ["neutral", "industrial-policy"]  # a tie
    assert answer("It rained.") == ["neutral"]
    assert answer("Insubsidy.") == ["neutral"]  # the beginning of a word, not its inside


def test_keywords_that_do_not_fit_are_refused_with_every_fault(taxonomy, tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text("stance:\n  otherwise: none\n  words: {leftish: [a]}\n", encoding="utf-8")
    with pytest.raises(errors.ConfigError) as caught:
        KeywordBaseline(taxonomy, path)
    assert len(caught.value.faults) == 3
    path.write_text("stance: [a]\n", encoding="utf-8")
    with pytest.raises(errors.ConfigError):
        KeywordBaseline(taxonomy, path)
    assert KeywordBaseline(taxonomy, SHIPPED).identity == KeywordBaseline(taxonomy).identity


def test_a_peer_answers_by_its_labels_whatever_their_spelling(tmp_path, taxonomy, splits):
    folder = make_sequence_classifier(tmp_path / "peer", ["Neutral", "STATE_LED", "market led"])
    classifier = SequenceClassifier.load(str(folder), num_threads=1)
    peer = PeerClassifier(classifier, taxonomy, {})
    assert [head.name for head in peer.taxonomy.heads] == ["stance"]
    examples = splits["data"][:20]
    scores, decided = peer.decide(examples, advance=ignore)["stance"]
    texts = [example.paragraph for example in examples]
    pipeline = transformers.pipeline("text-classification", model=str(folder), top_k=1)
    for row, (found,) in enumerate(pipeline(texts, truncation=True, max_length=40)):
        place = {"STATE_LED": 0, "market led": 1, "Neutral": 2}[found["label"]]
        assert decided[row].argmax() == place
        assert scores[row, place] == pytest.approx(found["score"], abs=1e-5)


def test_labels_of_a_peer_can_be_mapped_and_strange_ones_are_told(tmp_path, taxonomy):
    folder = make_sequence_classifier(tmp_path / "peer", ["LABEL_0", "LABEL_1", "LABEL_2"])
    classifier = SequenceClassifier.load(str(folder), num_threads=1)
    label_map = dict(zip(classifier.labels, taxonomy.heads[0].label_names, strict=True))
    assert PeerClassifier(classifier, taxonomy, label_map).taxonomy.heads == taxonomy.heads[:1]
    with pytest.raises(errors.TaxonomyMismatchError):
        PeerClassifier(classifier, taxonomy, {})
    with pytest.raises(errors.TaxonomyMismatchError):
        PeerClassifier(classifier, taxonomy, {"LABEL_9": "neutral"})
    with pytest.raises(errors.TaxonomyMismatchError):  # the last of the two would win
        PeerClassifier(classifier, taxonomy, label_map | {"LABEL_0": "neutral", "LABEL_1": "neutral"})
    joined = taxonomy.model_dump(mode="json")
    for label in joined["heads"][0]["labels"]:
        label["name"] = label["name"].replace("-", "_")
    label_map = {theirs: ours.replace("-", "_") for theirs, ours in label_map.items()}
    assert len(PeerClassifier(classifier, Taxonomy.model_validate(joined), label_map).taxonomy.heads) == 1


def test_a_peer_of_one_label_a_text_gives_topics_by_its_own_shares(tmp_path, taxonomy, splits):
    labels = [*taxonomy.heads[1].label_names, "other"]
    folder = make_sequence_classifier(tmp_path / "peer", labels)
    classifier = SequenceClassifier.load(str(folder), num_threads=1)
    examples = splits["data"][:20]
    logits = classifier.run([example.paragraph for example in examples], advance=ignore)
    powers = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores, decided = PeerClassifier(classifier, taxonomy, {}).decide(examples, advance=ignore)["topics"]
    np.testing.assert_allclose(scores, powers[:, :4], atol=1e-12)
    assert (decided.sum(axis=1) <= 1).all()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"problem_type": "multi_label_classification"}))
    several = PeerClassifier(SequenceClassifier.load(str(folder), num_threads=1), taxonomy, {})
    (scores, _) = several.decide(examples, advance=ignore)["topics"]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits[:, :4])), atol=1e-6)


@pytest.mark.issue(6)
def test_what_a_peer_is_not_asked_for_and_does_not_read_is_noted(tmp_path, taxonomy, splits):
    folder = make_sequence_classifier(tmp_path / "peer", [*taxonomy.heads[0].label_names, "irony", "sanctions"])
    peer = PeerClassifier(SequenceClassifier.load(str(folder), num_threads=1), taxonomy, {})
    assert peer.notes == ["hf:peer also answers irony, sanctions: no labels here, and never given."]
    long = replace(splits["data"][0], paragraph="the plan " * 20)
    peer.decide([*splits["data"][:2], long], advance=ignore)
    assert peer.notes[1:] == ["hf:peer reads 40 tokens at most, and 1 of 3 rows are longer."]


@pytest.mark.issue(6)
def test_labels_of_an_nli_model_can_be_mapped(tmp_path, files):
    folder = make_sequence_classifier(tmp_path / "nli", ["LABEL_0", "LABEL_1", "LABEL_2"])
    arguments = (f"nli:{folder}", "keywords", "--dev", files["dev"], "--data", files["data"], "--replicates", "100")
    with pytest.raises(errors.TaxonomyMismatchError, match="--map LABEL_2=entailment"):
        run(*arguments)
    assert run(*arguments, "--map", "LABEL_2=state-led").exit_code == 2
    maps = ("--map", "LABEL_2=entailment", "--map", "LABEL_0=contradiction")
    with pytest.raises(errors.TaxonomyMismatchError):
        run(*arguments, *maps, "--map", "LABEL_9=neutral")
    classifier = SequenceClassifier.load(str(folder), num_threads=1)
    assert find_entailment(classifier, {"LABEL_2": "entailment", "LABEL_0": "contradiction"}) == (2, 0)
    assert find_entailment(classifier, {"LABEL_1": "entailment"}) == (1, None)
    with pytest.raises(errors.TaxonomyMismatchError):
        find_entailment(classifier, {"LABEL_1": "entailment", "LABEL_2": "entailment"})


@pytest.mark.issue(6)
def test_two_models_that_number_their_labels_alike_are_mapped_each_on_its_own(tmp_path, files, taxonomy):
    """`LABEL_0` is a stance of the one and contradiction of the other; one map can say but one of the two."""
    numbered = ["LABEL_0", "LABEL_1", "LABEL_2"]
    peer = make_sequence_classifier(tmp_path / "peer", numbered)
    nli = make_sequence_classifier(tmp_path / "nli", numbered, seed=1)
    arguments = (f"hf:{peer}", f"nli:{nli}", "--dev", files["dev"], "--data", files["data"], "--replicates", "100")
    stances = list(zip(numbered, taxonomy.heads[0].label_names, strict=True))
    of_a = [word for theirs, ours in stances for word in ("--map-a", f"{theirs}={ours}")]
    of_b = ["--map-b", "LABEL_2=entailment", "--map-b", "LABEL_0=contradiction"]
    mapped = run(*arguments, *of_a, *of_b, "--json")
    assert mapped.exit_code == 0
    # The same, of folders that call their labels by name.
    named = make_sequence_classifier(tmp_path / "named" / "peer", taxonomy.heads[0].label_names)
    told = make_sequence_classifier(tmp_path / "named" / "nli", ["contradiction", "neutral", "entailment"], seed=1)
    plain = run(f"hf:{named}", f"nli:{told}", *arguments[2:], "--json")
    assert json.loads(mapped.stdout)["heads"] == json.loads(plain.stdout)["heads"]
    # A map of one side comes before that of both.
    shared = ["--map", "LABEL_2=entailment", "--map", "LABEL_0=contradiction"]
    assert json.loads(run(*arguments, *of_a, *shared, "--json").stdout)["heads"] == json.loads(plain.stdout)["heads"]
    assert "--map-a and --map-b" in run(*arguments, *shared, "--map", "LABEL_0=neutral").output
    assert run(*arguments, *of_b, "--map-a", "LABEL_0=entailment").exit_code == 2  # no label of an hf model
    with pytest.raises(errors.TaxonomyMismatchError, match="LABEL_9; nli has"):
        run(*arguments, *of_a, *of_b, "--map-b", "LABEL_9=neutral")
    refused = run("keywords", f"nli:{nli}", *arguments[2:], *of_b, "--map-a", "LABEL_0=neutral")
    assert (refused.exit_code, "--map-a is for hf:FOLDER" in refused.output) == (2, True)
    assert run(f"hf:{peer}", f"hf:{peer}", "--data", files["data"], *of_a).exit_code == 2  # which of the two?


@pytest.mark.issue(6)
def test_decoders_without_padding_run_and_relative_positions_cut_nothing(tmp_path):
    folder = make_sequence_classifier(tmp_path / "peer", ["a", "b"])
    texts = ["the plan " * 12, "market"]
    expected = SequenceClassifier.load(str(folder), num_threads=1).run(texts, advance=ignore)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    del settings["pad_token"]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    unpadded = SequenceClassifier.load(str(folder), num_threads=1)
    np.testing.assert_allclose(unpadded.run(texts, advance=ignore), expected, atol=1e-5)
    sizes = {"vocab_size": unpadded._model.config.vocab_size, "d_model": 8, "n_layer": 1, "n_head": 2, "d_inner": 8}
    transformers.XLNetForSequenceClassification(transformers.XLNetConfig(**sizes)).save_pretrained(folder)
    assert SequenceClassifier.load(str(folder), num_threads=1).max_tokens == 512
    # Perceiver's config says nothing of padding, as those of several parts do not either.
    sizes = {"d_latents": 8, "d_model": 8, "num_latents": 2, "num_blocks": 1, "num_self_attends_per_block": 1}
    config = transformers.PerceiverConfig(
        **sizes, num_self_attention_heads=1, num_cross_attention_heads=1, max_position_embeddings=40
    )
    transformers.PerceiverForSequenceClassification(config).save_pretrained(folder)
    assert SequenceClassifier.load(str(folder), num_threads=1).labels == ["LABEL_0", "LABEL_1"]


def test_entailment_is_that_of_the_models_logits(tmp_path, taxonomy, words, splits):
    folder = make_sequence_classifier(tmp_path / "nli", ["contradiction", "neutral", "entailment"])
    classifier = SequenceClassifier.load(str(folder), num_threads=1)
    baseline = EntailmentBaseline(classifier, words, splits["dev"][:10], label_map={}, advance=ignore)
    steps = []
    examples = splits["data"][:6]
    decisions = baseline.decide(examples, advance=steps.append)
    assert sum(steps) == 6
    texts = [example.paragraph for example in examples]
    columns = [classifier.run(texts, [f"This text: {word}"] * 6, advance=ignore) for word in WORD_OF_STANCE.values()]
    powers = np.exp(np.stack([column[:, 2] for column in columns], axis=1))
    np.testing.assert_allclose(decisions["stance"][0], powers / powers.sum(axis=1, keepdims=True), atol=1e-9)
    other = SequenceClassifier.load(str(make_sequence_classifier(tmp_path / "other", ["a", "b"])), num_threads=1)
    with pytest.raises(errors.TaxonomyMismatchError):
        EntailmentBaseline(other, taxonomy, splits["dev"], label_map={}, advance=ignore)


def test_folders_that_are_no_models_are_refused(tmp_path):
    for load in (SentenceEncoder, SequenceClassifier.load):
        with pytest.raises(errors.EncoderError):
            load(str(tmp_path))
    make_word_encoder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(errors.EncoderError):
        SentenceEncoder(str(tmp_path))


def test_weights_that_would_be_drawn_at_random_are_refused(tmp_path):
    folder = make_sequence_classifier(tmp_path / "whole", ["a", "b"])
    assert SequenceClassifier.load(str(folder), num_threads=1).labels == ["a", "b"]
    headless = make_sequence_classifier(tmp_path / "headless", ["a", "b"])
    transformers.BertModel(transformers.BertConfig.from_pretrained(headless)).save_pretrained(headless)
    with pytest.raises(errors.EncoderError):
        SequenceClassifier.load(str(headless), num_threads=1)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_damaged_encoder_has_its_error(tmp_path, name):
    folder = make_word_encoder(tmp_path)
    (folder / name).write_text("{", encoding="utf-8")
    with pytest.raises(errors.EncoderError):
        SentenceEncoder(str(folder))


def test_shots_are_drawn_from_each_label_and_from_none(taxonomy):
    generator = np.random.default_rng(0)
    truth = (generator.random((100, 4)) < 0.2).astype(np.float32)
    drawn = draw_shots(taxonomy.heads[1], truth, shots=5, seed=0)
    assert drawn == sorted(set(drawn))
    assert (truth[drawn].sum(axis=0) >= 5).all()
    assert (truth[drawn].sum(axis=1) == 0).sum() == 5
    assert drawn == draw_shots(taxonomy.heads[1], truth, shots=5, seed=0)
    assert drawn != draw_shots(taxonomy.heads[1], truth, shots=5, seed=1)


@pytest.mark.parametrize("name", ["hf", "hf:", "nli", "tfidf:folder", "frozen:"])
def test_a_name_that_lacks_or_must_not_have_a_folder_is_wrong_usage(files, name):
    assert CliRunner().invoke(compare, [name, "keywords", "--data", str(files["data"])]).exit_code == 2


def test_names_of_sides_are_read():
    assert parse_baseline("twohands") is None
    assert parse_baseline("models/frozen") is None
    assert parse_baseline("./tfidf") is None
    assert parse_baseline("nli:a/b:c").path == "a/b:c"
    assert load_side("keywords", num_threads=None, splits={}).path is None
    with pytest.raises(click.UsageError, match=r"^the baseline tfidf needs --dev; without such rows .* leave --data"):
        load_side("tfidf", num_threads=None, splits={"train": ["a"], "dev": [], "data": ["b"]})


@pytest.mark.issue(6)
def test_a_misspelt_baseline_is_told_the_likely_one(monkeypatch):
    for folder in ("", "none"):  # where TWOHANDS_MODELS is no folder, the message ends without a full stop
        monkeypatch.setenv("TWOHANDS_MODELS", folder)
        with pytest.raises(errors.ModelNotFoundError, match=r"[a-z]\. Did you mean 'tfidf'\?$"):
            list_side_files("tf-idf")


def run(*arguments):
    return CliRunner().invoke(compare, [str(argument) for argument in arguments], catch_exceptions=False)


def test_compare_takes_an_encoder_folder_and_tells_slices(tmp_path, files):
    folder = make_word_encoder(tmp_path / "encoder")
    options = [word for name in files for word in (f"--{name}", files[name])]
    arguments = [f"frozen:{folder}", "keywords", *options, "--by", "source", "--by", "n_topics", "--replicates", "100"]
    reports = []
    for _ in range(2):
        outcome = run(*arguments, "--json", "--report", tmp_path / "report")
        assert outcome.exit_code == 0
        reports.append((outcome.stdout, (tmp_path / "report" / "comparison.html").read_bytes()))
    assert reports[0] == reports[1]
    report = json.loads(reports[0][0])
    assert json.loads((tmp_path / "report" / "comparison.json").read_text()) == report
    assert report["heads"]["stance"]["macro_f1"]["difference"]["low"] > 0
    slices = report["slices"]["source"]
    assert sum(part["n"] for part in slices.values()) == 80
    for part in slices.values():
        figures = part["heads"]["stance"]
        assert figures["macro_f1"]["difference"]["low"] > 0
        assert figures["mcnemar"]["only_b_right"] == 0
    assert next(iter(report["slices"]["n_topics"])) == "0"
    assert b"speech &lt;b&gt;" in reports[0][1]
    assert b"<b>[red]" not in reports[0][1]
    shown = run(*arguments)
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_a_peer_is_compared_on_the_heads_that_both_have(tmp_path, files, tiny_model):
    folder = make_sequence_classifier(tmp_path / "peer", ["x", "y", "z"])
    pairs = zip("xyz", WORD_OF_STANCE, strict=True)
    maps = [word for theirs, ours in pairs for word in ("--map", f"{theirs}={ours}")]
    outcome = run(tiny_model, f"hf:{folder}", "--data", files["data"], *maps, "--json", "--replicates", "100")
    assert outcome.exit_code == 0
    report = json.loads(outcome.stdout)
    assert list(report["heads"]) == ["stance"]
    assert [note for note in report["notes"] if note.startswith("topics")]
    assert report["b"]["name"] == "hf:peer"
    assert run(tiny_model, f"hf:{folder}", "--data", files["data"], "--map", "x").exit_code == 2
    assert "expected THEIRS=OURS" in run(tiny_model, f"hf:{folder}", "--data", files["data"], "--map", "x=y=").output
    assert run(tiny_model, f"hf:{folder}", "--data", files["data"], *maps, "--map", "x=neutral").exit_code == 2
    misspelt = [*maps[:-1], "z=neutrall"]
    assert run(tiny_model, f"hf:{folder}", "--data", files["data"], *misspelt).exit_code == 2
    assert run(tiny_model, "keywords", "--data", files["data"], *maps).exit_code == 2
    named = make_sequence_classifier(tmp_path / "named", list(WORD_OF_STANCE))
    both = run(f"hf:{folder}", f"hf:{named}", "--data", files["data"], *maps, "--json", "--replicates", "100")
    assert list(json.loads(both.stdout)["heads"]) == ["stance"]
    with pytest.raises(errors.TaxonomyMismatchError):
        run(f"hf:{folder}", f"hf:{named}", "--data", files["data"], *maps, "--map", "w=neutral")


def test_setfit_learns_from_a_few_rows(tmp_path, files):
    folder = make_sequence_classifier(tmp_path / "encoder", ["a", "b"])
    options = [word for name in files for word in (f"--{name}", files[name])]
    arguments = [f"setfit:{folder}", "majority", *options, "--shots", "4", "--replicates", "100", "--threads", "1"]
    outcome = run(*arguments, "--json")
    assert outcome.exit_code == 0
    report = json.loads(outcome.stdout)  # the trainer must not print into it
    assert report["heads"]["stance"]["macro_f1"]["difference"]["low"] > 0
    assert report["a"]["settings"]["stance"]["n"] == 12
    assert len(report["a"]["settings"]["topics"]["thresholds"]) == 4
