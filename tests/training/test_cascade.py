"""`twohands cascade` makes one folder of two, fitted on rows that neither learnt from, which answers as measured."""

import json
import shutil
from contextlib import closing

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.cascades import DOUBTED, SURE, build_second
from tests.support.tiny import build_tiny_model
from training.cascade import _check_answers
from training.cascadecommands import cascade
from training.cascadefit import Heard, offer_shares, read_split
from training.restore import restore_checkpoint
from twohands import Classifier
from twohands.cascade import CascadeSession, measure_doubt
from twohands.errors import CheckpointError, ConfigError, DataError, GateError, LeakError, RunConflictError
from twohands.examples import encode_labels
from twohands.hashing import sha256_of_file
from twohands.inspection import find_faults
from twohands.manifest import DataFile, load_manifest, write_manifest

pytestmark = pytest.mark.issue(3)

# Of 20 rows the first model doubts the 8 of "the", and is wrong of them where they are market-led.
ROWS = [
    *((f"plan of {'plan ' * n}", "state-led", ["industrial-policy"]) for n in range(1, 5)),
    *((f"the the {'the ' * n}", "market-led", []) for n in range(8)),
    *((f"weather weather {'weather ' * n}", "neutral", ["sanctions"] if n % 2 else ["regulation"]) for n in range(4)),
    *((f"market market {'market ' * n}", "market-led", ["self-reliance"]) for n in range(4)),
]


def write_rows(path, rows=ROWS):
    lines = [
        {
            "id": f"{path.stem}-{number}",
            "text": text,
            "stance": stance,
            "topics": topics,
            "group": f"{path.stem}-{number}",
        }
        for number, (text, stance, topics) in enumerate(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def reword(rows):
    """The same rows in other texts: dev and test may not share one."""
    return [(f"{text} of", *labels) for text, *labels in rows]


@pytest.fixture
def place(tmp_path):
    """A folder with both models and dev's rows."""
    build_tiny_model(tmp_path / "models/small")
    build_second(tmp_path / "models/large")
    write_rows(tmp_path / "dev.jsonl")
    return tmp_path


def make(place, *options, output="models/both"):
    words = [
        str(place / "models/small"), str(place / "models/large"), "--dev", str(place / "dev.jsonl"),
        "--output", str(place / output), *map(str, options),
    ]  # fmt: skip
    return CliRunner().invoke(cascade, words)


@pytest.mark.parametrize("version", ["latest", "1.0", "v1.0.0", "1.0.0\n"])
def test_a_version_is_three_numbers(place, version):
    found = make(place, "--version", version)
    assert found.exit_code == 2
    assert "expected three numbers, such as 1.0.0" in " ".join(found.output.split())
    assert not (place / "models/both").exists()


def test_the_folder_is_sound_asks_the_share_and_tells_what_it_was_fitted_on(place):
    test = write_rows(place / "test.jsonl", reword(ROWS[::3]))
    found = make(place, "--share", 0.4, "--test", test, "--version", "3.0.0")
    assert found.exit_code == 0, found.output
    folder = place / "models/both"
    assert find_faults(folder) == []
    manifest, _ = load_manifest(folder)
    second, sha256 = load_manifest(place / "models/large")
    assert (manifest.name, manifest.version) == ("both", "3.0.0")
    assert manifest.cascade.identity == {"name": "large", "version": second.version, "sha256": sha256}
    assert {(file.split, file.name) for file in manifest.training_data.files} == {
        ("train", "none.jsonl"), ("dev", "dev.jsonl"), ("test", "test.jsonl"),
    }  # fmt: skip
    figures = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert figures["dev"]["stance"]["macro_f1"]["value"] == 1
    assert set(figures) == {"dev", "test"}
    both, small = Classifier.load(folder, num_threads=1), Classifier.load(place / "models/small", num_threads=1)
    assert isinstance(both.session, CascadeSession)
    sure, doubted = both.classify([SURE, DOUBTED])
    assert [each.heads["stance"].label for each in (sure, doubted)] == ["state-led", "market-led"]
    assert small.classify([DOUBTED])[0].heads["stance"].label != "market-led"
    asked = []
    both.session.on_asked = lambda *counts: asked.append(counts)
    both.classify([text for text, _, _ in ROWS])
    assert np.sum(asked, axis=0).tolist() == [20, 8], "40% of 20 windows"
    for classifier in (both, small):
        classifier.close()
    lines = found.output.splitlines()
    assert any(line.startswith("| 0% | 1.0 | 0.") for line in lines)
    assert any(line.startswith("| second alone |") for line in lines)
    assert "asked 40% of dev's windows" in found.output
    card = (folder / "README.md").read_text("utf-8")
    assert "| **40%** |" in card, "what was chosen, among what could have been"
    assert "| 50% |" in card
    assert "Of dev dev.jsonl chose when the second is asked" in card


def test_of_the_table_a_share_of_none_is_the_first_alone_and_of_all_the_mean(place, taxonomy):
    generator = np.random.default_rng(5)
    labels = encode_labels(read_split([place / "dev.jsonl"], taxonomy, split="dev").examples, taxonomy)
    first = generator.normal(size=labels.shape).astype(np.float32)
    second = (labels * 6 - 3).astype(np.float32)
    heard = Heard(first=first, second=second, doubt=measure_doubt(first, taxonomy), counts=[1] * len(labels), cost=4.0)
    np.testing.assert_array_equal(heard.blend(heard.find_level(0)), first)
    np.testing.assert_allclose(heard.blend(heard.find_level(1)), (first + second) / 2, atol=1e-6)
    level = heard.find_level(0.25)
    assert (heard.doubt >= level).sum() == 5
    none, all_of_them, alone = offer_shares(heard, labels, taxonomy, shares=(0.0, 1.0))
    assert (none.cost, all_of_them.cost, alone.cost) == (1, 5, 4)
    assert alone.macro_f1["stance"] == 1 > none.macro_f1["stance"]


def test_rows_that_a_model_learnt_from_are_refused(place):
    large = place / "models/large"
    dev = place / "dev.jsonl"
    manifest = load_manifest(large)[0]
    learnt = DataFile(split="train", name="mine.jsonl", sha256=sha256_of_file(dev), n_rows=20)
    data = manifest.training_data.model_copy(update={"files": [learnt]})
    write_manifest(large, manifest.model_copy(update={"training_data": data}))
    found = make(place)
    assert isinstance(found.exception, DataError)
    assert "dev.jsonl, given as dev, is mine.jsonl of train of large 2.0.0" in str(found.exception)
    assert not (place / "models/both").exists()


def test_rows_to_report_on_that_it_was_fitted_on_are_refused(place):
    test = write_rows(place / "test.jsonl", [*reword(ROWS[:4]), ROWS[5]])
    found = make(place, "--test", test)
    assert isinstance(found.exception, LeakError)
    assert "Shared are 1 of 5 rows of test" in str(found.exception)
    assert "the same text is in dev (dev-5) and in test (test-4)" in str(found.exception)
    assert not (place / "models/both").exists()


def name_files(folder, **files):
    """Have a manifest name a file by its split."""
    manifest = load_manifest(folder)[0]
    named = [
        DataFile(split=split, name=path.name, sha256=sha256_of_file(path), n_rows=1) for split, path in files.items()
    ]
    data = manifest.training_data.model_copy(update={"files": named})
    write_manifest(folder, manifest.model_copy(update={"training_data": data}))


def test_rows_that_chose_one_of_the_models_are_no_test(place):
    test = write_rows(place / "test.jsonl", reword(ROWS[:4]))
    name_files(place / "models/small", dev=test)
    found = make(place, "--test", test)
    assert isinstance(found.exception, DataError)
    assert "test.jsonl, given as test, is test.jsonl of dev of small" in str(found.exception)


def test_what_chose_the_models_stays_known_and_the_card_tells_by_what_each_was_chosen(place):
    other = write_rows(place / "other.jsonl", reword(ROWS[:4]))
    name_files(place / "models/small", dev=other)
    assert make(place).exit_code == 0
    files = load_manifest(place / "models/both")[0].training_data.files
    assert {("dev", "other.jsonl"), ("dev", "dev.jsonl")} <= {(file.split, file.name) for file in files}
    for name in ("small", "large"):
        name_files(place / "models" / name, dev=place / "dev.jsonl")
    assert make(place, output="models/again").exit_code == 0
    card = (place / "models/again/README.md").read_text("utf-8")
    assert "Dev chose when the second is asked, calibration and thresholds, and for each of both models" in card
    files = load_manifest(place / "models/again")[0].training_data.files
    assert [file.name for file in files] == ["dev.jsonl"], "once"


@pytest.mark.parametrize("name", ["small", "large"])
def test_neither_model_is_written_over(place, name):
    for option in ("--overwrite", "--bundle"):
        found = make(place, "--overwrite", option, output=f"models/{name}")
        assert isinstance(found.exception, RunConflictError)
        assert find_faults(place / "models" / name) == []


def test_a_label_that_dev_lacks_is_refused(place):
    write_rows(place / "dev.jsonl", [(text, stance, []) for text, stance, _ in ROWS if stance != "neutral"])
    found = make(place)
    assert isinstance(found.exception, DataError)
    assert "dev has no row with stance neutral" in str(found.exception)
    assert "dev has no row with topics sanctions, self-reliance" in str(found.exception)


def test_a_share_of_less_than_a_window_asks_for_one_and_a_share_of_all_for_every_one(place):
    few = make(place, "--share", 0.002, output="models/few")
    assert "is asked 40% of dev's windows" in few.output, "the eight that are as doubtful as the most doubtful one"
    assert make(place, "--share", 1, output="models/all").exit_code == 0
    assert load_manifest(place / "models/all")[0].cascade.doubt == 0, "also of text that is surer than all of dev"
    assert isinstance(make(place, "--share", "nan", output="models/none").exception, ConfigError)


def test_a_second_that_a_manifest_cannot_name_is_refused_before_any_work(place):
    (place / "models/large").rename(place / "models/größer v2")
    words = ["--dev", str(place / "dev.jsonl"), "--output", str(place / "models/both")]
    found = CliRunner().invoke(cascade, [str(place / "models/small"), str(place / "models/größer v2"), *words])
    assert isinstance(found.exception, RunConflictError)
    assert "rename the folder" in str(found.exception)


def test_a_second_among_the_models_and_one_behind_a_link_are_found(place, monkeypatch):
    (place / "models/large").rename(place / "kept")
    (place / "models/large").symlink_to(place / "kept")
    assert make(place).exit_code == 0
    monkeypatch.setenv("TWOHANDS_MODELS", str(place / "models"))
    assert make(place, output="elsewhere/both").exit_code == 0
    Classifier.load(place / "elsewhere/both", num_threads=1).close()


def test_both_licenses_are_told(place):
    large = place / "models/large"
    write_manifest(large, load_manifest(large)[0].model_copy(update={"license": "CC-BY-4.0"}))
    assert make(place).exit_code == 0
    license_ = load_manifest(place / "models/small")[0].license
    assert load_manifest(place / "models/both")[0].license == f"{license_} AND CC-BY-4.0"


def test_one_model_given_twice_is_refused(place):
    words = ["--dev", str(place / "dev.jsonl"), "--output", str(place / "models/both")]
    found = CliRunner().invoke(cascade, [str(place / "models/small")] * 2 + words)
    assert isinstance(found.exception, DataError)
    assert "small was given as both of them" in str(found.exception)


def test_a_share_that_is_none_of_the_tables_has_its_own_line(place):
    lines = make(place, "--share", 0.35).output.splitlines()
    shares = [line.split("|")[1].strip() for line in lines if line.startswith("| ") and "%" in line]
    assert shares == ["0%", "10%", "20%", "30%", "**35%**", "40%", "50%", "75%", "100%"]


def test_a_head_without_an_error_on_dev_is_told(place):
    found = make(place, "--share", 0.4)
    assert "cascade: stance is right on all 20 dev rows: calibration saw no error" in found.output


def test_a_folder_elsewhere_would_not_find_its_second_unless_it_is_copied_in(place):
    found = make(place, output="elsewhere/both")
    assert isinstance(found.exception, RunConflictError)
    assert "--bundle" in str(found.exception)
    assert make(place, "--bundle", output="elsewhere/both").exit_code == 0
    shutil.rmtree(place / "models")
    assert find_faults(place / "elsewhere/both") == []
    Classifier.load(place / "elsewhere/both", num_threads=1).close()


def test_a_folder_that_is_there_is_kept_unless_told(place):
    assert make(place).exit_code == 0
    assert isinstance(make(place).exception, RunConflictError)
    assert make(place, "--overwrite", "--share", 0.1).exit_code == 0


def test_a_cascade_of_a_cascade_and_a_share_of_none_are_refused(place):
    assert make(place).exit_code == 0
    words = ["--dev", str(place / "dev.jsonl"), "--output", str(place / "models/more")]
    for pair in (("both", "large"), ("small", "both")):
        found = CliRunner().invoke(cascade, [*(str(place / "models" / name) for name in pair), *words])
        assert isinstance(found.exception, DataError)
        assert "both is a cascade itself" in str(found.exception)
    assert make(place, "--share", 0, output="models/other").exit_code == 2


def test_a_folder_that_answers_otherwise_than_measured_is_refused(place):
    assert make(place).exit_code == 0
    folder = place / "models/both"
    manifest = load_manifest(folder)[0]
    with closing(Classifier.load(folder, num_threads=1)) as both:
        encoded = both.encoder.encode_many([text for text, _, _ in ROWS])
        said = both.predict_logits(encoded)
    _check_answers(folder, said, encoded, manifest)
    with pytest.raises(GateError, match=r"stance: .* of the answers on dev"):
        _check_answers(folder, np.roll(said, 3, axis=0), encoded, manifest)


def test_a_cascade_is_no_one_checkpoint_to_restore(place):
    assert make(place).exit_code == 0
    with pytest.raises(CheckpointError, match="restore each of its models, the second is large"):
        restore_checkpoint(place / "models/both", place / "checkpoint", overwrite=False)
