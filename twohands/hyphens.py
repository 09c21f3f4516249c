"""Owns a word that was parted at the end of a line -> the word, with its hyphen where it is a compound's own.

English alone is known by its words; of other languages only what the document itself says.
"""

import itertools
import re
from collections.abc import Iterable


def _read(words: str) -> frozenset[str]:
    return frozenset(words.split())


# What compounds begin with and few words do, but for those that go on with one of `_ENDINGS`.
_FIRST_PARTS = _read(
    "state self market long short anti non cross high low well first half public price government export import tax "
    "trade capital energy quasi third two three four five six twenty thirty medium longer higher lower better best "
    "large small free open one"
)
_ENDINGS = _read(
    "ment ened ist ists "  # codespell:ignore
    "ments ly less hood ing ings ed er ers est able age ages en ens ening ish ity ities al ally ism ive ively ness "
    "ize ized izes izing ise ised ises ising ation ations ship ships dom doms ty teen ties ful some fold ant ance "
    "antly man men smen place places wise self selves same side room rooms craft house light lights lighted "
    "lighting way ways land lands ered ering ware mark marks payer payers es wide roads over hand sense trust dote "
    "dotes quated quity quities body bodies biotic biotics thesis pathy cipate cipated cipates lance lancer lancers "
    "coming comings fall falls cut cuts onomy"
)
_LAST_PARTS = _read(
    "owned backed based driven controlled sponsored funded oriented friendly dominated intensive sized term"
)
_PREFIXES = frozenset({"over", "under", "inter", "auto", "multi", "trans", "super", "counter"})
# These begin words of all kinds, and compounds with few others.
_PAIRS = _read(
    "pro-market pro-government pro-business pro-growth pro-trade pro-competition pro-competitive pro-democracy "
    "pro-independence pro-union pro-labor pro-labour pro-western so-called"
)
_LINKS = frozenset({"of", "the", "to", "and", "or", "in", "by", "for", "a", "on", "as"})  # within state-of-the-art
# Before these a hyphen stands for what follows: pre- and post-war, Ein- und Ausfuhr. No syllable ends words so.
_JOINING = _read("and or to und oder bis sowie et ou")
_ALONE = frozenset(
    "bcdefghjkmnpqrstuvwxyz"
)  # letters before a hyphen: e-mail, x-ray, T-shirt; a, i and o are syllables
_ACRONYM_CHARS = 5
_MIN_CHARS = 4  # before one of `_LAST_PARTS`

HYPHENS = ("-", "\u2010", "\u00ad")  # the last of which only ever parts a word
_LETTERS = r"[^\W\d_]+"
_WORD = re.compile(rf"{_LETTERS}(?:[-\u2010]{_LETTERS})*")
_FIRST_WORD = re.compile(_LETTERS)
_LAST_WORD = re.compile(rf"({_LETTERS}[-\u2010])?({_LETTERS}).\Z")
_LONGEST_CHARS = 80


def find_words(lines: Iterable[str]) -> frozenset[str]:
    """Find the words that stand within lines, and of compounds each pair of parts with its hyphen.

    Args:
        lines: of the whole document.

    Returns:
        Words in lower case, as `join_word` asks for them.
    """
    words: set[str] = set()
    for line in lines:
        for word in _WORD.findall(line.lower()):
            parts = word.replace("\u2010", "-").split("-")
            words.update(parts if len(parts) == 1 else map("-".join, itertools.pairwise(parts)))
    return frozenset(words)


def _has_own_hyphen(first: str, second: str, words: frozenset[str], *, is_within: bool) -> bool:
    if f"{first}-{second}" in words:
        return True
    if first + second in words:
        return False
    return (
        (first in _FIRST_PARTS and second not in _ENDINGS)
        or (second in _LAST_PARTS and len(first) >= _MIN_CHARS and first not in _PREFIXES)
        or f"{first}-{second}" in _PAIRS
        or (is_within and first in _LINKS)
    )


def join_word(so_far: str, line: str, words: frozenset[str]) -> str | None:
    """Put a text and its next line together where the text ends with a hyphen within a word.

    The hyphen stays where the document has such a compound within a line, or where it does not have the word without a
    hyphen, and the parts are such as make compounds; an acronym or a letter before lower case is.

    Args:
        so_far: the text, without space at its end.
        line: what follows, without space at its beginning; not empty.
        words: of the document, as `find_words` gives them.

    Returns:
        Both as one; None where no word was parted.
    """
    if not so_far.endswith(HYPHENS) or not line[0].islower():
        return None
    before, after = _LAST_WORD.search(so_far[-_LONGEST_CHARS:]), _FIRST_WORD.match(line)
    if not before or not after:
        return None
    first, second = before[2].lower(), after[0].lower()
    if so_far[-1] == "\u00ad":
        return so_far[:-1] + line
    is_own = _has_own_hyphen(first, second, words, is_within=bool(before[1])) or (
        # x-ray, US-led; but a word in capitals or an accented letter begins a word.
        (first in _ALONE or (before[2].isupper() and 1 < len(first) <= _ACRONYM_CHARS)) and first + second not in words
    )
    if second in _JOINING and first + second not in words:
        is_own = line[after.end() : after.end() + 1] in {"-", "\u2010"}  # hand-to-mouth
        if not is_own:
            return None
    return f"{so_far[:-1]}-{line}" if is_own else so_far[:-1] + line
