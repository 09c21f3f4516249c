"""Owns what of texts is compared, in little memory: a digest of all words, digests of word 5-grams, and who shares any.

Knows nothing of splits, documents and labels.
"""

import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.bars import open_bar
from twohands.examples import Example

# Scripts that put no space between words (Thai, Lao, Burmese, Khmer, Japanese, Chinese): a letter counts as a word.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^\W{_UNSPACED}]+|(?=\w)[{_UNSPACED}]")
_NO_WORD = "".join(sign for sign in map(chr, range(128)) if not (sign.isalnum() or sign == "_"))
_BLANKS = str.maketrans(_NO_WORD, " " * len(_NO_WORD))
_SHINGLE_WORDS = 5
# Odd, so that of two shingles which differ in a word the sums do; by place, so that the order of words counts. Words'
# own digests are random in each process, and no text can be written so that its sums meet another's.
_MULTIPLIERS = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)
_CHUNK_WORDS = 500_000
# What is sorted at once is a part of all shingles: 17 million of them, sorted with their places, took a gigabyte (#3).
_N_PARTS = 16
_DIGEST_BYTES = 16

Digests = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Ranks = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class SharedShingles:
    """What texts share: by place of a text how many shingles it has, and its shared ones, the rarest first.

    `ranks` leaves out the texts of which too many shingles are their own alone. In each, numbers rise with how many
    texts a shingle stands in.
    """

    sizes: list[int]
    ranks: dict[int, Ranks]


def _list_words(paragraph: str) -> list[str]:
    """Words without case and punctuation; a text of signs alone is one word, as not all such texts are the same."""
    small = paragraph.lower()
    # The expression finds the same words in ASCII, in five times the time.
    words = small.translate(_BLANKS).split() if small.isascii() else _WORD.findall(small)
    return words or [paragraph]


def _digest_words(words: Sequence[str]) -> bytes:
    # A surrogate can stand in no checked row, but in what others make.
    return hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest()


def digest_words(paragraph: str) -> bytes:
    """Say what two copies of a text have in common: their words, in a few bytes.

    Args:
        paragraph: normalised.

    Returns:
        A digest, the same for texts that differ in case and punctuation alone.
    """
    return _digest_words(_list_words(paragraph))


class Shingles:
    """Digests of the word 5-grams of texts, each once a text."""

    def __init__(self) -> None:
        self._waiting = array("q")
        self._lengths: list[int] = []  # of what waits
        self._chunks: list[Digests] = []
        self._sizes: list[Counts] = []  # by chunk, of each text

    def add(self, words: Sequence[str]) -> None:
        """Add the next text.

        Args:
            words: of the text, at least one.
        """
        self._waiting.extend(map(hash, words))
        n_absent = _SHINGLE_WORDS - len(words)
        if n_absent > 0:  # one shingle of all its words, and of what no word is
            self._waiting.extend([hash("")] * n_absent)
        self._lengths.append(max(len(words), _SHINGLE_WORDS))
        if len(self._waiting) >= _CHUNK_WORDS:
            self._flush()

    def _flush(self) -> None:
        """Make shingles of the words that wait."""
        if not self._lengths:
            return
        words = np.frombuffer(self._waiting, np.int64).view(np.uint64)
        n = len(words) - _SHINGLE_WORDS + 1
        sums = np.zeros(len(words), np.uint64)
        for place, multiplier in enumerate(_MULTIPLIERS):
            sums[:n] += words[place : place + n] * multiplier
        lengths = np.array(self._lengths, np.int64)
        ends = np.cumsum(lengths)
        is_whole = np.ones(len(words), bool)
        for place in range(1, _SHINGLE_WORDS):
            is_whole[ends - place] = False  # it would go on into the next text
        sums = sums[is_whole]
        ends = np.cumsum(lengths - (_SHINGLE_WORDS - 1))
        starts = [0, *ends.tolist()]
        for start, end in pairwise(starts):
            sums[start:end].sort()
        is_first = np.ones(len(sums), bool)
        is_first[1:] = sums[1:] != sums[:-1]
        is_first[starts[:-1]] = True
        self._chunks.append(sums[is_first])
        self._sizes.append(np.add.reduceat(is_first, starts[:-1], dtype=np.int64))
        self._waiting, self._lengths = array("q"), []

    def _find_shared(self) -> tuple[Digests, Ranks]:
        """The digests that stand in two texts or more, rising, and of each its rank by how many these are."""
        found, counts = [], []
        width = 2**64 // _N_PARTS
        for part in range(_N_PARTS):
            least, most = np.uint64(part * width), np.uint64((part + 1) * width - 1)
            within = [chunk[(chunk >= least) & (chunk <= most)] for chunk in self._chunks]
            values, n_texts = np.unique(np.concatenate(within), return_counts=True)
            found.append(values[n_texts > 1])
            counts.append(n_texts[n_texts > 1])
        order = np.argsort(np.concatenate(counts), kind="stable")
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order))
        return np.concatenate(found), ranks

    def share(self, jaccard: float) -> SharedShingles:
        """Find what texts share, once all are added; the digests themselves are given up.

        Args:
            jaccard: share of shingles from which two texts are compared at all, in (0, 1].

        Returns:
            Of the texts that may share as much with another.
        """
        self._flush()
        sizes = np.concatenate(self._sizes) if self._sizes else np.empty(0, np.int64)
        if not self._chunks:
            return SharedShingles([], {})
        shared, ranks = self._find_shared()
        by_text: dict[int, Ranks] = {}
        number = 0
        self._chunks.reverse()
        for of_chunk in self._sizes:
            digests = self._chunks.pop()
            places = np.searchsorted(shared, digests)
            places[places == len(shared)] = 0
            is_shared = shared[places] == digests if len(shared) else np.zeros(len(digests), bool)
            ends = np.cumsum(of_chunk)
            n_alone = of_chunk - np.add.reduceat(is_shared, ends - of_chunk, dtype=np.int64)
            for text in np.flatnonzero(n_alone < count_rare(of_chunk, jaccard)).tolist():
                within = slice(ends[text] - of_chunk[text], ends[text])
                by_text[number + text] = np.sort(ranks[places[within][is_shared[within]]])
            number += len(of_chunk)
        return SharedShingles(sizes.tolist(), by_text)


def count_rare(sizes: Counts, jaccard: float) -> Counts:
    """Say how many of a text's rarest shingles hold one that is in each text which shares enough with it.

    Args:
        sizes: how many shingles texts have.
        jaccard: the share that is enough.

    Returns:
        As many numbers.
    """
    # A hair less than the share: it must not be lost to rounding.
    n_needed: Counts = np.ceil(jaccard * sizes - 1e-9).astype(np.int64)
    return sizes - n_needed + 1


def read_texts(examples: Iterable[Example], n_texts: int, shingles: Shingles | None) -> Iterator[tuple[Example, bytes]]:
    """Read the words of texts, once for all that is compared, behind a bar where it takes long.

    Args:
        examples: rows.
        n_texts: how many they are.
        shingles: each text is added here; None where nearly the same texts are not looked for.

    Yields:
        A row, and the digest of its words as by `digest_words`.
    """
    with open_bar("comparing texts", total=n_texts, unit="text", delay_s=5) as bar:
        for example in examples:
            words = _list_words(example.paragraph)
            if shingles is not None:
                shingles.add(words)
            yield example, _digest_words(words)
            bar.update()
