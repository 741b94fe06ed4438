"""The benchmarks run, check what they measure, and write down what they found."""

from __future__ import annotations

import csv
import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).parent.parent / "benchmarks" / "bench.py"


def bench(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=110)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def measured(folder: pathlib.Path) -> list[dict[str, str]]:
    with (folder / "python.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.timeout(120)
def test_a_quick_run(tmp_path: pathlib.Path) -> None:
    bench("sizes", "--quick", "--sizes=1e5", "--peers=ringmail,mp.Queue", f"--out={tmp_path}")
    rows = measured(tmp_path)
    cases = [f"sizes/{kind}/5/100000" for kind in ("bytes", "float32")]
    assert {(row["case"], row["contestant"]) for row in rows} == {(case, name) for case in cases for name in ("ringmail", "mp.Queue")}
    assert all(float(row["value"]) > 0 and row["regime"] in ("near", "far") for row in rows)
    table = (tmp_path / "python.md").read_text()
    assert "| ringmail (copy) |" in table and "| mp.Queue (copy) |" in table and "| | 100 KB |" in table


@pytest.mark.timeout(120)
def test_deaths(tmp_path: pathlib.Path) -> None:
    # No timing, and so a promise: whoever waits for the dead is told, others carry on, and nothing is left.
    said = bench("kills", "--quick", "--peers=ringmail", f"--out={tmp_path}")
    deaths = {row["figure"]: float(row["value"]) for row in measured(tmp_path)}
    assert deaths == {"told of a producer": 1, "told of a consumer": 1, "new producer": 1, "new consumer": 1, "left": 0}, said
    assert "## Killed processes" in (tmp_path / "python.md").read_text()


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
