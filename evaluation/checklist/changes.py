"""Owns the named changes that should not change an answer: typos, casing, years, figures, marks, spelling and so on.

Each takes a text and a generator and returns the changed text, or the same text where there is nothing to change.
"""

import random
import re
from collections.abc import Callable

Change = Callable[[str, random.Random], str]

_WORD = re.compile(r"[A-Za-z]{4,}")
_SHARE_OF_WORDS = 1 / 12
_YEAR = re.compile(r"(?<![\d.,$€£])(1[789]\d\d|20[0-4]\d)(?![\d,]|\.\d)")
_NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w]|[.,]\d)")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# "May" and "March" are words, too: only after a preposition or beside a number are they months.
_DATE = re.compile(
    rf"\b(?:({'|'.join(_DAYS)})|({'|'.join(month for month in _MONTHS if month not in {'May', 'March'})}))\b"
)
_SPELLINGS = [
    ("programme", "program"), ("labour", "labor"), ("centre", "center"), ("defence", "defense"),
    ("privatise", "privatize"), ("privatisation", "privatization"), ("nationalise", "nationalize"),
    ("nationalisation", "nationalization"), ("liberalise", "liberalize"), ("liberalisation", "liberalization"),
    ("subsidise", "subsidize"), ("industrialisation", "industrialization"), ("modernise", "modernize"),
    ("modernisation", "modernization"), ("mobilise", "mobilize"), ("organise", "organize"),
    ("organisation", "organization"), ("recognise", "recognize"), ("stabilise", "stabilize"), ("favour", "favor"),
    ("neighbour", "neighbor"), ("honour", "honor"), ("colour", "color"), ("tonne", "ton"), ("licence", "license"),
    ("cheque", "check"), ("tyre", "tire"), ("aluminium", "aluminum"), ("plough", "plow"), ("enquiry", "inquiry"),
    ("authorise", "authorize"), ("penalise", "penalize"), ("harbour", "harbor"), ("grey", "gray"),
]  # fmt: skip
_CONTRACTIONS = [
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("will not", "won't"), ("is not", "isn't"),
    ("are not", "aren't"), ("cannot", "can't"), ("has not", "hasn't"), ("have not", "haven't"), ("it is", "it's"),
    ("should not", "shouldn't"), ("would not", "wouldn't"), ("must not", "mustn't"), ("we have", "we've"),
    ("we will", "we'll"), ("they are", "they're"), ("we are", "we're"), ("was not", "wasn't"), ("were not", "weren't"),
]  # fmt: skip
_SCANNER = [
    ("rn", "m"),
    ("m", "rn"),
    ("l", "1"),
    ("I", "l"),
    ("O", "0"),
    ("e", "c"),
    ("h", "b"),
    ("cl", "d"),
    ("S", "5"),
]


def _misspell(word: str, generator: random.Random) -> str:
    place = generator.randrange(1, len(word) - 1)  # the first letter is seldom mistyped
    kind = generator.choice(("swap", "drop", "double"))
    if kind == "swap" and word[place] != word[place - 1] and place > 1:
        return word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]
    return word[:place] + word[place + 1 :] if kind == "drop" else word[: place + 1] + word[place] + word[place + 1 :]


def _change_words(text: str, generator: random.Random, change: Change, share: float) -> str:
    """Change a share of the words of four letters or more, at least one."""
    found = list(_WORD.finditer(text))
    n = min(len(found), max(1, int(len(text.split()) * share)))
    for match in sorted(generator.sample(found, n), key=lambda match: -match.start()):
        text = text[: match.start()] + change(match[0], generator) + text[match.end() :]
    return text


def can_misread(word: str) -> bool:
    """Whether a word is of four letters or more and holds one that a scanner takes for another."""
    return _WORD.search(word) is not None and any(read in word for read, _ in _SCANNER)


def misread_word(word: str, generator: random.Random) -> str:
    """Misread one letter of a word as a scanner does: `rn` for `m`, `1` for `l`.

    Args:
        word: any.
        generator: chooses the letter.

    Returns:
        The changed word; the same where it holds no such letter.
    """
    able = [(read, as_) for read, as_ in _SCANNER if read in word]
    if not able:
        return word
    read, as_ = generator.choice(able)
    return word.replace(read, as_, 1)


def _move_year(match: re.Match[str], shift: int) -> str:
    return str(int(match[0]) + shift)


def _change_dates(text: str, generator: random.Random) -> str:
    """Move all years alike by some years back or on, and name other days and months.

    Args:
        text: any.
        generator: chooses how far.

    Returns:
        The changed text; the same where it has no date.
    """
    years = [int(match) for match in _YEAR.findall(text)]
    able = [shift for shift in (-23, -11, -4, -2, 2, 3, 7, 19) if all(1700 <= year + shift <= 2040 for year in years)]
    shift = generator.choice(able or [0])
    step = generator.randrange(1, 5)

    def rename(match: re.Match[str]) -> str:
        names = _DAYS if match[1] else _MONTHS
        return names[(names.index(match[0]) + step) % len(names)]

    return _DATE.sub(rename, _YEAR.sub(lambda match: _move_year(match, shift), text))


def _change_figures(text: str, generator: random.Random) -> str:
    """Put other digits for every number that is no year; its length, commas and decimals stay.

    Args:
        text: any.
        generator: chooses the digits.

    Returns:
        The changed text; the same where it has no number.
    """
    years = {match.start() for match in _YEAR.finditer(text)}

    def write(match: re.Match[str]) -> str:
        if match.start() in years:
            return match[0]
        digits = [generator.choice("123456789") if mark.isdigit() else mark for mark in match[0]]
        return "".join(digits)

    return _NUMBER.sub(write, text)


def _replace_pairs(text: str, pairs: list[tuple[str, str]], *, is_stem: bool) -> str:
    for first, second in pairs:
        end = "" if is_stem else r"\b"
        for found, put in ((first, second), (first.capitalize(), second.capitalize())):
            text = re.sub(rf"\b{re.escape(found)}{end}", put, text)
    return text


def _join_marks(text: str) -> str:
    return text.replace("\u201c", '"').replace("\u201d", '"').replace("\u2019", "'").replace(" - ", " \u2014 ")


CHANGES: dict[str, Change] = {
    "typos": lambda text, generator: _change_words(text, generator, _misspell, _SHARE_OF_WORDS),
    "scanner": lambda text, generator: _change_words(text, generator, misread_word, _SHARE_OF_WORDS),
    "upper-case": lambda text, _: text.upper(),
    "lower-case": lambda text, _: text.lower(),
    "title-case": lambda text, _: re.sub(r"\b[a-z]", lambda match: match[0].upper(), text),
    "dates": _change_dates,
    "figures": _change_figures,
    "american-spelling": lambda text, _: _replace_pairs(text, _SPELLINGS, is_stem=True),
    "contractions": lambda text, _: _replace_pairs(text, _CONTRACTIONS, is_stem=False),
    "punctuation": lambda text, _: _join_marks(text).rstrip("."),
    "in-quotes": lambda text, _: "\u201c" + text.strip('"\u201c\u201d') + "\u201d",
}
# Take a lexicon: `swap:country`, `before:openings`, `after:closings`.
LEXICON_CHANGES = ("swap", "before", "after")
