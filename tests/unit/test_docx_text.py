"""Documents of Word are read with their headings, lists, tables and notes, and one that cannot be is refused."""

import io
import tracemalloc
import zipfile

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_text
from twohands.docx_text import docx_to_html
from twohands.errors import FileReadError
from twohands.inputs import find_inputs
from twohands.items import read_items, read_stdin

pytestmark = pytest.mark.issue(4)
NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
FIRST = "The ministry will take a third of the shares in both of the yards that it has kept, said the minister."
SECOND = "Who is to pay for it all, asked his critics, and why should a loss that no bank would touch be theirs?"
STYLES = (
    '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Haus"><w:name w:val="House"/><w:basedOn w:val="berschrift1"/></w:style>'
    '<w:style w:styleId="Punkt"><w:name w:val="List Bullet"/></w:style>'
    '<w:style w:styleId="Bild"><w:name w:val="caption"/></w:style>'
    '<w:style w:styleId="Inhalt"><w:name w:val="toc 1"/></w:style>'
)


def p(text, style="", more=""):
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{more}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def make_docx(*blocks, namespace=NAMESPACE, main="word/document.xml", **parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inner in {main: f"<w:body>{''.join(blocks)}</w:body>", "word/styles.xml": STYLES, **parts}.items():
            root = f'<w:x xmlns:w="{namespace}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
            archive.writestr(name, f"{root}{inner}</w:x>" if inner.startswith("<w:") else inner)
    return stream.getvalue()


def pack(document, method):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("word/document.xml", document)
    return stream.getvalue()


def read(content):
    pytest.importorskip("bs4")
    return extract_text(content, suffix=".docx", name="x")


def texts_of(text):
    return [paragraph.text for paragraph in split_paragraphs(text)]


@pytest.mark.parametrize("namespace", [NAMESPACE, "http://purl.oclc.org/ooxml/wordprocessingml/main"])
@pytest.mark.parametrize("main", ["word/document.xml", "word/document2.xml"])
def test_headings_lists_captions_and_contents_are_told_by_their_styles(namespace, main):
    rule = '<w:numPr><w:numId w:val="4"/></w:numPr>'
    blocks = [
        p("Of yards and of quays, and of those who pay for them in the end, year for year?", "berschrift1"),
        p("Of yards 3", "Inhalt"),
        p(FIRST),
        p("Of quays", "Haus"),
        p("We will:"),
        p("cap rents", "Punkt"),
        p("sell the barges &amp; the quay", more=rule),
        p(SECOND, more='<w:numPr><w:numId w:val="0"/></w:numPr>'),
        p(f"{SECOND} {FIRST}", more=rule),
        p("Cranes above the port of Lorn, which the state has sold to two firms from abroad.", "Bild"),
    ]
    text = read(make_docx(*blocks, namespace=namespace, main=main))
    assert texts_of(text) == [FIRST, "We will: - cap rents - sell the barges & the quay", SECOND, f"{SECOND} {FIRST}"]
    assert text.startswith("## Of yards and of quays")
    assert "## Of quays" in text
    assert "[^figure]: Cranes" in text
    assert "Of yards 3" not in text


def test_notes_are_numbered_as_they_are_referred_to_and_stand_at_the_end():
    def refer(kind, note):
        return f'<w:r><w:{kind}Reference w:id="{note}"/></w:r>'

    def write(kind, **notes):
        return "".join(f'<w:{kind} w:id="{note[1:]}">{p(text)}</w:{kind}>' for note, text in notes.items())

    first = p(FIRST).replace("</w:p>", f"{refer('footnote', 7)}</w:p>")
    second = p(SECOND).replace("</w:p>", f"{refer('endnote', 7)}{refer('footnote', 2)}</w:p>")
    separator = '<w:footnote w:type="separator" w:id="2"><w:p/></w:footnote>'
    parts = {
        "word/footnotes.xml": separator + write("footnote", _2="See box 2.", _7=f"See {SECOND}"),
        "word/endnotes.xml": write("endnote", _7="See the annex."),
    }
    text = read(make_docx(first, second, **parts))
    assert text.startswith(f"{FIRST}[^1]\n\n{SECOND}[^2][^3]\n\n")
    assert texts_of(text) == [FIRST, SECOND]
    assert text.endswith(f"[^1]: See {SECOND}\n[^2]: See the annex.\n[^3]: See box 2.")


def test_what_was_deleted_is_no_text_and_a_box_is_read_once():
    deleted = "<w:del><w:r><w:delText>Not this. </w:delText></w:r></w:del>"
    box = f"<mc:AlternateContent><mc:Choice>{p(SECOND)}</mc:Choice><mc:Fallback>{p(SECOND)}</mc:Fallback>"
    first = (
        p(FIRST)
        .replace("</w:pPr>", f"</w:pPr>{deleted}")
        .replace("</w:p>", f"<w:r>{box}</mc:AlternateContent></w:r></w:p>")
    )
    assert sorted(texts_of(read(make_docx(first)))) == sorted([FIRST, SECOND])


def test_tracked_changes_are_read_as_they_stand_in_the_end():
    moved = "<w:moveFrom><w:r><w:t>Who is to pay? </w:t></w:r></w:moveFrom>"
    added = "<w:ins><w:r><w:t> Nobody is to pay.</w:t></w:r></w:ins>"
    deleted = '<w:del><w:r><w:delText>x</w:delText><w:footnoteReference w:id="1"/></w:r></w:del>'
    was_heading = '<w:pPrChange><w:pPr><w:pStyle w:val="berschrift1"/><w:outlineLvl w:val="0"/></w:pPr></w:pPrChange>'
    first = p(FIRST, more=was_heading).replace("</w:p>", f"{added}{deleted}</w:p>")
    second = p(SECOND).replace("</w:pPr>", f"</w:pPr>{moved}")
    note = {"word/footnotes.xml": f'<w:footnote w:id="1">{p("Struck out.")}</w:footnote>'}
    assert read(make_docx(first, second, **note)) == f"{FIRST} Nobody is to pay.\n\n{SECOND}"


def test_a_paragraph_whose_end_was_deleted_goes_on_in_the_next_one():
    gone = "<w:rPr><w:del/></w:rPr>"
    first, last = FIRST.split("shares ")
    joined = [p(f"{first}shares ", "berschrift1", gone), p(last)]
    emptied = p("", more=gone).replace("<w:t></w:t>", "<w:delText>Not this.</w:delText>")
    box = f"<w:r><w:txbxContent>{p(SECOND, more=gone)}</w:txbxContent></w:r>"
    beside = p("Who is to pay?").replace("</w:p>", f"{box}</w:p>")
    cell = f"<w:tbl><w:tr><w:tc>{p(FIRST, more=gone)}</w:tc><w:tc>{p(SECOND)}</w:tc></w:tr></w:tbl>"
    assert texts_of(read(make_docx(*joined, emptied, p(SECOND)))) == [FIRST, SECOND]
    assert texts_of(read(make_docx(beside))) == [SECOND, "Who is to pay?"]
    assert texts_of(read(make_docx(cell))) == [FIRST, SECOND]
    assert texts_of(read(make_docx(p(FIRST), p(SECOND, more=gone)))) == [FIRST, SECOND]


@pytest.mark.parametrize("mark", ["strike", "dstrike"])
def test_what_is_struck_out_is_not_read_unless_it_is_more_than_half(mark):
    struck, stands = f"<w:{mark}/>", f'<w:{mark} w:val="0"/>'
    first = f"<w:p><w:pPr><w:rPr>{struck}</w:rPr></w:pPr>{run(FIRST)}{run(' It will not ', struck)}{run('pay.')}</w:p>"
    second = f"<w:p>{run(SECOND, stands)}</w:p>"
    whole = f"<w:p>{run('Nobody stands by this sentence.', struck)}</w:p>"
    assert texts_of(read(make_docx(first, whole, second))) == [f"{FIRST} pay.", SECOND]
    assert texts_of(read(make_docx(f"<w:p>{run(SECOND, struck)}</w:p>", p("It stands.")))) == [SECOND, "It stands."]


def test_a_table_of_figures_is_left_out_and_one_of_prose_is_not():
    def table(*rows):
        cells = ("".join(f"<w:tc>{p(cell)}</w:tc>" for cell in row) for row in rows)
        return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"

    figures = table(["", "2031"], ["Hulls", "4.1"], ["Jobs", "7.2"])
    assert texts_of(read(make_docx(p(FIRST), figures, table(["What was asked"], [SECOND])))) == [FIRST, SECOND]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a document",
        b"\xd0\xcf\x11\xe0 locked",
        make_docx(p(FIRST))[:-200],
        make_docx(p(FIRST), main="word/other.xml"),
        pack(p(FIRST).encode(), zipfile.ZIP_BZIP2),
        pack(p(FIRST).encode(), zipfile.ZIP_LZMA),
        make_docx(main="word/document.xml", **{"word/footnotes.xml": "<broken"}),
        make_docx(**{"word/document.xml": f'<!DOCTYPE x [<!ENTITY a "{FIRST}">]><x>&a;</x>'}),
        make_docx(**{"word/document.xml": '<?xml version="1.0" encoding="no-such"?><x/>'}),
    ],
)
def test_what_is_no_document_of_word_is_refused_with_what_to_do(content):
    pytest.importorskip("bs4")
    with pytest.raises(FileReadError, match="save it anew"):
        read(content)


def test_a_part_that_is_packed_beyond_bounds_is_refused(monkeypatch):
    monkeypatch.setattr("twohands.docx_text.MAX_PART_BYTES", 20_000)
    assert texts_of(read(make_docx(p(FIRST)))) == [FIRST]
    with pytest.raises(FileReadError, match="MB"):
        read(make_docx(p(FIRST) * 1000))


@pytest.mark.issue(5)
def test_names_of_elements_are_not_kept_and_have_no_long_namespace():
    names = "".join(f"<a:{'n' * 1000}{number}/>" for number in range(20_000))
    content = make_docx(f'<w:p xmlns:a="{"x" * 1000}">{names}</w:p>', p(FIRST))
    tracemalloc.start()
    try:
        html = docx_to_html(content, "x")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert FIRST.encode() in html
    assert peak_bytes < 65_000_000  # the part itself twice; 34 MB more where names are kept
    with pytest.raises(FileReadError, match="namespace"):
        docx_to_html(make_docx(f'<w:p xmlns:a="{"x" * 1001}"/>'), "x")


def test_one_on_standard_input_is_known_by_its_first_bytes():
    pytest.importorskip("bs4")
    faults = []
    kind, items = read_stdin(io.BytesIO(make_docx(p(FIRST), p(SECOND))), faults, text_column="text")
    assert (kind, [item.text for item in items], faults) == (".docx", [FIRST, SECOND], [])


def test_a_note_that_is_referred_to_again_is_told_once():
    """A file of some kilobytes could refer a million times to a note of a megabyte."""
    again = '<w:footnoteReference w:id="7"/>' * 500
    note = f'<w:footnote w:id="7">{p("Tolls are told in full. " * 40)}</w:footnote>'
    told = read(make_docx(p(FIRST).replace("</w:r>", f"{again}</w:r>"), **{"word/footnotes.xml": note}))
    assert told.count("[^1]") > 400
    assert told.count("Tolls are told") == 40


def test_paragraphs_and_cells_are_counted(monkeypatch):
    monkeypatch.setattr("twohands.docx_text.MAX_BLOCKS", 100)
    assert texts_of(read(make_docx(p(FIRST) + "<w:tr/>" * 99))) == [FIRST]
    with pytest.raises(FileReadError, match="more than 100 paragraphs and cells"):
        read(make_docx("<w:tr/>" * 101))


def test_classify_takes_them_beside_others(tmp_path):
    pytest.importorskip("bs4")
    (tmp_path / "a.docx").write_bytes(make_docx(p(FIRST), p(SECOND)))
    (tmp_path / "~$a.docx").write_bytes(b"\x05clerk")
    faults = []
    items = list(read_items(find_inputs([tmp_path], text_column="text"), faults, text_column="text"))
    assert ([item.text for item in items], faults) == ([FIRST, SECOND], [])
    assert items[1].where == {"document": str(tmp_path / "a.docx"), "paragraph": 1, "start": None, "end": None}


def run(text, more=""):
    return f"<w:r><w:rPr>{more}</w:rPr><w:t>{text}</w:t></w:r>"


def test_hidden_text_is_not_read():
    styles = (
        '<w:style w:styleId="Note"><w:name w:val="Note"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:styleId="Inner"><w:name w:val="Inner"/><w:basedOn w:val="Note"/></w:style>'
        '<w:style w:styleId="Seen"><w:name w:val="Seen"/><w:basedOn w:val="Note"/>'
        '<w:rPr><w:vanish w:val="0"/></w:rPr></w:style>'
    )
    secret = run("Ask the lawyers first.", "<w:vanish/>")
    reference = '<w:r><w:rPr><w:vanish/></w:rPr><w:footnoteReference w:id="2"/></w:r>'
    shown = run(" So it is.", '<w:rStyle w:val="Note"/><w:vanish w:val="false"/>')
    shown += run(" It was hidden.", "<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>")
    style = '<w:rStyle w:val="Inner"/>'
    blocks = [
        f"<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>{run(FIRST)}{secret}{reference}{shown}</w:p>",
        p("Nobody may read this sentence.", "Inner"),
        f"<w:p>{run('Nor this one.', style)}</w:p>",
        p(SECOND, "Seen"),
    ]
    notes = '<w:footnote w:id="2"><w:p><w:r><w:t>Of the lawyers.</w:t></w:r></w:p></w:footnote>'
    content = make_docx(*blocks, **{"word/styles.xml": styles, "word/footnotes.xml": notes})
    assert texts_of(read(content)) == [f"{FIRST} So it is. It was hidden.", SECOND]
    assert "lawyers" not in read(content)


def style(name, *, base="", more=""):
    based = f'<w:basedOn w:val="{base}"/>' if base else ""
    return f'<w:style w:styleId="{name}"><w:name w:val="{name}"/>{based}<w:pPr>{more}</w:pPr></w:style>'


def number(rule):
    return f'<w:numPr><w:numId w:val="{rule}"/></w:numPr>'


@pytest.mark.parametrize("name", ["Points", "Inner", "House Bullet", "House Number"])
def test_what_is_an_item_by_its_style_or_one_below_is_an_item(name):
    styles = [
        style("Points", more=number(3)),
        style("Inner", base="Points"),
        style("List Bullet"),
        style("House Bullet", base="List Bullet"),
        style("List Number 2"),
        style("House Number", base="List Number 2"),
    ]
    blocks = [p("We will:"), p("cap rents", name), p("sell the quay", name), p(SECOND)]
    text = read(make_docx(*blocks, **{"word/styles.xml": "".join(styles)}))
    assert texts_of(text) == ["We will: - cap rents - sell the quay", SECOND]


NUMBERING = "".join(
    f'<w:abstractNum w:abstractNumId="{rule}"><w:lvl w:ilvl="0"><w:numFmt w:val="{kind}"/>'
    f'<w:pPr><w:ind w:left="{left}"/></w:pPr></w:lvl></w:abstractNum>'
    f'<w:num w:numId="{rule}"><w:abstractNumId w:val="{rule}"/></w:num>'
    for rule, kind, left in ((5, "bullet", 720), (6, "decimal", 720), (7, "bullet", 1080), (8, "bullet", 720))
)
POINTS = ["cap rents;", "sell the quay;", "end the tender of meals."]


def test_numbers_behind_bullets_are_a_list_of_their_own_where_they_stand_equally_deep():
    def read_list(*rules, more=""):
        blocks = [p(text, more=more + number(rule)) for text, rule in zip(POINTS, rules, strict=False)]
        blocks += [p(text, more=number(rules[-1])) for text in (FIRST, SECOND)]
        return texts_of(read(make_docx(p("We will:"), *blocks, **{"word/numbering.xml": NUMBERING})))

    points = "We will: - cap rents; - sell the quay; - end the tender of meals."
    whole = f"{points} - {FIRST} - {SECOND}"
    assert read_list(5, 5, 5, 6) == [points, f"- {FIRST}", f"- {SECOND}"]
    # Of one kind, or deeper, or with no more than one above it, they go on; so where nothing is known of the rule.
    for rules in ((5, 5, 5, 8), (6, 6, 6, 7), (6, 5, 6, 5), (5, 5, 5, 9)):
        assert read_list(*rules)[0].startswith("We will: - cap rents; - sell the quay;")
    assert read_list(5, 5, 5, 8) == read_list(6, 6, 6, 7) == read_list(5, 5, 5, 9) == [whole]
    assert read_list(5, 5, 5, 6, more='<w:ind w:left="360"/>') == [whole]
    styled = [*(p(text, "Punkt") for text in POINTS), *(p(text, "Zahl") for text in (FIRST, SECOND))]
    styles = STYLES + '<w:style w:styleId="Zahl"><w:name w:val="List Number"/></w:style>'
    content = make_docx(p("We will:"), *styled, **{"word/styles.xml": styles})
    assert texts_of(read(content)) == [points, f"- {FIRST}", f"- {SECOND}"]


@pytest.mark.parametrize("name", ["Points", "Plain", "Bare"])
def test_what_takes_back_the_number_of_its_style_is_no_item(name):
    styles = [
        style("Points", more=number(3)),
        style("Plain", base="Points", more=number(0)),
        style("List Bullet"),
        style("Bare", base="List Bullet", more=number(0)),
    ]
    own = number(0) if name == "Points" else ""
    text = read(make_docx(p(FIRST, name, own), p("We sell it.", name, own), **{"word/styles.xml": "".join(styles)}))
    assert text == f"{FIRST}\n\nWe sell it."


def test_a_style_with_a_level_makes_headings_but_not_of_clauses_and_text():
    level = '<w:outlineLvl w:val="{}"/>'.format
    styles = [style("Head", more=level(1)), style("Sub", base="Head"), style("Text", base="Head", more=level(9))]
    blocks = [
        p("Of yards", "Head"),
        p(FIRST),
        p("Of quays", "Sub"),
        p("The seller shall pay the toll.", "Head"),
        p("The buyer shall keep the quay in repair; and", "Sub"),
        p("Of tolls", "Text"),
    ]
    text = read(make_docx(*blocks, **{"word/styles.xml": "".join(styles)}))
    assert text.split("\n\n") == [
        "### Of yards",
        FIRST,
        "### Of quays",
        "The seller shall pay the toll.",
        "The buyer shall keep the quay in repair; and",
        "Of tolls",
    ]


def broken(*lines, style="", mark="<w:br/>", more=""):
    return p(f"</w:t>{mark}<w:t>".join(lines), style, more)


@pytest.mark.parametrize("mark", ["<w:br/>", "<w:cr/>", '<w:br w:type="textWrapping"/>'])
def test_a_line_break_within_a_paragraph_ends_a_line_and_two_a_paragraph(mark):
    said = [broken("Ada Lind:", FIRST, mark=mark), broken("Bo Tarn:", SECOND, mark=mark)]
    found = split_paragraphs(read(make_docx(*said, broken("Ada Lind:", "Yes.", mark=mark))))
    assert [(each.speaker, each.text) for each in found] == [
        ("Ada Lind", f"Ada Lind: {FIRST}"),
        ("Bo Tarn", f"Bo Tarn: {SECOND}"),
        ("Ada Lind", "Ada Lind: Yes."),
    ]
    assert texts_of(read(make_docx(broken(FIRST, "", SECOND, mark=mark)))) == [FIRST, SECOND]


def test_a_line_break_in_a_heading_or_an_item_and_the_end_of_a_page_are_spaces():
    blocks = [
        broken("Of yards", "and quays", style="berschrift1"),
        broken("cap", "rents", more=number(4)),
        broken(FIRST, SECOND, mark='<w:br w:type="page"/>'),
        p(FIRST.replace(" said", "\nsaid")),  # as a program sets its XML
    ]
    assert read(make_docx(*blocks)) == f"## Of yards and quays\n\n- cap rents\n\n{FIRST} {SECOND}\n\n{FIRST}"
