"""Owns what programs write around and into a text when they export it -> the same text, as long as it was, without."""

from collections.abc import Callable
from typing import NamedTuple

from twohands.blank_tags import blank_tags
from twohands.cues import blank_cues
from twohands.footnotes import blank_footnotes
from twohands.invisible import blank_invisible
from twohands.line_ends import use_common_line_ends
from twohands.page_edges import blank_page_edges
from twohands.speakers import Spoken


class Exported(NamedTuple):
    """A text without what programs wrote into it, and where in it cues of subtitles are spoken."""

    text: str
    spoken: Spoken


def blank_exported(text: str, check: Callable[[], None]) -> Exported:
    """Put spaces and line ends in the place of tags, times of subtitles, notes, edges of pages and other line ends.

    Spaces, too, in that of what nobody sees at the edges of lines.

    Args:
        text: the raw document.
        check: called every few milliseconds of work; raises to give up.

    Returns:
        A text of the same length, so that what is found in it stands there in the raw one.
    """
    check()
    text, spoken = blank_cues(blank_tags(blank_invisible(use_common_line_ends(text)), check), check)
    return Exported(blank_page_edges(blank_footnotes(text, check), check), spoken)
