"""`twohands report`: every part in one folder, the card and its digests made good, the same bytes when run again."""

import json
import shutil

import pytest
from click.testing import CliRunner

from evaluation.full.card import BEGIN, END, check_not_asked, put_section, refresh_card
from evaluation.full.commands import _print_summary, report
from evaluation.full.summary import BEYOND_CHANCE, Section
from evaluation.tables import say_calibration
from tests.evaluation.peers import make_sequence_classifier
from tests.evaluation.support import make_rows, write_rows
from tests.support.cascades import build_tiny_cascade
from tests.support.tiny import build_tiny_model
from twohands import errors
from twohands.errors import RunConflictError
from twohands.inspection import find_faults
from twohands.manifest import MANIFEST_NAME, load_manifest
from twohands.taxonomy import Taxonomy


def run(*arguments):
    outcome = CliRunner().invoke(report, [*map(str, arguments)])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    coded = [
        {"id": row["id"], "text": row["text"], "group": row["group"], "ann": row["stance"], "ben": row["stance"]}
        for row in make_rows(40, seed=3)
    ]
    for row in coded[::5]:
        row["ben"] = "neutral"
    return {
        "train": write_rows(folder / "train.jsonl", make_rows(120, seed=1, first=1000)),
        "data": write_rows(folder / "data.jsonl", make_rows(80, seed=2)),
        "coded": write_rows(folder / "coded.jsonl", coded),
    }


@pytest.fixture(scope="module")
def made(tiny_model, files, tmp_path_factory):
    """One report with everything, made twice: the folder as it stood after each run."""
    folder = tmp_path_factory.mktemp("full")
    model = shutil.copytree(tiny_model, folder / "tiny")
    before = load_manifest(model)[1]
    arguments = (
        *("--model", model, "--data", files["data"], "--output", folder / "out", "--page", folder / "page.md"),
        *("--train", files["train"], "--baseline", "majority", "--baseline", "tfidf", "--replicates", 100, "--card"),
        *(
            "--people",
            f"two people=--data {files['coded']} --annotators ann ben --cut 1/3 --scale market-led,neutral,state-led",
        ),
    )

    def read_all():
        paths = [path for part in ("out", "tiny", "page.md") for path in ([folder / part], (folder / part).rglob("*"))]
        flat = [path for each in paths for path in each if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in flat}

    first = run(*arguments)
    assert first.exit_code == 0, first.output
    found = read_all()
    second = run(*arguments)
    assert second.exit_code == 0, second.output
    return {"folder": folder, "before": before, "first": found, "second": read_all(), "shown": second.stdout}


def test_the_second_run_changes_no_byte(made):
    assert set(made["first"]) == set(made["second"])
    assert [name for name, content in made["first"].items() if made["second"][name] != content] == []


def test_every_part_has_its_page_and_the_first_page_leads_to_it(made):
    folder = made["folder"] / "out"
    parts = json.loads((folder / "full.json").read_text())["parts"]
    assert [part["kind"] for part in parts] == ["people", "behaviour", "baseline", "baseline", "figures"]
    index = (folder / "index.html").read_text()
    for part in parts:
        assert (folder / part["page"]).is_file()
        assert f'href="{part["page"]}"' in index
        assert part["command"].startswith("twohands ")
    assert "<script" not in index


def test_the_model_still_loads_and_all_name_its_new_digest(made):
    sha256 = load_manifest(made["folder"] / "tiny")[1]
    assert sha256 != made["before"]
    for name, content in made["first"].items():
        assert made["before"][:12].encode() not in content, name
    metrics = json.loads((made["folder"] / "out" / "figures" / "metrics.json").read_text())
    assert metrics["model"]["sha256"] == sha256
    assert "robustness" in metrics


def test_card_and_docs_page_hold_the_figures_that_were_measured(made):
    out = made["folder"] / "out"
    heads = json.loads((out / "figures" / "metrics.json").read_text())["heads"]
    against = json.loads((out / "against-tfidf" / "comparison.json").read_text())
    value = f"{heads['stance']['macro_f1']['value']:.3f}".lstrip("0")
    difference = f"{against['heads']['stance']['macro_f1']['difference']['value']:+.3f}".replace("0.", ".", 1)
    for text in ((made["folder"] / "tiny" / "README.md").read_text(), (made["folder"] / "page.md").read_text()):
        assert f"| macro-F1 | {value} [" in text
        assert f"{difference} [" in text
        assert "two people" in text
        assert "--baseline majority --baseline tfidf" in text  # as a shell would need it again
        assert "--cut 1/3" in text
        assert str(made["folder"]) not in text  # no folder of this machine
        assert "](evaluation.md)" not in text  # which is not beside them: the link would lead nowhere
        assert "plan plan plan" not in text  # no row
    card = (made["folder"] / "tiny" / "README.md").read_text()
    assert card.startswith("# tiny\n")
    assert "third digit" in card  # the figures that the export wrote above are of other draws
    for name, head in heads.items():
        assert f"{name}: {say_calibration(head)}" in card


def test_what_people_said_comes_with_its_caution_and_what_it_rests_on(made):
    coded = json.loads((made["folder"] / "out" / "people-two-people" / "agreement.json").read_text())
    (caution,) = coded["notes"]
    n_several = coded["variables"]["stance"]["people"]["n_items_pairable"]
    for text in ((made["folder"] / "tiny" / "README.md").read_text(), (made["folder"] / "page.md").read_text()):
        people = text.split("Beside people")[1]
        assert caution in people
        assert f"{coded['data']['n_groups']} documents, {n_several} of them coded by more than one" in people
    assert caution.split(";")[0] in made["shown"]


def test_beside_baselines_stands_who_learnt_from_how_many_rows(made):
    manifest = load_manifest(made["folder"] / "tiny")[0]
    n_rows = sum(file.n_rows for file in manifest.training_data.files if file.split == "train")
    beside = (made["folder"] / "page.md").read_text().split("Beside baselines")[1].split("##")[0]
    assert "the 120 rows of --train" in beside
    assert f"{manifest.name} {manifest.version} learnt from {n_rows:,} rows, by its manifest" in beside
    assert "p is not adjusted" in beside  # two baselines stand together


def test_baselines_are_tuned_on_one_half_and_measured_on_the_other(made):
    against = json.loads((made["folder"] / "out" / "against-tfidf" / "comparison.json").read_text())
    assert against["n"] == 40
    assert against["dev"]["n_rows"] == 40


@pytest.mark.issue(6)
def test_which_half_tunes_is_said_in_the_words_of_this_command(made):
    for text in ((made["folder"] / "tiny" / "README.md").read_text(), (made["folder"] / "page.md").read_text()):
        assert "Without --dev, one half of the documents of --data tunes the baselines" in text
        assert "Without --data" not in text, "it was given"


@pytest.mark.issue(6)
def test_long_names_of_capabilities_stay_whole_beside_their_verdict(capsys, tmp_path):
    names = ["criticism-of-markets", "firms-of-their-own-accord", "market-word-without-push"]
    verdicts = ["held", BEYOND_CHANCE, "**missed**"]
    rows = [
        (name, "stance", ".111 [.111, .111]", "1,889", ".05", verdict)
        for name, verdict in zip(names, verdicts, strict=True)
    ]
    section = Section("Behaviour", "As it was.", ("capability", "head", "fails", "of checks", "bar", ""), rows)
    _print_summary({"model": {"name": "a", "version": "1", "sha256": "0" * 64}, "notes": []}, [section], tmp_path)
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    assert "held*: held beyond chance." in shown
    assert "missed" in shown


def test_the_terminal_shows_the_summary_in_eighty_columns(made):
    assert max(map(len, made["shown"].splitlines())) <= 80 + len(str(made["folder"]))
    for word in ("Behaviour", "Beside baselines", "Beside people"):
        assert word in made["shown"]


def test_a_section_takes_the_place_of_the_former_one_and_of_nothing_else():
    card = put_section("# a\n\nwords\n", "## Measured\nold")
    assert card == f"# a\n\nwords\n\n{BEGIN}\n## Measured\nold\n{END}\n"
    later = put_section(card + "\n## After\n", "## Measured\nnew")
    assert later == f"# a\n\nwords\n\n{BEGIN}\n## Measured\nnew\n{END}\n\n## After\n"
    assert put_section(later, "## Measured\nnew") == later


@pytest.mark.parametrize(
    "extra",
    [
        ("--baseline", "tfidf"),  # no rows to fit on
        ("--baseline", "no-such-baseline", "--train", "train"),
        ("--people", "no options"),
        ("--people", "a=--data x --no-such-option"),
        ("--people", "a=--data x", "--people", "A=--data y"),
    ],
)
def test_wrong_options_end_it_before_anything_is_run(tiny_model, files, tmp_path, extra):
    words = [files["train"] if word == "train" else word for word in extra]
    outcome = run("--model", tiny_model, "--data", files["data"], "--output", tmp_path / "out", *words)
    assert outcome.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_codings_that_cannot_be_read_end_it_before_anything_is_run(tiny_model, files, tmp_path):
    wrong = write_rows(tmp_path / "wrong.jsonl", [{"id": "1", "text": "the plan", "ann": "leftish", "ben": "neutral"}])
    for options, error in (
        (f"--data {tmp_path / 'no-such.jsonl'} --annotators ann ben", errors.FileReadError),
        (f"--data {wrong} --annotators ann ben", errors.DataError),
        (f"--data {files['coded']} --annotators ann no-such-column", errors.UnknownColumnError),
        (f"--data {files['coded']} --annotators ann ben --head mood", errors.UnknownHeadError),
    ):
        with pytest.raises(error):
            run(
                *("--model", tiny_model, "--data", files["data"], "--output", tmp_path / "out"),
                *("--people", f"two people={options}"),
            )
        assert not (tmp_path / "out").exists()
    mixed = f"two people=--data {files['coded']} --annotators ann ben --no-model"
    assert (
        run("--model", tiny_model, "--data", files["data"], "--output", tmp_path / "out", "--people", mixed).exit_code
        == 2
    )
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A model of other labels than the released one's, rows for it, and a suite of its labels."""
    folder = tmp_path_factory.mktemp("other")
    heads = [
        {
            "name": "tone",
            "problem_type": "single_label_classification",
            "labels": [{"name": name, "description": f"It is {name}."} for name in ("calm", "loud", "plain")],
        }
    ]
    words = {"state-led": "calm", "market-led": "loud", "neutral": "plain"}
    rows = [
        {"id": row["id"], "text": row["text"], "group": row["group"], "tone": words[row["stance"]]}
        for row in make_rows(40, seed=5)
    ]
    suite = folder / "suite.yaml"
    suite.write_text(
        "suite: tones\ndescription: Of tones.\ntests:\n  - name: planned\n    capability: plans\n"
        "    kind: minimum-functionality\n    description: A plan is calm.\n"
        "    cases: [{text: The plan., expect: {tone: calm}}, {text: The market., expect: {tone: loud}}]\n"
    )
    return {
        "model": build_tiny_model(folder / "tones", taxonomy=Taxonomy.model_validate({"heads": heads})),
        "data": write_rows(folder / "tones.jsonl", rows),
        "suite": suite,
    }


@pytest.mark.issue(6)
def test_shipped_suites_are_passed_over_for_a_model_of_other_labels(other, tmp_path):
    model = shutil.copytree(other["model"], tmp_path / "tones")
    outcome = run(
        *("--model", model, "--data", other["data"], "--output", tmp_path / "out", "--replicates", 100),
        *("--no-robustness", "--card", "--page", tmp_path / "page.md"),
    )
    assert outcome.exit_code == 0, outcome.output
    full = json.loads((tmp_path / "out" / "full.json").read_text())
    assert [part["kind"] for part in full["parts"]] == ["figures"]
    (note,) = full["notes"]
    assert "--suite" in note
    assert "tone" in note
    for path in (tmp_path / "page.md", model / "README.md", tmp_path / "out" / "index.html"):
        assert note.replace("'", "&#39;" if path.suffix == ".html" else "'") in path.read_text(), path
    assert "behaviour was not measured" in " ".join(outcome.stdout.split())
    load_manifest(model)


@pytest.mark.issue(6)
@pytest.mark.parametrize("more", [(), ("--no-shipped",)])
def test_own_suites_are_run_in_the_place_of_the_shipped_ones(other, tmp_path, more):
    outcome = run(
        *("--model", other["model"], "--data", other["data"], "--output", tmp_path / "out", "--replicates", 100),
        *("--no-robustness", "--suite", other["suite"], *more),
    )
    assert outcome.exit_code == 0, outcome.output
    full = json.loads((tmp_path / "out" / "full.json").read_text())
    assert [part["kind"] for part in full["parts"]] == ["behaviour", "figures"]
    assert len(full["notes"]) == (not more)
    behaviour = json.loads((tmp_path / "out" / "checklist" / "checklist.json").read_text())
    assert list(behaviour["capabilities"]) == ["plans"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "hard on purpose" not in page
    assert "one behaviour at a time; no bar is set." in page


@pytest.mark.issue(6)
def test_suites_and_words_of_other_labels_end_it_before_anything_is_run(other, tiny_model, files, tmp_path):
    for words in (
        ("--model", tiny_model, "--data", files["data"], "--suite", other["suite"]),
        ("--model", other["model"], "--data", other["data"], "--baseline", "keywords"),
    ):
        with pytest.raises(errors.ConfigError):
            run(*words, "--output", tmp_path / "out")
        assert not (tmp_path / "out").exists()
    peer = make_sequence_classifier(tmp_path / "peer", ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(errors.TaxonomyMismatchError):
        run("--model", tiny_model, "--data", files["data"], "--baseline", f"hf:{peer}", "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_baseline_is_not_fitted_on_what_is_measured(tiny_model, files, tmp_path):
    with pytest.raises(errors.LeakError):
        run(
            *("--model", tiny_model, "--data", files["data"], "--train", files["data"], "--baseline", "majority"),
            *("--output", tmp_path / "out"),
        )
    assert not (tmp_path / "out").exists()


def test_the_card_of_a_cascade_leaves_the_second_in_its_folder(tmp_path):
    folder = build_tiny_cascade(tmp_path / "both")
    (tmp_path / "second").rename(folder / "second")
    after = refresh_card(folder, "## Measured\nnew")
    assert find_faults(folder) == []
    assert load_manifest(folder)[1] == after
    assert (folder / "second" / MANIFEST_NAME).is_file()


@pytest.mark.parametrize("is_bundled", [False, True])
def test_a_model_that_a_cascade_asks_gets_no_card_since_its_digest_would_change(tmp_path, is_bundled):
    folder = build_tiny_cascade(tmp_path / "both")
    second = tmp_path / "second"
    if is_bundled:
        second = second.rename(folder / "second")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / MANIFEST_NAME).write_text("[")
    with pytest.raises(RunConflictError, match=r"is the second model of .*both, which finds it by its digest"):
        check_not_asked(second, load_manifest(second)[1])
    check_not_asked(folder, load_manifest(folder)[1])  # the cascade itself may have one


def test_an_altered_model_is_refused_and_its_card_left_alone(tiny_model, files, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "tiny")
    (model / "README.md").write_text("# another\n")
    with pytest.raises(errors.ManifestError):
        run("--model", model, "--data", files["data"], "--output", tmp_path / "out", "--card")
    assert (model / "README.md").read_text() == "# another\n"
