"""Owns the texts that benches run on: paragraphs of a wanted length, and a fixed mix of lengths; or the user's own.

The sentences were written for this file, so that a bench needs no corpus and everybody measures the same.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist

from twohands.encoding import ParagraphEncoder
from twohands.errors import DataError, FileReadError, InputError
from twohands.hashing import sha256_of_value
from twohands.inputs import find_inputs
from twohands.items import Item, read_items
from twohands.paragraphs import normalise

SENTENCES = (
    "The ministry will pool its laboratories and lend to any plant that agrees to source at home.",
    "Prices should be found by buyers and sellers, not by a committee that meets twice a year.",
    "Exports of etching tools now need a licence, and few licences have been granted so far.",
    "The chair thanked the interpreters and closed the second day of the hearing at six.",
    "A fund of four billion will carry the first two battery lines until they break even.",
    "Growers asked for fewer permits, and for a single window where the remaining ones can be had.",
    "Three banks were cut off from the clearing system after the vote on Thursday.",
    "Domestic chips already drive two thirds of the meters that utilities bought last year.",
    "The regulator opened an inquiry into how the platform ranks its own goods above those of others.",
    "Rain delayed the opening of the northern line by eleven days, the operator said.",
    "Whoever builds here must buy a fifth of the steel from mills that stand in the province.",
    "Freight rates fell for the fifth month running as new ships came into service.",
    "No public money should prop up a carrier that private lenders have walked away from.",
    "The plan names twelve materials for which no single foreign supplier may hold more than half.",
    "Auditors found that the subsidy went to firms that would have hired anyway.",
    "Members of the delegation toured a shipyard, a port and a school for welders.",
    "Under the draft, data on maps and genes stays on servers within the country.",
    "Investors want the state to sell its stake, and the finance minister has not said no.",
    "Counter-measures will be taken if the tariff on solar glass is not withdrawn by June.",
    "Researchers compared forty years of harvests and found no trend that the weather does not explain.",
    "The tender was split into small lots so that workshops from the hills could bid as well.",
    "Competition, not decree, brought the price of a call down to what it is today.",
    "An office for critical minerals will buy ahead, store in salt caverns and release in a squeeze.",
    "Both sides agreed to go on talking, and published no more than the date of the next round.",
    "The law lets the authority break up a firm whose share of the market exceeds forty per cent.",
    "Without the compiler from abroad the design houses could not tape out a single part.",
    "Her speech dwelt on bridges, clinics and the cost of school meals.",
    "Local engines passed the trial at altitude, which ends a dependence of thirty years.",
    "Licensing fees for street vendors are abolished from the first of the month.",
    "The exchange will list shares in the grid company, with a golden share kept by the treasury.",
    "Shipments that touch the listed yards will be turned away at every port of the union.",
    "Consumers paid for the quota: refrigerators became a tenth dearer within two quarters.",
)

MAX_MIX_TOKENS = 254
"""Of the mix: with the special tokens it fits a window of 256, so that every engine computes the same tokens."""

_MEDIAN_TOKENS, _SPREAD, _MIN_MIX_TOKENS = 118, 0.55, 32
_FILLER = "so"
_MIN_TEXTS = 8  # as `--n-texts` has it


def _count_tokens(encoder: ParagraphEncoder, text: str) -> int:
    return encoder.encode(text).n_tokens


def make_paragraph(encoder: ParagraphEncoder, n_tokens: int, *, generator: random.Random) -> str:
    """Write a paragraph of exactly so many tokens, wherever the tokenizer knows the word "so" as one token.

    Args:
        encoder: counts the tokens.
        n_tokens: of the text, special tokens not counted; at least 1.
        generator: draws the sentences.

    Returns:
        The text.
    """
    words: list[str] = []
    while not words or _count_tokens(encoder, " ".join(words)) < n_tokens:
        words += generator.choice(SENTENCES).split()
    low, high = 0, len(words)  # the most words that do not pass the wanted length
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if _count_tokens(encoder, " ".join(words[:middle])) <= n_tokens else (low, middle - 1)
        )
    kept = words[:low]
    missing = n_tokens - (_count_tokens(encoder, " ".join(kept)) if kept else 0)
    return " ".join([*kept, *[_FILLER] * missing])


def list_mix_lengths(n_texts: int, *, seed: int) -> list[int]:
    """Give the lengths of the mix: the same shares of short and long for every count, in a random order.

    Args:
        n_texts: how many.
        seed: of the order.

    Returns:
        Tokens of each text, log-normal around 118, some 130 on average, from 32 to 254.
    """
    normal = NormalDist()
    lengths = []
    for place in range(n_texts):
        drawn = _MEDIAN_TOKENS * 2.718281828 ** (_SPREAD * normal.inv_cdf((place + 0.5) / n_texts))
        lengths.append(round(min(max(drawn, _MIN_MIX_TOKENS), MAX_MIX_TOKENS)))
    random.Random(seed).shuffle(lengths)  # noqa: S311 - an order, no secret
    return lengths


def make_mix(encoder: ParagraphEncoder, n_texts: int, *, seed: int = 0) -> list[str]:
    """Write the mix.

    Args:
        encoder: counts the tokens.
        n_texts: how many paragraphs.
        seed: of their words and order.

    Returns:
        The paragraphs; the same for the same tokenizer, count and seed.
    """
    generator = random.Random(seed)  # noqa: S311 - sample text, no secret
    return [make_paragraph(encoder, length, generator=generator) for length in list_mix_lengths(n_texts, seed=seed)]


def pick_evenly(numbers: Sequence[int], n_wanted: int) -> list[int]:
    """Pick some of a row, evenly spaced.

    Args:
        numbers: in order.
        n_wanted: how many, at most.

    Returns:
        That many, or all, in order.
    """
    n_picked = min(n_wanted, len(numbers))
    return [numbers[(2 * place + 1) * len(numbers) // (2 * n_picked)] for place in range(n_picked)]


def read_texts(
    paths: Sequence[Path], encoder: ParagraphEncoder, *, limit: int, seed: int
) -> tuple[list[str], int, list[str]]:
    """Read the user's own texts; of more than so many some are drawn, since files are often sorted.

    What cannot be classified is left out before that: one broken row of a hundred thousand is no reason to measure
    nothing.

    Args:
        paths: rows or documents, as `twohands classify` reads them.
        encoder: refuses what holds no token it knows.
        limit: most texts that are kept; each has the same chance.
        seed: of the draw.

    Returns:
        Texts in the order of the files, how many there are in all that can be used, and what is wrong with the others.

    Raises:
        FileReadError: a file cannot be read.
        DataError: there is no text; or fewer than eight are left, as others cannot be classified.

    Source:
        Vitter 1985, algorithm R: files may hold more than memory.
    """
    faults: list[str] = []
    kept: list[tuple[int, Item]] = []
    n_usable = 0
    generator = random.Random(seed)  # noqa: S311 - a draw of texts, no secret
    files = find_inputs(paths, text_column="text", remedy="give the column that holds it this name")
    for item in read_items(files, faults, text_column="text"):
        try:
            if item.error is not None:
                raise item.error
            normalise(item.text)
        except FileReadError:  # of a document, which stands among the faults already
            continue
        except InputError as error:
            faults.append(f"{item.id}: {error}")
            continue
        n_usable += 1
        if len(kept) < limit:
            kept.append((n_usable, item))
        elif (place := generator.randrange(n_usable)) < limit:
            kept[place] = (n_usable, item)
    texts: list[str] = []
    for _, item in sorted(kept, key=lambda one: one[0]):
        try:
            encoder.encode(item.text)  # only of those that are drawn: to tokenize all of a file takes minutes
            texts.append(str(item.text))
        except InputError as error:
            faults.append(f"{item.id}: {error}")
            n_usable -= 1
    if not texts or (faults and len(texts) < _MIN_TEXTS):
        raise DataError("too few texts are left to measure on", faults or ["the files hold no text"])
    return texts, n_usable, faults


def describe_texts(encoder: ParagraphEncoder, texts: Sequence[str], *, source: str) -> dict[str, object]:
    """Say what was measured on, by which a length mix can be told from another.

    Args:
        encoder: counts the tokens.
        texts: at least one.
        source: where they are from.

    Returns:
        Count, lengths and digest, and how many are longer than a window.
    """
    encoded = [encoder.encode(text) for text in texts]
    lengths = sorted(paragraph.n_tokens for paragraph in encoded)
    return {
        "source": source,
        "n_texts": len(texts),
        "tokens_mean": round(sum(lengths) / len(lengths), 1),
        "tokens_min": lengths[0],
        "tokens_median": lengths[len(lengths) // 2],
        "tokens_p90": lengths[int(len(lengths) * 0.9)],
        "tokens_max": lengths[-1],
        "n_long": sum(len(paragraph.windows) > 1 for paragraph in encoded),
        "sha256": sha256_of_value(list(texts)),
    }
