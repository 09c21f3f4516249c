"""What the tests of corrections share: requests, and one empty database of each kind."""

import pytest

from tests.support.postgres import run_postgres, why_not

MODEL = {"name": "tiny", "version": "0.0.1", "sha256": "c" * 64}
ANSWER = {
    "stance": {
        "label": "state-led",
        "score": 0.9,
        "scores": {"state-led": 0.9, "market-led": 0.06, "neutral": 0.04},
        "abstained": False,
    },
    "topics": {
        "labels": ["regulation"],
        "scores": {"sanctions": 0.1, "self-reliance": 0.1, "industrial-policy": 0.3, "regulation": 0.8},
    },
    "n_tokens": 4,
    "n_windows": 1,
    "truncated": False,
    "n_tokens_cut": 0,
    "evidence": None,
    "warnings": [],
}
LABELS = {"stance": "market-led", "topics": ["regulation"]}
FULL = {
    "text": "The depot may set its own fares.",
    "labels": LABELS,
    "confidence": 3,
    "note": "fares are free: 市场",
    "source": "desk",
    "group": "doc-1",
    "prediction": ANSWER,
    "model": MODEL,
}


@pytest.fixture(scope="session")
def postgres_url():
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with run_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """The setting of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kept/corrections.sqlite3"
    url = request.getfixturevalue("postgres_url")
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS corrections, alembic_version")
    return url
