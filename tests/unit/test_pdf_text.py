"""Letters and sizes of a PDF: ligatures are spelt out, and a large title is parted from the text close below it."""

import pytest

from twohands.documents import extract_text

BODY = ["The ministry will raise the toll on the old", "steel and lend to the yards, said the clerk", "of the board."]


def draw_pdf(lines):
    """A page of lines, each at a height and in a size; the bytes 1, 2 and 3 are the ligatures fi, ff and ffi."""
    drawn = b"".join(b"BT /F1 %d Tf 72 %d Td (%s) Tj ET\n" % (size, y, text) for y, size, text in lines)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+CMR10 "
        b"/Encoding << /Type /Encoding /Differences [1 /fi /ff /ffi] >> >>",
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


def read(lines):
    pytest.importorskip("pypdf")
    return extract_text(draw_pdf(lines), suffix=".pdf", name="x")


def test_ligatures_are_spelt_out():
    text = [rb"The o\003ce will raise the tari\002 on \001nished", rb"steel and lend to \001ve yards."]
    assert read([(700, 11, text[0]), (686, 11, text[1])]) == (
        "The office will raise the tariff on finished steel and lend to five yards."
    )


@pytest.mark.parametrize("gap", [19, 24, 30])
def test_a_large_title_close_to_its_text_is_parted_from_it(gap):
    body = [(700 - 14 * n, 11, line.encode()) for n, line in enumerate(BODY)]
    assert read([(700 + gap, 20, b"Tolls and Loans"), *body]) == f"Tolls and Loans\n\n{' '.join(BODY)}"
    assert read(body) == " ".join(BODY)
