"""The run's schema: every shipped config loads, and every fault is named at once."""

import pytest
import yaml

from tests.conftest import ROOT
from training.config import dump_config, load_config, load_dumped_config
from training.public import publish_config
from twohands.errors import ConfigError, FileReadError

CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.name != "taxonomy.yaml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_is_named_like_its_run(path):
    config, taxonomy = load_config(path)
    assert config.run_name == path.stem
    assert set(config.loss.head_weights) == {head.name for head in taxonomy.heads}


def test_a_shipped_config_is_found_by_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("minilm")[0].run_name == "minilm"


def test_a_shipped_config_brings_its_rows_into_any_folder_but_not_in_place_of_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = load_config("minilm")[0].data.root
    assert root is not None
    assert (root / "train.jsonl").is_file()
    copied = tmp_path / "copied.yaml"
    copied.write_text((ROOT / "configs/minilm.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    named = ["data.root=data/starter"]
    for given in (load_config("minilm", overrides=named), load_config(copied)):
        assert str(given[0].data.root) == "data/starter"
    (tmp_path / "data/starter").mkdir(parents=True)
    assert str(load_config("minilm")[0].data.root) == "data/starter"


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("data.train=own.csv", "data.train: expected a list: write [own.csv]; found 'own.csv'"),
        (f"data.train={'long/' * 16}own.csv", "data.train: expected a list: write [...]; found "
         f"{'long/' * 16!r}"),
        ("run_name=MyRun", "run_name: expected small letters, digits, ., _ and -, with a letter or digit first; found "
         "'MyRun'"),
        ("run_name=1.0", "run_name: Input should be a valid string; found '1.0'; put it in quotation marks"),
        ("version=0.2", "version: expected three numbers, such as 1.0.0; found '0.2'"),
        ("data.root=~nobody-of-this-name/rows", "data.root: ~nobody-of-this-name has no home folder here; write the "
         "path out"),
        ("loss.head_weights={stance:1, topics: 1}",
         "loss.head_weights.stance:1: put a blank behind the colon: stance: 1"),
        ("version=v1", "version: expected three numbers, such as 1.0.0; found 'v1'"),
        ("encoder.revision=main", "encoder.revision: expected a commit of 40 hex digits; found 'main'"),
    ],
)  # fmt: skip
def test_faults_of_strings_and_lists_are_told_in_words(override, fault):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=[override])
    assert caught.value.faults == [fault]


def test_all_faults_come_at_once(tmp_path):
    content = yaml.safe_load((ROOT / "configs/minilm.yaml").read_text(encoding="utf-8"))
    del content["seed"]
    content["optim"]["learning_rat"] = 1
    content["optim"]["num_epochs"] = -1
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides=["nothing.here=1", "no-equals"])
    told = "\n".join(caught.value.faults)
    for part in ("seed", "learning_rat", "num_epochs", "nothing.here", "no-equals"):
        assert part in told


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("given", "meant"),
    [("optim.num_epoch=1", "optim.num_epochs"), ("Seed=1", "seed"), ("learning_rate=1", "optim.learning_rate"),
     ("optimm.batch_size=8", "optim.batch_size"), ("nothing.here=1", None)],
)  # fmt: skip
def test_a_misspelt_key_is_asked_about(given, meant):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=[given])
    (fault,) = caught.value.faults
    assert fault.partition("; did you mean ")[2] == (f"{meant!r}?" if meant else "")


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("given", "end"),
    [("optim.lr=1", "; optim has learning_rate, final_learning_rate, layer_decay, weight_decay, warmup_fraction, "
                    "num_epochs, min_steps, quantization_aware, batch_size, gradient_accumulation_steps, "
                    "max_grad_norm"),
     ("loss.head_weights.tone=1", "; loss.head_weights has stance, topics"),
     ("optim.teacher_weight=1", "; did you mean 'loss.teacher_weight'?"),
     ("optim.LEARNING_RATE=1", "; did you mean 'optim.learning_rate'?")],
)  # fmt: skip
def test_a_key_that_its_section_has_not_is_looked_for_there(given, end):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=[given])
    (fault,) = caught.value.faults
    assert fault == f"--set {given!r}: the config has no key {given.partition('=')[0]!r}{end}"


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("given", "fault"),
    [(["encoder.num_layers=2", "encoder.layers=[4, 1]"], "give each number once, in rising order"),
     (["encoder.num_layers=2", "encoder.layers=[1, 1]"], "give each number once, in rising order"),
     (["encoder.layers=[]"], "encoder.layers: "),
     (["encoder.layers=[1, 4]"], "layers names 2 of them, num_layers says None; set num_layers to 2"),
     (["encoder.num_layers=3", "encoder.layers=[1, 4]"], "num_layers says 3; set num_layers to 2, or layers to null")],
)  # fmt: skip
def test_layers_are_named_once_and_as_many_as_are_said(given, fault):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=given)
    assert fault in caught.value.faults[0]
    config, _ = load_config("minilm", overrides=["encoder.num_layers=2", "encoder.layers=[1, 4]"])
    assert config.encoder.layers == [1, 4]


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("given", "fault"),
    [(["optim.learning_rate=1e-5", "optim.final_learning_rate=1e-5"], "final_learning_rate is 1e-05, the peak 1e-05"),
     (["optim.final_learning_rate=1e-6", "optim.warmup_fraction=1"], "no step is left to decay")],
)  # fmt: skip
def test_a_decay_ends_below_its_peak_and_has_steps(given, fault):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=given)
    assert fault in caught.value.faults[0]


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    "given",
    ["optim.num_epochs=.inf", "optim.learning_rate=.inf", "optim.weight_decay=.nan", "export.min_int8_speedup=.inf",
     "export.max_fp32_logit_change=.inf", "loss.head_weights={stance: 1, topics: .inf}", "optim.num_epochs=1.0e+300"],
)  # fmt: skip
def test_a_number_that_bounds_nothing_is_refused(given):
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=[given])
    (fault,) = caught.value.faults
    assert fault.startswith(given.partition("=")[0])
    assert ("finite number" in fault) != given.endswith("300")


@pytest.mark.issue(3)
def test_a_key_that_stands_twice_is_refused_in_a_file_and_in_a_value(tmp_path):
    path = tmp_path / "twice.yaml"
    text = (ROOT / "configs/minilm.yaml").read_text(encoding="utf-8")
    path.write_text(f"{text.rstrip()}\nseed: 14\n", encoding="utf-8")
    lines = [n for n, line in enumerate(path.read_text("utf-8").splitlines(), start=1) if line.startswith("seed:")]
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.faults == [f"seed: stands twice (lines {lines[0]} and {lines[1]}), expected once; keep one"]
    given = "loss.head_weights={stance: 1, topics: 1, stance: 2}"
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=[given, "seed=-1"])
    twice, seed = caught.value.faults
    assert twice == f"--set {given!r}: stance: stands twice (line 1), expected once; keep one"
    assert seed.startswith("seed: ")


@pytest.mark.issue(3)
def test_a_missing_taxonomy_is_told_of_as_one():
    with pytest.raises(FileReadError) as caught:
        load_config("minilm", overrides=["taxonomy=nails.yaml"])
    assert str(caught.value) == "no taxonomy 'nails.yaml'; give a path, or one that is shipped: taxonomy.yaml"


def test_overrides_are_yaml_values():
    config, _ = load_config(
        "minilm", overrides=["optim.num_epochs=2", "data.train=[a.jsonl, b.jsonl]", "data.root=null"]
    )
    assert config.optim.num_epochs == 2
    assert config.data.train == ["a.jsonl", "b.jsonl"]
    assert config.data.root is None


@pytest.mark.issue(3)
def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    start = "start={checkpoint: ~/runs/a/checkpoint, replay: 0.3}"
    config, _ = load_config("minilm", overrides=["data.root=~/rows", start])
    assert config.data.root == tmp_path / "rows"
    assert config.start is not None
    assert config.start.checkpoint == tmp_path / "runs/a/checkpoint"


def test_a_section_that_is_null_is_set_whole():
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=["start.replay=0.3"])
    assert "start={replay" in caught.value.faults[0]
    whole, _ = load_config("minilm", overrides=["start={checkpoint: runs/a/checkpoint, replay: 0.3}"])
    assert whole.start is not None


def test_a_config_is_published_without_paths_of_this_machine(tmp_path):
    config, _ = load_config(
        "minilm",
        overrides=[
            f"data={{root: {tmp_path}/rows, train: [a.jsonl, ./b.jsonl, {tmp_path}/rows/c.jsonl, {tmp_path}/d.jsonl, "
            f"'hub:{tmp_path}/set#train'], labels: [{tmp_path}/l.jsonl], "
            f"repeat: {{./b.jsonl: 2, {tmp_path}/d.jsonl: 3}}, dev: [{tmp_path}/dev.jsonl], test: null, "
            "dev_fraction: null, near_duplicate_jaccard: null}",
            f"start={{checkpoint: {tmp_path}/runs/first/checkpoint, replay: 0.3}}",
            f"encoder.name={tmp_path}/my-encoder",
        ],
    )
    public = publish_config(config)
    assert str(tmp_path) not in public.model_dump_json()
    assert public.data.train == ["a.jsonl", "./b.jsonl", "c.jsonl", "d.jsonl", "hub:set#train"]
    assert public.data.repeat == {"./b.jsonl": 2, "d.jsonl": 3}
    assert public.start is not None
    assert public.start.checkpoint.as_posix() == "first/checkpoint"
    assert public.encoder.name == "my-encoder"


def test_loss_must_name_the_heads_of_the_taxonomy():
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=["loss.head_weights={stance: 1, tone: 1}"])
    assert len(caught.value.faults) == 1
    assert "--set 'loss.head_weights={stance: 1.0, topics: 1.0}'" in caught.value.faults[0]


def test_ones_own_taxonomy_wins_over_the_shipped_one_of_its_name(tmp_path, monkeypatch):
    (tmp_path / "taxonomy.yaml").write_text(
        "heads: [{name: kind, problem_type: single_label_classification, "
        "labels: [{name: praise, description: Is content.}, {name: other, description: Is not.}]}]",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    asked = ["taxonomy=taxonomy.yaml"]
    with pytest.raises(ConfigError) as caught:
        load_config("minilm", overrides=asked)
    told = [fault.rpartition("--set ")[2].strip("'") for fault in caught.value.faults]  # what it says is what works
    _, taxonomy = load_config("minilm", overrides=[*asked, *told])
    assert taxonomy.label_names == ["praise", "other"]
    assert load_config("minilm")[1].label_names[0] == "state-led"


def test_dev_and_dev_fraction_exclude_each_other():
    with pytest.raises(ConfigError):
        load_config("minilm", overrides=["data.dev_fraction=0.1"])
    assert load_config("minilm", overrides=["data.dev_fraction=0.1", "data.dev=null"])[0].data.dev is None


def test_a_dumped_config_comes_back_the_same(tmp_path):
    config, taxonomy = load_config("minilm")
    path = tmp_path / "train_config.yaml"
    path.write_text(dump_config(config, taxonomy), encoding="utf-8")
    assert load_dumped_config(path) == (config, taxonomy)


def test_a_config_of_before_there_was_a_floor_of_steps_is_replayed_without_one(tmp_path):
    config, taxonomy = load_config("minilm")
    assert config.optim.min_steps > 0
    content = yaml.safe_load(dump_config(config, taxonomy))
    del content["config"]["optim"]["min_steps"]
    path = tmp_path / "train_config.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert load_dumped_config(path)[0].optim.min_steps == 0
    assert load_dumped_config(path, overrides=["optim.min_steps=90"])[0].optim.min_steps == 90
    assert load_dumped_config(ROOT / "models/twohands/train_config.yaml")[0].optim.min_steps == 0


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2\n", "", "\x00"])
def test_a_file_that_is_no_config_is_refused(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((ConfigError, FileReadError)):
        load_config(path)


def test_a_missing_config_names_those_that_are_shipped():
    with pytest.raises(FileReadError, match=r"minilm\.yaml"):
        load_config("nowhere")


@pytest.mark.issue(3)
def test_an_empty_file_is_told_of_as_empty(tmp_path):
    path = tmp_path / "empty.yaml"
    path.touch()
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.faults == ["found nothing, expected keys"]
