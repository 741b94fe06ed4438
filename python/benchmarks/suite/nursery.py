"""Imported by the process that samples are forked from, and by no other: whoever loses its parent in a sample becomes its child.

Ray's daemons, say, outlive the process that started them. So what they took of the processor is found among ours, and not among others'.
"""

from __future__ import annotations

import ctypes
import warnings

_PR_SET_CHILD_SUBREAPER = 36

ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
# It waits for them all the same, and says so.
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
