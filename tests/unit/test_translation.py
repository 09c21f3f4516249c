"""Ids of one model become those of another where both part text alike, and are refused where they do not."""

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from twohands.encoding import ParagraphEncoder
from twohands.translation import make_translation
from twohands.windows import WindowRule

RULE = WindowRule(max_tokens=16, overlap_tokens=4, max_windows=3)
BERT, MPNET = ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), ("<s>", "<pad>", "</s>", "[UNK]")
WORDS = ("plan", "market", "##s", "the")


def make_encoder(special, first, last, words=WORDS, *, rule=RULE, lowercase=True, unknown="[UNK]", twice=False):
    vocabulary = {token: number for number, token in enumerate([*special, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(special))
    ends = [(token, vocabulary[token]) for token in {first, last}]
    behind = f"{last} {last}" if twice else last
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {behind}", special_tokens=ends)
    return ParagraphEncoder(tokenizer, rule)


@pytest.fixture
def first():
    return make_encoder(BERT, "[CLS]", "[SEP]")


@pytest.mark.parametrize("text", ["plans the market", "The Plan, unheard of"])
def test_windows_translated_are_those_of_the_second(first, text):
    second = make_encoder(MPNET, "<s>", "</s>", WORDS[::-1])
    table = make_translation(first, second)
    (window,), (wanted,) = first.encode(text).windows, second.encode(text).windows
    np.testing.assert_array_equal(table[window], wanted)


def test_a_special_token_spelt_out_is_unknown_to_a_second_without_it(first):
    second = make_encoder(MPNET, "<s>", "</s>")
    table = make_translation(first, second)
    pad = BERT.index("[PAD]")
    assert table[pad] == MPNET.index("[UNK]")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": WindowRule(max_tokens=8, overlap_tokens=4, max_windows=3)}, "windows differ"),
        ({"lowercase": False}, r"part text in other ways \(normalizer\)"),
        ({"words": (*WORDS, "hand")}, "1 of one alone, such as 'hand'"),
        ({"words": WORDS[:-1]}, "1 of one alone, such as 'the'"),
        ({"twice": True}, "other numbers of special tokens"),
    ],
)
def test_encoders_that_read_text_in_other_ways_are_refused(first, options, said):
    with pytest.raises(ValueError, match=said):
        make_translation(first, make_encoder(BERT, "[CLS]", "[SEP]", **options))


def test_added_tokens_that_are_not_special_part_text_and_must_be_the_same(first):
    second = make_encoder(BERT, "[CLS]", "[SEP]")
    second.tokenizer.add_tokens(["planmaker"])
    for pair in ((first, second), (second, first)):
        with pytest.raises(ValueError, match=r"part text in other ways \(added tokens\)"):
            make_translation(*pair)


def make_unigram(*scores):
    pieces = [("[UNK]", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), *zip(("plan", "maker", "planmaker"), scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    ends = [("[CLS]", 1), ("[SEP]", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return ParagraphEncoder(tokenizer, RULE)


def test_the_scores_of_a_unigram_part_text_too():
    first = make_unigram(-1.0, -1.0, -9.0)
    make_translation(first, make_unigram(-1.0, -1.0, -9.0))
    with pytest.raises(ValueError, match=r"part text in other ways \(scores\)"):
        make_translation(first, make_unigram(-9.0, -9.0, -1.0))
