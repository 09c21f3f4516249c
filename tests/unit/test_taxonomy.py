"""What a taxonomy may be, and that every fault of its file is told at once."""

import json

import pytest
from pydantic import ValidationError

from tests.support.tiny import build_tiny_model
from tests.unit.test_documents import make_pdf
from twohands.errors import ConfigError, FileReadError
from twohands.manifest import load_manifest
from twohands.taxonomy import LATER_NAMES, RESERVED_NAMES, Head, ProblemType, Taxonomy, load_taxonomy


def make_head(name="tone", labels=("calm", "loud"), kind=ProblemType.ONE_OF):
    return {"name": name, "problem_type": kind, "labels": [{"name": n, "description": "One."} for n in labels]}


def test_the_shipped_taxonomy_has_the_codebooks_words_in_order(taxonomy):
    assert [head.name for head in taxonomy.heads] == ["stance", "topics"]
    assert taxonomy.label_names == [
        "state-led", "market-led", "neutral", "sanctions", "self-reliance", "industrial-policy", "regulation",
    ]  # fmt: skip
    assert taxonomy.slices == {"stance": slice(0, 3), "topics": slice(3, 7)}
    assert taxonomy.n_labels == 7


def test_any_number_of_heads_is_laid_out_one_after_the_other():
    heads = [make_head("a", ("p", "q")), make_head("b", ("r",), ProblemType.ANY_OF), make_head("c", ("s", "t", "u"))]
    taxonomy = Taxonomy.model_validate({"heads": heads})
    assert taxonomy.slices == {"a": slice(0, 2), "b": slice(2, 3), "c": slice(3, 6)}
    assert [taxonomy.label_names[part] for part in taxonomy.slices.values()] == [["p", "q"], ["r"], ["s", "t", "u"]]


@pytest.mark.parametrize(
    "heads",
    [
        [],
        [make_head(labels=("only",))],
        [make_head(labels=())],
        [make_head(labels=("calm", "calm"))],
        [make_head("a"), make_head("a", ("p", "q"))],
        [make_head("a"), make_head("b")],  # both have the labels calm and loud
        [make_head("Tone")],
        [make_head("tone tone")],
        [make_head(labels=("calm", "l|d"))],
        [make_head(kind="ranking")],
        [make_head() | {"weight": 2}],
    ],
)
def test_what_cannot_be_a_taxonomy_is_refused(heads):
    with pytest.raises(ValidationError):
        Taxonomy.model_validate({"heads": heads})


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES - LATER_NAMES))
def test_a_head_cannot_be_called_like_a_data_column(name):
    with pytest.raises(ValidationError):
        Head.model_validate(make_head(name))


@pytest.mark.parametrize("name", sorted(LATER_NAMES))
def test_a_name_that_a_column_got_later_is_refused_to_new_taxonomies_alone(name, tmp_path):
    taxonomy = Taxonomy.model_validate({"heads": [make_head(name)]})
    path = tmp_path / "taxonomy.yaml"
    path.write_text(json.dumps(taxonomy.model_dump(mode="json")), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    assert caught.value.faults == [f"heads.0: head name {name!r} is the name of a data column; choose another"]
    folder = build_tiny_model(tmp_path / "model", taxonomy=taxonomy)
    assert load_manifest(folder)[0].taxonomy == taxonomy


@pytest.mark.parametrize(
    ("name", "refused", "read"),
    [("section", ["a.txt", "a.pdf"], []), ("lines", ["a.txt", "a.pdf"], []), ("page", ["a.pdf"], ["a.txt"])],
)
def test_a_model_with_such_a_head_reads_all_but_what_would_clash(run, tmp_path, monkeypatch, name, refused, read):
    monkeypatch.chdir(tmp_path)
    build_tiny_model(tmp_path / "model", taxonomy=Taxonomy.model_validate({"heads": [make_head(name)]}))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": "The plan."}), encoding="utf-8")
    make_pdf(tmp_path / "a.pdf", [["The plan of the plan."]])
    (tmp_path / "a.txt").write_text("# The plan\n\nThe plan of the plan.\n", encoding="utf-8")
    for file in ("rows.jsonl", *read):
        for kind in ("jsonl", "csv"):
            finished = run("classify", "--model", "model", file, "--format", kind)
            assert finished.code == 0, finished.stderr
        assert json.loads(run("classify", "--model", "model", file).stdout)[name]["label"] == "calm"
    for file in refused:
        options = ("--model", "model", "--output", "out.csv", "--summary", "sum.csv")
        finished = run("classify", "rows.jsonl", file, *options)
        assert (finished.code, finished.stdout) == (1, b"")
        assert f"the model has a head {name!r}" in " ".join(finished.stderr.split())
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(("out", "sum"))]


@pytest.mark.issue(2)
@pytest.mark.parametrize(("word", "advice"), [("yes", "YAML reads yes"), ("off", "YAML reads yes"), ("2", "put it in")])
def test_a_label_that_yaml_reads_as_something_else_is_to_be_quoted(tmp_path, word, advice):
    path = tmp_path / "taxonomy.yaml"
    head = "heads:\n  - name: tone\n    problem_type: single_label_classification\n    labels:\n"
    label = "      - {{name: {}, description: One.}}\n"
    path.write_text(head + label.format(word) + label.format("loud"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    (fault,) = caught.value.faults
    assert fault.startswith("heads.0.labels.0.name: ")
    assert advice in fault
    assert fault.endswith("in quotation marks")
    path.write_text(head + label.format(f'"{word}"') + label.format("loud"), encoding="utf-8")
    assert load_taxonomy(path).label_names == [word, "loud"]


def test_every_fault_of_a_file_is_told_at_once(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(
        "heads:\n  - name: BAD\n    problem_type: single_label_classification\n    labels: []\n    colour: red\n"
        "  - name: ok\n    problem_type: none\n    labels:\n      - {name: a}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    places = {fault.split(":")[0] for fault in caught.value.faults}
    assert {
        "heads.0.name", "heads.0.labels", "heads.0.colour", "heads.1.problem_type", "heads.1.labels.0.description"
    } <= places  # fmt: skip


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("Very Urgent", ", such as very-urgent"),
        ("Label", ", such as label"),
        ("a.b/c", ", such as a-b-c"),
        ("dringend\u00e9", ", such as dringende"),
        ("Gr\u00fcn", ", such as grun"),
        ("k\u00f8b", ""),  # what is left without a letter is no word
        ("high_prio!", ", such as high_prio"),
        ("a__b", ", such as a_b"),
        ("_private_", ", such as private"),
        ("\u6025", ""),
    ],
)
def test_a_name_of_other_letters_is_told_in_words_and_with_one_that_would_do(tmp_path, name, example):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(json.dumps({"heads": [make_head(labels=("calm", name))]}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    expected = f"heads.0.labels.1.name: expected small letters, digits, - and _ between them{example}; found {name!r}"
    assert caught.value.faults == [expected]


@pytest.mark.issue(3)
def test_labels_that_are_words_alone_are_told_how_one_is_written(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(json.dumps({"heads": [make_head() | {"labels": ["calm", "loud"]}, "tone"]}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    keys = "name: refund, description: Money is asked back."
    assert caught.value.faults == [
        f"heads.0.labels.0: expected keys and their values, as {{{keys}}}; found 'calm'",
        f"heads.0.labels.1: expected keys and their values, as {{{keys}}}; found 'loud'",
        "heads.1: expected keys and their values, as {name: ..., problem_type: ..., labels: [...]}; found 'tone'",
    ]


@pytest.mark.issue(3)
def test_an_empty_file_holds_nothing(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.touch()
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    assert caught.value.faults == ["(whole file): expected keys and their values, as {key: value}; found nothing"]


@pytest.mark.parametrize("content", [b"heads: [", b"\xff\xfe\x00", b"heads: !!python/object:os.system {}\n"])
def test_a_file_that_is_no_plain_yaml_is_unreadable(tmp_path, content):
    path = tmp_path / "taxonomy.yaml"
    path.write_bytes(content)
    with pytest.raises(FileReadError):
        load_taxonomy(path)


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(FileReadError):
        load_taxonomy(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", ["", "- 1\n", "just words\n"])
def test_yaml_of_another_shape_is_a_config_error(tmp_path, content):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_taxonomy(path)


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    "description", ["Money is asked back, all of it.", "Back, now", "Of 2023, 2024", "Say yes, no", "Back, such as: a"]
)
def test_a_description_that_breaks_off_at_a_comma_is_told_of(tmp_path, description):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(
        "heads:\n  - name: ask\n    problem_type: multi_label_classification\n    labels:\n"
        f"      - {{name: refund, description: {description}}}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    (fault,) = caught.value.faults
    assert "breaks off at a comma" in fault
    assert "quotation marks" in fault


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("heads: {kind: {labels: [praise]}}", "heads: expected a list, each entry behind a dash: - {name: ..., prob"),
        (
            "heads: [{name: kind, problem_type: multi_label_classification, labels: {praise: Is content.}}]",
            "heads.0.labels: expected a list, each entry behind a dash: - {name: refund, description: ",
        ),
    ],
)
def test_keys_where_a_list_belongs_are_told_of_with_how_an_entry_is_written(tmp_path, content, told):
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    assert caught.value.faults[0].startswith(told)
