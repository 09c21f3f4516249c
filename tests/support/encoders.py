"""Makes tiny random encoders of several families, with a tokenizer of the family's kind, on the spot."""

import json
import re
from collections import Counter
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

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
# RoBERTa's family counts positions from the padding token's id on, so its ids must be its own.
_ROBERTA = _SMALL | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
FAMILIES = {
    "bert": lambda: transformers.BertConfig(**_SMALL),
    # MiniLM is a BERT of thin, many-headed layers, whose sentence encoders are read by the mean over tokens.
    "minilm": lambda: transformers.BertConfig(**_SMALL | {"num_hidden_layers": 3, "num_attention_heads": 4}),
    "roberta": lambda: transformers.RobertaConfig(**_ROBERTA, type_vocab_size=1),
    "xlm-roberta": lambda: transformers.XLMRobertaConfig(**_ROBERTA, type_vocab_size=1),
    "mpnet": lambda: transformers.MPNetConfig(**_ROBERTA),
    "distilbert": lambda: transformers.DistilBertConfig(
        vocab_size=VOCAB_SIZE, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=80, pad_token_id=0,
        initializer_range=0.15,
    ),
    "electra": lambda: transformers.ElectraConfig(**_SMALL, embedding_size=16),
    "deberta-v3": lambda: transformers.DebertaV2Config(
        **_SMALL, type_vocab_size=0, relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm",
        share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False,
    ),
    "modernbert": lambda: transformers.ModernBertConfig(
        **_SMALL | {"num_hidden_layers": 4, "pad_token_id": VOCAB_SIZE - 2}, local_attention=16,
        bos_token_id=VOCAB_SIZE - 4, cls_token_id=VOCAB_SIZE - 4, eos_token_id=VOCAB_SIZE - 3,
        sep_token_id=VOCAB_SIZE - 3,
    ),
}  # fmt: skip
# Families whose tokenizers are byte-level BPE or a unigram model; the others' split words.
_BYTES = {"roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "modernbert": ["[CLS]", "[SEP]", "[PAD]", "[MASK]"]}
_UNIGRAM = {
    "xlm-roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
    "deberta-v3": ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
}


def _read_texts() -> list[str]:
    return [json.loads(line)["text"] for line in (ROOT / "data/starter/dev.jsonl").read_text("utf-8").splitlines()]


def _enclose(tokenizer: Tokenizer, first: str, last: str) -> Tokenizer:
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in (first, last)],
    )
    # As sentence encoders ship it: a fixed padding and a cut that the contract's encoder must switch off.
    tokenizer.enable_padding(length=12)
    tokenizer.enable_truncation(max_length=12)
    return tokenizer


def make_tokenizer(special: list[str] = SPECIAL, *, unknown: str = "[UNK]") -> Tokenizer:
    # A fixed vocabulary by frequency: the library's own trainers break ties by chance, and losses are pinned.
    counts = Counter(re.findall(r"\w+|[^\w\s]", " ".join(_read_texts()).lower()))
    words = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    vocabulary = {word: n for n, word in enumerate([*special, *words][:VOCAB_SIZE])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _enclose(tokenizer, *(["<s>", "</s>"] if "<s>" in special else ["[CLS]", "[SEP]"]))


def _make_bytes_tokenizer(special: list[str], *, is_last: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    size = VOCAB_SIZE - len(special) * is_last
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    # ModernBERT's special tokens stand at the end of the vocabulary, RoBERTa's at its beginning.
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[] if is_last else special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_read_texts(), trainer)
    if is_last:
        tokenizer.add_special_tokens(special)
    return _enclose(tokenizer, special[0], special[2 - is_last])


def _make_unigram_tokenizer(special: list[str], *, unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=special, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(_read_texts(), trainer)
    return _enclose(tokenizer, *(["<s>", "</s>"] if "<s>" in special else ["[CLS]", "[SEP]"]))


def make_family_tokenizer(family: str) -> Tokenizer:
    if family in _BYTES:
        return _make_bytes_tokenizer(_BYTES[family], is_last=family == "modernbert")
    if family in _UNIGRAM:
        return _make_unigram_tokenizer(_UNIGRAM[family], unknown="<unk>" if family == "xlm-roberta" else "[UNK]")
    return make_tokenizer(["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]) if family == "mpnet" else make_tokenizer()


def make_encoder(folder: Path, family: str = "bert", *, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    model = transformers.AutoModel.from_config(FAMILIES[family]())
    model.save_pretrained(folder)
    make_family_tokenizer(family).save(str(folder / "tokenizer.json"))
    return folder
