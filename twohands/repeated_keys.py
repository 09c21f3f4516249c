"""Owns keys that stand twice in one object of JSON or YAML: refused, since the last would win in silence."""

from collections.abc import Sequence

import yaml

# libyaml's reads the shipped suites in a sixth of the time; not every build of PyYAML has it.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        names = [name for name, _ in pairs]
        repeated = ", ".join(map(repr, sorted({name for name in names if names.count(name) > 1})))
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


def load_yaml(text: str) -> object:
    """Read plain YAML, as `yaml.safe_load` does.

    Args:
        text: one document.

    Returns:
        Whatever it holds.

    Raises:
        yaml.YAMLError: it is not YAML.
        RepeatedKeysError: a mapping names a key twice; all such keys at once, with their lines.
    """
    try:
        loader = _Loader(text)
    except UnicodeEncodeError:  # half a character, of which libyaml's does not say that it is no YAML
        loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if faults := _find_repeats(node):
            raise RepeatedKeysError(faults)
        content: object = loader.construct_document(node)
        return content
    finally:
        loader.dispose()
