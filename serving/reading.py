"""Owns the texts of a request -> encoded paragraphs, in pieces and off the event loop. Nothing is run here."""

import string
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat

from serving.engine import Engine
from serving.schemas import name_kind
from twohands.classifier import Classifier
from twohands.encoding import EncodedParagraph
from twohands.errors import InputError, InputTypeError, ParagraphTooLongError
from twohands.evidence import MAX_PIECES, EvidencePlan, plan_evidence
from twohands.sentences import count_sentences
from twohands.windows import WindowRule, cut_windows

_CHARS_AT_ONCE = 50_000
_TEXTS_AT_ONCE = 16
# One text of so many characters is read where it is, on the event loop: it takes half a millisecond, and to hand it to
# a thread and back costs nearly as much again.
_CHARS_IN_PLACE = 2000
# English words have some five characters a token. A digit or a mark is mostly one by itself, and so is a letter of
# other scripts; tokenizers take a syllable of Hangul apart, into two or three.
_CHARS_PER_TOKEN = 4
_MARKS = (string.digits + string.punctuation).encode()
_NOT_ASCII = bytes(range(128, 256))
_HANGUL = bytes(range(0xAC, 0xD8))  # the first byte of two: U+AC00 to U+D7FF, with what stands behind the syllables
_SPECIAL_TOKENS = 2
_GAPS = _MARKS + b" \t\n\r\x0b\x0c"
_LETTER_OR_GAP = bytes(32 if byte in _GAPS else 97 for byte in range(256))
# So long a text is taken to have as many sentences as are left out one by one.
_CHARS_OF_MANY = 100 * MAX_PIECES
Encoded = list[EncodedParagraph | InputError]


@dataclass(slots=True)
class Read:
    """What was read of a request; `plans` has one plan for each sound text when evidence is wanted, else none."""

    encoded: Encoded = field(default_factory=list)
    plans: list[EvidencePlan] = field(default_factory=list)
    tokenize_ms: float = 0.0
    queue_ms: float = 0.0

    @property
    def sound(self) -> list[EncodedParagraph]:
        """Paragraphs that can be classified, in order."""
        return [item for item in self.encoded if not isinstance(item, InputError)]


def cut_pieces(texts: Sequence[object]) -> Iterator[Sequence[object]]:
    """Cut a request so that reading a long one lets the short ones of others between.

    Args:
        texts: raw texts, unchecked.

    Yields:
        Parts of it, in order.
    """
    start = n_chars = 0
    for place, text in enumerate(texts):
        n_chars += len(text) if isinstance(text, str) else 0
        if n_chars >= _CHARS_AT_ONCE or place + 1 - start >= _TEXTS_AT_ONCE:
            yield texts[start : place + 1]
            start, n_chars = place + 1, 0
    if start < len(texts):
        yield texts[start:]


def estimate_tokens(
    texts: Sequence[object],
    rule: WindowRule,
    *,
    limit_chars: int,
    explain: bool,
    raws: Sequence[str] | None = None,
) -> int:
    """What a request will cost, guessed from the characters of its texts, since it must be known before they are read.

    Args:
        texts: raw texts, unchecked; those that will not be read cost nothing.
        rule: how long text is cut, which bounds what one can cost.
        limit_chars: most characters of one paragraph.
        explain: each is run again without each of its sentences.
        raws: what each text was before it was normalised, by whose line ends items are told apart; None where texts
            are raw.

    Returns:
        Tokens, at least 1; rather too many than too few.
    """
    n_tokens = 0
    for text, raw in zip(texts, raws or repeat(""), strict=False):
        if not isinstance(text, str) or not text or len(text) > limit_chars:
            continue
        n_tokens += _estimate_once(text, rule) * (_count_runs(text, raw) if explain else 1)
    return max(1, n_tokens)


def _count_runs(text: str, raw: str) -> int:
    """How often a text is run to be explained; a sentence may have three letters, and one alone is not left out."""
    if len(text) >= _CHARS_OF_MANY:
        return 1 + MAX_PIECES
    n_pieces = max(count_sentences(each, most=MAX_PIECES) for each in (text, raw))
    return 1 if n_pieces == 1 else 1 + n_pieces


def _estimate_once(text: str, rule: WindowRule) -> int:
    """Tokens of all windows of one text; in few passes over its bytes, as this is done on the event loop."""
    in_ascii, n_syllables = text.encode("utf-8", "surrogatepass"), 0
    if len(in_ascii) > len(text):
        in_ascii = in_ascii.translate(None, _NOT_ASCII)
        # By an expression, and `ascii` with `ignore`, a full request of Hangul held the event loop for 150 ms (#5).
        first_bytes = text.encode("utf-16-le", "surrogatepass")[1::2]
        n_syllables = len(first_bytes) - len(first_bytes.translate(None, _HANGUL))
    n_letters = len(in_ascii.translate(None, _MARKS))
    n_words = (b" " + in_ascii.translate(_LETTER_OR_GAP)).count(b" a")
    # Words may be so short that each is a token: "It is so. We do."
    n_tokens = max(n_letters // _CHARS_PER_TOKEN, n_words) + len(text) - n_letters + 3 * n_syllables // 2
    ranges = cut_windows(
        n_tokens,
        capacity=rule.max_tokens - _SPECIAL_TOKENS,
        overlap_tokens=rule.overlap_tokens,
        max_windows=rule.max_windows,
    )
    return sum(_SPECIAL_TOKENS + end - start for start, end in ranges)


def encode_inputs(classifier: Classifier, limit_chars: int, texts: Sequence[object]) -> Encoded:
    """Encode what can be encoded, under the service's own bound on length.

    Args:
        classifier: the model.
        limit_chars: most characters of one paragraph.
        texts: raw texts, unchecked.

    Returns:
        One encoded paragraph or error for each.
    """
    encoded: Encoded = []
    for text in texts:
        if isinstance(text, str) and len(text) > limit_chars:
            fault = f"found {len(text)} characters, at most {limit_chars} are read as one paragraph; split it first"
            encoded.append(ParagraphTooLongError(fault))
        elif isinstance(text, InputError):
            encoded.append(text)
        elif not isinstance(text, str):  # the library would name a type of Python's
            encoded.append(InputTypeError(f"found {name_kind(text)}, expected a string of text"))
        else:
            encoded += classifier.try_encode([text])
    return encoded


def is_brief(texts: Sequence[object]) -> bool:
    """Whether a request is read where it is, on the event loop: one short text."""
    return len(texts) == 1 and isinstance(texts[0], str) and len(texts[0]) <= _CHARS_IN_PLACE


def read_in_place(classifier: Classifier, texts: Sequence[object], *, limit_chars: int) -> Read:
    """Read a brief request, for which nobody waits.

    Args:
        classifier: the model.
        texts: raw texts, unchecked.
        limit_chars: most characters of one paragraph.

    Returns:
        One encoded paragraph or error for each text.
    """
    started_s = time.perf_counter()
    encoded = encode_inputs(classifier, limit_chars, texts)
    return Read(encoded, tokenize_ms=1e3 * (time.perf_counter() - started_s))


async def read_texts(
    engine: Engine,
    classifier: Classifier,
    texts: Sequence[object],
    *,
    limit_chars: int,
    explain: bool = False,
    raws: Sequence[str] | None = None,
) -> Read:
    """Read a request that was admitted.

    Args:
        engine: on whose threads.
        classifier: the model.
        texts: raw texts, unchecked.
        limit_chars: most characters of one paragraph.
        explain: also plan which sentences to leave out.
        raws: what each text was before it was normalised, as in `plan_evidence`; None where they are raw.

    Returns:
        One encoded paragraph or error for each text.

    Raises:
        EngineStoppedError: the engine stopped before it was done.
    """
    read = read_in_place(classifier, texts, limit_chars=limit_chars) if is_brief(texts) else Read()
    for piece in cut_pieces(texts[len(read.encoded) :]):
        done = await engine.aside(partial(encode_inputs, classifier, limit_chars, piece))
        read.encoded += done.value
        read.tokenize_ms, read.queue_ms = read.tokenize_ms + done.work_ms, read.queue_ms + done.queue_ms
    if not explain:
        return read
    for text, raw, item in zip(texts, raws or repeat(None, len(texts)), read.encoded, strict=True):
        if isinstance(text, str) and not isinstance(item, InputError):
            # Up to 16 times the reading of a text: on a thread of its own, so that plain requests are not held up.
            plan = await engine.aside(partial(plan_evidence, classifier.encoder, text, raw=raw), is_slow=True)
            read.plans.append(plan.value)
            read.tokenize_ms, read.queue_ms = read.tokenize_ms + plan.work_ms, read.queue_ms + plan.queue_ms
    return read
