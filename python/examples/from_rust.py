"""A Rust process sends clouds of points; Python reads them in place and answers.

Two rings with names join them. What Rust sends is a dict with an array, as if Python had sent it: `interchange/src/scanner.rs` has the
other end, which checks the answers.

    python from_rust.py [scans]          wants cargo and a checkout of the repository
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys

import ringmail

INTERCHANGE = pathlib.Path(__file__).parent.parent / "interchange" / "Cargo.toml"


def main(count: int = 100) -> int:
    """Answers every scan; returns how many there were."""
    names = [f"from-rust-{os.getpid()}-{which}" for which in ("scans", "answers")]
    scans, answers = (ringmail.Ring.create(name, 4, max_message_bytes=16 << 20) for name in names)
    subprocess.run(["cargo", "build", "--quiet", "--manifest-path", INTERCHANGE], check=True)
    run = ["cargo", "run", "--quiet", "--manifest-path", str(INTERCHANGE), "--", "scan", *names, str(count)]
    done = 0
    try:
        with answers.sender() as sender, scans.receiver() as receiver, subprocess.Popen(run) as scanner:
            while done < count:
                with receiver.recv(timeout=60) as message:
                    scan = message.value()
                    points = scan["points"]
                    # Nothing was copied: it lies in the ring, and stays there until the last view of it is gone.
                    assert not points.flags.owndata and not points.flags.writeable
                    sender.put({"scan": scan["scan"], "middle": points.mean(axis=0, dtype="f8")})
                    done += 1
                    if done % 25 == 0:
                        print(f"scan {scan['scan']:3}: {len(points):,} points about {points.mean(axis=0).round(2)}")
                    del scan, points
    finally:
        # They go with whoever leaves them last, empty; what goes wrong leaves them full.
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                ringmail.Ring.unlink(name)
    assert scanner.returncode == 0, "every answer was right"
    return done


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
