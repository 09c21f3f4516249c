"""Models and configs are found by path, then by name, nearest place first."""

import shutil
from pathlib import Path

import pytest

from twohands.errors import FileReadError, ModelNotFoundError
from twohands.locate import find_config, find_model, list_models, model_roots


@pytest.fixture
def places(tiny_model, tmp_path, monkeypatch):
    """A working folder, and a folder named by the environment; the package's own places are left out."""
    monkeypatch.setattr("twohands.locate._PACKAGE", tmp_path / "elsewhere" / "twohands")
    for place in ("work/models", "chosen"):
        for name in ("twohands", "only-" + place.split("/")[0]):
            shutil.copytree(tiny_model, tmp_path / place / name)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("TWOHANDS_MODELS", raising=False)
    return tmp_path


def test_a_path_is_taken_as_it_is(places):
    assert find_model(places / "chosen" / "only-chosen") == places / "chosen" / "only-chosen"
    assert find_model(str(places / "chosen" / "twohands")) == places / "chosen" / "twohands"


@pytest.mark.usefixtures("places")
def test_a_name_is_looked_for_in_the_working_folder():
    assert find_model("only-work") == Path("models/only-work")
    assert find_model() == find_model(None) == Path("models/twohands")
    with pytest.raises(ModelNotFoundError):
        find_model("only-chosen")


def test_the_environment_comes_first(places, monkeypatch):
    monkeypatch.setenv("TWOHANDS_MODELS", str(places / "chosen"))
    assert find_model() == places / "chosen" / "twohands"
    assert [path.name for path in list_models()] == ["only-chosen", "twohands", "only-work"]
    assert list_models()[1] == places / "chosen" / "twohands"


@pytest.mark.issue(4)
@pytest.mark.parametrize("name", ["none", "file"])
def test_a_folder_that_the_environment_misspells_gives_way_to_no_other(places, monkeypatch, name):
    (places / "file").touch()
    monkeypatch.setenv("TWOHANDS_MODELS", str(places / name))
    for look in (find_model, list_models, model_roots):
        with pytest.raises(ModelNotFoundError, match="TWOHANDS_MODELS"):
            look()
    assert find_model("models/only-work") == Path("models/only-work")
    monkeypatch.setenv("TWOHANDS_MODELS", "")
    assert find_model() == Path("models/twohands")


def test_the_environment_comes_first_even_when_it_names_a_known_place(places, monkeypatch):
    # The checkout's models, named by the environment, must not fall behind the working folder's.
    monkeypatch.setattr("twohands.locate._PACKAGE", places / "checkout" / "twohands")
    (places / "checkout").mkdir()
    (places / "chosen").rename(places / "checkout" / "models")
    monkeypatch.setenv("TWOHANDS_MODELS", str(places / "checkout" / "models"))
    assert [root.resolve() for root in model_roots()] == [places / "checkout" / "models", places / "work" / "models"]


def test_folders_without_a_manifest_and_hidden_ones_are_no_models(places):
    (places / "work" / "models" / "half").mkdir()
    (places / "work" / "models" / "twohands").rename(places / "work" / "models" / ".twohands-x1")
    assert [path.name for path in list_models()] == ["only-work"]
    for name in ("half", "twohands", "no/such/folder"):
        with pytest.raises(ModelNotFoundError):
            find_model(name)


def test_shipped_configs_are_found_by_name():
    assert find_config("taxonomy") == find_config("taxonomy.yaml")
    assert find_config("taxonomy").is_file()


def test_a_config_beside_another_comes_first(tmp_path):
    (tmp_path / "taxonomy.yaml").write_text("heads: []\n", encoding="utf-8")
    (tmp_path / "run.yaml").write_text("{}\n", encoding="utf-8")
    assert find_config("taxonomy.yaml", beside=tmp_path / "run.yaml") == tmp_path / "taxonomy.yaml"
    assert find_config(tmp_path / "run.yaml") == tmp_path / "run.yaml"


def test_a_missing_config_is_unreadable():
    for name in ("no-such-config", "no/such/config.yaml"):
        with pytest.raises(FileReadError):
            find_config(name)
