"""Owns the summary of `twohands classify`: of the answers as they come, or of those that an earlier run wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twohands.commands.classify_checks import SummaryFile
from twohands.printable import make_printable

if TYPE_CHECKING:
    from twohands.bulk import Answer
    from twohands.bulk_summary import Summaries
    from twohands.examples import Row
    from twohands.outputs import Column
    from twohands.taxonomy import Taxonomy


def open_summaries(wanted: SummaryFile | None, taxonomy: "Taxonomy") -> "tuple[Summaries | None, list[Column]]":
    """Where documents are summed up, if that is wanted, and the columns of a table."""
    from twohands.bulk_summary import Summaries, summary_columns

    if wanted is None:
        return None, []
    return Summaries(taxonomy), [] if wanted.format == "jsonl" else summary_columns(taxonomy)


@contextmanager
def write_summary(
    wanted: SummaryFile | None, summaries: "Summaries | None", columns: "list[Column]", *, remedy: str
) -> Iterator[None]:
    """Have the summaries in place once the block ends, and not at all where it fails."""
    if wanted is None or summaries is None:
        yield
        return
    from twohands.journal import open_whole
    from twohands.outputs import encode_line, write_file

    with open_whole(wanted.path, remedy=remedy) as path:
        rows = summaries.rows(is_series=wanted.by is not None)
        write_file(path, wanted.format, map(encode_line, rows), columns)
        yield


def tell_summary(summary: SummaryFile, summaries: "Summaries") -> list[str]:
    """Say what there is of it, in lines."""
    lines = []
    if summary.by is not None and summaries.is_without_value:
        lines.append(f"no row has anything in {summary.by!r}, so that all are summed up in one")
    lines += [f"two rows are called {name!r}: a file and a group" for name in summaries.repeated]
    n_rows = summaries.n_documents
    return [*lines, f"summed up in {n_rows} row{'s'[: n_rows != 1]}; written to {summary.path}"]


def _add_by_cells(
    answered: "Iterator[tuple[Path, Row, Answer]]", summaries: "Summaries", summary: SummaryFile
) -> list[str]:
    """Sum answers up by what stands beside them; give the names of documents that several files of answers have."""
    from twohands.errors import FileReadError
    from twohands.items import name_document

    has_column = summary.by is None
    row = None
    first_in: dict[str, Path] = {}
    repeated: dict[str, None] = {}
    for path, row, answer in answered:
        has_column |= summary.by in row.cells
        text = row.cells.get("text")
        name = row.cells.get("document") if summary.by is None else None
        if name and first_in.setdefault(str(name), path) != path:
            repeated[str(name)] = None
        under = (str(name), False) if name else name_document(row, summary.by, str(path))
        summaries.add(under, len(text.split()) if isinstance(text, str) else None, answer)
    if row is not None and not has_column:
        raise FileReadError(
            f"no answer has {summary.by!r} beside it; name the files that were classified, whose rows have it: "
            f"twohands classify FILE --answers {path} --by {summary.by}"
        )
    return list(repeated)


def _add_by_items(
    answered: "Iterator[tuple[Path, Row, Answer]]", summaries: "Summaries", inputs: list[Path], **options: str | None
) -> None:
    """Sum answers up by the rows and documents that they answer."""
    import itertools

    from twohands.errors import RunConflictError
    from twohands.items import read_items

    faults: list[str] = []
    items = read_items(inputs, faults, text_column=options["text_column"] or "", by=options["by"])
    for item, found in itertools.zip_longest(items, answered):
        place, named = (found[1].place, found[1].cells.get("id")) if found else ("the end of the answers", None)
        if item is None or found is None or str(named) != item.id:
            for _ in answered:  # a row whose cells were changed is left out: that is told of at the end, and first
                pass
            read = f"the files go on with {item.id!r}" if item else "the files have no more"
            raise RunConflictError(
                f"{place} has the id {str(named)[:60]!r}, and {read[:100]}; name the files that were classified, in "
                "the same order, as they were then"
            )
        summaries.add((item.document, item.is_shared), item.n_words, found[2])


def sum_up_answers(
    answers: tuple[Path, ...], *, model: str | None, inputs: list[Path] | None, text_column: str, summary: SummaryFile
) -> int:
    """Sum up what earlier runs answered; nothing is classified.

    Args:
        answers: files, as `classify` or the page wrote them.
        model: that which answered; None is the released one.
        inputs: what was classified, in that order; None takes what stands beside the answers.
        text_column: of rows in `inputs`.
        summary: what to write.

    Returns:
        The exit code.

    Raises:
        FileReadError: nothing is called as the column by which it is to be summed up.
        RunConflictError: the answers are not to these inputs.
    """
    from twohands.answer_files import read_answers
    from twohands.journal import hold_output
    from twohands.locate import find_model
    from twohands.manifest import load_manifest

    taxonomy = load_manifest(find_model(model))[0].taxonomy
    summaries, columns = open_summaries(summary, taxonomy)
    if summaries is None:
        raise TypeError("a summary is wanted")
    n_corrected = 0
    repeated: list[str] = []

    def read() -> "Iterator[tuple[Path, Row, Answer]]":
        nonlocal n_corrected
        for path in answers:
            for row, answer in read_answers(path, taxonomy):
                n_corrected += any(row.cells.get(f"corrected_{head.name}") for head in taxonomy.heads)
                yield path, row, answer

    with hold_output(summary.path):
        if inputs is None:
            repeated = _add_by_cells(read(), summaries, summary)
        else:
            _add_by_items(read(), summaries, inputs, text_column=text_column, by=summary.by)
        with write_summary(summary, summaries, columns, remedy=""):
            pass
    if n_corrected:
        answers_stand = "answer stands" if n_corrected == 1 else "answers stand"
        click.echo(f"{n_corrected} {answers_stand} beside a reader's correction; figures are the model's", err=True)
    # The page calls a text that was pasted in as any other.
    are_one = [f"{name!r} stands in several files of answers, and is summed up as one document" for name in repeated]
    for line in [*are_one, *tell_summary(summary, summaries)]:
        click.echo(make_printable(line), err=True)
    return 0
