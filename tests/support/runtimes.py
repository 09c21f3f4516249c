"""Skips tests of OpenVINO where it is not installed, without importing it: its plain import calls home."""

import importlib.util

import pytest


def skip_without_openvino():
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino is not installed", allow_module_level=True)
