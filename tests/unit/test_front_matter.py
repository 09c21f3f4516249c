"""The front matter of a Markdown file is left out, and no text between two rules is taken for it."""

import pytest

from tests.support.paragraphs import LINE_ENDS, split, split_paragraphs

LONG_A = "The ministry told the state banks to lend to the makers of chips before the winter."
LONG_B = "Shop owners answered that prices, not plans, should say what is built and by whom."
MATTER = f"""\
---
title: "Who sets the price?"
source: https://lorn.example/chips
author:
  - "[[Jane Doe]]"
date created: 2031-03-12
# by hand
description: {LONG_A} {LONG_B}
tags:
- clippings
abstract: >
  {LONG_B}
---
"""


@LINE_ENDS
@pytest.mark.parametrize("gap", ["", "\n", "\n \n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_front_matter_is_no_paragraph(line_end, gap, mark):
    raw = f"{mark}{MATTER}{gap}{LONG_A}\n\n{LONG_B}\n".replace("\n", line_end)
    assert split(raw) == [LONG_A, LONG_B]
    assert split_paragraphs(raw)[0].start == raw.rindex(LONG_A)


def test_a_mails_header_may_follow():
    assert split(f"{MATTER}From: Me\nTo: All\n\n{LONG_A}") == [LONG_A]
    assert split(f"{MATTER.removesuffix('---' + chr(10))}...\n# Chips\n{LONG_A}") == [LONG_A]


@pytest.mark.issue(4)
@LINE_ENDS
@pytest.mark.parametrize("gap", ["\n", " \t\n\n"])
def test_blank_lines_may_stand_in_front_matter(line_end, gap):
    matter = MATTER.replace("author:", f"{gap}author:").replace("tags:", f"{gap}tags:")
    raw = f"{matter[:-4]}{gap}---\n\n{LONG_A}\n\n{LONG_B}\n".replace("\n", line_end)
    assert split(raw) == [LONG_A, LONG_B]


@pytest.mark.parametrize(
    "raw",
    [
        f"---\ntitle: Hearing\n\nMinister: {LONG_A}\n\nClerk: {LONG_B}\n\n---\n\n{LONG_A}",
        f"---\ntitle: Hearing\n\n- {LONG_A}\n- {LONG_B}\n---\n\n{LONG_A}",
        f"---\ntitle: Hearing\n\n# Steel\n    {LONG_B}\n---\n\n{LONG_A}",
        f"---\n\nsummary: {LONG_B}\n\n---\n\n{LONG_A}",
        f"---\nMinister: {LONG_A}\nClerk: {LONG_B}\n---\n\n{LONG_A}",
        f"---\ntitle: Chips\n{LONG_B}\n---\n\n{LONG_A}",
        f"---\ntitle: Chips\n\n{LONG_B}\n\n---\n\n{LONG_A}",
        f"---\ntitle: Chips\ndescription: {LONG_B}\n",
        f"---\ntitle: Chips\ndescription: {LONG_B}\n---\n",
        f"{LONG_A}\n---\ntitle: {LONG_B}\n---\n",
        f"\n---\ntitle: {LONG_B}\n---\n\n{LONG_A}",
    ],
)
def test_no_text_is_taken_for_front_matter(raw):
    assert LONG_B in " ".join(split(raw))
