"""Owns token ids of one model as those of another: two encoders that part text alike and only number tokens apart."""

import json

import numpy as np

from twohands.encoding import ParagraphEncoder, TokenIds

_PARTING = ("normalizer", "pre_tokenizer")


def _parts(encoder: ParagraphEncoder) -> tuple[dict[str, object], set[str]]:
    """What decides how text is parted, without the numbers, and the special tokens beside the vocabulary proper."""
    content = json.loads(encoder.tokenizer.to_str())
    model = {name: value for name, value in content["model"].items() if name != "vocab"}
    special = {token["content"] for token in content["added_tokens"] if token["special"]}
    parting = {name: content[name] for name in _PARTING} | model
    # Added tokens that are not special are found in text before any other; the scores of a Unigram part it.
    parting["added tokens"] = {token["content"] for token in content["added_tokens"]} - special
    if isinstance(scored := content["model"].get("vocab"), list):
        parting["scores"] = {piece: score for piece, score in scored if piece not in special}
    return parting, special


def make_translation(first: ParagraphEncoder, second: ParagraphEncoder) -> TokenIds:
    """Number the tokens of one encoder as another does.

    Text is then parted once for both. MiniLM's and MPNet's vocabularies, both BERT's, are such two.

    Args:
        first: whose ids come.
        second: whose ids are wanted.

    Returns:
        Shape `(n,)`: by id of the first, the id of the second; a window's special tokens by their place.

    Raises:
        ValueError: they do not part text alike, or cut other windows; the message says in what they differ.
    """
    if first.rule != second.rule:
        raise ValueError(f"their windows differ: {first.rule} and {second.rule}")
    if [*map(len, first.around)] != [*map(len, second.around)]:
        raise ValueError("they put other numbers of special tokens around a window")
    (parting, added), (parting_second, added_second) = _parts(first), _parts(second)
    differing = sorted(
        name for name in parting.keys() | parting_second.keys() if parting.get(name) != parting_second.get(name)
    )
    if differing:
        raise ValueError(f"their tokenizers part text in other ways ({', '.join(differing)})")
    vocabulary, vocabulary_second = first.tokenizer.get_vocab(), second.tokenizer.get_vocab()
    odd = (vocabulary.keys() - added) ^ (vocabulary_second.keys() - added_second)
    odd -= vocabulary.keys() & vocabulary_second.keys()  # special in one, a plain token in the other
    if odd:
        raise ValueError(f"their tokenizers have other tokens ({len(odd)} of one alone, such as {min(odd)!r})")
    # Only a text that spells out a special token of the first holds what the second does not know.
    unknown = second.around[1][0] if second.unknown_id is None else second.unknown_id
    table = np.full(max(vocabulary.values()) + 1, unknown, dtype=np.int64)
    for token, number in vocabulary.items():
        table[number] = vocabulary_second.get(token, unknown)
    for ids, ids_second in zip(first.around, second.around, strict=True):
        table[ids] = ids_second
    return table
