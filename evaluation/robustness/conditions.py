"""Owns the ways in which rows are damaged: words dropped, ends cut, capitals, misread letters."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from evaluation.checklist.changes import CHANGES, can_misread, misread_word
from evaluation.checklist.draws import make_generator
from twohands.encoding import ParagraphEncoder
from twohands.errors import EmptyParagraphError

Damage = Callable[[str, Random], str]
AS_IS = "as it is"
_DROPPED = (0.05, 0.1, 0.2)
_KEPT_TOKENS = (128, 64, 32)
_MISREAD = (0.05, 0.1, 0.2)
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Condition:
    """A way of damaging rows: its name for people, and what makes a damaged text of a text.

    `is_random` says that another draw damages other words.
    """

    name: str
    damage: Damage
    is_random: bool


def _count_damaged(n_words: int, share: float, generator: Random) -> int:
    """So many words of a text; up or down by lot, so that over rows it is the share: cut off, 5% were 4.1% (#6)."""
    whole, rest = divmod(n_words * share, 1)
    return int(whole) + (generator.random() < rest)


def _drop_words(text: str, generator: Random, share: float) -> str:
    words = text.split()
    n_dropped = min(_count_damaged(len(words), share, generator), len(words) - 1)
    dropped = set(generator.sample(range(len(words)), n_dropped))
    return " ".join(word for place, word in enumerate(words) if place not in dropped)


def _misread_words(text: str, generator: Random, share: float) -> str:
    """A share of all words, taken from those that can be misread: tried on any, many stayed as they were (#6)."""
    words = list(_WORD.finditer(text))
    able = [match for match in words if can_misread(match[0])]
    n_misread = min(_count_damaged(len(words), share, generator), len(able))
    for match in sorted(generator.sample(able, n_misread), key=lambda match: -match.start()):
        text = text[: match.start()] + misread_word(match[0], generator) + text[match.end() :]
    return text


def _keep_tokens(text: str, generator: Random, encoder: ParagraphEncoder, most: int) -> str:
    """The first whole words that fit; at least one, since nothing cannot be read."""
    del generator
    words = text.split()

    def fits(n_words: int) -> bool:
        try:
            return encoder.encode(" ".join(words[:n_words])).n_tokens <= most
        except EmptyParagraphError:  # so far nothing but characters that no token stands for
            return True

    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return " ".join(words[:low])


def list_conditions(encoder: ParagraphEncoder) -> Iterator[Condition]:
    """Every way of damaging rows, mild to severe.

    Args:
        encoder: the model's, which counts tokens.

    Yields:
        The conditions.
    """
    for share in _DROPPED:
        yield Condition(f"{share:.0%} of words dropped", partial(_drop_words, share=share), is_random=True)
    for most in _KEPT_TOKENS:
        damage = partial(_keep_tokens, encoder=encoder, most=most)
        yield Condition(f"first {most} tokens", damage, is_random=False)
    yield Condition("in capitals", CHANGES["upper-case"], is_random=False)
    for share in _MISREAD:
        yield Condition(f"{share:.0%} of words misread", partial(_misread_words, share=share), is_random=True)


def damage_text(text: str, condition: Condition, *, seed: int, draw: int = 0) -> str:
    """Damage one text; the same text, condition, seed and draw give the same.

    Args:
        text: a paragraph.
        condition: what does it.
        seed: of the run.
        draw: which of several.

    Returns:
        The damaged text.
    """
    return condition.damage(text, make_generator(seed, "robustness", condition.name, draw, text))


def share_of_words(before: str, after: str) -> float:
    """The share of a text's words that damage took or changed.

    Args:
        before: the text; at least one word.
        after: the same, damaged.

    Returns:
        In `[0, 1]`.
    """
    words, left = before.split(), after.split()
    if len(words) != len(left):
        return 1 - len(left) / len(words)
    return sum(word != damaged for word, damaged in zip(words, left, strict=True)) / len(words)
