"""Ringmail beside what else there is in Python: one command, which writes a CSV, a Markdown table and plots.

    python benchmarks/bench.py --minutes 45        # everything, in short samples: 5 rounds where they fit, more if time is left
    python benchmarks/bench.py                     # everything, 5 rounds of samples of half a second: takes some hours
    python benchmarks/bench.py --quick             # a little of everything in some minutes; no figures to believe
    python benchmarks/bench.py sizes frames        # some of the cases
    python benchmarks/bench.py sizes --peers ringmail,mp.Queue --sizes 10,1e8 --capacity 5
    python benchmarks/bench.py peers               # which peers are there, and which are not and why
    python benchmarks/bench.py --minutes 45 --out docs    # for docs/python of this repository, to be committed

See ``suite/__init__.py`` for how it measures.
"""

from __future__ import annotations

import pathlib
import sys

# Also where Python is told not to look beside the script.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

if __name__ == "__main__":
    from suite.cli import main

    sys.exit(main())
