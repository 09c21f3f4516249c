"""Tags of a PDF part its paragraphs where its layout does not, unless they are evidently wrong, broken or endless."""

import io
import time

import pytest

from tests.support.paragraphs import split_paragraphs
from tests.unit.test_pdf_layout import body, draw_pdf
from twohands import pdf_tags
from twohands.documents import extract_document
from twohands.errors import FileReadError
from twohands.pdf_lines import read_page
from twohands.pdf_tags import read_tags

pypdf = pytest.importorskip("pypdf")
generic = pytest.importorskip("pypdf.generic")
pytestmark = pytest.mark.issue(4)

FULL = [
    "The board of the harbour has lent to four yards since it was",
    "set up, and two of them have never paid a penny of this back.",
]
NEXT = [
    "Those who ask are told that the yards would close without it,",
    "and that the town, which nobody has asked, would not bear it.",
]
LAST = ["A market in berths would show what each of them is worth, and", "the board has refused one three times."]
A, B, C = (" ".join(lines) for lines in (FULL, NEXT, LAST))


def name(text):
    return generic.NameObject(f"/{text}")


def element(role, *kids, **more):
    """An element of the tree; its kids are elements, or pairs of a page and the number of a line on it."""
    return role, kids, more


def tag(content, *tree, wrap=b"/P <</MCID %d>> BDC %s EMC", roles=None, suspects=False):
    """Number the lines of each page from 0, and add the tree that says what they are."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    for page in writer.pages:
        lines = page.get_contents().get_data().strip().split(b"\n")
        stream = generic.StreamObject()
        stream.set_data(b"\n".join(wrap % (number, line) for number, line in enumerate(lines)))
        page[name("Contents")] = writer._add_object(stream)

    def build(kid):
        if isinstance(kid[0], int):
            page, number = kid
            fields = {"MCID": generic.NumberObject(number), "Pg": writer.pages[page].indirect_reference}
        else:
            role, kids, more = kid
            fields = {"S": name(role), "K": generic.ArrayObject(map(build, kids)), **more}
        return writer._add_object(generic.DictionaryObject({name(key): value for key, value in fields.items()}))

    root = {"K": generic.ArrayObject(map(build, tree))}
    if roles:
        root["RoleMap"] = generic.DictionaryObject({name(key): name(value) for key, value in roles.items()})
    tree_root = generic.DictionaryObject({name(key): value for key, value in root.items()})
    writer.root_object[name("StructTreeRoot")] = tree_root
    marked = {name("Marked"): generic.BooleanObject(True), name("Suspects"): generic.BooleanObject(suspects)}
    writer.root_object[name("MarkInfo")] = generic.DictionaryObject(marked)
    stream = io.BytesIO()
    writer.write(stream)
    return stream.getvalue()


def lines(page, begin, end):
    return [(page, number) for number in range(begin, end)]


def read(content):
    return extract_document(content, suffix=".pdf", name="x")


def split(content):
    return [(paragraph.section, paragraph.text) for paragraph in split_paragraphs(read(content).text)]


def two_pages():
    """Paragraphs that end with a full line at the end of a page, which no gap and no indent parts."""
    return draw_pdf([body(FULL), body([*NEXT, *LAST])])


def two_pages_tree():
    return [element("P", *lines(0, 0, 2)), element("P", *lines(1, 0, 2)), element("P", *lines(1, 2, 4))]


def test_paragraphs_that_end_in_full_lines_are_parted_and_keep_their_pages():
    assert split(two_pages()) == [("", f"{A} {B} {C}")]
    found = read(tag(two_pages(), element("Document", *two_pages_tree())))
    assert found.text == f"{A}\n\n{B}\n\n{C}"
    assert [found.find_page(each.start) for each in split_paragraphs(found.text)] == [1, 2, 2]


def test_a_paragraph_goes_on_behind_a_short_line_that_ends_a_sentence_and_over_a_page():
    page = [*body(FULL), *body(["They are closed."], top=476), *body(NEXT, top=464)]
    content = draw_pdf([page, body(LAST)])
    whole = tag(content, element("P", *lines(0, 0, 5), *lines(1, 0, 2)))
    assert read(content).text != f"{A} They are closed. {B} {C}"
    assert read(whole).text == f"{A} They are closed. {B} {C}"


def test_headings_in_letters_of_the_text_are_sections_and_bold_heads_of_tables_are_none():
    page = [
        *body(["On loans"], top=560),
        *body(FULL, top=548),
        *body(["What to do"], top=524, font="F2"),
        *body(["Sell the yards and the old pier to whoever wants them"], top=512),
        *body(NEXT, top=500),
    ]
    row = element("Table", element("TR", element("TH", (0, 3))), element("TR", element("TD", (0, 4))))
    content = tag(
        draw_pdf([page]), element("H2", (0, 0)), element("P", *lines(0, 1, 3)), row, element("P", (0, 5), (0, 6))
    )
    assert split(content) == [
        ("On loans", A),
        ("On loans", B),
    ]
    assert read(content).text.split("\n\n")[2:4] == ["What to do", page[4][4]]


def test_a_line_of_figures_at_the_end_of_a_page_is_no_page_number_where_it_is_of_a_paragraph():
    content = draw_pdf([body([FULL[0], "2019"]), body(["2020", *LAST])])
    whole = tag(content, element("P", *lines(0, 0, 2), *lines(1, 0, 3)))
    assert read(whole).text == f"{FULL[0]} 2019 2020 {C}"
    content = draw_pdf([body(FULL), body(["2020", *LAST])])
    assert read(tag(content, element("P", *lines(0, 0, 2)), element("P", *lines(1, 0, 3)))).text == f"{A}\n\n2020 {C}"


def test_a_heading_in_the_line_in_which_its_paragraph_begins_takes_no_words_from_that():
    page = [(512, 60, 10, "F2", "Who paid for these loans in the end."), (512, 240, 10, "F1", "Nobody."), *body(FULL)]
    content = tag(draw_pdf([page]), element("H4", (0, 0)), element("P", *lines(0, 1, 4)))
    assert read(content).text == f"Who paid for these loans in the end. Nobody. {A}"


def test_items_take_their_markers_and_first_paragraphs_and_rows_the_first_of_their_cells():
    page = [*body(["1."], top=524), *body(FULL, top=512), *body(NEXT, top=488), *body(["Yards", *LAST], top=464)]
    item = element(
        "LI", element("Lbl", (0, 0)), element("LBody", element("P", (0, 1), (0, 2)), element("P", (0, 3), (0, 4)))
    )
    row = element("TR", element("TD", element("P", (0, 5))), element("TD", element("P", (0, 6), (0, 7))))
    content = tag(draw_pdf([page]), element("L", item), element("Table", row))
    assert read(content).text == f"1. {A}\n\n{B}\n\nYards {C}"


def test_notes_captions_and_contents_are_no_part_of_paragraphs_wherever_they_stand():
    page = [
        *body(["Contents of this paper", *FULL[:1], "1 Talk with a clerk", "Loans and yards", *FULL[1:], *NEXT]),
    ]
    tree = [
        element("TOC", element("TOCI", (0, 0))),
        element("P", (0, 1), element("Note", element("P", (0, 2), (1, 0))), (0, 4)),
        element("Figure", element("Caption", (0, 3))),
        element("P", (0, 5), (0, 6)),
        element("P", *lines(1, 1, 3)),
    ]
    text = read(tag(draw_pdf([page, body(["of the board.", *LAST])]), *tree)).text
    assert text == f"{A}\n\n[^figure]: Loans and yards\n\n{B}\n\n{C}\n\n[^1]: Talk with a clerk of the board."


def test_lines_stand_in_the_order_of_the_tags_unless_that_goes_up_the_page():
    page = [*body(NEXT, top=476), *body(FULL, top=500), *body(LAST, top=452)]
    parts = [element("P", (0, 2), (0, 3)), element("P", (0, 0), (0, 1)), element("P", (0, 4), (0, 5))]
    assert read(tag(draw_pdf([page]), *parts)).text == f"{A}\n\n{B}\n\n{C}"
    in_order = draw_pdf([[*body(FULL), *body(NEXT, top=476), *body(LAST, top=452)]])
    parts = [element("P", *lines(0, begin, begin + 2)) for begin in (4, 2, 0)]
    assert read(tag(in_order, *parts)).text == f"{A}\n\n{B}\n\n{C}"


@pytest.mark.parametrize("is_bare", [True, False])
def test_a_quotation_is_a_paragraph_with_or_without_one_in_it(is_bare):
    kids = lines(1, 0, 2)
    quotation = element("BlockQuote", *kids) if is_bare else element("BlockQuote", element("P", *kids))
    tree = two_pages_tree()
    assert read(tag(two_pages(), tree[0], quotation, tree[2])).text == f"{A}\n\n{B}\n\n{C}"


def test_a_sentence_that_goes_on_in_the_next_element_is_one_paragraph():
    tree = [element("P", (0, 0), (0, 1)), element("P", (0, 2)), element("P", (1, 0)), element("P", *lines(1, 1, 3))]
    content = tag(draw_pdf([body([*FULL, NEXT[0]]), body([NEXT[1], *LAST])]), *tree)
    assert read(content).text == f"{A}\n\n{B}\n\n{C}"


@pytest.mark.parametrize(
    "wrap",
    [b"/P /M%d BDC %s EMC", b"/Span << /MCID %d >> BDC /Span <</Lang (en)>> BDC %s EMC EMC"],
    ids=["by name", "within another mark"],
)
def test_marks_of_other_makers_are_read(wrap):
    content = tag(two_pages(), *two_pages_tree(), wrap=wrap)
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    for page in writer.pages:
        numbers = {name(f"M{n}"): generic.DictionaryObject({name("MCID"): generic.NumberObject(n)}) for n in range(4)}
        page["/Resources"][name("Properties")] = generic.DictionaryObject(numbers)
    stream = io.BytesIO()
    writer.write(stream)
    assert read(stream.getvalue()).text == f"{A}\n\n{B}\n\n{C}"


def test_lines_that_one_operator_moves_to_and_shows_have_their_own_tags():
    shown = b"\n".join(b"/P <</MCID %d>> BDC (%s) ' EMC" % (n, t.encode()) for n, t in enumerate([*FULL, *NEXT, *LAST]))
    writer = pypdf.PdfWriter(
        clone_from=io.BytesIO(tag(draw_pdf([body(FULL)]), *(element("P", *lines(0, n, n + 2)) for n in (0, 2, 4))))
    )
    stream = generic.StreamObject()
    stream.set_data(b"BT /F1 10 Tf 12 TL 60 500 Td\n%s\nET" % shown)
    writer.pages[0][name("Contents")] = writer._add_object(stream)
    written = io.BytesIO()
    writer.write(written)
    assert read(written.getvalue()).text == f"{A}\n\n{B}\n\n{C}"


@pytest.mark.parametrize("of", [{"Absatz": "Body", "Body": "P"}, {"Absatz": "Quote", "Quote": "P"}])
def test_names_of_styles_are_looked_up(of):
    tree = [element("Absatz", *kids) for _, kids, _ in two_pages_tree()]
    assert read(tag(two_pages(), element("Document", *tree), roles=of)).text == f"{A}\n\n{B}\n\n{C}"


def test_names_of_namespaces_are_looked_up():
    standard = generic.DictionaryObject({name("NS"): generic.TextStringObject("http://iso.org/pdf2/ssn")})
    roles = {"text": name("P"), "section": generic.ArrayObject([name("H1"), standard])}
    roles["footnote"] = generic.ArrayObject([name("FENote"), standard])
    of = generic.DictionaryObject({name(key): value for key, value in roles.items()})
    space = generic.DictionaryObject({name("NS"): generic.TextStringObject("latex"), name("RoleMapNS"): of})
    content = draw_pdf([body(["On loans", *FULL, "1 Talk with a clerk", *NEXT])])
    tree = [element("section", (0, 0), NS=space), element("text", (0, 1), (0, 2), NS=space)]
    tree += [element("footnote", (0, 3), NS=space), element("text", (0, 4), (0, 5), NS=space)]
    content = tag(content, element("Document", *tree))
    assert split(content) == [("On loans", A), ("On loans", B)]
    assert read(content).text.endswith("\n\n[^1]: Talk with a clerk")


LONG = [
    [*body(["Loans"], top=550, size=14), *body(FULL), *body(NEXT, top=466), *body(LAST, top=432), *body(FULL, top=398)]
]
ALL = lines(0, 0, 9)


@pytest.mark.parametrize(
    "tree",
    [
        [element("P", *ALL)],
        [element("P", each) for each in ALL],
        [element("Span", each) for each in ALL],
        [element("P", element("Span", each)) for each in ALL],
        [element("Sect", *ALL)],
        [element("L", element("LI", *ALL))],
        [element("H1", each) for each in ALL],
        [element("H1", *ALL)],
        [element("Note", each) for each in ALL],
        [element("TOC", *ALL)],
        [element("Figure", *ALL)],
        [element("P", *ALL[:3])],
        [element("P", (0, 77))],
    ],
)
def test_tags_that_are_evidently_wrong_or_few_change_nothing(tree):
    content = draw_pdf(LONG)
    assert read(tag(content, *tree)).text == read(content).text


def test_tags_that_the_file_calls_suspect_change_nothing():
    assert read(tag(two_pages(), *two_pages_tree(), suspects=True)).text == read(two_pages()).text


class Reader:
    """What `read_tags` needs of one."""

    def __init__(self, kids, roles=None):
        tree = {name("K"): kids, name("RoleMap"): roles or generic.NullObject()}
        self.trailer = {"/Root": generic.DictionaryObject({name("StructTreeRoot"): generic.DictionaryObject(tree)})}


def hold(role, *kids):
    page = generic.IndirectObject(3, 0, None)
    return generic.DictionaryObject({name("S"): name(role), name("K"): generic.ArrayObject(kids), name("Pg"): page})


def test_trees_that_are_deep_or_go_round_or_stand_for_each_other_end():
    begun_s = time.process_time()
    around = hold("Sect", hold("P", generic.NumberObject(1)))
    around["/K"].append(around)
    assert list(read_tags(Reader(around), lambda _: None)[3]) == [1]
    deep = hold("P", generic.NumberObject(1))
    for _ in range(50_000):
        deep = hold("Sect", deep)
    assert list(read_tags(Reader(deep), lambda _: None)[3]) == [1]
    roles = generic.DictionaryObject({name("One"): name("Two"), name("Two"): name("One")})
    assert list(read_tags(Reader(hold("One", generic.NumberObject(1)), roles), lambda _: None)[3]) == [1]
    assert time.process_time() - begun_s < 20


def test_trees_that_are_broken_or_too_large_are_not_read_and_work_is_counted(monkeypatch):
    many = hold("P", *map(generic.NumberObject, range(50)))
    assert len(read_tags(Reader(many), lambda _: None)[3]) == 50
    for broken in (generic.TextStringObject("P"), generic.NumberObject(3), hold("P", generic.NullObject())):
        assert not read_tags(Reader(broken), lambda _: None)
    assert read_tags(object(), lambda _: None) == {}
    monkeypatch.setattr(pdf_tags, "MAX_NODES", 50)
    assert read_tags(Reader(many), lambda _: None) == {}

    def give_up(_):
        raise FileReadError("too much")

    with pytest.raises(FileReadError, match="too much"):
        read_tags(Reader(many), give_up)


def test_numbers_of_content_in_a_form_are_not_those_of_the_page():
    content = tag(draw_pdf([body([*FULL, *NEXT])]), element("P", *lines(0, 0, 2)), element("P", *lines(0, 2, 4)))
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(content))
    page = writer.pages[0]
    form = generic.StreamObject()
    form.set_data(page.get_contents().get_data().replace(b"MCID 2", b"MCID 0").replace(b"MCID 3", b"MCID 1"))
    box = generic.ArrayObject(map(generic.NumberObject, (0, 0, 400, 600)))
    form.update({name("Subtype"): name("Form"), name("BBox"): box, name("Resources"): page["/Resources"]})
    page["/Resources"][name("XObject")] = generic.DictionaryObject({name("X1"): writer._add_object(form)})
    stream = generic.StreamObject()
    stream.set_data(b"/X1 Do")
    page[name("Contents")] = writer._add_object(stream)
    written = io.BytesIO()
    writer.write(written)
    reader = pypdf.PdfReader(io.BytesIO(written.getvalue()))
    blocks = read_tags(reader, lambda _: None)[reader.pages[0].indirect_reference.idnum]
    assert [line.block for line in read_page(reader.pages[0], lambda _: None, blocks).lines] == [None] * 4
