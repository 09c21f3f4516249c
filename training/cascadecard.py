"""Owns the model card of a cascade: of what it is made, what it scores with intervals, what asking costs and gives."""

from collections.abc import Sequence
from pathlib import Path

from training.card import decision_lines, describe_use, figures_table, labels_table
from training.cascadefit import Cascade, Offer
from training.failures import describe_failures
from twohands.bounds import FEWEST_GROUPS
from twohands.cpu import read_cpu
from twohands.examples import Example
from twohands.manifest import DataFile, Manifest
from twohands.windows import Logits


def offers_table(offers: Sequence[Offer]) -> list[str]:
    """Tabulate what several shares cost and give.

    Args:
        offers: of `offer_shares`.

    Returns:
        Lines of Markdown.
    """
    heads = list(offers[0].macro_f1)
    lines = [
        f"| asked second | time | {' | '.join(f'{head}, macro-F1' for head in heads)} |",
        "| --- | --- |" + " --- |" * len(heads),
    ]
    for offer in offers:
        cells = [f"{offer.macro_f1[head]:.3f}" for head in heads]
        lines.append(f"| {offer.name} | {offer.cost:.1f} | {' | '.join(cells)} |")
    return lines


def _name_member(manifest: Manifest) -> str:
    encoder = manifest.encoder
    return (
        f"{manifest.name} {manifest.version} ({manifest.graph.size_bytes / 1e6:.1f} MB, fine-tuned from "
        f"{encoder.name}, {encoder.license})"
    )


def _tell_of_dev(members: tuple[Manifest, Manifest], own: Sequence[DataFile]) -> str:
    """Say what was chosen by which rows of dev."""
    chose = "chose when the second is asked, calibration and thresholds"
    digests = {file.sha256 for file in own}
    earlier = [{file.sha256 for file in member.training_data.files if file.split == "dev"} for member in members]
    if all(files == digests for files in earlier):
        return f"Dev {chose}, and for each of both models its step and graph, so its figures flatter."
    return (
        f"Of dev {', '.join(file.name for file in own)} {chose}, so figures on it flatter. Each model's step, "
        "graph and own calibration, by which the first is in doubt, were chosen by the rows of dev in its own card."
    )


def write_cascade_card(
    folder: Path,
    manifest: Manifest,
    members: tuple[Manifest, Manifest],
    made: Cascade,
    dev: Sequence[Example],
    logits: Logits,
) -> None:
    """Write `README.md` of a cascade.

    Args:
        folder: the model folder in the making.
        manifest: what the cascade is.
        members: the manifests of the first model and of the second.
        made: its figures and the table to choose by.
        dev: the rows that it was fitted on.
        logits: what it says of them, shape `(len(dev), n_labels)`.
    """
    first, second = members
    last = list(made.figures)[-1]
    what, use = describe_use(manifest.taxonomy)
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        f"{what} Heads: " + "; ".join(f"{head.name} ({', '.join(head.label_names)})" for head in manifest.heads) + ".",
        "",
        f"A cascade: {_name_member(first)} reads every window of text, and where it is in doubt "
        f"{_name_member(second)} reads it as well; then the calibrated logits of both are averaged. Doubt is how "
        "likely the most doubtful of its answers is wrong, by its own scores: the largest, over heads, of what the "
        "highest score of a one-of head lacks to 1 and of what any score of an any-of head lacks to 0 or 1, whichever "
        f"is nearer. From {made.doubt:.3f} on the second is asked, of {made.share:.0%} of dev's windows. The second "
        f"stands in a folder of its own, found by its digest. Licence: {manifest.license}.",
        "",
        "## Intended use",
        use,
        "",
        "## Data",
        "Both models' cards tell what each learnt from, and how. Here are the files of both, and those that the "
        "cascade was fitted and measured on.",
        "",
        "| split | file | rows | sha256 |",
        "| --- | --- | --- | --- |",
        *(f"| {f.split} | {f.name} | {f.n_rows} | `{f.sha256[:16]}…` |" for f in manifest.training_data.files),
        "",
        _tell_of_dev(members, made.dev_files),
        "",
        "## Figures",
        "Macro-F1 is the mean over labels; in brackets the 95% interval of a bootstrap over documents, and of shares "
        "that are 0 or 1 the exact one of so many documents. `[-]`: no interval, as what it rests on "
        f"is in fewer than {FEWEST_GROUPS} documents or all draws are alike; `-`: not defined, since no row has the "
        "label or none was given it. Calibration error is biased upwards: by chance these rows would show as much were "
        "every score exactly right (mean, 95% of draws).",
        "",
        *figures_table(made.figures),
        "",
        *labels_table(last, made.figures[last]),
        "",
        "## What asking costs and gives",
        f"On dev, calibration and thresholds fitted anew for each share of windows that the second is asked. Time: as "
        f"measured on {read_cpu()[0]} with all its cores, in multiples of the first model alone.",
        "",
        *offers_table(made.offers),
        "",
        "## Decisions",
        "Fitted on dev, by what the cascade says.",
        *decision_lines(manifest),
        f"- text longer than {manifest.window.max_tokens} tokens is read in overlapping windows, at most "
        f"{manifest.window.max_windows}; each is asked for by its own doubt, and their logits are averaged; what is "
        "cut is counted in every answer.",
        "",
        "## Where it fails",
        *describe_failures(dev, logits, manifest.taxonomy, manifest.rules),
        "",
    ]
    (folder / "README.md").write_text("\n".join(lines), encoding="utf-8")
