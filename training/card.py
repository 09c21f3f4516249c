"""Owns the model card: what the model was made of, what it scores with intervals, and where it fails."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.config import TrainConfig
from training.data import Splits, count_copies
from training.failures import describe_failures
from training.gates import Candidate, tell_rule
from training.labels import ONLY_SCORED, TEACHER_SCORES
from twohands.bounds import FEWEST_GROUPS
from twohands.examples import Example
from twohands.manifest import Manifest
from twohands.scores import Platt
from twohands.taxonomy import Taxonomy

# Of the taxonomy that is shipped: what is said of texts and labels is known for these alone.
_OUR_LABELS = {
    ("state-led", "market-led", "neutral"),
    ("sanctions", "self-reliance", "industrial-policy", "regulation"),
}


def _figure(values: Mapping[str, float | None]) -> str:
    if values["low"] is None:
        return f"{values['value']:.3f} [-]"
    return f"{values['value']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"


def figures_table(figures: Mapping[str, Mapping[str, Mapping[str, object]]]) -> list[str]:
    """Tabulate the figures of heads.

    Args:
        figures: by split and head, of `measure_heads`.

    Returns:
        Lines of Markdown; `[-]` where a figure has no interval.
    """
    lines = [
        "| split | head | macro-F1 | accuracy | MCC | calibration error | by chance |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    keys = ("macro_f1", "accuracy", "mcc", "ece", "ece_by_chance")
    for split, heads in figures.items():
        for head, values in heads.items():
            cells = [_figure(values[key]) for key in keys]  # type: ignore[arg-type] # figures are JSON values
            lines.append(f"| {split} | {head} | {' | '.join(cells)} |")
    return lines


def labels_table(split: str, heads: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Tabulate the figures of labels.

    Args:
        split: whose they are.
        heads: by head, of `measure_heads`.

    Returns:
        Lines of Markdown; a dash for recall and F1 of a label that no row has, and for the precision of one that was
        never given: the figures hold 0 there, which is not what was measured.
    """
    lines = [f"| label ({split}) | precision | recall | F1 | rows |", "| --- | --- | --- | --- | --- |"]
    for values in heads.values():
        labels: Mapping[str, Mapping[str, Any]] = values["labels"]  # type: ignore[assignment] # figures are JSON values
        for name, label in labels.items():
            counted = {"precision": label["given"], "recall": label["support"], "f1": label["support"]}
            cells = [_figure(label[key]) if n else "-" for key, n in counted.items()]
            lines.append(f"| {name} | {' | '.join(cells)} | {label['support']} |")
    return lines


def decision_lines(manifest: Manifest) -> list[str]:
    """Say how scores become answers.

    Args:
        manifest: of the model.

    Returns:
        Lines of Markdown, one a head.
    """
    lines = []
    for head in manifest.heads:
        rule = head.decision
        if isinstance(rule.calibration, Platt):
            named = zip(head.label_names, rule.thresholds or [], strict=True)
            lines.append(
                f"- {head.name}: Platt calibration per label; thresholds " + ", ".join(f"{n} {t}" for n, t in named)
            )
        else:
            always = rule.abstention is not None and rule.abstention >= 1
            never = rule.abstention is None or rule.abstention <= 1 / len(head.labels)  # no highest score is below
            level = "always: on dev no score was right often enough" if always else f"below {rule.abstention}"
            abstains = "never abstains" if never else f"abstains {level}"
            lines.append(f"- {head.name}: temperature {rule.calibration.temperature:.3f}; {abstains}")
    return lines


def describe_use(taxonomy: Taxonomy) -> tuple[str, str]:
    """Say what a model is and what it is for: of the project's own labels what is known, of others what holds of any.

    Args:
        taxonomy: its heads.

    Returns:
        What it classifies, and the paragraph on intended use.
    """
    if {tuple(head.label_names) for head in taxonomy.heads} == _OUR_LABELS:
        return (
            "A classifier of paragraphs of policy and news text.",
            "Sorting and measuring large amounts of English policy and news text, with a person reading what matters. "
            "Not for judging persons, and not as the only ground of a decision. The labels say what a paragraph pushes "
            "for, not whether it is right.",
        )
    return (
        "A text classifier.",
        "Sorting and measuring texts of the kind and the language of the rows below, with a person reading what "
        "matters. On other texts its figures do not hold. Not for judging persons, and not as the only ground of a "
        "decision.",
    )


def _name_averaged(run: Mapping[str, Any]) -> str:
    digest = f"sha256 `{run['weights_sha256'][:12]}`"
    restored = run.get("restored_from")
    if restored is None:
        return f"{run['run_name']} ({digest})"
    manifest = str(restored.get("sha256", "unknown"))[:16]
    return f"{restored.get('name')} {restored.get('version')} as restored ({digest}; manifest sha256 `{manifest}`)"


def describe_recipe(
    config: TrainConfig,
    train: Sequence[Example],
    *,
    restored_from: Mapping[str, str] | None = None,
    averaged: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """Say what was done to the rows beyond learning their labels.

    Args:
        config: the run.
        train: its rows.
        restored_from: `name`, `version` and `sha256` of the model folder that the run went on from, if it was one.
        averaged: `run_name` and `weights_sha256` of each run whose weights it is the mean of.

    Returns:
        Sentences; none for a plain run.
    """
    n_only_scored = sum(bool(example.columns.get(ONLY_SCORED)) for example in train)
    n_both = sum(TEACHER_SCORES in example.columns for example in train) - n_only_scored
    lines = []
    if n_only_scored:
        were = "was" if n_only_scored == 1 else "were"
        lines.append(f"{n_only_scored} of the {len(train)} rows of train {were} labelled by a teacher's scores alone.")
    if n_both and config.loss.teacher_weight:
        share = f"{config.loss.teacher_weight:.0%}"
        rows, they = ("row has", "it teaches") if n_both == 1 else ("rows have", "they teach")
        lines.append(f"{n_both} {rows} labels and a teacher's scores, which make up {share} of what {they}.")
    if config.loss.label_smoothing:
        lines.append(f"{config.loss.label_smoothing:.0%} of each label went to all answers of its head alike.")
    n_again = sum(count_copies(example) > 1 for example in train)
    if n_again:
        n_shown = sum(map(count_copies, train))
        lines.append(f"{n_again} row{'s'[: n_again != 1]} came more than once an epoch, which showed {n_shown} in all.")
    if restored_from is not None:
        lines.append(
            f"Its first stage went on from the weights of {restored_from.get('name')} {restored_from.get('version')} "
            f"(manifest sha256 `{restored_from.get('sha256', 'unknown')[:16]}`), whose card names the rows that these "
            "had learnt from."
        )
    if averaged:
        named = " and ".join(map(_name_averaged, averaged))
        lines.append(
            f"Its weights are the mean of {len(averaged)} runs that began at one start or one another: {named}. "
            "Rows are those that any of them learnt from, and what is said of shares and repeats is not true of each."
        )
    elif config.start is not None:
        folder = config.start.checkpoint
        first = folder.parent.name if folder.name == "checkpoint" else folder.name
        lines.append(
            f"Trained in stages: this one, the last, went on from {first} with all new rows and a share of "
            f"{config.start.replay} of those that it had learnt from."
        )
    shares = {key.replace("_", " "): share for key, share in config.augmentation.model_dump().items() if share}
    if shares:
        named = ", ".join(f"{key} {share}" for key, share in shares.items())
        lines.append(f"Some rows of train were changed as must not matter to their labels (shares: {named}).")
    return lines


def compare_served(kept: Candidate) -> str:
    """Say how far the served graph is from the fp32 graph.

    Args:
        kept: the served graph.

    Returns:
        A sentence.
    """
    if kept.reference is None:
        return "It is the graph that is served."
    flips = [f"{n} answer{'s'[: n != 1]} of {head}" for head, n in kept.flips.items()]
    return (
        f"The served graph differs from the fp32 graph on dev by at most {kept.max_logit_change:.2f} in a logit and "
        f"{kept.max_score_change:.2f} in a score, changes "
        f"{', '.join(flips)}, and ran {kept.speedup:.2f} times "
        "as fast, one paragraph at a time."
    )


def describe_splits(n_documents: Mapping[str, int], *, n_unnamed: int = 0, near_duplicate_jaccard: float | None) -> str:
    """Say what the splits share, and what each was for.

    Args:
        n_documents: of `train`, `dev` and `test`.
        n_unnamed: those of train that are single rows which name no document: of what they are part nobody can tell.
        near_duplicate_jaccard: overlap of word 5-grams from which texts of two splits were refused; None where none
            was looked for.

    Returns:
        Sentences.
    """
    document, unnamed = "no document", ""
    if n_unnamed:
        document = "no document, as far as rows name theirs,"
        are_rows = "rows that name none, each" if n_unnamed != 1 else "a row that names none,"
        unnamed = f" ({n_unnamed} of them {are_rows} taken for its own)"
    unshared = f"{document} and no text stands in two of them, but nearly the same texts were not looked for"
    if near_duplicate_jaccard is not None:
        near = f"no near-duplicate, which shares {near_duplicate_jaccard:g} of its word 5-grams with another text,"
        unshared = f"{document} and {near} stands in two of them"
    return (
        f"Documents: {n_documents['train']} in train{unnamed}, {n_documents['dev']} in dev, {n_documents['test']} in "
        f"test; {unshared}. Train was fitted; dev chose the step, the graph, calibration and thresholds, so its "
        # Whether someone read test to choose among runs, or this one's start, no export can know.
        "figures flatter; this run chose nothing by test."
    )


def write_card(
    folder: Path,
    manifest: Manifest,
    figures: Mapping[str, Mapping[str, Mapping[str, object]]],
    kept: Candidate,
    max_logit_change: float,
    splits: Splits,
    *,
    recipe: Sequence[str],
    near_duplicate_jaccard: float | None,
    notes: Sequence[str],
) -> None:
    """Write `README.md` of a model folder.

    Args:
        folder: the model folder in the making.
        manifest: what the model is.
        figures: by split and head.
        kept: the graph that is served.
        max_logit_change: of the fp32 graph against PyTorch.
        splits: for the slices in which the model is weakest.
        recipe: what was done to the rows, of `describe_recipe`.
        near_duplicate_jaccard: as in `describe_splits`.
        notes: further sentences on limits, from the config.
    """
    last = list(figures)[-1]
    what, use = describe_use(manifest.taxonomy)
    usual = manifest.usual_cautions
    groups = {split: len({e.group for e in getattr(splits, split)}) for split in ("train", "dev", "test")}
    ids = {example.id for example in splits.train}
    n_unnamed = len(ids & {example.group for example in splits.train})
    size_mb = manifest.graph.size_bytes / 1e6
    graph = "fp32" if kept.reference is None else f"{manifest.graph.precision}, {manifest.graph.recipe}"
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        f"{what} Heads: " + "; ".join(f"{head.name} ({', '.join(head.label_names)})" for head in manifest.heads) + ".",
        "",
        f"Fine-tuned from {manifest.encoder.name} ({manifest.encoder.license}, weights sha256 "
        f"`{manifest.encoder.sha256[:16]}…`), exported to ONNX: {graph}, {size_mb:.1f} MB. "
        f"Licence: {manifest.license}.",
        "",
        "## Intended use",
        use,
        "",
        "## Data",
        "| split | file | rows | sha256 |",
        "| --- | --- | --- | --- |",
        *(f"| {f.split} | {f.name} | {f.n_rows} | `{f.sha256[:16]}…` |" for f in manifest.training_data.files),
        "",
        describe_splits(groups, n_unnamed=n_unnamed, near_duplicate_jaccard=near_duplicate_jaccard),
        "",
        *(line for sentence in recipe for line in (sentence, "")),
        "## Figures",
        "Macro-F1 is the mean over labels; in brackets the 95% interval of a bootstrap over documents, and of shares "
        "that are 0 or 1 the exact one of so many documents. `[-]`: no interval, as what it rests on "
        f"is in fewer than {FEWEST_GROUPS} documents or all draws are alike; `-`: not defined, since no row has the "
        "label or none was given it. Calibration error is biased upwards: by chance these rows would show as much were "
        "every score exactly right (mean, 95% of draws).",
        "",
        *figures_table(figures),
        "",
        *labels_table(last, figures[last]),
        "",
        "## Decisions",
        "Fitted on dev, by the graph that is served.",
        *decision_lines(manifest),
        *(f"- no warning `{caution}`: a twentieth of the training rows or more have it" for caution in usual),
        f"- text longer than {manifest.window.max_tokens} tokens is read in overlapping windows, at most "
        f"{manifest.window.max_windows}, whose logits are averaged; what is cut is counted in every answer.",
        "",
        "## Export",
        f"The fp32 graph differs from PyTorch by at most {max_logit_change:.1e} in a logit. {compare_served(kept)} "
        f"{tell_rule(kept)} All that was measured, on {manifest.export_machine.cpu_model}, stands in parity.json.",
        "",
        "## Where it fails",
        *describe_failures(splits.dev, kept.logits, manifest.taxonomy, manifest.rules),
        *(f"- {note}" for note in notes),
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
