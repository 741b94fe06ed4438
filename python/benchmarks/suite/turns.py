"""Which case has its next round, and who takes part in it.

Where time is no matter, one case is measured after the other. Where there is so much of it and no more, every case is prepared and has a
first round, which tells what a turn of each contestant takes. Then all cases have their second round, then their third: what a machine
does for some minutes falls on all of them alike. Contestants whose turns take so long that not everybody could have as many as wanted
have fewer, those with the longest turns first: 1 GB by pickles is slow whether it was measured twice or five times. Who would take long for
a sample, going by what it did of shorter messages, and is far behind there, is left out, and said to be; but neither Ringmail nor whom a goal
names. What time is left is spent on further rounds. Lengthy cases come when all others have had theirs, if there is as much time as they say
they take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from .sampling import Case, Measurement

#: Seconds of a sample beyond which a contestant may be left out of a column of a table.
LONG = 10.0

#: And how many times as good the best of its mode has to be.
FAR_BEHIND = 3.0


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
    made: list[Measurement] = []
    lengthy: list[Measurement] = []
    for measurement in measurements:
        if measurement.case.lengthy:
            lengthy.append(measurement)
            continue
        _begin(measurement, made, after)
    for place in range(1, wanted):
        _round(made, until, wanted - place, after)
    for measurement in lengthy:
        if until - time.monotonic() >= measurement.case.lengthy:
            _begin(measurement, made, after)
        else:
            measurement.say(f"{measurement.case.title}: left out, as it takes {measurement.case.lengthy:g} s")
    while _round([measurement for measurement in made if not measurement.case.lengthy], until, 1, after):
        pass


def _begin(measurement: Measurement, made: list[Measurement], after: Callable[[Measurement], None]) -> None:
    """The first round, of those who do not take too long."""
    measurement.leave_out(too_slow(measurement.case, made))
    measurement.prepare()
    measurement.round()
    made.append(measurement)
    after(measurement)


def too_slow(case: Case, made: Iterable[Measurement]) -> dict[str, str]:
    """Who is to be left out of a column of a table, by the column of the longest messages shorter than its own that it was in; and why.

    By what it tells of a message, and not by what a sample took, most of which may be the start of processes.
    """
    if not case.table:
        return {}
    named = {goal.best_of[0] for goal in case.goals if len(goal.best_of) == 1}
    shorter = [each for each in made if each.case.table == case.table and 0 < each.case.column < case.column]
    reasons: dict[str, str | None] = {}
    for each in sorted(shorter, key=lambda each: each.case.column, reverse=True):
        rates = each.rates()
        for contestant in each.case.contestants:
            name = contestant.name
            if name not in rates or name in reasons:
                continue
            reasons[name] = None
            best = max(rates[other.name] for other in each.case.contestants if other.mode == contestant.mode and other.name in rates)
            seconds = each.messages.get(name, 0) / rates[name] * case.column / each.case.column
            if seconds > LONG and rates[name] * FAR_BEHIND <= best and not name.startswith("ringmail") and name not in named:
                reasons[name] = f"a sample would take {seconds:.0f} s: it takes {1 / rates[name]:.2g} s for one of {each.case.heading}"
    return {name: reason for name, reason in reasons.items() if reason}


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
