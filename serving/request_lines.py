"""Owns which first lines of HTTP/1.1 servers accept and h11 does not, and that an answer is written in one go.

Knows nothing of what is asked or answered.
"""

import re

import h11

_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)
_END_OF_LINE = b"\r\n"
_LENGTH = b"\r\ncontent-length: "


class LenientConnection(h11.Connection):
    """h11's side of a server, with two things that it refuses and RFC 9112 does not, and one write for a short answer.

    Of one empty line before a request nothing is told (section 2.2), and a target in absolute form, as clients send
    to proxies, is one of this server (section 3.2.2). And the head of an answer whose length is known is kept until its
    body begins: two writes are two calls of the system, between which other threads run. h11 has no hooks for these.
    """

    _has_skipped = False
    _kept_head = b""

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]  # h11 tells which event gives which
        """The bytes of an event, as h11 has them, with what was kept before it."""
        output = super().send(event)
        if output is None:  # the connection ends
            return None
        output, self._kept_head = self._kept_head + output, b""
        if isinstance(event, h11.Response) and _LENGTH in output.lower():
            output, self._kept_head = b"", output
        return output

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event, as h11 has it.

        Returns:
            As said.
        """
        if self.their_state is h11.IDLE and not self._has_skipped:
            begun = self._receive_buffer._data[:2]  # `trailing_data` would copy all that has come
            if begun == b"\r":
                return h11.NEED_DATA
            if begun == _END_OF_LINE:
                self._receive_buffer.maybe_extract_at_most(2)
                self._has_skipped = True
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._has_skipped = False
            if not event.target.startswith(b"/"):
                return _in_origin_form(event)
        return event


def _in_origin_form(request: h11.Request) -> h11.Request:
    """A request whose target is an `http` URL, as if it had been sent with the path and the host of that URL."""
    found = _ABSOLUTE.fullmatch(request.target)
    if found is None:
        return request
    host, path, query = found.groups(b"")
    headers = [(name, value) for name, value in request.headers if name != b"host"]
    return h11.Request(
        method=request.method,
        target=(path or b"/") + query,
        # Whatever the header says: a proxy before us went by the URL, and so must all who look at the host here.
        headers=[(b"host", host), *headers],
        http_version=request.http_version,
    )
