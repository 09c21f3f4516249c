"""Owns examples -> what the Trainer eats: encoded once by the contract's encoder, padded per batch."""

from collections.abc import Sequence

import datasets
import torch

from training.labels import make_targets
from twohands.encoding import ParagraphEncoder
from twohands.examples import Example, encode_labels
from twohands.taxonomy import Taxonomy


def make_dataset(
    examples: Sequence[Example],
    encoder: ParagraphEncoder,
    taxonomy: Taxonomy,
    *,
    teacher_weight: float | None = None,
    label_smoothing: float = 0.0,
    originals: Sequence[Example] | None = None,
) -> datasets.Dataset:
    """Encode rows.

    Args:
        examples: checked rows.
        encoder: text to windows of token ids.
        taxonomy: the order of the labels.
        teacher_weight: share of a teacher's scores in the target of a row that has both, in [0, 1]; None for the
            labels alone, as rows are judged by.
        label_smoothing: share of each label that goes to all answers of its head alike, in [0, 1]; not where rows are
            judged.
        originals: for each row the text that it is shown beside, where that is another: as it was before augmentation,
            or what it restates; None for each row once.

    Returns:
        Columns `windows` (lists of token ids), `labels` (in [0, 1], or -100), `length` (tokens of the longest window)
        and `n_tokens_cut` (tokens that no window holds); with `originals`, `original_windows`, too, without a window
        where the text is the same.

    Raises:
        ValueError: `label_smoothing` without `teacher_weight`.
    """
    encoded = encoder.encode_many([example.paragraph for example in examples])
    if teacher_weight is None:
        if label_smoothing:
            raise ValueError("label_smoothing without teacher_weight; what rows are judged by is not smoothed")
        targets = encode_labels(examples, taxonomy)
    else:
        targets = make_targets(examples, taxonomy, teacher_weight=teacher_weight, label_smoothing=label_smoothing)
    columns = {
        "windows": [[window.tolist() for window in paragraph.windows] for paragraph in encoded],
        "labels": targets.tolist(),
        "length": [max(len(window) for window in paragraph.windows) for paragraph in encoded],
        "n_tokens_cut": [paragraph.n_tokens_cut for paragraph in encoded],
    }
    if originals is not None:
        changed = {
            number: original.paragraph
            for number, (example, original) in enumerate(zip(examples, originals, strict=True))
            if example.paragraph != original.paragraph
        }
        before = dict(zip(changed, encoder.encode_many(list(changed.values())), strict=True))
        columns["original_windows"] = [
            [window.tolist() for window in before[number].windows] if number in before else []
            for number in range(len(examples))
        ]
    return datasets.Dataset.from_dict(columns)


def describe_cut(split: str, n_tokens_cut: Sequence[int], *, max_windows: int) -> list[str]:
    """Say how much of a split no window holds.

    Args:
        split: its name.
        n_tokens_cut: by row.
        max_windows: as the config has it.

    Returns:
        One line; none where every row is read to its end.
    """
    if not (n_rows := sum(map(bool, n_tokens_cut))):
        return []
    are = "row is" if n_rows == 1 else "rows are"
    return [
        f"{n_rows:,} {are} not read to the end, of {len(n_tokens_cut):,} of {split}: {sum(n_tokens_cut):,} tokens are "
        f"cut; a larger window.max_windows reads more (it is {max_windows})"
    ]


class WindowCollator:
    """Pads the windows of a batch to the longest of them."""

    def __init__(self, pad_token_id: int) -> None:
        """Keep the padding id; padded places are masked, whatever it is."""
        self._pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[dict[str, list[list[int]]]]) -> dict[str, torch.Tensor]:
        """Make one batch.

        Args:
            rows: of `make_dataset`.

        Returns:
            `input_ids` and `attention_mask` of shape `(n_windows of all rows, length)`, `n_windows` of shape
            `(batch,)`, `labels` of shape `(batch, n_labels)`, and `changed` of shape `(n_changed,)`. Rows that
            augmentation changed, or that restate another, come a second time, as they were or by that other's text,
            in the last `n_changed` places of the batch; `changed` says in which places they stand changed.
        """
        changed = [place for place, row in enumerate(rows) if row.get("original_windows")]
        labels = [row["labels"] for row in rows] + [rows[place]["labels"] for place in changed]
        shown = [row["windows"] for row in rows] + [rows[place]["original_windows"] for place in changed]
        windows = [torch.tensor(window) for row in shown for window in row]
        pad = torch.nn.utils.rnn.pad_sequence
        return {
            "input_ids": pad(windows, batch_first=True, padding_value=self._pad_token_id),
            "attention_mask": pad([torch.ones_like(window) for window in windows], batch_first=True),
            "n_windows": torch.tensor([len(row) for row in shown]),
            "labels": torch.tensor(labels, dtype=torch.float32),
            "changed": torch.tensor(changed, dtype=torch.int64),
        }


def average_windows(logits: torch.Tensor, n_windows: torch.Tensor) -> torch.Tensor:
    """Average the logits of each row's windows; the differentiable twin of `aggregate_windows`, tested equal.

    Args:
        logits: shape `(sum(n_windows), n_labels)`.
        n_windows: shape `(batch,)`.

    Returns:
        Shape `(batch, n_labels)`.
    """
    rows = torch.repeat_interleave(torch.arange(len(n_windows), device=logits.device), n_windows)
    sums = torch.zeros(len(n_windows), logits.shape[1], dtype=logits.dtype, device=logits.device)
    return sums.index_add(0, rows, logits) / n_windows.unsqueeze(1)
