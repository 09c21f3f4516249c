"""Owns warm-ups of an encoder before a run: masked words (Devlin et al. 2019), or labels' contrasts (Khosla et al. 2020).

    python -m training.warmup mlm  all-MiniLM-L6-v2 OUT FILE...   # texts of any rows
    python -m training.warmup supcon all-MiniLM-L6-v2 OUT FILE... # rows labelled for stance and topics
"""

import json
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModel

from training.encoders import find_encoder
from training.machine import keep_freed_memory, set_threads
from training.speedups import speed_up

BATCH, LENGTH, RATE = {"mlm": 16, "supcon": 32}, 256, {"mlm": 1e-4, "supcon": 5e-5}


def read(paths):
    return [json.loads(line) for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()]


def batches(rows, lengths, size, generator):
    """Rows of like length together, batches in random order."""
    order = sorted(range(len(rows)), key=lambda n: lengths[n] + 20 * torch.rand((), generator=generator).item())
    cut = [order[start : start + size] for start in range(0, len(order), size)]
    return [cut[n] for n in torch.randperm(len(cut), generator=generator).tolist()]


def contrast(vectors, same):
    """Supervised contrastive loss, temperature .1; rows without another of their kind add nothing."""
    alone = torch.eye(len(vectors), dtype=torch.bool)
    logits = (vectors @ vectors.T / 0.1).masked_fill(alone, -1e9)
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    same = same & ~alone
    counts = same.sum(dim=1)
    return -((log_p * same).sum(dim=1) / counts.clamp(min=1))[counts > 0].mean()


def main(kind, name, out, *paths):
    keep_freed_memory()
    set_threads(1)
    torch.manual_seed(13)
    generator = torch.Generator().manual_seed(13)
    found = find_encoder(name)
    tokenizer = found.read_tokenizer()
    encoder = AutoModel.from_pretrained(found.folder, attn_implementation="eager", dtype=torch.float32, add_pooling_layer=False).train()
    for module in encoder.modules():
        if hasattr(module, "p") and "attention" in str(type(module)).lower():
            module.p = 0.0
    speed_up(encoder)
    size, words = encoder.config.hidden_size, encoder.config.vocab_size
    head = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.LayerNorm(size)) if kind == "mlm" else nn.Identity()
    bias = nn.Parameter(torch.zeros(words))
    rows = read(paths)
    tokenizer.enable_truncation(LENGTH)
    coded = [encoding.ids for encoding in tokenizer.encode_batch([row["text"] for row in rows])]
    mask_id = tokenizer.token_to_id("[MASK]")
    parameters = [*encoder.parameters(), *head.parameters(), bias]
    optimizer = torch.optim.AdamW(parameters, lr=RATE[kind], weight_decay=0.01, fused=True)
    plan = batches(coded, [len(ids) for ids in coded], BATCH[kind], generator)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.06 * len(plan)), max(0.0, (len(plan) - step) / (0.94 * len(plan))))
    )
    started, total = time.monotonic(), 0.0
    for number, places in enumerate(plan, start=1):
        ids = nn.utils.rnn.pad_sequence([torch.tensor(coded[place]) for place in places], batch_first=True)
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(coded[place]), dtype=torch.int64) for place in places], batch_first=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if kind == "mlm":
                inner = mask.bool() & (torch.arange(ids.shape[1]) > 0) & (ids != tokenizer.token_to_id("[SEP]"))
                chosen = inner & (torch.rand(ids.shape) < 0.15)
                draw = torch.rand(ids.shape)
                shown = torch.where(chosen & (draw < 0.8), mask_id, ids)
                shown = torch.where(chosen & (draw >= 0.9), torch.randint(1000, words, ids.shape), shown)
                hidden = encoder(input_ids=shown, attention_mask=mask).last_hidden_state[chosen]
                logits = head(hidden) @ encoder.get_input_embeddings().weight.T.to(torch.bfloat16) + bias
                loss = functional.cross_entropy(logits.float(), ids[chosen])
            else:
                hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                vectors = functional.normalize((hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), dim=1)
                with torch.autocast("cpu", enabled=False):
                    by = [[rows[p]["stance"] for p in places], [tuple(sorted(rows[p]["topics"])) for p in places]]
                    same = [torch.tensor([[a == b for b in kinds] for a in kinds]) for kinds in by]
                    loss = contrast(vectors, same[0]) + contrast(vectors, same[1])
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        total += loss.item()
        if number % 20 == 0:
            print(f"{kind} {number}/{len(plan)} loss {total / 20:.3f} {time.monotonic() - started:.0f} s", flush=True)
            total = 0.0
    folder = Path(out)
    fresh = AutoModel.from_pretrained(found.folder, dtype=torch.float32)
    fresh.load_state_dict(encoder.state_dict(), strict=False)
    fresh.save_pretrained(folder)
    for file in found.folder.iterdir():
        if file.name.startswith(("tokenizer", "vocab", "special")):
            (folder / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
