"""Owns a checkpoint -> one with narrower feed-forward parts: which of their units go, and what the others take over.

The narrow network is an ordinary one of its family: its own config says how wide its feed-forward parts are.
"""

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from transformers import PreTrainedModel

from training.bars import open_bar
from training.checkpoints import NETWORK_NAME, build_checkpoint, check_output
from training.encodercache import WEIGHTS_NAME
from training.encoders import RUN_NAME
from training.loop import CHECKPOINT
from training.model import load_checkpoint, quiet
from training.stages import digest_paragraph, read_run
from training.students import LAYER_KEY, name_width, read_width, write_width
from training.weights import check_there
from twohands.encoding import ParagraphEncoder
from twohands.errors import CheckpointError, DataError, EncoderError, FileReadError, InputError
from twohands.hashing import sha256_of_file
from twohands.inputs import find_inputs
from twohands.items import read_items
from twohands.manifest import TOKENIZER_NAME
from twohands.paragraphs import normalise
from twohands.windows import WindowRule

_FLUSH_TOKENS = 4096  # products of so many tokens at a time use a CPU well
_BLOCK = 16  # units that go before all others are refitted, which costs as much for one as for some
_N_CANDIDATES = 128  # among which they are chosen one by one, so that of two that are alike only one goes
_DAMPING = 1e-4  # of the mean square, so that units that are never active can be inverted


@dataclass(frozen=True, slots=True)
class FeedForward:
    """The two products of a layer's feed-forward part; `up` of a gated one holds gates and values, one behind other."""

    up: nn.Linear
    down: nn.Linear
    n_halves: int


def find_feed_forwards(model: PreTrainedModel) -> list[FeedForward]:
    """Find the feed-forward parts by the shapes of their products, whatever a family calls them.

    Args:
        model: with or without a head.

    Returns:
        One a layer, in order.

    Raises:
        EncoderError: a layer has none that can be told, or more than one.
    """
    width = read_width(model.config)
    if width is None:
        raise EncoderError("this family's config does not say how wide its feed-forward parts are; it stays as it is")
    layers: dict[int, list[nn.Linear]] = {}
    for name, module in model.named_modules():
        match = LAYER_KEY.match(f"{name}.")
        if match is not None and isinstance(module, nn.Linear):
            layers.setdefault(int(match["number"]), []).append(module)
    found = []
    for number in sorted(layers):
        downs = [module for module in layers[number] if module.in_features == width]
        ups = [
            module
            for module in layers[number]
            if module not in downs and module.out_features in (width, 2 * width) and downs
            and module.in_features == downs[0].out_features
        ]  # fmt: skip
        if len(downs) != 1 or len(ups) != 1:
            raise EncoderError(
                f"layer {number} has {len(ups)} products into {width} units and {len(downs)} out of them, expected one "
                "each; the feed-forward parts of this family cannot be made narrower"
            )
        found.append(FeedForward(ups[0], downs[0], ups[0].out_features // width))
    if not found:
        raise EncoderError("no layer is found by the names of the weights; this family cannot be made narrower")
    return found


def gather_activity(
    model: PreTrainedModel, parts: Sequence[FeedForward], windows: Sequence[npt.NDArray[np.int64]]
) -> list[torch.Tensor]:
    """Run windows of text and note how active the units of each feed-forward part are together.

    Args:
        model: in evaluation mode.
        parts: of it.
        windows: token ids of each.

    Returns:
        For each part the mean over tokens of the products of every two units, and of each with 1 (last row and
        column), in double precision: shape `(width + 1, width + 1)`.
    """
    width = parts[0].down.in_features
    total = [torch.zeros(width + 1, width + 1, dtype=torch.float64) for _ in parts]
    held: list[list[torch.Tensor]] = [[] for _ in parts]
    n_tokens, n_held = sum(map(len, windows)), 0

    def note(number: int, values: torch.Tensor) -> None:
        held[number].append(values.detach().reshape(-1, width))

    def flush() -> None:
        for sums, values in zip(total, held, strict=True):
            active = torch.cat(values)
            active = torch.cat([active, torch.ones(len(active), 1)], dim=1)
            sums += (active.T @ active).double()
            values.clear()

    hooks = [
        part.down.register_forward_pre_hook(lambda _, given, number=number: note(number, given[0]))
        for number, part in enumerate(parts)
    ]
    try:
        with torch.no_grad(), open_bar("reading", total=len(windows), unit="window") as bar:
            for window in windows:  # one at a time, so that no padding is among the tokens
                ids = torch.from_numpy(np.asarray(window, dtype=np.int64)[None, :])
                model(input_ids=ids, attention_mask=torch.ones_like(ids))
                n_held += len(window)
                if n_held >= _FLUSH_TOKENS:
                    flush()
                    n_held = 0
                bar.update()
            if n_held:
                flush()
    finally:
        for hook in hooks:
            hook.remove()
    return [sums / n_tokens for sums in total]


def _choose_block(weight: torch.Tensor, inverse: torch.Tensor, n_units: int) -> list[int]:
    """Choose units to go one by one, each after those that stay among them have taken over what the last one did."""
    weight, inverse = weight.clone(), inverse.clone()
    chosen: list[int] = []
    for _ in range(n_units):
        loss = weight.square().sum(dim=0) / inverse.diagonal()
        loss[chosen] = torch.inf
        unit = int(loss.argmin())
        row = inverse[unit] / inverse[unit, unit]
        weight -= torch.outer(weight[:, unit], row)
        inverse -= torch.outer(inverse[:, unit], row)
        weight[:, unit] = 0
        inverse[unit] = inverse[:, unit] = 0
        inverse[unit, unit] = 1
        chosen.append(unit)
    return chosen


def choose_units(
    weight: torch.Tensor, bias: torch.Tensor, activity: torch.Tensor, *, width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Take units away whose work the others can do, and give it to them.

    Units go some at a time, those first without which the part's output changes least once all others have been
    refitted by least squares.

    Args:
        weight: of the product out of the units, shape `(hidden, n_units)`.
        bias: its bias, shape `(hidden,)`.
        activity: as of `gather_activity`.
        width: units to keep, from 1 to `n_units`.

    Returns:
        The numbers of those kept, rising; the refitted weight, shape `(hidden, width)`, and bias; and the share of the
        output's mean square by which it changed.

    Source:
        Hassibi and Stork 1992, *Second order derivatives for network pruning: Optimal Brain Surgeon*; for whole units
        Kurtic et al. 2023, *ZipLM*.
    """
    n_units = weight.shape[1]
    before = torch.cat([weight.double(), bias.double()[:, None]], dim=1)
    after = before.clone()
    damping = _DAMPING * activity.diagonal().mean()
    inverse = torch.linalg.inv(activity + damping * torch.eye(n_units + 1, dtype=torch.float64))
    gone = torch.zeros(n_units + 1, dtype=torch.bool)
    while (n_left := n_units - width - int(gone.sum())) > 0:
        loss = after.square().sum(dim=0) / inverse.diagonal()
        loss[gone] = torch.inf
        loss[-1] = torch.inf  # the bias stays
        candidates = loss.topk(min(_N_CANDIDATES, n_units - int(gone.sum())), largest=False).indices
        block = candidates[_choose_block(after[:, candidates], inverse[candidates][:, candidates], min(_BLOCK, n_left))]
        rows = torch.linalg.solve(inverse[block][:, block], inverse[block])  # (block, n_units + 1)
        after -= after[:, block] @ rows
        inverse -= inverse[:, block] @ rows
        gone[block] = True
        # Exactly nothing, where rounding has left a little.
        after[:, block] = 0
        inverse[block] = 0
        inverse[:, block] = 0
        inverse[block, block] = 1
    kept = (~gone[:-1]).nonzero()[:, 0]
    change = after - before
    lost = float((change @ activity @ change.T).trace() / (before @ activity @ before.T).trace())
    return kept, after[:, kept].float().contiguous(), after[:, -1].float().contiguous(), lost


def _narrow(part: FeedForward, activity: torch.Tensor, *, width: int) -> float:
    """Make one part narrower in place; returns the share of its output that was lost."""
    n_units = part.down.in_features
    bias = torch.zeros(part.down.out_features) if part.down.bias is None else part.down.bias.data
    if part.down.bias is None:  # nothing can take over what units give on average
        activity = activity.clone()
        activity[-1, :-1] = activity[:-1, -1] = 0
    kept, part.down.weight.data, bias, lost = choose_units(part.down.weight.data, bias, activity, width=width)
    rows = torch.cat([kept + half * n_units for half in range(part.n_halves)])
    part.up.weight.data = part.up.weight.data[rows].contiguous()
    if part.up.bias is not None:
        part.up.bias.data = part.up.bias.data[rows].contiguous()
    if part.down.bias is not None:
        part.down.bias.data = bias
    return lost


def draw_texts(paths: Sequence[Path], *, limit: int, seed: int) -> tuple[list[str], list[str]]:
    """Read texts as `twohands classify` does; of more than so many some are drawn.

    Args:
        paths: rows or documents, or folders of them.
        limit: most texts that are kept.
        seed: of the draw.

    Returns:
        Normalised texts, at least one, and what is wrong with those that cannot be read.

    Raises:
        FileReadError: a file cannot be read.
        DataError: there is no text.
    """
    faults: list[str] = []
    found = sorted(set(_iter_texts(paths, faults)))
    if not found:
        raise DataError("there is no text to read", faults or ["the files hold none"])
    random.Random(seed).shuffle(found)  # noqa: S311 - no secret, and it must repeat
    return found[:limit], faults


def _iter_texts(paths: Sequence[Path], faults: list[str]) -> Iterator[str]:
    files = find_inputs(paths, text_column="text", remedy="give the column that holds it this name")
    for item in read_items(files, faults, text_column="text"):
        try:
            if item.error is not None:
                raise item.error
            yield normalise(item.text)
        except (FileReadError, InputError) as error:
            faults.append(f"{item.id}: {error}")


def _check_source(checkpoint: Path) -> None:
    check_there(checkpoint)
    missing = [
        name for name in (WEIGHTS_NAME, NETWORK_NAME, RUN_NAME, TOKENIZER_NAME) if not (checkpoint / name).is_file()
    ]
    if missing:
        raise CheckpointError(
            f"{checkpoint} is no checkpoint of twohands train: it has no {', '.join(missing)}; give …/checkpoint, or "
            "make one of a model folder by `twohands restore`"
        )


def narrow_checkpoint(
    checkpoint: Path, output: Path, *, texts: Sequence[str], width: int, overwrite: bool
) -> list[float]:
    """Write a checkpoint of the same network with narrower feed-forward parts.

    Args:
        checkpoint: of `twohands train`, `average` or `restore`.
        output: the checkpoint's folder. Its `run.json` counts the texts among those learnt from, so that they cannot
            be held out by an export or a later stage.
        texts: normalised, by which is seen what the units do; some hundred or more.
        width: units that each feed-forward part keeps, fewer than it has.
        overwrite: replace the output.

    Returns:
        For each layer the share of its feed-forward output's mean square by which it changed on the texts, in [0, 1].

    Raises:
        CheckpointError: it is no checkpoint, does not list the texts that it learnt from, or its parts are no wider.
        RunConflictError: `output` is in the way, is something other than a checkpoint, or is or holds the other one.
        EncoderError: the family's feed-forward parts cannot be told.
    """
    check_output(output, overwrite=overwrite, inputs=[checkpoint])
    _check_source(checkpoint)
    facts = read_run(checkpoint)
    # Where it is absent, rows are known by their ids; a list of these texts would end that.
    if "train_texts" not in facts:
        raise CheckpointError(
            f"{checkpoint / RUN_NAME} does not list the texts that it learnt from (train_texts), as runs of older "
            "releases do not; train it again"
        )
    model = load_checkpoint(checkpoint)
    parts = find_feed_forwards(model)
    whole = parts[0].down.in_features
    if width >= whole:
        raise CheckpointError(
            f"the feed-forward parts of {checkpoint} have {whole} units, {width} were asked for; expected fewer"
        )
    encoder = ParagraphEncoder.from_file(
        checkpoint / TOKENIZER_NAME, WindowRule.model_validate(facts["settings"]["window"])
    )
    windows = [window for text in texts for window in encoder.encode(text).windows]
    lost = []
    activities = gather_activity(model, parts, windows)
    with open_bar("narrowing", total=len(parts), unit="layer") as bar:
        for part, activity in zip(parts, activities, strict=True):
            lost.append(_narrow(part, activity, width=width))
            bar.update()
    write_width(model.config, width)
    digests = {digest_paragraph(text) for text in texts}
    narrowed = {"source_sha256": sha256_of_file(checkpoint / WEIGHTS_NAME), "from": whole, "to": width, "lost": lost}
    facts |= {
        "train_texts": sorted(digests.union(facts["train_texts"])),
        "narrowed": [*facts.get("narrowed", ()), narrowed],
    }
    if "encoder" in facts:
        facts["encoder"] = facts["encoder"] | {"name": name_width(facts["encoder"]["name"], width)}
    with build_checkpoint(output) as held:
        partial = held / CHECKPOINT
        shutil.copytree(checkpoint, partial)
        (partial / WEIGHTS_NAME).unlink()
        with quiet():
            model.save_pretrained(partial)
        (partial / RUN_NAME).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return lost
