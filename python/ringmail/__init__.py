"""Messages and NumPy arrays between processes, through one ring in shared memory.

``Queue`` takes the place of ``multiprocessing.Queue``; ``pair`` gives a sender and a receiver; ``Ring`` names a ring that
unrelated processes open, in Python or in Rust. See the README for the main job, actors and a learner.
"""

from __future__ import annotations

from queue import Empty, Full

from ._native import Disconnected, Loan, Message, Receiver, Ring, Sender, keep_warm
from ._pair import pair
from ._queue import Queue

__all__ = [
    "Disconnected",
    "Empty",
    "Full",
    "Loan",
    "Message",
    "Queue",
    "Receiver",
    "Ring",
    "Sender",
    "keep_warm",
    "pair",
]
__version__ = "0.1.0"
