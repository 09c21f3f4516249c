"""Holds queries of deploy/ against what /metrics tells: metrics, labels and values."""

import re

from prometheus_client.parser import text_string_to_metric_families

# Prometheus gives the first two to all that it scrapes, and its operator the last.
OF_TARGETS = {"instance", "job", "namespace"}
_SELECTOR = re.compile(r'\b((?:twohands|process)_\w+)(?:\{((?:[^{}"]|"[^"]*")*)\})?(\[)?( == 1\b)?')
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def read_told(text):
    """name -> label -> values, of all samples; of metrics without a sample the name alone."""
    told = {}
    for family in text_string_to_metric_families(text):
        told.setdefault(family.name, {})
        for sample in family.samples:
            labels = told.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return told


def check_query(query, told):
    """The metrics that a query asks for; fails on one, or on a label or value, that is not told."""
    asked, known = [], set(OF_TARGETS)
    for name, matchers, is_range, is_one in _SELECTOR.findall(query):
        assert name in told, f"{name} is not told"
        asked.append(name)
        known |= set(told[name])
        for label, operator, value in _MATCHER.findall(matchers):
            assert label in told[name] or label in OF_TARGETS, f"{name} has no {label}"
            if label in OF_TARGETS or operator.startswith("!") or label == "code":
                continue
            values = set(value.split("|")) if operator == "=~" else {value}
            assert values <= told[name][label], f"{label} of {name} is never one of {values}"
        # A counter says something by its rate alone, and one model that was replaced is told on as 0.
        assert is_range or not name.endswith(("_total", "_bucket", "_count", "_sum")), f"{name} without a range"
        assert is_range or is_one or name != "twohands_model_info", "models that were replaced are counted too"
    for labels in re.findall(r"\b(?:by|on|group_left) \(([^)]*)\)", query):
        assert {label.strip() for label in labels.split(",") if label} <= known, f"({labels}) in {query}"
    return asked
