"""Owns what steps an ablation is asked for: `NAME='key=value ...'` to the config of each, all faults at once."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from training.config import TrainConfig, load_config
from twohands.errors import ConfigError
from twohands.repeated_keys import RepeatedKeysError, load_yaml
from twohands.taxonomy import Taxonomy

BASE = "base"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,15}")  # of files, and of a column in 80
_NEXT_KEY = re.compile(r"\s(?=[A-Za-z_][\w.]*=)")
# A run's seed is the ablation's, its name its place; and other heads have no answers in common.
_NOT_IN_A_STEP = {
    "seed": "--seeds says which there are",
    "run_name": "a run is named by its step and seed",
    "taxonomy": "all runs answer the same heads",
}


@dataclass(frozen=True, slots=True)
class Step:
    """A recipe that is measured: the base, or what a step makes of it by `changes` (`a.b=value` each)."""

    name: str
    changes: tuple[str, ...]
    config: TrainConfig


def _is_whole(change: str) -> bool:
    """Whether the value is YAML to its end, be it of keys that stand twice, which is a fault of another kind."""
    try:
        load_yaml(change.partition("=")[2])
    except yaml.YAMLError:
        return False
    except RepeatedKeysError:
        return True
    return True


def split_changes(text: str) -> tuple[str, ...]:
    """Part `a.b=value c.d=value` into its changes.

    A blank before `key=` parts two changes where what stands before it is whole YAML: one within brackets or quotes,
    as in `data.train=[a b=c.jsonl, d.jsonl]`, does not.

    Args:
        text: what follows a step's name.

    Returns:
        Each as `--set` takes it.
    """
    places = [0, *(match.end() for match in _NEXT_KEY.finditer(text)), len(text)]
    changes: list[str] = []
    for start, end in itertools.pairwise(places):
        if changes and not _is_whole(changes[-1]):
            changes[-1] += text[start:end]
        else:
            changes.append(text[start:end])
    return tuple(change.strip() for change in changes if change.strip())


def _name_steps(given: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Changes by the name of the step, those that may be, and what is wrong with names and keys."""
    changes_of: dict[str, tuple[str, ...]] = {}
    faults = []
    for step in given:
        name, _, text = step.partition("=")
        changes = split_changes(text)
        keys = [change.partition("=")[0].strip() for change in changes]
        if not _NAME.fullmatch(name):
            faults.append(
                f"--step {step!r}: found the name {name!r}, expected NAME='a.b=value ...', the name of at most 16 of "
                "a-z, 0-9, dot, dash and underscore"
            )
        elif not changes or "=" not in changes[0]:
            faults.append(f"--step {step!r}: expected changes behind the name, {name}='a.b=value ...'")
        elif name == BASE:
            faults.append(f"--step {step!r}: {BASE} is what CONFIG and --set give; name the step otherwise")
        elif name in changes_of:
            faults.append(f"--step {step!r}: there is a step {name} already")
        else:
            refused = [key for key in keys if key in _NOT_IN_A_STEP]
            faults += [f"step {name}: {key} may not change: {_NOT_IN_A_STEP[key]}" for key in refused]
            # The others are looked at all the same, so that all faults are told.
            kept = zip(changes, keys, strict=True)
            changes_of[name] = tuple(change for change, key in kept if key not in refused)
    return changes_of, faults


def read_steps(config: str, overrides: Sequence[str], given: Sequence[str]) -> tuple[list[Step], Taxonomy]:
    """Read the base and every step.

    Args:
        config: a YAML file, or the name of a shipped config.
        overrides: of the base, `a.b=value`.
        given: steps, `NAME='a.b=value ...'`.

    Returns:
        The base, then the steps in the order given; and the heads.

    Raises:
        FileReadError: a file is missing or is not YAML.
        ConfigError: the base is no run's config; or a step is not named, is named twice, or changes what is not there
            or may not change. All faults of the steps at once.
    """
    base, taxonomy = load_config(config, overrides=overrides)
    changes_of, faults = _name_steps(given)
    steps = [Step(BASE, (), base)]
    for name, changes in changes_of.items():
        try:
            changed, _ = load_config(config, overrides=[*overrides, *changes])
        except ConfigError as error:
            faults += [f"step {name}: {fault.removeprefix('--set ')}" for fault in error.faults]
        else:
            steps.append(Step(name, changes, changed))
    if faults:
        raise ConfigError("the steps cannot be measured", faults)
    return steps, taxonomy
