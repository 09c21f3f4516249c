"""A second stage: it goes on from the first one's heads, and learns all new rows and some old ones."""

import dataclasses
import json
import math
import shutil

import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from tests.conftest import ROOT
from tests.training.test_run import run_fit
from training.card import describe_recipe
from training.commands import average, export
from training.config import load_config
from training.data import Splits, load_splits
from training.export import export_checkpoint
from training.narrowcommands import narrow
from training.stages import check_not_learnt, check_start, describe_replay, draw_replay, list_rows, load_start
from twohands.errors import CheckpointError, DataError, LeakError, NonFiniteLogitsError, RunConflictError
from twohands.examples import Example, fingerprint
from twohands.hashing import sha256_of_file
from twohands.locate import find_config
from twohands.taxonomy import ProblemType, Taxonomy, load_taxonomy

OURS = load_taxonomy(find_config("taxonomy"))


def example(n):
    return Example(id=f"r{n}", paragraph=f"text {n}", labels={}, source="s", group=f"g{n}")


def write_facts(folder, ids):
    (folder / "run.json").write_text(json.dumps({"train_ids": ids}), encoding="utf-8")


def test_all_new_rows_and_a_share_of_the_old_ones_are_learnt(tmp_path):
    write_facts(tmp_path, [f"r{n}" for n in range(400)])
    drawn = draw_replay([example(n) for n in range(500)], tmp_path, share=0.25, seed=1)
    numbers = [int(row.id[1:]) for row in drawn]
    assert numbers == sorted(numbers)
    assert [n for n in numbers if n >= 400] == list(range(400, 500))
    assert math.isclose(sum(n < 400 for n in numbers), 100, abs_tol=30)
    assert drawn == draw_replay([example(n) for n in range(500)], tmp_path, share=0.25, seed=1)
    assert len(draw_replay([example(n) for n in range(500)], tmp_path, share=1.0, seed=1)) == 500


def test_a_line_that_holds_another_text_by_now_is_a_new_row(tmp_path):
    facts = list_rows([example(n) for n in range(40)])
    (tmp_path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    rewritten = [dataclasses.replace(example(n), paragraph=f"another text {n}") for n in range(20)]
    drawn = draw_replay([*rewritten, *(example(n) for n in range(20, 40))], tmp_path, share=1e-9, seed=1)
    assert drawn == rewritten


@pytest.mark.issue(3)
def test_how_many_rows_come_again_is_told_and_that_none_is_left(tmp_path):
    write_facts(tmp_path, [f"r{n}" for n in range(4)])
    rows = [example(n) for n in range(6)]
    for share, n_again in ((1.0, 4), (1e-9, 0)):
        told = describe_replay(rows, draw_replay(rows, tmp_path, share=share, seed=1), tmp_path)
        assert told == f"{n_again} of 4 old rows are learnt again (start.replay), 2 new ones"
    with pytest.raises(DataError) as caught:
        draw_replay(rows[:4], tmp_path, share=1e-9, seed=1)
    assert "all 4 rows of data.train were learnt" in caught.value.faults[0]


@pytest.fixture
def first_stage(tmp_path):
    facts = list_rows([example(n) for n in range(4)])
    facts |= {"encoder_sha256": "e", "settings": {"encoder": {"num_layers": None, "pooling": "mean"}}}
    (tmp_path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    save_file({}, tmp_path / "model.safetensors")
    labels = {str(n): name for n, name in enumerate(OURS.label_names)}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "id2label": labels}), encoding="utf-8")
    return tmp_path


def check(first_stage, held_out=(), taxonomy=OURS, **changes):
    settings = {"encoder_sha256": "e", "num_layers": None, "layers": None, "pooling": "mean"} | changes
    return check_start(first_stage, taxonomy, **settings, held_out={"dev": held_out})


def test_a_first_stage_that_fits_is_known_by_its_weights(first_stage):
    assert check(first_stage, [example(7)]) == sha256_of_file(first_stage / "model.safetensors")


@pytest.mark.parametrize("changes", [{"encoder_sha256": "f"}, {"pooling": "first"}])
def test_a_first_stage_of_another_encoder_is_refused(first_stage, changes):
    with pytest.raises(CheckpointError, match=r"--set encoder\.num_layers=null --set encoder\.pooling=mean"):
        check(first_stage, **changes)


@pytest.mark.parametrize(("there", "here"), [(6, 7), (6, None)])
def test_a_first_stage_of_fewer_layers_is_refused(first_stage, there, here):
    facts = json.loads((first_stage / "run.json").read_text("utf-8"))
    facts["settings"]["encoder"]["num_layers"] = there
    (first_stage / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(CheckpointError, match=rf"num_layers {there} there, {here} here"):
        check(first_stage, num_layers=here)
    assert check(first_stage, num_layers=5) == check(first_stage, num_layers=6)
    assert check(first_stage, num_layers=2, layers=[0, 5]) == check(first_stage, num_layers=6)
    with pytest.raises(CheckpointError, match=r"names layer 6; .* has 6, numbered from 0"):
        check(first_stage, num_layers=2, layers=[0, 6])


@pytest.mark.parametrize("same", ["group", "paragraph"])
def test_a_first_stage_that_learnt_from_what_is_held_out_is_a_leak(first_stage, same):
    held = dataclasses.replace(example(9), **{same: getattr(example(2), same)})
    with pytest.raises(LeakError) as caught:
        check(first_stage, [example(8), held])
    assert len(caught.value.faults) == 1
    assert "r9" in caught.value.faults[0]
    assert held.paragraph not in caught.value.faults[0]


def test_an_encoder_that_learnt_from_what_is_held_out_is_a_leak(write_run, tmp_path, tiny_encoder, starter_rows):
    teacher = tmp_path / "teacher"
    shutil.copytree(tiny_encoder, teacher)
    settings = {"run_name": "big", "license": "MIT", "encoder": {"name": "tiny"}}
    learnt = [dataclasses.replace(example(1), paragraph=starter_rows["dev"][0]["text"])]
    facts = {"settings": settings, **list_rows(learnt)}
    (teacher / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(LeakError) as caught:
        run_fit(write_run(encoder__name=str(teacher)), tmp_path / "run")
    assert starter_rows["dev"][0]["id"] in caught.value.faults[0]
    assert not (tmp_path / "run").exists()


def test_a_third_stage_knows_the_rows_of_the_first(first_stage):
    second = list_rows([example(5)], start=first_stage)
    assert second["train_ids"] == ["r0", "r1", "r2", "r3", "r5"]
    assert second["train_groups"] == ["g0", "g1", "g2", "g3", "g5"]
    assert len(second["train_texts"]) == 5


@pytest.mark.issue(3)
@pytest.mark.parametrize(("there", "here"), [("{}.0", "{}"), ("{}", "{}.0")])
def test_a_stage_knows_rows_and_documents_of_7_0_as_those_of_7(tmp_path, there, here):
    def name(n, spelt, **changes):
        return dataclasses.replace(example(n), id=spelt.format(n), group=spelt.format(n), **changes)

    facts = list_rows([name(n, there) for n in range(40)])
    (tmp_path / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    rows = [name(n, here) for n in range(50)]
    drawn = draw_replay(rows, tmp_path, share=0.5, seed=1)
    old = {row.id for row in draw_replay([name(n, there) for n in range(50)], tmp_path, share=0.5, seed=1)}
    assert {there.format(row.paragraph.split()[-1]) for row in drawn} == old, "the rows that it would have drawn before"
    assert 10 < len(drawn) < 40
    assert describe_replay(rows, drawn, tmp_path).startswith(f"{len(drawn) - 10} of 40 old rows")
    with pytest.raises(LeakError):
        check_not_learnt(tmp_path, {"dev": [name(1, here, paragraph="another paragraph of that document")]})
    check_not_learnt(tmp_path, {"dev": rows[40:]})


@pytest.mark.issue(3)
def test_of_two_rows_7_and_7_0_each_is_known_by_its_own_id(tmp_path):
    rows = [dataclasses.replace(example(n), id=name) for n in range(20) for name in (f"{n}", f"{n}.0")]
    (tmp_path / "run.json").write_text(json.dumps({"train_ids": [row.id for row in rows]}), encoding="utf-8")
    drawn = {row.id for row in draw_replay(rows, tmp_path, share=0.5, seed=1)}
    assert any(f"{n}" in drawn and f"{n}.0" not in drawn for n in range(20))
    assert any(f"{n}" not in drawn and f"{n}.0" in drawn for n in range(20))


@pytest.mark.issue(3)
def test_rows_that_an_encoders_encoder_learnt_from_are_known(first_stage, tmp_path, tiny_encoder):
    second = list_rows([example(5)], encoder=first_stage)
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "run.json").write_text(json.dumps(second), encoding="utf-8")
    for n in (0, 5):
        with pytest.raises(LeakError):
            check_not_learnt(tmp_path / "third", {"dev": [example(n)]})
    check_not_learnt(tmp_path / "third", {"dev": [example(7)]})
    assert list_rows([example(5)], encoder=tiny_encoder)["train_ids"] == ["r5"], "no run of ours left it"


@pytest.mark.issue(3)
def test_a_checkpoint_is_not_exported_by_rows_that_are_not_its_own(first_stage, tmp_path, taxonomy, monkeypatch):
    class PassedError(Exception):
        """The rows were taken."""

    def load_checkpoint(_):
        raise PassedError

    monkeypatch.setattr("training.export.load_checkpoint", load_checkpoint)
    for name in ("config.json", "tokenizer.json"):
        (first_stage / name).touch()
    learnt = [example(n) for n in range(4)]
    facts = json.loads((first_stage / "run.json").read_text("utf-8"))
    cases = [
        (Splits(learnt, [example(2)], [], []), LeakError, LeakError),
        (Splits(learnt, [example(8)], [example(2)], []), LeakError, LeakError),
        (Splits(learnt[:3], [example(8)], [], []), DataError, PassedError),  # older runs do not say what they learnt
        (Splits(learnt[::-1], [example(8)], [example(9)], []), PassedError, PassedError),
    ]
    for said, at in (({"train_fingerprint": fingerprint(learnt)}, 1), ({}, 2)):
        (first_stage / "run.json").write_text(json.dumps(facts | said), encoding="utf-8")
        for case in cases:
            with pytest.raises(case[at]):
                export_checkpoint(
                    first_stage, load_config("minilm")[0], taxonomy, case[0], output=tmp_path / "out", overwrite=False
                )
    # Of the mean of several runs, rows are known by id, which a CSV that pandas wrote may have had as 7.0.
    ids = [f"{n}.0" for n in range(4)]
    (first_stage / "run.json").write_text(json.dumps(facts | {"averaged": [], "train_ids": ids}), encoding="utf-8")
    for n_rows, error in ((4, PassedError), (5, DataError)):
        rows = [dataclasses.replace(example(n), id=str(n)) for n in range(n_rows)]
        splits = Splits(rows, [example(8)], [], [])
        with pytest.raises(error):
            export_checkpoint(
                first_stage, load_config("minilm")[0], taxonomy, splits, output=tmp_path / "out", overwrite=False
            )


def test_the_card_says_what_was_done_to_the_rows():
    changes = ["start={checkpoint: runs/first/checkpoint, replay: 0.3}", "augmentation.damaged=0.2"]
    assert describe_recipe(load_config("minilm")[0], [example(1)]) == []
    told = " ".join(describe_recipe(load_config("minilm", overrides=changes)[0], [example(1)]))
    assert "first" in told
    assert "damaged 0.2" in told
    assert "country" not in told


def test_a_first_stage_that_does_not_list_its_rows_is_refused(tmp_path):
    with pytest.raises(CheckpointError):
        draw_replay([example(1)], tmp_path, share=0.5, seed=1)


def test_a_second_stage_starts_where_the_first_one_ended(write_run, tmp_path, capsys):
    facts = run_fit(write_run(), tmp_path / "first")
    first = tmp_path / "first" / "checkpoint"
    assert len(facts["train_ids"]) == 24
    path = write_run(start={"checkpoint": str(first), "replay": 1.0}, optim__learning_rate=1e-12)
    second = run_fit(path, tmp_path / "second")
    assert "train: 24 of 24 old rows are learnt again" in capsys.readouterr().err
    with pytest.raises(DataError, match="no row is left to learn from"):
        run_fit(write_run(start={"checkpoint": str(first), "replay": 1e-9}), tmp_path / "third")
    assert not (tmp_path / "third").exists()
    assert str(tmp_path) not in (tmp_path / "second" / "checkpoint" / "config.json").read_text("utf-8")
    assert second["start_sha256"] == sha256_of_file(first / "model.safetensors")
    # At so small a rate it ends where it started: with the first stage's heads, not with new ones.
    before, after = (
        load_file(path / "checkpoint" / "model.safetensors") for path in (tmp_path / "first", tmp_path / "second")
    )
    assert before.keys() == after.keys()
    assert max(float(abs(before[name] - after[name]).max()) for name in before) < 1e-6


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_second_stage_may_keep_fewer_layers_of_the_first_and_its_heads(write_run, tmp_path, pooling):
    first = run_fit(write_run(encoder__pooling=pooling), tmp_path / "first")
    assert first["encoder"]["name"].endswith("tiny-bert")
    start = {"checkpoint": str(tmp_path / "first" / "checkpoint"), "replay": 1.0}
    settings = {"start": start, "encoder__pooling": pooling, "optim__learning_rate": 1e-12}
    second = run_fit(write_run(**settings, encoder__num_layers=1), tmp_path / "second")
    assert second["encoder"]["name"].endswith("(1 of its 2 layers)")
    assert str(tmp_path) not in (tmp_path / "second" / "checkpoint" / "config.json").read_text("utf-8")
    before, after = (load_file(tmp_path / stage / "checkpoint" / "model.safetensors") for stage in ("first", "second"))
    assert {name for name in before if "layer.1." in name}
    assert not {name for name in after if "layer.1." in name}
    # Of two layers the last is kept, and everything beside layers; no head is new.
    for name, weights in after.items():
        assert float(abs(before[name.replace("layer.0.", "layer.1.")] - weights).max()) < 1e-6
    first_kept = run_fit(write_run(**settings, encoder__num_layers=1, encoder__layers=[0]), tmp_path / "first-kept")
    assert first_kept["encoder"]["name"].endswith("(1 of its 2 layers)")
    kept = load_file(tmp_path / "first-kept" / "checkpoint" / "model.safetensors")
    assert kept.keys() == after.keys()
    assert all(float(abs(before[name] - weights).max()) < 1e-6 for name, weights in kept.items())
    with pytest.raises(CheckpointError, match="num_layers 2 there, 3 here"):
        run_fit(write_run(**settings, encoder__num_layers=3), tmp_path / "third")
    assert not (tmp_path / "third").exists()


@pytest.mark.issue(3)
@pytest.mark.parametrize("restart", [False, True])
def test_what_a_run_goes_on_from_is_not_deleted_by_it(write_run, tmp_path, restart, tiny_encoder):
    checkpoint = tmp_path / "run" / "checkpoint"
    shutil.copytree(tiny_encoder, checkpoint)
    facts = {"settings": {"run_name": "tiny", "license": "MIT", "encoder": {"name": "tiny-bert"}}}
    for folder in (tmp_path / "run", checkpoint):
        (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    before = sorted((tmp_path / "run").rglob("*"))
    start = {"checkpoint": str(checkpoint), "replay": 1.0}
    for key, changes in (("start.checkpoint", {"start": start}), ("encoder.name", {"encoder__name": str(checkpoint)})):
        with pytest.raises(RunConflictError, match=f"{key} is .* this run's own folder") as caught:
            run_fit(write_run(**changes), tmp_path / "run", restart=restart)
        assert "--restart" not in str(caught.value)
        assert "run_name" in str(caught.value)
    assert sorted((tmp_path / "run").rglob("*")) == before


@pytest.mark.issue(3)
@pytest.mark.parametrize("restart", [False, True])
def test_rows_in_the_own_folder_of_a_run_are_not_deleted_by_it(write_run, tmp_path, restart):
    config = write_run()
    (tmp_path / "rows" / "run.json").write_text("{}", encoding="utf-8")  # as if a run had been begun beside them
    before = {path: path.read_bytes() for path in (tmp_path / "rows").iterdir()}
    with pytest.raises(RunConflictError, match=r"data.train is .* this run's own folder"):
        run_fit(config, tmp_path / "rows", restart=restart)
    assert {path: path.read_bytes() for path in (tmp_path / "rows").iterdir()} == before


def test_a_missing_first_stage_is_named(write_run, tmp_path):
    path = write_run(start={"checkpoint": str(tmp_path / "nowhere"), "replay": 1.0})
    with pytest.raises(CheckpointError, match="does not exist"):
        run_fit(path, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.issue(3)
def test_a_checkpoint_that_is_not_there_is_told_of_as_such_by_all_commands(tmp_path, monkeypatch):
    """Of a misspelt folder they told which files it lacks, as if it were there."""
    monkeypatch.chdir(tmp_path)
    calls = [
        (export, ["runs/nope", "--output", "out"]),
        (average, ["runs/nope", "runs/nor", "--output", "out"]),
        (narrow, ["runs/nope", "--width", "8", "--data", str(ROOT / "data/starter/dev.jsonl"), "--output", "out"]),
    ]
    for command, arguments in calls:
        with pytest.raises(CheckpointError, match=r"runs/nope does not exist in .*runs/RUN_NAME/checkpoint"):
            CliRunner().invoke(command, arguments, catch_exceptions=False)


def test_a_folder_that_is_nearly_a_checkpoint_says_what_to_give(tiny_model, first_stage):
    with pytest.raises(CheckpointError, match="twohands restore"):
        check(tiny_model)
    (first_stage / "outer").mkdir()
    (first_stage / "outer" / "checkpoint").mkdir()
    (first_stage / "outer" / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(CheckpointError, match=r"give .*outer/checkpoint"):
        check(first_stage / "outer")


def test_another_first_stage_is_another_run(write_run, tmp_path):
    run_fit(write_run(), tmp_path / "first")
    first = tmp_path / "first" / "checkpoint"
    start = {"checkpoint": str(first), "replay": 1.0}
    run_fit(write_run(start=start), tmp_path / "second")
    weights = (first / "model.safetensors").read_bytes()
    (first / "model.safetensors").write_bytes(weights[:-4] + b"\x00\x00\x80?")
    with pytest.raises(RunConflictError):
        run_fit(write_run(start=start), tmp_path / "second")


def test_a_first_stage_of_other_labels_is_refused(write_run, tmp_path, taxonomy):
    run_fit(write_run(), tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoint"
    assert load_start(checkpoint, taxonomy).config.num_labels == 7
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    config["id2label"]["0"] = "crown-led"
    (checkpoint / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(CheckpointError):
        load_start(checkpoint, taxonomy)


def turn_kinds(taxonomy):
    """The same labels in the same order, each head of the other kind."""
    other = {ProblemType.ONE_OF: ProblemType.ANY_OF, ProblemType.ANY_OF: ProblemType.ONE_OF}
    return Taxonomy(
        heads=[head.model_copy(update={"problem_type": other[head.problem_type]}) for head in taxonomy.heads]
    )


@pytest.mark.issue(3)
def test_a_checkpoint_whose_heads_are_of_another_kind_is_refused(write_run, tmp_path, taxonomy):
    path = write_run(n_rows=16, epochs=1)
    run_fit(path, tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoint"
    kinds = "stance .*single_label.*expected stance .*multi_label"
    with pytest.raises(CheckpointError, match=kinds):
        load_start(checkpoint, turn_kinds(taxonomy))
    config, _ = load_config(path)
    splits = load_splits(config.data, taxonomy, seed=config.seed)
    with pytest.raises(CheckpointError, match=kinds):
        export_checkpoint(checkpoint, config, turn_kinds(taxonomy), splits, output=tmp_path / "model", overwrite=False)
    assert not (tmp_path / "model").exists()


@pytest.mark.issue(3)
def test_a_start_that_is_refused_leaves_no_run_in_the_way_of_the_mended_command(write_run, tmp_path):
    """It was refused with its folder made, so that the same command with another checkpoint met a run conflict."""
    run_fit(write_run(n_rows=16), tmp_path / "first")
    checkpoint = tmp_path / "first" / "checkpoint"
    whole = {name: (checkpoint / name).read_bytes() for name in ("config.json", "run.json", "model.safetensors")}
    config, facts = (json.loads(whole[name]) for name in ("config.json", "run.json"))
    config["id2label"]["0"] = "crown-led"
    facts["taxonomy"]["heads"][0]["problem_type"] = "multi_label_classification"
    faults = {
        "config.json": [json.dumps(config).encode(), b"{", None],
        "run.json": [json.dumps(facts).encode(), b"{", None],
        "model.safetensors": [whole["model.safetensors"][:-9], None],
    }
    path = write_run(n_rows=16, start={"checkpoint": str(checkpoint), "replay": 1.0})
    for name, contents in faults.items():
        for content in contents:
            if content is None:
                (checkpoint / name).unlink()
            else:
                (checkpoint / name).write_bytes(content)
            with pytest.raises(CheckpointError, match=str(checkpoint)):
                run_fit(path, tmp_path / "second")
            assert not (tmp_path / "second").exists()
        (checkpoint / name).write_bytes(whole[name])


@pytest.mark.issue(3)
def test_a_run_that_is_refused_before_its_first_checkpoint_is_not_in_the_way_of_the_next(write_run, tmp_path):
    with pytest.raises(NonFiniteLogitsError):
        run_fit(write_run(n_rows=16, optim__learning_rate=1e30, optim__max_grad_norm=1e30), tmp_path / "run")
    assert run_fit(write_run(n_rows=16), tmp_path / "run")["settings"]["optim"]["learning_rate"] == 5e-3
