"""A document that `twohands classify --summary` sums up has the figures that the service gives of it."""

import json

import pytest

from tests.unit.test_documents import make_pdf
from twohands.cli import main

pytestmark = pytest.mark.anyio

FRENCH = "Le plan de la nation est un plan pour les usines et pour les mines."
SOUND = "The plan of the plan.\n\nA market of the market.\n\nThe weather of the embargo.\n\nA licence of the market."


@pytest.mark.parametrize("kind", ["text/plain", "text/html", "application/pdf"])
async def test_figures_are_those_of_the_service(client, tiny_model, tmp_path, kind):
    path = tmp_path / {"text/plain": "a.txt", "text/html": "a.html", "application/pdf": "a.pdf"}[kind]
    if kind == "application/pdf":
        make_pdf(path, [["The plan of the plan is the plan of the market."], ["A market of the market."]])
    else:
        text = f"{FRENCH}\n\n{SOUND}\n\nThe plan."
        page = "".join(f"<p>{paragraph}</p>" for paragraph in text.split("\n\n"))
        path.write_text(text if kind == "text/plain" else f"<html><body>{page}</body></html>", encoding="utf-8")
    answer = await client.post("/v1/documents", content=path.read_bytes(), headers={"content-type": kind})
    expected = answer.json()["summary"]
    with pytest.raises(SystemExit):
        main(["classify", "--model", str(tiny_model), str(path), "--summary", str(tmp_path / "sum.jsonl")])
    told = json.loads((tmp_path / "sum.jsonl").read_text(encoding="utf-8"))
    told["warnings"] = {name: number for name, number in told["warnings"].items() if number}
    assert {name: told[name] for name in expected} == expected
    assert told["document"] == str(path)
