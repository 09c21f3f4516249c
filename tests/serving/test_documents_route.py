import asyncio
import io
import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
from email.message import EmailMessage

import numpy as np
import pytest

from serving import extract as extracting
from serving import splitting
from serving.app import create_app
from serving.document_routes import Readers, _Wanted
from serving.document_schemas import DocumentResponse
from serving.extract import extract
from serving.settings import ServeSettings
from serving.splitting import split_in_time
from tests.serving.support import open_client, with_session
from tests.unit.test_documents import make_pdf
from tests.unit.test_docx_text import make_docx
from tests.unit.test_docx_text import p as write_paragraph
from twohands.bulk import classify_chunk
from twohands.errors import DocumentError, NonFiniteLogitsError
from twohands.items import read_items

pytestmark = pytest.mark.anyio

TEXT = "The plan of the plan.\n\nA market of the market.\n\nThe weather of the weather."


async def send(client, content, media_type="text/plain", *, headers=None, **more):
    headers = {"content-type": media_type, **(headers or {})}
    return await client.post("/v1/documents", content=content, headers=headers, **more)


async def test_paragraphs_have_offsets_into_the_text_as_sent_and_fit_the_schema(client):
    response = await send(client, "  " + TEXT)
    answer = response.json()
    assert response.status_code == 200
    DocumentResponse.model_validate(answer)
    assert [("  " + TEXT)[p["start"] : p["end"]] for p in answer["paragraphs"]] == TEXT.split("\n\n")
    assert [p["stance"]["label"] for p in answer["paragraphs"]] == ["state-led", "market-led", "neutral"]
    assert [p["paragraph"] for p in answer["paragraphs"]] == [0, 1, 2]
    assert answer["document"]["text"] is None


@pytest.mark.issue(4)
async def test_a_byte_order_mark_counts_in_offsets(client):
    text = "\ufeff" + TEXT
    for response in await send(client, text), await client.post("/v1/documents", json={"text": text}):
        read = [text[p["start"] : p["end"]].strip("\ufeff") for p in response.json()["paragraphs"]]
        assert read == TEXT.split("\n\n")


async def test_summary_counts_and_has_an_interval_about_each_share(client):
    summary = (await send(client, TEXT)).json()["summary"]
    stance = summary["heads"]["stance"]
    assert summary["n_paragraphs"] == 3
    assert {name: label["n_given"] for name, label in stance["labels"].items()} == dict.fromkeys(stance["labels"], 1)
    assert sum(label["share"]["value"] for label in stance["labels"].values()) == pytest.approx(1, abs=1e-3)
    for figure in [stance["balance"], *(label["share"] for label in stance["labels"].values())]:
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert abs(stance["balance"]["value"]) < 0.05
    assert set(summary["heads"]["topics"]["labels"]) >= {"sanctions", "regulation"}


@pytest.mark.issue(4)
async def test_what_a_warning_speaks_of_is_left_out_of_the_summary_unless_there_is_nothing_else(client):
    french = "Le plan de la nation est un plan pour les usines et pour les mines."
    whole = (await send(client, f"{french}\n\n{TEXT}\n\nThe plan.")).json()
    without = (await send(client, TEXT)).json()["summary"]
    told = {"n_paragraphs": 5, "n_left_out": 2, "warnings": {"not_english": 1, "unknown_tokens": 1, "too_short": 1}}
    assert whole["summary"] == without | told
    assert (without["n_left_out"], without["warnings"]) == (0, {})
    DocumentResponse.model_validate(whole)
    only = (await send(client, french)).json()["summary"]
    assert (only["n_paragraphs"], only["n_left_out"], only["warnings"]["not_english"]) == (1, 0, 1)
    assert sum(label["n_given"] for label in only["heads"]["stance"]["labels"].values()) == 1


@pytest.mark.issue(7)
@pytest.mark.parametrize("media_type", ["application/vnd.api+json", "Application/LD+JSON; charset=utf-8"])
async def test_kinds_of_json_are_taken_as_where_texts_are_classified(client, media_type):
    content = json.dumps({"text": TEXT})
    answer = await send(client, content, media_type)
    assert answer.status_code == 200
    assert answer.json() == (await send(client, content, "application/json")).json()
    assert (await send(client, content, "application/json-seq")).status_code == 415


async def test_json_gives_the_same_as_the_document_itself_and_takes_thresholds(client):
    plain = (await send(client, TEXT)).json()
    assert (await client.post("/v1/documents", json={"text": TEXT})).json() == plain
    stricter = await client.post("/v1/documents", json={"text": TEXT, "thresholds": {"stance": 1.0}})
    assert stricter.json()["summary"]["heads"]["stance"]["n_abstained"] == 3
    assert (await client.post("/v1/documents", json={"text": TEXT, "model": "absent"})).status_code == 404


@pytest.mark.issue(4)
async def test_a_document_is_explained_as_the_command_explains_its_paragraphs(client, classifier, tmp_path):
    listed = "The board will:\n\n- plan the plan of the plan and the plan,\n- sell the market to the market."
    text = f"# Ports\n\nThe **plan** of the plan. The market of the mar-\nket and the market.\n\n{listed}\n"
    (tmp_path / "a.md").write_text(text)
    items = list(read_items([tmp_path / "a.md"], [], text_column="text"))
    expected = classify_chunk(classifier, items, thresholds={}, with_text=True, explain=True)
    keys = ("start", "end", "section", "text", "stance", "topics", "evidence")
    for answer in (
        await client.post("/v1/documents", json={"text": text, "explain": True}),
        await send(client, text, params={"explain": "true"}),
        await client.post("/v1/documents?explain=true", json={"text": text}),
    ):
        DocumentResponse.model_validate(answer.json())
        told = answer.json()["paragraphs"]
        assert [[each[key] for key in keys] for each in told] == [[each[key] for key in keys] for each in expected]
    for each in told:
        sentence = each["evidence"]["stance"]
        assert each["text"][sentence["start"] : sentence["end"]] == sentence["sentence"]
    # The whole list goes without an item, not without the rest of its one sentence.
    assert told[1]["evidence"]["stance"]["drop"] is not None
    plain = (await send(client, text)).json()["paragraphs"]
    assert [each["stance"] for each in plain] == [each["stance"] for each in told]
    assert all(each["evidence"] is None and "text" not in each for each in plain)
    lines = await send(client, text, params={"explain": "true"}, headers={"accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()[1:-1]] == told


@pytest.mark.issue(4)
async def test_the_words_of_subtitles_are_told_as_their_place_holds_times_too(client):
    lines = ["The plan of the plan", "is the market", "and the market is", "the plan."]
    cues = "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n + 1},000\n{line}" for n, line in enumerate(lines, 1))
    answer = (await send(client, cues)).json()
    DocumentResponse.model_validate(answer)
    (told,) = answer["paragraphs"]
    assert told["text"] == " ".join(lines)
    assert "-->" in cues[told["start"] : told["end"]]
    alone = (await client.post("/v1/classify", json={"inputs": told["text"]})).json()["predictions"][0]
    assert told["stance"] == alone["stance"]


@pytest.mark.issue(4)
async def test_words_at_their_lines_are_told_on_demand_and_have_the_same_evidence_alone(client):
    listed = "We will, in **short**:\n\n- plan the plan of the plan,\n- sell the [market](https://a.example/b) twice."
    text = f"The *plan* of the plan. The market of the mar-\nket and the market.\n\n{listed}"
    wanted = [
        "The plan of the plan. The market of the market and the market.",
        "We will, in short:\n\n- plan the plan of the plan,\n- sell the market twice.",
    ]
    explained = {"lines": "true", "explain": "true"}
    for answer in (
        await send(client, text, params=explained),
        await client.post("/v1/documents", json={"text": text, "explain": True, "lines": True}),
    ):
        DocumentResponse.model_validate(answer.json())
        told = answer.json()["paragraphs"]
        assert [each["lines"] for each in told] == wanted
    alone = (await client.post("/v1/classify", json={"inputs": wanted, "explain": True})).json()["predictions"]
    for each, other in zip(told, alone, strict=True):
        assert each["stance"] == other["stance"]
        found, same = each["evidence"]["stance"], other["evidence"]["stance"]
        assert (found["sentence"], found["drop"]) == (same["sentence"], same["drop"])
    assert all("lines" not in each for each in (await send(client, text)).json()["paragraphs"])
    text = f"{'The plan is long. ' * 6000}\n\nThe market is short, and the plan of it is the market."
    long, short = (await send(client, text, params={"lines": "true"})).json()["paragraphs"]
    assert (long["error"]["code"], "lines" in long, "lines" in short) == ("paragraph_too_long", False, True)


@pytest.mark.issue(4)
async def test_a_document_by_itself_takes_thresholds_in_its_query(client, tmp_path):
    pdf = make_pdf(tmp_path / "a.pdf", [["The plan of the plan is the plan."]]).read_bytes()
    query = [("threshold", "stance=1"), ("threshold", "sanctions=0")]
    answer = (await send(client, pdf, "application/pdf", params=query)).json()
    assert answer["paragraphs"][0]["stance"]["abstained"]
    assert "sanctions" in answer["paragraphs"][0]["topics"]["labels"]
    within = {"text": TEXT, "thresholds": {"stance": 0.0}}
    answer = (await client.post("/v1/documents?threshold=stance=1&threshold=sanctions=0", json=within)).json()
    assert answer["summary"]["heads"]["stance"]["n_abstained"] == 0  # what the body says counts
    assert answer["summary"]["heads"]["topics"]["labels"]["sanctions"]["n_given"] == 3
    for wrong in "stance", "stance=2", "nothing=0.5":
        refused = await send(client, TEXT, params={"threshold": wrong})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_threshold")
    assert (await send(client, TEXT, params={"model": "absent"})).status_code == 404


async def test_html_and_pdf_are_read_and_their_text_is_given_back(client, tmp_path):
    page = "<html><head><title>x</title></head><body><nav>menu</nav><p>The plan of the plan.</p><p>A market.</p></body>"
    answer = (await send(client, page, "text/html; charset=utf-8")).json()
    texts = [answer["document"]["text"][p["start"] : p["end"]] for p in answer["paragraphs"]]
    assert texts == ["The plan of the plan.", "A market."]
    pdf = make_pdf(tmp_path / "a.pdf", [["The plan of the plan is the plan."]]).read_bytes()
    answer = (await send(client, pdf, "application/pdf")).json()
    assert [(p["stance"]["label"], p["page"]) for p in answer["paragraphs"]] == [("state-led", 1)]
    DocumentResponse.model_validate(answer)


@pytest.mark.issue(4)
async def test_documents_of_word_are_read_and_have_no_pages(client):
    word = make_docx(write_paragraph("The plan of the plan is the plan."), write_paragraph("A market."))
    media_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    for declared in (media_type, f"{media_type}; charset=binary"):
        answer = (await send(client, word, declared)).json()
        texts = [answer["document"]["text"][p["start"] : p["end"]] for p in answer["paragraphs"]]
        assert texts == ["The plan of the plan is the plan.", "A market."]
        assert not any("page" in p for p in answer["paragraphs"])
    refused = await send(client, b"PK", media_type)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unreadable_document")


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [
        ("text/plain; charset=windows-1252", "cp1252"),
        ("text/plain; charset=ISO-8859-1", "cp1252"),
        ('text/markdown; format=flowed; Charset="koi8-r"', "koi8-r"),
        ("text/x-markdown;charset=utf-16le", "utf-16-le"),
        ("text/html; charset=windows-1250", "cp1250"),
        ("application/xhtml+xml; charset=utf-8", "utf-8"),
        ("text/plain; charset=utf-8-sig", "utf-8"),
        ("text/plain; charset=binary", "utf-8"),
        ("text/html; charset=Unknown-8bit", "utf-8"),
        ("application/pdf; charset=utf-8", None),
        ("application/pdf; charset=binary", None),
    ],
)
async def test_a_document_is_read_in_the_encoding_it_is_sent_with(client, media_type, encoding, tmp_path):
    if encoding is None:
        pytest.importorskip("pypdf")
        content = make_pdf(tmp_path / "a.pdf", [["The plan of the plan."]]).read_bytes()
    else:
        words = "\u201cThe plan\u201d of the plan." if encoding.startswith("cp") else "The plan\u00a0of the plan."
        content = words.encode(encoding)
    response = await send(client, content, media_type)
    assert response.status_code == 200, response.text
    document, (paragraph,) = response.json()["document"], response.json()["paragraphs"]
    assert paragraph["end"] - paragraph["start"] == len("The plan of the plan.") + 2 * (
        encoding in {"cp1252", "cp1250"}
    )
    assert document["media_type"] in {"text/plain", "text/markdown", "text/html", "application/pdf"}
    if encoding == "cp1250":
        assert document["text"] == "\u201cThe plan\u201d of the plan."


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"plan", "application/msword", 415, "unsupported_media_type"),
        (b"plan", "text/plain; charset=hex", 415, "unsupported_media_type"),
        (b"plan", "text/html; charset=nonsense", 415, "unsupported_media_type"),
        (b"not a pdf", "application/pdf", 422, "unreadable_document"),
        (b"\xff\xff\xff", "text/plain", 422, "unreadable_document"),
        (b" \n\n ", "text/plain", 422, "unreadable_document"),
        (b"<html><body></body>", "text/html", 422, "unreadable_document"),
        (b"{", "application/json", 400, "invalid_json"),
        (b'{"txt": "a"}', "application/json", 422, "invalid_request"),
        (b"plan " * 200, "text/plain", 422, "paragraph_too_long"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name_without_showing_the_inside(
    client, content, media_type, status, code
):
    response = await send(client, content, media_type)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    told = response.json()["error"]["message"]
    assert "/" not in re.sub("(?:text|application|message)/", "", told)


@pytest.mark.issue(4)
async def test_a_refused_type_is_told_all_that_are_read(client):
    told = (await send(client, b"plan", "application/msword")).json()["error"]["message"]
    for media_type in ("text/plain", "text/vtt", "application/x-subrip", "application/json", "message/rfc822"):
        assert media_type in told
        assert (await send(client, b"", media_type)).status_code != 415


@pytest.mark.issue(4)
async def test_mails_are_read_and_tell_what_of_them_is_not(client):
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "Ada <ada@tide.example>", "Ports"
    mail.set_content("The plan\u00a0of the plan.\n\nA market of the market.\n", cte="base64")
    plain = (await send(client, mail.as_bytes(), "message/rfc822")).json()
    DocumentResponse.model_validate(plain)
    assert "notes" not in plain["document"]
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    for declared in ("message/rfc822", "message/rfc822; charset=utf-8"):
        answer = (await send(client, mail.as_bytes(), declared)).json()
        DocumentResponse.model_validate(answer)
        texts = [answer["document"]["text"][p["start"] : p["end"]] for p in answer["paragraphs"]]
        assert texts == ["The plan\u00a0of the plan.", "A market of the market."]
        assert [p["section"] for p in answer["paragraphs"]] == ["Ports", "Ports"]
        assert answer["document"]["notes"] == ["1 attachment is not read: a.pdf"]
        assert answer["paragraphs"][0]["stance"] == plain["paragraphs"][0]["stance"]
    mail.clear_content()
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="a.pdf")
    for content, declared in ((mail.as_bytes(), "message/rfc822"), (b"plan", "message/rfc822")):
        refused = await send(client, content, declared)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unreadable_document")


@pytest.mark.issue(4)
async def test_a_mail_that_is_sent_as_plain_text_is_refused_and_not_read_with_its_codes(client):
    mail = EmailMessage()
    mail["From"] = "Ada <ada@tide.example>"
    mail.set_content("The plan\u00a0of the plan.\n", cte="quoted-printable")
    for refused in (await send(client, mail.as_bytes()), await client.post("/v1/documents", json={"text": str(mail)})):
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unreadable_document")
        assert "message/rfc822" in refused.json()["error"]["message"]


@pytest.mark.issue(4)
async def test_a_paragraph_that_is_too_long_is_told_of_and_the_others_are_answered(tiny_model, classifier, tmp_path):
    long = "A plan. " * 20_000
    text = f"# Ports\n\nThe plan of the plan.\n\n{long}\n\nA market of the market.\n\n{long}"
    (tmp_path / "a.md").write_text(text)
    items = list(read_items([tmp_path / "a.md"], [], text_column="text"))
    expected = classify_chunk(classifier, items, thresholds={}, with_text=False)
    settings = ServeSettings(model=str(tiny_model), max_document_bytes=1_000_000)
    async with open_client(create_app(settings, classifier)) as client:
        answer = (await send(client, text, "text/markdown")).json()
        lines = await send(client, text, "text/markdown", headers={"accept": "application/x-ndjson"})
        explained = (await send(client, text, "text/markdown", params={"explain": "true"})).json()
        counted = (await client.get("/metrics")).text
    DocumentResponse.model_validate(answer)
    told = answer["paragraphs"]
    assert told == [{key: each[key] for key in each if key not in {"id", "document"}} for each in expected]
    assert [p.get("error", {}).get("code") for p in told] == [None, "paragraph_too_long"] * 2
    assert "that begins in line 5, at character" in told[1]["error"]["message"]
    assert text[told[1]["start"] : told[1]["end"]] == long.strip()
    assert (answer["document"]["n_paragraphs"], answer["summary"]["n_paragraphs"]) == (4, 2)
    _, *in_lines, last = [json.loads(line) for line in lines.text.splitlines()]
    assert (in_lines, last["summary"]) == (told, answer["summary"])
    assert [p["error"] for p in explained["paragraphs"] if "error" in p] == [told[1]["error"], told[3]["error"]]
    assert explained["paragraphs"][2]["evidence"] is not None
    assert 'twohands_failed_inputs_total{code="paragraph_too_long"} 6.0' in counted


async def test_a_document_may_be_larger_than_a_request_but_not_than_its_own_bound(settings, classifier):
    roomy = settings.model_copy(update={"max_document_bytes": 60_000, "max_document_paragraphs": 50})
    async with open_client(create_app(roomy, classifier)) as client:
        answer = await send(client, "The plan of the plan, again and again, it is.\n\n" * 40 + " " * 10_000)
        assert answer.status_code == 200  # forty paragraphs, though a request takes eight
        assert len(answer.json()["paragraphs"]) == 40
        assert (await send(client, b"a" * 60_001)).status_code == 413
        assert (await send(client, "The market of the market, it is.\n\n" * 51)).json()["error"]["code"] == (
            "unreadable_document"
        )


START = asyncio.create_subprocess_exec  # as it is, also where a test has put another program in its place before


def read_with(monkeypatch, *command):
    """Let another program read documents; a list of its processes, as they begin."""
    begun = []

    async def begin(*_, **named):
        begun.append(await START(*command, **named))
        return begun[-1]

    monkeypatch.setattr(extracting.asyncio, "create_subprocess_exec", begin)
    return begun


async def test_a_document_that_takes_too_long_or_too_much_is_given_up(monkeypatch):
    begun, started_s = read_with(monkeypatch, "sleep", "20"), time.monotonic()
    with pytest.raises(DocumentError):
        await extract(b"x", suffix=".pdf", timeout_s=0.3)
    assert time.monotonic() - started_s < 10
    assert [process.returncode for process in begun] == [-signal.SIGKILL]
    begun = read_with(monkeypatch, "sh", "-c", "printf +; kill -9 $$")  # as the system ends one that takes too much
    with pytest.raises(DocumentError, match="memory"):
        await extract(b"x", suffix=".pdf", timeout_s=20)
    assert [process.returncode for process in begun] == [-signal.SIGKILL]


@pytest.mark.issue(4)
async def test_a_document_is_read_whatever_the_current_folder_holds(tmp_path, monkeypatch):
    for name in ("serving", "twohands"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    read = await extract(b"<p>The plan of the plan.</p>", suffix=".html", timeout_s=60)
    assert read.text == "The plan of the plan."


@pytest.mark.issue(4)
async def test_a_reader_that_does_not_start_is_no_fault_of_the_document(client, monkeypatch, caplog):
    read_with(monkeypatch, "sh", "-c", "echo No module named this >&2; exit 1")
    answer = await send(client, "<p>The plan of the plan.</p>", "text/html")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "reader_failed")
    assert any("No module named this" in record.getMessage() for record in caplog.records)


@pytest.mark.issue(4)
async def test_where_no_reader_can_be_started_now_the_client_is_told_to_come_back(client, monkeypatch, caplog):
    async def start(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("serving.extract.asyncio.create_subprocess_exec", start)
    answer = await send(client, "<p>The plan of the plan.</p>", "text/html")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "reader_failed")
    assert int(answer.headers["retry-after"]) >= 1
    assert any("Too many open files" in record.getMessage() for record in caplog.records)


async def test_documents_of_clients_who_left_are_read_no_further(monkeypatch):
    n_clients = 5
    begun = read_with(monkeypatch, "sh", "-c", "yes | head -c 1000000; exec sleep 20")  # more than a pipe holds
    readers, wanted = Readers(), _Wanted("application/pdf", b"x")
    for number in range(1, n_clients + 1):
        task = asyncio.create_task(readers.read(wanted, limit_chars=500, max_paragraphs=9, timeout_s=20))
        for _ in range(1000):
            if len(begun) == number:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert begun[-1].returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="macOS refuses a bound on the memory that a process maps")
def test_the_reading_process_cannot_take_all_memory():
    code = (
        "import sys, serving.extract as e\n"
        "e.extract_document = lambda *_, **__: 'x' * 3_000_000_000\n"
        "sys.exit(e.main('.html', 5))"
    )
    ended = subprocess.run([os.sys.executable, "-c", code], input=b"", capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert b"MemoryError" in ended.stderr


def test_a_document_is_read_where_the_system_refuses_to_bound_memory(monkeypatch):
    asked = []

    def refuse(kind, _):
        asked.append(kind)
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"<p>The board sells its barges.</p>")))
    written = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", written)
    assert extracting.main(".html", 5) == 0
    assert "The board sells its barges." in written.buffer.getvalue().decode()
    assert asked == [resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE]


async def test_a_document_is_answered_as_it_is_read(client):
    text = "\n\n".join(f"The council will buy the whole output of kiln number {n} this year." for n in range(40))
    sent = {"content": text.encode(), "headers": {"content-type": "text/plain"}}
    whole = (await client.post("/v1/documents", **sent)).json()
    sent["headers"]["accept"] = "application/x-ndjson"
    answer = await client.post("/v1/documents", **sent)
    assert answer.headers["content-type"] == "application/x-ndjson"
    first, *paragraphs, last = [json.loads(line) for line in answer.text.splitlines()]
    assert first == {"model": whole["model"], "document": whole["document"]}
    assert paragraphs == whole["paragraphs"]
    assert last == {"summary": whole["summary"]}


@pytest.mark.issue(4)
async def test_a_paragraph_below_a_heading_says_which(client):
    text = "# Ports\n\nThe plan of the plan.\n\n## Rail ##\n\nA market of the market."
    sent = {"content": text.encode(), "headers": {"content-type": "text/markdown"}}
    answer = (await client.post("/v1/documents", **sent)).json()
    DocumentResponse.model_validate(answer)
    assert [p["section"] for p in answer["paragraphs"]] == ["Ports", "Rail"]
    sent["headers"]["accept"] = "application/x-ndjson"
    _, *paragraphs, _ = [json.loads(line) for line in (await client.post("/v1/documents", **sent)).text.splitlines()]
    assert paragraphs == answer["paragraphs"]
    page = "<article><h1>Ports</h1><p>The plan of the plan.</p></article>"
    (paragraph,) = (await send(client, page, "text/html")).json()["paragraphs"]
    assert paragraph["section"] == "Ports"
    assert not any({"section", "speaker"} & set(p) for p in (await send(client, TEXT)).json()["paragraphs"])


@pytest.mark.issue(4)
async def test_a_paragraph_of_a_transcript_says_who_speaks(client):
    answer = (await send(client, "Mr. Bo: The plan.\n\nMs. Li: The market.\n\nThe plan.\n\nMr. Bo: None.")).json()
    DocumentResponse.model_validate(answer)
    assert [p["speaker"] for p in answer["paragraphs"]] == ["Mr. Bo", "Ms. Li", "Ms. Li", "Mr. Bo"]


async def test_a_streamed_document_that_cannot_be_read_is_refused_with_its_status(client):
    headers = {"content-type": "text/plain", "accept": "application/x-ndjson"}
    answer = await client.post("/v1/documents", content=b" \n ", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable_document")


@pytest.mark.issue(5)
@pytest.mark.parametrize(
    ("error", "code"), [(NonFiniteLogitsError("poison"), "non_finite_logits"), (RuntimeError("x"), "internal_error")]
)
async def test_a_fault_that_ends_a_document_by_lines_is_logged_under_its_id(settings, classifier, caplog, error, code):
    is_broken = False

    def run_batch(windows):
        if is_broken and any(len(window) > 12 for window in windows):
            raise error
        return classifier.session.run_batch(windows)

    caplog.set_level(logging.INFO)
    text = "\n\n".join(["The plan of the plan."] * settings.max_inputs + ["The plan of" + " the plan" * 9 + "."])
    async with open_client(create_app(settings, with_session(classifier, run_batch))) as client:
        is_broken = True
        answer = await send(client, text, headers={"accept": "application/x-ndjson", "x-request-id": "job-7"})
    assert answer.status_code == 200
    assert json.loads(answer.text.splitlines()[-1])["error"]["code"] == code
    (fault,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert fault == f"request job-7 failed: {type(error).__name__}"


LINES = "a:\n" * 80_000  # each line is a paragraph, by its colon; not so many that a process would split them


@pytest.mark.issue(4)
async def test_splitting_ends_with_its_time_and_with_its_client_and_at_its_bound(monkeypatch):
    n_checked = 0
    real = splitting.iter_paragraphs

    def split_on(text, *, limit_chars, check):
        def check_counted():
            nonlocal n_checked
            n_checked += 1
            check()

        while True:  # a document without an end
            yield from real(text, limit_chars=limit_chars, check=check_counted)

    monkeypatch.setattr(splitting, "iter_paragraphs", split_on)
    wanted = {"limit_chars": 500, "max_paragraphs": 10**9}
    with pytest.raises(DocumentError):
        await split_in_time(LINES, **wanted, timeout_s=0.2)
    task = asyncio.create_task(split_in_time(LINES, **wanted, timeout_s=60))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.1)
    n_before = n_checked
    await asyncio.sleep(0.2)
    assert n_checked == n_before > 0
    with pytest.raises(DocumentError):
        await split_in_time(LINES, limit_chars=500, max_paragraphs=50, timeout_s=60)


SPOKEN = """# Reading of the plan

MR. REED: The plan is to fund two makers of tools.\r\n- It costs little.
MS. HALE: The market would do it for less, as it did before.

{long}

1\n00:00:01,000 --> 00:00:02,000\nState money is spent on the plants.

2\n00:00:02,000 --> 00:00:04,000\nand on the roads to them. 计划 \U0001f600
"""


@pytest.mark.issue(5)
async def test_long_text_is_read_and_split_by_processes_that_find_the_same(client, monkeypatch):
    """Of 10 MB some pieces of that took seconds, in which no thread ran and nothing else was answered."""
    text, start, programs = SPOKEN.format(long="plan " * 200), asyncio.create_subprocess_exec, []

    async def note_start(*command, **named):
        programs.extend(part for part in command if part.startswith("serving."))
        return await start(*command, **named)

    monkeypatch.setattr("serving.extract.asyncio.create_subprocess_exec", note_start)
    here = await send(client, text.encode())
    assert programs == []
    for module in (extracting, splitting):
        monkeypatch.setattr(module, "MOST_HERE", 100)
    elsewhere = await send(client, text.encode())
    assert programs == ["serving.extract", "serving.splitting"]
    assert here.status_code == 200
    assert elsewhere.json() == here.json()
    found = here.json()["paragraphs"]
    assert any("error" in each for each in found)
    assert any("section" in each for each in found)

    wanted = {"limit_chars": 100_000, "timeout_s": 60}
    paragraphs = await split_in_time(text, max_paragraphs=50, **wanted)
    assert paragraphs == await splitting._split_here(text, max_paragraphs=50, **wanted)
    with pytest.raises(DocumentError, match="more than 2 paragraphs"):
        await split_in_time(text, max_paragraphs=2, **wanted)
    with pytest.raises(DocumentError, match="holds no text"):
        await split_in_time("\n" * 200, max_paragraphs=2, **wanted)
    with pytest.raises(DocumentError, match="took too long to be split"):
        await split_in_time(text, limit_chars=500, max_paragraphs=50, timeout_s=0.01)
    with pytest.raises(DocumentError, match="send it in parts"):
        await extract(text.encode(), suffix=".txt", timeout_s=0.01)


@pytest.mark.issue(5)
async def test_a_text_whose_splitting_would_hold_up_others_is_decoded_here_and_split_elsewhere(client, monkeypatch):
    """Searches over 1 MB of marks held up the health checks for .12 s, though decoding it takes milliseconds."""
    start, programs = asyncio.create_subprocess_exec, []

    async def note_start(*command, **named):
        programs.extend(part for part in command if part.startswith("serving."))
        return await start(*command, **named)

    monkeypatch.setattr("serving.extract.asyncio.create_subprocess_exec", note_start)
    paragraph = "The market decides, and the plan is a plan for the state alone. " * 5
    for n_bytes, expected in ((200_000, []), (300_000, ["serving.splitting"])):
        programs.clear()
        text = f"{'<p> ' * (n_bytes // 4)}\n\n{paragraph}"
        assert (await send(client, text.encode())).status_code == 200
        assert programs == expected


@pytest.mark.issue(4)
async def test_a_document_of_long_paragraphs_is_asked_for_in_parts_that_can_be_done_in_time(tiny_model, classifier):
    n_labels, n_begun = 7, 0

    def run_slowly(windows):
        nonlocal n_begun
        n_begun += 1
        if n_begun > 2:  # the warm-up
            time.sleep(0.05)
        return np.zeros((len(windows), n_labels), dtype=np.float32)

    settings = ServeSettings(model=str(tiny_model), request_timeout_s=0.8, document_timeout_s=5)
    app = create_app(settings, with_session(classifier, run_slowly, num_threads=1))
    text = "\n\n".join(["The plan of the plan, the plan it is."] * 32)
    async with open_client(app) as client:
        answer = await send(client, text)
    assert answer.status_code == 200
    assert len(answer.json()["paragraphs"]) == 32


EMBARGO = "An embargo. The embargo. Embargo a plan. The embargo."  # one window, and four without a sentence


def make_slow_app(tiny_model, classifier, is_slow, *, each_s=0.2):
    """An app whose model takes so long for a window that `is_slow` finds so, and a list of these."""
    slow = []

    def run_batch(windows):
        if is_slow(windows[0]):
            slow.append(windows[0])
            time.sleep(each_s)
        return classifier.session.run_batch(windows)

    settings = ServeSettings(model=str(tiny_model), request_timeout_s=0.7, document_timeout_s=5)
    return create_app(settings, with_session(classifier, run_batch, num_threads=1)), slow


@pytest.mark.issue(4)
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_paragraph_that_cannot_be_explained_in_time_costs_no_other_and_says_so(tiny_model, classifier, place):
    embargo = classifier.encoder.encode("embargo").windows[0][1]
    app, _ = make_slow_app(tiny_model, classifier, lambda window: embargo in window)
    texts = ["The plan of the plan. A market.", "A market of the market. The plan.", "The weather. A plan."]
    texts.insert(place, EMBARGO)
    async with open_client(app) as client:
        answer = await send(client, "\n\n".join(texts), params={"explain": "true"})
        accepted = {"accept": "application/x-ndjson"}
        lines = await send(client, "\n\n".join(texts), params={"explain": "true"}, headers=accepted)
        plain = (await send(client, "\n\n".join(texts))).json()
        described = (await client.get("/openapi.json")).json()["components"]["schemas"]["DocumentParagraph"]
    assert answer.status_code == 200, answer.text
    assert "evidence_error" in described["properties"].keys() - set(described["required"])
    DocumentResponse.model_validate(answer.json())
    told = answer.json()["paragraphs"]
    assert [json.loads(line) for line in lines.text.splitlines()[1:-1]] == told
    assert [each["text"] for each in told] == texts
    assert [each["evidence"] is None for each in told] == ["evidence_error" in each for each in told]
    assert ["evidence_error" in each for each in told] == [number == place for number in range(4)]
    assert told[place]["evidence_error"]["code"] == "deadline_exceeded"
    assert "longer than 0.7 s" in told[place]["evidence_error"]["message"]
    without = {"text", "evidence", "evidence_error"}
    assert [{key: each[key] for key in each if key not in without} for each in told] == [
        {key: each[key] for key in each if key not in without} for each in plain["paragraphs"]
    ]
    assert answer.json()["summary"] == plain["summary"]
    assert not any("evidence_error" in each for each in plain["paragraphs"])


@pytest.mark.issue(4)
async def test_what_was_too_long_to_be_explained_is_not_waited_for_again(tiny_model, classifier):
    embargo = classifier.encoder.encode("embargo").windows[0][1]
    app, slow = make_slow_app(tiny_model, classifier, lambda window: embargo in window)
    async with open_client(app) as client:
        answer = await send(client, "\n\n".join(["The plan.", *[EMBARGO] * 6, "A market."]), params={"explain": "true"})
    told = answer.json()["paragraphs"]
    assert ["evidence_error" in each for each in told] == [False, *[True] * 6, False]
    # Four times it is waited for, of all eight, four, two and one: in each at most four are run. Then each is run once.
    assert len(slow) <= 4 * 4 + 6


@pytest.mark.issue(4)
async def test_a_paragraph_that_takes_too_long_by_itself_still_fails_its_document(tiny_model, classifier):
    embargo = classifier.encoder.encode("embargo").windows[0][1]
    app, _ = make_slow_app(tiny_model, classifier, lambda window: embargo in window, each_s=0.4)
    text = f"The plan of the plan.\n\n{'An embargo of the plan. ' * 12}"  # three windows, so 1.2 s for 0.7
    async with open_client(app) as client:
        answer = await send(client, text, params={"explain": "true"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "deadline_exceeded")


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("accepted", "are_lines"),
    [
        ([], False),
        (["*/*"], False),
        (["application/x-ndjson"], True),
        (["Application/X-NDJSON; Q=0.5"], True),
        (["application/x-ndjson, application/json"], True),
        (["application/json", "application/x-ndjson"], True),
        (["application/x-ndjson, */*;q=0.1"], True),
        (["application/x-ndjson;q=0.5, */*"], False),
        (["application/json;q=1, application/x-ndjson;q=0.1"], False),
        (["application/json;q=0.1, application/x-ndjson;q=1.0, */*"], True),
        (["application/x-ndjson;q=0"], False),
        (["application/x-ndjson;q=0, application/json;q=0"], False),
        (["text/html;x=application/x-ndjson"], False),
        (['text/html;x=", application/x-ndjson"'], False),
        (['text/html;x="\\", application/x-ndjson,'], False),
        (['application/x-ndjson;x=";q=0";q=1, application/json'], True),
        (["application/x-ndjson ; q = 0.1, application/json"], False),
        (["application/x-ndjson;q=.5, application/json"], False),
        (["application/x-ndjson;q=.5, application/json;q=0.4"], True),
        (["application/x-ndjson;q=high"], False),
        (["application/json;q=1.5, application/x-ndjson;q=0.1"], True),
    ],
)
async def test_lines_come_to_who_would_rather_have_them(client, accepted, are_lines):
    headers = [("content-type", "text/plain"), *(("accept", each) for each in accepted or [""])]
    response = await client.post("/v1/documents", content="The plan of the plan.", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/x-ndjson") is are_lines
