"""What pyproject.toml says of the packages: pinned versions, what travels, and under which licences."""

import json
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, TARGETS = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["build"]["targets"]
# torch comes in a build for each kind of machine; `clients` is installed by .ci/clients, which takes no constraints.
UNPINNED_PACKAGES, UNPINNED_EXTRAS = {"torch"}, {"clients"}


def read_pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


@pytest.mark.parametrize("extra", [None, *sorted(set(PROJECT["optional-dependencies"]) - UNPINNED_EXTRAS)])
def test_every_direct_dependency_is_pinned_in_its_range(extra):
    required = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    requirements = {canonicalize_name(wanted.name): wanted for wanted in map(Requirement, required)}
    pins = read_pins()
    assert not requirements.keys() - pins.keys() - UNPINNED_PACKAGES
    assert all(wanted.specifier.contains(pins[name]) for name, wanted in requirements.items() if name in pins)


def test_the_source_distribution_takes_what_it_names_and_nothing_of_that_name_elsewhere():
    patterns = TARGETS["sdist"]["include"]
    # As in .gitignore: without the first slash README.md would take that of every folder.
    assert not [pattern for pattern in patterns if not pattern.startswith("/") or not (ROOT / pattern[1:]).exists()]
    assert {"/.ci", "/CONTRIBUTING.md", "/NOTICE", "/constraints.txt", "/schemathesis.toml", "/tests"} <= set(patterns)


def test_the_wheel_carries_the_one_config_that_its_rows_suffice_for():
    carried = TARGETS["wheel"]["force-include"]
    assert not [path for path in carried if not (ROOT / path).exists()]
    assert all(place == f"twohands/released/{path}" for path, place in carried.items())
    assert [path for path in carried if path.startswith("configs/")] == ["configs/minilm.yaml", "configs/taxonomy.yaml"]
    assert {f"data/starter/{split}.jsonl" for split in ("train", "dev", "test")} <= carried.keys()


def test_what_is_carried_of_others_is_named_with_its_licence():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    vendored = json.loads((ROOT / "tests/page/vendored.json").read_text(encoding="utf-8"))
    # esbuild joins files and is not among them; hyparquet is inside what it joins.
    packages = [package for package in vendored["packages"] if not package["name"].startswith("@esbuild/")]
    in_wheel = [package for package in packages if package["name"] != "axe-core"]
    assert {"Apache-2.0"} | {package["license"] for package in in_wheel} == set(PROJECT["license"].split(" AND "))
    fonts = [package for package in packages if package["license"] == "OFL-1.1"]
    assert not [package["name"] for package in fonts if package["name"] not in notice]
    # The fonts' own versions stand in NOTICE, not those of the packages that bring them.
    assert not [package for package in packages if package not in fonts and package["version"] not in notice]
    texts = {path.relative_to(ROOT).as_posix() for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)}
    carried = {path.relative_to(ROOT).as_posix() for path in (ROOT / "serving/web").rglob("*LICENSE*")}
    assert texts == {"LICENSE", "NOTICE"} | carried
    assert not [path for path in carried if path not in notice]


def test_the_files_that_the_hooks_bound_are_within_their_bounds():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][-1]["hooks"]
    bounds = [hook for hook in hooks if hook["id"] == "check-added-large-files"]
    for path in (ROOT / "data").rglob("*.jsonl"):
        name = path.relative_to(ROOT).as_posix()
        met = [
            int(hook["args"][0].removeprefix("--maxkb="))
            for hook in bounds
            if re.search(hook.get("files", ""), name) and not re.search(hook.get("exclude", "^$"), name)
        ]
        assert len(met) == 1
        assert path.stat().st_size <= met[0] * 1024
