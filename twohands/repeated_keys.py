"""Owns plain YAML, and keys that stand twice in one object of it or of JSON: refused, since the last won in silence."""

from collections import Counter
from collections.abc import Sequence

import yaml

# libyaml's reads the shipped suites in a sixth of the time; not every build of PyYAML has it.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Ten lines of aliases to aliases make a value without end for whoever writes it out or checks it.
_MAX_VALUES = 1_000_000
_INTEGER = "tag:yaml.org,2002:int"
_MAX_DIGITS = 300  # Python writes none of more than 4,300
# What PyYAML raises beside its own errors: of dates such as 2026-02-30, and of `!!bool x`.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, ValueError)


class RepeatedKeysError(Exception):
    """An object names a key twice; `faults` has one line a key."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(self.faults))


def refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object of JSON, as the `object_pairs_hook` of `json.loads`.

    Args:
        pairs: keys and values as they stand.

    Returns:
        The object.

    Raises:
        RepeatedKeysError: a key stands twice.
    """
    cells = dict(pairs)
    if len(cells) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = ", ".join(repr(name) for name in sorted(counts) if counts[name] > 1)
        raise RepeatedKeysError([f"{repeated} stands twice in one object, expected once; keep one"])
    return cells


def _find_repeats(root: yaml.Node) -> list[str]:
    """One line for each key that stands more than once in a mapping, in the order of the lines."""
    found: list[tuple[int, str]] = []
    seen: set[int] = set()  # an anchor may be used in many places, and within itself
    waiting: list[tuple[str, yaml.Node]] = [("", root)]
    while waiting:
        place, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(f"{place}{number}.", each) for number, each in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[tuple[str, str], list[int]] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):  # other keys are no names, and refused where they are read
                lines.setdefault((key.tag, key.value), []).append(key.start_mark.line + 1)
                waiting.append((f"{place}{key.value}.", value))
        for (_, name), stands in lines.items():
            if len(stands) > 1:
                told = " and ".join(map(str, dict.fromkeys(stands)))
                where = f"line{'s'[: stands[0] != stands[-1]]} {told}"
                found.append((stands[0], f"{place}{name}: stands twice ({where}), expected once; keep one"))
    return [fault for _, fault in sorted(found)]


def _tell_place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}: {str(node.value)[:40]!r}"


def _check_size(root: yaml.Node) -> None:
    """Raise yaml.YAMLError where numbers have no bound, or values, of which each counts wherever an alias names it."""
    counts: dict[int, int] = {}
    waiting = [root]
    while waiting:
        node = waiting[-1]
        within: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            within = node.value
        elif isinstance(node, yaml.MappingNode):
            within = [each for pair in node.value for each in pair]
        elif node.tag == _INTEGER and len(node.value) > _MAX_DIGITS:  # 1:59:59 and 0xff are numbers, too
            raise yaml.YAMLError(f"{_tell_place(node)} has more than {_MAX_DIGITS} digits")
        if id(node) not in counts:
            counts[id(node)] = 0  # in itself it counts as none
            waiting += [each for each in within if id(each) not in counts]
        else:
            waiting.pop()
            counts[id(node)] = 1 + sum(counts[id(each)] for each in within)
    if counts[id(root)] > _MAX_VALUES:
        raise yaml.YAMLError(f"its aliases make more than {_MAX_VALUES:,} values of it; write out what is meant")


def _construct(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    try:
        content: object = loader.construct_document(node)
    except _UNREADABLE as error:
        place = _tell_place([*loader.recursive_objects][-1])  # what it was at
        raise yaml.YAMLError(f"{place} cannot be read ({error}); put it in quotation marks") from error
    return content


def load_yaml(text: str) -> object:
    """Read plain YAML, as `yaml.safe_load` does.

    Args:
        text: one document.

    Returns:
        Whatever it holds.

    Raises:
        yaml.YAMLError: it is not YAML, or holds what is no value, such as the 30th of February, or what has no bound.
        RepeatedKeysError: a mapping names a key twice; all such keys at once, with their lines.
    """
    try:
        loader = _Loader(text)
    except UnicodeEncodeError:  # half a character, of which libyaml's does not say that it is no YAML
        loader = yaml.SafeLoader(text)
    try:
        try:
            node = loader.get_single_node()
        except RecursionError as error:  # of Python's; libyaml's has a bound of its own
            raise yaml.YAMLError("it is nested too deeply") from error
        if node is None:
            return None
        if faults := _find_repeats(node):
            raise RepeatedKeysError(faults)
        _check_size(node)
        return _construct(loader, node)
    finally:
        loader.dispose()
