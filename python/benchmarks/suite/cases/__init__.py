"""What is measured."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much of it."""

    sizes: list[int]
    capacities: list[int]
    seconds: float
    #: Bytes of the array that makes round trips.
    big: int
    #: Bytes of the array that is summed.
    total: int
    #: Deaths of each kind.
    kills: int
    #: Whether there is little time: what takes much of it and tells little is left out.
    brief: bool = False
