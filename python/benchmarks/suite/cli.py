"""What is run, and where the results go."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pathlib
import time
from collections.abc import Callable, Iterator

from . import crew, machine, peers, plots, report, turns
from .cases import Settings, actors, idle, kills, objects, sigint, sizes, sums, trips
from .peers.contract import Peer
from .regime import Probe
from .sampling import Case, Measurement, Outcome

CASES: dict[str, tuple[Callable[[list[type[Peer]], Settings], Iterator[Case]], str]] = {
    "sizes": (sizes.cases, "bytes and float32 arrays, 10 B to 10 GB, at capacity 5 and 1024"),
    "scalars": (objects.scalars, "a dict of four scalars"),
    "pingpong": (trips.pingpong, "64 bytes there and back, awake and asleep"),
    "nested": (objects.nested, "the nested object of py-sharedmemory's README, 54 MB"),
    "actors": (actors.cases, "four actors to one learner"),
    "frames": (objects.frames, "pictures of 1080p"),
    "sums": (sums.cases, "1.57 GB summed by four workers"),
    "pool": (trips.pool, "100 MB to a worker and back"),
    "idle": (idle.cases, "what a consumer costs that waits"),
    "sigint": (sigint.cases, "Ctrl-C in a get that waits: how long until it is heard"),
    "kills": (kills.cases, "processes killed: who is told, who carries on, what stays"),
}

#: Where committed figures are.
DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs" / "python"

#: Seconds between two times that what there is so far is written.
WRITE_EVERY = 30.0

SIZES = "10,1e3,1e4,1e5,1e6,1e7,1e8,1e9,1e10"


def main() -> int:
    """See ``bench.py``."""
    options = _parser().parse_args()
    # Processes that are killed leave something to be cleared away, and that is not worth a word each.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    # For libraries that ask for the default.
    multiprocessing.set_start_method("spawn", force=True)
    crew.prepare()
    if options.cases == ["peers"]:
        for name, state in peers.described():
            print(f"{name:<24} {state}")
        return 0
    unknown = set(options.cases) - set(CASES)
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    chosen = [name for name in CASES if not options.cases or name in options.cases]
    settings, runs, busy = _settings(options)
    folder, stem = _destination(options)
    taking_part = peers.available([name for name in options.peers.split(",") if name])
    folder.mkdir(parents=True, exist_ok=True)
    machine_line = machine.line()
    print(machine_line, flush=True)
    states = [(name, state) for name, state in peers.described() if not options.peers or name in options.peers.split(",")]
    for name, state in states:
        if state.startswith("not "):
            print(f"{name}: {state}", flush=True)
    about = [f"{machine_line}; {machine.commit()}, {time.strftime('%Y-%m-%d')}."]
    outcomes: list[Outcome] = []
    written = -WRITE_EVERY

    def write(plots_made: list[str]) -> None:
        said = [*about, "", report.measured(outcomes, settings.seconds, busy)]
        report.write_csv(folder / f"{stem}.csv", outcomes)
        report.write_markdown(folder / f"{stem}.md", said, states, outcomes, plots_made)

    def after(measurement: Measurement) -> None:
        if measurement.outcome not in outcomes:
            outcomes.append(measurement.outcome)
        if measurement.rounds == 1 or not options.minutes:
            print("\n".join(report.lines(measurement.outcome)), flush=True)
        else:
            print(f"{measurement.case.title}: round {measurement.rounds}", flush=True)
        # What there is is there, should somebody lose patience. Summing it up takes a quarter of a second in the end.
        nonlocal written
        if time.monotonic() - written > WRITE_EVERY:
            write([])
            written = time.monotonic()

    with Probe() as probe:
        started = time.monotonic()
        measurements = _measurements(chosen, taking_part, settings, busy, probe)
        if options.minutes:
            turns.spread(measurements, started + 60 * options.minutes, runs, after)
            for outcome in outcomes:
                print("\n".join([outcome.case.title, *report.lines(outcome)]), flush=True)
        else:
            turns.one_by_one(measurements, lambda case: settings.kills if case.name == "kills" else runs, after)
    without = plots.missing()
    drawn = [] if without else plots.write(folder, stem, about[0], outcomes)
    if without:
        print(without)
    write(drawn)
    print(f"wrote {stem}.csv, {stem}.md and {len(drawn)} plots to {folder}, after {(time.monotonic() - started) / 60:.0f} minutes")
    broken = {name for outcome in outcomes for name in outcome.failures if name.startswith(report.SUBJECT)}
    if broken:
        print(f"did not come to their end: {', '.join(sorted(broken))}")
    return 1 if broken else 0


def _measurements(
    chosen: list[str], taking_part: list[type[Peer]], settings: Settings, busy: float, probe: Probe
) -> Iterator[Measurement]:
    def say(line: str) -> None:
        print(line, flush=True)

    for name in chosen:
        for case in CASES[name][0](taking_part, settings):
            if not case.contestants:
                continue
            say(f"{case.title} ({case.unit})" if case.unit else case.title)
            yield Measurement(case, busy, probe, say)


def _destination(options: argparse.Namespace) -> tuple[pathlib.Path, str]:
    if options.out != "docs":
        return pathlib.Path(options.out), options.stem or "python"
    if options.quick:
        raise SystemExit("--quick makes no figures that belong into docs")
    return DOCS, options.stem or "figures"


def _parser() -> argparse.ArgumentParser:
    lines = "\n".join(f"  {name:<10} {text}" for name, (_, text) in CASES.items())
    parser = argparse.ArgumentParser(
        prog="bench.py",
        description="Ringmail beside what else there is in Python.",
        epilog=f"cases:\n{lines}\n  {'peers':<10} says which peers are there, and why the others are not",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="*", help="what to measure; everything by default")
    parser.add_argument("--quick", action="store_true", help="a little of everything, to see that it works; no figures to believe")
    parser.add_argument(
        "--minutes", type=float, help="time for all of it, about: rounds are spread over it, and slow contestants have fewer"
    )
    parser.add_argument("--peers", default="", help="names, separated by commas; all by default")
    parser.add_argument("--sizes", help=f"bytes, separated by commas; {SIZES} by default")
    parser.add_argument("--capacity", help="separated by commas; 5,1024 by default")
    parser.add_argument("--runs", type=int, help="samples of each contestant; 5 by default")
    parser.add_argument("--seconds", type=float, help="length of a sample; 0.5 by default, 0.1 with --minutes")
    parser.add_argument("--busy", type=float, help="how much of a core others may take; 0.04 by default")
    parser.add_argument("--out", default="results", help="the folder for the results; docs is docs/python of this repository")
    parser.add_argument("--stem", help="how their names begin; python by default, figures in docs")
    return parser


def _settings(options: argparse.Namespace) -> tuple[Settings, int, float]:
    quick = options.quick
    settings = Settings(
        sizes=[int(float(size)) for size in (options.sizes or ("10,1e5" if quick else SIZES)).split(",")],
        capacities=[int(number) for number in (options.capacity or ("5" if quick else "5,1024")).split(",")],
        seconds=options.seconds or (0.05 if quick else 0.1 if options.minutes else 0.5),
        big=4_000_000 if quick else 100_000_000,
        total=16_000_000 if quick else 1_570_000_000,
        kills=1 if quick else max(5, options.runs or 0),
        brief=quick or bool(options.minutes),
    )
    runs = options.runs or (1 if quick else 5)
    busy = options.busy if options.busy is not None else (float("inf") if quick else 0.04)
    return settings, runs, busy
