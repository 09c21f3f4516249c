"""Owns the report folders of `data curve` and `data audit`: JSON, one page, and the picture as a file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.drawing import as_file
from evaluation.output import write_whole
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
    write_whole(folder / figures_name, json.dumps(report, indent=2) + "\n")
    write_whole(folder / picture_name, as_file(plots[picture]))
    write_whole(folder / page_name, str(page) + "\n")
    return folder / page_name
