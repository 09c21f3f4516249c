"""Owns augmentation: training rows changed in ways that must not change their labels. Knows nothing of tensors."""

import dataclasses
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from training.names import CLOSINGS, COUNTRIES, LEADERS, OPENINGS, STRANGERS
from training.spellings import respell
from twohands.examples import Example

_WORD = re.compile(r"[A-Za-z]{4,}")
_SCANS = (("rn", "m"), ("m", "rn"), ("l", "1"), ("o", "0"), ("e", "c"), ("h", "b"), ("i", "l"))
# "Mr" and "Mrs" stay as they are; a surname alone is taken for the same person as one behind a title.
_TITLE = r"(?:President|Prime Minister|Premier|Chancellor|Chairman|Chairwoman|Secretary|Minister|Senator|Mr|Mrs|Ms)"
_TITLED = re.compile(rf"\b{_TITLE}\.? ([A-Z][a-z\u00c0-\u017f]+)\b")
# What stands behind "Minister" and the like without being a name.
_NO_NAMES = frozenset({"General", "Minister", "President", "Secretary", "Speaker", "Chairman", "Deputy", "Of", "The"})
_LEAST_DAMAGE, _MOST_DAMAGE = 0.02, 0.07

Change = Callable[[str, random.Random], str | None]


def _count_words(words: str, paragraph: str) -> int:
    # Most countries are not named, and to look for all by expressions took minutes of 200,000 rows (#3).
    return len(re.findall(rf"\b{re.escape(words)}\b", paragraph)) if words in paragraph else 0


def swap_country(paragraph: str, generator: random.Random) -> str | None:
    """Put another country in place of the one that is named most, with its adjective and capital.

    Args:
        paragraph: normalised text.
        generator: draws the country.

    Returns:
        The text, or None where it names no country that is known.
    """
    counts = [sum(_count_words(form.removeprefix("the "), paragraph) for form in forms) for forms in COUNTRIES]
    if not max(counts):
        return None
    old = COUNTRIES[counts.index(max(counts))]
    new = generator.choice(STRANGERS)
    for form, other in zip(old, new, strict=True):
        bare = form.removeprefix("the ")
        article = r"(?:[Tt]he )?" if bare != form else ""
        paragraph = re.sub(rf"\b{article}{re.escape(bare)}\b", other, paragraph)
    return paragraph


def swap_leader(paragraph: str, generator: random.Random) -> str | None:
    """Put another surname in place of the first one that stands behind a title, wherever it stands.

    Args:
        paragraph: normalised text.
        generator: draws the name.

    Returns:
        The text, or None where no titled name is found.
    """
    names = [name for name in _TITLED.findall(paragraph) if name not in _NO_NAMES]
    if not names:
        return None
    new = generator.choice([name for name in LEADERS if name != names[0]])
    return re.sub(rf"\b{re.escape(names[0])}\b", new, paragraph)


def frame(paragraph: str, generator: random.Random) -> str:
    """Put what pages and records put around a text before it, after it, or both."""
    place = generator.randrange(3)
    before = [generator.choice(OPENINGS)] if place != 1 else []
    after = [generator.choice(CLOSINGS)] if place != 0 else []
    return generator.choice((" ", "\n")).join([*before, paragraph, *after])


def damage(paragraph: str, generator: random.Random) -> str:
    """Mistype or misread some words of four letters and more: swapped, dropped, doubled and misread letters."""
    share = generator.uniform(_LEAST_DAMAGE, _MOST_DAMAGE)

    def hurt(match: re.Match[str]) -> str:
        word = match[0]
        if generator.random() >= share:
            return word
        at = generator.randrange(1, len(word) - 1)
        kind = generator.randrange(4)
        if kind == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 1:
            return word[:at] + word[at + 1 :]
        if kind == 2:
            return word[:at] + word[at] + word[at:]
        seen, read = generator.choice(_SCANS)
        return word.replace(seen, read, 1)

    return _WORD.sub(hurt, paragraph)


def quote(paragraph: str, generator: random.Random) -> str:
    """Put the whole text into quotation marks."""
    left, right = generator.choice((('"', '"'), ("\u201c", "\u201d"), ("\u2018", "\u2019")))
    return left + paragraph.replace(left, "'").replace(right, "'") + right


def augment_examples(
    examples: Sequence[Example],
    *,
    country_swap: float,
    framing: float,
    damaged: float,
    quotation: float,
    leader_swap: float = 0.0,
    respelling: float = 0.0,
    seed: int,
) -> list[Example]:
    """Change some rows, at most one way each; labels, ids and groups stay. A row that comes again is drawn for anew.

    Args:
        examples: training rows.
        country_swap: share of the rows that name a country, in [0, 1].
        framing: share of rows that get an opening or a closing line.
        damaged: share of rows with typing and scanning errors.
        quotation: share of rows in quotation marks.
        leader_swap: share of the rows that name somebody behind a title.
        respelling: share of the rows that have another spelling, contraction or mark to write.
        seed: the same seed changes the same rows alike, in whatever order they come.

    Returns:
        As many rows, in the same order.

    Source:
        Ribeiro et al. 2020, *Beyond Accuracy: Behavioral Testing of NLP Models with CheckList* (invariances).
    """
    # A new kind comes last: where its share is 0 no earlier run changes.
    changes: tuple[tuple[float, Change], ...] = (
        (country_swap, swap_country), (framing, frame), (damaged, damage), (quotation, quote),
        (leader_swap, swap_leader), (respelling, respell),
    )  # fmt: skip
    augmented = []
    n_seen: Counter[str] = Counter()
    for example in examples:
        copy = n_seen[example.id]
        n_seen[example.id] += 1
        generator = random.Random(f"{seed}:{example.id}" + (f":{copy}" if copy else ""))  # noqa: S311 - no secret, and it must repeat
        paragraph = None
        for share, change in changes:
            if paragraph is None and generator.random() < share:
                paragraph = change(example.paragraph, generator)
        augmented.append(example if paragraph is None else dataclasses.replace(example, paragraph=paragraph))
    return augmented
