"""Owns word lists: filling the {slots} of templates, and swapping one entry of a list for another in running text."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.checklist.draws import make_generator
from twohands.errors import ConfigError

Entry = str | dict[str, str]
Lexicons = Mapping[str, Sequence[Entry]]

# {country}, {country.adjective}, {country#2.name}: the second country of a template is another one than the first.
_SLOT = re.compile(r"\{([a-z0-9]+(?:-[a-z0-9]+)*)(#\d+)?(?:\.([a-z_]+))?\}")
_ALTERNATIVES = "|"
# A text that has one of these words is not swapped: they would go on naming the entry.
UNLESS = "unless"
_MAX_COMBINATIONS = 20_000


def _forms(entry: Entry) -> dict[str, list[str]]:
    """By field, the forms of an entry; the first of each is the one that is written."""
    fields = {"": entry} if isinstance(entry, str) else entry
    return {name: [form.strip() for form in forms.split(_ALTERNATIVES)] for name, forms in fields.items()}


def name_entry(entry: Entry) -> str:
    """What an entry is called in reports: its field `name`, else its first; of that the first form."""
    return _name_forms(_forms(entry))


def _name_forms(forms: Mapping[str, list[str]]) -> str:
    return (forms.get("name") or next(iter(forms.values())))[0]


def _find_slots(text: str) -> list[tuple[str, str, str]]:
    """The slots of a template: lexicon, number and field."""
    return list(dict.fromkeys((match[1], match[2] or "", match[3] or "") for match in _SLOT.finditer(text)))


def check_slots(text: str, lexicons: Lexicons) -> list[str]:
    """Say which slots cannot be filled.

    Args:
        text: a template.
        lexicons: by name.

    Returns:
        One fault for each.
    """
    faults = []
    for lexicon, _, field in _find_slots(text):
        if lexicon not in lexicons:
            faults.append(f"slot {{{lexicon}}} names no lexicon; there are: {', '.join(sorted(lexicons)) or 'none'}")
            continue
        lacking = [name_entry(entry) for entry in lexicons[lexicon] if field not in _forms(entry)]
        if lacking:
            faults.append(f"slot {{{lexicon}{'.' * bool(field)}{field}}}: {lacking[0]!r} has no such field")
    return faults


def check_filling(texts: Sequence[str], lexicons: Lexicons) -> list[str]:
    """Say which lexicons have too few entries to fill several texts that share their slots.

    Args:
        texts: templates.
        lexicons: by name.

    Returns:
        One fault for each.
    """
    wanted = Counter(lexicon for lexicon, _ in {slot[:2] for text in texts for slot in _find_slots(text)})
    entries = {lexicon: len({name_entry(entry) for entry in lexicons.get(lexicon, ())}) for lexicon in wanted}
    return [
        f"{n} different entries of {lexicon} are to fill slots, but the lexicon has {entries[lexicon]}"
        for lexicon, n in sorted(wanted.items())
        if lexicon in lexicons and entries[lexicon] < n
    ]


def fill_template(texts: Sequence[str], lexicons: Lexicons, *, n: int, seed: int) -> list[list[str]]:
    """Fill several texts that share their slots, such as a case and its variants.

    Args:
        texts: templates, or plain texts, which come back once.
        lexicons: by name; every slot is known, see `check_slots`, and can be filled, see `check_filling`.
        n: at most so many fillings, all different.
        seed: of the choice.

    Returns:
        For each filling the texts; there is at least one.
    """
    keys = list(dict.fromkeys((lexicon, number) for text in texts for lexicon, number, _ in _find_slots(text)))
    if not keys:
        return [list(texts)]
    generator = make_generator(seed, "fill", *texts)
    pools = [list(lexicons[lexicon]) for lexicon, _ in keys]
    chosen: list[dict[tuple[str, str], Entry]] = []
    for combination in _combinations(pools, generator):
        filling = dict(zip(keys, combination, strict=True))
        names = [(lexicon, name_entry(entry)) for (lexicon, _), entry in filling.items()]
        if len(set(names)) < len(names):  # {country} and {country#2} are two countries
            continue
        chosen.append(filling)
        if len(chosen) == n:
            break

    def fill(text: str, filling: Mapping[tuple[str, str], Entry]) -> str:
        return _SLOT.sub(lambda match: _forms(filling[match[1], match[2] or ""])[match[3] or ""][0], text)

    return [[_capitalise(fill(text, filling)) for text in texts] for filling in chosen]


def _capitalise(text: str) -> str:
    """A slot that opens a sentence may be filled by a small letter: `the United States`."""
    return re.sub(r"(^|[.!?:] +)(the )(?=[A-Z])", lambda match: match[1] + "The ", text)


def _combinations(pools: Sequence[list[Entry]], generator: random.Random) -> list[tuple[Entry, ...]]:
    total = 1
    for pool in pools:
        total *= len(pool)
    if total <= _MAX_COMBINATIONS:
        everything = list(itertools.product(*pools))
        generator.shuffle(everything)
        return everything
    return [tuple(generator.choice(pool) for pool in pools) for _ in range(_MAX_COMBINATIONS)]


@dataclass(frozen=True, slots=True)
class Swap:
    """One changed text, and the entries that changed places in it."""

    text: str
    found: str
    put: str


class Swapper:
    """Swaps the entry of a lexicon that a text mentions most for others, in every form in which it is mentioned."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        """Compile the patterns.

        Args:
            name: of the lexicon.
            entries: at least two.

        Raises:
            ConfigError: there are fewer.
        """
        if len(entries) < 2:
            raise ConfigError(f"swap:{name} needs a lexicon of at least 2 entries", [f"found {len(entries)}"])
        self.name = name
        self._entries = [_forms(entry) for entry in entries]
        self._patterns = [self._compile(forms) for forms in self._entries]
        self._unless = [self._compile({"": forms[UNLESS]}) if UNLESS in forms else None for forms in self._entries]

    @staticmethod
    def _compile(forms: Mapping[str, list[str]]) -> re.Pattern[str]:
        words = sorted(
            {form for field, all_ in forms.items() if field != UNLESS for form in all_}, key=len, reverse=True
        )
        # In capitals too: a dateline or a headline names the same country.
        patterns = [f"{re.escape(word)}|{re.escape(word.upper())}" for word in words]
        either = "|".join(re.sub(r"^the\\ ", r"[Tt]he\\ ", pattern) for pattern in patterns)
        return re.compile(rf"(?<![\w-])(?:\b(an?|An?) )?({either})(?![\w-])")

    def swap(self, text: str, *, at_most: int, generator: random.Random) -> list[Swap]:
        """Make changed texts.

        Args:
            text: any.
            at_most: so many.
            generator: chooses the entries that are put in.

        Returns:
            None when the text mentions no entry, or mentions it by a word that cannot be swapped.
        """
        counts = [len(pattern.findall(text)) for pattern in self._patterns]
        if not any(counts):
            return []
        found = max(range(len(counts)), key=counts.__getitem__)
        unless = self._unless[found]
        if unless is not None and unless.search(text):
            return []
        used = self._fields_used(found, text)
        able = [place for place, n in enumerate(counts) if not n and used <= set(self._entries[place])]
        chosen = sorted(generator.sample(able, min(at_most, len(able))))
        named = [_name_forms(forms) for forms in self._entries]
        return [Swap(self._replace(text, found, place), named[found], named[place]) for place in chosen]

    def _fields_used(self, place: int, text: str) -> set[str]:
        return {self._field_of(place, match[2]) for match in self._patterns[place].finditer(text)}

    def _field_of(self, place: int, mention: str) -> str:
        lowered = mention.lower()
        return next(
            field
            for field, forms in self._entries[place].items()
            if field != UNLESS and lowered in {form.lower() for form in forms}
        )

    def _replace(self, text: str, found: int, put: int) -> str:
        def write(match: re.Match[str]) -> str:
            article, mention = match[1], match[2]
            word = self._entries[put][self._field_of(found, mention)][0]
            if mention.isupper() and len(mention) > 3:
                word = word.upper()
            elif match.start() == 0 or text[: match.start()].rstrip("\"'\u201c\u2018 ").endswith((".", "!", "?", ":")):
                word = word[0].upper() + word[1:]
            if article is None:
                return word
            return ("an " if word[0] in "AEIOaeio" else "a ").replace("a", article[0], 1) + word

        return self._patterns[found].sub(write, text)
