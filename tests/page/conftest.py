"""Fixtures of the page's tests: a headless Chromium, and servers with the released model on free ports."""

import httpx
import pytest

from serving.keys import make_key, write_keys
from serving.settings import ServeSettings
from tests.page.support import PATIENCE_S, find_chromium, watch
from tests.serving.running import leave_out_of_starts, run_server
from twohands.classifier import Classifier
from twohands.locate import find_model


@pytest.fixture(autouse=True)
def fast_starts(request, monkeypatch):
    leave_out_of_starts(request, monkeypatch)


# Of the package, not the session: while Playwright runs, no other loop can, and other tests have loops of their own.
@pytest.fixture(scope="package")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium is found: apt-get install chromium-headless-shell")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def released():
    classifier = Classifier.load(str(find_model()), num_threads=2)
    yield classifier
    classifier.close()


@pytest.fixture(scope="package")
def url(released, tmp_path_factory):
    """A service with the released model that keeps corrections."""
    store = tmp_path_factory.mktemp("corrections") / "kept.db"
    settings = ServeSettings(model=str(find_model()), corrections=f"sqlite:///{store}")
    with run_server(settings, released) as url:
        yield f"{url}/"


@pytest.fixture(autouse=True)
def no_correction_left(request):
    """Which files share a service hangs on who is done first: what one test saved, another would find."""
    yield
    if "url" in request.fixturenames:
        address = f"{request.getfixturevalue('url')}v1/corrections"
        for kept in httpx.get(address).json()["corrections"]:
            httpx.delete(f"{address}/{kept['id']}")


@pytest.fixture
def locked(released, tmp_path):
    """A service that asks for a key and keeps no corrections: its URL, a good key, and one that soon asks too much."""
    made = [make_key(name="reader"), make_key(name="hasty", requests_per_minute=30)]
    path = tmp_path / "keys.json"
    write_keys(path, [kept for _, kept in made])
    settings = ServeSettings(model=str(find_model()), api_keys_file=path, corrections="off")
    with run_server(settings, released) as url:
        yield f"{url}/", *(key for key, _ in made)


@pytest.fixture
def open_page(browser):
    """Opens pages that are watched until the test ends."""
    opened = []

    def open_at(address, *, view="read", width=1280, height=900, scheme="light", forced_colors="none"):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            forced_colors=forced_colors,
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        page = context.new_page()
        watching = watch(page, address)
        watching.__enter__()
        opened.append((context, watching))
        page.goto(f"{address}#{view}")
        return page

    yield open_at
    for context, _ in opened:
        context.close()
    for _, watching in opened:
        watching.__exit__(None, None, None)


@pytest.fixture
def page(open_page, url):
    page = open_page(url)
    page.locator(".intake").wait_for()
    return page


@pytest.fixture
def batch(open_page, url):
    page = open_page(url, view="batch")
    page.locator(".drop").wait_for()
    return page
