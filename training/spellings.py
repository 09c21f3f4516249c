"""Owns other ways to write the same words: British and American spelling, contractions, quotation marks and dashes."""

import random
import re

# British, American; whole stems, so that endings stay.
_STEMS = (
    ("programme", "program"), ("labour", "labor"), ("favour", "favor"), ("neighbour", "neighbor"), ("honour", "honor"),
    ("harbour", "harbor"), ("colour", "color"), ("behaviour", "behavior"), ("endeavour", "endeavor"),
    ("rumour", "rumor"), ("vigour", "vigor"), ("centre", "center"), ("theatre", "theater"), ("fibre", "fiber"),
    ("calibre", "caliber"), ("defence", "defense"), ("offence", "offense"), ("licence", "license"),
    ("pretence", "pretense"), ("tonne", "ton"), ("cheque", "check"), ("tyre", "tire"), ("aluminium", "aluminum"),
    ("plough", "plow"), ("enquir", "inquir"), ("sceptic", "skeptic"), ("grey", "gray"), ("mould", "mold"),
    ("storey", "story"), ("travell", "travel"), ("cancell", "cancel"), ("labell", "label"), ("modell", "model"),
    ("fulfil", "fulfill"), ("enrol", "enroll"), ("catalogue", "catalog"), ("analyse", "analyze"),
)  # fmt: skip
_ISE = re.compile(r"\b([A-Za-z]{3,}?)is(e[drs]?|ing|ation|ations)\b")
_IZE = re.compile(r"\b([A-Za-z]{3,}?)iz(e[drs]?|ing|ation|ations)\b")
# Words in -ise everywhere, by what stands before it.
_ALWAYS_S = frozenset({
    "adv", "adverti", "appra", "ar", "comprom", "compr", "conc", "dem", "desp", "dev", "disgu", "enterpr", "exc",
    "exerc", "expert", "franch", "improv", "likew", "merchand", "otherw", "parad", "pra", "prec", "prem", "prom",
    "repr", "rev", "superv", "surm", "surpr", "telev", "treat", "unprec",
})  # fmt: skip
_ALWAYS_Z = frozenset({"caps", "pr", "se"})
# American forms that British has too, in another sense or with other endings.
_AMBIGUOUS = frozenset({
    "check", "ton", "story", "tire", "travel", "cancel", "label", "model", "program", "mold", "license", "fulfill",
    "enroll",
})  # fmt: skip
_PLAIN_MARKS = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "--",
})  # fmt: skip
_SHORT = (
    ("do not", "don't"), ("does not", "doesn't"), ("did not", "didn't"), ("will not", "won't"), ("is not", "isn't"),
    ("are not", "aren't"), ("was not", "wasn't"), ("were not", "weren't"), ("cannot", "can't"), ("has not", "hasn't"),
    ("have not", "haven't"), ("had not", "hadn't"), ("should not", "shouldn't"), ("would not", "wouldn't"),
    ("could not", "couldn't"), ("must not", "mustn't"), ("it is", "it's"), ("that is", "that's"), ("we have", "we've"),
    ("we will", "we'll"), ("we are", "we're"), ("they are", "they're"), ("I am", "I'm"), ("you are", "you're"),
)  # fmt: skip


def _exchange(text: str, pairs: tuple[tuple[str, str], ...], *, to_second: bool, is_stem: bool) -> str:
    end = "" if is_stem else r"\b"
    for pair in pairs:
        old, new = pair if to_second else pair[::-1]
        # A stem that its other form begins with must not be lengthened twice: "fulfil" in "fulfill".
        rest = new[len(old) :] if new.startswith(old) else ""
        guard = f"(?!{re.escape(rest)})" if rest else ""
        if is_stem and old.endswith("or"):
            guard = "(?![aio])"  # laboratory, honorary, vigorous: the same on both sides
        for form, put in ((old, new), (old.capitalize(), new.capitalize())):
            if form in text:  # most are not, and to look for all by expressions took minutes of 200,000 rows (#3)
                text = re.sub(rf"\b{re.escape(form)}{guard}{end}", put, text)
    return text


def _to_z(match: re.Match[str]) -> str:
    return match[0] if match[1].lower() in _ALWAYS_S else f"{match[1]}iz{match[2]}"


def _to_s(match: re.Match[str]) -> str:
    return match[0] if match[1].lower() in _ALWAYS_Z else f"{match[1]}is{match[2]}"


def _to_american(text: str) -> str:
    return _ISE.sub(_to_z, _exchange(text, _STEMS, to_second=True, is_stem=True))


def _to_british(text: str) -> str:
    safe = tuple(pair for pair in _STEMS if pair[1] not in _AMBIGUOUS)
    return _IZE.sub(_to_s, _exchange(text, safe, to_second=False, is_stem=True))


def _change_marks(text: str, generator: random.Random) -> str:
    """Curly marks made straight and dashes plain, or the other way; now and then without the last full stop."""
    plain = text.translate(_PLAIN_MARKS)
    if plain == text:
        text = re.sub(r'"([^"]*)"', "\u201c\\1\u201d", text)
        text = re.sub(r"(?<=\w)'(?=\w)", "\u2019", text)
        text = re.sub(r" -{1,2} ", " \u2014 ", text)
    else:
        text = plain
    return text.rstrip(".") if generator.random() < 0.5 else text


def respell(paragraph: str, generator: random.Random) -> str | None:
    """Write the same words another way: American for British spelling or back, contracted or in full, other marks.

    Args:
        paragraph: normalised text.
        generator: chooses the ways.

    Returns:
        The text, or None where there was nothing to write otherwise.
    """
    changed = generator.choice((_to_american, _to_british))(paragraph)
    if generator.random() < 0.5:
        changed = _exchange(changed, _SHORT, to_second=generator.random() < 0.7, is_stem=False)
    if generator.random() < 0.5:
        changed = _change_marks(changed, generator)
    return None if changed == paragraph else changed
