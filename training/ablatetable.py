"""Owns the table of an ablation: each step less the base with the same seed, over rows and over seeds, beside minutes.

Tables and text are at most 80 columns wide, in the file as in a terminal.
"""

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from training.ablate import Answered, Run
from training.ablatesteps import BASE
from training.crossfit import N_FOLDS
from training.paired import N_REPLICATES, DrawnF1, Floats, draw_macro_f1
from training.room import make_whole
from twohands.examples import Example
from twohands.taxonomy import ProblemType, Taxonomy

Json = dict[str, Any]
_WIDTH = 80
_SEEDS_A_BLOCK = 4  # of a table of 80 columns, where a step's name has up to 16
_TAIL = 0.975


def bound_over_seeds(differences: Sequence[float]) -> Json:
    """Bound a mean over seeds by how far seeds are apart.

    Args:
        differences: step less base, one a seed.

    Returns:
        `n`, `sd`, and the 95% interval of the mean, `low` and `high`; all but `n` None from one seed, the interval also
        where all are alike.

    Source:
        Student 1908, *The probable error of a mean*: of 3 seeds it is 2.5 standard deviations to both sides.
    """
    n = len(differences)
    if n < 2:
        return {"n": n, "sd": None, "low": None, "high": None}
    mean, sd = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if math.isclose(sd, 0, abs_tol=1e-12):
        return {"n": n, "sd": sd, "low": None, "high": None}
    reach = float(student.ppf(_TAIL, n - 1)) * sd / math.sqrt(n)
    return {"n": n, "sd": sd, "low": mean - reach, "high": mean + reach}


def is_beyond_chance(rows: Mapping[str, float | None], seeds: Mapping[str, float | None]) -> bool | None:
    """Say whether a difference is further from 0 than rows and seeds together leave it in doubt.

    The doubts are independent, so the root of the sum of their squares counts. To ask that each interval lie on one
    side of 0 is too little: of steps without any effect 8 to 12% passed that in simulations of 5 and 10 seeds, and at
    most 5% pass this (`tests/training/test_ablate.py`).

    Args:
        rows: `value`, `low` and `high` over rows.
        seeds: `low` and `high` over seeds.

    Returns:
        None where one of the intervals is not known.
    """
    value, low, high = rows["value"], rows["low"], rows["high"]
    seeds_low, seeds_high = seeds["low"], seeds["high"]
    if value is None or low is None or high is None or seeds_low is None or seeds_high is None:
        return None
    reach = value - low if value > 0 else high - value
    return abs(value) > math.hypot(reach, (seeds_high - seeds_low) / 2)


def _measure_step(drawn: DrawnF1, step: str, seeds: Sequence[int]) -> Json:
    """One step in one head; over the seeds with which both it and the base have answered."""

    def of(name: str, seed: int) -> Floats:
        return drawn.by_model[f"{name}-{seed}"]

    own = [seed for seed in seeds if f"{step}-{seed}" in drawn.by_model]
    both = [seed for seed in own if f"{BASE}-{seed}" in drawn.by_model]
    measured: Json = {
        "by_seed": {str(seed): {"macro_f1": float(of(step, seed)[0])} for seed in own},
        "macro_f1": drawn.bound(np.mean([of(step, seed) for seed in own], axis=0)),
        "sd_over_seeds": bound_over_seeds([float(of(step, seed)[0]) for seed in own])["sd"],
    }
    if step == BASE or not both:
        return measured
    apart = {seed: of(step, seed) - of(BASE, seed) for seed in both}
    for seed, difference in apart.items():
        measured["by_seed"][str(seed)]["difference"] = float(difference[0])
    rows = drawn.bound(np.mean(list(apart.values()), axis=0))
    over_seeds = bound_over_seeds([float(difference[0]) for difference in apart.values()])
    return measured | {
        "difference": rows,
        "over_seeds": over_seeds,
        "is_beyond_chance": is_beyond_chance(rows, over_seeds),
    }


def measure(dev: Sequence[Example], answered: Mapping[tuple[str, int], Answered], taxonomy: Taxonomy) -> Json:
    """Measure what has been answered so far.

    Args:
        dev: the rows that all runs were asked about.
        answered: by step and seed; at least one.
        taxonomy: the heads.

    Returns:
        By head `n_rows`, `labels` that occur, and `steps`. Of each step `macro_f1` by seed, and its mean with the
        interval over rows and `sd_over_seeds`; and `difference` from the base with the same seed: by seed, its mean
        with `low` and `high` over rows (a bootstrap over documents, of the same draws for all), `over_seeds` as
        `bound_over_seeds`, and `is_beyond_chance`, by both intervals together (None where one is not known).
    """
    models = {f"{step}-{seed}": found.given for (step, seed), found in answered.items()}
    steps = list(dict.fromkeys(step for step, _ in answered))
    seeds = list(dict.fromkeys(seed for _, seed in answered))
    # Draws are the same for any seeds and steps, so that a table that grows changes nothing of what stood there.
    heads = draw_macro_f1(dev, models, taxonomy, seed=0)
    return {
        head: {
            "n_rows": drawn.n_rows,
            "labels": drawn.labels,
            "steps": {step: _measure_step(drawn, step, seeds) for step in steps},
        }
        for head, drawn in heads.items()
    }


def _mean_minutes(step: str, answered: Mapping[tuple[str, int], Answered]) -> float | None:
    known = [found.minutes for (name, _), found in answered.items() if name == step and found.minutes is not None]
    return sum(known) / len(known) if known else None


def _short(value: float, sign: str = "") -> str:
    """As .735, or +.012 with a sign."""
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.3f}"


def _between(bounds: Mapping[str, float | None]) -> str:
    low, high = bounds["low"], bounds["high"]
    return "-" if low is None or high is None else f"[{_short(low, '+')}, {_short(high, '+')}]"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown, the first row its head, with columns that stand under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * max(width, 3) for width in widths]
    return [
        "| " + " | ".join(cell.ljust(max(width, 3)) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (rows[0], rule, *rows[1:])
    ]


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _list_item(text: str) -> list[str]:
    return _wrap(f"- {text}", "  ")


def _lay_out_head(head: Json, minutes: Mapping[str, float | None]) -> list[str]:
    rows = [("step", "mean", "minus base, over rows", "over seeds", "min")]
    for name, step in head["steps"].items():
        taken = minutes[name]
        told = "-" if taken is None else f"{taken:.1f}" if taken < 100 else f"{taken:.0f}"
        difference = step.get("difference")
        if difference is None:
            sd = step["sd_over_seeds"]
            apart = "" if sd is None else f"sd {_short(sd)}"
            rows.append((name, _short(step["macro_f1"]["value"]), "", apart, told))
            continue
        apart = f"{_short(difference['value'], '+')} {_between(difference)}"
        rows.append((name, _short(step["macro_f1"]["value"]), apart, _between(step["over_seeds"]), told))
    steps = {name: step for name, step in head["steps"].items() if "difference" in step}
    verdict = []
    if steps:
        shown = [f"{name} ({_short(step['difference']['value'], '+')})" for name, step in steps.items()
                 if step["is_beyond_chance"]]  # fmt: skip
        unknown = [name for name, step in steps.items() if step["is_beyond_chance"] is None]
        told = f"Beyond chance, by rows and seeds together: {', '.join(shown) or 'no step'}."
        if unknown:
            told += f" Without one of the intervals, and so not known: {', '.join(unknown)}."
        verdict = ["", *_wrap(told)]
    return [*_align(rows), *verdict]


def _lay_out_seeds(head: Json, seeds: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for start in range(0, len(seeds), _SEEDS_A_BLOCK):
        block = [str(seed) for seed in seeds[start : start + _SEEDS_A_BLOCK]]
        rows = [("seed", *block)]
        for name, step in head["steps"].items():
            cells = [step["by_seed"].get(seed) for seed in block]
            rows.append((name, *("-" if cell is None else _short(cell["macro_f1"])
                                 + (f" {_short(cell['difference'], '+')}" if "difference" in cell else "")
                                 for cell in cells)))  # fmt: skip
        lines += ["", *_align(rows)]
    return lines[1:]


def _list_machines(answered: Mapping[tuple[str, int], Answered]) -> list[str]:
    """On what the runs were made: a line each where they were not all made alike."""
    lines: dict[str, int] = {}
    for found in answered.values():
        facts = found.facts
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        precision = "bf16" if facts["bf16"] else "fp32"
        line = f"{versions}; {precision}, threads {facts['num_threads']}, {facts['cpu']}"
        lines[line] = lines.get(line, 0) + 1
    return [f"{n} of {len(answered)} runs by {line}" for line, n in lines.items()]


def _explain(dev: Sequence[Example], taxonomy: Taxonomy, *, n_seeds: int) -> list[str]:
    any_of = [head.name for head in taxonomy.heads if head.problem_type is ProblemType.ANY_OF]
    text = (
        f"Macro-F1 on {len(dev)} rows of dev, from {len({e.group for e in dev})} documents; test was not read. Each "
        "difference is from the base with the same seed, then the mean over seeds. Over rows: 95% interval, bootstrap "
        "over documents with the seeds as they are: would it hold on other rows? Over seeds: 95% interval by "
        "Student's t, with the rows as they are: would it hold with other seeds? "
        + ("One seed cannot say. " if n_seeds < 2 else "")
        + "Beyond chance is what is further from 0 than both reach together (the root of the sum of their squares); "
        "of twenty steps without effect one may be so. min: minutes of training a run, on average (those that were "
        "broken off are left out)."
    )
    if any_of:
        text += (
            f" Thresholds of {', '.join(any_of)} are fitted on the other documents ({N_FOLDS} folds), never on those "
            "they decide."
        )
    return _wrap(
        text + " Each run keeps the checkpoint that was best on these same rows, which flatters all runs alike."
    )


def lay_out(content: Json, dev: Sequence[Example], taxonomy: Taxonomy, machines: Sequence[str]) -> str:
    """Write the tables for people.

    Args:
        content: of `write_tables`.
        dev: the rows that all runs were asked about.
        taxonomy: the heads.
        machines: on what the runs were made, a line each.

    Returns:
        Markdown.
    """
    seeds: list[int] = content["seeds"]
    lines = [f"# Steps of {content['run_name']} over {len(seeds)} seed{'s' * (len(seeds) > 1)}", ""]
    lines += _explain(dev, taxonomy, n_seeds=len(seeds))
    for key, words in (("not_yet", "Not yet run"), ("diverged", "Diverged, and so not measured")):
        if content[key]:
            lines += ["", *_wrap(f"**{words}**: {', '.join(content[key])}.")]
    lines += ["", "What each step changes:", ""]
    for name, changes in content["steps"].items():
        lines += _list_item(f"{name}: {' '.join(f'`{change}`' for change in changes) or 'nothing'}")
    for name, head in content["heads"].items():
        lines += ["", f"## {name} ({head['n_rows']} rows)", "", *_lay_out_head(head, content["minutes"])]
        lines += ["", *_lay_out_seeds(head, seeds)]
    command = " \\\n        ".join(content["command"])
    lines += ["", "## To repeat it", "", f"    {command}", ""]
    alike: dict[str, list[str]] = {}
    for name, fingerprints in content["fingerprints"].items():
        alike.setdefault(", ".join(f"{key} {value[:12]}" for key, value in fingerprints.items()), []).append(name)
    for line in [*(f"fingerprints of {', '.join(names)}: {line}" for line, names in alike.items()), *machines]:
        lines += _list_item(line)
    return "\n".join(lines) + "\n"


def write_tables(
    folder: Path,
    runs: Sequence[Run],
    answered: Mapping[tuple[str, int], Answered],
    taxonomy: Taxonomy,
    *,
    changes: Mapping[str, Sequence[str]],
    command: Sequence[str],
    run_name: str,
    diverged: Sequence[str],
) -> tuple[Json, str]:
    """Write `ablate.json` and `ablate.md`.

    Args:
        folder: where to.
        runs: all that are asked for, in their order.
        answered: by step and seed, those that have ended; at least one.
        taxonomy: the heads.
        changes: by step, the base first.
        command: that repeats it, in parts that stand on a line each.
        run_name: of the base.
        diverged: names of runs that have no answers, as they came to NaN.

    Returns:
        The content of the one, and the text of the other.
    """
    dev = runs[0].splits.dev
    first = {run.step: run for run in reversed(runs)}
    content: Json = {
        "run_name": run_name,
        "command": list(command),
        "seeds": list(dict.fromkeys(run.seed for run in runs)),
        "steps": {name: list(of_step) for name, of_step in changes.items()},
        "n_dev": len(dev),
        "n_dev_documents": len({example.group for example in dev}),
        "n_replicates": N_REPLICATES,
        "n_folds": N_FOLDS,
        "not_yet": [r.name for r in runs if (r.step, r.seed) not in answered and r.name not in diverged],
        "diverged": list(diverged),
        "minutes": {name: _mean_minutes(name, answered) for name in changes},
        "heads": measure(dev, answered, taxonomy),
        "fingerprints": {
            name: {
                "train": str(first[name].identity["train_fingerprint"]),
                "dev": str(first[name].identity["dev_fingerprint"]),
                "encoder": first[name].encoder.sha256,
            }
            for name in changes
        },
        "settings": {
            name: first[name].config.model_dump(mode="json", exclude={"run_name", "seed"}) for name in changes
        },
        "runs": [
            {"step": step, "seed": seed, "minutes": found.minutes} | found.facts
            for (step, seed), found in answered.items()
        ],
    }
    text = lay_out(content, dev, taxonomy, _list_machines(answered))
    for name, written in (("ablate.json", json.dumps(content, indent=2) + "\n"), ("ablate.md", text)):
        with make_whole(folder / name) as partial:
            partial.write_text(written, encoding="utf-8")
    return content, text
