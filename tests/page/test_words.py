"""The words for a whole: dull, of two minds and short of evidence are told apart; the unsure are counted as such."""

import httpx
import pytest

from tests.page.support import ARTICLE, paste, wait_read

pytestmark = pytest.mark.issue(7)
STATE, MARKET, NEUTRAL = (0.98, 0.01, 0.01), (0.01, 0.98, 0.01), (0.01, 0.01, 0.98)
MARKET_BARELY = (0.41, 0.55, 0.04)
TORN = (0.4, 0.35, 0.25)  # abstained from

# Sums up rows of scores by stance, of which those that are the likeliest below .5 are abstained from.
SUM_UP = """async (rows) => {
    const { Taxonomy } = await import("/page/js/labels.js");
    const { summarise } = await import("/page/js/estimate.js");
    const { renderSummary } = await import("/page/js/summary.js");
    const taxonomy = new Taxonomy(await (await fetch("/info")).json());
    const [stances, topics] = taxonomy.heads.map((head) => head.labels.map(({ name }) => name));
    const answers = rows.map((row) => {
        const scores = Object.fromEntries(stances.map((name, i) => [name, row[i]]));
        const best = Math.max(...row);
        const stance = { label: stances[row.indexOf(best)], scores, score: best, abstained: best < 0.5 };
        const none = Object.fromEntries(topics.map((name) => [name, 0.01]));
        return { stance, topics: { labels: ["regulation"], scores: none }, warnings: [] };
    });
    const told = renderSummary(summarise(answers, taxonomy), answers, taxonomy);
    return ["lean-words", "topic-words"].map((name) => told.querySelector(`.${name}`)?.textContent ?? null)
        .concat([...told.querySelectorAll(".verdict p")].map((line) => line.textContent));
}"""
WHOLES = [
    # However high their scores, few paragraphs are not told as if a whole article had said it.
    ([STATE], "One paragraph: state-led", "1 state-led, 0 market-led, 0 neutral."),
    ([TORN], "One paragraph: unsure", "0 state-led, 0 market-led, 0 neutral, 1 unsure."),
    ([STATE] * 3, "Few paragraphs: lean state-led", "3 state-led, 0 market-led, 0 neutral."),
    ([NEUTRAL] * 3, "Few paragraphs: mostly neutral", "0 state-led, 0 market-led, 3 neutral."),
    ([STATE] * 6, "Clearly state-led", "6 state-led, 0 market-led, 0 neutral."),
    ([NEUTRAL] * 8, "Mostly neutral: takes no side", "0 state-led, 0 market-led, 8 neutral."),
    ([STATE, MARKET] * 3, "Both sides: 3 paragraphs state-led, 3 market-led", "3 state-led, 3 market-led, 0 neutral."),
    # The one that leans to the state is none of those that say so.
    # Three to one is not close, but so few paragraphs show no lean.
    (
        [STATE] * 3 + [MARKET] + [TORN] * 5,
        "More state-led than market-led, but too little to be sure",
        "3 state-led, 1 market-led, 0 neutral, 5 unsure.",
    ),
    # More paragraphs are market-led, but the scores of all lean to the state: neither is said.
    (
        [STATE, MARKET_BARELY, MARKET_BARELY, MARKET_BARELY, NEUTRAL],
        "Too close to call",
        "1 state-led, 3 market-led, 1 neutral.",
    ),
    ([TORN, MARKET, NEUTRAL], "Too close to call", "0 state-led, 1 market-led, 1 neutral, 1 unsure."),
]


def test_a_whole_is_told_by_why_it_has_no_lean(page):
    for rows, words, counts in WHOLES:
        lean, topics, *lines = page.evaluate(SUM_UP, rows)
        assert lean == words
        assert topics == (f"Mainly about regulation ({len(rows)} of {len(rows)})." if len(rows) > 1 else None)
        assert f"Of {len(rows)} paragraph{'' if len(rows) == 1 else 's'}: {counts}" in lines


def test_a_score_is_never_certain_and_an_interval_shown_holds_its_value(page):
    told = page.evaluate(
        """async () => {
            const { interval, percent } = await import("/page/js/dom.js");
            const ends = [[0.9996, 1], [0, 0.0004], [0, 1], [0.333, 0.667]];
            const scores = [1, 0.9954, 0.994, 0.5, 0.006, 0.0017, 0];
            const shown = ends.map(([low, high]) => interval({ low, high }).replace("\u2013", " to "));
            return [scores.map(percent), shown];
        }"""
    )
    assert told == [
        [">99 %", ">99 %", "99 %", "50 %", "1 %", "<1 %", "<1 %"],
        ["99 to 100", "0 to 1", "0 to 100", "33 to 67"],
    ]


def test_the_count_of_a_label_tells_of_the_unsure(page):
    counts = SUM_UP.replace(
        '["lean-words"', '[...told.querySelectorAll("td:last-child")].map((cell) => cell.textContent); ["lean-words"'
    )
    assert page.evaluate(counts, [STATE, TORN, NEUTRAL])[:3] == ["1 + 1 unsure", "0", "1"]


def test_what_is_abstained_from_is_said_to_count_by_its_scores(page):
    told = page.evaluate(
        """async (row) => {
            const { Taxonomy } = await import("/page/js/labels.js");
            const { renderDetail } = await import("/page/js/detail.js");
            const info = await (await fetch("/info")).json();
            const taxonomy = new Taxonomy({ ...info, heads: info.heads.slice(0, 1) });
            const scores = Object.fromEntries(taxonomy.main.labels.map(({ name }, i) => [name, row[i]]));
            const stance = { label: taxonomy.main.labels[0].name, score: row[0], scores, abstained: true };
            const about = { n_tokens: 3, truncated: false, rawText: "The plan.", readIndex: 0, stance };
            const say = (warnings) => renderDetail({ ...about, warnings }, taxonomy, { model: info.model }).flat(9)
                .filter((node) => node?.classList?.contains("advice")).map((node) => node.textContent).join();
            return [say([]), say(["too_short"])];
        }""",
        TORN,
    )
    assert told[0].startswith("It counts by its scores, a part to each label;")
    assert told[1].startswith("Leave it out of counts")


def test_a_text_that_is_mostly_left_out_is_not_headed_by_its_rest_alone(page):
    german = "Der Minister hat gesagt, dass die Regierung den Stahl nicht mit Geld stützen wird, und so bleibt es auch."
    paste(page, "\n\n".join((german, ARTICLE.split("\n\n")[3], german.replace("Stahl", "Weizen"))))
    wait_read(page)
    assert page.locator(".lean-words").inner_text() == "One paragraph: neutral (2 of 3 cannot be judged)"


def test_a_text_that_cannot_be_judged_at_all_is_headed_by_why(page):
    german = "Der Minister hat gesagt, dass die Regierung den Stahl nicht mit Geld stützen wird, und so bleibt es auch."
    for text in (german, "\n\n".join(german.replace("Stahl", word) for word in ("Stahl", "Weizen", "Zement"))):
        paste(page, text)
        wait_read(page)
        assert page.locator(".lean-words").inner_text() == "Cannot be judged: not English"
        assert page.locator(".topic-words").count() == 0
        page.get_by_role("button", name="New text").click()


def test_the_example_shows_a_lean(page):
    page.get_by_role("button", name="Try an example").click()
    wait_read(page)
    assert page.locator(".lean-words").inner_text() == "Leans state-led"


def test_alike_balances_do_not_hide_shares_that_differ(open_page, url):
    page = open_page(url, view="compare")
    page.locator(".sides").wait_for()
    told = page.evaluate(
        """async ([first, second]) => {
            const { Taxonomy } = await import("/page/js/labels.js");
            const { summarise } = await import("/page/js/estimate.js");
            const { sayBalanced } = await import("/page/js/compare_view.js");
            const info = await (await fetch("/info")).json();
            const taxonomy = new Taxonomy({ ...info, heads: info.heads.slice(0, 1) });
            const names = taxonomy.main.labels.map(({ name }) => name);
            const score = (row) => Object.fromEntries(names.map((name, i) => [name, row[i]]));
            const sum = (rows) => summarise(rows.map((row) => ({ stance: { scores: score(row) } })), taxonomy);
            return sayBalanced(taxonomy.main, sum(first), sum(second));
        }""",
        [[NEUTRAL] * 20, [STATE, MARKET] * 10],
    )
    assert told == ("Overall balance: no clear difference. But B is more state-led and market-led, A more neutral.")


def test_a_paragraph_is_copied_as_a_quotation(page, url):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url.rstrip("/"))
    own = '"Sell the rails," the \u201cmill\u201d union said of the 12" line, "and the forests to whoever bids most."'
    paste(page, f"{ARTICLE}\n\n{own}")
    wait_read(page)
    copied = []
    for number in (1, 4):
        page.locator(".mark").nth(number).click()
        page.get_by_role("button", name="Copy as quotation").click()
        page.get_by_role("button", name="Copied").wait_for()
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    assert copied[0].startswith(f'"{ARTICLE.split(chr(10) * 2)[2]}" (Timber and the treasury, ¶2; twohands ')
    assert copied[0].endswith(" %)")
    inner = (
        "'Sell the rails,' the \u2018mill\u2019 union said of the 12\" line, 'and the forests to whoever bids most.'"
    )
    assert copied[1].startswith(f'"{inner}" (')
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("radio", name="neutral").check()
    page.get_by_role("button", name="Save correction").click()
    page.get_by_role("button", name="Copy as quotation").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert " %; corrected by a reader: neutral, " in page.evaluate("navigator.clipboard.readText()")
    for each in httpx.get(f"{url}v1/corrections").json()["corrections"]:
        httpx.delete(f"{url}v1/corrections/{each['id']}")


def test_a_summary_fits_the_narrowest_phone(open_page, url):
    page = open_page(url, width=320, height=700)
    page.locator(".intake").wait_for()
    paste(page, ARTICLE)
    wait_read(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
