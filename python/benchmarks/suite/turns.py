"""Which case has its next round, and who takes part in it.

Where time is no matter, one case is measured after the other. Where there is so much of it and no more, every case is prepared and has a
first round, which tells what a turn of each contestant takes. Then all cases have their second round, then their third: what a machine
does for some minutes falls on all of them alike. Contestants whose turns take so long that not everybody could have as many as wanted
have fewer, those with the longest turns first: 1 GB by pickles is slow whether it was measured twice or five times. And whom a sample took
long of messages a tenth as long is left out, and said to be. What time is left is spent on further rounds. Lengthy cases come when all others have had theirs, if there is as much time as they say they take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .sampling import Case, Measurement

#: Seconds of a sample from which on a contestant does not take part in the next columns of a table, where messages are longer.
SLOW = 1.0


def one_by_one(
    measurements: Iterable[Measurement], rounds: Callable[[Case], int], after: Callable[[Measurement], None]
) -> None:
    """So many rounds of each; ``after`` hears of it when they are done."""
    for measurement in measurements:
        measurement.prepare()
        for _ in range(rounds(measurement.case)):
            measurement.round()
        after(measurement)


def spread(
    measurements: Iterable[Measurement], until: float, wanted: int, after: Callable[[Measurement], None]
) -> None:
    """Measures until that time, about; ``after`` hears of each round."""
    made, lengthy = [], []
    slow: dict[str, dict[str, str]] = {}
    for measurement in measurements:
        if measurement.case.lengthy:
            lengthy.append(measurement)
            continue
        case = measurement.case
        measurement.leave_out(slow.get(case.table, {}))
        measurement.prepare()
        measurement.round()
        if case.table:
            reasons = {name: f"a sample of {case.heading} takes {each:.1f} s" for name, each in measurement.each.items() if each > SLOW}
            slow.setdefault(case.table, {}).update(reasons)
        made.append(measurement)
        after(measurement)
    for place in range(1, wanted):
        _round(made, until, wanted - place, after)
    for measurement in lengthy:
        if until - time.monotonic() >= measurement.case.lengthy:
            measurement.prepare()
            measurement.round()
            made.append(measurement)
            after(measurement)
        else:
            measurement.say(f"{measurement.case.title}: left out, as it takes {measurement.case.lengthy:g} s")
    while _round([measurement for measurement in made if not measurement.case.lengthy], until, 1, after):
        pass


def _round(made: list[Measurement], until: float, left: int, after: Callable[[Measurement], None]) -> bool:
    """A round of each case, with those contestants for whom there is time if ``left`` rounds are to come; whether there was any."""
    longest = affordable([took for each in made for took in each.took.values()], until - time.monotonic(), left)
    any_at_all = False
    for measurement in made:
        names = [name for name, took in measurement.took.items() if took <= longest]
        # One alone, where there were others, has nobody to be compared with.
        if len(names) < min(2, len(measurement.took)) or not names:
            continue
        if time.monotonic() + sum(measurement.took[name] for name in names) > until:
            continue
        measurement.round(names)
        after(measurement)
        any_at_all = True
    return any_at_all


def affordable(turns: Iterable[float], seconds: float, left: int) -> float:
    """How long a turn may be for all that are no longer to fit, so many times, into these seconds; 0 if none does."""
    longest, sum_of_turns = 0.0, 0.0
    for took in sorted(turns):
        sum_of_turns += took
        if sum_of_turns * left > seconds:
            break
        longest = took
    return longest
