"""The benchmarks run, check what they measure, judge it, and write down what they found."""

from __future__ import annotations

import csv
import importlib.util
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

BENCH = pathlib.Path(__file__).parent.parent / "benchmarks" / "bench.py"
sys.path.append(str(BENCH.parent))

from suite import payloads, regime, report, sampling, summary, turns  # noqa: E402
from suite.sampling import Case, Contestant, Figures, Goal, Outcome, Sample  # noqa: E402

#: A little of everything takes 20 s, and other tests run meanwhile.
LONG = 280

CASES = {
    "sizes/bytes/5/100000", "sizes/float32/5/100000", "scalars", "pingpong/awake", "pingpong/asleep", "nested", "actors", "frames",
    "sums", "pool", "idle", "sigint", "kills",
}  # fmt: skip


def bench(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=LONG - 10)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def measured(folder: pathlib.Path) -> list[dict[str, str]]:
    with (folder / "python.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The results of a little of everything."""
    folder = tmp_path_factory.mktemp("results")
    bench("--quick", "--sizes=1e5", "--peers=ringmail,mp.Queue", f"--out={folder}")
    return folder


@pytest.mark.timeout(LONG)
def test_every_case_is_measured_and_told(everything: pathlib.Path) -> None:
    rows = measured(everything)
    assert {row["case"] for row in rows} == CASES
    for case in CASES - {"sums"}:
        assert {"ringmail", "mp.Queue"} <= {row["contestant"] for row in rows if row["case"] == case}, case
    timed = [row for row in rows if row["figure"] == "value" and row["case"] not in ("idle", "sigint")]
    assert all(float(row["value"]) > 0 and row["regime"] in ("sibling", "near", "far") for row in timed)
    text = (everything / "python.md").read_text()
    assert "| ringmail (copy) |" in text and "| mp.Queue (copy) |" in text and "| | 100 KB |" in text
    assert text.index("## Goals: ") < text.index("| peer |") < text.index("## Killed processes")


@pytest.mark.timeout(LONG)
def test_the_dead_are_told_of(everything: pathlib.Path, tmp_path: pathlib.Path) -> None:
    # Whoever waits for the dead is told, others carry on, and nothing is left: a promise. Where much else runs, a second may pass
    # without either side, and others leave files: the best of three.
    promised = {"told of a producer": 1, "told of a consumer": 1, "new producer": 1, "new consumer": 1, "left": 0}
    folder = everything
    for _ in range(2):
        if deaths(folder) == promised:
            break
        folder = tmp_path
        bench("kills", "--quick", "--peers=ringmail", f"--out={folder}")
    assert deaths(folder) == promised


def deaths(folder: pathlib.Path) -> dict[str, float]:
    rows = [row for row in measured(folder) if (row["case"], row["contestant"]) == ("kills", "ringmail")]
    return {row["figure"]: float(row["value"]) for row in rows}


@pytest.mark.timeout(LONG)
def test_an_interrupt_is_heard_each_time(everything: pathlib.Path) -> None:
    rows = [row for row in measured(everything) if (row["case"], row["contestant"]) == ("sigint", "ringmail")]
    assert {row["figure"]: float(row["value"]) for row in rows}["heard"] == 4


@pytest.mark.timeout(LONG)
@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="no matplotlib")
def test_it_is_drawn(everything: pathlib.Path) -> None:
    for name in ("python-sizes.svg", "python-cases.svg"):
        drawn = (everything / name).read_text()
        assert "mp.Queue" in drawn and f"![{name}]({name})" in (everything / "python.md").read_text()


@pytest.mark.timeout(120)
def test_one_round_is_measured_however_short_the_time_is(tmp_path: pathlib.Path) -> None:
    arguments = ("sizes", "--sizes=10", "--capacity=5", "--peers=ringmail,mp.Queue", "--busy=99", f"--out={tmp_path}")
    bench("--minutes=0.001", *arguments)
    rows = measured(tmp_path)
    assert {row["round"] for row in rows} == {"0"} and {row["contestant"] for row in rows} == {"ringmail", "mp.Queue"}


@pytest.mark.timeout(60)
def test_a_peer_that_alters_messages_is_found_out(tmp_path: pathlib.Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(BENCH.parent)!r})
from suite import payloads
from suite.cases import stream
from suite.peers.own import Ringmail

class Altering(Ringmail):
    name = "altering"
    def open_receiver(self):
        get = self.queue.get
        self.get = lambda: get()[:-1] + b"?"

if __name__ == "__main__":
    stream.contestant(Altering, payloads.text(10), 5, 0.01).prepare()
"""
    script = tmp_path / "altering.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=50)
    assert done.returncode != 0 and "is not what was sent" in done.stderr, done.stderr


@pytest.mark.timeout(60)
def test_what_is_not_there_is_named() -> None:
    listed = bench("peers").splitlines()
    names = {line[:24].strip(): line[24:].strip() for line in listed}
    assert "py-sharedmemory 1.0.1" in names and "Ray" in names
    assert all(state for state in names.values())
    assert not names["ringmail"].startswith("not installed")
    bench("sizes", "--peers=nobody", code=1)
    bench("nothing", code=1)


@pytest.mark.timeout(60)
def test_what_orphans_take_is_ours(tmp_path: pathlib.Path) -> None:
    program = f"""
import subprocess, sys
sys.path.insert(0, {str(BENCH.parent)!r})
from suite import crew, machine

BURN = "import time\\nwhile time.process_time() < {{}}: pass\\nprint(1, flush=True)\\ntime.sleep({{}})"

def parent(seconds, left_alive):
    child = subprocess.Popen([sys.executable, "-c", BURN.format(seconds, 3600 * left_alive)], stdout=subprocess.PIPE)
    child.stdout.readline()
    return child.pid

if __name__ == "__main__":
    crew.prepare()
    crew.play((parent, (0.0, 0)))
    before = machine._own()
    # One is at its end when its parent is killed, the other goes on.
    pids = crew.play((parent, (0.5, 0)), (parent, (0.7, 1)), wanted=2)
    print(machine._own() - before)
    subprocess.run(["kill", "-9", str(pids[1])])
"""
    script = tmp_path / "orphans.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert float(done.stdout) >= 1.1


@pytest.mark.timeout(60)
def test_quick_figures_do_not_get_into_docs() -> None:
    bench("scalars", "--quick", "--out=docs", code=1)


def test_three_regimes_as_the_rust_harness_has_them() -> None:
    assert [regime.of(trip) for trip in (54.0, 84.0, 130.0, 210.0, 310.0)] == ["sibling", "near", "near", "far", "far"]
    rust = (BENCH.parents[2] / "benches/compare/src/regime.rs").read_text()
    assert f"SIBLING_NS: f64 = {regime.SIBLING_NS}" in rust and f"NEAR_NS: f64 = {regime.NEAR_NS}" in rust


@pytest.mark.parametrize("payload", [payloads.text(10), payloads.text(300_001), payloads.floats(1_200_004)], ids=lambda p: p.kind)
def test_one_changed_element_makes_another_message(payload: payloads.Payload) -> None:
    assert payload.is_it(payload.make(3), 3) and not payload.is_it(payload.make(4), 3)
    assert not payload.is_it(payload.make(3)[:-1], 3)
    for place in (0, -1):
        altered = bytearray(payload.make(3)) if payload.kind == "bytes" else payload.make(3)
        altered[place] += 1
        assert not payload.is_it(altered, 3)


def outcome(
    goals: list[Goal], values: dict[str, list[float]], *, more: bool = True, counts: bool = True, figure: str = "value"
) -> Outcome:
    """What a case came to: figures of each contestant, one a round."""
    contestants = [Contestant(name, "copy", lambda: dict) for name in values]
    case = Case("case", "A case", "messages/s", more, contestants, goals)
    samples = [
        Sample("case", name, number, "near", (100.0, 100.0), 0.0, counts, {figure: value})
        for name, figures in values.items()
        for number, value in enumerate(figures)
    ]
    return Outcome(case, samples, {})


@pytest.mark.parametrize(
    ("goal", "values", "more", "reached"),
    [
        # A figure, by its median.
        (Goal("a", 10.0), {"a": [1.0, 10.0, 11.0]}, True, True),
        (Goal("a", 10.0), {"a": [9.0, 9.9, 11.0]}, True, False),
        (Goal("a", 10.0), {"a": [9.0, 10.0, 99.0]}, False, True),
        (Goal("a", 10.0), {"a": [9.0, 10.1, 10.2]}, False, False),
        # Or each time.
        (Goal("a", 10.0, always=True), {"a": [9.0, 10.0, 11.0]}, True, False),
        (Goal("a", 10.0, always=True), {"a": [9.0, 10.0, 11.0]}, False, False),
        (Goal("a", 10.0, always=True), {"a": [10.0, 11.0]}, True, True),
        # The best of the others, whichever it is; ratios are of one round.
        (Goal("a", 1.5, ["b", "c"]), {"a": [3.0, 30.0], "b": [2.0, 20.0], "c": [1.0, 10.0]}, True, True),
        (Goal("a", 1.6, ["b", "c"]), {"a": [3.0, 30.0], "b": [2.0, 20.0], "c": [1.0, 10.0]}, True, False),
        (Goal("a", 0.5, ["b", "c"]), {"a": [1.0, 1.0], "b": [2.0, 2.0], "c": [9.0, 9.0]}, False, True),
        (Goal("a", 0.4, ["b", "c"]), {"a": [1.0, 1.0], "b": [2.0, 2.0], "c": [9.0, 9.0]}, False, False),
        # Where a case is about more, a figure of it may be about less.
        (Goal("a", 0.0, more_is_better=False), {"a": [0.0]}, True, True),
        (Goal("a", 0.0, more_is_better=False, always=True), {"a": [0.0, 0.0, 1.0]}, True, False),
    ],
)
def test_goals_are_judged(goal: Goal, values: dict[str, list[float]], more: bool, reached: bool) -> None:
    judged = outcome([goal], values, more=more)
    (verdict,) = summary.verdicts(judged)
    assert verdict.reached == reached
    assert verdict.against == ("b" if goal.best_of else None)
    assert ("missed" in verdict.text(judged)) != reached
    assert report.goals([judged])[0] == ("## Goals: 0 missed, 1 reached" if reached else "## Goals: 1 missed, 0 reached")


def test_what_cannot_be_judged_is_not() -> None:
    values = {"a": [1.0], "b": [1.0]}
    assert summary.verdicts(outcome([Goal("a", 1.0)], values, counts=False)) == []
    assert summary.verdicts(outcome([Goal("c", 1.0), Goal("a", 1.0, ["c"])], values)) == []
    (verdict,) = summary.verdicts(outcome([Goal("a", 1.0, figure="told")], {"a": [1.0]}, figure="told"))
    assert verdict.reached


def test_missed_goals_come_first_and_losses_are_seen() -> None:
    both = outcome([Goal("ringmail", 1.0), Goal("ringmail", 5.0)], {"ringmail": [2.0], "other": [4.0]})
    lines = report.goals([both])
    assert "missed" in lines[2] and "reached" in lines[3]
    assert "in few rounds" in lines[2]
    enough = outcome([Goal("ringmail", 1.0)], {"ringmail": [2.0] * 5})
    assert report.goals([enough])[2].endswith(", reached")
    found = summary.advantage(both, "near", "other", "copy")
    assert found is not None and found.median == 0.5
    fewer = outcome([], {"ringmail": [2.0], "other": [4.0]}, more=False)
    found = summary.advantage(fewer, "near", "other", "copy")
    assert found is not None and found.median == 2.0
    assert summary.advantage(fewer, "near", "ringmail", "copy") is None


def test_who_is_slow_has_fewer_turns() -> None:
    assert turns.affordable([1.0, 2.0, 10.0], 130.0, 10) == 10.0
    assert turns.affordable([1.0, 2.0, 10.0], 129.0, 10) == 2.0
    assert turns.affordable([1.0, 2.0, 10.0], 9.0, 10) == 0.0


def columns_of(
    now: list[float], sizes: list[int], seconds: dict[str, float], start: float = 0.0, goals: list[Goal] | None = None
) -> list[sampling.Measurement]:
    """Columns of a table whose contestants take so long for 1 MB each, and for the start of processes."""

    def contestant(name: str, size: int) -> Contestant:
        def sample() -> Figures:
            each = seconds[name] * size / 1e6
            now[0] += start + 8 * each
            return {"value": 1 / each}

        return Contestant(name, "view" if name.startswith("view") else "copy", lambda: sampling.Stream(sample, 8))

    def column(size: int) -> sampling.Measurement:
        contestants, heading = [contestant(name, size) for name in seconds], f"{size // 1_000_000} MB"
        lengthy = 60.0 if size >= 5_000_000_000 else 0.0
        made = Case(
            heading, heading, "", True, contestants, goals or [], timed=False, table="t", column=size, heading=heading, lengthy=lengthy
        )
        return sampling.Measurement(made, 0.04, None, print)  # type: ignore[arg-type]

    return [column(size) for size in sizes]


def test_who_is_slow_is_left_out_where_messages_are_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    # A fifth of a second for 100 MB, of which a sample has 8: 16 s for 1 GB.
    seconds = {"ringmail": 1e-4, "near": 2.5e-4, "slow": 2e-3, "mp.Queue": 2e-3, "ringmail slow": 2e-3, "view": 2e-3}
    goals = [Goal("ringmail", 1.0, ["near", "slow"]), Goal("ringmail", 1.0, ["mp.Queue"]), Goal("ringmail", 1.0, ["slow", "missing"])]
    sizes = [100_000_000, 1_000_000_000, 10_000_000_000]
    columns = columns_of(now, sizes, seconds, goals=goals)
    turns.spread(columns, 1000.0, 1, lambda each: None)
    # Not who is near, nor who is the best of its mode, nor whom a goal names alone; and not of ours. In a lengthy column neither.
    reason = "it takes 0.2 s for one of 100 MB"
    reasons = [{}, {"slow": f"a sample would take 16 s: {reason}"}, {"slow": f"a sample would take 160 s: {reason}"}]
    assert [each.outcome.left_out for each in columns] == reasons
    for each, left_out in zip(columns, reasons, strict=True):
        assert {sample.contestant for sample in each.outcome.samples} == set(seconds) - set(left_out)
    text = "\n".join(report._sizes([each.outcome for each in columns]))
    assert "| left out | left out |" in text and "- 1000 MB, slow: left out, as a sample would take 16 s" in text
    # What it does to goals is told.
    (beside, against, nobody) = columns[1].case.goals
    told = {verdict.goal.best_of[0]: verdict.text(columns[1].outcome) for verdict in summary.verdicts(columns[1].outcome)}
    assert "1x near, without slow: " in told["near"] and "1x mp.Queue: " in told["mp.Queue"] and len(told) == 2
    lines = report.goals([columns[1].outcome])
    assert lines[0] == "## Goals: 0 missed, 2 reached, 1 not judged"
    assert "- 1000 MB: ringmail beside slow, missing, not judged: slow left out" in lines


def test_a_slow_start_leaves_nobody_out_nor_do_longer_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    # 8 s for 1 GB, and as long again until anything runs.
    columns = columns_of(now, [100_000_000, 1_000_000_000], {"ringmail": 1e-5, "slow": 1e-3}, start=8.0)
    turns.spread(columns, 1000.0, 1, lambda each: None)
    assert [each.outcome.left_out for each in columns] == [{}, {}]
    columns = columns_of(now, [2_000_000_000, 1_000_000_000, 10_000_000], {"ringmail": 1e-5, "slow": 1e-2})
    turns.spread(columns, 1000.0, 1, lambda each: None)
    assert [each.outcome.left_out for each in columns] == [{}, {}, {}]


def test_few_rounds_among_many_are_told() -> None:
    some = outcome([], {"ringmail": [1.0] * 5, "other": [1.0, 2.0]})
    assert "- A case, few rounds: other (2)" in report._case(some)
    assert not any("few rounds" in line for line in report._case(outcome([], {"ringmail": [1.0], "other": [1.0, 2.0]})))


def test_lengthy_cases_wait_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told: list[tuple[str, int]] = []

    def case(name: str, seconds: float, lengthy: float) -> sampling.Measurement:
        def sample() -> Figures:
            now[0] += seconds
            return {"value": 1.0}

        def prepare() -> Callable[[], Figures]:
            return sample

        contestants = [Contestant("ringmail", "copy", prepare)]
        made = Case(name, name, "", True, contestants, timed=False, lengthy=lengthy)
        return sampling.Measurement(made, 0.04, None, print)  # type: ignore[arg-type]

    def run(until: float) -> list[tuple[str, int]]:
        told.clear()
        now[0] = 0.0
        cases = [case("long", 50.0, 60.0), case("one", 1.0, 0.0), case("two", 2.0, 0.0)]
        turns.spread(cases, until, 3, lambda each: told.append((each.case.name, each.rounds)))
        return list(told)

    of_each = [("one", 1), ("two", 1), ("one", 2), ("two", 2), ("one", 3), ("two", 3)]
    # Room for three rounds; for the lengthy one as well; for more.
    assert run(9.5) == of_each
    assert run(70.0)[:7] == [*of_each, ("long", 1)]
    assert len(run(70.0)) > 10 and now[0] <= 70.0
    # Too little for the second of two, once it is known.
    assert run(4.5) == [("one", 1), ("two", 1), ("one", 2)]
