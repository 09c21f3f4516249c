"""Notices around a text are not read with it, and what begins alike and is text is."""

import pytest

from twohands.paragraphs import split_paragraphs

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."

NOTICES = [
    "Reporting by Ada Lind in Lorn and Bo Tarn in Quay; Additional reporting by Cy Dell; Editing by Di Orme and Ed Fen",
    "(Reporting by Ada Lind and Bo Tarn in the capital of Lorn, with further work by the staff of the Quay bureau.)",
    "Our Standards: The Tide Trust Principles.",
    "\u00a9 2031 Tide Wire. All rights reserved. Quotes are late by fifteen minutes or by more at night.",
    "=====\nCopyright (C) 2031 Tide Letters.\nYou get this as you signed up for it.\nUnsubscribe: www.tide.example",
    "Copyright 2029-2031 The Tide Company, of which no part may be copied without a word in writing from its board.",
    "*Printed and promoted by A. B. Lind on behalf of the Quay Party, 2 Dock Street, Lorn.*",
    "The views expressed in this paper are those of its authors and not of the bank or of any member of its board.",
    "We use cookies to make this site work, and to see what you read. By going on you agree that we keep them.",
    "Advertisement \u00b7 Scroll to continue",
    "You are receiving this newsletter because you signed up for it on our site or at one of our evenings in Lorn.",
    "Sent from my iPhone",
    "Notes to editors:\n\n1. The board was set up in 2029.\n2. Pictures of the quay are to be had from the clerk.",
    "Note for editors: the clerk can be heard from noon on.",
    "Follow Ada Lind on social media, and sign up for her letter.",
    "Sign up here.",
    "Read more: Is the era of the big loan over?",
    "**Related:** [Why loans never end.](https://tide.example/a)",
    "For more information, contact:\nPress Office of the Ministry\nTel: 0055 555 0142\npress@ministry.example",
    "Media contact: Ada Lind, +55 555 0142 55.",
]
TEXTS = [
    "Reporting by Member States. Each Member State shall report once a year on the aid that it has granted.",
    "Copyright rules should follow prices, the board holds, and not the wishes of those who print.",
    "Copyright 2031 reforms left the publishers with less than they had asked for, and said so.",
    "Advertisement: any form of words by which a firm offers what it sells to those who may buy it.",
    "The views expressed in this round of talks were mixed: the yards wanted loans, the banks did not.",
    "Published by the board on behalf of the ministry, the plan would have the state buy each second ship.",
    "For more information on loans the board has opened an office, which the state will pay for.",
    "We use tolls to pay for the quays, and we shall go on doing so.",
    "Follow the money on its way and you will find the ministry at the end of it.",
    "Unsubscribed shares will be taken up by the state at the price of the day.",
    "Related firms may not bid in one tender, as the board has ruled.",
    "Notes to editors of the press have not helped, said the clerk, and a law would.",
    "Editing by hand is what the ministry pays for, and what no machine will do.",
]


def texts_of(*pieces):
    return [paragraph.text for paragraph in split_paragraphs("\n\n".join(pieces))]


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_is_not_read_wherever_it_stands_unless_it_is_all(notice):
    assert texts_of(notice, FIRST, notice, LAST, notice) == [FIRST, LAST]
    assert texts_of(notice, notice)
    assert texts_of(FIRST, notice + " " + "And so on and on." * 40)[1:]  # too long to be one


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_begins_like_a_notice_is_read(text):
    assert texts_of(FIRST, text, LAST) == [FIRST, text, LAST]
