"""Owns what a full report says in brief: tables of its parts' figures, and how they are written as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.agreement.tables import say_verdict
from evaluation.checklist.measure import count_held
from evaluation.dataset import HALVED
from evaluation.full.parts import BASELINE, BEHAVIOUR, FIGURES, PEOPLE, Part
from evaluation.robustness.show import say_draws, show_sd
from evaluation.tables import list_labels, never_abstains, say_calibration, show_figure, show_number, show_p

Json = Mapping[str, Any]
_BRACKETS = "In brackets: 95% intervals"
_HALVED = "Without --dev, one half of the documents of --data tunes the baselines and the other measures."
BEYOND_CHANCE = "held beyond chance"


@dataclass(frozen=True, slots=True)
class Section:
    """One table with what must be read beside it; the first column is words."""

    title: str
    lead: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    after: tuple[str, ...] = ()


def _summarise_figures(found: Json) -> list[Section]:
    files = ", ".join(
        f"`{Path(file['name']).name}` (sha256 `{file['sha256'][:12]}…`)" for file in found["data"]["files"]
    )
    heads = found["heads"]
    titles = {"macro_f1": "macro-F1", "accuracy": "accuracy", "mcc": "MCC", "ece": "calibration error"}
    titles["ece_by_chance"] = "calibration error by chance"
    rows = [(title, *(show_figure(head[key]) for head in heads.values())) for key, title in titles.items()]
    by_label = [
        (name, *(show_figure(label[key]) for key in ("precision", "recall", "f1")), f"{label['support']:,}")
        for head in heads.values()
        for name, label in list_labels(head).items()
    ]
    notes = [
        f"{name}: it never abstains."
        if never_abstains(head)
        else f"{name}: below a score of {show_number(head['abstention']['level'])} it abstains. It answers "
        f"{show_figure(head['abstention']['coverage'])} of the rows, and of these "
        f"{show_figure(head['abstention']['accuracy'])} are right."
        for name, head in found["heads"].items()
        if head.get("abstention")
    ]
    notes.append(
        "Calibration error by chance: what these rows would show were every score exactly right (mean, 95% of draws). "
        "The measured one is biased upwards; one within that range would be seen by chance. "
        f"{'; '.join(f'{name}: {say_calibration(head)}' for name, head in heads.items())}."
    )
    lead = f"{found['n']} rows of {found['data']['n_groups']} documents: {files}. {_BRACKETS}, whole documents drawn."
    sections = [
        Section("Figures", lead, ("", *heads), rows, (*notes, *found["notes"])),
        Section("Labels", "On the same rows.", ("label", "precision", "recall", "F1", "rows"), by_label),
    ]
    if found.get("robustness"):
        sections.append(_summarise_damage(found))
    return sections


def _summarise_damage(found: Json) -> Section:
    heads, conditions = list(found["heads"]), found["robustness"]["conditions"]

    def show_change(part: Json) -> str:
        change, sd = show_figure(part["difference"], is_signed=True), show_sd(part)
        return change if sd == "-" else f"{change} ±{sd}"

    rows = [(name, *(show_change(part["heads"][head]) for head in heads)) for name, part in conditions.items()]
    countries = found["robustness"]["countries"]
    if countries is None:
        after = "No row names a country that can be swapped."
    else:
        flips = "; ".join(f"{head} {show_figure(part['flipped'])}" for head, part in countries["heads"].items())
        after = (
            f"Another country's name in {countries['n_rows']} rows, {countries['n_texts']} texts: share of answers "
            f"that flip: {flips}."
        )
    headings = ("rows", *(f"{head} macro-F1, change" for head in heads))
    lead = f"The same rows, damaged; the change from the rows as they are. {_BRACKETS} of the change. "
    lead += say_draws(found["robustness"]).replace("sd:", "±:")
    return Section("Damaged rows, other countries", lead, headings, rows, (after,))


def _find_bar(found: Json, capability: str, head: str) -> tuple[str, str]:
    for gate in found["gates"]:
        if (gate["capability"], gate["head"], gate["on"]) == (capability, head, "suite"):
            held = BEYOND_CHANCE if gate["shown"] else "held"
            return show_number(gate["bar"], digits=2), held if gate["passed"] else "**missed**"
    return "", ""


def _summarise_behaviour(found: Json, *, is_brief: bool) -> Section:
    rows: list[tuple[str, ...]] = []
    for capability, measured in found["capabilities"].items():
        for head, counted in measured["heads"].items():
            bar, verdict = _find_bar(found, capability, head)
            if bar or not is_brief or not found["gates"]:  # own suites may set none
                rows.append(
                    (capability, head, show_figure(counted["failure_rate"]), f"{counted['n_checks']:,}", bar, verdict)
                )
    held = "no bar is set. "
    if found["gates"]:
        held = f"{count_held(found['gates'])}. Beyond chance: the interval's upper end, too. "
    lead = (
        f"`twohands checklist`: {found['n_checks']:,} checks, one behaviour at a time; {held}"
        f"{_BRACKETS}, checks of one case a cluster."
    )
    if any(file["is_shipped"] for file in found["suites"]["files"]):
        lead += " The suite is hard on purpose: its rates are not those of everyday text."
    headings = ("capability", "head", "fails", "of checks", "bar", "")
    return Section("Behaviour", lead, headings, rows, tuple(found["notes"]))


def _summarise_baselines(parts: Sequence[Part], found: Sequence[Json]) -> Section:
    rows: list[tuple[str, ...]] = [
        (
            f"`{part.title}`",
            head,
            show_figure(compared["macro_f1"]["b"]),
            show_figure(compared["macro_f1"]["difference"], is_signed=True),
            show_p(compared["macro_f1"]["difference"]["p_by_swaps"]),
        )
        for part, each in zip(parts, found, strict=True)
        for head, compared in each["heads"].items()
    ]
    first = found[0]
    own = ", ".join(f"{head} {show_figure(part['macro_f1']['a'])}" for head, part in first["heads"].items())
    lead = (
        f"On the same {first['n']} rows of {first['data']['n_groups']} documents, where the model has {own}. "
        f"{_BRACKETS}, by a paired bootstrap over documents, and p of the difference, by swapping documents"
        f"{'; p is not adjusted for the number of baselines and heads.' if len(rows) > 1 else '.'}"
    )
    # `compare` was called with --data as its --dev: its own words would blame the reader for what was given (#6).
    notes = dict.fromkeys(_HALVED if note == HALVED else note for each in found for note in each["notes"])
    return Section("Beside baselines", lead, ("", "head", "macro-F1", "model minus it", "p"), rows, tuple(notes))


def _summarise_people(parts: Sequence[Part], found: Sequence[Json]) -> Section:
    rows: list[tuple[str, ...]] = []
    verdicts, notes = [], []
    for part, each in zip(parts, found, strict=True):
        for name, variable in each["variables"].items():
            title = part.title if len(each["variables"]) == 1 else f"{part.title}: {name}"
            alpha, person = variable["people"]["alpha"]["nominal"], variable["people"]["one_against_rest"]
            model = variable["model"]
            apart = None if model["model_minus_person"] is None else model["model_minus_person"]["kappa"]
            rest = None if model["against_rest"] is None else model["against_rest"]["kappa"]
            cells = (None if person is None else person["kappa"], rest)
            rows.append((title, *map(show_figure, cells), show_figure(apart, is_signed=True)))
            verdicts.append(
                f"{title}: {each['data']['n_items']:,} items of {each['data']['n_groups']:,} documents, "
                f"{variable['people']['n_items_pairable']:,} of them coded by more than one. Krippendorff's alpha "
                f"among the people {show_figure(alpha)}. {say_verdict(model)}"
            )
        # Few documents make the intervals too narrow, and the verdicts above rest on them.
        notes += [f"{part.title}: {note}" for note in each["notes"]]
    lead = (
        f"Texts that people coded, each code beside what the other people say of it; kappa. {_BRACKETS} over documents."
    )
    headings = ("", "one person", "model", "model minus person")
    return Section("Beside people", lead, headings, rows, (*verdicts, *notes))


def summarise(parts: Sequence[Part], found: Sequence[Json], *, is_brief: bool = False) -> list[Section]:
    """Put the parts' figures into tables.

    Args:
        parts: of the report.
        found: what each measured.
        is_brief: of the checklist only what has a bar, as a card has room for.

    Returns:
        Figures, damage, behaviour, baselines, people, as far as they were measured.
    """
    by_kind: dict[str, list[tuple[Part, Json]]] = {}
    for part, each in zip(parts, found, strict=True):
        by_kind.setdefault(part.kind, []).append((part, each))
    sections = [section for _, each in by_kind.get(FIGURES, []) for section in _summarise_figures(each)]
    sections += [_summarise_behaviour(each, is_brief=is_brief) for _, each in by_kind.get(BEHAVIOUR, [])]
    for kind, summarise_all in ((BASELINE, _summarise_baselines), (PEOPLE, _summarise_people)):
        if kind in by_kind:
            of_kind, measured = zip(*by_kind[kind], strict=True)
            sections.append(summarise_all(of_kind, measured))
    return sections


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def write_markdown(sections: Sequence[Section], *, level: int) -> str:
    """Write tables as Markdown.

    Args:
        sections: in order.
        level: of their headings.

    Returns:
        Markdown.
    """
    lines: list[str] = []
    for section in sections:
        lines += [f"{'#' * level} {section.title}", section.lead, ""]
        lines.append(f"| {' | '.join(map(_escape, section.headings))} |")
        lines.append("| " + " | ".join(["---"] * len(section.headings)) + " |")
        lines += [f"| {' | '.join(map(_escape, row))} |" for row in section.rows]
        lines += [
            "",
            *(line for sentence in section.after for line in (f"- {sentence}",)),
            *([""] if section.after else []),
        ]
    return "\n".join(lines).rstrip() + "\n"
