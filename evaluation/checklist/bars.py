"""Owns the bars of `--bar`: how they are written, and that each is for something that there is and that was checked."""

from collections.abc import Sequence

import click

from evaluation.checklist.checks import Check
from evaluation.checklist.measure import EVERY_HEAD
from evaluation.checklist.suites import Suites, faults_of_head
from twohands.errors import ConfigError
from twohands.taxonomy import Taxonomy

Bars = dict[str, float | dict[str, float]]


def read_bars(values: tuple[str, ...]) -> Bars:
    """Read `negation=0.2` for every head of a capability, `negation:stance=0.2` for one.

    Args:
        values: as they were given.

    Returns:
        By capability a rate, by head.

    Raises:
        click.BadParameter: one is not written so, or its rate is not in [0, 1].
    """
    bars: Bars = {}
    for value in values:
        name, _, rate = value.partition("=")
        capability, _, head = name.partition(":")
        try:
            bar = float(rate)
        except ValueError:
            bar = -1.0
        if not capability or not 0 <= bar <= 1:
            raise click.BadParameter(
                param_hint="--bar", message=f"{value!r}; expected CAPABILITY[:HEAD]=RATE, such as negation:stance=0.2"
            )
        known = bars.get(capability, {})
        by_head = known if isinstance(known, dict) else {EVERY_HEAD: known}
        bars[capability] = {**by_head, head or EVERY_HEAD: bar}
    return bars


def check_bar_capabilities(bars: Bars, suites: Suites) -> None:
    """Refuse a bar that no test could miss: a misspelt one would hold for ever.

    Args:
        bars: as read.
        suites: all that are loaded; a capability that `--capability` leaves out is one of theirs.

    Raises:
        ConfigError: a capability is that of no test; all faults at once.
    """
    known = suites.capabilities
    if unknown := [name for name in bars if name not in known]:
        faults = [f"--bar {name!r} is none of {', '.join(known)}{suites.suggest(name)}" for name in unknown]
        raise ConfigError("no test has this capability", faults)


def check_gate(bars: Bars, suites: Suites) -> list[str]:
    """Refuse a gate that nothing can miss: in a script it would look held for ever.

    Args:
        bars: as read.
        suites: with the capabilities that are to be run.

    Returns:
        A note where some of the capabilities that were asked for have no bar; else none.

    Raises:
        click.UsageError: none of the capabilities that are run has a bar.
    """
    barred = {**suites.gates, **bars}
    without = sorted(name for name in suites.chosen if name not in barred)
    run = suites.chosen or suites.capabilities
    if not any(name in barred for name in run):
        of = f" for {', '.join(without)}" if without else ""
        raise click.UsageError(
            f"--gate has no bar to hold{of}; set `gates` in the suite, or give --bar CAPABILITY=RATE"
        )
    return [f"No bar is set for {', '.join(without)}: the gate says nothing of it."] if without else []


def check_bar_heads(bars: Bars, taxonomy: Taxonomy) -> None:
    """Refuse a bar for a head that the model does not have.

    Args:
        bars: as read.
        taxonomy: the model's.

    Raises:
        ConfigError: a head is unknown; all faults at once.
    """
    heads = {head.name: head for head in taxonomy.heads}
    faults = [
        f"--bar {capability}:{head}: {fault}"
        for capability, bar in bars.items()
        for head in (bar if isinstance(bar, dict) else ())
        if head != EVERY_HEAD
        for fault in faults_of_head(head, heads)
    ]
    if faults:
        raise ConfigError("a bar is for a head that the model does not have", faults)


def find_unchecked(
    bars: Bars, suites: Suites, checks: Sequence[Check], *, has_rows: bool
) -> tuple[list[str], list[str]]:
    """Find what was never checked: no rate of it can miss a bar, so a gate would hold for ever.

    Args:
        bars: as read.
        suites: with the capabilities that are to be run.
        checks: all that were made.
        has_rows: whether there were rows to change.

    Returns:
        Notes on tests without a check; and faults, one for each capability, or head of it, that has a bar and no check,
        but where that is for want of rows.
    """
    asked = {(check.capability, head) for check in checks for head in (check.head, EVERY_HEAD)}
    checked = {check.test for check in checks}
    tests = [test for _, test in suites.tests() if suites.is_chosen(test)]
    waiting = [test for test in tests if test.name not in checked and test.rows and not has_rows]
    idle = [test for test in tests if test.name not in checked and test not in waiting]
    faults = []
    for capability in dict.fromkeys(test.capability for test in tests):
        for head in _list_barred(bars, suites, capability):
            of = [test.name for test in idle if test.capability == capability]
            if (capability, head) not in asked and (of or capability not in {test.capability for test in waiting}):
                why = f"no check came of {', '.join(of)}" if of else "no check asks for it"
                faults.append(f"{capability}{f' ({head})' if head else ''}: {why}")
    return [
        *(f"No check came of {test.name} ({test.capability}): its changes find nothing in its texts." for test in idle),
        *(f"Nothing was asked of {test.name} ({test.capability}): it changes --rows." for test in waiting),
    ], faults


def _list_barred(bars: Bars, suites: Suites, capability: str) -> list[str]:
    """The heads for which a capability has a bar; `EVERY_HEAD` where it is for any."""
    found = [bar for source in (bars, suites.gates) if (bar := source.get(capability)) is not None]
    return list(dict.fromkeys(head for bar in found for head in (bar if isinstance(bar, dict) else (EVERY_HEAD,))))
