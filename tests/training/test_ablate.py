"""Steps of a recipe over seeds: which runs there are, figures of both, and that nothing is trained twice."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import ttest_1samp
from sklearn.metrics import f1_score

from training import ablate as runs_of
from training.ablate import Answered, answer_run, ask_checkpoint, estimate_minutes, plan_runs, read_answered, tell_left
from training.ablatecommands import ablate
from training.ablatesteps import read_steps, split_changes
from training.ablatetable import bound_over_seeds, is_beyond_chance, measure
from training.config import load_config
from training.crossfit import decide_crossfitted
from training.data import load_splits
from training.encoders import find_encoder
from training.kept import write_kept
from training.loop import fit
from twohands.errors import ConfigError, LeakError, NonFiniteLogitsError, RunConflictError
from twohands.examples import NOT_LABELLED, Example, encode_labels

SMOOTHING = "smoothing=loss.label_smoothing=0.1"


def answered(given: dict[str, np.ndarray] | None = None, **facts: object) -> Answered:
    return Answered(np.zeros((1, 1), dtype=np.float32), given or {}, {"resumed": False, "seconds": 60.0} | facts)


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("loss.label_smoothing=0.1", ["loss.label_smoothing=0.1"]),
        (" a.b=1  c_d=x  ", ["a.b=1", "c_d=x"]),
        ("loss.head_weights={stance: 0, topics: 0} a=1", ["loss.head_weights={stance: 0, topics: 0}", "a=1"]),
        ("data.train=[a b=c.jsonl, d.jsonl] a=1", ["data.train=[a b=c.jsonl, d.jsonl]", "a=1"]),
        ("license='x y=z' card_notes=[Don't.]", ["license='x y=z'", "card_notes=[Don't.]"]),
        ("a={x: 1, x: 2} b=3", ["a={x: 1, x: 2}", "b=3"]),
        ("a={x: 1 b=3", ["a={x: 1 b=3"]),
        ("  ", []),
    ],
)
def test_changes_are_parted_where_the_next_key_stands(text, changes):
    assert list(split_changes(text)) == changes


@pytest.mark.issue(3)
def test_all_that_is_wrong_with_steps_is_told_at_once(write_run):
    wrong = [
        "loss.label_smoothing=0.1", "Big=optim.num_epochs=2", "empty=", "base=optim.num_epochs=2",
        "a=optim.num_epochs=2 optim.batch_size=4", "a=optim.num_epochs=3", "seeded=seed=3 run_name=b",
        "heads=taxonomy=mails.yaml", "misspelt=loss.label_smothing=0.1", "odd=loss.label_smoothing=2",
    ]  # fmt: skip
    with pytest.raises(ConfigError) as refused:
        read_steps(str(write_run()), [], wrong)
    assert len(refused.value.faults) == 10
    told = "\n".join(refused.value.faults)
    for named in ("'loss.label_smoothing'", "'Big'", "'empty='", "'base=", "'a=optim.num_epochs=3'", "seeded: seed",
                  "seeded: run_name", "heads: taxonomy", "'loss.label_smoothing'?", "odd: loss"):  # fmt: skip
        assert named in told


def plan(config: Path, *given: str, seeds: tuple[int, ...] = (3, 1), overrides: tuple[str, ...] = ()):
    steps, taxonomy = read_steps(str(config), overrides, given)
    return plan_runs(steps, taxonomy, seeds), taxonomy


@pytest.mark.issue(3)
def test_runs_go_seed_by_seed_and_test_is_not_read(write_run):
    config = write_run()
    runs, _ = plan(config, SMOOTHING, "slow=optim.learning_rate=0.001", overrides=("data.test=[nowhere.jsonl]",))
    assert [run.name for run in runs] == ["base-3", "smoothing-3", "slow-3", "base-1", "smoothing-1", "slow-1"]
    assert [run.config.seed for run in runs] == [3, 3, 3, 1, 1, 1]
    assert [run.identity["settings"]["seed"] for run in runs] == [3, 3, 3, 1, 1, 1]
    assert [run.config.loss.label_smoothing for run in runs] == [0, 0.1, 0] * 2
    assert all(run.splits.test == [] and run.config.data.test is None for run in runs)


@pytest.mark.issue(3)
def test_rows_held_out_as_dev_are_the_same_for_all_seeds(write_run):
    held_out = ("data.dev=null", "data.dev_fraction=0.3")
    runs, _ = plan(write_run(n_rows=120), SMOOTHING, overrides=held_out)
    (dev,) = {tuple(example.id for example in run.splits.dev) for run in runs}
    (other,) = {tuple(e.id for e in run.splits.dev)
                for run in plan(write_run(n_rows=120), overrides=(*held_out, "seed=5"))[0]}  # fmt: skip
    assert dev != other, "the config's seed draws them"


@pytest.mark.issue(3)
def test_steps_that_are_one_run_or_have_other_rows_of_dev_are_refused(write_run):
    config = write_run()
    with pytest.raises(ConfigError) as refused:
        plan(
            config,
            "same=loss.label_smoothing=0 card_notes=[Told otherwise.]",
            "a=loss.head_weights={stance: 1, topics: 3}",
            "b=loss.head_weights={topics: 3.0, stance: 1.0}",
            "dev=data.dev=[test.jsonl]",
            "threads=compute.num_threads=2",
            "precise=compute.precision=bf16",
        )
    first, second, third = refused.value.faults
    assert [fault.split()[1] for fault in (first, second, third)] == ["same", "b", "dev"]
    with pytest.raises(LeakError):
        plan(config, "leak=data.train=[train.jsonl, dev.jsonl]")


def rows(n: int, taxonomy, *, seed: int = 0) -> tuple[list[Example], np.ndarray]:
    """Rows of two a document, with random labels, and noisy logits for them."""
    generator = np.random.default_rng(seed)
    stances, topics = (head.label_names for head in taxonomy.heads)
    examples = [
        Example(
            f"r{n}",
            f"Text {n}.",
            {
                "stance": (stances[generator.integers(3)],),
                "topics": tuple(t for t in topics if generator.random() < 0.3),
            },
            "s",
            f"g{n // 2}",
        )
        for n in range(n)
    ]
    labels = encode_labels(examples, taxonomy)
    return examples, 2 * labels - 1.5 + generator.normal(size=labels.shape)


@pytest.mark.issue(3)
def test_a_document_has_no_say_in_the_thresholds_that_decide_it(taxonomy):
    examples, logits = rows(60, taxonomy)
    labels, groups = encode_labels(examples, taxonomy), [e.group for e in examples]
    given = decide_crossfitted(logits, labels, groups, taxonomy)
    stance, topics = (taxonomy.slices[head.name] for head in taxonomy.heads)
    assert (given["stance"].argmax(axis=1) == logits[:, stance].argmax(axis=1)).all()
    n_turned = 0
    for document in range(0, 60, 12):
        # Both rows say the contrary: their own answers stay, those of other folds may turn.
        turned = labels.copy()
        turned[document : document + 2, topics] = 1 - turned[document : document + 2, topics]
        again = decide_crossfitted(logits, turned, groups, taxonomy)["topics"]
        assert (again[document : document + 2] == given["topics"][document : document + 2]).all()
        n_turned += int((again != given["topics"]).sum())
    assert n_turned > 0
    # Nor does the row itself where all are of one document, and rows without a label change nothing.
    alone = decide_crossfitted(logits, labels, ["g"] * 60, taxonomy)["topics"]
    turned = labels.copy()
    turned[7, topics] = 1 - turned[7, topics]
    assert (decide_crossfitted(logits, turned, ["g"] * 60, taxonomy)["topics"][7] == alone[7]).all()
    bare = np.full_like(labels, NOT_LABELLED)
    plain = decide_crossfitted(logits, bare, groups, taxonomy)["topics"]
    assert (plain == (logits[:, topics] >= 0)).all()


@pytest.mark.issue(3)
def test_figures_are_those_of_scikit_learn_and_differences_are_of_one_seed(taxonomy):
    examples, weak = rows(120, taxonomy)
    labels, groups = encode_labels(examples, taxonomy), [e.group for e in examples]
    generator = np.random.default_rng(1)
    made = {
        ("base", 13): weak,
        ("good", 13): weak + labels,
        ("base", 14): weak + 0.2 * generator.normal(size=weak.shape),
        ("good", 14): weak + 0.9 * labels + 0.2 * generator.normal(size=weak.shape),
        ("base", 15): weak + 0.1 * labels,
        ("good", 15): weak + 1.2 * labels,
        ("alike", 13): weak,
    }
    given = {key: decide_crossfitted(logits, labels, groups, taxonomy) for key, logits in made.items()}
    heads = measure(examples, {key: answered(each) for key, each in given.items()}, taxonomy)
    for head in taxonomy.heads:
        truth, steps = labels[:, taxonomy.slices[head.name]], heads[head.name]["steps"]
        expected = {key: f1_score(truth, each[head.name], average="macro") for key, each in given.items()}
        for (step, seed), value in expected.items():
            assert steps[step]["by_seed"][str(seed)]["macro_f1"] == pytest.approx(value)
        apart = [expected["good", seed] - expected["base", seed] for seed in (13, 14, 15)]
        good = steps["good"]
        assert [good["by_seed"][str(seed)]["difference"] for seed in (13, 14, 15)] == pytest.approx(apart)
        assert good["difference"]["value"] == pytest.approx(np.mean(apart))
        assert 0 < good["difference"]["low"] < np.mean(apart) < good["difference"]["high"]
        of_scipy = ttest_1samp(apart, 0).confidence_interval()
        assert [good["over_seeds"]["low"], good["over_seeds"]["high"]] == pytest.approx(list(of_scipy))
        reach = np.hypot(np.mean(apart) - good["difference"]["low"], np.mean(apart) - of_scipy.low)
        assert good["is_beyond_chance"] == (np.mean(apart) > reach)
        assert "difference" not in steps["base"]
        base = [expected["base", seed] for seed in (13, 14, 15)]
        assert steps["base"]["sd_over_seeds"] == pytest.approx(np.std(base, ddof=1))
        # One seed says nothing of seeds, and two answers alike nothing at all.
        alike = steps["alike"]
        assert alike["difference"] == {"value": 0.0, "low": None, "high": None}
        assert alike["over_seeds"] == {"n": 1, "sd": None, "low": None, "high": None}
        assert alike["is_beyond_chance"] is None
    assert heads["topics"]["steps"]["good"]["is_beyond_chance"]
    # Turned round it is a loss as sure.
    names = {"base": "good", "good": "base"}
    turned = {(names[step], seed): answered(each) for (step, seed), each in given.items() if step in names}
    loss = measure(examples, turned, taxonomy)["topics"]["steps"]["good"]
    assert loss["difference"]["high"] < 0
    assert loss["is_beyond_chance"]


@pytest.mark.issue(3)
def test_what_is_sure_over_rows_may_not_be_over_seeds():
    assert bound_over_seeds([0.01]) == {"n": 1, "sd": None, "low": None, "high": None}
    assert bound_over_seeds([0.01, 0.01])["low"] is None
    wide = bound_over_seeds([0.01, 0.02])
    assert wide["low"] < 0 < wide["high"]
    assert bound_over_seeds([0.011, 0.017, 0.009])["low"] > 0


@pytest.mark.issue(3)
@pytest.mark.parametrize("n_seeds", [3, 10])
@pytest.mark.parametrize("of_seeds", [0.01, 1.0, 2.0])
def test_of_twenty_steps_without_effect_at_most_one_is_called_beyond_chance(n_seeds, of_seeds):
    """Rows and seeds both move the difference of a step that does nothing; rows by a normal error of 1."""
    generator = np.random.default_rng(5)
    n_called = 0
    for _ in range(5000):
        apart = generator.normal() + of_seeds * np.sqrt(n_seeds) * generator.normal(size=n_seeds)
        value = float(apart.mean())
        rows = {"value": value, "low": value - 1.96, "high": value + 1.96}
        n_called += bool(is_beyond_chance(rows, bound_over_seeds(apart.tolist())))
    assert 0.01 < n_called / 5000 < 0.06  # two standard errors of 5000 draws are .006


@pytest.mark.issue(3)
def test_time_left_goes_by_runs_of_the_same_step_that_were_not_broken_off(write_run):
    runs, _ = plan(write_run(), "long=optim.num_epochs=9", "new=optim.num_epochs=5", seeds=(1, 2))
    ended = {
        ("base", 1): answered(seconds=120.0),
        ("long", 1): answered(seconds=600.0),
        ("new", 1): answered(seconds=1.0, resumed=True),
    }
    assert estimate_minutes(runs[3:], {}) is None
    assert estimate_minutes(runs[3:], ended) == pytest.approx(2 + 10 + 6)
    assert tell_left(runs[3:], ended) == ", some 18 min left"
    assert tell_left(runs[3:], {("base", 1): answered(seconds=6.0)}) == ", less than a minute left"
    assert tell_left([], ended) == ""


@pytest.fixture
def config(write_run) -> Path:
    return write_run(n_rows=32, n_dev=40, optim__batch_size=16, encoder__num_layers=1)


def invoke(*arguments: object):
    return CliRunner().invoke(ablate, [str(a) for a in arguments], catch_exceptions=False)


def count_fits(monkeypatch, *, killed_at: int | None = None) -> list[str]:
    """Note each run that is trained; the one of that number is broken off."""
    trained: list[str] = []

    def noting(config, *arguments, run_dir: Path, **options):
        trained.append(run_dir.name)
        if len(trained) == killed_at:
            raise KeyboardInterrupt
        return fit(config, *arguments, run_dir=run_dir, **options)

    monkeypatch.setattr(runs_of, "fit", noting)
    return trained


@pytest.mark.issue(3)
def test_the_command_goes_on_where_it_was_and_reuses_what_is_there(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = (config, "--step", SMOOTHING, "--seeds", "7,8", "--output", "out")
    trained = count_fits(monkeypatch, killed_at=4)
    assert invoke(*asked).exit_code == 1
    assert trained == ["base-7", "smoothing-7", "base-8", "smoothing-8"]
    report = json.loads(Path("out/ablate.json").read_text(encoding="utf-8"))
    assert report["not_yet"] == ["smoothing-8"]
    table = Path("out/ablate.md").read_text(encoding="utf-8")
    assert "**Not yet run**: smoothing-8." in table
    assert "so not known: smoothing." in table  # one seed shows nothing

    listed = invoke(*asked, "--list").output
    assert [line.split()[:3] for line in listed.splitlines()[1:5]] == [
        ["7", "base", "done,"], ["7", "smoothing", "done,"], ["8", "base", "done,"], ["8", "smoothing", "to"],
    ]  # fmt: skip
    assert len(trained) == 4

    trained = count_fits(monkeypatch)
    outcome = invoke(*asked)
    assert outcome.exit_code == 0
    assert trained == ["smoothing-8"]
    assert "run 4 of 4: smoothing, seed 8, less than a minute left" in outcome.output
    report = json.loads(Path("out/ablate.json").read_text(encoding="utf-8"))
    assert report["not_yet"] == []
    for head in ("stance", "topics"):
        step = report["heads"][head]["steps"]["smoothing"]
        assert set(step["by_seed"]) == {"7", "8"}
        apart = [seed["difference"] for seed in step["by_seed"].values()]
        assert step["difference"]["value"] == pytest.approx(np.mean(apart))
    assert report["minutes"]["base"] > 0
    assert report["settings"]["smoothing"]["loss"]["label_smoothing"] == 0.1
    table = Path("out/ablate.md").read_text(encoding="utf-8")
    assert table in outcome.output
    told = [line for line in table.splitlines() if not line.startswith("    ")]  # the command has a path of the test's
    assert max(map(len, told)) <= 80
    # Checkpoints are gone: each run's answers are kept.
    assert {path.name for path in Path("out").iterdir()} == {
        "ablate.json", "ablate.md", "base-7.json", "base-8.json", "smoothing-7.json", "smoothing-8.json",
    }  # fmt: skip

    trained = count_fits(monkeypatch)
    fewer = invoke(config, "--step", SMOOTHING, "--step", "more=optim.num_epochs=2", "--seeds", "8", "--output", "out")
    assert fewer.exit_code == 0
    assert trained == ["more-8"]
    with pytest.raises(RunConflictError):
        invoke(*asked, "--set", "optim.learning_rate=0.001")
    with pytest.raises(RunConflictError):
        invoke(*asked, "--set", "compute.precision=bf16", "--list")
    with pytest.raises(RunConflictError):
        invoke(config, "--step", "smoothing=loss.label_smoothing=0.2", "--seeds", "7", "--output", "out")
    assert trained == ["more-8"]
    assert invoke(config, "--seeds", "7", "--output", "out", "--restart").exit_code == 0
    assert trained[1:] == ["base-7"]


@pytest.mark.issue(3)
def test_a_run_is_the_one_that_train_would_make(config, tmp_path):
    runs, taxonomy = plan(config, SMOOTHING, seeds=(21,))
    out = tmp_path / "out"
    out.mkdir()
    first = answer_run(runs[0], taxonomy, output=out, restart=False, keep_checkpoint=True)
    second = answer_run(runs[1], taxonomy, output=out, restart=False, keep_checkpoint=False)
    assert not (out / "smoothing-21").exists()
    assert {path.name for path in (out / "base-21").iterdir()} >= {"checkpoint"}
    assert not (out / "base-21/trainer").exists()

    alone, _ = load_config(config, overrides=["seed=21", "loss.label_smoothing=0.1", "data.test=null"])
    splits = load_splits(alone.data, taxonomy, seed=alone.seed)
    checkpoint = fit(alone, taxonomy, splits, find_encoder(alone.encoder.name), run_dir=tmp_path / "run", restart=False)
    logits = ask_checkpoint(checkpoint, splits.dev, alone)
    assert second.logits == pytest.approx(logits, abs=1e-6)
    assert np.abs(first.logits - logits).max() > 1e-4
    # Rows one by one, without the padding that others bring, some of several windows.
    long = [Example(e.id, " ".join([e.paragraph] * 4), e.labels, e.source, e.group) for e in splits.dev[:3]]
    asked = [*splits.dev[:5], *long]
    by_row = np.concatenate([ask_checkpoint(checkpoint, [example], alone) for example in asked])
    assert ask_checkpoint(checkpoint, asked, alone) == pytest.approx(by_row, abs=1e-4)
    # What was written is what was answered.
    kept = read_answered(runs[1], taxonomy, out)
    assert (kept.logits == second.logits).all()
    assert kept.minutes == second.minutes > 0


@pytest.mark.issue(3)
def test_answers_are_not_taken_for_those_of_rows_that_stood_in_another_order(write_run, tmp_path):
    config, output = write_run(), tmp_path / "out"
    output.mkdir()
    _, taxonomy = load_config(config)
    dev = tmp_path / "rows/dev.jsonl"
    rows = [json.loads(line) for line in dev.read_text(encoding="utf-8").splitlines()]

    def write(rows: list[dict[str, object]]):
        """Without ids: rows are named by their lines."""
        named = [{key: value for key, value in row.items() if key != "id"} for row in rows]
        dev.write_text("".join(json.dumps(row) + "\n" for row in named), encoding="utf-8")
        return plan(config)[0][0]

    run = write(rows)
    kept = {"identity": run.identity, "facts": {}, "logits": [[0.0] * 7 for _ in rows]}
    write_kept(output / f"{run.name}.json", kept)
    assert read_answered(run, taxonomy, output) is not None
    with pytest.raises(RunConflictError, match="dev_texts_sha256"):
        read_answered(write(rows[::-1]), taxonomy, output)
    del kept["identity"]["dev_texts_sha256"]  # as an older release left it
    write_kept(output / f"{run.name}.json", kept)
    assert read_answered(write(rows), taxonomy, output) is not None


@pytest.mark.issue(3)
def test_a_step_that_diverges_leaves_the_others_to_be_measured(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = (config, "--set", "encoder.pooling=first")  # in so few steps the mean answers alike by both seeds
    asked = (*base, "--step", "fast=optim.learning_rate=1.0e+30 optim.num_epochs=2", "--seeds", "1,2")
    asked = (*asked, "--output", "out")
    with pytest.raises(NonFiniteLogitsError):
        invoke(*asked)
    report = json.loads(Path("out/ablate.json").read_text(encoding="utf-8"))
    assert (report["diverged"], report["not_yet"]) == (["fast-1", "fast-2"], [])
    assert set(report["heads"]["stance"]["steps"]["base"]["by_seed"]) == {"1", "2"}
    assert report["heads"]["stance"]["steps"]["base"]["sd_over_seeds"] > 0
    listed = invoke(*asked, "--list").output
    assert listed.count("diverged") == 2
    assert "0 of 4 to run" in listed
    # Given again, no step of theirs is trained to the same end once more.
    monkeypatch.setattr(runs_of, "fit", lambda *_, **__: pytest.fail("it would diverge again"))
    asked_room = []
    monkeypatch.setattr(runs_of, "check_room_for", lambda left, *_, **__: asked_room.append(list(left)))
    with pytest.raises(NonFiniteLogitsError, match="fast-1, fast-2"):
        invoke(*asked)
    assert asked_room == [[]]
    told = CliRunner().invoke(ablate, [str(a) for a in asked]).output
    assert "remove out/NAME.diverged.json" in told
    assert json.loads(Path("out/ablate.json").read_text(encoding="utf-8"))["diverged"] == ["fast-1", "fast-2"]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    # With a lower rate the step may have the same name.
    assert invoke(*base, "--step", "fast=optim.num_epochs=2", "--seeds", "1", "--output", "out").exit_code == 0
    assert [path.name for path in Path("out").glob("*.diverged.json")] == ["fast-2.diverged.json"]


@pytest.mark.issue(3)
def test_what_a_kill_left_of_an_answered_run_is_cleared(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs_of, "clear", lambda *_, **__: None)
    asked = (config, "--set", "optim.num_epochs=0.3", "--seeds", "1", "--output", "out")
    assert invoke(*asked).exit_code == 0
    assert Path("out/base-1/trainer").is_dir()
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert invoke(*asked, "--keep-checkpoints").exit_code == 0
    assert {path.name for path in Path("out/base-1").iterdir()} >= {"checkpoint"}
    assert not Path("out/base-1/trainer").exists()
    assert invoke(*asked).exit_code == 0
    assert Path("out/base-1/checkpoint").is_dir(), "what was asked for to be kept stays"


@pytest.mark.issue(3)
def test_a_base_alone_shows_how_far_seeds_are_apart(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = invoke(config, "--set", "optim.num_epochs=0.3", "--set", "run_name=alone", "--seeds", "1")
    assert outcome.exit_code == 0
    report = json.loads(Path("runs/alone-ablate/ablate.json").read_text(encoding="utf-8"))
    assert report["steps"] == {"base": []}
    assert report["heads"]["stance"]["steps"]["base"]["macro_f1"]["value"] > 0
    assert "Beyond chance, by" not in outcome.output


@pytest.mark.issue(3)
@pytest.mark.parametrize("seeds", ["13,13", "a", "1,,2", "-1", "4294967296", "9" * 5000, "1 2"], ids=len)
def test_seeds_that_are_none_are_refused(config, seeds):
    assert invoke(config, "--seeds", seeds, "--list").exit_code == 2
