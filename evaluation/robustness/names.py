"""Owns what another country's name in the same row does to the scores: a fair model's do not move."""

from collections import defaultdict
from collections.abc import Sequence

from evaluation.checklist.checks import name_answer
from evaluation.checklist.draws import make_generator
from evaluation.checklist.lexicons import Swap, Swapper
from evaluation.checklist.rates import rate_of
from evaluation.checklist.run import answer_texts
from evaluation.checklist.suites import LEXICONS, SHIPPED, load_suites
from evaluation.progress import Advance
from twohands.classifier import Classifier
from twohands.examples import Example
from twohands.paragraphs import normalise

Json = dict[str, object]
NAMES_A_ROW = 5
_DIGITS = 6


def swap_countries(examples: Sequence[Example], *, seed: int) -> list[tuple[Example, list[Swap]]]:
    """Put other countries into every row that names one.

    Args:
        examples: rows.
        seed: of the choice of countries.

    Returns:
        The rows that name a country which can be swapped whole, each with up to 5 changed texts.
    """
    (lexicons,) = load_suites([SHIPPED / LEXICONS], with_shipped=False).files
    swapper = Swapper("country", lexicons.suite.lexicons["country"])
    found = []
    for example in examples:
        generator = make_generator(seed, "countries", example.paragraph)
        swaps = swapper.swap(example.paragraph, at_most=NAMES_A_ROW, generator=generator)
        if swaps:
            found.append((example, [Swap(normalise(swap.text), swap.found, swap.put) for swap in swaps]))
    return found


def measure_names(
    classifier: Classifier, swapped: Sequence[tuple[Example, list[Swap]]], *, advance: Advance
) -> Json | None:
    """Measure how far answers hang on the country's name.

    Args:
        classifier: the model.
        swapped: from `swap_countries`.
        advance: called with the number of texts done.

    Returns:
        `n_rows`, `n_texts`, and by head `flipped`, the share of changed texts whose answer is another (rows of one
        document are a cluster), `spread`, by label the mean over rows of the highest less the lowest score, and
        `names`, by country the mean distance of each score from the row's mean over all its countries, the written
        one among them. None where no row names a country.
    """
    if not swapped:
        return None
    texts = [text for example, swaps in swapped for text in (example.paragraph, *(swap.text for swap in swaps))]
    answers = answer_texts(classifier, list(dict.fromkeys(texts)), advance=advance)
    heads: Json = {}
    for head in classifier.taxonomy.heads:
        flips: list[bool] = []
        groups: list[str] = []
        spread: dict[str, list[float]] = defaultdict(list)
        apart: dict[str, list[dict[str, float]]] = defaultdict(list)
        for example, swaps in swapped:
            written = answers[example.paragraph][head.name]
            by_name = {swaps[0].found: written} | {swap.put: answers[swap.text][head.name] for swap in swaps}
            flips += [name_answer(by_name[swap.put]) != name_answer(written) for swap in swaps]
            groups += [example.group] * len(swaps)
            for label in head.label_names:
                scores = [answer.scores[label] for answer in by_name.values()]
                spread[label].append(max(scores) - min(scores))
            mean = {
                label: sum(answer.scores[label] for answer in by_name.values()) / len(by_name)
                for label in head.label_names
            }
            for name, answer in by_name.items():
                apart[name].append({label: answer.scores[label] - mean[label] for label in mean})
        heads[head.name] = {
            "flipped": rate_of(flips, groups),
            "n_flipped": sum(flips),
            "spread": {label: round(sum(found) / len(found), _DIGITS) for label, found in spread.items()},
            "names": {
                name: {
                    "n": len(found),
                    "mean_shift": {
                        label: round(sum(each[label] for each in found) / len(found), _DIGITS) for label in found[0]
                    },
                }
                for name, found in sorted(apart.items())
            },
        }
    return {"n_rows": len(swapped), "n_texts": len(texts) - len(swapped), "heads": heads}
