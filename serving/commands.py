"""Owns the command `twohands serve`: options and environment -> settings -> server."""

from collections.abc import Callable
from typing import Any, get_args

import click
from pydantic import ValidationError

from serving.server import run_server
from serving.settings import LogLevel, ServeSettings
from twohands.errors import ConfigError
from twohands.paragraphs import LIMIT_CHARS
from twohands.taxonomy import describe_faults

_Command = Callable[..., None]


def _option(flag: str, field: str, **attributes: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - as click has it
    """An option with the default and the description of a field of the settings."""
    described = ServeSettings.model_fields[field]
    text = described.description or ""
    return click.option(
        flag,
        field,
        default=described.default,
        show_default=described.default is not None,
        # Not TWOHANDS_PORT: Kubernetes sets that to a URL in every pod beside a service called twohands.
        envvar=f"TWOHANDS_SERVE_{flag.removeprefix('--').replace('-', '_').upper()}",
        show_envvar=True,
        help=f"{text[:1].upper()}{text[1:]}.",
        **attributes,
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@_option("--model", "model", metavar="NAME_OR_DIR")
@_option("--host", "host")
@_option("--port", "port", type=click.IntRange(0, 65535))
@_option("--threads", "num_threads", type=click.IntRange(1))
@_option("--max-body-bytes", "max_body_bytes", type=click.IntRange(1))
@_option("--max-inputs", "max_inputs", type=click.IntRange(1))
@_option("--limit-chars", "limit_chars", type=click.IntRange(1, LIMIT_CHARS))
@_option("--max-pending", "max_pending", type=click.IntRange(1))
@_option("--max-queue-tokens", "max_queue_tokens", type=click.IntRange(1))
@_option("--request-timeout", "request_timeout_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@_option("--shutdown-timeout", "shutdown_timeout_s", type=click.IntRange(1), metavar="SECONDS")
@_option("--log-level", "log_level", type=click.Choice(get_args(LogLevel)))
def serve(**options: Any) -> None:  # noqa: ANN401 - checked by ServeSettings
    """Serve a model over HTTP.

    The service listens on this machine only until --host says otherwise. It answers as soon as it prints its
    address, and ends in good order on SIGTERM or Ctrl-C: what was taken in is answered first.

    \b
    twohands serve
    curl -s http://127.0.0.1:8000/v1/classify -H 'content-type: application/json' \\
      -d '{"inputs": "The ministry will buy whatever the mills cannot sell abroad."}'

    Send a list to classify several paragraphs at once. /info shows the model and its labels, /openapi.json the
    whole interface, /readyz whether requests are answered. Each option can also be set in the environment, by
    the name that stands behind it.
    """  # noqa: D301 - click wants a real backspace, and a backslash before it would end up in the help
    try:
        settings = ServeSettings(**options)
    except ValidationError as error:
        raise ConfigError("these options cannot be served with", describe_faults(error)) from error
    run_server(settings, click.echo)
