"""`twohands data audit`: planted errors, repeats, leaks, odd rows and a drifting annotator are found."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from evaluation.audit_balance import note_balance, rank_drift
from evaluation.audit_command import note_weak
from evaluation.audit_labels import make_folds, measure_floor
from evaluation.audit_texts import find_leaks, find_repeats, note_misnamed, read_all
from evaluation.data_commands import data
from evaluation.dataset import load_labelled
from tests.evaluation.support import make_rows, write_rows
from twohands import errors

WRONG = {"state-led": "market-led", "market-led": "neutral", "neutral": "state-led"}


def run(*arguments):
    outcome = CliRunner().invoke(data, ["audit", *map(str, arguments)])
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


def run_json(*arguments):
    outcome = run(*arguments, "--json", "--replicates", "100")
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Two files: every twelfth stance is turned, one annotator gives regulation to everything, some texts repeat."""
    folder = tmp_path_factory.mktemp("rows")
    rows = make_rows(240, noise=0)
    for number, row in enumerate(rows):
        row["annotator"] = "generous" if number % 4 == 3 else "plain"
        if number % 12 == 0:
            row["stance"] = WRONG[row["stance"]]
        if row["annotator"] == "generous":
            row["topics"] = sorted({*row["topics"], "regulation"})
    more = make_rows(60, noise=0, first=240)
    more[0] |= {"text": rows[7]["text"], "stance": WRONG[rows[7]["stance"]]}
    more[1] |= {"group": rows[20]["group"]}
    more[2] |= {"text": "THE PLAN OF THE PLAN IS THE PLAN THAT THE PLAN HAS"}
    more[3] |= {"stance": "leftish"}
    more[5] |= {"id": more[4]["id"]}
    return write_rows(folder / "a.jsonl", rows), write_rows(folder / "b.jsonl", more), rows


@pytest.fixture(scope="module")
def report(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    found = run_json("--data", planted[0], planted[1], "--report", folder)
    return found, folder


def test_turned_labels_are_found_and_others_left_alone(planted, report):
    turned = {row["id"] for number, row in enumerate(planted[2]) if number % 12 == 0}
    found = [entry for entry in report[0]["suspects"]["stance"] if entry["file"].endswith("a.jsonl")]
    hit = {entry["id"] for entry in found} & turned
    assert len(hit) >= 0.8 * len(turned)
    assert len(hit) >= 0.8 * len(found)
    back = {wrong: right for right, wrong in WRONG.items()}
    assert all(entry["suggested"] == back[entry["given"]] for entry in found if entry["id"] in turned)
    qualities = [entry["quality"] for entry in report[0]["suspects"]["stance"]]
    assert qualities == sorted(qualities)


def test_a_drifting_annotator_stands_apart(report):
    first = report[0]["apart"][0]
    assert (first["column"], first["value"], first["label"]) == ("annotator", "generous", "regulation")
    assert first["excess"]["low"] > 0.2
    quiet = report[0]["drift"]["annotator"]["stance"]["neutral"]["generous"]["excess"]
    assert quiet["low"] < 0 < quiet["high"]


def test_what_stands_apart_is_told_by_q_and_a_handful_of_rows_is_not_tested(report):
    found = report[0]
    drift = found["drift"]["annotator"]["stance"]["neutral"]
    assert all(set(cell) == {"n", "n_groups", "share", "excess", "p", "q"} for cell in drift.values())
    excess = {"value": 0.4, "low": 0.4, "high": 0.4}
    values = {name: {"excess": excess, "q": q} for name, q in (("few", None), ("many", 0.01), ("chance", 0.2))}
    assert [entry["value"] for entry in rank_drift({"source": {"stance": {"neutral": values}}})] == ["many"]
    assert "by chance" in (report[1] / "audit.html").read_text()


@pytest.mark.issue(6)
def test_documents_are_told_apart_as_by_the_commands_that_learn_from_the_rows(tmp_path, taxonomy):
    rows = make_rows(40)
    for number, row in enumerate(rows):
        row["group"] = ("nan", "7", f"own-{number}")[number % 3] if number < 20 else ("None", "7.0", "x")[number % 3]
    paths = [write_rows(tmp_path / f"{name}.jsonl", part) for name, part in (("a", rows[:20]), ("b", rows[20:]))]
    read = read_all(paths, taxonomy)
    # No document of an empty cell's name, which one fold held and which stood in both files.
    assert [example.group for example in read.examples[::3]] == [f"row-{number}" for number in range(0, 40, 3)]
    assert find_leaks(read, [])["groups"] == {"7": [str(path) for path in paths]}
    assert note_misnamed(read)[0].startswith("14 rows have nan or the like as their `group`")


def test_repeats_leaks_faults_and_odd_rows_are_told(report):
    found = report[0]
    pair = next(pair for pair in found["repeats"] if pair["a"] == "row-7")
    assert pair["b"] == "row-240"
    assert pair["alike"] == 1
    assert pair["differs"] == ["stance", "topics"] or "stance" in pair["differs"]
    assert found["leaks"]["groups"] == {"document-10": [file["name"] for file in found["files"]]}
    assert found["leaks"]["n_texts"] >= 1
    assert len(found["faults"]) == 2  # a label that is none, and an id that stands twice
    assert found["n"] == 299
    (odd,) = [row for row in found["odd"] if "capitals" in row["why"]]
    assert odd["id"] == "row-242"


def test_repeated_ids_are_counted_apart_from_rows_left_out(planted, report):
    found, folder = report
    assert found["n_left_out"] == 1
    assert found["repeated_ids"] == {"row-244": [f"{planted[1]}:5", f"{planted[1]}:6"]}
    assert found["faults"][-1] == f"id 'row-244' stands 2 times: {planted[1]}:5, {planted[1]}:6"
    page = (folder / "audit.html").read_text()
    assert "rows that cannot be used <b>1</b>" in page
    assert "ids that stand more than once <b>1</b>" in page
    unusable, repeated = page.split("<h3>Ids that stand more than once</h3>")
    assert "leftish" in unusable.split("<h3>Rows that cannot be used</h3>")[1]
    assert "row-244" in repeated.split("</ul>")[0]


def test_rows_left_out_are_counted_though_they_share_a_fault(tmp_path, taxonomy):
    rows = make_rows(6)
    for row in rows[:3]:
        row["stance"] = "leftish"
    path = write_rows(tmp_path / "rows.jsonl", rows)
    path.write_text(path.read_text() + "{not json\n")
    found = read_all([path, write_rows(tmp_path / "more.jsonl", rows[5:] * 7)], taxonomy)
    assert len(found.faults) == 2
    assert (found.n_left_out, len(found.examples)) == (4, 10)
    (fault,) = found.all_faults[2:]
    assert fault.startswith(f"id 'row-5' stands 8 times: {path}:6, ")
    assert fault.endswith(f"{tmp_path / 'more.jsonl'}:4 and 3 more")


def test_what_the_most_frequent_answer_reaches_stands_beside_the_learner(planted, report, taxonomy):
    rows = planted[2]
    examples = load_labelled([planted[0]], taxonomy).examples
    floors = measure_floor(examples, taxonomy)
    counts = [sum(row["stance"] == name for row in rows) for name in WRONG]
    assert floors["stance"] == pytest.approx(max(counts) / len(rows))
    shares = [sum(label.name in row["topics"] for row in rows) / len(rows) for label in taxonomy.heads[1].labels]
    assert floors["topics"] == pytest.approx(sum(max(share, 1 - share) for share in shares) / len(shares))
    found = report[0]
    assert set(found["agreement_floor"]) == set(found["agreement"])
    shown = f"{found['agreement_floor']['topics']:.3f}"[1:]
    assert (
        f"of the labels of topics (always giving the most frequent answer: {shown})"
        in (report[1] / "audit.html").read_text()
    )


def test_a_learner_hardly_above_the_most_frequent_answer_is_warned_of():
    assert note_weak({"topics": 0.97}, {"topics": 0.9}) == []
    (note,) = note_weak({"topics": 0.97}, {"topics": 0.96})
    assert ".970 of the labels, and always giving the most frequent answer with 0.960" in note
    (note,) = note_weak({"stance": 0.7}, {"stance": 0.4})
    assert "agrees with only 0.70" in note
    assert note_weak({"stance": 1.0}, {"stance": 1.0}) == []  # one label throughout: there is nothing to doubt


def test_the_page_stands_alone_and_is_the_same_again(planted, report):
    folder = report[1]
    names = ("audit.json", "audit.html", "audit.svg", "suspects.jsonl")
    page = (folder / "audit.html").read_text()
    assert "<script" not in page
    assert "speech &lt;b&gt;" in page
    assert "<b>[red]" not in page
    suspects = [json.loads(line) for line in (folder / "suspects.jsonl").read_text().splitlines()]
    assert len(suspects) == sum(map(len, report[0]["suspects"].values()))
    first = {name: (folder / name).read_bytes() for name in names}
    run_json("--data", planted[0], planted[1], "--report", folder)
    assert {name: (folder / name).read_bytes() for name in names} == first


def test_without_texts_nothing_written_quotes_a_row(planted, tmp_path):
    outcome = run("--data", planted[0], "--report", tmp_path, "--without-texts", "--replicates", "100")
    assert outcome.exit_code == 0
    assert "ids that stand more than once" in outcome.stdout
    assert "of the labels; the most frequent answer: ." in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines()[:-1])) <= 80  # the last names the report, however long its path
    assert not any("plan plan" in path.read_text() for path in tmp_path.iterdir())


def test_folds_hold_whole_documents_and_are_even(planted, taxonomy):
    examples = load_labelled([planted[0]], taxonomy).examples
    folds = make_folds(examples, n_folds=5, seed=0)
    assert np.bincount(folds).tolist() == [48] * 5
    by_group = {}
    for example, fold in zip(examples, folds, strict=True):
        by_group.setdefault(example.group, set()).add(int(fold))
    assert all(len(found) == 1 for found in by_group.values())
    assert (folds != make_folds(examples, n_folds=5, seed=1)).any()
    for n_groups, advice in ((4, "give --folds 4"), (2, "give rows of 3 documents or more")):
        few = [example for example in examples if example.group in list(by_group)[:n_groups]]
        with pytest.raises(errors.DataError) as caught:
            make_folds(few, n_folds=5, seed=0)
        assert caught.value.faults == [f"{n_groups} groups (documents), but --folds 5; {advice}"]


def test_alikeness_is_the_share_of_common_sequences(monkeypatch):
    texts = ["a b c d e", "A b c d f", "x y", "x  y", "x z", "q r s t u"]
    monkeypatch.setattr("evaluation.audit_texts._BLOCK", 2)
    assert find_repeats(texts, least=0.4) == [(0, 1, 0.5), (2, 3, 1.0)]
    assert find_repeats(texts, least=0.6) == [(2, 3, 1.0)]


def test_rows_labelled_for_one_head_are_audited_for_it(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [row | {"stance": None} for row in make_rows(120, noise=0)])
    found = run_json("--data", path, "--report", tmp_path / "out")
    assert list(found["suspects"]) == list(found["agreement"]) == ["topics"]
    assert [note for note in found["notes"] if note.startswith("stance is left out")]
    bad = write_rows(tmp_path / "bad.jsonl", [{"id": f"b{n}", "text": " ", "topics": []} for n in range(23)])
    told = run("--data", path, bad, "--replicates", "100")
    assert told.exit_code == 0
    listed = [line for line in told.stdout.splitlines() if line.startswith("- ")]
    assert listed[0] == f"- {bad}:1: text: the text is empty or holds only white space and control characters"
    assert listed[20:] == ["- and 3 more; --json lists all"]


@pytest.mark.issue(6)
def test_a_head_labelled_in_too_few_documents_is_left_out_with_the_reason(tmp_path):
    rows = make_rows(120, noise=0)
    path = write_rows(
        tmp_path / "rows.jsonl", [row | ({"topics": None} if n >= 4 else {}) for n, row in enumerate(rows)]
    )
    found = run_json("--data", path)
    assert list(found["agreement"]) == ["stance"]
    (note,) = [note for note in found["notes"] if note.startswith("topics is left out")]
    assert "no row of fold " in note
    assert note.endswith("; give fewer --folds (3 at least), or more documents that are labelled for it.")
    write_rows(path, [row | ({"topics": None} if n >= 2 else {}) for n, row in enumerate(rows)])
    (note,) = [note for note in run_json("--data", path, "--folds", 3)["notes"] if note.startswith("topics is left")]
    assert note.endswith("; give more documents that are labelled for it."), "fewer folds would be refused"


def test_files_without_a_usable_row_are_refused(tmp_path):
    with pytest.raises(errors.DataError):
        run("--data", write_rows(tmp_path / "none.jsonl", [{"text": "a", "stance": "leftish"}]))


@pytest.mark.issue(6)
def test_rows_that_are_too_few_for_the_faults_of_others_are_told_with_these(tmp_path):
    rows = make_rows(8, noise=0)
    path = write_rows(tmp_path / "rows.jsonl", rows[:2] + [row | {"stance": "leftish"} for row in rows[2:]])
    with pytest.raises(errors.DataError) as caught:
        run("--data", path)
    assert "--folds 5" in caught.value.faults[0]
    assert any(f"{path}:3" in fault and "leftish" in fault for fault in caught.value.faults[1:])
    write_rows(path, [{**row, "stance": None, "topics": None} for row in rows[:6]] + [{**rows[6], "stance": "leftish"}])
    with pytest.raises(errors.DataError, match="leftish"):
        run("--data", path)


@pytest.mark.issue(6)
def test_rows_of_other_labels_name_the_option_for_them(tmp_path, taxonomy):
    rows = [{"text": f"The court sat on day {n}.", "branch": "civil", "group": f"d{n}"} for n in range(3)]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    with pytest.raises(errors.DataError) as caught:
        run("--data", path)
    (fault,) = caught.value.faults
    assert fault.endswith("(columns: text, branch, group); other labels than these: --taxonomy FILE")
    write_rows(path, [*rows, {"text": "The plan.", "stance": "neutral", "branch": "civil", "group": "d9"}])
    assert "--taxonomy" not in "".join(read_all([path], taxonomy).faults)  # some have our labels: others lack theirs


@pytest.mark.issue(6)
def test_a_rare_label_is_told_with_its_count_in_brackets():
    """`market-led 26` read as a name, beside labels that may end in figures."""
    labels = {"plan": {"n": 2}, "market": {"n": 31}, "rating-2": {"n": 26}}
    (note,) = note_balance({"dev.csv": {"stance": {"n": 59, "labels": labels}}})
    assert "plan (2), rating-2 (26)" in note
    assert "market" not in note
