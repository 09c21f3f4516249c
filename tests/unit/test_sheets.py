"""Cells of sheets are no formulas, and what was put before them is taken off again, whatever they hold."""

import itertools

import pytest

from twohands.sheets import CHOSEN, guard, unguard

pytestmark = pytest.mark.issue(5)


@pytest.mark.parametrize("cell", ["=1+1", "-x", "- A", "+cmd", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "--", "'=1"])
def test_what_a_spreadsheet_computes_is_put_behind_an_apostrophe(cell):
    assert guard(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "-", "-5", "+1.5e-3", "a=1", "'tis", "''", 5, None])
def test_other_cells_stay_as_they_are(cell):
    assert guard(cell) == cell
    assert unguard({"a": cell}, [CHOSEN])["a"] == cell


def test_every_cell_is_read_as_it_was():
    for length in range(6):
        for characters in itertools.product("'=-5a", repeat=length):
            cell = "".join(characters)
            assert unguard({"a": guard(cell)}, ["a", CHOSEN]) == {"a": cell}


def test_cells_of_other_tables_are_their_own():
    assert unguard({"a": "'=1"}, ["a"]) == {"a": "'=1"}
