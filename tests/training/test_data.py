"""Splits: read whole or not at all, divided by document, and sharing nothing."""

import json
from collections import Counter

import pytest

from tests.support.rows import load_examples
from training.config import DataConfig
from training.data import load_splits, repeat_examples
from training.holdout import hold_out
from training.labels import ONLY_SCORED
from training.leaks import find_leaks, join_documents
from training.present import check_labels, describe_heads, describe_misnamed, take_few
from twohands.errors import DataError, FileReadError, LeakError
from twohands.examples import Example


def example(identifier, text, *, group=None, stance="neutral", **columns):
    return Example(identifier, text, {"stance": (stance,), "topics": ()}, "test", group or identifier, columns)


def make_config(root, **changes):
    settings = {
        "root": root,
        "train": ["train.jsonl"],
        "labels": None,
        "repeat": None,
        "dev": ["dev.jsonl"],
        "test": None,
        "dev_fraction": None,
        "near_duplicate_jaccard": None,
    }
    return DataConfig(**settings | changes)


TEXT = "The harbour board met on Friday and put off the vote on new cranes until the audit of the old ones is done."


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def full_rows(prefix):
    """One row for each label, so that no split lacks one."""
    topics = ["sanctions", "self-reliance", "industrial-policy", "regulation"]
    return [
        {
            "id": f"{prefix}{n}",
            "text": f"{prefix} {stance} number {n} stands here alone",
            "stance": stance,
            "topics": topics,
        }
        for n, stance in enumerate(["state-led", "market-led", "neutral"])
    ]


def test_every_bad_row_of_every_file_is_named_at_once(tmp_path, taxonomy):
    write_rows(tmp_path / "a.jsonl", [*full_rows("a"), {"id": "x", "text": " ", "stance": "neutral"}])
    write_rows(tmp_path / "b.jsonl", [{"id": "y", "text": "some text", "stance": "stateled"}])
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    with pytest.raises(DataError) as caught:
        load_splits(make_config(tmp_path, train=["a.jsonl", "b.jsonl"]), taxonomy, seed=1)
    told = "\n".join(caught.value.faults)
    assert "a.jsonl:4" in told
    assert "b.jsonl:1" in told
    assert "stateled" in told


@pytest.mark.issue(3)
def test_rows_without_ids_of_two_files_of_one_name_are_not_of_one_document(tmp_path, taxonomy, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root").mkdir()
    for folder, prefix in ((tmp_path / "root", "t"), (tmp_path, "d")):
        rows = [{key: cell for key, cell in row.items() if key != "id"} for row in full_rows(prefix)]
        write_rows(folder / "rows.jsonl", rows)
    config = make_config(tmp_path / "root", train=["rows.jsonl"], dev=["./rows.jsonl"])
    splits = load_splits(config, taxonomy, seed=1)
    assert [[row.id for row in rows] for rows in (splits.train, splits.dev)] == [
        [f"{name}:{n}" for n in (1, 2, 3)] for name in ("rows.jsonl", "./rows.jsonl")
    ]
    (tmp_path / "root" / "rows.jsonl").rename(tmp_path / "root" / "train.jsonl")
    splits = load_splits(make_config(tmp_path / "root", dev=["./rows.jsonl"]), taxonomy, seed=1)
    assert splits.dev[0].id == "rows.jsonl:1", "as runs of before know it"


@pytest.mark.issue(3)
def test_a_few_rows_hold_each_label(taxonomy):
    rows = [example(str(n), f"text {n}") for n in range(90)]
    rows[80] = Example("a", "text a", {"stance": ("state-led",), "topics": None}, "test", "a")
    rows[85] = Example("b", "text b", {"stance": None, "topics": ("sanctions",)}, "test", "b")
    assert [row.id for row in take_few(rows, 4, taxonomy)] == ["0", "1", "a", "b"]
    assert take_few(rows[:3], 64, taxonomy) == rows[:3]


@pytest.mark.issue(3)
def test_rows_of_a_document_called_nan_are_documents_of_their_own(tmp_path, taxonomy):
    """Else train and dev would share that document, and be refused, or all its rows be held out together."""
    for split, words in (("train", "nan"), ("dev", "None")):
        rows = [row | {"group": words} for row in full_rows(split)]
        write_rows(tmp_path / f"{split}.jsonl", [*rows, {**rows[0], "id": "x" + split, "text": split, "group": split}])
    splits = load_splits(make_config(tmp_path), taxonomy, seed=1)
    assert [row.group for row in splits.train] == ["train0", "train1", "train2", "train"]
    assert splits.misnamed == {"nan": 3, "None": 3}
    assert describe_misnamed(splits.misnamed) == [
        "6 rows have nan or None as their `group`, as pandas may write an empty cell: each is taken as a document of "
        "its own"
    ]
    assert describe_misnamed({"nan": 1})[0].startswith("1 row has nan as its `group`")
    assert describe_misnamed({}) == []


def test_labels_that_never_occur_are_refused(tmp_path, taxonomy):
    write_rows(tmp_path / "train.jsonl", full_rows("t")[:2])
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    with pytest.raises(DataError, match="neutral"):
        load_splits(make_config(tmp_path), taxonomy, seed=1)


@pytest.mark.issue(2)
def test_what_is_wrong_with_any_split_is_told_at_once(tmp_path, taxonomy):
    twice = full_rows("t")[0] | {"text": "another text"}
    write_rows(tmp_path / "train.jsonl", [*full_rows("t"), twice])
    write_rows(tmp_path / "dev.jsonl", [*full_rows("d"), {"text": "of other heads", "kind": "praise"}])
    with pytest.raises(DataError) as caught:
        load_splits(make_config(tmp_path, test=["test.jsonl"]), taxonomy, seed=1)
    repeated, unlabelled, missing = caught.value.faults
    assert "train.jsonl:4" in repeated
    assert "train.jsonl:1" in repeated
    assert "dev.jsonl:4" in unlabelled
    assert "kind" in unlabelled  # what is there says which taxonomy is meant
    assert "data.test=null" in missing


def test_a_missing_file_is_named(tmp_path, taxonomy):
    with pytest.raises(FileReadError, match=r"train\.jsonl"):
        load_splits(make_config(tmp_path), taxonomy, seed=1)


def test_a_shared_document_is_a_leak():
    _, leaks = find_leaks(
        {"train": [example("a", "one thing", group="g")], "dev": [example("b", "another thing", group="g")]},
        near_duplicate_jaccard=None,
    )
    assert len(leaks) == 1
    assert "(a)" in leaks[0]
    assert "(b)" in leaks[0]


def test_the_same_text_is_a_leak_whatever_its_case_and_punctuation():
    _, leaks = find_leaks(
        {"train": [example("a", TEXT)], "test": [example("b", TEXT.upper().replace(".", "!"))]},
        near_duplicate_jaccard=0.5,
    )
    assert len(leaks) == 1


def test_a_near_duplicate_is_a_leak_and_a_different_text_is_not():
    near = TEXT.replace("Friday", "Monday")
    far = "A thunderstorm closed the airport for two hours and forty flights were sent elsewhere by the tower."
    rows = {"train": [example("a", TEXT)], "dev": [example("b", near), example("c", far)]}
    _, leaks = find_leaks(rows, near_duplicate_jaccard=0.5)
    assert len(leaks) == 1
    assert "(b)" in leaks[0]
    assert TEXT not in leaks[0]  # texts are not shown
    assert find_leaks(rows, near_duplicate_jaccard=0.95)[1] == []


def test_near_duplicates_just_over_the_bound_are_found():
    words = [f"word{n}" for n in range(4_000)]
    pairs = []
    for n in range(0, 4_000, 40):  # of 36 and 36 runs of five words, 25 are the same: 25 of 47
        text = words[n : n + 40]
        pairs.append((" ".join(text), " ".join([*text[:29], *(f"{word}x" for word in text[29:])])))
    rows = {
        "train": [example(f"a{n}", first) for n, (first, _) in enumerate(pairs)],
        "dev": [example(f"b{n}", second) for n, (_, second) in enumerate(pairs)],
    }
    assert len(find_leaks(rows, near_duplicate_jaccard=0.5)[1]) == len(pairs)
    assert find_leaks(rows, near_duplicate_jaccard=0.55)[1] == []


def test_near_duplicates_within_one_split_are_allowed():
    rows = {"train": [example("a", TEXT), example("b", TEXT.replace("Friday", "Monday"))]}
    assert find_leaks(rows, near_duplicate_jaccard=0.5)[1] == []


def test_leaks_stop_a_run(tmp_path, taxonomy):
    write_rows(tmp_path / "train.jsonl", full_rows("t"))
    write_rows(tmp_path / "dev.jsonl", [*full_rows("d"), full_rows("t")[0] | {"id": "again"}])
    with pytest.raises(LeakError, match="again"):
        load_splits(make_config(tmp_path), taxonomy, seed=1)


def test_hold_out_keeps_documents_whole_and_repeats():
    rows = [example(f"r{n}", f"text {n}", group=f"g{n // 4}") for n in range(80)]
    stay, held = hold_out(rows, fraction=0.2, seed=3)
    assert not {e.group for e in stay} & {e.group for e in held}
    assert len(stay) + len(held) == 80
    assert 16 <= len(held) <= 20
    again = hold_out(rows[::-1], fraction=0.2, seed=3)[1]
    assert {e.id for e in again} == {e.id for e in held}
    assert {e.id for e in hold_out(rows, fraction=0.2, seed=4)[1]} != {e.id for e in held}


def test_hold_out_of_one_document_is_refused():
    with pytest.raises(DataError):
        hold_out([example("a", "x", group="g"), example("b", "y", group="g")], fraction=0.5, seed=1)


def test_six_rows_are_divided_so_that_either_side_has_every_label(tmp_path, taxonomy):
    write_rows(tmp_path / "train.jsonl", [*full_rows("a"), *full_rows("b")])
    for seed in range(5):
        splits = load_splits(make_config(tmp_path, dev=None, dev_fraction=0.2), taxonomy, seed=seed)
        assert (len(splits.train), len(splits.dev)) == (3, 3)


@pytest.mark.issue(3)
@pytest.mark.parametrize("seed", range(5))
def test_a_text_and_its_copies_are_held_out_together(tmp_path, taxonomy, seed):
    rows = [example(f"r{n}", f"text {n}", group=f"g{n // 2}") for n in range(40)]
    rows += [example("near", TEXT), example("copy", "TEXT 0!"), example("far", TEXT.replace("Friday", "Monday"))]
    joined = join_documents(rows, near_duplicate_jaccard=0.5)
    assert {group: first for group, first in joined.items() if group != first} == {"g0": "copy", "near": "far"}
    assert joined == join_documents(rows[::-1], near_duplicate_jaccard=0.5)
    assert join_documents(rows, near_duplicate_jaccard=None)["near"] == "near"
    stay, held = hold_out(rows, fraction=0.2, seed=seed, joined=joined)
    assert len(stay) + len(held) == len(rows)
    for together in ({"r0", "r1", "copy"}, {"near", "far"}):
        assert len(together & {e.id for e in held}) in {0, len(together)}
    # What only a teacher scored leaves train with its copy in dev, and is not in dev.
    copies = [row | {"id": f"c{n}", "text": row["text"].upper()} for n, row in enumerate(full_rows("a"))]
    scored = {"id": "s0", "text": full_rows("a")[0]["text"].title()}
    write_rows(tmp_path / "train.jsonl", [*full_rows("a"), *copies, *full_rows("b"), scored])
    scores = {"stance": {"state-led": 0.8, "market-led": 0.1, "neutral": 0.1}}
    write_rows(tmp_path / "labels.jsonl", [{"id": "s0", "scores": scores}])
    config = make_config(tmp_path, labels=["labels.jsonl"], dev=None, dev_fraction=0.3)
    splits = load_splits(config, taxonomy, seed=seed)
    dev = {e.id for e in splits.dev}
    assert "s0" not in dev
    assert ("s0" in {e.id for e in splits.train}) == ("a0" not in dev)


@pytest.mark.issue(3)
def test_a_text_and_what_restates_it_are_held_out_together():
    rows = [example(f"r{n}", f"text {n}", restates=f"r{n - n % 4}" if n % 4 else None) for n in range(40)]
    joined = join_documents(rows, near_duplicate_jaccard=0.5)
    for seed in range(5):
        held = {row.id for row in hold_out(rows, fraction=0.2, seed=seed, joined=joined)[1]}
        assert 8 <= len(held) < 40
        assert all(len({f"r{n + k}" for k in range(4)} & held) in {0, 4} for n in range(0, 40, 4))


@pytest.mark.issue(3)
def test_rows_that_all_share_a_text_cannot_be_divided(tmp_path, taxonomy):
    rows = [row | {"text": TEXT} for row in full_rows("a")]
    write_rows(tmp_path / "train.jsonl", rows)
    with pytest.raises(DataError, match="share texts"):
        load_splits(make_config(tmp_path, dev=None, dev_fraction=0.2), taxonomy, seed=1)


def make_skewed_rows():
    """400 documents of 1 to 5 rows; a label in 3 of 4, in 1 of 5, and in 4 of 80 documents."""
    return [
        example(f"r{n}-{m}", f"text {n} {m}", group=f"g{n}", stance=stance)
        for n in range(400)
        for stance in ["market-led" if n % 100 == 7 else "state-led" if n % 5 == 0 else "neutral"]
        for m in range(1 + n % 7 % 5)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_each_label_is_held_out_by_its_share(seed):
    rows = make_skewed_rows()
    held = hold_out(rows, fraction=0.2, seed=seed)[1]
    assert abs(len(held) - 0.2 * len(rows)) <= 5
    counts, total = (Counter(e.labels["stance"] for e in some) for some in (held, rows))
    assert all(abs(counts[label] - 0.2 * total[label]) <= 5 for label in total)
    assert 0 < counts[("market-led",)] < total[("market-led",)]
    shuffled = sorted(rows, key=lambda e: e.id[::-1])
    assert {e.id for e in hold_out(shuffled, fraction=0.2, seed=seed)[1]} == {e.id for e in held}


def test_a_rare_label_comes_to_dev_by_its_smallest_document_and_never_by_most_of_the_rows():
    rows = [example(f"r{n}", f"text {n}") for n in range(20)]
    big = [example(f"b{n}", f"big {n}", group="big", stance="state-led") for n in range(30)]
    one = example("one", "one", stance="state-led")
    for seed in range(5):
        assert one in hold_out([*rows, *big, one], fraction=0.1, seed=seed)[1]
        assert not {e.id for e in big} & {e.id for e in hold_out([*rows, *big], fraction=0.1, seed=seed)[1]}


def test_what_cannot_be_held_out_is_told_with_a_remedy(tmp_path, taxonomy):
    write_rows(tmp_path / "train.jsonl", [*full_rows("a"), *full_rows("b")[1:]])
    with pytest.raises(DataError) as caught:
        load_splits(make_config(tmp_path, dev=None, dev_fraction=0.2), taxonomy, seed=1)
    told, remedy = caught.value.faults
    assert told == "dev has no row with stance state-led"
    assert remedy.endswith("must stand in two of them: label more"), "no fraction gives both sides the one row"
    train = [example(name, name, stance="state-led") for name in ("a", "b")] + [example("c", "c", stance="market-led")]
    with pytest.raises(DataError) as caught:
        check_labels(train, [example("d", "d", stance="market-led")], taxonomy, is_dev_held_out=True)
    assert caught.value.faults[-1].endswith("label more, or try a larger data.dev_fraction")


def test_csv_and_parquet_and_folders_and_datasets_read_alike(tmp_path, taxonomy):
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = full_rows("t")
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    header = "id,text,stance,topics\n"
    lines = [f'{r["id"]},"{r["text"]}",{r["stance"]},{"|".join(r["topics"])}\n' for r in rows]
    (tmp_path / "train.csv").write_text(header + "".join(lines), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    (tmp_path / "folder").mkdir()
    write_rows(tmp_path / "folder" / "part.jsonl", rows)
    (tmp_path / "set").mkdir()
    write_rows(tmp_path / "set" / "train.jsonl", rows)
    names = ["train.csv", "train.parquet", "folder", f"hub:{tmp_path / 'set'}#train"]
    loaded = [load_splits(make_config(tmp_path, train=[name]), taxonomy, seed=1).train for name in names]
    for examples in loaded:
        assert [(e.id, e.paragraph, e.labels) for e in examples] == [(e.id, e.paragraph, e.labels) for e in loaded[0]]


@pytest.mark.issue(3)
def test_labels_that_a_dataset_keeps_as_numbers_are_read_by_name(tmp_path, taxonomy):
    import datasets

    rows = full_rows("t")
    kinds = datasets.ClassLabel(names=["neutral", "state-led", "market-led"])
    topics = datasets.ClassLabel(names=sorted(rows[0]["topics"]))
    numbered = [row | {"stance": kinds.str2int(row["stance"]), "topics": topics.str2int(row["topics"])} for row in rows]
    numbered += [
        {"id": "t3", "text": "a", "stance": -1, "topics": []},
        {"id": "t4", "text": "b", "stance": 0, "topics": [-1]},
    ]
    features = {"id": datasets.Value("string"), "text": datasets.Value("string"), "stance": kinds, "topics": [topics]}
    table = datasets.Dataset.from_list(numbered, features=datasets.Features(features))
    (tmp_path / "set").mkdir()
    table.to_parquet(tmp_path / "set" / "train.parquet")
    write_rows(tmp_path / "train.jsonl", rows)
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    plain, named = (
        load_splits(make_config(tmp_path, train=[name]), taxonomy, seed=1).train
        for name in ("train.jsonl", f"hub:{tmp_path / 'set'}#train")
    )
    assert [example.labels for example in named[:3]] == [example.labels for example in plain]
    assert [example.labels for example in named[3:]] == [
        {"stance": None, "topics": ()},
        {"stance": ("neutral",), "topics": None},
    ]


@pytest.mark.issue(3)
@pytest.mark.parametrize("has_splits", [False, True])
def test_a_set_that_was_saved_to_disk_is_read_and_as_plain_files_told_of(tmp_path, taxonomy, has_splits):
    import datasets

    rows = full_rows("t")
    table = datasets.Dataset.from_list(rows)
    (datasets.DatasetDict({"train": table}) if has_splits else table).save_to_disk(tmp_path / "set")
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    name = f"hub:{tmp_path / 'set'}#train"
    found = load_splits(make_config(tmp_path, train=[name]), taxonomy, seed=1).train
    assert [example.id for example in found] == [row["id"] for row in rows]
    with pytest.raises(FileReadError, match=f"name it {name}"):
        load_splits(make_config(tmp_path, train=["set"]), taxonomy, seed=1)


@pytest.mark.issue(3)
def test_an_id_that_was_made_up_is_no_column_to_tell_of(tmp_path, taxonomy):
    for name in ("train", "dev"):
        (tmp_path / f"{name}.csv").write_text("Text,stance\none,neutral\ntwo,neutral\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_splits(make_config(tmp_path, train=["train.csv"], dev=["dev.csv"]), taxonomy, seed=1)
    assert all("(columns: Text, stance); did you mean 'Text' for text?" in fault for fault in caught.value.faults)


def test_rows_without_ids_are_named_alike_wherever_the_root_is(tmp_path, taxonomy):
    named = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        for split in ("train", "dev"):
            bare = [{key: value for key, value in row.items() if key != "id"} for row in full_rows(split)]
            write_rows(tmp_path / place / f"{split}.jsonl", bare)
        splits = load_splits(make_config(tmp_path / place), taxonomy, seed=1)
        named.append([(example.id, example.group) for example in [*splits.train, *splits.dev]])
    assert named[0] == named[1]
    assert named[0][0] == ("train.jsonl:1", "train.jsonl:1")


def test_rows_of_an_entry_come_as_often_as_it_says_and_files_in_it_with_them(tmp_path, taxonomy):
    (tmp_path / "more").mkdir()
    for name, prefix in (("train.jsonl", "a"), ("more/b.jsonl", "b"), ("more/c.jsonl", "c"), ("dev.jsonl", "d")):
        write_rows(tmp_path / name, full_rows(prefix))
    config = make_config(tmp_path, train=["train.jsonl", "more"], repeat={"more": 3})
    splits = load_splits(config, taxonomy, seed=1)
    assert len(splits.train) == 9
    shown = Counter(each.id for each in repeat_examples(splits.train))
    assert {shown[f"a{n}"] for n in range(3)} == {1}
    assert {shown[f"{prefix}{n}"] for prefix in "bc" for n in range(3)} == {3}
    with pytest.raises(ValueError, match="repeat names other"):
        make_config(tmp_path, repeat={"other.jsonl": 2})


def test_a_dataset_that_cannot_be_loaded_is_a_clear_error(tmp_path, taxonomy):
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    with pytest.raises(FileReadError, match="nobody/nothing"):
        load_splits(make_config(tmp_path, train=["hub:nobody/nothing"]), taxonomy, seed=1)


@pytest.mark.issue(2)
def test_an_any_of_head_that_never_says_none_is_pointed_out(tmp_path, taxonomy):
    """`"|".join([])` writes an empty cell, which is "nobody looked": the head would learn from positives alone."""
    rows = ["text,stance,topics", "one text,neutral,regulation", "another text,neutral,{}", "third text,neutral,",
            "fourth text,neutral,sanctions"]  # fmt: skip
    told = {}
    for cell in ("", "-"):
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(rows).format(cell), encoding="utf-8")
        told[cell] = describe_heads(load_examples([path], taxonomy), taxonomy)
    assert [len(told[cell]) for cell in ("", "-")] == [3, 2]
    assert "4 of 4" in told["-"][0]
    assert "3 of 4" in told["-"][1]


@pytest.mark.issue(3)
def test_a_label_that_each_labelled_row_has_is_pointed_out(taxonomy):
    def told(*topics, n_left_out=0):
        rows = [Example(str(n), f"Text {n}.", {"stance": None, "topics": t}, "s", str(n)) for n, t in enumerate(topics)]
        return describe_heads(rows, taxonomy, n_left_out=n_left_out)[2:]

    assert told(("sanctions",), ("sanctions", "regulation")) == [
        "  every labelled row has topics sanctions: without a row that has not, it cannot be learnt; that none applies "
        "is [] in JSONL and - in CSV, where an empty cell is not labelled"
    ]
    none_said, everywhere = told(("sanctions",), ("sanctions",), None)
    assert none_said.startswith("  no row says that no topics applies; that is [] in JSONL")
    assert everywhere.endswith("cannot be learnt"), "how to say none is told once"
    assert told(("sanctions",), n_left_out=3) == [none_said, everywhere], "rows that are left out may be meant so, too"
    assert told(("sanctions",), ()) == told(("sanctions",), ("regulation",)) == []


def test_copies_of_a_text_that_contradict_one_another_are_counted(taxonomy):
    rows = [example("a", TEXT), example("b", TEXT.upper(), stance="state-led"), example("c", TEXT, stance="market-led")]
    rows += [example("d", "another text"), example("e", "another text!")]  # a copy that agrees
    rows.append(Example("f", "another text", {"stance": None, "topics": None}, "test", "f"))  # nobody looked
    scored = Example("g", "another text", {"stance": ("state-led",), "topics": None}, "test", "g", {ONLY_SCORED: True})
    assert describe_heads([*rows, scored], taxonomy)[-1] == (
        "1 text stands in train with different labels; see `twohands data audit`"
    )
    told = describe_heads([*rows, example("h", "another text", stance="state-led")], taxonomy)[-1]
    assert told.startswith("2 texts stand in train")
    assert "audit" not in "".join(describe_heads(rows[2:], taxonomy))


@pytest.mark.issue(3)
def test_rows_of_other_labels_name_the_key_for_them(tmp_path, taxonomy):
    rows = [{"id": f"r{n}", "text": f"The court sat on day {n}.", "branch": "civil"} for n in range(3)]
    write_rows(tmp_path / "train.jsonl", rows)
    write_rows(tmp_path / "dev.jsonl", full_rows("d"))
    with pytest.raises(DataError) as caught:
        load_splits(make_config(tmp_path), taxonomy, seed=0)
    (fault,) = caught.value.faults
    assert fault.endswith("; other labels than these: --set taxonomy=FILE")
