"""E-mails are read as what their writer said, whatever codes they are sent in, and what is not read is told."""

import base64
import io
import time
from email.message import EmailMessage

import pytest

from tests.support.paragraphs import split_paragraphs
from twohands.documents import extract_document
from twohands.errors import EmptyParagraphError, FileReadError
from twohands.inputs import find_inputs
from twohands.items import read_items, read_stdin
from twohands.mail_text import MAX_DEPTH, MAX_PARTS

pytest.importorskip("bs4")
pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices \u2014 and not plans \u2014 should say what is built, his critics answered, and who pays for it."
WROTE = "On Tue, 3 May 2033 at 10:12, Ada Lind <ada@tide.example> wrote:"
SIGNATURE = "-- \nBo Tarn\nHead of Policy, Tide Institute"
PAGE = f"<html><body><h2>Loans</h2><p>{FIRST}</p><p>{LAST}</p></body></html>"


def make_mail(text=None, *, subject="Loans", cte=None, **more):
    mail = EmailMessage()
    mail["From"] = "Bo Tarn <bo@tide.example>"
    mail["Subject"] = subject
    if text is not None:
        mail.set_content(text, cte=cte, **more)
    return mail


def attach(mail, *names):
    for name in names:
        mail.add_attachment(b"%PDF-1.4 x", maintype="application", subtype="pdf", filename=name)
    return mail


def read(mail):
    return extract_document(mail if isinstance(mail, bytes) else mail.as_bytes(), suffix=".eml", name="a.eml")


def texts_of(mail):
    return [paragraph.text for paragraph in split_paragraphs(read(mail).text)]


@pytest.mark.parametrize("cte", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_mail_is_read_without_its_codes_and_its_subject_is_a_heading(cte, line_end):
    mail = make_mail(f"{FIRST}\n\n{LAST}\n", cte=cte, subject="Loans \u2014 and caf\u00e9s")
    content = mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", line_end.encode())
    document = read(content)
    paragraphs = split_paragraphs(document.text)
    assert [paragraph.text for paragraph in paragraphs] == [FIRST, LAST]
    assert {paragraph.section for paragraph in paragraphs} == {"Loans \u2014 and caf\u00e9s"}
    assert [document.text[paragraph.start : paragraph.end] for paragraph in paragraphs] == [FIRST, LAST]
    assert document.notes == []


@pytest.mark.parametrize(
    "body",
    [
        f"{FIRST}\n{LAST}\n{FIRST}",
        f"Dear all,\n{FIRST} {LAST}\n{LAST} {FIRST}",
        "Prices say it all.\nSo they do. And they will.",
        "\n".join([FIRST[:49], FIRST[50:], LAST[:48], LAST[49:]]),
        f"{FIRST}\n- plans,\n- prices,\n- loans.",
    ],
)
def test_a_body_is_split_as_it_is_without_its_subject(body):
    assert texts_of(make_mail(body)) == [paragraph.text for paragraph in split_paragraphs(body)]


def test_of_a_text_and_a_page_that_say_the_same_the_text_is_read():
    mail = make_mail(f"{FIRST}\n\nPlain, and long enough to stand for the page beside it, which nobody then reads.\n")
    mail.add_alternative(PAGE, subtype="html")
    assert LAST not in texts_of(mail)
    page = make_mail(PAGE, subtype="html")
    assert texts_of(page) == [FIRST, LAST]
    assert [paragraph.section for paragraph in split_paragraphs(read(page).text)] == ["Loans", "Loans"]


@pytest.mark.parametrize("stub", ["", "Your program shows no HTML.\n"])
def test_a_text_that_only_stands_for_the_page_is_not_read_in_its_place(stub):
    mail = make_mail(stub)
    mail.add_alternative(PAGE, subtype="html")
    assert texts_of(mail) == [FIRST, LAST]


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("utf-8", "utf-8"), ("windows-1252", "cp1252"), ("us-ascii", "utf-8"), ("us-ascii", "cp1252"),
        ("utf-8", "cp1252"), ("iso-8859-1", "utf-8"), ("no-such", "utf-8"), (None, "utf-8"), ("utf-16", "utf-16"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_charset_that_is_wrong_or_missing_spoils_no_letter(charset, encoding, kind):
    declared = f"Content-Type: text/{kind}" + (f"; charset={charset}" if charset else "")
    body = (f"<p>{LAST}</p>" if kind == "html" else LAST).encode(encoding)
    if encoding == "utf-16":  # a line of which may end anywhere
        declared, body = f"{declared}\nContent-Transfer-Encoding: base64", base64.encodebytes(body)
    assert texts_of(f"From: a@tide.example\n{declared}\n\n".encode() + body) == [LAST]
    if kind == "plain" and encoding == "cp1252":
        assert texts_of(b"From: a@tide.example\n\n" + body) == [LAST]


@pytest.mark.parametrize("is_space_deleted", [False, True])
def test_lines_of_flowed_text_are_put_together(is_space_deleted):
    words = FIRST.split(" ")
    gap = "  " if is_space_deleted else " "
    flowed = f"{gap}\n".join(" ".join(words[n : n + 5]) for n in range(0, len(words), 5))
    kind = f"text/plain; charset=utf-8; format=flowed{'; delsp=yes' if is_space_deleted else ''}"
    stuffed = f" From here on {LAST}\n >is no quotation, and is read as the text that it is, with its sign.\n"
    content = f"From: a@tide.example\nContent-Type: {kind}\n\n{flowed}\n\n{stuffed}\n{SIGNATURE}\n"
    text = read(content.encode()).text
    assert text.split("\n")[0] == FIRST
    assert f"\nFrom here on {LAST}\n" in text
    assert ">is no quotation" in text
    assert "Bo Tarn" not in text


def test_what_is_quoted_of_another_mail_is_not_read_and_is_told():
    answer = f"{FIRST}\n\n{LAST}\n{WROTE}\n> {FIRST}\n>\n>> old words\n\nI agree.\n"
    document = read(make_mail(answer))
    assert [paragraph.text for paragraph in split_paragraphs(document.text)][:2] == [FIRST, LAST]
    assert ("wrote" in document.text, ">" in document.text, "I agree." in document.text) == (False, False, True)
    assert document.notes == ["2 lines are not read, which it quotes from what it answers"]
    assert document.text.endswith(f"[^mail]: {document.notes[0]}.")
    wrapped = WROTE.replace(" Ada", "\nAda")
    assert texts_of(make_mail(f"{FIRST}\n\n{wrapped}\n\n> {LAST}\n")) == [FIRST]


def test_what_is_forwarded_or_is_all_there_is_is_read_though_it_is_quoted():
    header = "> From: Ada Lind <ada@tide.example>\n> Subject: Loans\n> Date: 3 May 2033\n"
    forwarded = f"Begin forwarded message:\n\n{header}>\n> {FIRST}\n>\n> {LAST}\n"
    assert texts_of(make_mail(forwarded))[-2:] == [FIRST, LAST]
    assert texts_of(make_mail(f"> {FIRST}\n>\n> {LAST}\n")) == [FIRST, LAST]
    assert texts_of(make_mail(f"{LAST}\n\n>From now on {FIRST}\n")) == [LAST, f"From now on {FIRST}"]


def test_a_page_that_quotes_a_mail_is_read_without_it():
    quoted = f"<div>{WROTE.replace('<', '&lt;')}</div><blockquote {{}}><p>{FIRST}</p></blockquote>"
    for attribute in ("type=cite", "class='gmail_quote'"):
        assert texts_of(make_mail(f"<p>{LAST}</p>{quoted.format(attribute)}", subtype="html")) == [LAST]
        two = quoted.format(attribute).replace(FIRST, f"{FIRST}<br>{LAST}</p><p>{FIRST}")
        document = read(make_mail(f"<p>{LAST}</p>{two}", subtype="html"))
        assert document.notes == ["3 lines are not read, which it quotes from what it answers"]
    own = f"<p>{LAST}</p><blockquote><p>{FIRST}</p></blockquote>"
    assert not read(make_mail(own, subtype="html")).notes
    assert texts_of(make_mail(own, subtype="html")) == [LAST, FIRST]
    forwarded = f"<p>{LAST}</p><blockquote type=cite><div>Begin forwarded message:</div><p>{FIRST}</p></blockquote>"
    assert FIRST in texts_of(make_mail(forwarded, subtype="html"))
    # On the web it is the page's own.
    page = f"<p>{LAST}</p><blockquote type=cite><p>{FIRST}</p></blockquote>".encode()
    assert FIRST in extract_document(page, suffix=".html", name="x").text


HEADER = "From: Ada Lind <ada@tide.example>\nSent: Tuesday, 3 May 2033 10:12\nTo: Bo Tarn\nSubject: Loans"


@pytest.mark.parametrize("subject", ["RE: Loans", "Re[2]: Loans", "[External] AW: Loans"])
@pytest.mark.parametrize("above", ["", "-----Original Message-----\n", "________________________________\n"])
def test_the_mail_that_outlook_sets_below_an_answer_is_not_read_and_is_told(subject, above):
    answer = f"{FIRST}\n\nRegards,\nBo\n\n{above}{HEADER}\n\n{LAST}\n\nAda\n"
    document = read(make_mail(answer, subject=subject))
    assert [paragraph.text for paragraph in split_paragraphs(document.text)] == [FIRST]
    assert document.notes == [f"{6 + bool(above)} lines are not read, which it quotes from what it answers"]
    lines = HEADER.replace("<", "&lt;").replace("\n", "<br>")
    page = f"<p>{FIRST}</p><hr><div id=divRplyFwdMsg><font>{lines}</font></div><div>{LAST}</div>"
    assert texts_of(make_mail(page, subtype="html", subject=subject)) == [FIRST]


def test_what_outlook_forwards_is_read_and_so_is_what_an_answer_says_nothing_beside():
    for subject, body in (
        ("FW: Loans", f"{FIRST}\n\n{HEADER}\n\n{LAST}\n"),
        ("Loans", f"{FIRST}\n\n{HEADER}\n\n{LAST}\n"),
        ("RE: Loans", f"{FIRST}\n\n---------- Forwarded message ---------\n{HEADER}\n\n{LAST}\n"),
    ):
        document = read(make_mail(body, subject=subject))
        assert [paragraph.text for paragraph in split_paragraphs(document.text)] == [FIRST, LAST]
        assert not document.notes
    assert texts_of(make_mail(f"{HEADER}\n\n{LAST}\n", subject="RE: Loans")) == [LAST]
    # An answer to which a mail with another subject is attached.
    outer = make_mail(FIRST, subject="RE: Loans")
    outer.add_attachment(make_mail(f"{LAST}\n\n{HEADER}\n\n{FIRST}\n", subject="Fwd: Ports"))
    assert texts_of(outer) == [FIRST, LAST, FIRST]


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "font-size:1px; Visibility: hidden",
        "max-height:0px;overflow:hidden",
        "overflow:hidden;max-height:0",
    ],
)
def test_what_a_mail_hides_by_style_is_not_read_and_a_page_unfolds_it(style):
    hidden = f"<div style='{style}'>{LAST}</div>"
    page = f"{hidden}{f'<p>{FIRST}</p>' * 3}"
    assert texts_of(make_mail(page, subtype="html")) == [FIRST] * 3
    assert LAST in extract_document(page.encode(), suffix=".html", name="x").text
    shown = page.replace("none", "block").replace("hidden", "visible").replace("max-height:0", "max-height:0.9em")
    assert texts_of(make_mail(shown, subtype="html")) == [LAST, *[FIRST] * 3]
    assert texts_of(make_mail(f"{hidden}<p>See above.</p>", subtype="html"))[0] == LAST


def test_what_stands_below_a_signature_is_not_read_but_what_is_forwarded_there_is():
    legal = "Our firm takes no part in what its staff may write, and no word of theirs binds it or those who own it."
    forwarded = f"---------- Forwarded message ---------\nFrom: Ada <ada@tide.example>\nSubject: Loans\n\n{LAST}"
    assert texts_of(make_mail(f"{FIRST}\n\n{SIGNATURE}\n\n{legal}\n")) == [FIRST]
    assert texts_of(make_mail(f"{FIRST}\n\n{SIGNATURE}\n\n{legal}\n\n{forwarded}\n")) == [FIRST, LAST]
    long = "\n\n".join([FIRST] * 25)  # no signature is so long
    assert len(texts_of(make_mail(f"{FIRST}\n\n{SIGNATURE}\n\n{long}\n"))) >= 26


def test_what_is_attached_is_told_by_number_and_name():
    mail = attach(make_mail(FIRST), "r\u00e9port.pdf", "b\x1b[2J.pdf")
    document = read(mail)
    assert [paragraph.text for paragraph in split_paragraphs(document.text)] == [FIRST]
    (note,) = document.notes
    assert note.startswith("2 attachments are not read: r\u00e9port.pdf, b")
    assert "\x1b" not in note
    many = read(attach(make_mail(FIRST), *(f"{n}.pdf" for n in range(40)))).notes[0]
    assert many.startswith("40 attachments are not read: 0.pdf, 1.pdf")
    assert "39.pdf" not in many


def test_a_mail_of_attachments_alone_is_refused_and_an_empty_one_holds_no_text(tmp_path):
    with pytest.raises(FileReadError, match=r"1 attachment \(a\.pdf\)"):
        read(attach(make_mail(), "a.pdf"))
    (tmp_path / "a.eml").write_bytes(make_mail("\n").as_bytes())
    (item,) = read_items([tmp_path / "a.eml"], [], text_column="text")
    assert isinstance(item.error, EmptyParagraphError)


def test_pictures_in_a_page_and_signatures_of_programs_are_not_told_of():
    mail = make_mail(FIRST)
    mail.add_alternative(f"<p>{FIRST}</p><img src=cid:a>", subtype="html")
    mail.get_payload()[1].add_related(b"x", "image", "png", cid="<a>", filename="a.png", disposition="inline")
    mail.add_attachment(b"x", maintype="application", subtype="pgp-signature")
    assert read(mail).notes == []


def test_a_mail_that_is_attached_is_read_below_its_own_subject():
    inner = attach(make_mail(f"{LAST}\n", subject="Prices", cte="base64"), "a.pdf")
    outer = make_mail(f"{FIRST}\n")
    outer.add_attachment(inner)
    document = read(outer)
    found = [(paragraph.section, paragraph.text) for paragraph in split_paragraphs(document.text)]
    assert found == [("Loans", FIRST), ("Prices", LAST)]
    assert document.notes == ["1 attachment is not read: a.pdf"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Only prose, and no header at all.\n\nMore of it.",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
        b"From: a@tide.example\nContent-Type: multipart/mixed; boundary=x\n\nNo part.",
        b"From: a@tide.example\nContent-Type: multipart/mixed\n\nNo part.",
        b"From: a@tide.example\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nAAAAA\n",
        b"From: a@tide.example\nContent-Type: multipart/encrypted; boundary=x\n\n--x\n\na\n--x--\n",
        b"From: a@tide.example\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG\n",
        b"From: a@tide.example\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * (MAX_PARTS + 10),
        b"From: a@tide.example\n"
        + b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(MAX_DEPTH + 5)),
        b"From: a@tide.example\n" + b"Content-Type: message/rfc822\n\nFrom: a@tide.example\n" * 3000,
        b"From: a@tide.example\nContent-Type: text/plain" + b"; a=b" * 60_000 + b"\n\nA.\n",
        b"From: a@tide.example\nContent-Type: text/plain; " + b"(" * 3000 + b"\n\nA.\n",
    ],
)
def test_what_is_no_mail_or_is_made_to_harm_is_refused_soon(content):
    start_s = time.process_time()
    with pytest.raises(FileReadError):
        read(content)
    assert time.process_time() - start_s < 5


def test_a_mail_that_was_cut_off_says_so():
    mail = attach(make_mail(f"{FIRST}\n"), "a.pdf").as_bytes()
    document = read(mail[: mail.rindex(b"\n--")])
    assert FIRST in document.text
    assert document.notes[-1].startswith("its last part has no end")


@pytest.mark.parametrize("subject", ["=?utf-8?q?a?= " * 20_000, "=?no-such?q?Loans?=", "word " * 200, "\x00\xff ="])
def test_an_odd_subject_costs_no_text_and_is_no_paragraph(subject):
    content = f"From: a@tide.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{FIRST}\n"
    start_s = time.process_time()
    assert texts_of(content.encode("latin-1")) == [FIRST]
    assert time.process_time() - start_s < 5


MARKED = make_mail(f"{FIRST}\n\n{LAST}\n", cte="quoted-printable").as_bytes()
IN_PARTS = attach(make_mail(f"{FIRST}\n"), "a.pdf").as_bytes()


@pytest.mark.parametrize("content", [MARKED, IN_PARTS, make_mail(FIRST, cte="base64").as_bytes()])
@pytest.mark.parametrize("before", [b"", b"Received: from tide.example\n by quay.example; 3 May 2033\n"])
def test_a_mail_with_its_codes_is_no_plain_text_and_on_standard_input_is_a_mail(content, before):
    content = before + content
    for each in (content, content.replace(b"\n", b"\r\n"), b"\n" + content):
        with pytest.raises(FileReadError, match=r"name it \.eml"):
            extract_document(each, suffix=".txt", name="a.txt")
    kind, items = read_stdin(io.BytesIO(content), [], text_column="text")
    item = next(items)
    assert (kind, item.text) == (".eml", FIRST)
    assert (item.where["start"], item.where["end"]) == (None, None)


@pytest.mark.parametrize(
    "header",
    [
        "From: Ada Lind\nTo: Bo Tarn\nSubject: Loans\n",
        "Received: from tide.example\nMIME-Version: 1.0\nContent-Type: text/plain\nFrom: a@b.example\nSubject: x\n",
        "From: a@b.example\nSubject: x\nContent-Transfer-Encoding: quoted-printable\n",  # and was decoded since
        "Content-Type: multipart/mixed; boundary=x\nFrom: a@b.example\nSubject: x\n",
        "Note: the following is of the ministry.\n",
    ],
)
def test_plain_text_below_a_header_is_read_as_ever(header):
    text = f"{header}\n{FIRST}\n\n{LAST}\n"
    document = extract_document(text.encode(), suffix=".txt", name="a.txt")
    assert document.text == text
    assert [paragraph.text for paragraph in split_paragraphs(text)][-2:] == [FIRST, LAST]


def test_folders_of_mails_are_read_and_what_is_not_read_of_them_is_told(tmp_path):
    (tmp_path / "a.eml").write_bytes(attach(make_mail(f"{FIRST}\n"), "a.pdf").as_bytes())
    (tmp_path / "b.EML").write_bytes(MARKED)
    notes = []
    files = find_inputs([tmp_path], text_column="text")
    items = list(read_items(files, [], text_column="text", notes=notes))
    assert [item.text for item in items] == [FIRST, FIRST, LAST]
    assert {item.where["section"] for item in items} == {"Loans"}
    assert all(item.where["start"] is None for item in items)
    assert notes == [f"{tmp_path / 'a.eml'}: 1 attachment is not read: a.pdf"]


@pytest.mark.parametrize("body", ["> a\n\n" * 100_000, "b\n>c\n" * 100_000, "a \n" * 200_000, "-- \n\n" * 100_000])
def test_long_mails_take_linear_time(body):
    header = "From: a@tide.example\nContent-Type: text/plain; format=flowed\n\n"
    start_s = time.process_time()
    read((header + body).encode())
    assert time.process_time() - start_s < 20
