"""A key that stands twice in YAML is told of with its lines, wherever YAML is read; all else is read as before."""

import pytest
import yaml

from tests.conftest import ROOT
from twohands.errors import ConfigError, FileReadError
from twohands.repeated_keys import RepeatedKeysError, load_yaml
from twohands.taxonomy import load_taxonomy, read_yaml

SHIPPED = sorted(p for part in ("configs", "evaluation", "models", "deploy") for p in (ROOT / part).rglob("*.yaml"))


def faults_of(text):
    with pytest.raises(RepeatedKeysError) as caught:
        load_yaml(text)
    return caught.value.faults


@pytest.mark.issue(3)
def test_every_key_that_stands_twice_is_told_of_with_its_lines():
    text = 'a: 1\nb:\n  c: 1\n  d:\n    - {e: 1}\n    - e: 1\n      "e": 2\n  c: 2\na: 3\nf: {g: 1, g: 1}\na: 4\n'
    once = "expected once; keep one"
    assert faults_of(text) == [
        f"a: stands twice (lines 1 and 9 and 11), {once}",
        f"b.c: stands twice (lines 3 and 8), {once}",
        f"b.d.1.e: stands twice (lines 6 and 7), {once}",
        f"f.g: stands twice (line 10), {once}",
    ]


@pytest.mark.issue(3)
def test_what_stands_once_is_read_as_before():
    for text in ("", "a", "- 1\n- 2", "{1: a, '1': b}", "x: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}\nz: *x", "a: &a [*a]"):
        assert repr(load_yaml(text)) == repr(yaml.safe_load(text))
    for text in ("a: [", "a: !!python/object:os.system {}", "{[a]: 1}", "a: *b", "a: \ud800"):
        with pytest.raises(yaml.YAMLError):
            load_yaml(text)


@pytest.mark.issue(3)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "2026-02-30",
            "line 2: '2026-02-30' cannot be read (day is out of range for month); put it in quotation marks",
        ),
        ("!!bool x", "line 2: 'x' cannot be read ("),
        ("!!int ''", "line 2: '' cannot be read ("),
        ("9" * 5000, f"line 2: '{'9' * 40}' has more than 300 digits"),
        ("1" + ":59" * 5000, "line 2: '1:59:59:59"),
        ("0x" + "f" * 5000, "line 2: '0xff"),
        ("[&a0 []" + "".join(f", &a{n} [{f'*a{n - 1},' * 10}]" for n in range(1, 8)) + "]", "make more than 1,000,000"),
    ],
)
def test_values_that_python_cannot_hold_are_told_of_by_line(value, message, tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text(f"# Heads.\nheads: {value}\n", encoding="utf-8")
    with pytest.raises(FileReadError) as caught:
        load_taxonomy(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.name != "kubernetes.yaml"], ids=lambda path: path.stem)
def test_every_shipped_file_names_its_keys_once(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.issue(3)
def test_a_taxonomy_that_names_a_key_twice_is_refused(tmp_path):
    path = tmp_path / "taxonomy.yaml"
    path.write_text((ROOT / "configs/taxonomy.yaml").read_text("utf-8") + "heads: []\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(path)
    assert str(path) in caught.value.heading
    assert caught.value.faults[0].startswith("heads: stands twice (lines ")
