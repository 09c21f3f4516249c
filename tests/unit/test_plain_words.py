"""The words of a paragraph are classified, and not the marks that Markdown sets; offsets stay those of the raw text."""

import time

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_text
from twohands.pipe_tables import is_table_of_figures
from twohands.plain_words import PlainWords

pytestmark = pytest.mark.issue(4)
REST = "and that is all that the clerk of the town would say of it on that day."


def read(raw, text=""):
    return PlainWords(text or raw).read(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("**The *old* pier** is __sold__.", "The old pier is sold."),
        ("The [old pier](https://a.example/b_c) is [sold](./d.md 'Of it').", "The old pier is sold."),
        ("The [pier](https://a.example/Pier_(sea)_b) is ![x](a_(b).png) sold.", "The pier is sold."),
        ("See [annex](annex.md), [box](in/box%202.html#b) and [plan](plan.pdf 'Of it').", "See annex, box and plan."),
        ('The ministry\\\'s \\"plan\\" costs \\$5.', 'The ministry\'s "plan" costs $5.'),
        ("It is sold.[^1] So it is[^note].", "It is sold. So it is."),
        ("![A pier](pier.png) It is `sold` to <https://a.example>.", " It is sold to https://a.example."),
        ("> It is\n> > sold.", "It is\nsold."),
        ("- [x] sold,\n- [ ] not sold", "- sold,\n- not sold"),
        ("~~They~~ It \\*is\\* sold<br>to <b class='x'>us</b>.", "It *is* sold to  us ."),
        ("It is <del>not</del><s>yet</s> sold ~~to nobody~~.", "It is sold ."),
        ("| a | b |\n|---|:-:|\n| It is | sold |", " a  b \n\n It is  sold "),
    ],
)
def test_marks_are_no_words(raw, words):
    assert read(raw).split() == words.split()


@pytest.mark.parametrize(
    "raw",
    [
        "snake_case_words and 2*3*4 and a * b * c stay",
        "The [Ministry] (of Trade) wrote [sic] that a < b > c and | d |",
        "The [board](of trade) and [it](sic) see [this](p.12) and [that](it.Then)",
        "C:\\new and \\d stay",
        "5 * 3 is 15, and *so on",
        "> ",
        "***",
        "`` quoted ''",
        "the rate of 3 > 2\n> 1 is",
        "<A board of the town> and x <b and c> d",
        "~~It is sold.~~",
        "some ~~ 5 or ~~ 6",
    ],
)
def test_what_only_looks_like_a_mark_stays(raw):
    assert read(raw) == raw


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_marks_that_begin_a_line_are_none_at_the_line_ends_of_any_system(line_end):
    assert read(f"> It is{line_end}> > sold.") == f"It is{line_end}sold."
    assert read(f"- [x] sold,{line_end}- [ ] not sold").split() == ["-", "sold,", "-", "not", "sold"]


def test_links_by_name_are_those_that_the_text_defines():
    text = "See [the annex][a] and [b] and [the][Board].\n\n[a]: https://a.example\n"
    assert read(text.split("\n")[0], text) == "See the annex and [b] and [the][Board]."
    assert read("See [the annex][a].") == "See [the annex][a]."


def test_words_that_were_parted_at_the_end_of_a_line_are_put_together():
    text = "The minis-\n  try of state-\nowned piers, the min-\r\nistry of long-\nterm loans.\nIt is in 2031-\n2032."
    assert read(text) == "The ministry of state-owned piers, the ministry of long-term loans.\nIt is in 2031-\n2032."
    assert read("- a pre-\n\n  fix") == "- a pre-\n\n  fix"
    (paragraph,) = split_paragraphs(f"The minis-\ntry is **gone**, {REST}")
    assert paragraph.text == f"The ministry is gone, {REST}"
    assert (paragraph.start, paragraph.end) == (0, len(f"The minis-\ntry is **gone**, {REST}"))


def test_a_table_of_figures_is_no_paragraph_and_one_of_words_is():
    figures = "| Port | Cost |\n|:-----|-----:|\n| Lorn | 41.0 |\n| Old Pier | 22.5 |"
    words = "| Port | Why |\n|------|-----|\n| Lorn | It asked for a loan and did not get it. |"
    assert is_table_of_figures(figures)
    assert is_table_of_figures(figures.replace("\n", "\r\n"))
    assert not is_table_of_figures(words)
    assert not is_table_of_figures(f"First.\n\nSecond.\n{figures}")
    assert [each.text for each in split_paragraphs(f"# A\n\nIt is so, {REST}\n\n{figures}\n\n{words}")] == [
        f"It is so, {REST}",
        "Port Why Lorn It asked for a loan and did not get it.",
    ]


@pytest.mark.parametrize(
    "piece", ["*a ", "[", "![", "**", "a-\n", "<a ", "`", "[a](", "|-", "> ", "~~a", "[a][", "_a_", "[^"]
)
def test_a_paragraph_of_any_marks_is_read_in_a_moment(piece):
    raw = (piece * 100_000)[:100_000]
    begun_s = time.process_time()
    read(raw)
    assert time.process_time() - begun_s < 10


def test_raised_links_to_notes_are_marks_and_other_raised_letters_are_not():
    pytest.importorskip("bs4")
    page = (
        "<p>It is sold.<sup><a href='#n1'>1</a></sup> To us,<a href='#n2'><sup>[2]</sup></a> on the 1<sup>st</sup>, "
        "of 10<sup>2</sup>, 10<sup>-<i>9</i></sup> and m<sup>2</sup>, 5<sup><a href='#n3'>3</a></sup> "
        "by him<sup><a href='#'>our clerk and his men</a></sup>.</p>"
        "<p>It pays<sup><a href='#n4'>[footnote 4]</a></sup> and lends<sup><a href='#n5'>[nb 5]</a></sup>.</p>"
    )
    text = extract_text(page.encode(), suffix=".html", name="x")
    first, second = text.split("\n\n")
    assert first == "It is sold.[^1] To us,[^2] on the 1st, of 10^2, 10^-9 and m2, 5[^3] by himour clerk and his men."
    assert second == "It pays[^4] and lends[^5]."
    deep = b"<sup>" * 20_000 + b"1"
    begun_s = time.process_time()
    extract_text(deep, suffix=".html", name="x")
    assert time.process_time() - begun_s < 20


@pytest.mark.issue(4)
@pytest.mark.parametrize(
    ("raised", "read"),
    [
        ("<b>10</b><sup>9</sup> euro", "10^9 euro"),
        ("<span>over <em>10</em></span><sup>12</sup>", "over 10^12"),
        ("$10<sup>9</sup>, $10<sup>12</sup> and 2<sup>10</sup>", "$10^9, $10^12 and 2^10"),
        ("10<sup>12</sup> \u20ac and 5<sup>0</sup>", "10^12 \u20ac and 5^0"),
        ("$5<sup>99</sup> a kilo", "$599 a kilo"),
        ("<sup>$</sup>5<sup>99</sup>", "$599"),
        ("<span>$</span><span>1,129</span><sup>50</sup>", "$1,12950"),
        ("\u20ac 10<sup>49</sup> and 3<sup>49</sup><b>\u20ac</b>", "\u20ac 1049 and 349\u20ac"),
        ("20<sup>00</sup> and 9<sup>05</sup>", "2000 and 905"),
        ("<a href='#'>10</a><sup>9</sup>", "109"),
        ("x<sub>2</sub><sup>3</sup> and <!--1--><sup>3</sup>", "x23 and 3"),
    ],
)
def test_raised_figures_are_powers_of_a_bold_number_too_and_cents_are_none(raised, read):
    pytest.importorskip("bs4")
    assert extract_text(f"<p>It is {raised}</p>".encode(), suffix=".html", name="x") == f"It is {read}"


@pytest.mark.parametrize("name", ["pullquote", "about-author", "author-bio", "most-read", "sharedaddy sd-block"])
def test_what_stands_beside_an_article_is_left_out_by_its_class(name):
    pytest.importorskip("bs4")
    page = f"<h1>Piers</h1><p>{REST.capitalize() * 9}</p><div class='{name}'><p>{REST.capitalize()}</p></div>"
    assert REST.capitalize() not in extract_text(page.encode(), suffix=".html", name="x").split("\n\n")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("(a)a pier;\n(b)piers that the town owns;", "(a) a pier;\n(b) piers that the town owns;"),
        ("(1)the town pays;\r\n(2)No pier may be sold.", "(1) the town pays;\r\n(2) No pier may be sold."),
        ("> (i)piers; and\n> (ii)quays.", "(i) piers; and\n(ii) quays."),
        ("The town may: (a)sell, (b)lend and (c)own.", "The town may: (a) sell, (b) lend and (c)own."),
        ("(a)the pier is sold.", "(a) the pier is sold."),
    ],
)
def test_a_number_is_parted_from_the_word_that_is_glued_to_it(raw, words):
    assert read(raw) == words


@pytest.mark.parametrize(
    "raw",
    [
        "f(a)b and g(b)c are its prices.", "Art. 3(a)and 10(b)5 hold.", "(a)symmetric shocks, and (a)political ones",
        "(s)he who owns it;\n(s)he who pays;", "(s)he may;\n(r)ates may not", "Of f(1)x;f(2)x", "(in)equality", "(a) a",
        "a town: (b)5 piers, (c)6 quays", "(C)Tide Wire", "H(a)the",
    ],
)  # fmt: skip
def test_brackets_within_words_and_numbers_stay(raw):
    assert read(raw) == raw


def test_a_list_whose_numbers_are_glued_to_its_words_is_one():
    points = ["(a)piers;", "(b)quays that the town has bought; and", "(c)yards."]
    text = "\n\n".join([f"It was {REST}", "The town will sell:", *points, f"So {REST}"])
    found = split_paragraphs(text)
    listed = "(a) piers; (b) quays that the town has bought; and (c) yards."
    assert [each.text for each in found] == [f"It was {REST}", f"The town will sell: {listed}", f"So {REST}"]
    assert text[found[1].start : found[1].end].endswith("\n\n(c)yards.")


@pytest.mark.issue(4)
def test_notes_of_the_official_journal_are_no_paragraphs():
    pytest.importorskip("bs4")
    mark = "<a id='ntr1' href='#ntc1'>(<span class='oj-super'>1</span>)</a>"
    page = f"<p class='oj-normal'>{REST}</p><hr class='oj-note'/><p class='oj-note'>{mark} Held on 3 May, and told.</p>"
    text = extract_text(page.encode(), suffix=".html", name="x")
    assert [paragraph.text for paragraph in split_paragraphs(text)] == [REST.strip()]
    assert "Held on 3 May" in text


@pytest.mark.issue(4)
def test_long_addresses_of_newsletters_are_no_words_and_short_ones_and_a_lone_one_are():
    long = "https://click.example.org/ls/click?upn=u001." + "aB9_-2B" * 9
    said = "The ministry will lend to the yards, and it will buy what they build until the decade ends"
    for told in (
        f"{said} ({long}).",
        f"{said} ( {long} ).",
        f"{said}\n<{long}>.",
        f"{said} [{long}].",
        f"{said} {long}.",
    ):
        assert [each.text for each in split_paragraphs(told)] == [f"{said}."]
    for kept in (f"{said} (https://example.org/yards).", f"{said} (https://example.org/yards and {'more ' * 20})."):
        assert [each.text for each in split_paragraphs(kept)] == [kept.replace(" )", " )")]
    assert [each.text for each in split_paragraphs(long)] == [long]
    began = time.process_time()
    for part in ("https://", "(https://", "https://a.", f"({long}", "https://" + "." * 99):
        split_paragraphs((part * (300_000 // len(part))), limit_chars=400_000)
    assert time.process_time() - began < 12
