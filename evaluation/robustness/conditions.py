"""Owns the ways in which rows are damaged: words dropped, ends cut, capitals, misread letters."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from evaluation.checklist.changes import CHANGES, misread
from evaluation.checklist.draws import make_generator
from twohands.encoding import ParagraphEncoder
from twohands.errors import EmptyParagraphError

Damage = Callable[[str, Random], str]
AS_IS = "as it is"
_DROPPED = (0.05, 0.1, 0.2)
_KEPT_TOKENS = (128, 64, 32)
_MISREAD = (0.05, 0.1, 0.2)


def _drop_words(text: str, generator: Random, share: float) -> str:
    words = text.split()
    kept = [word for word in words if generator.random() >= share]
    return " ".join(kept or words[:1])


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


def list_conditions(encoder: ParagraphEncoder) -> Iterator[tuple[str, Damage]]:
    """Every way of damaging rows, mild to severe.

    Args:
        encoder: the model's, which counts tokens.

    Yields:
        A name for people, and what makes a damaged text of a text.
    """
    for share in _DROPPED:
        yield f"{share:.0%} of words dropped", partial(_drop_words, share=share)
    for most in _KEPT_TOKENS:
        yield f"first {most} tokens", partial(_keep_tokens, encoder=encoder, most=most)
    yield "in capitals", CHANGES["upper-case"]
    for share in _MISREAD:
        yield f"{share:.0%} of words misread", partial(misread, share=share)


def damage_text(text: str, name: str, damage: Damage, *, seed: int) -> str:
    """Damage one text; the same text, condition and seed give the same.

    Args:
        text: a paragraph.
        name: of the condition.
        damage: what does it.
        seed: of the run.

    Returns:
        The damaged text.
    """
    return damage(text, make_generator(seed, "robustness", name, text))
