"""What the bare install leaves out is named with the extra that brings it."""

import json
import sys

import pytest

from twohands.errors import MissingExtraError
from twohands.extras import import_extra


def test_what_is_there_is_imported():
    assert import_extra("json", use="this", extra="none") is json


def test_what_is_absent_is_named_with_its_extra():
    with pytest.raises(MissingExtraError) as caught:
        import_extra("no_such_module", use="the plot", extra="eval", package="no-such-package")
    assert "the plot needs no-such-package: pip install 'twohands[eval]'" in str(caught.value)


def test_what_a_module_lacks_itself_is_named(tmp_path, monkeypatch):
    (tmp_path / "needs_another.py").write_text("import another_that_is_absent\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError) as caught:
        import_extra("needs_another", use="it", extra="eval")
    assert "another_that_is_absent" in str(caught.value)
    assert "needs_another" not in sys.modules
