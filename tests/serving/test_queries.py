import pytest

from serving.app import create_app
from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from serving.slashes import strip_slash
from tests.serving.support import JSON, open_client

pytestmark = [pytest.mark.anyio, pytest.mark.issue(4)]
TEXT = {"content-type": "text/plain"}
LINES = {"content-type": "application/x-ndjson"}


@pytest.mark.parametrize(
    ("method", "url", "content", "headers", "status", "words"),
    [
        ("POST", "/v1/documents?modle=zz", b"plan", TEXT, 422, "query.modle: unknown parameter; known are model"),
        (
            "POST", "/v1/classify/stream?explane=true", b'"plan"', LINES, 422,
            "query.explane: unknown parameter; known are model, explain, threshold",
        ),
        ("POST", "/v1/classify?explain=true", b'{"inputs": "plan"}', JSON, 422, "unknown parameter; none is taken"),
        ("POST", "/predict?haed=topics", b'{"inputs": "plan"}', JSON, 422, "query.haed: unknown parameter; known"),
        ("POST", "/models/tiny/topics?head=stance", b'{"inputs": "plan"}', JSON, 422, "query.head"),
        ("GET", "/info?modle=zz", b"", {}, 422, "known are model"),
        ("HEAD", "/info?modle=zz", b"", {}, 422, ""),
        ("GET", "/v1/models?a=1&b", b"", {}, 422, "query.a: unknown parameter; none is taken here; query.b"),
        ("GET", "/v1/corrections?state=pending", b"", {}, 422, "known are status, limit, after"),
        ("GET", "/v1/corrections/export?format=jsonl&stauts=all", b"", {}, 422, "known are format, status"),
        ("POST", "/admin/models/tiny/reload?dry=1", b"", {}, 422, "query.dry"),
        ("GET", "/v2/models/tiny?verison=7", b"", {}, 400, "query.verison: unknown parameter; known are version"),
        ("POST", "/label-studio/predict?model=zz", b"{}", JSON, 422, "query.model"),
        ("POST", "/predict?head=topics&head=stance", b'{"inputs": "plan"}', JSON, 422, "query.head: given more than"),
        ("GET", "/v1/corrections/export?status=accepted&status=pending", b"", {}, 422, "query.status: given more than"),
        ("GET", "/info?modle=a&modle=b", b"", {}, 422, "query.modle: unknown parameter; known are model"),
        ("GET", "/v1/models?%22x%22=1", b"", {}, 422, "query.(unprintable name)"),
    ],
)  # fmt: skip
async def test_a_query_parameter_that_is_not_known_or_given_twice_is_refused(
    app, method, url, content, headers, status, words
):
    async with open_client(app, base_url="http://localhost") as client:
        response = await client.request(method, url, content=content, headers=headers)
    assert response.status_code == status
    told = response.json()["error"] if method != "HEAD" else ""
    assert words in (told["message"] if isinstance(told, dict) else told)


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/health", "/metrics", "/v2/health/ready", "/v2", "/label-studio/health"]
)
async def test_machines_may_ask_with_words_of_their_own(client, path):
    assert (await client.get(path + "?verbose=1&name[]=a")).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/models/tiny", "/models/tiny/topics"])
async def test_one_slash_behind_a_path_of_a_protocol_is_passed_over(client, path):
    wanted = {"inputs": "plan"}
    plain, slashed = [(await client.post(path + end, json=wanted)) for end in ("", "/")]
    assert (slashed.status_code, slashed.json()) == (200, plain.json())


@pytest.mark.parametrize(
    "path", ["/health", "/ping", "/readyz", "/v2", "/v2/models/tiny", "/v2/models/tiny/ready", "/label-studio"]
)
async def test_a_slash_changes_nothing_of_what_is_asked_by_get(client, path):
    assert (await client.get(path + "/")).content == (await client.get(path)).content


async def test_a_slash_opens_only_what_is_open_without(tmp_path, tiny_model, classifier):
    key, kept = make_key(name="test")
    write_keys(tmp_path / "keys.json", [kept])
    settings = ServeSettings(model=str(tiny_model), api_keys_file=tmp_path / "keys.json")
    async with open_client(create_app(settings, classifier)) as client:
        assert (await client.post("/label-studio/webhook/", json={"action": "a"})).status_code == 200
        assert (await client.get("/v2/models/tiny/ready/")).status_code == 200
        assert (await client.post("/predict/", json={"inputs": "plan"})).status_code == 401
        assert (await client.post("/predict/", json={"inputs": "plan"}, headers={"x-api-key": key})).status_code == 200
        for path in ("/predict//", "/v1/models/", "/models/"):
            assert (await client.get(path, headers={"x-api-key": key})).status_code == 404
        assert set((await client.get("/models/", headers={"x-api-key": key})).json()) == {"error", "error_type"}
        metrics = (await client.get("/metrics", headers={"x-api-key": key})).text
    assert 'twohands_requests_total{code="200",route="/predict"} 1.0' in metrics
    assert strip_slash("//") == "//"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
async def test_a_load_balancer_that_asks_at_the_root_hears_of_the_stop(app, accept):
    async with open_client(app) as client:
        assert (await client.get("/", headers={"accept": accept})).status_code == 200
        app.state.models.begin_stop()
        for path in ("/", "/ping", "/health"):
            response = await client.get(path, headers={"accept": accept})
            assert (response.status_code, set(response.json())) == (503, {"error", "error_type"})
        shown = await client.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")


async def test_the_document_tells_what_any_route_may_be_refused_with(app, settings):
    async with open_client(app, base_url="http://localhost") as client:
        document = (await client.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                assert {"403", "413", "415", "431"} <= set(operation["responses"]), path
                assert ("408" in operation["responses"]) == ("requestBody" in operation), path
                url = path.format(model="tiny", head="topics", version="1", name="tiny", correction_id="7")
                for status, headers in (
                    (403, {"origin": "https://elsewhere.example"}),
                    (413, {"content-length": "9" * 18}),
                    (415, {"content-encoding": "gzip"}),
                    (431, {"x-long": "a" * (settings.max_header_bytes + 1)}),
                ):
                    if path == "/v1/classify/stream" and status == 413:
                        continue  # it has no end
                    response = await client.request(method, url, headers=headers)
                    assert response.status_code == status, path
                    content = operation["responses"][str(status)]["content"]
                    schema = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
                    assert set(document["components"]["schemas"][schema]["properties"]) == set(response.json())
        assert "text/plain" in document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
        assert "422" in document["paths"]["/v1/models"]["get"]["responses"]
        assert "422" not in document["paths"]["/v2/models/{model}"]["get"]["responses"]
