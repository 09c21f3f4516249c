"""Notices around a text are not read with it, and what begins alike and is text is."""

import pytest

from tests.support.paragraphs import split_paragraphs

pytestmark = pytest.mark.issue(4)
FIRST = "The ministry will lend to the makers of chips for as long as they build at home, said the minister."
LAST = "Prices, and not plans, should say what is built, his critics answered, and who is to pay for it."

NOTICES = [
    "Reporting by Ada Lind in Lorn and Bo Tarn in Quay; Additional reporting by Cy Dell; Editing by Di Orme and Ed Fen",
    "(Reporting by Ada Lind and Bo Tarn in the capital of Lorn, with further work by the staff of the Quay bureau.)",
    "Our Standards: The Tide Trust Principles.",
    "Reporting by Ada de la Lind; editing by Bo Tarn",
    "(c) 2031 Tide Wire",
    "To unsubscribe from this letter, write to us.",
    "Story continues below",
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
    "Press office: 020 5555 0142 / press@ministry.example",
    "Notes to Editors\n\n1. The board was set up in 2029 and has nine members.\n\n2. Pictures are to be had.",
    "This press release contains forward-looking statements that involve risks, and results may differ from them.",
    "SOURCE Quay Yards Inc.",
    "[Laughter]",
    "(This story was updated in its third paragraph.)",
    "Ada Lind\n412 words\n3 May 2031\nTide Wire\nEnglish\n\u00a9 2031 Tide Company. All rights reserved.",
    "Document TIDEW00020310503e9530002x",
    "Load-Date: May 3, 2031\n\nEnd of Document",
    "[FR Doc. 2031-01140 Filed 5-1-31; 8:45 am]\nBILLING CODE 3510-33-P",
    "We and our 842 partners store and access personal data, like browsing data or unique identifiers, on your device.",
    "Subscribe to continue reading.",
    "Already a subscriber? Log in.",
    "Share this article\nFacebook\nTwitter\nLinkedIn\nEmail\nPrint",
    "Media contact: Ada Lind, +55 555 0142 55.",
    "(Updates to add what the minister said.)",
    "**Figure 1. Loans to yards, 2010\u20132030.** *Source:* Bank of Lorn; own figures.",
    "*Table A.2: Yards by owner. Source: Bank of Lorn.*",
    "Lind, A. (2029). *Who lends to yards*. Lorn: Tide Press.",
    "- Van Orme, D.-J., Dell, C. and Tarn, B. (2031a), 'Loans and their friends', Journal of Quays 12(3), 1\u201330.",
    "Lind-Tarn, B. and Orme, D., 2030. The price of a berth. Lorn: Tide Press.",
    "*This interview has been edited and condensed for clarity.*",
    "This article was amended on 3 May 2031 to correct the number of yards that the bank lends to.",
    "This story was updated on May 3. An earlier version gave the wrong price of a berth in Lorn.",
    "Chart 2: What a berth costs (2020 = 100)\nSource: Bank of Lorn, and what its staff worked out from it.",
    "**Table A.1: Yards by owner**\n*Notes:* Without those that were shut.\nSources: The ministry.",
    "Sources: National authorities; Tide data; and calculations by the staff of the Bank of Lorn, as\nestimates.",
    "*Source:* Tide Bank.",
    "Source: Central Bank of Lorn and the House of Trade.",
    "Our mailing address is:\nTide Letters, 2 Dock Street, Lorn",
    "Want to change how you receive these emails?\nYou can update your preferences or unsubscribe from this list.",
]
BELOW_MAILS = [
    "This e-mail and its attachments are confidential and meant solely for the person to whom they are addressed.",
    "Disclaimer: This email is confidential.",
    "The information contained in this transmission may be privileged or confidential. It is for its recipient only.",
    "If you are not the intended recipient, tell us at once, and delete what you were sent without reading any of it.",
    "If you have received this message in error, please send it back.",
    "Please consider the environment before printing this e-mail.",
    "This e-mail and any attachments are confidential and may be privileged.",
    "This email (including any attached files) is intended only for the use of the person to whom it is sent.",
    "CONFIDENTIALITY NOTICE: This message may contain confidential or privileged information.",
    "Disclaimer: The information contained in this communication is strictly confidential.",
    "The contents of this email are confidential and\nmeant for those to whom it is sent.",
    "This message is intended solely for the addressee.",
    "If you are not the intended recipient, tell us and delete what you were sent.",
    "If you have received this message in error, please tell the sender.",
    "Please consider the environment before printing this letter.",
    "This email has been scanned for viruses by Tide Guard.",
    "Any views or opinions expressed in this email are solely those of its author.",
]
TEXTS = [
    "This Communication is about privileged access to ports, and sets out what the state will do for the yards.",
    "This message is meant for the yards: the state will lend to none that builds abroad.",
    "The information in this act is confidential, and those who sell it to other firms are to be fined.",
    "This message was sent by the minister, who may be confident that the state will lend.",
    "If you are not paid by the state, the market will have to pay you, said the minister.",
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
    "Editing by State boards is required of all films, the ministry said, before they are shown.",
    "Additional reporting by Banks on loans to yards will be asked for from the first of May.",
    "Reporting by Banks of all transfers is to begin in May, and editing by State boards is to end.",
    "Copyright 2031 Act amendments would let the state license what its owner does not sell.",
    "(c) 2031 output of the yards that are the state's must be twice what it was.",
    "All rights reserved to the state by the act are for sale from this year on.",
    "The views expressed were that the board should not necessarily reflect prices in its tolls.",
    "The views expressed by members are those that the state should own the quays and set the tolls.",
    "We use cookies as an instance of what the state must rule on: firms track who reads what.",
    "Unsubscribe from state aid: that is what the board asks of the yards that it has fed.",
    "To unsubscribe must be as easy as to subscribe, the act says, or the firm is fined.",
    "Printed by the mint on behalf of the state, the new notes are to drive out private money.",
    "Story continues below the line of need for a third of the miners whom the state laid off.",
    "Follow Lorn on YouTube bans and the market will shrink, the chamber told the minister.",
    "Sign up to the plan of the state or read the message of the market: firms have that choice.",
    "Related: the ministry has banned the export of kilns to all firms on its list.",
    "See also: the Act on Quays, under which the state may take a yard for the good of all.",
    "This release contains no word on loans, and the yards had asked for one, said those who build ships there.",
    "SOURCE of all that is wrong with loans is the ministry. It lends to its friends, and they fail.",
    "Subscribe to the shares of the state's yards, the ministry told all who had saved for their old age.",
    "We and our partners in the west will ban the sale of kilns to all firms that are on the list.",
    "Press office staff of the ministry may no longer own shares, said the clerk (www.tide.example has the rule).",
    "(The board may set the price of each berth, and the ministry the price of each ship that is built there.)",
    "This release contains forward-looking statements on how the state will lend, and the minister stands by them.",
    "This release contains forward-looking pledges on tolls, and not a word on loans to the yards.",
    "Subscribe to continue the loans of the state, the banks were told, or see the yards close.",
    "Sign in to unlock loans of the state, the yards are told, and they do as they are told.",
    "Already registered? Then the act on loans is not for you, says the clerk of the ministry.",
    "Our partners in trade will be told that a tax on cookies is no toll, said the minister.",
    "We and our partners in the west will tax what is earned from a browser, and from ships.",
    "Length: 412 words of the speech were on loans to the yards, and none were on their price.",
    "Load-date: so the yards call the day on which the steel of the state is put on board.",
    "On 3 May 2031 at 10:12, as the last of the yards was closing, the minister of ports wrote:",
    "(The state did buy the yards in the end.)",
    "[The motion was lost by 14 votes to 3.]",
    "(the yard must build at home).",
    "To: all who build ships in the north of the land.\nFrom: the minister who pays for them.",
    "Date: the act is of the first of May, 2031.\nSubject: who is to lend to the yards.",
    "The state will set the tolls of these:\n- Facebook\n- Twitter\n- YouTube\n- Telegram",
    "1. Notes to editors are not what the state should pay for, and nor is the press itself.",
    "For more information on the plan for 2031-2035 the state relies on the yards that it owns.",
    "Figure 1 shows that the state lends to more yards than all banks do. The banks lend to fewer each year.",
    "Box 1: The state should lend to no yard that a bank has turned down, and sell those that it has.",
    "Table 2: Yards\nThe state should lend to no yard that a bank has turned down, and sell those that it has.",
    "Table 2: " + "The state lends to yards, and the banks do not. " * 5,
    "Lind, A. (2031) holds that the state should lend to no yard, and few of those who own one agree.",
    "Lorn, U. and other ports were the state's until 2031. Then the market took them, and ships came.",
    "This article was amended on 3 May 2031 to let the state take a yard that fails.",
    "This report was corrected by events. The state had to lend, and an old plan was taken up.",
    "This message is one for all who own a yard: what the state keeps confidential, the market will tell.",
    "This e-mail is what the minister sent on the day before the vote, and in it he asks for loans to all yards.",
    "This communication of the board sets out which confidential loans the recipients of aid must tell of.",
    "If you are not the owner of a yard, the act is not for you, said the clerk, and he meant it.",
    "If you received this loan in error, the state will have it back, with what it would have earned.",
    "Confidentiality: the state may not tell what a yard has told it of its costs.",
    "The information in this report is confidential until the recipients of aid have been told of it.",
    "Sources: State to buy all of the yards.",
    "Source: The ministry has told the banks to lend to the yards, and to ask for no estimates of what it costs.",
    "Source: Tide Wire reported that the state will buy all yards of the land, by its own estimates.",
    "Sources: Bank of Lorn. The yards of the land are the state's by the end of the year, by our projections.",
    "Best,\nthe minister said, would be a bank\nthat the state owns.",
    "Chart 2: Berths\nSources of money are what the yards lack, and the state should lend to them.",
    "Our mailing address is what the ministry asks for, and it is all that it needs for a loan.",
    "This interview has been the end of the minister, who said that the state should own the quays.",
]


def texts_of(*pieces):
    return [paragraph.text for paragraph in split_paragraphs("\n\n".join(pieces))]


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_is_not_read_wherever_it_stands_unless_it_is_all(notice):
    assert texts_of(notice, FIRST, notice, LAST, notice) == [FIRST, LAST]
    assert texts_of(notice, notice)
    assert texts_of(FIRST, notice + " " + "And so on and on." * 40)[1:]  # too long to be one


@pytest.mark.parametrize("notice", BELOW_MAILS)
def test_what_lawyers_put_below_a_mail_is_not_read(notice):
    assert texts_of(FIRST, notice, LAST, notice) == [FIRST, LAST]
    assert texts_of(notice)


def test_what_lawyers_put_below_a_mail_may_be_long_but_is_no_text_of_many_pages():
    rest = " It may not be read, kept or sent on by others." * 15
    assert texts_of(FIRST, BELOW_MAILS[0] + rest) == [FIRST]
    assert len(texts_of(FIRST, BELOW_MAILS[0] + rest * 4)) == 2


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_begins_like_a_notice_is_read(text):
    assert texts_of(FIRST, text, LAST) == [FIRST, " ".join(text.split()), LAST]


def test_references_of_an_encyclopedia_are_not_read_however_many():
    references = "\n".join(
        f'^ "Loans to yards". Tide Wire. {day} May 2031. Retrieved 4 June 2031.' for day in range(1, 30)
    )
    assert texts_of(FIRST, references, LAST) == [FIRST, LAST]
    assert texts_of(FIRST, f"{references}\n{LAST}")[1:]


@pytest.mark.parametrize(
    "said",
    [
        "We will not yield. [Applause]", "Never! (Laughter)", "\u201cWe own it.\u201d [Cheers and applause]",
        "We built it. *[Applause]*", "They sold it? (Laughter) [Music]", "**We will not sell.** (Applause)",
    ],
)  # fmt: skip
def test_a_short_sentence_before_what_the_hall_did_is_read(said):
    shown = said.replace("*", "")
    assert texts_of(FIRST, said, LAST) == [FIRST, shown, LAST]
    assert texts_of(FIRST, "The vote (Laughter)", said, LAST) == [FIRST, shown, LAST]


@pytest.mark.parametrize(
    "heading", ["Lorn Corp. (Music Division)", "Lind, A. (editor)", "Loans of a bank (old rule)", "Tarn, B. (2031)"]
)
def test_brackets_behind_what_is_short_for_a_word_make_no_sentence_of_it(heading):
    assert texts_of(FIRST, heading, LAST) == [FIRST, LAST]
