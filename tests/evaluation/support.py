"""Makes labelled rows that the tiny model answers in a known way."""

import json
import random

WORD_OF_STANCE = {"state-led": "plan", "market-led": "market", "neutral": "weather"}
WORD_OF_TOPIC = {
    "sanctions": "embargo",
    "self-reliance": "homemade",
    "industrial-policy": "subsidy",
    "regulation": "licence",
}


def make_rows(n, *, seed=0, noise=0.2, first=0, rows_per_group=2):
    """Rows whose words say the label; `noise` is the share of stances that are drawn at random instead."""
    generator = random.Random(seed)
    rows = []
    for number in range(first, first + n):
        said = generator.choice(list(WORD_OF_STANCE))
        topics = [topic for topic in WORD_OF_TOPIC if generator.random() < 0.3]
        words = ["the", *[WORD_OF_STANCE[said]] * 4, *(WORD_OF_TOPIC[topic] for topic in topics), f"number {number}"]
        is_noisy = generator.random() < noise
        rows.append(
            {
                "id": f"row-{number}",
                "text": " ".join(words),
                "stance": generator.choice(list(WORD_OF_STANCE)) if is_noisy else said,
                "topics": topics,
                "source": "report" if number % 3 else "speech <b>[red]",
                "group": f"document-{number // rows_per_group}",
                "year": 1985 + 10 * (number % 2),
            }
        )
    return rows


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
