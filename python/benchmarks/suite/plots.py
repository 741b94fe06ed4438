"""Pictures of the results: one of the tables of sizes, one of all other cases, each in the regime in which it has most samples."""

from __future__ import annotations

import importlib.util
import io
import itertools
import math
import pathlib
import re
from typing import Any

from . import summary
from .report import SUBJECT
from .sampling import Outcome

#: Panels beside each other.
ACROSS = 2

#: Where the greatest of the bars is so many times the least, they are drawn to a logarithmic scale.
WIDE = 20


def missing() -> str | None:
    """Why there are no pictures, if there are none."""
    return None if importlib.util.find_spec("matplotlib") else "no plots: pip install matplotlib"


def write(folder: pathlib.Path, stem: str, about: str, outcomes: list[Outcome]) -> list[str]:
    """Draws what there is; returns the names of the files."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same results make the same file, and letters stay letters, which is smaller.
    pyplot.rcParams |= {"svg.hashsalt": "ringmail", "svg.fonttype": "none", "font.size": 8}
    tables: dict[str, list[Outcome]] = {}
    singles = []
    for outcome in outcomes:
        if not summary.regimes(outcome):
            continue
        if outcome.case.table:
            tables.setdefault(outcome.case.table, []).append(outcome)
        elif not outcome.case.several:
            singles.append(outcome)
    made = []
    if tables:
        figure, panels = _panels(pyplot, len(tables), 4.0)
        names = dict.fromkeys(each.name for columns in tables.values() for outcome in columns for each in outcome.case.contestants)
        # In every panel the same.
        colours = dict(zip(names, itertools.cycle(matplotlib.colormaps["tab20"](range(20)))))
        for axes, (title, columns) in zip(panels, tables.items(), strict=True):
            _curves(axes, title, columns, colours)
        made.append(_save(pyplot, figure, folder, f"{stem}-sizes", about))
    if singles:
        most = max(len(_rows(outcome)) for outcome in singles)
        figure, panels = _panels(pyplot, len(singles), 0.17 * most + 0.9)
        for axes, outcome in zip(panels, singles, strict=True):
            _bars(axes, outcome)
        made.append(_save(pyplot, figure, folder, f"{stem}-cases", about))
    return made


def _panels(pyplot: Any, count: int, height: float) -> tuple[Any, list[Any]]:
    down = math.ceil(count / ACROSS)
    figure, grid = pyplot.subplots(down, min(count, ACROSS), figsize=(6.5 * min(count, ACROSS), height * down), squeeze=False)
    panels = list(grid.flat)
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def _save(pyplot: Any, figure: Any, folder: pathlib.Path, name: str, about: str) -> str:
    figure.tight_layout()
    figure.text(0.005, -0.01, about, fontsize=6, color="grey", va="top")
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    # A quarter of it is the space before its lines.
    (folder / f"{name}.svg").write_text(re.sub(r"\n\s+", "\n", drawn.getvalue()))
    return f"{name}.svg"


def _curves(axes: Any, title: str, outcomes: list[Outcome], colours: dict[str, Any]) -> None:
    regime = _most([regime for outcome in outcomes for regime in _counted(outcome)])
    for name, colour in colours.items():
        found = [(outcome.case.column, summary.figures(outcome, regime, name)) for outcome in outcomes]
        points = sorted((column, figures.median) for column, figures in found if figures)
        if not points:
            continue
        ours = name.startswith(SUBJECT)
        axes.plot(
            [column for column, _ in points], [median for _, median in points], label=name, marker="o", markersize=2.5, color=colour,
            linewidth=2 if ours else 1, linestyle="-" if ours else "--",
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="bytes of a message", ylabel="messages per second", title=f"{title} ({regime})")
    axes.minorticks_off()
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=6, ncols=2)


def _rows(outcome: Outcome) -> list[tuple[str, summary.Summary]]:
    """Contestants and their figures, the best last: that is on top."""
    regime = _most(_counted(outcome))
    found = [(contestant.name, summary.figures(outcome, regime, contestant.name)) for contestant in outcome.case.contestants]
    rows = [(name, figures) for name, figures in found if figures]
    return sorted(rows, key=lambda row: row[1].median, reverse=not outcome.case.more_is_better)


def _bars(axes: Any, outcome: Outcome) -> None:
    rows = _rows(outcome)
    medians = [figures.median for _, figures in rows]
    spread = [[f.median - f.least for _, f in rows], [f.greatest - f.median for _, f in rows]]
    colours = ["tab:blue" if name.startswith(SUBJECT) else "tab:grey" for name, _ in rows]
    axes.barh([name for name, _ in rows], medians, xerr=spread, color=colours, error_kw={"linewidth": 0.7})
    axes.tick_params(axis="y", labelsize=6)
    better = "more" if outcome.case.more_is_better else "less"
    where = f" ({_most(_counted(outcome))})" if outcome.case.timed else ""
    axes.set(xlabel=f"{outcome.case.unit} ({better} is better)", title=f"{outcome.case.title}{where}")
    if min(medians) > 0 and max(medians) > WIDE * min(medians):
        axes.set_xscale("log")
    axes.minorticks_off()


def _counted(outcome: Outcome) -> list[str]:
    """The regime of each sample that counts."""
    return [sample.regime for sample in outcome.samples if sample.counts]


def _most(regimes: list[str]) -> str:
    return max(dict.fromkeys(regimes), key=regimes.count)
