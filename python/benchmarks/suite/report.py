"""The results as CSV and Markdown: wins and losses alike."""

from __future__ import annotations

import collections
import csv
import pathlib

from . import summary
from .regime import NEAR_NS, SIBLING_NS
from .sampling import Case, Outcome
from .summary import Summary, told

SUBJECT = "ringmail"


def write_csv(path: pathlib.Path, outcomes: list[Outcome]) -> None:
    """One line for each figure of each sample, whether it counts or not."""
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["case", "contestant", "mode", "round", "regime", "trip_before_ns", "trip_after_ns", "others_share", "counts",
             "figure", "unit", "value"]
        )  # fmt: skip
        for outcome in outcomes:
            modes = {contestant.name: contestant.mode for contestant in outcome.case.contestants}
            for sample in outcome.samples:
                for figure, value in sample.figures.items():
                    if figure == "value" and outcome.case.several:
                        continue
                    writer.writerow(
                        [sample.case, sample.contestant, modes[sample.contestant], sample.round, sample.regime,
                         f"{sample.trips[0]:.0f}", f"{sample.trips[1]:.0f}", f"{sample.bystanders:.3f}", int(sample.counts),
                         figure, outcome.case.unit if figure == "value" else "", f"{value:.6g}"]
                    )  # fmt: skip


def write_markdown(
    path: pathlib.Path, about: list[str], peers: list[tuple[str, str]], outcomes: list[Outcome], plots: list[str]
) -> None:
    """The tables."""
    text = ["# Ringmail for Python beside others", "", *about, ""]
    text += goals(outcomes)
    text += ["| peer | |", "|---|---|", *(f"| {name} | {state} |" for name, state in peers), ""]
    text += [f"![{plot}]({plot})" for plot in plots]
    text += [""] if plots else []
    tables: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        tables.setdefault(outcome.case.table or outcome.case.name, []).append(outcome)
    for of_table in tables.values():
        text += _sizes(of_table) if of_table[0].case.table else _case(of_table[0])
    path.write_text("\n".join(text).rstrip() + "\n")


def measured(outcomes: list[Outcome], seconds: float, busy: float) -> str:
    """How it was, in a paragraph."""
    timed = [sample for outcome in outcomes if outcome.case.timed for sample in outcome.samples]
    counted = collections.Counter(sample.regime for sample in timed if sample.counts)
    regimes = ", ".join(f"{count} {regime}" for regime, count in counted.most_common()) or "none"
    return (
        f"Samples of about {seconds:g} s, contestants in turn; medians, least and greatest in brackets. *Sibling*, *near* and "
        f"*far* is how fast a cache line moved between two cores (round trips below {SIBLING_NS:g} ns, below {NEAR_NS:g} ns, and "
        "above), and what is compared was measured in one of them: copies beside copies, views beside views. A sample counts if "
        f"that did not change meanwhile and others took at most {100 * busy:g} % of a core: "
        f"{regimes}; {len(timed) - sum(counted.values())} of {len(timed)} did not count."
    )


def goals(outcomes: list[Outcome]) -> list[str]:
    """What was to be reached, and what came of it."""
    verdicts = [(verdict, outcome) for outcome in outcomes for verdict in summary.verdicts(outcome)]
    unjudged = [f"- {line}" for outcome in outcomes for line in summary.unjudged(outcome)]
    if not verdicts and not unjudged:
        return []
    missed = [f"- {verdict.text(outcome)}" for verdict, outcome in verdicts if not verdict.reached]
    reached = [f"- {verdict.text(outcome)}" for verdict, outcome in verdicts if verdict.reached]
    others = f", {len(unjudged)} not judged" if unjudged else ""
    text = [f"## Goals: {len(missed)} missed, {len(reached)} reached{others}", ""]
    return [*text, *missed, *unjudged, *reached, ""]


def _sizes(outcomes: list[Outcome]) -> list[str]:
    """A column for each case."""
    outcomes = sorted(outcomes, key=lambda outcome: outcome.case.column)
    names = _names([outcome.case for outcome in outcomes])
    text = []
    for regime in dict.fromkeys(regime for outcome in outcomes for regime in summary.regimes(outcome)):
        text += [f"## {outcomes[0].case.table} ({regime})", ""]
        text.append("| | " + " | ".join(outcome.case.heading for outcome in outcomes) + " |")
        text.append("|---" * (len(outcomes) + 1) + "|")
        for name, mode in names.items():
            cells = [_cell(outcome, regime, name) for outcome in outcomes]
            text.append(f"| {name} ({mode}) | " + " | ".join(cells) + " |")
        for mode, subject in outcomes[0].case.subjects.items():
            found = [_beside(outcome, regime, mode) for outcome in outcomes]
            if any(found):
                text.append(f"| {subject} beside the best other {mode} | " + " | ".join(cell or "-" for cell in found) + " |")
        text.append("")
    return text + _failures(outcomes)


def _beside(outcome: Outcome, regime: str, mode: str) -> str | None:
    """How the subject does beside the one that is hardest to beat."""
    found = {
        contestant.name: advantage
        for contestant in outcome.case.contestants
        if contestant.mode == mode and (advantage := summary.advantage(outcome, regime, contestant.name, mode))
    }
    if not found:
        return None
    name = min(found, key=lambda name: found[name].median)
    return f"{_times(found[name].median)} {name}"


def _times(factor: float) -> str:
    # A loss is to be seen.
    return f"{told(factor)}x" if factor >= 1 else f"**{told(factor)}x**"


def _cell(outcome: Outcome, regime: str, name: str) -> str:
    figures = summary.figures(outcome, regime, name)
    if figures:
        return _spread(figures)
    return "failed" if name in outcome.failures else "left out" if name in outcome.left_out else "-"


def _case(outcome: Outcome) -> list[str]:
    case = outcome.case
    text = [f"## {case.title}", ""]
    extra = [key for key in _figures(outcome) if key != "value"]
    for regime in summary.regimes(outcome):
        if case.several:
            head = [*case.several.values(), "of"]
        else:
            where = f" ({regime})" if case.timed else ""
            better_is = "more" if case.more_is_better else "less"
            head = [f"{case.unit}{where}, {better_is} is better", *extra, "Ringmail is so many times as good", "samples"]
        text += ["| | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
        for name, mode in _ranked(outcome, regime):
            figures = summary.figures(outcome, regime, name)
            if figures is None:
                continue
            if case.several:
                sums = [_sum(outcome, name, key) for key in case.several]
                text.append(f"| {name} | " + " | ".join([*sums, str(figures.count)]) + " |")
                continue
            better = summary.advantage(outcome, regime, name, mode)
            extras = [summary.figures(outcome, regime, name, key) for key in extra]
            cells = [_spread(figures), *(told(found.median) if found else "-" for found in extras)]
            cells += [f"{_times(better.median)} ({told(better.least)} to {told(better.greatest)})" if better else "-", str(figures.count)]
            text.append(f"| {name} ({mode}) | " + " | ".join(cells) + " |")
        text.append("")
    return text + _failures([outcome])


def _ranked(outcome: Outcome, regime: str) -> list[tuple[str, str]]:
    """Names and modes, the best first; where there are several figures, as they are."""
    names = list(_names([outcome.case]).items())
    if outcome.case.several:
        return names
    ranked = [(found.median, entry) for entry in names if (found := summary.figures(outcome, regime, entry[0]))]
    ranked.sort(key=lambda entry: entry[0], reverse=outcome.case.more_is_better)
    return [entry for _, entry in ranked]


def _sum(outcome: Outcome, name: str, figure: str) -> str:
    values = [sample.figures[figure] for sample in outcome.samples if sample.contestant == name]
    return f"{sum(values):g}"


def _figures(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(figure for sample in outcome.samples for figure in sample.figures))


def _names(cases: list[Case]) -> dict[str, str]:
    return {contestant.name: contestant.mode for case in cases for contestant in case.contestants}


def _failures(outcomes: list[Outcome]) -> list[str]:
    text = []
    for outcome in outcomes:
        if outcome.samples and not summary.regimes(outcome):
            text.append(f"- {outcome.case.title}: no sample counts, the machine was too busy")
        text += [f"- {outcome.case.title}, {name}: {reason}" for name, reason in outcome.failures.items()]
        text += [f"- {outcome.case.title}, {name}: left out, as {reason}" for name, reason in outcome.left_out.items()]
        text += _few(outcome)
    return [*text, ""] if text else []


def _few(outcome: Outcome) -> list[str]:
    """Who had few rounds in which others had enough."""
    counts = collections.Counter(sample.contestant for sample in outcome.samples if sample.counts)
    if max(counts.values(), default=0) < summary.ENOUGH:
        return []
    few = [f"{name} ({count})" for name, count in counts.items() if count < summary.ENOUGH]
    return [f"- {outcome.case.title}, few rounds: {', '.join(few)}"] if few else []


def _spread(figures: Summary) -> str:
    if figures.count == 1:
        return told(figures.median)
    return f"{told(figures.median)} ({told(figures.least)} to {told(figures.greatest)})"


def lines(outcome: Outcome) -> list[str]:
    """A case in a few lines, for who watches."""
    text = []
    for regime in summary.regimes(outcome):
        for contestant in outcome.case.contestants:
            figures = summary.figures(outcome, regime, contestant.name)
            if figures is None:
                continue
            if outcome.case.several:
                told_of = ", ".join(f"{key} {_sum(outcome, contestant.name, key)}" for key in outcome.case.several)
                text.append(f"  {contestant.name:<36} {told_of}, of {figures.count}")
                continue
            better = summary.advantage(outcome, regime, contestant.name, contestant.mode)
            beside = f"  Ringmail is {told(better.median)} times as good" if better else ""
            text.append(f"  {regime:<7} {contestant.name:<36} {_spread(figures):<28} n={figures.count}{beside}")
    if outcome.samples and not text:
        text.append("  no sample counts: the machine was too busy (see --busy)")
    text += [f"  goal: {verdict.text(outcome)}" for verdict in summary.verdicts(outcome)]
    text += [f"  goal: {line}" for line in summary.unjudged(outcome)]
    return text
