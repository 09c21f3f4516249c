"""Owns one run of fine-tuning, top to bottom: rows in, the best checkpoint out, resumed where it was killed."""

import json
import os
import shutil
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import datasets
import torch
import transformers
from transformers import EvalPrediction, Trainer, TrainerState, TrainingArguments

from training.augment import augment_examples
from training.batches import WindowCollator, average_windows, describe_cut, make_dataset
from training.calibration import fit_rules
from training.claim import CHECKPOINT as CHECKPOINT
from training.claim import CONFIG_NAME as CONFIG_NAME
from training.claim import TRAINER, claim_run, find_last_whole
from training.config import TrainConfig, dump_config
from training.data import Splits, repeat_examples
from training.encoders import RUN_NAME, FoundEncoder
from training.identity import check_apart, identify_run
from training.losses import MultiHeadLoss, check_finite, weigh_classes
from training.machine import keep_freed_memory, set_threads, uses_bf16
from training.network import begin_network, identify_encoder
from training.optimizer import choose_optimizer
from training.order import EpochOrder
from training.progress import MEAN_F1, ProgressBar, name_scores
from training.restated import find_restated, pair_restated
from training.stages import describe_replay, draw_replay, list_rows, read_origin
from training.steps import Patience, StepPlan, is_over, plan_steps, warn_of_end
from twohands.decide import decide_all
from twohands.encoding import ParagraphEncoder
from twohands.examples import Example, encode_labels
from twohands.metrics import mcc, score_heads
from twohands.taxonomy import Taxonomy


class _MultiHeadTrainer(Trainer):
    """Transformers' loop with our loss: windows are averaged before it, as they are when serving."""

    def __init__(
        self, *, loss: MultiHeadLoss, consistency_weight: float, steps_per_epoch: int, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.model_accepts_loss_kwargs = False  # our loss is a mean, to be divided among accumulated batches
        self._loss = loss
        self._consistency_weight = consistency_weight
        self._steps_per_epoch = steps_per_epoch

    def take_up_ended(self, last: Path, patience: int, *, min_steps: int) -> bool:
        """Take up a run that was killed between its last step and its end: to train it further makes a step too many.

        Args:
            last: its newest checkpoint.
            patience: evaluations without gain that end it.
            min_steps: before which they do not.

        Returns:
            False where it had steps to make, and nothing was taken up.
        """
        state = TrainerState.load_from_json(str(last / "trainer_state.json"))
        # By its name, as the folder may have been moved since.
        best = last.parent / Path(state.best_model_checkpoint or "none").name
        if not best.is_dir() or not is_over(state, key=f"eval_{MEAN_F1}", patience=patience, min_steps=min_steps):
            return False
        state.best_model_checkpoint = str(best)
        self.state = state
        self._load_best_model()
        return True

    def _get_train_sampler(self, train_dataset: datasets.Dataset | None = None) -> EpochOrder:
        table = self.train_dataset if train_dataset is None else train_dataset
        return EpochOrder(
            table["length"],
            batch_size=self.args.train_batch_size * self.args.gradient_accumulation_steps,
            seed=self.args.seed,
            # By steps made, which a checkpoint keeps: the loader's own count begins anew when a run goes on.
            read_epoch=lambda: self.state.global_step // self._steps_per_epoch,
        )

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, dict[str, torch.Tensor]]:
        del num_items_in_batch  # the loss is a mean over the rows that are labelled
        window_logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
        logits = average_windows(window_logits.float(), inputs["n_windows"])
        loss = self._loss(logits, inputs["labels"])
        changed = inputs["changed"]
        as_they_were = logits[len(logits) - len(changed) :]
        loss = loss + self._consistency_weight * self._loss.compare(logits[changed], as_they_were)
        if model.training:  # one number a step; the library reads it, too, for its log
            check_finite(loss, step=self.state.global_step + 1)
        return (loss, {"logits": logits}) if return_outputs else loss


def _arguments(config: TrainConfig, run_dir: Path, plan: StepPlan) -> TrainingArguments:
    final_rate = {"lr_end": config.optim.final_learning_rate, "power": 1.0} if config.optim.final_learning_rate else {}
    return TrainingArguments(
        output_dir=str(run_dir / TRAINER),
        seed=config.seed,
        data_seed=config.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=uses_bf16(config.compute.precision),
        learning_rate=config.optim.learning_rate,
        # a polynomial of power 1 is linear, too, and may end above nothing
        lr_scheduler_type="polynomial" if config.optim.final_learning_rate else "linear",
        lr_scheduler_kwargs=final_rate,
        weight_decay=config.optim.weight_decay,
        warmup_steps=int(config.optim.warmup_fraction * plan.total),
        num_train_epochs=config.optim.num_epochs,
        max_steps=plan.n_floored or -1,  # -1: as many as the epochs come to
        per_device_train_batch_size=config.optim.batch_size,
        per_device_eval_batch_size=2 * config.optim.batch_size,
        gradient_accumulation_steps=config.optim.gradient_accumulation_steps,
        max_grad_norm=config.optim.max_grad_norm,
        eval_strategy="steps",
        eval_steps=plan.every,
        save_strategy="steps",
        save_steps=plan.every,
        save_total_limit=2,
        logging_steps=min(10, plan.every),
        load_best_model_at_end=True,
        metric_for_best_model=MEAN_F1,
        greater_is_better=True,
        label_names=["labels"],
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=[],
        dataloader_num_workers=0,
        dataloader_pin_memory=torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
    )


def fit(
    config: TrainConfig, taxonomy: Taxonomy, splits: Splits, encoder: FoundEncoder, *, run_dir: Path, restart: bool
) -> Path:
    """Fine-tune, and keep the step that is best on dev.

    Args:
        config: the run.
        taxonomy: the heads.
        splits: checked rows.
        encoder: checked weights.
        run_dir: where checkpoints stand; a run that was killed goes on from the last one.
        restart: discard what is there.

    Returns:
        A checkpoint folder: `config.json`, `model.safetensors`, `tokenizer.json`, `train_config.yaml`, `run.json`.

    Raises:
        ConfigError: answers are to be drawn together where no row has another text.
        DataError: a row restates itself, or one that is labelled otherwise; or all rows are old, and none is drawn.
        RunConflictError: `run_dir` holds a run with other settings, rows or processes, or what this one goes on from,
            or another process trains in it.
        CheckpointError: the run cannot go on from its `start`.
        LeakError: its `start` or its encoder learnt from rows that are held out here.
        NonFiniteLogitsError: the run diverged.
    """
    transformers.logging.set_verbosity_error()
    checkpoint = run_dir / CHECKPOINT
    is_main = int(os.environ.get("RANK", "0")) == 0
    check_apart(config, encoder, run_dir)
    identity = identify_run(config, taxonomy, splits, encoder)
    rows = splits.train
    if config.start is not None:  # before there is a folder, which another share would not fit
        rows = draw_replay(splits.train, config.start.checkpoint, share=config.start.replay, seed=config.seed)
    with claim_run(run_dir, identity, restart=restart) if is_main else nullcontext():
        # With restart it is gone, or about to go: another process of this run must not take it for the result.
        if not restart and (checkpoint / CONFIG_NAME).is_file():
            if is_main:
                sys.stderr.write(f"train: {checkpoint} is there already, of the same rows and settings\n")
            return checkpoint
        if is_main and config.start is not None:
            sys.stderr.write(f"train: {describe_replay(splits.train, rows, config.start.checkpoint)}\n")
        _train(config, taxonomy, splits, encoder, rows=rows, run_dir=run_dir, identity=identity)
    return checkpoint


def _tell_cut(tables: dict[str, datasets.Dataset], *, max_windows: int) -> None:
    for split, table in tables.items():
        for line in describe_cut(split, list(table["n_tokens_cut"]), max_windows=max_windows):
            sys.stderr.write(f"train: {line}\n")


def _train(
    config: TrainConfig,
    taxonomy: Taxonomy,
    splits: Splits,
    encoder: FoundEncoder,
    *,
    rows: list[Example],
    run_dir: Path,
    identity: dict[str, object],
) -> None:
    """Train in a folder that is ours, from its last checkpoint if there is one; leave the best step."""
    checkpoint = run_dir / CHECKPOINT
    is_main = int(os.environ.get("RANK", "0")) == 0
    keep_freed_memory()
    n_threads = set_threads(config.compute.num_threads)
    transformers.set_seed(config.seed)
    paragraph_encoder = ParagraphEncoder(encoder.read_tokenizer(), config.window)
    model = begin_network(config, encoder, taxonomy)
    originals = repeat_examples(rows)
    rows = augment_examples(originals, **config.augmentation.model_dump(), seed=config.seed)
    # Among all: a replay may have drawn one of the two alone.
    restated = find_restated(splits.train) if config.loss.consistency_weight else {}
    train = make_dataset(
        rows,
        paragraph_encoder,
        taxonomy,
        teacher_weight=config.loss.teacher_weight,
        label_smoothing=config.loss.label_smoothing,
        originals=pair_restated(originals, restated) if config.loss.consistency_weight else None,
    )
    dev = make_dataset(splits.dev, paragraph_encoder, taxonomy)
    _tell_cut({"train": train, "dev": dev} if is_main else {}, max_windows=config.window.max_windows)
    lengths = list(dev["length"])
    dev = dev.select(sorted(range(len(dev)), key=lengths.__getitem__))  # little padding
    class_weights = weigh_classes(encode_labels(rows, taxonomy), taxonomy, powers=config.loss.class_weight_power)

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        logits, labels = prediction.predictions, prediction.label_ids
        check_finite(torch.from_numpy(logits), step=trainer.state.global_step)  # the last step before may have been it
        answers = decide_all(logits, taxonomy, fit_rules(logits, labels, taxonomy))
        scores = score_heads(answers, labels, taxonomy)
        # Near 0 for answers that do not hang on the text, whatever their macro-F1.
        correlations = score_heads(answers, labels, taxonomy, measure=mcc)
        return name_scores(scores, correlations)

    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    per_step = config.optim.batch_size * config.optim.gradient_accumulation_steps * n_processes
    steps_per_epoch = -(-len(train) // per_step)
    plan = plan_steps(
        steps_per_epoch=steps_per_epoch,
        num_epochs=config.optim.num_epochs,
        evaluations_per_epoch=config.selection.evaluations_per_epoch,
        min_steps=config.optim.min_steps,
    )
    if plan.n_floored and is_main:
        epochs = "1 epoch" if config.optim.num_epochs == 1 else f"{config.optim.num_epochs:g} epochs"
        sys.stderr.write(
            f"train: too few steps in {epochs} of {len(train)} rows; {plan.n_floored} are made (optim.min_steps)\n"
        )
    arguments = _arguments(config, run_dir, plan)
    trainer = _MultiHeadTrainer(
        model=model,
        args=arguments,
        optimizer_cls_and_kwargs=choose_optimizer(model, arguments, layer_decay=config.optim.layer_decay),
        train_dataset=train,
        eval_dataset=dev,
        data_collator=WindowCollator(model.config.pad_token_id or 0),
        compute_metrics=compute_metrics,
        callbacks=[ProgressBar(), Patience(config.selection.patience, min_steps=config.optim.min_steps)],
        loss=MultiHeadLoss(taxonomy, head_weights=config.loss.head_weights, class_weights=class_weights),
        consistency_weight=config.loss.consistency_weight,
        steps_per_epoch=steps_per_epoch,
    )
    trainer.remove_callback(transformers.PrinterCallback)  # it prints dicts between the bar's lines
    started = time.monotonic()
    last = find_last_whole(run_dir)
    if last and is_main:
        sys.stderr.write(f"train: going on from step {last.name.rpartition('-')[2]} of {run_dir}\n")
    if not (last and trainer.take_up_ended(last, config.selection.patience, min_steps=config.optim.min_steps)):
        trainer.train(resume_from_checkpoint=str(last) if last else None)

    if is_main:
        ended = warn_of_end(
            trainer.state.log_history,
            best_step=trainer.state.best_global_step,
            best_score=trainer.state.best_metric,
        )
        if ended is not None:
            sys.stderr.write(f"train: {ended}\n")
        partial = run_dir / f"{CHECKPOINT}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        trainer.save_model(str(partial))
        (partial / "training_args.bin").unlink(missing_ok=True)  # a pickle, of nothing that train_config.yaml lacks
        paragraph_encoder.save(partial / "tokenizer.json")
        facts = (
            identity
            | list_rows(splits.train, start=config.start.checkpoint if config.start else None, encoder=encoder.folder)
            | {
                "start_restored_from": read_origin(config.start.checkpoint) if config.start else None,
                # For the manifest, so that an export elsewhere needs no encoder.
                "encoder": identify_encoder(encoder, config.encoder.num_layers, model),
                "best_dev": trainer.state.best_metric,
                "best_step": trainer.state.best_global_step,
                "steps": trainer.state.global_step,
                "seconds_since_start_or_resume": round(time.monotonic() - started, 1),
                "resumed": last is not None,
                "num_threads": n_threads,
                "bf16": trainer.args.bf16,
                "log": trainer.state.log_history,
                "files": [file.model_dump(mode="json") for file in splits.files],
            }
        )
        (partial / RUN_NAME).write_text(json.dumps(facts, indent=2), encoding="utf-8")
        (partial / CONFIG_NAME).write_text(dump_config(config, taxonomy), encoding="utf-8")
        partial.rename(checkpoint)
    trainer.accelerator.wait_for_everyone()
