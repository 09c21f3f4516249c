"""Owns the runs of an ablation: which there are and in what order, each trained and asked about dev, or read again."""

import platform
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from training.ablatesteps import BASE, Step
from training.batches import WindowCollator
from training.config import TrainConfig
from training.crossfit import decide_crossfitted
from training.data import Splits, load_splits
from training.encoders import FoundEncoder, find_encoder
from training.identity import identify_run, list_changes
from training.kept import is_kept, read_kept, write_kept
from training.loop import CHECKPOINT, fit
from training.model import load_checkpoint
from training.paired import Given
from training.room import RUN_COPIES, check_room, folder_bytes
from training.stages import read_run
from twohands import __version__
from twohands.cpu import describe_cpu
from twohands.encoding import ParagraphEncoder, TokenIds
from twohands.errors import ConfigError, NonFiniteLogitsError
from twohands.examples import Example, encode_labels
from twohands.hashing import sha256_of_value
from twohands.session import run_paragraphs
from twohands.taxonomy import Taxonomy
from twohands.windows import Logits


@dataclass(frozen=True, slots=True)
class Run:
    """One step with one seed: its config, its rows (test left out), its encoder, and what its weights hang on."""

    step: str
    seed: int
    config: TrainConfig
    splits: Splits
    encoder: FoundEncoder
    identity: dict[str, object]

    @property
    def name(self) -> str:
        """Of its files; no other run has it, as a seed has no dash."""
        return f"{self.step}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run came to: its logits for the rows of dev, shape `(n, n_labels)`, and `facts` of its training.

    `given` are the labels that follow, by head.
    """

    logits: Logits
    given: Given
    facts: dict[str, Any]

    @property
    def minutes(self) -> float | None:
        """How long it was trained; None where it was killed in between, as nobody knows how long it was before."""
        return None if self.facts["resumed"] else self.facts["seconds"] / 60


def _identify_step(step: Step, taxonomy: Taxonomy, splits: Splits, encoder: FoundEncoder) -> dict[str, object]:
    """What its runs hang on but for the seed; the precision, too, which `train` may change when it goes on."""
    asked = {
        "dev_ids_sha256": sha256_of_value([example.id for example in splits.dev]),
        # Logits are kept by place: rows without ids, named by their lines, were answered for one another when their
        # file had another order by the next call (#3).
        "dev_texts_sha256": sha256_of_value([example.paragraph for example in splits.dev]),
    }
    return identify_run(step.config, taxonomy, splits, encoder) | asked | {"precision": step.config.compute.precision}


def _is_same(one: Step, other: Step, identities: dict[str, dict[str, object]]) -> bool:
    is_timed_alike = one.config.compute == other.config.compute  # threads change what a run takes, if not its weights
    return is_timed_alike and not list_changes(identities[one.name], identities[other.name])


def plan_runs(steps: Sequence[Step], taxonomy: Taxonomy, seeds: Sequence[int]) -> list[Run]:
    """Load the rows and encoder of each step, and put the runs in order: seed by seed, the base first.

    So a call that is broken off early leaves something to compare. Rows that are held out as dev are drawn by the
    seed of the config, for all runs alike: with other rows nothing would be paired.

    Args:
        steps: the base first.
        taxonomy: the heads.
        seeds: no two alike.

    Returns:
        One run a step and seed.

    Raises:
        ConfigError: a step is the same run as another, or is judged by other rows of dev.
        DataError: rows cannot be used, or splits share some.
        CheckpointError: a step cannot go on from its `start`.
        EncoderError: an encoder is not there, or does not fit.
    """
    loaded: dict[str, Splits] = {}
    encoders: dict[str, FoundEncoder] = {}
    identities: dict[str, dict[str, object]] = {}
    settings: dict[str, tuple[TrainConfig, Splits, FoundEncoder]] = {}
    faults = []
    for number, step in enumerate(steps):
        # Test stays unread: who looks at it after each step has chosen by it.
        data = step.config.data.model_copy(update={"test": None})
        splits = loaded.get(data.model_dump_json())
        if splits is None:
            splits = loaded[data.model_dump_json()] = load_splits(data, taxonomy, seed=steps[0].config.seed)
        wanted = step.config.encoder
        named = f"{wanted.name} {wanted.revision} {wanted.sha256}"
        encoder = encoders.get(named)
        if encoder is None:
            encoder = encoders[named] = find_encoder(wanted.name, revision=wanted.revision, sha256=wanted.sha256)
        encoder.check_fit(max_tokens=step.config.window.max_tokens, num_layers=wanted.num_layers, layers=wanted.layers)
        settings[step.name] = step.config.model_copy(update={"data": data}), splits, encoder
        identities[step.name] = _identify_step(step, taxonomy, splits, encoder)
        of_dev = ("dev_fingerprint", "dev_ids_sha256", "dev_texts_sha256")
        if any(identities[step.name][key] != identities[BASE][key] for key in of_dev):
            faults.append(
                f"step {step.name} has other rows of dev than the base; give dev as files, and change data.train alone"
            )
        same = next((other.name for other in steps[:number] if _is_same(step, other, identities)), None)
        if same is not None:
            faults.append(f"step {step.name} is the same run as {'the base' if same == BASE else same}")
    if faults:
        raise ConfigError("the steps cannot be compared", faults)
    return [_plan_run(step, seed, *settings[step.name], identities[step.name]) for seed in seeds for step in steps]


def _plan_run(
    step: Step, seed: int, config: TrainConfig, splits: Splits, encoder: FoundEncoder, identity: dict[str, Any]
) -> Run:
    seeded = config.model_copy(update={"seed": seed, "run_name": f"{config.run_name}-{step.name}-{seed}"})
    of_seed = identity | {"settings": identity["settings"] | {"seed": seed}}
    return Run(step.name, seed, seeded, splits, encoder, of_seed)


def ask_checkpoint(checkpoint: Path, examples: Sequence[Example], config: TrainConfig) -> Logits:
    """Ask a checkpoint about rows, in fp32 and without an export.

    Args:
        checkpoint: of a run.
        examples: at least one.
        config: of the run.

    Returns:
        Shape `(len(examples), n_labels)`.
    """
    model = load_checkpoint(checkpoint)
    collate = WindowCollator(model.config.pad_token_id or 0)
    batch_size = 2 * config.optim.batch_size

    def run_batch(windows: Sequence[TokenIds]) -> Logits:
        order = sorted(range(len(windows)), key=lambda place: len(windows[place]))  # little padding
        logits = np.empty((len(windows), model.config.num_labels), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            places = order[start : start + batch_size]
            batch = collate([{"windows": [windows[place].tolist()], "labels": []} for place in places])
            with torch.inference_mode():
                answered = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
            logits[places] = answered.logits.numpy()
        return logits

    encoder = ParagraphEncoder.from_file(checkpoint / "tokenizer.json", config.window)
    return run_paragraphs(run_batch, encoder.encode_many([example.paragraph for example in examples]))


def _file_of(run: Run, output: Path) -> Path:
    return output / f"{run.name}.json"


def _decide(run: Run, taxonomy: Taxonomy, logits: Logits, facts: dict[str, Any]) -> Answered:
    dev = run.splits.dev
    given = decide_crossfitted(logits, encode_labels(dev, taxonomy), [example.group for example in dev], taxonomy)
    return Answered(logits, given, facts)


def read_answered(run: Run, taxonomy: Taxonomy, output: Path) -> Answered | None:
    """Read what an earlier call left of a run.

    Args:
        run: which.
        taxonomy: the heads.
        output: folder of the ablation.

    Returns:
        Its answers; None where it has not ended.

    Raises:
        RunConflictError: it was made with other settings or rows.
    """
    content = read_kept(_file_of(run, output), run.identity)
    if content is None:
        return None
    return _decide(run, taxonomy, np.array(content["logits"], dtype=np.float32), content["facts"])


def _diverged_of(run: Run, output: Path) -> Path:
    return output / f"{run.name}.diverged.json"


def has_diverged(run: Run, output: Path) -> bool:
    """Whether an earlier call found that a run with these settings and rows diverges: it would do so again."""
    return is_kept(_diverged_of(run, output), run.identity)


def has_begun(run: Run, output: Path) -> bool:
    """Whether a run was broken off: it goes on where it was, or where it was answered, is cleared away."""
    return (output / run.name / "trainer").is_dir()


def has_checkpoint(run: Run, output: Path) -> bool:
    """Whether the weights of a run that has ended were kept."""
    return (output / run.name / CHECKPOINT).is_dir()


def discard(runs: Sequence[Run], output: Path) -> None:
    """Forget what runs answered; what is left of their checkpoints goes when they are trained again."""
    for run in runs:
        _file_of(run, output).unlink(missing_ok=True)
        _diverged_of(run, output).unlink(missing_ok=True)


def check_room_for(runs: Sequence[Run], output: Path, *, keep_checkpoints: bool) -> None:
    """Refuse a disk that cannot take the runs that are left.

    Args:
        runs: those left.
        output: folder of the ablation.
        keep_checkpoints: whether each leaves its weights there.

    Raises:
        FileWriteError: it cannot.
    """
    sizes = [run.encoder.weights_bytes(run.config.encoder.num_layers) for run in runs]
    begun_bytes = sum(folder_bytes(output / run.name) for run in runs)
    needed_bytes = RUN_COPIES * max(sizes, default=0) + keep_checkpoints * sum(sizes) - begun_bytes
    check_room(output, needed_bytes=needed_bytes, option="--output")


def clear(run: Run, output: Path, *, keep_checkpoint: bool) -> None:
    """Remove what a run that was answered no longer needs; a kill may have come before it."""
    work = output / run.name
    if has_begun(run, output):
        shutil.rmtree(work / "trainer" if keep_checkpoint else work, ignore_errors=True)


def answer_run(run: Run, taxonomy: Taxonomy, *, output: Path, restart: bool, keep_checkpoint: bool) -> Answered:
    """Train one run and ask it about dev.

    Args:
        run: which.
        taxonomy: the heads.
        output: folder of the ablation; its answers are written there, and last of all its checkpoints are removed.
        restart: discard what is there of its checkpoints.
        keep_checkpoint: leave the step that was best in `output/STEP-SEED/checkpoint`.

    Returns:
        Its answers.

    Raises:
        RunConflictError: `output` holds it with other settings, or another process trains it.
        NonFiniteLogitsError: it diverged; that is all that is left of it.
    """
    work = output / run.name
    try:
        checkpoint = fit(run.config, taxonomy, run.splits, run.encoder, run_dir=work, restart=restart)
    except NonFiniteLogitsError as error:
        shutil.rmtree(work)  # nothing to go on from; and the step can be given again with a lower rate
        write_kept(_diverged_of(run, output), {"identity": run.identity, "diverged": str(error)})
        raise
    told = read_run(checkpoint)
    facts = {
        "seconds": told["seconds_since_start_or_resume"],
        "resumed": told["resumed"],
        **{key: told[key] for key in ("steps", "best_step", "num_threads", "bf16")},
        "cpu": describe_cpu(),
        "versions": {
            "twohands": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "python": platform.python_version(),
        },
    }
    logits = ask_checkpoint(checkpoint, run.splits.dev, run.config)
    write_kept(_file_of(run, output), {"identity": run.identity, "facts": facts, "logits": logits.tolist()})
    _diverged_of(run, output).unlink(missing_ok=True)  # with other settings
    clear(run, output, keep_checkpoint=keep_checkpoint)
    return _decide(run, taxonomy, logits, facts)


def answer_left(
    runs: Sequence[Run],
    answered: dict[tuple[str, int], Answered],
    taxonomy: Taxonomy,
    *,
    diverged: Collection[str],
    output: Path,
    restart: bool,
    keep_checkpoints: bool,
    say: Callable[[str], None],
) -> Iterator[Run]:
    """Train and ask the runs that have no answers yet, in their order.

    Args:
        runs: all.
        answered: by step and seed; grows.
        taxonomy: the heads.
        diverged: names of runs that did so before, and are passed over.
        output: as in `answer_run`.
        restart: as there.
        keep_checkpoints: as there.
        say: is told which run it is, and how long the rest may take.

    Yields:
        Each run that has ended; one that is not in `answered` then has diverged.
    """
    left = [run for run in runs if (run.step, run.seed) not in answered and run.name not in diverged]
    for number, run in enumerate(left, start=1):
        place = len(runs) - len(left) + number
        say(f"run {place} of {len(runs)}: {run.step}, seed {run.seed}{tell_left(left[number - 1 :], answered)}")
        try:
            found = answer_run(run, taxonomy, output=output, restart=restart, keep_checkpoint=keep_checkpoints)
        except NonFiniteLogitsError as error:
            say(f"{run.name}: {error}")
        else:
            answered[run.step, run.seed] = found
        yield run


def estimate_minutes(left: Sequence[Run], answered: Mapping[tuple[str, int], Answered]) -> float | None:
    """Say how long the runs that are left may take.

    Args:
        left: they.
        answered: by step and seed.

    Returns:
        Minutes, each run taken to be as long as those of its step, or as all where there is none; None where no run
        has ended that was not broken off.
    """
    known = [(step, found.minutes) for (step, _), found in answered.items() if found.minutes is not None]
    if not known:
        return None

    def expect(step: str) -> float:
        alike = [minutes for other, minutes in known if other == step] or [minutes for _, minutes in known]
        return sum(alike) / len(alike)

    return sum(expect(run.step) for run in left)


def tell_left(left: Sequence[Run], answered: Mapping[tuple[str, int], Answered]) -> str:
    """The end of a sentence on the runs that are left: how long they may take, where that is known."""
    minutes = estimate_minutes(left, answered)
    if minutes is None:
        return ""
    if minutes < 1:
        return ", less than a minute left" if left else ""
    return f", some {minutes:.0f} min left" if minutes < 100 else f", some {minutes / 60:.1f} h left"
