"""Owns subtitles and transcripts with times -> the same text, as long as it was, without numbers and times.

A cue of a subtitle is a few words, and no paragraph. Knows nothing of paragraphs but how long one should be.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from twohands.ends import ends_with_stop
from twohands.notices import is_stage_direction
from twohands.speakers import NUMBERED, Spoken

MIN_CUES = 3
ENDED_WORDS = 60  # of cues, behind which a paragraph ends with the next sentence
OUTER_WORDS = 13  # behind a blank line and without a time, as many are no rest of a cue
MOST_WORDS = 120  # where no sentence ends, as in what a machine wrote down
MIN_REPEATED_SHARE = 1 / 4  # of lines, where captions roll up: each stays for another cue or two
MOST_ROLLED = 4  # lines that stay
MIN_STAMP_SHARE = 1 / 3  # of lines, where each time has its own
MAX_SENTENCES_SHARE = 2 / 3  # of lines below such times
MAX_LINE_CHARS = 80  # of words below such a time; longer lines are entries of a blog

_SEEN_CHARS = 100_000  # by which it is seen what a text is
_LINES_BETWEEN_CHECKS = 1000
_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{2}"
# Behind it only how the cue is set: "align:start". What else stands there is text.
_ARROW_LINE = (
    rf"[ \t]*+{_TIME}[.,]\d{{1,3}}[ \t]+-->[ \t]+{_TIME}[.,]\d{{1,3}}(?:[ \t]++\w{{1,20}}:[^\s]{{1,40}}+)*+[ \t]*+"
)
_ARROW = re.compile(rf"{_ARROW_LINE}[\r\n]*+")
_ARROWS = re.compile(rf"(?:\A|(?<=[\r\n])){_ARROW_LINE}(?=[\r\n]|\Z)")
# How a file of subtitles begins, and no article that quotes some: "WEBVTT is a format", and not "WEBVTT - Title".
_HEAD = r"WEBVTT(?=[ \t]*+[\r\n]|[ \t]++(?:-|FILE\b|\w{1,20}:))"
_BEGIN = re.compile(rf"\ufeff?[ \t\r\n]*+(?:{_HEAD}|(?:\d{{1,6}}[ \t]*+(?:\r\n|\r|\n))?{_ARROW_LINE}(?=[\r\n]|\Z))")
_ALONE = re.compile(rf"[ \t]*{_TIME}[ \t]*[\r\n]*")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]+\Z")
_BLOCK = re.compile(r"\ufeff?(?:WEBVTT|NOTE|STYLE|REGION)(?=\s)")
# And not "growth <3% with debt >60%".
_TAG = re.compile(
    r"</?(?:b|c|font|i|lang|rt|ruby|s|span|u|v)(?=[\s.>/])[^<>\r\n]{0,80}>|<\d{1,3}:\d{2}[\d:.]{0,9}>|\{\\[^{}\r\n]{0,40}\}",
    re.IGNORECASE,
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]{1,40})?[ \t]+([^<>\r\n]{1,60})>")
_WORD = r"[^\W\d_a-z][^\s:<>\[\]()]*+"
_NAME = rf"(?:{NUMBERED}|{_WORD}(?:[ ]{_WORD}){{0,4}}+)"
_TURN = re.compile(rf"[ \t]*(?:(?P<mark>>>+|-)[ \t]*+)?(?P<name>{_NAME}:(?=\s))?")

_NL = r"(?>\r\n|\r|\n)"
_CLOCK = r"(?:\d{1,2}/\d{1,2}/\d{2,4},?[ ])?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:[ ]?[APap]\.?[Mm]\.?)?"
_STAMPED = re.compile(
    rf"(?:(?<=[\r\n])|\A)(?:[\[(]?{_CLOCK}[\])]?[ \t]+(?:[-\u2013][ ])?"
    rf"(?P<later>{_NAME})(?:(?P<colon>:)(?=[ \t])|[ \t]*{_NL})"
    rf"|(?P<first>{_NAME})[ \t]+[\[(]?{_CLOCK}[\])]?[ \t]*{_NL})"
)

# Within a line, as machines write down what they hear.
_HEARD = re.compile(
    r"\[[ \t]*(?:applause|cheer(?:s|ing)|crosstalk|inaudible|laugh(?:s|ter)|music|noise|silence|_{1,4})[ \t]*\]",
    re.IGNORECASE,
)
_MUSIC = "\u2669\u266a\u266b\u266c# \t"

Check = Callable[[], None]


def _blank(line: str) -> str:
    return " " * len(line)


def _read_words(line: str, voice: str) -> tuple[str, str]:
    """The words of a line of a cue, as long as it is, and who says them; named where that is another than before."""
    if found := _VOICE.search(line):
        name = found[1].strip()
        told = "" if name == voice else f"{name}:"
        line = line[: found.start()] + told.ljust(len(found[0])) + line[found.end() :]
        voice = name
    return _HEARD.sub(lambda match: _blank(match[0]), _TAG.sub(lambda match: _blank(match[0]), line)), voice


def _is_beside(words: str, *, is_ended: bool) -> bool:
    """Whether what stands behind a blank line without a time is a paragraph, and not the rest of a cue."""
    return is_ended or len(words.split()) >= OUTER_WORDS


def _sort_lines(lines: list[str], is_time: Callable[[str], object], check: Check) -> Iterator[tuple[str, bool | None]]:
    """Lines, and of those with words whether they are of a cue: a time stands above, and no blank line between."""
    is_block, is_of_cue, is_behind_blank, is_behind_stamp = False, True, True, False
    for number, line in enumerate(lines):
        if number % _LINES_BETWEEN_CHECKS == 0:
            check()
        if not line.strip():
            # A space in the place of a first line is of the cue: YouTube sets it so.
            if not (is_behind_stamp and line.rstrip("\r\n")):
                is_block, is_of_cue, is_behind_blank = False, False, True
            yield line, None
            continue
        is_block = is_block or (is_behind_blank and _BLOCK.match(line) is not None)
        is_number = is_behind_blank and number + 1 < len(lines) and bool(is_time(lines[number + 1]))
        is_behind_stamp = is_stamp = bool(is_time(line))
        has_words = not (is_block or is_number or is_stamp)
        yield line, is_of_cue if has_words else None
        is_of_cue, is_behind_blank = is_of_cue or is_stamp or has_words, False


def _find_repeated(lines: list[str], is_time: Callable[[str], object], check: Check) -> set[int]:
    """Numbers of the lines that a cue begins with and the one before ends with, as in captions that roll up.

    None where they are few: somebody may say a thing twice.
    """
    repeated: set[int] = set()
    above: list[list[str]] = []  # the words of the lines of the cue before
    held: list[tuple[int, list[str]]] = []
    n_lines = 0
    for number, (line, is_of_cue) in enumerate(chain(_sort_lines(lines, is_time, check), [("", None)])):
        if is_of_cue is not None:
            held.append((number, _TAG.sub("", line).split()))
        elif held and (number == len(lines) or is_time(line)):
            words = [each for _, each in held]
            n_most = min(len(words), len(above), MOST_ROLLED)
            n_same = next((n for n in range(n_most, 0, -1) if words[:n] == above[-n:]), 0)
            repeated.update(place for place, _ in held[:n_same])
            n_lines += len(held)
            above, held = words, []
    return repeated if len(repeated) >= max(MIN_CUES, MIN_REPEATED_SHARE * n_lines) else set()


def _find_turn(words: str) -> tuple[int, bool]:
    """How many characters mark that somebody else begins to speak, and whether these or a name say so."""
    turn = _TURN.match(words)
    n_mark = max(turn.end("mark"), 0) if turn else 0
    return n_mark, n_mark > 0 or bool(turn and turn["name"])


def _is_unsaid(words: str) -> bool:
    """Whether words are none that anybody says: "[applause]", and notes of music."""
    return not words.strip(_MUSIC) or is_stage_direction(words.strip(), len(words.split()))


def _read_cues(lines: list[str], is_time: Callable[[str], object], check: Check) -> Iterator[tuple[str, str, bool]]:
    """Lines as long as they are: what is blank, with a blank line where a paragraph begins, words, if of a cue."""
    held = voice = ""  # what is blank since the last words, and who said these
    n_words = 0
    is_ended = is_outer = False
    repeated = _find_repeated(lines, is_time, check)
    for number, (line, is_of_cue) in enumerate(_sort_lines(lines, is_time, check)):
        if is_of_cue is None or number in repeated:
            held += _blank(line)
            continue
        words, voice = _read_words(line.rstrip("\r\n"), voice)
        n_mark, is_turn = _find_turn(words)
        if _is_unsaid(words[n_mark:]):
            held += _blank(line)
            continue
        held += _blank(words[:n_mark])
        was_outer, is_outer = is_outer, not is_of_cue and _is_beside(words, is_ended=is_ended)
        if is_turn or is_outer or was_outer or n_words >= (ENDED_WORDS if is_ended else MOST_WORDS):
            held = f"{held[:-2]}\n\n" if len(held) > 1 else "\n" * len(held)
            n_words = 0
        yield held, words[n_mark:], is_of_cue
        held = _blank(line[len(words) :])
        n_words += len(words.split())
        is_ended = ends_with_stop(words.rstrip())
    yield held, "", False


def _put_together(lines: Iterator[tuple[str, str, bool]]) -> tuple[str, Spoken]:
    parts: list[str] = []
    starts: list[int] = []
    n_chars = 0
    for blank, words, is_of_cue in lines:
        parts += blank, words
        n_chars += len(blank) + len(words)
        if is_of_cue:
            starts.append(n_chars - len(words.lstrip()))
    return "".join(parts), Spoken(starts)


def _has_times_alone(seen: str) -> bool:
    """Whether each time has a line for itself, and a few words the next one, as what players show beside a video."""
    lines = seen.strip().splitlines()
    n_times = sum(bool(_ALONE.fullmatch(line)) for line in lines)
    n_long = sum(len(line) > MAX_LINE_CHARS for line in lines)
    # Entries that are a sentence each are those of a blog, or verses, however short.
    words = [line for line in lines if line.strip() and not _ALONE.fullmatch(line)]
    if sum(
        ends_with_stop(line.rstrip()) and not line.lstrip()[0].islower() for line in words
    ) >= MAX_SENTENCES_SHARE * len(words):
        return False
    return n_times >= 2 * MIN_CUES and n_times >= MIN_STAMP_SHARE * len(lines) and n_long <= n_times / 2


def _name_speakers(text: str) -> str:
    """Put names before the times that stand beside them, so that they begin turns."""
    names = Counter(match["later"] or match["first"] for match in _STAMPED.finditer(text, 0, _SEEN_CHARS))
    if sum(names.values()) < MIN_CUES or len(names) < 2 or max(names.values()) < 2:
        return text

    def put_first(match: re.Match[str]) -> str:
        name = match["later"] or match["first"]
        is_told = match["colon"] or names[name] > 1 or " " in name
        return f"{name}:".ljust(len(match[0])) if is_told else match[0]

    return _STAMPED.sub(put_first, text)


def blank_cues(text: str, check: Check) -> tuple[str, Spoken]:
    """Put spaces in the place of numbers, times and tags of subtitles, and begin paragraphs where a reader would.

    Those are where somebody else begins to speak, where a sentence ends behind some 60 words, and behind 120 words
    where none does. Elsewhere times beside names are put behind these, so that the names begin turns (`speakers.py`).

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length, the one that was given where it has no such times; and where cues are spoken in it.
    """
    seen = text[:_SEEN_CHARS]
    if ":" not in seen:
        return text, Spoken()
    if "-->" in seen and len(_ARROWS.findall(seen)) >= (1 if _BEGIN.match(seen) else MIN_CUES):
        return _put_together(_read_cues(_LINE.findall(text), _ARROW.fullmatch, check))
    if _has_times_alone(seen):
        return _put_together(_read_cues(_LINE.findall(text), _ALONE.fullmatch, check))
    return _name_speakers(text), Spoken()
