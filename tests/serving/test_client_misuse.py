"""Our own client refuses what it is wrongly given by errors of ours, before anything is sent, and tells no key."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import traceback
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from tests.serving.test_client import Scripted, make_answer
from twohands.client import AsyncClient, Client
from twohands.errors import InputTypeError, ServiceError, ServiceUnreachableError, ThresholdError
from twohands.exchange_long import make_document_call
from twohands.misuse import ArgumentError, ClosedError

pytestmark = pytest.mark.anyio
TEXT = "the plan"
DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "serving.md"


def open_async(service, **options):
    return AsyncClient("http://service", transport=httpx.MockTransport(service), **options)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"a": TEXT}, "mapping"),
        (pd.DataFrame({"id": [1], "text": [TEXT]}), "table"),
        (TEXT, "wrap"),
        (b"plan", "wrap"),
        (7, "found int"),
    ],
)
async def test_what_has_keys_columns_or_letters_is_no_list_of_texts(texts, told):
    service = Scripted()
    with service.open() as client:
        for method in (client.classify, lambda given: list(client.stream(given))):
            with pytest.raises(ArgumentError, match=told):
                method(texts)
    async with open_async(service) as client:
        with pytest.raises(ArgumentError, match=told):
            await client.classify(texts)
        with pytest.raises(ArgumentError, match=told):
            await anext(client.stream(texts))
    assert service.requests == []


async def test_columns_arrays_and_generators_are_texts():
    for texts in (pd.Series([TEXT]), np.array([TEXT]), {TEXT}, (TEXT,), iter([TEXT]), {1: TEXT}.values()):
        with Scripted().open() as client:
            assert len(client.classify(texts)) == 1

    async def lazily():
        yield TEXT

    with Scripted().open() as client, pytest.raises(ArgumentError):
        client.classify(lazily())


@pytest.mark.parametrize("value", [np.float32(0.25), np.float64(0.25), Fraction(1, 4), 0.25])
async def test_any_real_number_is_a_threshold(value):
    service = Scripted()
    with service.open(max_retries=0) as client:
        client.classify([TEXT], thresholds={"sanctions": value})
        with pytest.raises(ServiceError):
            list(client.stream([TEXT], thresholds={"sanctions": value}))  # which is no answer to a stream
    async with open_async(service) as client:
        await client.classify([TEXT], thresholds={"sanctions": value})
    classified, streamed, also = service.requests
    assert json.loads(classified.content)["thresholds"] == json.loads(also.content)["thresholds"] == {"sanctions": 0.25}
    assert streamed.url.params["threshold"] == "sanctions=0.25"
    call = make_document_call(TEXT, media_type=None, thresholds={"sanctions": value}, explain=False, model=None)
    assert json.loads(call.body)["thresholds"] == {"sanctions": 0.25}


@pytest.mark.parametrize("value", [True, np.bool_(True), "0.5", None, Decimal("0.5"), float("nan"), -0.1, 1.1, [0.5]])
async def test_what_is_no_threshold_is_refused_by_each_way(value):
    service, thresholds = Scripted(), {"sanctions": value}
    with service.open() as client:
        for method in (client.classify, lambda texts, **given: list(client.stream(texts, **given))):
            with pytest.raises(ThresholdError, match="sanctions"):
                method([TEXT], thresholds=thresholds)
        with pytest.raises(ThresholdError):
            client.classify_document(TEXT, thresholds=thresholds)
    async with open_async(service) as client:
        with pytest.raises(ThresholdError):
            await client.classify([TEXT], thresholds=thresholds)
        with pytest.raises(ThresholdError):
            await anext(client.stream([TEXT], thresholds=thresholds))
    assert service.requests == []


def test_thresholds_are_a_mapping():
    with Scripted().open() as client, pytest.raises(ThresholdError, match="list"):
        client.classify([TEXT], thresholds=[("sanctions", 0.5)])


@pytest.mark.parametrize("key", ["th_secret\nKEY", "th_secret\x00", "th_schlüssel", "th_secret\u2028KEY", b"th_secret"])
def test_a_key_that_fits_in_no_header_is_refused_and_never_told(key):
    for kind in (Client, AsyncClient):
        with pytest.raises(ArgumentError, match="api_key") as caught:
            kind("http://service", api_key=key)
        assert "th_s" not in "".join(traceback.format_exception_only(caught.value))
        assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("key", ["th_key\n", " th_key\r\n", "\tth_key", "th_key\u00a0"])
def test_white_space_around_a_key_is_not_part_of_it(key):
    service = Scripted()
    with service.open(api_key=key) as client:
        client.classify([TEXT])
    assert service.requests[0].headers["authorization"] == "Bearer th_key"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("batch_size", [0, -1, 1.5, True, "8", None]),
        ("max_retries", [-1, 0.5, True, None]),
        ("max_concurrency", [0, -1, 2.0, False, None]),
        ("timeout_s", [0, -1, float("nan"), float("inf"), True, "60", None]),
        ("max_wait_s", [-1, float("nan"), True, "60", None]),
    ],
)
def test_numbers_that_nothing_can_be_done_with_are_refused(name, values):
    for value in values:
        for kind in (Client, AsyncClient) if name != "max_concurrency" else (AsyncClient,):
            with pytest.raises(ArgumentError, match=name):
                kind("http://service", **{name: value})


def test_numbers_at_their_bounds_are_taken():
    AsyncClient(batch_size=np.int64(1), max_retries=0, max_concurrency=1, timeout_s=np.float32(0.5), max_wait_s=0)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:abc",
        "http://user:secret/word@service",
        "http://a..b",
        "http://service\n",
        b"http://a",
        None,
        "127.0.0.1:8000",
        "localhost:8000",
        "ftp://service",
        "",
        "http://",
        "http://service/?key=secret",
        "http://s/#v1",
    ],
)
def test_what_is_no_address_is_refused_and_never_told(url):
    for kind in (Client, AsyncClient):
        with pytest.raises(ArgumentError, match="url") as caught:
            kind(url)
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("content", [b"<!doctype html>", b"", b"[]", b"\xff", b"[" * 100_000], ids=len)
async def test_what_is_no_answer_to_info_is_said_to_be_none(content):
    service = Scripted(httpx.Response(200, content=content), httpx.Response(200, content=content))
    with service.open() as client, pytest.raises(ServiceError) as failure:
        client.info()
    async with open_async(service) as client:
        with pytest.raises(ServiceError) as failed:
            await client.info()
    assert failure.value.code == failed.value.code == "invalid_answer"


def test_an_answer_that_cannot_be_unpacked_is_an_error_of_ours():
    packed = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"none"))
    with Scripted(packed).open() as client, pytest.raises(ServiceUnreachableError):
        client.classify([TEXT])


async def test_a_name_that_no_json_can_carry_is_refused_as_such_a_text_is():
    service = Scripted()
    with service.open() as client, pytest.raises(InputTypeError, match="row 0: its name"):
        list(client.stream([("\udc80", TEXT)]))
    async with open_async(service) as client:
        with pytest.raises(InputTypeError, match="row 0: its name"):
            await anext(client.stream([("\udc80", TEXT)]))
    with service.open() as client, pytest.raises(InputTypeError, match="type"):
        client.classify_document(b"plan", media_type="text/plain\nx: y")
    assert service.requests == []


async def test_a_closed_client_says_so():
    service = Scripted()
    client = service.open()
    client.close()
    client.close()
    for method in (client.info, lambda: client.classify([TEXT]), lambda: list(client.stream([TEXT]))):
        with pytest.raises(ClosedError):
            method()
    client = open_async(service)
    await client.close()
    for asked in (client.info(), client.classify([TEXT]), anext(client.stream([TEXT]))):
        with pytest.raises(ClosedError):
            await asked
    assert service.requests == []


@pytest.mark.parametrize("bad", [float("nan"), "\ud800"])
async def test_a_bad_text_at_the_end_costs_no_other_its_answer(bad):
    texts = [*[TEXT] * 6, bad]
    for given in (texts, pd.Series(texts, dtype=object), tuple(texts), iter(texts)):
        service = Scripted(*[httpx.Response(200, json=make_answer(2))] * 3)
        with service.open(batch_size=2) as client:
            *others, last = client.classify(given)
        assert len(others) == 6
        assert isinstance(last, InputTypeError)
        assert len(service.requests) == 3


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_examples_of_the_document_pass_the_strictest_check_of_types(tmp_path):
    section = DOCUMENT.read_text(encoding="utf-8").partition("\n## Our own client\n")[2].partition("\n## ")[0]
    names = []
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)):
        names.append(f"example_{number}.py")
        (tmp_path / names[-1]).write_text(code, encoding="utf-8")
    assert len(names) >= 3
    command = [sys.executable, "-m", "mypy", "--strict", "--no-site-packages", "--follow-imports=silent", *names]
    environment = os.environ | {"MYPYPATH": str(DOCUMENT.parent.parent), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
