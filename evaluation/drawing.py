"""Owns how every drawing looks: ink, colours that the colour-blind tell apart, and SVG of the same bytes each time."""

import io
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1c2733", "#6b7785", "#dde3e9"
# Of Okabe and Ito's palette; each also has its own marker and dash, so that a grey print says the same.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#8E4585"
SERIES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":"))
_MOST_COLUMNS = 34
_LEAST_SIZE = 0.75  # to which a narrow page shrinks a drawing
# A name is what it says: `US$5 to US$10` is no formula, and one that cannot be set ended a run at its report (#5). For
# every drawing, also those of `bench`, which have a style of their own.
NAMES_AS_THEY_ARE: dict[Any, Any] = {"text.parse_math": False}
# Text stays text (small, selectable, in the page's font); a fixed salt keeps ids, and so the file, the same.
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "twohands",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    **NAMES_AS_THEY_ARE,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style while the block runs; also `to_svg` belongs into it."""
    import matplotlib as mpl

    # matplotlib only measures text (a glyph that it lacks as 1.15 em); the browser draws it, in a font that has it.
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        yield


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """Make an empty figure.

    Args:
        width_inches: of the whole.
        height_inches: of the whole.

    Returns:
        The figure, whose parts make room for one another.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def fit_name(name: str) -> str:
    """Shorten a name that would leave a drawing no room.

    Args:
        name: in any script.

    Returns:
        The name, or its beginning and an ellipsis, at most as wide as 34 letters, of which a Chinese one takes two.
    """
    n_columns = 0
    for place, character in enumerate(name):
        n_columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if n_columns > _MOST_COLUMNS:
            return name[: place - 1] + "…"  # in the place of the character before
    return name


def to_svg(figure: "Figure", description: str) -> str:
    """Write a figure as an element of a page.

    Args:
        figure: drawn.
        description: one sentence for those who cannot see it.

    Returns:
        An `<svg>` element, without the XML prologue.
    """
    from markupsafe import escape

    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    # On a telephone a page would show three panels at a third of their size: by this it scrolls them (#6).
    least = f"--least-width:{_LEAST_SIZE * figure.get_figwidth():.2f}in"
    head = f'<svg role="img" aria-label="{escape(description)}" style="{least}"'
    return text[text.index("<svg") :].replace("<svg", head, 1)


def as_file(svg: str) -> str:
    """Make an `<svg>` element a file of its own, on white.

    Args:
        svg: from `to_svg`.

    Returns:
        The content of an `.svg` file.
    """
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg.replace('style="', 'style="background:#fff;', 1)
