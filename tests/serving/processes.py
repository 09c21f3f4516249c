"""Starts `twohands serve` as a process of its own and gives its port once it answers."""

import http.client
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

from tests.serving.test_process import clean_environment

_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+) ")


@contextmanager
def start_serve(model, *arguments, seconds=90, program=("-m", "twohands", "serve")):
    command = [sys.executable, *program, "--port", "0", "--threads", "1", "--model", str(model)]
    with subprocess.Popen(
        [*command, *arguments],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watchdog = threading.Timer(seconds, process.kill)
        watchdog.start()
        try:
            line = process.stdout.readline()
            found = _ADDRESS.search(line)
            if found is None:
                process.kill()
                raise AssertionError(line + process.communicate()[1])
            yield process, int(found[1])
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        sent = {"content-type": "application/json"} if body else {}
        connection.request(method, path, body=body, headers=sent | headers)
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json else content.decode()
    finally:
        connection.close()
