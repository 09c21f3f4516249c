"""Lists of a page are lists, notes and captions are notes, and what only a class sets beside it is left out."""

import time

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_text

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will take a third of the shares in both of the yards that it has kept, said the minister."
SECOND = "Who is to pay for it all, asked his critics, and why should a loss that no bank would touch be theirs?"
OFFER = "Get the news of the day, each day, before you have had your first cup of tea, and for no money at all."
SENTENCES = [
    "Sell the old pier by open auction before the end of the year after next.",
    "Let the towns set what they ask for a berth, as any other firm may do.",
]
PLEDGES = ["Buy back the water works", "Cap rents", "End the tender of meals"]


def read(html):
    pytest.importorskip("bs4")
    text = extract_text(html.encode(), suffix=".html", name="x")
    return text, [text[paragraph.start : paragraph.end] for paragraph in split_paragraphs(text)]


def items(texts, tag="ul"):
    return f"<{tag}>" + "".join(f"<li>{text}</li>" for text in texts) + f"</{tag}>"


@pytest.mark.parametrize("wrap", ["{}", "<p>{}</p>", "<div><p>{}</p></div>", "\n  <b>{}</b>\n"])
def test_short_items_are_read_with_the_words_that_introduce_them(wrap):
    wrapped = [wrap.format(text) for text in PLEDGES]
    for tag, marks in (("ul", ["-"] * 3), ("ol", ["1.", "2.", "3."])):
        html = f"<p>{FIRST}</p><p>We will:</p>{items(wrapped, tag)}<h2>Rents</h2><p>{SECOND}</p>"
        listed = "\n".join(f"{mark} {text}" for mark, text in zip(marks, PLEDGES, strict=True))
        assert read(html)[1] == [FIRST, f"We will:\n\n{listed}", SECOND]


def test_items_within_items_and_long_ones():
    within = items([f"Of works{items(['of water', 'of gas'])}", "Of quays"])
    assert read(f"<p>{FIRST} They are:</p>{within}<p>{SECOND}</p>")[1] == [
        f"{FIRST} They are:\n\n- Of works\n- of water\n- of gas\n- Of quays",
        SECOND,
    ]
    long = [f"{FIRST} {SECOND}", f"{SECOND} {FIRST}"]
    assert [text.removeprefix("- ") for text in read(items(long))[1]] == long
    within = f"<p>{long[0]}</p><p>{long[1]}</p>"
    for tag in ("ul", "ol"):
        beside = f"<p>{FIRST}</p>{items([*long, within, SECOND], tag)}<p>{SECOND}</p>"
        found = [text.removeprefix("- ").lstrip("1234. ") for text in read(beside)[1]]
        assert found == [FIRST, *long, *long, SECOND, SECOND]
        mixed = f"<p>{FIRST}</p>{items([*PLEDGES, *long], tag)}<p>{SECOND}</p>"
        assert all(pledge in read(mixed)[1][1] for pledge in PLEDGES)


def test_preformatted_spaces_take_linear_time():
    pytest.importorskip("bs4")
    begun_s = time.process_time()
    page = f"<pre>{FIRST}{' ' * 400_000}x</pre>".encode()
    assert extract_text(page, suffix=".html", name="x").startswith(FIRST)
    assert time.process_time() - begun_s < 15  # a minute if they are tried again from each


def test_menus_and_lists_of_cards_are_no_lists_of_points():
    menu = items([f"<a href=x>{text}</a>" for text in PLEDGES])
    assert read(f"<p>{FIRST}</p>{menu}<p>{SECOND}</p>")[1] == [FIRST, SECOND]
    cards = items([f"<h3>{pledge}</h3><p>{text}</p>" for pledge, text in zip(PLEDGES, (FIRST, SECOND), strict=False)])
    text, paragraphs = read(cards)
    assert paragraphs == [FIRST, SECOND]
    assert f"### {PLEDGES[0]}" in text


@pytest.mark.parametrize("mark", ["class=footnotes", "role=doc-endnotes", "class='x endnotes'"])
def test_notes_and_captions_are_shown_and_not_read(mark):
    notes = f"<section {mark}><hr>{items([f'<p>{OFFER}</p>', 'See box 1.'], 'ol')}</section>"
    figure = f"<figure><img src=x><figcaption><p>{OFFER}</p></figcaption></figure>"
    text, paragraphs = read(f"<p>{FIRST}</p>{figure}<p>{SECOND}</p>{notes}")
    assert paragraphs == [FIRST, SECOND]
    for shown in (f"[^figure]: {OFFER}", f"[^1]: {OFFER}\n[^2]: See box 1."):
        assert shown in text
    assert "figure" not in read(f"<p>{FIRST}</p><figure><figcaption></figcaption></figure>")[0]


@pytest.mark.parametrize(
    "name",
    [
        "class=cookie-banner", "class='x newsletter-promo'", "id=onetrust-banner-sdk", "id=cookie-notice",
        "class=ad-slot", "class=related", "class='related-links x'", "class=site-footer", "class=sidebar-right",
    ],
)  # fmt: skip
def test_what_is_called_so_is_beside_the_article(name):
    article = f"<h1>Yards</h1><p>{FIRST}</p><p>{SECOND}</p>" * 3
    beside = f"<div {name}><p>{OFFER}</p></div>"
    assert read(f"<div>{article}{beside}</div>")[1] == [FIRST, SECOND] * 3
    # But not where it is most of what there is, or holds the title.
    assert read(f"<div {name}>{article}</div>")[1] == [FIRST, SECOND] * 3
    assert read(f"<p>{FIRST}</p>" * 9 + f"<div {name}><h1>Yards</h1><p>{SECOND}</p></div>")[1] == [*[FIRST] * 9, SECOND]
    paragraphs = "".join(f"<p {name}>{FIRST}</p>" for _ in range(9))
    assert read(paragraphs)[1] == [FIRST] * 9


@pytest.mark.parametrize("name", ["class=recommendations", "class=market-share", "class=tax-related", "class=x_social"])
def test_sections_of_papers_that_are_called_as_menus_are_text_unless_they_hold_links(name):
    article = f"<h1>Yards</h1><p>{FIRST}</p><p>{SECOND}</p>" * 3
    assert read(f"<div>{article}<div {name}><p>{FIRST} {SECOND}</p></div></div>")[1][-1] == f"{FIRST} {SECOND}"
    for beside in (f"<p><a href=x>{OFFER}</a></p>", f"<p>{PLEDGES[0]}</p>"):
        assert read(f"<div>{article}<div {name}>{beside}</div></div>")[1] == [FIRST, SECOND] * 3


@pytest.mark.parametrize(
    "name", ["id=advertising-rules", "id=related-firms", "class=category-social", "class=has-sidebar", "class=shared"]
)
def test_what_is_filed_under_such_a_word_is_text(name):
    assert read(f"<p>{FIRST}</p>" * 9 + f"<section {name}><p>{SECOND}</p></section>")[1][-1] == SECOND


def test_items_of_word_are_items_and_its_long_numbered_paragraphs_are_not():
    def write(text, mark="\u00b7"):
        blanks = "<span style='font:7.0pt'>&nbsp;&nbsp; </span>"
        ignored = f"<![if !supportLists]><span style='mso-list:Ignore'>{mark}{blanks}</span><![endif]>"
        return f"<p class=MsoListParagraphCxSpFirst style='mso-list:l0 level1 lfo1'>{ignored}{text}</p>"

    listed = "".join(map(write, PLEDGES))
    long = f"{FIRST} {SECOND}"
    html = f"<p class=MsoNormal>{FIRST}</p><p class=MsoNormal>We will:</p>{listed}<p class=MsoNormal>{SECOND}</p>"
    points = "\n".join(f"- {text}" for text in PLEDGES)
    assert read(html + write(long, "1.") + write(long, "2."))[1] == [FIRST, f"We will:\n\n{points}", SECOND, long, long]


@pytest.mark.parametrize(
    "mark",
    [
        "<![if !supportLists]><span style='color:red;mso-list:Ignore'>{}<span>&nbsp;&nbsp; </span></span><![endif]>",
        "{}<span style='font:7.0pt \"Times New Roman\"'>&nbsp;&nbsp; </span>",
        "<span lang=EN-GB>{}<span>&nbsp;&nbsp; </span></span>",
    ],
)
def test_items_of_word_that_are_sentences_are_paragraphs_as_those_of_a_list_are(mark):
    def write(texts, bullets):
        listed = zip(bullets, texts, strict=True)
        return "\n".join(f"<p class=MsoListParagraphCxSpMiddle>{mark.format(each)}{text}</p>" for each, text in listed)

    html = "<p class=MsoNormal>The Council has decided:</p>{}<p class=MsoNormal>" + SECOND + "</p>"
    for bullets in (("1.", "2."), ("\u00b7", "\u00b7"), ("o", "\u00a7"), ("(a)", "(b)")):
        assert read(html.format(write(SENTENCES, bullets))) == read(html.format(items(SENTENCES)))
    # One that says too little by itself keeps all of them together.
    mixed = [*SENTENCES, PLEDGES[0]]
    assert read(html.format(write(mixed, ("1.", "2.", "3.")))) == read(html.format(items(mixed)))
    # What has no gap behind it is a word.
    assert read(f"<p class=MsoListParagraph>{SENTENCES[0]}</p><p class=MsoListParagraph>o</p>")[0].endswith("\n- o")


def test_items_that_are_sentences_of_some_length_are_paragraphs_each():
    listed = [f"- {sentence}" for sentence in SENTENCES]
    assert read(f"<p>{FIRST}</p>{items(SENTENCES)}<p>{SECOND}</p>")[1] == [FIRST, *listed, SECOND]
    wrapped = items([f"<p>{sentence}</p>\n" for sentence in SENTENCES])
    assert read(f"<p>{FIRST}</p>{wrapped}<p>{SECOND}</p>")[1] == [FIRST, *listed, SECOND]
    for others in ([*SENTENCES, "Cap rents."], [SENTENCES[0].replace(".", ";"), SENTENCES[1]]):
        whole = "\n".join(f"- {each}" for each in others)  # one is too short, or a clause
        assert read(f"<p>{FIRST}</p>{items(others)}<p>{SECOND}</p>")[1] == [FIRST, whole, SECOND]


def test_the_ends_of_items_on_a_hostile_page_are_found_in_linear_time():
    begun_s = time.process_time()
    words = "a b c d e f g h i j k l m n "
    read("<ul>" + f"<li>{words}<i>" * 3000 + "</ul>" + f"<ul><li>{words}{'<b></b>' * 50_000}</li></ul>")
    assert time.process_time() - begun_s < 20


@pytest.mark.parametrize(
    "note",
    [
        f'<p class="MsoFootnoteText">[1] {OFFER}</p>',
        f'<div class="footnotes"><p>[1] {OFFER}</p></div>',
        f'<p> <a href="#_ftnref1" name="_ftn1">[1]</a> {OFFER}</p>',
        f'<p><a id="_ftn1"></a>[1] {OFFER}</p>',
    ],
)
def test_notes_that_stand_in_no_list_are_not_read(note):
    text, told = read(f'<p>{FIRST}<a href="#_ftn1" name="_ftnref1">[1]</a></p>{note}<p>{SECOND}</p>')
    assert told == [f"{FIRST}[^1]", SECOND]
    assert f"[^*]: [1] {OFFER}" in text.split("\n\n")
    back = f'<p><a href="#_ftn1" name="_ftnref1">[1]</a> {SECOND}</p>'  # the mark that a paragraph begins with
    assert read(f"<p>{FIRST}</p>{back}")[1] == [FIRST, f"[^1] {SECOND}"]


@pytest.mark.parametrize("name", ["wp-caption-text", "caption", "image__caption", "media-caption-text"])
def test_captions_that_only_a_class_names_are_not_read(name):
    words = "A crane at the quay of Lorn in the spring of last year, when the first of the ships came in."
    page = f"<p>{FIRST}</p><div><img src=a><p class='{name}'>{words}</p></div><p>{FIRST}</p>"
    assert read(page)[0] == f"{FIRST}\n\n[^figure]: {words}\n\n{FIRST}"
    assert words in read(page.replace(name, "no-caption"))[1]
    whole = f"<div class='{name}'>" + f"<p>{FIRST}</p>" * 9 + "</div>"
    assert read(whole)[1] == [FIRST] * 9


@pytest.mark.parametrize("name", ["caption", "article-caption", "closed-caption", "carousel-caption"])
def test_what_is_called_a_caption_and_is_beside_no_picture_is_read(name):
    assert read(f"<img src=a><p class='{name}'>{FIRST}</p><p>{FIRST}</p>")[1] == [FIRST] * 2
    assert read(f"<p class='{name}'>{FIRST}</p>" * 2)[1] == [FIRST] * 2


def test_headings_by_their_role_and_what_amp_sets_beside_an_article():
    title = "Of loans to the yards of the north and of who is to pay them back in the end."
    ads = f"<amp-consent><div>{OFFER}</div></amp-consent>"
    assert read(f"<div role=heading aria-level=2>{title}</div><p>{FIRST}</p>{ads}")[0] == f"## {title}\n\n{FIRST}"


def test_what_an_encyclopedia_sets_beside_its_text_is_not_read():
    page = f"<h2>Loans<span class='mw-editsection'>[<a href=x>edit</a>]</span></h2><p>{FIRST}</p>"
    page += f"<ol class=references><li><a href=x>^</a> {OFFER}</li></ol>"
    assert read(page)[0].startswith(f"## Loans\n\n{FIRST}")
    assert read(page)[1] == [FIRST]


@pytest.mark.issue(4)
def test_a_list_of_links_beside_an_article_is_not_read_and_one_that_is_led_or_all_there_is_is():
    article = f"<main><h1>Yards</h1><p>{FIRST}</p><p>{SECOND}</p>{{}}</main>"
    links = [f"<a href=x>{text}</a>" for text in ("Who owns the yards?", *PLEDGES)]
    rows = "".join(f"<div class=row>{link}</div>" for link in links)
    for beside in (items(links), f"<div>{rows}</div>", f"<section>{items(links)}</section>"):
        text, paragraphs = read(article.format(f"<h2>Related content</h2>{beside}"))
        assert paragraphs == [FIRST, SECOND]
        assert "Related" not in text
        text, paragraphs = read(article.format(f"<h2>Yards of the town</h2>{beside}<p>{SECOND}</p>"))
        assert paragraphs == [FIRST, SECOND, SECOND]
        assert "## Yards of the town" in text
        assert "Who owns the yards?" in read(article.format(f"<p>We will say:</p>{beside}"))[0]
    assert "Who owns the yards?" in read(items(links))[0]
    for text in (f"<p>{links[0]} {links[1]}</p>", items([f"{link}, he said" for link in links]), items(links[:1])):
        assert "Who owns the yards?" in read(article.format(text))[0]


@pytest.mark.issue(4)
def test_sentences_and_clauses_that_are_links_are_text_and_cards_and_titles_are_not():
    article = f"<main><h1>Yards</h1><p>{FIRST}</p><p>{SECOND}</p>{{}}<p>{FIRST}</p><p>{SECOND}</p></main>"
    said = [f"<a href=x>{text};</a>" for text in ("buy back the water works", "cap the rents of all flats")]
    for wrap in (items(said), f"<div><p>{said[0]}</p><p>{said[1]}</p></div>", f"<div>{said[0]} {said[1]}</div>"):
        assert "buy back the water works;" in read(article.format(wrap))[0]
        assert "buy back" not in read(article.format(wrap.replace(";", " ...")))[0]
    card = f"<a href=x><h3>Who owns the yards</h3><p>{FIRST[:40]}.</p></a>"
    assert "Who owns" not in read(article.format(f"<div>{card}{card}</div>"))[0]
    began = time.process_time()
    read(article.format("<div>" + "<a href=x>b c d e; " * 1500 + "</div>") + f"<p>{FIRST} {SECOND}</p>" * 1500)
    assert time.process_time() - began < 10  # a second; a minute were it quadratic
