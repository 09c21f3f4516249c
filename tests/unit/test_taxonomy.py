"""What a taxonomy may be, and that every fault of its file is told at once."""

import pytest
from pydantic import ValidationError

from twohands.errors import ConfigError, FileReadError
from twohands.taxonomy import RESERVED_NAMES, Head, ProblemType, Taxonomy, load_taxonomy


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


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_head_cannot_be_called_like_a_data_column(name):
    with pytest.raises(ValidationError):
        Head.model_validate(make_head(name))


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
