"""Owns paragraph -> token ids, once for training and serving, with the `tokenizers` library alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from twohands.cautions import find_cautions
from twohands.errors import EmptyParagraphError, FileReadError
from twohands.paragraphs import normalise
from twohands.windows import WindowRule, cut_windows

TokenIds = npt.NDArray[np.int64]
# From here on a text goes as a batch of one: `Tokenizer.encode` lets no other thread run meanwhile, for a tenth of a
# second at the longest. A shorter text takes a millisecond or two, and would lose the way to another thread.
_LONG_CHARS = 2_000
_STRANGE = "\u2603 \ue000\U00013000"


@dataclass(frozen=True, slots=True)
class EncodedParagraph:
    """A paragraph as the model reads it; cannot be built from empty text.

    `windows` hold token ids with special tokens, shape `(length,)` each; `n_tokens` counts the text's own tokens,
    `n_tokens_cut` those that no window holds, `n_tokens_unknown` those outside the vocabulary. `cautions` say what is
    odd about the text.
    """

    windows: tuple[TokenIds, ...]
    n_tokens: int
    n_tokens_cut: int
    n_tokens_unknown: int
    cautions: tuple[str, ...] = ()

    @property
    def is_truncated(self) -> bool:
        """Whether any token was cut."""
        return self.n_tokens_cut > 0


class ParagraphEncoder:
    """Turns text into token ids by one tokenizer and one window rule."""

    def __init__(self, tokenizer: Tokenizer, rule: WindowRule, *, usual_cautions: Collection[str] = ()) -> None:
        """Take over a tokenizer; its own padding and truncation are switched off.

        Args:
            tokenizer: a fast tokenizer; sentence encoders often carry a fixed padding that would cut in silence.
            rule: how long text is cut.
            usual_cautions: those that no paragraph is given, as the model's manifest says.
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self.rule = rule
        self._usual_cautions = frozenset(usual_cautions)
        tokenizer.encode(_STRANGE)  # raises where the vocabulary has no token for what it does not know
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        full = tokenizer.encode("a").ids
        at = next(i for i in range(len(full) - len(bare) + 1) if full[i : i + len(bare)] == bare)
        self._prefix, self._suffix = full[:at], full[at + len(bare) :]
        self._unknown_id = next((i for i in map(tokenizer.token_to_id, ("[UNK]", "<unk>")) if i is not None), -1)
        self.capacity = rule.max_tokens - len(self._prefix) - len(self._suffix)

    @classmethod
    def from_file(cls, path: Path, rule: WindowRule, *, usual_cautions: Collection[str] = ()) -> "ParagraphEncoder":
        """Read `tokenizer.json`.

        Args:
            path: the file.
            rule: how long text is cut.
            usual_cautions: those that no paragraph is given, as the model's manifest says.

        Returns:
            The encoder.

        Raises:
            FileReadError: the file is missing or is not a tokenizer.
        """
        try:
            return cls(Tokenizer.from_file(str(path)), rule, usual_cautions=usual_cautions)
        except BaseException as error:
            # The library raises bare Exception for faults of the file, and for some what no `except Exception` catches.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise FileReadError(f"cannot read the tokenizer {path}: {error}") from error

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, to look at."""
        return self._tokenizer

    @property
    def unknown_id(self) -> int | None:
        """The token for what is outside the vocabulary; None where nothing is."""
        return self._unknown_id if self._unknown_id >= 0 else None

    @property
    def around(self) -> tuple[list[int], list[int]]:
        """The special tokens before and behind each window."""
        return self._prefix, self._suffix

    def save(self, path: Path) -> None:
        """Write `tokenizer.json` without padding and truncation."""
        self._tokenizer.save(str(path))

    def encode(self, text: object) -> EncodedParagraph:
        """Normalise and tokenize one paragraph.

        Args:
            text: raw text of one paragraph.

        Returns:
            Its windows of token ids, at most `rule.max_windows`.

        Raises:
            InputTypeError: `text` is not a string.
            ParagraphTooLongError: more characters than are read as one paragraph.
            EmptyParagraphError: nothing is left, or no token.
        """
        paragraph = normalise(text)
        if len(paragraph) < _LONG_CHARS:
            encoding = self._tokenizer.encode(paragraph, add_special_tokens=False)
        else:
            (encoding,) = self._tokenizer.encode_batch_fast([paragraph], add_special_tokens=False)
        return self._cut(paragraph, encoding.ids)

    def encode_many(self, texts: Sequence[str]) -> list[EncodedParagraph]:
        """Tokenize checked paragraphs in parallel.

        Args:
            texts: raw text, one paragraph each.

        Returns:
            One encoded paragraph for each text, equal to `encode` of it.

        Raises:
            InputTypeError: one is not a string.
            ParagraphTooLongError: one has too many characters.
            EmptyParagraphError: one is empty.
        """
        paragraphs = [normalise(text) for text in texts]
        encodings = self._tokenizer.encode_batch(paragraphs, add_special_tokens=False)
        return [self._cut(paragraph, encoding.ids) for paragraph, encoding in zip(paragraphs, encodings, strict=True)]

    def _cut(self, paragraph: str, ids: list[int]) -> EncodedParagraph:
        if not ids:
            raise EmptyParagraphError("the text holds no token that the model knows how to read")
        ranges = cut_windows(
            len(ids),
            capacity=self.capacity,
            overlap_tokens=self.rule.overlap_tokens,
            max_windows=self.rule.max_windows,
        )
        n_tokens_unknown = ids.count(self._unknown_id)
        return EncodedParagraph(
            windows=tuple(
                np.array([*self._prefix, *ids[start:end], *self._suffix], dtype=np.int64) for start, end in ranges
            ),
            n_tokens=len(ids),
            n_tokens_cut=len(ids) - ranges[-1][1],
            n_tokens_unknown=n_tokens_unknown,
            cautions=find_cautions(
                paragraph, n_tokens=len(ids), n_tokens_unknown=n_tokens_unknown, usual=self._usual_cautions
            ),
        )
