"""Agreement of labels of other people's: words that mean something to us are labels like any other there."""

import pytest

from evaluation.agreement.codings import Codings, Item
from evaluation.agreement.measure import measure_agreement
from twohands.taxonomy import Head, Label, ProblemType

SEATS = ("absent", "present", "late")


@pytest.mark.issue(6)
def test_a_one_of_head_may_have_the_labels_by_which_topics_are_said_to_be_there():
    head = Head(
        name="seat",
        problem_type=ProblemType.ONE_OF,
        labels=[Label(name=name, description="where they are") for name in SEATS],
    )
    anna = [SEATS[number % 3] for number in range(30)]
    ben = [*anna[:25], *["late"] * 5]
    given = [{"anna": (one,), "ben": (other,)} for one, other in zip(anna, ben, strict=True)]
    items = [Item(str(number), None, str(number)) for number in range(30)]
    answers = [(seat,) for seat in anna]
    found = measure_agreement(
        Codings(head, items, ["anna", "ben"], given, None), answers, n_replicates=20, seed=0, epsilon=0.1
    )
    person, model = found["seat"]["people"]["one_against_rest"], found["seat"]["model"]
    assert set(person["labels"]) == set(model["against_rest"]["labels"]) == set(SEATS)
    assert "f1" not in person
    assert model["model_minus_person"]["macro_f1"]["value"] > 0
