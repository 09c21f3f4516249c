"""Owns the warnings of an answer: signs that a paragraph lies outside what models of English prose are made for.

Rules of thumb, each cheap and each stated with its threshold. A warning never changes an answer. Knows nothing of
models beyond how many tokens of a paragraph their vocabulary holds.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from enum import StrEnum

LIMIT_CHARS = 4000
MIN_WORDS = 5
MIN_LATIN_SHARE = 0.5
MIN_WORDS_FOR_LANGUAGE = 8
MIN_FOREIGN_SHARE = 0.15
MIN_WORDS_FOR_ABSENCE = 20
MIN_ENGLISH_SHARE = 0.08
MAX_UNKNOWN_SHARE = 0.3
MAX_MARKUP_SHARE = 0.25
MIN_CODE_SIGNS = 0.125  # a word, of what is fenced
MIN_LETTER_SHARE = 0.5
MIN_WORDS_OF_TABLE = 12
MIN_FIGURE_SHARE = 0.25
MAX_ENGLISH_SHARE_OF_TABLE = 0.05
MIN_USUAL_SHARE = 0.05


class Caution(StrEnum):
    """What is odd about a paragraph; the values stand in `warnings` and stay as they are."""

    NOT_ENGLISH = "not_english"
    TOO_SHORT = "too_short"
    UNKNOWN_TOKENS = "unknown_tokens"
    MARKUP = "markup"


_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_MARKUP = re.compile(
    r"</?[A-Za-z][^<>]*>|<!--.*?-->|&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+);|(?:https?://|www\.)\S+|\\[A-Za-z]+|[{}\[\]|<>=]"
)
# Without one of these, `://` and `www.` nothing of it is found; to look for them takes a quarter of the time.
_MARKUP_SIGN = re.compile(r"[<>&\\{}\[\]|=]")

# Code as Markdown fences it, to its end or the paragraph's, and pictures.
_FENCED = re.compile(r"(?<!\S)(?:```|~~~)(?P<code>.*?)(?:```|~~~|\Z)")
_PICTURE = re.compile(r"!\[[^\[\]]*\]\([^()\s]*\)")
_CODE_SIGN = re.compile(r"[=(){}\[\];<>+*/_$#]")

_TABLE_RULE = re.compile(r"\| ?:?-{3,}:? ?\|")
_FIGURE = re.compile(r"(?<!\S)[^\w\s]?\d\S*")

# Words so frequent that no paragraph of prose does without; those that several of the languages share are left out
# of the lists of all but one, or of all.
_ENGLISH_WORDS = (
    "the of and to a that is was for on with as by at from it its this be are were has have had not but which or "
    "their they he his her she we our you your will would can could should may been more than into after over who "
    "what when where while if there these those such other some any all no so also about between under against "
    "because through during before both only out up one two new said says"
)
_FOREIGN = {
    "German": "der die das und ist nicht ein eine einer eines dem den des von mit auf für sich auch werden wird sind "
    "wie bei nach durch über zum zur oder haben wurde dass als aus",
    "French": "le les des et une est dans pour que qui sur pas plus avec par sont ce cette ces au aux du ses leur "
    "nous vous ont été être mais",
    "Spanish": "el los las y del una es en que por para con su se al como más pero sus este esta está son ha fue "
    "sobre entre hay",
    "Italian": "il gli e di che è una per con non sono del della dei delle nel nella alla al le più anche come da "
    "questo questa stato",
    "Portuguese": "os as um uma é em que para com não do da dos das no na por mais se ao foi são como mas seu sua "
    "pelo pela",
    "Dutch": "het een van en dat niet zijn op met voor er aan ook als door naar bij uit worden wordt deze maar nog "
    "heeft hebben",
    "Polish": "w i na się z że do nie jest o jak po przez od dla oraz są ale który która które",
    "Swedish, Danish, Norwegian": "och att det som en på är av för med den till inte har de ett om var og af ikke "
    "er til et fra",
    "Turkish": "ve bir bu için ile de da olarak olan çok daha gibi kadar sonra ancak",
    "Indonesian, Malay": "yang dan di dengan untuk pada ini itu dari dalam tidak akan oleh adalah juga telah",
    "Romanian": "și în de la cu pe este care nu sau din pentru mai prin sunt o un al",
    "Vietnamese": "và của là các có cho được trong với không một những này đã để về",
}
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
# In the lists of Italian, Polish and Portuguese, and as frequent here: "I do", "per cent".
_ENGLISH_TOO = frozenset({"do", "i", "per"})
_LANGUAGES_BY_WORD: dict[str, list[str]] = {}
for _language, _words in _FOREIGN.items():
    for _word in set(_words.split()) - _ENGLISH:
        _LANGUAGES_BY_WORD.setdefault(_word, []).append(_language)
_NO_LETTERS = dict.fromkeys(number for number in range(128) if not chr(number).isalpha())
_SPACED = dict.fromkeys(_NO_LETTERS, " ") | {ord("'"): "'"}
_DIGITS = "0123456789"


def _is_latin(letter: str) -> bool:
    # Basic Latin to IPA, and the Latin additions with all their accents.
    return letter <= "\u02af" or "\u1e00" <= letter <= "\u1eff"


def _is_letter_with_accent(character: str) -> bool:
    return not character.isascii() and character.isalpha()


def _is_in_other_script(paragraph: str) -> bool:
    if paragraph.isascii():
        return False
    ascii_part = paragraph.encode("ascii", "ignore").decode("ascii")
    n_ascii_letters = len(ascii_part.translate(_NO_LETTERS))
    n_others = len(paragraph) - len(ascii_part)
    if n_others <= n_ascii_letters:  # were all of them letters of another script, half would still be Latin
        return False
    letters = [character for character in paragraph if character.isalpha()]
    return sum(map(_is_latin, letters)) < MIN_LATIN_SHARE * len(letters)


def _list_words(paragraph: str) -> list[str]:
    """As `_WORD` finds them, in lower case; plain English is cut at what is no letter, in half of the time."""
    lowered = paragraph.lower()
    if lowered.isascii():
        spaced = f" {lowered.translate(_SPACED)} "
        if "'" not in spaced or not (" '" in spaced or "' " in spaced or "''" in spaced):
            return spaced.split()
    return _WORD.findall(lowered)


def is_foreign(paragraph: str) -> bool:
    """Say whether a paragraph is probably not English.

    By its script, when less than half of its letters are Latin; else by its most frequent words, when there are at
    least 8 words: those of another language make up 15% and are more than the English ones, or there are 20 words
    and fewer than 8% are such as English prose cannot do without. Those that English has as well, such as "per" and
    "I", count beside other words of the language or letters with accents only.

    Args:
        paragraph: normalised.

    Returns:
        False in case of doubt.
    """
    if _is_in_other_script(paragraph):
        return True
    words = _list_words(paragraph)
    if len(words) < MIN_WORDS_FOR_LANGUAGE:
        return False
    n_english = sum(map(_ENGLISH.__contains__, words))
    found = [word for word in words if word in _LANGUAGES_BY_WORD]
    if _ENGLISH_TOO.issuperset(found) and not any(map(_is_letter_with_accent, paragraph)):
        found = []
    by_language = Counter(language for word in found for language in _LANGUAGES_BY_WORD[word])
    n_foreign = max(by_language.values(), default=0)
    if n_foreign > n_english and n_foreign >= MIN_FOREIGN_SHARE * len(words):
        return True
    return len(words) >= MIN_WORDS_FOR_ABSENCE and n_english < MIN_ENGLISH_SHARE * len(words)


def is_table(paragraph: str) -> bool:
    """Say whether a paragraph is the rows of a table.

    It has a rule as Markdown draws it; or, from 12 words on, a quarter of them are figures and fewer than 5% are
    frequent English words.

    Args:
        paragraph: normalised.

    Returns:
        False in case of doubt.
    """
    if "|" in paragraph and _TABLE_RULE.search(paragraph):
        return True
    n_words = paragraph.count(" ") + 1
    fewest = MIN_FIGURE_SHARE * n_words
    if n_words < MIN_WORDS_OF_TABLE or (paragraph.isascii() and sum(map(paragraph.count, _DIGITS)) < fewest):
        return False
    if len(_FIGURE.findall(paragraph)) < fewest:
        return False
    n_english = sum(map(_ENGLISH.__contains__, _list_words(paragraph)))
    return n_english < MAX_ENGLISH_SHARE_OF_TABLE * n_words


def _count_code(paragraph: str) -> int:
    """Characters without spaces that are fenced code, or pictures; prose that stands in a fence is none."""
    n_characters = sum(len(found) for found in _PICTURE.findall(paragraph)) if "![" in paragraph else 0
    for found in _FENCED.finditer(paragraph) if "```" in paragraph or "~~~" in paragraph else ():
        n_words = len(found["code"].split())
        if n_words < MIN_WORDS_FOR_LANGUAGE or len(_CODE_SIGN.findall(found["code"])) >= MIN_CODE_SIGNS * n_words:
            n_characters += len(found[0].replace(" ", ""))
    return n_characters


def is_markup(paragraph: str) -> bool:
    """Say whether a paragraph is markup, code, figures or a table rather than prose.

    Tags, entities, addresses and brackets make up a quarter of its characters, or code that is fenced and pictures
    do, or letters less than half; or it `is_table`.

    Args:
        paragraph: normalised.

    Returns:
        False in case of doubt.
    """
    solid = len(paragraph) - paragraph.count(" ")
    has_signs = bool(_MARKUP_SIGN.search(paragraph)) or "://" in paragraph or "www." in paragraph
    n_markup = sum(len(found.replace(" ", "")) for found in _MARKUP.findall(paragraph)) if has_signs else 0
    if paragraph.isascii():
        n_letters = len(paragraph.translate(_NO_LETTERS))
    else:  # in Hindi or Thai vowels are marks, which would otherwise look like symbols
        n_letters = sum(character.isalpha() or unicodedata.category(character)[0] == "M" for character in paragraph)
    n_markup = max(n_markup, _count_code(paragraph))
    return n_markup >= MAX_MARKUP_SHARE * solid or n_letters < MIN_LETTER_SHARE * solid or is_table(paragraph)


def find_usual(cautions: Iterable[Collection[str]]) -> list[Caution]:
    """Say which warnings a model should not give, as they would call usual texts odd: German mails, or short tickets.

    Args:
        cautions: of the rows that it learnt from, all of them or a fair sample.

    Returns:
        Those that a twentieth of the rows or more would get, in the order of `Caution`.
    """
    counts, n_rows = Counter[str](), 0
    for found in cautions:
        counts.update(found)
        n_rows += 1
    return [caution for caution in Caution if n_rows and counts[caution] >= MIN_USUAL_SHARE * n_rows]


def find_cautions(
    paragraph: str, *, n_tokens: int, n_tokens_unknown: int, usual: Collection[str] = ()
) -> tuple[str, ...]:
    """Say what is odd about a paragraph.

    Args:
        paragraph: normalised; its first 4000 characters are looked at, which bounds the cost.
        n_tokens: as the model's tokenizer counts them; at least 1.
        n_tokens_unknown: how many are outside its vocabulary.
        usual: values of `Caution` that are not odd for the model: see `find_usual`.

    Returns:
        Values of `Caution`, in its order; none for ordinary English prose.
    """
    paragraph = paragraph[:LIMIT_CHARS]
    # Chinese, Japanese and Thai put no spaces: there, tokens are counted instead of words.
    n_words = paragraph.count(" ") + 1 if " " in paragraph or paragraph.isascii() else n_tokens
    found = {
        Caution.NOT_ENGLISH: is_foreign(paragraph),
        Caution.TOO_SHORT: n_words < MIN_WORDS,
        Caution.UNKNOWN_TOKENS: n_tokens_unknown >= MAX_UNKNOWN_SHARE * n_tokens,
        Caution.MARKUP: is_markup(paragraph),
    }
    return tuple(caution.value for caution, is_found in found.items() if is_found and caution not in usual)
