"""Token ids are the tokenizer's own, whatever padding its file carries, and long text is cut by the window rule."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.support.tiny import WORDS, make_tokenizer
from twohands.encoding import ParagraphEncoder
from twohands.errors import EmptyParagraphError, FileReadError, InputTypeError, ParagraphTooLongError
from twohands.paragraphs import LIMIT_CHARS
from twohands.windows import WindowRule

RULE = WindowRule(max_tokens=16, overlap_tokens=4, max_windows=3)
CLS, SEP, UNK = 2, 3, 1


@pytest.fixture(scope="module")
def encoder():
    return ParagraphEncoder(make_tokenizer(), RULE)


def random_words(seed, n):
    return " ".join(random.Random(seed).choices([*WORDS, "oddity"], k=n))


@pytest.mark.parametrize("text", ["The plan.", "market", "a  Market\nof the PLAN", "oddity of subsidy.", "'"])
def test_ids_are_the_tokenizers_own(encoder, text):
    encoded = encoder.encode(text)
    own = make_tokenizer().encode(" ".join(text.split()))
    assert [ids.tolist() for ids in encoded.windows] == [own.ids]
    assert encoded.windows[0].dtype == np.int64
    assert encoded.n_tokens == len(own.ids) - 2
    assert (encoded.n_tokens_cut, encoded.is_truncated) == (0, False)
    assert encoded.n_tokens_unknown == own.ids.count(UNK)


def test_padding_and_truncation_in_the_file_are_neutralised(tmp_path):
    tokenizer = make_tokenizer()
    tokenizer.enable_padding(length=64, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(max_length=5)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    assert len(Tokenizer.from_file(str(path)).encode("plan " * 9).ids) == 64  # what would happen otherwise
    encoder = ParagraphEncoder.from_file(path, RULE)
    assert encoder.encode("plan " * 9).windows[0].tolist() == [CLS, *[4] * 9, SEP]
    assert encoder.encode_many(["plan", "plan plan"])[0].windows[0].tolist() == [CLS, 4, SEP]
    encoder.save(tmp_path / "saved.json")
    saved = json.loads((tmp_path / "saved.json").read_text(encoding="utf-8"))
    assert (saved["padding"], saved["truncation"]) == (None, None)


def test_long_text_gives_windows_with_special_tokens_that_join_to_the_text(encoder):
    text = random_words(3, 30)
    own = make_tokenizer().encode(text, add_special_tokens=False).ids
    encoded = encoder.encode(text)
    assert len(encoded.windows) == 3
    assert all(ids[0] == CLS and ids[-1] == SEP and len(ids) <= RULE.max_tokens for ids in encoded.windows)
    inner = [ids[1:-1].tolist() for ids in encoded.windows]
    assert inner[0] + [token for ids in inner[1:] for token in ids[RULE.overlap_tokens :]] == own


def test_what_no_window_holds_is_counted(encoder):
    n_held = 4 + 3 * (encoder.capacity - 4)
    encoded = encoder.encode("plan " * (n_held + 5))
    assert (encoded.n_tokens, encoded.n_tokens_cut, encoded.is_truncated) == (n_held + 5, 5, True)
    assert not encoder.encode("plan " * n_held).is_truncated


def test_one_by_one_and_together_are_equal(encoder):
    texts = [random_words(seed, 1 + seed * 3) for seed in range(20)] + [random_words(20, 900)]
    for alone, together in zip(map(encoder.encode, texts), encoder.encode_many(texts), strict=True):
        assert [ids.tolist() for ids in alone.windows] == [ids.tolist() for ids in together.windows]
        assert (alone.n_tokens, alone.n_tokens_cut, alone.n_tokens_unknown) == (
            together.n_tokens,
            together.n_tokens_cut,
            together.n_tokens_unknown,
        )


@pytest.mark.issue(2)
def test_a_long_text_lets_other_threads_run_meanwhile(encoder):
    # The service reads long texts in a thread: with `Tokenizer.encode` its event loop stood still all the same.
    text = "plan market " * (LIMIT_CHARS // 12)

    def longest_wait():
        ticks = [time.perf_counter()]
        with ThreadPoolExecutor(1) as pool:
            task = pool.submit(encoder.encode, text)
            while not task.done():
                time.sleep(0.001)
                ticks.append(time.perf_counter())
        return max(np.diff(ticks)) / (ticks[-1] - ticks[0])

    # The best of a few, as a busy machine makes threads wait too.
    assert min(longest_wait() for _ in range(5)) < 0.7


def test_bad_text_is_refused_alone_and_together(encoder):
    for text, error in [("", EmptyParagraphError), ("\u200b", EmptyParagraphError), (7, InputTypeError)]:
        with pytest.raises(error):
            encoder.encode(text)
        with pytest.raises(error):
            encoder.encode_many(["plan", text])
    with pytest.raises(ParagraphTooLongError):
        encoder.encode("a" * (LIMIT_CHARS + 1))


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"version": "1.0", "model": {"type": "Nothing"}}'])
def test_a_file_that_is_no_tokenizer_is_unreadable(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(FileReadError):
        ParagraphEncoder.from_file(path, RULE)
    with pytest.raises(FileReadError):
        ParagraphEncoder.from_file(tmp_path / "none.json", RULE)


@pytest.mark.issue(2)
@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAAA"}),  # a panic of Rust
        ("model", {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "a"]]}),  # one, too
        ("model", {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"}),  # failed at the first unknown word
    ],
)
def test_a_tokenizer_that_fails_at_some_texts_is_refused_before_any(tmp_path, part, content):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(make_tokenizer().to_str()) | {part: content}), encoding="utf-8")
    with pytest.raises(FileReadError, match="cannot read the tokenizer"):
        ParagraphEncoder.from_file(path, RULE)
