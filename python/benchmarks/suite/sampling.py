"""Rounds of samples, and which of them count.

In each round every contestant is measured once, in turn. A sample counts if the probes before and after it were of one regime and others
took no more processor time than allowed; one that does not is taken again, a few times.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable, Iterator

from . import crew, machine, regime
from .crew import Failure

#: What a sample tells: its "value", and whatever else a case wants to say.
Figures = dict[str, float]

@dataclasses.dataclass
class Stream:
    """What takes samples of messages a second."""

    take: Callable[[], Figures]
    #: Messages of a sample, with those that are not timed; of a longer message there will be no more.
    messages: int

    def __call__(self) -> Figures:
        """Takes one."""
        return self.take()


#: How often a sample is taken that does not count.
TRIES = 3


@dataclasses.dataclass
class Contestant:
    """One way to do it."""

    name: str
    mode: str
    #: Checks that it delivers what was sent; gives what takes a sample.
    prepare: Callable[[], Callable[[], Figures]]


@dataclasses.dataclass
class Goal:
    """What the subject is to reach: a factor of the best of others, or a figure."""

    subject: str
    bound: float
    #: Names of the others, in the same case; without any, the bound is a figure.
    best_of: list[str] = dataclasses.field(default_factory=list)
    #: Which figure of a sample is meant, and whether more of it is better, where that is not as in the case.
    figure: str = "value"
    more_is_better: bool | None = None
    #: Whether each sample has to reach it, and not only their median.
    always: bool = False


@dataclasses.dataclass
class Case:
    """One question."""

    name: str
    title: str
    unit: str
    more_is_better: bool
    contestants: list[Contestant]
    goals: list[Goal] = dataclasses.field(default_factory=list)
    #: Set where this is a column of a table: the table's name, and the column's place and heading.
    table: str = ""
    column: float = 0.0
    heading: str = ""
    #: Whether the regime matters, and what others do meanwhile.
    timed: bool = True
    #: Where the figures are not one but several: which, and their headings. ``value`` is not told then.
    several: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Whom contestants of a mode are compared with.
    subjects: dict[str, str] = dataclasses.field(default_factory=lambda: {"copy": "ringmail", "view": "ringmail recv"})
    #: Seconds, where it takes so many that it has to wait until all else was measured, if there is a limit.
    lengthy: float = 0.0


@dataclasses.dataclass
class Sample:
    """One that was taken."""

    case: str
    contestant: str
    round: int
    regime: str
    trips: tuple[float, float]
    bystanders: float
    counts: bool
    figures: Figures


@dataclasses.dataclass
class Outcome:
    """What came of a case."""

    case: Case
    samples: list[Sample]
    #: Contestants that were not measured to the end, and why.
    failures: dict[str, str]
    #: Contestants that were not measured at all because there was not the time, and why.
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)


class Measurement:
    """A case while it is measured."""

    def __init__(self, case: Case, busy: float, probe: regime.Probe, say: Callable[[str], None]) -> None:
        self.case, self.busy, self.probe, self.say = case, busy, probe, say
        self.outcome = Outcome(case, [], {})
        self.rounds = 0
        #: Seconds that a turn of each took, the last time.
        self.took: dict[str, float] = {}
        #: Messages of a sample of each, where it is of a stream.
        self.messages: dict[str, int] = {}
        self._samplers: dict[str, Callable[[], Figures]] = {}

    def leave_out(self, reasons: dict[str, str]) -> None:
        """Has those of these names not measured; before they are prepared."""
        names = [contestant.name for contestant in self.case.contestants if contestant.name in reasons]
        self.outcome.left_out.update({name: reasons[name] for name in names})

    def rates(self) -> dict[str, float]:
        """Messages a second of each, whether the samples count or not; in a table."""
        values: dict[str, list[float]] = {}
        for sample in self.outcome.samples:
            values.setdefault(sample.contestant, []).append(sample.figures["value"])
        medians = {name: statistics.median(each) for name, each in values.items()}
        return {name: median for name, median in medians.items() if median > 0}

    def prepare(self) -> None:
        """Has all contestants checked."""
        for contestant in self.case.contestants:
            if contestant.name in self.outcome.left_out:
                continue
            try:
                sampler = self._samplers[contestant.name] = contestant.prepare()
                if isinstance(sampler, Stream):
                    self.messages[contestant.name] = sampler.messages
            except Exception as failure:
                self._fail(contestant.name, failure)
            crew.clean()

    def round(self, names: Iterable[str] | None = None) -> None:
        """A turn for each contestant that has not failed, or for these of them."""
        for name in [name for name in self._samplers if names is None or name in names]:
            start = time.monotonic()
            try:
                for sample in _tries(self.case, name, self.rounds, self._samplers[name], self.busy, self.probe):
                    self.outcome.samples.append(sample)
            except Exception as failure:
                self._fail(name, failure)
                del self._samplers[name]
                self.took.pop(name, None)
            else:
                self.took[name] = time.monotonic() - start
            crew.clean()
        self.rounds += 1

    def _fail(self, name: str, failure: Exception) -> None:
        # A library that fails in its own way is told of, and the others go on.
        text = str(failure) if isinstance(failure, Failure) else f"{type(failure).__name__}: {failure}"
        reason = text.splitlines()[0]
        self.outcome.failures[name] = reason
        self.say(f"  {name}: {reason}")


def _tries(
    case: Case, name: str, number: int, sampler: Callable[[], Figures], busy: float, probe: regime.Probe
) -> Iterator[Sample]:
    if not case.timed:
        yield Sample(case.name, name, number, "any", (0.0, 0.0), 0.0, True, sampler())
        return
    before = probe.trip_ns()
    for _ in range(TRIES):
        bystanders = machine.Bystanders()
        figures = sampler()
        crew.clean()
        others = bystanders.share()
        after = probe.trip_ns()
        now = regime.of(before)
        counts = now == regime.of(after) and others <= busy
        yield Sample(case.name, name, number, now, (before, after), others, counts, figures)
        if counts:
            return
        before = after
