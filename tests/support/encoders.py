"""Makes tiny random encoders of several families, with a real tokenizer, on the spot."""

import json
import re
from collections import Counter
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCAB_SIZE = 400
_SMALL = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 80,
    "pad_token_id": 0,
    "initializer_range": 0.15,  # at the usual 0.02 so small a network hardly looks at its input
}
FAMILIES = {
    "bert": lambda: transformers.BertConfig(**_SMALL),
    "roberta": lambda: transformers.RobertaConfig(**_SMALL),
    "xlm-roberta": lambda: transformers.XLMRobertaConfig(**_SMALL),
    "mpnet": lambda: transformers.MPNetConfig(**_SMALL | {"pad_token_id": 1}),
    "distilbert": lambda: transformers.DistilBertConfig(
        vocab_size=VOCAB_SIZE, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=80, pad_token_id=0
    ),
    "electra": lambda: transformers.ElectraConfig(**_SMALL, embedding_size=32),
}


def make_tokenizer() -> Tokenizer:
    # A fixed vocabulary by frequency: the library's own trainers break ties by chance, and losses are pinned.
    texts = [json.loads(line)["text"] for line in (ROOT / "data/starter/dev.jsonl").read_text("utf-8").splitlines()]
    counts = Counter(re.findall(r"\w+|[^\w\s]", " ".join(texts).lower()))
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = {word: n for n, word in enumerate([*SPECIAL, *words][:VOCAB_SIZE])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # As sentence encoders ship it: a fixed padding and a cut that the contract's encoder must switch off.
    tokenizer.enable_padding(length=12)
    tokenizer.enable_truncation(max_length=12)
    return tokenizer


def make_encoder(folder: Path, family: str = "bert", *, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(FAMILIES[family]())
    model.save_pretrained(folder)
    make_tokenizer().save(str(folder / "tokenizer.json"))
    return folder
