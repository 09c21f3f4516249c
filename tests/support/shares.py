"""Estimates of a whole list of scores at once."""

from twohands.summary import DrawSum, Estimate, add_label, add_poles


def estimate_share(scores) -> Estimate:
    total = DrawSum()
    for score in scores:
        add_label(total, score)
    return total.estimate(lowest=0.0)


def estimate_balance(first, second) -> Estimate:
    total = DrawSum()
    for pair in zip(first, second, strict=True):
        add_poles(total, *pair)
    return total.estimate(lowest=-1.0)
