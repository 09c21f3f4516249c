"""Labels that stand apart from their texts, and what a student learns from a teacher's scores."""

import json
import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.nn import functional

from tests.training.test_data import full_rows, make_config, write_rows
from training import pseudo
from training.batches import make_dataset
from training.commands import _describe_laid
from training.data import load_splits
from training.excerpts import Excerpt
from training.labels import fingerprint_scores, make_targets, read_labels
from training.losses import MultiHeadLoss, weigh_classes
from training.present import describe_heads
from training.pseudo import load_teachers, write_pseudo_labels
from training.pseudocommands import pseudo_label
from training.selectcommands import select
from twohands import Classifier
from twohands.errors import DataError, RunConflictError
from twohands.examples import NOT_LABELLED
from twohands.sheets import CHOSEN
from twohands.taxonomy import RESERVED_NAMES

STANCE = {"state-led": 0.7, "market-led": 0.1, "neutral": 0.2}
TOPICS = {"sanctions": 0.0, "self-reliance": 0.9, "industrial-policy": 0.6, "regulation": 0.2}


@pytest.fixture
def folder(tmp_path):
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    pool = [{"id": f"p{n}", "text": f"the market of a pool row that nobody has read, number {n}"} for n in range(4)]
    write_rows(tmp_path / "pool.jsonl", pool)
    return tmp_path


@pytest.fixture
def other_model(tiny_model, tmp_path):
    """The same graph with another calibration, so that the mean is neither model's own answer."""
    copy = tmp_path / "other"
    shutil.copytree(tiny_model, copy)
    content = json.loads((copy / "manifest.json").read_text("utf-8"))
    content["heads"][0]["decision"]["calibration"]["temperature"] = 7.0
    (copy / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return copy


def load(folder, taxonomy, labels):
    write_rows(folder / "labels.jsonl", labels)
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["labels.jsonl"])
    return load_splits(config, taxonomy, seed=1)


def test_labels_are_laid_over_rows_by_id_and_unknown_rows_are_left_out(folder, taxonomy):
    splits = load(
        folder,
        taxonomy,
        [
            {"id": "p1", "stance": "market-led", "topics": ["regulation"], "reader": "second", "confidence": 3},
            {"id": "p2", "scores": {"stance": STANCE, "topics": TOPICS}},
            {"id": "t0", "stance": "neutral", "topics": []},
        ],
    )
    found = {example.id: example for example in splits.train}
    assert sorted(found) == ["p1", "p2", "t0", "t1", "t2"]
    assert found["p1"].labels == {"stance": ("market-led",), "topics": ("regulation",)}
    assert found["p2"].labels == {"stance": ("state-led",), "topics": ("self-reliance", "industrial-policy")}
    assert found["t0"].labels["stance"] == ("state-led",), "what stands in the row itself wins"
    assert [tuple(told) for told in splits.overruled] == [("labels.jsonl", "stance", 1), ("labels.jsonl", "topics", 1)]
    assert [(file.split, file.name, file.n_rows) for file in splits.files] == [
        ("train", "train.jsonl", 3),
        ("train", "pool.jsonl", 2),
        ("labels", "labels.jsonl", 3),
        ("dev", "dev.jsonl", 3),
    ]


@pytest.mark.issue(3)
def test_a_blank_cell_is_open_to_labels_and_lays_none(folder, taxonomy):
    texts = [{"id": f"p{n}", "text": f"the market of a pool row, number {n}", "topics": ""} for n in range(4)]
    write_rows(folder / "pool.jsonl", texts)
    lines = [{"id": "p0", "topics": ["regulation"]}, {"id": "p1", "stance": "neutral", "topics": " "},
             {"id": "p2", "scores": {"topics": TOPICS}}]  # fmt: skip
    splits = load(folder, taxonomy, lines)
    found = {example.id: example.labels for example in splits.train if example.id.startswith("p")}
    assert found == {
        "p0": {"stance": None, "topics": ("regulation",)},
        "p1": {"stance": ("neutral",), "topics": None},
        "p2": {"stance": None, "topics": ("self-reliance", "industrial-policy")},
    }
    assert splits.n_left_out == 1
    with pytest.raises(DataError, match="no label: neither"):
        load(folder, taxonomy, [{"id": "p0", "topics": " "}])


@pytest.mark.issue(3)
def test_ids_of_a_labels_file_that_are_of_no_row_are_counted(folder, taxonomy):
    lines = [{"id": name, "stance": "neutral"} for name in ("p0", "p1", "p9", "d0")]
    splits = load(folder, taxonomy, lines)  # d0 is of dev, over which no labels are laid
    assert [tuple(told) for told in splits.unmatched] == [("labels.jsonl", 2, 4)]
    assert "2 of 4 ids in labels.jsonl are of no row in data.train" in list(_describe_laid(splits))
    assert load(folder, taxonomy, lines[:2]).unmatched == []
    # p2 is a row of data.train, though one that no line labels.
    splits = load(folder, taxonomy, [*lines[:2], {"id": "p2", "restates": "p0"}])
    assert (splits.unmatched, splits.n_left_out) == ([], 2)


ANSWER = {f"topics_score_{name}": score for name, score in TOPICS.items()}


@pytest.mark.issue(3)
def test_a_blank_beside_scores_lays_that_none_applies_and_wins_in_the_row(folder, taxonomy):
    texts = [{"id": f"p{n}", "text": f"the market of a pool row, number {n}"} for n in range(3)]
    write_rows(folder / "pool.jsonl", [texts[0] | {"topics": ""} | ANSWER, *texts[1:]])
    lines = [{"id": "p0", "topics": ["regulation"]}, {"id": "p1", "stance": "neutral", "topics": ""} | ANSWER,
             {"id": "p2", "topics": " "} | ANSWER]  # fmt: skip
    splits = load(folder, taxonomy, lines)
    found = {example.id: example.labels for example in splits.train if example.id.startswith("p")}
    assert found == {
        "p0": {"stance": None, "topics": ()},
        "p1": {"stance": ("neutral",), "topics": ()},
        "p2": {"stance": None, "topics": ()},
    }
    assert [tuple(told) for told in splits.overruled] == [("labels.jsonl", "topics", 1)]


@pytest.mark.issue(3)
def test_the_same_labels_in_another_order_are_no_contradiction(folder, taxonomy):
    several = ["sanctions", "regulation"]
    lines = [{"id": "p0", "topics": each} for each in (several, several[::-1], "regulation | sanctions")]
    splits = load(folder, taxonomy, lines)
    assert {row.id: row.labels["topics"] for row in splits.train}["p0"] == tuple(several)
    with pytest.raises(DataError, match="stands twice with different labels"):
        load(folder, taxonomy, [*lines, {"id": "p0", "topics": several[:1]}])


@pytest.mark.issue(3)
def test_a_column_of_a_labels_file_that_differs_by_case_alone_is_refused(folder, taxonomy):
    lines = [{"id": f"p{n}", "Stance": "neutral", "topics": []} for n in range(3)]
    with pytest.raises(DataError) as caught:
        load(folder, taxonomy, lines)
    (fault,) = caught.value.faults
    assert f"{folder / 'labels.jsonl'}:1 and 2 more rows: column 'Stance' is not 'stance'" in fault
    own = {"Scores": 1, "Sentences": 3, "Source": "a reader's"}  # are no misspelt ones, but the file's own
    assert load(folder, taxonomy, [{"id": "p0", "stance": "neutral"} | own]).train[-1].id == "p0"


@pytest.mark.issue(3)
def test_a_head_that_rows_know_by_a_teachers_scores_alone_is_learnt(folder, taxonomy):
    write_rows(folder / "train.jsonl", [row | {"topics": None} for row in full_rows("t")])
    with pytest.raises(DataError) as caught:
        load(folder, taxonomy, [{"id": "p0", "stance": "neutral"}])
    assert caught.value.faults == [f"train has no row with topics {', '.join(taxonomy.heads[1].label_names)}"]
    splits = load(folder, taxonomy, [{"id": "t0", "scores": {"topics": TOPICS}}])
    assert all(example.labels["topics"] is None for example in splits.train)
    assert make_targets(splits.train, taxonomy, teacher_weight=0.0)[0, 3:] == pytest.approx([*TOPICS.values()])
    assert "no row says" not in "".join(describe_heads(splits.train, taxonomy))
    bare = np.full((3, taxonomy.n_labels), NOT_LABELLED, dtype=np.float32)
    for power in (0.25, 1.0):
        weights = weigh_classes(bare, taxonomy, powers={"stance": power, "topics": power})
        assert {head: each.tolist() for head, each in weights.items()} == {"stance": [1] * 3, "topics": [1] * 4}
    scored = [{"id": name, "scores": {"stance": STANCE, "topics": TOPICS}} for name in ("p0", "p1")]
    # None is labelled, and no score favours market-led.
    config = make_config(folder, train=["pool.jsonl"], labels=["labels.jsonl"])
    write_rows(folder / "labels.jsonl", scored)
    assert len(load_splits(config, taxonomy, seed=1).train) == 2


@pytest.mark.issue(3)
def test_rows_without_a_label_are_left_out_of_a_file_in_which_others_have_one(folder, taxonomy):
    bare = [{"text": "an open row"}, {"text": "another open row", "stance": None, "topics": ""}]
    write_rows(folder / "train.jsonl", [*bare, *full_rows("t"), *bare])
    splits = load_splits(make_config(folder), taxonomy, seed=1)
    assert [row.id for row in splits.train] == ["t0", "t1", "t2"]
    assert splits.n_left_out == 4
    lines = ["text,stance,topics", "an open row,,", *(f"a row of {name},{name},-" for name in STANCE)]
    (folder / "more.csv").write_text("\n".join(lines), encoding="utf-8")
    splits = load_splits(make_config(folder, train=["train.jsonl", "more.csv"]), taxonomy, seed=1)
    assert (len(splits.train), splits.n_left_out) == (6, 5)
    # A label in a column of another name is not left out in silence.
    write_rows(folder / "train.jsonl", [*full_rows("t"), {"text": "a row", "Stance": "neutral"}, *bare])
    with pytest.raises(DataError) as caught:
        load_splits(make_config(folder), taxonomy, seed=1)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{folder / 'train.jsonl'}:4: no label")
    assert fault.endswith("did you mean 'Stance' for stance?")


@pytest.mark.issue(3)
def test_rows_without_a_label_in_dev_are_one_fault_with_its_remedy(folder, taxonomy):
    write_rows(folder / "dev.jsonl", [*full_rows("d"), *({"text": f"open {n}", "stance": None} for n in range(9))])
    with pytest.raises(DataError) as caught:
        load_splits(make_config(folder), taxonomy, seed=1)
    assert caught.value.faults == [
        f"{folder / 'dev.jsonl'}:4 and 8 more rows: no label: none of the columns stance, topics is filled (columns: "
        "text, stance); leave such rows out, or write - (in JSON []) where no topics applies"
    ]


def test_without_labels_files_a_file_without_any_label_is_still_a_fault(folder, taxonomy):
    with pytest.raises(DataError) as caught:
        load_splits(make_config(folder, train=["train.jsonl", "pool.jsonl"]), taxonomy, seed=1)
    assert "pool.jsonl:1" in "\n".join(caught.value.faults)


def test_targets_blend_labels_and_scores_by_weight(folder, taxonomy):
    splits = load(
        folder,
        taxonomy,
        [
            {"id": "p0", "scores": {"stance": STANCE}},
            {"id": "p1", "stance": "neutral", "topics": [], "scores": {"stance": STANCE, "topics": TOPICS}},
            {"id": "p2", "stance": "neutral"},
        ],
    )
    pool = [example for example in splits.train if example.id.startswith("p")]
    targets = make_targets(pool, taxonomy, teacher_weight=0.25)
    assert targets[0] == pytest.approx([0.7, 0.1, 0.2, *[NOT_LABELLED] * 4])
    assert targets[1] == pytest.approx([0.175, 0.025, 0.8, 0.0, 0.225, 0.15, 0.05])
    assert targets[2] == pytest.approx([0, 0, 1, *[NOT_LABELLED] * 4])
    assert make_targets(pool, taxonomy, teacher_weight=0.0)[1] == pytest.approx([0, 0, 1, 0, 0, 0, 0])
    smooth = make_targets(pool, taxonomy, teacher_weight=0.25, label_smoothing=0.3)
    assert smooth[0] == pytest.approx(targets[0]), "scores stay as they are"
    assert smooth[1] == pytest.approx([0.25, 0.1, 0.65, 0.1125, 0.3375, 0.2625, 0.1625])
    assert smooth[2] == pytest.approx([0.1, 0.1, 0.8, *[NOT_LABELLED] * 4])


@pytest.mark.parametrize(
    "line",
    [
        {"stance": "neutral"},
        {"id": "p0"},
        {"id": "p0", "scores": {}},
        {"id": "p0", "scores": 3},
        {"id": "p0", "scores": {"stance": STANCE | {"neutral": 0.9}}},
        {"id": "p0", "scores": {"stance": {"state-led": 1.0}}},
        {"id": "p0", "scores": {"topics": TOPICS | {"sanctions": 1.5}}},
        {"id": "p0", "scores": {"topics": TOPICS | {"sanctions": "much"}}},
        {"id": "p0", "scores": {"topics": TOPICS | {"sanctions": None}}},
        {"id": "p0", "scores": {"topics": TOPICS, "tone": {"loud": 1.0}}},
        {"id": "p0", "stance": "stateled"},
        {"id": "ok", "stance": "state-led"},
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, taxonomy, line):
    write_rows(tmp_path / "labels.jsonl", [{"id": "ok", "stance": "neutral"}, line])
    with pytest.raises(DataError) as caught:
        read_labels([tmp_path / "labels.jsonl"], taxonomy)
    assert len(caught.value.faults) == 1
    assert "labels.jsonl:2" in caught.value.faults[0]


def test_a_later_file_fills_in_and_replaces_head_by_head(folder, taxonomy):
    write_rows(folder / "first.jsonl", [{"id": "p0", "stance": "neutral", "scores": {"stance": STANCE}}])
    second = {"id": "p0", "stance": "market-led", "topics": ["sanctions"], "scores": {"topics": TOPICS}}
    write_rows(folder / "second.jsonl", [second])
    names = ["first.jsonl", "second.jsonl"]
    splits = load_splits(make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=names), taxonomy, seed=1)
    row = next(example for example in splits.train if example.id == "p0")
    assert row.labels == {"stance": ("market-led",), "topics": ("sanctions",)}
    assert make_targets([row], taxonomy, teacher_weight=1.0)[0] == pytest.approx([*STANCE.values(), *TOPICS.values()])
    assert splits.n_left_out == 3


def test_parquet_fills_a_head_without_scores_with_nulls(folder, taxonomy):
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines = [{"id": "p0", "scores": {"stance": STANCE, "topics": None}}, {"id": "p1", "scores": {"topics": TOPICS}}]
    pq.write_table(pa.Table.from_pylist(lines), folder / "labels.parquet")
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["labels.parquet"])
    found = {example.id: example for example in load_splits(config, taxonomy, seed=1).train}
    assert found["p0"].labels == {"stance": ("state-led",), "topics": None}
    assert found["p1"].labels == {"stance": None, "topics": ("self-reliance", "industrial-policy")}


def test_labels_that_speak_of_no_row_are_refused(folder, taxonomy):
    with pytest.raises(DataError):
        load(folder, taxonomy, [{"id": "P1", "stance": "neutral"}])


def test_labels_are_laid_over_rows_of_datasets_too(folder, taxonomy):
    (folder / "set").mkdir()
    (folder / "pool.jsonl").rename(folder / "set" / "train.jsonl")
    write_rows(folder / "labels.jsonl", [{"id": "p2", "stance": "market-led"}])
    names = ["train.jsonl", f"hub:{folder / 'set'}#train"]
    splits = load_splits(make_config(folder, train=names, labels=["labels.jsonl"]), taxonomy, seed=1)
    assert ("p2", "set") in [(example.id, example.source) for example in splits.train]
    assert str(folder) not in repr(splits.files)


def test_a_column_of_scores_in_the_rows_themselves_is_not_a_teachers(folder, taxonomy):
    odd = [{**row, "topics": None, "scores": {"topics": TOPICS}} for row in full_rows("o")]
    write_rows(folder / "train.jsonl", [*full_rows("t"), *odd])
    splits = load(folder, taxonomy, [{"id": "p0", "stance": "neutral"}])
    rows = [example for example in splits.train if example.id.startswith("o")]
    assert (make_targets(rows, taxonomy, teacher_weight=1.0)[:, 3:] == NOT_LABELLED).all()


def test_rows_that_only_a_teacher_scored_are_never_held_out_to_judge_by(folder, taxonomy, tiny_model):
    rows = [{**row, "id": f"t{n}-{row['id']}", "text": f"{n} {row['text']}", "group": f"g{n}"}
            for n in range(8) for row in full_rows("t")]  # fmt: skip
    pool = [{"id": f"p{n}", "text": f"a pool row, number {n}", "group": f"g{n}"} for n in range(16)]
    write_rows(folder / "train.jsonl", rows)
    write_rows(folder / "pool.jsonl", pool)
    both = [{"id": row["id"], "scores": {"stance": STANCE, "topics": TOPICS}} for row in [*rows, *pool]]
    write_rows(folder / "labels.jsonl", both)
    config = make_config(
        folder, train=["train.jsonl", "pool.jsonl"], labels=["labels.jsonl"], dev=None, dev_fraction=0.25
    )
    splits = load_splits(config, taxonomy, seed=1)
    assert len(splits.dev) == 6
    assert all(example.id.startswith("t") for example in splits.dev)
    assert sum(example.id.startswith("p") for example in splits.train) == 14, "those of the documents held out are gone"
    judged = np.array(make_dataset(splits.dev, Classifier.load(tiny_model).encoder, taxonomy)["labels"])
    assert set(judged.ravel()) == {0.0, 1.0}
    with pytest.raises(ValueError, match="label_smoothing"):
        make_dataset(splits.dev, Classifier.load(tiny_model).encoder, taxonomy, label_smoothing=0.1)


def test_other_scores_are_another_run_though_the_labels_are_the_same(folder, taxonomy):
    def scored(sure):
        stance = {"state-led": sure, "market-led": 1 - sure, "neutral": 0.0}
        return load(folder, taxonomy, [{"id": "p1", "scores": {"stance": stance}}]).train

    assert fingerprint_scores(scored(0.7)) == fingerprint_scores(scored(0.7)[::-1])
    assert fingerprint_scores(scored(0.7)) != fingerprint_scores(scored(0.8))


def test_loss_of_soft_targets_is_the_cross_entropy_to_them(taxonomy):
    ones = {"stance": torch.ones(3), "topics": torch.ones(4)}
    loss = MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 2.0}, class_weights=ones)
    torch.manual_seed(1)
    logits = torch.randn(2, 7)
    targets = torch.tensor([[*STANCE.values(), *TOPICS.values()], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]])
    expected = functional.cross_entropy(
        logits[:, :3], targets[:, :3]
    ) + 2 * functional.binary_cross_entropy_with_logits(logits[:, 3:], targets[:, 3:])
    assert loss(logits, targets).item() == pytest.approx(expected.item(), abs=1e-6)


def test_weighted_loss_of_hard_labels_is_torchs_own(taxonomy):
    weights = {"stance": torch.tensor([2.0, 1.0, 0.5]), "topics": torch.ones(4)}
    loss = MultiHeadLoss(taxonomy, head_weights={"stance": 1.0, "topics": 1.0}, class_weights=weights)
    torch.manual_seed(2)
    logits = torch.randn(3, 7)
    labels = torch.full((3, 7), NOT_LABELLED)
    labels[:, :3] = torch.eye(3)
    expected = functional.cross_entropy(logits[:, :3], torch.tensor([0, 1, 2]), weight=weights["stance"])
    assert loss(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


def test_pseudo_labels_are_the_teachers_mean_scores_and_train_a_student(folder, tiny_model, other_model, taxonomy):
    output = folder / "scores.jsonl"
    arguments = [str(tiny_model), str(other_model), "--data", str(folder / "pool.jsonl"), "--output", str(output)]
    outcome = CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0
    lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == ["p0", "p1", "p2", "p3"]
    assert "text" not in lines[0]
    texts = [json.loads(line)["text"] for line in (folder / "pool.jsonl").read_text("utf-8").splitlines()]
    answers = [Classifier.load(model).classify(texts) for model in (tiny_model, other_model)]
    each = [[answer.stance.scores["neutral"] for answer in one] for one in answers]
    assert each[0] != pytest.approx(each[1], abs=0.05), "a mean that is each model's own answer proves nothing"
    expected = np.mean(each, axis=0)
    assert [line["scores"]["stance"]["neutral"] for line in lines] == pytest.approx(expected.tolist(), abs=1e-3)
    config = make_config(folder, train=["train.jsonl", "pool.jsonl"], labels=["scores.jsonl"])
    assert len(load_splits(config, taxonomy, seed=1).train) == 7
    with pytest.raises(RunConflictError):
        CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)


@pytest.mark.issue(3)
def test_pseudo_labels_that_were_interrupted_go_on_where_they_were(folder, tiny_model, monkeypatch):
    """Half an hour of scoring was lost to a kill."""
    write_rows(folder / "pool.jsonl", [{"id": f"p{n}", "text": f"the market of row {n}, caf\u00e9"} for n in range(7)])
    partial, output, score = folder / "scores.jsonl.partial", folder / "scores.jsonl", pseudo._score_ensemble
    arguments = [str(tiny_model), "--data", str(folder / "pool.jsonl"), "--output"]
    monkeypatch.setattr(pseudo, "_CHUNK", 2)
    assert CliRunner().invoke(pseudo_label, [*arguments, str(folder / "whole.jsonl")]).exit_code == 0
    asked = []

    def score_until(n_chunks):
        def count(teachers, paragraphs):
            if len(asked) == n_chunks:
                raise KeyboardInterrupt
            asked.append(list(paragraphs))
            return score(teachers, paragraphs)

        asked.clear()
        monkeypatch.setattr(pseudo, "_score_ensemble", count)
        return CliRunner().invoke(pseudo_label, [*arguments, str(output)])

    stopped = score_until(2)
    assert stopped.exit_code == 130
    assert stopped.stderr.endswith("interrupted; the same command goes on from here\n")
    assert not output.exists()
    lines = partial.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 4
    partial.write_bytes(b"".join(lines[:-1]) + lines[-1][:-9])  # a kill may cut a line off
    with pytest.raises(RunConflictError, match="not the same models"):
        write_pseudo_labels([tiny_model, tiny_model], [folder / "pool.jsonl"], output)
    went_on = score_until(99)
    assert went_on.exit_code == 0
    assert "going on after 3 that an earlier run scored" in went_on.stderr
    assert sum(map(len, asked)) == 5, "the chunk of the fourth row, and what follows"
    assert output.read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert not partial.exists()


@pytest.mark.issue(3)
def test_what_was_scored_of_other_rows_is_not_gone_on_with(folder, tiny_model, monkeypatch):
    output, write = folder / "scores.jsonl", pseudo._write_lines
    arguments = [str(tiny_model), "--data", str(folder / "pool.jsonl"), "--output", str(output)]
    monkeypatch.setattr(pseudo, "_write_lines", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)
    monkeypatch.setattr(pseudo, "_write_lines", write)
    write_rows(folder / "pool.jsonl", [{"id": f"p{n}", "text": "another text under the id"} for n in range(4)])
    with pytest.raises(RunConflictError, match="not the same rows"):
        CliRunner().invoke(pseudo_label, arguments, catch_exceptions=False)
    assert not output.exists()
    outcome = CliRunner().invoke(pseudo_label, [*arguments, "--overwrite"], catch_exceptions=False)
    assert "going on" not in outcome.stderr
    assert len(output.read_text("utf-8").splitlines()) == 4


@pytest.mark.issue(3)
def test_an_output_that_is_an_input_is_refused_whatever_is_said(folder, tiny_model):
    write_rows(folder / "named.jsonl", [{"id": "p0#0-1", "excerpt_of": "p0", "sentences": [0, 1], "topics": []}])
    (folder / "link.jsonl").symlink_to(folder / "pool.jsonl")
    pool, named = folder / "pool.jsonl", folder / "named.jsonl"
    asked = [
        (pseudo_label, pool, []),
        (pseudo_label, folder / "link.jsonl", []),
        (pseudo_label, named, ["--excerpts-of", named]),
        (select, pool, []),
        (select, named, ["--known", named]),
    ]
    for command, output, more in asked:
        before = output.read_bytes()
        arguments = [tiny_model, "--data", pool, *more, "--output", output, "--overwrite"]
        with pytest.raises(RunConflictError, match="is one of the inputs; choose another --output"):
            CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
        assert output.read_bytes() == before


def test_teachers_read_by_their_own_windows(folder, tiny_model, tmp_path):
    short = tmp_path / "short"
    shutil.copytree(tiny_model, short)
    content = json.loads((short / "manifest.json").read_text("utf-8"))
    content["window"] |= {"max_tokens": 8, "overlap_tokens": 2, "max_windows": 1}
    (short / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    text = "plan " * 6 + "embargo " * 6
    write_rows(folder / "long.jsonl", [{"id": "a", "text": text}])
    output = folder / "new" / "scores.jsonl"
    assert write_pseudo_labels([tiny_model, short], [folder / "long.jsonl"], output) == 1
    answers = [Classifier.load(model).classify([text])[0] for model in (tiny_model, short)]
    scores = [list(answer.topics.scores.values()) for answer in answers]
    assert scores[0] != pytest.approx(scores[1], abs=0.01), "the windows make no difference that could be seen"
    expected = np.mean(scores, axis=0)
    found = json.loads(output.read_text("utf-8"))["scores"]["topics"].values()
    assert list(found) == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.issue(3)
def test_teachers_may_describe_their_labels_otherwise_but_not_have_others(tiny_model, other_model):
    def change(mend):
        content = json.loads((other_model / "manifest.json").read_text("utf-8"))
        mend(content["heads"])
        (other_model / "manifest.json").write_text(json.dumps(content), encoding="utf-8")

    def describe(heads):
        heads[0]["labels"][0]["description"] = "In other words."
        heads[0]["poles"] = ["market-led", "state-led"]

    change(describe)
    assert len(load_teachers([tiny_model, other_model])) == 2
    change(lambda heads: heads[1]["labels"].reverse())
    with pytest.raises(DataError, match="do not fit together"):
        load_teachers([tiny_model, other_model])


def test_rows_without_ids_cannot_be_scored(folder, tiny_model):
    write_rows(folder / "bare.jsonl", [{"text": "one"}, {"id": "a", "text": "two"}, {"id": "a", "text": "three"}])
    output = folder / "scores.jsonl"
    with pytest.raises(DataError) as caught:
        CliRunner().invoke(
            pseudo_label,
            [str(tiny_model), "--data", str(folder / "bare.jsonl"), "--output", str(output)],
            catch_exceptions=False,
        )
    assert len(caught.value.faults) == 2
    assert not output.exists()


@pytest.mark.issue(3)
def test_no_head_can_be_called_like_a_column_of_labels_files_and_sheets():
    assert {CHOSEN, "scores", *Excerpt("r1", 0, 2).cells} <= RESERVED_NAMES
