"""Drawings: names in any script are text that the browser draws, and of hundreds of slices the largest are drawn."""

import re
import unicodedata
import warnings

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from evaluation.bench.frontier_plot import draw_frontier
from evaluation.bench.plot import draw_speed
from evaluation.drawing import as_file
from evaluation.forest import MOST_DRAWN, choose_drawn, draw_forest
from evaluation.report import make_environment
from evaluation.report_comparison import _draw_head, _draw_slices

CHINESE = "中华人民共和国商务部新闻办公室"
FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6}


def draw(names):
    return draw_forest({"one": dict.fromkeys(names, FIGURE)}, names=names, xlabel="share")


def test_names_in_chinese_stay_text_and_nothing_is_warned_of():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        svg = draw([CHINESE, "plain", "हिन्दी"])
    assert [str(warning.message) for warning in caught] == []
    assert re.search(rf"<text [^>]*>{CHINESE}</text>", svg)
    (family,) = set(re.findall(r"font-family: ([^;\"]*)", svg))
    assert family.endswith("sans-serif")  # the browser's own, which has what the others lack


def test_a_chinese_name_lies_inside_the_drawing():
    """Right-aligned at x, of characters as wide as they are high: its left end is not cut off."""
    svg = draw([CHINESE, "plain"])
    (x,) = re.findall(rf"<text [^>]*?x=\"([\d.]+)\"[^>]*>{CHINESE}</text>", svg)
    (size,) = set(re.findall(r"font-size: ([\d.]+)px", svg))
    assert float(x) >= len(CHINESE) * float(size)


@pytest.mark.parametrize("name", ["国" * 60, "a" * 60, "국a" * 30])
def test_long_names_are_shortened_by_the_room_they_take(name):
    shown = next(text for text in re.findall(r">([^<>]*…)</text>", draw([name])))
    width = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in shown)
    assert shown[:-1] == name[: len(shown) - 1]
    assert 31 <= width <= 34


@pytest.mark.issue(6)
def test_a_narrow_page_scrolls_a_drawing_before_its_words_are_too_small_to_read():
    svg = draw(["plain"])
    (least,) = re.findall(r"--least-width:([\d.]+)in", svg)
    (width,) = re.findall(r"<svg [^>]*? width=\"([\d.]+)pt\"", svg)
    assert float(least) * 72 >= 0.7 * float(width), "of 9 points at least 6"
    page = make_environment().get_template("base.html.j2").render()
    (rules,) = re.findall(r"@media screen {(.*?)\n}", page, re.DOTALL)
    assert "figure { overflow-x: auto; }" in rules
    assert "figure svg { min-width: var(--least-width, 0); }" in rules  # not in print, which does not scroll
    assert as_file(svg).split("<g ")[0].count(' style="') == 1, "an attribute given twice is no XML"


@pytest.mark.issue(5)
@pytest.mark.parametrize("name", ["US$5 to US$10", "$x_{1}$", "$\\frac{$"])
def test_dollars_in_a_name_are_dollars_and_no_formula(name):
    assert f">{name}</text>" in draw([name, "plain"])


@pytest.fixture
def words_of(monkeypatch):
    """Draws a picture and lists its words, each with whether it is read as a formula."""
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: (drawn.append(figure), save(figure, path)))

    def list_words(draw_report, report, path):
        draw_report(report, path)
        texts = drawn[-1].findobj(Text)
        return {text.get_text(): text.get_parse_math() for text in texts if text.get_text()}

    return list_words


@pytest.mark.issue(6)
@pytest.mark.parametrize("name", ["US$5 to US$10", "$\\frac{$"])
def test_dollars_in_a_name_are_no_formula_in_pictures_of_bench(name, tmp_path, words_of):
    model = {
        "name": name,
        "p50_ms": 10.0,
        "size_mb": 30.0,
        "heads": {name: FIGURE},
        "on_frontier": {"p50_ms": [name], "size_mb": []},
    }
    report = {"models": [model], "data": {"n_rows": 9}, "machine": {"cpu_model": "ours"}}
    words = words_of(draw_frontier, report, tmp_path / "frontier.png")
    assert {name, f"macro-F1, {name}"} <= set(words)
    assert not any(words.values())

    row = {"paragraphs_per_s": 9.0, "latency": {"p50_ms": 1.0, "p90_ms": None}}
    report = {
        "cases": [{"tokens": tokens, "threads": {"1": row}} for tokens in (32, 64)],
        "threads": [1],
        "ceiling": None,
        "shares": {part: {"share": 1 / 3} for part in ("tokenize", "model", "rest")},
        "model": {"name": name, "version": "1", "sha256": "0" * 64},
        "machine": {"cpu_model": "ours"},
    }
    words = words_of(draw_speed, report, tmp_path / "speed.png")
    assert any(word.startswith(name) for word in words)
    assert not any(words.values())
    assert not any("mathdefault" in word for word in words)  # ticks of an axis by logarithms would be set as formulas


def slice_of(n):
    return {"n": n, "n_groups": 1, "heads": {"stance": {"macro_f1": {"difference": FIGURE}}}}


def test_of_many_slices_the_largest_are_drawn_and_the_page_counts_the_others():
    slices = {f"s{number:03}": slice_of(20 + number % 100) for number in range(300)}
    chosen = choose_drawn(slices)
    assert len(chosen) == MOST_DRAWN == 40
    assert chosen == [name for name in slices if name in set(chosen)]
    assert min(slices[name]["n"] for name in chosen) >= max(slices[n]["n"] for n in slices if n not in chosen)
    assert "s000" in choose_drawn(slices, kept={"s000"})
    svg = _draw_slices(slices, {"stance": {}})
    assert sum(f">{name}</text>" in svg for name in slices) == MOST_DRAWN
    said = make_environment().get_template("parts.html.j2").module.not_drawn
    assert "40 of 300 slices, the largest; 260 are not drawn; the table" in said(slices, "the table has them all")
    assert said({name: slices[name] for name in chosen}, "").strip() == ""
    assert choose_drawn({name: slices[name] for name in chosen}) == chosen


def test_links_at_the_top_wrap_on_a_narrow_screen():
    page = make_environment().from_string('{% extends "base.html.j2" %}').render()
    (rule,) = re.findall(r"^nav \{([^}]*)\}", page, re.MULTILINE)
    assert "flex-wrap: wrap" in rule


def find_dots(svg):
    """The places of the series' dots and the width of the drawing."""
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', svg)[1])
    marks = re.findall(r'<use xlink:href="#[^"]*" x="(-?[\d.]+)" y="-?[\d.]+" style="fill: #0072b2', svg)
    return [float(x) for x in marks], width


@pytest.mark.issue(6)
def test_agreement_worse_than_chance_is_drawn():
    """Held to [0, 1], the dot of a negative kappa was clipped, and its interval began at 0."""
    names = ["kappa", "F1"]
    figures = {"kappa": {"value": -0.2, "low": -0.4, "high": -0.1}, "F1": FIGURE}
    left = draw_forest({"model": figures}, names=names, xlabel="agreement")
    (kappa, other), width = find_dots(left)
    clip = re.search(r'<clipPath id="[^"]*">\s*<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', left)
    start, span = float(clip[1]), float(clip[2])
    assert start < kappa < other < start + span <= width
    # Where nothing is below 0, the axis begins there as before.
    shares = draw_forest({"model": {"kappa": FIGURE, "F1": None}}, names=names, xlabel="agreement")
    assert "\N{MINUS SIGN}0.2" in left
    assert "\N{MINUS SIGN}0.2" not in shares


@pytest.mark.issue(6)
def test_of_a_label_that_no_row_has_no_difference_is_drawn():
    difference = {"value": 0.0, "low": None, "high": None}
    head = {
        "macro_f1": {"difference": FIGURE},
        "accuracy": {"difference": FIGURE},
        "labels": {
            "there": {"f1": {"difference": FIGURE}, "support": 3},
            "absent": {"f1": {"difference": difference}, "support": 0},
        },
    }
    svg = _draw_head(head)
    assert "F1 absent" in svg
    assert len(find_dots(svg)[0]) == 3
