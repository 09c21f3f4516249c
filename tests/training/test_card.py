"""What a card says holds of the labels that it is about, and names the failures of every head."""

import numpy as np
import pytest

from training.calibration import fit_rules
from training.card import describe_recipe, describe_splits, describe_use, figures_table, labels_table
from training.commands import _describe_laid
from training.config import load_config
from training.data import Splits
from training.failures import commonest_errors, describe_failures, weakest_labels, weakest_slices
from training.labels import ONLY_SCORED, TEACHER_SCORES
from twohands.bounds import measure_heads
from twohands.examples import NOT_LABELLED, Example, encode_labels
from twohands.manifest import DataFile
from twohands.taxonomy import Taxonomy


@pytest.fixture
def mails():
    def head(name, kind, words):
        return {"name": name, "problem_type": kind, "labels": [{"name": word, "description": "."} for word in words]}

    return Taxonomy.model_validate(
        {
            "heads": [
                head("kind", "single_label_classification", ["complaint", "question", "praise"]),
                head("areas", "multi_label_classification", ["billing", "login"]),
            ]
        }
    )


def test_a_card_of_other_labels_says_nothing_of_policy(mails, taxonomy):
    told = " ".join(describe_use(mails))
    for word in ("policy", "news", "English", "pushes"):
        assert word not in told
    assert "policy and news" in " ".join(describe_use(taxonomy))


@pytest.mark.issue(3)
def test_a_card_claims_no_check_that_was_not_made():
    counts = {"train": 3, "dev": 2, "test": 1}
    told = describe_splits(counts, near_duplicate_jaccard=0.99)
    # Of a run that looked for hardly any, none could be known.
    assert "no near-duplicate, which shares 0.99 of its word 5-grams with another text, stands in two of them" in told
    assert "no near-duplicate" not in describe_splits(counts, near_duplicate_jaccard=None)


def test_a_card_claims_no_more_of_documents_than_rows_name():
    counts = {"train": 9, "dev": 2, "test": 1}
    told = describe_splits(counts, n_unnamed=4, near_duplicate_jaccard=0.5)
    assert told.startswith("Documents: 9 in train (4 of them rows that name none, each taken for its own), 2 in dev,")
    assert "no document, as far as rows name theirs, and no near-duplicate, which shares 0.5 of its word" in told
    told = describe_splits(counts, n_unnamed=1, near_duplicate_jaccard=None)
    assert "9 in train (1 of them a row that names none, taken for its own), 2 in dev" in told
    assert "name" not in describe_splits(counts, near_duplicate_jaccard=0.5)


def make_rows(n, **columns):
    return [Example(str(number), "A text.", {}, "s", str(number), columns) for number in range(n)]


@pytest.mark.issue(3)
@pytest.mark.parametrize(("n", "were", "have"), [(1, "was", "row has"), (2, "were", "rows have")])
def test_a_count_of_one_is_told_as_one(n, were, have):
    config = load_config("minilm", overrides=["loss.teacher_weight=0.5"])[0]
    scored = make_rows(n, **{TEACHER_SCORES: {}, ONLY_SCORED: True}) + make_rows(3)
    assert describe_recipe(config, scored) == [
        f"{n} of the {n + 3} rows of train {were} labelled by a teacher's scores alone."
    ]
    (both,) = describe_recipe(config, make_rows(n, **{TEACHER_SCORES: {}}))
    assert both.startswith(f"{n} {have} labels and a teacher's scores, which make up 50%")
    (again,) = describe_recipe(config, make_rows(n, **{"twohands.times": 3}) + make_rows(1))
    assert again == f"{n} row{'s' * (n > 1)} came more than once an epoch, which showed {3 * n + 1} in all."
    left, own = _describe_laid(Splits([], [], [], [], n, [("a.jsonl", "kind", n)]))
    assert left == f"{n} {have.split()[0]} of data.train " + (
        "has no label, and is left out" if n == 1 else "have no label, and are left out"
    )
    assert own == f"{n} {have.split()[0]} of a.jsonl {have.split()[1]} another label of " + (
        "its own for kind, which wins" if n == 1 else "their own for kind, which wins"
    )


@pytest.mark.issue(3)
def test_files_that_give_no_row_are_told():
    files = [
        DataFile(split=split, name=f"{split}-{n}.jsonl", sha256="0" * 64, n_rows=n)
        for split in ("train", "labels", "dev")
        for n in (0, 3)
    ]
    assert list(_describe_laid(Splits([], [], [], files))) == [
        f"{split}-0.jsonl gives {split} no row: it is empty, or none of its rows has a label"
        for split in ("train", "dev")
    ]


@pytest.mark.issue(3)
def test_a_card_claims_of_test_only_what_its_own_run_knows():
    told = describe_splits({"train": 3, "dev": 2, "test": 1}, near_duplicate_jaccard=0.5)
    assert "this run chose nothing by test" in told
    assert "test chose nothing" not in told  # other runs, read on test, may be why this one is kept


def test_every_head_has_its_weakest_labels_and_commonest_errors(mails):
    rows = [
        Example(
            str(n), f"Mail {n}.", {"kind": (("complaint", "question")[n % 2],), "areas": ("billing",)}, "forum", str(n)
        )
        for n in range(40)
    ]
    rows += [Example(f"p{n}", "Well done.", {"kind": ("praise",), "areas": ("login",)}, "shop", "p") for n in range(20)]
    rows += [Example("u", "Nobody looked.", {"kind": None, "areas": ()}, "shop", "u")]
    labels = np.maximum(encode_labels(rows, mails), 0)
    logits = (6 * labels - 3).astype(np.float32)
    logits[:10:2, :3] = [-3, 3, -3]  # five complaints are taken for questions
    logits[:4, 3] = -3  # billing is missed four times
    told = describe_failures(rows, logits, mails, fit_rules(logits, encode_labels(rows, mails), mails))
    assert told[0].startswith("- kind, weakest labels on dev by F1 (rows): complaint 0.86 (20), question 0.89 (20).")
    assert told[1] == "- kind, commonest errors on dev: complaint taken for question (5 of 20)."
    assert told[2].startswith("- kind accuracy on dev by source, weakest first: forum 0.88 (40), shop 1.00 (20)")
    assert told[3] == "- areas, weakest labels on dev by F1 (rows): billing 0.95 (40)."
    assert told[4] == "- areas, commonest errors on dev: billing missed (4 of 40)."


def test_heads_without_an_error_are_not_left_out(mails):
    rows = [
        Example(str(n), f"Mail {n}.", {"kind": (word,), "areas": ("billing",) if n % 2 else ("login",)}, "s", str(n))
        for n, word in enumerate(["complaint", "question", "praise"] * 4)
    ]
    labels = encode_labels(rows, mails)
    told = describe_failures(rows, 6 * labels - 3, mails, fit_rules(6 * labels - 3, labels, mails))
    assert [line.split(",")[0] for line in told] == [
        f"- {head}: all 12 dev rows are answered rightly" for head in ("kind", "areas")
    ]


def test_an_error_is_counted_of_the_rows_in_which_it_can_happen(mails):
    truth = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=np.float32)
    given = np.array([[True, True], [False, True], [False, True], [False, True]])
    assert commonest_errors(mails.heads[1], truth, given) == [("login given wrongly", 3, 3), ("billing missed", 1, 2)]
    assert [name for name, _, _ in weakest_labels(mails.heads[1], truth, given)] == ["login", "billing"]


def measure(mails, kinds, given, *, groups, areas=NOT_LABELLED):
    labels = np.full((len(kinds), 5), areas, dtype=np.float32)
    labels[:, :3] = np.eye(3)[kinds]
    flat = np.full((len(kinds), 3), 1 / 3)
    answers = {
        "kind": (flat, np.eye(3)[given] == 1),
        "areas": (np.full((len(kinds), 2), 0.5), np.ones((len(kinds), 2), dtype=bool)),
    }
    return measure_heads(answers, labels, groups, mails, n_replicates=50)


@pytest.mark.issue(3)
def test_a_card_claims_no_certainty_from_one_row_and_dashes_what_is_not_defined(mails):
    kinds = [0] * 10 + [1]  # no row is praise
    figures = measure(mails, kinds, kinds, groups=[str(n) for n in range(11)])
    rows = {line.split(" | ")[0].strip("| "): line for line in labels_table("test", figures)}
    assert "1.000 [0.025, 1.000]" in rows["question"]  # as `evaluate` bounds one row of one
    assert rows["praise"].split(" | ")[1:] == ["-", "-", "-", "0 |"]
    assert "1.000 [1.000, 1.000]" not in "".join([*rows.values(), *figures_table({"test": figures})])
    never = labels_table("test", measure(mails, kinds, [0] * 11, groups=[str(n) for n in range(11)]))[3]
    assert never.startswith("| question | - | 0.000 [0.000, 0.975] | 0.000 [")


@pytest.mark.issue(3)
def test_one_document_has_no_interval_in_figures_and_card(mails):
    kinds = [0, 1, 2] * 10
    groups = [str(n) for n in range(30)]
    areas = np.full((30, 1), NOT_LABELLED)
    areas[:4] = 1  # many documents, but few of them labelled for this head
    figures = measure(mails, kinds, [0, 1, 1] * 10, groups=groups, areas=areas)
    assert figures["kind"]["macro_f1"]["low"] is not None
    assert figures["areas"]["n_groups"] == 4
    assert figures["areas"]["macro_f1"] == {"value": 1, "low": None, "high": None}
    one = measure(mails, kinds, [0, 1, 1] * 10, groups=["a"] * 30)["kind"]
    assert all(one[key]["low"] is one[key]["high"] is None for key in ("macro_f1", "accuracy", "mcc", "ece"))
    assert figures_table({"dev": {"kind": one}})[-1].count("[-]") == 4


@pytest.mark.issue(6)
def test_a_card_sets_what_chance_gives_beside_the_calibration_error_of_every_split(mails):
    # Every score is a third and every third answer right: no error at all, but such rows show one.
    kinds = [0, 1, 2] * 10
    figures = measure(mails, kinds, [0] * 30, groups=[str(n) for n in range(30)], areas=1)
    assert figures["kind"]["ece"]["value"] == pytest.approx(0)
    assert 0.02 < figures["kind"]["ece_by_chance"]["value"] < 0.15
    heading, _, *rows = figures_table({"dev": figures, "test": figures})
    assert heading.endswith("calibration error | by chance |")
    assert [row.split(" | ")[6].startswith("0.000") for row in rows] == [False] * 4


@pytest.mark.issue(3)
def test_slices_of_a_card_are_named_as_those_of_evaluate():
    cells = [2, "2.0", float("nan"), "two\nlines"]
    rows = [Example(str(n), "One.", {}, "s", "g", {"confidence": cells[n % 4]}) for n in range(80)]
    found = weakest_slices(rows, np.arange(80) % 8 == 0, "confidence")
    assert found == [("two lines", 20, 0.0), ("2", 40, 0.25)]
