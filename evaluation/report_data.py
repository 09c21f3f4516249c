"""Owns the report folders of `data curve` and `data audit`: JSON, one page, and the picture as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.drawing import as_file
from evaluation.output import write_whole, write_with_page
from evaluation.report import make_environment


def name_outputs(kind: str) -> tuple[str, str, str]:
    """The files of a report: figures, page and picture."""
    return f"{kind}.json", f"{kind}.html", f"{kind}.svg"


def write_data_report(
    folder: Path, kind: str, report: Mapping[str, Any], plots: Mapping[str, str], *, picture: str
) -> Path:
    """Write the report of a data set.

    Args:
        folder: made if it is missing; other files of it are left alone.
        kind: `curve` or `audit`, which names template and files.
        report: what `--json` prints.
        plots: `<svg>` elements by the name that the template knows.
        picture: which of them is also written as a file.

    Returns:
        The page.

    Raises:
        FileWriteError: a file cannot be written.
    """
    figures_name, page_name, picture_name = name_outputs(kind)
    page = make_environment().get_template(f"{kind}.html.j2").render(report=report, plots=plots)
    write_whole(folder / picture_name, as_file(plots[picture]))
    return write_with_page(folder, report, str(page) + "\n", names=(figures_name, page_name))
