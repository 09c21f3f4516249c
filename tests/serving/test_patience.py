from types import SimpleNamespace

import pytest

from serving.patience import PatientClassifier
from twohands.errors import DeadlineError, OverloadedError
from twohands.windows import WindowRule

pytestmark = pytest.mark.anyio

RULE = WindowRule(max_tokens=100, overlap_tokens=10, max_windows=2)
LONG, SHORT = "The plan. The market. The plan. The market.", "The plan."


class FakeService:
    """Has no room for evidence of long texts, or no time."""

    def __init__(self, refusal=OverloadedError):
        self.settings = SimpleNamespace(max_inputs=8, max_queue_tokens=4000, limit_chars=500)
        self.classifier = SimpleNamespace(encoder=SimpleNamespace(rule=RULE))
        self.refusal = refusal
        self.asked = []
        self.parts = []

    async def classify(self, texts, *, thresholds, explain, raws, is_part):
        del thresholds, raws
        self.asked.append((list(texts), explain))
        self.parts.append(is_part)
        if explain and LONG in texts:
            raise self.refusal("no")
        return SimpleNamespace(items=[(text, explain) for text in texts])


def make_patient(service, **options):
    return PatientClassifier(service, explain=True, most_wait_s=0, **options)


@pytest.mark.issue(4)
async def test_evidence_that_takes_too_long_is_left_out_where_it_is_optional():
    service = FakeService(DeadlineError)
    patient = make_patient(service, is_evidence_optional=True)
    assert await patient.classify([LONG], is_first=False) == [(LONG, False)]
    service.asked.clear()
    # What costs as much is not tried again, and costs no other its evidence.
    expected = [(SHORT, True), (LONG, False), (SHORT, True)]
    assert await patient.classify([SHORT, LONG, SHORT], is_first=False) == expected
    assert not any(explain and LONG in texts for texts, explain in service.asked)
    assert list(patient.cut_groups([SHORT, LONG, LONG, SHORT, SHORT], str)) == [
        [SHORT], [LONG], [LONG], [SHORT, SHORT]
    ]  # fmt: skip


@pytest.mark.issue(4)
async def test_evidence_that_finds_no_room_is_left_out_for_its_group_alone():
    service = FakeService()
    patient = make_patient(service, is_evidence_optional=True)
    assert await patient.classify([LONG], is_first=False) == [(LONG, False)]
    assert await patient.classify([SHORT, LONG], is_first=False) == [(SHORT, False), (LONG, False)]
    # The room says nothing of a text: it is tried again, and others have theirs.
    assert await patient.classify([SHORT], is_first=False) == [(SHORT, True)]
    service.refusal = DeadlineError
    assert await patient.classify([SHORT, LONG], is_first=False) == [(SHORT, True), (LONG, False)]


@pytest.mark.issue(4)
async def test_a_client_that_can_still_be_told_to_come_back_is_told_so():
    patient = make_patient(FakeService(), is_evidence_optional=True)
    with pytest.raises(OverloadedError):
        await patient.classify([LONG], is_first=True)
    with pytest.raises(OverloadedError):
        await make_patient(FakeService()).classify([LONG], is_first=False)


async def test_evidence_is_not_left_out_where_it_must_be_there():
    (error,) = await make_patient(FakeService(DeadlineError)).classify([LONG], is_first=False)
    assert isinstance(error, DeadlineError)


@pytest.mark.issue(4)
async def test_groups_are_cut_by_the_lines_of_a_list_as_these_are_what_is_left_out():
    service = FakeService()
    service.settings.max_queue_tokens = 200  # a quarter of it at once
    text, lines = "- sell - buy - wait", "- sell\n- buy\n- wait"
    patient = make_patient(service)
    assert list(patient.cut_groups([text] * 4, str)) == [[text] * 4]
    assert list(patient.cut_groups([text] * 4, str, lambda _: lines)) == [[text]] * 4


@pytest.mark.issue(5)
async def test_only_the_first_group_may_pass_for_a_small_request():
    service = FakeService()
    patient = make_patient(service)
    for is_first in (True, False):
        await patient.classify([SHORT], is_first=is_first)
    assert service.parts == [False, True]
