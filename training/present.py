"""Owns which labels the rows of a split have: refused where one never stands, kept where few are taken, told of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from training.labels import ONLY_SCORED, TEACHER_SCORES
from training.leaks import count_contradictions
from twohands.errors import DataError
from twohands.examples import Example
from twohands.taxonomy import Head, ProblemType, Taxonomy


def _is_scored(example: Example, head: Head) -> bool:
    """Whether a row teaches a head by a teacher's scores alone, which speak of each of its labels."""
    scores = example.columns.get(TEACHER_SCORES)
    is_open = example.labels[head.name] is None or bool(example.columns.get(ONLY_SCORED))
    return is_open and isinstance(scores, Mapping) and head.name in scores


def _count_documents(examples: Iterable[Example], head: Head, label: str) -> int:
    """How many documents have a label that dev can be judged by: not one by a teacher's scores alone."""
    known = [example for example in examples if not example.columns.get(ONLY_SCORED)]
    return len({example.group for example in known if label in (example.labels[head.name] or ())})


def list_absent(examples: Iterable[Example], head: Head) -> list[str]:
    """Name the labels of a head that none of some rows has.

    Args:
        examples: the rows.
        head: which head.

    Returns:
        In the order of the head.
    """
    seen = {word for example in examples for word in example.labels[head.name] or ()}
    return [name for name in head.label_names if name not in seen]


def check_labels(
    train: Iterable[Example], dev: Iterable[Example], taxonomy: Taxonomy, *, is_dev_held_out: bool = False
) -> None:
    """Refuse splits in which a label never stands, nor a teacher's score of it: it could not be learnt or calibrated.

    Args:
        train: rows to fit.
        dev: rows to select and calibrate by.
        taxonomy: the heads.
        is_dev_held_out: dev is a part of train, so that what it lacks may be there.

    Raises:
        DataError: a label is absent; all faults at once.
    """
    faults = []
    rows = {"train": list(train), "dev": list(dev)}
    lacks_documents = True  # each label that dev lacks stands in one document
    for split, examples in rows.items():
        for head in taxonomy.heads:
            if split == "train" and any(_is_scored(example, head) for example in examples):
                continue
            if absent := list_absent(examples, head):
                faults.append(f"{split} has no row with {head.name} {', '.join(absent)}")
                counts = [_count_documents(rows["train"], head, name) for name in absent]
                lacks_documents &= split == "train" or max(counts) < 2
    if is_dev_held_out and any(fault.startswith("dev ") for fault in faults):
        # Of one document both sides cannot have it, whatever the fraction.
        larger = "" if lacks_documents else ", or try a larger data.dev_fraction"
        faults.append(
            "dev is held out of train by whole documents (groups), so each label must stand in two of them: label "
            f"more{larger}"
        )
    if faults:
        raise DataError("the splits lack labels; add such rows, or take the label out of the taxonomy", faults)


def take_few(examples: Sequence[Example], n_rows: int, taxonomy: Taxonomy) -> list[Example]:
    """Take the first rows, and of each label at least one: a head without any could not be calibrated.

    Args:
        examples: rows of a split.
        n_rows: how many; more where labels need them.
        taxonomy: the heads.

    Returns:
        Rows in their order.
    """
    first: dict[tuple[str, str], int] = {}
    for place, example in enumerate(examples):
        for head in taxonomy.heads:
            for word in example.labels[head.name] or ():
                first.setdefault((head.name, word), place)
    kept = set(first.values())
    others = (place for place in range(len(examples)) if place not in kept)
    kept |= set(islice(others, max(0, n_rows - len(kept))))
    return [examples[place] for place in sorted(kept)]


_SAYS_NONE = "[] in JSONL and - in CSV, where an empty cell is not labelled"


def _describe_gaps(train: Sequence[Example], head: Head, *, are_some_open: bool) -> Iterator[str]:
    """Tell what rows of an any-of head never say: that none of its labels applies, or that one of them does not.

    In CSV an empty cell that is meant as "none applies" is read as "nobody looked", and a head learns from what it has
    alone.
    """
    given = [words for example in train if (words := example.labels[head.name]) is not None]
    if are_some_open and given and all(given):
        yield f"  no row says that no {head.name} applies; that is {_SAYS_NONE}"
    if any(_is_scored(example, head) for example in train):  # a teacher's scores tell rows apart all the same
        return
    if everywhere := [name for name in head.label_names if given and all(name in words for words in given)]:
        hint = "" if are_some_open else f"; that none applies is {_SAYS_NONE}"
        yield (
            f"  every labelled row has {head.name} {', '.join(everywhere)}: without a row that has not, it cannot be "
            f"learnt{hint}"
        )


def describe_misnamed(misnamed: Mapping[str, int]) -> list[str]:
    """Say how many rows have `nan` and the like for a document.

    Args:
        misnamed: by what stood there, how many.

    Returns:
        One line; none where there is no such row.
    """
    n = sum(misnamed.values())
    have = "row has {} as its" if n == 1 else "rows have {} as their"
    told = f"{n} {have.format(' or '.join(misnamed))} `group`, as pandas may write an empty cell"
    return [f"{told}: each is taken as a document of its own"] if n else []


def describe_heads(train: Sequence[Example], taxonomy: Taxonomy, *, n_left_out: int = 0) -> list[str]:
    """Say what is learnt for each head, and of how many rows.

    Args:
        train: rows to fit.
        taxonomy: the heads.
        n_left_out: further rows, which no head has a label of.

    Returns:
        One line a head, and one more where an any-of head has rows without a label but none that says so, and where
        all that are labelled have one of its labels. And one where copies of a text contradict one another, which no
        model can learn.
    """
    lines = []
    for head in taxonomy.heads:
        n_labelled = sum(example.labels[head.name] is not None for example in train)
        is_any_of = head.problem_type is ProblemType.ANY_OF
        lines.append(
            f"head {head.name}: {'any' if is_any_of else 'one'} of {', '.join(head.label_names)}; "
            f"{n_labelled} of {len(train)} rows labelled"
        )
        if is_any_of:
            lines += _describe_gaps(train, head, are_some_open=n_labelled < len(train) + n_left_out)
    if n_texts := count_contradictions(train):
        lines.append(
            f"{n_texts} text{'s stand' if n_texts > 1 else ' stands'} in train with different labels; see `twohands "
            "data audit`"
        )
    return lines
