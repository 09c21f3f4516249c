import asyncio
import base64
import logging
import re
import threading
import time
from types import SimpleNamespace

import pytest

from serving import keys as keys_module
from serving.access import WEBHOOK_PATH, is_loopback, is_open
from serving.app import create_app
from serving.failures import SECURITY_HEADERS
from serving.keys import digest_key, make_key, write_keys
from serving.server import check_address
from serving.settings import ServeSettings
from tests.serving.support import open_client
from twohands.errors import InsecureAddressError

pytestmark = pytest.mark.anyio
BODY = {"inputs": "plan"}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - it is refused


@pytest.fixture
def keys(tmp_path):
    made = {
        "plain": make_key(name="plain"),
        "slow": make_key(name="slow", requests_per_minute=2),
        "admin": make_key(name="admin", is_admin=True),
    }
    write_keys(tmp_path / "keys.json", [kept for _, kept in made.values()])
    return {name: key for name, (key, _) in made.items()}


@pytest.fixture
async def guarded(settings, classifier, keys, tmp_path):
    assert keys
    guarded = settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"})
    async with open_client(create_app(guarded, classifier)) as client:
        yield client


async def test_either_header_lets_in(guarded, keys):
    for headers in (
        {"authorization": f"Bearer {keys['plain']}"},
        {"authorization": f"bearer  {keys['plain']}"},
        {"x-api-key": keys["plain"]},
        {"authorization": "Basic " + base64.b64encode(f"anyone:{keys['plain']}".encode()).decode()},
    ):
        assert (await guarded.post("/v1/classify", json=BODY, headers=headers)).status_code == 200


@pytest.mark.issue(4)
@pytest.mark.parametrize("kind", ["known", "of_hand", "unknown", "cut", "within"])
async def test_a_key_that_is_sent_as_the_request_id_is_not_logged(settings, classifier, tmp_path, caplog, kind):
    key, kept = make_key(name="plain")
    of_hand = kept.model_copy(update={"id": "of-hand", "sha256": digest_key("correct-horse-battery")})
    write_keys(tmp_path / "keys.json", [kept, of_hand])
    sent = {
        "known": key, "of_hand": "correct-horse-battery", "unknown": make_key(name="x")[0], "cut": key[:-10],
        "within": f"key={key}",
    }[kind]  # fmt: skip
    caplog.set_level(logging.DEBUG)
    app = create_app(settings.model_copy(update={"api_keys_file": tmp_path / "keys.json"}), classifier)
    async with open_client(app) as client:
        for headers in ({}, {"x-api-key": key}):
            answer = await client.post("/v1/classify", json=BODY, headers={"x-request-id": sent, **headers})
            assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
        # A word that is no key is kept, though it names one by its id.
        answer = await client.get("/healthz", headers={"x-request-id": f"th_{kept.id}_7"})
        assert answer.headers["x-request-id"] == f"th_{kept.id}_7"
    told = [record.facts["request_id"] for record in caplog.records if hasattr(record, "facts")]
    assert len(told) >= 3
    assert not any(sent in request_id or key[13:30] in request_id for request_id in told)


@pytest.mark.issue(5)
async def test_keys_that_are_read_anew_hold_up_only_who_needs_one(guarded, keys, tmp_path, monkeypatch):
    is_reading, may_end = threading.Event(), threading.Event()
    real_read, n_read = keys_module.read_keys, 0

    def read_slowly(path):
        nonlocal n_read
        n_read += 1
        is_reading.set()
        assert may_end.wait(20)
        return real_read(path)

    monkeypatch.setattr(keys_module, "read_keys", read_slowly)
    new, kept = make_key(name="new")
    write_keys(tmp_path / "keys.json", [kept])
    # The first check is due a second after the start.
    monkeypatch.setattr(keys_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 2))
    asked = [
        asyncio.create_task(guarded.post("/v1/classify", json=BODY, headers={"x-api-key": key}))
        for key in (keys["plain"], new, new, "unknown")
    ]
    try:
        assert await asyncio.to_thread(is_reading.wait, 20)
        assert (await guarded.get("/readyz")).status_code == 200  # which the event loop answers meanwhile
        asked[1].cancel()  # the others need what it asked for
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in asked if each is not asked[1])
    finally:
        may_end.set()
    # Not by what was known before: the key may have been revoked long ago.
    assert [(await each).status_code for each in asked if each is not asked[1]] == [401, 200, 401]
    assert n_read == 1


@pytest.mark.issue(4)
@pytest.mark.parametrize("of_others", ["Basic " + base64.b64encode(b"desk:proxy").decode(), "Bearer hf_stored"])
async def test_credentials_of_a_proxy_do_not_hide_the_key(guarded, keys, of_others):
    for name, status in (("plain", 200), ("unknown", 401)):
        headers = {"authorization": of_others, "x-api-key": keys.get(name, "th_00000000_wrong")}
        assert (await guarded.post("/v1/classify", json=BODY, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer "},
        {"authorization": "Basic cGxhbjpwbGFu"},
        {"authorization": "Bearer th_00000000_wrong"},
        {"authorization": "Basic " + base64.b64encode(b"anyone:wrong").decode()},
        {"authorization": "Basic " + base64.b64encode(b"anyone").decode()},
        {"authorization": "Basic not base64"},
        {"x-api-key": "wrong"},
    ],
)
async def test_without_a_known_key_nothing_is_answered(guarded, headers):
    response = await guarded.post("/v1/classify", json=BODY, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "wrong" not in response.text


async def test_every_route_is_closed_but_the_named_ones(guarded):
    app = guarded._transport.app
    closed, opened = 0, set()
    version = app.state.service.classifier.identity["version"]
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            asked = re.sub("{(?:name|model)}", "tiny", path).replace("{version}", version)
            response = await guarded.request(method, asked)
            if response.status_code == 401:
                assert not is_open(method.upper(), path)
                closed += 1
            else:
                assert response.status_code == (415 if path == WEBHOOK_PATH else 200), (method, path)
                opened.add(path)
    assert closed >= 4
    assert opened == {
        "/", "/healthz", "/readyz", "/health", "/ping", "/v2", "/v2/health/live", "/v2/health/ready",
        "/v2/models/{model}/ready", "/v2/models/{model}/versions/{version}/ready", "/label-studio",
        "/label-studio/health", WEBHOOK_PATH,
    }  # fmt: skip
    assert (await guarded.get("/metrics")).status_code == 401
    assert (await guarded.post("/")).status_code == 401
    assert (await guarded.get("/nowhere")).status_code == 401
    assert (await guarded.get("/healthz")).status_code == 200


@pytest.mark.issue(4)
async def test_who_asks_without_a_key_whether_a_model_is_ready_is_told_no_more(guarded):
    for path in ("/v2/models/tiny/ready", "/v2/models/tiny/versions/0.0.1/ready"):
        assert [(await guarded.request(method, path)).status_code for method in ("GET", "HEAD", "POST")] == [
            200,
            200,
            401,
        ]
    for path in ("/v2/models/absent/ready", "/v2/models/tiny/versions/9/ready"):
        refused = await guarded.get(path)
        assert refused.status_code == 404
        assert "tiny" not in refused.text
    assert (await guarded.get("/v2/models/tiny/ready/more")).status_code == 401


@pytest.mark.issue(4)
async def test_label_studios_own_webhook_needs_no_key_and_is_bounded_without(guarded, keys):
    event = {"action": "ANNOTATION_CREATED", "project": {"id": 1}}
    assert (await guarded.post(WEBHOOK_PATH, json=event)).status_code == 200
    assert (await guarded.get(WEBHOOK_PATH)).status_code == 401
    app = guarded._transport.app
    assert 'reason="unauthorized"} 1.0' in app.state.metrics.show().decode()  # of the GET alone
    roomy = ServeSettings(model=app.state.service.settings.model)
    large, larger = (event | {"task": "a" * n_chars} for n_chars in (300_000, roomy.max_body_bytes))
    classifier, keys_file = app.state.service.classifier, app.state.service.settings.api_keys_file
    async with open_client(create_app(roomy, classifier)) as client:
        assert (await client.post(WEBHOOK_PATH, json=large)).status_code == 200
        assert (await client.post(WEBHOOK_PATH, json=larger)).status_code == 413
    async with open_client(create_app(roomy.model_copy(update={"api_keys_file": keys_file}), classifier)) as client:
        assert (await client.post(WEBHOOK_PATH, json=event | {"task": "a" * 200_000})).status_code == 200
        assert (await client.post(WEBHOOK_PATH, json=large, headers={"x-api-key": keys["plain"]})).status_code == 200
        for headers, body in (({}, large), ({"x-api-key": "unknown"}, large), ({"x-api-key": keys["plain"]}, larger)):
            refused = await client.post(WEBHOOK_PATH, json=body, headers=headers)
            assert refused.status_code == 413
            assert "paragraphs" not in refused.text


async def test_the_document_says_where_a_key_is_needed(guarded, keys, client):
    document = (await guarded.get("/openapi.json", headers={"x-api-key": keys["plain"]})).json()
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {"http", "apiKey"}
    assert document["paths"]["/v1/classify"]["post"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]
    assert "securitySchemes" not in (await client.get("/openapi.json")).json()["components"]


async def test_a_key_may_not_ask_more_often_than_its_bound(guarded, keys):
    def ask(name):
        return guarded.post("/v1/classify", json=BODY, headers={"x-api-key": keys[name]})

    assert [(await ask("slow")).status_code for _ in range(2)] == [200, 200]
    refused = await ask("slow")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert (await ask("plain")).status_code == 200


async def test_only_an_admin_key_exchanges_models(guarded, keys):
    def reload(name):
        return guarded.post("/admin/models/tiny/reload", headers={"x-api-key": keys[name]})

    assert (await reload("plain")).json()["error"]["code"] == "forbidden"
    assert (await reload("admin")).json()["outcome"] == "unchanged"


async def test_without_keys_only_this_machine_by_its_own_name_exchanges_models(client):
    response = await client.post("/admin/models/tiny/reload", headers={"host": "rebound.example:8000"})
    assert response.status_code == 403
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert (await client.post("/admin/models/tiny/reload", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("is_insecure", [True, False])
async def test_without_keys_who_only_says_localhost_is_not_on_this_machine(settings, classifier, is_insecure):
    app = create_app(settings.model_copy(update={"insecure": is_insecure}), classifier)
    async with open_client(app, base_url="http://localhost") as client:
        for address in (("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1), ("::ffff:127.0.0.1", 1)):
            client._transport.client = address
            assert (await client.post("/admin/models/tiny/reload")).status_code == 200
        # Another machine, one behind a proxy of this machine that says so, a socket of no address.
        for address in (("192.0.2.7", 1), ("2001:db8::7", 1), ("::ffff:192.0.2.7", 1), ("", 0), None):
            client._transport.client = address
            response = await client.post("/admin/models/tiny/reload")
            assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
            if not is_insecure:
                assert (await client.get("/v1/corrections")).status_code == 403


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "X-Forwarded-Proto", "x-forwarded-host", "forwarded", "x-real-ip", "via"]
)
async def test_without_keys_who_comes_through_a_proxy_of_this_machine_is_not_on_it(client, header):
    for method, path in (("POST", "/admin/models/tiny/reload"), ("GET", "/v1/corrections")):
        sent = {"host": "127.0.0.1:8000", header: "127.0.0.1"}
        assert (await client.request(method, path, headers=sent)).status_code == 403
    assert (await client.get("/v1/models", headers={"host": "127.0.0.1:8000", header: "127.0.0.1"})).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_told(host):
    assert is_loopback(host)
    check_address(ServeSettings(host=host))


@pytest.mark.parametrize(
    "host", [EVERYWHERE, "::", "192.168.1.4", "example.org", "127.0.0.1.example.org", "localhost2"]
)
def test_listening_beyond_this_machine_needs_keys_or_a_word(host, tmp_path):
    with pytest.raises(InsecureAddressError):
        check_address(ServeSettings(host=host))
    check_address(ServeSettings(host=host, insecure=True))
    check_address(ServeSettings(host=host, api_keys_file=tmp_path / "keys.json"))


async def test_answers_carry_security_headers_whatever_their_status(client):
    for response in (
        await client.get("/healthz"),
        await client.get("/nowhere"),
        await client.post("/v1/classify", json={"inputs": ""}),
        await client.get("/healthz", headers={"origin": "http://evil.example"}),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://service.evil.example", "http://[", "file://"]
)
async def test_pages_of_other_sites_are_refused_before_any_work(client, origin):
    response = await client.post("/v1/classify", json=BODY, headers={"origin": origin})
    assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert origin not in response.text


async def test_the_services_own_page_may_ask(client):
    assert (await client.post("/v1/classify", json=BODY, headers={"origin": "https://service"})).status_code == 200


async def test_a_named_site_may_ask_and_no_other(settings, classifier):
    site = "https://desk.example"
    listed = settings.model_copy(update={"cors_origins": (site,)})
    preflight = {"origin": site, "access-control-request-method": "POST"}
    async with open_client(create_app(listed, classifier)) as client:
        asked = await client.options("/v1/classify", headers=preflight)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == site
        allowed = set(asked.headers["access-control-allow-headers"].split(", "))
        assert allowed >= {"authorization", "inference-header-content-length", "traceparent", "user-agent"}
        assert "access-control-allow-credentials" not in asked.headers
        answered = await client.post("/v1/classify", json=BODY, headers={"origin": site})
        assert answered.headers["access-control-allow-origin"] == site
        assert "origin" in answered.headers["vary"].lower()
        infer = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["plan"]}]}
        infer["parameters"] = {"binary_data_output": True}
        for each in (
            answered,
            await client.post("/predict", json=BODY, headers={"origin": site}),
            await client.post("/v2/models/tiny/infer", json=infer, headers={"origin": site}),
        ):
            exposed = set(each.headers["access-control-expose-headers"].split(", "))
            own = {name for name in each.headers if name.startswith(("x-", "inference-", "server-"))}
            assert own - set(SECURITY_HEADERS) - exposed == set()
            assert len(own) >= 2
        for other in ("http://desk.example", "https://desk.example.org", "https://desk.example:444"):
            refused = await client.options("/v1/classify", headers=preflight | {"origin": other})
            assert refused.status_code == 403
            assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("origin", ["*", "desk.example", "https://desk.example/path", "null"])
def test_an_origin_that_is_none_cannot_be_named(origin):
    with pytest.raises(ValueError, match="cors_origins"):
        ServeSettings(cors_origins=(origin,))


async def test_large_headers_are_refused(client):
    many = await client.get("/healthz", headers={f"x-{i}": "a" for i in range(120)})
    large = await client.get("/healthz", headers={"x-large": "a" * 20_000})
    long = await client.get("/healthz?" + "a" * 20_000)
    for response in (many, large, long):
        assert (response.status_code, response.json()["error"]["code"]) == (431, "headers_too_large")
