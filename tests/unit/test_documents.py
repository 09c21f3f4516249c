"""Documents of every kind become text whose blank lines are paragraphs, or an error that says what to do."""

import sys

import pytest

from twohands.documents import join_lines, read_document
from twohands.errors import FileReadError, MissingExtraError
from twohands.paragraphs import split_paragraphs

FIRST = "The ministry will lend to the makers of chips, said the minister."
SECOND = "Prices, and not plans, should say what is built, his critics answered."
THIRD = "Neither side would speak of the cost of the loans to savers this year."


def make_pdf(path, pages):
    """Writes a PDF with one line of text after the other on each page."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        drawn = "".join(f"({line}) Tj T* " for line in lines)
        content = f"BT /F1 11 Tf 14 TL 50 750 Td {drawn}ET".encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start, size = len(content), len(objects) + 1
    content += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    content += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    path.write_bytes(content)
    return path


def paragraphs_of(path):
    return [paragraph.text for paragraph in split_paragraphs(read_document(path))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_plain_text_is_the_files_own(tmp_path, encoding):
    path = tmp_path / "a.txt"
    text = f"{FIRST}\r\n\r\n  caf\u00e9 {SECOND}\n"
    path.write_bytes(text.encode(encoding))
    assert read_document(path) == text


@pytest.mark.issue(2)
def test_a_byte_order_mark_counts_in_offsets_and_is_not_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"{FIRST}\n\n{SECOND}\n", encoding="utf-8-sig")
    raw = path.read_text(encoding="utf-8")
    assert raw[0] == "\ufeff"
    paragraphs = split_paragraphs(read_document(path))
    assert [paragraph.text for paragraph in paragraphs] == [FIRST, SECOND]
    assert [raw[paragraph.start : paragraph.end] for paragraph in paragraphs] == [f"\ufeff{FIRST}", SECOND]


@pytest.mark.parametrize("content", [b"caf\xe9 talk", b"\x89PNG\r\n\x1a\n\x00\xff", b"\xff\xfea"])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    path = tmp_path / "a.md"
    path.write_bytes(content)
    with pytest.raises(FileReadError):
        read_document(path)


@pytest.mark.parametrize("name", ["none.txt", "none.html", "none.pdf"])
def test_a_missing_document_is_refused(tmp_path, name):
    with pytest.raises(FileReadError):
        read_document(tmp_path / name)


@pytest.mark.parametrize(("suffix", "module"), [(".html", "bs4"), (".pdf", "pypdf")])
def test_a_missing_reader_names_the_extra(tmp_path, monkeypatch, suffix, module):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    with pytest.raises(MissingExtraError):
        read_document(tmp_path / f"a{suffix}")


def read_html(tmp_path, html):
    pytest.importorskip("bs4")
    path = tmp_path / "page.html"
    path.write_bytes(html if isinstance(html, bytes) else html.encode())
    return paragraphs_of(path)


def test_html_gives_the_text_of_the_article_alone(tmp_path):
    html = f"""<!doctype html><html><head><title>News of the day, in full</title><style>p {{}}</style></head><body>
    <header><p>The site's own header, which is on every page of it.</p></header>
    <nav><ul><li>Home</li><li>Economy</li></ul></nav>
    <article><header><h1>Loans</h1><p>{FIRST}</p></header>
      <!-- a comment --><script>var a = "<p>not text at all, but a script.</p>";</script>
      <p>Prices, and <b>not</b>
         plans, should say what is built, his critics&nbsp;answered.</p>
      <aside>Subscribe to our letter for more of the same every day.</aside>
      <p hidden>Nobody sees this paragraph, so nobody should classify it.</p></article>
    <footer>All rights are reserved by the owner of the page.</footer></body></html>"""
    assert read_html(tmp_path, html) == [FIRST, SECOND]


def test_html_with_unclosed_paragraphs_and_breaks(tmp_path):
    assert read_html(tmp_path, f"<p>{FIRST}<p>{SECOND}<br><br>{THIRD}") == [FIRST, SECOND, THIRD]
    assert read_html(tmp_path, f"<div>{FIRST}<div>{SECOND}</div>{THIRD}</div>") == [FIRST, SECOND, THIRD]
    table = f"<table><tr><td>{FIRST}</td><td>{SECOND}</td></tr><tr><td>{THIRD}</td></tr></table>"
    assert read_html(tmp_path, table) == [f"{FIRST} {SECOND}", THIRD]


def test_html_in_another_encoding_is_read_as_it_says(tmp_path):
    html = f'<meta charset="windows-1252"><p>Caf\u00e9 {FIRST}</p>'.encode("windows-1252")
    assert read_html(tmp_path, html) == [f"Caf\u00e9 {FIRST}"]


@pytest.mark.issue(2)
@pytest.mark.parametrize("level", [1, 2, 6])
def test_headings_of_html_are_headings_at_any_length(tmp_path, level):
    long = "Ministers plan to sell<br>the <b>remain</b>ing stakes in ports and rail before the vote. Who would buy?"
    html = f"<h{level}>{long}</h{level}><p>{FIRST}</p><h{level}><img></h{level}><p>{SECOND}</p>"
    assert read_html(tmp_path, html) == [FIRST, SECOND]
    marked = read_document(tmp_path / "page.html").split("\n")[0]
    assert marked.startswith("#" * level + " Ministers plan to sell the remaining stakes")
    prose = " ".join([FIRST] * 4)  # a page that sets its text as headings
    assert read_html(tmp_path, f"<h{level}>{prose}</h{level}><p>{SECOND}</p>") == [prose, SECOND]


def test_a_teaser_is_not_taken_for_the_page(tmp_path):
    html = f"<body><article>Read more</article><div>{FIRST}</div><div>{SECOND}</div></body>"
    assert read_html(tmp_path, html)[-1] == SECOND


@pytest.mark.parametrize(
    "html", ["", "<html></html>", "<script>1</script>", "plain words", "a.html", "<?xml version='1'?>"]
)
def test_html_without_markup_or_text_is_no_error(tmp_path, html):
    assert read_html(tmp_path, html) in ([], ["plain words"], ["a.html"])


def test_html_nested_deeper_than_python_recurses(tmp_path):
    depth = 3000
    assert read_html(tmp_path, "<div>" * depth + FIRST + "</div>" * depth) == [FIRST]


def test_pdf_paragraphs_are_rebuilt_from_lines(tmp_path):
    pytest.importorskip("pypdf")
    body = [
        "The ministry will lend to the makers of",
        "chips, said the minister.",
        "Prices, and not plans, should say what",
        "is",
    ]
    pages = [
        ["Annual report 2031", *body, "1"],
        ["Annual report 2031", "built, his critics answered.", "Neither side would speak of the cost of", "2"],
        ["Annual report 2031", "the loans to sav-", "ers this year.", "3"],
    ]
    assert paragraphs_of(make_pdf(tmp_path / "a.pdf", pages)) == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize("content", [b"", b"%PDF-1.4\n", b"not a pdf", b"%PDF-1.4\n1 0 obj\n<<" + b"\x00" * 500])
def test_a_broken_pdf_is_refused(tmp_path, content):
    pytest.importorskip("pypdf")
    (tmp_path / "a.pdf").write_bytes(content)
    with pytest.raises(FileReadError):
        read_document(tmp_path / "a.pdf")


def test_a_pdf_without_text_is_refused(tmp_path):
    pytest.importorskip("pypdf")
    with pytest.raises(FileReadError):
        read_document(make_pdf(tmp_path / "scan.pdf", [[], []]))


def test_a_locked_pdf_is_refused(tmp_path):
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter(clone_from=make_pdf(tmp_path / "open.pdf", [[FIRST]]))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    with pytest.raises(FileReadError):
        read_document(tmp_path / "locked.pdf")


def test_joining_lines():
    assert join_lines([]) == join_lines([[""], []]) == ""
    assert join_lines([["one line"]]) == "one line"
    assert join_lines([["A whole line that goes", "on.", "", "Next."]]) == "A whole line that goes on.\n\nNext."
    assert join_lines([["state-", "Owned"], ["2031-", "2032 plan"]]) == "state- Owned 2031- 2032 plan"
