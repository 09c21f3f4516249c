"""Owns the command `agreement`: options in, one report of people and model out."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click

from evaluation.agreement.codings import Scale
from evaluation.agreement.figures import check_agreement_extra
from evaluation.agreement.measure import measure_agreement, note_limits
from evaluation.agreement.page import PAGE_NAME, REPORT_NAME, render_page
from evaluation.agreement.reading import DEFAULT_GROUP, DEFAULT_ITEM, Layout, read_codings
from evaluation.agreement.tables import print_agreement
from evaluation.checklist.run import answer_texts
from evaluation.options import (
    JSON,
    PATH,
    REPLICATES,
    THREADS,
    VariadicCommand,
    describe_command,
    list_versions,
    seed_option,
    tell_figures,
)
from evaluation.output import check_outputs, list_model_files, write_with_page
from evaluation.progress import show_progress
from evaluation.report import check_report_extra
from twohands.classifier import Classifier
from twohands.cpu import describe_cpu
from twohands.errors import UnknownHeadError
from twohands.examples import expand_paths
from twohands.locate import find_config
from twohands.prediction import OneOf
from twohands.taxonomy import Head, ProblemType, Taxonomy, load_taxonomy

Json = dict[str, object]

_EXAMPLE = """\b
Wide, a column for each annotator or panel, labels or numbers:
  twohands agreement --data windows.jsonl --annotators panel_1 panel_2 \\
    --scale market-led,neutral,state-led --cut 1/3

\b
Nested, a list of {"coder", "code"} in each row; neighbours give context:
  twohands agreement --data sentences.jsonl --codes coders \\
    --annotator coder --label code --text before text after \\
    --scale market-led,neutral,state-led

\b
Long, a row for each code, columns id, text, annotator and stance:
  twohands agreement --data codes.csv --head stance --report out
"""


def _choose_head(taxonomy: Taxonomy, name: str | None) -> Head:
    heads = {head.name: head for head in taxonomy.heads}
    if name is None:
        return taxonomy.heads[0]
    if name not in heads:
        raise UnknownHeadError(f"there is no head {name!r}; heads: {', '.join(heads)}")
    return heads[name]


def _read_scale(scale: str | None, cut: str, head: Head) -> Scale | None:
    if scale is None:
        return None
    labels = tuple(label.strip() for label in scale.split(","))
    if head.problem_type is not ProblemType.ONE_OF or len(labels) != 3 or set(labels) != set(head.label_names):
        raise click.BadParameter(
            f"{scale!r}; expected the three labels of a one-of head in order, low,middle,high. Head {head.name} has "
            f"{', '.join(head.label_names)}",
            param_hint="--scale",
        )
    try:
        at = float(Fraction(cut))
    except (ValueError, ZeroDivisionError):
        at = 0.0
    if not 0 < at <= 1:
        raise click.BadParameter(f"{cut!r}; expected a number above 0 and up to 1, such as 1/3", param_hint="--cut")
    return Scale((labels[0], labels[1], labels[2]), at)


def _answer(classifier: Classifier, texts: list[str], head: Head) -> list[tuple[str, ...]]:
    unique = list(dict.fromkeys(texts))
    with show_progress("answering", len(unique)) as advance:
        answers = answer_texts(classifier, unique, advance=advance)
    found = [answers[text][head.name] for text in texts]
    return [(answer.label,) if isinstance(answer, OneOf) else tuple(answer.labels) for answer in found]


def _refuse_mixed(*, columns: Sequence[Path], others: Sequence[str | None], model: str | None, no_model: bool) -> None:
    if columns and any(others):
        raise click.UsageError(
            "--annotators names the columns of a wide file; it goes without --codes, --label, --panel"
        )
    if model is not None and no_model:
        raise click.UsageError("give --model or --no-model")


def _read_where(pairs: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The values that rows must have; a value may hold the sign that parts it from its column."""
    parted = [pair.partition("=") for pair in pairs]
    for column, sign, value in parted:
        if not column or not sign:
            raise click.BadParameter(
                f"{column + sign + value!r}; expected COLUMN=VALUE, as in year=1987", param_hint="--where"
            )
    return tuple((column, value) for column, _, value in parted)


def _lay_out(
    head: Head,
    *,
    item: str,
    group: str,
    texts: Sequence[Path],
    columns: Sequence[Path],
    codes: str | None,
    annotator: str,
    label: str | None,
    panel: str | None,
    where: Sequence[str],
) -> Layout:
    return Layout(
        item=item,
        group=group,
        texts=tuple(map(str, texts)) or ("text",),
        columns=tuple(map(str, columns)),
        codes=codes,
        annotator=annotator,
        label=label or head.name,
        panel=panel,
        where=_read_where(where),
    )


def check_call(words: Sequence[str], taxonomy: Taxonomy) -> list[Path]:
    """Read whatever a call would read, without the model: its options and its files.

    Args:
        words: of the command line.
        taxonomy: of the model.

    Returns:
        The files, which no output may replace.

    Raises:
        UsageError: an option is unknown or wrong.
        UnknownHeadError: the model has no such head.
        FileReadError: a file is missing or of an unknown kind.
        DataError: a code or a text cannot be read.
    """
    with agreement.make_context("agreement", list(words)) as ctx:
        given = ctx.params
        columns, others = given["columns"], [given[name] for name in ("codes", "panel", "label")]
        _refuse_mixed(columns=columns, others=others, model=given["model"], no_model=given["no_model"])
        head = _choose_head(taxonomy, given["head_name"])
        names = ("item", "group", "texts", "columns", "codes", "annotator", "label", "panel", "where")
        layout = _lay_out(head, **{name: given[name] for name in names})
        scale = _read_scale(given["scale"], given["cut"], head)
        read_codings(given["data"], layout=layout, head=head, scale=scale, with_texts=True)
        return expand_paths(given["data"])


@click.command(cls=VariadicCommand, epilog=_EXAMPLE)
@click.option(
    "--data",
    type=PATH,
    multiple=True,
    required=True,
    metavar="FILE...",
    help="Coded JSONL, CSV, TSV, Parquet, or folders.",
)
@click.option("--model", metavar="DIR", help="Model folder or name; default: the released model.")
@click.option("--no-model", is_flag=True, help="People only.")
@click.option("--head", "head_name", metavar="NAME", help="Whose labels were given; default: the model's first head.")
@click.option(
    "--annotators", "columns", multiple=True, type=PATH, metavar="COLUMN...", help="Wide layout: one column each."
)
@click.option("--codes", metavar="COLUMN", help="Nested layout: the column with the list of codes.")
@click.option("--annotator", default="annotator", show_default=True, metavar="KEY", help="Long, nested: who coded.")
@click.option("--label", metavar="KEY", help="Long, nested: the code; default: the head's name.")
@click.option("--panel", metavar="KEY", help="Long, nested: codes with one value here speak as one annotator.")
@click.option("--item", default=DEFAULT_ITEM, show_default=True, metavar="COLUMN", help="Names the item.")
@click.option("--group", default=DEFAULT_GROUP, show_default=True, metavar="COLUMN", help="The item's document.")
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    metavar="COLUMN...",
    help="What the model reads, joined.  [default: text]",
)
@click.option(
    "--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; repeatable: all of them."
)
@click.option("--scale", metavar="LOW,MIDDLE,HIGH", help="Order of three labels; numbers from -1 to 1 lie on it.")
@click.option(
    "--cut", default="1/3", show_default=True, help="On the scale, a mean is LOW or HIGH from here on, inclusive."
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Of the stand-in test: 0.1 for crowds, 0.2 for experts.",
)
@click.option("--report", type=PATH, metavar="DIR", help="Also write agreement.json and agreement.html there.")
@JSON
@seed_option("the bootstrap draws")
@REPLICATES
@THREADS
@click.pass_context
def agreement(
    ctx: click.Context,
    *,
    data: tuple[Path, ...],
    model: str | None,
    no_model: bool,
    head_name: str | None,
    columns: tuple[Path, ...],
    codes: str | None,
    annotator: str,
    label: str | None,
    panel: str | None,
    item: str,
    group: str,
    texts: tuple[Path, ...],
    where: tuple[str, ...],
    scale: str | None,
    cut: str,
    epsilon: float,
    report: Path | None,
    as_json: bool,
    seed: int,
    replicates: int,
    threads: int | None,
) -> None:
    """Set a model beside people: does it agree with them as they do with one another?

    Among people: Krippendorff's alpha (any number of annotators, any gaps), Cohen's kappa, accuracy and F1 of each
    pair, and each code against what all others say of the item: the mean on --scale, else the majority. The model is
    set against the same others on the same items; the difference has a 95% interval from a paired bootstrap over
    groups (documents). A label that says "no side" counts like any other; `same side` is of items where both take
    one. For an any-of head each label is a question of its own.

    The stand-in test (alternative-annotator test) asks of each annotator with 30 items or more, of 5 documents or
    more, whether the model has as many of the others behind it, less epsilon. It takes items as independent.

    An annotator's second code of an item is not counted. Empty cells, null and NaN are no code. Numbers on
    --scale lie from -1 to 1; others are refused. Dotted names go into objects: experts.sign.
    --where compares with the cell as it is printed; true and false as in JSON.
    """
    _refuse_mixed(columns=columns, others=(codes, panel, label), model=model, no_model=no_model)
    check_agreement_extra()
    if report is not None:
        check_report_extra()
    outputs = [] if report is None else [report / REPORT_NAME, report / PAGE_NAME]
    check_outputs(outputs, [*expand_paths(data), *([] if no_model else list_model_files(model))])
    classifier = None if no_model else Classifier.load(model, num_threads=threads)
    try:
        taxonomy = classifier.taxonomy if classifier else load_taxonomy(find_config("taxonomy"))
        head = _choose_head(taxonomy, head_name)
        on_scale = _read_scale(scale, cut, head)
        layout = _lay_out(
            head,
            item=item,
            group=group,
            texts=texts,
            columns=columns,
            codes=codes,
            annotator=annotator,
            label=label,
            panel=panel,
            where=where,
        )
        read = read_codings(data, layout=layout, head=head, scale=on_scale, with_texts=classifier is not None)
        answers = None
        if classifier is not None:
            answers = _answer(classifier, [each.text or "" for each in read.codings.items], head)
    finally:
        if classifier is not None:
            classifier.close()
    measured: Json = {
        "model": None if classifier is None else classifier.identity,
        "head": head.name,
        "variables": measure_agreement(read.codings, answers, n_replicates=replicates, seed=seed, epsilon=epsilon),
        "data": read.describe(),
        "n_replicates": replicates,
        "seed": seed,
        "notes": [
            *(f"Only rows whose {column} is {value}." for column, value in read.where),
            *note_limits(read.codings, answers, n_repeated=read.n_repeated, n_tied=read.n_tied),
            *read.notes,
        ],
        "cpu": describe_cpu(),
        "versions": list_versions("krippendorff", "scipy"),
        "command": describe_command(ctx),
    }
    page = None
    if report is not None:
        page = write_with_page(report, measured, render_page(measured), names=(REPORT_NAME, PAGE_NAME))
    tell_figures(measured, print_agreement, as_json=as_json, page=page)
