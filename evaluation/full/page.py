"""Owns the files of a full report: `full.json`, the page that leads to all parts, the Markdown page for docs."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.full.parts import BASELINE, BEHAVIOUR, FIGURES, PEOPLE
from evaluation.full.summary import Section, write_markdown
from evaluation.output import write_whole
from evaluation.report import make_environment

REPORT_NAME = "full.json"
PAGE_NAME = "index.html"
_TEMPLATE = "full.html.j2"
_KINDS = {
    PEOPLE: "beside people who coded the same texts",
    BEHAVIOUR: "one behaviour at a time",
    BASELINE: "against a baseline, on the same rows",
    FIGURES: "figures, curves, slices, mistakes, damaged rows",
}
_SHORT = 12  # digits of a digest that pages and tables show
Json = Mapping[str, Any]


def _mark_up(text: str) -> Any:  # noqa: ANN401 - markupsafe's Markup, which comes with jinja2
    """The little Markdown that summaries hold, as HTML: everything is escaped first."""
    from markupsafe import Markup, escape

    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", marked))  # noqa: S704 - escaped in the line above


def render_index(report: Json, sections: Sequence[Section]) -> str:
    """Render the first page.

    Args:
        report: what `full.json` holds.
        sections: its tables.

    Returns:
        HTML that loads nothing from elsewhere.
    """
    environment = make_environment()
    environment.filters["prose"] = _mark_up
    return str(environment.get_template(_TEMPLATE).render(report=report, sections=sections, kinds=_KINDS)) + "\n"


def describe_origin(report: Json) -> str:
    """Say in a sentence what was measured and by what. The manifest's digest, which a card changes, is not in it.

    Args:
        report: what `full.json` holds.

    Returns:
        Markdown.
    """
    graphs = f"graph with sha256 `{report['graph_sha256'][:_SHORT]}…`"
    if (second := report["second"]) is not None:
        graphs += f", and if in doubt on {second['name']} {second['version']} (`{second['sha256'][:_SHORT]}…`)"
    packages = ", ".join(f"{package} {number}" for package, number in report["versions"].items())
    return (
        f"Measured by `{report['command_in_brief']}` on the {graphs}, "
        f"seed {report['seed']}, {report['n_replicates']} bootstrap draws; {packages}; on "
        f"{report['cpu']}. The same call on such a CPU gives the same figures."
    )


def write_docs_page(path: Path, report: Json, sections: Sequence[Section]) -> None:
    """Write the page for docs.

    Args:
        path: a Markdown file; replaced. It links to the page about measuring where that lies beside it, as in docs.
        report: what `full.json` holds.
        sections: its tables.

    Raises:
        FileWriteError: the file cannot be written.
    """
    model = report["model"]
    is_beside = (path.parent / "evaluation.md").is_file()
    explained = "[evaluation.md](evaluation.md)" if is_beside else "`docs/evaluation.md`"
    head = (
        f"# {model['name']} {model['version']}, measured\n\n"
        f"Written by `twohands report`, not by hand. {describe_origin(report)} What the figures mean and how they are "
        f"made: {explained}.\n\n" + "".join(f"{note}\n\n" for note in report["notes"])
    )
    write_whole(path, head + write_markdown(sections, level=2))


def rename_digest(folder: Path, files: Sequence[str], *, before: str, after: str) -> None:
    """Name the model in a report as it is called once its card was refreshed.

    A card is part of the manifest and so of the model's digest; graph, tokenizer and decisions, which figures hang on,
    are the same. What is written is what measuring again would write, without the minutes.

    Args:
        folder: of the report.
        files: paths in it.
        before: the digest that was measured.
        after: the digest of the same model with its new card.

    Raises:
        FileWriteError: a file cannot be written.
    """
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        renamed = text.replace(before, after).replace(before[:_SHORT], after[:_SHORT])
        if renamed != text:
            write_whole(folder / name, renamed)
