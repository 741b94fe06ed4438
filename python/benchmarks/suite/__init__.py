"""The benchmarks of the Python package.

| file | subject |
|---|---|
| ``cli.py`` | what is run, and where the results go |
| ``cases/`` | what is measured: one file for each question |
| ``peers/`` | what is measured beside Ringmail: one file for each library, all behind ``contract.py`` |
| ``payloads.py`` | the messages, and whether one arrived as it was sent |
| ``crew.py``, ``nursery.py`` | the processes of one sample, and the one they are forked from |
| ``regime.py``, ``machine.py`` | siblings, near or far; who else took processor time, what the figures were taken on |
| ``sampling.py`` | rounds of samples, and which of them count |
| ``turns.py`` | whose round is next, and what fits into the time there is |
| ``summary.py``, ``report.py``, ``plots.py`` | medians and ratios; CSV and Markdown; pictures |

Every sample is taken by processes of its own, forked from one that has imported what they need and done nothing else. Contestants take
turns (A B A B). A cache line moves between two cores at one of a few speeds on many machines, so that a probe before and after each
sample tags it *sibling*, *near* or *far*; a sample whose probes differ, or beside which others took processor time, is taken again, and
does not count in the end if it cannot be had otherwise. What is compared was measured in the same regime: a ratio is taken within one
round, and the median of the ratios is told. Before anything is timed, messages are checked to arrive as they were sent, in order.
"""
