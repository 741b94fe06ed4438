"""Medians and spreads; ratios of neighbours."""

from __future__ import annotations

import collections
import dataclasses
import statistics

from .sampling import Goal, Outcome


#: What was measured in fewer rounds is said to be.
ENOUGH = 5


@dataclasses.dataclass(frozen=True)
class Summary:
    """A median and its spread."""

    median: float
    least: float
    greatest: float
    count: int


def of(figures: list[float]) -> Summary | None:
    """Of any figures; `None` if there are none."""
    return Summary(statistics.median(figures), min(figures), max(figures), len(figures)) if figures else None


def regimes(outcome: Outcome) -> list[str]:
    """Those in which something counts; the one with most samples first."""
    counted = collections.Counter(sample.regime for sample in outcome.samples if sample.counts)
    return [regime for regime, _ in counted.most_common()]


def figures(outcome: Outcome, regime: str, contestant: str, figure: str = "value") -> Summary | None:
    """A contestant's figures."""
    return of(
        [
            sample.figures[figure]
            for sample in outcome.samples
            if sample.counts and (sample.regime, sample.contestant) == (regime, contestant) and figure in sample.figures
        ]
    )


def ratio(outcome: Outcome, regime: str, subject: str, other: str) -> Summary | None:
    """The subject's figures, each to the other's in the same round."""
    rounds: dict[int, dict[str, float]] = {}
    for sample in outcome.samples:
        if sample.counts and sample.regime == regime and sample.contestant in (subject, other):
            rounds.setdefault(sample.round, {})[sample.contestant] = sample.figures["value"]
    return of([values[subject] / values[other] for values in rounds.values() if len(values) == 2 and values[other]])


def advantage(outcome: Outcome, regime: str, other: str, mode: str) -> Summary | None:
    """How many times as good as another Ringmail is, copies beside copies and views beside views; above 1 it wins."""
    names = {contestant.name for contestant in outcome.case.contestants}
    # Where nothing of ours lends, what copies is beside those that do as well.
    subject = next((name for name in (outcome.case.subjects.get(mode), "ringmail") if name in names), None)
    if subject is None or other.startswith("ringmail"):
        return None
    found = ratio(outcome, regime, subject, other)
    if found is None or outcome.case.more_is_better or not found.least:
        return found if outcome.case.more_is_better else None
    return Summary(1 / found.median, 1 / found.greatest, 1 / found.least, found.count)


def worst(outcome: Outcome, regime: str, subject: str, others: list[str]) -> tuple[str, Summary] | None:
    """The one of the others that is hardest to beat, and the subject's ratio to it."""
    ratios = {other: found for other in others if (found := ratio(outcome, regime, subject, other))}
    pick = min if outcome.case.more_is_better else max
    return pick(ratios.items(), key=lambda entry: entry[1].median) if ratios else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a goal was reached."""

    goal: Goal
    regime: str
    reached: bool
    figure: Summary
    #: The one that it was hardest to reach against, if it was against any.
    against: str | None

    def text(self, outcome: Outcome) -> str:
        """In words."""
        word = "reached" if self.reached else "**missed**"
        if self.figure.count < ENOUGH:
            word += " in few rounds"
        wish = "at least" if _more_is_better(outcome, self.goal) else "at most"
        got = f"{told(self.figure.median)} ({told(self.figure.least)} to {told(self.figure.greatest)}, n={self.figure.count})"
        where = "" if self.regime == "any" else f", {self.regime}"
        what = "" if self.goal.figure == "value" else f", {outcome.case.several.get(self.goal.figure, self.goal.figure)}"
        about = f"{outcome.case.title}{what}{where}: {self.goal.subject} {wish}"
        if self.against:
            gone = [name for name in _gone(outcome, self.goal.best_of) if not ratio(outcome, self.regime, self.goal.subject, name)]
            without = f", without {', '.join(gone)}" if gone else ""
            return f"{about} {self.goal.bound:g}x {self.against}{without}: {got}, {word}"
        unit = f" {outcome.case.unit}" if self.goal.figure == "value" else ""
        return f"{about} {told(self.goal.bound)}{unit}{' each time' if self.goal.always else ''}: {got}, {word}"


def verdicts(outcome: Outcome) -> list[Verdict]:
    """Of all goals that can be judged."""
    given = []
    for regime in regimes(outcome):
        for goal in outcome.case.goals:
            against, figure = None, None
            if goal.best_of:
                against, figure = worst(outcome, regime, goal.subject, goal.best_of) or (None, None)
            else:
                figure = figures(outcome, regime, goal.subject, goal.figure)
            if figure is None:
                continue
            if _more_is_better(outcome, goal):
                reached = (figure.least if goal.always else figure.median) >= goal.bound
            else:
                reached = (figure.greatest if goal.always else figure.median) <= goal.bound
            given.append(Verdict(goal, regime, reached, figure, against))
    return given


def unjudged(outcome: Outcome) -> list[str]:
    """Goals that were not judged because somebody did not take part, and why."""
    judged = [verdict.goal for verdict in verdicts(outcome)]
    given = []
    for goal in outcome.case.goals:
        gone = _gone(outcome, [goal.subject, *goal.best_of])
        if goal not in judged and gone:
            why = ", ".join(f"{name} {'left out' if name in outcome.left_out else 'failed'}" for name in gone)
            beside = f" beside {', '.join(goal.best_of)}" if goal.best_of else ""
            given.append(f"{outcome.case.title}: {goal.subject}{beside}, not judged: {why}")
    return given


def _gone(outcome: Outcome, names: list[str]) -> list[str]:
    """Those of them that were left out or failed."""
    return [name for name in names if name in outcome.left_out or name in outcome.failures]


def _more_is_better(outcome: Outcome, goal: Goal) -> bool:
    return outcome.case.more_is_better if goal.more_is_better is None else goal.more_is_better


def told(figure: float) -> str:
    """With three figures."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(figure) >= limit:
            return f"{figure / limit:.3g}{unit}"
    return f"{figure:.3g}"
