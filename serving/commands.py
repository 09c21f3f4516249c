"""Owns the command `twohands serve`: options and environment -> settings -> server."""

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import ValidationError

from serving.environment import PREFIX, describe_unknown
from serving.logs import set_up_logs
from serving.settings import PATTERNS, LogFormat, LogLevel, ServeSettings
from twohands.errors import ConfigError
from twohands.paragraphs import LIMIT_CHARS
from twohands.printable import make_printable
from twohands.runtimes import Runtime
from twohands.standard_streams import drop_stdout
from twohands.taxonomy import describe_faults

_LOGGER = logging.getLogger(__name__)
_Command = Callable[..., None]


def _require_finite(_context: click.Context, _option: click.Parameter, number: float) -> float:
    """Refuse what `float` reads and no clock can wait for: click's ranges take `inf`, and `nan` is in every one."""
    if not math.isfinite(number):
        raise click.BadParameter(f"{number} is not a finite number.")
    return number


def _option(flag: str, field: str, **attributes: Any) -> Callable[[_Command], _Command]:  # noqa: ANN401 - as click has it
    """An option with the default and the description of a field of the settings."""
    described = ServeSettings.model_fields[field]
    text = described.description or ""
    if isinstance(attributes.get("type"), click.FloatRange):
        attributes["callback"] = _require_finite
    is_given = described.default is not None and described.default is not False and described.default != ()
    is_shown = is_given and not attributes.get("multiple", False)  # 0 is a default like others
    return click.option(
        flag,
        field,
        default=() if attributes.get("multiple", False) else described.default,
        show_default=is_shown,
        # Not TWOHANDS_PORT: Kubernetes sets that to a URL in every pod beside a service called twohands.
        envvar=f"{PREFIX}{flag.removeprefix('--').replace('-', '_').upper()}",
        show_envvar=True,
        help=f"{text[:1].upper()}{text[1:]}.",
        **attributes,
    )


def announce(line: str) -> None:
    """Print a line for whoever started the service; that nobody can read it is no reason not to serve."""
    try:
        click.echo(make_printable(line))
    except OSError as error:
        _LOGGER.warning("standard output cannot be written: %s", error.strerror)
        drop_stdout()


def name_models(options: dict[str, Any]) -> dict[str, Any]:
    """Make of `--model`, which can be given several times, the default model and the others."""
    first, *others = options["model"] or (None,)
    return options | {"model": first, "other_models": tuple(others)}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
# A path's list of them is divided by colons in the environment: folders may have spaces.
@_option("--model", "model", metavar="[NAME=]NAME_OR_DIR", multiple=True, type=click.Path())
@_option("--host", "host")
@_option("--port", "port", type=click.IntRange(0, 65535))
@_option("--threads", "num_threads", type=click.IntRange(1))
@_option("--runtime", "runtime", type=click.Choice(get_args(Runtime)))
@_option("--max-body-bytes", "max_body_bytes", type=click.IntRange(1))
@_option("--max-bodies-bytes", "max_bodies_bytes", type=click.IntRange(1))
@_option("--max-inputs", "max_inputs", type=click.IntRange(1))
@_option("--flat-list", "flat_list", type=click.Choice(["batch", "pair"]))
@_option("--limit-chars", "limit_chars", type=click.IntRange(1, LIMIT_CHARS))
@_option("--max-pending", "max_pending", type=click.IntRange(1))
@_option("--max-queue-tokens", "max_queue_tokens", type=click.IntRange(1))
@_option("--request-timeout", "request_timeout_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@_option("--shutdown-timeout", "shutdown_timeout_s", type=click.IntRange(1), metavar="SECONDS")
@_option("--drain-delay", "drain_delay_s", type=click.FloatRange(0), metavar="SECONDS")
@_option("--keep-alive-timeout", "keep_alive_timeout_s", type=click.IntRange(1), metavar="SECONDS")
@_option("--log-level", "log_level", type=click.Choice(get_args(LogLevel)))
@_option("--log-format", "log_format", type=click.Choice(get_args(LogFormat)))
@_option("--models", "models_dir", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR")
@_option("--shadow", "shadow", metavar="NAME_OR_DIR")
@_option("--shadow-share", "shadow_share", type=click.FloatRange(0, 1, min_open=True))
@_option("--api-keys-file", "api_keys_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@_option("--insecure", "insecure", is_flag=True)
@_option("--requests-per-minute", "requests_per_minute", type=click.IntRange(1))
@_option("--cors-origin", "cors_origins", multiple=True, metavar="ORIGIN")
@_option("--max-connections", "max_connections", type=click.IntRange(1))
@_option("--max-header-bytes", "max_header_bytes", type=click.IntRange(256))
@_option("--body-timeout", "body_timeout_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@_option("--max-document-bytes", "max_document_bytes", type=click.IntRange(1))
@_option("--max-document-paragraphs", "max_document_paragraphs", type=click.IntRange(1))
@_option("--document-timeout", "document_timeout_s", type=click.FloatRange(0, min_open=True), metavar="SECONDS")
@_option("--workers", "workers", type=click.IntRange(1, 256))
@_option("--corrections", "corrections", metavar="URL|off")
@_option("--max-corrections-bytes", "max_corrections_bytes", type=click.IntRange(1))
@_option("--tracing", "tracing", is_flag=True)
def serve(**options: Any) -> None:  # noqa: ANN401 - checked by ServeSettings
    """Serve a model over HTTP.

    The service listens on this machine only until --host says otherwise. It answers as soon as it prints its
    address, and ends in good order on SIGTERM or Ctrl-C: what was taken in is answered first.

    \b
    twohands serve
    curl -s http://127.0.0.1:8000/v1/classify \\
      -H 'content-type: application/json' \\
      -d '{"inputs": "The government will fund every domestic chip plant."}'

    --model can be given several times, and --models serves every model folder in DIR: a request's field `model`
    names one. SIGHUP loads them all again; a folder that cannot be served changes nothing.

    Beyond this machine, API keys are needed: `twohands keys add NAME` makes one, --api-keys-file takes them.

    Send a list to classify several paragraphs at once. /info shows the model and its labels, /openapi.json the
    whole interface, /readyz whether requests are answered. Each option can also be set in the environment, by
    the name that stands behind it.
    """  # noqa: D301 - click wants a real backspace, and a backslash before it would end up in the help
    try:
        settings = ServeSettings(**name_models(options))
    except ValidationError as error:
        raise ConfigError("these options cannot be served with", describe_faults(error, PATTERNS)) from error
    known = {str(option.envvar) for option in click.get_current_context().command.params if option.envvar}
    if unknown := describe_unknown(os.environ, known):
        set_up_logs(level=settings.log_level, log_format=settings.log_format)
        _LOGGER.warning("%s", unknown)
    # A second of imports, which neither --help nor a refused option waits for.
    if settings.workers == 1:
        from serving.server import run_server

        run_server(settings, announce)
    else:
        from serving.supervisor import run_workers

        run_workers(settings, announce)
