"""Pictures of the results."""

from __future__ import annotations

import importlib.util
import pathlib
import re
from typing import Any

from . import summary
from .sampling import Outcome


def missing() -> str | None:
    """Why there are no pictures, if there are none."""
    return None if importlib.util.find_spec("matplotlib") else "no plots: pip install matplotlib"


def write(folder: pathlib.Path, stem: str, about: str, outcomes: list[Outcome]) -> list[str]:
    """Draws what there is; returns the names of the files."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "ringmail"
    made = []
    tables: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.case.table:
            tables.setdefault(outcome.case.table, []).append(outcome)
        elif not outcome.case.several:
            for regime in summary.regimes(outcome):
                made.append(_bars(pyplot, folder, stem, about, outcome, regime))
    for title, columns in tables.items():
        for regime in sorted({regime for outcome in columns for regime in summary.regimes(outcome)}):
            made.append(_curves(pyplot, folder, stem, about, title, columns, regime))
    return made


def _save(pyplot: Any, figure: Any, folder: pathlib.Path, name: str, about: str) -> str:
    figure.text(0.01, 0.005, about, fontsize=5, color="grey")
    file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".svg"
    figure.savefig(folder / file, bbox_inches="tight")
    pyplot.close(figure)
    return file


def _curves(
    pyplot: Any, folder: pathlib.Path, stem: str, about: str, title: str, outcomes: list[Outcome], regime: str
) -> str:
    figure, axes = pyplot.subplots(figsize=(9, 6))
    names = dict.fromkeys(contestant.name for outcome in outcomes for contestant in outcome.case.contestants)
    for name in names:
        points = []
        for outcome in outcomes:
            figures = summary.figures(outcome, regime, name)
            if figures:
                points.append((outcome.case.column, figures))
        if not points:
            continue
        points.sort(key=lambda point: point[0])
        medians = [figures.median for _, figures in points]
        below = [figures.median - figures.least for _, figures in points]
        above = [figures.greatest - figures.median for _, figures in points]
        ours = name.startswith("ringmail")
        axes.errorbar(
            [column for column, _ in points], medians, yerr=[below, above], label=name, marker="o", markersize=3, capsize=2,
            linewidth=2 if ours else 1, linestyle="-" if ours else "--",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="bytes of a message", ylabel="messages per second", title=f"{title} ({regime})")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=7, ncols=2)
    return _save(pyplot, figure, folder, f"{stem}-{title}-{regime}", about)


def _bars(pyplot: Any, folder: pathlib.Path, stem: str, about: str, outcome: Outcome, regime: str) -> str:
    rows = []
    for contestant in outcome.case.contestants:
        figures = summary.figures(outcome, regime, contestant.name)
        if figures:
            rows.append((contestant.name, figures))
    rows.sort(key=lambda row: row[1].median, reverse=not outcome.case.more_is_better)
    figure, axes = pyplot.subplots(figsize=(8, 0.35 * len(rows) + 1.2))
    spread = [[f.median - f.least for _, f in rows], [f.greatest - f.median for _, f in rows]]
    colours = ["tab:blue" if name.startswith("ringmail") else "tab:grey" for name, _ in rows]
    axes.barh([name for name, _ in rows], [f.median for _, f in rows], xerr=spread, color=colours, capsize=2)
    better = "more" if outcome.case.more_is_better else "less"
    axes.set(xlabel=f"{outcome.case.unit} ({better} is better)", title=f"{outcome.case.title} ({regime})")
    if rows and min(f.median for _, f in rows) > 0 and rows[-1][1].median / rows[0][1].median not in (0,):
        axes.set_xscale("log")
    return _save(pyplot, figure, folder, f"{stem}-{outcome.case.name}-{regime}", about)
