import http.client
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from serving.commands import serve
from serving.environment import describe_unknown
from serving.server import open_socket
from serving.settings import ServeSettings
from twohands.errors import AddressError, ConfigError, ManifestError, ModelNotFoundError

HEAVY = ["torch", "transformers", "datasets", "training", "evaluation", "sklearn", "pyarrow", "pandas"]


def clean_environment(**variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TWOHANDS_")}
    return kept | variables


def run_serve(*arguments, **variables):
    command = [sys.executable, "-m", "twohands", "serve", *arguments]
    return subprocess.run(
        command, env=clean_environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def process(tiny_model):
    variables = {"TWOHANDS_SERVE_MODEL": str(tiny_model), "TWOHANDS_SERVE_THREADS": "1"}
    command = [sys.executable, "-m", "twohands", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=clean_environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        yield process
        watchdog.cancel()
        if process.poll() is None:
            process.kill()


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body=body, headers={"content-type": "application/json"} if body else {})
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_serves_and_ends_in_good_order(process, number):
    line = process.stdout.readline()
    port = int(re.search(r"http://127\.0\.0\.1:(\d+) with 1 thread, onnxruntime$", line.strip())[1])
    assert ask(port, "GET", "/readyz") == (200, {"status": "ready"})
    status, answer = ask(port, "POST", "/v1/classify", json.dumps({"inputs": "The market."}))
    assert status == 200
    assert answer["predictions"][0]["stance"]["label"] == "market-led"
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (0, "", "")


def test_missing_model_ends_with_one_message_and_code_1(tmp_path):
    ended = run_serve("--model", str(tmp_path / "absent"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error [model_not_found]: ")
    assert "Traceback" not in ended.stderr


def invoke(*arguments):
    return CliRunner(env=dict.fromkeys([name for name in os.environ if name.startswith("TWOHANDS_")])).invoke(
        serve, arguments
    )


@pytest.mark.parametrize("name", ["tokenizer.json", "model.onnx", "manifest.json"])
def test_tampered_model_is_refused_before_a_port_is_taken(tiny_model, tmp_path, name, monkeypatch):
    monkeypatch.setattr("serving.server.open_socket", lambda *_: pytest.fail("a port was taken"))
    folder = shutil.copytree(tiny_model, tmp_path / "tampered")
    with (folder / name).open("ab") as stream:
        stream.write(b"x")
    assert isinstance(invoke("--model", str(folder)).exception, ManifestError)
    assert isinstance(invoke("--model", str(tmp_path / "absent")).exception, ModelNotFoundError)


def test_port_in_use_is_one_clear_error(tiny_model):
    with open_socket("127.0.0.1", 0) as taken:
        ended = invoke("--model", str(tiny_model), "--port", str(taken.getsockname()[1]))
    assert isinstance(ended.exception, AddressError)
    assert "\n" not in str(ended.exception)


def test_options_that_contradict_each_other_are_refused(tiny_model):
    ended = invoke("--model", str(tiny_model), "--max-inputs", "600")
    assert isinstance(ended.exception, ConfigError)


@pytest.mark.issue(5)
def test_neither_help_nor_a_refused_option_waits_for_the_server_to_be_imported():
    code = (
        "import sys; from click.testing import CliRunner; from serving.commands import serve;"
        "ended = [CliRunner().invoke(serve, words).exit_code for words in (['--help'], ['--max-inputs', '0'])];"
        "print(ended, {'fastapi', 'numpy', 'onnxruntime', 'uvicorn'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "[0, 2] set()\n"


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "x"], ["--threads", "0"], ["--max-input", "1"]])
def test_wrong_options_are_refused_by_the_command_line(arguments):
    assert invoke(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("--request-timeout", "request_timeout_s"),
        ("--document-timeout", "document_timeout_s"),
        ("--body-timeout", "body_timeout_s"),
        ("--drain-delay", "drain_delay_s"),
        ("--shadow-share", "shadow_share"),
    ],
)
@pytest.mark.parametrize("number", ["inf", "nan"])
def test_no_time_is_without_end(option, field, number, tiny_model, monkeypatch):
    monkeypatch.setattr("serving.server.run_server", lambda *_: pytest.fail("it serves"))
    variable = f"TWOHANDS_SERVE_{option[2:].replace('-', '_').upper()}"
    for ended in (
        invoke(option, number),
        CliRunner(env={variable: number}).invoke(serve, ["--model", str(tiny_model)]),
    ):
        assert ended.exit_code == 2
        assert option in ended.stderr
        if option != "--shadow-share" or number == "nan":  # that has an upper bound
            assert f"{number} is not a finite number" in ended.stderr
    with pytest.raises(ValidationError, match="finite"):
        ServeSettings(**{field: float(number)})


def test_a_misspelt_variable_is_told_once_at_the_start_and_changes_nothing(monkeypatch, capsys):
    served = []
    monkeypatch.setattr("serving.server.run_server", lambda settings, _: served.append(settings))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    unknown = {
        "TWOHANDS_SERVE_MAX_INPUT": "7",
        "TWOHANDS_SERVE_MAX_INPUTS": "9",
        "TWOHANDS_SERVE_SERVICE_HOST": "10.0.0.7",
    }
    try:
        for name, content in unknown.items():
            monkeypatch.setenv(name, content)
        serve.main([], standalone_mode=False)
        for handler in root.handlers:
            handler.close()
    finally:
        root.handlers[:], root.level = handlers, level
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["level"] == "warning"
    assert "TWOHANDS_SERVE_MAX_INPUT (is it TWOHANDS_SERVE_MAX_INPUTS?)" in told["message"]
    assert "SERVICE_HOST" not in told["message"]
    assert [settings.max_inputs for settings in served] == [9]


def test_variables_of_kubernetes_services_are_no_misspelt_options():
    known = ["TWOHANDS_SERVE_PORT", "TWOHANDS_SERVE_HOST"]
    of_services = {
        "TWOHANDS_SERVE_PORT": "tcp://10.0.0.7:80",
        "TWOHANDS_SERVE_PORT_80_TCP": "tcp://10.0.0.7:80",
        "TWOHANDS_SERVE_PORT_80_TCP_ADDR": "10.0.0.7",
        "TWOHANDS_SERVE_SERVICE_PORT": "80",
        "TWOHANDS_SERVE_SERVICE_PORT_HTTP": "80",
        "TWOHANDS_SERVE_METRICS_SERVICE_HOST": "10.0.0.7",
        "TWOHANDS_SERVE_METRICS_PORT": "tcp://10.0.0.7:80",
        "TWOHANDS_PORT": "tcp://10.0.0.7:80",
        "HOME": "/",
    }
    assert describe_unknown(of_services, known) == ""
    told = describe_unknown(of_services | {"TWOHANDS_SERVE_PROT": "secret", "TWOHANDS_SERVE_QXZJ": "secret"}, known)
    assert "TWOHANDS_SERVE_PROT (is it TWOHANDS_SERVE_PORT?)" in told
    assert "TWOHANDS_SERVE_QXZJ;" in told  # nothing is like it
    assert "secret" not in told


def test_help_teaches():
    text = invoke("--help").output
    assert "curl" in text
    assert "TWOHANDS_SERVE_PORT" in text
    assert "\\b" not in text


def test_room_never_loads_what_only_training_needs():
    code = (
        "import sys, pkgutil, importlib, serving\n"
        "names = [module.name for module in pkgutil.walk_packages(serving.__path__, 'serving.')]\n"
        # Alembic alone can run its environment; every other module is imported.
        "for name in names: name.endswith('.migrations.env') or importlib.import_module(name)\n"
        "assert len(names) > 40 and sum(name.endswith('.migrations.env') for name in names) == 1\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == "[]"
