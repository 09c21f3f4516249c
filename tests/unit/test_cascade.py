"""A cascade asks its second model for the windows that the first doubts, for them alone, and averages what both say."""

import pickle
import shutil

import numpy as np
import pytest

from tests.support.cascades import DOUBT, DOUBTED, SURE, build_second, build_tiny_cascade
from tests.support.tiny import build_tiny_model
from twohands import Classifier
from twohands.cascade import CascadeSession, calibrate_logits, find_second, measure_doubt
from twohands.errors import ManifestError, ModelNotFoundError
from twohands.inspection import describe_model, find_faults, folder_size_bytes, second_size_bytes
from twohands.manifest import MANIFEST_NAME, load_manifest, write_manifest
from twohands.scores import Platt, Temperature, calibrate, sigmoid, softmax
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.issue(3)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_tiny_cascade(tmp_path_factory.mktemp("models") / "both")


@pytest.fixture(scope="module")
def both(built):
    with_second = Classifier.load(built, num_threads=1)
    yield with_second
    with_second.close()


@pytest.fixture(scope="module")
def alone(built, tmp_path_factory):
    """The first model and the second, each by itself."""
    first = build_tiny_model(tmp_path_factory.mktemp("alone") / "first")
    pair = [Classifier.load(path, num_threads=1) for path in (first, built.parent / "second")]
    yield pair
    for classifier in pair:
        classifier.close()


@pytest.fixture
def asked(both, monkeypatch):
    """What the second model is asked from now on, each window as its ids."""
    windows = []
    second = both.session.members[1]
    run = second.run_batch
    monkeypatch.setattr(second, "run_batch", lambda ids: windows.extend(ids) or run(ids))
    return windows


def windows_of(classifier, *texts):
    return [window for text in texts for window in classifier.encoder.encode(text).windows]


def test_calibrated_logits_give_the_scores_of_the_model_alone(taxonomy):
    logits = np.random.default_rng(0).normal(size=(9, taxonomy.n_labels)).astype(np.float32)
    stance, topics = (taxonomy.slices[head.name] for head in taxonomy.heads)
    n_topics = len(taxonomy.heads[1].labels)
    platt = Platt(slopes=[*np.linspace(0.5, 2, n_topics)], intercepts=[*np.linspace(-1, 1, n_topics)])
    rules = {"stance": Temperature(temperature=2.5), "topics": platt}
    calibrated = calibrate_logits(logits, taxonomy, rules)
    assert calibrated.dtype == np.float32
    np.testing.assert_allclose(softmax(calibrated[:, stance]), calibrate(logits[:, stance], rules["stance"]), atol=1e-6)
    np.testing.assert_allclose(sigmoid(calibrated[:, topics]), calibrate(logits[:, topics], platt), atol=1e-6)


def test_doubt_is_that_of_the_most_doubtful_answer(taxonomy):
    def logits_of(stance, topics):
        return [*np.log(stance), *(np.log(score / (1 - score)) for score in topics)]

    sure = [0.01] * len(taxonomy.heads[1].labels)
    rows = [
        (([0.9, 0.06, 0.04], sure), 0.1),
        (([0.5, 0.3, 0.2], sure), 0.5),
        (([0.99, 0.005, 0.005], [0.3, *sure[1:]]), 0.3),
        (([0.99, 0.005, 0.005], [*sure[1:], 0.7]), 0.3),
        (([0.98, 0.01, 0.01], [0.99, *sure[1:]]), 0.02),
    ]
    logits = np.array([logits_of(*scores) for scores, _ in rows], dtype=np.float32)
    np.testing.assert_allclose(measure_doubt(logits, taxonomy), [doubt for _, doubt in rows], atol=1e-5)


def test_the_second_is_asked_only_for_what_the_first_doubts_in_its_own_ids(both, alone, asked):
    both.classify([SURE, DOUBTED, "market market"])
    (window,) = asked
    np.testing.assert_array_equal(window, windows_of(alone[1], DOUBTED)[0])
    assert not np.array_equal(window, windows_of(both, DOUBTED)[0]), "numbered as by the first"


def test_what_both_say_is_averaged_and_else_the_first_answers_as_alone(both, alone):
    first, second = alone
    sure, doubted = both.classify([SURE, DOUBTED])
    assert sure.heads["stance"].scores == pytest.approx(first.classify([SURE])[0].heads["stance"].scores, abs=1e-6)
    assert first.classify([DOUBTED])[0].heads["stance"].label == "state-led", "the first of three alike"
    assert doubted.heads["stance"].label == "market-led"
    calibrations = [{name: rule.calibration for name, rule in each.manifest.rules.items()} for each in alone]
    logits = [
        calibrate_logits(each.session.run_batch(windows_of(each, DOUBTED)), both.taxonomy, fitted)
        for each, fitted in zip((first, second), calibrations, strict=True)
    ]
    found = both.session.run_batch(windows_of(both, DOUBTED))
    np.testing.assert_allclose(found, (logits[0] + logits[1]) / 2, atol=1e-5)


def test_answers_do_not_depend_on_neighbours_or_on_padding(both):
    windows = windows_of(both, SURE, DOUBTED, "a the subsidy", "of", "plan market the a of weather")
    together = both.session.run_batch(windows)
    for window, row in zip(windows, together, strict=True):
        np.testing.assert_allclose(both.session.run_batch([window])[0], row, atol=1e-6)
    input_ids = np.zeros((len(windows), 12), dtype=np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, window in enumerate(windows):
        input_ids[row, : len(window)] = window
        attention_mask[row, : len(window)] = 1
    np.testing.assert_allclose(both.session.run_padded(input_ids, attention_mask), together, atol=1e-5)


def test_who_counts_is_told_how_many_windows_were_asked(both, monkeypatch):
    counts = []
    monkeypatch.setattr(both.session, "on_asked", lambda *each: counts.append(each))
    both.classify([SURE])
    both.classify([DOUBTED, SURE, "the of"])
    assert np.sum(counts, axis=0).tolist() == [4, 2]


def test_of_a_long_text_only_the_windows_in_doubt_are_asked(both, asked):
    text = " ".join(["plan"] * 20 + ["the"] * 12)
    windows = windows_of(both, text)
    both.classify([text])
    assert 0 < len(asked) < len(windows)


def test_a_cascade_is_of_use_in_another_process(both):
    again = pickle.loads(pickle.dumps(both))  # noqa: S301 - our own
    assert isinstance(again.session, CascadeSession)
    assert again.classify([DOUBTED])[0].heads["stance"].label == "market-led"
    again.close()


def test_the_second_is_found_beside_in_the_folder_and_among_models(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wanted = load_manifest(built)[0].cascade
    assert find_second(built, wanted) == built.parent / "second"
    moved = shutil.copytree(built, tmp_path / "moved")
    with pytest.raises(ModelNotFoundError, match=r"is a cascade, and asks second 2\.0\.0 [^\n]*\n.*moved/second: not"):
        Classifier.load(moved)
    shutil.copytree(built.parent / "second", tmp_path / "models" / "second")
    assert find_second(moved, wanted).resolve() == (tmp_path / "models" / "second").resolve()
    shutil.copytree(built.parent / "second", moved / "second")
    assert find_second(moved, wanted) == moved / "second"
    Classifier.load(moved, num_threads=1).close()


def test_another_model_of_the_name_is_passed_over_and_told_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = build_tiny_cascade(tmp_path / "here" / "both")
    build_tiny_model(tmp_path / "here" / "second", version="9")
    found = load_manifest(tmp_path / "here" / "second")[1]
    with pytest.raises(ModelNotFoundError, match=f"here/second: another one, sha256 {found[:12]}"):
        Classifier.load(folder)
    assert any("another one" in fault for fault in find_faults(folder))
    build_second(tmp_path / "models" / "second")
    assert find_faults(folder) == []


def test_a_damaged_second_is_refused(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    (tmp_path / "second" / "model.onnx").write_bytes(b"altered")
    with pytest.raises(ManifestError, match="second"):
        Classifier.load(folder)


def test_a_second_of_other_labels_or_a_cascade_itself_is_refused(tmp_path, taxonomy):
    folder = build_tiny_cascade(tmp_path / "both")
    info = load_manifest(folder)[0].cascade

    def name_second(path):
        manifest, sha256 = load_manifest(path)
        update = {"name": path.name, "version": manifest.version, "sha256": sha256}
        own = load_manifest(folder)[0]
        write_manifest(folder, own.model_copy(update={"cascade": info.model_copy(update=update)}))

    fewer = Taxonomy(heads=taxonomy.heads[:1])
    name_second(build_second(tmp_path / "fewer", taxonomy=fewer))
    with pytest.raises(ManifestError, match="fewer, does not fit: they have other heads or labels"):
        Classifier.load(folder)
    name_second(build_tiny_cascade(tmp_path / "more", second_name="third"))
    with pytest.raises(ManifestError, match="more, does not fit: more is a cascade itself"):
        Classifier.load(folder)


def test_the_manifest_of_any_other_model_has_no_such_key(tiny_model):
    assert '"cascade"' not in (tiny_model / MANIFEST_NAME).read_text("utf-8")
    assert load_manifest(tiny_model)[0].cascade is None


def test_calibrations_that_do_not_fit_the_heads_are_refused(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    manifest = load_manifest(folder)[0]
    calibrations = manifest.cascade.calibrations

    def refuse(said, **changed):
        cascade = manifest.cascade.model_copy(update={"calibrations": calibrations | changed})
        with pytest.raises(ManifestError, match=said):  # whoever writes it reads it again
            write_manifest(folder, manifest.model_copy(update={"cascade": cascade}))

    refuse("calibrations are of stance, topics, other; expected each head", other=calibrations["stance"])
    refuse("(?i)temperature|platt", topics=calibrations["stance"])
    refuse("cascade: head 'topics': one slope and intercept", topics=Platt(slopes=[1.0], intercepts=[0.0]))


def test_what_there_is_to_see_names_the_second(built, run, monkeypatch):
    manifest, sha256 = load_manifest(built)
    shown = describe_model(built, manifest, sha256)
    assert f"second model: second 2.0.0, sha256 {manifest.cascade.sha256}" in shown
    assert f"is {DOUBT:.4g} or more" in shown
    assert second_size_bytes(built, manifest) == folder_size_bytes(built.parent / "second")
    monkeypatch.setenv("TWOHANDS_MODELS", str(built.parent))
    listed = run("models", "list", "--json")
    assert f'"size_bytes": {folder_size_bytes(built) + second_size_bytes(built, manifest)}' in listed.stdout.decode()


def test_both_count_their_runs_in_one_crowd_also_in_a_forked_child(tmp_path):
    both = Classifier.load(build_tiny_cascade(tmp_path / "both"), num_threads=1)
    first, second = both.session.members
    assert first.crowd is second.crowd
    first.crowd.n_running = 1  # a thread that the child will not have
    for session in (first, second):
        session.leave_behind()  # as a fork does in the child
    both.classify([DOUBTED])
    assert first.crowd is second.crowd
    assert first.crowd.n_running == 0
    both.close()


def test_a_second_that_stands_here_is_found_whatever_other_places_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TWOHANDS_MODELS", "/nowhere")
    folder = build_tiny_cascade(tmp_path / "both")
    Classifier.load(folder, num_threads=1).close()
    (tmp_path / "second").rename(tmp_path / "away")
    with pytest.raises(ModelNotFoundError, match="TWOHANDS_MODELS is '/nowhere'"):
        Classifier.load(folder, num_threads=1)
