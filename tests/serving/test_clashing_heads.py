"""A model of an older release, with a head called as a value of documents is now, is served but for what clashes."""

import pytest

from serving.app import create_app
from serving.settings import ServeSettings
from tests.serving.support import open_client
from tests.support.tiny import build_tiny_model
from twohands.classifier import Classifier
from twohands.taxonomy import Taxonomy

pytestmark = pytest.mark.anyio


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("name", "statuses"), [("section", (422, 422)), ("page", (200, 200)), ("restates", (200, 200))]
)
async def test_documents_are_refused_where_they_have_a_value_of_that_name(tmp_path, name, statuses):
    labels = [{"name": label, "description": "One."} for label in ("calm", "loud")]
    head = {"name": name, "problem_type": "single_label_classification", "labels": labels}
    folder = build_tiny_model(tmp_path / "old", taxonomy=Taxonomy.model_validate({"heads": [head]}))
    classifier = Classifier.load(folder, num_threads=1)
    async with open_client(create_app(ServeSettings(model=str(folder)), classifier)) as client:
        rows = await client.post("/v1/classify", json={"inputs": "The plan of the plan."})
        assert rows.json()["predictions"][0][name]["label"] == "calm"
        answers = [
            await client.post("/v1/documents", content=content, headers={"content-type": media_type})
            for content, media_type in (
                ("# Plan\n\nThe plan of the plan.", "text/plain"),
                ("<p>The plan.</p>", "text/html"),
            )
        ]
        assert tuple(answer.status_code for answer in answers) == statuses
        pdf = await client.post("/v1/documents", content=b"%PDF-1.4", headers={"content-type": "application/pdf"})
        assert (f"the model has a head {name!r}" in pdf.json()["error"]["message"]) == (name != "restates")
    if name != "restates":
        told = (pdf if name == "page" else answers[0]).json()["error"]
        assert told["code"] == "unreadable_document"
    classifier.close()
