"""Owns text of a transcript -> where who begins to speak: "Ms. HALVORSEN: Thank you" names a speaker.

Knows nothing of paragraphs. Most documents are no transcripts, and words before a colon are seldom a name: a text has
speakers only where its names come again, or bear titles, and there are two of them at least.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from twohands.ends import ends_sentence
from twohands.plain_words import leave_out_emphasis

MIN_TURNS = 3
_MAX_CHARS = 120  # of a name with what stands in brackets behind it
_MIN_WIDTH = 45  # of a column of prose: behind a narrower line a name is none within a sentence
_TAIL = 200  # characters by which it is seen whether a line ends a sentence
_MAX_LINES = 50_000  # that begin in a capital: half a second of work; a text of more has no speakers
_CHARS_BETWEEN_CHECKS = 20_000
_NAMES_BETWEEN_CHECKS = 100
_MARKS = 9
# How a line begins that may begin with a name: in a capital, behind marks of Markdown.
_BEGIN_OF_LINE = re.compile(rf"(?:\A|(?<=[\r\n]))[*_#>\[ \t\xa0\u3000]{{0,{_MARKS}}}(?:\d{{1,3}}\.[ \t])?[^\W\d_a-z]")
_LINE_END = re.compile(r"[\r\n]")
_BROKEN_OFF = tuple("-\u2013\u2014\u2026)]")  # somebody is interrupted, or laughs
_CUT_SHORT = ("--", "\u2013", "\u2014", "\u2026")

_TITLES = frozenset({
    "ambassador", "baroness", "chair", "chairman", "chairperson", "chairwoman", "commissioner", "congressman",
    "congresswoman", "councillor", "dame", "delegate", "deputy", "dr", "governor", "hon", "host", "interviewer",
    "judge", "lady", "lord", "madam", "minister", "miss", "moderator", "mr", "mrs", "ms", "mx", "operator",
    "president", "prof", "professor", "questioner", "rep", "reporter", "representative", "secretary", "sen",
    "senator", "sir", "speaker", "treasurer", "witness",
})  # fmt: skip
# Alone in a line these, and titles behind a rank, begin headlines as often: Attorney General Sues Oil Firm.
_OFFICES = frozenset({
    "archbishop", "attorney", "bishop", "chancellor", "countess", "duke", "earl", "leader", "marquess", "paymaster",
    "solicitor", "under-secretary", "viscount", "viscountess",
})  # fmt: skip
# What stands before a title: The Prime Minister, The Acting Chair, The Chief Secretary.
_RANKS = frozenset({
    "acting", "assistant", "chief", "economic", "exchequer", "financial", "first", "parliamentary", "prime", "the",
    "vice",
})  # fmt: skip
_SMALL = frozenset({
    "al", "and", "bin", "da", "de", "del", "della", "der", "di", "du", "el", "for", "la", "le", "of", "on",
    "the", "van", "von", "y", "zu",
})  # fmt: skip
# What stands before a colon in other texts, in capitals, too, as first or last word: Key Action, Energy Policy.
_NO_NAMES = frozenset({
    "abstract", "action", "activity", "address", "agency", "aim", "annex", "article", "author", "authors", "background",
    "benefits", "box", "budget", "category", "challenges", "change", "chapter", "chart", "claim", "clause", "comment",
    "conclusion", "contact", "contents", "correction", "cost", "date", "deadline", "doi", "duration", "email", "energy",
    "example", "expected", "fact", "fax", "figure", "from", "funding", "goal", "impact", "impacts", "indicator",
    "introduction", "isbn", "key", "keywords", "lead", "location", "market", "markets", "measure", "myth", "note",
    "notes", "objective", "opportunities", "option", "outcome", "output", "part", "partners", "phone", "photo",
    "pillar", "place", "policies", "policy", "price", "priority", "problem", "programme", "project", "published",
    "question", "reason", "recommendation", "reform", "reforms", "response", "responses", "responsible", "result",
    "results", "rights", "risks", "scope", "section", "security", "source", "sources", "status", "step", "strategy",
    "subject", "summary", "table", "tags", "target", "tel", "time", "timeline", "title", "to", "topic", "trade",
    "update", "url", "venue", "verdict", "video", "warning", "web", "website",
})  # fmt: skip
# What acts and resolutions say before what they lay down, as often in capitals: HEREBY DECIDES AS FOLLOWS.
_ENACTING = frozenset({
    "adopted", "adopts", "adopt\u00e9", "beschlossen", "decided", "decides", "declares", "d\u00e9cide", "enacted",
    "enacts", "erlassen", "hereby", "ordained", "recommends", "resolved", "resolves", "therefore", "whereas",
})  # fmt: skip
_NO_FIRST = frozenset({"dear", "has", "hat", "have"})  # HAS AGREED; Dear Senator Doe, in a letter that is read out
_WORD = r"[^\W\d_](?:[^\W_]|['\u2019\u2011-]|\.(?=[ ,:\w]))*+"
_NAME = rf"{_WORD}(?:,?[ ]\(?{_WORD}\)?){{0,13}}?"
_BRACKETS = r"(?:[ ]?\([^()]{1,60}\)){0,3}"
_BEGIN = rf"\A[*_#>\s]{{0,{_MARKS}}}"
# As machines call those whom they tell apart in what they heard; "Chapter 1:" and "Table 2:" head text.
NUMBERED = r"(?:S(?:peaker|PEAKER)|Interviewer|Moderator|Questioner|Witness)[ _]\d{1,3}"
# Of a question, which is no part of a name: with it everybody who asks would be somebody else at each question.
_QUESTION = r"(?:Q\d{1,4}\.?[*_]{0,3}[ ](?:\[\d{1,7}\][ ])?[*_]{0,3})?"
# `1. Jane Doe (Leeds East) (Lab): What steps` of oral questions; before other names such numbers are a list's.
_LISTED = re.compile(r"[*_\s]{0,9}\d{1,3}\.[ ](?=[^:]{1,70}\([^\W\d_][^()\d]+\) \([A-Z][A-Za-z /-]{1,20}\)[*_]{0,3}:)")
# `Name:`, `Name (Party) (14:03):`, `Q12 Name:`, and in Markdown `**Name:**`.
_COLON = re.compile(
    rf"{_BEGIN}{_QUESTION}(?P<name>(?:{NUMBERED}|{_NAME}){_BRACKETS})[ ]?[*_]{{0,3}}[:\uff1a][*_]{{0,3}}(?:\s|\Z)"
)
# `Mr. McCONNELL. I thank` of records that set a full stop, `The SPEAKER pro tempore (Mr. Wu). The gentleman`. Only
# behind Mr., Mrs. and Ms. are two letters a name: `The EU. It ruled`.
_UPPER = "[A-Z\u00c0-\u00de]"
_CAPITALS = rf"(?:[A-Z][a-z]{{1,3}}(?={_UPPER}{{3}}))?{_UPPER}(?:{_UPPER}|['\u2019-]){{1,30}}"
_STOP = re.compile(
    rf"{_BEGIN}(?P<name>(?:M(?:rs?|s)\.|(?:[Tt]he(?: Acting)?|[A-Z][a-z]{{1,14}}\.?)(?! {_UPPER}{{2}}\b))"
    rf"(?: {_CAPITALS}){{1,3}}(?: pro tempore)?(?: of [A-Z]\w+(?: [A-Z]\w+){{0,2}})?{_BRACKETS})\.(?:\s|\Z)"
)
_ALONE = re.compile(rf"{_BEGIN}(?P<name>{_NAME}{_BRACKETS})[*_\s]{{0,9}}\Z")
# `Ann Lee -- Chief Executive Officer` of calls with investors; a heading may be `Next Steps -- Energy`.
_POST = re.compile(
    rf"{_BEGIN}(?P<name>{_WORD}(?: {_WORD}){{1,4}}) (?:--|[\u2013\u2014]) (?!Office\b)[^.!?:]{{0,80}}"
    r"\b(?:Analyst|Chair(?:man|woman)?|Chief Executive|Counsel|Director|Economist|Founder|Head|Manager|Officer|Partner"
    r"|President|Relations|Treasurer)"
    r"(?=[*_]{0,3}\Z|[,;&(/-]| (?:and|at|for|in|of|to|--|[&\u2013\u2014(-]))[^.!?:]{0,60}\Z"  # no "Analyst Views"
)
# Behind an office in a name, and no more: `General for Northern Ireland`, `of the Exchequer`, `Younger of Leckie`.
_CAPITAL = rf"(?![a-z]){_WORD}"
_BEHIND_OFFICE = re.compile(
    rf"(?: G(?:eneral|ENERAL))?(?: (?:(?:of|for)(?: the)?|to the) {_CAPITAL}(?: and(?: the)? {_CAPITAL})?)*"
    rf"(?: {_CAPITAL})?(?: of {_CAPITAL})?"
)
# What minutes record, in words that nobody says: "Question put and agreed to.", "The House divided: Ayes 12"
_MINUTES = re.compile(
    r"Question (?:accordingly |again )?(?:put|proposed)(?:,? and (?:agreed to|negatived))?(?:\.\Z|, That\b)"
    r"|(?:Amendments?|Bill|Clauses?|Motion|Schedules?)\b(?![^.]{0,60}\b(?:are|be|been|had|has|have|is|never|not|was|were)\b)"
    r"[^.;:]{0,60} (?:agreed to|negatived|read (?:a|the) \w+ time|withdrawn)\.\Z"
    r"|The (?:Committee|House|Senate) (?:having )?divided: ?(?:Ayes|Contents) \d"
    r"|(?:The )?(?:Committee|House|Senate|Sitting) (?:adjourned|suspended) (?:accordingly|at|until)\b"
)
_TIME = re.compile(r" ?\(\d{1,2}(?:[:.]\d\d){1,2}(?: ?[ap]\.?m\.?)?\)")
_SEAT_AND_PARTY = re.compile(r" \([^\W\d_][^()\d]+\) \([A-Z][A-Za-z /-]{1,20}\)\Z")  # (Leeds East) (Lab/Co-op)


def _words(name: str) -> list[str]:
    return re.findall(_WORD, name.partition("(")[0].replace(" pro tempore", ""))


def _has_title(name: str) -> bool:
    words = (word.strip(".").casefold() for word in _words(name))
    return next((word for word in words if word not in _RANKS), "") in _TITLES | _OFFICES


def _may_be_headline(name: str) -> bool:
    """Whether what begins with an office may go on with what was done: `Chancellor Raises Taxes`."""
    words = name.split(" ")
    plain = [word.strip(".,").casefold() for word in words]
    n_ranks = next((number for number, word in enumerate(plain) if word not in _RANKS), 0)
    if "(" in name or (plain[n_ranks] in _TITLES and plain[:n_ranks] in ([], ["the"])):
        return False
    return not _BEHIND_OFFICE.fullmatch("".join(f" {word}" for word in words[n_ranks + 1 :]))


def _is_name(name: str) -> bool:
    """Whether it is spelt as a name: its words begin in capitals, but for those within such as `of`."""
    words = _words(name)
    is_office = _has_title(name) and re.search(r" (?:for|of|to) ", name)  # "Minister for Industrial Strategy"
    most_words = 14 if is_office and "(" in name else 7  # "The Secretary of State for Business and Trade (Ann Lee)"
    if not words or len(words) > most_words or not words[0][0].isupper() or len(name) > _MAX_CHARS:
        return False
    if words[0].casefold() in _NO_NAMES or (words[-1].casefold() in _NO_NAMES and not is_office):
        return False
    if words[0].casefold() in _NO_FIRST or not _ENACTING.isdisjoint(word.casefold() for word in words):
        return False
    small = _SMALL | {"to"} if is_office else _SMALL  # "The Chief Secretary to the Treasury"
    return all(word[0].isupper() or word.casefold() in small for word in words) and words[-1].casefold() not in small


def _is_told(name: str) -> bool:
    """Whether a line of it alone says that it is one: by a title, or a seat and a party."""
    return _has_title(name) or (_is_sure(name) and bool(_SEAT_AND_PARTY.search(name)))


def _is_sure(name: str) -> bool:
    """Whether one turn is enough, where others are names: a single word before a colon may be a subject."""
    return _has_title(name) or len(_words(name)) > 1


def _read_name(line: str, *, is_whole: bool, comes_again: bool = False) -> str:
    """The name that a line begins with; or that it is, where it is whole and has a title, or a seat and a party."""
    line = _LISTED.sub("", line, count=1) if line[:1].isdigit() else line
    for pattern in (_COLON, _STOP):
        if (found := pattern.match(line)) and _is_name(found["name"]):
            return _TIME.sub("", found["name"])
    if is_whole and (found := _POST.match(line)) and _is_name(found["name"]):
        return found["name"]
    if is_whole and (found := _ALONE.match(line)) and _is_name(found["name"]):
        name = _TIME.sub("", found["name"])
        is_headline = _has_title(name) and _may_be_headline(found["name"]) and not comes_again
        return name if _is_told(name) and not is_headline else ""
    return ""


def _find_lines(text: str, check: Callable[[], None]) -> Iterator[int]:
    """Where the lines start that may begin with a name."""
    for begin in range(0, len(text), _CHARS_BETWEEN_CHECKS):
        check()
        end = begin + _CHARS_BETWEEN_CHECKS
        for match in _BEGIN_OF_LINE.finditer(text, begin, end + _MARKS + 1):
            if begin <= match.start() < end:
                yield match.start()


def _is_free(above: str) -> bool:
    """Whether a sentence may begin in a line, by what stands above it."""
    before = above.splitlines()[-1].strip() if above else ""
    return len(before) < _MIN_WIDTH or ends_sentence(before) or before[-1:] in _BROKEN_OFF


def _choose(names: Iterable[str]) -> dict[str, str]:
    """Names that are speakers' -> the first spelling of each; none where the text is no transcript."""
    spelt: dict[str, str] = {}
    counts = Counter[str]()
    for name in names:
        spelt.setdefault(name.casefold(), name)
        counts[name.casefold()] += 1
    found = {key: name for key, name in spelt.items() if counts[key] > 1 or _is_sure(name)}
    comes_again = any(counts[key] > 1 and (_is_sure(name) or name.isupper()) for key, name in found.items())
    is_transcript = comes_again or sum(map(_has_title, found.values())) > 1
    n_turns = sum(counts[key] for key in found)
    return found if len(found) > 1 and n_turns >= MIN_TURNS and is_transcript else {}


def _shorten(name: str) -> str:
    """What a name with brackets may come back as: `Jane Doe (Leeds East) (Lab)` and `The Prime Minister (Jane Doe)`."""
    before, _, within = name.partition("(")
    return within.partition(")")[0] if before.casefold().startswith("the ") else before.strip()


def _find_again(
    turns: list[tuple[int, str]], bare: list[tuple[int, str]], check: Callable[[], None]
) -> list[tuple[int, str]]:
    """The lines that may each be a headline, and are names since they come again."""
    counts = Counter(words.casefold() for _, words in [*turns, *bare])
    again = {words for _, words in bare if counts[words.casefold()] > 1}
    names = {}
    for number, words in enumerate(again):
        if number % _NAMES_BETWEEN_CHECKS == 0:
            check()
        names[words] = _read_name(words, is_whole=True, comes_again=True)
    return [(start, name) for start, words in bare if (name := names.get(words, ""))]


def find_turns(text: str, check: Callable[[], None]) -> list[tuple[int, str]]:
    """Find the lines of a transcript at which somebody begins to speak.

    Such a line begins with a name and a colon (`Ms. HALVORSEN: Thank you`, `**Jane Doe (Party):** Thank you`,
    `SPEAKER_01: Thank you`), with a title, a name in capitals and a full stop (`Mr. JONES. I thank`), or is a name by
    itself: with a title, a seat and a party, or as it stood with these before; and the line before ends a sentence, or
    is short or blank. By itself a line such as `Chancellor Raises Taxes` is a name only where it comes again: it has
    more than one word behind an office. A text is a transcript where it has at least `MIN_TURNS` of them by two names,
    of which two have titles (Ms., Senator, Chair), or one comes again that is in capitals, of two words, or with a
    title: `Target:` and `Budget:` that come again are none.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        Where each line starts, and the name, spelt as where it stands first; empty where the text is no transcript.
    """
    turns, bare = [], []
    for number, start in enumerate(_find_lines(text, check)):
        if number == _MAX_LINES:
            return []
        if _is_free(text[max(0, start - _TAIL) : start]):
            line, *others = _LINE_END.split(text[start : start + 2 * _MAX_CHARS], maxsplit=1)
            is_whole = bool(others) or len(text) - start < 2 * _MAX_CHARS
            words = " ".join(line.split())
            words = leave_out_emphasis(words) if "](" in words else words  # [Jane Doe](/jane):
            if name := _read_name(words, is_whole=is_whole):
                turns.append((start, name))
            elif is_whole:
                bare.append((start, words.strip("*_#> ")))
    turns = sorted(turns + _find_again(turns, bare, check))
    # What comes back alone counts for the whole name. Not `Price Index (CPI):`, which is nobody's.
    whole = {_shorten(name): name for _, name in turns if "(" in name and _is_told(name)}
    again = [whole[words] for _, words in bare if words in whole and _is_sure(words)]
    chosen = _choose([*(name for _, name in turns), *again])
    shorter = {_shorten(name) for name in chosen.values() if "(" in name}
    named = {start: chosen[name.casefold()] for start, name in turns if name.casefold() in chosen}
    return sorted(({start: words for start, words in bare if words in shorter} | named).items())


class Spoken:
    """Where in a text words of cues stand. Nothing there is a heading, however short it is and however it ends."""

    def __init__(self, starts: Sequence[int] = ()) -> None:
        """Keep what is spoken.

        Args:
            starts: of the words of each line, in order.
        """
        self._starts = starts

    def holds(self, start: int, end: int) -> bool:
        """Say whether words of a cue stand within bounds.

        Args:
            start: of a piece of the text.
            end: of it.

        Returns:
            False in all texts that are no subtitles.
        """
        number = bisect_left(self._starts, start)
        return number < len(self._starts) and self._starts[number] < end


class Turns:
    """Who speaks where in one text, whose paragraphs come in order."""

    def __init__(self, turns: Sequence[tuple[int, str]], spoken: Spoken) -> None:
        """Begin before the first paragraph.

        Args:
            turns: as `find_turns` gives them.
            spoken: where cues are, nothing of which is a heading.
        """
        self._spoken = spoken
        self._starts = [start for start, _ in turns]
        self._names = [name for _, name in turns]
        self._section = ""
        self._before = self._least = -1

    def cut(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Cut a piece of the text where another begins to speak.

        Args:
            start: of the piece.
            end: of it.

        Yields:
            Bounds of its parts in order.
        """
        inner = self._starts[bisect_right(self._starts, start) : bisect_left(self._starts, end)]
        yield from pairwise([start, *inner, end])

    def is_turn(self, start: int, words: str, *, is_front: bool = False) -> bool:
        """Say whether a piece of the text is what somebody says: short as it may be, it is no heading.

        Args:
            start: of the piece, without space before it.
            words: all of it.
            is_front: whether it stands before all text, where "Chair: Ann Lee, professor" says who takes part.

        Returns:
            False where nothing stands behind the name; and where only names do, unless it is cut short ("We would --").
            True for words of cues, whoever says them.
        """
        if self._spoken.holds(start, start + len(words)):
            return True
        number = bisect_right(self._starts, start) - 1
        if number < 0 or start - self._starts[number] > _MARKS:
            return False
        name = self._names[number]
        begin = words.casefold().find(name.casefold())
        if not 0 <= begin <= _MARKS:
            return False
        said = words[begin + len(name) :]
        if words.endswith(_CUT_SHORT):
            return any(map(str.isalpha, said))
        return not is_front and any(word[0].islower() and word not in _SMALL for word in said.split())

    def find(self, start: int, section: str, words: str = "") -> str:
        """Find who speaks in a paragraph.

        Args:
            start: of the paragraph; no less than that of the one before.
            section: of it; whoever spoke in another speaks no more.
            words: all of it.

        Returns:
            The name; empty where nobody is known to, and for what minutes record between two turns.
        """
        if section != self._section:
            self._section, self._least = section, self._before
        self._before = start
        number = bisect_right(self._starts, start) - 1
        if _MINUTES.match(words):
            return ""
        return self._names[number] if number >= 0 and self._starts[number] > self._least else ""
