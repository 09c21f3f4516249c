"""The bound on open files is raised where it may be, and what was got is told."""

import resource

import pytest

from twohands.open_files import allow_open_files


@pytest.mark.parametrize(
    ("bounds", "wanted", "set_to", "got"),
    [
        ((256, 4096), 200, None, 200),
        ((256, 4096), 1100, (1100, 4096), 1100),
        ((256, 1000), 1100, (1000, 1000), 1000),
        ((256, resource.RLIM_INFINITY), 1100, (1100, resource.RLIM_INFINITY), 1100),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 1100, None, 1100),
    ],
)
def test_the_bound_is_raised_as_far_as_needed_and_allowed(monkeypatch, bounds, wanted, set_to, got):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: bounds)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: asked.append(new))
    assert allow_open_files(wanted) == got
    assert asked == ([] if set_to is None else [set_to])


@pytest.mark.parametrize("error", [ValueError, OSError])
def test_a_system_that_refuses_keeps_its_bound(monkeypatch, error):
    def refuse(*_):
        raise error("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert allow_open_files(1100) == 256
