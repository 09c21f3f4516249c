"""Owns the table of leave-one-source-out: macro-F1 with intervals, and the paired difference from in-domain."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from training.loso import Answers, Source
from training.paired import draw_macro_f1
from twohands.examples import Example
from twohands.taxonomy import Taxonomy

ALL = "**all of these**"
Json = dict[str, object]


def measure_source(
    examples: Sequence[Example], by_model: Mapping[str, Answers], taxonomy: Taxonomy, *, seed: int
) -> dict[str, Json]:
    """Measure one or two models on the same rows.

    Args:
        examples: rows of one source; at least one.
        by_model: answers by the name of the model; with two, the second is compared with the first.
        taxonomy: the heads.
        seed: of the bootstrap over documents; both models get the same draws.

    Returns:
        By head: `n_rows`, `labels` that occur in the rows, by model the macro-F1 over those labels, and `difference`
        (first less second) where there are two; `low` and `high` of a figure are None where fewer than 5 documents have
        one of the labels. A head without a labelled row is left out.
    """
    models = {
        model: {
            head.name: np.array([[name in answers[e.id][head.name] for name in head.label_names] for e in examples])
            for head in taxonomy.heads
        }
        for model, answers in by_model.items()
    }
    figures: dict[str, Json] = {}
    for head_name, drawn in draw_macro_f1(examples, models, taxonomy, seed=seed).items():
        entry: Json = {"n_rows": drawn.n_rows, "labels": drawn.labels}
        entry |= {name: drawn.bound(values) for name, values in drawn.by_model.items()}
        if len(drawn.by_model) == 2:
            first, second = drawn.by_model.values()
            entry["difference"] = drawn.bound(first - second)
        figures[head_name] = entry
    return figures


def summarise(
    groups: Sequence[Sequence[Source]],
    folds: Mapping[str, Answers],
    in_domain: Answers,
    taxonomy: Taxonomy,
    *,
    seed: int,
) -> list[Json]:
    """Measure every source that was left out, and their rows together.

    Args:
        groups: sources by the fold that left them out.
        folds: by source, the answers of the model that never saw it.
        in_domain: answers of the model that did, to the rows held out.
        taxonomy: the heads.
        seed: of the bootstrap.

    Returns:
        One object a source, the one with most rows first: `all` rows by the left-out model, `held_out` rows by both
        (null where there are none), `fold` counted from 1. The last object, `source` null, is of all of them together,
        each row answered by the model that never saw its source; left out where there is one source.
    """
    fold_of = {s.name: number for number, group in enumerate(groups, start=1) for s in group if s.name in folds}
    sources = [source for group in groups for source in group if source.name in folds]
    sources.sort(key=lambda source: (-len(source.rows), source.name))

    def measure(rows: Sequence[Example], held_out: Sequence[Example]) -> Json:
        given = {e.id: folds[e.source][e.id] for e in rows}
        both = {"left_out": given, "in_domain": in_domain}
        return {
            "n_rows": len(rows),
            "n_held_out": len(held_out),
            "all": measure_source(rows, {"left_out": given}, taxonomy, seed=seed),
            "held_out": measure_source(held_out, both, taxonomy, seed=seed) if held_out else None,
        }

    table: list[Json] = [
        {"source": source.name, "fold": fold_of[source.name], **measure(source.rows, source.held_out)}
        for source in sources
    ]
    if len(sources) > 1:
        rows, held_out = [e for s in sources for e in s.rows], [e for s in sources for e in s.held_out]
        table.append({"source": None, "fold": None, **measure(rows, held_out)})
    return table


def _cell(entry: object, model: str) -> str:
    figure = entry.get(model) if isinstance(entry, dict) else None
    if not isinstance(figure, dict):
        return "-"
    sign = "+" if model == "difference" else ""
    told = f"{figure['value']:{sign}.2f}"
    return told if figure["low"] is None else f"{told} [{figure['low']:{sign}.2f}, {figure['high']:{sign}.2f}]"


def _lay_out(
    table: Sequence[Json], taxonomy: Taxonomy, *, held_out_split: str, in_domain: str, passed_over: Mapping[str, str]
) -> str:
    """Markdown for people."""
    in_fold = Counter(row["fold"] for row in table)
    together = any(n > 1 for fold, n in in_fold.items() if fold is not None)
    heads = [head.name for head in taxonomy.heads]
    lines = [
        "# Leave one source out",
        "",
        "Macro-F1 over the labels that occur in the source's rows, with the 95% interval of a bootstrap over "
        "documents (from 5 on that have each label). Left out: trained, selected and calibrated without the source. "
        f"In domain: {in_domain}. Difference: left out less in domain, on the same rows and draws.",
        "",
        "## All rows of the source",
        "",
        "| source | rows |" + " fold |" * together + "".join(f" {head} |" for head in heads),
        "| --- | --- |" + " --- |" * (together + len(heads)),
    ]
    if together:
        lines[4:4] = ["Sources of one fold were left out together, by one run.", ""]
    for row in table:
        figures: dict[str, Json] = row["all"]  # type: ignore[assignment] # the table is JSON
        cells = [_cell(figures.get(head), "left_out") for head in heads]
        fold = f" {row['fold'] or ''} |" if together else ""
        lines.append(f"| {row['source'] or ALL} | {row['n_rows']} |{fold} {' | '.join(cells)} |")
    for head in heads:
        lines += [
            "",
            f"## Its rows in {held_out_split}: {head}",
            "",
            "| source | rows | left out | in domain | difference |",
            "| --- | --- | --- | --- | --- |",
        ]
        for row in table:
            held_out: dict[str, Json] = row["held_out"] or {}  # type: ignore[assignment] # the table is JSON
            cells = [_cell(held_out.get(head), model) for model in ("left_out", "in_domain", "difference")]
            lines.append(f"| {row['source'] or ALL} | {row['n_held_out']} | {' | '.join(cells)} |")
    if held_out_split == "dev":
        lines += ["", "The in-domain model was selected and calibrated on these rows, which flatters it."]
    if passed_over:
        lines += ["", "Not left out:", *(f"- {name}: {reason}" for name, reason in passed_over.items())]
    return "\n".join(lines) + "\n"


def write_tables(
    folder: Path,
    groups: Sequence[Sequence[Source]],
    folds: Mapping[str, Answers],
    in_domain: Answers,
    taxonomy: Taxonomy,
    *,
    seed: int,
    held_out_split: str,
    described: str,
    passed_over: Mapping[str, str],
) -> str:
    """Write `loso.json` and `loso.md`.

    Args:
        folder: where to.
        groups: sources by the fold that left them out.
        folds: by source, the answers of the model that never saw it; those without are left out.
        in_domain: answers of the model that learnt from all sources.
        taxonomy: the heads.
        seed: of the bootstrap.
        held_out_split: which rows both models are compared on, `test` or `dev`.
        described: what the in-domain model is.
        passed_over: sources that were not left out, with the reason.

    Returns:
        The Markdown.
    """
    table = summarise(groups, folds, in_domain, taxonomy, seed=seed)
    content = {"held_out_split": held_out_split, "in_domain": described, "passed_over": passed_over, "sources": table}
    (folder / "loso.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    text = _lay_out(table, taxonomy, held_out_split=held_out_split, in_domain=described, passed_over=passed_over)
    (folder / "loso.md").write_text(text, encoding="utf-8")
    return text
