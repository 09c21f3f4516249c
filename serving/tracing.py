"""Owns traces: one span a request, joined to the caller's trace, if OpenTelemetry is installed and asked for.

The extra `tracing` brings it; the OTEL_* variables of its own documentation say where spans go.
"""

import importlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol

from starlette.types import Scope

from twohands.errors import MissingExtraError

_LOGGER = logging.getLogger(__name__)
_END_S = 2.0
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Span(Protocol):
    """One request, being traced."""

    def close(self, *, route: str | None, status: int, request_id: str) -> None:
        """Say how it went; None is no route that is served."""


class Spans(Protocol):
    """Opens spans."""

    def open(self, scope: Scope) -> Any:  # noqa: ANN401 - a context manager of a Span
        """Open one around a request."""

    def end(self) -> None:
        """Send what is left; blocking, for a moment."""


class _NoSpans:
    """Traces nothing."""

    def __init__(self) -> None:
        self._opened = nullcontext(self)  # one for all: it keeps nothing

    def open(self, scope: Scope) -> nullcontext["_NoSpans"]:
        del scope
        return self._opened

    def close(self, *, route: str | None, status: int, request_id: str) -> None:
        del route, status, request_id

    def end(self) -> None:
        return


NO_SPANS: Spans = _NoSpans()


class _OtelSpan:
    def __init__(self, span: Any, error_status: Any, method: str) -> None:  # noqa: ANN401 - an optional library's
        self._span, self._error_status, self._method = span, error_status, method

    def close(self, *, route: str | None, status: int, request_id: str) -> None:
        if route is not None:  # else, by the conventions, the method alone is the name, and there is no attribute
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        self._span.set_attribute("twohands.request_id", request_id)
        if status >= 500:
            self._span.set_status(self._error_status)


class OtelSpans:
    """Spans of OpenTelemetry, by the semantic conventions for HTTP servers."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 - of an optional library
        """Take over a tracer provider.

        Args:
            provider: of the OpenTelemetry SDK.
        """
        self._trace = importlib.import_module("opentelemetry.trace")
        propagation = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
        self._propagator = propagation.TraceContextTextMapPropagator()
        self.provider = provider
        self._tracer = provider.get_tracer("twohands")

    @contextmanager
    def open(self, scope: Scope) -> Iterator[Span]:
        """Open a span; its parent is the one that the caller names in `traceparent`."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"traceparent", b"tracestate"}
        }
        method = scope["method"] if scope["method"] in METHODS else "HTTP"
        with self._tracer.start_as_current_span(
            method,
            context=self._propagator.extract(carrier),
            kind=self._trace.SpanKind.SERVER,
            attributes={"http.request.method": method if method in METHODS else "_OTHER"},
            # An exception's words may hold a caller's text.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _OtelSpan(span, self._trace.Status(self._trace.StatusCode.ERROR), method)

    def end(self) -> None:
        """Send what is left, if the collector takes it in a moment: one that is away must not hold up the end."""
        sending = threading.Thread(target=self.provider.shutdown, name="twohands-spans", daemon=True)
        sending.start()
        sending.join(_END_S)
        if sending.is_alive():
            _LOGGER.warning("the collector of traces does not answer; the last spans are lost")


def open_tracing() -> OtelSpans:
    """Set OpenTelemetry up to send spans by OTLP over HTTP.

    Returns:
        Where requests are traced.

    Raises:
        MissingExtraError: OpenTelemetry is not installed.
    """
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError as error:
        raise MissingExtraError("--tracing needs OpenTelemetry: pip install 'twohands[tracing]'") from error
    resource = resources.Resource.create()  # of OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, whose words win
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(resources.Resource({"service.name": "twohands"}))
    # At the exit of the process it would wait for a collector that is away for ten seconds and more; see `end`.
    provider = sdk.TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return OtelSpans(provider)
