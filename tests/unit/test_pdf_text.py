"""PDFs: ligatures are spelt out, a large title is parted from the text close below it, and what is drawn is bounded."""

import base64
import zlib
from importlib.util import find_spec

import pytest

from twohands import pdf_text
from twohands.documents import extract_text
from twohands.errors import FileReadError

BODY = ["The ministry will raise the toll on the old", "steel and lend to the yards, said the clerk", "of the board."]


NAMED = b"/Subtype /Type1 /BaseFont /ABCDEF+CMR10 /Encoding << /Type /Encoding /Differences [1 /fi /ff /ffi] >>"
# As TeX names signs that it draws as bitmaps: by their codes.
BITMAPS = (
    b"/Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [1 0 0 1 0 0] /CharProcs << >> /FirstChar 0 /LastChar 255 "
    b"/Widths [%s] /Encoding << /Type /Encoding /Differences [0 %s] >>"
    % (b"1 " * 256, b" ".join(b"/a%d" % code for code in range(256)))
)

# BODY, encrypted by AES of 128 bits with an empty password, as many agencies publish what is not to be changed; packed
# by zlib.
ENCRYPTED = (
    "eNqFU0toE0EYVmw9BBEPBrx1lFZErbszszO7C2m0zcPWKq2JLyhFZx9po+luu9nYB4hUC4IgluqhKKIIBQ9KQEQQrB704gNRkBahUA8VHxWkBy"
    "uiqLPZaIIRHJbZmW++//tnvn+mrj0ar4dbaAACEdja4UAoBIQ9g70mECLMZRm7CwjtrMvMAsQJCRAOB0zL8IioIsDnCa1pIws6sEfv5Cp2znIB"
    "LAvE/wz0esfkVD+PsMs00qzJHgAdIgcoREBWUUHPcjktCySflzCzds7ReWJPL85X/QEEpLhh//udXSrLvtO0utxugJDkEbKuY7KeQONfbeIWqw"
    "9OJ/Pz1Xc/jN6aOnegJ9h//NSXz+/V/FxtLjX5LrJZRv3vlwL1ad+mjzPRlS8Xeu9pl94+Cram7uR7zm4fqXkUabn/dXyNnbmcuLY7+mzZ9NRi"
    "1bF81dWJb7WfUmuFHXjF9wszy6pj4wPN+2fPxy7eG34ztXhjOAkP3o68buqebLm7/Kf6Yyzd3xkc+fgiarWtatq2+vTt+cNb59pHQ4u1V848nj"
    "+k3dwwOBYfCk6eHD9Ss/FVw/WtfesWxIfPRp7Uz54ILyGx+5HnzesfNHhGFI9atIRUFKRgo5DMaW5h6oEQCE0sa/orzWbmqOmmdVZmLC1Tiacz"
    "rulwBZdZBnMMIOzj9RISXlc0HSKFlxzUQ4UgILSBECW6LOmQMKpQqMiaRjUtpapESUmqlNKppogiVUQsMUpUpjJDklQVaqKicwoyUBgIe0FIhr"
    "KMoGxIVIcKY1iXkcgIViRNN6hmIPE/jatE4oUblHSN4igS3wWExlhyH99oY87tjh317qkQtfW2XtMqnYgWLxsP7Yn/FuA/58+k5NaAY6YCIpAD"
    "pdSAEoIJSIESpgJ/xSphRKnAICQVGJJgBUb4DiswpQxzHZbO8LoVjp8eMoHMa2bb3vMtvLWYpTuDvS6g/rQlCjpCWMQQI4yxhAmmWMYKVimkiG"
    "IqUUJpGPyf0uk/P+a4BVsURQnU1cXa4oFfWC1fyA=="
)


def draw_pdf(lines, *, n_listed=1, n_forms=0, font=NAMED):
    """A page of lines, each at a height and in a size; the bytes 1, 2 and 3 are the ligatures fi, ff and ffi.

    The file lists it `n_listed` times. With `n_forms` the lines stand in a form, which is drawn as often.
    """
    drawn = b"".join(b"BT /F1 %d Tf 72 %d Td (%s) Tj ET\n" % (size, y, text) for y, size, text in lines)
    fonts = b"/Resources << /Font << /F1 5 0 R >> /XObject << /X1 6 0 R >> >>"
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] %s /Length %d >>\nstream\n%s\nendstream"
    content = b"/X1 Do\n" * n_forms or drawn
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * n_listed, n_listed),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R %s >>" % fonts,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font %s >>" % font,
        form % (fonts, len(drawn), drawn),
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 7\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"trailer << /Size 7 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def read(lines, **drawn):
    pytest.importorskip("pypdf")
    return extract_text(draw_pdf(lines, **drawn), suffix=".pdf", name="x")


def place_body():
    return [(700 - 14 * n, 11, line.encode()) for n, line in enumerate(BODY)]


def test_ligatures_are_spelt_out():
    text = [rb"The o\003ce will raise the tari\002 on \001nished", rb"steel and lend to \001ve yards."]
    assert read([(700, 11, text[0]), (686, 11, text[1])]) == (
        "The office will raise the tariff on finished steel and lend to five yards."
    )


@pytest.mark.issue(4)
def test_of_a_broken_pdf_it_is_said_what_to_do():
    pytest.importorskip("pypdf")
    for broken in (b"not a pdf", b"%PDF-1.4\n%%EOF", b""):
        with pytest.raises(FileReadError, match=r"x cannot be read as PDF: .*; print it anew to PDF, or save it as"):
            extract_text(broken, suffix=".pdf", name="x")


@pytest.mark.issue(4)
def test_letters_that_tex_drew_as_bitmaps_are_read():
    """They were lost, and their lines broken: "E cient nancial"."""
    t1 = [rb"O\036ces\026said the \035eet\026ba\037e the a\033ected yards", rb"that \034nd no loans in 2030\0252031."]
    ot1 = [rb"The o\016ce will re\015ect that the tari\013 is \014t, and", rb"will resh\165\017e."]
    assert read([(700, 11, t1[0]), (686, 11, t1[1])], font=BITMAPS) == (
        "Offices\u2014said the fleet\u2014baffle the affected yards that find no loans in 2030\u20132031."
    )
    assert read([(700, 11, ot1[0]), (686, 11, ot1[1])], font=BITMAPS) == (
        "The office will reflect that the tariff is fit, and will reshuffle."
    )
    for bullet in (rb"\017 ", rb"\210 "):
        items = [(700 - 14 * n, 11, bullet + each) for n, each in enumerate([b"one yard of it", b"two yards of it"])]
        assert "\u2022 one yard of it\n\u2022 two yards of it" in read(items, font=BITMAPS)
    said = BITMAPS + b" /ToUnicode 4 0 R"  # what the file itself says counts
    assert "Offices" not in read([(700, 11, t1[0])], font=said)


@pytest.mark.parametrize("gap", [19, 24, 30])
def test_a_large_title_close_to_its_text_is_parted_from_it(gap):
    body = place_body()
    assert read([(700 + gap, 20, b"Tolls and Loans"), *body]) == f"# Tolls and Loans\n\n{' '.join(BODY)}"
    assert read(body) == " ".join(BODY)


@pytest.mark.issue(4)
def test_a_page_that_the_file_lists_again_is_read_once():
    assert read(place_body(), n_listed=50_000) == " ".join(BODY)  # minutes if it is read each time


@pytest.mark.issue(4)
@pytest.mark.parametrize("n_forms", [0, 1])
def test_a_pdf_with_too_much_drawn_is_refused(monkeypatch, n_forms):
    # Five operators and the text of each line; in a form, one more to draw that.
    n_work = sum(map(len, BODY)) + 5 * len(BODY) + n_forms
    monkeypatch.setattr(pdf_text, "_MAX_WORK", 2 * n_work)
    assert read(place_body(), n_forms=n_forms) == " ".join(BODY)
    monkeypatch.setattr(pdf_text, "_MAX_WORK", n_work // 2)
    with pytest.raises(FileReadError, match="cut it into several"):
        read(place_body(), n_forms=n_forms)


@pytest.mark.issue(4)
def test_a_form_that_is_drawn_often_counts_each_time(monkeypatch):
    monkeypatch.setattr(pdf_text, "_MAX_WORK", 10_000)
    with pytest.raises(FileReadError, match="cut it into several"):
        read(place_body(), n_forms=1000)


@pytest.mark.issue(4)
def test_a_pdf_that_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(pdf_text, "_MAX_CPU_S", -1.0)
    with pytest.raises(FileReadError, match="minutes to read"):
        read(place_body())


@pytest.mark.issue(4)
def test_of_a_pdf_that_is_encrypted_without_a_password_it_is_said_what_reads_it():
    pytest.importorskip("pypdf")
    content = zlib.decompress(base64.b64decode(ENCRYPTED))
    if find_spec("cryptography") or find_spec("Crypto"):
        assert extract_text(content, suffix=".pdf", name="x") == " ".join(BODY)
        return
    with pytest.raises(FileReadError, match=r"x is encrypted by AES.* pip install cryptography"):
        extract_text(content, suffix=".pdf", name="x")
