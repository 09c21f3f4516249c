"""Owns the bytes of an e-mail -> the text of its body, and notes on what of it is not read. Knows nothing of files."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import CloseBoundaryNotFoundDefect, InvalidBase64LengthDefect, MessageError
from email.message import EmailMessage
from email.parser import BytesParser, HeaderParser
from email.policy import EmailPolicy, compat32, default
from itertools import count
from types import ModuleType

from twohands.charsets import decode, decode_faulty, find_codec, find_marked_codec
from twohands.errors import FileReadError
from twohands.html_text import html_to_text
from twohands.mail_body import join_flowed, leave_out_answered, leave_out_quoted, leave_out_signature, part_lines
from twohands.marks import MAX_HEADING_WORDS
from twohands.printable import make_printable

MAX_PARTS = 1000
MAX_DEPTH = 30  # of parts in parts, of which each mail that is forwarded as a whole is one
HEAD_CHARS = 100_000  # of a text, by which it is known as a mail

_KNOWN = {
    "from", "sender", "to", "date", "subject", "received", "return-path", "message-id", "mime-version", "reply-to",
}  # fmt: skip
_TEXTS = {"text/plain", "text/html"}
_SIGNED = {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
_SEALED = {"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted"}
_STUB_WORDS = 30  # fewer may only say that the text is in another part
_STUB_SHARE = 3  # times as many are there
_MAX_HEADER_CHARS = 4000  # of those that are looked at
_MAX_NAMES = 10
_MAX_NAME_CHARS = 80
# What Python's parser and its headers raise, besides its own errors, where a mail is none of what they foresaw.
_BROKEN = (MessageError, ValueError, LookupError, AttributeError, TypeError, AssertionError, RecursionError)
_LINE_END = re.compile(r"\r\n|\r")
_FIRST_FIELD = re.compile(r"\s*(?:From [^\r\n]*(?>\r\n|\r|\n))?[!-9;-~]{1,70}:[ \t\r\n]")
_HEAD_END = re.compile(r"(?>\r\n|\r|\n)(?=\r|\n)")
_QUOTED_PRINTABLE = re.compile(r"=(?:[0-9A-F]{2}|[ \t]*[\r\n])")
_BASE64_LINE = re.compile(r"\s*[A-Za-z0-9+/]{20,}={0,2}\s*(?:[\r\n]|\Z)")


def _refuse(name: str, why: str) -> FileReadError:
    return FileReadError(f"{name} cannot be read as an e-mail: {why}; save its text as .txt or .html")


@dataclass(slots=True)
class _Found:
    """What a part holds: its texts in order, the names of what is attached to it, and what was left out of it."""

    texts: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    n_quoted: int = 0
    is_cut: bool = False
    is_sealed: bool = False

    def add(self, other: "_Found") -> None:
        self.texts += other.texts
        self.attached += other.attached
        self.n_quoted += other.n_quoted
        self.is_cut |= other.is_cut
        self.is_sealed |= other.is_sealed

    def count_words(self) -> int:
        return sum(len(text.split()) for text in self.texts)


def _make_header(name: str, value: str) -> str:
    """A header, unless it is so long that Python takes minutes: the time grows with the square of the length."""
    if len(value) > _MAX_HEADER_CHARS:
        raise ValueError(name)
    header: str = default.header_factory(name, value)
    return header


_POLICY = default.clone(header_factory=_make_header)


def _make_message(name: str) -> Callable[..., EmailMessage]:
    """What makes a message of each part, and counts them: a mail of some megabytes may have a million."""
    numbers = count()

    def make(policy: EmailPolicy | None = None) -> EmailMessage:
        if next(numbers) > MAX_PARTS:
            raise _refuse(name, f"it has more than {MAX_PARTS} parts")
        return EmailMessage(policy)

    return make


def _is_mail(mail: EmailMessage) -> bool:
    return not _KNOWN.isdisjoint(map(str.lower, mail))


def _read_subject(mail: EmailMessage) -> str:
    subject = next((str(value) for key, value in mail.raw_items() if key.lower() == "subject"), "")
    with suppress(*_BROKEN):
        subject = str(mail["subject"] or "")
    words = subject.encode("utf-8", "replace").decode().split()
    # As long as a paragraph, a heading would be read as one.
    return " ".join(words if len(words) < MAX_HEADING_WORDS else [*words[: MAX_HEADING_WORDS - 2], "\u2026"])


class _Reader:
    """Reads the parts of one mail."""

    def __init__(self, name: str, bs4: ModuleType) -> None:
        self._name = name
        self._bs4 = bs4
        self._subject = ""  # of the mail that is read, which may be attached to another

    def read_mail(self, mail: EmailMessage, depth: int) -> _Found:
        """A mail, and below its subject what it holds."""
        outer, subject = self._subject, _read_subject(mail)
        self._subject = subject
        found = self.read_part(mail, depth)
        self._subject = outer
        if subject and found.texts:
            found.texts.insert(0, f"{'#' * min(1 + (depth > 0), 6)} {subject}")
        return found

    def read_part(self, part: EmailMessage, depth: int) -> _Found:
        if depth > MAX_DEPTH:
            raise _refuse(self._name, f"it has parts in parts, more than {MAX_DEPTH} deep")
        kind = part.get_content_type()
        if kind in _SEALED or kind == "multipart/encrypted":
            return _Found(attached=[_name(part)], is_sealed=True)
        if kind == "message/rfc822":
            found = _Found()
            for mail in self._list_parts(part):  # one that is encoded as a whole, which it may not be, has no header
                found.add(self.read_mail(mail, depth + 1) if _is_mail(mail) else _Found(attached=[_name(part)]))
            return found
        if not kind.startswith("multipart/"):
            return self._read_leaf(part, kind)
        found = self._read_parts(kind, self._list_parts(part), depth + 1)
        found.is_cut |= any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in part.defects)
        return found

    def _list_parts(self, part: EmailMessage) -> list[EmailMessage]:
        payload = part.get_payload()
        if not isinstance(payload, list):  # the parts that are declared were cut off or changed
            raise _refuse(self._name, "its parts do not begin as its header says")
        return [each for each in payload if isinstance(each, EmailMessage)]

    def _read_parts(self, kind: str, parts: list[EmailMessage], depth: int) -> _Found:
        if kind == "multipart/alternative":
            return self._choose(parts, depth)
        if kind == "multipart/related":  # a page, and the pictures in it
            found = self.read_part(parts[0], depth) if parts else _Found()
            found.attached += [name for part in parts[1:] for name in self._list_attached(part, depth)]
            return found
        found = _Found()
        for part in parts:
            within = self.read_part(part, depth)
            # Of a second text with a name it is said that it is shown in the mail, and meant as a file all the same.
            if part.get_filename() and found.texts and part.get_content_maintype() == "text":
                within = _Found(attached=[_name(part)])
            found.add(within)
        return found

    def _choose(self, parts: list[EmailMessage], depth: int) -> _Found:
        """The plain text among parts that all say the same, else the page; but what only names another is none."""
        ranked = sorted(parts, key=lambda part: part.get_content_type() != "text/plain")
        chosen, attached = _Found(), list[str]()
        for part in ranked:
            n_words = chosen.count_words()
            is_text = part.get_content_type() in _TEXTS or part.is_multipart()  # and no program's own form of the same
            if n_words >= _STUB_WORDS or chosen.n_quoted or not is_text:
                attached += self._list_attached(part, depth)
                continue
            found = self.read_part(part, depth)
            if found.count_words() > (max(_STUB_SHARE * n_words, _STUB_WORDS) if n_words else 0):
                chosen, found = found, chosen
            attached += found.attached
        chosen.attached += attached
        return chosen

    def _list_attached(self, part: EmailMessage, depth: int) -> Iterator[str]:
        """The names of what is attached within a part whose text is not read, as another says the same."""
        if part.is_multipart() and depth <= MAX_DEPTH:
            for each in self._list_parts(part):
                yield from self._list_attached(each, depth + 1)
        elif part["content-id"] and part.get_content_maintype() == "image":
            return  # it is seen in the page
        elif part.get_content_disposition() == "attachment" or part.get_filename():
            yield _name(part)

    def _read_leaf(self, part: EmailMessage, kind: str) -> _Found:
        if kind in _SIGNED:
            return _Found()
        if kind not in _TEXTS or part.get_content_disposition() == "attachment":
            return _Found(attached=[_name(part)])
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or any(isinstance(each, InvalidBase64LengthDefect) for each in part.defects):
            raise _refuse(self._name, "its text is base64 that was cut off or changed")
        codec = find_codec(part.get_content_charset() or "")
        quoted: list[str] = []
        if kind == "text/html":
            text = html_to_text(content, bs4=self._bs4, codec=codec, name=self._name, quoted=quoted)
        else:
            text = _decode(content, codec)
            if str(part.get_param("format", "")).lower() == "flowed":
                text = join_flowed(text, is_space_deleted=str(part.get_param("delsp", "")).lower() == "yes")
        text, n_quoted = leave_out_quoted(_LINE_END.sub("\n", text))
        text, n_answered = leave_out_answered(text, self._subject)
        text = part_lines(leave_out_signature(text).strip("\n"))
        return _Found([text] if text.strip() else [], n_quoted=n_quoted + n_answered + len(quoted))


def _decode(content: bytes, codec: str | None) -> str:
    """Plain text, whatever is said of it: programs name an encoding that it has not, or none."""
    try:
        return decode(content, find_marked_codec(content) or codec or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return decode_faulty(content, codec or "utf-8")


def _name(part: EmailMessage) -> str:
    """What an attachment is called; its kind where it has no name."""
    words = " ".join(str(part.get_filename() or part.get_content_type()).split())
    return make_printable(words[:_MAX_NAME_CHARS])


def _tell_names(names: list[str]) -> str:
    return ", ".join(names[:_MAX_NAMES]) + (" and more" if len(names) > _MAX_NAMES else "")


def _list_notes(found: _Found) -> list[str]:
    notes = []
    if n := len(found.attached):
        told = "1 attachment is" if n == 1 else f"{n} attachments are"
        notes.append(f"{told} not read: {_tell_names(found.attached)}")
    if n := found.n_quoted:
        told = "1 line is" if n == 1 else f"{n} lines are"
        notes.append(f"{told} not read, which it quotes from what it answers")
    if found.is_cut:
        notes.append("its last part has no end: the file may have been cut off")
    return notes


def read_mail(content: bytes, name: str, *, bs4: ModuleType) -> tuple[str, list[str]]:
    """Extract the text of an e-mail.

    Args:
        content: of a file as programs for mail save it, by RFC 5322 and MIME.
        name: of the document, for messages.
        bs4: the library that reads HTML.

    Returns:
        Its subject as a heading, its text, which is the plain one where there are several, mails that are forwarded as
        a whole likewise, and notes on what is not read as Markdown defines notes; empty where there is no text. And
        these notes.

    Raises:
        FileReadError: it is no e-mail, is encrypted or damaged, or holds attachments alone.
    """
    try:
        if marked := find_marked_codec(content):
            content = decode(content, marked).removeprefix("\ufeff").encode()
        parser = BytesParser(_class=_make_message(name), policy=_POLICY)
        mail = parser.parsebytes(content.lstrip())
        if not _is_mail(mail):
            raise _refuse(name, "it does not begin with the header of one")
        found = _Reader(name, bs4).read_mail(mail, 0)
    except _BROKEN as error:
        raise _refuse(name, "it is not put together as mails are") from error
    if not found.texts:
        if found.is_sealed:
            raise _refuse(name, "it is encrypted, or signed in a way that only programs for mail read")
        if found.attached:
            n = len(found.attached)
            raise FileReadError(
                f"{name} has no text of its own, and what is attached to a mail is not read: "
                f"{'1 attachment' if n == 1 else f'{n} attachments'} ({_tell_names(found.attached)}); save and name it"
            )
        return "", []
    notes = _list_notes(found)
    told = [f"[^mail]: {note[0].upper()}{note[1:]}." for note in notes]
    return "\n\n".join([*found.texts, *told]), notes


def is_encoded_mail(text: str) -> bool:
    """Say whether a plain text is an e-mail as it is sent, whose body is written in codes or in several parts.

    Args:
        text: of which the first `HEAD_CHARS` characters are looked at.

    Returns:
        False for text below the lines From, To and Subject, which is read as it stands.
    """
    if not _FIRST_FIELD.match(text):
        return False
    head, *rest = _HEAD_END.split(text[:HEAD_CHARS], maxsplit=1)
    header = HeaderParser(policy=compat32).parsestr(head.lstrip())
    if header.defects or not rest:
        return False
    body = rest[0].lstrip("\r\n")
    coding = str(header["content-transfer-encoding"] or "").strip().lower()
    if coding == "quoted-printable":
        return _QUOTED_PRINTABLE.search(body) is not None
    if coding == "base64":
        return _BASE64_LINE.match(body) is not None
    boundary = header.get_boundary() if header.get_content_maintype() == "multipart" else None
    return boundary is not None and f"--{boundary}" in body
