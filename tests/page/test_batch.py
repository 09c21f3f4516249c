"""The batch view: tables in, true progress, filter, sort, charts, files out; and sums that agree with the service's."""

import csv
import io
import json

import numpy as np
import pytest

from tests.page.support import MARKUP, drop, find_faults, save, until
from tests.support.shares import estimate_balance, estimate_share

TEXTS = [
    "The ministry will buy the first three years of output from any domestic maker of band saws.",
    "Carriers may set their own rates from January, and nobody will approve their tariffs any more.",
    "The museum opens on Sunday, and admission is free.",
    "Privatise the depots, abolish the subsidy, and let the operators compete.",
]


def make_csv(n_rows, *, text=lambda i: f"{TEXTS[i % 4]} Item {i}."):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["id", "published", "outlet", "text"])
    for i in range(n_rows):
        writer.writerow([f"r{i}", f"{2020 + i % 3}-0{1 + i % 6}-02", ["Gazette", "Courier"][i % 2], text(i)])
    return buffer.getvalue().encode()


def hold_second(act):
    """A route that does something before the second request goes out."""
    requests = []

    def go_on(route):
        requests.append(route)
        if len(requests) == 2:
            act()
        route.continue_()

    return go_on


def classify(page, n_rows):
    page.get_by_role("button", name=f"Classify {n_rows} rows").click()
    page.locator(".progress").wait_for(state="hidden")


def test_a_csv_is_classified_filtered_sorted_charted_and_saved(batch, released, tmp_path):
    drop(batch, ".batch-view", "digest.csv", make_csv(80))
    for kind, column in {"text": "text", "date": "published", "source": "outlet"}.items():
        assert batch.locator(f"#column-{kind}").input_value() == column
    classify(batch, 80)
    assert batch.locator(".batch-table tbody tr").count() == 50
    stances = [each.stance.label for each in released.classify([f"{TEXTS[i % 4]} Item {i}." for i in range(80)])]
    batch.get_by_role("button", name="score").click()
    assert batch.locator("th[aria-sort=descending]").inner_text().startswith("stance score")
    shown = [text.split()[0] for text in batch.locator(".batch-table td:last-child").all_inner_texts()]
    scores = [100 if text == ">99" else int(text) for text in shown]
    assert scores == sorted(scores, reverse=True)
    batch.locator("#filter-head-stance").select_option("market-led")
    n_market = stances.count("market-led")
    assert 0 < n_market < 80
    assert f"{n_market} of 80 rows" in batch.locator("p[role=status]").inner_text()
    rows = [
        json.loads(line)
        for line in save(batch, batch.get_by_role("button", name="JSONL"), tmp_path).read_text().splitlines()
    ]
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(80) if stances[i] == "market-led"]
    batch.locator("#filter-head-stance").select_option("")
    with save(batch, batch.get_by_role("button", name="CSV"), tmp_path).open(
        newline="", encoding="utf-8-sig"
    ) as stream:
        table = list(csv.DictReader(stream))
    assert [row["stance"] for row in table] == stances
    assert [int(row["row"]) for row in table] == list(range(1, 81))
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = parquet.read_table(save(batch, batch.get_by_role("button", name="Parquet"), tmp_path)).to_pydict()
    assert columns["stance"] == stances
    assert columns["outlet"] == ["Gazette", "Courier"] * 40
    # Both charts are drawn, and say the same as their tables.
    assert batch.locator(".chart canvas").count() == 2
    painted = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((n) => n)"
    until(batch, f"[...document.querySelectorAll('.chart canvas')].every({painted})")
    years = batch.locator(".chart").first.locator("tbody th")
    assert years.all_text_contents() == ["2020", "2021", "2022"]
    batch.locator(".figures summary").first.click()
    batch.locator("#filter-state").select_option(label="sure only")
    assert [each.get_attribute("open") for each in batch.locator(".figures").all()] == ["", None]
    batch.locator("#filter-state").select_option(label="all answers")
    batch.locator(".row-text").first.click()
    assert batch.locator("dialog .scores").count() == 2
    assert find_faults(batch) == []


def test_progress_counts_rows_and_a_stop_keeps_what_is_done(batch):
    drop(batch, ".batch-view", "long.csv", make_csv(1500))
    batch.get_by_role("button", name="Classify 1,500 rows").click()
    bar = "document.querySelector('.batch-view progress').value"
    until(batch, f"{bar} > 0")
    seen = batch.evaluate(bar)
    assert 0 < seen < 1
    until(batch, f"{bar} > {seen}")
    batch.get_by_role("button", name="Stop").click()
    batch.locator("[role=alert]", has_text="of 1,500 rows are done and kept").wait_for()
    assert batch.locator("[role=alert]").inner_text().startswith("Stopped. ")
    assert batch.locator(".batch-table tbody tr").count() > 0
    kept = batch.evaluate(bar)
    batch.get_by_role("button", name="Go on").click()
    until(batch, f"{bar} > {kept}")
    batch.get_by_role("button", name="Stop").click()


def test_the_connection_is_lost_and_found_again(batch):
    drop(batch, ".batch-view", "long.csv", make_csv(200))
    # The second group of rows waits until the network is gone, however fast the service is.
    batch.route("**/classify/stream", hold_second(lambda: batch.context.set_offline(True)))
    batch.get_by_role("button", name="Classify 200 rows").click()
    batch.locator("[role=alert]", has_text="The connection to the service was lost").wait_for()
    assert "96 of 200 rows are done and kept" in batch.locator("[role=alert]").inner_text()
    batch.unroute("**/classify/stream")
    batch.context.set_offline(False)
    batch.locator("[role=alert]").wait_for(state="hidden")
    batch.locator(".progress").wait_for(state="hidden")
    assert "200 rows." in batch.locator("p[role=status]").inner_text()


@pytest.mark.issue(7)
def test_charts_that_cannot_be_drawn_say_so_in_their_place_and_come_with_the_network(batch):
    chart = "**/vendor/chart*"
    batch.route(chart, lambda route: route.abort("internetdisconnected"))
    drop(batch, ".batch-view", "long.csv", make_csv(200))
    batch.route("**/classify/stream", hold_second(lambda: batch.context.set_offline(True)))
    batch.get_by_role("button", name="Classify 200 rows").click()
    batch.locator("[role=alert]", has_text="The connection to the service was lost").wait_for()
    told = batch.locator("figure .caution", has_text="could not be drawn").first
    told.wait_for()
    assert "The connection to the service was lost" in batch.locator("[role=alert]").inner_text()
    batch.unroute("**/classify/stream")
    batch.context.set_offline(False)
    batch.locator(".progress").wait_for(state="hidden")
    told.wait_for()
    batch.unroute(chart)
    batch.evaluate("dispatchEvent(new Event('online'))")
    batch.locator("figure canvas").first.wait_for()
    assert not batch.locator("figure .caution").first.is_visible()


def test_json_lines_with_faults_are_read_and_the_faults_told(batch):
    lines = [json.dumps({"text": TEXTS[0]}), "{broken", json.dumps(TEXTS[1]), json.dumps({"text": "  "})]
    drop(batch, ".batch-view", "a.jsonl", "\n".join(lines).encode())
    batch.locator(".setup", has_text="Line 2 is no JSON object").wait_for()
    classify(batch, 3)
    assert batch.locator(".batch-table tbody tr").count() == 3
    assert batch.locator(".batch-table .chip.warn", has_text="not read").count() == 1


BAD = [
    ("a.xlsx", b"PK\x03\x04", "no table that is read here"),
    ("b.csv", b"", "is empty"),
    ("c.csv", b"\x00\x01\x02", "is not text"),
    ("d.csv", b"id,text\n", "holds no rows"),
    ("e.jsonl", b"\xff\xfe\xfd\n", "is not text in UTF-8"),
    ("f.jsonl", b"[1]\n[2]\n", "holds no rows. Line 1 is no JSON object"),
    ("g.json", b'{\n "articles": [\n  {"text": "a"},\n  {"text": "b"} ]\n}\n', "Save the list of its rows by itself"),
    ("h.json", b'[{"text": "a"}, null]', "Save the list of its rows by itself"),
]


def test_bad_tables_are_refused_in_words(batch):
    for name, content, told in BAD:
        drop(batch, ".batch-view", name, content)
        batch.locator("[role=alert]", has_text=name).wait_for()
        assert told in batch.locator("[role=alert]").inner_text()


def test_markup_in_any_cell_stays_text(batch):
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([f"{MARKUP}", "date", "source", "text"])
    for i in range(60):
        writer.writerow([MARKUP, f"{2020 + i % 2}", f"{MARKUP}{i % 2}", f"{MARKUP} {TEXTS[i % 4]}"])
    drop(batch, ".batch-view", "a.csv", buffer.getvalue().encode())
    classify(batch, 60)
    batch.locator("#filter-text").fill(f"{MARKUP}1")  # a source
    batch.locator("p[role=status]", has_text="30 of 60 rows").wait_for()
    batch.locator(".row-text").first.click()
    assert MARKUP in batch.locator("dialog blockquote").inner_text()
    assert batch.locator("main img, dialog img, main script").count() == 0
    assert batch.evaluate("window.hacked") is None


def test_a_cell_that_looks_like_a_formula_is_saved_as_text(batch, tmp_path):
    drop(batch, ".batch-view", "a.csv", f'text\n"=HYPERLINK(""x"") {TEXTS[0]}"\n"{TEXTS[1]}"\n'.encode())
    classify(batch, 2)
    with save(batch, batch.get_by_role("button", name="CSV"), tmp_path).open(
        newline="", encoding="utf-8-sig"
    ) as stream:
        assert next(csv.DictReader(stream))["text"].startswith("'=HYPERLINK")


def test_sums_of_the_page_are_those_of_the_service(batch):
    drawn = [np.random.default_rng(7).random((n_rows, 3)) ** 3 + 1e-3 for n_rows in (1, 211, 2500)]
    sure = [np.tile([998.0, 1.0, 1.0], (n_rows, 1)) for n_rows in (1, 3, 2500)]
    for rows in drawn + sure:
        rows /= rows.sum(axis=1, keepdims=True)
        n_rows = len(rows)
        first, second = rows[:, 0].tolist(), rows[:, 1].tolist()
        told = batch.evaluate(
            """async ([first, second]) => {
                const { estimateShare, estimateBalance } = await import("/page/js/estimate.js");
                return [estimateShare(first), estimateBalance(first, second)];
            }""",
            [first, second],
        )
        tolerance = 1e-9 if n_rows <= 2000 else 1.01 / n_rows  # the page then takes a normal distribution
        for ours, theirs in zip(told, [estimate_share(first), estimate_balance(first, second)], strict=True):
            assert ours["value"] == pytest.approx(theirs.value, abs=1e-9)
            assert ours["low"] == pytest.approx(theirs.low, abs=tolerance)
            assert ours["high"] == pytest.approx(theirs.high, abs=tolerance)
            assert ours["low"] <= ours["value"] <= ours["high"]
